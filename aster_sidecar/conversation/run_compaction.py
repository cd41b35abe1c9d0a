"""Makes room in the context window of a run's model, and asks that model for the summary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_ai import Agent, CallToolsNode, ModelRequestNode, UsageLimits

from aster_sidecar.contract import wire
from aster_sidecar.conversation.compaction import Size, Step, after_refusal, compact, nearly_full, size
from aster_sidecar.conversation.earlier_messages import Earlier
from aster_sidecar.conversation.file_loading import Files
from aster_sidecar.conversation.model_history import ModelHistory
from aster_sidecar.conversation.model_stream import Tap, note_response
from aster_sidecar.conversation.retries import attempts_for, wait_before_retry
from aster_sidecar.conversation.run_state import Run
from aster_sidecar.errors import ModelError
from aster_sidecar.models.build import Models
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.telemetry.spans import Span, Spans


class Compactor:
    """Decides when a run's history is compacted, and replaces it by a shorter one."""

    def __init__(
        self,
        memory: ModelHistory,
        models: Models,
        spans: Spans,
        agent: Agent[Any, Any],
        choose: Callable[[Run], Awaitable[Chosen]],
        files: Files,
    ) -> None:
        """`choose` returns the model of a run, built anew after it was adapted."""
        self._memory = memory
        self._models = models
        self._spans = spans
        self._agent = agent
        self._choose = choose
        self._files = files

    def _size(self, run: Run, chosen: Chosen) -> Size:
        """The size of the next request."""
        return size(self._memory.of(run.log.session_id), min(run.fixed_tokens, chosen.window_tokens // 2))

    def note_size(self, run: Run, chosen: Chosen) -> None:
        """Note in the turn's usage how much of the context window the conversation fills."""
        run.job.usage.context_tokens = self._size(run, chosen).tokens
        run.job.usage.window_tokens = chosen.window_tokens if chosen.window_known else 0

    def nearly_full(self, run: Run, chosen: Chosen) -> bool:
        """Whether the next request would come too close to the limit of the model's context window."""
        answer_tokens = run.job.model_settings.get("max_tokens") or 0
        return nearly_full(self._size(run, chosen).tokens, chosen.window_tokens, answer_tokens)

    def after_refusal(self, run: Run, chosen: Chosen, failure: ModelError) -> Step | None:
        """The compaction to do after this failure; None: it would not help. Remembers a stated window size."""
        step = after_refusal(
            failure,
            tokens=self._size(run, chosen).tokens,
            window_tokens=chosen.window_tokens,
            compacted=run.compacted,
            assumed=not chosen.window_known,
        )
        run.refused = failure if step is not None else None
        if step is not None and step.learned:
            self._models.learn_window(chosen, step.window_tokens)
        return step

    async def compact(self, run: Run, chosen: Chosen, step: Step) -> None:
        """Replace the history by a shorter one. Raises: ModelError."""
        history = self._memory.of(run.log.session_id)
        before = self._size(run, chosen)
        shorter = await compact(
            history, step, run.fixed_tokens, lambda prompt: self._ask(run, chosen, prompt), before.ratio
        )
        if shorter is None:
            if step.reason == "near_window":
                return  # the provider may still accept it
            raise too_long_error(chosen.name) if step.learned or run.refused is None else run.refused
        self._memory.replace(run.log.session_id, run.log.turn_id, shorter)
        run.log.put(
            "history_compacted",
            wire.HistoryCompactedEvent(
                messages_before=len(history),
                messages_after=len(shorter),
                tokens_before=before.tokens,
                context_window=step.window_tokens,
                reason=step.reason,
            ),
        )
        await run.log.commit()
        run.compacted += 1

    async def _ask(self, run: Run, chosen: Chosen, prompt: str) -> str:
        """The answer to one prompt without tools; retried after temporary failures. Raises: ModelError."""
        attempt = 1
        while True:
            try:
                with self._spans.request(model=chosen.name, attempt=attempt) as span:
                    return await self._answer(run, chosen, prompt, span)
            except Exception as error:  # the same boundary as a turn's own request
                failure = self._models.why(chosen, error)
                if isinstance(failure, ModelError) and self._models.adapts(chosen, failure):
                    chosen = await self._choose(run)
                    continue
                if not isinstance(failure, ModelError) or not failure.retryable or attempt >= attempts_for(failure):
                    raise failure from error
                await wait_before_retry(run.log, failure, attempt)
                attempt += 1

    async def _answer(self, run: Run, chosen: Chosen, prompt: str, span: Span) -> str:
        """The text of the answer to one prompt. Counted as a request of the run."""
        text = ""
        async with self._agent.iter(
            prompt,
            model=Tap(chosen, run, [], Earlier(), self._files, publish=False),
            output_type=str,
            usage=run.usage,
            usage_limits=UsageLimits(request_limit=None),
        ) as agent_run:
            async for node in agent_run:
                if isinstance(node, ModelRequestNode):
                    async with node.stream(agent_run.ctx) as stream:
                        async for _ in stream:
                            pass
                    note_response(span, stream.response)
                    text = stream.response.text or ""
                elif isinstance(node, CallToolsNode):
                    break  # pydantic-ai would retry an empty answer
        return text


def too_long_error(name: str) -> ModelError:
    """The error for a conversation that can't be shortened further and exceeds the context window."""
    return ModelError(
        "context_too_long",
        f"{name}: the last message alone is longer than the model can read",
        hint="send less at once, or choose a model with a larger context window",
    )
