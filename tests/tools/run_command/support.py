"""Runs a command and finds its processes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import psutil
import pytest

from aster_sidecar.tools.base import Surroundings
from tests.tools.support import call

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
PYTHON = sys.executable


def alive(token: str) -> list[int]:
    """The processes whose command line has `token`, without zombies."""
    found: list[int] = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.pid != os.getpid() and token in " ".join(one.cmdline()) and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
    return found


def run(place: Surroundings, command: str, **more: Any) -> dict[str, Any]:
    """Run the command and return its result."""
    return call("run_command", place, command=command, **more).value
