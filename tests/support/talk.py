"""A conversation with a daemon, for tests: send a message and get the complete outcome."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from tests.support.bytes_provider import BytesProvider, RecordedRequest
from tests.support.daemon import Daemon, Json, text_of
from tests.support.stream_bytes import say

ANSWER_S = 20.0


@dataclass
class Outcome:
    """The outcome of one turn: its events, and the requests that the provider received for it."""

    events: list[Json]
    requests: list[RecordedRequest]

    def of(self, kind: str) -> list[Json]:
        """The data of the turn's events of a kind."""
        return [event["data"] for event in self.events if event["type"] == kind]

    @property
    def stop_reason(self) -> str:
        return self.of("done")[0]["stop_reason"]

    @property
    def usage(self) -> Json:
        return self.of("done")[0]["usage"]

    @property
    def errors(self) -> list[Json]:
        return self.of("error")

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in self.errors]

    @property
    def severities(self) -> list[str]:
        return [error["severity"] for error in self.errors]

    @property
    def retried(self) -> list[str]:
        """The codes for which requests were repeated."""
        return [retry["code"] for retry in self.of("model_retry")]

    @property
    def compacted(self) -> list[str]:
        """The reason for each summary of the history."""
        return [event["reason"] for event in self.of("history_compacted")]

    @property
    def text(self) -> str:
        return text_of(self.events)

    @property
    def thought(self) -> str:
        return "".join(data["delta"] for data in self.of("thinking_chunk"))

    @property
    def ran(self) -> list[tuple[str, Json, str]]:
        """Name, arguments and outcome of each call that ran, in the order in which they started."""
        ended = {data["call_id"]: data["outcome"] for data in self.of("tool_end")}
        return [(data["name"], data["arguments"], ended.get(data["call_id"], "")) for data in self.of("tool_start")]

    def __str__(self) -> str:
        said = [f"{error['code']} ({error['message'][:160]})" for error in self.errors]
        return f"{self.stop_reason} {said} {len(self.requests)} requests {self.retried} {self.text[:120]!r}"


@dataclass
class Talk:
    """One session of the default agent."""

    daemon: Daemon
    provider: BytesProvider
    session_id: str

    def ask(
        self, text: str, *, within_s: float = ANSWER_S, meanwhile: Callable[[], None] | None = None, **fields: Any
    ) -> Outcome:
        """Send a message (`fields`: more of POST /api/chat) and wait for the turn's end.

        `meanwhile` is called when it has begun.

        Raises: AssertionError when the turn does not end in time.
        """
        before = len(self.provider.requests)
        with self.daemon.watch() as watcher:
            turn_id = self.say(text, **fields)["turn_id"]
            if meanwhile is not None:
                meanwhile()
            events = watcher.until("done", turn_id=turn_id, within_s=within_s)
        mine = [event for event in events if event["turn_id"] == turn_id]
        return Outcome(mine, self.provider.requests[before:])

    def say(self, text: str, **fields: Any) -> Json:
        return self.daemon.chat(text, session_id=self.session_id, **fields)

    def history(self) -> list[Json]:
        return self.daemon.history(session_id=self.session_id)

    def goes_on(self, text: str = "and now") -> Outcome:
        """Send one more message. It must be answered without any trace of earlier problems."""
        self.provider.script(say("Going on."))
        outcome = self.ask(text)
        assert outcome.stop_reason == "complete", str(outcome)
        assert outcome.errors == [], str(outcome)
        assert outcome.text == "Going on.", str(outcome)
        assert len(outcome.requests) == 1, str(outcome)
        return outcome

    def healthy(self, outcome: Outcome, text: str | None = None) -> Outcome:
        """Check that the turn succeeded, and that the next one does without a restart. Returns the next one."""
        assert outcome.stop_reason == "complete", str(outcome)
        assert outcome.errors == [], str(outcome)
        if text is not None:
            assert outcome.text == text, str(outcome)
            assert self.history()[-1]["text"] == text
        usage = outcome.usage
        assert all(isinstance(usage[name], int) and usage[name] >= 0 for name in ("input_tokens", "output_tokens"))
        return self.goes_on()


@contextlib.contextmanager
def set_at_end(*events: threading.Event) -> Generator[None, None, None]:
    """Set these events in any case at the end, so that no thread waits for them."""
    try:
        yield
    finally:
        for event in events:
            event.set()


def environment(provider: BytesProvider, **more: str) -> dict[str, str]:
    """Variables that make a daemon talk to the provider, in any dialect."""
    return {
        "ASTER_MODEL": "openai-chat:m",
        "OPENAI_API_KEY": "sk-test-0123456789",
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "ANTHROPIC_API_KEY": "sk-test-0123456789",
        "ANTHROPIC_BASE_URL": provider.url,
        "GOOGLE_API_KEY": "g-test-0123456789",
        "GOOGLE_BASE_URL": provider.url,
        "OLLAMA_BASE_URL": f"{provider.url}/v1",
        "LLAMACPP_BASE_URL": f"{provider.url}/v1",
        **more,
    }


def last_body(outcome: Outcome) -> Any:
    """The body of the last request of a turn."""
    return outcome.requests[-1].body
