"""What a call of an MCP tool returns and reports, in our form and within our limits."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools.base import File, Outcome, ToolError
from aster_sidecar.tools.mcp.files import FILES_MOST
from aster_sidecar.tools.mcp.results import (
    ERROR_BYTES,
    FILE_LINE_BYTES,
    PROGRESS_AT_ONCE,
    RESULT_BYTES,
    Progress,
    outcome,
    shortened,
)
from tests.tools.support import Listener, make_surroundings

pytest.importorskip("mcp")

Json = dict[str, Any]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def result(*content: Json, **more: Any) -> Outcome:
    from mcp.types import CallToolResult

    return outcome(CallToolResult.model_validate({"content": [*content], **more}))


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image(data: bytes = PIXEL, media_type: str = "image/png") -> Json:
    return {"type": "image", "data": base64_of(data), "mimeType": media_type}


def resource(uri: str, **more: Any) -> Json:
    return {"type": "resource", "resource": {"uri": uri, **more}}


def json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def strings_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in (key, *strings_in(inner))]
    if isinstance(value, list):
        return [found for inner in value for found in strings_in(inner)]
    return [value] if isinstance(value, str) else []


# -- blocks ------------------------------------------------------------------------------------------------------------


def test_blocks_stay_in_their_order_and_files_have_marks() -> None:
    sound = {"type": "audio", "data": base64_of(b"RIFF" + bytes(40)), "mimeType": "audio/wav"}
    found = result(text("one"), image(), text("two"), sound, text("three"))
    assert found.value == {"text": "one\n[image 1.png]\ntwo\n[audio 2.wav]\nthree"}
    assert found.files == (
        File("image 1.png", PIXEL, "image/png"),
        File("audio 2.wav", b"RIFF" + bytes(40), "audio/wav"),
    )


def test_a_text_resource_is_text_with_its_address() -> None:
    inside = f"see data:image/png;base64,{base64_of(PIXEL)}"
    found = result(resource("file:///notes.txt", mimeType="text/plain", text=inside), resource("demo://a", text=""))
    assert found == Outcome({"text": f"[file:///notes.txt, text/plain]\n{inside}\n[demo://a]\n"})


@pytest.mark.parametrize(
    ("uri", "media_type", "name"),
    [
        ("file:///a/report.pdf", "application/pdf", "report.pdf"),
        ("demo://resource/7", "audio/mpeg", "7.mp3"),
        ("https://a.example/x/?page=1#top", None, "x"),
        ("file:///%2e%2e/%2e%2e%2fetc%2fpasswd", None, "etcpasswd"),
        ("data:application/zip;base64,", "application/zip", "file 1.zip"),
        ("demo://", "application/octet-stream", "file 1"),
        ("file:///a%E2%80%AEfdp.exe%00", None, "afdp.exe"),
        (f"file:///{'n' * 300}.tar.gz", None, "n" * 50 + ".gz"),
    ],
)
def test_a_binary_resource_is_a_file_with_the_name_of_its_address(uri: str, media_type: str | None, name: str) -> None:
    found = result(resource(uri, mimeType=media_type, blob=base64_of(b"\0binary")))
    assert found.files == (File(name, b"\0binary", media_type),)
    assert found.value == {"text": f"[{name}: {uri}]"}


def test_a_link_to_a_resource_is_a_line() -> None:
    link = {"type": "resource_link", "uri": "file:///a.txt", "name": "a"}
    more = {"title": "The\nlist", "description": "what\n to do", "mimeType": "text/plain", "size": 2048}
    assert result(link, link | more).value == {
        "text": "[link to a resource: file:///a.txt (a)]\n"
        "[link to a resource: file:///a.txt (a, The list, text/plain, 2.0 KiB): what to do]"
    }


def test_base64_may_be_written_in_several_ways() -> None:
    data = bytes(range(256))
    plain = base64_of(data)
    lines = base64.encodebytes(data).decode()
    for written in (
        plain,
        lines,
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        f"data:image/png;base64,{plain}",
    ):
        assert result({"type": "image", "data": written, "mimeType": "image/png"}).files[0].data == data


def test_what_is_no_base64_is_named() -> None:
    found = result({"type": "image", "data": "no base64!" * 10, "mimeType": "image/png"})
    assert found == Outcome({"text": "[image 1.png is left out: its base64 is not valid]"})


def test_more_files_than_a_result_may_have_are_named_with_their_size() -> None:
    found = result(*(image(PIXEL + bytes([n])) for n in range(FILES_MOST + 1)))
    assert len(found.files) == FILES_MOST
    size = sized(len(PIXEL) + 1)
    assert found.value["text"].endswith(f"[image 33.png, {size}, is left out: a result may have {FILES_MOST} files]")


def test_a_block_for_the_person_only_reaches_the_model_too() -> None:
    assert result(text("for you") | {"annotations": {"audience": ["user"]}}).value == {"text": "for you"}


# -- each text once ----------------------------------------------------------------------------------------------------

ROWS = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]


@pytest.mark.parametrize(
    ("texts", "structured", "kept"),
    [
        # The value as JSON: the specification says that servers should write it so.
        (['{"sum": 3}'], {"sum": 3}, {"structured": {"sum": 3}}),
        (['{\n  "sum": 3.0\n}\n'], {"sum": 3}, {"structured": {"sum": 3}}),
        (["It is 3.", '{"sum": 3}'], {"sum": 3}, {"structured": {"sum": 3}, "text": "It is 3."}),
        # A text in an object: server-filesystem, FastMCP, MCPServer.
        (["a\nb"], {"content": "a\nb"}, {"text": "a\nb"}),
        (["a\nb\n"], {"result": "a\nb"}, {"text": "a\nb\n"}),
        (['{"a": 1}'], {"result": '{"a": 1}'}, {"text": '{"a": 1}'}),
        (["a", "b"], {"content": "a\nb"}, {"text": "a\nb"}),
        ([""], {"content": ""}, {"text": ""}),
        # Lists: one block for each item, or all of them as JSON.
        (["a", "b"], {"result": ["a", "b"]}, {"text": "a\nb"}),
        (['["a", "b"]'], {"result": ["a", "b"]}, {"structured": {"result": ["a", "b"]}}),
        ([json.dumps(row, indent=2) for row in ROWS], {"result": ROWS}, {"structured": {"result": ROWS}}),
        (["a", "3", "true"], {"result": ["a", 3, True]}, {"structured": {"result": ["a", 3, True]}}),
        (["a", "b"], ["a", "b"], {"text": "a\nb"}),
        # Other values in an object.
        (["3"], {"result": 3}, {"structured": {"result": 3}}),
        (['"2024-01-01"'], {"result": "2024-01-01"}, {"structured": {"result": "2024-01-01"}}),
        ([json.dumps(ROWS)], {"rows": ROWS}, {"structured": {"rows": ROWS}}),
        ([json.dumps(ROWS)], {"rows": ROWS, "total": 9}, {"structured": {"rows": ROWS, "total": 9}}),
        # A text among other values.
        (["out"], {"stdout": "out", "exit": 0}, {"structured": {"stdout": "out", "exit": 0}}),
        # The blocks themselves.
        (["a"], {"content": [{"type": "text", "text": "a"}]}, {"text": "a"}),
        (["a"], {"content": [{"type": "text", "text": "a", "annotations": None, "_meta": None}]}, {"text": "a"}),
        (["a"], {"type": "text", "text": "a"}, {"text": "a"}),
        # No repetition: nothing is left out.
        (["Found 2."], {"rows": ROWS}, {"structured": {"rows": ROWS}, "text": "Found 2."}),
        (["a"], {"content": "a b"}, {"structured": {"content": "a b"}, "text": "a"}),
        (["a b"], {"content": "a"}, {"structured": {"content": "a"}, "text": "a b"}),
        (["1"], {"result": True}, {"structured": {"result": True}, "text": "1"}),
        (['{"a": [1]}'], {"a": [True]}, {"structured": {"a": [True]}, "text": '{"a": [1]}'}),
        (["b", "a"], {"result": ["a", "b"]}, {"structured": {"result": ["a", "b"]}, "text": "b\na"}),
        (["a"], {"result": ["a", "b"]}, {"structured": {"result": ["a", "b"]}, "text": "a"}),
        (["[" * 5000], {"a": 1}, {"structured": {"a": 1}, "text": "[" * 5000}),
        ([], {"a": 1}, {"structured": {"a": 1}}),
    ],
)
def test_what_is_said_twice_is_kept_once(texts: list[str], structured: Any, kept: Json) -> None:
    assert result(*map(text, texts), structuredContent=structured).value == kept


@pytest.mark.parametrize("form", ["{0}", "data:image/png;base64,{0}", '[{{"data": "{0}"}}]'])
def test_the_base64_of_a_file_is_nowhere_else(form: str) -> None:
    block = image()
    written = form.format(block["data"])
    found = result(block, text(written), structuredContent={"shot": {"src": written, written: 1}, "ok": True})
    assert block["data"] not in json.dumps(found.value)
    assert form.format("[image 1.png]") in strings_in(found.value)
    # As server-filesystem returns pictures.
    assert result(block, structuredContent={"content": [block]}).value == {"text": "[image 1.png]"}


def test_base64_that_begins_like_another_is_replaced_as_a_whole() -> None:
    long = PIXEL + bytes(3 - len(PIXEL) % 3) + b"more" * 20
    short = long[: len(long) - 60]
    found = result(image(short), image(long), text(f"{base64_of(long)} {base64_of(short)}"))
    assert found.value["text"].endswith("\n[image 2.png] [image 1.png]")


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_long_text_is_cut_and_becomes_a_file() -> None:
    long = f"begin {'é' * RESULT_BYTES} end"
    found = result(text(long), structuredContent={"content": long})
    assert found.truncated
    assert json_bytes(found.value) <= RESULT_BYTES
    assert found.value["text"].startswith("begin é")
    assert found.value["text"].endswith("é end")
    assert "the attachment result.txt has the whole text" in found.value["text"]
    assert found.files == (File("result.txt", long.encode(), "text/plain"),)


def test_structured_content_that_is_too_large_is_text_that_is_cut() -> None:
    value = {"a": "x" * RESULT_BYTES, "b": 1}
    found = result(text("short"), structuredContent=value)
    assert found.truncated
    assert found.value.keys() == {"text"}
    assert found.value["text"].startswith('short\n{"a": "xxx')
    assert found.value["text"].endswith('xxx", "b": 1}')
    assert found.files[0].data.decode() == f"short\n{json.dumps(value)}"


def test_small_structured_content_stays_beside_a_text_that_is_cut() -> None:
    found = result(text("x" * RESULT_BYTES), structuredContent={"a": 1})
    assert found.value["structured"] == {"a": 1}
    assert found.files[0].data == b"x" * RESULT_BYTES


def test_an_error_is_cut_and_keeps_its_files() -> None:
    with pytest.raises(ToolError) as caught:
        result(text("bad " * ERROR_BYTES), image(), structuredContent={"code": 7}, isError=True)
    assert json_bytes(str(caught.value)) <= ERROR_BYTES
    assert str(caught.value).endswith('bad \n[image 1.png]\n{"code": 7}')
    assert [file.name for file in caught.value.files] == ["image 1.png", "result.txt"]


# -- anything ----------------------------------------------------------------------------------------------------------


@st.composite
def said(draw: st.DrawFn) -> str:
    """A text that is found again by its number, often a long one."""
    number = draw(st.integers(0, 10**9))
    filler = draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="«»"), max_size=20))
    return f"«{number}»{filler * draw(st.sampled_from([1, 1, 1, 400, 8000]))}«/{number}»"


BINARY = st.binary(min_size=60, max_size=300)


@st.composite
def results(draw: st.DrawFn) -> tuple[list[Json], Any, list[str], list[bytes]]:
    """Blocks, structured content, and the texts and files in them, each of which a server may have sent twice."""
    texts = draw(st.lists(said(), max_size=4, unique_by=lambda one: one.partition("»")[0]))
    binaries = draw(st.lists(BINARY, max_size=3, unique=True))
    blocks = [draw(st.sampled_from([text(one), resource("demo://x", text=one)])) for one in texts]
    blocks += [draw(st.sampled_from([image(one), resource("demo://y", blob=base64_of(one))])) for one in binaries]
    blocks = draw(st.permutations(blocks))
    plain = [block["text"] for block in blocks if block["type"] == "text"]
    forms: list[Any] = [None, {"content": blocks}, {"n": 1}]
    if plain:
        forms += [{"result": plain}, {"content": "\n".join(plain)}, {"out": plain[0], "exit": 0}]
    structured = draw(st.sampled_from(forms))
    if structured is not None and draw(st.booleans()):
        blocks.append(text(json.dumps(structured, ensure_ascii=draw(st.booleans()))))
    return blocks, structured, texts, binaries


@settings(max_examples=150, deadline=None)
@given(results())
def test_nothing_is_lost_nor_said_too_often(given_one: tuple[list[Json], Any, list[str], list[bytes]]) -> None:
    blocks, structured, texts, binaries = given_one
    found = result(*blocks, **({} if structured is None else {"structuredContent": structured}))
    assert json_bytes(found.value) <= RESULT_BYTES - FILE_LINE_BYTES * len(found.files)
    shown = "\0".join(strings_in(found.value))
    whole = next((file.data.decode() for file in found.files if file.name == "result.txt"), "")
    assert bool(whole) == found.truncated
    for one in texts:
        written = json.dumps(one, ensure_ascii=False)[1:-1]  # in structured content that has become text
        assert one in shown or one in whole or written in whole
    for data in binaries:
        assert base64_of(data) not in shown
        assert data in [file.data for file in found.files]
    assert len(found.files) == len(binaries) + found.truncated


@settings(max_examples=100, deadline=None)
@given(st.lists(said(), min_size=1, max_size=4, unique_by=lambda one: one.partition("»")[0]), st.integers(0, 4))
def test_what_only_repeats_is_never_there_twice(texts: list[str], form: int) -> None:
    structured = [
        {"result": texts},
        {"content": "\n".join(texts)},
        {"content": [text(one) for one in texts]},
        {str(n): one for n, one in enumerate(texts)},
        {"other": [1, {"texts": texts}]},
    ][form]
    blocks = [text(json.dumps(structured))] if form == 4 else [text(one) for one in texts]
    found = result(*blocks, structuredContent=structured)
    for place in (strings_in(found.value), [file.data.decode() for file in found.files]):
        for one in texts:
            assert "\0".join(place).count(one.partition("»")[0] + "»") <= 1


def test_an_empty_result_is_an_empty_text() -> None:
    assert result() == Outcome({"text": ""})


@pytest.mark.parametrize(("words", "told"), [("no such file", "no such file"), ("", "without a reason")])
def test_a_reported_failure_is_an_error(words: str, told: str) -> None:
    with pytest.raises(ToolError, match=told):
        result(text(words), isError=True)


@pytest.mark.parametrize("words", ["x" * 100, "é" * 100, "\n" * 100, '"' * 100, "\ud800" * 100])
@pytest.mark.parametrize("most", [2, 3, 50, 99])
def test_a_shortened_text_fits_as_json(words: str, most: int) -> None:
    assert json_bytes(shortened(words, most)) <= most
    assert shortened("fits", 6) == "fits"


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
