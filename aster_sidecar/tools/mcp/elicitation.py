"""What an MCP server asks a person (elicitation), as a form of this program, and the answers in the protocol's form.

A form is taken only if every field of it can be shown as it is meant. One that asks for a secret is refused: what a
person enters in a form reaches the server's program, and may reach a model.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from pydantic import ValidationError

from aster_sidecar.asking.forms import MOST_FIELDS, MOST_OPTIONS, TEXT_CHARS, Form, wrong_with
from aster_sidecar.contract import wire
from aster_sidecar.telemetry.secret_words import SECRET_WORDS
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import QuestionEnd

if TYPE_CHECKING:
    from mcp.types import ElicitRequestFormParams, ElicitRequestURLParams, ElicitResult

MESSAGE_CHARS = 2000
TEXT_MOST = 1000
"""The most characters of a field's title and description that are shown, and of an option."""
NAME_CHARS = 200
WRONG_CHARS = 500
FORM_BYTES = 64 * 1024
URL_CHARS = 4000
FORMATS = ("email", "uri", "date", "date-time")

_STRUCTURE = ("$ref", "allOf", "not", "if", "const", "properties", "patternProperties", "prefixItems")
"""Keywords with which a field may mean anything."""


class Unaskable(Exception):
    """A server's question that no person is asked; the server reads `str(error)`."""


def form_of(params: ElicitRequestFormParams | ElicitRequestURLParams, server: str) -> Form:
    """A server's question as a form. Raises: Unaskable."""
    reason = cut(visible(params.message[: 2 * MESSAGE_CHARS]), MESSAGE_CHARS)
    if params.mode == "url":
        return Form((), reason, server, _address(params.url))
    return Form(_fields(params.requested_schema, params.message), reason, server)


def result_of(end: QuestionEnd, *, url: bool) -> ElicitResult:
    """How a question ended, for the server. `url`: it was about an address, so that there is no content."""
    from mcp.types import ElicitResult

    match end.outcome:
        case "answered":
            return ElicitResult(action="accept", content=None if url else _content(end.answers))
        case "declined":
            return ElicitResult(action="decline")
        case _:
            return ElicitResult(action="cancel")


def _content(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers, with whole numbers as such: a client may send 3 as 3.0."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in answers.items()
    }


# -- addresses ---------------------------------------------------------------------------------------------------------


def _address(url: str) -> str:
    """The address in ASCII, so that all of it is visible, and a name in another script can't look like a known one.

    Raises: Unaskable.
    """
    if len(url) > URL_CHARS:
        raise Unaskable(f"the URL is longer than {URL_CHARS} characters")
    if any(char.isspace() or not char.isprintable() or char in '\\"<>^`{|}' for char in url if char.isascii()):
        raise Unaskable("the URL has characters that are not allowed in one")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or ""), parts.port
        if not host.isascii():
            host = host.encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise Unaskable("the URL is not valid") from error
    if not host:
        raise Unaskable("the URL has to be an https address with a host")
    if "@" in parts.netloc:
        raise Unaskable("the URL must not have a user name or a password in it")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise Unaskable("the URL has to begin with https:// (http:// only for this machine)")
    place = f"[{host}]" if ":" in host else host
    rest = url.partition("://")[2][len(parts.netloc) :]
    return f"{parts.scheme}://{place}{'' if port is None else f':{port}'}{quote(rest, safe=_ASCII)}"


_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# -- forms -------------------------------------------------------------------------------------------------------------


def _fields(schema: Mapping[str, Any], message: str) -> tuple[wire.QuestionField, ...]:
    """The fields of a requested schema. Raises: Unaskable."""
    properties: Any = schema.get("properties")
    required: Any = schema.get("required") or []
    if schema.get("type") != "object" or not isinstance(properties, dict):
        raise Unaskable("requestedSchema has to be the schema of an object with properties")
    if not isinstance(required, list) or not all(isinstance(name, str) for name in cast("list[Any]", required)):
        raise Unaskable("requestedSchema: required has to be a list of names")
    known = cast("dict[Any, Any]", properties)
    if len(known) > MOST_FIELDS:
        raise Unaskable(f"a form has at most {MOST_FIELDS} fields; this one has {len(known)}")
    fields = [_field(name, one, required=name in required) for name, one in known.items()]
    writes = any(field.kind in ("text", "number") for field in fields)
    about = [message, *(schema[key] for key in ("title", "description") if isinstance(schema.get(key), str))]
    if writes and any(_STRONG.search(_plain(words)) for words in about):
        raise _secret()
    if (wrong := wrong_with(fields)) is not None:
        raise Unaskable(cut(visible(wrong), WRONG_CHARS))
    if len(json.dumps([field.model_dump(exclude_defaults=True) for field in fields])) > FORM_BYTES:
        raise Unaskable(f"the form is larger than {sized(FORM_BYTES)}")
    return tuple(fields)


