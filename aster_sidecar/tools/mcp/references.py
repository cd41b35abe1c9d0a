"""References in the settings of an MCP server, which are replaced by their values when the server is started.

`${env:NAME}` is a variable of the daemon's environment, `${secret:NAME}` a saved secret, and `$${` a literal `${`. They
may stand in arguments, in the values of variables and headers, and in the address. A value that is put in place of a
reference is not searched for references.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.naming import shown_name

if TYPE_CHECKING:
    from aster_sidecar.tools.mcp.config import ServerSpec

Kind = Literal["env", "secret"]

SECRET_NAME_CHARS = 128
_NAMES = {
    "env": re.compile(r"[A-Za-z_][A-Za-z0-9_()]{0,199}"),
    "secret": re.compile(rf"[A-Za-z0-9_./-]{{1,{SECRET_NAME_CHARS}}}"),
}
_OWN_TOKEN = "ASTER_SIDECAR_TOKEN"
_LITERAL = "$${ is a literal ${"


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a variable of the daemon's environment, or to a saved secret."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"${{{self.kind}:{self.name}}}"


class Unresolved(ToolError):
    """A server can't be started, because a reference has no value, or a value that is not allowed where it stands.

    The message names the keys, and never a value. `missing`: the references without a value.
    """

    def __init__(self, message: str, missing: tuple[Reference, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


def parts(text: str) -> list[str | Reference]:
    """The text as literal pieces, in which `$${` has become `${`, and references.

    Raises: PydanticCustomError (a ValueError) for a malformed reference; its message shows nothing of the text.
    """
    found: list[str | Reference] = []
    literal = ""
    at = 0
    while (start := text.find("${", at)) >= 0:
        if start > at and text[start - 1] == "$":
            literal += text[at : start - 1] + "${"
            at = start + 2
            continue
        literal += text[at:start]
        end = text.find("}", start)
        if end < 0:
            raise PydanticCustomError("reference", f"has a reference without a closing bracket; {_LITERAL}")
        if literal:
            found.append(literal)
            literal = ""
        found.append(_reference(text[start + 2 : end]))
        at = end + 1
    literal += text[at:]
    return [*found, literal] if literal else found


def references_in(text: str) -> list[Reference]:
    """The references in a text, in their order. Raises: PydanticCustomError, as `parts`."""
    return [part for part in parts(text) if isinstance(part, Reference)]


def secret_names(settings: Any) -> set[str]:
    """The names of the secrets to which any text in these settings refers, also in settings that are not valid."""
    if isinstance(settings, str):
        return set(re.findall(r"\$\{secret:([^}]*)\}", settings))
    if isinstance(settings, Mapping):
        settings = list(cast("Mapping[str, Any]", settings).values())
    inside = cast("list[Any]", settings) if isinstance(settings, list) else []
    return {name for one in inside for name in secret_names(one)}


def checked(text: str) -> str:
    """The text itself: a validator for pydantic. Raises: PydanticCustomError for a malformed reference."""
    parts(text)
    return text


def escaped(text: str) -> str:
    """The text with which a setting means exactly `text`: `${` becomes `$${`."""
    return text.replace("${", "$${")


def literal(text: str) -> str:
    """The inverse of `escaped`: the value of a setting without references.

    Raises: PydanticCustomError, as `parts`; ValueError when there is a reference.
    """
    if references_in(text):
        raise ValueError("the text has references")
    return "".join(str(part) for part in parts(text))


def resolved(spec: ServerSpec, env: Mapping[str, str], secret: Callable[[str], str | None]) -> ServerSpec:
    """The server with values in place of references.

    `env` must be the daemon's own environment, without the keys of providers that are saved in the keychain. `secret`
    returns a saved secret, or None. Raises: Unresolved.
    """
    resolving = _Resolving(env, secret)
    changes: dict[str, Any] = {
        "args": tuple(resolving.text(f"argument {place}", arg) for place, arg in enumerate(spec.args, 1)),
        "env": {name: resolving.text(f"env {shown_name(name)}", value) for name, value in spec.env.items()},
        "headers": {name: resolving.header(name, value) for name, value in spec.headers.items()},
        "url": None if spec.url is None else resolving.address(spec.url),
    }
    if resolving.problems:
        raise Unresolved(f"{spec.name}: {'; '.join(resolving.problems)}", tuple(dict.fromkeys(resolving.missing)))
    # Not validated again: a value may contain "${", which is no reference there.
    return spec.model_copy(update={key: value for key, value in changes.items() if value != getattr(spec, key)})


class _Resolving:
    """Replaces references, and collects what is wrong."""

    def __init__(self, env: Mapping[str, str], secret: Callable[[str], str | None]) -> None:
        self._env = env
        self._secret = secret
        self.problems: list[str] = []
        self.missing: list[Reference] = []

    def text(self, where: str, text: str) -> str:
        """The text with values in place of references; it is not complete if a problem was added."""
        try:
            pieces = parts(text)
        except PydanticCustomError as error:
            self.problems.append(f"{where} {error.message()}")
            return text
        whole = "".join(piece if isinstance(piece, str) else self._value(where, piece) for piece in pieces)
        if "\0" in whole:
            self.problems.append(f"{where} contains NUL after references were replaced")
        return whole

    def header(self, name: str, text: str) -> str:
        """The value of a header, as `text`; it must be printable ASCII, so that it can't add another header."""
        where = f"headers {shown_name(name)}"
        count = len(self.problems)
        value = self.text(where, text)
        if len(self.problems) == count and not (value.isascii() and value.isprintable()):
            self.problems.append(f"{where} is not printable ASCII after references were replaced")
        return value

    def address(self, text: str) -> str:
        """The address, as `text`; it must be an http:// or https:// address."""
        count = len(self.problems)
        value = self.text("url", text)
        if len(self.problems) == count and value != text and not is_address(value):
            self.problems.append("url is not an http:// or https:// address after references were replaced")
        return value

    def _value(self, where: str, reference: Reference) -> str:
        """The value of a reference; "" when it has none."""
        value = self._env.get(reference.name) if reference.kind == "env" else self._secret(reference.name)
        if value is None:
            what = "the variable {} is not set" if reference.kind == "env" else "the secret {} is not saved"
            self.problems.append(f"{where}: {what.format(reference.name)}")
            self.missing.append(reference)
        return value or ""


