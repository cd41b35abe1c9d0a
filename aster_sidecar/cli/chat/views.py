"""What an event of the conversation looks like on a terminal; `plain_views` has what scripts get.

`session` chooses one view for each chat; the other modules of `chat` write their own words through `View.note`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Json, Refused
from aster_sidecar.cli.chat.file_lines import words_of
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prose import Prose
from aster_sidecar.cli.chat.screen import Screen
from aster_sidecar.cli.chat.tool_call import ToolCall
from aster_sidecar.text.notices import compacted
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import visible

PAINT_S = 0.05
"""Shortest time between two repaints."""
PAINT_SHARE = 4
"""The time between two repaints is at least this many times the time that the last one took."""


class View(Protocol):
    """Shows the conversation's events, and notes: words of chat itself."""

    def show(self, event: Json) -> None:
        """Show one event of the conversation."""
        ...

    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None:
        """Show words of chat itself; `indent` is that of `Screen.say`."""
        ...

    def flush(self) -> None:
        """Print what is still open."""
        ...


def show_error(view: View, error: Exception) -> None:
    """Say why a request failed and, for a refusal, what to do."""
    view.note(texts.trouble("✗", plain(str(error))), "red")
    if isinstance(error, Refused) and (advice := texts.remedy(error.code, error.hint)):
        view.note(texts.hint(plain(advice)))


class TerminalView:
    """The conversation on a terminal.

    `sent` has the message ids of this chat, and `text:` with the text of each message whose id is not known yet: their
    `message_added` events are not shown, because the input line has shown the message.
    """

    def __init__(self, screen: Screen, sent: set[str]) -> None:
        self.screen = screen
        self._sent = sent
        self._prose: dict[tuple[str, str], Prose] = {}
        self._calls: dict[str, ToolCall] = {}
        self._asking: set[str] = set()
        """Calls that asked the person something, which the form has shown."""
        self._current: Prose | ToolCall | None = None
        """What is in the tail."""
        self._timer: asyncio.TimerHandle | None = None
        self._painted_s = 0.0
        """How long the last repaint took."""

    def show(self, event: Json) -> None:
        data: Json = event["data"]
        match event["type"]:
            case "message_added" if data["message"]["role"] == "user":
                self._message_added(data["message"])
            case "text_chunk" | "thinking_chunk":
                prose = self._prose_of(event["type"], data["message_id"])
                self._switch_to(prose)
                prose.chunk(data["offset"], data["delta"])
                self._paint_soon()
            case "tool_start":
                self._switch_to(None)
                call = self._calls[data["call_id"]] = ToolCall(self.screen, data["name"], data["display"])
                call.begin()
                self._current = call
            case "tool_progress" if data["call_id"] in self._calls:
                call = self._calls[data["call_id"]]
                call.progress(data)
                if isinstance(self._current, Prose):
                    self._current.close()
                self._current = call
                self._paint_soon()
            case "question_answered":
                self._asking.add(data["call_id"])
            case "tool_end":
                self._tool_end(data)
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
                self._asking.clear()
                if (words := texts.ended(data["stop_reason"])) is not None:
                    self._tell(words, "yellow")
                self._tell(texts.used(data["usage"], data.get("context")))
            case _:
                pass

    def load(self, message: Json) -> None:
        """Take over a message that is still being written, as `/api/history` returns it."""
        # The text comes last, because the next chunks continue it.
        for kind, part_type in (("thinking_chunk", "thinking"), ("text_chunk", "text")):
            text = "".join(part["text"] for part in message["parts"] if part["type"] == part_type)
            if text:
                prose = self._prose_of(kind, message["message_id"])
                prose.chunk(0, text)
                self._switch_to(prose)
                self._paint_soon()

    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None:
        if self.screen.beneath is None:
            self.flush()
        self.screen.say(text, style, indent=indent, aside=True)

    def answering(self, message: str) -> None:
        """Say which of the queued messages is being answered now."""
        self._tell(texts.now_answering(cut(plain(message).replace("\n", " "), 300)), "bold")

    def resized(self) -> None:
        """Repaint the tail for another width of the window."""
        if self._current is not None:
            self._paint_soon()

    def flush(self) -> None:
        """Print what is in the tail and leave it empty."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._switch_to(None)

    def _message_added(self, message: Json) -> None:
        # The event may arrive before the answer to the request that sent the message.
        by_text = f"text:{message['text']}"
        if by_text in self._sent:
            self._sent.discard(by_text)
        elif message["message_id"] not in self._sent:
            self._tell(texts.said(words_of(message), by_us=False), "bold")

    def _tool_end(self, data: Json) -> None:
        self._switch_to(None)
        call = self._calls.pop(data["call_id"], None)
        if call is None and data["call_id"] in self._asking and data["outcome"] == "done":
            return  # the answers were shown
        if call is None:  # denied or cancelled before it ran
            call = ToolCall(self.screen, data["name"], str(data.get("display") or data["name"]))
            if data.get("display"):
                call.begin()
            else:
                self._tell(f"● {visible(data['name'], newlines=False)}", "bold")
        call.end(data)

    def _prose_of(self, kind: str, message_id: str) -> Prose:
        key = (kind, message_id)
        if key not in self._prose:
            self._prose[key] = Prose(self.screen, thinking=kind == "thinking_chunk")
        return self._prose[key]

    def _switch_to(self, prose: Prose | None) -> None:
        """Print what is in the tail, unless it is `prose`, which continues."""
        if self._current is not prose:
            if isinstance(self._current, Prose):
                self._current.close()
            self.screen.erase()
            self._current = prose

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
        """Print words that belong after everything shown so far."""
        self.flush()
        self.screen.say(text, style)
