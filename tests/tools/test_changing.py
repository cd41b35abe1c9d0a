"""The tools that change files: exactly the shown change is made, and a file keeps its properties."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aster_sidecar.policy.permissions import Assessment
from aster_sidecar.text.safe_text import still_visible, visible
from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.file_content import COMPARED_LINES, HASHED_BYTES, difference, in_form, read_text
from aster_sidecar.tools.files.changing import LONG_CHARS
from tests.tools.support import assess, call, run_assessed

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
BOM = b"\xef\xbb\xbf"


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".aster-")]


def lines(assessment: Assessment) -> list[str]:
    return assessment.display.split("\n")[1:]


# --- what is shown -------------------------------------------------------------------------------------------------


def test_a_new_file_is_shown_whole(place: Surroundings) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))
    found = assess("write_file", place, path="a", content=text)
    assert found.display == f"write {place.work_dir / 'a'} ({len(text) / 1024:.1f} KiB, a new file)\n{text}"


def test_a_file_that_is_replaced_is_shown_by_its_difference(place: Surroundings) -> None:
    old = [f"line {number}" for number in range(50)]
    (place.work_dir / "a").write_text("\n".join(old) + "\n")
    new = [*old[:20], "another", *old[21:]]
    found = assess("write_file", place, path="a", content="\n".join(new))
    assert "replaces a file" in found.display.split("\n")[0]
    assert lines(found) == [
        "@ line 18",
        " line 17",
        " line 18",
        " line 19",
        "-line 20",
        "+another",
        " line 21",
        " line 22",
        " line 23",
        "@ line 47",
        " line 46",
        " line 47",
        " line 48",
        "-line 49",
        "+line 49‹no line end›",
    ]
    same = assess("write_file", place, path="a", content="\n".join(old) + "\n")
    assert "the same content" in same.display


def test_too_many_lines_to_compare_are_shown_whole(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("old\n" * (COMPARED_LINES + 1))
    text = "".join(f"{number}\n" for number in range(COMPARED_LINES + 1))
    found = assess("write_file", place, path="a", content=text)
    assert "replaces a file" in found.display
    assert found.display.endswith(f"\n{text}")


def test_what_may_be_secret_is_not_shown(place: Surroundings) -> None:
    (place.work_dir / ".env").write_text("KEY=hidden\n")
    written = assess("write_file", place, path=".env", content="KEY=\n")
    edited = assess("edit_file", place, path=".env", old="KEY", new="NAME")
    assert "hidden" not in written.display + edited.display
    assert "replaces a file" in written.display


def test_what_no_tool_may_read_is_not_looked_at(place: Surroundings) -> None:
    own = place.protected[0] / "aster.db"
    found = assess("write_file", place, path=str(own), content="x")
    assert found.forbidden
    assert "journal" not in found.display


def test_a_file_in_another_encoding_is_said_to_be_lost(place: Surroundings) -> None:
    (place.work_dir / "gbk.txt").write_bytes("你好\n".encode("gbk"))
    found = assess("write_file", place, path="gbk.txt", content="hello\n")
    assert found.risk == "high"
    assert found.remember is None
    assert "not UTF-8 text. It would be lost." in found.reason
    done = call("write_file", place, path="gbk.txt", content="hello\n")
    assert "not UTF-8" in done.value["note"]


def test_deleting_and_replacing_say_what_goes(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes(b"x" * 2048)
    (place.work_dir / "b").write_bytes(b"y")
    (place.work_dir / "near").symlink_to("a")
    (place.work_dir / "empty").mkdir()
    shown = [assess("delete_file", place, path=path).display for path in ("a", "near", "empty", "none")]
    assert [words.split("/")[-1] for words in shown] == [
        "a (a file, 2.0 KiB)",
        "near (link to a)",
        "empty (a directory)",
        "none",
    ]
    moved = assess("move_file", place, source="b", destination="a", overwrite=True)
    assert lines(moved)[-1] == "(replacing a file, 2.0 KiB)"
    assert len(lines(assess("move_file", place, source="b", destination="c", overwrite=True))) == 1


def test_an_edit_shows_where_it_changes(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("one\ntwo\nthree\nfour\nfive\n")
    found = assess("edit_file", place, path="a", old="three", new="3")
    assert lines(found) == ["@ line 1", " one", " two", "-three", "+3", " four", " five"]


def test_a_file_of_one_long_line_can_be_edited(place: Surroundings) -> None:
    (place.work_dir / "a.json").write_text('{"x": "' + "y" * 300_000 + '", "z": 1}')
    found = assess("edit_file", place, path="a.json", old='"z": 1', new='"z": 2')
    assert lines(found) == ['- "z": 1', '+ "z": 2']
    assert found.summary == "Edit a.json (1 line added, 1 removed)"
    assert found.preview is not None
    assert found.preview.truncated
    assert found.preview.diff.startswith('@ line 1\n-{"x": "yyy')
    assert found.preview.diff.endswith("y…")
    written = assess("write_file", place, path="a.json", content="{}")
    assert lines(written) == ["{}"]
    (place.work_dir / "a.json").write_text("another")
    assert assess("edit_file", place, path="a.json", old='"z": 1', new='"z": 2').binding != found.binding


def test_a_change_that_is_too_long_shows_its_beginning_and_the_whole_text(place: Surroundings) -> None:
    old = [f"line {number} {'x' * 80}" for number in range(900)]
    (place.work_dir / "a").write_text("\n".join(old))
    found = assess("write_file", place, path="a", content="only this")
    assert lines(found) == ["only this"]
    preview = found.preview
    assert preview is not None
    assert preview.truncated
    shown = preview.diff.split("\n")
    assert shown == ["@ line 1", *(f"-{line}" for line in old[: len(shown) - 1])]
    assert len(preview.diff) <= LONG_CHARS
    assert (preview.added, preview.removed) == (1, 900)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80), st.text(max_size=80))
def test_no_two_texts_look_the_same(one: str, other: str) -> None:
    assert (visible(one) == visible(other)) == (one == other)
    assert still_visible(visible(one)) == visible(one)


@pytest.mark.parametrize("char", "\u180b\u180f\U0001d159\u00ad\u115f\u2800\u3164\ufe0f\U000e0041\U00016fe4")
def test_characters_that_draw_nothing_are_shown(char: str) -> None:
    assert visible(f"a{char}b") == f"a‹U+{ord(char):04X}›b"


def test_marks_are_not_heaped_over_other_lines() -> None:
    heaped = "e" + "\u0301" * 6
    assert visible(heaped) == "e" + "\u0301" * 4 + "‹U+0301›" * 2
    assert still_visible(visible(heaped)) == visible(heaped)
    assert visible("שָּׁ ก็้ e\u0302\u0301") == "\u2066שָּׁ\u2069 ก็้ e\u0302\u0301"


def test_arguments_stand_in_their_order() -> None:
    """By the rules of Unicode an isolate counts as one character in a line, so the text around it keeps its place."""
    command = "cp אבג דהו/ز.txt"
    assert visible(command) == "cp \u2066אבג\u2069 \u2066דהו\u2069/\u2066ز\u2069.txt"
    assert visible("\u2066a\u2069") == "‹U+2066›a‹U+2069›"


@given(st.text(alphabet="ab\r\n", max_size=60), st.text(alphabet="ab\r\n", max_size=60))
def test_a_difference_tells_all(old: str, new: str) -> None:
    """The old text and the shown difference determine the new text."""
    shown = difference(old, new)
    assert shown is not None
    whole = visible(old).split("\n")
    whole = [*whole[:-1], f"{whole[-1]}‹no line end›"] if whole[-1] else whole[:-1]
    made, place = list[str](), 0
    for line in shown.split("\n") if shown else []:
        if line.startswith("@"):
            until = max(int(line.removeprefix("@ line ")) - 1, 0)
            made, place = [*made, *whole[place:until]], until
        elif line.startswith("+"):
            made.append(line[1:])
        else:
            assert whole[place] == line[1:]
            place += 1
            made += [line[1:]] if line.startswith(" ") else []
    made += whole[place:]
    again = "".join(line.removesuffix("‹no line end›") if "‹no line end›" in line else line + "\n" for line in made)
    assert again == visible(new)


# --- the form ------------------------------------------------------------------------------------------------------

FORMS = [
    (BOM + b"a = 1\r\nb = 2\r\n", "a = 1\nb = 3\n", BOM + b"a = 1\r\nb = 3\r\n", "CRLF"),
    (b"a\r\n", "b\r\nc\n", b"b\r\nc\n", "line ends change from CRLF to mixed"),  # the text has its own line ends
    (b"a\rb\r", "a\r\nc\r\n", b"a\r\nc\r\n", "line ends change from CR to CRLF"),
    (b"a\nb\n", "a\r\nc\r\n", b"a\r\nc\r\n", "line ends change from LF to CRLF"),
    (b"a\nb\n", "a\r\nb\r\n", b"a\r\nb\r\n", "line ends change from LF to CRLF"),
    (b"a\n", "\ufeffa\n", BOM + b"a\n", "a byte order mark is added"),
    (b"a", "a\r\nb\r\n", b"a\r\nb\r\n", None),
    (b"a\rb\r", "a\nc\n", b"a\rc\r", "CR line ends"),
    (BOM + b"a\n", "\ufeffb\n", BOM + b"b\n", "byte order mark"),
    ("\ufeffa\r\n".encode("utf-16-le"), "é\n", "\ufeffé\r\n".encode("utf-16-le"), "UTF-16"),
    ("words and lines\r\n".encode("utf-16-le"), "é\n", "é\r\n".encode("utf-16-le"), "UTF-16"),
    ("\ufeffa\n".encode("utf-16-be"), "b\n", "\ufeffb\n".encode("utf-16-be"), "UTF-16"),
    ("\ufeffa\n".encode("utf-32-le"), "b\n", "\ufeffb\n".encode("utf-32-le"), "UTF-32"),
    (b"a\nb\n", "c\n", b"c\n", None),
    (b"", "c\r\n", b"c\r\n", None),
    (b"a\r\nb\n", "c\n", b"c\n", "mixed"),
]


@pytest.mark.parametrize(("old", "text", "new", "kept"), FORMS)
def test_writing_keeps_the_form(place: Surroundings, old: bytes, text: str, new: bytes, kept: str | None) -> None:
    path = place.work_dir / "p.ps1"
    path.write_bytes(old)
    shown = assess("write_file", place, path="p.ps1", content=text).display
    done = call("write_file", place, path="p.ps1", content=text)
    assert path.read_bytes() == new
    assert done.value["bytes"] == len(new)
    if kept is None:
        assert "note" not in done.value
    else:
        assert kept in done.value["note"]
        assert kept in shown


def test_only_the_same_bytes_are_called_the_same_content(place: Surroundings) -> None:
    path = place.work_dir / "a"
    for old, text, same in [(b"a\nb\n", "a\r\nb\r\n", False), (b"a\r\nb\n", "a\nb\n", False), (b"a\r\n", "a\n", True)]:
        path.write_bytes(old)
        shown = assess("write_file", place, path="a", content=text).display
        assert ("the same content" in shown) is same


def test_an_edit_of_line_ends_alone_is_shown(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes(b"one\ntwo\n")
    assert "\n+ two‹U+000D›" in assess("edit_file", place, path="a", old="two\n", new="two\r\n").display


def test_editing_keeps_utf16(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes("\ufeffone\r\ntwo\r\n".encode("utf-16-le"))
    call("edit_file", place, path="a", old="one\ntwo", new="1\n2")
    assert (place.work_dir / "a").read_bytes() == "\ufeff1\r\n2\r\n".encode("utf-16-le")


def test_a_text_that_is_not_recognised_as_utf16_gets_a_mark(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes("one\n".encode("utf-16-le"))
    done = call("write_file", place, path="a", content="1")
    assert (place.work_dir / "a").read_bytes() == "\ufeff1".encode("utf-16-le")
    assert "a byte order mark is added" in done.value["note"]
    (place.work_dir / "a").write_bytes("one\n字字字".encode("utf-16-be"))
    done = call("edit_file", place, path="a", old="one\n", new="")
    data = (place.work_dir / "a").read_bytes()
    assert data == "\ufeff字字字".encode("utf-16-be")
    assert "a byte order mark is added" in done.value["note"]
    read = read_text(data)
    assert read is not None
    assert read[0] == "字字字"


@example(old=b"\x00\x01\t\x00", text="0")
@given(st.binary(max_size=40), st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_a_text_that_is_written_can_be_read_again(old: bytes, text: str) -> None:
    data, form = in_form(text, old)
    if "\0" in text:
        return
    if form.bom or not data.startswith((BOM, b"\xff\xfe", b"\xfe\xff")):
        read = read_text(data)
        assert read is not None
        assert plain(read[0]) == plain(text.removeprefix("\ufeff" if form.bom else ""))


def plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def test_all_names_of_a_file_get_the_new_text(place: Surroundings) -> None:
    target, twin = place.work_dir / "a", place.work_dir / "twin"
    target.write_text("a longer old text")
    os.link(target, twin)
    for name, more in (("write_file", {"content": "new"}), ("edit_file", {"old": "new", "new": "newer"})):
        found = assess(name, place, path="a", **more)
        assert found.risk == "high"
        assert "2 names (hard links). The change shows under all of them." in found.reason
        assert found.remember is None
        call(name, place, path="a", **more)
        assert target.read_text() == twin.read_text() == more.get("content", "newer")
        assert target.stat().st_ino == twin.stat().st_ino
    assert leftovers(place.work_dir) == []


@pytest.mark.skipif(sys.platform != "linux", reason="extended attributes through os are Linux's")
def test_attributes_stay(place: Surroundings) -> None:
    target = place.work_dir / "a"
    target.write_text("old")
    try:
        os.setxattr(target, "user.origin", b"here")
    except OSError:
        pytest.skip("this file system has no attributes")
    call("write_file", place, path="a", content="new")
    assert os.getxattr(target, "user.origin") == b"here"


@pytest.mark.parametrize(("mode", "lost"), [(0o4755, "set-user-ID"), (0o2755, "set-group-ID"), (0o755, None)])
def test_a_changed_program_runs_as_nobody_else_and_that_is_said(
    place: Surroundings, mode: int, lost: str | None
) -> None:
    target = place.work_dir / "a"
    target.write_text("old")
    target.chmod(mode)
    written = call("write_file", place, path="a", content="new").value
    target.chmod(mode)
    edited = call("edit_file", place, path="a", old="new", new="newer").value
    assert target.stat().st_mode & 0o7777 == 0o755
    for value in (written, edited):
        assert ("note" in value) is (lost is not None)
        assert lost is None or f"it lost {lost}" in value["note"]


@pytest.mark.skipif(not ROOT, reason="only root may give files away")
def test_the_owner_stays(place: Surroundings) -> None:
    target = place.work_dir / "a"
    target.write_text("old")
    os.chown(target, 1234, 2345)
    call("write_file", place, path="a", content="new")
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 2345)


@pytest.mark.skipif(not ROOT, reason="files of others are made by root")
def test_a_file_of_somebody_else_stays_theirs(place: Surroundings) -> None:
    """Group-writable, in a directory where files can be created: renaming would change the file's owner."""
    target = place.work_dir / "a"
    target.write_text("a longer old text")
    os.chown(target, 1234, 65534)
    target.chmod(0o664)
    as_nobody(place, f"call('write_file', place, path={str(target)!r}, content='new')")
    assert target.read_text() == "new"
    assert target.stat().st_uid == 1234
    assert leftovers(place.work_dir) == []


