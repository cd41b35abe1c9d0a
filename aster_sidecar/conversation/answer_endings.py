"""Decides how a model's answer ended, for the engine: complete, cut off, filtered, failed, or empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart

from aster_sidecar.errors import AsterError, LimitReached, ModelError

if TYPE_CHECKING:
    from aster_sidecar.models.request_context import Ending

FULL_SHARE = 0.95
"""Share of the context window in use from which a cut-off answer is attributed to a full window."""


class IncompleteAnswer(ValueError):
    """The provider's stream ended without a finish reason."""


class OutputCut(LimitReached):
    """The model reached its output limit. The text so far is kept."""

    code = "output_limit"
    hint = 'send "go on" for the rest, or set a higher max_tokens in the agent\'s model_settings'


class EmptyAnswer(Exception):
    """The model ended its answer with neither text nor a tool call."""


def judge(response: ModelResponse, ending: Ending | None, name: str, window_tokens: int) -> AsterError | None:
    """The error that an ended answer means for the turn; None when it is complete. Removes unusable tool calls from it.

    `ending`: the server's own finish reason, where the transport read it. Raises: IncompleteAnswer, EmptyAnswer.
    """
    word = f" ({ending.word})" if ending is not None and ending.word != response.finish_reason else ""
    if ending is not None and ending.meaning == "error":
        return ModelError(
            "provider_error",
            f"{name}: the provider ended the answer with {ending.word!r}",
            hint="send again; the text so far is kept",
            retryable=True,
        )
    match response.finish_reason:
        case None:
            raise IncompleteAnswer("the answer broke off before its end")
        case "length":
            drop_calls(response)
            return cut(response, name, word, window_tokens)
        case "content_filter":
            drop_calls(response)
            return ModelError(
                "content_refused",
                f"{name}: the provider's filter ended the answer{word}{refusal_of(response)}",
                hint="the text so far is kept; rephrase the message, or choose another model",
            )
        case _:
            pass
    if is_empty(response):
        raise EmptyAnswer
    return None


def cut(response: ModelResponse, name: str, word: str, window_tokens: int) -> OutputCut:
    """The error for an answer that was cut off: by a full context window, or by the output limit."""
    used_tokens = response.usage.input_tokens + response.usage.output_tokens
    if used_tokens >= FULL_SHARE * window_tokens:
        return OutputCut(
            f"{name}: the answer was cut off, because the model's context window is full ({used_tokens} tokens)",
            hint="send another message to go on: earlier ones are summarised first; or start a new session",
        )
    before = " before its first word" if is_empty(response) else ""
    limit = f"the output limit was reached after {response.usage.output_tokens} tokens"
    return OutputCut(f"{name}: the answer was cut off{before}{word}: {limit}")


def drop_calls(response: ModelResponse) -> None:
    """Remove the tool calls: the last may be incomplete, and the others were not meant to run without it."""
    response.parts = [part for part in response.parts if not isinstance(part, ToolCallPart)]


def is_empty(response: ModelResponse) -> bool:
    """Whether a response has neither text nor a tool call."""
    return all(
        isinstance(part, ThinkingPart) or (isinstance(part, TextPart) and not part.content.strip())
        for part in response.parts
    )


def refusal_of(response: ModelResponse) -> str:
    """The model's refusal text, prefixed with ": "; empty when it gave none."""
    said = (response.provider_details or {}).get("refusal")
    return f": {' '.join(said.split())[:300]}" if isinstance(said, str) and said.strip() else ""


def empty_answer_error(name: str) -> ModelError:
    """The error for a model that gave an empty answer twice."""
    return ModelError(
        "model_silent",
        f"{name}: the model said nothing",
        hint="rephrase the message, or choose another model",
        retryable=True,
    )
