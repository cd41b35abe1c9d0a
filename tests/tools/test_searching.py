"""A search leaves nothing out silently: what it finds, and what it reports about everything that it skipped."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.files import searching
from aster_sidecar.tools.files.globs import Glob
from tests.tools.support import assess, call
from tests.tools.test_reading import denying, private


def put(place: Surroundings, *names: str, text: str = "needle\n") -> None:
    for name in names:
        path = place.work_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def search(place: Surroundings, pattern: str = "needle", **more: Any) -> dict[str, Any]:
    return call("search_files", place, pattern=pattern, **more).value


def found(place: Surroundings, **more: Any) -> list[str]:
    return sorted(hit["path"] for hit in search(place, **more)["hits"])


def ignored(result: dict[str, Any]) -> str:
    [note] = [note for note in result["notes"] if note.startswith("not searched, because ignored")]
    return note


# --- long lines ----------------------------------------------------------------------------------------------------


def test_a_match_far_to_the_right_is_found_and_can_be_read(place: Surroundings) -> None:
    (place.work_dir / "min.js").write_text("first\n" + "x" * 5000 + "NEEDLE" + "y" * 5000)
    result = search(place, "NEEDLE")
    [hit] = result["hits"]
    assert (hit["line"], hit["column"]) == (2, 5001)
    assert len(hit["text"]) == 400
    assert hit["text"][hit["column"] - hit["text_column"] :].startswith("NEEDLE")
    assert any("excerpt" in note for note in result["notes"])
    read = call("read_file", place, path="min.js", offset=hit["line"], column=hit["column"]).value
    assert read["text"].startswith("NEEDLEyyy")


def test_a_pattern_is_matched_to_the_end_of_the_line(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("x" * 100_000 + "END\nshort END\n")
    assert [hit["line"] for hit in search(place, "^x+END$")["hits"]] == [1]
    assert [hit["line"] for hit in search(place, "END$")["hits"]] == [1, 2]
    short = search(place, "short")
    assert short["hits"] == [{"path": "a", "line": 2, "column": 1, "text": "short END"}]
    assert short["notes"] == []


def test_further_matches_in_a_long_line_are_counted(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("needle " + ("." * 990 + " needle ") * 5)
    [hit] = search(place)["hits"]
    assert (hit["column"], hit["others_in_line"]) == (1, 5)


def test_columns_count_characters(place: Surroundings) -> None:
    (place.work_dir / "a").write_bytes("\ufeff日本 needle\r\n".encode())
    [hit] = search(place, "needle$")["hits"]
    assert hit == {"path": "a", "line": 1, "column": 4, "text": "日本 needle"}
    assert len(search(place, "^日本")["hits"]) == 1


def test_of_a_huge_file_the_rest_is_named(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SEARCH_FILE_BYTES", 1001)
    (place.work_dir / "big").write_text("é" * 1000 + "needle")
    outcome = call("search_files", place, pattern="needle")
    assert outcome.truncated
    assert outcome.value["hits"] == []
    assert outcome.value["notes"] == ["only the first 1001 bytes are searched of big"]


# --- encodings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_wide_text_is_searched_as_text(place: Surroundings, codec: str) -> None:
    (place.work_dir / "w.txt").write_bytes("\ufeffone\r\n你好 needle\r\n".encode(codec))
    [hit] = search(place, "好 needle$")["hits"]
    assert hit == {"path": "w.txt", "line": 2, "column": 2, "text": "你好 needle"}


def test_files_that_are_not_utf8_are_searched_and_named(place: Surroundings) -> None:
    for number in range(12):
        (place.work_dir / f"gbk{number:02}.txt").write_bytes("你好 needle\n".encode("gbk"))
    (place.work_dir / "plain.txt").write_text("你好")
    result = search(place, "你好")
    assert [hit["path"] for hit in result["hits"]] == ["plain.txt"]
    [note] = result["notes"]
    assert note.startswith("12 files searched are not UTF-8")
    assert "gbk00.txt" in note
    assert "2 more" in note
    assert len(search(place, "needle")["hits"]) == 12


def test_binary_files_links_and_special_files_are_named(place: Surroundings) -> None:
    put(place, "a.txt")
    (place.work_dir / "image").write_bytes(b"\x89PNG\0\0needle")
    (place.work_dir / "other").write_bytes(b"\0\1needle")
    (place.work_dir / "near").symlink_to("a.txt")
    (place.work_dir / "folder").symlink_to("/etc")
    os.mkfifo(place.work_dir / "pipe")
    result = search(place)
    assert [hit["path"] for hit in result["hits"]] == ["a.txt"]
    assert sorted(result["notes"]) == [
        "folder, near are left out: links are not followed",
        "image, other are left out: binary",
        "pipe is left out: a FIFO is not searched",
    ]


# --- what is ignored -----------------------------------------------------------------------------------------------


def test_build_output_does_not_drown_the_source(place: Surroundings) -> None:
    subprocess.run(["git", "init", "-q", place.work_dir], check=True)
    put(place, ".gitignore", text="dist/\n.venv/\n*.log\n!kept.log\n")
    put(place, "dist/bundle.js", text="needle\n" * 150)
    put(place, ".venv/lib/x.py", "src/main.py", "a.log", "kept.log", "dist/old/b.log")
    result = search(place)
    assert [hit["path"] for hit in result["hits"]] == ["kept.log", "src/main.py"]
    note = ignored(result)
    assert ".git, .venv, dist, a.log (3 directories, 1 files)" in note
    assert "give one as path" in note
    assert found(place, path="dist", max_results=200) == ["dist/bundle.js"] * 150 + ["dist/old/b.log"]
    assert found(place, path=".venv") == found(place, path=".venv/lib") == [".venv/lib/x.py"]
    assert found(place, path="a.log") == ["a.log"]


def test_git_and_node_modules_are_named_and_can_be_searched(place: Surroundings) -> None:
    put(place, "node_modules/lib/node_modules/x.js", ".git/hooks/y", "packages/a/node_modules/z.js")
    result = search(place)
    assert result["hits"] == []
    assert ".git, node_modules, packages/a/node_modules (3 directories, 0 files)" in ignored(result)
    assert found(place, path="node_modules") == ["node_modules/lib/node_modules/x.js"]
    assert found(place, path=".git/hooks") == [".git/hooks/y"]
    assert found(place, path="packages/a/node_modules") == ["packages/a/node_modules/z.js"]


def test_ignore_files_count_at_every_level_and_from_above(place: Surroundings) -> None:
    subprocess.run(["git", "init", "-q", place.work_dir.parent], check=True)
    put(place, "../.gitignore", text="*.out\n/work/sub/only/\n")
    put(place, "sub/.gitignore", text="!keep.out\nlocal/\n/top.txt\n")
    put(place, "sub/deep/.ignore", text="quiet.*\n!x.out\n")
    kept = ["sub/deep/keep.out", "sub/deep/top.txt", "sub/deep/x.out", "sub/keep.out", "sub/plain"]
    put(place, *kept, "sub/a.out", "sub/local/b", "sub/only/c", "sub/top.txt", "sub/deep/quiet.txt")
    assert found(place) == kept
    assert found(place, path="sub") == kept
    assert found(place, path="sub/deep") == [path for path in kept if path.startswith("sub/deep")]
    assert found(place, path="sub/only") == ["sub/only/c"]


def test_what_git_itself_ignores_is_left_out(place: Surroundings) -> None:
    """The expected result is git's own."""
    git = ["git", "-C", str(place.work_dir)]
    subprocess.run([*git, "init", "-q"], check=True)
    for name, lines in {
        ".gitignore": "# comment|\\#hash|/root.txt|doc/*.txt|**/cache/|a/**/z|space |trail\\ |x?y"
        "|[bc]at|out/*|!out/in||!",
        "sub/.gitignore": "*|!*.py|!/keep/|!.gitignore",
        "white/.gitignore": "/*|!/src/|!.gitignore",
        "deep/.gitignore": "*|!*/|!*.py",
        "all/.gitignore": "in/**|!in/kept|most/*|!most/some/|**/two/**",
        "within/.gitignore": "a/**/|**/b/**/|blank\\   |one\fother|tab\t|both\\\t",
        ".git/info/exclude": "excluded",
    }.items():
        put(place, name, text=lines.replace("|", "\n"))
    names = (
        "#hash root.txt s/root.txt doc/a.txt doc/s/a.txt s/cache/x a/z a/1/2/z space trail xay bat dat out/in out/no"
    )
    names += " sub/a.py sub/b.txt sub/keep/c sub/keep/d.py s/excluded excluded café s/comment white/a white/src/b"
    names += " white/no/c deep/a.py deep/a.c deep/1/2/b.py deep/1/2/b.c all/in/a all/in/kept all/in/deep/b all/most/a"
    names += " all/most/some/b all/most/other/c all/one/two/three all/two"
    names += " within/a/x within/a/1/x within/b/x within/1/b/x within/1/b/2/x within/one within/other"
    names = [
        *names.split(),
        "trail ",
        "within/blank ",
        "within/one\fother",
        "within/tab",
        "within/tab\t",
        "within/both\t",
    ]
    put(place, *names)
    asked = subprocess.run(
        [*git, "-c", "core.excludesFile=/dev/null", "check-ignore", "--stdin", "-z"],
        input="\0".join(names).encode(),
        capture_output=True,
        check=True,
    )
    ignored_by_git = set(asked.stdout.decode().split("\0"))
    assert ignored_by_git & set(names)
    assert found(place) == sorted(set(names) - ignored_by_git)


