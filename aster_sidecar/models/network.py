"""The way to a provider: proxies and certificates from the environment, and why a provider can't be reached."""

from __future__ import annotations

import errno
import functools
import ipaddress
import os
import re
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from aster_sidecar.errors import ModelError
from aster_sidecar.text import addresses

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
STARTS = {
    "ollama": "start it: `ollama serve`, or open the Ollama app",
    "lmstudio": "start it: LM Studio, Developer, Start server",
    "llamacpp": "start it: `llama-server -m MODEL.gguf`",
}
"""How the servers of this machine are started."""
CONNECTING = ("ConnectError", "ConnectTimeout", "ProxyError")
"""How HTTP clients name what happens before a request is sent."""
HOSTNAME_DIFFERS, ADDRESS_DIFFERS, EXPIRED, NOT_YET = 62, 64, 10, 9
"""Source: OpenSSL, X509_V_ERR_…"""


@dataclass(frozen=True, slots=True)
class Way:
    """How a provider is reached: through which proxy, and what certificates are looked up in.

    `variable` is what names the proxy. `plain`: no TLS to this machine, so that no certificates need be loaded.
    """

    plain: bool = False
    proxy: str | None = None
    variable: str | None = None
    certificates: tuple[str, str] = ("", "")

    def verify(self) -> ssl.SSLContext | bool:
        """What a client's `verify` takes. Loads certificates (27 ms). Raises: ModelError."""
        return False if self.plain else context(*self.certificates)


