"""The command `version`: the versions of Aster Sidecar, its protocol and Python."""

from __future__ import annotations

import argparse
import platform

from aster_sidecar import __version__
from aster_sidecar.cli.console import print_json
from aster_sidecar.contract.wire import PROTOCOL


def run_version(given: argparse.Namespace) -> int:
    """Print the versions; returns the exit code."""
    if given.json:
        python = platform.python_version()
        print_json({"version": __version__, "protocol": PROTOCOL, "python": python, "platform": platform.platform()})
    else:
        print(f"aster-sidecar {__version__} (protocol {PROTOCOL}, Python {platform.python_version()})")
    return 0
