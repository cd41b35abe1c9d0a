"""What models get instead of an image that providers refuse or scale down: a smaller, plain one without metadata.

An image is decoded only as far as `DECODING_BYTES` of memory suffice for it. JPEGs are decoded at a half, a quarter or
an eighth of their size, and most PNGs by rows, so both can be large.
"""

from __future__ import annotations

import io
import logging
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import IO, TYPE_CHECKING, BinaryIO, NamedTuple

from aster_sidecar.conversation.image_files import (
    PNG_SIGNATURE,
    BrokenImage,
    ImageFile,
    Part,
    png_chunk,
    png_rows,
    read_image,
)
from aster_sidecar.errors import AsterError, InvalidShape

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

MOST_PIXELS = 120_000_000
"""More than the cameras of most phones make. It bounds the time of decoding to a few seconds."""
MOST_SIDE = 32_767
LONGEST = 1568
"""Pixels of the longer side. Providers scale down what is larger."""
PLAIN_BYTES = 7 << 19
"""3.5 MiB, in base64 less than the 5 MB that providers take."""
PLAIN_SIDE = 8000
"""Pixels; providers refuse longer sides."""
DECODING_BYTES = 44_000_000
WEBP_PIXEL_BYTES = 16
"""What Pillow and its library need for each pixel of a WebP: the picture four times."""
PNG_BYTES = 1 << 20
STRIP_BYTES = 1 << 20
BAND_ROWS = 64
JPEG_QUALITY = 85
_TURNED = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""Pillow's transposition for each orientation of EXIF."""


class Looked(NamedTuple):
    """An image: `width` and `height` in pixels as it is shown, and the image that models get instead, if one is needed.

    `scaled` has its bytes, and `scaled_type` its media type.
    """

    width: int
    height: int
    scaled: bytes | None
    scaled_type: str | None


def look(file: BinaryIO, size: int, media_type: str) -> Looked | None:
    """Check an image of `size` bytes, and scale it if it needs that. None if it is broken. It blocks for seconds.

    Raises: InvalidShape if it has more pixels than can be handled.
    """
    try:
        image = read_image(file, media_type)
        _check(image)
        turned = image.orientation > 4
        width, height = (image.height, image.width) if turned else (image.width, image.height)
        plan = _plan(image, media_type)
        if plan is None and (size > PLAIN_BYTES or max(width, height) > PLAIN_SIDE or image.animated or image.unusual):
            raise InvalidShape(
                f"the image is too large to be scaled down: {image.width:,} x {image.height:,} pixels",
                hint="make it smaller, or save it as a baseline JPEG",
            )
        if plan is None:
            return Looked(width, height, None, None)
        plain = size <= PLAIN_BYTES and max(width, height) <= LONGEST and image.orientation == 1
        if plain and not image.animated and not image.unusual:
            for _ in plan(file):
                pass
            return Looked(width, height, None, None)
        content, scaled_type = _scaled(plan(file), image, media_type)
        return Looked(width, height, content, scaled_type)
    except AsterError:
        raise
    except Exception as error:  # Pillow and zlib raise errors of many types for broken images
        log.debug("an image could not be decoded: %r", error)
        return None


def _check(image: ImageFile) -> None:
    if image.width * image.height > MOST_PIXELS or max(image.width, image.height) > MOST_SIDE:
        raise InvalidShape(
            f"the image has too many pixels: {image.width:,} x {image.height:,}",
            hint=f"an image has at most {MOST_PIXELS // 1_000_000} million pixels, and {MOST_SIDE:,} on a side",
        )


# -- decoding ----------------------------------------------------------------------------------------------------------


class Band(NamedTuple):
    """Some rows of an image, from top to bottom, and the size of the image that they are of."""

    rows: Image
    size: tuple[int, int]


def _plan(image: ImageFile, media_type: str) -> Callable[[BinaryIO], Iterator[Band]] | None:
    """How to decode it; None if that would need too much memory. The bands have a multiple of `_factor` rows."""
    if image.png is not None:
        return partial(_by_rows, image)
    if media_type == "image/webp":
        needed = 2 * (image.end - image.start) + WEBP_PIXEL_BYTES * image.width * image.height
        return None if needed > DECODING_BYTES else partial(_whole, image, media_type, 1)
    scales = (1, 2, 4, 8) if media_type == "image/jpeg" and min(image.width, image.height) >= 8 else (1,)
    longest = max(image.width, image.height)
    for scale in scales:
        width, height = math.ceil(image.width / scale), math.ceil(image.height / scale)
        pixels = image.pixel_bytes * width * height
        needed = pixels + max(image.coefficients, _canvas_bytes(width, height))
        is_finer = scale * 2 in scales and longest >= LONGEST * scale * 2
        if needed <= DECODING_BYTES and not is_finer:
            return partial(_whole, image, media_type, scale)
        if longest < LONGEST * scale:
            break
    return None


