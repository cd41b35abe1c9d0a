"""Secrets in the variables that this process was started with: out of its environment, and out of its memory for it.

Whoever may read `/proc/PID/environ` (a tool of a daemon that runs as root, every program of the user otherwise) reads
the memory that the kernel filled at the start, whatever was unset since. So the values are overwritten there. Python's
own `os.environ` keeps them: an app's own code reads its keys as ever. What it starts inherits none of them, unless it
passes `env=dict(os.environ)`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, MutableMapping

from aster_sidecar.telemetry.redaction import SHORTEST, secrets_of


def hide(environ: MutableMapping[str, str] = os.environ) -> list[str]:
    """Take every variable that holds a secret out of what children inherit and others can read; returns their names."""
    names = [name for name, value in environ.items() if _is_secret(name, value)]
    if names:
        _overwrite(names)
    return names


def _is_secret(name: str, value: str) -> bool:
    # A path is none (XAUTHORITY, SSH_AUTH_SOCK), and what is started needs it.
    return len(value) >= SHORTEST and not os.path.isabs(value) and any(secrets_of({name: value}))


def _overwrite(names: Iterable[str]) -> None:
    if os.name != "posix":
        for name in names:
            os.unsetenv(name)  # the system's own copy; `os.environ` doesn't notice
        return
    import ctypes

    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    libc.getenv.argtypes = libc.unsetenv.argtypes = [ctypes.c_char_p]
    for name in names:
        key = os.fsencode(name)
        for place in (*_places(libc, key), libc.getenv(key)):
            if place:
                ctypes.memset(place, 0, len(ctypes.string_at(place)))
        libc.unsetenv(key)


def _places(libc: object, key: bytes) -> list[int]:
    """Where the values of that name are; a launcher may have given it more than once. macOS doesn't show them."""
    if sys.platform != "linux":
        return []
    import ctypes

    entries = ctypes.POINTER(ctypes.c_void_p).in_dll(libc, "environ")  # type: ignore[arg-type]
    found: list[int] = []
    index = 0
    while place := entries[index]:
        if ctypes.string_at(place).startswith(key + b"="):
            found.append(place + len(key) + 1)
        index += 1
    return found
