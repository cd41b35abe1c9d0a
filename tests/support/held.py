"""A port for one test: its listener may end and start again, and no other program gets the port in between."""

from __future__ import annotations

import functools
import os
import socket
import sys
import weakref


class HeldPort:
    """A free port on the loopback interface, held while this object exists.

    It is held by a socket that is bound and does not listen: connections are refused, but on Linux another socket with
    SO_REUSEADDR may listen there.
    """

    def __init__(self) -> None:
        holder = _bound(0)
        self.port: int = holder.getsockname()[1]
        weakref.finalize(self, os.close, holder.detach())

    @staticmethod
    @functools.cache
    def possible() -> bool:
        """Whether this system lets another socket listen there."""
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
