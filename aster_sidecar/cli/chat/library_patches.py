"""Everything of rich and prompt_toolkit that chat uses although they do not document it, in one place.

tests/cli/chat/test_library_patches.py fails when a new version of a library no longer has it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from rich.console import Console


def console_in(environment: Mapping[str, str], **options: Any) -> Console:
    """A rich console that reads `environment` instead of os.environ; `options` are those of rich.console.Console.

    Console takes it as `_environ`. There is no documented way to have it ignore COLUMNS and LINES.
    """
    from rich.console import Console

    return Console(_environ=environment, **options)


def replace_erase(app: Application[Any], erased: Callable[[], bool]) -> None:
    """Before prompt_toolkit erases what it has drawn, call `erased`; if it returns True, nothing is left to erase.

    prompt_toolkit calls `erase` of the app's renderer, which is replaced on the instance.
    """
    erase_as_drawn = app.renderer.erase

    def erase(leave_alternate_screen: bool = True) -> None:
        if not erased():
            erase_as_drawn(leave_alternate_screen)

    app.renderer.erase = erase


@contextlib.contextmanager
def keeping_bracketed_paste(app: Application[Any]) -> Generator[None]:
    """Within the block, `app.renderer.erase()` leaves bracketed paste on.

    If it were off for a moment, a paste of several lines at that moment would arrive as several messages. The
    renderer calls `disable_bracketed_paste` of its output, which is replaced on the instance.
    """
    output = app.output
    disable = output.disable_bracketed_paste
    output.disable_bracketed_paste = lambda: None
    try:
        yield
    finally:
        output.disable_bracketed_paste = disable
