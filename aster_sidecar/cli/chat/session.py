"""`chat`: a conversation in a terminal, over the same contract as any other client.

One task reads the event stream and shows it; the other sends what the person types, and asks about calls that wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import BACKOFF_S, Connection, Json, Refused, Unreachable
from aster_sidecar.cli.chat.input_line import InputLine, Interrupted, plain_session, prompted
from aster_sidecar.cli.chat.renderer import WIDEST, Call, Prose, Screen, plain, question
from aster_sidecar.cli.exit_codes import EXIT_WAITS
from aster_sidecar.conversation.transcript import compacted
from aster_sidecar.text.folding import fold
from aster_sidecar.text.repair import cut, whole
from aster_sidecar.text.safe_text import still_visible, visible

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

TWICE_S = 2.0
"""A second Ctrl-C within this time leaves."""
PAINT_S = 0.05
PAINT_SHARE = 4
"""Between two paintings keys have this many times as long as a painting took."""
HISTORY_NAME = "chat-history"
ID = re.compile(r"[\w-]+", re.ASCII)
"""What may be an id: other words would be another path."""


class Waits(Exception):
    """A question is open, and nobody is here to ask: it is not ours to answer, it goes on waiting."""

    def __init__(self, data: Json) -> None:
        super().__init__(data["call_id"])
        self.data = data


class Leave(Exception):
    """The person leaves."""


class View(Protocol):
    """What is done with the events of the conversation, and with our own words."""

    def show(self, event: Json) -> None: ...
    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None: ...
    def flush(self) -> None: ...


class JsonView:
    """Every event of a turn as one line of JSON on stdout."""

    def show(self, event: Json) -> None:
        if event["turn_id"] is not None:
            print(json.dumps(event, ensure_ascii=False), flush=True)

    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None:
        print(text, file=sys.stderr, flush=True)

    def flush(self) -> None:
        sys.stdout.flush()


class PlainView:
    """The answer's text, as the model wrote it, on stdout; everything else on stderr."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}
        self._open = False

    def show(self, event: Json) -> None:
        data = event["data"]
        if event["type"] == "text_chunk":
            said = self._said.get(data["message_id"], 0)
            new = data["delta"][max(0, said - data["offset"]) :]
            self._said[data["message_id"]] = max(said, data["offset"] + len(data["delta"]))
            sys.stdout.write(new)
            sys.stdout.flush()
            self._open = not new.endswith("\n") if new else self._open
        elif event["type"] == "tool_start":
            self.note(texts.plain_call(data["name"], cut(still_visible(data["display"], newlines=False), 300)))
        elif event["type"] == "tool_end" and data["outcome"] != "done":
            error = cut(plain(str(data.get("error") or "")), 300)
            self.note(texts.plain_outcome(data["name"], data["outcome"], error))
        elif event["type"] == "error":
            hint = plain(data["hint"]) if data.get("hint") else None
            self.note(texts.plain_error(data["severity"], plain(data["message"]), hint))
        elif event["type"] == "done":
            self.flush()

    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None:
        self.flush()
        print(text, file=sys.stderr, flush=True)

    def flush(self) -> None:
        if self._open:
            print(flush=True)
        self._open = False


