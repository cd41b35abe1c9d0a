"""URLs that may be fetched: plain http and https, parsed once, so that the same is checked, shown and requested."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.web.addresses import Address


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"

    @property
    def authority(self) -> str:
        usual = self.port == (443 if self.scheme == "https" else 80)
        return _bracketed(self.host) + ("" if usual else f":{self.port}")

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def at(self, address: Address) -> str:
        """The URL with the address in place of the name."""
        return f"{self.scheme}://{_bracketed(str(address))}:{self.port}{self.path}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def parse(url: str) -> Target:
    """Parse `url`; the host becomes lower-case ASCII. Raises: ToolError for all but plain http and https."""
    import httpx

    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise ToolError("a URL has no spaces, control characters or backslashes")
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii").lower().strip("[]")
        port = parsed.port
        path = parsed.raw_path.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise ToolError(f"not a URL: {error}") from error
    if parsed.scheme not in ("http", "https"):
        raise ToolError("only http and https are fetched")
    authority = re.match(r"[a-z]+://([^/?#]*)", url, re.IGNORECASE)
    if authority is None:
        raise ToolError("not a URL: it has to begin with https:// or http://")
    if "@" in authority[1] or parsed.userinfo:
        raise ToolError("a URL with a user name or password is not fetched")
    host = host.removesuffix(".")
    if not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*", host):
        raise ToolError(f"{shown(host)} is not a host name")
    if port is not None and not 0 < port < 65536:
        raise ToolError(f"there is no port {port}")
    return Target(parsed.scheme, _literal(host), port or (443 if parsed.scheme == "https" else 80), path or "/")


def _literal(host: str) -> str:
    """An IP address in its usual form; names unchanged. Raises: ToolError for decimal, octal and short forms."""
    if ":" in host or re.fullmatch(r"(0x[0-9a-f]*|\d+)", host.rpartition(".")[2]):
        try:
            return str(ipaddress.ip_address(host))
        except ValueError as error:
            raise ToolError(f"{shown(host)} is not an address in its usual form (four decimal numbers)") from error
    return host
