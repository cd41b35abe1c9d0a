"""What the headers of image files say, and which bytes of the files a decoder needs.

Nothing here decodes pixels. Metadata (EXIF, XMP, colour profiles, comments) is skipped, not read, except the
orientation. So neither its size nor its content can do harm.
"""

from __future__ import annotations

import io
import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

MOST_PARTS = 100_000
"""Chunks, segments or blocks in a file. Each costs about a microsecond."""
MOST_SCANS = 100
"""Of a JPEG: a progressive one has about ten, and each can cost as much time as the whole image."""
MOST_HEAD = 1 << 20
MOST_EXIF = 1 << 16
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class BrokenImage(ValueError):
    """The file is not the image that its first bytes promise."""


@dataclass(frozen=True)
class ImageFile:
    """An image in a file. `width` and `height` are in pixels as stored, before `orientation` (EXIF's 1 to 8) applies.

    A decoder gets `head`, then the file's bytes from `start` to `end`, then `tail`.
    """

    width: int
    height: int
    head: bytes
    start: int
    end: int
    tail: bytes = b""
    orientation: int = 1
    animated: bool = False
    unusual: bool = False
    """Whether providers may refuse it: 16 bits for each colour, or CMYK."""
    pixel_bytes: int = 4
    """How much memory a decoded pixel needs."""
    coefficients: int = 0
    """Bytes that a decoder of a JPEG in several scans keeps besides the pixels."""
    png: bytes | None = None
    """The header (IHDR) of a PNG that can be decoded by rows: 8 bits for each channel, not interlaced."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of `png`, with the byte that names its filter."""
        assert self.png is not None
        return 1 + self.width * _PNG_CHANNELS[self.png[9]]


