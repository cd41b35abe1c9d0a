"""`aster-sidecar doctor`: what could keep a daemon from working here, each with a remedy. It changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import platform
import shlex
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from aster_sidecar import __version__
from aster_sidecar.cli.config_preview import agents_of, config_of, own_environment
from aster_sidecar.cli.console import local_time, print_json, print_line
from aster_sidecar.cli.exit_codes import EXIT_FAILED
from aster_sidecar.config.places import STORE_NAME, Places, places
from aster_sidecar.config.settings import DEFAULT_PORTS, Config
from aster_sidecar.config.toml_file import DEFAULTS, read_file
from aster_sidecar.daemon.client import Client, ClientError, Running, find
from aster_sidecar.daemon.lock_holder import LOCK_NAME
from aster_sidecar.daemon.lock_holder import look as holder_of
from aster_sidecar.errors import AsterError, ConfigInvalid, ModelError
from aster_sidecar.frozen import how_to_get
from aster_sidecar.models import network
from aster_sidecar.services import launch
from aster_sidecar.services.login_path import NoAnswer, ask, login_shell
from aster_sidecar.store import files
from aster_sidecar.text import addresses
from aster_sidecar.text.safe_text import sized, visible

if TYPE_CHECKING:
    from aster_sidecar.models.build import Models

Status = Literal["ok", "warning", "failed", "skipped"]
STYLES: dict[str, str] = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
NEEDED = (
    "anthropic",
    "apsw",
    "fastapi",
    "httpx",
    "markdownify",
    "openai",
    "psutil",
    "pydantic",
    "pydantic_ai",
    "socksio",
    "sse_starlette",
    "starlette",
    "tomlkit",
    "uvicorn",
)
LITTLE_BYTES, TOO_LITTLE_BYTES = 500 << 20, 50 << 20
EARLIEST = 1_762_000_000  # November 2025, before the first version: no clock that is right says less
AHEAD_S = 300.0
PROXY_S = 3.0
STORE_S = 30.0
"""Longest that the store is looked at: about 5 GB on a fast disk."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of one thing. A `remedy` is there unless the status is ok or skipped."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None


def run(given: argparse.Namespace) -> int:
    """Check everything and print it; returns the exit code."""
    found: list[Check] = []
    for check in checks(given):
        found.append(check)
        if not given.json:
            show(check)
    counts = {status: sum(check.status == status for check in found) for status in STYLES}
    healthy = counts["failed"] == 0
    if given.json:
        print_json({"healthy": healthy, "counts": counts, "checks": [asdict(check) for check in found]})
    else:
        words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        print_line((words, "bold" if healthy else "bold red"))
    return 0 if healthy else EXIT_FAILED


def show(check: Check) -> None:
    print_line((f"{check.status:<8}", STYLES[check.status]), f" {check.name:<17} {visible(check.detail)}")
    if check.remedy:
        print_line(" " * 27, ("→ ", "dim"), visible(check.remedy))


def checks(given: argparse.Namespace) -> Iterator[Check]:
    """Every check, in the order in which a start would meet the troubles."""
    where = places(os.environ, data_dir=given.data_dir, config_dir=given.config_dir)
    running = find(where.data_dir)
    yield python()
    yield libraries()
    yield from directories(where)
    config: Config | None = None
    try:
        config = config_of(where, model=given.model)
    except ConfigInvalid as error:
        yield Check("configuration", "failed", error.message, error.hint or "mend it")
    else:
        yield configuration(where, config)
        yield agents(where, config)
    yield disk(where.data_dir)
    yield store(where.data_dir / STORE_NAME, running)
    yield daemon(where.data_dir, running)
    yield answers(running)
    yield port(given, running)
    yield keys(os.environ)
    yield from models(given, config)
    yield mcp_servers(where.config_path, running)
    yield sandbox()
    yield command_path(config.value("command_path") if config is not None else "auto", os.environ)
    yield proxies()
    yield clock(where.data_dir)


# -- what it runs on ---------------------------------------------------------------------------------------------------


def python() -> Check:
    system = f"{platform.system()} {platform.machine()}"
    return Check("python", "ok", f"Python {platform.python_version()} on {system}, aster-sidecar {__version__}")


def libraries(needed: Iterable[str] = NEEDED) -> Check:
    """Whether what serving imports is there; imports none of it."""
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        return Check(
            "libraries", "failed", f"missing: {', '.join(missing)}", "pip install --force-reinstall aster-sidecar"
        )
    return Check("libraries", "ok", "all there")


