"""Checks of the daemon's directories, configuration, agents and store."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aster_sidecar.cli.config_preview import agents_of
from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.config.places import Places
from aster_sidecar.config.settings import Config, unfit
from aster_sidecar.config.toml_file import DEFAULTS, read_file
from aster_sidecar.daemon.client import Running
from aster_sidecar.daemon.lock_holder import LOCK_NAME
from aster_sidecar.errors import AsterError, ConfigInvalid
from aster_sidecar.frozen import how_to_get
from aster_sidecar.store import files
from aster_sidecar.text.path_names import misnamed
from aster_sidecar.text.safe_text import sized

LOW_BYTES, TOO_LOW_BYTES = 500 << 20, 50 << 20
"""Free space below which the disk check warns, and below which it fails."""
STORE_S = 30.0
"""Longest time for the check of the store: enough for about 5 GB on a fast disk."""


def directories(where: Places) -> Iterator[Check]:
    """One check for each directory, with all the names it has."""
    named: dict[Path, list[str]] = {}
    for name, path in (("config", where.config_dir), ("data", where.data_dir), ("logs", where.logs_dir)):
        named.setdefault(path, []).append(name)
    for path, names in named.items():
        yield directory("/".join(names), path)


def directory(name: str, path: Path) -> Check:
    """Whether a directory is there or can be created, is writable, and is closed to other users."""
    if not os.path.lexists(path):
        above = existing(path)
        if os.access(above, os.W_OK | os.X_OK) and above.is_dir():
            return Check(name, "ok", f"{path} (the first start creates it)")
        detail = f"{path} can't be created: {above} is not writable"
        return Check(name, "failed", detail, "choose another directory with --data-dir")
    if not path.is_dir():
        remedy = "move the file away, or choose another directory with --data-dir"
        return Check(name, "failed", f"{path} is not a directory", remedy)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Check(name, "failed", f"{path} is not writable for this user", f"chmod u+rwx {path}, or chown it")
    if sys.platform == "win32":
        return Check(name, "ok", str(path))
    stat = path.stat()
    if stat.st_uid != os.getuid():
        return Check(name, "warning", f"{path} belongs to user {stat.st_uid}", f"chown -R {os.getuid()} {path}")
    if stat.st_mode & 0o077:
        mode = f"{stat.st_mode & 0o777:o}"
        return Check(name, "warning", f"{path} is open to other users of this machine ({mode})", f"chmod 700 {path}")
    return Check(name, "ok", str(path))


def canonical(path: Path) -> str:
    """The absolute path without links, with ~ expanded."""
    return os.path.realpath(os.path.expanduser(path))


def work_folder(config_dir: Path, typed: Path) -> Check:
    """Whether tools can work in a folder, and whether its project's settings and agents are used.

    What is wrong in the files of a trusted project is reported by the checks of the configuration and the agents.
    """
    from aster_sidecar.config.trusted_projects import FOLDER, project_of, trusted

    folder = Path(canonical(typed))
    name, remedy = "work dir", "choose another folder with --work-dir"
    if (shown := misnamed(folder)) is not None:
        return Check(name, "failed", f"{shown}: its name is not UTF-8", f"rename it, or {remedy}")
    if (wrong := unfit(folder)) is not None:
        return Check(name, "failed", f"{folder}: {wrong}", remedy)
    if not os.access(folder, os.R_OK | os.X_OK):
        return Check(
            name, "failed", f"{folder} is not readable for this user", f"chmod u+rx {shlex.quote(str(folder))}"
        )
    if not os.access(folder, os.W_OK):
        detail = f"{folder} is not writable for this user: tools can only read there"
        return Check(name, "warning", detail, f"chmod u+w {shlex.quote(str(folder))}, or {remedy}")
    project = project_of(folder)
    if project is None:
        return Check(name, "ok", f"{folder}: in no project (there is no {FOLDER} folder)")
    try:
        is_trusted = project in trusted(config_dir)
    except ConfigInvalid as error:
        return Check(name, "warning", f"{folder}: {error.message}; no project is trusted", error.hint or "fix it")
    if is_trusted:
        return Check(name, "ok", f"{folder}: in the trusted project {project}")
    detail = f"{folder}: the project {project} is not trusted, so its settings and agents are not used"
    return Check(name, "warning", detail, f"aster-sidecar trust {shlex.quote(str(project))}")


def existing(path: Path) -> Path:
    """The path if it exists, else the nearest of its parents that does."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), Path(path.anchor))


