"""An end of a session that breaks off: says hello, sends one octet, hears one, and resets."""
import socket
import struct
import sys

port, line = int(sys.argv[1]), sys.argv[2]
conn = socket.create_connection(("127.0.0.1", port))
conn.sendall(line.encode() + b"x")
conn.recv(1)
# Linger for no time: close is a reset, without an end before it.
conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
conn.close()
