"""A model whose stream is published directly, with the earlier messages of its request from a cache."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

from pydantic_ai import (
    ModelSettings,
    PartDeltaEvent,
    PartStartEvent,
    RunContext,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel

from aster_sidecar.conversation.earlier_messages import Earlier
from aster_sidecar.conversation.file_loading import Files
from aster_sidecar.conversation.file_references import (
    MOST_SENT_BYTES,
    Reference,
    addresses,
    binary,
    fact,
    left_out,
    note,
    number,
    replaced,
    too_large,
)
from aster_sidecar.conversation.run_state import Run
from aster_sidecar.conversation.strict_history import as_sent, without_thinking
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.library_patches import tap_events
from aster_sidecar.models.request_context import exchanging
from aster_sidecar.telemetry.spans import Span

log = logging.getLogger(__name__)

YIELD_EVERY_S = 0.002
"""While a provider sends fast, the event loop gets a turn this often, so that chunks are delivered to clients."""
YIELD_S = 0.001


class Tap(WrapperModel):
    """A model wrapper that publishes the deltas of a stream directly, instead of through pydantic-ai's layers.

    Each delta would go through a dozen layers (locks, scopes, hooks) that don't use it: the agent needs only the
    complete response, which the stream assembles. `tapped` stays False if a release of pydantic-ai reads its streams
    differently; then the deltas come through all layers, and the engine publishes them there.
    """

    def __init__(
        self,
        chosen: Chosen,
        run: Run,
        before: list[ModelMessage],
        earlier: Earlier,
        files: Files,
        *,
        publish: bool = True,
    ) -> None:
        super().__init__(chosen.model)
        self._publish = publish
        self._before = before
        self._earlier = earlier
        self._files = files
        self._marks = chosen.has_edge
        self._refuses = chosen.refuses
        self._refused_files = files.refused_by(chosen.name)
        self._left_out: frozenset[str] = frozenset()
        self._key = (run.log.session_id, chosen.name, chosen.base_url, chosen.lacks, chosen.refuses)
        self._log = run.log
        self._run = run
        self.exchange = chosen.exchange(run.count_request)
        self._lacks = chosen.lacks
        self._dialect = chosen.dialect
        self._over_wire = chosen.provider is not None
        self._own_server = chosen.provider is not None and chosen.base_url != chosen.provider.default_url
        self.tapped = False

    def prepare_messages(
        self, messages: list[ModelMessage], model_request_parameters: ModelRequestParameters | None = None
    ) -> list[ModelMessage]:
        form = as_sent(messages) if self._over_wire else messages
        return super().prepare_messages(form, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        sent = self._run.sent
        if "tools" in self._lacks:
            model_request_parameters = replace(model_request_parameters, function_tools=[])
        with exchanging(self.exchange):
            async with AsyncExitStack() as opened:
                stream = await self._open(opened, messages, model_settings, model_request_parameters, run_context)
                if self._run.sent == sent:
                    self._run.count_request()  # it was not sent through our transport
                if self._publish:
                    tap_events(stream, self._listen)
                yield stream

    async def _open(
        self,
        opened: AsyncExitStack,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        context: RunContext[Any] | None,
    ) -> StreamedResponse:
        """Send the request; where possible with the cached JSON of the earlier messages (`request_prefix`).

        Raises: ModelError, if the files of the turn are too large for any provider.
        """
        self._choose_files(messages)
        if self._marks and (self._run.sent_earlier or self._run.sent_own):
            self.exchange.fill = partial(self._files.fill, url_safe=self.wrapped.system.startswith("google"))
        earlier = self._earlier.of((*self._key, self._left_out), self._before, self._form)
        turn = self._form(messages)
        passage = None
        if self._dialect is not None and not parameters.native_tools:
            passage = earlier.prefix.passage(
                earlier.sent, turn, self.wrapped, settings, remembers_thinking=self._dialect == "chat"
            )
        if passage is not None:
            self.exchange.complete = passage.complete
            try:
                return await self._send(opened, passage.messages, settings, parameters, context)
            except Exception:
                if not passage.failed:
                    raise
            finally:
                self.exchange.complete = None
        return await self._send(opened, [*earlier.sent, *turn], settings, parameters, context)

    def _choose_files(self, messages: Sequence[ModelMessage]) -> None:
        """Choose which files the request has. Raises: ModelError, if they are too large for any provider."""
        everything = (*self._before, *messages)
        own = addresses(messages) - self._run.earlier_files
        self._left_out = left_out(everything, own) | (self._refused_files - own)
        sent = [
            item
            for item in binary(everything)
            if item.url not in self._left_out and fact(item, "kind") not in self._refuses
        ]
        self._run.sent_earlier = self._run.sent_own = frozenset()
        sent_bytes = sum(number(item, "size") for item in sent)
        if sent_bytes > MOST_SENT_BYTES:
            raise too_large(sent_bytes)
        addresses_sent = frozenset(item.url for item in sent)
        self._run.sent_earlier, self._run.sent_own = addresses_sent - own, addresses_sent & own

    async def _send(
        self,
        opened: AsyncExitStack,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        context: RunContext[Any] | None,
    ) -> StreamedResponse:
        """Put the files into the messages, and send them."""
        messages = await self._files.put_in(messages, marks=self._marks)
        return await opened.enter_async_context(self.wrapped.request_stream(messages, settings, parameters, context))

    def _in_place_of(self, item: Reference) -> object:
        """A reference, or the note that is sent instead of the file."""
        if item.url in self._left_out and item.url in self._refused_files:
            return note(item, "it was refused")
        if item.url in self._left_out:
            return note(item, "newer files fill the request")
        if fact(item, "kind") in self._refuses:
            return note(item, "this model does not take such files")
        return item

    def _form(self, messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        """One turn's messages in the form that is sent to this model."""
        messages = replaced(messages, self._in_place_of)
        if not self._over_wire:
            return list(messages)
        if self.wrapped.system == "anthropic":
            messages = without_thinking(messages, self._accepts_thinking)
        sent = as_sent(messages, strict_roles="roles" in self._lacks, short_ids="ids" in self._lacks)
        return self.wrapped.prepare_messages(sent)

    def _accepts_thinking(self, message: ModelResponse, part: ThinkingPart) -> bool:
        """Whether the server accepts a thinking part: a signed one, or its own if it is not Anthropic's server."""
        if part.signature:
            return self.wrapped.accepts_stateless_artifacts(message, part)
        return self._own_server and message.provider_url == self.wrapped.base_url

    async def _listen(self, events: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        yielded_at = time.monotonic()
        try:
            while (event := await next_event(events)) is not None:
                self.tapped = True
                if not publish_delta(self._log, event):
                    yield event
                if time.monotonic() - yielded_at > YIELD_EVERY_S:
                    # While the journal's thread writes, give it the interpreter (GIL).
                    await asyncio.sleep(YIELD_S if self._log.journal.writing else 0)
                    yielded_at = time.monotonic()
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()


async def next_event(events: AsyncIterator[Any]) -> Any:
    """The next event of a model's stream, None at its end.

    Raises: UnexpectedModelBehavior, if the provider's library fails to parse what the provider sent.
    """
    try:
        return await anext(events, None)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, Warning) as error:
        log.warning("a library could not read an answer", exc_info=error)
        raise UnexpectedModelBehavior(f"{type(error).__name__}: {error}") from error


