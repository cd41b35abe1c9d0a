"""Hostile files: each is kept as what it is or refused, soon, and the daemon's memory stays bounded."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.flows.test_attachments import MIB, download, files, send, upload, wait_for_files
from tests.support.daemon import Daemon, Json
from tests.support.image_bytes import encoded, exif, gif, picture, png, rows

MOST_S = 60.0
"""For one file, on a busy machine."""
MOST_GROWTH = 100 * MIB
"""Of the daemon's peak memory, with Pillow itself."""
BINARY = "application/octet-stream"


def scaled(daemon: Daemon, attachment_id: str) -> tuple[str, str, Path] | None:
    """The SHA-256, the type and the path of what models get instead of a file, as the store has it."""
    with sqlite3.connect(daemon.data_dir / "aster.db") as store:
        sha256, media_type, size = store.execute(
            "SELECT scaled_sha256, scaled_type, scaled_size FROM attachments WHERE attachment_id=?", (attachment_id,)
        ).fetchone()
    if sha256 is None:
        return None
    path = daemon.data_dir / "attachments" / sha256[:2] / sha256
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert path.stat().st_size == size
    return sha256, media_type, path


def pages(daemon: Daemon, attachment_id: str) -> int | None:
    with sqlite3.connect(daemon.data_dir / "aster.db") as store:
        return store.execute("SELECT pages FROM attachments WHERE attachment_id=?", (attachment_id,)).fetchone()[0]


def peak_bytes(daemon: Daemon) -> int:
    """The largest resident size so far; 0 where the system does not say it."""
    assert daemon.process is not None
    try:
        lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def jpeg_with(segments: bytes) -> bytes:
    """A JPEG with these segments behind its beginning."""
    content = encoded(picture(30, 20), "JPEG")
    return content[:2] + segments + content[2:]


def nested_pdf() -> bytes:
    """Flate in flate in flate, announced as pages, and thousands of nested arrays."""
    packed = b"\0" * (32 * MIB)
    for _ in range(3):
        packed = zlib.compress(packed, 9)
    stream = b"4 0 obj << /Filter [/FlateDecode /FlateDecode /FlateDecode] /Length %d >> stream\n" % len(packed)
    return b"%PDF-1.7\n3 0 obj << /Type /Page >> endobj\n" + stream + packed + b"\nendstream\n" + b"[<<" * 3_000_000


