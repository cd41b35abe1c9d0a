"""Reads what a provider answered with, whatever its form, into the evidence that classify.py judges."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any, cast

MOST_NODES = 400
MOST_DEPTH = 12
MOST_TEXTS = 20
MOST_CODES = 60
MOST_NESTED = 4
"""How often JSON is looked for in a string of JSON."""
MOST_TEXT = 100_000
HEAD, TAIL = 3000, 1000
"""Characters of one sentence that are looked at, from its start and its end."""
SHORT = 60
"""A code is no longer than twice this; a longer word is something else."""


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


CODE_KEYS = words(
    "code type status reason error_type errortype errorcode error_code errcode kind __type name blockreason "
    "quotaid status_code finish_reason err_code"
)
TEXT_KEYS = words(
    "message msg detail error title description error_description errormessage error_message reason raw "
    "status_msg provider_message body err error_msg blockreasonmessage refusal remedy_hint"
)
INTO_KEYS = words(
    "error errors detail details metadata violations innererror inner_error cause response base_resp data body "
    "result provider_error promptfeedback choices failure exception fault incomplete_details upstream_error extra err"
)
"""The members that are looked into. Others may hold what a person wrote, and that is no evidence."""
NUMBER_KEYS = {
    "n_ctx": "window",
    "context_length": "window",
    "context_window": "window",
    "context_size": "window",
    "max_context_length": "window",
    "max_model_len": "window",
    "n_prompt_tokens": "asked",
    "prompt_tokens": "asked",
    "input_tokens": "asked",
    "requested_tokens": "asked",
}
WAIT_KEYS = words(
    "retrydelay retry_delay retry_after retryafter retry_after_s retry_after_seconds retry_after_ms "
    "estimated_time resets_in_seconds retryafterms"
)
_CODE = re.compile(r"[A-Za-z_][\w.:#/-]{1,120}|\d{3,6}")
_INNER_CODE = re.compile(
    r"""["'](?:code|type|status|reason|error_type)\\?["']\s*:\s*\\?["']?([A-Za-z][\w.-]{2,100}|\d{3,6})"""
)
_HTML = re.compile(r"\s*(?:<!doctype\s+html|<html|<head|<body|<\?xml|<!--)", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)\b[^<>]{0,300}>([^<]{1,1000})<", re.IGNORECASE)


@dataclass(slots=True)
class Said:
    """What an answer says: machine codes, statuses, numbers of tokens, waits, and sentences, the outermost first.

    `page` is set when it was a page for browsers; then `texts` has its title only. `unread` is an answer of which
    nothing is known: something to show, and no evidence.
    """

    codes: list[str] = field(default_factory=list[str])
    base_codes: list[str] = field(default_factory=list[str])
    statuses: list[int] = field(default_factory=list[int])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    waits: list[tuple[str, object]] = field(default_factory=list[tuple[str, object]])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    texts: list[str] = field(default_factory=list[str])
    unread: str = ""
    page: bool = False
    _nodes: int = 0


def read(body: object, headers: Mapping[str, str]) -> Said:
    """The evidence in an answer. Never fails: what can't be read is left out."""
    said = Said(headers={str(name).lower()[:100]: str(value)[:300] for name, value in headers.items()})
    if isinstance(body, bytes | bytearray):
        body = bytes(body[:MOST_TEXT]).decode("utf-8", "replace")
    if amazon := said.headers.get("x-amzn-errortype"):
        said.codes.append(amazon.partition(":")[0])
    if isinstance(body, str):
        _read_text(body[:MOST_TEXT], said)
    elif body is not None:
        _walk(body, said, 0, 0)
        if not said.texts and not said.codes:
            said.unread = _as_text(body)
    return said


def _read_text(text: str, said: Said) -> None:
    text = text.lstrip("\ufeff \t\r\n")
    while text[:5] in ("data:", "event"):  # one event of a stream
        line, _, rest = text.partition("\n")
        text = line[5:].strip() if line.startswith("data:") else rest.lstrip()
    if _HTML.match(text) or "text/html" in said.headers.get("content-type", "").lower():
        said.page = True
        said.texts.append(page_words(text))
    else:
        _add_text(text, said, 0, 0)


def page_words(page: str) -> str:
    """A page's title, or its first words."""
    found = {name.lower(): words for name, words in reversed(_TITLE.findall(page[:20_000]))}
    words = found.get("title", "").strip() or found.get("h1", "")
    if not words:
        bare = re.sub(r"<(script|style)\b.{0,8000}?</\1\s*>", " ", page[:8_000], flags=re.IGNORECASE | re.DOTALL)
        words = re.sub(r"<[^<>]{0,2000}>", " ", bare)
    return " ".join(unescape(words).split())[:300]