def read_image(file: BinaryIO, media_type: str) -> ImageFile:
    """Read the header of an image of this type. Raises: BrokenImage."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    reader = {"image/png": _png, "image/jpeg": _jpeg, "image/gif": _gif, "image/webp": _webp}[media_type]
    found = reader(file, size)
    if found.width == 0 or found.height == 0:
        raise BrokenImage("no pixels")
    return found


def _take(file: BinaryIO, count: int) -> bytes:
    taken = file.read(count)
    if len(taken) < count:
        raise BrokenImage("the file ends too early")
    return taken


def _number(file: BinaryIO, form: str) -> int:
    return struct.unpack(form, _take(file, struct.calcsize(form)))[0]


# -- JPEG --------------------------------------------------------------------------------------------------------------


def _jpeg(file: BinaryIO, size: int) -> ImageFile:
    kept, orientation, frame, one_scan = bytearray(_take(file, 2)), 1, b"", True
    for _ in range(MOST_PARTS):
        if _take(file, 1) != b"\xff":
            continue  # some writers leave bytes between segments
        while (marker := _take(file, 1)[0]) == 0xFF:
            pass
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            continue
        if marker == 0xD9:
            raise BrokenImage("no picture")
        begin = file.tell() - 2
        length = _number(file, ">H")
        if marker == 0xDA:
            one_scan = one_scan and len(frame) > 5 and _take(file, 1)[0] == frame[5]
            _check_scans(file, begin)
            return _jpeg_of(bytes(kept), frame, one_scan, orientation, begin, size)
        if length < 2:
            raise BrokenImage("a segment without its length")
        content = _take(file, length - 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame, one_scan = content, marker in (0xC0, 0xC1, 0xC9)
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            orientation = _orientation(content[6:])
        is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
        # JFIF's and Adobe's say how colours are stored.
        if not is_metadata or (marker, content[:4]) in ((0xE0, b"JFIF"), (0xEE, b"Adob")):
            kept += struct.pack(">BBH", 0xFF, marker, length) + content
        if len(kept) > MOST_HEAD:
            break
    raise BrokenImage("too many segments")


def _jpeg_of(head: bytes, frame: bytes, one_scan: bool, orientation: int, start: int, end: int) -> ImageFile:
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        raise BrokenImage("no frame header")
    height, width, channels = struct.unpack(">HHB", frame[1:6])
    factors = [(byte >> 4, byte & 15) for byte in frame[7 : 6 + 3 * channels : 3]]
    across, down = (max((pair[which] for pair in factors), default=0) for which in (0, 1))
    if across == 0 or down == 0:
        raise BrokenImage("no channels")
    samples = sum(one * other for one, other in factors) * width * height // (across * down)
    return ImageFile(
        width,
        height,
        head,
        start,
        end,
        orientation=orientation,
        unusual=channels not in (1, 3),
        pixel_bytes=1 if channels == 1 else 4,
        coefficients=0 if one_scan else 2 * samples,
    )


def _check_scans(file: BinaryIO, start: int) -> None:
    """Raises: BrokenImage for too many scans. The marker of a scan cannot occur inside one."""
    file.seek(start)
    scans, last = 0, b""
    while piece := file.read(1 << 18):
        scans += (last + piece).count(b"\xff\xda")
        last = piece[-1:]
    if scans > MOST_SCANS:
        raise BrokenImage("too many scans")


# -- PNG ---------------------------------------------------------------------------------------------------------------


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png(file: BinaryIO, size: int) -> ImageFile:
    if _take(file, 8) != PNG_SIGNATURE or _take(file, 8) != b"\0\0\0\rIHDR":
        raise BrokenImage("no header")
    header = _checked(file, b"IHDR", 13)
    width, height, depth, kind, packing, filtering, interlaced = struct.unpack(">IIBBBBB", header)
    if depth not in _PNG_DEPTHS.get(kind, ()) or packing or filtering or interlaced > 1:
        raise BrokenImage("an unknown form of PNG")
    kept, orientation, animated, start = [png_chunk(b"IHDR", header)], 1, False, 0
    for _ in range(MOST_PARTS):
        begin = file.tell()
        if start and begin >= size:
            raise BrokenImage("no end")
        length, name = _number(file, ">I"), _take(file, 4)
        if length > size - begin - 12:
            raise BrokenImage("a chunk ends behind the file")
        if name == b"IDAT":
            start = start or begin
        elif start:
            if kind == 3 and not any(chunk[4:8] == b"PLTE" for chunk in kept):
                raise BrokenImage("no palette")
            by_rows = depth == 8 and not interlaced
            return ImageFile(
                width,
                height,
                PNG_SIGNATURE + b"".join(kept),
                start,
                begin,
                png_chunk(b"IEND", b""),
                orientation,
                animated,
                unusual=depth == 16,
                pixel_bytes=4 if kind in (2, 4, 6) else 2 if depth == 16 else 1,
                png=header if by_rows else None,
            )
        if (name, length <= 768) in ((b"PLTE", True), (b"tRNS", True)):
            kept.append(png_chunk(name, _checked(file, name, length)))
        elif name == b"eXIf" and length <= MOST_EXIF:
            orientation = _orientation(_take(file, length))
        animated = animated or name == b"acTL"
        file.seek(begin + 12 + length)
    raise BrokenImage("too many chunks")


def _checked(file: BinaryIO, name: bytes, length: int) -> bytes:
    """The content of a chunk whose checksum is right."""
    content = _take(file, length)
    if _number(file, ">I") != zlib.crc32(name + content):
        raise BrokenImage("a wrong checksum")
    return content


def png_rows(file: BinaryIO, image: ImageFile, count: int) -> Iterator[bytes]:
    """The rows of `image.png`, still filtered, `count` at a time; the last piece can have fewer.

    It keeps no more than these rows in memory, and reads all of the data, so that all checksums are checked.

    Raises: BrokenImage, zlib.error.
    """
    inflate = zlib.decompressobj()
    rows, missing = bytearray(), image.height * image.row_bytes
    wanted = count * image.row_bytes
    for piece in itertools.chain(_png_data(file, image.start, image.end), (b"",)):
        packed = piece
        while missing:
            fresh = inflate.decompress(packed, min(wanted - len(rows), missing))
            rows += fresh
            missing -= len(fresh)
            packed = inflate.unconsumed_tail
            if len(rows) == wanted or not missing:
                yield bytes(rows)
                rows.clear()
            elif not packed:
                break
    if missing:
        raise BrokenImage("rows are missing")


def _png_data(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while file.tell() < end:
        left, name = _number(file, ">I"), _take(file, 4)
        checksum = zlib.crc32(name)
        while left:
            piece = _take(file, min(left, 1 << 16))
            left -= len(piece)
            checksum = zlib.crc32(piece, checksum)
            yield piece
        if _number(file, ">I") != checksum:
            raise BrokenImage("a wrong checksum")


# -- GIF ---------------------------------------------------------------------------------------------------------------


def _gif(file: BinaryIO, size: int) -> ImageFile:
    """The first frame; the file is read up to the second."""
    screen = _take(file, 13)
    width, height, flags = struct.unpack("<HHB", screen[6:11])
    head = screen + (_take(file, 3 << ((flags & 7) + 1)) if flags & 0x80 else b"")
    transparency = b""
    first: tuple[int, int] | None = None
    for _ in range(MOST_PARTS):
        begin = file.tell()
        kind = file.read(1)
        if kind == b"!":
            label = _take(file, 1)
            if label == b"\xf9" and first is None:
                control = _take(file, 6)
                # Only the transparent colour: the others say what follows the frame.
                transparency = b"!\xf9\x04" + bytes([control[1] & 1, 0, 0, control[4], 0])
                file.seek(-1, os.SEEK_CUR)
            _skip_blocks(file)
        elif kind == b"," and first is None:
            left, top, across, down, flags = struct.unpack("<HHHHB", _take(file, 9))
            width, height = max(width, left + across), max(height, top + down)
            file.seek((3 << ((flags & 7) + 1) if flags & 0x80 else 0) + 1, os.SEEK_CUR)
            _skip_blocks(file)
            first = (begin, file.tell())
        elif first is not None:
            head += transparency
            return ImageFile(width, height, head, *first, b";", animated=kind == b",", pixel_bytes=1)
        else:
            break
    raise BrokenImage("no frame")


def _skip_blocks(file: BinaryIO) -> None:
    while length := _take(file, 1)[0]:
        file.seek(length, os.SEEK_CUR)


# -- WebP --------------------------------------------------------------------------------------------------------------


def _webp(file: BinaryIO, size: int) -> ImageFile:
    head = _take(file, 12)
    if head[8:12] != b"WEBP":
        raise BrokenImage("no header")
    end = 8 + struct.unpack("<I", head[4:8])[0]
    if end > size + 1:  # some writers forget the last byte, which only fills up
        raise BrokenImage("the file ends too early")
    extended, animation, alpha, frame, orientation = b"", b"", 0, (0, 0), 1
    dimensions = (0, 0)
    for _ in range(MOST_PARTS):
        begin = file.tell()
        if begin + 8 > min(end, size):
            break
        name, length = _take(file, 4), _number(file, "<I")
        after = begin + 8 + length + (length & 1)
        if after > size + 1:
            raise BrokenImage("a chunk ends behind the file")
        if name == b"VP8X" and length >= 10:
            extended = _take(file, 10)
        elif name == b"ANIM" and length == 6:
            animation = _take(file, 6)
        elif name == b"ALPH" and not frame[1]:
            alpha = begin
        elif name in (b"VP8 ", b"VP8L", b"ANMF") and not frame[1]:
            frame = (begin, min(after, size))
            dimensions = _webp_size(name, file.read(10))
        elif name == b"EXIF" and length <= MOST_EXIF:
            orientation = _orientation(_take(file, length).removeprefix(b"Exif\0\0"))
        file.seek(after)
    start, stop = (alpha or frame[0]), frame[1]
    if not stop:
        raise BrokenImage("no picture")
    inner = b""
    if extended:
        dimensions = tuple(1 + int.from_bytes(extended[at : at + 3], "little") for at in (4, 7))
        # Without the flags of a colour profile, EXIF and XMP.
        inner += b"VP8X\x0a\0\0\0" + bytes([extended[0] & 0x12]) + extended[1:]
    if animation:
        inner += b"ANIM\x06\0\0\0" + animation
    length = 4 + len(inner) + (stop - start + 1 & ~1)
    return ImageFile(
        dimensions[0],
        dimensions[1],
        b"RIFF" + struct.pack("<I", length) + b"WEBP" + inner,
        start,
        stop,
        b"\0" if stop - start & 1 else b"",
        orientation,
        animated=bool(extended) and bool(extended[0] & 2),
    )


def _webp_size(name: bytes, begin: bytes) -> tuple[int, int]:
    if name == b"VP8 " and begin[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", begin[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L" and begin[:1] == b"\x2f":
        bits = int.from_bytes(begin[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0


# -- EXIF --------------------------------------------------------------------------------------------------------------


def _orientation(exif: bytes) -> int:
    """How the picture is turned, 1 to 8; 1 where EXIF does not say it, or is damaged."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * number)
            if (tag, kind) == (0x0112, 3):
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


class Part(io.RawIOBase):
    """The bytes that a decoder gets, as a file."""

    def __init__(self, file: BinaryIO, image: ImageFile) -> None:
        super().__init__()
        self._file = file
        self._image = image
        self._at = 0
        self._size = len(image.head) + image.end - image.start + len(image.tail)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, target: Buffer) -> int:
        """Read up to as many bytes as fit; 0 at the end."""
        wanted = memoryview(target)
        piece = self._piece(len(wanted))
        wanted[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _piece(self, most: int) -> bytes:
        image, at = self._image, self._at
        if at < len(image.head):
            return image.head[at : at + most]
        at -= len(image.head)
        if at < image.end - image.start:
            self._file.seek(image.start + at)
            return self._file.read(min(most, image.end - image.start - at))
        at -= image.end - image.start
        return image.tail[at : at + most]
