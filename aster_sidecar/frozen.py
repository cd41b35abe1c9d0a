"""What differs in the frozen daemon (`make package`): how it starts, and how it runs workers.

In a frozen program `sys.executable` is the daemon itself, and there is no other Python.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, whose import would slow down every start
if TYPE_CHECKING:
    from collections.abc import MutableMapping

FROZEN = bool(getattr(sys, "frozen", False))
_HOME = str(getattr(sys, "_MEIPASS", ""))


def enter() -> None:
    """The first call of a frozen program; does nothing in others."""
    if FROZEN:
        restore(os.environ)
        import multiprocessing

        # In a copy of the program that a Python tool's multiprocessing started, this does the work and exits.
        multiprocessing.freeze_support()


def restore(environ: MutableMapping[str, str], home: str = _HOME) -> None:
    """Undo PyInstaller's changes to the environment, so that child processes get the user's own.

    The system's loader has already read LD_LIBRARY_PATH, and a copy of this program sets it again. `home`: the
    directory of the frozen libraries. Source: PyInstaller's manual, "LD_LIBRARY_PATH / LIBPATH considerations".
    """
    if home and home in environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        before = environ.pop("LD_LIBRARY_PATH_ORIG", None)
        if before is None:
            del environ["LD_LIBRARY_PATH"]
        else:
            environ["LD_LIBRARY_PATH"] = before
    for name in [name for name in environ if name.startswith(("_PYI_", "_MEIPASS"))]:
        del environ[name]


def how_to_get(extra: str) -> str:
    """The command that installs one of the package's extras."""
    return f"make package EXTRAS={extra}" if FROZEN else f"pip install 'aster-sidecar[{extra}]'"


def own_command() -> list[str]:
    """The command line that starts this program again, without its arguments."""
    if FROZEN:
        return [sys.executable]
    # -P keeps Python from importing modules from the current directory, where a stranger's could shadow its own.
    # A checkout that is not installed is only found from there.
    from_here = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == os.getcwd()
    return [sys.executable, *([] if from_here else ["-P"]), "-m", "aster_sidecar"]


def run_worker(module: str) -> None:
    """Run `main` of a worker module of the tools (`tools.workers.worker`). Raises: ValueError for any other module."""
    from importlib import import_module

    if not (module.startswith("aster_sidecar.tools.") and module.endswith("_worker")):
        raise ValueError(f"not a worker of the tools: {module}")
    import_module(module).main()
