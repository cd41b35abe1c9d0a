"""Images and files of messages, as lines for a terminal."""

from __future__ import annotations

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Json
from aster_sidecar.cli.chat.plain_text import plain


def line_of(file: Json) -> str:
    """One line for an image or a file: a part of a message, or what the daemon returns for an upload."""
    is_image = file.get("type", "image" if file["media_type"].startswith("image/") else "file") == "image"
    pixels = (file["width"], file["height"]) if file["width"] and file["height"] else None
    return texts.file_line(plain(file["name"]).replace("\n", " "), file["size"], is_image=is_image, pixels=pixels)


def words_of(message: Json) -> str:
    """A person's message as it is shown: its text, and a line for each of its files."""
    lines = [line_of(part) for part in message["parts"] if part["type"] in ("image", "file")]
    text = plain(message["text"])
    return "\n".join(lines if lines and not text.strip() else [text, *lines])
