"""A screen of any size that keeps what is printed on it in memory."""

from __future__ import annotations

import io

from aster_sidecar.cli.chat.library_patches import console_in
from aster_sidecar.cli.chat.screen import Screen


def screen(width: int = 80, height: int = 24, **options: object) -> Screen:
    """A capable terminal without colours."""
    fields: dict[str, object] = {"color_system": None, **options}
    return Screen(
        console_in({"TERM": "xterm"}, file=io.StringIO(), width=width, height=height, force_terminal=True, **fields)
    )


def printed(screen: Screen) -> str:
    """Everything that was written to the screen, with the escape sequences that move the cursor."""
    assert isinstance(screen.console.file, io.StringIO)
    return screen.console.file.getvalue()


class Bottom:
    """The bottom of a screen as the input line uses it; it keeps the finished lines."""

    def __init__(self) -> None:
        self.text = ""

    def above(self, text: str) -> None:
        self.text += text

    def refresh(self) -> None:
        pass