class TerminalView:
    """The conversation on a terminal."""

    def __init__(self, screen: Screen, sent: set[str]) -> None:
        self.screen = screen
        self._sent = sent
        self._prose: dict[tuple[str, str], Prose] = {}
        self._current: Prose | Call | None = None
        self._calls: dict[str, Call] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._painted_s = 0.0
        """How long it took to paint what is open: a long block takes long."""

    def show(self, event: Json) -> None:
        data: Json = event["data"]
        match event["type"]:
            case "message_added" if data["message"]["role"] == "user":
                message = data["message"]
                ours = f"text:{message['text']}"
                if ours in self._sent:  # the event may be faster than the answer to the request
                    self._sent.discard(ours)
                elif message["message_id"] not in self._sent:
                    self._tell(texts.said(plain(message["text"]), by_us=False), "bold")
            case "text_chunk" | "thinking_chunk":
                prose = self._prose_of(event["type"], data["message_id"])
                self._turn_to(prose)
                prose.chunk(data["offset"], data["delta"])
                self._paint_soon()
            case "tool_start":
                self._turn_to(None)
                call = self._calls[data["call_id"]] = Call(self.screen, data["name"], data["display"])
                call.begin()
                self._current = call
            case "tool_progress" if data["call_id"] in self._calls:
                call = self._calls[data["call_id"]]
                call.progress(data)
                if isinstance(self._current, Prose):
                    self._current.close()
                self._current = call
                self._paint_soon()
            case "tool_end":
                self._turn_to(None)
                call = self._calls.pop(data["call_id"], None)
                if call is None:  # denied or cancelled before it ran
                    call = Call(self.screen, data["name"], str(data.get("display") or data["name"]))
                    if data.get("display"):
                        call.begin()
                    else:
                        self._tell(f"● {visible(data['name'], newlines=False)}", "bold")
                call.end(data)
            case "model_retry":
                self._tell(texts.retry(plain(data["message"]), data))
            case "history_compacted":
                self._tell("… " + compacted(data["messages_before"], data["messages_after"]))
            case "error":
                mark, colour = ("!", "yellow") if data["severity"] == "warning" else ("✗", "red")
                self._tell(texts.trouble(mark, plain(data["message"])), colour)
                if advice := texts.remedy(data["code"], data.get("hint")):
                    self._tell(texts.hint(plain(advice)))
            case "done":
                self.flush()
                self._prose.clear()
                self._calls.clear()
                if (words := texts.ended(data["stop_reason"])) is not None:
                    self._tell(words, "yellow")
                self._tell(texts.used(data["usage"]))
            case _:
                pass

    def load(self, message: Json) -> None:
        """Take over a message that is being written, as the history has it."""
        for kind, part_type in (("text_chunk", "text"), ("thinking_chunk", "thinking")):
            text = "".join(part["text"] for part in message["parts"] if part["type"] == part_type)
            if text:
                prose = self._prose_of(kind, message["message_id"])
                prose.chunk(0, text)
                self._turn_to(prose)
                self._paint_soon()

    def _prose_of(self, kind: str, message_id: str) -> Prose:
        key = (kind, message_id)
        if key not in self._prose:
            self._prose[key] = Prose(self.screen, thinking=kind == "thinking_chunk")
        return self._prose[key]

    def _turn_to(self, thing: Prose | None) -> None:
        """Print what is open for good, unless it is what goes on."""
        if self._current is not thing:
            if isinstance(self._current, Prose):
                self._current.close()
            self.screen.erase()
            self._current = thing

    def _paint_soon(self) -> None:
        if self._timer is None:
            delay_s = max(PAINT_S, PAINT_SHARE * self._painted_s)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._paint)

    def _paint(self) -> None:
        self._timer = None
        if self._current is not None:
            began = time.monotonic()
            self._current.paint()
            self._painted_s = time.monotonic() - began

    def _tell(self, text: str, style: str = "dim") -> None:
        """Say what comes behind all that was said before."""
        self.flush()
        self.screen.say(text, style)

    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None:
        if self.screen.beneath is None:
            self.flush()
        self.screen.say(text, style, indent=indent, aside=True)

    def answering(self, message: str) -> None:
        """Say which of the queued messages is being answered now."""
        self._tell(texts.now_answering(cut(plain(message).replace("\n", " "), 300)), "bold")

    def resized(self) -> None:
        if self._current is not None:
            self._paint_soon()

    def flush(self) -> None:
        """Print what is open, and leave the bottom of the screen to somebody else."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._turn_to(None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversation: `session` an id, or how its title begins; `new`: a fresh one; neither: the agent's own."""

    agent_id: str = "default"
    session: str | None = None
    new: bool = False


