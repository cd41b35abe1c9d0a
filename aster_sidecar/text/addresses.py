"""Cleans base URLs and keys that people typed or pasted, or raises an error that names the variable.

No message quotes the value, because it is a key or may contain a password.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from urllib.parse import quote, urlsplit, urlunsplit

from aster_sidecar.errors import ModelError

INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe0f\ufeff]")
"""Invisible characters that are pasted by accident: zero-width characters, direction marks, a byte-order mark."""
AROUND = r"\s\x00\"'`´“”„‟‘’‚‛«»‹›＂＇‶‷″′"
WRAPPING = re.compile(rf"^[{AROUND}]+|(?:[{AROUND},;]|\\[nrt])+$")
"""Spaces, line breaks and quotes around a value, an escaped line break (`\\n`) and a comma after it."""
ASSIGNED = re.compile(
    r"^(?:(?:export|setx?|let)\s+|\$env:)?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s*=\s*(?=[^=\s])", re.IGNORECASE
)
"""`NAME=` before a value. The name must contain an underscore, so that a padded base64 key does not match."""
HEADER = re.compile(r"^(?:(?:proxy-)?authorization|x-api-key|api-key|x-goog-api-key)\s*:\s*(?=\S)", re.IGNORECASE)
BEARER = re.compile(r"^bearer(?:\s+|\s*:\s*)(?=\S)", re.IGNORECASE)
PLACEHOLDER = re.compile(
    r"""
    <.*> | \{.*\} | \[.*\] | \$\w+ | \$\{.*\} | \$\(.*\) | %\w+%
    | .*(?:\.\.\.|…).*
    | (?:[a-z]{2,4}[-_])*(?:x{3,}|\*{3,}|_{3,}|-{3,}|0{8,})
    | (?:[a-z]{2,4}[-_])*(?:your|my|the|insert|enter|put|paste|add|set)[-_ ]?[-_ a-z]{0,30}(?:key|token|secret|here)
    | (?:[a-z]{2,4}[-_])*(?:change[-_ ]?(?:me|this|it)|replace[-_ ]?me|placeholder|todo|tbd|fixme|undefined|null)
    | (?:[a-z]+[-_ ])?api[-_ ]?(?:key|token)(?:[-_ ]?(?:here|value|goes[-_ ]here))?
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""Placeholders for a key in instructions."""
SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
NEARLY_SCHEME = re.compile(r"^(https?)(?::/|//)(?=[^/])", re.IGNORECASE)
ENDPOINT = re.compile(
    r"/(?:chat/completions|completions|responses|messages(?:/count_tokens)?|models|embeddings|props)$", re.IGNORECASE
)
OLLAMAS_OWN = re.compile(r"/api/(?:chat|generate|tags|ps|show|version|embed|embeddings|pull)$", re.IGNORECASE)
NOT_IN_A_HOST = re.compile(r"[^a-z0-9._-]")
IN_USER = "%:!$&'()*+,;=~-._"
"""Characters that a user name and a password in a URL may contain, besides letters and digits."""
NEAR = (".local", ".lan", ".home", ".internal", ".localdomain", ".home.arpa", ".localhost")
"""Suffixes of host names in a local network."""
EVERYWHERE = ("0.0.0.0", "::", "*")
"""Addresses of a server that listens on all interfaces. Clients connect to this machine instead."""
CGNAT = ipaddress.ip_network("100.64.0.0/10")


# -- keys --------------------------------------------------------------------------------------------------------------


def unwrap(text: str) -> str:
    """A value without accidental additions: quotes, white space, invisible characters, `NAME=`, `Bearer`."""
    text = INVISIBLE.sub("", text)
    while True:
        shorter = WRAPPING.sub("", text)
        for prefix in (ASSIGNED, HEADER, BEARER):
            shorter = prefix.sub("", shorter)
        if shorter == text:
            return text
        text = shorter


def is_placeholder(text: str | None) -> bool:
    """Whether a value is a placeholder for a key, copied from instructions."""
    return PLACEHOLDER.fullmatch(unwrap(text or "")) is not None


def key(text: str | None, variable: str) -> str | None:
    """A cleaned key; None if it is empty. Raises: ModelError, which does not quote the key."""
    cleaned = unwrap(text or "")
    wrong = (
        None
        if all("!" <= sign <= "~" for sign in cleaned)
        else "contains a space or a line break"
        if re.search(r"\s", cleaned)
        else "contains characters that no key has"
    )
    if wrong is not None:
        raise ModelError(
            "key_refused", f"{variable} {wrong}, so it was not sent", hint=f"set {variable} to nothing but the key"
        )
    return cleaned or None


def why_no_key(text: str | None, variable: str) -> str:
    """Why a variable contains no key, in words."""
    return f"{variable} holds a placeholder, not a key" if is_placeholder(text) else f"{variable} is not set"


# -- base URLs ---------------------------------------------------------------------------------------------------------


def base_url(text: str | None, variable: str, root: str | None = None) -> str | None:
    """A provider's base URL, without a slash at its end; None if the value is empty. Raises: ModelError.

    `root`: the path of the provider's API. A URL without a path gets it, and so does a URL of Ollama's native API. The
    empty string means that the SDK adds `/v1`, so it is removed from the URL. None keeps the path as it is. The path
    of an endpoint, such as `/chat/completions`, is always removed.
    """
    cleaned = unwrap(text or "").strip("<>").strip()
    if not cleaned:
        return None
    try:
        return _parsed(cleaned, root)
    except ValueError as error:
        raise ModelError(
            "address_invalid",
            f"{variable} is not an address: {error}",
            hint=f"set {variable} to an address such as http://127.0.0.1:8000/v1, or unset it",
        ) from None


def _parsed(text: str, root: str | None) -> str:
    """Raises: ValueError, which does not quote the text."""
    check_signs(text)
    text = NEARLY_SCHEME.sub(r"\1://", text.replace("\\", "/"))
    given = SCHEME.match(text)
    scheme = given[1].lower() if given else ""
    if scheme not in ("", "http", "https"):
        raise ValueError("its scheme is neither http:// nor https://")
    rest = text[given.end() :] if given else text.lstrip("/")
    if re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", rest.partition("/")[0]):
        host, slash, path = rest.partition("/")  # an IPv6 address without its brackets
        rest = f"[{host}]{slash}{path}"
    try:
        parts = urlsplit(f"//{rest}")
        name = parts.hostname or ""
    except ValueError:
        raise ValueError("its host can't be read") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port is not a number from 1 to 65535")
    host = host_of(name)
    scheme = scheme or ("http" if is_near(host) and port != 443 else "https")
    user, at, _ = parts.netloc.rpartition("@")
    where = quote(user, safe=IN_USER) + at + (f"[{host}]" if ":" in host else host)
    path = _path(quote(parts.path, safe="/%:@!$&'()*+,;=~-._"), root)
    return f"{scheme}://{where}{f':{port}' if port else ''}{path}"


def check_signs(text: str) -> None:
    """Raises: ValueError for characters that no address contains."""
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("it contains a space or a line break")
    if re.search("[\ud800-\udfff]", text):
        raise ValueError("it contains bytes that are not text")


def host_of(name: str) -> str:
    """The host to connect to. Raises: ValueError."""
    if not name:
        raise ValueError("it has no host")
    if name in EVERYWHERE:
        return "127.0.0.1"
    if "%" not in name:  # an IPv6 address with a zone is refused
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(name))
    if ":" in name or "%" in name or name.rstrip(".").rpartition(".")[2].isdigit():
        raise ValueError("its host is neither a name nor an IP address")
    host = name.lower() if name.isascii() else _ascii(name)
    labels = host.removesuffix(".").split(".")
    if NOT_IN_A_HOST.search(host) or len(host) > 253 or not all(0 < len(label) < 64 for label in labels):
        raise ValueError("its host is neither a name nor an IP address")
    return host if name.isascii() and "xn--" not in host else _ascii(host)


def _ascii(name: str) -> str:
    """A host name in its ASCII form (IDNA). Raises: ValueError."""
    import idna

    try:
        host = idna.encode(name, uts46=True).decode("ascii")
        if host != name:
            return host_of(host)  # the name may have been an IP address in non-ASCII digits
        idna.decode(host, display=True)
    except UnicodeError:
        raise ValueError("its host is neither a name nor an IP address") from None
    return host


def _path(path: str, root: str | None) -> str:
    path = re.sub("/{2,}", "/", path).rstrip("/")
    own = False
    while True:
        native = OLLAMAS_OWN.sub("", path)
        own = own or native != path
        shorter = ENDPOINT.sub("", native).rstrip("/")
        if root == "":
            shorter = shorter.removesuffix("/v1").rstrip("/")
        if shorter == path:
            break
        path = shorter
    if not root:
        return path
    if path in ("/api/v0", "/api"):
        path = ""
    elif path.endswith("/api"):
        path, own = path.removesuffix("/api"), True
    return path + root if own or not path else path


def alternatives(url: str) -> tuple[str, ...]:
    """Base URLs at which an OpenAI-compatible API may be, in the order to try: as given, then with `/v1`."""
    return (url,) if urlsplit(url).path else (url, f"{url}/v1")


def shown(url: str | None) -> str:
    """An address without user name and password, to be shown, logged and stored."""
    try:
        parts = urlsplit(url or "")
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return "…"


def without_password(text: str) -> str:
    """A possibly malformed address without everything that may be a user name and a password."""
    scheme, found, rest = text.rpartition("://")
    before, at, after = rest.rpartition("@")
    return f"{scheme}{found}{after}" if at and before else text


def place(url: str | None) -> str:
    """The host of an address, with its port if it has one, for a message."""
    return urlsplit(shown(url)).netloc if url else "the provider"


def is_loopback(url: str | None) -> bool:
    """Whether a base URL is on this machine; such requests never go through a proxy."""
    try:
        host = urlsplit(url or "").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_near(host: str) -> bool:
    """Whether a host looks like this machine or one of the local network, by its name or address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host.rstrip(".") or host.rstrip(".").endswith(NEAR)
    return (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or (address.version == 4 and address in CGNAT)
    )
