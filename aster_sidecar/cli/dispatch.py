"""Parses the command line of a command and runs it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from aster_sidecar.cli.commands.parser import parser
from aster_sidecar.cli.commands.running import Failed, only_daemon, places_of
from aster_sidecar.cli.console import print_error
from aster_sidecar.cli.exit_codes import EXIT_CONFIG, EXIT_FAILED
from aster_sidecar.cli.serve_args import absolute, misnamed_places
from aster_sidecar.daemon.client import ClientError
from aster_sidecar.errors import ConfigInvalid

if TYPE_CHECKING:
    from aster_sidecar.cli.chat.one_shot import Unfinished

RUN = {
    "chat": "aster_sidecar.cli.chat.command:run_chat",
    "doctor": "aster_sidecar.cli.doctor.command:run_doctor",
    "sessions": "aster_sidecar.cli.commands.sessions:run_sessions",
    "audit": "aster_sidecar.cli.commands.audit:run_audit",
    "permissions": "aster_sidecar.cli.commands.permissions:run_permissions",
    "mcp": "aster_sidecar.cli.commands.mcp:run_mcp",
    "config": "aster_sidecar.cli.commands.config:run_config",
    "browser": "aster_sidecar.cli.commands.agent_browser:run_browser",
    "agents": "aster_sidecar.cli.commands.agents:run_agents",
    "paths": "aster_sidecar.cli.commands.config:run_paths",
    "store": "aster_sidecar.cli.commands.store:run_store",
    "trust": "aster_sidecar.cli.commands.trust:run_trust",
    "untrust": "aster_sidecar.cli.commands.trust:run_untrust",
    "completion": "aster_sidecar.cli.completion:run_completion",
    "version": "aster_sidecar.cli.commands.version:run_version",
}
"""Command → its function, from the parsed arguments to an exit code. Only the command that runs is imported."""


def dispatch(words: Sequence[str], unfinished: Unfinished | None = None) -> int:
    """Run one command and return its exit code. `unfinished`: a message of `chat` that `one_shot` has begun with."""
    logging.getLogger("aster_sidecar").setLevel(logging.ERROR)  # commands report problems of files themselves
    given = parser().parse_args(words)
    given.unfinished = unfinished
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
    except (Failed, ClientError) as error:
        print_error(error.message, error.hint)
        return EXIT_FAILED
    except ConfigInvalid as error:
        print_error(error.message, error.hint)
        return EXIT_CONFIG
