"""Paths from outside: empty ones are refused, and names that can't be stored are shown escaped."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from aster_sidecar.text.path_names import misnamed, typed_path

HIGH = "\ud83d"


def test_an_empty_path_on_a_command_line_is_refused() -> None:
    assert typed_path(".") == Path()
    with pytest.raises(argparse.ArgumentTypeError, match="the path is empty"):
        typed_path("")


@pytest.mark.parametrize("path", ["/home/ada/é", Path("a b"), "😀"])
def test_a_name_that_can_be_stored_needs_no_other(path: object) -> None:
    assert misnamed(path) is None


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a\udcff", "/a\\xff"),
        (b"/caf\xe9".decode("utf-8", "surrogateescape"), "/caf\\xe9"),
        (f"/a{HIGH}", "/a\\ud83d"),
        (f"/\udcff{HIGH}", "/\\udcff\\ud83d"),
        ("/a\0b", "/a\\0b"),
    ],
)
def test_a_name_that_can_not_be_stored_is_shown_escaped(path: str, shown: str) -> None:
    assert misnamed(path) == shown
    shown.encode()