Make = Callable[[], bytes]
HOSTILE: dict[str, tuple[Make, str | None]] = {
    "a GIF that is also a script": (lambda: b"GIF89a/*" + b"\0" * 40 + b"*/=1;alert(1)//;", BINARY),
    "a GIF with a script behind it": (lambda: gif(1) + b"<script>alert(1)</script>", "image/gif"),
    "a PDF that is also a ZIP": (lambda: b"%PDF-1.7\n" + b"PK\x03\x04" + b"\0" * 100, "application/pdf"),
    "a PNG with a page behind it": (lambda: png(9, 9, rows(9, 9)) + b"<html><script>x</script>", "image/png"),
    "an SVG with a script": (lambda: b"<svg xmlns='x'><script>alert(1)</script></svg>", "image/svg+xml"),
    "a page that is called a PNG": (lambda: b"<!doctype html><script>x</script>", "text/html"),
    "a nested PDF": (nested_pdf, "application/pdf"),
    "a PDF of pages": (lambda: b"%PDF-1.7\0" + b"/Type /Page " * (24 * MIB // 12), "application/pdf"),
    "a PNG that says 30,000 x 30,000": (lambda: png(30_000, 30_000, rows(30_000, 9)), None),
    "a PNG of 2 ** 31 rows": (lambda: png(1, 2**31 - 1, rows(1, 9)), None),
    "a PNG whose data is a bomb": (lambda: png(10, 10, zlib.compress(b"\0" * (64 * MIB), 9)), "image/png"),
    "a PNG with a huge text": (
        lambda: png(9, 9, rows(9, 9), (b"zTXt", b"a\0\0" + zlib.compress(b"x" * (64 * MIB), 9))),
        "image/png",
    ),
    "a PNG with a huge text that isn't packed": (
        lambda: png(9, 9, rows(9, 9), (b"tEXt", b"a\0" + b"x" * (24 * MIB))),
        "image/png",
    ),
    "a PNG with a huge colour profile": (
        lambda: png(9, 9, rows(9, 9), (b"iCCP", b"a\0\0" + zlib.compress(b"x" * (64 * MIB), 9))),
        "image/png",
    ),
    "a PNG of empty chunks": (lambda: png(9, 9, rows(9, 9), *([(b"teSt", b"")] * 500_000)), BINARY),
    "a GIF of 10,000 frames": (lambda: gif(10_000), "image/gif"),
    "a GIF whose frame is larger than it": (
        lambda: gif(1).replace(b",\0\0\0\0\2\0\2\0", b",\0\0\0\0\xff\xff\xff\xff"),
        None,
    ),
    "a GIF with a long comment": (
        lambda: gif(1)[:-1].replace(b",", b"!\xfe" + (b"\xff" + b"x" * 255) * 90_000 + b"\0,", 1) + b";",
        "image/gif",
    ),
    "a truncated JPEG": (lambda: encoded(picture(900, 900), "JPEG")[:-900], BINARY),
    "a JPEG of colour profiles": (
        lambda: jpeg_with((b"\xff\xe2\xff\xff" + b"ICC_PROFILE\0\1\1".ljust(65533, b"x")) * 380),
        "image/jpeg",
    ),
    "a JPEG of EXIF": (lambda: jpeg_with((b"\xff\xe1\xff\xff" + b"Exif\0\0".ljust(65533, b"x")) * 380), "image/jpeg"),
    "a JPEG of scans": (
        lambda: (lambda whole: whole[: whole.rindex(b"\xff\xda")] + whole[whole.rindex(b"\xff\xda") : -2] * 99_999)(
            encoded(Image.new("L", (3500, 3500)), "JPEG", progressive=True)
        )[: 20 * MIB],
        BINARY,
    ),
    "a WebP that says 16,384 x 16,384": (
        lambda: b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f" + struct.pack("<I", 0x0FFFFFFF) + b"\0" * 12,
        None,
    ),
    "a large WebP without loss": (lambda: encoded(Image.new("RGB", (6000, 6000)), "WEBP", lossless=True), "image/webp"),
    "an image of 1 x 20,000": (lambda: png(1, 20_000, rows(1, 20_000)), "image/png"),
    "zeros": (lambda: b"\0" * (25 * MIB), BINARY),
}


@pytest.mark.timeout(400)
def test_each_hostile_file_is_kept_as_what_it_is_or_refused(daemon: Daemon) -> None:
    before = peak_bytes(daemon)
    for name, (make, media_type) in HOSTILE.items():
        content = make()
        answer = send(daemon, content, f"{name}.png", **{"Content-Type": "image/png"})
        assert answer.elapsed.total_seconds() < MOST_S, name
        found: Json = answer.json()
        if media_type is None:
            assert (answer.status_code, found["code"]) == (422, "invalid_shape"), (name, found)
            assert "pixels" in found["error"], name
        else:
            assert answer.status_code == 200, (name, found)
            assert found["data"]["media_type"] == media_type, name
            assert download(daemon, found["data"]["attachment_id"]).content == content, name
        health = httpx.get(f"{daemon.url}/health", headers=daemon.headers(), trust_env=False)
        assert health.status_code == 200, name
    if sys.platform == "linux":
        assert peak_bytes(daemon) - before < MOST_GROWTH + 60 * MIB, "a download has the whole file in memory"


def test_pages_are_counted(daemon: Daemon) -> None:
    pdf = upload(
        daemon, b"%PDF-1.7\n%\0\n1 0 obj << /Type /Page >> endobj\n2 0 obj << /Type /Page >> endobj\n", "a.pdf"
    )
    assert pages(daemon, pdf["attachment_id"]) == 2
    assert pages(daemon, upload(daemon, b"%PDF-1.7\n\0")["attachment_id"]) is None


def test_a_photo_is_turned_and_loses_its_metadata(daemon: Daemon) -> None:
    content = encoded(picture(3000, 2000), "JPEG", exif=exif(6))
    found = upload(daemon, content, "photo.jpg")
    assert (found["media_type"], found["width"], found["height"]) == ("image/jpeg", 2000, 3000)
    stored = scaled(daemon, found["attachment_id"])
    assert stored is not None
    sha256, media_type, path = stored
    assert media_type == "image/jpeg"
    assert b"SECRET-CAMERA" in content
    assert b"SECRET-CAMERA" not in path.read_bytes()
    shown = Image.open(io.BytesIO(path.read_bytes()), formats=["JPEG"])
    assert shown.size == (1045, 1568)
    pixels = [shown.getpixel(place) for place in ((0, 0), (1044, 0), (0, 1567))]
    assert [tuple(round(value / 255) for value in pixel) for pixel in pixels if isinstance(pixel, tuple)] == [
        (0, 0, 1),
        (1, 0, 0),
        (1, 1, 1),
    ]
    assert download(daemon, found["attachment_id"]).content == content
    again = upload(daemon, content, "photo.jpg")
    assert scaled(daemon, again["attachment_id"]) == stored
    assert len(files(daemon)) == 2
    daemon.restart()
    assert {path.name for path in files(daemon)} == {sha256, found["sha256"]}


def test_a_small_image_has_no_second_file(daemon: Daemon) -> None:
    found = upload(daemon, encoded(picture(30, 20), "PNG"), "a.png")
    assert (found["width"], found["height"], scaled(daemon, found["attachment_id"])) == (30, 20, None)


def test_a_scaled_image_is_deleted_with_its_file(daemon: Daemon) -> None:
    found = upload(daemon, encoded(picture(1600, 20), "PNG"), "a.png")
    assert len(files(daemon)) == 2
    daemon.stop()
    with sqlite3.connect(daemon.data_dir / "aster.db") as store:
        store.execute(
            "UPDATE attachments SET expires_at='2020-01-02T00:00:00.000Z', created_at='2020-01-01T00:00:00.000Z',"
            " boot=NULL WHERE attachment_id=?",
            (found["attachment_id"],),
        )
    daemon.start()
    wait_for_files(daemon, [])


def test_what_a_crash_leaves_between_the_files_and_the_row_is_removed(daemon: Daemon) -> None:
    found = upload(daemon, encoded(picture(1600, 20), "PNG"), "a.png")
    assert len(files(daemon)) == 2
    daemon.kill()
    with sqlite3.connect(daemon.data_dir / "aster.db") as store:
        store.execute("DELETE FROM attachments WHERE attachment_id=?", (found["attachment_id"],))
    daemon.start()
    assert files(daemon) == []