@pytest.mark.skipif(not ROOT, reason="files of others are made by root")
def test_a_file_in_a_directory_that_takes_no_new_ones(place: Surroundings) -> None:
    folder = place.work_dir / "fixed"
    folder.mkdir()
    target = folder / "a"
    target.write_text("old")
    target.chmod(0o666)
    as_nobody(place, f"call('write_file', place, path={str(target)!r}, content='new')")
    assert target.read_text() == "new"


def as_nobody(place: Surroundings, line: str) -> None:
    """Run a line of Python as another user, who may write in the work directory."""
    code = (
        "import os, sys; sys.path[:] = eval(sys.argv[1])\n"
        "from pathlib import Path\n"
        "from aster_sidecar.tools.base import Surroundings\n"
        "from tests.tools.support import call\n"
        f"place = Surroundings(Path({str(place.work_dir)!r}))\n"
        # Load what is needed of the library while it may still be read.
        f"call('write_file', place, path='first', content=''); call('write_file', place, path='first', content='x')\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"{line}\n"
    )
    place.work_dir.chmod(0o777)
    for way in place.work_dir.parents:
        if way.stat().st_uid == os.geteuid() and not way.stat().st_mode & 0o001:
            way.chmod(way.stat().st_mode | 0o011)
    subprocess.run([sys.executable, "-c", code, repr(sys.path)], check=True, timeout=60)


@pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="only root may mount")
def test_a_file_that_is_mounted_is_written_where_it_stands(place: Surroundings, tmp_path: Path) -> None:
    source, target = tmp_path / "source", place.work_dir / "mounted"
    source.write_text("a longer old text")
    target.write_text("beneath")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(source), os.fsencode(target), None, 4096, None) != 0:  # MS_BIND
        pytest.skip("mounting is not allowed here")
    try:
        call("write_file", place, path="mounted", content="new")
        assert source.read_text() == "new"
        assert leftovers(place.work_dir) == []
    finally:
        assert libc.umount(os.fsencode(target)) == 0
    assert target.read_text() == "beneath"


# --- what is allowed is what is done -------------------------------------------------------------------------------

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("write_file", {"path": "a", "content": "mine\n"}),
    ("edit_file", {"path": "a", "old": "one", "new": "two"}),
    ("delete_file", {"path": "a"}),
    ("move_file", {"source": "b", "destination": "a", "overwrite": True}),
]


@pytest.mark.parametrize(("name", "arguments"), CHANGES)
def test_new_text_of_the_person_is_not_lost(place: Surroundings, name: str, arguments: dict[str, Any]) -> None:
    target = place.work_dir / "a"
    target.write_text("one\n")
    (place.work_dir / "b").write_text("b\n")
    asked = assess(name, place, **arguments)
    target.write_text("one, and what the person wrote while the question waited\n")
    again = assess(name, place, **arguments)
    assert again.binding != asked.binding
    with pytest.raises(ToolError, match="changed by another program"):
        run_assessed(name, place, asked, **arguments)
    assert "while the question waited" in target.read_text()
    assert sorted(os.listdir(place.work_dir)) == ["a", "b"]


