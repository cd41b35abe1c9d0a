"""What real commands change in a folder: found completely, with the contents before and after."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from aster_sidecar.errors import StoreError
from aster_sidecar.ledger import tree_walk
from aster_sidecar.ledger.path_state import PathChange, PathState
from aster_sidecar.ledger.snapshots import Snapshots
from aster_sidecar.ledger.tree import Limits
from aster_sidecar.store.kept_files import KeptFiles

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and commands as on POSIX")
GIT = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


class CountingFiles(KeptFiles):
    """Counts the contents that are handed to it, which are those that were read."""

    read_files = 0

    def keep_hashed(self, contents: Mapping[str, bytes]) -> None:
        self.read_files += len(contents)
        super().keep_hashed(contents)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    return data_dir


@pytest.fixture
def files(data_dir: Path) -> CountingFiles:
    return CountingFiles(data_dir)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def write(folder: Path, *names: str, text: str = "text of ") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + name)


def age(folder: Path) -> None:
    """Wait until the files are older than the steps of the system's clock, so that they need not be read again."""
    time.sleep(tree_walk.RACY_NS / 1e9 + 0.02)


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=os.environ | GIT_ENVIRONMENT)


GIT_ENVIRONMENT = {
    f"GIT_{who}_{what}": "somebody@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
} | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


class Look:
    """A folder before, and what a command changes in it."""

    def __init__(self, folder: Path, files: KeptFiles, limits: Limits | None = None) -> None:
        self.folder = folder
        self.files = files
        self.snapshots = Snapshots(files, limits)
        self.snapshot = asyncio.run(self.snapshots.before(folder))

    def changes(self) -> dict[str, PathChange]:
        found = asyncio.run(self.snapshots.changes_since(self.snapshot))
        named = {os.fsdecode(os.path.relpath(change.path, self.folder)): change for change in found}
        assert len(named) == len(found)
        return named

    def after(self, *command: str) -> dict[str, PathChange]:
        run(self.folder, *command)
        return self.changes()

    def content(self, state: PathState) -> bytes:
        return self.files.read(state.sha256 or "")


def types(changes: Mapping[str, PathChange]) -> dict[str, tuple[str | None, str | None]]:
    return {name: (change.before.type, change.after.type) for name, change in changes.items()}


