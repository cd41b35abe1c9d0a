"""The ignore files that apply to a directory; tests/tools/test_searching.py compares complete searches with git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aster_sidecar.tools import opening
from aster_sidecar.tools.files import ignoring
from aster_sidecar.tools.files.ignoring import Ignores, Rules
from aster_sidecar.tools.files.matching import Matcher


@pytest.fixture
def matcher() -> Iterator[Matcher]:
    started = Matcher("x", deadline_s=60)
    yield started
    started.close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "work"
    folder.mkdir()
    return folder


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def entered(ignores: Ignores, rules: Rules, path: Path, *names: str) -> tuple[Rules, set[str]]:
    with opening.opened_folder(path) as folder:
        found = ignores.enter(rules, folder, path, names)
    assert found is not None
    return found


def started(ignores: Ignores) -> Rules:
    rules = ignores.start()
    assert rules is not None
    return rules


def test_rules_of_inner_directories_come_first(work: Path, matcher: Matcher) -> None:
    write(work / ".gitignore", "*.log\n")
    write(work / "sub" / ".gitignore", "!a.log\n")
    ignores = Ignores(work, work, (), matcher)
    outer, ignored = entered(ignores, started(ignores), work, "a.log", "b", "sub/", ".git/", "node_modules/")
    assert ignored == {"a.log", ".git/", "node_modules/"}
    _, ignored = entered(ignores, outer, work / "sub", "a.log", "b.log")
    assert ignored == {"b.log"}


def test_dot_ignore_has_precedence_over_gitignore(work: Path, matcher: Matcher) -> None:
    write(work / ".gitignore", "a\n!b\n")
    write(work / ".ignore", "!a\nb\n")
    ignores = Ignores(work, work, (), matcher)
    assert entered(ignores, started(ignores), work, "a", "b")[1] == {"b"}


def test_a_root_that_is_ignored_is_searched_in_full(work: Path, matcher: Matcher) -> None:
    write(work / ".gitignore", "out/\n*.log\n")
    (work / "out").mkdir()
    ignores = Ignores(work / "out", work, (), matcher)
    assert entered(ignores, started(ignores), work / "out", "a.log", "b")[1] == set()


def test_a_link_and_a_directory_are_no_ignore_files(work: Path, matcher: Matcher) -> None:
    (work / ".gitignore").symlink_to(write(work.parent / "elsewhere", "a\n"))
    (work / ".ignore").mkdir()
    ignores = Ignores(work, work, (), matcher)
    assert entered(ignores, started(ignores), work, "a")[1] == set()
    assert ignores.unread == []


def test_of_a_large_file_the_whole_lines_are_used_and_it_is_named(
    work: Path, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ignoring, "IGNORE_BYTES", 8)
    path = write(work / ".gitignore", "first\nsecond\n")
    ignores = Ignores(work, work, (), matcher)
    assert entered(ignores, started(ignores), work, "first", "second", "se")[1] == {"first"}
    assert ignores.unread == [path]


def test_a_protected_git_directory_is_not_read(work: Path, matcher: Matcher) -> None:
    write(work / ".git" / "info" / "exclude", "a\n")
    open_to_tools = Ignores(work, work, (), matcher)
    assert entered(open_to_tools, started(open_to_tools), work, "a", "b")[1] == {"a"}
    protected = Ignores(work, work, (work / ".git",), matcher)
    assert entered(protected, started(protected), work, "a", "b")[1] == set()


def test_without_the_matcher_there_is_no_answer(work: Path, matcher: Matcher) -> None:
    write(work / ".gitignore", "a\n")
    matcher.kill()
    ignores = Ignores(work, work, (), matcher)
    with opening.opened_folder(work) as folder:
        assert ignores.enter(Rules(), folder, work, ["a"]) is None
