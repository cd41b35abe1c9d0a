"""References to files in the model's history: counted, left out in steps, and kept through the store."""

from __future__ import annotations

import json

from pydantic_ai import DocumentUrl, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter

from aster_sidecar.conversation.compaction import estimated
from aster_sidecar.conversation.file_references import (
    IMAGE_TOKENS,
    MOST_BYTES,
    MOST_FILES,
    SCHEME,
    addresses,
    content_of,
    kind_of,
    left_out,
    note,
    references,
    replaced,
)
from aster_sidecar.conversation.run_request import Prompt
from aster_sidecar.store.rows.attachments import AttachmentRow

MIB = 1 << 20


def row(n: int, media_type: str = "image/png", size: int = 1000, **facts: int) -> AttachmentRow:
    digest = f"{n:064x}"
    none = dict.fromkeys(("width", "height", "pages", "scaled_sha256", "scaled_type", "scaled_size", "due_s", "boot"))
    return AttachmentRow(
        **{**none, **facts},  # type: ignore[arg-type]
        attachment_id=f"att_{n}",
        sha256=digest,
        name=f"{n}.png",
        media_type=media_type,
        size=size,
        created_at="",
        expires_at="",
    )


def asked(*rows: AttachmentRow) -> ModelMessage:
    return ModelRequest(parts=[UserPromptPart(content=content_of(Prompt("look", rows)))])


def without_room(earlier: list[ModelMessage], turn: list[ModelMessage]) -> frozenset[str]:
    return left_out([*earlier, *turn], addresses(turn))


def sized(name: str, size: int, times: int = 1) -> ModelRequest:
    """A request with a PDF of so many bytes, several times."""
    facts = {"kind": "pdf", "size": size, "name": name}
    file = DocumentUrl(SCHEME + name, media_type="application/pdf", vendor_metadata=facts)
    return ModelRequest(parts=[UserPromptPart(content=[file] * times)])


def urls(*numbers: int) -> set[str]:
    return {f"attachment:att_{n}" for n in numbers}


def test_a_reference_comes_back_from_the_store_as_it_was() -> None:
    message = asked(row(1, width=3000, height=2000), row(2, "application/pdf", pages=3), row(3, "text/plain"))
    text = ModelMessagesTypeAdapter.dump_json([message])
    [back] = ModelMessagesTypeAdapter.validate_json(text)
    assert [item.url for item in references(back)] == [item.url for item in references(message)]
    assert [item.vendor_metadata for item in references(back)] == [item.vendor_metadata for item in references(message)]
    assert [item.media_type for item in references(back)] == ["image/png", "application/pdf", "text/plain"]
    assert b"iVBOR" not in text


def test_files_count_as_images_and_pages_not_as_text() -> None:
    large = row(1, size=20_000_000, width=8000, height=6000)
    assert estimated([asked(large)]) < IMAGE_TOKENS + 100
    assert estimated([asked(row(1, width=100, height=100))]) < 200
    assert estimated([asked(row(1, "application/pdf", size=20_000_000, pages=10))]) > 15_000
    assert estimated([asked(row(1, "text/plain", size=30_000))]) > 9_000


def test_kinds() -> None:
    kinds = [kind_of(one) for one in ("image/webp", "application/pdf", "image/svg+xml", "text/html", "image/tiff")]
    assert kinds == ["image", "pdf", "text", "text", "other"]


def test_the_oldest_files_are_left_out_in_steps() -> None:
    history: list[ModelMessage] = []
    steps: list[int] = []
    for n in range(3 * MOST_FILES):
        steps.append(len(without_room(history, [asked(row(n))])))
        history += [asked(row(n)), ModelResponse(parts=[TextPart("seen")])]
    assert steps[:MOST_FILES] == [0] * MOST_FILES
    assert sorted(set(steps)) == [0, 11, 22, 33, 44]
    assert steps == sorted(steps), "what is left out once stays left out"


def test_files_of_the_turn_are_never_left_out() -> None:
    many = [row(n, size=MOST_BYTES // 2) for n in range(5)]
    assert without_room([], [asked(*many)]) == set()
    assert without_room([asked(*many)], [asked(row(9, size=MOST_BYTES))]) == urls(0, 1, 2, 3, 4)
    again = without_room([asked(*many)], [asked(many[0])])
    assert again == urls(1, 2, 3, 4), "a file that is sent again counts as new"


def test_texts_take_no_room() -> None:
    texts = [row(n, "text/plain", size=MOST_BYTES) for n in range(2 * MOST_FILES)]
    assert without_room([asked(*texts)], [asked(row(99))]) == set()


def test_references_are_replaced_where_they_stand() -> None:
    message, other = asked(row(1), row(2)), ModelRequest(parts=[UserPromptPart(content="hello")])
    shown, same = replaced([message, other], lambda item: note(item, "too many"))
    assert same is other
    assert json.loads(ModelMessagesTypeAdapter.dump_json([shown]))[0]["parts"][0]["content"] == [
        "[attached image: 1.png]",
        "[1.png is left out here: too many]",
        "[attached image: 2.png]",
        "[2.png is left out here: too many]",
        "look",
    ]


def test_a_file_counts_as_often_as_it_is_sent() -> None:
    assert left_out([sized("a", 3 * MIB)] * 2, frozenset()) == frozenset()
    assert left_out([sized("a", 3 * MIB)] * 3, frozenset()) == {SCHEME + "a"}
    assert left_out([sized("a", 1, MOST_FILES)], frozenset()) == frozenset()
    assert left_out([sized("a", 1, MOST_FILES + 1)], frozenset()) == {SCHEME + "a"}


def test_a_file_that_comes_back_comes_back_everywhere() -> None:
    """A file is left out by its address, so the earlier places where it is sent again count as well."""
    earlier = [sized("a", 3 * MIB), sized("b", 3 * MIB), sized("c", 3 * MIB)]
    again = [*earlier, sized("a", 3 * MIB)]
    assert left_out(earlier, frozenset()) == {SCHEME + "a", SCHEME + "b"}
    assert left_out(again, frozenset()) == {SCHEME + "a", SCHEME + "b", SCHEME + "c"}
    assert left_out(again, frozenset((SCHEME + "a",))) == {SCHEME + "b", SCHEME + "c"}
