"""Checks of the daemon that runs for the data directory, or of what would keep one from starting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aster_sidecar import __version__
from aster_sidecar.cli.console import local_time
from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.config.settings import DEFAULT_PORTS
from aster_sidecar.contract.wire import Framework
from aster_sidecar.daemon.client import Client, ClientError, Running
from aster_sidecar.daemon.lock_holder import look as holder_of_lock


def daemon(data_dir: Path, running: Running | None) -> Check:
    """Whether the running daemon answers and can record, or whether a hung one holds the data directory."""
    if running is None:
        holder = holder_of_lock(data_dir)
        if holder is not None:
            reason, remedy = holder.trouble()
            return Check("daemon", "failed", f"{holder.words} holds the data directory: {reason}", remedy)
        return Check("daemon", "ok", "none is running for this data directory")
    since = local_time(running.started_at)
    detail = f"running: pid {running.pid}, for {running.framework}, {running.url}, since {since}"
    own_token = os.environ.get("ASTER_SIDECAR_TOKEN")
    if running.token and not own_token:
        return Check("daemon", "warning", f"{detail}; it needs a token", "set ASTER_SIDECAR_TOKEN to its token")
    try:
        client = Client(running.url, own_token)
        client.call("GET", "/api/agents")
        if client.health().get("status") == "degraded":
            remedy = "see the checks of the disk and the store, and its log; then restart it"
            return Check("daemon", "failed", f"{detail}, but it can't record anything", remedy)
    except ClientError as error:
        return Check("daemon", "failed", f"{detail}, but it refuses: {error.message}", error.hint or "see its log")
    if running.version != __version__:
        remedy = "stop it, so that its app starts the new version"
        return Check("daemon", "warning", f"{detail}; its version is {running.version}", remedy)
    return Check("daemon", "ok", detail)


def token(running: Running | None) -> Check:
    """Whether clients need a token: without one, other programs can answer questions in the person's place."""
    if (running is not None and running.token) or os.environ.get("ASTER_SIDECAR_TOKEN"):
        return Check("token", "ok", "set: the daemon refuses every client that does not have it")
    detail = (
        "none: the daemon answers all programs of this user except those that its tools start, which it does not"
        " recognize when they run through tmux, cron, systemd or Docker"
    )
    return Check("token", "warning", detail, "have the app set one (--supervised, or ASTER_SIDECAR_TOKEN)")


def port(number: int | None, framework: Framework | None, running: Running | None) -> Check:
    """Whether a port is free, or used by the running daemon. Without a number: the default port of the framework."""
    if running is not None and number is None and framework is None:
        return Check("port", "ok", f"the running daemon has {running.url.rpartition(':')[2]}")
    wanted = number if number is not None else DEFAULT_PORTS[framework or "web"]
    if not 0 <= wanted <= 65_535:
        return Check("port", "failed", f"{wanted} is not a port", "choose one from 0 to 65535")
    if running is not None and running.url.endswith(f":{wanted}"):
        return Check("port", "ok", f"{wanted} is the running daemon's")
    from aster_sidecar.http.sockets import PortTaken, bind

    try:
        bind(wanted).close()
    except PortTaken as error:
        remedy = "end that program, or pass --port 0 for a free port"
        return Check("port", "failed", f"{error} ({listener(wanted)})", remedy)
    return Check("port", "ok", f"{wanted} is free")


def listener(port: int) -> str:
    """The process that listens on a port, as far as this user may see it."""
    try:
        health = Client(f"http://127.0.0.1:{port}").health(1.0)
        if str(health.get("instance_id", "")).startswith("instance_"):
            return f"another daemon, pid {health.get('pid')}, for {health.get('framework')}"
    except (ClientError, ValueError):
        pass
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            address: Any = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()}, pid {connection.pid}"
    except (psutil.Error, OSError):
        pass
    return "by a process that this user can't see"