def _field(name: Any, told: Any, *, required: bool) -> wire.QuestionField:
    """A property as a field. Raises: Unaskable."""
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS or not name.isprintable():
        raise Unaskable("the name of a property is not a short visible text")
    if not isinstance(told, dict):
        raise Unaskable(f"{name}: its schema has to be an object")
    given = cast("dict[str, Any]", told)
    title, description = (_text(name, given, key) for key in ("title", "description"))
    for key in _STRUCTURE:
        if key in given:
            raise Unaskable(f"{name}: {key} is not supported in a form")
    kind, more = _kind(name, given)
    if given.get("format") == "password" or given.get("writeOnly") is True:
        raise _secret(name)
    if kind in ("text", "number") and (_is_secret_name(name) or any(map(_is_secret_prose, (title, description)))):
        raise _secret(name)
    label = cut(visible(title or name, newlines=False), TEXT_MOST)
    explained = cut(visible(description, newlines=False), TEXT_MOST)
    default: Any = given.get("default")
    try:
        return wire.QuestionField(
            id=name,
            text=f"{label}: {explained}" if explained and explained != label else label,
            kind=kind,
            default=None if default == "" else default,
            required=required,
            **more,
        )
    except ValidationError as error:
        raise Unaskable(f"{name}: its schema is not valid") from error


def _text(name: str, given: Mapping[str, Any], key: str) -> str:
    found = given.get(key)
    if found is not None and not isinstance(found, str):
        raise Unaskable(f"{name}: {key} has to be a text")
    return found or ""


def _kind(name: str, given: Mapping[str, Any]) -> tuple[wire.QuestionKind, dict[str, Any]]:
    """The kind of a field, and what limits its answers. Raises: Unaskable."""
    kind = given.get("type")
    if any(key in given for key in ("enum", "oneOf", "anyOf")):
        if kind not in (None, "string"):
            raise Unaskable(f"{name}: a choice has to be between texts")
        return "choice", _choices(name, given)
    match kind:
        case "string":
            if given.get("format") not in (None, *FORMATS, "password"):
                raise Unaskable(f"{name}: the format has to be one of: {', '.join(FORMATS)}")
            shape = given.get("format")
            more = {"format": shape} if shape in FORMATS else {}
            return "text", {**_lengths(name, given, "minLength", "maxLength"), **more}
        case "number" | "integer":
            return "number", {**_bounds(name, given), "whole": kind == "integer"}
        case "boolean":
            return "boolean", {}
        case "array":
            items: Any = given.get("items")
            if not isinstance(items, dict) or not any(key in items for key in ("enum", "oneOf", "anyOf")):
                raise Unaskable(f"{name}: the items of a list have to be a choice between texts")
            return "multi", {
                **_choices(name, cast("dict[str, Any]", items)),
                **_lengths(name, given, "minItems", "maxItems"),
            }
        case _:
            raise Unaskable(f"{name}: the type has to be string, number, integer, boolean, or an array of choices")