def created(names: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
    return dict.fromkeys(names, (None, "file"))


# -- commands ----------------------------------------------------------------------------------------------------------


def test_without_a_change_nothing_is_listed(folder: Path, files: KeptFiles) -> None:
    write(folder, "a", "b/c")
    look = Look(folder, files)
    assert look.changes() == {}
    assert look.snapshot.not_covered == []


@POSIX
def test_sed_in_place(folder: Path, files: KeptFiles) -> None:
    write(folder, "a", "b/c", "d")
    look = Look(folder, files)
    changes = look.after("sed", "-i.bak", "s/text/words/", "b/c")
    assert types(changes) == {"b/c": ("file", "file"), "b/c.bak": (None, "file")}
    assert look.content(changes["b/c"].before) == b"text of b/c"
    assert look.content(changes["b/c"].after) == b"words of b/c"


@POSIX
def test_a_tree_that_is_removed_can_be_made_again(folder: Path, files: KeptFiles) -> None:
    write(folder, "tree/a", "tree/deep/b", "other")
    (folder / "tree/empty").mkdir(mode=0o750)
    (folder / "tree/link").symlink_to("../other")
    (folder / "tree/loop").symlink_to(".")
    (folder / "tree/a").chmod(0o640)
    if os.geteuid() == 0:  # others could not read it
        write(folder, "tree/closed/c")
        (folder / "tree/closed/c").chmod(0)
        (folder / "tree/closed").chmod(0)
    look = Look(folder, files)
    changes = look.after("rm", "-r", "tree")
    expected: dict[str, tuple[str | None, str | None]] = {
        "tree": ("directory", None),
        "tree/a": ("file", None),
        "tree/deep": ("directory", None),
        "tree/deep/b": ("file", None),
        "tree/empty": ("directory", None),
        "tree/link": ("link", None),
        "tree/loop": ("link", None),
    }
    if os.geteuid() == 0:
        expected |= {"tree/closed": ("directory", None), "tree/closed/c": ("file", None)}
        assert changes["tree/closed/c"].before.mode == changes["tree/closed"].before.mode == 0
    assert types(changes) == expected
    assert list(changes).index("tree") < list(changes).index("tree/deep") < list(changes).index("tree/deep/b")
    assert changes["tree/empty"].before.mode == 0o750
    assert changes["tree/a"].before.mode == 0o640
    assert look.content(changes["tree/a"].before) == b"text of tree/a"
    assert look.content(changes["tree/link"].before) == b"../other"


def test_a_formatter_over_fifty_files(folder: Path, files: KeptFiles) -> None:
    names = [f"package/module_{number}.py" for number in range(60)]
    write(folder, *names)
    look = Look(folder, files)
    script = (
        "import pathlib, sys\nfor name in sys.argv[1:]:\n p = pathlib.Path(name); p.write_text(p.read_text().upper())"
    )
    changes = look.after(sys.executable, "-c", script, *names[:50])
    assert changes.keys() == set(names[:50])
    for name, change in changes.items():
        assert look.content(change.before) == f"text of {name}".encode()
        assert look.content(change.after) == f"text of {name}".upper().encode()


@GIT
def test_git_checkout_of_another_branch(folder: Path, files: KeptFiles) -> None:
    run(folder, "git", "init", "-q", "-b", "main")
    write(folder, "a", "b", "only_main/c")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-qm", "first")
    run(folder, "git", "checkout", "-q", "-b", "other")
    run(folder, "git", "rm", "-q", "only_main/c")
    write(folder, "a", "only_other/d", text="other ")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-qm", "second")
    run(folder, "git", "checkout", "-q", "main")
    look = Look(folder, files)
    changes = look.after("git", "checkout", "-q", "other")
    assert types(changes) == {
        "a": ("file", "file"),
        "only_main": ("directory", None),
        "only_main/c": ("file", None),
        "only_other": (None, "directory"),
        "only_other/d": (None, "file"),
    }
    assert look.content(changes["a"].before) == b"text of a"


@POSIX
def test_types_that_change(folder: Path, files: KeptFiles) -> None:
    write(folder, "to_link", "to_directory", "directory_to_file/inner", "directory_to_link/inner")
    (folder / "link_to_file").symlink_to("nowhere")
    (folder / "link_to_directory").symlink_to("directory_to_file")
    (folder / "link").symlink_to("one")
    look = Look(folder, files)
    changes = look.after(
        "sh",
        "-ec",
        "rm to_link; ln -s target to_link; rm to_directory; mkdir to_directory; touch to_directory/new;"
        "rm -r directory_to_file; echo new > directory_to_file; rm -r directory_to_link; ln -s x directory_to_link;"
        "rm link_to_file; echo new > link_to_file; rm link_to_directory; mkdir link_to_directory; ln -sfn two link",
    )
    assert types(changes) == {
        "to_link": ("file", "link"),
        "to_directory": ("file", "directory"),
        "to_directory/new": (None, "file"),
        "directory_to_file": ("directory", "file"),
        "directory_to_file/inner": ("file", None),
        "directory_to_link": ("directory", "link"),
        "directory_to_link/inner": ("file", None),
        "link_to_file": ("link", "file"),
        "link_to_directory": ("link", "directory"),
        "link": ("link", "link"),
    }
    assert look.content(changes["link"].before) == b"one"
    assert look.content(changes["directory_to_link/inner"].before) == b"text of directory_to_link/inner"


@POSIX
def test_modes_alone(folder: Path, files: KeptFiles) -> None:
    write(folder, "a", "b/c")
    (folder / "a").chmod(0o644)
    (folder / "b").chmod(0o755)
    look = Look(folder, files)
    changes = look.after("chmod", "700", "a", "b")
    assert {name: (one.before.mode, one.after.mode) for name, one in changes.items()} == {
        "a": (0o644, 0o700),
        "b": (0o755, 0o700),
    }


@POSIX
def test_a_time_alone_is_no_change(folder: Path, files: KeptFiles) -> None:
    write(folder, "a")
    look = Look(folder, files)
    assert look.after("touch", "a") == {}


def test_edits_of_the_same_size_within_one_tick_of_the_clock(folder: Path, files: KeptFiles) -> None:
    path = folder / "a"
    for number in range(30):
        path.write_text(f"{number:05}")
        look = Look(folder, files)
        path.write_text(f"{number + 1:05}")
        changes = look.changes()
        assert look.content(changes["a"].before) == f"{number:05}".encode()
        assert look.content(changes["a"].after) == f"{number + 1:05}".encode()


def test_a_file_that_has_just_changed_is_read_again_once_it_is_older(folder: Path, files: CountingFiles) -> None:
    write(folder, "a", "b")
    age(folder)
    write(folder, "a")
    snapshots = Snapshots(files)
    counts: list[int] = []
    for waits in (False, True, False):
        if waits:
            age(folder)
        asyncio.run(snapshots.before(folder))
        counts.append(files.read_files)
    assert counts == [2, 3, 3]


@POSIX
def test_names_that_are_not_utf8(folder: Path, files: CountingFiles, data_dir: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe"))
    odd.mkdir()
    (odd / os.fsdecode(b"\xe9")).write_text("a")
    age(folder)
    look = Look(folder, files)
    files.close()
    look = Look(folder, files := CountingFiles(data_dir))
    assert files.read_files == 0
    assert look.after("rm", "-r", os.fsdecode(b"\xff\xfe")).keys() == {
        os.fsdecode(b"\xff\xfe"),
        os.fsdecode(b"\xff\xfe/\xe9"),
    }


@POSIX
def test_fifos_are_not_opened(folder: Path, files: KeptFiles) -> None:
    look = Look(folder, files)
    changes = look.after("mkfifo", "fifo")
    assert changes["fifo"].after.why_not_kept == "it is a FIFO, not a regular file"


def test_a_folder_that_vanishes_and_comes_back(folder: Path, files: KeptFiles) -> None:
    write(folder, "a")
    look = Look(folder, files)
    shutil.rmtree(folder)
    assert types(look.changes()) == {".": ("directory", None), "a": ("file", None)}
    look = Look(folder, files)
    write(folder, "b")
    assert types(look.changes()) == {".": (None, "directory"), "b": (None, "file")}


# -- ignore files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_repository", [True, False])
def test_ignored_files_are_left_out(folder: Path, files: KeptFiles, is_repository: bool) -> None:
    if is_repository:
        write(folder, ".git/HEAD", ".git/info/exclude", text="")
        (folder / ".git/info/exclude").write_text("excluded\n")
    write(folder, "node_modules/a", "src/b", "src/out/c", "src/kept.log", "a.log")
    (folder / ".gitignore").write_text("node_modules/\n*.log\n")
    (folder / "src/.gitignore").write_text("/out\n!kept.log\n")
    look = Look(folder, files)
    write(folder, "node_modules/a", "node_modules/new", "src/b", "src/out/c", "b.log", "src/kept.log", text="new ")
    write(folder, "excluded", ".git/index")
    expected = {"src/b", "src/kept.log", "excluded"} - ({"excluded"} if is_repository else set())
    others = set[str]() if is_repository else {".git/index", ".git"}
    assert look.changes().keys() - others == expected
    assert look.snapshot.ignored == ["a.log", "node_modules/"]
    assert look.snapshot.not_covered == []


def test_the_rules_of_the_repository_around_the_folder_apply(folder: Path, files: KeptFiles) -> None:
    write(folder, ".git/HEAD", "inner/a", "ignored/a")
    (folder / ".gitignore").write_text("*.log\nignored/\n")
    look = Look(folder / "inner", files)
    write(folder, "inner/b", "inner/b.log")
    assert look.changes().keys() == {"b"}
    look = Look(folder / "ignored", files)  # it was chosen by a person
    write(folder, "ignored/b.log")
    assert look.changes().keys() == {"b.log"}


def test_an_ignore_file_that_a_command_writes_hides_nothing_that_was_there(folder: Path, files: KeptFiles) -> None:
    write(folder, "build/a", "build/b", "build/c", "d.log")
    look = Look(folder, files)
    (folder / ".gitignore").write_text("build/\n*.log\n")
    write(folder, "build/a", "build/new", text="new ")
    (folder / "build/b").unlink()
    changes = look.changes()
    assert types(changes) == {".gitignore": (None, "file"), "build/a": ("file", "file"), "build/b": ("file", None)}
    assert look.content(changes["build/a"].before) == b"text of build/a"


def test_what_was_ignored_before_does_not_count_as_created(folder: Path, files: KeptFiles) -> None:
    write(folder, "build/a", "b.log")
    (folder / ".gitignore").write_text("build/\n*.log\n")
    look = Look(folder, files)
    (folder / ".gitignore").unlink()
    assert look.changes().keys() == {".gitignore"}
    look.snapshot = asyncio.run(look.snapshots.before(folder))
    write(folder, "build/a", "b.log", text="new ")
    assert look.changes().keys() == {"build/a", "b.log"}


def test_known_names_are_not_asked_about_again(folder: Path, files: KeptFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "src/a", "b.log", "build/c")
    (folder / ".gitignore").write_text("build/\n*.log\n")
    look = Look(folder, files)
    monkeypatch.setattr(sys, "executable", "/no/interpreter")  # the matcher can't be started
    write(folder, "src/a", text="new ")
    assert look.changes().keys() == {"src/a"}
    assert asyncio.run(look.snapshots.before(folder)).not_covered == []
    write(folder, "new.txt")
    assert look.changes().keys() == {"src/a", "new.txt"}
    write(folder, "other.txt")
    assert asyncio.run(look.snapshots.before(folder)).not_covered == [
        "The ignore files could not be applied, so what they leave out is covered as well."
    ]


def test_the_data_directory_is_left_out(tmp_path: Path, files: KeptFiles) -> None:
    look = Look(tmp_path, files)
    write(tmp_path, "data/a", "b")
    assert look.changes().keys() == {"b"}


# -- limits ------------------------------------------------------------------------------------------------------------


def test_more_files_than_the_limit(folder: Path, files: KeptFiles) -> None:
    write(folder, *[f"{number:02}/{name}" for number in range(10) for name in "abcd"])
    look = Look(folder, files, Limits(entries=24))
    assert look.snapshot.not_covered == ["Not covered: 6 directories beyond the first 24 files, such as 04."]
    write(folder, "00/a", "00/new", "09/a", "09/new", text="new ")
    assert look.changes().keys() == {"00/a", "00/new"}


def test_more_contents_than_the_limit(folder: Path, files: KeptFiles) -> None:
    for name in "abc":
        (folder / name).write_bytes(name.encode() * 1000)
    look = Look(folder, files, Limits(content_bytes=2500))
    (sentence,) = look.snapshot.not_covered
    assert sentence.startswith("Not covered: 1 file beyond the first 2.4 KiB of contents, such as ")
    for name in "abc":
        (folder / name).write_bytes(b"x" * 500)
    changes = look.changes()
    assert changes.keys() == {"a", "b", "c"}
    assert sorted(change.before.kept for change in changes.values()) == [False, True, True]
    assert all(change.after.kept for change in changes.values())


def test_large_files_are_not_kept_but_seen(folder: Path, files: KeptFiles) -> None:
    for name in ("large", "untouched"):
        with (folder / name).open("wb") as file:
            file.truncate(40 << 20)
    look = Look(folder, files)
    (sentence,) = look.snapshot.not_covered
    assert sentence.startswith("Not covered: 2 files larger than 32.0 MiB, such as ")
    with (folder / "large").open("r+b") as file:
        file.write(b"x")
    changes = look.changes()
    assert changes.keys() == {"large"}
    assert not changes["large"].before.kept
    assert changes["large"].before.why_not_kept == "it has 40.0 MiB, and files of more than 32.0 MiB are not kept"


def test_what_takes_too_long_is_left_out_and_read_later(folder: Path, files: CountingFiles) -> None:
    write(folder, "a", "b/c")
    look = Look(folder, files, Limits(seconds=-1))
    assert look.snapshot.not_covered == ["Not covered: 1 directory not reached within -1 s."]
    write(folder, "a", "d", text="new ")
    assert look.changes() == {}
    look.snapshots._limits = Limits()
    look.snapshot = asyncio.run(look.snapshots.before(folder))
    assert look.snapshot.not_covered == []
    assert files.read_files == 3


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="whose files can't be read by their user")
def test_what_can_not_be_read_is_said(folder: Path, files: KeptFiles) -> None:
    write(folder, "a", "b/c")
    (folder / "a").chmod(0)
    (folder / "b").chmod(0)
    look = Look(folder, files)
    (folder / "b").chmod(0o755)
    assert look.snapshot.not_covered == [
        "Not covered: 1 file that can't be read, such as a.",
        "Not covered: 1 directory that can't be listed, such as b.",
    ]
    assert look.changes().keys() == {"b"}  # its mode; what is in it was there before


def test_a_deep_tree(folder: Path, files: KeptFiles) -> None:
    path = folder
    for _ in range(120):
        path /= "d"
    path.mkdir(parents=True)
    (sentence,) = Look(folder, files).snapshot.not_covered
    assert sentence.startswith("Not covered: 1 directory more than 100 levels deep, such as d/d/")


# -- cancelled, concurrent, restarted ----------------------------------------------------------------------------------


def test_a_cancelled_walk_stops_and_leaves_nothing(folder: Path, data_dir: Path) -> None:
    write(folder, *[f"{number}/a" for number in range(50)])
    begun, go = threading.Event(), threading.Event()

    class SlowFiles(KeptFiles):
        def index(self, folder: bytes) -> list[object]:  # type: ignore[override]
            begun.set()
            go.wait(10)
            return []

    files = SlowFiles(data_dir)
    snapshots = Snapshots(files)

    async def main() -> None:
        task = asyncio.create_task(snapshots.before(folder))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done()  # it waits for its thread
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert KeptFiles.index(files, os.fsencode(folder)) == []
        assert (await snapshots.before(folder)).root is not None

    asyncio.run(main())


def test_sessions_in_one_folder_take_turns(folder: Path, files: CountingFiles) -> None:
    write(folder, *[f"{number}/a" for number in range(50)])
    age(folder)
    snapshots = Snapshots(files)

    async def main() -> None:
        found = await asyncio.gather(*(snapshots.before(folder) for _ in range(5)))
        assert all(one.root is found[0].root for one in found)

    asyncio.run(main())
    assert files.read_files == 50


def test_a_restart_does_not_read_everything_again(folder: Path, files: CountingFiles, data_dir: Path) -> None:
    write(folder, *[f"{number}/a" for number in range(50)], "b.log")
    (folder / ".gitignore").write_text("*.log\n")
    if os.name != "nt":
        (folder / "link").symlink_to("x")
    age(folder)
    look = Look(folder, files)
    files.close()
    write(folder, "7/a", text="new ")
    again = CountingFiles(data_dir)
    changes = Snapshots(again)
    found = asyncio.run(changes.changes_since(look.snapshot))
    assert [change.path for change in found] == [folder / "7" / "a"]
    assert again.read_files == 1


def test_a_damaged_database_is_replaced_and_everything_read(
    folder: Path, files: CountingFiles, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, "a", "b")
    age(folder)
    Look(folder, files)
    files.close()
    (data_dir / "ledger.db").write_bytes(b"x" * 10_000)
    again = CountingFiles(data_dir)
    with caplog.at_level(logging.WARNING):
        look = Look(folder, again)
    assert again.read_files == 2
    assert again.notice is not None
    write(folder, "a", text="new ")
    changes = look.changes()
    assert look.content(changes["a"].before) == b"text of a"


def test_contents_that_were_deleted_are_kept_again(folder: Path, files: CountingFiles) -> None:
    write(folder, "a")
    age(folder)
    look = Look(folder, files)
    files.trim(most_bytes=0)
    look.snapshot = asyncio.run(look.snapshots.before(folder))
    assert files.read_files == 2
    write(folder, "a", text="new ")
    assert look.content(look.changes()["a"].before) == b"text of a"


def test_a_database_that_can_not_be_used_is_an_error(folder: Path, tmp_path: Path) -> None:
    write(folder, "a")
    with pytest.raises(StoreError, match="cannot be used"):
        Look(folder, KeptFiles(tmp_path / "gone"))


def test_few_folders_are_in_memory(tmp_path: Path, files: CountingFiles) -> None:
    snapshots = Snapshots(files)
    for number in range(6):
        write(tmp_path / f"folder{number}", "a")
    age(tmp_path)
    for _ in range(2):
        for number in range(6):
            asyncio.run(snapshots.before(tmp_path / f"folder{number}"))
    assert len(snapshots._folders) == 4
    assert files.read_files == 6


def test_a_long_look_is_told(folder: Path, data_dir: Path) -> None:
    class SlowFiles(KeptFiles):
        def keep_hashed(self, contents: Mapping[str, bytes]) -> None:
            time.sleep(1.2)

    told: list[str] = []
    asyncio.run(Snapshots(SlowFiles(data_dir)).before(folder, told.append))
    assert told == [f"Looking at the files in {folder}, so that changes can be undone"]
