"""The command `chat`: reads its arguments, finds or starts a daemon, and runs the chat."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence

from aster_sidecar import __version__
from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.choices import Wanted
from aster_sidecar.cli.chat.connection import Connection, Json, Refused, Unreachable
from aster_sidecar.cli.chat.conversation import Target
from aster_sidecar.cli.chat.daemon_process import BACK_S, Found, NotStarted, OwnDaemon, connect, find, wait_for
from aster_sidecar.cli.chat.files import LocalFile, Unreadable, read
from aster_sidecar.cli.chat.given_answers import Unusable, read_answers
from aster_sidecar.cli.chat.message import given_message
from aster_sidecar.cli.chat.one_shot import Unfinished
from aster_sidecar.cli.chat.session import talk
from aster_sidecar.cli.commands.running import described, places_of
from aster_sidecar.cli.console import print_error
from aster_sidecar.cli.exit_codes import EXIT_FAILED, EXIT_RUNNING, EXIT_USAGE
from aster_sidecar.daemon.client import find as find_running
from aster_sidecar.text.path_names import misnamed
from aster_sidecar.text.repair import valid_text

HISTORY_NAME = "chat-history"
"""The file in the data directory with what was typed."""
DAEMON_FLAGS = {"model": "--model", "work_dir": "--work-dir", "permission_mode": "--permission-mode"}
"""Settings of a conversation → the flag with which a daemon is started."""


def run_chat(given: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    unfinished: Unfinished | None = given.unfinished
    message = unfinished.message if unfinished is not None else given_message(given.message)
    try:
        files = [read(path) for path in given.attach]
        answers = read_answers(given.answers) if given.answers is not None else None
    except (Unreadable, Unusable) as error:
        return refuse(EXIT_USAGE, str(error))
    alone = bool(files) and (given.json or not (sys.stdin.isatty() and sys.stdout.isatty()))
    if not message.strip() and not alone:
        if not sys.stdin.isatty():
            return refuse(EXIT_USAGE, texts.NO_MESSAGE)
        if given.json:
            return refuse(EXIT_USAGE, texts.JSON_NEEDS_MESSAGE)
        if not sys.stdout.isatty():
            return refuse(EXIT_USAGE, texts.NO_TERMINAL)
        if answers is not None:
            return refuse(EXIT_USAGE, texts.ANSWERS_NEED_MESSAGE)
    try:
        return with_daemon(given, message if message or alone else None, files, answers, unfinished)
    except NotStarted as error:
        return refuse(error.code or EXIT_FAILED, str(error))
    except Refused as refusal:
        if refusal.status == 401:
            return refuse(EXIT_FAILED, str(refusal), texts.WRONG_TOKEN)
        return refuse(EXIT_FAILED, str(refusal), refusal.hint)
    except Unreachable as error:
        return refuse(EXIT_FAILED, str(error))


def with_daemon(
    given: argparse.Namespace,
    message: str | None,
    files: Sequence[LocalFile],
    answers: Json | None,
    unfinished: Unfinished | None,
) -> int:
    """Chat with the daemon of the data directory or, if none runs, with one that stops at the end; the exit code.

    Raises: NotStarted, Refused, Unreachable.
    """
    at = places_of(given)
    token = os.environ.get("ASTER_SIDECAR_TOKEN") or None
    settings = settings_of(given)
    if (shown := misnamed(settings.get("work_dir", ""))) is not None:
        return refuse(EXIT_USAGE, texts.not_utf8(shown))

    def chat(connection: Connection, banner: str, of_daemon: frozenset[str] = frozenset()) -> int:
        wanted = wanted_of(settings, of_daemon, one_message=message is not None and not given.new)
        agent_id = valid_text(given.agent) if given.agent is not None else None
        target = Target(agent_id, given.session, given.new, wanted.at_creation)
        history = at.data_dir / HISTORY_NAME
        return asyncio.run(
            talk(
                connection,
                target,
                wanted,
                message=message,
                as_json=given.json,
                banner=banner,
                history=history,
                files=files,
                answers=answers,
                unfinished=unfinished,
            )
        )

    def chat_with(found: Found) -> int:
        if found.needs_token and token is None:
            running = find_running(at.data_dir)
            holder = described(running) if running is not None else found.words
            return refuse(EXIT_FAILED, texts.needs_token(at.data_dir, holder), texts.NEEDS_TOKEN_HINT)
        return chat(connect(found, at.data_dir, token), texts.found_daemon(found.version, found.words))

    # A message that was sent is with a daemon that has gone since: the app that started it may start it again.
    sent = unfinished is not None and unfinished.body is not None
    found = wait_for(at.data_dir, BACK_S) if sent else find(at.data_dir)
    if found is not None:
        return chat_with(found)
    flags = [entry for name, flag in DAEMON_FLAGS.items() if name in settings for entry in (flag, settings[name])]
    for flag, place in (("--data-dir", given.data_dir), ("--config-dir", given.config_dir)):
        flags += [flag, str(place)] if place is not None else []
    with contextlib.ExitStack() as stack:
        try:
            own = stack.enter_context(OwnDaemon(flags, at, os.environ, token))
        except NotStarted as error:
            found = wait_for(at.data_dir) if error.code == EXIT_RUNNING else None
            if found is None:
                raise
            return chat_with(found)  # another daemon began its start first
        return chat(own.connection(), texts.own_daemon(__version__, own.child.url), frozenset(DAEMON_FLAGS))


def settings_of(given: argparse.Namespace) -> dict[str, str]:
    """The settings that the flags choose. The folder is absolute and without links, as the daemon returns it."""
    settings = {name: str(value) for name in (*DAEMON_FLAGS, "effort") if (value := getattr(given, name)) is not None}
    if "model" in settings:
        settings["model"] = valid_text(settings["model"])
    if "work_dir" in settings:
        settings["work_dir"] = os.path.realpath(os.path.expanduser(settings["work_dir"]))
    return settings


def wanted_of(settings: Mapping[str, str], of_daemon: frozenset[str], *, one_message: bool) -> Wanted:
    """What the flags want. `one_message`: model and effort are for one message of a conversation that may exist."""
    of_turn = ("model", "effort") if one_message else ()
    return Wanted(
        {name: value for name, value in settings.items() if name not in of_turn},
        of_daemon,
        {name: value for name, value in settings.items() if name in of_turn},
    )


def refuse(code: int, message: str, hint: str | None = None) -> int:
    """Say on stderr why the command fails; returns `code`."""
    print_error(message, hint)
    return code
