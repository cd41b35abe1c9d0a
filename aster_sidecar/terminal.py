"""`chat`: a conversation in a terminal, over the same contract as any other client.

One task reads the event stream and shows it; the other asks the person: for a message, or about a call that waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from aster_sidecar.connection import BACKOFF_S, Connection, Json, Refused, Unreachable
from aster_sidecar.folding import fold
from aster_sidecar.screen import Call, Prose, Screen, plain, question
from aster_sidecar.text import cut
from aster_sidecar.tools.display import still_visible, visible

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

TWICE_S = 2.0
"""A second Ctrl-C within this time leaves."""
PAINT_S = 0.05
HISTORY_NAME = "chat-history"
MODES = ("smart_approve", "always_ask", "auto_approve")

COMMANDS = {
    "/help": "what can be said here",
    "/new": "[title]  start a new conversation",
    "/sessions": "[words]  list conversations, newest first, or those that contain the words",
    "/switch": "NUMBER or ID  go on with another conversation",
    "/rename": "TITLE  rename this conversation",
    "/delete": "delete this conversation; for 30 days /restore brings it back",
    "/restore": "[NUMBER or ID]  list deleted conversations, or bring one back",
    "/history": "[N]  show the last N messages (10)",
    "/model": "[NAME]  show or choose the model",
    "/mode": "[MODE]  show or choose when to ask: " + ", ".join(MODES),
    "/approvals": "questions that wait in any conversation; answers them one by one",
    "/cancel": "end the turn of this conversation",
    "/quit": "leave; a daemon that was there before stays",
}
KEYS = (
    "Enter sends · Alt-Enter or a backslash at the end of a line starts a new line · Ctrl-C cancels the turn, twice "
    "within 2 s or at an empty prompt leaves · Ctrl-D leaves"
)
EXIT_WAITS = 7
ANSWERS = "a allow once · d [note for the agent] deny · l always allow · x always deny · e edit the arguments"


class Waits(Exception):
    """A question is open, and nobody is here to ask: it is not ours to answer, it goes on waiting."""

    def __init__(self, data: Json) -> None:
        super().__init__(data["call_id"])
        self.data = data


class Leave(Exception):
    """The person leaves."""


class Interrupted(Exception):
    """Ctrl-C at a prompt. Not KeyboardInterrupt: out of a task, that would end the event loop."""


class View(Protocol):
    """What is done with the events of the conversation, and with our own words."""

    def show(self, event: Json) -> None: ...
    def note(self, text: str, style: str = "dim") -> None: ...
    def flush(self) -> None: ...


class JsonView:
    """Every event of a turn as one line of JSON on stdout."""

    def show(self, event: Json) -> None:
        if event["turn_id"] is not None:
            print(json.dumps(event, ensure_ascii=False), flush=True)

    def note(self, text: str, style: str = "dim") -> None:
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
            self.note(f"{data['name']}: {cut(still_visible(data['display'], newlines=False), 300)}")
        elif event["type"] == "tool_end" and data["outcome"] != "done":
            self.note(f"{data['name']}: {data['outcome']} {cut(plain(str(data.get('error') or '')), 300)}")
        elif event["type"] == "error":
            hint = f"\n  {plain(data['hint'])}" if data.get("hint") else ""
            self.note(f"{data['severity']}: {plain(data['message'])}{hint}")
        elif event["type"] == "done":
            self.flush()

    def note(self, text: str, style: str = "dim") -> None:
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

    def show(self, event: Json) -> None:
        data: Json = event["data"]
        match event["type"]:
            case "message_added" if data["message"]["role"] == "user":
                message = data["message"]
                ours = f"text:{message['text']}"
                if ours in self._sent:  # the event may be faster than the answer to the request
                    self._sent.discard(ours)
                elif message["message_id"] not in self._sent:
                    self.note("▸ " + plain(message["text"]), "bold")
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
                        self.note(f"● {visible(data['name'], newlines=False)}", "bold")
                call.end(data)
            case "model_retry":
                self.note(f"… {plain(data['message'])}; trying again in {data['delay_s']:.0f} s")
            case "history_compacted":
                fewer = data["messages_after"] < data["messages_before"]
                self.note(f"… older messages {'became a summary' if fewer else 'were shortened'} for the model")
            case "error":
                mark, colour = ("!", "yellow") if data["severity"] == "warning" else ("✗", "red")
                self.note(f"{mark} {plain(data['message'])} ({data['code']})", colour)
                if data.get("hint"):
                    self.note(f"  {plain(data['hint'])}")
            case "done":
                self.flush()
                usage = data["usage"]
                self._prose.clear()
                self._calls.clear()
                if data["stop_reason"] not in ("complete", "denied"):
                    self.note(f"— {data['stop_reason']}", "yellow")
                self.note(f"— {usage['input_tokens']} tokens in, {usage['output_tokens']} out")
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
            self._timer = asyncio.get_running_loop().call_later(PAINT_S, self._paint)

    def _paint(self) -> None:
        self._timer = None
        if self._current is not None:
            self._current.paint()

    def note(self, text: str, style: str = "dim") -> None:
        self.flush()
        self.screen.say(text, style)

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
        self._staying = False
        """Whether a turn is being followed: then its questions are asked."""
        self._interrupted_at = 0.0
        self._prompts: PromptSession[str] | None = None
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
            self._view.note(f"reconnecting ({cut(plain(why), 200)})", "yellow")

        def back() -> None:
            self._view.note("connected again", "green")

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
                    self._view.note(f"{visible(data['name'])} waits for an answer: /approvals", "yellow")
            elif kind == "approval_resolved":
                asked = self._waiting.pop(data["call_id"], None)
                if asked is not None and data["call_id"] not in self._answered:
                    by = plain(str(data["resolved_by"]))
                    self._view.note(
                        f"{visible(asked['name'])}: answered elsewhere: {data['decision']} by {by}", "yellow"
                    )
            elif kind == "session_changed" and data["change"] == "deleted" and data.get("restorable_until"):
                self._view.note("this conversation was deleted: /restore lists what can be brought back", "yellow")
            self._view.show(event)
            if kind == "done":
                self._ended[event["turn_id"]] = data
        elif kind == "approval_required" and event["session_id"]:
            self._view.note("a question waits in another conversation: /approvals", "yellow")
        self._changed.set()

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
        self._session_id, self._title = session["session_id"], session["title"]
        self._agent_id = session["agent_id"]
        await self._catch_up()

    async def _session_named(self, words: str) -> Json:
        try:
            return await self._connection.call("GET", f"/api/sessions/{words}")
        except Refused as refusal:
            if refusal.status not in (404, 422):
                raise
        page = await self._connection.call("GET", "/api/sessions", limit=500)
        named = [entry for entry in page["sessions"] if fold(entry["title"] or "").startswith(fold(words))]
        if not named:
            raise Refused(404, {"error": f"no conversation is called {words!r}", "code": "session_not_found"})
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
            self._ended.setdefault(turn_id, {"stop_reason": "complete"})
        self._changed.set()

    @property
    def _sent_turns(self) -> set[str]:
        return {word for word in self._sent if word.startswith("turn_")}

    async def _status(self) -> Json:
        return await self._connection.call("GET", "/api/status", agent_id=self._agent_id, session_id=self._session_id)

    # -- a turn ----------------------------------------------------------------------------------------------------

    async def send(self, message: str) -> str:
        """Say something; returns the turn's id. A daemon that is gone is waited for. Raises: Refused, Leave."""
        body = {
            "agent_id": self._agent_id,
            "session_id": self._session_id,
            "message": message,
            "client_message_id": uuid.uuid4().hex,
        }
        self._sent.add(f"text:{message}")
        failures = 0
        with self._interrupts(self._interrupt):
            while True:
                try:
                    started = await self._connection.call("POST", "/api/chat", body)
                    break
                except Unreachable:
                    # The same id: if it did arrive, nothing happens twice.
                    await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                    failures += 1
                    self._raise_broken()
                    if self._leaving:
                        raise Leave from None
                    with contextlib.suppress(Unreachable):
                        await self._connection.move()
        self._sent |= {started["message_id"], started["turn_id"]}
        if started["status"] == "queued":
            self._view.note("queued behind the turn that is on")
        return started["turn_id"]

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
        self._staying = True
        try:
            yield
        finally:
            self._staying = False

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
                self._view.note(f"✗ {plain(str(error))}", "yellow")
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
            self._view.note(f"kept as a rule: {plain(answer['rule']['words'])}")
        elif decision == "allow_always":
            self._view.note("allowed once: this call can't be always allowed")

    async def _always(self, data: Json, decision: str) -> None:
        """Say what an answer for always covers, and give it when the person confirms."""
        covers = data.get("remember") or "exactly this call, in every conversation"
        verb = "allow" if decision == "allow_always" else "deny"
        if await self._sure(f"Always {verb} {plain(covers)}?", data["call_id"]):
            await self._approve(data, decision)

    async def _sure(self, words: str, call_id: str | None = None) -> bool:
        """Whether the person confirms it, with a key of its own."""
        try:
            said = await self._prompt(f"{words} yes/no › ", until_answered=call_id)
        except (Interrupted, EOFError):
            return False
        return (said or "").strip().lower() in ("y", "yes")

    async def _confirms(self, data: Json, error: Refused) -> bool:
        """Show what edited arguments would do that was not shown, and ask whether they may run."""
        if isinstance(self._view, TerminalView):
            question(self._view.screen, {**data, **error.details, "arguments": {}})
        return await self._sure(f"{plain(str(error))}. Run it?", data["call_id"])

    async def _ask(self, data: Json, *, of_turn: bool = True) -> None:
        """Show what waits and take the answer. An answer given elsewhere ends it; so does Ctrl-C, and `of_turn` the
        turn with it. Raises: Leave.
        """
        call_id = data["call_id"]
        self._view.flush()
        if isinstance(self._view, TerminalView):
            question(self._view.screen, data)
        try:
            always = " · l always allow" if data.get("remember") is not None else ""
            said = await self._prompt(f"a allow · d deny{always} · x always deny · e edit › ", until_answered=call_id)
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
            self._view.note("the question waits on; the next chat shows it again")
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
                self._view.note("this call can't be always allowed", "yellow")
            case "l" | "x":
                await self._always(data, "allow_always" if word.lower() == "l" else "deny_always")
            case "e" | "edit":
                arguments = await self._edit(data["arguments"])
                if arguments is not None:
                    await self._approve(data, "allow", arguments=arguments)
            case _:
                self._view.note(ANSWERS)

    async def _edit(self, arguments: Json) -> Json | None:
        """The arguments as the person wants them: in $VISUAL or $EDITOR, else on the line. None: not changed."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if editor:
            text = await asyncio.to_thread(edited, editor, json.dumps(arguments, indent=2, ensure_ascii=False))
        else:
            try:
                text = await self._prompt("arguments: ", default=json.dumps(arguments, ensure_ascii=True))
            except (Interrupted, EOFError):
                return None
        try:
            value: Any = json.loads(text or "")
        except ValueError as error:
            self._view.note(f"✗ that is not JSON: {error}", "red")
            return None
        if not isinstance(value, dict):
            self._view.note("✗ the arguments must be a JSON object", "red")
            return None
        return value  # pyright: ignore[reportUnknownVariableType]

    def _interrupt(self) -> None:
        """Ctrl-C outside of a prompt."""
        now = time.monotonic()
        if not self._staying or now - self._interrupted_at < TWICE_S:
            self._leaving = True
            self._changed.set()
            return
        self._interrupted_at = now
        self._view.note("cancelling (Ctrl-C again leaves)", "yellow")
        self._background(self._cancel())

    async def _cancel(self) -> None:
        body = {"agent_id": self._agent_id, "session_id": self._session_id}
        try:
            cancelled = (await self._connection.call("POST", "/api/cancel", body))["cancelled"]
            if not cancelled:
                self._view.note("nothing to cancel")
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
        self._view.note(f"✗ {plain(str(error))}", "red")
        if isinstance(error, Refused) and error.hint:
            self._view.note(f"  {plain(error.hint)}")

    # -- the person ------------------------------------------------------------------------------------------------

    async def _prompt(self, words: str, *, default: str = "", until_answered: str | None = None) -> str | None:
        """One line of the person; None when the call was answered elsewhere. Raises: Interrupted, EOFError, Leave."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.patch_stdout import patch_stdout

        assert isinstance(self._view, TerminalView)
        screen = self._view.screen
        self._view.flush()
        screen.repaints = False
        fresh = self._prompts is None or until_answered is not None or default
        asked = PromptSession[str](interrupt_exception=Interrupted) if fresh else self._prompts
        assert asked is not None
        try:
            with patch_stdout(raw=True):
                typing = asyncio.create_task(asked.prompt_async(words, default=default))
                try:
                    while not typing.done():
                        if until_answered is not None and until_answered not in self._waiting:
                            return None
                        self._raise_broken()
                        if self._leaving:  # pressed while a turn ended, before this prompt stood
                            raise Leave
                        self._changed.clear()
                        changed = asyncio.create_task(self._changed.wait())
                        await asyncio.wait((typing, changed), return_when=asyncio.FIRST_COMPLETED)
                        changed.cancel()
                    return typing.result()
                finally:
                    if not typing.done():
                        typing.cancel()
                        await asyncio.gather(typing, return_exceptions=True)
        finally:
            screen.repaints = screen.capable
            self._view.flush()

    async def converse(self, banner: str) -> None:
        """Talk until the person leaves. Raises: Refused."""
        self._prompts = prompt_session(self._history_path)
        self._view.note(banner)
        self._view.note(f"{self._where()} · /help")
        with contextlib.suppress(Leave), self._interrupts(self._interrupt):
            await self._take_up()
            while True:
                try:
                    text = (await self._prompt("› ") or "").strip()
                except Interrupted:
                    if self._prompts.default_buffer.text:
                        continue
                    break
                except EOFError:
                    break
                if not text:
                    continue
                try:
                    if text.startswith("/"):
                        await self._command(text)
                    else:
                        await self.finish(await self.send(text), ask=True)
                except (Refused, Unreachable) as error:
                    self._raise_broken()
                    self._complain(error)
        self._view.flush()

    def _where(self) -> str:
        return f"conversation: {plain(self._title) or 'untitled'} ({self._session_id})"

    async def _take_up(self) -> None:
        """Go on with a turn that is on in this conversation already."""
        status = await self._status()
        if status["turn_id"]:
            self._view.note("a turn is on")
            self._sent.add(status["turn_id"])
            await self.finish(status["turn_id"], ask=True)

    async def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        rest = rest.strip()
        call, note = self._connection.call, self._view.note
        match name:
            case "/help":
                width = max(map(len, COMMANDS))
                note("\n".join(f"{command:{width}}  {words}" for command, words in COMMANDS.items()), "")
                note(KEYS)
                note("a question: " + ANSWERS)
            case "/new":
                body = {"agent_id": self._agent_id, **({"title": rest} if rest else {})}
                await self._choose(Wanted(session=(await call("POST", "/api/sessions", body))["session_id"]))
                note(self._where())
            case "/sessions":
                page = await call("GET", "/api/sessions", agent_id=self._agent_id, q=rest or None, limit=30)
                self._listed = page["sessions"]
                for number, entry in enumerate(self._listed, 1):
                    here = "▸" if entry["session_id"] == self._session_id else " "
                    waits = f", {entry['pending_approvals']} waiting" if entry["pending_approvals"] else ""
                    title = plain(entry["title"] or "untitled").replace("\n", " ")
                    note(f"{here} {number:2}  {title}  ({entry['messages']} messages{waits})", "")
                note("/switch NUMBER goes on with one" if self._listed else "none")
            case "/switch":
                if rest.isdigit() and 1 <= int(rest) <= len(self._listed):
                    rest = self._listed[int(rest) - 1]["session_id"]
                if not rest:
                    note("/switch NUMBER (of /sessions), an id, or the beginning of a title")
                    return
                await self._choose(Wanted(self._agent_id, rest))
                note(self._where())
                await self._take_up()
            case "/rename":
                answer = await call("PATCH", f"/api/sessions/{self._session_id}", {"title": rest})
                self._title = answer["title"]
                note(self._where())
            case "/delete":
                session_id = self._session_id
                title = plain((await call("GET", f"/api/sessions/{session_id}"))["title"])
                if await self._sure(f"Delete {title!r}?"):
                    gone = await call("DELETE", f"/api/sessions/{session_id}")
                    await self._choose(Wanted(self._agent_id))
                    note(f"deleted; until {gone['restorable_until']} it comes back with /restore {session_id}")
                    note(self._where())
            case "/restore" if rest:
                if rest.isdigit() and 1 <= int(rest) <= len(self._trash):
                    rest = self._trash[int(rest) - 1]["session_id"]
                await call("POST", f"/api/sessions/{rest}/restore")
                await self._choose(Wanted(session=rest))
                note(self._where())
            case "/restore":
                self._trash = (await call("GET", "/api/sessions", deleted=True, limit=30))["sessions"]
                for number, entry in enumerate(self._trash, 1):
                    title = plain(entry["title"] or "untitled").replace("\n", " ")
                    until = f"{entry['messages']} messages, until {entry['restorable_until']}"
                    note(f"  {number:2}  {title}  ({until})", "")
                note("/restore NUMBER brings one back" if self._trash else "nothing was deleted")
            case "/history":
                await self._show_history(int(rest) if rest.isdigit() and int(rest) else 10)
            case "/model":
                if rest:
                    await call("POST", "/api/config", {"model": rest})
                for model in await call("GET", "/api/models"):
                    mark = "▸" if model["chosen"] else " "
                    note(f"{mark} {model['name']}" + (f"  ({model['why_not']})" if model["why_not"] else ""), "")
            case "/mode":
                if rest:
                    await call("POST", "/api/config", {"permission_mode": rest})
                values = (await call("GET", "/api/config"))["values"]
                note(f"permission_mode: {values['permission_mode']['value']}", "")
            case "/approvals":
                waiting = await call("GET", "/api/approvals")
                note(f"{len(waiting)} wait" if waiting else "nothing waits")
                for data in waiting:
                    self._waiting[data["call_id"]] = data
                    await self._ask(data, of_turn=False)
                    if data["session_id"] != self._session_id:
                        self._waiting.pop(data["call_id"], None)
            case "/cancel":
                await self._cancel()
            case "/quit" | "/exit":
                raise Leave
            case _:
                note(f"{plain(name)} is no command; /help lists them", "yellow")

    async def _show_history(self, count: int) -> None:
        from rich.markdown import Markdown

        assert isinstance(self._view, TerminalView)
        screen = self._view.screen
        page = await self._connection.call(
            "GET", "/api/history", agent_id=self._agent_id, session_id=self._session_id, limit=min(count, 500)
        )
        for message in page["messages"]:
            if message["role"] == "user":
                self._view.note("▸ " + plain(message["text"]), "bold")
                continue
            for part in message["parts"]:
                if part["type"] == "text":
                    screen.write(screen.render(Markdown(plain(part["text"]), hyperlinks=False), screen.console.width))
                elif part["type"] == "tool":
                    first = cut(still_visible(str(part["display"] or ""), newlines=False), 200)
                    self._view.note(f"● {visible(part['name'])}  {first}  {part['state']}")
                elif part["type"] == "notice":
                    self._view.note(f"✗ {plain(part['message'])}", "yellow")


