"""Child processes for work that may take practically forever, such as regular expressions: they can be killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from aster_sidecar.frozen import FROZEN


def worker(function: Callable[[], None]) -> tuple[list[str], dict[str, str]]:
    """The argv and environment of a process that runs only `function`, which must use nothing from outside itself.

    The function is passed on as source, so that the process imports only what the function imports. A packaged build
    has no interpreter to pass it to: there, `--tool-worker MODULE:NAME` runs it (`frozen.run_worker`).
    """
    import inspect

    # What programs need, and what this interpreter was started with to find its libraries.
    names = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP")
    env = {name: os.environ[name] for name in names if name in os.environ}
    if FROZEN:
        return [sys.executable, "--tool-worker", f"{function.__module__}:{function.__name__}"], env
    code = (
        "from __future__ import annotations\n"
        f"import sys\nsys.path[:] = {[entry for entry in sys.path if entry]!r}\n"
        f"{inspect.getsource(function)}\n{function.__name__}()\n"
    )
    return [sys.executable, "-I", "-S", "-B", "-c", code], env