def way(url: str | None, environment: Mapping[str, str]) -> Way:
    """The way to a base URL. This machine is never reached through a proxy. Raises: ModelError."""
    here = addresses.is_loopback(url)
    named = tuple(addresses.unwrap(environment.get(name, "")) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    if here:
        return Way(plain=(url or "").startswith("http://"), certificates=(named[0], named[1]))
    variable, proxy = proxy_of(url or "https://", environment)
    return Way(False, proxy, variable, (named[0], named[1]))


# -- proxies -----------------------------------------------------------------------------------------------------------


def proxy_of(url: str, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The variable that names a proxy for an address, and the proxy; None when there is none. Raises: ModelError."""
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
    """Scheme, `all` and `no` → the variable that says it, and what. A name in small letters counts before a large one.

    Where no variable says anything, the system's settings do, on macOS and Windows.
    Source: urllib.request.getproxies_environment, which HTTP clients ask.
    """
    found: dict[str, tuple[str, str]] = {}
    for scheme in ("http", "https", "all", "no"):
        large, small = f"{scheme.upper()}_PROXY", f"{scheme}_proxy"
        if scheme == "http" and "REQUEST_METHOD" in environment:
            large = ""  # in a CGI script a request's header could set it
        for name in (small, large):
            value = addresses.unwrap(environment.get(name, ""))
            if value:
                found[scheme] = (name, value)
            if name in environment:
                break  # an empty one in small letters takes the large one back
    if not found and sys.platform in ("darwin", "win32"):
        import urllib.request

        told = urllib.request.getproxies()
        found = {name: ("the system's proxy setting", value) for name, value in told.items()}
    return found


def usable(value: str, variable: str) -> str:
    """A proxy as an HTTP client takes it. Raises: ModelError."""
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
        raise ModelError("address_invalid", f"{variable} names a proxy that can't be used: {wrong}", hint=remedy)
    where = f"[{host_name}]" if ":" in host_name else host_name
    return f"{scheme}://{quote(user, safe=addresses.IN_USER)}{at}{where}{f':{port}' if port else ''}"


def _is_spared(parts: SplitResult, no_proxy: str) -> bool:
    """Whether NO_PROXY names an address: `*`, a host with those below it, `.suffix`, an IP address, a network."""
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
    """What certificates are looked up in: the file, else the directories, else the system's. Raises: ModelError."""
    wrong = "is a directory" if os.path.isdir(file) else "is not there" if file and not os.path.exists(file) else None
    variable = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
    if not file and directory and not any(map(os.path.isdir, directory.split(os.pathsep))):
        wrong = "is not there"
    try:
        if wrong is None and file:
            return ssl.create_default_context(cafile=file)
        if wrong is None and directory:
            return ssl.create_default_context(capath=directory)
    except ssl.SSLError:
        wrong = "holds no certificates (PEM) that can be read"
    except OSError as error:
        wrong = f"can't be read: {error.strerror}"
    if wrong is not None:
        named = file or directory
        raise ModelError(
            "provider_unreachable",
            f"{variable} names {named[:200]}, which {wrong}",
            hint=f"set {variable} to a file of certificates in PEM form, or unset it: then the system's are taken"
            if file
            else f"set {variable} to a directory of certificates, or unset it: then the system's are taken",
        )
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


# -- why not -----------------------------------------------------------------------------------------------------------


def why_unreachable(
    error: BaseException, name: str, url: str | None, variable: str | None, environment: Mapping[str, str]
) -> ModelError | None:
    """What kept a request from the provider of a model; None when it had reached it, or nothing tells.

    `name` is the model's, `url` its base URL, `variable` what sets that. The first that is found in the error and
    its causes is said: a certificate, a proxy, a name, a port, a network.
    """
    chain = list(causes(error))
    for one in chain:
        if isinstance(one, ModelError):
            return one
    if not any(type(one).__name__ in CONNECTING or _is_of_socks(one) or _is_no_http(one) for one in chain):
        return None
    try:
        taken = way(url, environment)
    except ModelError as wrong:
        return wrong
    host = addresses.place(url)
    told = _tls(chain, host, variable, environment) or _proxy(chain, host, taken)
    told = told or _connection(chain, host, name, url, variable)
    if told is None:
        return None
    what, hint, retryable = told
    return ModelError("provider_unreachable", f"{name}: {what}", hint=hint, retryable=retryable)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, then what led to it, each once."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        rest += [*getattr(one, "exceptions", ()), one.__cause__, one.__context__]


Told = tuple[str, str, bool]
"""What is the matter, the remedy, and whether trying again may help."""


def _tls(chain: list[BaseException], host: str, variable: str | None, environment: Mapping[str, str]) -> Told | None:
    error = next((one for one in chain if isinstance(one, ssl.SSLError)), None)
    if error is None:
        return None
    address = f", and the address in {variable}" if variable else ""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "").replace("_", " ").lower()
        if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return f"{host} speaks no TLS", f"write http:// instead of https:// in {variable or 'its address'}", False
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return None  # it was cut off, which may pass
        return f"no TLS connection to {host}: {reason or 'it failed'}", f"check the proxy settings{address}", False
    match getattr(error, "verify_code", 0):
        case code if code in (HOSTNAME_DIFFERS, ADDRESS_DIFFERS):
            return f"the certificate of {host} is for another host", f"check the host{address}", False
        case code if code in (EXPIRED, NOT_YET):
            when = "has expired" if code == EXPIRED else "is not valid yet"
            return f"the certificate of {host} {when}", "renew it, or set this machine's clock right", False
        case _:
            named = next((each for each in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environment.get(each)), None)
            hint = (
                f"{named} is set and has not the certificate of its issuer: add it there"
                if named
                else "set SSL_CERT_FILE to a file (PEM) with the certificate of its issuer, and start the daemon again"
            )
            return (
                f"the certificate of {host} is not trusted",
                f"{hint}; a company's network or a virus scanner may have its own",
                False,
            )


def _proxy(chain: list[BaseException], host: str, taken: Way) -> Told | None:
    """A connection that is made through a proxy is made to the proxy: what fails there is the proxy's."""
    if taken.proxy is None:
        return None
    refused = next((one for one in chain if type(one).__name__ == "ProxyError"), None)
    kind = next((one for one in chain if type(one).__name__ in ("ConnectError", "ConnectTimeout")), None)
    foreign = next((one for one in chain if _is_of_socks(one)), None)
    no_http = any(map(_is_no_http, chain))
    if refused is None and kind is None and foreign is None and not no_http:
        return None
    proxy, variable = addresses.place(taken.proxy), taken.variable or "a proxy setting"
    scheme = taken.proxy.partition("://")[0]
    if no_http:
        hint = f"check {variable}, or put {host.partition(':')[0]} into NO_PROXY"
        if not scheme.startswith("socks"):
            hint = f"if it is one for SOCKS, write socks5:// instead of {scheme}:// in {variable}; else {hint}"
        return f"the proxy {proxy} ({variable}) gave no answer in HTTP", hint, True
    if refused is None and foreign is not None:
        hint = f"if it is one for HTTP, write http:// instead of {scheme}:// in {variable}, or put {host} into NO_PROXY"
        return f"the proxy {proxy} ({variable}) does not speak SOCKS 5", hint, False
    if refused is not None:
        said = " ".join(str(refused).split())[:100]
        login = said.startswith(("407", "Requested", "Invalid username"))  # the others are those of SOCKS
        hint = f"give {variable} a name and a password: {scheme}://NAME:PASSWORD@{proxy}" if login else ""
        hint = hint or f"check {variable}, or put {host.partition(':')[0]} into NO_PROXY"
        return f"the proxy {proxy} ({variable}) refused: {said}", hint, said[:1] == "5"
    return (
        f"the proxy {proxy} ({variable}) {_how(chain, 'does not answer')}",
        f"start the proxy, mend or unset {variable}, or put {host.partition(':')[0]} into NO_PROXY",
        True,
    )


def _is_of_socks(error: BaseException) -> bool:
    """Whether it is the SOCKS library that could not understand what it was answered."""
    return type(error).__module__.partition(".")[0] == "socksio"


def _is_no_http(error: BaseException) -> bool:
    """Whether a connection was closed in the place of an answer, or that was none in HTTP.

    Source: httpcore, _async/http11.py; h11, _readers.py.
    """
    words = ("disconnected without sending a response", "illegal request line", "illegal status line")
    return type(error).__name__ == "RemoteProtocolError" and any(said in str(error) for said in words)


def _how(chain: list[BaseException], otherwise: str) -> str:
    if any(isinstance(one, socket.gaierror) for one in chain):
        return "is a name that can't be found"
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return "refuses connections"
    return otherwise


def _connection(chain: list[BaseException], host: str, name: str, url: str | None, variable: str | None) -> Told | None:
    names = {type(one).__name__ for one in chain}
    mend = f"check the address in {variable}" if variable else "check the network"
    here = addresses.is_loopback(url)
    start = STARTS.get(name.partition(":")[0], f"start the server that {variable or 'the address'} names")
    unresolved = next((one for one in chain if isinstance(one, socket.gaierror)), None)
    if unresolved is not None:
        passing = unresolved.errno == getattr(socket, "EAI_AGAIN", None)
        return f"the name {host} can't be found", f"{mend}, the network and the name server", passing or not variable
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        hint = f"{start}; {variable} says where it is asked" if here and variable else start if here else mend
        what = f"nothing listens on {host} on this machine" if here else f"{host} refuses connections"
        return what, hint if here else f"{hint}; is the server running there?", True
    if "ConnectTimeout" in names:
        return f"{host} does not answer: no connection in time", f"{mend}, the network and the proxy settings", True
    no_way = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
    if any(isinstance(one, OSError) and one.errno in no_way for one in chain):
        return f"there is no way to {host}", f"{mend}: is this machine online, is a VPN needed?", True
    if "ConnectError" in names:
        return f"no connection to {host}", f"{mend}, the network and the proxy settings", True
    return None
