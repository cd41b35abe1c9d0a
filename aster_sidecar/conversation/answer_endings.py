"""How a model's answer ended, and what that means for the turn: whole, cut off, filtered, failed, or without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart

from aster_sidecar.errors import AsterError, LimitReached, ModelError

if TYPE_CHECKING:
    from aster_sidecar.models.request_context import Ending

FULL_SHARE = 0.95
"""Part of the context window from which on an answer that was cut off had no more room."""


class BrokenOff(ValueError):
    """The provider's stream ended without saying that the answer is whole."""


class OutputCut(LimitReached):
    """The model reached its output limit. What it wrote is kept."""

    code = "output_limit"
    hint = 'send "go on" for the rest, or set a higher max_tokens in the agent\'s model_settings'


class Silent(Exception):
    """The model ended its answer without a word and without a tool call."""


def judge(response: ModelResponse, ending: Ending | None, name: str, window_tokens: int) -> AsterError | None:
    """What is wrong with an answer that ended: None, when it is whole. Parts that can't be used are taken out of it.

    `ending`: the server's own word, where the edge read it. Raises: BrokenOff, Silent.
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
            raise BrokenOff("the answer broke off before its end")
        case "length":
            drop_calls(response)
            return cut(response, name, word, window_tokens)
        case "content_filter":
            drop_calls(response)
            return ModelError(
                "content_refused",
                f"{name}: the provider's filter ended the answer{word}{refusal_of(response)}",
                hint="what was said so far is kept; say it otherwise, or choose another model",
            )
        case _:
            pass
    if is_silent(response):
        raise Silent
    return None


def cut(response: ModelResponse, name: str, word: str, window_tokens: int) -> OutputCut:
    used_tokens = response.usage.input_tokens + response.usage.output_tokens
    if used_tokens >= FULL_SHARE * window_tokens:
        return OutputCut(
            f"{name}: the answer was cut off, because the model's context window is full ({used_tokens} tokens)",
            hint="send another message to go on: earlier ones are summarised first; or start a new session",
        )
    before = " before its first word" if is_silent(response) else ""
    limit = f"the output limit was reached after {response.usage.output_tokens} tokens"
    return OutputCut(f"{name}: the answer was cut off{before}{word}: {limit}")


def drop_calls(response: ModelResponse) -> None:
    """Take out tool calls: the last may be cut off in the middle, and none was meant to stand alone."""
    response.parts = [part for part in response.parts if not isinstance(part, ToolCallPart)]


def is_silent(response: ModelResponse) -> bool:
    """Whether a response has neither text nor a tool call."""
    return all(
        isinstance(part, ThinkingPart) or (isinstance(part, TextPart) and not part.content.strip())
        for part in response.parts
    )


def refusal_of(response: ModelResponse) -> str:
    """The model's own words of refusal, where it gave some."""
    said = (response.provider_details or {}).get("refusal")
    return f": {' '.join(said.split())[:300]}" if isinstance(said, str) and said.strip() else ""


def silence(name: str) -> ModelError:
    """The model said nothing, twice."""
    return ModelError(
        "model_silent",
        f"{name}: the model said nothing",
        hint="ask in other words, or choose another model",
        retryable=True,
    )
