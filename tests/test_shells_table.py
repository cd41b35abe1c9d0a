"""docs/shells.md is true: each row names existing tests of both shells, and each test with a window is in a row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHELLS = ROOT / "shells"
TEXT = (ROOT / "docs" / "shells.md").read_text("utf-8")
IN_TYPESCRIPT = re.compile(r"\btest(?:\.each\([^)]*\))?\(\s*\"((?:[^\"\\]|\\.)*)\"")
IN_RUST = re.compile(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:async )?fn (\w+)")


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each row in a text's tables, by the anchor in the first cell."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return {found[1]: row for row in cells if (found := re.search(r"<a id=\"([\w-]+)\">", row[0]))}


def proofs(cell: str) -> list[str]:
    """The tests that a cell names: each is a code span after a bullet."""
    return re.findall(r"• `([^`]+)`", cell)


def named(pattern: re.Pattern[str], paths: Iterable[Path]) -> set[str]:
    """The names of all tests in some files."""
    return {name for path in paths for name in pattern.findall(path.read_text("utf-8"))}


TABLE = rows(TEXT)
ELECTRON = named(IN_TYPESCRIPT, (SHELLS / "electron" / "tests").rglob("*.test.ts"))
TAURI = named(IN_RUST, (SHELLS / "tauri" / "app").rglob("*.rs"))


def test_there_is_a_row_for_each_thing_that_a_shell_does() -> None:
    anchors = re.findall(r"<a id=\"([\w-]+)\">", TEXT)
    assert sorted(anchors) == sorted(TABLE), "an anchor is repeated, or not in a row"
    wanted = {"window", "tray", "quick", "hotkey-taken", "notification", "login", "close", "quit", "menu", "link"}
    wanted |= {"single", "data", "diagnostics", "logs", "updates", "state", "state-broken", "state-newer"}
    assert wanted - TABLE.keys() == set()


@pytest.mark.parametrize("anchor", TABLE)
def test_a_row_names_tests_of_both_shells_that_exist(anchor: str) -> None:
    _, electron, tauri = TABLE[anchor]
    assert proofs(electron), "no test of the Electron shell"
    assert proofs(tauri), "no test of the Tauri shell"
    assert set(proofs(electron)) - ELECTRON == set()
    assert set(proofs(tauri)) - TAURI == set()


def test_no_test_with_a_window_is_left_out() -> None:
    electron = named(IN_TYPESCRIPT, [SHELLS / "electron" / "tests" / "electron" / "app.test.ts"])
    tauri = named(IN_RUST, (SHELLS / "tauri" / "app" / "tests" / "window").glob("*.rs"))
    assert len(electron) > 20
    assert len(tauri) > 15
    told = {name for row in TABLE.values() for cell in row[1:] for name in proofs(cell)}
    assert sorted((electron | tauri) - told) == []


@pytest.mark.parametrize("shell", ["electron", "tauri"])
def test_a_shell_s_own_page_leads_to_the_table(shell: str) -> None:
    assert "(../../docs/shells.md)" in (SHELLS / shell / "README.md").read_text("utf-8")


def test_a_row_or_a_test_that_is_taken_away_is_noticed() -> None:
    table = '| <a id="one"></a>**One** | text, `code`<br>• `a, b; c`<br>• `d` | • `e_f` |\n|---|---|---|\n| two | | |'
    assert rows(table) == {"one": table.splitlines()[0].strip("| ").split(" | ")}
    assert [proofs(cell) for cell in rows(table)["one"]] == [[], ["a, b; c", "d"], ["e_f"]]
    typescript = 'test("one", x);\n  test.each(["A"] as const)("a %s", y);\n test(\n "long",\n z); describe("no", w);'
    assert set(IN_TYPESCRIPT.findall(typescript)) == {"one", "a %s", "long"}
    rust = '#[test]\nfn one() {}\n#[tokio::test(flavor = "x")]\nasync fn two() {}\nfn three() {}'
    assert IN_RUST.findall(rust) == ["one", "two"]
