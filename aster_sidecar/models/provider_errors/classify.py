"""Turns a provider's refusal, in whatever form, into one typed error with a code and a hint."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from aster_sidecar.errors import Refused
from aster_sidecar.models.provider_errors.body import Evidence, read, tokens
from aster_sidecar.models.provider_errors.kinds import HINTS_BY_PROVIDER, KINDS
from aster_sidecar.models.provider_errors.waits import wait_s
from aster_sidecar.models.provider_errors.words import (
    ASKED,
    BASE_NUMBERS,
    CODES,
    KIND_OF,
    NO_CREDIT,
    NUMBERS,
    PER_DAY,
    PER_MINUTE,
    SENTENCES,
    STATUS_OF,
    WINDOW,
    plain,
)
from aster_sidecar.telemetry.redaction import MASK, SECRET_SHAPES
from aster_sidecar.text.repair import cut

MOST_WORDS = 300
MOST_NAME = 200


KEYS = re.compile(
    r"\bsk-[\w*.-]{4,}|\b(?:gsk_|xai-|pplx-|csk-|nvapi-|tgp_v1_)[\w*-]{8,}|\b[0-9a-f]{32}\.[A-Za-z0-9]{16}\b"
    r"""|(?i:\bkey(?: provided| hash)?(?: \(token\))?\s*[:=]\s*["']?)(?=[^\s"',;}]*[\d*])[^\s"',;}]{8,}"""
)
"""API keys, including those that the provider masked in part."""
ECHOES = re.compile(
    r"""; ?messages ?= ?\[|\binput(?:_value)?['"]? ?[=:] ?['"{\[]"""
    r"""|\b(?:got|received|invalid value|content|text|prompt)['"]? ?[:=]? ?['"“]"""
    # The name of a field or of a type of content is no quotation of what somebody wrote.
    r"""(?! ?(?:(?:input_)?(?:text|image|image_url|file)['"]|(?:: ?['"])?content['"] objects|objects\b"""
    r"""|:? ?value must be|content type\b))""",
    re.IGNORECASE,
)
"""Where a provider starts to quote the request."""


def understand(
    status: int | None,
    body: object,
    headers: Mapping[str, str],
    *,
    name: str,
    key_variable: str | None = None,
    base_variable: str | None = None,
) -> Refused:
    """The error for a provider's refusal. Never raises.

    `status` is None or 200 for an error inside an answer that had begun. `body` is parsed JSON, text, bytes or None.
    `name` is the model's name; the variables are those of its key and base URL, for the hint.
    """
    evidence = read(body, headers)
    provider, _, model = name.partition(":")
    sentences = [clipped(text, model) for text in evidence.texts]
    effective = _effective(status, evidence)
    kind = _kind(effective, evidence, sentences)
    window_tokens, asked_tokens = _tokens(evidence, sentences) if kind == "context" else (None, None)
    what = KINDS[kind]
    after_s = wait_s(evidence.headers, evidence.waits, evidence.texts)
    after_s = None if kind == "too_large_for_rate" else after_s
    words = shown(_words(evidence))
    message = what.message + _numbers(window_tokens, asked_tokens)
    if evidence.page and kind != "proxy":
        message += " (an HTML page of a proxy or gateway)" if (effective or 0) >= 500 else " (an HTML page)"
    hint = HINTS_BY_PROVIDER.get((kind, provider), what.hint)
    if kind == "tools" and "--enable-auto-tool-choice" in words:
        hint = f"start the server with --enable-auto-tool-choice and --tool-call-parser, or {hint}"
    fill = {
        "key": key_variable or "the key",
        "base": base_variable or "the base URL",
        "model": shown(model, 100) or "MODEL",
        "wait": f" for {after_s:g} s" if after_s else "",
    }
    return Refused(
        what.code,
        f"{shown(name, MOST_NAME)}: {message}" + (f": {words}" if words else ""),
        hint=hint.format(**fill),
        retryable=what.retryable,
        retry_after_s=after_s,
        provider_status=status if status and status >= 400 else None,
        window_tokens=window_tokens,
        asked_tokens=asked_tokens,
        lacks=what.lacks,
    )


def not_a_stream(
    content_type: str | None, status: int, first_bytes: bytes, *, name: str, base_variable: str | None = None
) -> Refused:
    """The error for a successful response that is not an event stream: HTML, plain text, nothing. Never raises."""
    evidence = read(first_bytes, {"content-type": content_type or ""})
    words = shown(" ".join(evidence.texts) if evidence.page else first_bytes[:4000].decode("utf-8", "replace"))
    if evidence.page:
        what = "the server returned an HTML page instead of an answer"
    elif not first_bytes.strip():
        what = f"the server returned an empty answer (HTTP {status})"
    else:
        what = f"the answer is not an event stream ({shown(content_type or 'no content type', 60)})"
    return Refused(
        "malformed_stream",
        f"{shown(name, MOST_NAME)}: {what}" + (f": {words}" if words else ""),
        hint=f"check {base_variable or 'the base URL'}: is it the address of a model server's API?",
        provider_status=status,
        lacks="responses" if evidence.page else None,
    )


def shown(text: str, most: int = MOST_WORDS) -> str:
    """One line of at most `most` characters, without secrets and control characters."""
    text = "".join(map(_visible, text[: 20 * most]))
    line = " ".join(KEYS.sub(MASK, SECRET_SHAPES.sub(MASK, text)).split())
    return cut(line, most)


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    if category == "Cs":
        return "\ufffd"
    return "" if category == "Cf" and character not in "\u200c\u200d" else character


def clipped(text: str, model: str) -> str:
    """A sentence without URLs, without quotations of the request, and without names of models."""
    text = re.sub(r"\bhttps?://[^\s'\"<>)]+", " ", text)
    if echo := ECHOES.search(text):
        text = text[: echo.start()]
    if len(model) > 2 and re.search(r"[-_./:0-9]", model):
        text = text.replace(model, " MODEL ")
    return re.sub(r"([`'\"])(?=[\w./:-]*[-/:])[\w./:-]{3,100}\1", " NAME ", text)


def _effective(status: int | None, evidence: Evidence) -> int | None:
    """The status to judge by: a proxy's 200, 500 or 502 may wrap another one that the body names."""
    inner = evidence.statuses[-1] if evidence.statuses else None
    if inner is None and (status is None or status < 400):
        inner = next((STATUS_OF[plain(code)] for code in evidence.codes if plain(code) in STATUS_OF), None)
    if status is None or status < 400 or (status >= 500 and inner is not None):
        return inner
    return status


def _kind(status: int | None, evidence: Evidence, sentences: list[str]) -> str:
    text = "\n".join(sentences)
    kind = _by_code(evidence, text)
    if kind == "context" and not _minute_too_small(text):
        return kind
    kind = kind or _by_certain_status(status, evidence, text) or _by_sentence(sentences) or _by_status(status, evidence)
    return _refined(kind, status, evidence, text)


def _by_code(evidence: Evidence, text: str) -> str | None:
    """The kind that machine codes name, including codes within a sentence."""
    named = [KIND_OF.get(plain(code)) or NUMBERS.get(code) for code in evidence.codes]
    named += [BASE_NUMBERS.get(code) for code in evidence.base_codes]
    words = re.findall(r"\b[A-Za-z]+(?:_[a-z]+)+\b|\b[A-Z][A-Za-z]+(?:Error|Exceeded|Exception)\b", text)
    named += [kind for word in words if (kind := KIND_OF.get(plain(word))) not in (None, "key", "timeout", "rate")]
    return next((kind for kind in (*CODES, "access") if kind in named), None)


def _by_certain_status(status: int | None, evidence: Evidence, text: str) -> str | None:
    if status == 402:
        return "quota"
    if status == 401:
        return "proxy" if evidence.page else "key"
    if status == 407:
        return "proxy_key"
    if status == 413:
        return "rate" if PER_MINUTE.search(text) else "context"
    return "unavailable" if status in (*range(520, 527), 529, 530) else None


def _by_sentence(sentences: list[str]) -> str | None:
    """The kind that the sentences name. Kinds are tried in the order of `SENTENCES`."""
    return next((kind for kind, pattern in SENTENCES for text in sentences if pattern.search(text)), None)


def _by_status(status: int | None, evidence: Evidence) -> str:
    match status:
        case 429:
            return "rate"
        case 403:
            return "proxy" if evidence.page else "forbidden"
        case 404 | 405 | 501:
            return "endpoint"
        case 408:
            return "timeout"
        case 503:
            return "unavailable"
        case None:
            return "server"
        case _:
            return "server" if status >= 500 else "proxy" if evidence.page else "request"


def _refined(kind: str, status: int | None, evidence: Evidence, text: str) -> str:
    """The kind, corrected by limits and waits that the texts name."""
    codes = " ".join(evidence.codes)
    if kind in ("context", "rate", "quota") and _minute_too_small(text):
        return "too_large_for_rate"
    if "long context" in text and kind in ("context", "rate"):
        return "context"
    if kind == "context" and (PER_MINUTE.search(text) or status == 429):
        return "context" if _tokens(evidence, [text])[0] else "rate"
    if kind == "output":
        # The answer alone would fit: the conversation leaves no room for it.
        left = re.search(r"\((\d{1,9}) > (\d{1,9}) - \d{1,9}\)", text)
        return "context" if left and int(left[1]) <= int(left[2]) else kind
    if kind == "rate":
        waits = wait_s({}, evidence.waits, evidence.texts) is not None
        if PER_DAY.search(codes) or PER_DAY.search(text):
            return "quota"
        return "quota" if not waits and NO_CREDIT.search(text) else kind
    if kind == "quota" and status == 429 and "resourceexhausted" in plain(codes) and not PER_DAY.search(codes + text):
        return "rate"
    return kind


def _minute_too_small(text: str) -> bool:
    """Whether this request alone exceeds a limit of tokens per minute."""
    if not PER_MINUTE.search(text):
        return False
    found = re.search(r"\blimit:? ([\d,]{1,12})\b(?P<between>.{0,40})\brequested:? ([\d,]{1,12})", text, re.IGNORECASE)
    if not found:
        return "request too large" in text.lower()
    limit, requested = tokens(found[1]), tokens(found[3])
    return limit is not None and requested is not None and requested > limit


def _tokens(evidence: Evidence, sentences: list[str]) -> tuple[int | None, int | None]:
    """The context window and the size of the request, in tokens, as the provider names them."""
    window_tokens, asked_tokens = evidence.numbers.get("window"), evidence.numbers.get("asked")
    for text in sentences:
        if window_tokens is None:
            found = next((match for pattern in WINDOW if (match := pattern.search(text))), None)
            named = [number for number in found.groupdict().values() if number] if found else []
            window_tokens = tokens(named[0]) if named else None
        if asked_tokens is None:
            found = next((match for pattern in ASKED if (match := pattern.search(text))), None)
            parts = [tokens(number) or 0 for number in found.groups() if number] if found else []
            asked_tokens = sum(parts) or None
    return window_tokens, asked_tokens


def _numbers(window_tokens: int | None, asked_tokens: int | None) -> str:
    if window_tokens and asked_tokens:
        return f" ({asked_tokens} tokens, {window_tokens} fit)"
    return f" ({window_tokens} tokens)" if window_tokens else ""


def _words(evidence: Evidence) -> str:
    """The provider's own words: up to three sentences that are not generic and not part of one another."""
    texts = [text for text in dict.fromkeys(evidence.texts) if text.strip()]
    telling = [
        text for text in texts if text.lower().rstrip(".") not in ("provider returned error", "error", "bad request")
    ]
    found = (telling or texts or [""])[:3]
    kept = [text for text in found if not any(text != other and text in other for other in found)]
    return "; ".join(kept) or evidence.unread or " ".join(evidence.codes[:3])
