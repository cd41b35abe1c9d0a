"""Unusual paths: special files, paths that are too long, missing files, and names that other systems refuse."""

from __future__ import annotations

import os
import socket
import stat
import sys
import time
from typing import Any

import pytest

from aster_sidecar.tools import paths
from aster_sidecar.tools.base import RuleTarget, Surroundings, ToolError
from tests.tools.files.support import READERS, WRITERS
from tests.tools.support import assess, call

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def test_special_files_are_refused_without_waiting(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.work_dir)  # the path of a socket must be short
    os.mkfifo(place.work_dir / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
    for path in ("fifo", "sock", "."):
        began = time.monotonic()
        for name, more in (
            ("read_file", {}),
            ("write_file", {"content": "x"}),
            ("edit_file", {"old": "a", "new": "b"}),
        ):
            with pytest.raises(ToolError):
                call(name, place, path=path, **more)
        assert time.monotonic() - began < 20
    for path in ("fifo", "sock"):
        with pytest.raises(ToolError):
            call("delete_file", place, path=path)
        with pytest.raises(ToolError):
            call("move_file", place, source=path, destination="elsewhere")
    assert stat.S_ISFIFO(os.stat(place.work_dir / "fifo").st_mode)


@pytest.mark.parametrize(("name", "more"), [*READERS, *WRITERS])
@pytest.mark.parametrize("path", ["x" * 300, "/".join(["d" * 200] * 30), "x/" * 3000])
def test_a_path_that_is_too_long_is_refused(place: Surroundings, name: str, more: dict[str, Any], path: str) -> None:
    with pytest.raises(ToolError, match="File name too long"):
        assess(name, place, path=path, **more)
    with pytest.raises(ToolError, match="File name too long"):
        paths.rule_value(RuleTarget("deny", "beneath", path), place)
    assert list(place.work_dir.iterdir()) == []


@pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="root can give up its rights for a moment")
@pytest.mark.parametrize(("name", "more"), [*READERS, *WRITERS])
def test_what_nobody_may_look_at_is_refused(place: Surroundings, name: str, more: dict[str, Any]) -> None:
    shut = place.work_dir / "shut"
    shut.mkdir(0)
    call("list_dir", place)  # this imports the modules now: the other user may not be able to read them
    os.seteuid(65534)
    try:
        found = assess(name, place, path="shut/a", **more)
        value = paths.rule_value(RuleTarget("deny", "beneath", "shut/a"), place)
    finally:
        os.seteuid(0)
    assert (found.target, value) == (str(shut / "a"), str(shut / "a"))


def test_a_file_is_called_a_file_where_a_directory_is_wanted(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("x")
    for name, path in (("list_dir", "a"), ("read_file", "a/b")):
        with pytest.raises(ToolError, match=r"/a is a file, not a directory"):
            call(name, place, path=path)


def test_missing_files_say_so(place: Surroundings) -> None:
    for name, more in (*READERS, WRITERS[1], WRITERS[2]):
        with pytest.raises(ToolError, match=r"No such file|no such file"):
            call(name, place, path="missing/deep", **more)


def test_unicode_names(place: Surroundings) -> None:
    for name in ("é.txt", "e\u0301.txt", "日本語", "a b\tc", "-rf", "*", "\u202egnp.exe", "'\"$(x)", "n\nl"):
        call("write_file", place, path=name, content=name)
        assert call("read_file", place, path=name).value["text"] == name
        assert name in os.listdir(place.work_dir)


@pytest.mark.parametrize("path", ["nul", "sub\\CON.txt", "com1", "LPT9.log", "a.txt:hidden", "aux ", "COM\u00b9"])
def test_windows_devices_and_streams_are_refused(path: str) -> None:
    with pytest.raises(ToolError):
        paths.refuse_windows_names(path)
    for ordinary in ("company.txt", "console", "null", "a/b\\c.txt", "com10"):
        paths.refuse_windows_names(ordinary)
