"""References to attachments in the model's history, for the engine. The bytes get into a request when it is sent.

A reference is pydantic-ai's ImageUrl or DocumentUrl with an address of our own. It stands behind a text with the file's
name, and has the facts that a request needs, so that no row is read for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast
from weakref import ref

from pydantic_ai import DocumentUrl, ImageUrl, ToolReturnPart, UserPromptPart
from pydantic_ai.messages import ModelMessage, ModelRequest, UserContent

from aster_sidecar.conversation.run_request import Prompt
from aster_sidecar.errors import ModelError
from aster_sidecar.models.inputs import LABEL
from aster_sidecar.store.rows.attachments import AttachmentRow
from aster_sidecar.text.media_types import BINARY, IMAGES, PDF, is_readable
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import File

SCHEME = "attachment:"
MOST_FILES = 20
"""Most images and PDFs in one request."""
MOST_BYTES = 8 << 20
"""Most bytes of images and PDFs of earlier turns in one request: each request sends them again, in base64."""
MOST_SENT_BYTES = 48 << 20
"""Most bytes of images and PDFs with the turn's own, which are never left out. No provider takes more."""
MOST_RESULT_IMAGES = 8
"""Most images of a tool's result that the model gets."""
MOST_TEXT_BYTES = 256 << 10
"""The longest beginning of a text file that a model gets."""
BYTES_PER_TOKEN = 3
IMAGE_TOKENS = 1600
"""The most that an image counts. Source: Anthropic's documentation, (width × height) / 750 after scaling."""
PIXELS_PER_TOKEN = 750
LEAST_IMAGE_TOKENS = 85
PAGE_TOKENS = 2000
"""One page of a PDF, which providers send as text and as an image."""
USUAL_PAGES = 4
"""Assumed pages of a PDF in which they can't be counted."""
MOST_PAGES = 100

Reference: TypeAlias = ImageUrl | DocumentUrl
Kind = Literal["image", "pdf", "text", "other"]


def kind_of(media_type: str) -> Kind:
    """How a file can be sent: as an image, a PDF or a text. `other`: not at all."""
    if media_type in IMAGES:
        return "image"
    if media_type == PDF:
        return "pdf"
    return "text" if is_readable(media_type) else "other"


# -- from a message to the history -------------------------------------------------------------------------------------


def content_of(prompt: Prompt) -> str | list[UserContent]:
    """A person's message as the content of a prompt: the files, then the text."""
    if not prompt.files:
        return prompt.text
    content: list[UserContent] = []
    for row in prompt.files:
        content += [label(row), reference(row)]
    return [*content, prompt.text] if prompt.text.strip() else content


def with_images(value: Any, files: Sequence[AttachmentRow]) -> Any:
    """A tool's result with the images among its files, as the content of a tool's return."""
    images = sent_images(files)
    return [value, *(reference(row) for row in images)] if images else value


def sent_images(files: Sequence[AttachmentRow]) -> list[AttachmentRow]:
    """Those files of a tool's result that the model gets as images."""
    return [row for row in files if row.media_type in IMAGES][:MOST_RESULT_IMAGES]


def named(file: File, row: AttachmentRow | None) -> str:
    """A file of a tool's result in a line: name, media type, size and attachment. `row`: None if it is not kept."""
    found = row.media_type if row is not None else BINARY
    media_type = found if found in (*IMAGES, PDF) else file.media_type or found
    facts = [visible(media_type[:100], newlines=False), sized(len(file.data))]
    if row is None:
        return f"{visible(file.name, newlines=False)} ({', '.join(facts)})"
    return f"{row.name} ({', '.join(facts)}, attachment {row.attachment_id})"


def named_upload(row: AttachmentRow) -> str:
    """An uploaded file of a tool's result in a line: name, media type, size and attachment."""
    return f"{row.name} ({row.media_type}, {sized(row.size)}, attachment {row.attachment_id})"


def label(row: AttachmentRow) -> str:
    return f"{LABEL}{'image' if kind_of(row.media_type) == 'image' else 'file'}: {row.name}]"


def reference(row: AttachmentRow) -> Reference:
    """The reference to an attachment. Its facts are of what is sent, which is a smaller image for a large one."""
    kind = kind_of(row.media_type)
    scaled = row.scaled_sha256 is not None
    facts = {
        "name": row.name,
        "sha256": row.scaled_sha256 or row.sha256,
        "size": (row.scaled_size if scaled else row.size) or 0,
        "kind": kind,
        "tokens": tokens_of(row, kind),
    }
    made = ImageUrl if kind == "image" else DocumentUrl
    return made(
        url=SCHEME + row.attachment_id,
        media_type=(row.scaled_type if scaled else None) or row.media_type,
        identifier=row.attachment_id,
        vendor_metadata=facts,
    )


