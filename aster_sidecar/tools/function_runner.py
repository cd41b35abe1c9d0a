"""Runs an app's function in a task or a thread of its own, until it ends or its call is cancelled."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from aster_sidecar.tools.base import ToolError

log = logging.getLogger(__name__)

GRACE_S = 2.0
"""How long a cancelled call may take to end; then the turn continues without it."""


async def run_to_its_end(function: Callable[..., Any], values: dict[str, Any], name: str, stop: threading.Event) -> Any:
    """Await the function in another task or thread. On cancellation, set `stop`, wait `GRACE_S` and then abandon it."""
    if inspect.iscoroutinefunction(function):
        work: asyncio.Future[Any] = asyncio.ensure_future(guarded(function(**values)))
    else:
        work = in_thread(functools.partial(function, **values), name)
    try:
        await asyncio.wait({work})
    except asyncio.CancelledError:
        stop.set()
        if isinstance(work, asyncio.Task):
            work.cancel()
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        _, left = await asyncio.wait({work}, timeout=GRACE_S)
        if left:
            log.warning("tool %s keeps running although its call was cancelled", name)
        raise
    if work.cancelled():
        raise ToolError("it cancelled itself")
    return work.result()


async def guarded(work: Coroutine[Any, Any, Any]) -> Any:
    """Await the work; a tool that tries to exit the process only fails."""
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise ToolError(f"it tried to end the process: {type(error).__name__}") from error


def in_thread(work: Callable[[], Any], name: str) -> asyncio.Future[Any]:
    """Run blocking work in a new thread, for which neither the stop of the daemon nor other tools wait."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def run() -> None:
        value, failure = None, None
        try:
            value = context.run(work)
        except Exception as error:
            # A future can't hold StopIteration.
            failure = RuntimeError("StopIteration") if isinstance(error, StopIteration) else error
        except BaseException as error:
            failure = ToolError(f"it tried to end the process: {type(error).__name__}")
        try:
            loop.call_soon_threadsafe(settle, value, failure)
        except RuntimeError:
            log.debug("tool %s ended after the daemon", name)

    threading.Thread(target=run, name=f"tool {name}", daemon=True).start()
    return future
