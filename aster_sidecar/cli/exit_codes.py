"""The exit codes of the command, and how it says why it ends."""

from __future__ import annotations

import os
import sys

EXIT_STOPPED = 0
"""A daemon was stopped, or a command did what it was asked."""
EXIT_FAILED = 1
"""A command could not do it, or the doctor found something wrong; a daemon never ends with it."""
EXIT_USAGE = 2
"""The command line, or the first line on stdin, is wrong."""
EXIT_RUNNING = 3
"""Another daemon uses the data directory."""
EXIT_PORT = 4
"""The port or the Unix socket can't be used."""
EXIT_CONFIG = 5
"""The configuration is wrong."""
EXIT_STORE = 6
"""The store or its directory can't be used."""
EXIT_WAITS = 7
"""`chat MESSAGE` left a question that waits for a person."""
EXIT_CRASH = 70
"""The daemon crashed: a bug."""
EXIT_INTERRUPTED = 130
"""A command was interrupted with Ctrl-C."""


def fail(code: int, message: str, hint: str | None = None) -> int:
    """Say on stderr why it ends. The code counts, also where stderr is a file on a disk that is full."""
    try:
        print(f"aster-sidecar: {message}" + (f"\n  {hint}" if hint else ""), file=sys.stderr, flush=True)
    except OSError:
        # Else the interpreter ends with a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return code
