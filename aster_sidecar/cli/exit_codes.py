"""The exit codes of the command, and how it says why it ends."""

from __future__ import annotations

import os
import sys

EXIT_FAILED = 1
"""A command could not do it, or the doctor found something wrong; a daemon never ends with it."""
EXIT_STOPPED, EXIT_USAGE, EXIT_RUNNING, EXIT_PORT, EXIT_CONFIG, EXIT_STORE, EXIT_CRASH = 0, 2, 3, 4, 5, 6, 70
EXIT_INTERRUPTED = 130


def fail(code: int, message: str, hint: str | None = None) -> int:
    """Say on stderr why it ends. The code counts, also where stderr is a file on a disk that is full."""
    try:
        print(f"aster-sidecar: {message}" + (f"\n  {hint}" if hint else ""), file=sys.stderr, flush=True)
    except OSError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno()
        )  # else the interpreter ends with a code of its own
    return code
