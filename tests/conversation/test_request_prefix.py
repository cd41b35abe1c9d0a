"""The part of a conversation that is kept as it was sent gives byte for byte the same request as building it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from pydantic_ai import ToolDefinition
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters

from aster_sidecar.conversation.earlier_messages import Earlier
from aster_sidecar.conversation.request_prefix import Prefix
from aster_sidecar.conversation.strict_history import as_sent
from aster_sidecar.models.build import Models
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.request_context import MARK, MARKS, Exchange, exchanging
from aster_sidecar.models.transport import EdgeClient

NAMES = ("openai:m", "openai-chat:m", "anthropic:claude-opus-4-8")
PARAMETERS = ModelRequestParameters(
    function_tools=[ToolDefinition(name="read", description="d", parameters_json_schema={"type": "object"})]
)


def built(name: str, bodies: list[bytes]) -> Chosen:
    """A model whose requests are recorded and refused."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        assert request.headers["content-length"] == str(len(request.content))
        return httpx2.Response(400, json={"error": {"message": "enough"}})

    url = "http://127.0.0.1:9"
    environment = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url}
    models = Models(environment, lambda: name, lambda key: None, lambda key, value: None)
    chosen = models.build(name)
    client: Any = chosen.model
    client.client._client = EdgeClient(transport=httpx2.MockTransport(answer))
    return chosen


def turn(number: int, provider: str, thinks: str | None = None, *, calls: bool = True) -> list[ModelMessage]:
    """A stored turn: text, thinking with a signature, a call with its result, and the answer."""
    of: dict[str, Any] = {"provider_name": provider, "model_name": "m", "provider_url": "https://api.openai.com/v1/"}
    said: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(f'say "{number}" \\ ü 😀')], instructions="be good")]
    thought = [ThinkingPart("hm", id=thinks, signature="s" * 8, provider_name=provider)] if thinks is not None else []
    if calls:
        call = ToolCallPart("read", {"path": f"f{number}"}, tool_call_id=f"call_{number}")
        said.append(ModelResponse(parts=[*thought, call], **of))
        said.append(
            ModelRequest(parts=[ToolReturnPart("read", {"text": ["x", number]}, f"call_{number}")], instructions="b")
        )
    said.append(ModelResponse(parts=[*thought, TextPart(f"answer {number}", id=f"msg_{number}")], **of))
    return said


PROVIDERS = {"openai:m": "openai", "openai-chat:m": "openai", "anthropic:claude-opus-4-8": "anthropic"}
THINKING = {"openai:m": "rs_1", "openai-chat:m": "reasoning_content", "anthropic:claude-opus-4-8": ""}

Ask = Callable[[Sequence[ModelMessage], Sequence[ModelMessage]], bool]