def _factor(size: tuple[int, int]) -> int:
    """By how much an image of this size is reduced before it is resampled: less than it has to become smaller."""
    return max(1, max(size) // LONGEST)


def _target(size: tuple[int, int]) -> tuple[int, int]:
    ratio = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def _canvas_bytes(width: int, height: int) -> int:
    return 4 * _target((width, height))[0] * math.ceil(height / _factor((width, height)))


def _whole(image: ImageFile, media_type: str, scale: int, file: BinaryIO) -> Iterator[Band]:
    """Decode all of it at 1/`scale` of its size."""
    decoder = _decoder(media_type)
    with closing(decoder(io.BufferedReader(Part(file, image)))) as picture:
        _same_size(picture.size, image)
        if scale > 1:
            picture.draft(None, (image.width // scale, image.height // scale))
        picture.load()
        yield from _bands(picture)


def _decoder(media_type: str) -> Callable[[IO[bytes]], Image]:
    """Pillow's class for just this type."""
    from PIL import GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    return {
        "image/png": PngImagePlugin.PngImageFile,
        "image/jpeg": JpegImagePlugin.JpegImageFile,
        "image/gif": GifImagePlugin.GifImageFile,
        "image/webp": WebPImagePlugin.WebPImageFile,
    }[media_type]


def _same_size(size: tuple[int, int], image: ImageFile) -> None:
    if size != (image.width, image.height):
        raise BrokenImage("the decoder finds another size than the header says")


def _bands(picture: Image) -> Iterator[Band]:
    width, height = picture.size
    factor = _factor(picture.size)
    rows = factor * max(1, STRIP_BYTES // (4 * width * factor))
    for top in range(0, height, rows):
        yield Band(picture.crop((0, top, width, min(height, top + rows))), picture.size)


def _by_rows(image: ImageFile, file: BinaryIO) -> Iterator[Band]:
    """Decode a PNG by rows.

    Each piece becomes a small PNG for the decoder. Since a row's filter can refer to the row above, that one comes
    first in the piece, unfiltered.
    """
    decoder = _decoder("image/png")
    assert image.png is not None
    size = (image.width, image.height)
    count = _factor(size) * max(1, STRIP_BYTES // (image.row_bytes * _factor(size)))
    colours = image.head[len(PNG_SIGNATURE) + 25 :]
    above = b""
    for rows in png_rows(file, image, count):
        height = len(rows) // image.row_bytes + bool(above)
        header = image.png[:4] + height.to_bytes(4, "big") + image.png[8:]
        data = png_chunk(b"IDAT", zlib.compress(above + rows, 0))
        parts = (PNG_SIGNATURE, png_chunk(b"IHDR", header), colours, data, png_chunk(b"IEND", b""))
        with closing(decoder(io.BytesIO(b"".join(parts)))) as picture:  # frees its pixels, not only the file
            picture.load()
            last = picture.crop((0, height - 1, image.width, height)).tobytes()
            yield Band(picture.crop((0, int(bool(above)), image.width, height)), size)
        above = b"\0" + last


# -- scaling -----------------------------------------------------------------------------------------------------------


def _scaled(bands: Iterator[Band], image: ImageFile, media_type: str) -> tuple[bytes, str]:
    picture = _shrunk(bands)
    if image.orientation != 1:
        from PIL.Image import Transpose

        picture = picture.transpose(Transpose(_TURNED[image.orientation]))
    if picture.mode == "RGBA" or media_type in ("image/png", "image/gif"):
        content = _encoded(picture, "PNG", PNG_BYTES, optimize=False)
        if content is not None:
            return content, "image/png"
    content = _encoded(_on_white(picture), "JPEG", PLAIN_BYTES, quality=JPEG_QUALITY)
    assert content is not None
    return content, "image/jpeg"


def _shrunk(bands: Iterator[Band]) -> Image:
    """The image from its bands, at most `LONGEST` on a side."""
    from PIL.Image import new

    canvas: Image | None = None
    filled, exact, height = 0, 0.0, 0
    for band in bands:
        rows, factor = _plain(band.rows), _factor(band.size)
        width, height = _target(band.size)
        exact = band.size[1] / factor
        if factor > 1:
            rows = rows.reduce((min(factor, rows.width), min(factor, rows.height)))
        if rows.width != width:
            across = min(rows.width, band.size[0] / factor) if band.size[0] >= factor else rows.width
            rows = _resampled(rows, (width, rows.height), (0, 0, across, rows.height))
        canvas = canvas or new(rows.mode, (width, math.ceil(exact)))
        canvas.paste(rows, (0, filled))
        filled += rows.height
    if canvas is None:
        raise BrokenImage("no rows")
    result, ratio = new(canvas.mode, (canvas.width, height)), exact / height
    for top in range(0, height, BAND_ROWS):
        below = min(height, top + BAND_ROWS)
        box = (0, top * ratio, canvas.width, min(exact, below * ratio))
        result.paste(_resampled(canvas, (canvas.width, below - top), box), (0, top))
    return result.convert("RGBA") if result.mode == "RGBa" else result


def _resampled(picture: Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image:
    """Resample the part of a picture inside the box; pixels just outside of it count at its edges."""
    from PIL.Image import Resampling

    return picture.resize(size, Resampling.LANCZOS, box)  # pyright: ignore[reportUnknownMemberType]  # takes numpy's too


def _plain(rows: Image) -> Image:
    """RGB, or RGBA multiplied by its alpha (as resampling needs it)."""
    from PIL.Image import frombytes

    if rows.mode == "I;16":  # the library would cut off all values over 255
        rows = frombytes("L", rows.size, rows.tobytes()[1::2])
    return rows.convert("RGBA").convert("RGBa") if rows.has_transparency_data else rows.convert("RGB")


def _on_white(picture: Image) -> Image:
    from PIL.Image import new

    if picture.mode == "RGB":
        return picture
    white = new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


class _Full(Exception):
    pass


class _Bounded(io.BytesIO):
    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, content: bytes) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.tell() + len(content) > self._most:
            raise _Full
        return super().write(content)


def _encoded(picture: Image, form: str, most: int, **options: int) -> bytes | None:
    """The encoded image, without metadata; None if it has more bytes."""
    target = _Bounded(most)
    try:
        picture.save(target, form, **options)
    except _Full:
        return None
    return target.getvalue()
