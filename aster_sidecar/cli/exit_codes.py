"""The exit codes of `aster-sidecar`, and how it reports why it exits. docs/protocol.md has the same table."""

from __future__ import annotations

import os
import sys

EXIT_STOPPED = 0
"""A daemon was stopped, or a command succeeded."""
EXIT_FAILED = 1
"""A command failed, or a check of the doctor failed. A daemon never exits with it."""
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
"""`chat MESSAGE` ended with a question that waits for a person."""
EXIT_CRASH = 70
"""The daemon crashed: a bug."""
EXIT_INTERRUPTED = 130
"""A command was interrupted with Ctrl-C."""


def fail(code: int, message: str, hint: str | None = None) -> int:
    """Print an error and its hint on stderr; returns `code`, also when stderr can't be written."""
    try:
        print(f"aster-sidecar: {message}" + (f"\n  {hint}" if hint else ""), file=sys.stderr, flush=True)
    except OSError:
        # Otherwise the interpreter fails to flush stderr and exits with another code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return code
