"""A client written only from docs/protocol.md: what it makes of events, and a stream that it follows over restarts.

`Picture` is what a window would show. What the contract forbids is recorded in `Picture.wrong` and not raised: events
arrive in threads, and a test wants all violations.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx

Json: TypeAlias = Any
Part: TypeAlias = tuple[Any, ...]
"""As from `parts_of`: ("text", …), ("thinking", …), ("tool", call_id, name, state, arguments), ("notice", code)."""

WAIT_S = 30.0
TRANSIENT = ("connected", "heartbeat", "resync")
CHUNKS = {"text_chunk": "text", "thinking_chunk": "thinking"}
ALLOWS = ("allow", "allow_always")


@dataclass
class Call:
    """A tool call, by its `call_id`. `decisions` are the answers to its question, the newest last."""

    call_id: str
    turn_id: str
    name: str
    state: str = "pending"
    arguments: Json = None
    started: bool = False
    ended: bool = False
    asked: Json = None
    decisions: list[Json] = field(default_factory=list[Json])


@dataclass
class Message:
    """A message, by its `message_id`. `said` has its text and its thinking, `parts` all parts in their order."""

    message_id: str
    turn_id: str
    role: str
    said: dict[str, str] = field(default_factory=lambda: {"text": "", "thinking": ""})
    parts: list[list[str]] = field(default_factory=list[list[str]])


@dataclass
class Session:
    """A conversation. `on` is the turn that is running, `ended` has the `done` of each finished turn."""

    state: str = "idle"
    on: str | None = None
    messages: dict[str, Message] = field(default_factory=dict[str, Message])
    calls: dict[str, Call] = field(default_factory=dict[str, Call])
    waiting: dict[str, Call] = field(default_factory=dict[str, Call])
    ended: dict[str, Json] = field(default_factory=dict[str, Json])

    @property
    def turns(self) -> set[str]:
        """All turns with a message."""
        return {message.turn_id for message in self.messages.values()}

    @property
    def open_turns(self) -> set[str]:
        return self.turns - set(self.ended)


class Picture:
    """What a window shows: events applied in order, each seq once."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.last_seq = 0
        self.wrong: list[str] = []

    def of(self, session_id: str) -> Session:
        return self.sessions.setdefault(session_id, Session())

    @property
    def waiting(self) -> dict[str, Call]:
        """The open questions of all sessions."""
        return {call_id: call for session in self.sessions.values() for call_id, call in session.waiting.items()}

    def apply(self, event: Json) -> None:
        """Apply an event; an event that was applied before changes nothing."""
        if event["seq"] is None or event["seq"] <= self.last_seq:
            return
        self.last_seq = event["seq"]
        if event["session_id"] is None:
            return
        session = self.of(event["session_id"])
        handle: Callable[[Session, Json, Json], None] | None = getattr(self, f"_{event['type']}", None)
        if event["turn_id"] in session.ended:
            self._wrong(event, "comes after its turn's done")
        if handle is not None:
            handle(session, event, event["data"])

    def state(self) -> Json:
        """Everything that a person could see, in a form that can be compared."""
        return {
            session_id: {
                "state": session.state,
                "waiting": sorted(session.waiting),
                "messages": [
                    (message.message_id, message.turn_id, message.role, message.said["text"], self.parts(message))
                    for message in session.messages.values()
                ],
                "ended": {turn_id: done["stop_reason"] for turn_id, done in session.ended.items()},
            }
            for session_id, session in self.sessions.items()
        }

    def parts(self, message: Message) -> list[Part]:
        """The message's parts in their current state."""
        calls = next(session.calls for session in self.sessions.values() if message.message_id in session.messages)
        shown: list[Part] = []
        for kind, value in message.parts:
            if kind == "tool":
                call = calls[value]
                shown.append(("tool", call.call_id, call.name, call.state, call.arguments))
            else:
                shown.append((kind, value))
        return shown

    def _wrong(self, event: Json, words: str) -> None:
        brief = {name: event[name] for name in ("seq", "type", "session_id", "turn_id")}
        self.wrong.append(f"{words}: {json.dumps({**brief, 'data': event['data']}, ensure_ascii=False)[:600]}")

    # -- one method for each event that changes the picture ------------------------------------------------------------

    def _message_added(self, session: Session, event: Json, data: Json) -> None:
        added = data["message"]
        if added["message_id"] in session.messages:
            self._wrong(event, "a message was added twice")
        message = Message(added["message_id"], added["turn_id"], added["role"])
        message.said["text"] = added["text"]
        message.parts = [["text", part["text"]] for part in added["parts"]]
        session.messages[message.message_id] = message
        if message.role == "assistant":
            if session.on is not None:
                self._wrong(event, f"began while {session.on} was on")
            session.on = message.turn_id

    def _answer(self, session: Session, event: Json, data: Json) -> Message:
        message = session.messages.get(data["message_id"])
        if message is None or message.role != "assistant" or session.on != event["turn_id"]:
            self._wrong(event, "is about an answer that is not being given")
            message = message or Message(data["message_id"], event["turn_id"], "assistant")
        return message

    def _chunk(self, session: Session, event: Json, data: Json) -> None:
        message, kind = self._answer(session, event, data), CHUNKS[event["type"]]
        known, offset, delta = message.said[kind], data["offset"], data["delta"]
        if offset > len(known):
            self._wrong(event, f"leaves a hole: only {len(known)} code points were known")
        whole = known[:offset] + delta + known[offset + len(delta) :]
        if not whole.startswith(known):
            self._wrong(event, f"changes what was said before: {known[-80:]!r}")
        message.said[kind] = whole
        fresh = whole[len(known) :]
        if fresh and message.parts and message.parts[-1][0] == kind:
            message.parts[-1][1] += fresh
        elif fresh:
            message.parts.append([kind, fresh])

    _text_chunk = _chunk
    _thinking_chunk = _chunk

    def _call(self, session: Session, event: Json, data: Json) -> Call:
        call = session.calls.get(data["call_id"])
        if call is None:
            call = session.calls[data["call_id"]] = Call(data["call_id"], event["turn_id"], data.get("name", ""))
            if "message_id" not in data:
                self._wrong(event, "is about a call that nobody knows")
            else:
                self._answer(session, event, data).parts.append(["tool", call.call_id])
        if call.turn_id != event["turn_id"]:
            self._wrong(event, "is about another turn's call")
        if call.ended:
            self._wrong(event, "comes after the call's end")
        return call

    def _approval_required(self, session: Session, event: Json, data: Json) -> None:
        call = self._call(session, event, data)
        if call.started:
            self._wrong(event, "asks about a call that has started")
        call.state, call.asked, call.arguments = "pending", data, data["arguments"]
        session.waiting[call.call_id] = call

    def _approval_resolved(self, session: Session, event: Json, data: Json) -> None:
        call = self._call(session, event, data)
        if session.waiting.pop(call.call_id, None) is None:
            self._wrong(event, "answers a question that does not wait")
        call.decisions.append(data)
        call.arguments = data.get("arguments", call.arguments)

    def _tool_start(self, session: Session, event: Json, data: Json) -> None:
        call = self._call(session, event, data)
        if call.started:
            self._wrong(event, "starts a call again")
        if call.call_id in session.waiting:
            self._wrong(event, "starts a call that waits for a person")
        if call.asked and (not call.decisions or call.decisions[-1]["decision"] not in ALLOWS):
            self._wrong(event, f"starts a call that nobody allowed: {call.decisions}")
        if call.asked and call.arguments != data["arguments"]:
            self._wrong(event, f"runs something else than was allowed: {call.arguments}")
        call.started, call.state, call.arguments = True, "running", data["arguments"]

    def _tool_progress(self, session: Session, event: Json, data: Json) -> None:
        if not self._call(session, event, data).started:
            self._wrong(event, "is progress of a call that has not started")

    def _tool_end(self, session: Session, event: Json, data: Json) -> None:
        call = self._call(session, event, data)
        if data["outcome"] in ("done", "unknown") and not call.started:
            self._wrong(event, "ends a call that never started")
        if data["outcome"] == "denied" and call.started:
            self._wrong(event, "denies a call that ran")
        call.ended, call.state = True, data["outcome"]
        call.arguments = data.get("arguments", call.arguments)

    def _error(self, session: Session, event: Json, data: Json) -> None:
        self._notice(session, event, data["code"])

    def _history_compacted(self, session: Session, event: Json, data: Json) -> None:
        self._notice(session, event, "history_compacted")

    def _notice(self, session: Session, event: Json, code: str) -> None:
        for message in session.messages.values():
            if message.turn_id == event["turn_id"] and message.role == "assistant":
                message.parts.append(["notice", code])

    def _done(self, session: Session, event: Json, data: Json) -> None:
        turn_id = event["turn_id"]
        if turn_id in session.ended:
            self._wrong(event, "is a second done")
        if turn_id not in session.turns:
            self._wrong(event, "ends a turn that nobody knows")
        for call in session.calls.values():
            if call.turn_id == turn_id and not call.ended:
                self._wrong(event, f"leaves {call.call_id} {call.state}")
            if call.turn_id == turn_id and call.call_id in session.waiting:
                self._wrong(event, f"leaves the question about {call.call_id}")
        session.ended[turn_id] = data
        if session.on == turn_id:
            session.on = None

    def _status_change(self, session: Session, event: Json, data: Json) -> None:
        if data["previous"] != session.state:
            self._wrong(event, f"is a change from what the state was not: {session.state}")
        session.state = data["state"]

    def _history_cleared(self, session: Session, event: Json, data: Json) -> None:
        if session.open_turns or session.waiting:
            self._wrong(event, "clears a session that was busy")
        for kept in (session.messages, session.calls, session.waiting, session.ended):
            kept.clear()

    def _session_changed(self, session: Session, event: Json, data: Json) -> None:
        if data["change"] == "deleted":
            del self.sessions[event["session_id"]]


