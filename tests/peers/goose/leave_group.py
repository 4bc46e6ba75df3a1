"""Makes another process leave a multicast group behind its back: leave_group.py PID GROUP ADDRESS

Takes a copy of every socket of the process (pidfd_getfd(2)) and drops the membership on each that
has it. Prints how many had.
"""

import ctypes
import os
import socket
import sys

PIDFD_OPEN, PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)
pid, group, address = int(sys.argv[1]), sys.argv[2], sys.argv[3]
pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
request = socket.inet_aton(group) + socket.inet_aton(address)
left = 0
for name in os.listdir(f"/proc/{pid}/fd"):
    try:
        if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
            continue
    except FileNotFoundError:
        continue
    copy = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
    if copy < 0:
        continue
    with socket.socket(fileno=copy) as one:
        try:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, request)
            left += 1
        except OSError:
            pass  # It is of another kind, or no member.
print(left)
