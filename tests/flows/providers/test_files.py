"""Attached files in requests: in each provider's form, as its SDK writes them, and always the same bytes."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.conversation.file_references import MOST_FILES, MOST_TEXT_BYTES
from tests.flows.test_attachments import download, upload, wait_for_files
from tests.support.bytes_provider import Answer
from tests.support.daemon import WAIT_S, Json
from tests.support.stream_bytes import CHAT, DIALECTS, GEMINI, Dialect, called, chat, refuse, say
from tests.support.talk import Outcome, Talk, last_body, set_at_end

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


# -- what is left out --------------------------------------------------------------------------------------------------


def test_only_the_newest_pictures_are_sent_and_the_beginning_changes_in_steps(begin: Begin) -> None:
    talk = begin()
    sent: list[int] = []
    body: Json = {}
    for n in range(MOST_FILES + 5):
        body = last_body(answered(talk, f"picture {n}", attachments=attach(talk, (png(8, 8, n), f"{n}.png"))))
        found = blobs(body)
        assert found[-1] == png(8, 8, n)
        sent.append(len(found))
    assert sent == [*range(1, MOST_FILES + 1), *range(MOST_FILES // 2, MOST_FILES // 2 + 5)]
    assert "0.png is left out here" in json.dumps(body)


def test_a_file_that_is_gone_is_noted_and_the_conversation_goes_on(own: Begin) -> None:
    talk = own()
    answered(talk, "Look.", attachments=attach(talk, (PICTURE, "photo.png"), (TEXT.encode(), "notes.txt")))
    for path in (talk.daemon.data_dir / "attachments").glob("??/*"):
        path.unlink()
    body = last_body(answered(talk, "And now?"))
    assert blobs(body) == []
    assert "photo.png is left out here" in json.dumps(body)
    assert "notes.txt is left out here" in json.dumps(body)
    assert [part["type"] for part in talk.history()[0]["parts"]] == ["text", "image", "file"]


def test_a_file_that_was_changed_on_the_disk_is_not_sent(own: Begin) -> None:
    talk = own()
    answered(talk, "Look.", attachments=attach(talk, (PICTURE, "photo.png")))
    [path] = (talk.daemon.data_dir / "attachments").glob("??/*")
    path.write_bytes(png(40, 30, 7))
    body = last_body(answered(talk, "And now?"))
    assert blobs(body) == []
    assert "photo.png is left out here" in json.dumps(body)


def test_of_a_long_text_the_beginning_is_sent(begin: Begin) -> None:
    talk = begin()
    lines = "".join(f"line {n}\n" for n in range(100_000)).encode()
    body = json.dumps(last_body(answered(talk, "Read.", attachments=attach(talk, (lines, "long.txt")))))
    assert "line 20000\\\\n" in json.dumps(body)
    assert f"only the first {MOST_TEXT_BYTES} of its {len(lines)} bytes are here" in body
    assert len(body) < 2 * MOST_TEXT_BYTES


def test_one_photo_causes_no_compaction(own: Begin) -> None:
    talk = own(ASTER_CONTEXT_WINDOW="8000")
    photo = PICTURE + b"\0" * 3_000_000
    outcome = answered(talk, "Look.", attachments=attach(talk, (photo, "photo.png")))
    again = answered(talk, "And now?")
    assert outcome.compacted + again.compacted == []


# -- the life of a message with files ----------------------------------------------------------------------------------


def test_files_survive_a_restart_also_in_a_queued_message(own: Begin) -> None:
    talk = own()
    held = threading.Event()
    with set_at_end(held):
        talk.provider.script(Answer(chat("Wait."), hold=held))
        talk.say("first")
        talk.provider.wait_for_requests(1)
        talk.say("second", attachments=attach(talk, (PICTURE, "photo.png")))
        talk.daemon.kill()
    talk.provider.reset()
    talk.provider.script(say("Seen."))
    talk.daemon.start()
    [request] = talk.provider.wait_for_requests(1)
    assert blobs(request.body) == [PICTURE]
    assert "second" in request.last_user_text


def test_a_steered_message_brings_its_files(own: Begin) -> None:
    talk = own()
    held = threading.Event()
    files = attach(talk, (PICTURE, "photo.png"))
    with set_at_end(held):
        talk.provider.script(Answer(CHAT.stream(called("read_file", path="a.txt")), hold=held), say("Seen."))
        with talk.daemon.watch() as watcher:
            turn_id = talk.say("first")["turn_id"]
            talk.provider.wait_for_requests(1)
            steered = talk.say("Look at this too.", attachments=files, if_busy="steer")
            assert steered["status"] == "steered"
            held.set()
            watcher.until("done", turn_id=turn_id)
    assert blobs(talk.provider.requests[-1].body) == [PICTURE]


def test_a_message_is_told_apart_by_its_files(own: Begin) -> None:
    talk = own()
    talk.provider.script(say("Seen."))
    one, other = attach(talk, (PICTURE, "a.png"), (PICTURE, "b.png"))
    first = talk.say("same", attachments=[one], client_message_id="k")
    assert talk.say("same", attachments=[one], client_message_id="k") == first
    refused = talk.daemon.refused(
        "POST",
        "/api/chat",
        {
            "agent_id": "default",
            "message": "same",
            "session_id": talk.session_id,
            "attachments": [other],
            "client_message_id": "k",
        },
    )
    assert refused.code == "idempotency_mismatch"


def test_a_summary_names_the_files(own: Begin) -> None:
    talk = own(ASTER_CONTEXT_WINDOW="6000")
    answered(talk, "Look.", attachments=attach(talk, (PICTURE, "holiday.png")))
    talk.provider.script(say("word " * 1500))
    outcomes = [talk.ask(f"tell me {n} " + "x " * 400) for n in range(6)]
    asked = [request for request in talk.provider.requests if "Summarise the conversation" in request.last_user_text]
    assert asked, str(outcomes[-1])
    assert "holiday.png" in asked[0].last_user_text


# -- files by their path -----------------------------------------------------------------------------------------------


def test_a_file_in_the_folder_is_sent_as_it_was(own: Begin) -> None:
    talk = own()
    (talk.daemon.work_dir / "docs").mkdir()
    path = talk.daemon.work_dir / "docs" / "photo.png"
    path.write_bytes(PICTURE)
    body = last_body(answered(talk, "Look.", attachments=[{"path": "docs/photo.png"}]))
    assert blobs(body) == [PICTURE]
    path.write_bytes(png(8, 8))
    assert blobs(last_body(answered(talk, "And now?"))) == [PICTURE]
    part = talk.history()[0]["parts"][1]
    assert (part["type"], part["name"]) == ("image", "photo.png")


@pytest.mark.parametrize("path", ["missing.png", "../outside.txt", "/etc/hostname", ".", "link.txt", "fifo", "a\0b"])
def test_a_path_that_can_not_be_attached_is_refused(begin: Begin, path: str) -> None:
    talk = begin()
    folder = talk.daemon.work_dir
    (folder.parent / "outside.txt").write_text("secret")
    if not (folder / "fifo").exists():
        (folder / "link.txt").symlink_to(folder.parent / "outside.txt")
        os.mkfifo(folder / "fifo")
    body = {"agent_id": "default", "message": "Look.", "attachments": [{"path": path}]}
    refused = talk.daemon.refused("POST", "/api/chat", {**body, "session_id": talk.session_id})
    assert (refused.status, refused.code) == (422, "invalid_shape")
    assert "attachments.0" in refused.body["error"]
    assert talk.history() == []


@pytest.mark.parametrize(
    "attachments",
    [
        [{}],
        [{"attachment_id": "a", "path": "b"}],
        [{"attachment_id": "a", "more": 1}],
        [{"path": "a.txt"}] * 10_000,
        "a.txt",
    ],
)
def test_other_attachments_are_refused(begin: Begin, attachments: Any) -> None:
    talk = begin()
    body = {"agent_id": "default", "message": "Look.", "attachments": attachments, "session_id": talk.session_id}
    refused = talk.daemon.refused("POST", "/api/chat", body)
    assert (refused.status, refused.code) == (422, "invalid_shape")


def test_an_unknown_attachment_is_refused_and_nothing_is_recorded(begin: Begin) -> None:
    talk = begin()
    body = {"agent_id": "default", "message": "Look.", "attachments": [{"attachment_id": "att_0"}]}
    refused = talk.daemon.refused("POST", "/api/chat", {**body, "session_id": talk.session_id})
    assert (refused.status, refused.code) == (404, "attachment_not_found")
    assert talk.history() == []


# -- deletion ----------------------------------------------------------------------------------------------------------


def test_a_file_goes_with_the_last_conversation_that_refers_to_it(own: Begin) -> None:
    talk = own()
    files = attach(talk, (PICTURE, "photo.png"))
    other = Talk(talk.daemon, talk.provider, talk.daemon.call("POST", "/api/sessions", {})["session_id"])
    for one in (talk, other):
        answered(one, "Look.", attachments=files)
    stored = [path.name for path in (talk.daemon.data_dir / "attachments").glob("??/*")]
    talk.daemon.call("DELETE", f"/api/sessions/{talk.session_id}", purge="true")
    time.sleep(0.3)
    wait_for_files(talk.daemon, stored)
    talk.daemon.call("DELETE", f"/api/sessions/{other.session_id}")
    time.sleep(0.3)
    wait_for_files(talk.daemon, stored)  # it is in the trash, and can be restored
    talk.daemon.call("DELETE", f"/api/sessions/{other.session_id}", purge="true")
    wait_for_files(talk.daemon, [])
    assert talk.daemon.raw("GET", f"/api/attachments/{files[0]['attachment_id']}")[0] == 404


def test_a_cleared_history_takes_its_files_with_it(own: Begin) -> None:
    talk = own()
    answered(talk, "Look.", attachments=attach(talk, (PICTURE, "photo.png")))
    talk.daemon.call("DELETE", "/api/history", agent_id="default", session_id=talk.session_id)
    wait_for_files(talk.daemon, [])
    assert blobs(last_body(answered(talk, "And now?"))) == []


# -- images in results of tools ----------------------------------------------------------------------------------------


def test_an_image_that_a_tool_reads_reaches_the_model_and_the_page(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    (talk.daemon.work_dir / "screen.png").write_bytes(PICTURE)
    talk.provider.script(dialect.answer(called("read_file", path="screen.png")), say("Seen."))
    outcome = talk.ask("What is on it?")
    assert (outcome.stop_reason, outcome.errors) == ("complete", []), str(outcome)
    body = last_body(outcome)
    assert blobs(body) == [PICTURE]
    assert "attachment:" not in json.dumps(body)
    [ended] = outcome.of("tool_end")
    [image] = ended["attachments"]
    assert (image["name"], image["media_type"], image["size"]) == ("screen.png", "image/png", len(PICTURE))
    [part] = [part for part in talk.history()[-1]["parts"] if part["type"] == "tool"]
    assert [found["attachment_id"] for found in part["attachments"]] == [image["attachment_id"]]
    assert download(talk.daemon, image["attachment_id"]).content == PICTURE
    later = [last_body(answered(talk, f"again {n}")) for n in range(8)]
    assert all(blobs(body) == [PICTURE] for body in later)


def test_a_request_with_an_image_of_a_tool_equals_that_of_the_sdk(own: Begin, dialect: Dialect) -> None:
    bodies: list[str] = []
    last: Json = {}
    for edge in ("on", "off"):
        talk = own(dialect.model, ASTER_MODEL_EDGE=edge)
        (talk.daemon.work_dir / "screen.png").write_bytes(PICTURE)
        talk.provider.script(dialect.answer(called("read_file", path="screen.png")), say("Seen."))
        talk.ask("What is on it?")
        for n in range(6):
            last = last_body(answered(talk, f"again {n}"))
        path, ids = str(talk.daemon.work_dir), re.findall(r"att_\w+", json.dumps(last))
        bodies.append(re.sub(r"att_\w+", "att", json.dumps(last).replace(path, "DIR")))
        assert len(set(ids)) <= 1
        talk.daemon.stop()
        talk.provider.reset()
    assert bodies[0] == bodies[1]


def test_an_image_of_a_tool_survives_a_kill_before_the_model_has_it(own: Begin) -> None:
    talk = own()
    (talk.daemon.work_dir / "screen.png").write_bytes(PICTURE)
    held = threading.Event()
    with set_at_end(held):
        talk.provider.script(CHAT.answer(called("read_file", path="screen.png")), Answer(chat("So"), hold=held))
        with talk.daemon.watch() as watcher:
            talk.say("What is on it?")
            watcher.until("tool_end")
        talk.provider.wait_for_requests(2)
        talk.daemon.kill()
    talk.provider.reset()
    talk.daemon.start()
    body = last_body(answered(talk, "And now?"))
    assert blobs(body) == [PICTURE]


def test_images_of_an_mcp_server_reach_the_model(own: Begin, tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        "import base64\nfrom mcp.server import MCPServer\nfrom mcp.types import CallToolResult, ImageContent\n"
        "server = MCPServer('shots')\n"
        "@server.tool(structured_output=False)\n"
        "def shot() -> CallToolResult:\n"
        f"    data = base64.b64encode(bytes.fromhex('{PICTURE.hex()}')).decode()\n"
        "    return CallToolResult(content=[ImageContent(type='image', data=data, mime_type='image/png')])\n"
        "server.run()\n"
    )
    talk = own()
    talk.daemon.stop()
    config = talk.daemon.data_dir / "config.toml"
    config.write_text(f"[mcp.shots]\ncommand = {json.dumps(sys.executable)}\nargs = [{json.dumps(str(server))}]\n")
    talk.daemon.start()
    talk.provider.script(say("Hello."))
    talk.ask("hello")  # servers are asked for their tools when the first turn begins
    until = time.monotonic() + WAIT_S
    while "shots_shot" not in {tool["name"] for tool in talk.daemon.call("GET", "/api/tools")}:
        assert time.monotonic() < until
        time.sleep(0.05)
    talk.provider.script(CHAT.answer(called("shots_shot")), say("Seen."))
    outcome = talk.ask("Take a picture.")
    assert (outcome.stop_reason, outcome.codes) == ("complete", []), str(outcome)
    assert blobs(last_body(outcome)) == [PICTURE]


# -- models that take no such files ------------------------------------------------------------------------------------

NO_IMAGES = {"error": {"message": "this model does not support image input", "type": "invalid_request_error"}}


def test_a_model_that_is_known_to_take_no_images_is_not_asked(own: Begin) -> None:
    talk = own("openai-chat:one", ASTER_VISION="false")
    talk.provider.script(say("Seen."))
    outcome = talk.ask("Look.", attachments=attach(talk, (PICTURE, "photo.png")))
    assert (outcome.stop_reason, outcome.codes, outcome.requests) == ("failed", ["attachment_unsupported"], [])
    [error] = outcome.errors
    assert "openai-chat:one takes no images: photo.png" in error["message"]
    assert "openai:gpt-5.2" in error["hint"]
    body = last_body(answered(talk, "Never mind."))
    assert blobs(body) == []
    assert "photo.png is left out here: this model does not take such files" in json.dumps(body)
    talk.daemon.call("PATCH", f"/api/sessions/{talk.session_id}", {"model": "openai-chat:other"})
    assert blobs(last_body(answered(talk, "And now?"))) == [PICTURE]


def test_a_refused_image_is_said_once_and_remembered(own: Begin) -> None:
    talk = own("openai-chat:unknown-model")
    talk.provider.script(Answer.json(NO_IMAGES, 400))
    files = attach(talk, (PICTURE, "photo.png"))
    first = talk.ask("Look.", attachments=files)
    assert (first.stop_reason, first.codes, len(first.requests)) == ("failed", ["attachment_unsupported"], 1)
    again = talk.ask("Look again.", attachments=files)
    assert (again.stop_reason, again.codes, again.requests) == ("failed", ["attachment_unsupported"], [])
    talk.goes_on()


def test_earlier_images_are_left_out_for_a_model_that_refuses_them(own: Begin) -> None:
    talk = own("openai-chat:one")
    answered(talk, "Look.", attachments=attach(talk, (PICTURE, "photo.png")))
    talk.daemon.call("PATCH", f"/api/sessions/{talk.session_id}", {"model": "openai-chat:other"})
    talk.provider.script(Answer.json(NO_IMAGES, 400), say("Fine."))
    outcome = talk.ask("And now?")
    assert (outcome.stop_reason, outcome.errors, outcome.text) == ("complete", [], "Fine."), str(outcome)
    assert [len(blobs(request.body)) for request in outcome.requests] == [1, 0]


def test_a_file_that_no_model_takes_is_named(begin: Begin, dialect: Dialect) -> None:
    talk = begin(dialect)
    files = attach(talk, (b"PK\x03\x04" + bytes(100), "archive.zip"))
    outcome = talk.ask("Look.", attachments=files)
    assert (outcome.stop_reason, outcome.codes, outcome.requests) == ("failed", ["attachment_unsupported"], [])
    assert "archive.zip" in outcome.errors[0]["message"]
    body = last_body(talk.goes_on())
    assert blobs(body) == [], "nor is it sent with a later message"
    assert "archive.zip is left out here" in json.dumps(body)


def test_a_refused_file_is_refused_once_and_the_conversation_goes_on(own: Begin, dialect: Dialect) -> None:
    if dialect is GEMINI:
        pytest.skip("its errors have another form")
    talk = own(dialect.model)
    talk.provider.script(refuse("Could not process image"))
    refused = talk.ask("Look.", attachments=attach(talk, (PICTURE, "photo.png")))
    assert (refused.stop_reason, refused.codes) == ("failed", ["attachment_refused"])
    other = png(9, 9, 9)
    again = answered(talk, "Look at this, then.", attachments=attach(talk, (other, "other.png")))
    assert [blobs(request.body) for request in again.requests] == [[other]]
    assert "photo.png is left out here: it was refused" in json.dumps(last_body(again))
    talk.provider.script(refuse("Could not process image"), refuse("Could not process image"))
    third = talk.ask("And this?", attachments=attach(talk, (png(9, 9, 8), "third.png")))
    assert (third.stop_reason, third.codes) == ("failed", ["attachment_refused"])
    assert [len(blobs(request.body)) for request in third.requests] == [2, 1], "perhaps an earlier file was refused"
    assert blobs(last_body(talk.goes_on())) == [other]
    talk.daemon.restart()
    talk.provider.script(refuse("Could not process image"), say("Going on."))
    assert [len(blobs(request.body)) for request in talk.ask("After a restart").requests] == [3, 0]
    talk.goes_on()


def test_files_that_are_too_large_together_are_refused_before_they_are_read(own: Begin) -> None:
    talk = own()
    pdfs = [(PDF + bytes((n,)) + b"\0" * (9 << 20), f"{n}.pdf") for n in range(6)]
    outcome = talk.ask("Look.", attachments=attach(talk, *pdfs))
    assert (outcome.stop_reason, outcome.codes, outcome.requests) == ("failed", ["attachment_refused"], [])
    talk.goes_on()
