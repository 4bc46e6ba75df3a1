"""Sends nonsense to a group as fast as it can: nonsense.py SEED SECONDS GROUP PORT ADDRESS

Random octets, good datagrams of both formats and of R-GOOSE cut short or with octets changed, and
datagrams beyond the MTU. Prints how many were sent.
"""

import random
import socket
import sys
import time

seed, seconds, group, port, address = sys.argv[1:6]
dice = random.Random(int(seed))
pdu = bytes.fromhex("610c8001418101018501078601 00".replace(" ", ""))
goose = b"\x30\x01" + (8 + len(pdu)).to_bytes(2, "big") + bytes(4) + pdu
source = bytes.fromhex("001122334455")
good = [
    source + bytes(12) + goose,
    b"GB\x02\x00" + bytes(4) + bytes(24) + bytes.fromhex("010ccd010001") + source + b"\x88\xb8" + goose,
    bytes.fromhex("0140a1178015") + bytes(8) + b"\x00\x02" + bytes(15) + b"\x81\x00\x30\x01\x00\x0e" + pdu,
]


def one():
    kind = dice.randrange(4)
    if kind == 0:
        return dice.randbytes(dice.randrange(0, 400))
    if kind == 1:
        return dice.randbytes(dice.choice([1472, 1600, 4000, 9000]))
    octets = bytearray(dice.choice(good))
    if kind == 2:
        return bytes(octets[: dice.randrange(len(octets))])
    for _ in range(dice.randrange(1, 6)):
        octets[dice.randrange(len(octets))] = dice.randrange(256)
    return bytes(octets)


out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
out.connect((group, int(port)))
batch = [one() for _ in range(4000)]
sent = 0
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    for octets in batch:
        try:
            out.send(octets)
            sent += 1
        except OSError:
            pass  # The queue is full: that is full rate.
print(sent)
