"""Takes the place of a daemon that a fork server starts, for the tests in TypeScript.

`python -I -S tests/support/forked.py SOCKET FLAG...`

The daemon has this process's stdin, stdout, stderr, directory and environment. This process ends with the daemon's exit
code, and the daemon is killed when this process is killed.
"""

import json
import os
import signal
import socket
import sys

asked = {"arguments": sys.argv[2:], "cwd": os.getcwd(), "environment": dict(os.environ)}
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect(sys.argv[1])
    socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
    for descriptor in (0, 1, 2):  # only the daemon is to keep them open
        os.close(descriptor)
    answer = server.recv(100)
code = json.loads(answer)["code"] if answer else 70
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), -code)
os._exit(code)
