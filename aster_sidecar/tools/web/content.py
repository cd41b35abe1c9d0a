"""What the body of an answer is, going by its type and its first bytes, and the text in it."""

from __future__ import annotations

import codecs
import re
from typing import Literal

_TEXT_TYPES = (
    r"text/.*|application/((x-)?(json|ndjson|yaml|toml|xml|javascript|sh|tex)|ecmascript|sql|graphql|rtf)"
    r"|(application|image|model|message)/.*\+(json|xml|yaml)"
)
_HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
# Only these: some of Python's codecs take quadratic time, or produce something other than text.
_CHARSETS = (
    r"utf[-_]?(8|16|32)([-_]?(le|be|sig))?|ascii|iso8859-\d+|cp125\d|cp(437|85\d|866|874|932|949|950)|koi8-[rtu]"
    r"|mac-roman|gb2312|gbk|gb18030|big5(hkscs)?|euc_(jp|kr|jis_2004)|shift_jis|iso2022_jp|johab|tis-620"
)


def readable(content_type: str) -> bool:
    """Whether a body of this type may be text, so that it is read. Without a type, its first bytes decide."""
    return content_type in ("", *_HTML_TYPES) or re.fullmatch(_TEXT_TYPES, content_type) is not None


def sort(body: bytes, content_type: str, charset: str | None) -> Literal["html", "text", "binary"]:
    """What a body is."""
    start = body[:1024]
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or "16" in (charset or "")
    if content_type in _HTML_TYPES:
        return "html"
    if not readable(content_type) or (b"\0" in start and not wide):
        return "binary"
    looks_html = re.match(rb"\s*<(!doctype html|html)", start, re.IGNORECASE)
    return "html" if not content_type and looks_html else "text"


def declared(body: bytes) -> str | None:
    """The encoding that an HTML page names itself."""
    found = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]+)", body[:4096], re.IGNORECASE)
    return found.group(1).decode() if found else None


def decoded(body: bytes, charset: str | None) -> str:
    """The text: a byte order mark counts more than `charset`; bytes that are not text become U+FFFD."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if body.startswith(mark):
            charset = name
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        name = "utf-8"
    return body.decode(name if re.fullmatch(_CHARSETS, name) else "utf-8", "replace")
