"""Directories with names of all kinds: those in UTF-8 work, with any characters; others are refused and named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import Daemon

REPO = Path(__file__).parent.parent.parent
NAMES = ["line\nend", 'it\'s "quoted"', "👩‍👩‍👧 家族", " spaces  in ", "é" * 127, "-dash", "$HOME `id`", "100%?#&"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are always Unicode")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forbids many of these")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_kind_works(launch: Callable[..., Daemon], name: str) -> None:
    daemon = launch(name, environment={"LC_ALL": "C"}, cold=True)
    daemon.config(permission_mode="auto_approve")
    (daemon.work_dir / name).write_text("found")
    events = daemon.ask(f"call read_file {json.dumps({'path': name})}")
    [ended] = [event["data"] for event in events if event["type"] == "tool_end"]
    assert ended.get("error") is None, ended
    daemon.kill()
    daemon.start()
    assert len(daemon.history()) == 2
    assert daemon.call("GET", "/api/config")["values"]["work_dir"]["value"] == str(daemon.work_dir)


def said(home: bytes, *words: bytes, **environment: bytes) -> subprocess.CompletedProcess[bytes]:
    argv: list[bytes | str] = [sys.executable, "-m", "aster_sidecar", *words]
    given: dict[str, bytes | str] = {"PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": str(REPO), "LC_ALL": "C"}
    return subprocess.run(argv, cwd=home, env=given | environment, capture_output=True, timeout=60)


@linux
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((b"--data-dir", b"%s"), 2),
        ((b"--uds", b"%s/s"), 2),
        ((b"--config-dir", b"%s"), 2),
        ((b"--work-dir", b"%s"), 5),
        ((b"doctor", b"--no-model", b"--data-dir", b"%s"), 2),
        ((b"paths", b"--data-dir", b"%s"), 2),
    ],
)
def test_a_name_that_is_not_utf_8_is_refused_and_shown(tmp_path: Path, words: tuple[bytes, ...], code: int) -> None:
    odd = bytes(tmp_path) + b"/b\xffd"
    os.mkdir(odd)
    more = () if words[0] in (b"doctor", b"paths") else (b"--port", b"0")
    data = () if b"--data-dir" in words else (b"--data-dir", bytes(tmp_path) + b"/data")
    told = said(bytes(tmp_path), *(word.replace(b"%s", odd) for word in words), *data, *more)
    assert told.returncode == code, told.stderr
    assert b"Traceback" not in told.stderr
    assert b"/b\\xffd" in told.stderr
    assert b"not UTF-8" in told.stderr
    assert os.listdir(odd) == []


@linux
def test_a_setting_that_is_not_utf_8_is_refused_and_shown(tmp_path: Path) -> None:
    words = (b"--data-dir", bytes(tmp_path) + b"/data", b"--port", b"0")
    told = said(bytes(tmp_path), *words, b"--command-path", b"/b\xffd:/bin")
    assert told.returncode == 5, told.stderr
    assert b"command_path = /b\\xffd:/bin (flag)" in told.stderr


@pytest.mark.parametrize("flag", ["--data-dir", "--config-dir", "--uds"])
def test_a_path_that_is_empty_is_not_taken_for_where_one_is(tmp_path: Path, flag: str) -> None:
    told = said(bytes(tmp_path), flag.encode(), b"", b"--port", b"0")
    assert (told.returncode, b"the path is empty" in told.stderr) == (2, True), told.stderr
    if flag != "--uds":
        told = said(bytes(tmp_path), b"sessions", b"list", flag.encode(), b"")
        assert (told.returncode, b"the path is empty" in told.stderr) == (2, True), told.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="other limits, no links")
@pytest.mark.parametrize(
    ("make", "why"), [("long", "File name too long"), ("loop", "not a directory"), ("file", "not")]
)
def test_a_work_dir_that_cannot_be_is_refused(
    daemon: Daemon, launch: Callable[..., Daemon], tmp_path: Path, make: str, why: str
) -> None:
    place = tmp_path / ("x" * 300 if make == "long" else "there")
    if make == "loop":
        place.symlink_to(place)
    elif make == "file":
        place.touch()
    refusal = daemon.refused("POST", "/api/config", {"work_dir": str(place)})
    assert (refusal.status, refusal.code) == (422, "config_invalid")
    assert why in refusal.body["error"]
    with pytest.raises(AssertionError, match=f"(?s)exit 5.*work_dir.*{why}"):
        launch("other", arguments=["--work-dir", str(place)])


@linux
@pytest.mark.parametrize("length", [504, 505])
def test_a_data_directory_that_is_too_long_for_sqlite_is_said(
    launch: Callable[..., Daemon], tmp_path: Path, length: int
) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    room = length - len(os.fsencode(deep)) - len("/") - len("/aster.db")
    data_dir = deep / "/".join(["z" * 50] * (room // 51) + ["z" * (room % 51)])
    assert len(os.fsencode(data_dir / "aster.db")) == length
    if length == 504:
        daemon = launch(arguments=["--data-dir", str(data_dir)])
        assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
    else:
        with pytest.raises(AssertionError, match=r"(?s)exit 6.*longer than the 504 bytes.*shorter path"):
            launch(arguments=["--data-dir", str(data_dir)])


@linux
def test_a_home_that_is_not_utf_8_is_refused_and_shown(tmp_path: Path) -> None:
    odd = bytes(tmp_path) + b"/b\xffd"
    os.mkdir(odd)
    told = said(odd, b"--port", b"0")
    assert told.returncode == 5, told.stderr
    assert b"/b\\xffd/.local/share/aster" in told.stderr
    assert b"--data-dir" in told.stderr
    assert os.listdir(odd) == []


@linux
def test_a_work_dir_that_leads_to_such_a_name_is_refused_while_it_runs(daemon: Daemon, tmp_path: Path) -> None:
    odd = bytes(tmp_path) + b"/b\xffd"
    os.mkdir(odd)
    os.symlink(odd, tmp_path / "way")
    before = daemon.call("GET", "/api/config")["values"]["work_dir"]
    refusal = daemon.refused("POST", "/api/config", {"work_dir": str(tmp_path / "way")})
    assert (refusal.status, refusal.code) == (422, "config_invalid")
    assert "/b\\xffd" in refusal.body["error"]
    assert daemon.call("GET", "/api/config")["values"]["work_dir"] == before
    assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
