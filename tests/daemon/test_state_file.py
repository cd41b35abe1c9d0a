"""`sidecar.json`, as a client may find it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from aster_sidecar.daemon.state_file import STATE_NAME, read_live_state, read_state
from aster_sidecar.services.process_facts import started_at


def test_the_content_comes_with_the_time_of_the_file(tmp_path: Path) -> None:
    (tmp_path / STATE_NAME).write_text('{"pid": 1}')
    os.utime(tmp_path / STATE_NAME, (5, 5))
    assert read_state(tmp_path) == {"pid": 1, "written_at": 5}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a": "' + b"x" * 70_000])
def test_a_file_that_makes_no_sense_is_none(text: bytes, tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    (tmp_path / STATE_NAME).write_bytes(text)
    assert read_state(tmp_path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs")
@pytest.mark.timeout(20)
def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / STATE_NAME)
    assert read_state(tmp_path) is None
    assert read_live_state(tmp_path) is None


def test_a_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / STATE_NAME).mkdir()
    assert read_state(tmp_path) is None


@pytest.mark.parametrize(
    "changes", [{}, {"started_at": 1.0}, {"started_at": None}, {"pid": "x"}, {"pid": 1e400}, {"pid": 2**70}]
)
def test_the_process_must_have_started_when_the_file_says(changes: dict[str, object], tmp_path: Path) -> None:
    state = {"pid": os.getpid(), "started_at": started_at(os.getpid()), **changes}
    (tmp_path / STATE_NAME).write_text(json.dumps(state))
    assert (read_live_state(tmp_path) is not None) == (not changes)
