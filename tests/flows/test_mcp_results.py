"""Results of an MCP server's tools in the real daemon: the event, the history, the files, what the model gets."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.conversation.file_references import MOST_RESULT_IMAGES
from aster_sidecar.tools.mcp.results import RESULT_BYTES
from tests.conftest import provider_environment
from tests.flows.providers.test_files import PDF, PICTURE, png
from tests.flows.test_attachments import download, wait_for_files
from tests.support.daemon import Daemon, Json
from tests.support.provider import Call, ProviderDouble, Reply

SOUND = b"RIFF\x24\0\0\0WAVEfmt " + bytes(range(256))
BROKEN = PICTURE[:40]
LONG = "\n".join(f"line {n} of a «long» file" for n in range(5000))

SERVER = f"""
import base64
from mcp.server import MCPServer
from mcp.types import (
    AudioContent, BlobResourceContents, CallToolResult, EmbeddedResource, ImageContent, ResourceLink, TextContent,
    TextResourceContents,
)

def encoded(data):
    return base64.b64encode(data).decode()

def blob(uri, kind, data):
    contents = BlobResourceContents(uri=uri, mime_type=kind, blob=encoded(data))
    return EmbeddedResource(type="resource", resource=contents)

server = MCPServer("files")

@server.tool(structured_output=False)
def everything() -> CallToolResult:
    notes = TextResourceContents(uri="file:///notes.txt", mime_type="text/plain", text="THE NOTES")
    image = ImageContent(type="image", data=encoded({PICTURE!r}), mime_type="image/png")
    return CallToolResult(
        content=[
            TextContent(type="text", text="see below"),
            EmbeddedResource(type="resource", resource=notes),
            image,
            AudioContent(type="audio", data=encoded({SOUND!r}), mime_type="audio/wav"),
            blob("file:///a/report.pdf", "application/pdf", {PDF!r}),
            blob("file:///a/broken.png", "image/png", {BROKEN!r}),
            blob("file:///a/empty.bin", None, b""),
            ResourceLink(type="resource_link", uri="file:///more.txt", name="more", size=7),
        ],
        structured_content={{"shot": image.data, "number": 5}},
    )

@server.tool(structured_output=False)
def long() -> CallToolResult:
    text = {LONG!r}
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content={{"content": text}})

@server.tool(structured_output=False)
def pictures() -> CallToolResult:
    pictures = [bytes.fromhex(one) for one in {[png(4, 4, n).hex() for n in range(10)]!r}]
    return CallToolResult(
        content=[ImageContent(type="image", data=encoded(one), mime_type="image/png") for one in pictures]
    )

@server.tool()
def plain() -> str:
    return "said once"

@server.tool(structured_output=False)
def fail() -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text="no such button"), blob("file:///dump.bin", None, {SOUND!r})],
        is_error=True,
    )

