"""The daemon that a command talks to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from aster_sidecar.cli.console import local_time, print_error
from aster_sidecar.config.places import Places, places
from aster_sidecar.daemon import lock_holder, running_daemons
from aster_sidecar.daemon.client import Client, Running, find


class Failed(Exception):
    """The command can't be done. `hint` is the remedy."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def places_of(given: argparse.Namespace) -> Places:
    return places(os.environ, data_dir=given.data_dir, config_dir=given.config_dir)


def only_daemon(given: argparse.Namespace) -> Path | None:
    """The data directory of the one daemon that runs, when none runs over the usual one; says so on stderr.

    None where the usual one is meant: a daemon runs over it, none runs at all, or several do.
    """
    usual = places_of(given)
    if given.config_dir is not None or find(usual.data_dir) is not None:
        return None
    found = running_daemons.running(usual.daemons_dir)
    if len(found) == 1:
        print_error(f"using the daemon that runs over {found[0]}; --data-dir chooses another")
        return found[0]
    if found:
        listed = ", ".join(map(str, found))
        print_error(f"{len(found)} daemons run, none of them over {usual.data_dir}; choose with --data-dir: {listed}")
    return None


def daemon(given: argparse.Namespace) -> Client | None:
    """The daemon over this data directory. Raises: Failed when it needs a token and none is set."""
    running = find(places_of(given).data_dir)
    if running is None:
        return None
    token = os.environ.get("ASTER_SIDECAR_TOKEN") or None
    if running.token and token is None:
        raise Failed(
            f"the daemon over {places_of(given).data_dir} needs a token: {described(running)}",
            "set ASTER_SIDECAR_TOKEN to its token, or use another --data-dir",
        )
    return Client(running.url, token)


def needed(given: argparse.Namespace) -> Client:
    """The running daemon. Raises: Failed without one, or with one that does not answer."""
    client = daemon(given)
    if client is None:
        where = places_of(given).data_dir
        held = lock_holder.look(where)
        if held is not None:
            why, hint = held.trouble()
            raise Failed(f"the daemon over {where} ({held.words}): {why}", hint)
        start = "aster-sidecar" + (f" --data-dir {where}" if given.data_dir else "")
        raise Failed(f"no daemon runs over {where}", f"start one: {start}")
    return client


def described(running: Running) -> str:
    """Who a running daemon is, for a person who did not start it."""
    since = local_time(running.started_at)
    return f"pid {running.pid}, for {running.framework}, {running.url}, since {since}"