def test_a_repository_inside_has_its_own_rules(place: Surroundings) -> None:
    subprocess.run(["git", "init", "-q", place.work_dir], check=True)
    put(place, ".gitignore", text="*.txt\n")
    (place.work_dir / "inner").mkdir()
    subprocess.run(["git", "init", "-q", place.work_dir / "inner"], check=True)
    put(place, "a.txt", "inner/b.txt")
    assert found(place) == ["inner/b.txt"]
    assert found(place, path="inner") == ["inner/b.txt"]


def test_a_worktree_obeys_the_exclude_file_of_its_repository(place: Surroundings, tmp_path: Path) -> None:
    main = tmp_path / "main"
    git = ["git", "-C", str(main), "-c", "user.name=n", "-c", "user.email=e@example.com"]
    main.mkdir()
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    place.work_dir.rmdir()
    subprocess.run([*git, "worktree", "add", "-q", str(place.work_dir)], check=True)
    (main / ".git" / "info" / "exclude").write_text("out/\n")
    put(place, "out/a", "b")
    assert found(place) == ["b"]


def test_a_directory_that_ignores_itself_is_searched_when_it_is_asked_for(place: Surroundings) -> None:
    put(place, ".venv/.gitignore", text="*\n")
    put(place, ".venv/lib/a.py", "b.py")
    result = search(place)
    assert [hit["path"] for hit in result["hits"]] == ["b.py"]
    assert ".venv/lib" in ignored(result)
    assert found(place, path=".venv") == [".venv/lib/a.py"]