def publish_delta(log: TurnLog, event: Any) -> bool:
    """Publish the text or thinking in an event of a model's stream. Returns whether the event was only a delta."""
    if isinstance(event, PartDeltaEvent):
        delta = event.delta
        if isinstance(delta, TextPartDelta):
            log.say("text_chunk", delta.content_delta)
        elif isinstance(delta, ThinkingPartDelta):
            updates = delta.provider_details
            thought = delta.content_delta or (raw_thinking(updates(None)) if callable(updates) else "")
            if thought:
                log.say("thinking_chunk", thought)
        return True
    if isinstance(event, PartStartEvent):
        part = event.part
        if isinstance(part, TextPart) and part.content:
            log.say("text_chunk", part.content)
        elif isinstance(part, ThinkingPart) and (thought := part.content or raw_thinking(part.provider_details)):
            log.say("thinking_chunk", thought)
    return False


def raw_thinking(details: dict[str, Any] | None) -> str:
    """Thinking that a provider sends raw and not as a summary: pydantic-ai stores it in the provider details."""
    raw: Any = (details or {}).get("raw_content")
    return "".join(cast("list[str]", raw)) if isinstance(raw, list) else ""


def note_response(span: Span, response: ModelResponse) -> None:
    """Add the model, finish reason and token counts of the response to a request's span."""
    span.note(
        gen_ai__response__model=response.model_name,
        gen_ai__response__finish_reasons=(response.finish_reason,) if response.finish_reason else None,
        gen_ai__usage__input_tokens=response.usage.input_tokens,
        gen_ai__usage__output_tokens=response.usage.output_tokens,
    )