class Asking:
    """Makes requests as the engine does, and compares each body with that of a request that is built completely."""

    def __init__(self, name: str, **flags: bool) -> None:
        self.bodies: list[bytes] = []
        self.chosen = built(name, self.bodies)
        self.earlier = Earlier()
        self.flags = flags

    def form(self, messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        return self.chosen.model.prepare_messages(as_sent(messages, **self.flags))

    def ask(self, before: Sequence[ModelMessage], now: Sequence[ModelMessage], settings: Any = None) -> bool:
        """Whether marks replaced a part of the request."""
        kept, form = self.earlier.of("session", before, self.form), self.form(now)
        passage = kept.prefix.passage(
            kept.sent, form, self.chosen.model, settings, remembers_thinking=self.chosen.dialect == "chat"
        )
        given = passage.messages if passage is not None else [*kept.sent, *form]
        self._send(given, settings, Exchange(complete=passage.complete if passage is not None else None))
        self._send([*kept.sent, *form], settings, Exchange())
        shortened, anew = self.bodies[-2:]
        assert shortened == anew
        assert MARK.encode() not in shortened
        return passage is not None

    def _send(self, messages: list[ModelMessage], settings: Any, exchange: Exchange) -> None:
        many = len(self.bodies)

        async def send() -> None:
            with exchanging(exchange), pytest.raises(Exception, match=r"enough|Connection error"):
                async with self.chosen.model.request_stream(messages, settings, PARAMETERS):
                    pass

        asyncio.run(send())
        assert len(self.bodies) == many + 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flags", [{}, {"strict_roles": True, "short_ids": True}])
def test_a_conversation_that_grows_is_sent_as_if_it_were_made_anew(name: str, flags: dict[str, bool]) -> None:
    asking = Asking(name, **flags)
    history: list[ModelMessage] = []
    shortened = 0
    for number in range(12):
        kind = THINKING[name] if number in (3, 4, 8) else None
        now = turn(number, PROVIDERS[name], kind)
        shortened += asking.ask(history, now[:1])
        shortened += asking.ask(history, now[:3])
        history += now
    assert shortened >= 12


def test_thinking_of_earlier_turns_is_missed_by_no_call_of_a_later_one() -> None:
    """Chat completions get a thinking field with each call of the turn if thinking was sent anywhere before."""
    asking = Asking("openai-chat:m")
    history = [message for n in range(8) for message in turn(n, "openai", "reasoning_content" if n == 1 else None)]
    for number in range(8, 11):
        now = turn(number, "openai")
        assert asking.ask(history, now[:3])
        assert b'"reasoning_content":""' in asking.bodies[-1]
        history += now


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_dropped_with_the_history_the_model_and_the_settings(name: str) -> None:
    asking = Asking(name)
    history = [message for n in range(8) for message in turn(n, PROVIDERS[name])]
    now = turn(20, PROVIDERS[name])[:1]
    assert asking.ask(history, now)
    assert asking.ask(history, now)
    assert asking.ask(history, now, {"max_tokens": 99})
    shorter: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("a summary")]), *history[7:]]
    shorter = [replace(one) if isinstance(one, ModelResponse) else one for one in shorter]
    assert asking.ask(shorter, now)
    assert asking.ask([replace(one) for one in shorter], now)  # read again after a restart
    asking.chosen = built("openai-chat:other", asking.bodies)
    assert asking.ask(shorter, now)


@pytest.mark.parametrize(
    ("odd", "settings"),
    [
        (ModelRequest(parts=[SystemPromptPart("be brief"), UserPromptPart("hi")]), None),
        (ModelResponse(parts=[TextPart("x", provider_details={"citations": []})]), None),
        (ModelResponse(parts=[TextPart("x")], state="suspended"), None),
        (None, {"openai_previous_response_id": "auto"}),
    ],
)
def test_what_may_depend_on_others_is_given_whole(odd: ModelMessage | None, settings: Any) -> None:
    history = [message for n in range(8) for message in turn(n, "openai")]
    sent = history if odd is None else [*history[:8], odd, *history[8:]]
    assert Prefix().passage(sent, turn(9, "openai")[:1], "model", settings, remembers_thinking=False) is None
    assert Prefix().passage(history, turn(9, "openai")[:1], "model", None, remembers_thinking=False) is not None


@pytest.mark.parametrize(
    "body",
    [
        b'{"input":[{"role":"user"}]}',
        b'{"input":[{"content":"%s"},"%s",{}]}' % (MARKS[1].encode(), MARKS[2].encode()),
        b'{"input":["%s",{"content":"%s"},{}]}' % (MARKS[1].encode(), MARKS[2].encode()),
        b'{"input":["%s","%s",{}],"rest":"%s"}' % (MARKS[1].encode(), MARKS[2].encode(), MARKS[0].encode()),
    ],
)
def test_a_body_without_its_marks_never_leaves_and_the_next_is_made_anew(body: bytes) -> None:
    history = [message for n in range(8) for message in turn(n, "openai")]
    prefix, now = Prefix(), turn(9, "openai")[:1]
    passage = prefix.passage(history, now, "model", None, remembers_thinking=False)
    assert passage is not None
    with pytest.raises(ValueError, match=r"."):
        passage.complete(body)
    assert passage.failed
    assert prefix.passage(history, now, "model", None, remembers_thinking=False) is None


def test_a_mark_never_leaves_where_nothing_can_be_put_in() -> None:
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(400)

    async def send() -> None:
        http = EdgeClient(transport=httpx2.MockTransport(answer))
        with pytest.raises(ValueError, match="mark"):
            await http.post("http://h/v1/responses", json={"input": list(MARKS)})

    asyncio.run(send())
    assert not sent
