"""Where the daemon listens: it owns the port from the start, and a socket's path is private."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aster_sidecar.http.sockets import PATH_MOST_BYTES, PortTaken, bind, unix_socket

needs_unix = pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets here")


@pytest.fixture
def path() -> Iterator[Path]:
    """A path that is short enough, in a directory that does not exist yet."""
    with tempfile.TemporaryDirectory(prefix="aster") as folder:
        yield Path(folder) / "run" / "s"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_two_that_start_at_once_never_both_have_the_port() -> None:
    """This is also true when the first has not begun to answer yet."""
    with contextlib.closing(bind(0)) as first:
        port: int = first.getsockname()[1]
        with pytest.raises(PortTaken) as taken:
            bind(port).close()
        assert str(port) in str(taken.value)
        assert "--port 0" in taken.value.hint
        with contextlib.closing(bind(port, or_free=True)) as second:
            assert second.getsockname()[1] != port


def test_a_child_does_not_inherit_the_port() -> None:
    with contextlib.closing(bind(0)) as bound:
        assert not bound.get_inheritable()
        assert bound.getsockname()[0] == "127.0.0.1"


@needs_unix
def test_a_socket_is_private_and_gone_afterwards(path: Path) -> None:
    with unix_socket(path) as listening:
        assert listening is not None
        assert (mode(path), mode(path.parent)) == (0o600, 0o700)
        assert not listening.get_inheritable()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.fspath(path))
    assert not path.exists()


def test_without_a_path_there_is_no_socket() -> None:
    with unix_socket(None) as listening:
        assert listening is None


@needs_unix
def test_a_socket_in_use_is_refused_and_a_stale_one_is_replaced(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(os.fspath(path))
        other.listen()
        with pytest.raises(PortTaken, match="another program listens there"), unix_socket(path):
            pass
    assert path.exists()
    with unix_socket(path) as listening:
        assert listening is not None


@needs_unix
def test_a_file_at_the_path_is_left_alone(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("precious")
    with pytest.raises(PortTaken, match="something other than a socket"), unix_socket(path):
        pass
    assert path.read_text() == "precious"


@needs_unix
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root, to make a directory another's")
def test_another_user_s_directory_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.chown(path.parent, 65534, 65534)
    with pytest.raises(PortTaken, match="other users can access"), unix_socket(path):
        pass


@needs_unix
@pytest.mark.parametrize("others", [0o710, 0o701, 0o750])
def test_a_directory_that_others_can_access_is_refused(path: Path, others: int) -> None:
    path.parent.mkdir()
    path.parent.chmod(others)
    with pytest.raises(PortTaken, match="other users can access") as refused, unix_socket(path):
        pass
    assert f"chmod 700 {path.parent}" in refused.value.hint
    assert not path.exists()


@needs_unix
def test_the_longest_path_is_taken_and_a_longer_one_refused(path: Path) -> None:
    longest = path.with_name("s" * (PATH_MOST_BYTES - len(os.fsencode(path.parent)) - 1))
    with unix_socket(longest) as listening:
        assert listening is not None
    with pytest.raises(PortTaken, match=f"{PATH_MOST_BYTES + 1} bytes"), unix_socket(Path(f"{longest}s")):
        pass


@needs_unix
def test_a_socket_that_another_replaced_is_not_removed(path: Path) -> None:
    with unix_socket(path):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"
