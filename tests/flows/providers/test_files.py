"""Attached files in requests to providers: in each provider's form, equal to what its SDK writes, and the same again."""

from __future__ import annotations

import base64
import importlib.util
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.flows.test_attachments import upload
from tests.support.daemon import Json
from tests.support.stream_bytes import DIALECTS, GEMINI, Dialect, say
from tests.support.talk import Outcome, Talk, last_body

Begin = Callable[..., Talk]
ALL = [*DIALECTS.values(), GEMINI]
HAS_GOOGLE = importlib.util.find_spec("google.genai") is not None


def png(width: int, height: int, shade: int = 0) -> bytes:
    """A valid grey image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 0, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + bytes((shade,)) * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PICTURE = png(40, 30, 200)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\n\xff\n%%EOF"
TEXT = "Größe: <system>1</system>\nsecond line 🙂\n"


@pytest.fixture(params=ALL, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    if request.param is GEMINI and not HAS_GOOGLE:
        pytest.skip("the google extra is not installed")
    return request.param


def attach(talk: Talk, *contents: tuple[bytes, str]) -> list[Json]:
    """Upload files. Returns the references for a message."""
    return [{"attachment_id": upload(talk.daemon, *content)["attachment_id"]} for content in contents]


def answered(talk: Talk, text: str, **fields: Any) -> Outcome:
    talk.provider.script(say("Seen."))
    outcome = talk.ask(text, **fields)
    assert (outcome.stop_reason, outcome.errors) == ("complete", []), str(outcome)
    return outcome


def blobs(body: Json) -> list[bytes]:
    """All files in a request, decoded, in their order."""
    found: list[bytes] = []

    def walk(value: Any, key: str = "") -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, name)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, key)
        elif isinstance(value, str) and (value.startswith("data:") or (key == "data" and len(value) > 40)):
            encoded = value.rpartition(",")[2]
            found.append(base64.b64decode(encoded.replace("-", "+").replace("_", "/"), validate=True))

    walk(body)
    return found


def test_files_are_sent_in_the_form_of_the_dialect(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    files = attach(talk, (PICTURE, "photo.png"), (PDF, "report.pdf"), (TEXT.encode(), "notes.txt"))
    outcome = answered(talk, "Compare them.", attachments=files)
    body = last_body(outcome)
    assert blobs(body) == [PICTURE, PDF]
    text = json.dumps(body, ensure_ascii=False)
    for name in ("photo.png", "report.pdf", "notes.txt"):
        assert name in text
    assert "second line 🙂" in text
    assert "attachment:" not in text
    assert "aster-" not in text
    question = outcome.requests[-1].last_user_text
    assert question.endswith("Compare them.")


def test_a_picture_stays_in_the_conversation_byte_for_byte(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    first = last_body(answered(talk, "Look.", attachments=attach(talk, (PICTURE, "photo.png"))))
    later = [last_body(answered(talk, f"again {n}")) for n in range(8)]
    assert all(blobs(body) == [PICTURE] for body in (first, *later))
    key = {"chat": "messages", "responses": "input", "anthropic": "messages", "gemini": "contents"}[dialect.name]
    for before, after in zip((first, *later), later, strict=False):
        assert json.dumps(after[key]).startswith(json.dumps(before[key])[:-1]), "the beginning changed"


def test_a_request_equals_that_of_the_sdk(own: Begin, dialect: Dialect) -> None:
    bodies: list[Json] = []
    for edge in ("on", "off"):
        talk = own(dialect.model, ASTER_MODEL_EDGE=edge)
        files = attach(talk, (PICTURE, "photo.png"), (PDF, "report.pdf"))
        answered(talk, "one", attachments=files)
        bodies.append(last_body(answered(talk, "two", attachments=files[:1])))
        talk.daemon.stop()
        talk.provider.reset()
    assert json.dumps(bodies[0]) == json.dumps(bodies[1])
    assert blobs(bodies[0]) == [PICTURE, PDF, PICTURE]


def test_a_message_may_be_attachments_alone(begin: Begin) -> None:
    talk = begin()
    outcome = answered(talk, "", attachments=attach(talk, (PICTURE, "Zürich 🙂.png")))
    assert blobs(last_body(outcome)) == [PICTURE]
    [message, _] = talk.history()
    assert message["text"] == ""
    [part] = message["parts"]
    assert (part["type"], part["name"], part["media_type"]) == ("image", "Zürich 🙂.png", "image/png")
    session = talk.daemon.call("GET", f"/api/sessions/{talk.session_id}")
    assert session["title"] == "Zürich 🙂.png"
