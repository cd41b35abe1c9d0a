"""write_file and edit_file: the complete new content, or the old file unchanged."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
import threading
from typing import BinaryIO

import pytest

from aster_sidecar.tools import opening
from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.file_content import NOTHING, content
from aster_sidecar.tools.files import replacing
from tests.tools.files.support import leftovers
from tests.tools.support import Listener, call, start


def test_writing_creates_parents_and_replaces_whole(place: Surroundings) -> None:
    first = call("write_file", place, path="deep/er/a.txt", content="é\n")
    assert first.value == {"path": str(place.work_dir / "deep/er/a.txt"), "bytes": 3, "created": True}
    second = call("write_file", place, path="deep/er/a.txt", content="")
    assert second.value["created"] is False
    assert (place.work_dir / "deep/er/a.txt").read_bytes() == b""
    assert os.listdir(place.work_dir / "deep/er") == ["a.txt"]


def test_writing_keeps_the_mode_and_breaks_no_link(place: Surroundings) -> None:
    target = place.work_dir / "run.sh"
    target.write_text("old")
    target.chmod(0o751)
    (place.work_dir / "near").symlink_to("run.sh")
    call("write_file", place, path="near", content="new")
    assert (place.work_dir / "near").is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o751


def test_a_new_file_gets_the_usual_mode(place: Surroundings) -> None:
    mask = os.umask(0o027)
    try:
        call("write_file", place, path="a", content="x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((place.work_dir / "a").stat().st_mode) == 0o640


def test_a_read_only_file_is_not_replaced(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("kept")
    (place.work_dir / "b").write_text("b")
    (place.work_dir / "a").chmod(0o444)
    for name, arguments in (
        ("write_file", {"path": "a", "content": "x"}),
        ("edit_file", {"path": "a", "old": "kept", "new": "x"}),
        ("move_file", {"source": "b", "destination": "a", "overwrite": True}),
    ):
        with pytest.raises(ToolError, match="read-only"):
            call(name, place, **arguments)
    assert (place.work_dir / "a").read_text() == "kept"


def test_a_name_as_long_as_names_can_be(place: Surroundings) -> None:
    name = "n" * 255
    call("write_file", place, path=name, content="1")
    call("write_file", place, path=name, content="2")
    assert (place.work_dir / name).read_text() == "2"


def test_a_full_disk_leaves_everything_as_it_was(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for path in ("a", "new"):
            with pytest.raises(ToolError, match="File too large"):
                call("write_file", place, path=path, content="x" * 200_000)
        with pytest.raises(ToolError, match="File too large"):
            call("edit_file", place, path="a", old="old", new="x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {one.name: one.read_text() for one in place.work_dir.iterdir()} == {"a": "old"}


def test_a_cancelled_write_is_done_or_not_there(place: Surroundings) -> None:
    target = place.work_dir / "a"
    old, new = "o" * 3_000_000, "n" * 3_000_000
    seen: set[str] = set()

    async def cancel_after(turns: int) -> None:
        task = asyncio.create_task(start("write_file", Listener(place), path="a", content=new))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():  # False: the task has ended already, which depends on the machine's speed
            with pytest.raises(asyncio.CancelledError):
                await task
        # After the cancellation, no thread is left that could still write.
        text = target.read_text()
        assert text in (old, new)
        assert text == new or task.cancelled()
        assert leftovers(place.work_dir) == [], "temporary files are left"
        seen.add(text[0])

    for turns in (0, 1, 2, 3, 5, 50, 500):
        target.write_text(old)
        asyncio.run(cancel_after(turns))
    assert "o" in seen  # a task that is cancelled before its first step does not start


def test_writers_of_one_file_leave_one_whole_text(place: Surroundings) -> None:
    texts = [letter * 500_000 for letter in "abcdefgh"]

    async def all_at_once() -> None:
        calls = (start("write_file", Listener(place), path="a", content=text) for text in texts)
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(all_at_once())
    assert (place.work_dir / "a").read_text() in texts
    assert leftovers(place.work_dir) == [], "temporary files are left"


def test_edits_replace_exactly_one_place(place: Surroundings) -> None:
    target = place.work_dir / "a.py"
    target.write_text("a = 1\nb = 1\n")
    call("edit_file", place, path="a.py", old="a = 1", new="a = 2")
    assert target.read_text() == "a = 2\nb = 1\n"
    target.write_text("aaa")
    for old, new, words in (
        ("zzz", "y", "does not occur"),
        ("aa", "b", "more than once"),
        ("aaa", "aaa", "the same"),
    ):
        with pytest.raises(ToolError, match=words):
            call("edit_file", place, path="a.py", old=old, new=new)
    assert target.read_text() == "aaa"
    assert call("edit_file", place, path="a.py", old="a", new="b", replace_all=True).value["replaced"] == 3
    assert target.read_text() == "bbb"


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny", b"x\r\ny\r\nc\r\n"),
        (b"a\r\nb\r\n", "a", "x\ny", b"x\r\ny\r\nb\r\n"),
        (b"a\r\nb\r\n", "a\r\nb", "x\r\ny", b"x\r\ny\r\n"),
        (b"a\r\nb\nc\n", "b\nc", "x\ny", b"a\r\nx\ny\n"),
        (b"a\r\nb\nc\n", "a\nb", "x\ny", b"x\r\ny\nc\n"),
        (b"\xef\xbb\xbfa\r\nb", "a", "x", b"\xef\xbb\xbfx\r\nb"),
        (b"no end", "end", "end!", b"no end!"),
    ],
)
def test_line_ends_and_byte_order_marks_stay(
    place: Surroundings, before: bytes, old: str, new: str, after: bytes
) -> None:
    (place.work_dir / "a").write_bytes(before)
    call("edit_file", place, path="a", old=old, new=new)
    assert (place.work_dir / "a").read_bytes() == after


def test_a_write_that_was_stopped_changes_nothing(place: Surroundings) -> None:
    stop = threading.Event()
    stop.set()
    with opening.opened_folder(place.work_dir) as folder, pytest.raises(ToolError, match="cancelled"):
        replacing.replace(folder, "a", lambda file: file.write(b"x"), NOTHING, stop)
    assert os.listdir(place.work_dir) == []


def test_what_somebody_else_wrote_in_the_meantime_is_not_lost(place: Surroundings) -> None:
    target = place.work_dir / "a"
    target.write_text("old")
    stop = threading.Event()
    with opening.opened_folder(place.work_dir) as folder:
        for found in (content(folder, "a"), NOTHING):

            def fill(file: BinaryIO) -> None:
                file.write(b"mine")
                target.write_text("somebody else's")

            with pytest.raises(ToolError, match="changed by another program"):
                replacing.replace(folder, "a", fill, found, stop)
            assert target.read_text() == "somebody else's"
            target.unlink()
    assert leftovers(place.work_dir) == [], "temporary files are left"


def test_an_edit_never_destroys_what_it_cannot_read(place: Surroundings) -> None:
    (place.work_dir / "latin").write_bytes(b"caf\xe9 old")
    with pytest.raises(ToolError, match="not text in UTF-8"):
        call("edit_file", place, path="latin", old="old", new="new")
    assert (place.work_dir / "latin").read_bytes() == b"caf\xe9 old"
