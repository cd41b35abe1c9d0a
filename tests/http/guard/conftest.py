"""Fixtures: guarded servers, which the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.guard.support import PARSERS, Daemon, Serve, build


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Start a daemon, or return the one that was started with the same options."""
    running: dict[str, Daemon] = {}

    def get(**options: Any) -> Daemon:
        key = repr(sorted(options.items()))
        if key not in running:
            running[key] = build(**options)
            running[key].start()
        return running[key]

    yield get
    for daemon in running.values():
        daemon.stop()
    for daemon in running.values():
        daemon.join()


@pytest.fixture(params=PARSERS)
def daemon(request: pytest.FixtureRequest, serve: Serve) -> Daemon:
    """A daemon with a token, once for each parser."""
    return serve(parser=request.param)


@pytest.fixture(params=PARSERS)
def open_daemon(request: pytest.FixtureRequest, serve: Serve) -> Daemon:
    """A daemon without a token, once for each parser. It checks Host, Origin, fetch site and peer only."""
    return serve(parser=request.param, token=None)
