"""The log's lines, their limits and its file: rotated, private, and never a reason for the daemon to stop."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.errors import ModelError, StoreError
from aster_sidecar.telemetry import log_file as logs
from aster_sidecar.telemetry.log_file import FIELDS, JsonLines, LogFile, Words
from aster_sidecar.telemetry.redaction import MASK, Redactor

CANARY = "canary-7d41c0ffee"
OWN = logging.getLogger("aster_sidecar.test")
ROOT = Path(__file__).parent.parent.parent


def record(name: str, message: str, *args: object, error: BaseException | None = None, **fields: Any) -> Any:
    made = logging.LogRecord(name, logging.WARNING, "/lib/x.py", 7, message, args, error and (type(error), error, None))  # type: ignore[arg-type]
    made.__dict__.update(fields)
    return made


def line(*args: Any, secrets: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return json.loads(JsonLines(Redactor(secrets)).format(record(*args, **fields)))


# -- what is written ---------------------------------------------------------------------------------------------------


def test_a_line_has_time_level_logger_message_and_the_fields_that_are_known() -> None:
    told = line(
        "aster_sidecar.conversation.turns", "turn %s", "ended", turn_id="turn_1", duration_ms=1.5, secret_field=CANARY
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "warning",
        "logger": "aster_sidecar.conversation.turns",
        "message": "turn ended",
        "turn_id": "turn_1",
        "duration_ms": 1.5,
    }


@pytest.mark.parametrize(
    ("name", "message", "args", "expected"),
    [
        ("httpx", f"sent {CANARY}", (), "a library's message, not recorded (x.py:7)"),
        ("openai", "Request options: %s", (CANARY,), "Request options: %s (x.py:7)"),
        ("asyncio", f"Task exception was never retrieved\nfuture: <{CANARY}>", (), None),
        ("asyncio", f"Exception in callback say('{CANARY}')", (), "Exception in callback say (x.py:7)"),
        ("uvicorn.error", "Exception in ASGI application\n", (), "Exception in ASGI application (x.py:7)"),
        ("aster_sidecarx", CANARY, (), "a library's message, not recorded (x.py:7)"),
    ],
)
def test_a_library_s_words_are_not_written_where_they_could_quote(
    name: str, message: str, args: tuple[object, ...], expected: str | None
) -> None:
    for formatter in (JsonLines(Redactor()), Words(Redactor())):
        assert CANARY not in formatter.format(record(name, message, *args))
    assert line(name, message, *args)["message"] == (expected or "Task exception was never retrieved (x.py:7)")


def raised(*errors: BaseException) -> BaseException:
    """The last of the errors, each raised from the one before."""
    found: BaseException | None = None
    for error in errors:
        try:
            raise error from found
        except BaseException as caught:
            found = caught
    assert found is not None
    return found


def test_an_exception_is_told_by_kind_and_place_and_not_by_its_words() -> None:
    error = raised(ValueError(CANARY), ModelError("key_refused", CANARY, hint=CANARY), RuntimeError(CANARY))
    text = JsonLines(Redactor()).format(record("aster_sidecar.x", "failed", error=error))
    assert CANARY not in text
    told = json.loads(text)["exception"]
    assert [entry["error"] for entry in told] == [
        "RuntimeError",
        "aster_sidecar.errors.ModelError (key_refused)",
        "ValueError",
    ]
    assert all(re.fullmatch(r"test_log_file\.py:\d+ raised", place) for entry in told for place in entry["at"])
    words = Words(Redactor()).format(record("aster_sidecar.x", "failed", error=error))
    assert CANARY not in words
    assert "test_log_file.py:" in words


def test_the_system_s_and_our_own_words_are_told() -> None:
    full = raised(OSError(28, "x", CANARY))
    assert (
        line("aster_sidecar.x", "m", error=full)["exception"][0]["error"] == "OSError: ENOSPC No space left on device"
    )
    store = raised(StoreError("the disk is full"))
    assert "the disk is full" in line("aster_sidecar.x", "m", error=store)["exception"][0]["error"]
    group = raised(ExceptionGroup("x", [KeyError(CANARY)]))
    assert [entry["error"] for entry in line("aster_sidecar.x", "m", error=group)["exception"]] == [
        "ExceptionGroup",
        "KeyError",
    ]


def test_a_line_is_one_line_and_bounded() -> None:
    text = JsonLines(Redactor()).format(record("aster_sidecar.x", "a\nb\x1b[2J\u202e" + "x" * 10_000, path="/\r\n\x00"))
    assert "\n" not in text
    assert len(text) < 3000
    words = Words(Redactor()).format(record("aster_sidecar.x", "a\nb\x1b[2J\u202e", path="/\r\nINFO faked"))
    assert "\n" not in words
    assert "\x1b" not in words


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[LogFile]:
    handler = LogFile(tmp_path / "logs" / "aster.log", most_bytes=1000, kept=3)
    handler.setFormatter(JsonLines(Redactor()))
    yield handler
    handler.close()


def write(handler: LogFile, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        handler.handle(record("aster_sidecar.x", f"number {number}"))


def messages(*paths: Path) -> list[str]:
    return [json.loads(text)["message"] for path in paths for text in path.read_text("utf-8").splitlines()]


def test_the_file_is_rotated_by_size_and_old_ones_go(log_file: LogFile) -> None:
    write(log_file, 100)
    directory = log_file.path.parent
    assert sorted(entry.name for entry in directory.iterdir()) == [
        "aster.log",
        "aster.log.1",
        "aster.log.2",
        "aster.log.3",
    ]
    kept = messages(*(directory / f"aster.log.{n}" for n in (3, 2, 1)), log_file.path)
    assert kept == [f"number {number}" for number in range(100 - len(kept), 100)]
    for entry in directory.iterdir():
        assert entry.stat().st_size <= 1000
        if os.name == "posix":
            assert entry.stat().st_mode & 0o777 == 0o600
    if os.name == "posix":
        assert directory.stat().st_mode & 0o777 == 0o700


def test_another_life_goes_on_in_the_same_file(log_file: LogFile) -> None:
    write(log_file, 2)
    log_file.close()
    later = LogFile(log_file.path)
    later.setFormatter(JsonLines(Redactor()))
    write(later, 1, start=2)
    later.close()
    assert messages(log_file.path) == ["number 0", "number 1", "number 2"]


@pytest.mark.skipif(os.name != "posix", reason="an open file can't be deleted")
def test_a_deleted_file_comes_back(log_file: LogFile) -> None:
    write(log_file, 1)
    log_file.path.unlink()
    write(log_file, 1, start=1)
    assert messages(log_file.path) == ["number 1"]


def test_a_place_that_cannot_be_written_is_said_once_and_costs_nobody_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    handler = LogFile(tmp_path / "file" / "aster.log")
    handler.setFormatter(JsonLines(Redactor()))
    write(handler, 50)
    assert capsys.readouterr().err.count("can't be written") == 1
    (tmp_path / "file").unlink()
    write(handler, 1, start=50)
    assert messages(handler.path) == ["number 50"]
    handler.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_once(log_file: LogFile, capsys: pytest.CaptureFixture[str]) -> None:
    log_file.path.parent.mkdir()
    log_file.path.symlink_to("/dev/full")
    write(log_file, 20)
    assert capsys.readouterr().err.count("ENOSPC") == 1
    log_file.path.unlink()
    log_file.close()
    write(log_file, 1)
    assert messages(log_file.path) == ["number 0"]


def test_a_rotation_that_fails_does_not_let_the_file_grow(
    log_file: LogFile, capsys: pytest.CaptureFixture[str]
) -> None:
    blocker = log_file.path.parent / "aster.log.1"
    blocker.mkdir(parents=True)
    (blocker / "x").write_text("")
    (log_file.path.parent / "aster.log.2").mkdir()
    (log_file.path.parent / "aster.log.2" / "x").write_text("")
    write(log_file, 100)
    assert log_file.path.stat().st_size <= 1000
    assert capsys.readouterr().err.count("can't be written") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE, in a process of its own")
def test_a_line_that_was_torn_does_not_spoil_the_next(tmp_path: Path) -> None:
    """The disk fills up in the middle of a line: the next complete line begins on a new line."""
    import subprocess

    script = """