def tokens_of(row: AttachmentRow, kind: Kind) -> int:
    """Our estimate of the tokens of a file."""
    if kind == "image":
        pixels = (row.width or 0) * (row.height or 0) or PIXELS_PER_TOKEN * IMAGE_TOKENS
        return min(max(pixels // PIXELS_PER_TOKEN, LEAST_IMAGE_TOKENS), IMAGE_TOKENS)
    if kind == "pdf":
        return PAGE_TOKENS * min(row.pages or USUAL_PAGES, MOST_PAGES)
    return min(row.size, MOST_TEXT_BYTES) // BYTES_PER_TOKEN


# -- references in the history -----------------------------------------------------------------------------------------


def is_reference(item: object) -> bool:
    return isinstance(item, ImageUrl | DocumentUrl) and item.url.startswith(SCHEME)


def fact(item: Reference, name: Literal["name", "sha256", "kind"]) -> str:
    """A fact of a reference; empty if it is damaged."""
    return str((item.vendor_metadata or {}).get(name, ""))


def number(item: Reference, name: Literal["size", "tokens"]) -> int:
    """A number of a reference; 0 if it is damaged."""
    found = (item.vendor_metadata or {}).get(name, 0)
    return found if isinstance(found, int) else 0


_known: dict[int, tuple[ref[ModelMessage], tuple[Reference, ...]]] = {}


def references(message: ModelMessage) -> tuple[Reference, ...]:
    """The references in a message. Cached, because a stored message does not change."""
    if not isinstance(message, ModelRequest):
        return ()
    key = id(message)
    known = _known.get(key)
    if known is not None and known[0]() is message:
        return known[1]
    found = tuple(item for part in message.parts for item in items_of(part) if is_reference(item))
    _known[key] = ref(message, lambda _: _known.pop(key, None)), cast("tuple[Reference, ...]", found)
    return _known[key][1]


def items_of(part: object) -> Sequence[object]:
    """What the content of a prompt or of a tool's result consists of."""
    content: object = part.content if isinstance(part, UserPromptPart | ToolReturnPart) else None
    return cast("Sequence[object]", content) if isinstance(content, list | tuple) else ()


def addresses(messages: Iterable[ModelMessage]) -> frozenset[str]:
    """The addresses of all files in the messages."""
    return frozenset(item.url for message in messages for item in references(message))


def left_out(messages: Iterable[ModelMessage], own: frozenset[str]) -> frozenset[str]:
    """The addresses of files for which a request has no room: the oldest ones, never those of the turn's `own`.

    When there are too many, half of them are left out, so that the beginning of requests stays the same for a while.
    """
    kept: OrderedDict[str, list[int]] = OrderedDict()  # the size of a file, as often as it is sent
    dropped: dict[str, list[int]] = {}
    files = sent_bytes = 0
    for item in binary(messages):
        before = kept.pop(item.url, None)
        sizes = [number(item, "size")] if before is not None else [*dropped.pop(item.url, ()), number(item, "size")]
        kept[item.url] = [*(before or ()), *sizes]
        files += len(sizes)
        sent_bytes += sum(sizes)
        if files <= MOST_FILES and sent_bytes <= MOST_BYTES:
            continue
        for url in [url for url in kept if url not in own]:
            if files <= MOST_FILES // 2 and sent_bytes <= MOST_BYTES // 2:
                break
            dropped[url] = kept.pop(url)
            files -= len(dropped[url])
            sent_bytes -= sum(dropped[url])
    return frozenset(dropped)


def binary(messages: Iterable[ModelMessage]) -> Iterator[Reference]:
    """The references to images and PDFs, in their order."""
    for message in messages:
        for item in references(message):
            if fact(item, "kind") in ("image", "pdf"):
                yield item


def replaced(messages: Sequence[ModelMessage], new: Callable[[Reference], object]) -> list[ModelMessage]:
    """The messages with `new(reference)` in place of each reference; unchanged messages are the same objects."""
    return [replaced_in(message, new) if references(message) else message for message in messages]


def replaced_in(message: ModelMessage, new: Callable[[Reference], object]) -> ModelMessage:
    parts: list[Any] = []
    for part in message.parts:
        items = items_of(part)
        if any(is_reference(item) for item in items):
            content = [new(cast("Reference", item)) if is_reference(item) else item for item in items]
            parts.append(replace(cast("Any", part), content=content))
        else:
            parts.append(part)
    return replace(message, parts=parts)


def note(item: Reference, why: str) -> str:
    """The text in place of a file that is not sent."""
    return f"[{fact(item, 'name') or 'a file'} is left out here: {why}]"


# -- files that can't be sent ------------------------------------------------------------------------------------------


def no_model_takes(row: AttachmentRow) -> ModelError:
    """The error for a file of a type that is never sent."""
    return ModelError(
        "attachment_unsupported",
        f"{row.name} can't be sent to a model: it is neither an image, a PDF nor a text ({row.media_type})",
        hint="attach a png, jpeg, gif or webp image, a PDF or a text file",
    )


def too_large(sent_bytes: int) -> ModelError:
    """The error for a turn with more bytes of images and PDFs than any provider takes."""
    return ModelError(
        "attachment_refused",
        f"the files are too large for one request: {sized(sent_bytes)} of at most {sized(MOST_SENT_BYTES)}",
        hint="send fewer files, or smaller ones",
    )


def model_refuses(model: str, row: AttachmentRow, others: Sequence[str]) -> ModelError:
    """The error for a file that the model is known not to take. `others`: models that take it, or may."""
    kind = "images" if kind_of(row.media_type) == "image" else "PDF files"
    choice = f"choose a model that takes it: {', '.join(others)}" if others else f"choose a model that takes {kind}"
    return ModelError("attachment_unsupported", f"{model} takes no {kind}: {row.name}", hint=choice)