def test_a_file_that_came_is_not_replaced(place: Surroundings) -> None:
    for name, arguments in (CHANGES[0], ("move_file", {"source": "b", "destination": "a"})):
        (place.work_dir / "b").write_text("b\n")
        (place.work_dir / "a").unlink(missing_ok=True)
        asked = assess(name, place, **arguments)
        (place.work_dir / "a").write_text("somebody's")
        with pytest.raises(ToolError):
            run_assessed(name, place, asked, **arguments)
        assert (place.work_dir / "a").read_text() == "somebody's"


def test_an_edit_elsewhere_in_the_file_is_no_other_edit(place: Surroundings) -> None:
    """Two edits of one answer are approved together: the first must not change what the second one does."""
    target = place.work_dir / "a"
    target.write_text("".join(f"line {number}\n" for number in range(40)))
    asked = [assess("edit_file", place, path="a", old=f"line {at}\n", new=f"new {at}\n\n") for at in (5, 30)]
    for at, assessment in zip((5, 30), asked, strict=True):
        assert (
            assess("edit_file", place, path="a", old=f"line {at}\n", new=f"new {at}\n\n").binding == assessment.binding
        )
        run_assessed("edit_file", place, assessment, path="a", old=f"line {at}\n", new=f"new {at}\n\n")
    assert "new 5\n\nline 6" in target.read_text()
    assert "new 30\n\nline 31" in target.read_text()