import json, logging, resource, signal, sys
from pathlib import Path
from aster_sidecar.telemetry.log_file import LogFile, JsonLines
from aster_sidecar.telemetry.redaction import Redactor
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
handler = LogFile(Path(sys.argv[1])); handler.setFormatter(JsonLines(Redactor()))
def say(text): handler.handle(logging.LogRecord("aster_sidecar", 30, "x", 1, text, (), None))
say("first")
size = Path(sys.argv[1]).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
say("torn")
say("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
say("last")
"""
    path = tmp_path / "aster.log"
    told = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=55, cwd=ROOT, check=True
    )
    assert told.stderr.count("can't be written") == 1
    lines = path.read_text().splitlines()
    assert json.loads(lines[0])["message"] == "first"
    assert json.loads(lines[-1])["message"] == "last"
    assert len(lines) == 3


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    handler = LogFile(tmp_path / "aster.log", most_bytes=20_000, kept=50)
    handler.setFormatter(JsonLines(Redactor()))
    threads = [threading.Thread(target=write, args=(handler, 200, n * 200)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.close()
    assert sorted(messages(*tmp_path.iterdir())) == sorted(f"number {n}" for n in range(1600))


# -- setting it up -----------------------------------------------------------------------------------------------------


@pytest.fixture
def clean_logging() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("aster_sidecar")
    before = list(root.handlers), root.level, own.level, logging.raiseExceptions
    hooks = threading.excepthook, sys.unraisablehook
    own.setLevel(logging.NOTSET)
    yield
    for handler in [handler for handler in root.handlers if handler not in before[0]]:
        logs.remove(handler)
    root.setLevel(before[1])
    own.setLevel(before[2])
    logging.raiseExceptions = before[3]
    threading.excepthook, sys.unraisablehook = hooks


@pytest.mark.usefixtures("clean_logging")
@pytest.mark.parametrize(
    ("level", "in_file", "on_stderr"),
    [
        (None, ["info", "warning"], ["warning"]),
        ("debug", ["debug", "info", "warning"], ["debug", "info", "warning"]),
        ("error", [], []),
    ],
)
def test_levels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], level: str | None, in_file: list[str], on_stderr: list[str]
) -> None:
    logs.to_stderr(level, Redactor())
    handler = logs.to_file(tmp_path, level, Redactor())
    for name in ("debug", "info", "warning"):
        getattr(OWN, name)("at %s", name)
    logging.getLogger("httpx").info("never")
    logs.remove(handler)
    path = tmp_path / "aster.log"
    assert (messages(path) if path.exists() else []) == [f"at {name}" for name in in_file]
    assert re.findall(r"at (\w+)", capsys.readouterr().err) == on_stderr


@pytest.mark.usefixtures("clean_logging")
def test_threads_and_destructors_and_broken_calls_print_nothing_raw(capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_stderr(None, Redactor())

    class Bad:
        def __del__(self) -> None:
            raise ValueError(CANARY)

    def fail() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    del thread
    bad = Bad()
    del bad
    OWN.warning("%d", CANARY)
    told = capsys.readouterr().err
    assert CANARY not in told
    assert "a thread ended with an exception" in told
    assert "an exception was ignored" in told


@pytest.mark.usefixtures("clean_logging")
def test_secrets_learned_later_are_hidden_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_stderr(None, Redactor())
    handler = logs.to_file(tmp_path, None, Redactor())
    logs.learn([CANARY])
    OWN.warning("it is %s", CANARY, extra={"path": f"/x/{CANARY}"})
    logs.remove(handler)
    assert CANARY not in (tmp_path / "aster.log").read_text() + capsys.readouterr().err
    assert MASK in (tmp_path / "aster.log").read_text()


def test_every_field_that_is_passed_is_one_that_is_written() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "aster_sidecar").rglob("*.py"))
    passed = {name for extra in re.findall(r"extra=\{([^}]*)\}", source) for name in re.findall(r'"(\w+)":', extra)}
    assert {"turn_id", "port"} <= passed
    assert passed <= set(FIELDS)
