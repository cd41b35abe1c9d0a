"""Signals while a chat is open."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from aster_sidecar.cli.chat.interrupts import CtrlC, ended_by_signals
from aster_sidecar.cli.chat.state import ChatState

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


def test_ctrl_c_calls_the_handler_and_is_as_before_afterwards() -> None:
    async def body() -> None:
        state, pressed = ChatState("default", set()), asyncio.Event()
        ctrl_c, before = CtrlC(state), signal.getsignal(signal.SIGINT)
        with ctrl_c.calls(pressed.set):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait_for(pressed.wait(), 20)
            ours = signal.getsignal(signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a prompt leaves the handler when it ends
            ctrl_c.reinstall()
            assert signal.getsignal(signal.SIGINT) is ours
        assert signal.getsignal(signal.SIGINT) is before

    asyncio.run(body())


def test_when_the_person_leaves_ctrl_c_is_ignored_until_the_end() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    async def body() -> None:
        state = ChatState("default", set())
        with CtrlC(state).calls(state.leave):
            state.leave()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN

    try:
        asyncio.run(body())
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_program_cancels_the_task_first(number: signal.Signals) -> None:
    async def body() -> tuple[list[int], bool]:
        with ended_by_signals() as received:
            try:
                os.kill(os.getpid(), number)
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                return received, True
        return received, False

    before = signal.signal(number, signal.SIG_DFL)  # nohup ignores SIGHUP, and the code keeps an ignored signal ignored
    try:
        assert asyncio.run(body()) == ([number], True)
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def body() -> None:
        with ended_by_signals() as received:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
            assert received == []
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    try:
        asyncio.run(body())
    finally:
        signal.signal(signal.SIGHUP, before)
