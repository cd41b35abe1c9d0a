"""Subscribers in a separate process: N raw connections to /api/events, read as fast as they can be.

Prints `ready`, then one line of JSON for each answer: when the first text came, when the last subscriber had the end
and when the request reached the provider (all in ns of CLOCK_MONOTONIC), how many tokens came, and how long each one
took to the first subscriber.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time

TOKEN = re.compile(rb"([rt])(\d{9,}) ")


def main(port: int, count: int) -> None:
    selector = selectors.DefaultSelector()
    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
        seen = b""
        while b"event: connected" not in seen:
            seen += connection.recv(1 << 16)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, number)
    print("ready", flush=True)
    while True:
        read_answer(selector, count)


def read_answer(selector: selectors.BaseSelector, count: int) -> None:
    tails = [b""] * count
    done = [False] * count
    first_ns = request_ns = 0
    tokens = 0
    late_ns: list[int] = []
    while not all(done):
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            piece: bytes = key.fileobj.recv(1 << 20)
            now_ns = time.monotonic_ns()
            if not piece:
                sys.exit("the stream ended")
            number = int(key.data)
            text = tails[number] + piece
            cut = max(text.rfind(b"\n"), text.rfind(b" ")) + 1
            tails[number] = text[max(cut, len(text) - 100) :]
            if number == 0:
                for mark, moment in TOKEN.findall(text[:cut]):
                    tokens += 1
                    if mark == b"r":
                        first_ns, request_ns = now_ns, int(moment)
                    else:
                        late_ns.append(now_ns - int(moment))
            done[number] |= b"event: done" in text
    told = {
        "first_ns": first_ns,
        "done_ns": time.monotonic_ns(),
        "request_ns": request_ns,
        "tokens": tokens,
        "late_ns": late_ns,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