server.run()
"""


@pytest.fixture
def files(launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path) -> Daemon:
    """A daemon with the server, whose tools run without a question."""
    pytest.importorskip("mcp")
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    daemon = launch(environment=provider_environment(provider))
    command = f'command = {json.dumps(sys.executable)}\nargs = [{json.dumps(str(script))}]\nrisk = "low"\n'
    (daemon.data_dir / "config.toml").write_text(f"[mcp.files]\n{command}")
    daemon.restart()
    daemon.tool("files_plain")
    return daemon


def called(daemon: Daemon, provider: ProviderDouble, tool: str) -> tuple[Json, Json, Any]:
    """Let the model call a tool. Returns its `tool_end`, its part of the history, and the next request to the model."""
    provider.script(Reply([Call(f"files_{tool}", {})]), "Thanks.")
    events = daemon.ask(f"call {tool}")
    [end] = [event["data"] for event in events if event["type"] == "tool_end"]
    [part] = [part for part in daemon.history()[-1]["parts"] if part["type"] == "tool"]
    for field in ("result", "error", "truncated"):
        assert part[field] == end.get(field), field
    assert ids(part) == ids(end)
    return end, part, provider.requests[-1]


def ids(told: Json) -> list[str]:
    return [one["attachment_id"] for one in told.get("attachments") or []]


def contents(daemon: Daemon, attachments: list[Json]) -> list[bytes]:
    return [download(daemon, one["attachment_id"]).content for one in attachments]


def test_every_block_reaches_the_model_and_the_person(files: Daemon, provider: ProviderDouble) -> None:
    end, part, request = called(files, provider, "everything")
    kept = {one["name"]: one["attachment_id"] for one in end["attachments"]}
    assert end["result"] == {
        "structured": {"shot": "[image 1.png]", "number": 5},
        "text": "see below\n[file:///notes.txt, text/plain]\nTHE NOTES\n[image 1.png]\n[audio 2.wav]\n"
        "[report.pdf: file:///a/report.pdf]\n[broken.png: file:///a/broken.png]\n[empty.bin: file:///a/empty.bin]\n"
        "[link to a resource: file:///more.txt (more, 7 bytes)]",
        "files": [
            f"audio 2.wav (audio/wav, {len(SOUND)} bytes, attachment {kept['audio 2.wav']})",
            f"report.pdf (application/pdf, {len(PDF)} bytes, attachment {kept['report.pdf']})",
            f"broken.png (image/png, {len(BROKEN)} bytes, attachment {kept['broken.png']})",
            "empty.bin (application/octet-stream, 0 bytes) is not kept: the file is empty",
        ],
    }
    assert [one["name"] for one in end["attachments"]] == ["image 1.png", "audio 2.wav", "report.pdf", "broken.png"]
    assert contents(files, part["attachments"]) == [PICTURE, SOUND, PDF, BROKEN]
    assert end["result"] == _result(request)
    sent = json.dumps(request.body)
    assert sent.count(base64.b64encode(PICTURE).decode()) == 1
    for data in (SOUND, PDF, BROKEN):
        assert base64.b64encode(data).decode() not in sent

    files.restart()
    assert contents(files, files.history()[-1]["parts"][0]["attachments"]) == [PICTURE, SOUND, PDF, BROKEN]
    files.ask("And now?")
    again = provider.requests[-1]
    assert _result(again) == end["result"]
    assert json.dumps(again.body).count(base64.b64encode(PICTURE).decode()) == 1
    files.call("DELETE", "/api/history", agent_id="default")
    wait_for_files(files, [])


def _result(request: Any) -> Any:
    """The result of the first tool call in a request to OpenAI Responses."""
    [output, *_] = [one["output"] for one in request.body["input"] if one.get("type") == "function_call_output"]
    texts = [output] if isinstance(output, str) else [one["text"] for one in output if one["type"] == "input_text"]
    return json.loads(texts[0])


def test_a_long_text_goes_once_and_the_person_has_all_of_it(files: Daemon, provider: ProviderDouble) -> None:
    end, part, request = called(files, provider, "long")
    assert end["truncated"]
    [whole] = part["attachments"]
    assert (whole["name"], whole["media_type"], whole["size"]) == ("result.txt", "text/plain", len(LONG.encode()))
    assert contents(files, [whole]) == [LONG.encode()]
    size = f"{len(LONG.encode()) / 1024:.1f} KiB"
    assert end["result"]["files"] == [f"result.txt (text/plain, {size}, attachment {whole['attachment_id']})"]
    told = _result(request)
    assert told == end["result"]
    assert told.keys() == {"text", "files"}
    assert told["text"].startswith("line 0 of")
    assert told["text"].endswith("line 4999 of a «long» file")
    assert "the attachment result.txt has the whole text" in told["text"]
    assert len(json.dumps(told, ensure_ascii=False).encode()) <= RESULT_BYTES


def test_a_text_that_the_server_wraps_goes_once(files: Daemon, provider: ProviderDouble) -> None:
    end, part, request = called(files, provider, "plain")
    assert end["result"] == _result(request) == {"text": "said once"}
    assert part["attachments"] is None


def test_pictures_that_are_too_many_for_the_model_are_files(files: Daemon, provider: ProviderDouble) -> None:
    end, part, request = called(files, provider, "pictures")
    assert contents(files, part["attachments"]) == [png(4, 4, n) for n in range(10)]
    sent = [base64.b64encode(png(4, 4, n)).decode() in json.dumps(request.body) for n in range(10)]
    assert sent == [n < MOST_RESULT_IMAGES for n in range(10)]
    assert [line.partition(" (")[0] for line in end["result"]["files"]] == ["image 9.png", "image 10.png"]


def test_the_files_of_a_failure_are_kept(files: Daemon, provider: ProviderDouble) -> None:
    end, part, request = called(files, provider, "fail")
    [kept] = part["attachments"]
    line = f"dump.bin (application/octet-stream, {len(SOUND)} bytes, attachment {kept['attachment_id']})"
    assert end["outcome"] == "failed"
    assert end["error"] == f"no such button\n[dump.bin: file:///dump.bin]\n{line}"
    assert contents(files, [kept]) == [SOUND]
    assert line in json.dumps(request.body)