class Chat:
    """One conversation with one daemon."""

    def __init__(
        self, connection: Connection, view: View, wanted: Wanted, sent: set[str], history: Path | None
    ) -> None:
        self._connection = connection
        self._view = view
        self._agent_id = wanted.agent_id
        self._wanted = wanted
        self._sent = sent
        self._history_path = history
        self._session_id = ""
        self._title = ""
        self._waiting: dict[str, Json] = {}
        self._answered: set[str] = set()
        self._ended: dict[str, Json] = {}
        self._changed = asyncio.Event()
        self._leaving = False
        self._finishing = False
        self._interrupted_at = 0.0
        self._line: InputLine | None = None
        """Stays beneath what is written; None where the terminal can't be painted on."""
        self._session: PromptSession[str] | None = None
        self._messages: deque[str] = deque()
        """What was typed and is not sent yet."""
        self._followed: set[str] = set()
        """Turns that are sent and not over."""
        self._queued: dict[str, str] = {}
        self._listed: list[Json] = []
        self._trash: list[Json] = []
        self._broken: BaseException | None = None
        self._connected = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._rearm: Callable[[], None] = lambda: None
        """Takes Ctrl-C back after a prompt had it."""

    # -- the stream ------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Follow the stream, and know the conversation as it is. Raises: Refused, Unreachable."""
        await self._connection.check()
        follower = asyncio.create_task(self._follow())
        try:
            connected = asyncio.create_task(self._connected.wait())
            await asyncio.wait((connected, follower), return_when=asyncio.FIRST_COMPLETED)
            connected.cancel()
            self._raise_broken()
            await self._choose(self._wanted)
            yield
        finally:
            follower.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(follower, *self._tasks, return_exceptions=True)

    async def _follow(self) -> None:
        def lost(why: str) -> None:
            self._view.note(texts.lost(cut(plain(why), 200)), "yellow")

        def back() -> None:
            self._view.note(texts.CONNECTED, "green")

        try:
            async for event in self._connection.events(lost, back):
                await self._take(event)
        except Exception as error:
            self._broken = error
        finally:
            self._connected.set()
            self._changed.set()

    def _raise_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    async def _take(self, event: Json) -> None:
        kind, data = event["type"], event["data"]
        if kind == "connected":
            self._connected.set()
        elif kind == "resync" and self._session_id:
            await self._catch_up()
        elif event["session_id"] == self._session_id and self._session_id:
            if kind == "approval_required":
                self._waiting[data["call_id"]] = {**data, "session_id": event["session_id"]}
                if not self._staying:
                    self._view.note(texts.waits_here(visible(data["name"])), "yellow")
            elif kind == "approval_resolved":
                asked = self._waiting.pop(data["call_id"], None)
                answered_here = data["call_id"] in self._answered
                if asked is not None and not answered_here and data["decision"] != "cancelled":  # the call says that
                    by = plain(str(data["resolved_by"]))
                    self._view.note(texts.resolved(visible(asked["name"]), data["decision"], by), "yellow")
            elif kind == "session_changed" and data["change"] == "deleted" and data.get("restorable_until"):
                self._view.note(texts.DELETED_ELSEWHERE, "yellow")
            if isinstance(self._view, TerminalView) and event["turn_id"] in self._queued:
                self._take_queued(self._view, event)
            else:
                self._view.show(event)
            if kind == "done":
                self._over(event["turn_id"], data)
        elif kind == "approval_required" and event["session_id"]:
            self._view.note(texts.QUESTION_ELSEWHERE, "yellow")
        self._changed.set()

    def _take_queued(self, view: TerminalView, event: Json) -> None:
        """An event of a turn that was queued here and has not begun yet."""
        kind, data = event["type"], event["data"]
        if kind == "done" and data["stop_reason"] == "cancelled":
            view.note(texts.QUEUED_CANCELED, "yellow")
            return
        if kind == "message_added" and data["message"]["role"] == "assistant":
            view.answering(self._queued.pop(event["turn_id"]))
        view.show(event)

    def _over(self, turn_id: str, done: Json) -> None:
        self._ended.setdefault(turn_id, done)
        self._followed.discard(turn_id)
        self._queued.pop(turn_id, None)

    async def _choose(self, wanted: Wanted) -> None:
        """Make a conversation ours. Raises: Refused, Unreachable."""
        call = self._connection.call
        if wanted.new:
            session = await call("POST", "/api/sessions", {"agent_id": wanted.agent_id})
        elif wanted.session is None:
            status = await call("GET", "/api/status", agent_id=wanted.agent_id)
            session = await call("GET", f"/api/sessions/{status['session_id']}")
        else:
            session = await self._session_named(wanted.session)
        if session["session_id"] != self._session_id:
            self._view.flush()
            self._followed.clear()
            self._queued.clear()
        self._session_id, self._title = session["session_id"], session["title"]
        self._agent_id = session["agent_id"]
        await self._catch_up()

    async def _session_named(self, words: str) -> Json:
        words = whole(words)
        if ID.fullmatch(words):
            try:
                return await self._connection.call("GET", f"/api/sessions/{words}")
            except Refused as refusal:
                if refusal.status not in (404, 422):
                    raise
        page = await self._connection.call("GET", "/api/sessions", limit=500)
        named = [entry for entry in page["sessions"] if fold(entry["title"] or "").startswith(fold(words))]
        if not named:
            raise Refused(404, {"error": texts.unknown_title(cut(words, 100)), "code": "session_not_found"})
        return named[0]

    async def _catch_up(self) -> None:
        """The state as it is now: what waits, what is being written."""
        call = self._connection.call
        self._waiting = {
            entry["call_id"]: entry for entry in await call("GET", "/api/approvals", session_id=self._session_id)
        }
        page = await call("GET", "/api/history", agent_id=self._agent_id, session_id=self._session_id, limit=1)
        if isinstance(self._view, TerminalView) and page["messages"] and page["messages"][-1]["status"] == "streaming":
            self._view.load(page["messages"][-1])
        status = await self._status()
        for turn_id in list(self._sent_turns - {status["turn_id"], *status["queue"]}):
            self._over(turn_id, {"stop_reason": "complete"})
        self._changed.set()

    @property
    def _sent_turns(self) -> set[str]:
        return {word for word in self._sent if word.startswith("turn_")}

    async def _status(self) -> Json:
        return await self._connection.call("GET", "/api/status", agent_id=self._agent_id, session_id=self._session_id)

    # -- a turn ----------------------------------------------------------------------------------------------------

    async def send(self, message: str, if_busy: str = "queue") -> str:
        """Say something; `if_busy` says what becomes of it during an answer. Returns the turn's id.

        A daemon that is gone is waited for. Raises: Refused, Leave.
        """
        body = {
            "agent_id": self._agent_id,
            "session_id": self._session_id,
            "message": message,
            "client_message_id": uuid.uuid4().hex,
            "if_busy": if_busy,
        }
        self._sent.add(f"text:{message}")
        failures = 0
        with self._interrupts(self._interrupt) if self._line is None else contextlib.nullcontext():
            while True:
                try:
                    started = await self._connection.call("POST", "/api/chat", body)
                    break
                except Unreachable:
                    # The same id: if it did arrive, nothing happens twice.
                    if failures == 0:
                        self._view.note(texts.NOT_SENT_YET, "yellow")
                    await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                    failures += 1
                    self._raise_broken()
                    if self._leaving:
                        raise Leave from None
                    with contextlib.suppress(Unreachable):
                        await self._connection.move()
        self._sent |= {started["message_id"], started["turn_id"]}
        if started["status"] == "queued":
            self._view.note(texts.INTERRUPTING if if_busy == "interrupt" else texts.QUEUED)
            if if_busy == "queue" and started["turn_id"] not in self._ended:
                self._queued[started["turn_id"]] = message
        elif started["status"] == "steered":
            self._view.note(texts.STEERED)
        return started["turn_id"]

    def _follow_turn(self, turn_id: str) -> None:
        """Ask the questions of a turn from now on."""
        if turn_id not in self._ended:
            if not self._followed:
                self._interrupted_at = 0.0
            self._followed.add(turn_id)

    async def finish(self, turn_id: str, *, ask: bool) -> Json:
        """Stay with a turn until it is over, and answer its questions; returns the data of `done`. Raises: Leave."""
        self._interrupted_at = 0.0
        with self._interrupts(self._interrupt), self._stay():
            while turn_id not in self._ended:
                self._raise_broken()
                if self._leaving:
                    raise Leave
                self._changed.clear()
                waiting = [data for call_id, data in self._waiting.items() if call_id not in self._answered]
                if waiting and ask:
                    await self._ask(waiting[0])
                    self._rearm()
                elif waiting:
                    raise Waits(waiting[0])
                elif turn_id not in self._ended:
                    await self._changed.wait()
        return self._ended[turn_id]

    @contextlib.contextmanager
    def _stay(self) -> Generator[None]:
        self._finishing = True
        try:
            yield
        finally:
            self._finishing = False

    @property
    def _staying(self) -> bool:
        """Whether a turn is being followed: then its questions are asked."""
        return self._finishing or bool(self._followed)

    async def _approve(self, data: Json, decision: str, **fields: Any) -> None:
        body = {"agent_id": data.get("agent_id") or self._agent_id, "call_id": data["call_id"], "decision": decision}
        self._answered.add(data["call_id"])
        try:
            answer = await self._connection.call("POST", "/api/approve", {**body, **fields})
        except (Refused, Unreachable) as error:
            if isinstance(error, Refused) and error.code in (
                "approval_resolved",
                "approval_not_found",
                "approval_expired",
            ):
                self._view.note(texts.trouble("✗", plain(str(error))), "yellow")
                self._waiting.pop(data["call_id"], None)
                return
            self._answered.discard(data["call_id"])
            if isinstance(error, Refused) and error.code == "edit_unconfirmed":
                if await self._confirms(data, error):
                    await self._approve(data, decision, **{**fields, "confirm": error.details["confirm"]})
                return
            self._complain(error)
            if isinstance(error, Unreachable):
                await asyncio.sleep(BACKOFF_S[2])
            return
        self._waiting.pop(data["call_id"], None)
        self._answered.discard(data["call_id"])  # the same call may be asked again when something has changed
        if answer.get("rule"):
            self._view.note(texts.kept_rule(answer["rule"]["decision"], plain(answer["rule"]["words"])))
        elif decision == "allow_always":
            self._view.note(texts.ONCE_ONLY)

    async def _always(self, data: Json, decision: str) -> None:
        """Say what an answer for always covers, and give it when the person confirms."""
        covers = data.get("remember") or texts.EXACTLY
        if await self._sure(texts.always_sure(decision, plain(covers)), data["call_id"]):
            await self._approve(data, decision)

    async def _sure(self, words: str, call_id: str | None = None) -> bool:
        """Whether the person confirms it, with a key of its own."""
        try:
            said = await self._prompt(f"{words} {texts.YES_NO}", until_answered=call_id, guarded=True, follows=True)
        except (Interrupted, EOFError):
            return False
        return (said or "").strip().lower() in ("y", "yes")

    async def _confirms(self, data: Json, error: Refused) -> bool:
        """Show what edited arguments would do that was not shown, and ask whether they may run."""
        if isinstance(self._view, TerminalView):
            question(self._view.screen, {**data, **error.details, "arguments": {}})
        return await self._sure(texts.run_it(plain(str(error))), data["call_id"])

    async def _ask(self, data: Json, *, of_turn: bool = True, expected: bool = False) -> None:
        """Show what waits and take the answer. An answer given elsewhere ends it; so does Ctrl-C, and `of_turn` the
        turn with it. `expected`: the person has just asked for it. Raises: Leave.
        """
        view = self._view
        if self._line is None and isinstance(view, TerminalView) and view.screen.capable:
            view.flush()
            self._line = self._new_line(view, None)
            try:
                async with self._line.on(held=True):
                    await self._put(data, of_turn=of_turn, expected=expected)
            finally:
                self._line = None
        else:
            with self._holding():
                await self._put(data, of_turn=of_turn, expected=expected)

    def _holding(self) -> contextlib.AbstractContextManager[None]:
        """Until the last step of a question is over, Enter sends no message."""
        return contextlib.nullcontext() if self._line is None else self._line.holding()

    async def _put(self, data: Json, *, of_turn: bool, expected: bool) -> None:
        call_id = data["call_id"]
        self._view.flush()
        if isinstance(self._view, TerminalView):
            question(self._view.screen, data)
        try:
            choices = texts.choices(always=data.get("remember") is not None)
            said = await self._prompt(choices, until_answered=call_id, guarded=not expected)
        except Interrupted:
            if not of_turn:
                return
            self._interrupt()
            # The turn takes its question along when it ends.
            while call_id in self._waiting and not self._leaving:
                self._changed.clear()
                await self._changed.wait()
                self._raise_broken()
            return
        except EOFError:
            self._view.note(texts.QUESTION_STAYS)
            self._leaving = True
            raise Leave from None
        if said is None:
            return
        word, _, rest = said.strip().partition(" ")
        match word.lower():
            case "a" | "allow" | "y" | "yes":
                await self._approve(data, "allow")
            case "d" | "deny" | "no":
                await self._approve(data, "deny", **({"note": rest.strip()} if rest.strip() else {}))
            case "l" if data.get("remember") is None:
                self._view.note(texts.NO_ALWAYS, "yellow")
            case "l" | "x":
                await self._always(data, "allow_always" if word.lower() == "l" else "deny_always")
            case "e" | "edit":
                arguments = await self._edit(data["arguments"])
                if arguments is not None:
                    await self._approve(data, "allow", arguments=arguments)
            case _:
                self._view.note(texts.ANSWERS)

    async def _edit(self, arguments: Json) -> Json | None:
        """The arguments as the person wants them: in $VISUAL or $EDITOR, else on the line. None: not changed."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if editor:
            shown = json.dumps(arguments, indent=2, ensure_ascii=False)
            try:
                async with contextlib.nullcontext() if self._line is None else self._line.aside():
                    text = await asyncio.to_thread(edited, editor, shown)
            except (OSError, ValueError, subprocess.CalledProcessError) as error:
                self._view.note(texts.editor_failed(plain(editor), plain(str(error))), "red")
                return None
            if text == shown:
                self._view.note(texts.NOT_CHANGED, "yellow")
                return None
        else:
            try:
                text = await self._prompt(texts.ARGUMENTS, default=json.dumps(arguments, ensure_ascii=True))
            except (Interrupted, EOFError):
                return None
        try:
            value: Any = json.loads(text or "")
        except ValueError as error:
            self._view.note(texts.not_json(str(error)), "red")
            return None
        if not isinstance(value, dict):
            self._view.note(texts.NOT_AN_OBJECT, "red")
            return None
        return value  # pyright: ignore[reportUnknownVariableType]

    def _interrupt(self) -> None:
        """Ctrl-C outside of a question: ends the answer; else takes away what is typed; else leaves."""
        now = time.monotonic()
        if self._staying and now - self._interrupted_at >= TWICE_S:
            self._interrupted_at = now
            self._view.note(texts.CANCELING, "yellow")
            self._background(self._cancel())
        elif self._line is not None and self._line.text and not self._finishing:
            self._line.clear()
        else:
            self._leave()

    def _leave(self) -> None:
        self._leaving = True
        self._changed.set()

    async def _cancel(self) -> None:
        body = {"agent_id": self._agent_id, "session_id": self._session_id}
        try:
            if not (await self._connection.call("POST", "/api/cancel", body))["cancelled"]:
                self._view.note(texts.NOTHING_TO_CANCEL)
        except (Refused, Unreachable) as error:
            self._complain(error)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextlib.contextmanager
    def _interrupts(self, handler: Callable[[], None]) -> Generator[None]:
        """Ctrl-C calls `handler` on the loop for a while."""
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGINT)

        def pressed(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(handler)

        def rearm() -> None:
            signal.signal(signal.SIGINT, pressed)

        self._rearm = rearm
        rearm()
        try:
            yield
        finally:
            # On the way out one more Ctrl-C changes nothing: what is left takes a moment.
            signal.signal(signal.SIGINT, signal.SIG_IGN if self._leaving else before)

    def _complain(self, error: Exception) -> None:
        self._view.note(texts.trouble("✗", plain(str(error))), "red")
        if isinstance(error, Refused) and (advice := texts.remedy(error.code, error.hint)):
            self._view.note(texts.hint(plain(advice)))

    # -- the person ------------------------------------------------------------------------------------------------

    async def _prompt(
        self,
        words: str,
        *,
        default: str = "",
        until_answered: str | None = None,
        guarded: bool = False,
        follows: bool = False,
    ) -> str | None:
        """One text of the person; None when the call was answered elsewhere. `guarded`, `follows`: see InputLine.ask.

        Raises: Interrupted, EOFError, Leave.
        """

        def over() -> bool:
            self._check()
            return until_answered is not None and until_answered not in self._waiting

        if self._line is not None:
            return await self._line.ask(words, over, self._changed, default=default, guarded=guarded, follows=follows)
        self._view.flush()
        session = self._session if not words else None
        typing = asyncio.create_task(prompted(f"{words} {texts.PROMPT}".lstrip(), default, session))
        try:
            while not typing.done():
                self._changed.clear()
                if over():
                    return None
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait((typing, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
            return typing.result()
        finally:
            if not typing.done():
                typing.cancel()
                await asyncio.gather(typing, return_exceptions=True)
            self._view.flush()
            self._rearm()

    def _check(self) -> None:
        self._raise_broken()
        if self._leaving:
            raise Leave

    def _new_line(self, view: TerminalView, history: Path | None) -> InputLine:
        return InputLine(
            view.screen,
            history,
            entered=self._entered,
            interrupted=self._interrupt,
            left=self._leave,
            resized=view.resized,
        )

    def _entered(self, text: str) -> None:
        self._messages.append(text)
        self._changed.set()

    async def converse(self, banner: str) -> None:
        """Talk until the person leaves. Raises: Refused."""
        view = self._view
        view.note(banner)
        view.note(self._where())
        view.note(texts.HELP_IS)
        with contextlib.suppress(Leave), self._interrupts(self._interrupt):
            if isinstance(view, TerminalView) and view.screen.capable:
                status = await self._status()
                self._line = self._new_line(view, self._history_path)
                async with self._line.on():
                    try:
                        await self._converse(status)
                    except asyncio.CancelledError:
                        self._line.clear()
                        raise
                    finally:
                        self._leaving = True
                        view.flush()
            else:
                self._session = plain_session(self._history_path)
                await self._converse_by_turns()
        view.flush()

    async def _converse(self, status: Json) -> None:
        """Send what is typed, ask what is to be asked, while answers are written. Raises: Leave, Refused."""
        await self._take_up(status)
        while True:
            self._check()
            self._changed.clear()
            waiting = [data for call_id, data in self._waiting.items() if call_id not in self._answered]
            if waiting and self._staying:
                await self._ask(waiting[0])
            elif self._messages:
                await self._entry(self._messages.popleft())
            else:
                await self._changed.wait()

    async def _converse_by_turns(self) -> None:
        """A message, its answer, the next one: where nothing can stay at the bottom. Raises: Leave, Refused."""
        await self._take_up(await self._status())
        while True:
            try:
                text = (await self._prompt("") or "").strip()
            except (Interrupted, EOFError):
                self._leaving = True
                raise Leave from None
            if text:
                await self._entry(text)

    async def _entry(self, text: str) -> None:
        """What a person typed: a command, or a message."""
        try:
            if text.startswith("/"):
                await self._command(text)
            else:
                await self._say(text)
        except (Refused, Unreachable) as error:
            self._raise_broken()
            self._complain(error)

    async def _say(self, text: str, if_busy: str = "queue") -> None:
        turn_id = await self.send(text, if_busy)
        if self._line is not None:
            self._follow_turn(turn_id)
        else:
            await self.finish(turn_id, ask=True)

    def _where(self) -> str:
        return texts.where(plain(self._title or ""), self._session_id)

    async def _take_up(self, status: Json) -> None:
        """Go on with a turn that is on in this conversation already."""
        if status["turn_id"]:
            self._view.note(texts.TURN_ON)
            self._sent.add(status["turn_id"])
            if self._line is not None:
                self._follow_turn(status["turn_id"])
            else:
                await self.finish(status["turn_id"], ask=True)

    async def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        rest = rest.strip()
        call, note = self._connection.call, self._view.note
        match name:
            case "/help":
                width = max(map(len, texts.COMMANDS))
                for command, words in texts.COMMANDS.items():
                    note(f"{command:{width}}  {words}", "", indent=width + 2)
                note(texts.KEYS)
                note(texts.KEYS_OF_A_QUESTION)
            case "/new":
                body = {"agent_id": self._agent_id, **({"title": rest} if rest else {})}
                await self._choose(Wanted(session=(await call("POST", "/api/sessions", body))["session_id"]))
                note(self._where())
            case "/sessions":
                page = await call("GET", "/api/sessions", agent_id=self._agent_id, q=rest or None, limit=30)
                self._listed = page["sessions"]
                for number, entry in enumerate(self._listed, 1):
                    here = entry["session_id"] == self._session_id
                    note(texts.listed(number, entry, titled(entry), here=here), "")
                    if (hit := page["hits"].get(entry["session_id"])) is not None:
                        note(texts.hit(plain(hit["text"])), indent=6)
                note(texts.SWITCH_GOES_ON if self._listed else texts.NO_MATCHES if rest else texts.NO_SESSIONS)
            case "/find" if rest:
                page = await call("GET", f"/api/sessions/{self._session_id}/find", q=rest, limit=20)
                for hit in reversed(page["hits"]):
                    note(texts.found(hit, plain(hit["text"])), "", indent=2)
                note(texts.found_in_all(len(page["hits"]), more=page["next_before"] is not None))
            case "/find":
                note(texts.FIND_TAKES)
            case "/switch":
                if 1 <= number_of(rest) <= len(self._listed):
                    rest = self._listed[number_of(rest) - 1]["session_id"]
                if not rest:
                    note(texts.SWITCH_TAKES)
                    return
                await self._choose(Wanted(self._agent_id, rest))
                note(self._where())
                await self._take_up(await self._status())
            case "/rename":
                answer = await call("PATCH", f"/api/sessions/{self._session_id}", {"title": rest})
                self._title = answer["title"]
                note(self._where())
            case "/delete":
                session_id = self._session_id
                title = plain((await call("GET", f"/api/sessions/{session_id}"))["title"])
                with self._holding():
                    sure = await self._sure(texts.delete_sure(title))
                if sure:
                    gone = await call("DELETE", f"/api/sessions/{session_id}")
                    await self._choose(Wanted(self._agent_id))
                    note(texts.deleted(gone["restorable_until"], session_id))
                    note(self._where())
            case "/restore" if rest:
                if 1 <= number_of(rest) <= len(self._trash):
                    rest = self._trash[number_of(rest) - 1]["session_id"]
                await call("POST", f"/api/sessions/{quote(rest, safe='')}/restore")
                await self._choose(Wanted(session=rest))
                note(self._where())
            case "/restore":
                self._trash = (await call("GET", "/api/sessions", deleted=True, limit=30))["sessions"]
                for number, entry in enumerate(self._trash, 1):
                    note(texts.listed_deleted(number, entry, titled(entry)), "")
                note(texts.RESTORE_BRINGS if self._trash else texts.TRASH_IS_EMPTY)
            case "/history":
                await self._show_history(number_of(rest) or 10)
            case "/model":
                if rest:
                    await call("POST", "/api/config", {"model": rest})
                for model in await call("GET", "/api/models"):
                    note(texts.model(model["name"], model["why_not"], chosen=model["chosen"]), "")
            case "/mode":
                if rest and rest not in texts.MODES:
                    note(texts.trouble("✗", texts.MODE_TAKES), "red")
                elif rest:
                    await call("POST", "/api/config", {"permission_mode": rest})
                values = (await call("GET", "/api/config"))["values"]
                note(texts.mode(values["permission_mode"]["value"]), "")
            case "/approvals":
                waiting = await call("GET", "/api/approvals")
                note(texts.waiting(len(waiting)) if waiting else texts.NOTHING_WAITS)
                with self._holding():
                    for number, data in enumerate(waiting):
                        self._waiting[data["call_id"]] = data
                        await self._ask(data, of_turn=False, expected=number == 0)
                        if data["session_id"] != self._session_id:
                            self._waiting.pop(data["call_id"], None)
            case "/steer" | "/interrupt":
                if rest:
                    await self._say(rest, name.removeprefix("/"))
                else:
                    note(texts.STEER_TAKES)
            case "/cancel":
                await self._cancel()
            case "/quit" | "/exit":
                raise Leave
            case _:
                note(texts.no_command(plain(name)), "yellow")

    async def _show_history(self, count: int) -> None:
        from aster_sidecar.cli.chat.markdown import TerminalMarkdown

        assert isinstance(self._view, TerminalView)
        screen = self._view.screen
        page = await self._connection.call(
            "GET", "/api/history", agent_id=self._agent_id, session_id=self._session_id, limit=min(count, 500)
        )
        for message in page["messages"]:
            if message["role"] == "user":
                self._view.note(texts.said(plain(message["text"]), by_us=False), "bold")
                continue
            for part in message["parts"]:
                if part["type"] == "text":
                    lines = screen.render(TerminalMarkdown(plain(part["text"])), min(screen.width, WIDEST))
                    screen.write(lines, aside=True)
                elif part["type"] == "tool":
                    first, *others = str(part["display"] or "").removesuffix("\n").split("\n")
                    first = cut(still_visible(first, newlines=False), 200) + (" …" if others else "")
                    self._view.note(texts.call_in_history(visible(part["name"]), first, part["state"]))
                elif part["type"] == "notice":
                    self._view.note(texts.trouble("✗", plain(part["message"])), "yellow")


def edited(editor: str, text: str) -> str:
    """What the person made of a text in their editor. Raises: OSError, ValueError, CalledProcessError."""
    import shlex

    handle, name = tempfile.mkstemp(prefix="aster-arguments-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        subprocess.run([*shlex.split(editor), name], check=True)
        return Path(name).read_text("utf-8")
    finally:
        Path(name).unlink(missing_ok=True)


def number_of(text: str) -> int:
    """The number that was typed; 0 where it is none, or of more than nine figures."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def titled(entry: Json) -> str:
    """A conversation's title on one line."""
    return plain(entry["title"] or texts.UNTITLED).replace("\n", " ")


