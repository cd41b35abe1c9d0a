"""What differs in the frozen daemon (`make package`): how it starts, and how it runs workers.

In a frozen program `sys.executable` is the daemon itself, and there is no other Python.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, whose import would slow down every start
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import CodeType

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


def run_worker(spec: str) -> None:
    """Run MODULE:NAME, a self-contained function of a tools module (`tools.workers.worker`).

    Raises: ValueError for any other module or name. Only the function's code object is loaded, because importing the
    module would take ten times as long.
    """
    import builtins
    from types import CodeType, FunctionType

    module, _, name = spec.partition(":")
    if module.startswith("aster_sidecar.tools."):
        for code in code_of(module).co_consts:
            if isinstance(code, CodeType) and code.co_name == name:
                FunctionType(code, {"__builtins__": builtins, "__name__": module})()
                return
    raise ValueError(f"not a worker of the tools: {spec}")


def code_of(module: str) -> CodeType:
    """The compiled code of a tools module, not executed. Raises: ImportError."""
    from importlib.machinery import PathFinder

    place = os.path.join(os.path.dirname(__file__), *module.split(".")[1:-1])
    found = PathFinder.find_spec(module, [place])
    # PyInstaller's loader has this method, but does not inherit it from importlib's class.
    get_code: Callable[[str], CodeType | None] | None = getattr(found and found.loader, "get_code", None)
    code = get_code(module) if get_code is not None else None
    if code is None:
        raise ImportError(f"no module {module}")
    return code
