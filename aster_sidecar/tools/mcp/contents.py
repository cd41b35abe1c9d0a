"""What a person takes from an MCP server into a message: a resource as files, a prompt as text and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aster_sidecar.text.repair import valid_text
from aster_sidecar.tools.base import File, ToolError
from aster_sidecar.tools.mcp.files import Files

if TYPE_CHECKING:
    from mcp.types import GetPromptResult, ReadResourceResult

TEXT_CHARS = 900_000
"""The longest text of a prompt: a message has at most 1,000,000 characters, and the person may add to it."""


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt with its arguments filled in. In `text`, a mark such as `[name: address]` refers to each file."""

    text: str
    files: tuple[File, ...]


def resource_files(result: ReadResourceResult) -> list[File]:
    """The contents of a resource as files. Raises: ToolError when there is none that can be read."""
    files = Files()
    marks = [files.resource(content) for content in result.contents]
    kept = [file for file in files.kept if file.data]
    if not kept:
        raise ToolError("the resource is empty" if files.kept or not marks else f"it can't be read: {marks[0]}")
    return kept


def prompt_text(result: GetPromptResult) -> PromptText:
    """A prompt as one message. Resources and images in it are files.

    Most prompts are one message of the user. In a prompt that has the model's messages too, each has its role before
    it. Raises: ToolError for a prompt without content, or with too much.
    """
    files = Files()
    several = len({message.role for message in result.messages}) > 1
    pieces: list[str] = []
    for message in result.messages:
        block = message.content
        piece = files.resource(block.resource) if block.type == "resource" else files.text_of(block)
        if piece.strip():
            pieces.append(f"{message.role.capitalize()}: {piece}" if several else piece)
    text = valid_text("\n\n".join(pieces))
    if not text:
        raise ToolError("the prompt is empty")
    if len(text) > TEXT_CHARS:
        raise ToolError(
            f"the prompt is too long: it has {len(text):,} characters, and a message {TEXT_CHARS:,} at most"
        )
    return PromptText(text, tuple(file for file in files.kept if file.data))
