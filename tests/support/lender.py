"""A host for tests: registers tools over REST, and takes and answers calls when a test says so."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.daemon import WAIT_S, Daemon, Json


def tool(name: str = "open_tab", **fields: Any) -> Json:
    parameters = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}
    return {"name": name, "description": "Open a tab.", "parameters": parameters, "risk": "low", **fields}


@dataclass
class Lender:
    """One instance of a host."""

    daemon: Daemon
    name: str = "browser"
    instance: str = "one"
    tools: list[Json] = field(default_factory=lambda: [tool()])
    host_id: str = ""
    lease: str = ""

    def register(self, **fields: Any) -> Json:
        """Register, and remember the lease."""
        body = {"name": self.name, "instance": self.instance, "tools": self.tools, **fields}
        answer = self.daemon.call("POST", "/api/hosts", body)
        self.host_id, self.lease = answer["host_id"], answer["lease"]
        return answer

    def post(self, what: str, **fields: Any) -> Json:
        return self.daemon.call("POST", f"/api/hosts/{self.host_id}/{what}", {"lease": self.lease, **fields})

    def refused(self, what: str, **fields: Any) -> str:
        """The code with which this is refused."""
        body = {"lease": self.lease, **fields}
        return self.daemon.refused("POST", f"/api/hosts/{self.host_id}/{what}", body).code

    def answer(self, call_id: str, result: Any = "done", **fields: Any) -> Json:
        return self.post("results", call_id=call_id, result=result, **fields)


def wait_parked(daemon: Daemon, **parameters: Any) -> None:
    """Wait until the turn waits without a task."""
    until = time.monotonic() + WAIT_S
    while daemon.status(**parameters)["state"] != "waiting_approval":
        assert time.monotonic() < until
        time.sleep(0.02)
