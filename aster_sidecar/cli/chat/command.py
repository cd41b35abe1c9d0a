"""The command `chat`: which daemon it talks to, one that runs or one of its own, and what it says first."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
from collections.abc import Mapping, Sequence

from aster_sidecar import __version__
from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Child, Connection, Found, NotStarted, Refused, Unreachable, find, start
from aster_sidecar.cli.chat.session import HISTORY_NAME, Wanted, talk
from aster_sidecar.cli.commands.running import described, places_of
from aster_sidecar.cli.console import print_error
from aster_sidecar.cli.exit_codes import EXIT_FAILED, EXIT_USAGE
from aster_sidecar.config.places import Places, places
from aster_sidecar.daemon.client import find as find_running
from aster_sidecar.text.repair import whole

FLAGS = (("--model", "model"), ("--work-dir", "work_dir"), ("--permission-mode", "permission_mode"))
"""What may be said of a daemon that has to be started."""


class Own:
    """A daemon of our own: it ends with us, and one that dies before is started again."""

    def __init__(self, flags: Sequence[str], at: Places, environment: Mapping[str, str], token: str | None) -> None:
        self._flags = list(flags)
        self._at, self._environment, self._token = at, environment, token
        self._lock = threading.Lock()
        self.child: Child

    def __enter__(self) -> Own:
        self.child = start(self._flags, self._at, self._environment, self._token)
        return self

    def __exit__(self, *error: object) -> None:
        self.child.stop()

    def connection(self) -> Connection:
        return Connection(self.child.url, self.child.instance_id, self.child.token, self._relocate)

    def _relocate(self) -> tuple[str, str, str | None]:
        with self._lock:
            if self.child.process.poll() is not None:
                self.child.stop()
                try:
                    self.child = start(self._flags, self._at, self._environment, self._token)
                except NotStarted as error:
                    raise Unreachable(str(error)) from error
            return self.child.url, self.child.instance_id, self.child.token


def connect(found: Found, at: Places, token: str | None) -> Connection:
    """A connection to a daemon that runs, wherever it is after a restart."""

    def relocate() -> tuple[str, str, str | None]:
        now = find(at.data_dir)
        if now is None:
            raise Unreachable(texts.none_runs(at.data_dir))
        return now.url, now.instance_id, token if now.needs_token else None

    return Connection(found.url, found.instance_id, token if found.needs_token else None, relocate)


def run_chat(given: argparse.Namespace) -> int:
    """The command `chat`; returns the exit code."""
    running = find_running(places_of(given).data_dir)
    return run(given, described(running) if running is not None else None)


def run(given: argparse.Namespace, holder: str | None) -> int:
    """Chat, and return the exit code. `holder` says who has the data directory, for one who lacks its token."""
    words = whole(" ".join(given.message))
    if not sys.stdin.isatty():
        piped = whole(sys.stdin.read())
        words = "\n\n".join(filter(None, (words, piped.strip())))
        if not words.strip():
            return refuse(EXIT_USAGE, texts.NOTHING_TO_SAY)
    elif given.json and not words:
        return refuse(EXIT_USAGE, texts.JSON_NEEDS_MESSAGE)
    elif not words and not sys.stdout.isatty():
        return refuse(EXIT_USAGE, texts.NO_TERMINAL)
    try:
        return begin(given, words, holder)
    except NotStarted as error:
        return refuse(error.code or EXIT_FAILED, str(error))
    except Refused as refusal:
        if refusal.status == 401:
            return refuse(EXIT_FAILED, str(refusal), texts.WRONG_TOKEN)
        return refuse(EXIT_FAILED, str(refusal), refusal.hint)
    except Unreachable as error:
        return refuse(EXIT_FAILED, str(error))


def begin(given: argparse.Namespace, words: str, holder: str | None) -> int:
    at = places(os.environ, data_dir=given.data_dir, config_dir=given.config_dir)
    token = os.environ.get("ASTER_SIDECAR_TOKEN") or None
    wanted = Wanted(whole(given.agent), given.session, given.new)
    flags = [
        entry for flag, name in FLAGS if (value := getattr(given, name)) is not None for entry in (flag, str(value))
    ]

    def speak(connection: Connection, banner: str) -> int:
        conversation = talk(
            connection,
            wanted,
            message=words or None,
            as_json=given.json,
            banner=banner,
            history=at.data_dir / HISTORY_NAME,
        )
        return asyncio.run(conversation)

    found = find(at.data_dir)
    if found is not None:
        if found.needs_token and token is None:
            return refuse(EXIT_FAILED, texts.needs_token(at.data_dir, holder or found.words), texts.NEEDS_TOKEN_HINT)
        if flags:
            print_error(texts.flags_change_nothing(", ".join(flags[::2])))
        return speak(connect(found, at, token), texts.stays(found.version, found.words))
    for flag, place in (("--data-dir", given.data_dir), ("--config-dir", given.config_dir)):
        flags += [flag, str(place)] if place is not None else []
    with Own(flags, at, os.environ, token) as own:
        return speak(own.connection(), texts.own_daemon(__version__, own.child.url))


def refuse(code: int, message: str, hint: str | None = None) -> int:
    print_error(message, hint)
    return code
