"""A path that changes after its call was judged: no link is followed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools import opening
from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.files.support import READERS, WRITERS
from tests.tools.support import assess, run_assessed


def swaps(place: Surroundings, outside: Path) -> dict[str, tuple[str, Any]]:
    """Changes between judging and running a call, by name: the call's path, and a function that makes the change."""
    work = place.work_dir

    def link_the_file() -> None:
        (work / "a.txt").unlink()
        (work / "a.txt").symlink_to(outside / "a.txt")

    def link_the_folder() -> None:
        (work / "sub").rename(work / "gone")
        (work / "sub").symlink_to(outside)

    def link_the_work_dir() -> None:
        work.rename(work.with_name("gone"))
        work.symlink_to(outside)

    return {
        "the file": ("a.txt", link_the_file),
        "a folder": ("sub/a.txt", link_the_folder),
        "the work directory": ("a.txt", link_the_work_dir),
    }


@pytest.mark.parametrize("which", ["the file", "a folder", "the work directory"])
@pytest.mark.parametrize(("name", "more"), [READERS[0], READERS[2], WRITERS[0], WRITERS[1]])
def test_a_link_put_in_between_is_refused(
    place: Surroundings, tmp_path: Path, which: str, name: str, more: dict[str, Any]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("axa secret")
    (place.work_dir / "sub").mkdir()
    (place.work_dir / "a.txt").write_text("axa")
    (place.work_dir / "sub" / "a.txt").write_text("axa")
    path, swap = swaps(place, outside)[which]
    arguments = {"path": path, **more}
    assessment = assess(name, place, **arguments)
    swap()
    if name == "search_files" and which == "the file":
        assert run_assessed(name, place, assessment, **arguments).value["hits"] == []
    else:
        with pytest.raises(ToolError):
            run_assessed(name, place, assessment, **arguments)
    assert (outside / "a.txt").read_text() == "axa secret"
    assert os.listdir(outside) == ["a.txt"]


@pytest.mark.parametrize("which", ["a folder", "the work directory"])
def test_deleting_and_moving_never_follow_a_link_put_in_between(
    place: Surroundings, tmp_path: Path, which: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("kept")
    (place.work_dir / "sub").mkdir()
    (place.work_dir / "a.txt").write_text("a")
    (place.work_dir / "sub" / "a.txt").write_text("a")
    path, swap = swaps(place, outside)[which]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("delete_file", {"path": path}),
        ("move_file", {"source": path, "destination": "elsewhere"}),
        ("move_file", {"source": "a.txt", "destination": f"{path}.new"}),
    ]
    assessments = [assess(name, place, **arguments) for name, arguments in calls]
    swap()
    for (name, arguments), assessment in zip(calls, assessments, strict=True):
        with pytest.raises(ToolError):
            run_assessed(name, place, assessment, **arguments)
    assert {one.name: one.read_text() for one in outside.iterdir()} == {"a.txt": "kept"}


TRIES = 100_000


@pytest.mark.parametrize("which", ["the file", "a folder"])
def test_a_link_that_comes_and_goes_is_never_followed(place: Surroundings, tmp_path: Path, which: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").write_text("secret")
    work, folder = place.work_dir, place.work_dir / "sub"
    folder.mkdir()
    (folder / "a").write_text("x")
    stop = threading.Event()

    def swap_file() -> None:
        (work / "link").symlink_to(tmp_path / "outside" / "a")
        os.replace(work / "link", folder / "a")
        (work / "file").write_text("x")
        os.replace(work / "file", folder / "a")

    def swap_folder() -> None:
        folder.rename(work / "gone")
        folder.symlink_to(tmp_path / "outside")
        folder.unlink()
        (work / "gone").rename(folder)

    def swap() -> None:
        while not stop.is_set():
            (swap_file if which == "the file" else swap_folder)()

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen: set[bytes] = set()
    try:
        tried, until_s = 0, time.monotonic() + 60
        while tried < TRIES or (b"refused" not in seen and time.monotonic() < until_s):
            tried += 1
            try:
                with opening.opened_folder(folder) as opened, open(opening.opened_file(opened, "a"), "rb") as file:
                    seen.add(file.read())
            except (ToolError, OSError):
                seen.add(b"refused")
    finally:
        stop.set()
        swapping.join()
    assert seen <= {b"x", b"", b"refused"}, "the link was followed"
    assert b"refused" in seen, "no attempt met the link"


def test_a_fifo_put_in_between_does_not_hang(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("x")
    assessment = assess("read_file", place, path="a")
    (place.work_dir / "a").unlink()
    os.mkfifo(place.work_dir / "a")
    with pytest.raises(ToolError, match="FIFO"):
        run_assessed("read_file", place, assessment, path="a")


def test_without_handles_every_component_is_checked(place: Surroundings, tmp_path: Path) -> None:
    (place.work_dir / "sub").mkdir()
    with opening.opened_folder(place.work_dir / "sub", handles=False) as folder:
        assert folder == str(place.work_dir / "sub")
    with opening.opened_folder(place.work_dir / "new" / "deep", create=True, handles=False) as folder:
        assert os.path.isdir(folder)
    (place.work_dir / "sub").rmdir()
    (place.work_dir / "sub").symlink_to(tmp_path)
    for path in ("sub", "sub/inner"):
        with pytest.raises(ToolError), opening.opened_folder(place.work_dir / path, create=True, handles=False):
            pass
    assert not (tmp_path / "inner").exists()
