"""What the input line and the plain prompt have in common: keys, history, completion of commands."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aster_sidecar.cli.chat import texts

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


Offered = Callable[[str], Awaitable[Mapping[str, str]]]
"""Words that begin with a sign, "/" or "@", and what they are."""


class Interrupted(Exception):
    """Ctrl-C at a prompt. Not KeyboardInterrupt: raised by a task, that would end the event loop."""


def sending_keys(send: Callable[[Buffer], None], several_lines: Callable[[], bool] = lambda: True) -> KeyBindings:
    """Enter calls `send`; Alt-Enter, and Enter after a backslash where `several_lines` is true, begins a new line."""
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)

    @bindings.add("enter", filter=typing)
    def enter(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        buffer = event.current_buffer
        if several_lines() and buffer.document.current_line_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            send(buffer)

    @bindings.add("escape", "enter", filter=typing)
    def new_line(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        event.current_buffer.insert_text("\n")

    return bindings


def typed_before(path: Path | None) -> History:
    """The history, in a file that only this user can read; in memory if there is no path or it can't be opened."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    if path is not None:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError:
            path = None
    return FileHistory(str(path)) if path is not None else InMemoryHistory()


def answer_completer(words: Sequence[str], *, paths: bool = False, folders_only: bool = False) -> Completer:
    """Completes one of these words or, with `paths`, a path from the current directory or with `~`."""
    from prompt_toolkit.completion import PathCompleter, WordCompleter

    if paths:
        return PathCompleter(expanduser=True, only_directories=folders_only)
    return WordCompleter(list(words), ignore_case=True, sentence=True)


def command_completer(offered: Offered | None = None) -> Completer:
    """Completes the commands of a chat.

    `offered` gives more words, with what they are: commands for "/", and for "@" words that may be anywhere in a text.
    """
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion, WordCompleter

    commands = WordCompleter(list(texts.COMMANDS), sentence=True, meta_dict=dict(texts.COMMANDS))

    class Completing(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            return commands.get_completions(document, complete_event)

        async def get_completions_async(
            self, document: Document, complete_event: CompleteEvent
        ) -> AsyncGenerator[Completion, None]:
            for command in self.get_completions(document, complete_event):
                yield command
            before = document.text_before_cursor
            word = before if before.startswith("/") else re.split(r"\s", before)[-1]
            if offered is not None and (before.startswith("/") or word.startswith("@")):
                for text, about in (await offered(word[0])).items():
                    if text.startswith(word):
                        yield Completion(text, -len(word), display_meta=about)

    return Completing()
