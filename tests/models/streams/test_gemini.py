"""The reader of Gemini's streams: what it passes on unchanged, what it joins, and when an answer is complete."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, cast

import httpx2
import pytest
from pydantic_ai import ModelRequest
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import UnexpectedModelBehavior

from aster_sidecar.errors import ModelError
from aster_sidecar.models.build import Models
from aster_sidecar.models.network import way
from aster_sidecar.models.sdk_models import known_types
from aster_sidecar.models.streams.gemini import GeminiReader
from aster_sidecar.models.transport import EdgeClient

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


@pytest.mark.parametrize("odd", [[None], [1, "two"], [[]], {"a": [1]}, "many"])
def test_figures_of_a_form_that_nobody_knows_lose_no_text(odd: Any) -> None:
    reader = GeminiReader()
    out = reader.feed(chunk({"text": "one "}, **counted(1, extraDetails=odd)))
    out += reader.feed(chunk({"text": "two"}, finish="STOP", **counted(2, extraDetails=odd)))
    assert "".join(texts(out + reader.end())) == "one two"


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


EVERYTHING: Json = {
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "Hm.", "thought": True, "thoughtSignature": "CpAB"},
                    {"text": "One."},
                    {"functionCall": {"id": "c1", "name": "read_file", "args": {"path": "a.txt"}}},
                    {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                    {"functionResponse": {"name": "x", "response": {}}},
                    {"toolCall": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "args": {}}},
                    {"toolResponse": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "response": {}}},
                ],
                "role": "model",
            },
            "index": 0,
            "finishReason": "STOP",
            "finishMessage": "over",
            "tokenCount": 3,
            "avgLogprobs": -0.5,
            "continuationToken": "CpAB",
            "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE", "blocked": False}],
            "citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 4, "uri": "https://x.example/"}]},
            "groundingMetadata": {
                "webSearchQueries": ["x"],
                "searchEntryPoint": {"renderedContent": "x"},
                "groundingChunks": [{"web": {"uri": "https://x.example/", "title": "x"}}],
                "groundingSupports": [
                    {"segment": {"startIndex": 0, "endIndex": 4, "text": "One."}, "groundingChunkIndices": [0]}
                ],
            },
            "urlContextMetadata": {
                "urlMetadata": [
                    {"retrievedUrl": "https://x.example/", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}
                ]
            },
            "logprobsResult": {"topCandidates": [{"candidates": [{"token": "a", "tokenId": 3}]}]},
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 9,
        "candidatesTokenCount": 5,
        "totalTokenCount": 14,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
        "trafficType": "ON_DEMAND",
    },
    "modelVersion": "m",
    "responseId": "r1",
    "modelStatus": {"modelStage": "STABLE"},
}
BLOCKED: Json = {
    "promptFeedback": {
        "blockReason": "SAFETY",
        "blockReasonMessage": "x",
        "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}],
    }
}
ODD: list[Any] = [None, True, -1, 1.5, 10**30, "", "x", "\ud83d", [], {}, [None], ["a"], {"a": 1}]


def altered(value: Any) -> Iterator[Any]:
    """The value with one unusual thing in it, at each place in turn."""
    yield from ODD
    if isinstance(value, dict):
        fields = cast("Json", value)
        yield from ({**fields, name: odd} for name, one in fields.items() for odd in altered(one))
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        yield from ([*items[:at], odd, *items[at + 1 :]] for at, one in enumerate(items) for odd in altered(one))


@pytest.mark.parametrize("whole", [EVERYTHING, BLOCKED], ids=["everything", "blocked"])
def test_whatever_is_odd_in_an_answer_it_is_read_or_told_as_what_it_is(whole: Json) -> None:
    pytest.importorskip("google.genai", reason="needs the google extra")
    sent: list[bytes] = []

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=sent[-1])

    async def ask_with_each() -> None:
        environment = {"GOOGLE_API_KEY": "g", "GOOGLE_BASE_URL": "http://127.0.0.1:9"}
        models = Models(environment, lambda: None, lambda _: None, lambda *_: None)
        http = EdgeClient(known_types, transport=httpx2.MockTransport(answer))
        models.sdk.clients[way(environment["GOOGLE_BASE_URL"], environment)] = http
        model = models.build("google:m").model
        for value in altered(whole):
            sent.append(b"data: " + json.dumps(value).encode() + b"\n\n")
            try:
                async with model_request_stream(model, [ModelRequest.user_text_prompt("hello")]) as stream:
                    async for _ in stream:
                        pass
            except ModelError:
                pass  # the error says that the request failed, or that this is no answer
            except Exception as error:
                nothing_left = isinstance(error, UnexpectedModelBehavior) and "without content" in str(error)
                assert nothing_left, sent[-1].decode()

    asyncio.run(ask_with_each())
    assert len(sent) > 100
