"""The command `store`: lists the copies of the store, restores one, or starts a new store."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import asdict
from pathlib import Path

from aster_sidecar.cli.commands.running import Failed, places_of
from aster_sidecar.cli.console import local_time, print_json, print_line, print_table
from aster_sidecar.config.places import STORE_NAME
from aster_sidecar.errors import StoreError
from aster_sidecar.store import files
from aster_sidecar.text.safe_text import sized


def run_store(given: argparse.Namespace) -> int:
    """Run one verb; returns the exit code. Raises: Failed."""
    path = places_of(given).data_dir / STORE_NAME
    if given.verb in ("restore", "new"):
        return change_store(given, path)
    there = files.copies(path)
    if given.json:
        own = {"path": str(path), "exists": path.exists(), "bytes": files.size_of(path)}
        listed = [{**asdict(copy), "path": str(copy.path)} for copy in there]
        print_json({"store": own, "copies": listed})
        return 0
    rows = [(copy.path.name, copy.kind, local_time(copy.made_at), sized(copy.bytes), copy.schema) for copy in there]
    print_line(f"{path}: {sized(files.size_of(path)) if path.exists() else 'none'}")
    if rows:
        print_table(("copy", "kind", "made", "size", "schema"), rows)
    return 0


def change_store(given: argparse.Namespace, path: Path) -> int:
    """Replace the store by a copy or, for `new`, by nothing, while no daemon uses it.

    Returns the exit code. Raises: Failed.
    """
    from aster_sidecar.daemon.server import AlreadyRunning, lock
    from aster_sidecar.store.schema import scripts

    if not path.parent.is_dir():
        raise Failed(f"there is no data directory {path.parent}", "`aster-sidecar paths` shows where it is expected")
    restoring = given.verb == "restore"
    try:
        with contextlib.closing(lock(path.parent)):
            if restoring:
                beside = path.with_name(given.file.name) if given.file.name == str(given.file) else None
                copy = beside if beside is not None and beside.exists() else given.file.expanduser().absolute()
                aside = files.restore(path, copy, len(scripts()))
            else:
                aside = files.set_aside(path)
    except AlreadyRunning as error:
        raise Failed(str(error), error.hint if error.holder is not None else "stop it first") from error
    except StoreError as error:
        raise Failed(error.message, error.hint) from error
    except OSError as error:
        raise Failed(f"{error.filename or path}: {error.strerror}") from error
    if given.json:
        print_json({"store": str(path), "aside": str(aside) if aside is not None else None})
        return 0
    kept = f"the old store is {aside}" if aside is not None else "there was no store before"
    done = "is now the copy" if restoring else "is created by the next start"
    print_line(f"{path} {done}; {kept}")
    return 0