def is_address(url: str) -> bool:
    """Whether a URL is an http:// or https:// address without blanks and control characters."""
    try:
        split = urlsplit(url)
        good = split.scheme in ("http", "https") and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        return False
    return good and url.isprintable() and " " not in url


def sample(url: str) -> str:
    """An address with `1` in place of references, which fits a host, a port and a path.

    Raises: PydanticCustomError, as `parts`.
    """
    pieces = parts(url)
    if pieces and isinstance(pieces[0], Reference):  # it may contain the scheme
        return "http://1"
    return "".join("1" if isinstance(part, Reference) else part for part in pieces)


def _reference(inside: str) -> Reference:
    """The reference with this text between its brackets. Raises: PydanticCustomError."""
    kind, colon, name = inside.partition(":")
    if not colon or kind not in _NAMES:
        raise PydanticCustomError(
            "reference", f"has a reference that is neither ${{env:NAME}} nor ${{secret:NAME}}; {_LITERAL}"
        )
    if not name:
        raise PydanticCustomError("reference", "has a reference without a name")
    if _NAMES[kind].fullmatch(name) is None:
        what = "a variable" if kind == "env" else "a secret"
        raise PydanticCustomError("reference", f"has a reference with a name that {what} can't have")
    if kind == "env" and name.upper() == _OWN_TOKEN:  # Windows does not distinguish cases
        raise PydanticCustomError("reference", f"refers to {_OWN_TOKEN}, which is only for the daemon's clients")
    return Reference(cast("Kind", kind), name)
