"""What a call of an MCP tool returns and reports, in our form and within our limits."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools.base import Outcome, ToolError
from aster_sidecar.tools.mcp.results import PROGRESS_AT_ONCE, RESULT_BYTES, Progress, outcome, shortened
from tests.tools.support import Listener, make_surroundings

pytest.importorskip("mcp")


def result(*content: dict[str, Any], **more: Any) -> Outcome:
    from mcp.types import CallToolResult

    return outcome(CallToolResult.model_validate({"content": [*content], **more}))


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_texts_are_joined_and_other_blocks_are_named() -> None:
    image = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    link = {"type": "resource_link", "uri": "file:///a.txt", "name": "a"}
    assert result(text("one"), image, text("two"), link) == Outcome(
        {"other": ["image (image/png, 3 bytes)", "link to a resource (file:///a.txt)"], "text": "one\ntwo"}
    )


def test_structured_content_is_not_repeated_as_text() -> None:
    value = {"sum": 3}
    assert result(text(json.dumps(value)), structuredContent=value).value == {"structured": value}
    assert result(text("three"), structuredContent=value).value == {"structured": value, "text": "three"}


def test_structured_content_that_is_too_large_is_left_out_with_a_note() -> None:
    found = result(text("short"), structuredContent={"a": "x" * RESULT_BYTES})
    assert found.truncated
    assert found.value["text"] == "short"
    assert "structured" not in found.value
    assert "left out" in found.value["note"]


def test_an_empty_result_is_an_empty_text() -> None:
    assert result() == Outcome({"text": ""})


@pytest.mark.parametrize(("words", "told"), [("no such file", "no such file"), ("", "without a reason")])
def test_a_reported_failure_is_an_error(words: str, told: str) -> None:
    with pytest.raises(ToolError, match=told):
        result(text(words), isError=True)


@pytest.mark.parametrize("words", ["x" * 100, "é" * 100, "\n" * 100, '"' * 100, "\ud800" * 100])
@pytest.mark.parametrize("most", [2, 3, 50, 99])
def test_a_shortened_text_fits_as_json(words: str, most: int) -> None:
    kept, cut = shortened(words, most)
    assert cut
    assert len(json.dumps(kept, ensure_ascii=False).encode()) <= most
    assert shortened("fits", 6) == ("fits", False)


def test_progress_is_a_share_and_shown_within_bounds(tmp_path: Path) -> None:
    async def body() -> None:
        context = Listener(make_surroundings(tmp_path))
        progress = Progress(context)
        await progress.tell(1, 4, "a quarter")
        await progress.tell(9, 4, None)
        await progress.tell(1, 0, None)  # reports nothing
        await progress.tell(float("nan"), 4, "odd")
        assert [(one.message, one.progress) for one in context.told] == [
            ("a quarter", 0.25),
            (None, 1.0),
            ("odd", None),
        ]
        for number in range(PROGRESS_AT_ONCE):
            await progress.tell(number, None, "more")
        shown = len(context.told)
        assert shown < PROGRESS_AT_ONCE + 3
        progress.over = True
        await progress.tell(1, 1, "late")
        assert len(context.told) == shown

    asyncio.run(body())
