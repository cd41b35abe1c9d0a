"""Files of nearly 25 MiB, the most that an attachment may have: random bytes, and photos in two formats."""

from __future__ import annotations

import io
import os
from typing import Any

from PIL import Image

MOST_BYTES = 25 * 1024 * 1024


def files() -> dict[str, bytes]:
    """The bytes of each file, by what it is."""
    wide, usual = photo(8000, 6000), photo(4100, 3075)
    jpegs = (encoded(wide, "JPEG", quality=quality) for quality in range(97, 80, -1))
    return {
        "25 MiB": os.urandom(MOST_BYTES),
        "48 MP JPEG": next(content for content in jpegs if len(content) <= MOST_BYTES),
        "12 MP PNG": encoded(usual, "PNG"),
    }


def photo(width: int, height: int) -> Image.Image:
    """A picture with large shapes and fine grain, as a camera makes it."""
    size = (width, height)
    grain, shade = Image.effect_noise(size, 20), Image.linear_gradient("L")
    shapes = Image.effect_noise((width // 4, height // 4), 40)
    shapes, shade = (one.resize(size) for one in (shapes, shade))  # pyright: ignore[reportUnknownMemberType]
    mixed = (Image.blend(shapes, grain, 0.3), Image.blend(shade, grain, 0.3), Image.blend(shapes, shade, 0.5))
    return Image.merge("RGB", mixed)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **options)
    return target.getvalue()
