"""A port of the test's own: who listens on it may go and come again, and nobody else gets it in between."""

from __future__ import annotations

import functools
import os
import socket
import sys
import weakref


class HeldPort:
    """A free port on the loopback interface, until this is forgotten.

    A socket that is bound and does not listen holds it: for connections there is nobody there, and on Linux another
    that also says SO_REUSEADDR may listen.
    """

    def __init__(self) -> None:
        holder = _bound(0)
        self.port: int = holder.getsockname()[1]
        weakref.finalize(self, os.close, holder.detach())

    @staticmethod
    @functools.cache
    def possible() -> bool:
        """Whether this system lets another listen there."""
        if not sys.platform.startswith("linux"):
            return False
        try:
            with _bound(0) as holder, _bound(holder.getsockname()[1]) as other:
                other.listen()
                return True
        except OSError:
            return False


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound
