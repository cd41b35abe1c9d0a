"""Runs one command: prepares the standard streams, and turns failures to write into exit codes.

It imports nothing slow: `chat` in a script may need no more.
"""

from __future__ import annotations

import errno
import os
import sys

from aster_sidecar.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Sequence

CANT_WRITE = (errno.EPIPE, errno.EINVAL, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Errors when output can't be written. Windows raises EINVAL when the reader of a pipe is gone."""


def run(words: Sequence[str]) -> int:
    """Run one command.

    Returns the exit code: that of the command, 1 when it failed, 5 for a wrong configuration, 130 after Ctrl-C.
    """
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a terminal may not support UTF-8
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr] # a pipe may not be UTF-8
    try:
        unfinished = None
        if words[0] == "chat":
            from aster_sidecar.cli.chat.one_shot import run_once

            unfinished = run_once(words[1:])
            if isinstance(unfinished, int):
                sys.stdout.flush()
                return unfinished
        from aster_sidecar.cli.dispatch import dispatch

        return dispatch(words, unfinished)
    except OSError as error:
        if error.errno not in CANT_WRITE:
            raise
        _report_unwritten(error)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _report_unwritten(error: OSError) -> None:
    """Say that stdout can't be written, unless its reader is gone."""
    try:
        # The interpreter would fail to flush stdout when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            from aster_sidecar.cli.console import print_error

            print_error(f"the output could not be written: {error.strerror or error}")
    except OSError:
        return  # stderr can't be written either


def _open_streams() -> None:
    """Open the null device in the place of standard streams that are closed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 # stays open