def test_what_is_moved_to_where_it_runs_is_bound(place: Surroundings) -> None:
    (place.work_dir / ".git/hooks").mkdir(parents=True)
    (place.work_dir / "a").write_text("echo fine\n")
    arguments = {"source": "a", "destination": ".git/hooks/pre-commit"}
    asked = assess("move_file", place, **arguments)
    (place.work_dir / "a").write_text("echo other\n")
    assert assess("move_file", place, **arguments).binding != asked.binding
    with pytest.raises(ToolError, match="changed by another program"):
        run_assessed("move_file", place, asked, **arguments)


def test_a_large_file_is_known_again(place: Surroundings) -> None:
    target = place.work_dir / "large"
    with target.open("wb") as file:
        file.truncate(HASHED_BYTES + 100)
    asked = assess("delete_file", place, path="large")
    found = target.stat()
    with target.open("r+b") as file:
        file.seek(HASHED_BYTES)
        file.write(b"x")
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    with pytest.raises(ToolError, match="changed by another program"):
        run_assessed("delete_file", place, asked, path="large")
    assert target.exists()
    call("delete_file", place, path="large")
    assert not target.exists()


@contextmanager
def changing(target: Path, texts: list[bytes]) -> Generator[None, None, None]:
    """A process that keeps replacing this file with other files."""
    code = (
        "import os, sys\n"
        "target, texts = sys.argv[1], [bytes.fromhex(one) for one in sys.argv[2:]]\n"
        "print(flush=True)\n"
        "while True:\n"
        "    for text in texts:\n"
        "        with open(target + '.other', 'wb') as file:\n"
        "            file.write(text)\n"
        "        os.replace(target + '.other', target)\n"
    )
    argv = [sys.executable, "-c", code, str(target), *(text.hex() for text in texts)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


OLD = [b"approved: one\n", b"another\n", b"third: one\n"]


@pytest.mark.skipif(sys.platform != "linux", reason="what came out can be looked at where names can be exchanged")
def test_what_was_approved_is_what_goes(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a process keeps changing the file: what a call removes is byte for byte what was approved.

    Every file that a call replaces or deletes is read as it is removed, after the last check.
    """
    target = place.work_dir / "a"
    gone: list[bytes] = []
    unlink = os.unlink

    def looked_at(path: Any, *, dir_fd: int | None = None) -> None:
        if str(path).startswith(".aster-"):
            with suppress(FileNotFoundError), open(os.open(path, os.O_RDONLY, dir_fd=dir_fd), "rb") as file:
                gone.append(file.read())
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", looked_at)
    done = refused = 0
    for round_ in range(60):
        name, arguments = CHANGES[round_ % 4]
        target.write_bytes(OLD[0])
        (place.work_dir / "b").write_bytes(b"moved\n")
        asked = assess(name, place, **arguments)
        with changing(target, OLD):
            for _ in range(20):
                gone.clear()
                try:
                    run_assessed(name, place, asked, **arguments)
                except ToolError:
                    refused += 1
                    continue
                done += 1
                assert set(gone) <= {OLD[0]}, name
                break
    assert done
    assert refused
