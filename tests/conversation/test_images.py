"""Images: what their headers say, what is decoded, and what models get instead."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from aster_sidecar.conversation import images
from aster_sidecar.conversation.images import LONGEST, PLAIN_BYTES, Looked, look
from aster_sidecar.errors import InvalidShape
from tests.support.image_bytes import encoded, exif, gif, picture, png, rows

pytestmark = pytest.mark.unit
PNG, JPEG, GIF, WEBP = "image/png", "image/jpeg", "image/gif", "image/webp"


def seen(content: bytes, media_type: str) -> Looked | None:
    return look(io.BytesIO(content), len(content), media_type)


def scaled(content: bytes, media_type: str) -> Image.Image:
    found = seen(content, media_type)
    assert found is not None
    assert found.scaled is not None
    result = Image.open(io.BytesIO(found.scaled), formats=["PNG", "JPEG"])
    assert result.format is not None
    assert found.scaled_type == f"image/{result.format.lower()}"
    assert seen(content, media_type) == found, "the same bytes each time"
    return result


def corners(result: Image.Image) -> list[tuple[int, ...]]:
    """The colours of the corners, rounded to 0 or 1, from left to right and from top to bottom."""
    plain, (width, height) = result.convert("RGB"), result.size
    places = ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1))
    found: list[Any] = [plain.getpixel(place) for place in places]
    return [tuple(round(value / 255) for value in pixel) for pixel in found]


RED, GREEN, BLUE, WHITE = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (encoded(picture(30, 20), "PNG"), PNG),
        (encoded(picture(30, 20, "RGBA"), "PNG"), PNG),
        (encoded(picture(30, 20, "L"), "PNG"), PNG),
        (encoded(picture(30, 20, "P"), "PNG", bits=4), PNG),
        (encoded(picture(30, 20, "1"), "PNG"), PNG),
        (encoded(picture(30, 20), "JPEG"), JPEG),
        (encoded(picture(30, 20), "JPEG", progressive=True), JPEG),
        (encoded(picture(30, 20, "L"), "JPEG"), JPEG),
        (encoded(picture(30, 20), "JPEG", exif=exif(1)), JPEG),
        (encoded(picture(30, 20), "GIF"), GIF),
        (encoded(picture(30, 20), "WEBP"), WEBP),
        (encoded(picture(30, 20, "RGBA"), "WEBP", lossless=True), WEBP),
    ],
)
def test_a_plain_small_image_is_kept_as_it_is(content: bytes, media_type: str) -> None:
    assert seen(content, media_type) == (30, 20, None, None)
    assert seen(content[: len(content) * 2 // 3], media_type) is None, "and a truncated one is no image"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
@pytest.mark.parametrize("size", [(3200, 2400), (1569, 100), (100, 5000), (1, 20000), (4705, 7)])
def test_a_png_is_decoded_by_rows_as_a_whole_one(mode: str, size: tuple[int, int]) -> None:
    source = picture(*size, mode="RGB").convert(mode)
    result = scaled(encoded(source, "PNG"), PNG)
    ratio = LONGEST / max(size)
    assert result.size == (max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio)))
    if min(size) > 50 and mode in ("RGB", "RGBA", "P"):
        assert corners(result) == [RED, GREEN, BLUE, WHITE]


def test_rows_of_every_filter_are_decoded_as_the_library_decodes_them() -> None:
    noise = Image.merge("RGB", [Image.effect_noise((1700, 900), sigma) for sigma in (20, 60, 90)])
    content = encoded(noise, "PNG")  # the encoder chooses the filter of each row
    assert len(set(zlib.decompress(idat(content))[:: 1 + 3 * 1700])) > 1
    rows_of = [band.rows for band in images._by_rows(images.read_image(io.BytesIO(content), PNG), io.BytesIO(content))]
    assert len(rows_of) > 3
    assert b"".join(part.tobytes() for part in rows_of) == noise.tobytes()


def idat(content: bytes) -> bytes:
    at, found = 8, b""
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if content[at + 4 : at + 8] == b"IDAT":
            found += content[at + 8 : at + 8 + length]
        at += 12 + length
    return found


@pytest.mark.parametrize(
    ("make", "media_type"),
    [
        (lambda: encoded(picture(3200, 2400), "JPEG"), JPEG),
        (lambda: encoded(picture(3200, 2400), "JPEG", progressive=True), JPEG),
        (lambda: encoded(picture(3200, 2400, "P"), "GIF"), GIF),
        (lambda: encoded(picture(1700, 1000), "WEBP"), WEBP),
    ],
)
def test_large_images_are_scaled_down(make: Callable[[], bytes], media_type: str) -> None:
    result = scaled(make(), media_type)
    assert max(result.size) == LONGEST
    assert corners(result) == [RED, GREEN, BLUE, WHITE]


TURNED = {
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],
    3: [WHITE, BLUE, GREEN, RED],
    4: [BLUE, WHITE, RED, GREEN],
    5: [RED, BLUE, GREEN, WHITE],
    6: [BLUE, RED, WHITE, GREEN],
    7: [WHITE, GREEN, BLUE, RED],
    8: [GREEN, WHITE, RED, BLUE],
}


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_applied(orientation: int, form: str) -> None:
    content = encoded(picture(300, 200), form, exif=exif(orientation))
    assert b"SECRET-CAMERA" in content
    found = seen(content, f"image/{form.lower()}")
    assert found is not None
    assert (found.width, found.height) == ((200, 300) if orientation > 4 else (300, 200))
    result = scaled(content, f"image/{form.lower()}")
    assert (result.size, corners(result)) == ((found.width, found.height), TURNED[orientation])
    assert b"SECRET-CAMERA" not in (found.scaled or b"")


def test_unusual_images_become_plain_ones() -> None:
    assert scaled(encoded(picture(30, 20, "CMYK"), "JPEG"), JPEG).mode == "RGB"
    deep = png(2, 1, zlib.compress(b"\0" + struct.pack(">HH", 0x4000, 0xFFFF)), depth=16)
    result = scaled(deep, PNG)
    assert [result.convert("L").getpixel((at, 0)) for at in (0, 1)] == [0x40, 0xFF]
    colours = png(1, 1, zlib.compress(b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0)), kind=2, depth=16)
    assert scaled(colours, PNG).getpixel((0, 0)) == (255, 128, 0)
    first = scaled(encoded(picture(30, 20), "GIF", save_all=True, append_images=[Image.new("RGB", (30, 20))]), GIF)
    assert (first.format, corners(first)) == ("PNG", [RED, GREEN, BLUE, WHITE])
    frames = encoded(picture(30, 20), "WEBP", save_all=True, append_images=[Image.new("RGB", (30, 20))], lossless=True)
    assert corners(scaled(frames, WEBP)) == [RED, GREEN, BLUE, WHITE]
    moving = encoded(picture(30, 20), "PNG", save_all=True, append_images=[Image.new("RGB", (30, 20))])
    assert corners(scaled(moving, PNG)) == [RED, GREEN, BLUE, WHITE]
    assert scaled(gif(10_000), GIF).size == (2, 2)


def test_the_form_depends_on_alpha_and_size() -> None:
    glass = Image.new("RGBA", (2000, 1000), (255, 0, 0, 128))
    clear = scaled(encoded(glass, "WEBP", lossless=True), WEBP)
    assert (clear.format, clear.mode, clear.getpixel((9, 9))) == ("PNG", "RGBA", (255, 0, 0, 128))
    assert scaled(encoded(picture(2000, 1000), "WEBP"), WEBP).format == "JPEG"
    noise = Image.effect_noise((1600, 1500), 100)
    noise.putalpha(Image.new("L", noise.size, 0))
    hidden = scaled(encoded(noise.convert("RGBA"), "PNG"), PNG)
    assert hidden.format == "PNG", "what cannot be seen costs nothing"
    noise.putalpha(Image.new("L", noise.size, 128))
    result = scaled(encoded(noise.convert("RGBA"), "PNG"), PNG)
    assert (result.format, result.mode) == ("JPEG", "RGB")
    heavy = encoded(Image.merge("RGB", [Image.effect_noise((1500, 1000), 99) for _ in range(3)]), "PNG")
    assert len(heavy) > PLAIN_BYTES
    assert scaled(heavy, PNG).size == (1500, 1000)


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (png(30_000, 30_000, rows(1, 1)), "30,000 x 30,000"),
        (png(40_000, 1, rows(40_000, 1)), "40,000 x 1"),
        (png(5000, 5000, rows(1, 1), kind=2, depth=16), "5,000 x 5,000"),
    ],
)
def test_what_cannot_be_handled_is_refused_with_its_numbers(content: bytes, numbers: str) -> None:
    with pytest.raises(InvalidShape, match=numbers) as told:
        seen(content, PNG)
    assert told.value.hint is not None


def test_what_providers_take_is_kept_though_it_would_need_too_much_memory() -> None:
    wide = encoded(Image.new("RGB", (4000, 3500)), "WEBP", exif=exif(1))
    assert seen(wide, WEBP) == (4000, 3500, None, None)
    frames = encoded(Image.new("RGB", (2500, 2500)), "WEBP", save_all=True, append_images=[picture(2500, 2500)])
    with pytest.raises(InvalidShape, match="too large to be scaled down"):
        seen(frames, WEBP)


@pytest.mark.parametrize(
    "content",
    [
        png(10, 10, rows(10, 9)),
        png(10, 10, rows(10, 10)[:-9]),
        png(10, 10, b"no zlib"),
        png(0, 10, b""),
        png(10, 10, rows(10, 10), kind=1),
        png(10, 10, rows(10, 10), kind=3),
        png(10, 10, rows(10, 10))[:-20],
        png(10, 10, rows(10, 10)).replace(b"IHDR", b"IHDX"),
        bytes(byte ^ (at == 45) for at, byte in enumerate(png(10, 10, rows(10, 10)))),
        b"\x89PNG\r\n\x1a\n",
        png(10, 10, zlib.compress(b"\x07" + b"\0" * 10 + (b"\0" * 11) * 9)),
    ],
)
def test_a_broken_png_is_no_image(content: bytes) -> None:
    assert seen(content, PNG) is None


@pytest.mark.parametrize("media_type", [JPEG, GIF, WEBP])
def test_damage_anywhere_never_raises(media_type: str) -> None:
    whole = bytearray(encoded(picture(40, 30), media_type[6:].upper()))
    for at in range(0, len(whole), 3):
        damaged = bytes(whole[:at]) + bytes([whole[at] ^ 0xFF]) + bytes(whole[at + 1 :])
        try:
            found = seen(damaged, media_type)
        except InvalidShape:
            continue  # its size was changed
        assert found is None or found.width > 0


def test_a_jpeg_with_a_thousand_scans_is_no_image() -> None:
    content = encoded(picture(16, 16), "JPEG", progressive=True)
    begin = content.rindex(b"\xff\xda")
    assert seen(content[:begin] + content[begin:-2] * 1000 + content[-2:], JPEG) is None
