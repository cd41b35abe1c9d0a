"""The commands `trust` and `untrust`: which projects may add their own settings and agents."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from aster_sidecar.cli.commands.running import Failed, places_of
from aster_sidecar.cli.console import cell, print_json
from aster_sidecar.config.trusted_projects import FOLDER, distrust, project_of, trusted
from aster_sidecar.daemon.client import find


def run_trust(given: argparse.Namespace) -> int:
    """Trust a directory, or list the trusted ones; returns the exit code.

    Raises: ConfigInvalid, also in a process that a tool has started.
    """
    config_dir = places_of(given).config_dir
    if given.directory is not None:
        from aster_sidecar.agents.project_content import trust_directory  # with the models that check agent files

        kept = trust_directory(config_dir, given.directory, os.environ)
        print_json({"trusted": str(kept)}) if given.json else print(f"trusted: {cell(kept)}")
        for line in [*notes(kept), *notes_of_daemon(given)]:
            print(line, file=sys.stderr)
        return 0
    known = trusted(config_dir)
    if given.json:
        print_json([str(place) for place in known])
    elif known:
        print("\n".join(cell(place) for place in known))
    else:
        print("no directory is trusted; aster-sidecar trust DIR adds one", file=sys.stderr)
    return 0


def notes(kept: Path) -> list[str]:
    """What the person may not expect: which folder counts."""
    project = project_of(kept)
    found: list[str] = []
    if project is None:
        found.append(f"there is no {FOLDER} folder in it yet")
    elif project != kept:
        found.append(f"the nearest {FOLDER} folder is {cell(project / FOLDER)}: aster-sidecar trust {cell(project)}")
    return found


def notes_of_daemon(given: argparse.Namespace) -> list[str]:
    """From when on a daemon applies the change, if one is running."""
    if find(places_of(given).data_dir) is None:
        return []
    return [
        "the running daemon applies this at once to agents, and to settings of conversations that chose their folder; "
        "to settings of its own work directory when a setting changes next, or at its next start"
    ]


def run_untrust(given: argparse.Namespace) -> int:
    """Stop trusting a directory; returns the exit code.

    Raises: Failed when it was not trusted; ConfigInvalid, also in a process that a tool has started.
    """
    if not distrust(places_of(given).config_dir, given.directory, os.environ):
        raise Failed(f"{given.directory} was not trusted", "aster-sidecar trust lists the trusted directories")
    place = given.directory.expanduser().resolve()
    print_json({"untrusted": str(place)}) if given.json else print(f"no longer trusted: {cell(place)}")
    for line in notes_of_daemon(given):
        print(line, file=sys.stderr)
    return 0