def _walk(value: object, said: Said, depth: int, nested: int) -> None:
    """Take what is known out of a value and of those within it."""
    said._nodes += 1
    if depth > MOST_DEPTH or said._nodes > MOST_NODES:
        return
    if isinstance(value, str):
        _add_text(value, said, depth, nested)
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value)[:20]:
            _walk(item, said, depth + 1, nested)
    elif isinstance(value, Mapping):
        members = list(cast("Mapping[object, object]", value).items())[:100]
        place, what = cast("Mapping[str, object]", value).get("loc"), cast("Mapping[str, object]", value).get("msg")
        if isinstance(place, list) and isinstance(what, str):  # FastAPI: what is wrong, and with which field
            said.texts.append(f"{what[:200]}: {'.'.join(str(part)[:40] for part in cast('list[object]', place)[:8])}")
            return
        for key, item in members:
            _take(str(key)[:SHORT], item, said, depth, nested)


def _take(key: str, item: object, said: Said, depth: int, nested: int) -> None:
    name = key.lower()
    if name in NUMBER_KEYS and isinstance(item, int | str) and not isinstance(item, bool):
        if (number := tokens(item)) is not None:
            said.numbers.setdefault(NUMBER_KEYS[name], number)
    elif name in WAIT_KEYS:
        seconds = cast("Mapping[str, object]", item).get("seconds") if isinstance(item, Mapping) else item
        said.waits.append((name, seconds))
    elif name == "headers" and isinstance(item, Mapping):
        for header, text in list(cast("Mapping[object, object]", item).items())[:50]:
            said.headers.setdefault(str(header).lower()[:100], str(text)[:300])
    elif isinstance(item, str):
        if name in CODE_KEYS and len(item) <= 2 * SHORT and _CODE.fullmatch(item.strip()):
            _add_code(name, item.strip(), said)
        elif name in TEXT_KEYS or (name == "param" and " " in item.strip()):
            _add_text(item, said, depth, nested)
    elif isinstance(item, int) and not isinstance(item, bool):
        if name in CODE_KEYS and 0 <= item < 1_000_000:
            _add_code(name, str(item), said)
    elif name in INTO_KEYS or name in TEXT_KEYS:
        _walk(item, said, depth + 1, nested)


def _add_code(name: str, code: str, said: Said) -> None:
    if len(said.codes) + len(said.base_codes) + len(said.statuses) >= MOST_CODES:
        return
    if code.isdecimal():
        if 400 <= int(code) <= 599:
            said.statuses.append(int(code))
            return
        if name == "status_code":
            said.base_codes.append(code)
            return
    said.codes.append(code.rpartition("#")[2])


def _add_text(text: str, said: Said, depth: int, nested: int) -> None:
    """Keep a sentence, and read the JSON that it carries."""
    text = text.strip()
    if len(said.texts) >= MOST_TEXTS:
        return
    start = re.search(r"[\[{]\s*[\[{\"]", text[:MOST_TEXT]) if nested < MOST_NESTED else None
    inner = _json_in(text, start.start()) if start else None
    if inner is not None and start is not None:
        before, count = text[: start.start()].strip(), len(said.texts)
        _walk(inner, said, depth + 1, nested + 1)
        if len(said.texts) > count or said.codes:
            text = before
    if text:
        text = text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} … {text[-TAIL:]}"
        said.texts.append(text)
        for code in _INNER_CODE.findall(text):
            _add_code("code", code, said)


def _json_in(text: str, start: int) -> Any:
    """The JSON that begins there; None where there is none, or it is not whole."""
    try:
        return json.JSONDecoder().raw_decode(text[:MOST_TEXT], start)[0]
    except (ValueError, RecursionError):
        return None


def tokens(value: int | str) -> int | None:
    """A count of tokens, above 0 and below a thousand million; None when it is something else."""
    digits = str(value).replace(",", "").strip() if isinstance(value, str) else value
    if isinstance(digits, str):
        if not re.fullmatch(r"[0-9]{1,10}", digits):
            return None
        digits = int(digits)
    return digits if 0 < digits < 1_000_000_000 else None


def _as_text(body: object) -> str:
    """A form that nobody knows, as it is: for people to read."""
    try:
        return json.dumps(body, ensure_ascii=False, default=str)[:HEAD]
    except (ValueError, TypeError, RecursionError):
        return type(body).__name__
