"""Base URLs and keys as people type and paste them → what can be sent, or an error that names the variable.

No message shows what was typed: a key is in it, or a password may be.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, urlsplit, urlunsplit

from aster_sidecar.errors import ModelError

INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe0f\ufeff]")
"""What a paste brings along and nobody sees: zero-width characters, marks of direction, a byte-order mark."""
AROUND = r"\s\x00\"'`´“”„‟‘’‚‛«»‹›＂＇‶‷″′"
WRAPPING = re.compile(rf"^[{AROUND}]+|(?:[{AROUND},;]|\\[nrt])+$")
"""Blanks, line ends and quotes around a value, and what is left of them: a backslash and an n, a comma."""
ASSIGNED = re.compile(
    r"^(?:(?:export|setx?|let)\s+|\$env:)?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s*=\s*(?=[^=\s])", re.IGNORECASE
)
"""`NAME=` before a value. A name has an underscore, so that a base64 key with its padding is none."""
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
"""What stands in instructions where a key belongs."""
SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
NEARLY_SCHEME = re.compile(r"^(https?)(?::/|//)(?=[^/])", re.IGNORECASE)
ENDPOINT = re.compile(
    r"/(?:chat/completions|completions|responses|messages(?:/count_tokens)?|models|embeddings|props)$", re.IGNORECASE
)
OLLAMAS_OWN = re.compile(r"/api/(?:chat|generate|tags|ps|show|version|embed|embeddings|pull)$", re.IGNORECASE)
NOT_IN_A_HOST = re.compile(r"[^a-z0-9._-]")
IN_USER = "%:!$&'()*+,;=~-._"
"""What a name and a password in an address may have in them, besides letters and digits."""
NEAR = (".local", ".lan", ".home", ".internal", ".localdomain", ".home.arpa", ".localhost")
"""Ends of names of machines nearby."""
EVERYWHERE = ("0.0.0.0", "::", "*")
"""Where a server listens that listens everywhere. To connect there means this machine."""
CGNAT = ipaddress.ip_network("100.64.0.0/10")


# -- keys --------------------------------------------------------------------------------------------------------------


def unwrap(text: str) -> str:
    """A value without what came along when it was typed, pasted or read from a file; a key's `Bearer` goes too."""
    text = INVISIBLE.sub("", text)
    while True:
        shorter = WRAPPING.sub("", text)
        for prefix in (ASSIGNED, HEADER, BEARER):
            shorter = prefix.sub("", shorter)
        if shorter == text:
            return text
        text = shorter


def is_placeholder(text: str | None) -> bool:
    """Whether a value is what instructions have in a key's place."""
    return PLACEHOLDER.fullmatch(unwrap(text or "")) is not None


def key(text: str | None, variable: str) -> str | None:
    """A key as it can be sent; None when there is none. Raises: ModelError, which doesn't show it."""
    cleaned = unwrap(text or "")
    wrong = (
        None
        if all("!" <= sign <= "~" for sign in cleaned)
        else "a blank or a line end inside it"
        if re.search(r"\s", cleaned)
        else "characters in it that no key has"
    )
    if wrong is not None:
        raise ModelError(
            "key_refused", f"{variable} has {wrong}: it was not sent", hint=f"set {variable} to the key alone"
        )
    return cleaned or None


def why_no_key(text: str | None, variable: str) -> str:
    """Why a variable holds no key, in words."""
    return f"{variable} holds a placeholder, not a key" if is_placeholder(text) else f"{variable} is not set"


# -- base URLs ---------------------------------------------------------------------------------------------------------


def base_url(text: str | None, variable: str, root: str | None = None) -> str | None:
    """Where a provider is asked; None when nothing is said. Has no slash at its end.

    `root` is the path of an interface that is always there: an address without a path gets it, as does one of
    Ollama's own interface. An empty one says that the SDK adds `/v1`, so that an address doesn't have it. Without
    `root` a path is as it was given. What names an endpoint goes back to what it is an endpoint of.
    Raises: ModelError.
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
    """Raises: ValueError, whose words don't show the text."""
    check_signs(text)
    text = NEARLY_SCHEME.sub(r"\1://", text.replace("\\", "/"))
    given = SCHEME.match(text)
    scheme = given[1].lower() if given else ""
    if scheme not in ("", "http", "https"):
        raise ValueError("it begins with another scheme than http:// or https://")
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
    """Raises: ValueError, when an address has what none has."""
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("it has a blank or a line end inside")
    if re.search("[\ud800-\udfff]", text):
        raise ValueError("it has bytes in it that are no text")


def host_of(name: str) -> str:
    """A host as it is connected to. Raises: ValueError."""
    if not name:
        raise ValueError("it has no host")
    if name in EVERYWHERE:
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(name.partition("%")[0]) if "%" not in name else _zoned())
    except ValueError:
        if ":" in name or "%" in name or name.rstrip(".").rpartition(".")[2].isdigit():
            raise ValueError("its host is neither a name nor an IP address") from None
    host = name.lower() if name.isascii() else _ascii(name)
    labels = host.removesuffix(".").split(".")
    if NOT_IN_A_HOST.search(host) or len(host) > 253 or not all(0 < len(label) < 64 for label in labels):
        raise ValueError("its host is neither a name nor an IP address")
    return host if name.isascii() and "xn--" not in host else _ascii(host)


def _ascii(name: str) -> str:
    """A name with letters beyond ASCII as name servers know it. Raises: ValueError."""
    import idna

    try:
        host = idna.encode(name, uts46=True).decode("ascii")
        if host != name:
            return host_of(host)  # other digits than ours are such letters too
        idna.decode(host, display=True)
    except UnicodeError:
        raise ValueError("its host is neither a name nor an IP address") from None
    return host


def _zoned() -> str:
    raise ValueError("an address with a zone")


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
    """Where an OpenAI-compatible interface may be, in the order to try: as it was given, then under `/v1`."""
    return (url,) if urlsplit(url).path else (url, f"{url}/v1")


def shown(url: str | None) -> str:
    """An address without the name and the password that may be in it, to be shown, logged and kept."""
    try:
        parts = urlsplit(url or "")
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return "…"


def without_password(text: str) -> str:
    """An address as it was typed, however wrong, without all that may be a name and a password in it."""
    scheme, found, rest = text.rpartition("://")
    before, at, after = rest.rpartition("@")
    return f"{scheme}{found}{after}" if at and before else text


def place(url: str | None) -> str:
    """The host of an address, with its port where it has one, to be named in a message."""
    return urlsplit(shown(url)).netloc if url else "the provider"


def is_loopback(url: str | None) -> bool:
    """Whether a base URL names this machine; such requests never go through a proxy."""
    try:
        host = urlsplit(url or "").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_near(host: str) -> bool:
    """Whether a host is this machine or one of the same network, as far as its name or number tells."""
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
