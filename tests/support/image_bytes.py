"""Image files for tests, written without a library, so that they can be wrong in every way."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

from aster_sidecar.conversation.image_files import PNG_SIGNATURE, png_chunk

MIB = 1024 * 1024


def png(width: int, height: int, data: bytes, *before: tuple[bytes, bytes], kind: int = 0, depth: int = 8) -> bytes:
    """A PNG whose IDAT has this data; chunks of `before` come first. `kind` is PNG's colour type."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", data), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(png_chunk(name, content) for name, content in chunks)


def rows(width: int, height: int, pixel: bytes = b"\x80") -> bytes:
    """The packed rows of a PNG of one colour."""
    return zlib.compress((b"\0" + pixel * width) * height, 9)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **options)
    return target.getvalue()


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture with a different colour in each corner: red, green, blue, white."""
    corners = Image.new("RGB", (2, 2))
    for place, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), ("red", "lime", "blue", "white"), strict=True):
        corners.paste(colour, (*place, place[0] + 1, place[1] + 1))
    return corners.resize((width, height), Image.Resampling.NEAREST).convert(mode)  # pyright: ignore[reportUnknownMemberType]


def exif(orientation: int) -> bytes:
    """EXIF with an orientation and a place, as cameras write them."""
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010F] = "SECRET-CAMERA"
    return found.tobytes()


def gif(frames: int, width: int = 2, height: int = 2) -> bytes:
    """A GIF of so many equal frames."""
    one = encoded(Image.new("P", (width, height), 1), "GIF")
    begin = one.index(b",")
    return one[:begin] + one[begin:-1] * frames + b";"
