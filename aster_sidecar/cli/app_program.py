"""The program of an app that `--app module:object` names, and what its code says of flags."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

from aster_sidecar.agents.app_code import AppProgram
from aster_sidecar.config.settings import DEFAULT_PORTS
from aster_sidecar.errors import ConfigInvalid


def wrong(what: str, hint: str) -> ConfigInvalid:
    return ConfigInvalid(what, hint=hint)


def load(name: str) -> AppProgram:
    """The Sidecar that `module:object` names; an object that is called gives it. Raises: ConfigInvalid."""
    module_name, _, place = name.partition(":")
    if not module_name or not place or not all(part.isidentifier() for part in f"{module_name}.{place}".split(".")):
        raise wrong(f"--app {name!r} is not module:object", "for example --app my_app:sidecar")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise wrong(f"--app {name}: {blame(error)}", "mend the module, or install what it needs") from error
        raise wrong(
            f"--app {name}: there is no module {error.name!r}", f"it is looked for in {here} and where Python looks"
        ) from error
    except (Exception, SystemExit) as error:
        raise wrong(f"--app {name}: {blame(error)}", "mend the module; what it runs goes under __main__") from error
    for part in place.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise wrong(f"--app {name}: {error}", "name a Sidecar, or a function that gives one") from error
    if not isinstance(found, AppProgram) and callable(found):
        try:
            found = found()
        except Exception as error:
            raise wrong(f"--app {name}: {blame(error)}", "the function is called without arguments") from error
    if not isinstance(found, AppProgram):
        raise wrong(
            f"--app {name}: {type(found).__name__} is no Sidecar", "name a Sidecar, or a function that gives one"
        )
    return found


def blame(error: BaseException) -> str:
    """An error with the place in the app's code where it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if frame.filename != __file__), None)
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    words = f"{type(error).__name__}: {error}"
    return f"{last.filename}:{last.lineno}: {words}" if last is not None else words


def fill(given: Any, program: AppProgram) -> None:
    """Put what the code says where the command line says nothing. `given` is what argparse made.

    Raises: ConfigInvalid. The settable keys are checked later, with those of everybody else.
    """
    port, framework = program.flags["port"], program.flags["framework"]
    if port is not None and (type(port) is not int or not 0 <= port <= 65_535):
        raise wrong(f"Sidecar: port = {port!r}", "it must be a whole number from 0 to 65535")
    if framework is not None and framework not in DEFAULT_PORTS:
        raise wrong(f"Sidecar: framework = {framework!r}", f"it must be one of {', '.join(DEFAULT_PORTS)}")
    for name, value in program.flags.items():
        if value is not None and getattr(given, name) in (None, []):
            setattr(given, name, value)
