"""Signals during a chat: Ctrl-C calls the chat's own handler, and a signal that ends the program cancels its task."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator
from types import FrameType

from aster_sidecar.cli.chat.state import ChatState


class CtrlC:
    """The handler of SIGINT while the chat is open."""

    def __init__(self, state: ChatState) -> None:
        self._state = state
        self._install: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def calls(self, handler: Callable[[], None]) -> Generator[None]:
        """Within the block Ctrl-C calls `handler` on the event loop.

        Afterwards the handler from before is back or, when the person leaves the chat, Ctrl-C is ignored.
        """
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGINT)

        def pressed(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(handler)

        def install() -> None:
            signal.signal(signal.SIGINT, pressed)

        self._install = install
        install()
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN if self._state.leaving else before)

    def reinstall(self) -> None:
        """Install the handler again after a prompt, which replaces it by its own."""
        self._install()


@contextlib.contextmanager
def ended_by_signals() -> Generator[list[int]]:
    """Cancel this task at the first SIGTERM, SIGHUP or SIGQUIT, so that the terminal is restored before the end.

    Yields a list that has the signal's number from then on.
    """
    task, received = asyncio.current_task(), list[int]()
    assert task is not None
    loop = asyncio.get_running_loop()

    def end(number: int) -> None:
        if not received:
            received.append(number)
            task.cancel()

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
    handled: list[int] = []
    for number in numbers:
        with contextlib.suppress(NotImplementedError):  # Windows
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
                loop.add_signal_handler(number, end, number)
                handled.append(number)
    try:
        yield received
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