def directories(where: Places) -> Iterator[Check]:
    """Each directory once, under the names it has."""
    named: dict[Path, list[str]] = {}
    for name, path in (("config", where.config_dir), ("data", where.data_dir), ("logs", where.logs_dir)):
        named.setdefault(path, []).append(name)
    for path, names in named.items():
        yield directory("/".join(names), path)


def directory(name: str, path: Path) -> Check:
    if not os.path.lexists(path):
        above = existing(path)
        if os.access(above, os.W_OK | os.X_OK) and above.is_dir():
            return Check(name, "ok", f"{path} (a start makes it)")
        return Check(name, "failed", f"{path} can't be made: {above} is not writable", "choose another with --data-dir")
    if not path.is_dir():
        return Check(name, "failed", f"{path} is not a directory", "move it away, or choose another with --data-dir")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Check(name, "failed", f"{path} is not writable for this user", f"chmod u+rwx {path}, or chown it")
    if sys.platform == "win32":
        return Check(name, "ok", str(path))
    told = path.stat()
    if told.st_uid != os.getuid():
        return Check(name, "warning", f"{path} belongs to user {told.st_uid}", f"chown -R {os.getuid()} {path}")
    if told.st_mode & 0o077:
        mode = f"{told.st_mode & 0o777:o}"
        return Check(name, "warning", f"{path} is open to other users of this machine ({mode})", f"chmod 700 {path}")
    return Check(name, "ok", str(path))


