"""An answer's markdown as lines of a terminal: broken between words, nothing left out, commands never broken."""

from __future__ import annotations

import re

import pytest

from aster_sidecar.cli.chat.markdown import TerminalMarkdown
from aster_sidecar.cli.chat.plain_text import trimmed
from aster_sidecar.cli.chat.wrapping import cells
from tests.cli.chat.support import screen

ADDRESS = "https://example.com/a/very/long/address/that/is/longer/than/the/line?x=1&y=2"
PATH = "/home/ada/project/a/long/path/with/a/name/that/does/not/fit.txt"
COMMAND = "git log --oneline --graph --decorate --all | head -20"


def lines(text: str, width: int) -> list[str]:
    return trimmed(screen(width).render(TerminalMarkdown(text), width))


@pytest.mark.parametrize("width", [10, 17, 40, 80])
def test_words_stay_whole(width: int) -> None:
    words = [
        "these",
        "words",
        "are",
        "not",
        "longer",
        "than",
        "ten",
        "cells",
        "each",
        "and",
        "each",
        "of",
        "them",
        "stays",
        "whole",
    ]
    shown = lines(" ".join(words), width)
    assert " ".join(shown).split() == words
    assert all(cells(line) <= width for line in shown)


@pytest.mark.parametrize("width", [8, 21, 40])
def test_wide_letters_count_as_two_cells_and_lines_do_not_begin_with_a_full_stop(width: int) -> None:
    text = "你好世界，这是一个很长的中文句子。没有空格，所以必须在字之间换行。"
    shown = lines(text, width)
    assert "".join(shown) == text
    assert all(cells(line) <= width + 2 for line in shown)
    assert not any(line[0] in "，。" for line in shown)


def test_a_family_of_emoji_is_not_taken_apart() -> None:
    family = "👩‍👩‍👧‍👦"
    assert "".join(lines(family * 9, 5)).count(family) == 9
    assert all(line.replace(family, "") == "" for line in lines(family * 9, 5))


@pytest.mark.parametrize("kept", [ADDRESS, PATH])
@pytest.mark.parametrize("text", ["see {} for more", "- see {} for more", "> see {} for more", "1. see {}, then go on"])
def test_addresses_and_paths_stay_whole(kept: str, text: str) -> None:
    assert kept in "\n".join(lines(text.format(kept), 40))


@pytest.mark.parametrize("text", ["run `{}` now", "- run `{}` now", "```sh\n{}\n```", "- so:\n\n  ```sh\n  {}\n  ```"])
def test_commands_stay_whole(text: str) -> None:
    assert COMMAND in "\n".join(lines(text.format(COMMAND), 40))


@pytest.mark.parametrize("level", range(1, 7))
def test_headings_stand_at_the_left_without_a_box(level: int) -> None:
    assert lines("#" * level + " A heading\n\nText", 60) == ["A heading", "", "Text"]


def test_levels_of_headings_look_different_and_are_bold() -> None:
    at = screen(60, color_system="standard")
    seen = ["\n".join(at.render(TerminalMarkdown("#" * level + " A"), 60)) for level in range(1, 5)]
    assert len(set(seen)) == 4
    assert all("\x1b[1" in line for line in seen)


def test_a_list_item_keeps_its_indentation() -> None:
    first, *others = lines("- an item with words that go on and on until the line is over", 24)
    assert first.startswith(" • ")
    assert all(other.startswith("   ") and other[3] != " " for other in others)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("columns", [2, 3, 15])
def test_nothing_of_a_table_is_left_out(width: int, columns: int) -> None:
    rows = [[f"{name}{n}{'x' * 4 * (n % 4)}end" for n in range(columns)] for name in ("head", "one", "two")]
    rows.insert(1, ["---"] * columns)
    shown = lines("\n".join(f"|{'|'.join(row)}|" for row in rows), width)
    assert width == 20 or all(cells(line) <= width for line in shown)
    del rows[1]
    for mark in "x0123456789":
        assert "".join(shown).count(mark) >= sum(cell.count(mark) for row in rows for cell in row)
    assert "…" not in "".join(shown)
    if width == 200 and columns < 15:
        assert re.search("head0end +head1xxxxend", shown[0])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("an image ![of it](http://x/y.png) here", "an image of it (http://x/y.png) here"),
        ("a [![badge](b.svg)](http://x) here", "a badge (b.svg) (http://x) here"),
        ("| ![pic](u) |\n|---|", "pic (u)"),
        ("use List<String> and <b>bold</b>", "use List<String> and <b>bold</b>"),
        ("<details>\n<summary>More</summary>\n</details>", "<details> <summary>More</summary> </details>"),
        ("see <https://example.com/x>.", "see https://example.com/x."),
        ("see [it](https://example.com/x).", "see it (https://example.com/x)."),
    ],
)
def test_what_the_model_wrote_is_shown_in_its_place(text: str, shown: str) -> None:
    assert lines(text, 80)[0].strip() == shown
