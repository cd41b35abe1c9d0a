"""The check of the proxies that requests to providers go through."""

from __future__ import annotations

import socket
import urllib.request
from urllib.parse import urlsplit, urlunsplit

from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.errors import ModelError
from aster_sidecar.models import network
from aster_sidecar.text import addresses

CONNECT_S = 3.0


def proxies() -> Check:
    """Whether each proxy of the environment or the system answers. Servers on this machine never go through one."""
    settings = urllib.request.getproxies()  # the providers' libraries read the same
    found = {scheme: url for scheme, url in settings.items() if scheme in ("http", "https", "all")}
    excepted = settings.get("no")
    if not found:
        return Check("proxy", "ok", "none")
    detail = ", ".join(f"{scheme}: {without_password(url)}" for scheme, url in found.items())
    detail += f"; not for {excepted}" if excepted else ""
    for scheme, url in found.items():
        if (trouble := problem(url, f"{scheme.upper()}_PROXY")) is not None:
            what, remedy = trouble
            return Check("proxy", "warning", f"{detail}: {what}", remedy)
    return Check("proxy", "ok", f"{detail}; never for servers on this machine")


def problem(url: str, variable: str) -> tuple[str, str] | None:
    """What is wrong with a proxy, and a remedy; None when it accepts a connection within CONNECT_S."""
    try:
        parts = urlsplit(network.usable(addresses.unwrap(url), variable))
    except ModelError as error:
        return error.message, error.hint or f"fix {variable}"
    default = {"http": 80, "https": 443}.get(parts.scheme, 1080)
    try:
        socket.create_connection((parts.hostname, parts.port or default), CONNECT_S).close()
    except (OSError, UnicodeError) as error:
        what = f"it does not answer: {getattr(error, 'strerror', None) or error}"
        return what, f"fix {variable}, or name the provider's host in NO_PROXY"
    return None


def without_password(url: str) -> str:
    """A proxy's address without the user's name and password."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"…@{host}" if host != parts.netloc else host, "", "", ""))
    except ValueError:
        return "…"
