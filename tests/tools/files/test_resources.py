"""What the tools cost: descriptors that stay open, and modules that are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import psutil

from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.files.support import READERS, WRITERS
from tests.tools.support import call


def test_no_call_leaves_a_descriptor_open(place: Surroundings) -> None:
    (place.work_dir / "a").write_text("x")

    def everything() -> None:
        for name, more in READERS + WRITERS:
            for path in ("a", "missing/x", "."):
                with suppress(ToolError):
                    call(name, place, path=path, **more)
        call("write_file", place, path="a", content="x")

    everything()
    before = psutil.Process().num_fds()
    everything()
    assert psutil.Process().num_fds() <= before, "descriptors are still open"


def test_importing_the_tools_starts_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; import aster_sidecar.tools.builtin as tools; tools.builtin_tools()\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    heavy = ["httpx", "psutil", "markdownify", "bs4", "fastapi", "pydantic_ai"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip() == "[]", "these modules must not be loaded at the start"
