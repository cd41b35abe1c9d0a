"""HTML as Markdown, and its title. tests/tools/web/test_fetch_tool.py tries it in its process."""

from __future__ import annotations

import pytest

from aster_sidecar.tools.web.markdown_worker import converted, with_title


def test_what_is_not_for_reading_is_left_out() -> None:
    html = "<title> A title </title><style>x</style><p>text <img alt=pic src='data:x'><img alt=far src='/far.png'>"
    assert converted(html) == ("A title", "text ![pic]()![far](/far.png)")
    assert converted("") == ("", "")


@pytest.mark.parametrize(
    ("title", "text", "seen"),
    [
        ("Title", "text", "# Title\n\ntext"),
        ("Title", "# Heading\ntext", "# Heading\ntext"),
        ("", "a  \n\n\n \nb", "a\n\nb"),
    ],
)
def test_the_title_is_first_unless_there_is_a_heading(title: str, text: str, seen: str) -> None:
    assert with_title(title, text) == seen
