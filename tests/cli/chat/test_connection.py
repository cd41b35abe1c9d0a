"""The connection of a chat, with servers that are not daemons."""

from __future__ import annotations

import asyncio

import pytest

from aster_sidecar.cli.chat.connection import Connection, Refused, Unreachable


def called(url: str) -> None:
    async def call() -> None:
        async with Connection(url, "instance_1", "secret", lambda: (url, "instance_1", "secret")) as connection:
            await connection.call("GET", "/api/agents")

    asyncio.run(call())


def test_nobody_there(nobody: int) -> None:
    with pytest.raises(Unreachable, match="no daemon answers on"):
        called(f"http://127.0.0.1:{nobody}")


def test_a_refusal_has_the_words_of_the_daemon() -> None:
    refusal = Refused(409, {"error": "busy", "code": "agent_busy", "hint": "wait", "details": {"a": 1}})
    assert (str(refusal), refusal.code, refusal.hint, refusal.details) == ("busy", "agent_busy", "wait", {"a": 1})
    assert (str(Refused(502, {})), Refused(502, {}).code, Refused(502, {}).hint) == ("HTTP 502", "", None)
