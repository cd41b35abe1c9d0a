"""Collects the evidence in a provider's refusal, whatever its form, for classify.py to judge."""

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
"""How many levels of JSON inside JSON strings are parsed."""
MOST_TEXT = 100_000
HEAD, TAIL = 3000, 1000
"""How many characters of one sentence are kept, from its start and its end."""
SHORT = 60
"""Longest key of a member; a code has at most twice as many characters."""


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
"""The members that are searched. Others may hold a user's text, which is not evidence."""
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
class Evidence:
    """What an answer contains: machine codes, statuses, numbers of tokens, waits, and sentences, the outermost first.

    `page` is set for an HTML page; `texts` then has its title only. `unread` is an answer of unknown form: it is shown
    and is not evidence.
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


def read(body: object, headers: Mapping[str, str]) -> Evidence:
    """The evidence in an answer. Never raises: what cannot be parsed is left out."""
    evidence = Evidence(headers={str(name).lower()[:100]: str(value)[:300] for name, value in headers.items()})
    if isinstance(body, bytes | bytearray):
        body = bytes(body[:MOST_TEXT]).decode("utf-8", "replace")
    if amazon := evidence.headers.get("x-amzn-errortype"):
        evidence.codes.append(amazon.partition(":")[0])
    if isinstance(body, str):
        _read_text(body[:MOST_TEXT], evidence)
    elif body is not None:
        _walk(body, evidence, 0, 0)
        if not evidence.texts and not evidence.codes:
            evidence.unread = _as_text(body)
    return evidence


def _read_text(text: str, evidence: Evidence) -> None:
    text = text.lstrip("\ufeff \t\r\n")
    while text[:5] in ("data:", "event"):  # one event of a stream
        line, _, rest = text.partition("\n")
        text = line[5:].strip() if line.startswith("data:") else rest.lstrip()
    if _HTML.match(text) or "text/html" in evidence.headers.get("content-type", "").lower():
        evidence.page = True
        evidence.texts.append(page_words(text))
    else:
        _add_text(text, evidence, 0, 0)


def page_words(page: str) -> str:
    """An HTML page's title, or its first words."""
    found = {name.lower(): words for name, words in reversed(_TITLE.findall(page[:20_000]))}
    words = found.get("title", "").strip() or found.get("h1", "")
    if not words:
        bare = re.sub(r"<(script|style)\b.{0,8000}?</\1\s*>", " ", page[:8_000], flags=re.IGNORECASE | re.DOTALL)
        words = re.sub(r"<[^<>]{0,2000}>", " ", bare)
    return " ".join(unescape(words).split())[:300]


def _walk(value: object, evidence: Evidence, depth: int, nested: int) -> None:
    """Collect evidence from a value and the values in it."""
    evidence._nodes += 1
    if depth > MOST_DEPTH or evidence._nodes > MOST_NODES:
        return
    if isinstance(value, str):
        _add_text(value, evidence, depth, nested)
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value)[:20]:
            _walk(item, evidence, depth + 1, nested)
    elif isinstance(value, Mapping):
        members = list(cast("Mapping[object, object]", value).items())[:100]
        place, what = cast("Mapping[str, object]", value).get("loc"), cast("Mapping[str, object]", value).get("msg")
        if isinstance(place, list) and isinstance(what, str):  # FastAPI: the message and the field
            evidence.texts.append(
                f"{what[:200]}: {'.'.join(str(part)[:40] for part in cast('list[object]', place)[:8])}"
            )
            return
        for key, item in members:
            _take(str(key)[:SHORT], item, evidence, depth, nested)


def _take(key: str, item: object, evidence: Evidence, depth: int, nested: int) -> None:
    """Collect evidence from a member of an object, according to its name and its type."""
    name = key.lower()
    if name in NUMBER_KEYS:
        _add_number(name, item, evidence)
    elif name in WAIT_KEYS:
        seconds = cast("Mapping[str, object]", item).get("seconds") if isinstance(item, Mapping) else item
        evidence.waits.append((name, seconds))
    elif name == "headers":
        _add_headers(item, evidence)
    elif isinstance(item, str):
        _add_words(name, item, evidence, depth, nested)
    elif isinstance(item, int) and not isinstance(item, bool):
        if name in CODE_KEYS and 0 <= item < 1_000_000:
            _add_code(name, str(item), evidence)
    elif name in INTO_KEYS or name in TEXT_KEYS:
        _walk(item, evidence, depth + 1, nested)


def _add_number(name: str, item: object, evidence: Evidence) -> None:
    """Keep a number of tokens, unless an outer object had it."""
    if isinstance(item, int | str) and not isinstance(item, bool) and (number := tokens(item)) is not None:
        evidence.numbers.setdefault(NUMBER_KEYS[name], number)


def _add_headers(item: object, evidence: Evidence) -> None:
    """Keep headers that a gateway put into the body, unless the response has them itself."""
    if isinstance(item, Mapping):
        for header, text in list(cast("Mapping[object, object]", item).items())[:50]:
            evidence.headers.setdefault(str(header).lower()[:100], str(text)[:300])


def _add_words(name: str, item: str, evidence: Evidence, depth: int, nested: int) -> None:
    """Keep a string as a code or as a sentence."""
    if name in CODE_KEYS and len(item) <= 2 * SHORT and _CODE.fullmatch(item.strip()):
        _add_code(name, item.strip(), evidence)
    elif name in TEXT_KEYS or (name == "param" and " " in item.strip()):
        _add_text(item, evidence, depth, nested)


def _add_code(name: str, code: str, evidence: Evidence) -> None:
    if len(evidence.codes) + len(evidence.base_codes) + len(evidence.statuses) >= MOST_CODES:
        return
    if code.isdecimal():
        if 400 <= int(code) <= 599:
            evidence.statuses.append(int(code))
            return
        if name == "status_code":
            evidence.base_codes.append(code)
            return
    evidence.codes.append(code.rpartition("#")[2])


def _add_text(text: str, evidence: Evidence, depth: int, nested: int) -> None:
    """Keep a sentence, and collect evidence from JSON inside it."""
    text = text.strip()
    if len(evidence.texts) >= MOST_TEXTS:
        return
    start = re.search(r"[\[{]\s*[\[{\"]", text[:MOST_TEXT]) if nested < MOST_NESTED else None
    inner = _json_in(text, start.start()) if start else None
    if inner is not None and start is not None:
        before, count = text[: start.start()].strip(), len(evidence.texts)
        _walk(inner, evidence, depth + 1, nested + 1)
        if len(evidence.texts) > count or evidence.codes:
            text = before
    if text:
        text = text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} … {text[-TAIL:]}"
        evidence.texts.append(text)
        for code in _INNER_CODE.findall(text):
            _add_code("code", code, evidence)


def _json_in(text: str, start: int) -> Any:
    """The JSON value at a position; None when there is none or it is incomplete."""
    try:
        return json.JSONDecoder().raw_decode(text[:MOST_TEXT], start)[0]
    except (ValueError, RecursionError):
        return None


def tokens(value: int | str) -> int | None:
    """A count of tokens, above 0 and below a thousand million; None for anything else."""
    digits = str(value).replace(",", "").strip() if isinstance(value, str) else value
    if isinstance(digits, str):
        if not re.fullmatch(r"[0-9]{1,10}", digits):
            return None
        digits = int(digits)
    return digits if 0 < digits < 1_000_000_000 else None


def _as_text(body: object) -> str:
    """An answer of unknown form as JSON, to be shown."""
    try:
        return json.dumps(body, ensure_ascii=False, default=str)[:HEAD]
    except (ValueError, TypeError, RecursionError):
        return type(body).__name__
