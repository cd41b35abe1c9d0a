"""What `chat` puts on a terminal: finished blocks once and for good, and beneath them a small tail that is repainted.

Everything a model or a tool said passes `plain` or `visible`: no escape sequence of theirs reaches the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.wrapping import QUOTE_BAR, cells, wrapped
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import still_visible, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

TAIL_ROWS_KEPT = 4
"""Rows of the window that the tail leaves free, so that repainting never scrolls what it is about to erase."""
TAIL_SHARE = 3
"""The tail takes at most this part of the window (a third): where that is made narrower, the terminal wraps the tail's
rows, and only what still fits can be erased."""
WIDEST = 110
"""Cells of the longest line of an answer."""
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


class Beneath(Protocol):
    """Who has the bottom of the screen: the input line. It shows the tail above itself, at any width."""

    def above(self, text: str) -> None:
        """Print finished lines."""
        ...

    def refresh(self) -> None:
        """Show the tail as it is now."""
        ...


class Screen:
    """One terminal. `repaints` is off where the cursor can't be moved."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.capable = console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows
        self.repaints = self.capable
        self.beneath: Beneath | None = None
        self._painted: list[str] = []

    # -- lines -----------------------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        return max(1, self.console.width)

    def render(self, thing: RenderableType, width: int | None = None) -> list[str]:
        """The lines of something, with their colours, without spaces at their ends.

        Without a width a long line stays one: the terminal wraps it, and it can be copied whole.
        """
        with self.console.capture() as captured:
            self.console.print(thing, width=width, soft_wrap=width is None, crop=False)
        return [line.rstrip(" ") for line in captured.get().removesuffix("\n").split("\n")]

    def prose(self, text: Text, width: int | None = None, indent: int | None = None) -> list[str]:
        """The lines of a text that is wrapped between words. A terminal whose width nobody knows wraps it itself."""
        lines = wrapped(text, width or self.width, indent) if self.capable else [text]
        return [entry for line in lines for entry in self.render(line)]

    def write(self, lines: Sequence[str], *, aside: bool = False) -> None:
        """Print finished lines above the tail. They replace it, unless they are said `aside`: then it stays."""
        if not lines:
            return
        painted = self._painted if aside else []
        self.erase()
        text = "".join(line + "\n" for line in lines)
        if self.beneath is not None:
            self.beneath.above(text)
        else:
            self.console.file.write(text)
            self.console.file.flush()
        if painted:
            self.tail(painted)

    def say(self, text: str, style: str = "", *, indent: int | None = None, aside: bool = False) -> None:
        """Print words of our own; `text` must have passed `plain` where it holds those of others.

        `indent`: where lines that go on begin; see `wrapped`.
        """
        from rich.text import Text

        self.write(self.prose(Text(text, style=style), indent=indent), aside=aside)

    def tail(self, lines: Sequence[str]) -> None:
        """Repaint what is below the finished lines, from the first line that changed."""
        if not self.repaints:
            return
        if self.beneath is not None:
            self._painted = list(lines)
            self.beneath.refresh()
            return
        rows = folded(lines, self.width)[-self.tail_rows :]
        same = 0
        for old, new in zip(self._painted, rows, strict=False):
            if old != new:
                break
            same += 1
        if same == len(self._painted) == len(rows):
            return
        self._up(self._painted[same:])
        self.console.file.write("".join(row + "\n" for row in rows[same:]))
        self.console.file.flush()
        self._painted = rows

    @property
    def tail_rows(self) -> int:
        """Most rows of the tail."""
        height = self.console.height
        return max(1, min(height - TAIL_ROWS_KEPT, max(TAIL_ROWS_KEPT, height // TAIL_SHARE)))

    def rows(self, most: int) -> list[str]:
        """The last rows of the tail, for who shows it."""
        most = min(most, self.tail_rows)
        return folded(self._painted, self.width)[-most:] if most > 0 else []

    def erase(self) -> None:
        """Take the tail away."""
        if self._painted:
            if self.beneath is not None:
                self.beneath.refresh()
            else:
                self._up(self._painted)
                self.console.file.flush()
            self._painted = []

    def _up(self, lines: Sequence[str]) -> None:
        """Go to the beginning of these painted lines, however they are wrapped since the window changed."""
        rows = sum(rows_of(cells(_ESCAPES.sub("", line)), self.width) for line in lines)
        self.console.file.write(f"\x1b[{rows}A\r\x1b[J" if rows else "")


def rows_of(size: int, width: int) -> int:
    """How many rows a line of so many cells takes."""
    return max(1, -(-size // max(1, width)))


def folded(lines: Sequence[str], width: int) -> list[str]:
    """Lines with colours as rows of a window."""
    from wcwidth import wrap

    rows: list[str] = []
    for line in lines:
        if cells(_ESCAPES.sub("", line)) <= width:
            rows.append(line)
        else:
            rows += wrap(line, width, break_on_hyphens=False)
    return rows


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
        """Lines of the open block that are printed, at `_width`."""
        self._begun = 0
        """Of the line behind them, how much is printed: characters that are not spaces."""
        self._printed = 0
        """Of the open block, how much is printed, counted so: a place that holds at any width."""
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
        """The lines of the open block that are not printed yet, at the width of the window."""
        width = min(self._screen.width, WIDEST)
        if width != self._width:
            if self._printed:
                self._given, self._begun = _place(self._all(text, width), self._printed)
            self._width = width
        lines = self._all(text, width)[self._given :]
        if self._begun and lines:
            lines[0] = self._rest(lines[0])
        return lines

    def _rest(self, line: str) -> str:
        """A line without what is printed of it."""
        from rich.text import Text

        text = Text.from_ansi(line)
        at = begun = 0
        while begun < self._begun and at < len(text):
            begun += _ink(text.plain[at])
            at += 1
        rest = text[at:]
        indent = len(text.plain) - len(text.plain.lstrip(" "))
        return self._screen.render(Text.assemble(" " * indent, rest[len(rest) - len(rest.plain.lstrip(" ")) :]))[0]

    def _all(self, text: str, width: int) -> list[str]:
        from rich.text import Text

        from aster_sidecar.cli.chat.markdown import TerminalMarkdown

        if self._thinking:
            return bare(self._screen.prose(Text(text.strip("\n"), style="dim italic"), width))
        return bare(self._screen.render(TerminalMarkdown(text), width))

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
        gap = self._gap()
        lines = self._lines(block)
        upto = 0 if block.lstrip().startswith("|") else self._settled(lines)
        if upto:
            # Taller than the tail: what has scrolled up can't be repainted, and does not change any more.
            self._screen.write([*gap, *lines[:upto]])
            self._given += upto
            self._begun = 0
            self._printed += sum(map(_ink, lines[:upto]))
            gap, lines = [], lines[upto:]
        self._screen.tail([*gap, *lines])

    def _settled(self, lines: list[str]) -> int:
        """How many lines are printed because the tail has no room for them; the last one still grows."""
        sizes = [rows_of(cells(_ESCAPES.sub("", line)), self._screen.width) for line in lines]
        rows, most = sum(sizes), self._screen.tail_rows
        if rows <= most:
            return 0
        upto = 0
        while rows > most // 2 and upto < len(lines) - 1:
            rows -= sizes[upto]
            upto += 1
        return upto

    def _gap(self) -> list[str]:
        return [""] if self._anything and not (self._given or self._begun) else []

    def _finish(self, raw: str) -> None:
        text = plain(raw)
        if text.strip():
            gap = self._gap()
            self._screen.write([*gap, *self._lines(text.strip("\n"))])
            self._anything = True
        self._shown += len(raw)
        self._given = self._begun = self._printed = self._width = 0

    def close(self) -> None:
        """Print the rest: a tool call or the end comes next."""
        raw = "".join(self._text[self._shown :])
        if raw.strip():
            self._finish(raw)
            if self._thinking:
                self._screen.write([""])
        self._screen.erase()


def _ink(line: str) -> int:
    """How many characters of a line are words, not the space between them nor the bar of a quote."""
    return sum(not char.isspace() and char != QUOTE_BAR for char in _ESCAPES.sub("", line))


def _place(lines: list[str], printed: int) -> tuple[int, int]:
    """Where lines go on behind so many printed characters, as (whole lines, characters of the next one)."""
    for number, line in enumerate(lines):
        ink = _ink(line)
        if printed < ink or (printed == 0 and ink):
            return number, printed
        printed -= ink
    return len(lines), 0


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
            more.append(Text(texts.more_lines(len(others) - 6), style="dim"))
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
        head = [Text(texts.MORE_OUTPUT, style="dim")] if self._dropped or len(lines) > most else []
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
        took = data.get("duration_ms", 0) if outcome in ("done", "failed") else None
        words = texts.call_ended(mark, outcome, took, cut(plain(str(data.get("error") or "")), 2000))
        self._screen.write([*self._body(OUTPUT_LINES_KEPT), *self._screen.prose(Text(words, style=style))])


def question(screen: Screen, data: dict[str, Any]) -> None:
    """Print exactly what will run, how risky it is, why it is asked, and what "always" would cover."""
    import json

    from rich.text import Text

    risk = str(data["risk"])
    colour = {"low": "green", "medium": "yellow", "high": "red"}.get(risk, "red")
    display = still_visible(str(data["display"]).removesuffix("\n"))
    summary = Text.assemble(
        ("? ", "bold " + colour),
        (still_visible(str(data.get("summary") or texts.use(data["name"])), newlines=False), "bold"),
        (texts.risk(risk), colour),
    )
    lines: list[Text] = []
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
    remember = data.get("remember")
    covers = None if remember is None else still_visible(str(remember), newlines=False)
    reason = still_visible(str(data["reason"]), newlines=False)
    prose = filter(None, (texts.why(reason), texts.always_covers(covers, reason)))
    screen.write(screen.prose(summary))
    screen.write([entry for text in lines for entry in screen.render(text)])
    screen.write([entry for words in prose for entry in screen.prose(Text(words, style="dim"))])
