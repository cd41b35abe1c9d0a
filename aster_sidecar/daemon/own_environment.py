"""Hides the secrets in this process's environment variables from child processes and from `/proc/PID/environ`.

`/proc/PID/environ` (readable for a tool of a daemon that runs as root, and otherwise for every program of the user)
shows the memory that the kernel filled at the start, even after `unsetenv`, so the values are overwritten there.
`os.environ` keeps them, so an app's own code can still read its keys. Child processes inherit none of them, unless they
are started with `env=dict(os.environ)`.
"""

from __future__ import annotations

import os
import sys

from aster_sidecar.telemetry.secret_words import SECRET_WORDS, SHORTEST

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping


def hide(environ: MutableMapping[str, str] = os.environ) -> list[str]:
    """Hide every variable that holds a secret from child processes and other programs; returns their names."""
    names = [name for name, value in environ.items() if _is_secret(name, value)]
    if names:
        _overwrite(names)
    return names


def _is_secret(name: str, value: str) -> bool:
    # A path (XAUTHORITY, SSH_AUTH_SOCK) is not a secret, and child processes need it.
    if len(value) < SHORTEST or os.path.isabs(value):
        return False
    if "@" not in value and not any(word in name.upper() for word in SECRET_WORDS):
        return False
    from aster_sidecar.telemetry.redaction import secrets_of  # its patterns take time to compile

    return any(secrets_of({name: value}))


def _overwrite(names: Iterable[str]) -> None:
    if os.name != "posix":
        for name in names:
            os.unsetenv(name)  # changes the system's copy only, not `os.environ`
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
    """Addresses of all values of this variable, which a launcher may have set more than once. Linux only."""
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
