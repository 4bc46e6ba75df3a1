"""A control centre made with the independent stack c104, for the test beside this file.

Arguments: port, and for TLS a folder of certificates. What it receives is told on standard output, one JSON object a line; lines on
standard input are commands: address, type, value. It ends with its standard input.
"""
import json
import os
import sys
import threading
import time

import c104

security = None
if len(sys.argv) > 2:
    folder = sys.argv[2]
    security = c104.TransportSecurity(validate=True, only_known=False)
    security.set_certificate(cert=f"{folder}/own-client.pem", key=f"{folder}/own-client.key")
    security.set_ca_certificate(cert=f"{folder}/own.pem")
    security.set_version(min=c104.TlsVersion.TLS_1_2, max=c104.TlsVersion.TLS_1_2)
client = c104.Client(tick_rate_ms=50, command_timeout_ms=15000, transport_security=security)
connection = client.add_connection(ip="127.0.0.1", port=int(sys.argv[1]), init=c104.Init.INTERROGATION)
station = connection.add_station(common_address=1)


def tell(what, **fields):
    # One write for a line: callbacks come on threads of their own.
    os.write(1, (json.dumps({"what": what, **fields}) + "\n").encode())


def on_receive(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    tell("value", ioa=point.io_address, type=int(point.type.value if hasattr(point.type, "value") else point.type),
         cause=message.cot.name, value=str(point.value), quality=str(point.quality))
    return c104.ResponseState.SUCCESS


def on_new_point(client: c104.Client, station: c104.Station, io_address: int, point_type: c104.Type) -> None:
    point = station.add_point(io_address=io_address, type=point_type)
    point.on_receive(callable=on_receive)
    tell("new", ioa=io_address, type=point_type.name)


def on_unexpected(connection: c104.Connection, message: c104.IncomingMessage, cause: c104.Umc) -> None:
    tell("unexpected", cause=cause.name)


client.on_new_point(callable=on_new_point)
connection.on_unexpected_message(callable=on_unexpected)


def keep_started():
    """Ask for STARTDT where c104 forgot to: one connection of ten stays muted after it was made."""
    muted = 0
    while True:
        time.sleep(0.2)
        muted = muted + 1 if connection.state == c104.ConnectionState.OPEN_MUTED else 0
        if muted >= 3:
            connection.unmute()
            muted = 0


client.start()
threading.Thread(target=keep_started, daemon=True).start()
tell("ready")
commands = {}
for line in sys.stdin:
    address, kind, value, mode = line.split()
    if address not in commands:
        commands[address] = station.add_point(
            io_address=int(address),
            type=getattr(c104.Type, kind),
            command_mode=getattr(c104.CommandMode, mode),
        )
    command = commands[address]
    if kind == "C_DC_NA_1":
        command.value = getattr(c104.Double, value)
    elif kind == "C_SC_NA_1":
        command.value = value == "ON"
    else:
        command.value = float(value)
    tell("commanded", ioa=int(address), success=command.transmit(cause=c104.Cot.ACTIVATION))
client.stop()