def existing(path: Path) -> Path:
    """The nearest of the path and those above it that is there."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), Path(path.anchor))


def disk(data_dir: Path) -> Check:
    try:
        free = shutil.disk_usage(existing(data_dir)).free
    except OSError as error:
        return Check("disk", "failed", f"{data_dir}: {error.strerror}", "choose another directory with --data-dir")
    told = f"{free / (1 << 30):.1f} GiB free"
    if free < TOO_LITTLE_BYTES:
        return Check("disk", "failed", told, "free some space: what can't be recorded is refused")
    return Check("disk", "warning", told, "free some space") if free < LITTLE_BYTES else Check("disk", "ok", told)


def clock(data_dir: Path) -> Check:
    now = time.time()
    if now < EARLIEST:
        return Check("clock", "failed", f"says {local_time(now)}", "set it: certificates of providers look invalid")
    written = [path.stat().st_mtime for path in (data_dir / STORE_NAME, data_dir / "sidecar.json") if path.exists()]
    if written and max(written) > now + AHEAD_S:
        told = f"says {local_time(now)}, but the store was written at {local_time(max(written))}"
        return Check("clock", "warning", told, "set it: new messages would seem older than those before them")
    return Check("clock", "ok", local_time(now))


# -- what is configured and stored -------------------------------------------------------------------------------------


def configuration(where: Places, config: Config) -> Check:
    """The rest of config.toml, whose settable keys are known to be right, and the list of trusted projects."""
    from aster_sidecar.config.trusted_projects import trusted
    from aster_sidecar.services.config import service_specs
    from aster_sidecar.tools.mcp.config import server_specs

    path = where.config_path
    try:
        told = read_file(path)
        mcp: Any = told.get("mcp", {})
        services: Any = told.get("services", {})
        for name, table in (("mcp", mcp), ("services", services)):
            if not isinstance(table, dict):
                raise ConfigInvalid(f"{path}: {name} is not a table", hint=f"write [{name}.NAME] and its keys below")
        servers = server_specs(mcp)
        service_specs(services)
        trusted(where.config_dir)
    except ConfigInvalid as error:
        return Check("configuration", "failed", error.message, error.hint or f"mend {path}")
    if config.problems:
        return Check("configuration", "warning", "; ".join(config.problems[:5]), "mend these lines, or take them out")
    if servers and importlib.util.find_spec("mcp") is None:
        names = f"{len(servers)} MCP servers are configured, but the library is not installed"
        return Check("configuration", "failed", names, how_to_get("mcp"))
    given = sum(config.sourced(key).source != "default" for key in DEFAULTS)
    return Check(
        "configuration", "ok", f"{path}{'' if path.exists() else ' (none)'}: {given} settings are not the default"
    )


def agents(where: Places, config: Config) -> Check:
    """The files that should be agents."""
    try:
        found = agents_of(where, config)
    except AsterError as error:
        return Check("agents", "failed", error.message, error.hint or "mend it")
    ids = ", ".join(found.ids())
    if found.problems:
        wrong = "; ".join(map(str, found.problems[:5]))
        return Check("agents", "warning", f"{ids}; left out: {wrong}", "mend these files: they are read again at once")
    return Check("agents", "ok", ids)


def store(path: Path, running: Running | None) -> Check:
    """The whole store is read; a daemon may use it meanwhile."""
    from aster_sidecar.store.journal import examine

    there = files.copies(path)
    kept = f"; copies: {', '.join(f'{one.path.name} ({sized(one.bytes)})' for one in there[:5])}" if there else ""
    aside = f"{'stop the daemon, then ' if running else ''}{files.ways_out(path)}"
    try:
        if not files.is_there(path):
            return Check("store", "skipped", f"{path}: none yet{kept}")
        found = examine(path, STORE_S)
    except AsterError as error:
        return Check("store", "failed", error.message + kept, error.hint or aside)
    if found.problems:
        return Check("store", "failed", f"{path} is damaged: {'; '.join(found.problems)[:500]}", aside)
    if found.schema > found.knows:
        told = f"{path} has schema {found.schema}, this version knows {found.knows}"
        return Check("store", "failed", told + kept, "update aster-sidecar, or use another --data-dir")
    lock = path.with_name(LOCK_NAME)
    shut = files.shut(path) + ([lock] if lock.exists() and not os.access(lock, os.R_OK | os.W_OK) else [])
    if shut:
        told = f"{', '.join(map(str, shut))} can't be written by this user: no daemon starts"
        return Check("store", "failed", told, f"chmod u+rw {shlex.join(map(str, shut))}, or chown it")
    size = sized(path.stat().st_size)
    if not found.whole:
        told = f"{path} ({size}): nothing wrong in what {STORE_S:g} s sufficed to look at, which is not all of it"
        return Check("store", "warning", told, f'look at all of it: sqlite3 {path} "PRAGMA integrity_check"')
    return Check("store", "ok", f"{path} is whole ({size}, schema {found.schema} of {found.knows}){kept}")


# -- daemon and port ---------------------------------------------------------------------------------------------------


def answers(running: Running | None) -> Check:
    """Who may answer questions in the person's place."""
    if (running is not None and running.token) or os.environ.get("ASTER_SIDECAR_TOKEN"):
        return Check("token", "ok", "set: without it nobody gets in, whatever a tool starts or uses")
    told = (
        "none: every program of this user is answered but what the daemon's tools start; what was there before (tmux,"
        " cron, systemd, Docker) is not told from yours"
    )
    return Check("token", "warning", told, "have the app give one (--supervised, or ASTER_SIDECAR_TOKEN)")


def daemon(data_dir: Path, running: Running | None) -> Check:
    if running is not None:
        told = (
            f"runs: pid {running.pid}, for {running.framework}, {running.url}, since {local_time(running.started_at)}"
        )
        token = os.environ.get("ASTER_SIDECAR_TOKEN")
        if running.token and not token:
            return Check("daemon", "warning", f"{told}; it needs a token", "set ASTER_SIDECAR_TOKEN to talk to it")
        try:
            client = Client(running.url, token)
            client.call("GET", "/api/agents")
            if client.health().get("status") == "degraded":
                remedy = "look at the store and the disk above, and at its log; then restart it"
                return Check("daemon", "failed", f"{told}, but can't record anything", remedy)
        except ClientError as error:
            return Check("daemon", "failed", f"{told}, but refuses: {error.message}", error.hint or "see its log")
        if running.version != __version__:
            remedy = "stop it, so that its app starts the new one"
            return Check("daemon", "warning", f"{told}; it is version {running.version}", remedy)
        return Check("daemon", "ok", told)
    found = holder_of(data_dir)
    if found is not None:
        why, remedy = found.trouble()
        return Check("daemon", "failed", f"{found.words} has the data directory: {why}", remedy)
    return Check("daemon", "ok", "none runs over this data directory")