def edited(editor: str, text: str) -> str:
    """What the person made of a text in their editor."""
    import shlex

    handle, name = tempfile.mkstemp(prefix="aster-arguments-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        subprocess.run([*shlex.split(editor), name], check=False)
        return Path(name).read_text("utf-8")
    finally:
        os.unlink(name)


def prompt_session(history: Path | None) -> PromptSession[str]:
    """The prompt for messages: history, completion of commands, several lines."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    if history is not None:
        try:
            os.close(os.open(history, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError:
            history = None
    return PromptSession(
        history=FileHistory(str(history)) if history is not None else InMemoryHistory(),
        completer=WordCompleter(list(COMMANDS), sentence=True, meta_dict=dict(COMMANDS)),
        complete_while_typing=False,
        multiline=True,
        key_bindings=keys(),
        interrupt_exception=Interrupted,
        prompt_continuation="  ",
    )


def keys() -> KeyBindings:
    """Enter sends, Alt-Enter and a trailing backslash make a new line."""
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()

    @bindings.add("enter")
    def enter(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        buffer = event.current_buffer
        if buffer.document.current_line_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @bindings.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        event.current_buffer.insert_text("\n")

    return bindings


def console() -> Any:
    """A console on stdout as it is at each moment: the prompt puts its own there while it is up."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False)


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
    async with connection, chat.open():
        if message is None:
            await chat.converse(banner)
            return 0
        try:
            done = await chat.finish(await chat.send(message), ask=interactive)
        except Waits as question:
            view.flush()
            view.note(f"this waits for an answer: {cut(still_visible(question.data['display']).strip(), 500)}")
            view.note("  it goes on waiting: run chat in a terminal, or answer it with POST /api/approve")
            return EXIT_WAITS
        except Leave:
            return 130
        finally:
            view.flush()
        return 0 if done["stop_reason"] in ("complete", "denied") else 1
