"""Markdown on a terminal: text is wrapped between words, code is not wrapped, headings are at the left.

See `wrapping` for what is wrapped. `prose` and `commands` print with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import rich.table
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import markdown
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.text import Text
from rich.theme import Theme

from aster_sidecar.cli.chat.wrapping import QUOTE_BAR, WHOLE, wrapped

STYLES = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold magenta",
        "markdown.h3": "bold italic",
        "markdown.h4": "bold dim",
        "markdown.h5": "bold dim italic",
        "markdown.h6": "bold dim italic",
        "markdown.code": Style(bold=True, color="cyan", bgcolor="black", meta=WHOLE),
        "markdown.link_url": Style(color="blue", underline=True, meta=WHOLE),
    }
)
CODE_INDENT = " "
COLUMN_CELLS = 8
"""Smallest width of a table's column, with the space after it; tables with less room are shown as lists."""


def _lines(console: Console, thing: RenderableType, options: ConsoleOptions) -> list[list[Segment]]:
    """The lines of `thing`, neither cut nor padded to the width."""
    return list(Segment.split_lines(console.render(thing, options)))


class Paragraph(markdown.Paragraph):
    """Text wrapped between words."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in wrapped(self.text, options.max_width, indent=0):
            yield from line.render(console, end="\n")


class Heading(markdown.Heading):
    """A heading at the left, in the style of its level."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in wrapped(self.text, options.max_width, indent=0):
            yield from line.render(console, end="\n")


class CodeBlock(markdown.CodeBlock):
    """Code with colours; its lines are not wrapped."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Syntax("", self.lexer_name, theme=self.theme).highlight(str(self.text).rstrip())
        code.rstrip()
        for line in code.split("\n", allow_blank=True):
            yield Segment(CODE_INDENT)
            yield from line.render(console, end="\n")


class BlockQuote(markdown.BlockQuote):
    """Any blocks, with a bar before each line."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = console.get_style(self.style, default="none")
        for line in _lines(console, self.elements, options.update(width=max(1, options.max_width - 2))):
            yield Segment(f"{QUOTE_BAR} ", style)
            yield from Segment.apply_style(line, style)
            yield Segment("\n")


class ListItem(markdown.ListItem):
    """Any blocks, after a bullet or a number; later lines are indented."""

    def render_bullet(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self._render(console, options, " • ", "markdown.item.bullet")

    def render_number(self, console: Console, options: ConsoleOptions, number: int, last_number: int) -> RenderResult:
        head = f"{number}".rjust(len(str(last_number)) + 1) + " "
        return self._render(console, options, head, "markdown.item.number")

    def _render(self, console: Console, options: ConsoleOptions, head: str, style: str) -> RenderResult:
        for line in _lines(console, self.elements, options.update(width=max(1, options.max_width - len(head)))):
            yield Segment(head, console.get_style(style))
            yield from line
            yield Segment("\n")
            head = " " * len(head)


class Table(markdown.TableElement):
    """A table that shows its cells in full: text longer than its column continues in the next line.

    If the window is too narrow for the columns side by side, each row is shown as a list of its cells.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, rich.table.Table):
                for column in table.columns:
                    column.overflow = "fold"
                most = options.max_width // COLUMN_CELLS
                if len(table.columns) > most and table.__rich_measure__(console, options).maximum >= options.max_width:
                    yield from self._listed(console, options)
                    return
            yield table

    def _listed(self, console: Console, options: ConsoleOptions) -> RenderResult:
        heads = [cell.content for cell in self.header.row.cells] if self.header and self.header.row else []
        for number, row in enumerate(self.body.rows if self.body else []):
            if number:
                yield Segment.line()
            for head, cell in zip(heads, row.cells, strict=False):
                name = head.copy()
                name.stylize("markdown.table.header")
                text = Text.assemble(name, ": ", cell.content)
                for line in wrapped(text, options.max_width, indent=2):
                    yield from line.render(console, end="\n")


def _with_addresses(token: Token) -> Iterable[Token]:
    """Make an image a link, with its description and address, and a bare address text, which shows it already."""
    if token.type == "image":
        yield Token("link_open", "a", 1, attrs={"href": token.attrs.get("src", "")})
        yield Token("text", "", 0, content=token.content)
        yield Token("link_close", "a", -1)
    elif token.markup != "autolink":
        yield token


class TerminalMarkdown(markdown.Markdown):
    """Markdown as the conversation shows it. Print it with `crop=False`."""

    elements: ClassVar[dict[str, type[markdown.MarkdownElement]]] = {
        **markdown.Markdown.elements,
        "paragraph_open": Paragraph,
        "heading_open": Heading,
        "fence": CodeBlock,
        "code_block": CodeBlock,
        "blockquote_open": BlockQuote,
        "list_item_open": ListItem,
        "table_open": Table,
    }

    def __init__(self, text: str) -> None:
        # With hyperlinks a terminal would show a link's words only, and not where it leads.
        super().__init__(text, hyperlinks=False, code_theme="ansi_dark")
        # HTML is not rendered here, so it is shown as the text that the model wrote.
        parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
        self.parsed = parser.parse(text)
        for token in self.parsed:
            if token.children is not None:
                token.children = [entry for child in token.children for entry in _with_addresses(child)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with console.use_theme(STYLES):
            yield from super().__rich_console__(console, options)
