"""The reader of Gemini's streams: what leaves as it came, what leaves as one event, and when an answer is over."""

from __future__ import annotations

import json
from typing import Any

from aster_sidecar.gemini import GeminiReader

Json = dict[str, Any]


def chunk(*parts: Json, finish: str | None = None, **more: Any) -> bytes:
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    candidate |= {"finishReason": finish} if finish else {}
    return b"data: " + json.dumps({"candidates": [candidate], **more}).encode() + b"\n\n"


def counted(written: int, **more: Any) -> Json:
    return {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": written, **more}}


def events(out: bytes) -> list[Json]:
    return [json.loads(line[6:]) for line in out.decode().split("\n\n") if line]


def texts(out: bytes) -> list[str]:
    return [part["text"] for told in events(out) for part in told["candidates"][0]["content"]["parts"]]


def test_pieces_that_arrive_together_leave_as_one_event_with_the_latest_figures() -> None:
    reader = GeminiReader()
    out = reader.feed(
        b"".join(chunk({"text": piece}, **counted(n + 1)) for n, piece in enumerate(("One ", "two ", "three")))
    )
    assert texts(out) == ["One two three"]
    assert events(out)[0]["usageMetadata"]["candidatesTokenCount"] == 3
    assert reader.progress == 3


def test_thoughts_and_words_stay_apart() -> None:
    thought = [chunk({"text": piece, "thought": True}) for piece in ("a", "b")]
    out = GeminiReader().feed(b"".join([*thought, chunk({"text": "c"}), chunk({"text": "d"})]))
    assert texts(out) == ["ab", "cd"]


def test_pieces_with_other_figures_stay_apart() -> None:
    first, second = chunk({"text": "a"}, **counted(1, cachedContentTokenCount=4)), chunk({"text": "b"}, **counted(2))
    assert GeminiReader().feed(first + second) == first + second


def test_a_piece_with_a_signature_leaves_as_it_came() -> None:
    sent = chunk({"text": "a"}) + chunk({"text": "b", "thoughtSignature": "CpAB"}) + chunk({"text": "c"})
    assert GeminiReader().feed(sent) == sent


def test_an_answer_is_over_with_its_reason_and_figures_may_follow() -> None:
    reader = GeminiReader()
    reader.feed(chunk({"text": "All."}) + chunk({"text": ""}, finish="STOP"))
    assert (reader.finished, reader.whole) == (True, False)
    figures = b'data: {"usageMetadata": {"promptTokenCount": 9}}\n\n'
    assert reader.feed(figures) == figures
    assert reader.end() == b""
    assert reader.whole
    assert reader.ending is not None
    assert (reader.ending.meaning, reader.ending.word) == ("stop", "STOP")


def test_a_reason_with_each_event_ends_nothing_until_the_stream_does() -> None:
    reader = GeminiReader()
    for piece in ("One ", "two ", "three"):
        reader.feed(chunk({"text": piece}, finish="STOP"))
    assert not reader.finished
    reader.end()
    assert reader.finished


def test_words_that_the_sdk_does_not_know_are_said_in_its_own() -> None:
    known = ("STOP", "MAX_TOKENS", "SAFETY", "OTHER")
    ends = {
        "NEW_WORD": "STOP",
        "TOKEN_LIMIT": "MAX_TOKENS",
        "JAILBREAK": "STOP",
        "MODEL_ARMOR": "SAFETY",
        "OTHER": "OTHER",
    }
    for word, sent in ends.items():
        out = GeminiReader(known).feed(chunk({"text": "a"}, finish=word))
        assert events(out)[0]["candidates"][0]["finishReason"] == sent
