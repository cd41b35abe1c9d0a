"""Prompts for a terminal that can't be repainted: nothing stays at the bottom while an answer is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aster_sidecar.cli.chat.prompt_parts import Interrupted, Offered, command_completer, sending_keys, typed_before
from aster_sidecar.text.repair import valid_text

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer


def plain_session(history: Path | None, offered: Offered | None = None) -> PromptSession[str]:
    """The prompt for messages of several lines, with a history and completion of commands."""
    from prompt_toolkit import PromptSession

    return PromptSession(
        history=typed_before(history),
        completer=command_completer(offered),
        complete_while_typing=False,
        multiline=True,
        key_bindings=sending_keys(lambda buffer: buffer.validate_and_handle()),
        interrupt_exception=Interrupted,
        prompt_continuation="  ",
    )


async def prompted(
    label: str, default: str, session: PromptSession[str] | None, completer: Completer | None = None
) -> str:
    """Read one text, with `session` or, without one, a line for an answer, which `completer` completes.

    Raises: Interrupted, EOFError.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.patch_stdout import patch_stdout

    asking = session or PromptSession[str](
        completer=completer, complete_while_typing=False, interrupt_exception=Interrupted
    )
    with patch_stdout(raw=True):
        return valid_text(await asking.prompt_async(label, default=default))