def _choices(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options, and what is shown instead of them. Raises: Unaskable."""
    pairs = list(_options(name, given))
    options = [option for option, _ in pairs]
    if not 0 < len(options) <= MOST_OPTIONS or len(set(options)) < len(options):
        raise Unaskable(f"{name}: it has to have 1 to {MOST_OPTIONS} options, each once")
    shown = [cut(visible(label, newlines=False), TEXT_MOST) for _, label in pairs]
    # Two options must not look the same.
    labels = [
        label if shown.count(label) == 1 else f"{label} ({cut(visible(option, newlines=False), TEXT_MOST)})"
        for label, option in zip(shown, options, strict=True)
    ]
    return {"options": options, **({"labels": labels} if labels != options else {})}


def _options(name: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each option, and what is shown instead of it. Raises: Unaskable."""
    titled: Any = given.get("oneOf", given.get("anyOf"))
    if titled is not None:
        for one in cast("list[Any]", titled) if isinstance(titled, list) else [None]:
            option: Any = cast("dict[str, Any]", one).get("const") if isinstance(one, dict) else None
            label: Any = cast("dict[str, Any]", one).get("title", option) if isinstance(one, dict) else None
            if not isinstance(option, str) or not isinstance(label, str):
                raise Unaskable(f"{name}: each option has to have a const and a title, which are texts")
            yield _bounded(name, option), label or option
        return
    options: Any = given.get("enum")
    labels: Any = given.get("enumNames")
    labels = options if labels is None else labels
    if not isinstance(options, list) or not isinstance(labels, list):
        raise Unaskable(f"{name}: enum has to be a list of texts")
    values, names = cast("list[Any]", options), cast("list[Any]", labels)
    if len(values) != len(names) or not all(isinstance(one, str) for one in (*values, *names)):
        raise Unaskable(f"{name}: enum has to be a list of texts, and enumNames as long as it")
    for value, label in zip(values, names, strict=True):
        yield _bounded(name, value), label or value


def _bounded(name: str, option: str) -> str:
    if not option or len(option) > TEXT_MOST:
        raise Unaskable(f"{name}: an option has 1 to {TEXT_MOST} characters")
    return option


def _lengths(name: str, given: Mapping[str, Any], least: str, most: str) -> dict[str, Any]:
    """The limits of a length. Raises: Unaskable."""
    found: dict[str, int | None] = {}
    for key in (least, most):
        value = given.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise Unaskable(f"{name}: {key} has to be a whole number from 0 up")
        found[key] = value
    shortest, longest = found[least], found[most]
    if longest is not None and longest >= TEXT_CHARS:
        longest = None  # no answer is longer
    if (shortest or 0) > (TEXT_CHARS if longest is None else longest):
        raise Unaskable(f"{name}: no answer has the lengths that it allows")
    return {"min_length": shortest or None, "max_length": longest}


def _bounds(name: str, given: Mapping[str, Any]) -> dict[str, float]:
    """The limits of a number. Raises: Unaskable."""
    found: dict[str, float] = {}
    for key in ("minimum", "maximum"):
        value = given.get(key)
        if value is None:
            continue
        try:
            number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        except OverflowError:
            number = math.nan
        if not math.isfinite(number):
            raise Unaskable(f"{name}: {key} has to be a number")
        found[key] = number
    if found.get("minimum", -math.inf) > found.get("maximum", math.inf):
        raise Unaskable(f"{name}: no number is within its limits")
    return found


# -- secrets -----------------------------------------------------------------------------------------------------------

_NAMED = frozenset(word for word in SECRET_WORDS if not word.startswith("_"))
_ENDINGS = tuple(word for word in SECRET_WORDS if word.startswith("_"))
_WITHIN = ("PASSW", "PASSPHRASE", "PASSCODE", "CREDENTIAL", "COOKIE")
"""Parts of words that occur in no other word."""
_AT_END = ("KEY", "TOKEN", "SECRET", "OAUTH")
"""Ends of words that are written without a space, such as `apikey`."""
_INNOCENT = frozenset(("MONKEY", "DONKEY", "TURKEY", "HOCKEY", "JOCKEY", "WHISKEY"))
_CODES = frozenset(("PIN", "OTP", "TOTP", "2FA", "CVV", "CVC"))
_SHORT = frozenset(("PASS", "PWD"))
"""Those that mean a secret in a name."""
_PROSE = _NAMED - {"PRIVATE", "HEADERS"}
"""Those that mean a secret also in a sentence."""
_OTHER_LANGUAGES = (
    "KENNWORT",
    "CONTRASEÑA",
    "MOT DE PASSE",
    "SENHA",
    "ПАРОЛЬ",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
)
_STRONG = re.compile(
    "|".join((*_WITHIN, *_OTHER_LANGUAGES, r"\b(API|ACCESS|SECRET|PRIVATE)[ _-]?(KEY|TOKEN)", r"\bTOTP\b", r"\bCVV\b"))
)


def _secret(name: str | None = None) -> Unaskable:
    what = f"{name}: " if name is not None else ""
    return Unaskable(
        f"{what}a form must not ask for a secret, such as a password, a key or a token; ask with mode url, or let the "
        "person put it into the settings of the server"
    )


def _plain(text: str) -> str:
    """The text in capitals, without characters that hide in words, and in the usual form of its letters."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(char for char in folded if unicodedata.category(char) != "Cf").upper()


def _words(text: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", unicodedata.normalize("NFKC", text))
    return re.findall(r"[^\W_]+", _plain(apart))


def _is_secret_name(name: str) -> bool:
    words = _words(name)
    joined = "".join(words)  # as in passWord
    return (
        "_".join(words).endswith(_ENDINGS)
        or any(part in joined for part in _WITHIN)
        or not _SHORT.isdisjoint(words)
        or _has_secret(name, _NAMED)
    )


def _is_secret_prose(text: str) -> bool:
    return _has_secret(text, _PROSE)


def _has_secret(text: str, words: frozenset[str]) -> bool:
    return any(other in _plain(text) for other in _OTHER_LANGUAGES) or any(
        word in words
        or word.removesuffix("S") in words
        or word in _CODES
        or any(part in word for part in _WITHIN)
        or (word.removesuffix("S").endswith(_AT_END) and word.removesuffix("S") not in _INNOCENT)
        for word in _words(text)
    )
