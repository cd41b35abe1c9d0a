"""Runs a command in the tests' process, and makes a store for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aster_sidecar.cli.run_command import run
from aster_sidecar.store.journal import Journal


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Run a command that exits with `code`; returns what it prints on stdout."""
    assert run(words) == code
    return capsys.readouterr().out


def make_store(path: Path) -> None:
    """An empty store of this version."""

    async def made() -> None:
        journal = Journal(path)
        journal.open()
        await journal.close()

    asyncio.run(made())