def mcp_servers(config_path: Path, running: Running | None) -> Check:
    """The MCP servers as the running daemon knows them; without one, none is started to find out."""
    try:
        names = ", ".join(map(str, read_file(config_path).get("mcp", {})))
    except ConfigInvalid:
        return Check("mcp servers", "skipped", "config.toml can't be read")
    if not names or running is None:
        return Check("mcp servers", "skipped", f"{names}: no daemon runs that could have asked" if names else "none")
    try:
        told = Client(running.url, os.environ.get("ASTER_SIDECAR_TOKEN")).call("GET", "/api/snapshot")
    except ClientError as error:
        return Check("mcp servers", "skipped", f"{names}: {error.message}")
    missing = [one for one in told["warnings"] if one["code"] == "mcp_unavailable"]
    if missing:
        told_of_it = " ".join(str(one["message"]) for one in missing)
        return Check("mcp servers", "warning", told_of_it, str(missing[0]["hint"]))
    return Check("mcp servers", "ok", f"{names}: the daemon knows of no trouble")


def port(given: argparse.Namespace, running: Running | None) -> Check:
    if running is not None and given.port is None and given.framework is None:
        return Check("port", "ok", f"the running daemon has {running.url.rpartition(':')[2]}")
    wanted: int = given.port if given.port is not None else DEFAULT_PORTS[given.framework or "web"]
    if not 0 <= wanted <= 65_535:
        return Check("port", "failed", f"{wanted} is no port", "choose one from 0 to 65535")
    if running is not None and running.url.endswith(f":{wanted}"):
        return Check("port", "ok", f"{wanted} is the running daemon's")
    from aster_sidecar.http.sockets import PortTaken, bind

    try:
        bind(wanted).close()
    except PortTaken as error:
        return Check(
            "port", "failed", f"{error} ({holder(wanted)})", "end that program, or pass --port 0 for a free one"
        )
    return Check("port", "ok", f"{wanted} is free")


def holder(wanted: int) -> str:
    """Who listens on a port, as far as this user may know."""
    try:
        health = Client(f"http://127.0.0.1:{wanted}").health(1.0)
        if str(health.get("instance_id", "")).startswith("instance_"):
            return f"another daemon, pid {health.get('pid')}, for {health.get('framework')}"
    except (ClientError, ValueError):
        pass
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            at: Any = connection.laddr
            if connection.status == psutil.CONN_LISTEN and at and at.port == wanted and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, pid {connection.pid}"
    except (psutil.Error, OSError):
        pass
    return "nobody that this user may see"


# -- models ------------------------------------------------------------------------------------------------------------


def keys(environment: Mapping[str, str]) -> Check:
    """Which providers have one, here: an app gives its daemon an environment of its own."""
    from aster_sidecar.models.catalog import PROVIDERS

    named = ((provider.key, provider.key_too) for provider in PROVIDERS.values())
    names = list(dict.fromkeys(name for pair in named for name in pair if name))
    there = [name for name in names if environment.get(name)]
    for name in there:
        try:
            addresses.key(environment[name], name)
        except ModelError as error:
            return Check("keys", "failed", error.message, error.hint or "set it again, the key alone")
        if addresses.is_placeholder(environment[name]):
            return Check("keys", "warning", addresses.why_no_key(environment[name], name), f"set {name}, or unset it")
    if not there:
        return Check("keys", "ok", "none in this environment: the demo model and local models need none")
    return Check("keys", "ok", f"in this environment: {', '.join(there)}")


def models(given: argparse.Namespace, config: Config | None) -> Iterator[Check]:
    """The chosen model by one real request, and the model servers of this machine."""
    if config is None:
        yield Check("model", "skipped", "the configuration is wrong")
        return
    from aster_sidecar.models.build import Models
    from aster_sidecar.models.catalog import DEMO

    try:
        known = Models(own_environment(), lambda: config.value("model"), lambda _: None, forget)
    except ConfigInvalid as error:
        yield Check("model", "failed", error.message, error.hint or "mend it")
        return
    name = known.name()
    if given.no_model:
        yield Check("model", "skipped", f"{name or 'none chosen'}: not asked, as you said")
    elif name.partition(":")[0] == DEMO:
        yield Check("model", "skipped", f"{name}: the offline demo model, always there")
    else:
        yield asyncio.run(model(known))
    running = known.local.find()
    if running:
        names = ", ".join(entry.name for entry in running[:10])
        yield Check("local models", "ok", names + (f" and {len(running) - 10} more" if len(running) > 10 else ""))
    else:
        yield Check("local models", "skipped", "neither Ollama, LM Studio nor llama-server answers with a model")


