"""How many pages a PDF has, by a look at its objects."""

from __future__ import annotations

import io

import pytest

from aster_sidecar.conversation.pdf_pages import MOST_PAGES, PIECE_BYTES, count_pages

pytestmark = pytest.mark.unit


def page(number: int, type_name: bytes = b"/Page") -> bytes:
    return b"%d 0 obj\n<< /Type %s /Parent 1 0 R >>\nendobj\n" % (number, type_name)


PAGES = b"1 0 obj\n<< /Type /Pages /Count 9 >>\nendobj\n"


@pytest.mark.parametrize(
    ("objects", "count"),
    [
        (PAGES + page(2) + page(3), 2),
        (PAGES + b"2 0 obj<</Type/Page/Parent 1 0 R>>endobj", 1),
        (PAGES + page(2) + page(3) + page(2), 2),
        (PAGES + page(2, b"/PageLabel"), None),
        (PAGES + page(2) + b"4 0 obj << /Type /ObjStm >> stream", None),
        (b"", None),
        (b"/Type /Page", 1),
        (b"".join(page(number) for number in range(MOST_PAGES + 1)), None),
    ],
)
def test_pages_are_counted(objects: bytes, count: int | None) -> None:
    assert count_pages(io.BytesIO(b"%PDF-1.7\n" + objects)) == count


@pytest.mark.parametrize("shift", range(-90, 10, 7))
def test_an_object_between_two_pieces_counts_once(shift: int) -> None:
    content = b"%" + b"x" * (PIECE_BYTES - 1 + shift) + b"\n" + page(7) + page(8) + b"y" * PIECE_BYTES
    assert count_pages(io.BytesIO(content)) == 2
