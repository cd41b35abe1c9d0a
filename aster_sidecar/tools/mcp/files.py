"""The files in what an MCP server sends: images, sound, and resources. They are kept beside the text."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools.base import File

if TYPE_CHECKING:
    from mcp.types import BlobResourceContents, ContentBlock, TextResourceContents

FILES_MOST = 32
"""Images and other files of a result that are kept."""
ENCODED_CHARS = 64
"""The shortest base64 of a file that is searched for elsewhere in the result. A shorter one may be there by chance."""


class Files:
    """The files of a result, and where they are in it."""

    def __init__(self) -> None:
        self.kept: list[File] = []
        self._marks: dict[str, str] = {}
        """By the file's base64."""

    def text_of(self, block: ContentBlock) -> str:
        """A block as text. A file is kept, and its text is a mark."""
        if block.type == "text":
            return block.text
        if block.type == "resource_link":
            return _link(block)
        if block.type == "resource":
            resource = block.resource
            text = getattr(resource, "text", None)
            if isinstance(text, str):
                facts = ", ".join(_lines_joined(fact) for fact in (resource.uri, resource.mime_type) if fact)
                return f"[{facts}]\n{text}"
            return self.resource(resource)
        return self._taken(block.data, block.mime_type, block.type, None)

    def resource(self, resource: TextResourceContents | BlobResourceContents) -> str:
        """Keep a resource as a file, also if it is a text. Returns its mark."""
        text = getattr(resource, "text", None)
        if not isinstance(text, str):
            return self._taken(str(getattr(resource, "blob", "")), resource.mime_type, "file", resource.uri)
        name = _name(resource.uri, resource.mime_type) or f"text {len(self.kept) + 1}"
        return self._with_file(File(name, text.encode("utf-8", "replace"), resource.mime_type), _address(resource.uri))

    def _taken(self, encoded: str, media_type: str | None, kind: str, uri: str | None) -> str:
        """Keep a file, if it can be decoded and there is room. Returns its mark."""
        encoded = encoded.partition(",")[2] if encoded.startswith("data:") else encoded
        address = _address(uri) if not (encoded and encoded in (uri or "")) else ""
        data = _decoded(encoded)
        name = _name(uri, media_type) or f"{kind} {len(self.kept) + 1}{_suffix(media_type)}"
        if data is None:
            mark = f"[{name}{address} is left out: its base64 is not valid]"
        else:
            mark = self._with_file(File(name, data, media_type), address)
        if len(encoded) >= ENCODED_CHARS:
            self._marks.setdefault(encoded, mark)
        return mark

    def _with_file(self, file: File, address: str) -> str:
        """Keep a file if there is room. Returns its mark."""
        if len(self.kept) >= FILES_MOST:
            size = sized(len(file.data))
            return f"[{file.name}{address}, {size}, is left out: a result may have {FILES_MOST} files]"
        self.kept.append(file)
        return f"[{file.name}{address}]"

    def marked(self, text: str) -> str:
        """The text with marks in place of the files' base64. The longest is first: another may be its beginning."""
        if len(text) < ENCODED_CHARS:
            return text
        for encoded in sorted(self._marks, key=len, reverse=True):
            text = text.replace(encoded, self._marks[encoded])
        return text

    def marked_in(self, value: Any) -> Any:
        """A JSON value with marks in place of the files' base64."""
        if not self._marks:
            return value
        if isinstance(value, str):
            return self.marked(value)
        if isinstance(value, list):
            return [self.marked_in(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {self.marked(key): self.marked_in(inner) for key, inner in items}
        return value


def _decoded(encoded: str) -> bytes | None:
    """The content of base64, also with line breaks, in the alphabet for URLs or without padding; None if invalid."""
    try:
        return b64decode(encoded, validate=True)
    except ValueError:
        plain = "".join(encoded.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return None


def _name(uri: str | None, media_type: str | None) -> str:
    """A file's name from its address, with the suffix of its type if it has none; empty if the address has no name."""
    scheme, _, path = (uri or "").partition(":")
    path = "" if scheme == "data" else re.split(r"[?#]", path, maxsplit=1)[0]
    last = path.rstrip("/").rpartition("/")[2]
    name = "".join(char for char in unquote(last) if char.isprintable() and char not in "/\\").strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 10:
        return name[:50].rstrip() + _suffix(media_type) if name else ""
    return stem[:50] + dot + suffix


def _address(uri: str | None) -> str:
    """The address of a resource in its mark; empty if it has none."""
    return f": {_lines_joined(uri)}" if uri else ""


def _suffix(media_type: str | None) -> str:
    """The usual suffix of a type such as `audio/wav`, with its dot; empty for a type whose name is not a suffix."""
    found = re.fullmatch(r"(?:audio|image|video|application)/(?:x-)?([a-z0-9]{2,5})(?:\+xml)?", media_type or "")
    return "." + {"mpeg": "mp3", "jpeg": "jpg"}.get(found[1], found[1]) if found else ""


def _link(link: Any) -> str:
    """A link to a resource in a line."""
    facts = (link.name, link.title, link.mime_type, sized(link.size) if link.size is not None else None)
    told = ", ".join(_lines_joined(fact) for fact in facts if fact)
    described = f": {_lines_joined(link.description)}" if link.description else ""
    return f"[link to a resource: {_lines_joined(link.uri)} ({told}){described}]"


def _lines_joined(text: str) -> str:
    return " ".join(text.split())
