"""Keeps the garbage collector away from the objects of a start, which stay until the daemon ends."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def long_lived() -> Generator[None, None, None]:
    """Collect no garbage in the block, and never look again at the objects that exist at its end.

    For imports and what is built once. A collection would look at all of these objects and find nothing; a later one
    would pause a turn for a tenth of a second. Garbage that exists at the end is kept too, so use it only for what
    happens once.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