def disk(data_dir: Path) -> Check:
    """How much space is free where the data directory is or will be."""
    try:
        free = shutil.disk_usage(existing(data_dir)).free
    except OSError as error:
        return Check("disk", "failed", f"{data_dir}: {error.strerror}", "choose another directory with --data-dir")
    detail = f"{free / (1 << 30):.1f} GiB free"
    if free < TOO_LOW_BYTES:
        return Check("disk", "failed", detail, "free some space: the daemon refuses what it can't record")
    return Check("disk", "warning", detail, "free some space") if free < LOW_BYTES else Check("disk", "ok", detail)


def configuration(where: Places, config: Config) -> Check:
    """The tables of config.toml and the list of trusted projects; `config` has been read without an error."""
    from aster_sidecar.config.trusted_projects import trusted
    from aster_sidecar.services.config import service_specs
    from aster_sidecar.tools.mcp.config import listed_servers

    path = where.config_path
    try:
        content = read_file(path)
        mcp: Any = content.get("mcp", {})
        services: Any = content.get("services", {})
        for name, table in (("mcp", mcp), ("services", services)):
            if not isinstance(table, dict):
                raise ConfigInvalid(f"{path}: {name} is not a table", hint=f"write [{name}.NAME] and its keys below")
        servers = listed_servers(mcp)  # the check of MCP servers reports mistakes: a daemon starts with them
        service_specs(services)
        trusted(where.config_dir)
    except ConfigInvalid as error:
        return Check("configuration", "failed", error.message, error.hint or f"fix {path}")
    if config.problems:
        return Check("configuration", "warning", "; ".join(config.problems[:5]), "fix these lines or remove them")
    if servers and importlib.util.find_spec("mcp") is None:
        detail = f"{len(servers)} MCP servers are configured, but the library is not installed"
        return Check("configuration", "failed", detail, how_to_get("mcp"))
    changed = sum(config.sourced(key).source != "default" for key in DEFAULTS)
    return Check(
        "configuration", "ok", f"{path}{'' if path.exists() else ' (none)'}: {changed} settings are not the default"
    )


def agents(where: Places, config: Config) -> Check:
    """Whether the files of agents can be read."""
    try:
        found = agents_of(where, config)
    except AsterError as error:
        return Check("agents", "failed", error.message, error.hint or "fix it")
    ids = ", ".join(found.ids())
    if found.problems:
        wrong = "; ".join(map(str, found.problems[:5]))
        remedy = "fix these files; they are reloaded automatically"
        return Check("agents", "warning", f"{ids}; left out: {wrong}", remedy)
    return Check("agents", "ok", ids)


def store(path: Path, running: Running | None) -> Check:
    """Read the whole store, within STORE_S; a daemon may use it meanwhile."""
    from aster_sidecar.store.examine import examine

    there = files.copies(path)
    kept = f"; copies: {', '.join(f'{one.path.name} ({sized(one.bytes)})' for one in there[:5])}" if there else ""
    remedy = f"{'stop the daemon, then ' if running else ''}{files.recovery_hint(path)}"
    try:
        if not files.is_there(path):
            return Check("store", "skipped", f"{path}: none yet{kept}")
        found = examine(path, STORE_S)
    except AsterError as error:
        return Check("store", "failed", error.message + kept, error.hint or remedy)
    if found.problems:
        return Check("store", "failed", f"{path} is damaged: {'; '.join(found.problems)[:500]}", remedy)
    if found.schema > found.knows:
        detail = f"{path} has schema {found.schema}, this version knows {found.knows}"
        return Check("store", "failed", detail + kept, "update aster-sidecar, or use another --data-dir")
    lock = path.with_name(LOCK_NAME)
    shut = files.unwritable_files(path) + ([lock] if lock.exists() and not os.access(lock, os.R_OK | os.W_OK) else [])
    if shut:
        detail = f"{', '.join(map(str, shut))} can't be written by this user, so no daemon starts"
        return Check("store", "failed", detail, f"chmod u+rw {shlex.join(map(str, shut))}, or chown it")
    size = sized(path.stat().st_size)
    if not found.whole:
        detail = f"{path} ({size}): no damage in the part that could be read in {STORE_S:g} s"
        return Check("store", "warning", detail, f'check all of it: sqlite3 {path} "PRAGMA integrity_check"')
    return Check("store", "ok", f"{path} is intact ({size}, schema {found.schema} of {found.knows}){kept}")
