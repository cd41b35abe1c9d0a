"""Where the daemon listens: the port is its own from the moment it has it."""

import contextlib

import pytest

from aster_sidecar.http.sockets import PortTaken, bind


def test_two_that_start_at_once_never_both_have_the_port() -> None:
    """Also when the first has not begun to answer yet."""
    with contextlib.closing(bind(0)) as first:
        port: int = first.getsockname()[1]
        with pytest.raises(PortTaken):
            bind(port).close()
        with contextlib.closing(bind(port, or_any=True)) as second:
            assert second.getsockname()[1] != port
