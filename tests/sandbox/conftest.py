"""The world of one test, and the files of the sandbox, which all tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.support import World, made


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox-files")


@pytest.fixture
def world(files: Path) -> Iterator[World]:
    if sys.platform != "linux":
        pytest.skip("the sandbox of Linux")
    with made(files) as world:
        yield world
