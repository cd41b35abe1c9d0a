"""Editing the arguments of a call in an editor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aster_sidecar.cli.chat.questions import edited

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the editors are POSIX programs")


def test_the_text_is_what_the_editor_leaves_and_no_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert edited("sed -i 's/old/new é/'", '{"a": "old"}') == '{"a": "new é"}'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("editor", "error"),
    [
        ("no-such-editor", FileNotFoundError),
        ("an 'open quote", ValueError),
        ("false", subprocess.CalledProcessError),
        ("rm", FileNotFoundError),
        ("sh -c 'printf \"\\377\" > $1' x", UnicodeDecodeError),
    ],
)
def test_an_editor_that_fails_is_an_error_and_no_file_stays(
    editor: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(error):
        edited(editor, "{}")
    assert list(tmp_path.iterdir()) == []
