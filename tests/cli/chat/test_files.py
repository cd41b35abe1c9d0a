"""The files that a chat attaches: which ones can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.cli.chat import files
from aster_sidecar.cli.chat.connection import Connection
from aster_sidecar.cli.chat.files import Files, LocalFile, Unreadable, read
from aster_sidecar.cli.chat.plain_views import PlainView


def test_a_file_is_read_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.bin").write_bytes(b"\x00\xff")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert read("~/data.bin") == LocalFile("data.bin", b"\x00\xff")
    monkeypatch.setattr(files, "MOST_BYTES", 2)
    assert read("~/data.bin").content == b"\x00\xff"


def test_what_is_no_file_or_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large").write_bytes(b"123")
    monkeypatch.setattr(files, "MOST_BYTES", 2)
    for path in (tmp_path / "large", tmp_path / "missing", tmp_path, "nul\0"):
        with pytest.raises(Unreadable, match="can’t be attached: "):
            read(str(path))


def test_files_of_a_message_that_was_taken_out_come_first_and_can_be_removed() -> None:
    files = Files(Connection("http://127.0.0.1:1", "instance_1", None, lambda: ("", "", None)), PlainView())
    one, two, three = ({"attachment_id": name} for name in ("att_1", "att_2", "att_3"))
    files.put_back([two])
    files.put_back([one, three])
    files.remove([three])
    assert files.take() == [one, two]
    assert files.take() == []
