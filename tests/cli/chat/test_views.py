"""What events look like in the three views of a chat."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aster_sidecar.cli.chat.connection import Refused, Unreachable
from aster_sidecar.cli.chat.plain_views import JsonView, PlainView
from aster_sidecar.cli.chat.views import TerminalView, show_error
from tests.cli.chat.support import printed, screen


def event(kind: str, **data: object) -> dict[str, Any]:
    return {"type": kind, "turn_id": "turn_1", "session_id": "ses_1", "data": data}


def chunk(offset: int, delta: str, message_id: str = "msg_1") -> dict[str, Any]:
    return event("text_chunk", message_id=message_id, offset=offset, delta=delta)


def user(text: str, message_id: str = "msg_0", *files: dict[str, Any]) -> dict[str, Any]:
    parts = [{"type": "text", "text": text}, *files]
    return event("message_added", message={"role": "user", "text": text, "message_id": message_id, "parts": parts})


DONE = event("done", stop_reason="complete", usage={"input_tokens": 1, "output_tokens": 1200})


def test_json_has_the_events_of_turns(capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonView()
    view.show(chunk(0, "é\n"))
    view.show({**DONE, "turn_id": None})
    view.note("a note")
    out, err = capsys.readouterr()
    assert json.loads(out) == chunk(0, "é\n")
    assert out.count("\n") == 1
    assert err == "a note\n"


def test_plain_text_is_the_answer_alone_and_chunks_that_come_twice_are_written_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = PlainView()
    view.show(chunk(0, "one "))
    view.show(chunk(0, "one two"))
    view.show(event("tool_start", name="read_file", display="read \x1ba"))
    view.show(event("tool_end", name="read_file", outcome="failed", error="no file"))
    view.show(event("tool_end", name="read_file", outcome="done"))
    view.show(event("error", severity="warning", message="slow", hint="wait"))
    view.show(chunk(0, "three\n", "msg_2"))
    view.show(DONE)
    out, err = capsys.readouterr()
    assert out == "one two\nthree\n"
    assert err == "read_file: read ‹U+001B›a\nread_file: failed: no file\nwarning: slow\n  wait\n"


def shown(*events: dict[str, Any], sent: set[str] | None = None, width: int = 60) -> str:
    """What a terminal shows after these events."""

    async def show() -> str:
        view = TerminalView(screen(width), sent if sent is not None else set())
        for one in events:
            view.show(one)
        view.flush()
        return printed(view.screen)

    return asyncio.run(show())


def test_a_turn_on_a_terminal() -> None:
    assert shown(
        chunk(0, "*First.*"),
        event("tool_start", call_id="call_1", name="read_file", display="read a"),
        event("tool_progress", call_id="call_1", delta="some output\n"),
        event("tool_end", call_id="call_1", name="read_file", outcome="done", duration_ms=5),
        chunk(0, "Then.", "msg_2"),
        DONE,
    ) == ("First.\n● read_file  read a\n  │ some output\n  ✓ done in 5 ms\nThen.\n— 1 token in, 1,200 tokens out.\n")


def test_messages_of_others_are_shown_and_our_own_are_not() -> None:
    sent = {"text:ours", "msg_9"}
    text = shown(user("ours"), user("also ours", "msg_9"), user("theirs \x1b"), sent=sent)
    assert text == "▸ theirs ␛\n"
    assert sent == {"msg_9"}


def test_images_and_files_of_a_message_are_lines() -> None:
    photo = {"type": "image", "name": "photo.png", "media_type": "image/png", "size": 9, "width": 1280, "height": 720}
    file = {
        "type": "file",
        "name": "a\x1b.svg",
        "media_type": "image/svg+xml",
        "size": 3000,
        "width": None,
        "height": None,
    }
    assert shown(user("look", "msg_1", photo, file)) == (
        "▸ look\n  [image photo.png, 1280 × 720]\n  [file a␛.svg, 2.9 KiB]\n"
    )
    assert shown(user("", "msg_2", {**photo, "width": None})) == "▸ [image photo.png, 9 B]\n"


def test_a_call_that_never_ran_is_shown_with_its_name() -> None:
    text = shown(event("tool_end", call_id="c", name="write_file", outcome="denied"))
    assert text == "● write_file\n  ⊘ denied\n"
    text = shown(event("tool_end", call_id="c", name="write_file", outcome="denied", display="write a"))
    assert text == "● write_file  write a\n  ⊘ denied\n"


def test_errors_retries_and_ends() -> None:
    text = shown(
        event("model_retry", message="busy", delay_s=2, attempt=2, max_attempts=5),
        event("error", severity="error", code="agent_busy", message="the agent is busy", hint="POST /api/cancel"),
        event("done", stop_reason="cancelled", usage={"input_tokens": 0, "output_tokens": 0}),
    )
    assert text.split("\n") == [
        "… The provider failed (busy). Trying again in 2.0 s: attempt",
        "  2 of 5.",
        "✗ The agent is busy.",
        "  /cancel stops the answer that is being written.",
        "— Stopped by you.",
        "— 0 tokens in, 0 tokens out.",
        "",
    ]


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (None, ""),
        ({"used_tokens": 24_100}, ""),
        ({"used_tokens": 24_100, "window_tokens": 200_000}, " 12% of the context window used."),
        ({"used_tokens": 159_999, "window_tokens": 200_000}, " 79% of the context window used."),
        (
            {"used_tokens": 160_000, "window_tokens": 200_000},
            " 80% of the context window used; the conversation is summarised soon.",
        ),
        (
            {"used_tokens": 9, "window_tokens": 8},
            " 100% of the context window used; the conversation is summarised soon.",
        ),
    ],
)
def test_the_end_of_a_turn_says_how_much_of_the_context_window_is_used(
    context: dict[str, int] | None, words: str
) -> None:
    usage = {"input_tokens": 1, "output_tokens": 1200}
    data = {} if context is None else {"context": context}
    text = shown(event("done", stop_reason="complete", usage=usage, **data), width=120)
    assert text == f"— 1 token in, 1,200 tokens out.{words}\n"


def test_a_message_that_is_being_written_is_taken_over_from_the_history() -> None:
    async def show() -> str:
        view = TerminalView(screen(60), set())
        parts = [{"type": "thinking", "text": "Hm."}, {"type": "text", "text": "The begin"}]
        view.load({"message_id": "msg_1", "parts": parts})
        view.show(chunk(9, "ning."))
        view.answering("next \x1b\nmessage")
        return printed(view.screen)

    assert asyncio.run(show()) == "Hm.\n\nThe beginning.\nAnswering your queued message: next ␛ message\n"


def test_a_note_does_not_break_the_answer_when_something_is_beneath() -> None:
    async def show() -> str:
        view = TerminalView(screen(60), set())
        view.show(chunk(0, "An answer"))
        view.note("A note.")
        return printed(view.screen)

    assert asyncio.run(show()) == "An answer\nA note.\n"


def test_an_error_of_a_request_has_the_remedy_for_chat(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(PlainView(), Refused(409, {"error": "the agent is busy", "code": "agent_busy", "hint": "POST …"}))
    show_error(PlainView(), Refused(500, {}))
    show_error(PlainView(), Unreachable("nobody there"))
    assert capsys.readouterr().err.splitlines() == [
        "✗ The agent is busy.",
        "  /cancel stops the answer that is being written.",
        "✗ HTTP 500.",
        "✗ Nobody there.",
    ]
