"""How a provider is reached: proxies and certificates from the environment."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from aster_sidecar.errors import ModelError
from aster_sidecar.text import addresses

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Way:
    """How a base URL is reached: the proxy, and the file and directory of trusted certificates (empty: the system's).

    `variable` is the environment variable that sets the proxy. `plain`: HTTP to this machine, which needs no
    certificates.
    """

    plain: bool = False
    proxy: str | None = None
    variable: str | None = None
    certificates: tuple[str, str] = ("", "")

    def verify(self) -> ssl.SSLContext | bool:
        """The argument `verify` of an HTTP client. Loads certificates (27 ms). Raises: ModelError."""
        return False if self.plain else context(*self.certificates)


def way(url: str | None, environment: Mapping[str, str]) -> Way:
    """How to reach a base URL. Requests to this machine never use a proxy. Raises: ModelError."""
    here = addresses.is_loopback(url)
    named = tuple(addresses.unwrap(environment.get(name, "")) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    if here:
        return Way(plain=(url or "").startswith("http://"), certificates=(named[0], named[1]))
    variable, proxy = proxy_of(url or "https://", environment)
    return Way(False, proxy, variable, (named[0], named[1]))


# -- proxies -----------------------------------------------------------------------------------------------------------


def proxy_of(url: str, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The variable that sets the proxy for a URL, and the proxy; None, None without one. Raises: ModelError."""
    named = proxies(environment)
    parts = urlsplit(url)
    if _is_spared(parts, named.get("no", ("", ""))[1]):
        return None, None
    for scheme in (parts.scheme, "all"):
        if scheme in named:
            variable, value = named[scheme]
            return variable, usable(value, variable)
    return None, None


def proxies(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Scheme, `all` or `no` → the variable that sets it, and its value. A lower-case name overrides an upper-case one.

    Without any variable, the system's settings are used on macOS and Windows.
    Source: urllib.request.getproxies_environment, which HTTP clients use.
    """
    found: dict[str, tuple[str, str]] = {}
    for scheme in ("http", "https", "all", "no"):
        large, small = f"{scheme.upper()}_PROXY", f"{scheme}_proxy"
        if scheme == "http" and "REQUEST_METHOD" in environment:
            large = ""  # in a CGI script, a request header can set HTTP_PROXY
        for name in (small, large):
            value = addresses.unwrap(environment.get(name, ""))
            if value:
                found[scheme] = (name, value)
            if name in environment:
                break  # an empty lower-case variable disables the upper-case one
    if not found and sys.platform in ("darwin", "win32"):
        import urllib.request

        system = urllib.request.getproxies()
        found = {name: ("the system's proxy setting", value) for name, value in system.items()}
    return found


def usable(value: str, variable: str) -> str:
    """A proxy's URL as HTTP clients accept it. `variable` is named in the error. Raises: ModelError."""
    wrong, remedy = None, f"set {variable} to an address such as http://proxy.example:8080, or unset it"
    scheme, _, rest = value.partition("://") if "://" in value else ("http", "", value)
    scheme = {"socks": "socks5"}.get(scheme.lower(), scheme.lower())
    try:
        parts = urlsplit(f"//{rest}")
        user, at, _ = parts.netloc.rpartition("@")
        host_name, port = parts.hostname or "", parts.port
        if port == 0:
            raise ValueError("0")
    except ValueError:
        user, at, host_name, port = "", "", "", None
        wrong = "its port is not a number from 1 to 65535"
    try:
        addresses.check_signs(value)
        host_name = addresses.host_of(host_name)
    except ValueError as error:
        wrong = wrong or str(error)
    if scheme not in PROXY_SCHEMES:
        wrong = f"{scheme[:20]}:// is not one of {', '.join(f'{name}://' for name in PROXY_SCHEMES)}"
    elif re.match(r"(?:https?|socks5?h?)(?:[:/]|$)", rest, re.IGNORECASE):
        wrong = "its scheme is not followed by ://"
    if wrong is not None:
        raise ModelError("address_invalid", f"{variable} is not a usable proxy: {wrong}", hint=remedy)
    where = f"[{host_name}]" if ":" in host_name else host_name
    return f"{scheme}://{quote(user, safe=addresses.IN_USER)}{at}{where}{f':{port}' if port else ''}"


def _is_spared(parts: SplitResult, no_proxy: str) -> bool:
    """Whether NO_PROXY lists a URL. Entries: `*`, a host (with its subdomains), `.suffix`, an IP address, a network."""
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    for entry in filter(None, re.split(r"[,;\s]+", no_proxy.lower())):
        name = entry.partition("://")[2] or entry
        if name == "*":
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(name.strip("[]"), strict=False):
                return True
            continue
        except (ValueError, TypeError):
            pass
        name, colon, number = name.rpartition(":") if re.search(r"[^:]:\d+$|\]:\d+$", name) else (name, "", "")
        if colon and number != str(port):
            continue
        suffix = name.strip("[]").removeprefix("*")
        if host == suffix or host.endswith(suffix if suffix.startswith(".") else f".{suffix}"):
            return True
    return False


# -- certificates ------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4)
def context(file: str, directory: str) -> ssl.SSLContext:
    """Trusts the certificates of the file, else of the directories, else of the system. Raises: ModelError."""
    wrong = "is a directory" if os.path.isdir(file) else "does not exist" if file and not os.path.exists(file) else None
    variable = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
    if not file and directory and not any(map(os.path.isdir, directory.split(os.pathsep))):
        wrong = "does not exist"
    try:
        if wrong is None and file:
            return ssl.create_default_context(cafile=file)
        if wrong is None and directory:
            return ssl.create_default_context(capath=directory)
    except ssl.SSLError:
        wrong = "contains no readable certificates (PEM)"
    except OSError as error:
        wrong = f"cannot be read: {error.strerror}"
    if wrong is not None:
        named = file or directory
        raise ModelError(
            "provider_unreachable",
            f"{variable} is set to {named[:200]}, which {wrong}",
            hint=f"set {variable} to a file of certificates (PEM), or unset it to use the system's certificates"
            if file
            else f"set {variable} to a directory of certificates, or unset it to use the system's certificates",
        )
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)
