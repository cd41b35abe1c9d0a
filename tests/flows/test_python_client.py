"""A client that `openapi-python-client` makes from /openapi.json: it is made without warnings, and it works."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon

PACKAGE = "made_client"
CONFIG = {
    "package_name_override": PACKAGE,
    "content_type_overrides": {"application/zip": "application/octet-stream"},  # it does not know application/zip
    "post_hooks": [],
}
WAIT_S = 30.0


def made(daemon: Daemon, place: Path) -> None:
    """Generate the client into `place`. Nothing of the document may be left out."""
    (place / "config.json").write_text(json.dumps(CONFIG))
    program = str(Path(sys.executable).with_name("openapi-python-client"))
    url = f"{daemon.url}/openapi.json"
    command = [program, "generate", "--url", url, "--config", "config.json", "--output-path", "made", "--meta", "none"]
    told = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
    words = told.stdout + told.stderr
    assert told.returncode == 0, words
    assert not any(word in words for word in ("WARNING", "ERROR", "Unable", "Cannot")), words


def test_a_generated_client_chats_and_approves(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(daemon, tmp_path)
    (tmp_path / "made").rename(tmp_path / PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def of(name: str) -> Any:
        return importlib.import_module(f"{PACKAGE}.{name}")

    with of("client").Client(base_url=daemon.url) as client:
        request = of("models.chat_request").ChatRequest(agent_id="default", message="run `env echo generated`")
        started = of("api.conversations.chat").sync(client=client, body=request).data
        until = time.monotonic() + WAIT_S
        while not (asked := of("api.policy.approvals").sync(client=client).data):
            assert time.monotonic() < until, "no question came"
            time.sleep(0.05)
        [question] = asked
        assert question.turn_id == started.turn_id
        decision = of("models.approve_request_decision").ApproveRequestDecision.ALLOW
        answer = of("models.approve_request").ApproveRequest("default", question.call_id, decision)
        assert of("api.policy.approve").sync(client=client, body=answer).data.call_id == question.call_id
        while not finished(page := of("api.conversations.history").sync(client=client, agent_id="default").data):
            assert time.monotonic() < until, "the turn did not end"
            time.sleep(0.05)
        tool = next(part for part in page.messages[-1].parts if type(part).__name__ == "ToolPart")
        assert "generated" in json.dumps(tool.to_dict()["result"])
        refused = of("api.conversations.get_session").sync(session_id="session_none", client=client)
        assert (refused.success, refused.code) == (False, "session_not_found")


def finished(page: Any) -> bool:
    return (
        bool(page.messages)
        and page.messages[-1].role.value == "assistant"
        and page.messages[-1].status.value == "complete"
    )
