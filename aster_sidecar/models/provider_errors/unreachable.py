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
"""How the servers of this machine are started."""
CONNECTING = ("ConnectError", "ConnectTimeout", "ProxyError")
"""How HTTP clients name what happens before a request is sent."""
HOSTNAME_DIFFERS, ADDRESS_DIFFERS, EXPIRED, NOT_YET = 62, 64, 10, 9
"""Source: OpenSSL, X509_V_ERR_…"""


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