def forget(key: str, value: str) -> None:
    """What is learned of a server here is not kept: it is the daemon's store."""


async def model(known: Models) -> Check:
    """One tiny request to the chosen model."""
    from aster_sidecar.models.probe import probe

    began = time.monotonic()
    try:
        chosen = await probe(known)
    except AsterError as error:
        return Check("model", "failed", f"{error.message} [{error.code}]", error.hint or "choose another model")
    finally:
        await known.close()
    return Check("model", "ok", f"{chosen.name} answered in {time.monotonic() - began:.1f} s")


# -- the surroundings --------------------------------------------------------------------------------------------------


def sandbox(lsm: Path = Path("/sys/kernel/security/lsm")) -> Check:
    """What this machine offers. Tools run as the person, without one: that is worth knowing."""
    offers: list[str] = []
    with contextlib.suppress(OSError):
        offers += ["landlock"] if "landlock" in lsm.read_text("ascii", "replace").strip().split(",") else []
    offers += [name for name in ("bwrap", "sandbox-exec") if shutil.which(name)]
    here = f"this machine offers {', '.join(offers)}" if offers else "this machine offers none that is known"
    root = sys.platform != "win32" and os.geteuid() == 0
    who = "root: they may do anything" if root else "this user"
    remedy = "read what is asked before you allow it; keep permission_mode at smart_approve or always_ask"
    return Check("sandbox", "warning", f"tools run without one, as {who} ({here})", remedy)


def command_path(setting: str, environ: Mapping[str, str]) -> Check:
    """Where programs are looked for: whether the login shell says it in time, or the directories are there."""
    name = "command path"
    if setting == "inherit":
        return Check(name, "ok", "that of the daemon")
    if setting not in ("auto", "login"):
        missing = [entry for entry in setting.split(os.pathsep) if not os.path.isdir(entry)]
        if missing:
            return Check(name, "warning", f"not there: {', '.join(missing)}", "mend command_path")
        return Check(name, "ok", setting)
    shell = login_shell(environ)
    if shell is None:
        return Check(name, "ok", "that of the daemon: there is no login shell to ask for it")
    began, found = time.monotonic(), list[str]()
    try:
        asyncio.run(ask(shell, environ, found.append))
    except NoAnswer as error:
        remedy = f"mend the start-up files of {shell}, or set command_path to inherit or to directories"
        return Check(name, "warning", f"{shell} {error}: a daemon that an app starts uses its own PATH", remedy)
    finally:
        launch.end_all()
    return Check(name, "ok", f"{shell} answered in {time.monotonic() - began:.1f} s: {found[0]}")


def proxies() -> Check:
    """The proxies that requests to providers take. This machine's own servers are never asked through one."""
    told_by_system = urllib.request.getproxies()  # what the providers' libraries ask as well
    found = {scheme: url for scheme, url in told_by_system.items() if scheme in ("http", "https", "all")}
    spared = told_by_system.get("no")
    if not found:
        return Check("proxy", "ok", "none")
    told = ", ".join(f"{scheme}: {without_password(url)}" for scheme, url in found.items())
    told += f"; not for {spared}" if spared else ""
    for scheme, url in found.items():
        wrong, remedy = unusable(url, f"{scheme.upper()}_PROXY")
        if wrong is not None:
            return Check("proxy", "warning", f"{told}: {wrong}", remedy)
    return Check("proxy", "ok", f"{told}; never for this machine")


def unusable(url: str, variable: str) -> tuple[str | None, str]:
    """Why nothing would come through a proxy, None when it answers; and what to do."""
    try:
        parts = urlsplit(network.usable(addresses.unwrap(url), variable))
    except ModelError as error:
        return error.message, error.hint or f"mend {variable}"
    default = {"http": 80, "https": 443}.get(parts.scheme, 1080)
    try:
        socket.create_connection((parts.hostname, parts.port or default), PROXY_S).close()
    except (OSError, UnicodeError) as error:
        told = f"it does not answer: {getattr(error, 'strerror', None) or error}"
        return told, f"mend {variable}, or name the provider's host in NO_PROXY"
    return None, ""


def without_password(url: str) -> str:
    """A proxy's address as it may be shown."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        at = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"…@{at}" if at != parts.netloc else at, "", "", ""))
    except ValueError:
        return "…"
