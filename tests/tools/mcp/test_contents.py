"""What a person takes from an MCP server: the files of a resource, and the text and files of a prompt."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from aster_sidecar.tools.base import File, ToolError
from aster_sidecar.tools.mcp.contents import TEXT_CHARS, PromptText, prompt_text, resource_files
from tests.support.daemon import Json

pytest.importorskip("mcp")


def files(*contents: Json) -> list[File]:
    from mcp.types import ReadResourceResult

    return resource_files(ReadResourceResult.model_validate({"contents": contents}))


def prompt(*messages: Any) -> PromptText:
    """A prompt of these messages, each a role and a block; a text alone is one of the user."""
    from mcp.types import GetPromptResult

    pairs = [("user", {"type": "text", "text": one}) if isinstance(one, str) else one for one in messages]
    return prompt_text(
        GetPromptResult.model_validate({"messages": [{"role": role, "content": block} for role, block in pairs]})
    )


def test_each_content_of_a_resource_is_a_file_with_the_name_of_its_address() -> None:
    picture = b64encode(b"\x89PNG").decode()
    assert files(
        {"uri": "file:///docs/Plan%20B.md", "mimeType": "text/markdown", "text": "# Plan ü"},
        {"uri": "demo://picture", "mimeType": "image/png", "blob": picture},
        {"uri": "demo://", "text": "no name"},
    ) == [
        File("Plan B.md", "# Plan ü".encode(), "text/markdown"),
        File("picture.png", b"\x89PNG", "image/png"),
        File("text 3", b"no name", None),
    ]


def test_empty_contents_beside_others_are_left_out() -> None:
    assert [file.name for file in files({"uri": "a://x", "text": ""}, {"uri": "a://y", "text": "y"})] == ["y"]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], "the resource is empty"),
        ([{"uri": "a://x", "text": ""}], "the resource is empty"),
        ([{"uri": "a://x", "blob": "A"}], "base64 is not valid"),
    ],
)
def test_a_resource_without_content_is_an_error(contents: list[Json], words: str) -> None:
    with pytest.raises(ToolError, match=words):
        files(*contents)


def test_a_prompt_of_one_role_is_its_text() -> None:
    assert prompt("Review this.", "Be brief.") == PromptText("Review this.\n\nBe brief.", ())


def test_roles_are_named_if_there_are_several() -> None:
    found = prompt("What is 1 + 1?", ("assistant", {"type": "text", "text": "2"}), "And 2 + 2?")
    assert found.text == "User: What is 1 + 1?\n\nAssistant: 2\n\nUser: And 2 + 2?"


def test_resources_and_images_of_a_prompt_are_files_and_marks() -> None:
    image = ("user", {"type": "image", "data": b64encode(b"png").decode(), "mimeType": "image/png"})
    notes = ("user", {"type": "resource", "resource": {"uri": "demo://notes.txt", "text": "SECRET"}})
    found = prompt("Compare:", image, notes)
    assert found.text == "Compare:\n\n[image 1.png]\n\n[notes.txt: demo://notes.txt]"
    assert found.files == (File("image 1.png", b"png", "image/png"), File("notes.txt", b"SECRET", None))


def test_a_prompt_without_content_or_with_too_much_is_an_error() -> None:
    for messages, words in (((), "empty"), ((" ",), "empty"), (("x" * (TEXT_CHARS + 1),), "too long")):
        with pytest.raises(ToolError, match=words):
            prompt(*messages)


def test_a_prompt_is_valid_text() -> None:
    assert prompt("a\0b").text == "a\ufffdb"