def test_ignore_files_without_a_repository_count_too(place: Surroundings) -> None:
    put(place, ".gitignore", text="dist\n")
    put(place, "dist/a", "b", "deep/dist/c")
    assert found(place) == ["b"]
    assert found(place, path="deep") == []


def test_an_ignore_file_cannot_hold_up_the_daemon(place: Surroundings) -> None:
    put(place, ".gitignore", text="*a" * 40 + "b\n")
    put(place, "a" * 200, "x")
    work = searching._Search(searching.SearchFiles(pattern="needle"), place.work_dir, place, deadline_s=2)
    outcome = work.run(threading.Event())
    assert outcome.truncated
    assert "stopped after 2 s" in outcome.value["notes"]


def test_a_pattern_that_is_not_valid_ends_no_search(place: Surroundings) -> None:
    put(place, ".gitignore", text="[b-a]\n[a-\\]\n!\n\\\nout\n")
    put(place, "a", "out")
    result = search(place)
    assert [hit["path"] for hit in result["hits"]] == ["a"]
    assert not any("stopped" in note for note in result["notes"])


def test_an_ignore_file_that_is_too_large_is_named(place: Surroundings) -> None:
    put(place, ".gitignore", text="first\n" + "# much\n" * 50_000 + "last\n")
    put(place, "first", "last")
    result = search(place)
    assert [hit["path"] for hit in result["hits"]] == ["last"]
    assert any(".gitignore is left out" in note and "can't be read completely" in note for note in result["notes"])


