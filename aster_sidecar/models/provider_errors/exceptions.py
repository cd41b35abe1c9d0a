"""Translates exceptions of a request to a model into our errors. Refusals with a body are judged in classify.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aster_sidecar.errors import AsterError, ModelError
from aster_sidecar.models.catalog import Provider
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.provider_errors.unreachable import why_unreachable
from aster_sidecar.text.repair import cut

MOST_TEXT = 300
"""Characters of a foreign error's text that are shown."""


SEND_AGAIN = "send again; the text so far is kept"


@dataclass(frozen=True, slots=True)
class Failure:
    """What an exception means. `code` is our error code; `message` and `hint` are shown to people.

    In `message`, {model} is the model's name, {kind} and {text} are the exception's class and text. In `hint`, {base}
    is empty or the environment variable that sets the base URL.
    """

    code: str
    message: str
    hint: str
    retryable: bool = False


TOO_LONG = Failure(
    "context_too_long",
    "{model}: the conversation is longer than the model can read",
    "start a new session, clear the history, or choose a model with a larger context window",
)
TOO_LATE = Failure(
    "provider_timeout",
    "{model}: the provider did not answer in time",
    "try again; ASTER_MODEL_TIMEOUT_S sets how long the daemon waits",
    retryable=True,
)
CUT_OFF = Failure("malformed_stream", "{model}: the answer ended before it was complete", SEND_AGAIN, retryable=True)
UNREACHABLE = Failure(
    "provider_unreachable",
    "{model}: the provider cannot be reached",
    "check the network, the proxy settings and the base URL{base}",
    retryable=True,
)
FILTERED = Failure("content_refused", "{model}: the provider's filter refused: {text}", "rephrase your message")
BAD_CALL = Failure(
    "bad_tool_call",
    "{model}: the model kept calling a tool with invalid arguments: {text}",
    "rephrase your message, or choose a model that is better with tools",
)
MALFORMED = Failure(
    "malformed_stream", "{model}: the answer could not be understood: {text}", SEND_AGAIN, retryable=True
)
MALFORMED_FOR_LIBRARY = Failure(
    "malformed_stream", "{model}: the answer could not be understood: {kind}: {text}", SEND_AGAIN, retryable=True
)
BUG = Failure(
    "internal_error",
    "the turn failed inside the daemon: {kind}: {text}",
    "this is a bug: please report it with the daemon's log",
)


def explain(
    error: BaseException, chosen: Chosen, base_variable: str | None, environment: Mapping[str, str]
) -> AsterError:
    """What an exception of a request to a model means. Never raises.

    `base_variable` is the environment variable that sets the base URL; `environment` holds the proxies.
    """
    from pydantic_ai.exceptions import ModelHTTPError

    own = own_error(error)
    if own is None and chosen.provider is not None and not isinstance(error, ModelHTTPError):
        own = why_unreachable(error, chosen.name, chosen.base_url, base_variable, environment)
    return own or translate(error, chosen.name, chosen.provider)


def own_error(error: BaseException) -> AsterError | None:
    """Our own error among the causes of a library's error."""
    seen: set[int] = set()
    while id(error) not in seen:
        if isinstance(error, AsterError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__ or error
    return None


def translate(error: BaseException, name: str, provider: Provider | None) -> ModelError:
    """Our error for an exception of pydantic-ai, an SDK or the HTTP client. `name` is the model's."""
    from pydantic_ai.exceptions import ModelHTTPError

    if isinstance(error, ModelHTTPError) or getattr(error, "in_stream", False):
        return refusal(error, name, provider)
    text = one_line(str(error))
    failure = failure_of(error, text)
    message = failure.message.format(model=name, kind=type(error).__name__, text=text)
    hint = failure.hint.format(base=f" ({provider.base})" if provider and provider.base else "")
    return ModelError(failure.code, message, hint=hint, retryable=failure.retryable)


def failure_of(error: BaseException, text: str) -> Failure:
    """What an exception that is no refusal means. `text` is its message."""
    from pydantic_ai import exceptions as ai

    match error:
        case ai.ModelContextWindowExceededError():
            return TOO_LONG
        case ai.ModelTimeoutError() | ai.ModelRequestTimeout():
            return TOO_LATE
        case ai.ModelConnectionError():
            return CUT_OFF if getattr(error, "phase", None) == "read" else UNREACHABLE
        case ai.ContentFilterError():
            return FILTERED
        case ai.UnexpectedModelBehavior() if re.search(r"max(imum)? \w*\s?retries", text):
            return BAD_CALL
        case ai.ModelAPIError() | ai.UnexpectedModelBehavior():
            return MALFORMED
        case _ if isinstance(error, ValueError) or type(error).__module__.startswith(("openai", "anthropic", "httpx")):
            return MALFORMED_FOR_LIBRARY
        case _:
            return BUG


def refusal(error: BaseException, name: str, provider: Provider | None) -> ModelError:
    """Our error for a refusal that reached the SDK because it did not pass through `transport.py`."""
    from aster_sidecar.models.provider_errors.classify import understand

    status, body = getattr(error, "status_code", None), getattr(error, "body", None) or str(error)
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    return understand(
        status,
        body,
        headers,
        name=name,
        key_variable=provider.key if provider else None,
        base_variable=provider.base if provider else None,
    )


def one_line(text: str) -> str:
    """The text on one line of at most `MOST_TEXT` characters."""
    return cut(" ".join(text.split()), MOST_TEXT)
