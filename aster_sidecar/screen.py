"""What `chat` puts on a terminal: finished blocks once and for good, and beneath them a small tail that is repainted.

Everything a model or a tool said passes `plain` or `visible`: no escape sequence of theirs reaches the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aster_sidecar.text import cut
from aster_sidecar.tools.display import still_visible, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

TAIL_ROWS_KEPT = 4
"""Rows of the window that the tail leaves free, so that repainting never scrolls what it is about to erase."""
OUTPUT_LINES_LIVE = 8
OUTPUT_LINES_KEPT = 20
OUTPUT_CHARS = 16_000
"""Of a tool's output, the newest characters that are kept for the screen; the history has all of it."""

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[P^_X].*?\x1b\\", re.DOTALL)
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Prose as it may be shown: newlines and tabs stay, other control and bidi characters become visible signs."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_sign, text.replace("\r\n", "\n").replace("\t", "    ")))


def _sign(char: str) -> str:
    if char == "\n" or char.isprintable():
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
        return f"\u2039U+{code:04X}\u203a"
    return char


def output(text: str) -> str:
    """A tool's output as it may be shown: its colours are taken out, a carriage return starts its line anew."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return plain("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")))


def split(text: str) -> tuple[str, str]:
    """Markdown that still grows, as (what is finished, the block that may still change)."""
    from markdown_it import MarkdownIt

    blocks = [
        token.map
        for token in MarkdownIt().enable("table").parse(text)
        if token.level == 0 and token.map is not None and token.nesting >= 0
    ]
    if len(blocks) < 2:
        return "", text
    lines = text.split("\n")
    begins = blocks[-1][0]
    return "\n".join(lines[:begins]), "\n".join(lines[begins:])


class Screen:
    """One terminal. `repaints` is off where the cursor can't be moved, or somebody else (the prompt) paints below."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.capable = console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows
        self.repaints = self.capable
        self._painted: list[str] = []

    # -- lines -----------------------------------------------------------------------------------------------------

    def render(self, thing: RenderableType, width: int | None = None) -> list[str]:
        """The lines of something, with their colours, without spaces at their ends.

        Without a width a long line stays one: the terminal wraps it, and it can be copied whole.
        """
        with self.console.capture() as captured:
            self.console.print(thing, width=width, soft_wrap=width is None)
        return [line.rstrip(" ") for line in captured.get().removesuffix("\n").split("\n")]

    def write(self, lines: Sequence[str]) -> None:
        """Print finished lines above the tail."""
        if lines:
            self.erase()
            self.console.file.write("".join(line + "\n" for line in lines))
            self.console.file.flush()

    def say(self, text: str, style: str = "") -> None:
        """Print words of our own; `text` must have passed `plain` where it holds those of others."""
        from rich.text import Text

        self.write(self.render(Text(text, style=style)))

    def tail(self, lines: Sequence[str]) -> None:
        """Repaint what is below the finished lines, from the first line that changed."""
        if not self.repaints:
            return
        lines = list(lines)[-max(1, self.console.height - TAIL_ROWS_KEPT) :]
        same = 0
        for old, new in zip(self._painted, lines, strict=False):
            if old != new:
                break
            same += 1
        if same == len(self._painted) == len(lines):
            return
        self._up(self._painted[same:])
        self.console.file.write("".join(line + "\n" for line in lines[same:]))
        self.console.file.flush()
        self._painted = lines

    def erase(self) -> None:
        """Take the tail away."""
        if self._painted:
            self._up(self._painted)
            self.console.file.flush()
            self._painted = []

    def _up(self, lines: Sequence[str]) -> None:
        """Go to the beginning of these painted lines, however they are wrapped since the window changed."""
        from rich.cells import cell_len

        width = max(1, self.console.width)
        rows = sum(max(1, -(-cell_len(_ESCAPES.sub("", line)) // width)) for line in lines)
        self.console.file.write(f"\x1b[{rows}A\r\x1b[J" if rows else "")


def bare(lines: list[str]) -> list[str]:
    """The lines without empty ones around them."""
    full = [number for number, line in enumerate(lines) if _ESCAPES.sub("", line).strip()]
    return lines[full[0] : full[-1] + 1] if full else []


class Prose:
    """A message's text while it is written, as markdown. `offset` of chunks counts in the whole message."""

    def __init__(self, screen: Screen, *, thinking: bool = False) -> None:
        self._screen = screen
        self._thinking = thinking
        self._text: list[str] = []
        self._shown = 0
        self._width = 0
        self._given = 0
        self._anything = False

    def chunk(self, offset: int, delta: str) -> None:
        """Take over a piece; pieces may come again."""
        self._text[offset : offset + len(delta)] = delta

    @property
    def text(self) -> str:
        return "".join(self._text)

    def _open(self) -> str:
        return plain("".join(self._text[self._shown :]))

    def _lines(self, text: str) -> list[str]:
        from rich.markdown import Markdown
        from rich.text import Text

        self._width = self._width or min(self._screen.console.width, 110)
        if self._thinking:
            return bare(self._screen.render(Text(text.strip("\n"), style="dim italic"), self._width))
        # Links show their address: words that hide where they lead are not for a terminal.
        return bare(self._screen.render(Markdown(text, hyperlinks=False, code_theme="ansi_dark"), self._width))

    def paint(self) -> None:
        """Print what is finished, repaint what is not."""
        raw = "".join(self._text[self._shown :])
        finished, _ = split(raw)
        if finished.strip():
            self._finish(raw[: len(finished) + 1])
        block = self._open()
        if not block.strip():
            return
        if not self._screen.repaints:
            return
        lines = self._lines(block)
        most = max(1, self._screen.console.height - TAIL_ROWS_KEPT)
        if len(lines) - self._given > most and not block.lstrip().startswith("|"):
            # Taller than the window: what has scrolled up can't be repainted, and does not change any more.
            upto = len(lines) - most // 2
            self._screen.write([*self._gap(), *lines[self._given : upto]])
            self._given = upto
        self._screen.tail([*self._gap(), *lines[self._given :]])

    def _gap(self) -> list[str]:
        return [""] if self._anything and not self._given else []

    def _finish(self, raw: str) -> None:
        text = plain(raw)
        if text.strip():
            lines = self._lines(text.strip("\n"))[self._given :]
            self._screen.write([*self._gap(), *lines])
            self._anything = True
        self._shown += len(raw)
        self._given = self._width = 0

    def close(self) -> None:
        """Print the rest: a tool call or the end comes next."""
        raw = "".join(self._text[self._shown :])
        if raw.strip():
            self._finish(raw)
            if self._thinking:
                self._screen.write([""])
        self._screen.erase()


class Call:
    """One tool call: its line, its output as it comes, its end."""

    MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "denied": ("⊘", "yellow"), "cancelled": ("⊘", "yellow")}  # noqa: RUF012

    def __init__(self, screen: Screen, name: str, display: str) -> None:
        self._screen = screen
        self.name = name
        self._display = display
        self._output = ""
        self._dropped = False
        self._progress = ""

    def begin(self) -> None:
        from rich.text import Text

        first, *others = still_visible(self._display.removesuffix("\n")).split("\n")
        line = Text.assemble(("● ", "cyan"), (visible(self.name, newlines=False), "bold"), "  ", first)
        more = [Text("  " + other, style="dim") for other in others[:6]]
        if len(others) > 6:
            more.append(Text(f"  … {len(others) - 6} more lines", style="dim"))
        self._screen.write([entry for text in (line, *more) for entry in self._screen.render(text)])

    def progress(self, data: dict[str, Any]) -> None:
        if (delta := data.get("delta")) is not None:
            self._output += delta
            self._dropped = self._dropped or len(self._output) > OUTPUT_CHARS
            self._output = self._output[-OUTPUT_CHARS:]
        share, message = data.get("progress"), data.get("message")
        if share is not None or message:
            self._progress = " ".join(
                filter(None, (f"{share:.0%}" if share is not None else "", plain(message or "").replace("\n", " ")))
            )

    def _body(self, most: int, *, live: bool = False) -> list[str]:
        from rich.text import Text

        lines = output(self._output).strip("\n").split("\n") if self._output.strip() else []
        head = [Text("  … earlier output is in the history", style="dim")] if self._dropped or len(lines) > most else []
        shown = [*head, *(Text("  │ " + line, style="dim") for line in lines[-most:])]
        if live:
            for text in shown:
                text.truncate(self._screen.console.width - 1, overflow="ellipsis")
        return [entry for text in shown for entry in self._screen.render(text)]

    def paint(self) -> None:
        from rich.text import Text

        rest = self._screen.render(Text("  " + self._progress, style="dim")) if self._progress else []
        self._screen.tail([*self._body(OUTPUT_LINES_LIVE, live=True), *rest])

    def end(self, data: dict[str, Any]) -> None:
        from rich.text import Text

        outcome = str(data["outcome"])
        mark, style = self.MARKS.get(outcome, ("?", "yellow"))
        words = f"  {mark} {outcome}"
        if outcome in ("done", "failed"):
            words += f" in {data.get('duration_ms', 0) / 1000:.1f} s"
        if data.get("error"):
            words += f": {cut(plain(str(data['error'])), 2000)}"
        self._screen.write([*self._body(OUTPUT_LINES_KEPT), *self._screen.render(Text(words, style=style))])


def question(screen: Screen, data: dict[str, Any]) -> None:
    """Print exactly what will run, how risky it is, why it is asked, and what "always" would cover."""
    import json

    from rich.text import Text

    risk = str(data["risk"])
    colour = {"low": "green", "medium": "yellow", "high": "red"}.get(risk, "red")
    display = still_visible(str(data["display"]).removesuffix("\n"))
    lines = [
        Text.assemble(
            ("? ", "bold " + colour),
            (still_visible(str(data.get("summary") or f"Use {data['name']}"), newlines=False), "bold"),
            (f"  {risk} risk", colour),
        ),
    ]
    # Lines that change, marked: all of the new text follows from them.
    compared = data.get("preview") is not None
    shown_lines = display.split("\n")
    first = len(shown_lines) - (str(data["preview"]["diff"]).count("\n") + 1 if compared else 0)
    for number, line in enumerate(shown_lines):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "") if number >= first else ""
        lines.append(Text("  ┃ " + line, style=style))
    arguments: dict[str, Any] = {} if compared else data["arguments"]
    unseen = {
        name: value
        for name, value in arguments.items()
        if visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).strip() not in display
    }
    for name, value in unseen.items():
        words = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
        first, *others = words.split("\n")
        lines.append(Text(f"  {visible(name, newlines=False)}: {first}"))
        lines += [Text("      " + other) for other in others]
    remember = data.get("remember") or "this call can't be always allowed"
    prose = [
        Text(f"  why: {still_visible(str(data['reason']), newlines=False)}", style="dim"),
        Text(f"  always: {still_visible(str(remember), newlines=False)}", style="dim"),
    ]
    screen.write([entry for text in lines for entry in screen.render(text)])
    screen.write([entry for text in prose for entry in screen.render(text, screen.console.width)])
