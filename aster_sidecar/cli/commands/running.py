"""Finds the daemon that a command uses, by the data directory."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from aster_sidecar.cli.console import local_time, print_error
from aster_sidecar.config.places import Places, places
from aster_sidecar.daemon import lock_holder, running_daemons
from aster_sidecar.daemon.client import Client, Running, find


class Failed(Exception):
    """A command failed. `hint`: the remedy."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def places_of(given: argparse.Namespace) -> Places:
    """The directories that the flags and the environment name."""
    return places(os.environ, data_dir=given.data_dir, config_dir=given.config_dir)


def only_daemon(given: argparse.Namespace) -> Path | None:
    """The data directory of the only running daemon, if none runs for the usual directory; reported on stderr.

    None to use the usual directory: a daemon runs for it, none runs at all, or several do.
    """
    usual = places_of(given)
    if given.config_dir is not None or find(usual.data_dir) is not None:
        return None
    found = running_daemons.running(usual.daemons_dir)
    if len(found) == 1:
        print_error(f"using the daemon that is running for {found[0]}; --data-dir selects another")
        return found[0]
    if found:
        listed = ", ".join(map(str, found))
        print_error(
            f"{len(found)} daemons are running, none of them for {usual.data_dir}; select one with --data-dir: {listed}"
        )
    return None


def daemon(given: argparse.Namespace) -> Client | None:
    """A client of the running daemon; None without one. Raises: Failed when it needs a token and none is set."""
    running = find(places_of(given).data_dir)
    if running is None:
        return None
    token = os.environ.get("ASTER_SIDECAR_TOKEN") or None
    if running.token and token is None:
        raise Failed(
            f"the daemon for {places_of(given).data_dir} needs a token: {described(running)}",
            "set ASTER_SIDECAR_TOKEN to its token, or use another --data-dir",
        )
    return Client(running.url, token)


def needed(given: argparse.Namespace) -> Client:
    """A client of the running daemon. Raises: Failed when there is none, or it does not answer."""
    client = daemon(given)
    if client is None:
        where = places_of(given).data_dir
        held = lock_holder.look(where)
        if held is not None:
            why, hint = held.trouble()
            raise Failed(f"the daemon for {where} ({held.words}): {why}", hint)
        start = "aster-sidecar" + (f" --data-dir {where}" if given.data_dir else "")
        raise Failed(f"no daemon is running for {where}", f"start one: {start}")
    return client


def described(running: Running) -> str:
    """A running daemon in a few words, for a person who did not start it."""
    since = local_time(running.started_at)
    return f"pid {running.pid}, for {running.framework}, {running.url}, since {since}"