def console() -> Any:
    """A console on stdout as it is at each moment: the prompt puts its own there while it is up."""
    from rich.console import Console

    environ = dict(os.environ)
    if known_width():
        # The window's own size, which may change: `COLUMNS` is what a shell or make found when it began.
        for name in ("COLUMNS", "LINES"):
            environ.pop(name, None)
    return Console(_environ=environ, markup=False, highlight=False, emoji=False, soft_wrap=False)


def known_width() -> bool:
    """Whether stdout is a terminal that says how wide it is."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns > 0
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def ended_by_signals() -> Generator[list[int]]:
    """Cancel this task at the first signal that ends a program, so that the terminal is given back as it was.

    The list has the signal's number from then on.
    """
    task, came = asyncio.current_task(), list[int]()
    assert task is not None
    loop = asyncio.get_running_loop()

    def end(number: int) -> None:
        if not came:
            came.append(number)
            task.cancel()

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
    taken: list[int] = []
    for number in numbers:
        with contextlib.suppress(NotImplementedError):  # Windows
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
                loop.add_signal_handler(number, end, number)
                taken.append(number)
    try:
        yield came
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


async def talk(
    connection: Connection,
    wanted: Wanted,
    *,
    message: str | None,
    as_json: bool,
    banner: str,
    history: Path | None,
) -> int:
    """`chat`: one message and its answer, or a conversation. Returns 0, 1 when the turn failed, 7 when it waits.

    Raises: Refused, Unreachable.
    """
    sent: set[str] = set()
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    view: View
    if as_json:
        view = JsonView()
    elif sys.stdout.isatty():
        view = TerminalView(Screen(console()), sent)
    else:
        view = PlainView()
    chat = Chat(connection, view, wanted, sent, history)
    with ended_by_signals() as signals:
        try:
            async with connection, chat.open():
                return await talked(chat, view, message, banner=banner, ask=interactive)
        except asyncio.CancelledError:
            if not signals:
                raise
            return 128 + signals[0]


async def talked(chat: Chat, view: View, message: str | None, *, banner: str, ask: bool) -> int:
    """As `talk`, with the conversation open."""
    if message is None:
        await chat.converse(banner)
        return 0
    try:
        done = await chat.finish(await chat.send(message), ask=ask)
    except Waits as question:
        view.flush()
        view.note(texts.waits_for_answer(cut(still_visible(question.data["display"]).strip(), 500)))
        view.note(texts.WAITS_ON)
        return EXIT_WAITS
    except Leave:
        return 130
    finally:
        view.flush()
    return 0 if done["stop_reason"] in ("complete", "denied") else 1