# --- globs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*.{ts,js}", ["a.ts", "x/b.js"], ["a.tsx", "ts"]),
        ("*.{t{s,sx},js}", ["a.ts", "a.tsx", "a.js"], ["a.t", "a.jsx"]),
        ("{src,test}/**/*.py", ["src/a.py", "test/x/y/b.py"], ["lib/a.py", "a.py"]),
        ("src/{a,b/{c,d}}/*.ts", ["src/a/x.ts", "src/b/c/x.ts"], ["src/b/x.ts"]),
        ("{*.md,docs/*.txt}", ["x/a.md", "docs/b.txt"], ["b.txt"]),
        ("**/*.ts", ["a.ts", "x/y/a.ts"], ["a.js"]),
        ("a/**/b/**/c", ["a/b/c", "a/b/x/c", "a/x/b/c", "a/x/b/y/z/c"], ["a/c", "b/c"]),
        ("./src/*.c", ["src/a.c"], ["a.c"]),
        ("[id].{ts}", ["i.ts", "d.ts"], ["[id].ts"]),
        ("[{,}]x", ["{x", ",x", "}x"], ["x"]),
        ("a{b", ["a{b"], ["ab"]),
        ("a}{}b", ["a}{}b"], ["ab"]),
        ("{a,}b", ["ab", "b"], ["a"]),
        ("*.TS", ["a.TS"], ["a.ts"]),
        ("café*", ["cafe\u0301.txt", "caf\u00e9.txt"], ["cafe.txt"]),
        ("a b*", ["a\u202fb.txt"], ["ab"]),
    ],
)
def test_globs(place: Surroundings, glob: str, yes: list[str], no: list[str]) -> None:
    meant = Glob(glob)
    assert [path for path in yes if not meant.matches(path.rpartition("/")[2], path)] == []
    assert [path for path in no if meant.matches(path.rpartition("/")[2], path)] == []
    put(place, *yes, *no)
    assert found(place, glob=glob) == sorted(yes)


@pytest.mark.parametrize("glob", ["{a,b}" * 40, "{,}" * 60, "**/" * 60 + "x", "{a,{b,{c,d}}}" * 15])
def test_a_glob_that_stands_for_too_much_is_refused(place: Surroundings, glob: str) -> None:
    with pytest.raises(ToolError, match="more than 256 patterns"):
        assess("search_files", place, pattern="x", glob=glob[:200])


def test_a_glob_that_names_what_not_to_search_is_refused(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="begin with !"):
        assess("search_files", place, pattern="x", glob="!*.js")


def test_an_empty_glob_means_every_file(place: Surroundings) -> None:
    put(place, "a.txt", "b")
    assert found(place, glob="") == ["a.txt", "b"]


@pytest.mark.parametrize("pattern", ["a\\nb", "a\nb", "a\\r\\n"])
def test_a_line_end_in_the_pattern_is_said_to_match_nothing(place: Surroundings, pattern: str) -> None:
    put(place, "a.txt", text="a\nb\n")
    assert search(place, pattern)["notes"] == ["the pattern is matched line by line: a line end in it is never found"]
    assert search(place, "a\\\\nb")["notes"] == []  # a backslash and an n


def test_a_glob_that_no_file_is_named_by_is_said(place: Surroundings) -> None:
    put(place, "a.txt", "node_modules/b.ts")
    result = search(place, glob="*.ts")
    assert result["hits"] == []
    assert any("no file that is searched is named *.ts" in note for note in result["notes"])
    assert "node_modules" in ignored(result)
    assert not any("no file" in note for note in search(place, "zzz", glob="*.txt")["notes"])


def test_a_search_that_finds_no_file_to_look_at_ends_at_its_bound(place: Surroundings) -> None:
    (place.work_dir / "far" / ".ssh").mkdir(parents=True)
    arguments = searching.SearchFiles(pattern="x", glob="*.zzz")
    stop = threading.Event()
    assert "may hold secrets" in str(searching._Search(arguments, place.work_dir, place).run(stop).value["notes"])
    stop.set()
    outcome = searching._Search(arguments, place.work_dir, place).run(stop)
    assert outcome.truncated
    assert outcome.value["notes"] == ["stopped after 20 s"]  # the search did not reach `far`


# --- deny rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["*", "search_files", "read_file"])
def test_a_search_leaves_out_what_a_rule_denies(place: Surroundings, tool: str) -> None:
    folder = private(place)
    os.link(folder / "deep" / "a.txt", place.work_dir / "twin")
    put(place, "secret.txt", text="canary")
    around = denying(place, (tool, "beneath", str(folder)), (tool, "exact", str(place.work_dir / "secret.txt")))
    result = search(around, "canary")
    assert [hit["path"] for hit in result["hits"]] == ["open/b.txt"]
    assert result["notes"] == ["private, secret.txt, twin are left out: a rule denies it"]
    other = search(denying(place, ("write_file", "beneath", str(folder))), "canary")
    assert len(other["hits"]) == 4


def test_who_may_not_read_a_place_may_not_search_it(place: Surroundings) -> None:
    folder = private(place)
    around = denying(place, ("read_file", "beneath", str(folder)))
    for path in ("private", "private/deep", "private/deep/a.txt"):
        forbidden = assess("search_files", around, pattern="x", path=path).forbidden
        assert forbidden == f"Your rule denies read_file for {folder} and everything in it."
