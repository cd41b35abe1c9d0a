"""Runs one command.

`run(words)` → exit code: 0, 1 it could not be done, 2 wrong usage, 5 wrong configuration, 130 interrupted.
"""

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
    "doctor": "aster_sidecar.cli.doctor:run",
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
"""Where each command is: a function from what was parsed to an exit code. Only the one that runs is imported."""
UNWRITTEN = (errno.EPIPE, errno.EINVAL, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Why a stream takes nothing more. EINVAL: so Windows says that nobody reads it."""


def run(words: Sequence[str]) -> int:
    """Run one command."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a terminal may know few letters
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr] # a pipe may hold anything
    logging.getLogger("aster_sidecar").setLevel(logging.ERROR)  # what is wrong with a file each command says itself
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
        if error.errno not in UNWRITTEN:
            raise
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its end
            if not isinstance(error, BrokenPipeError):
                print_error(f"the output could not be written: {error.strerror or error}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _open_streams() -> None:
    """Put the null device where a standard stream was closed: nothing to read, and what is written is nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 # open as long as we run
