"""The command `aster-sidecar`: runs a command or serves. Each path imports only what it needs."""

from __future__ import annotations

import gc
import sys

from aster_sidecar import __version__, frozen
from aster_sidecar.cli.command_list import COMMANDS
from aster_sidecar.cli.exit_codes import EXIT_STOPPED
from aster_sidecar.daemon import parent_process

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Sequence

    from aster_sidecar.agents.app_code import AppProgram


def main(arguments: Sequence[str] | None = None, program: AppProgram | None = None) -> int:
    """Run the command and return its exit code (cli/exit_codes.py).

    `arguments`: instead of sys.argv; `program`: the app whose code calls this.
    """
    started_by = parent_process.look()
    frozen.enter()
    words = sys.argv[1:] if arguments is None else arguments
    match words:
        case ["--version"]:
            print(f"aster-sidecar {__version__}")
            return EXIT_STOPPED
        case ["--tool-worker", worker, *_]:  # a packaged daemon has no other Python to run a tool's child with
            frozen.run_worker(worker)
            return EXIT_STOPPED
        case ["--tool-keeper", *rest]:  # nor to keep what tools start
            from aster_sidecar.services import keeper

            keeper.main(rest)
            return EXIT_STOPPED
        case ["--show-page", url, *_]:  # the daemon's, which must not be the browser's ancestor
            import webbrowser

            webbrowser.open(url)
            return EXIT_STOPPED
        case _:
            pass
    hide_secrets()
    if words and words[0] in COMMANDS:
        from aster_sidecar.cli.run_command import run

        return run(words)
    if words and not words[0].startswith("-"):
        from aster_sidecar.cli.serve_args import parser

        parser().error(f"no such command: {words[0][:100]!r}; there are {', '.join(COMMANDS)}")

    # Nearly everything that a start creates stays. Looking for garbage meanwhile would take a tenth of the start, and
    # looking at it for the first time later would pause a turn.
    collects = gc.isenabled()
    gc.disable()
    try:
        from aster_sidecar.cli.serve import serve_command

        def ready() -> None:
            gc.freeze()
            if collects:
                gc.enable()

        return serve_command(words, started_by, program, on_ready=ready)
    finally:
        if collects:
            gc.enable()


def hide_secrets() -> None:
    """Hide keys and tokens from programs that read this process's environment from the system."""
    from aster_sidecar.daemon.own_environment import hide

    hide()
