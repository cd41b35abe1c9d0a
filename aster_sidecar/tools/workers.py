"""Child processes for work that may take practically forever, such as regular expressions: they can be killed."""

from __future__ import annotations

import os
import sys
from types import ModuleType

from aster_sidecar.frozen import FROZEN


def worker(module: ModuleType) -> tuple[list[str], dict[str, str]]:
    """The argv and environment of a process that runs only `main` of a module, which is named `…_worker`.

    The module is passed on as source, so that the process imports only what the module imports: the standard library,
    and in its functions the library that does the work, but nothing of ours. A packaged build has no interpreter to
    pass it to: there, `--tool-worker MODULE` runs it (`frozen.run_worker`).
    """
    import inspect

    # What programs need, and what this interpreter was started with to find its libraries.
    names = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP")
    env = {name: os.environ[name] for name in names if name in os.environ}
    if FROZEN:
        return [sys.executable, "--tool-worker", module.__name__], env
    code = (
        f"import sys\nsys.path[:] = {[entry for entry in sys.path if entry]!r}\n"
        f"exec({inspect.getsource(module)!r})\nmain()\n"
    )
    return [sys.executable, "-I", "-S", "-B", "-c", code], env
