"""Loads the app program that `--app module:object` names, and takes flags from its code. `serve` uses it."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

from aster_sidecar.agents.app_code import AppProgram
from aster_sidecar.config.settings import DEFAULT_PORTS
from aster_sidecar.errors import ConfigInvalid


def invalid(what: str, hint: str) -> ConfigInvalid:
    """The error for a program that can't be used."""
    return ConfigInvalid(what, hint=hint)


def load(name: str) -> AppProgram:
    """The Sidecar that `module:object` names, or that the function of this name returns. Raises: ConfigInvalid."""
    module_name, _, place = name.partition(":")
    if not module_name or not place or not all(part.isidentifier() for part in f"{module_name}.{place}".split(".")):
        raise invalid(f"--app {name!r} is not module:object", "pass, for example, --app my_app:sidecar")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise invalid(f"--app {name}: {blame(error)}", "fix the module, or install what it imports") from error
        raise invalid(
            f"--app {name}: there is no module {error.name!r}",
            f"it is searched for in {here} and on Python's module path",
        ) from error
    except (Exception, SystemExit) as error:
        raise invalid(
            f"--app {name}: {blame(error)}",
            "fix the module; code that runs the app belongs under if __name__ == '__main__'",
        ) from error
    for part in place.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise invalid(f"--app {name}: {error}", "name a Sidecar, or a function that returns one") from error
    if not isinstance(found, AppProgram) and callable(found):
        try:
            found = found()
        except Exception as error:
            raise invalid(f"--app {name}: {blame(error)}", "the function is called without arguments") from error
    if not isinstance(found, AppProgram):
        raise invalid(
            f"--app {name}: {type(found).__name__} is not a Sidecar", "name a Sidecar, or a function that returns one"
        )
    return found


def blame(error: BaseException) -> str:
    """An error, after the file and line of the app's code where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if frame.filename != __file__), None)
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    words = f"{type(error).__name__}: {error}"
    return f"{last.filename}:{last.lineno}: {words}" if last is not None else words


def fill(given: Any, program: AppProgram) -> None:
    """Set flags that the command line leaves out from the program. `given`: the parsed command line.

    Raises: ConfigInvalid for port and framework; the settable keys are checked later, whatever their source.
    """
    port, framework = program.flags["port"], program.flags["framework"]
    if port is not None and (type(port) is not int or not 0 <= port <= 65_535):
        raise invalid(f"Sidecar: port = {port!r}", "it must be a whole number from 0 to 65535")
    if framework is not None and framework not in DEFAULT_PORTS:
        raise invalid(f"Sidecar: framework = {framework!r}", f"it must be one of {', '.join(DEFAULT_PORTS)}")
    for name, value in program.flags.items():
        if value is not None and getattr(given, name) in (None, []):
            setattr(given, name, value)
