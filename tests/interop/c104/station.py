"""A controlled station made with the independent stack c104, for the test beside this file.

Arguments: port, and for TLS a folder of certificates. Values go out when a line "tell" comes on standard input; commands that are received
are told on standard output, one JSON object a line. It ends with its standard input.
"""
import json
import os
import sys

import c104

security = None
if len(sys.argv) > 2:
    folder = sys.argv[2]
    security = c104.TransportSecurity(validate=True, only_known=False)
    security.set_certificate(cert=f"{folder}/own-server.pem", key=f"{folder}/own-server.key")
    security.set_ca_certificate(cert=f"{folder}/own.pem")
    security.set_version(min=c104.TlsVersion.TLS_1_2, max=c104.TlsVersion.TLS_1_2)
server = c104.Server(ip="127.0.0.1", port=int(sys.argv[1]), tick_rate_ms=50, transport_security=security)
station = server.add_station(common_address=1)
points = {
    "single": station.add_point(io_address=101, type=c104.Type.M_SP_TB_1),
    "double": station.add_point(io_address=102, type=c104.Type.M_DP_TB_1),
    "step": station.add_point(io_address=103, type=c104.Type.M_ST_TB_1),
    "normalized": station.add_point(io_address=104, type=c104.Type.M_ME_TD_1),
    "scaled": station.add_point(io_address=105, type=c104.Type.M_ME_TE_1),
    "float": station.add_point(io_address=106, type=c104.Type.M_ME_TF_1),
}
points["single"].value = True
points["double"].value = c104.Double.ON
points["step"].value = c104.Int7(-5)
points["normalized"].value = c104.NormalizedFloat(0.25)
points["scaled"].value = c104.Int16(-1234)
points["float"].value = 49.98


def tell(what, **fields):
    # One write for a line: callbacks come on threads of their own.
    os.write(1, (json.dumps({"what": what, **fields}) + "\n").encode())


def on_command(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    tell("command", ioa=point.io_address, value=str(point.value), select=message.is_select_command)
    return c104.ResponseState.SUCCESS


for address, kind, mode in (
    (301, c104.Type.C_SC_NA_1, c104.CommandMode.DIRECT),
    (302, c104.Type.C_DC_NA_1, c104.CommandMode.SELECT_AND_EXECUTE),
    (303, c104.Type.C_SE_NC_1, c104.CommandMode.DIRECT),
):
    command = station.add_point(io_address=address, type=kind, command_mode=mode)
    command.on_receive(callable=on_command)

server.start()
tell("ready")
for line in sys.stdin:
    if line.strip() == "tell":
        for point in points.values():
            point.transmit(cause=c104.Cot.SPONTANEOUS)
server.stop()
