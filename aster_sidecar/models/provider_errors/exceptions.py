"""Translates exceptions of a request to a model into our errors. Refusals with a body are judged in classify.py."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aster_sidecar.errors import AsterError, ModelError
from aster_sidecar.models.catalog import Provider
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.provider_errors.unreachable import why_unreachable
from aster_sidecar.text.repair import cut

MOST_TEXT = 300
"""Characters of a foreign error's text that are shown."""


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
    from pydantic_ai import exceptions as ai

    text = one_line(str(error))
    if isinstance(error, ai.ModelHTTPError) or getattr(error, "in_stream", False):
        return refusal(error, name, provider)

    def model_error(code: str, message: str, hint: str, retryable: bool = False) -> ModelError:
        return ModelError(code, message, hint=hint, retryable=retryable)

    match error:
        case ai.ModelContextWindowExceededError():
            return model_error(
                "context_too_long",
                f"{name}: the conversation is longer than the model can read",
                "start a new session, clear the history, or choose a model with a larger context window",
            )
        case ai.ModelTimeoutError() | ai.ModelRequestTimeout():
            return model_error(
                "provider_timeout",
                f"{name}: the provider did not answer in time",
                "try again; ASTER_MODEL_TIMEOUT_S sets how long the daemon waits",
                True,
            )
        case ai.ModelConnectionError():
            if getattr(error, "phase", None) == "read":
                return model_error(
                    "malformed_stream",
                    f"{name}: the answer ended before it was complete",
                    "send again; the text so far is kept",
                    True,
                )
            return model_error(
                "provider_unreachable",
                f"{name}: the provider cannot be reached",
                "check the network, the proxy settings and the base URL"
                + (f" ({provider.base})" if provider and provider.base else ""),
                True,
            )
        case ai.ContentFilterError():
            return model_error(
                "content_refused", f"{name}: the provider's filter refused: {text}", "rephrase your message"
            )
        case ai.UnexpectedModelBehavior() if re.search(r"max(imum)? \w*\s?retries", text):
            return model_error(
                "bad_tool_call",
                f"{name}: the model kept calling a tool with invalid arguments: {text}",
                "rephrase your message, or choose a model that is better with tools",
            )
        case ai.ModelAPIError() | ai.UnexpectedModelBehavior():
            return model_error(
                "malformed_stream",
                f"{name}: the answer could not be understood: {text}",
                "send again; the text so far is kept",
                True,
            )
        case _ if isinstance(error, ValueError) or type(error).__module__.startswith(("openai", "anthropic", "httpx")):
            return model_error(
                "malformed_stream",
                f"{name}: the answer could not be understood: {type(error).__name__}: {text}",
                "send again; the text so far is kept",
                True,
            )
        case _:
            return model_error(
                "internal_error",
                f"the turn failed inside the daemon: {type(error).__name__}: {text}",
                "this is a bug: please report it with the daemon's log",
            )


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
