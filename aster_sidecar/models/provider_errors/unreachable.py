"""Why a provider cannot be reached: a certificate, a proxy, a host name, a port, a network."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping

from aster_sidecar.errors import ModelError
from aster_sidecar.models.network import Way, way
from aster_sidecar.text import addresses

STARTS = {
    "ollama": "start it: `ollama serve`, or open the Ollama app",
    "lmstudio": "start it: LM Studio, Developer, Start server",
    "llamacpp": "start it: `llama-server -m MODEL.gguf`",
}
"""How to start a model server on this machine."""
CONNECTING = ("ConnectError", "ConnectTimeout", "ProxyError")
"""Names of HTTP clients' exceptions that occur before a request is sent."""
HOSTNAME_DIFFERS, ADDRESS_DIFFERS, EXPIRED, NOT_YET = 62, 64, 10, 9
"""Source: OpenSSL, X509_V_ERR_…"""


def why_unreachable(
    error: BaseException, name: str, url: str | None, variable: str | None, environment: Mapping[str, str]
) -> ModelError | None:
    """Why a request did not reach a provider; None when it did, or when the cause is unknown.

    `name` is the model's name, `url` its base URL, `variable` the environment variable that sets it. Reports the
    first cause found: a certificate, a proxy, a host name, a port, a network.
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
    found = _tls(chain, host, variable, environment) or _proxy(chain, host, taken)
    found = found or _connection(chain, host, name, url, variable)
    if found is None:
        return None
    what, hint, retryable = found
    return ModelError("provider_unreachable", f"{name}: {what}", hint=hint, retryable=retryable)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all its causes, each once."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        rest += [*getattr(one, "exceptions", ()), one.__cause__, one.__context__]


Cause = tuple[str, str, bool]
"""What is wrong, the hint, and whether a retry may help."""


def _tls(chain: list[BaseException], host: str, variable: str | None, environment: Mapping[str, str]) -> Cause | None:
    error = next((one for one in chain if isinstance(one, ssl.SSLError)), None)
    if error is None:
        return None
    address = f", and the address in {variable}" if variable else ""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "").replace("_", " ").lower()
        if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return f"{host} does not use TLS", f"use http:// instead of https:// in {variable or 'its address'}", False
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return None  # the connection was cut off, which a retry may fix
        return f"no TLS connection to {host}: {reason or 'unknown'}", f"check the proxy settings{address}", False
    match getattr(error, "verify_code", 0):
        case code if code in (HOSTNAME_DIFFERS, ADDRESS_DIFFERS):
            return f"the certificate of {host} is for another host", f"check the host{address}", False
        case code if code in (EXPIRED, NOT_YET):
            when = "has expired" if code == EXPIRED else "is not valid yet"
            return f"the certificate of {host} {when}", "renew it, or correct this machine's clock", False
        case _:
            named = next((each for each in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environment.get(each)), None)
            hint = (
                f"{named} is set and does not contain the certificate of its issuer: add it there"
                if named
                else "set SSL_CERT_FILE to a file (PEM) with the certificate of its issuer, and restart the daemon"
            )
            return (
                f"the certificate of {host} is not trusted",
                f"{hint}; a company's network or a virus scanner may have its own",
                False,
            )


def _proxy(chain: list[BaseException], host: str, taken: Way) -> Cause | None:
    """A connection through a proxy goes to the proxy, so a failure to connect is the proxy's."""
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
        hint = f"check {variable}, or add {host.partition(':')[0]} to NO_PROXY"
        if not scheme.startswith("socks"):
            hint = f"if it is a SOCKS proxy, use socks5:// instead of {scheme}:// in {variable}; otherwise {hint}"
        return f"the proxy {proxy} ({variable}) did not answer in HTTP", hint, True
    if refused is None and foreign is not None:
        hint = f"if it is an HTTP proxy, use http:// instead of {scheme}:// in {variable}, or add {host} to NO_PROXY"
        return f"the proxy {proxy} ({variable}) does not speak SOCKS 5", hint, False
    if refused is not None:
        reason = " ".join(str(refused).split())[:100]
        login = reason.startswith(("407", "Requested", "Invalid username"))  # the latter two are SOCKS replies
        hint = f"give {variable} a name and a password: {scheme}://NAME:PASSWORD@{proxy}" if login else ""
        hint = hint or f"check {variable}, or add {host.partition(':')[0]} to NO_PROXY"
        return f"the proxy {proxy} ({variable}) refused: {reason}", hint, reason[:1] == "5"
    return (
        f"the proxy {proxy} ({variable}) {_how(chain, 'does not answer')}",
        f"start the proxy, correct or unset {variable}, or add {host.partition(':')[0]} to NO_PROXY",
        True,
    )


def _is_of_socks(error: BaseException) -> bool:
    """Whether the SOCKS library could not parse the proxy's reply."""
    return type(error).__module__.partition(".")[0] == "socksio"


def _is_no_http(error: BaseException) -> bool:
    """Whether the connection was closed without an answer, or the answer was not HTTP.

    Source: httpcore, _async/http11.py; h11, _readers.py.
    """
    words = ("disconnected without sending a response", "illegal request line", "illegal status line")
    return type(error).__name__ == "RemoteProtocolError" and any(word in str(error) for word in words)


def _how(chain: list[BaseException], otherwise: str) -> str:
    if any(isinstance(one, socket.gaierror) for one in chain):
        return "has an unknown host name"
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return "refuses connections"
    return otherwise


def _connection(
    chain: list[BaseException], host: str, name: str, url: str | None, variable: str | None
) -> Cause | None:
    names = {type(one).__name__ for one in chain}
    check = f"check the address in {variable}" if variable else "check the network"
    here = addresses.is_loopback(url)
    start = STARTS.get(name.partition(":")[0], "start the server")
    unresolved = next((one for one in chain if isinstance(one, socket.gaierror)), None)
    if unresolved is not None:
        passing = unresolved.errno == getattr(socket, "EAI_AGAIN", None)
        return f"the host name of {host} is unknown", f"{check}, the network and DNS", passing or not variable
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        hint = f"{start}; {variable} sets its address" if here and variable else start if here else check
        what = f"nothing listens on {host} on this machine" if here else f"{host} refuses connections"
        return what, hint if here else f"{hint}; is the server running there?", True
    if "ConnectTimeout" in names:
        return f"{host} does not answer: connection timed out", f"{check}, the network and the proxy settings", True
    no_way = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
    if any(isinstance(one, OSError) and one.errno in no_way for one in chain):
        return f"no route to {host}", f"{check}: is this machine online, is a VPN needed?", True
    if "ConnectError" in names:
        return f"no connection to {host}", f"{check}, the network and the proxy settings", True
    return None
