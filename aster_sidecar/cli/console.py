"""How commands print: tables and lines with colours on a terminal, and JSON for scripts.

Text from models, tools and people has its control and other hidden characters made visible.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from aster_sidecar.text.safe_text import visible


def on_terminal() -> bool:
    """Whether stdout is a terminal with colours; rich turns the colours off for NO_COLOR."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def print_json(data: Any, indent: int | None = 2) -> None:
    """Print one JSON value in ASCII, so that it has no character that a terminal acts on.

    `indent`: None to print it on one line.
    """
    print(json.dumps(data, indent=indent).replace("\x7f", "\\u007f"))


def cell(value: Any) -> str:
    """A value on one line, with its hidden characters made visible."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return visible(str(value), newlines=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows below the names of their columns; without a terminal nothing is cut or wrapped."""
    cells = [[cell(value) for value in row] for row in rows]
    if on_terminal():
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for place, name in enumerate(columns):
            table.add_column(name, overflow="fold", no_wrap=place == 0)  # the first is the one that people copy
        for row in cells:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(len(line[place]) for line in [columns, *cells]) for place in range(len(columns))]
    for line in [columns, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def print_line(*pieces: str | tuple[str, str]) -> None:
    """Print one line of pieces; a pair is a text and its style, such as "bold red", for a terminal."""
    if on_terminal():
        from rich.console import Console
        from rich.text import Text

        Console(highlight=False).print(Text.assemble(*pieces), soft_wrap=True)
    else:
        print("".join(piece if isinstance(piece, str) else piece[0] for piece in pieces))


def print_error(message: str, hint: str | None = None) -> None:
    """Print an error and its hint on stderr."""
    print(f"aster-sidecar: {visible(message)}" + (f"\n  {visible(hint)}" if hint else ""), file=sys.stderr)


def local_time(seconds: float) -> str:
    """Seconds since 1970 as date and time of this machine's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
