"""Parses and runs one command, and turns its errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from aster_sidecar.cli.commands.parser import parser
from aster_sidecar.cli.commands.running import Failed, only_daemon, places_of
from aster_sidecar.cli.console import print_error
from aster_sidecar.cli.exit_codes import EXIT_CONFIG, EXIT_FAILED, EXIT_INTERRUPTED
from aster_sidecar.cli.serve_args import absolute, misnamed_places
from aster_sidecar.daemon.client import ClientError
from aster_sidecar.errors import ConfigInvalid

RUN = {
    "chat": "aster_sidecar.cli.chat.command:run_chat",
    "doctor": "aster_sidecar.cli.doctor.command:run_doctor",
    "sessions": "aster_sidecar.cli.commands.sessions:run_sessions",
    "config": "aster_sidecar.cli.commands.config:run_config",
    "agents": "aster_sidecar.cli.commands.agents:run_agents",
    "paths": "aster_sidecar.cli.commands.config:run_paths",
    "store": "aster_sidecar.cli.commands.store:run_store",
    "trust": "aster_sidecar.cli.commands.trust:run_trust",
    "untrust": "aster_sidecar.cli.commands.trust:run_untrust",
    "completion": "aster_sidecar.cli.completion:run_completion",
    "version": "aster_sidecar.cli.commands.version:run_version",
}
"""Command → its function, from the parsed arguments to an exit code. Only the command that runs is imported."""
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
    logging.getLogger("aster_sidecar").setLevel(logging.ERROR)  # commands report problems of files themselves
    given = parser().parse_args(words)
    given.data_dir, given.config_dir = absolute(given.data_dir), absolute(given.config_dir)
    if given.command not in ("completion", "version"):
        if (wrong := misnamed_places(given, places_of(given))) is not None:
            code, message, hint = wrong
            print_error(message, hint)
            return code
        given.data_dir = given.data_dir or only_daemon(given)
    try:
        module, _, name = RUN[given.command].partition(":")
        code: int = getattr(import_module(module), name)(given)
        sys.stdout.flush()
        return code
    except Failed as error:
        print_error(error.message, error.hint)
        return EXIT_FAILED
    except ClientError as error:
        print_error(error.message, error.hint)
        return EXIT_FAILED
    except ConfigInvalid as error:
        print_error(error.message, error.hint)
        return EXIT_CONFIG
    except OSError as error:
        if error.errno not in CANT_WRITE:
            raise
        with contextlib.suppress(OSError):
            # The interpreter would fail to flush stdout when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                print_error(f"the output could not be written: {error.strerror or error}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _open_streams() -> None:
    """Open the null device in the place of standard streams that are closed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 # stays open
