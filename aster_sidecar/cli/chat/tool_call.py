"""One tool call on the screen: its first line, its output as it arrives, and its outcome."""

from __future__ import annotations

from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.plain_text import output, plain
from aster_sidecar.cli.chat.screen import Screen
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import still_visible, visible

OUTPUT_LINES_LIVE = 8
"""Lines of output that are shown while the call runs."""
OUTPUT_LINES_KEPT = 20
"""Lines of output that are printed when it has ended."""
OUTPUT_CHARS = 16_000
"""The newest characters of the output that are kept for the screen; the history has all of it."""
DISPLAY_LINES = 7
"""Lines of what the call does that are printed."""
MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "denied": ("⊘", "yellow"), "cancelled": ("⊘", "yellow")}


class ToolCall:
    """A call that is shown as it goes; `display` is what it does, in the daemon's words."""

    def __init__(self, screen: Screen, name: str, display: str) -> None:
        self._screen = screen
        self._name = name
        self._display = display
        self._output = ""
        self._dropped = False
        self._progress = ""

    def begin(self) -> None:
        """Print its name and what it does."""
        from rich.text import Text

        first, *others = still_visible(self._display.removesuffix("\n")).split("\n")
        line = Text.assemble(("● ", "cyan"), (visible(self._name, newlines=False), "bold"), "  ", first)
        more = [Text("  " + other, style="dim") for other in others[: DISPLAY_LINES - 1]]
        if len(others) > len(more):
            more.append(Text(texts.more_lines(len(others) - len(more)), style="dim"))
        self._screen.write([entry for text in (line, *more) for entry in self._screen.render(text)])

    def progress(self, data: dict[str, Any]) -> None:
        """Take over the data of a `tool_progress` event."""
        if (delta := data.get("delta")) is not None:
            self._output += delta
            self._dropped = self._dropped or len(self._output) > OUTPUT_CHARS
            self._output = self._output[-OUTPUT_CHARS:]
        share, message = data.get("progress"), data.get("message")
        if share is not None or message:
            self._progress = " ".join(
                filter(None, (f"{share:.0%}" if share is not None else "", plain(message or "").replace("\n", " ")))
            )

    def paint(self) -> None:
        """Show its newest output and progress in the tail."""
        from rich.text import Text

        progress = self._screen.render(Text("  " + self._progress, style="dim")) if self._progress else []
        self._screen.tail([*self._newest(OUTPUT_LINES_LIVE, live=True), *progress])

    def end(self, data: dict[str, Any]) -> None:
        """Print its newest output and its outcome; `data` is that of a `tool_end` event."""
        from rich.text import Text

        outcome = str(data["outcome"])
        mark, style = MARKS.get(outcome, ("?", "yellow"))
        took_ms = data.get("duration_ms", 0) if outcome in ("done", "failed") else None
        words = texts.call_ended(mark, outcome, took_ms, cut(plain(str(data.get("error") or "")), 2000))
        self._screen.write([*self._newest(OUTPUT_LINES_KEPT), *self._screen.prose(Text(words, style=style))])

    def _newest(self, most: int, *, live: bool = False) -> list[str]:
        """The last lines of the output, at most `most`; with `live` each is cut to the width of the window."""
        from rich.text import Text

        lines = output(self._output).strip("\n").split("\n") if self._output.strip() else []
        head = [Text(texts.MORE_OUTPUT, style="dim")] if self._dropped or len(lines) > most else []
        shown = [*head, *(Text("  │ " + line, style="dim") for line in lines[-most:])]
        if live:
            for text in shown:
                text.truncate(self._screen.console.width - 1, overflow="ellipsis")
        return [entry for text in shown for entry in self._screen.render(text)]