def parts_of(message: Json) -> list[Part]:
    """The parts of a message in history, in the form of `Picture.parts`."""
    shown: list[Part] = []
    for part in message["parts"]:
        match part["type"]:
            case "tool":
                shown.append(("tool", part["call_id"], part["name"], part["state"], part["arguments"]))
            case "notice":
                shown.append(("notice", part["code"]))
            case kind:
                shown.append((kind, part["text"]))
    return shown


class Follower:
    """A stream that resumes after its cursor whenever it breaks, while `up` is set.

    It reads in its own thread. `changed` guards `picture` and `seen`, and is notified of each event.
    """

    def __init__(
        self,
        url: Callable[[], str],
        up: threading.Event,
        *,
        on_event: Callable[[], None] = lambda: None,
        **parameters: Any,
    ) -> None:
        self.picture = Picture()
        self.seen: list[Json] = []
        self.changed = threading.Condition()
        self.connections = 0
        self._url = url
        self._up = up
        self._on_event = on_event
        self._parameters: Mapping[str, Any] = parameters
        self._closing = False
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with httpx.Client(trust_env=False, verify=False, timeout=httpx.Timeout(WAIT_S, read=None)) as client:
            while not self._closing:
                if not self._up.wait(0.1):
                    continue
                with contextlib.suppress(httpx.HTTPError, httpx.StreamError, OSError):
                    self._read_once(client)

    def _read_once(self, client: httpx.Client) -> None:
        after = self.picture.last_seq
        query = {**self._parameters, "after": after}
        with client.stream("GET", self._url() + "/api/events", params=query) as response:
            if response.status_code != 200:
                return
            self._response = response
            held, first = b"", str(after)
            for data in response.iter_bytes():
                *frames, held = (held + data).split(b"\n\n")
                for frame in frames:
                    self._take(frame, first)
                    first = None

    def _take(self, frame: bytes, first: str | None) -> None:
        """Record one frame. `first`: for a stream's first frame, the cursor that the stream was requested with."""
        fields = dict(line.split(": ", 1) for line in frame.decode().split("\n"))
        event: Json = json.loads(fields["data"])
        with self.changed:
            wrong = self.picture.wrong
            if (event["type"] == "connected") != (first is not None):
                wrong.append(f"connected comes first, and only then: {fields}")
            cursor = str(event["seq"]) if event["seq"] is not None else first
            if fields["event"] != event["type"] or fields.get("id") != cursor:
                wrong.append(f"the frame is not the event's: {fields}")
            if event["type"] == "resync":
                wrong.append(f"a cursor that was given by the stream was not served: {fields}")
            if event["type"] in TRANSIENT:
                self.connections += first is not None
            else:
                if event["seq"] <= self.picture.last_seq:
                    wrong.append(f"seq does not rise: {self.picture.last_seq} → {fields}")
                self.seen.append(event)
                self.picture.apply(event)
            self.changed.notify_all()
        self._on_event()

    def wait_for(self, holds: Callable[[Picture], bool], what: str, within_s: float = WAIT_S) -> None:
        """Wait until `holds` is true of the picture. Raises: AssertionError."""
        with self.changed:
            if not self.changed.wait_for(lambda: holds(self.picture), within_s):
                last = "\n  ".join(json.dumps(event, ensure_ascii=False)[:300] for event in self.seen[-12:])
                raise AssertionError(f"{what}: not within {within_s:g} s; last seen:\n  {last}")

    def wait_for_news(self, within_s: float) -> bool:
        """Wait for the next event. Returns whether one came."""
        with self.changed:
            count = len(self.seen)
            return self.changed.wait_for(lambda: len(self.seen) > count, within_s)

    def drop(self) -> None:
        """Break the connection. The follower then resumes the stream."""
        response = self._response
        if response is not None:
            with contextlib.suppress(OSError, KeyError):
                connection: socket.socket = response.extensions["network_stream"].get_extra_info("socket")
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closing = True
        deadline = time.monotonic() + WAIT_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            self.drop()
            self._thread.join(0.2)
