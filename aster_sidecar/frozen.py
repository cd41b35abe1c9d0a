"""What is different where the daemon is frozen (`make package`): how it begins, and how a worker is run.

`sys.executable` is the daemon itself there, and no other Python is at hand.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import CodeType

FROZEN = bool(getattr(sys, "frozen", False))
_HOME = str(getattr(sys, "_MEIPASS", ""))


def enter() -> None:
    """What a frozen program does first; nothing where it is not frozen."""
    if FROZEN:
        restore(os.environ)
        import multiprocessing

        # A copy of ourselves that an own tool's multiprocessing has started does its work in here, and ends.
        multiprocessing.freeze_support()


def restore(environ: MutableMapping[str, str], home: str = _HOME) -> None:
    """Give back the environment of before PyInstaller's loader, so that whatever we start gets the user's own.

    The system's loader has read it by now, and a copy of ourselves sets it again. `home` is where the loader looks for
    libraries. Source: PyInstaller's manual, "LD_LIBRARY_PATH / LIBPATH considerations".
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
    """How one of the package's extras is had."""
    return f"make package EXTRAS={extra}" if FROZEN else f"pip install 'aster-sidecar[{extra}]'"


def own_command() -> list[str]:
    """How this program is started again."""
    if FROZEN:
        return [sys.executable]
    # -P: a directory that the person stands in is not searched for modules; a stranger's could be named like Python's.
    # Our own checkout, when it is not installed, is only found from there.
    from_here = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == os.getcwd()
    return [sys.executable, *([] if from_here else ["-P"]), "-m", "aster_sidecar"]


def run_worker(spec: str) -> None:
    """Run MODULE:NAME, a function for `tools.workers.worker`. Raises: ValueError for any other function.

    Only its own code is taken out of the module: importing that would take ten times as long.
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
    """A tool's module, compiled and not run. Raises: ImportError."""
    from importlib.machinery import PathFinder

    place = os.path.join(os.path.dirname(__file__), *module.split(".")[1:-1])
    found = PathFinder.find_spec(module, [place])
    # PyInstaller's loader has this method and not its class.
    get_code: Callable[[str], CodeType | None] | None = getattr(found and found.loader, "get_code", None)
    code = get_code(module) if get_code is not None else None
    if code is None:
        raise ImportError(f"no module {module}")
    return code
