"""Attachments whose row or second file can't be written leave no files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.errors import StoreError
from aster_sidecar.store.contents import Incoming
from aster_sidecar.store.journal import Journal
from tests.support.image_bytes import encoded, picture

pytestmark = pytest.mark.unit


@contextlib.asynccontextmanager
async def kept(home: Path) -> AsyncGenerator[Attachments]:
    journal = Journal(home / "aster.db")
    journal.open()
    attachments = Attachments(journal, home)
    try:
        yield attachments
    finally:
        await journal.close()


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def files(home: Path) -> list[Path]:
    return [path for path in (home / "attachments").rglob("*") if path.is_file()]


def full(*_: Any, **__: Any) -> Any:
    raise StoreError("the disk is full")


def test_a_failed_commit_leaves_no_files_but_those_of_other_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        large, other = (encoded(picture(width, 20), "PNG") for width in (1600, 1700))
        async with kept(tmp_path) as attachments:
            await attachments.receive("a.png", pieces(large))
            before = files(tmp_path)
            assert len(before) == 2
            monkeypatch.setattr(Journal, "_write", lambda *_: StoreError("the disk is full"))
            for content in (large, other):
                with pytest.raises(StoreError):
                    await attachments.receive("a.png", pieces(content))
                assert sorted(files(tmp_path)) == sorted(before)

    asyncio.run(run())


def test_a_second_file_that_does_not_fit_leaves_no_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        finish, finished = Incoming.finish, 0

        def once(incoming: Incoming) -> str:
            nonlocal finished
            finished += 1
            return finish(incoming) if finished == 1 else full()

        async with kept(tmp_path) as attachments:
            monkeypatch.setattr(Incoming, "finish", once)
            with pytest.raises(StoreError):
                await attachments.receive("a.png", pieces(encoded(picture(1600, 20), "PNG")))
            assert (finished, files(tmp_path)) == (2, [])

    asyncio.run(run())


def test_a_cancelled_upload_waits_for_its_image_and_leaves_no_files(tmp_path: Path) -> None:
    async def run() -> None:
        async with kept(tmp_path) as attachments:
            receiving = asyncio.ensure_future(attachments.receive("a.png", pieces(encoded(picture(3000, 2000), "PNG"))))
            while not attachments._looking.locked():  # noqa: ASYNC110 - nothing tells when a lock is taken
                await asyncio.sleep(0)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            assert (attachments._looking.locked(), files(tmp_path)) == (False, [])

    asyncio.run(run())
