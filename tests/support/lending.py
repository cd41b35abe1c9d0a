"""A host as a program of its own: lends `mark` over /ws, and writes a line for each call that it runs.

python -m tests.support.lending PORT FILE
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

TOOL = {
    "name": "mark",
    "description": "Write a line.",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "risk": "low",
    "wait": "durable",
}


class Lending:
    """One instance. A call runs once, and its result is sent until the daemon has it."""

    def __init__(self, marks: Path) -> None:
        self._marks = marks
        self._instance = uuid.uuid4().hex
        self._results: dict[str, int] = {}

    def serve(self, socket: ClientConnection) -> None:
        numbers = itertools.count()
        mine: dict[str, str] = {}
        arguments: dict[str, Any] = {}

        def send(kind: str, **payload: Any) -> None:
            message = {"id": f"{kind}.{next(numbers)}", "type": kind, "payload": payload}
            socket.send(json.dumps(message))

        def answer(call_id: str, given: dict[str, Any]) -> None:
            if call_id not in self._results:
                with self._marks.open("a") as file:
                    file.write(f"{given['n']}\n")
                time.sleep(given["n"] % 4 * 0.05)
                self._results[call_id] = given["n"] * 2
            send("host_result", **mine, call_id=call_id, result=self._results[call_id])

        def accept(call_id: str, given: dict[str, Any]) -> None:
            arguments[call_id] = given
            send("host_accept", **mine, call_id=call_id)

        send("subscribe", types=["host_call"])
        send("host_register", name="marker", instance=self._instance, tools=[TOOL], replace=True)
        for text in socket:
            message = json.loads(text)
            kind, data = message.get("type") or message["id"].split(".")[0], message.get("data")
            if kind == "host_register" and message["success"]:
                mine.update(host_id=data["host_id"], lease=data["lease"])
                for call in data["calls"]:
                    (answer if call["accepted"] else accept)(call["call_id"], call["arguments"])
            elif kind == "host_call" and mine and data["call_id"] not in arguments:
                accept(data["call_id"], data["arguments"])
            elif kind == "host_accept" and message["success"]:
                answer(data["call_id"], data["arguments"])


def main() -> None:
    port, marks = sys.argv[1], Path(sys.argv[2])
    lending = Lending(marks)
    while True:
        with contextlib.suppress(OSError, WebSocketException), connect(f"ws://127.0.0.1:{port}/ws") as socket:
            lending.serve(socket)
        if os.getppid() == 1:
            return
        time.sleep(0.02)


if __name__ == "__main__":
    main()
