"""Which hosts of this machine and its networks the browser may reach: patterns that a person writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.web.urls import parse

Allow = Callable[[str, int], bool]
"""Whether a person has allowed a host (lower case, without brackets and without a final dot) and a port."""


def allowed_hosts(patterns: Sequence[str]) -> Allow:
    """Patterns: a host or an IP address (IPv6 in brackets), or `*.` and a name for its subdomains; then `:` and a port.

    Without a port, all ports are allowed. `localhost` does not cover 127.0.0.1, nor the other way round.
    Raises: ValueError, which names the pattern.
    """
    rules = [_rule(pattern) for pattern in patterns]

    def allow(host: str, port: int) -> bool:
        return any(
            (host.endswith(f".{name}") if below else host == name) and of_port in (None, port)
            for name, below, of_port in rules
        )

    return allow


def _rule(pattern: str) -> tuple[str, bool, int | None]:
    """The host, whether its subdomains are meant instead of it, and the port."""
    found = re.fullmatch(r"(\*\.)?(\[[^\]]+\]|[^:/?#@*\s]+)(?::(\d{1,5}))?", pattern)
    try:
        if found is None:
            raise ToolError("it is not a host with an optional port, such as localhost:3000")
        host = parse(f"http://{found[2]}:{found[3] or 80}").host
    except ToolError as error:
        raise ValueError(f"{pattern[:100]!r} is not a host that can be allowed: {error}") from None
    return host, found[1] is not None, int(found[3]) if found[3] else None
