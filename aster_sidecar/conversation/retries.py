"""How often a request to a model is sent again after a temporary failure, and the wait before it."""

from __future__ import annotations

import asyncio
import logging
import random

from aster_sidecar.contract import wire
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.errors import AsterError, ModelError

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 4
"""Times one request is sent before a temporary failure becomes the turn's error."""
SLOW_ATTEMPTS = 2
"""The same for timeouts, where each attempt takes minutes."""
RETRY_BASE_S = 0.4
RETRY_MOST_S = 30.0


def attempts_for(failure: ModelError) -> int:
    """Most attempts of a request that fails like this."""
    return SLOW_ATTEMPTS if failure.code == "provider_timeout" else MAX_ATTEMPTS


def is_retryable(failure: AsterError) -> bool:
    """Whether the request is retried, so that its answer is not stored."""
    return bool(getattr(failure, "retryable", False))


async def wait_before_retry(turn: TurnLog, failure: ModelError, attempt: int) -> None:
    """Report the retry and wait. Raises: the failure, if the provider asks for a wait of more than RETRY_MOST_S."""
    delay_s = min(RETRY_MOST_S, RETRY_BASE_S * 2 ** (attempt - 1)) * random.uniform(0.8, 1.2)
    if failure.retry_after_s is not None:
        if failure.retry_after_s > RETRY_MOST_S:
            raise failure
        delay_s = max(delay_s, failure.retry_after_s)
    log.info(
        "model request failed",
        extra={"turn_id": turn.turn_id, "code": failure.code, "attempt": attempt},
    )
    turn.put(
        "model_retry",
        wire.ModelRetryEvent(
            code=failure.code,
            message=failure.message,
            attempt=attempt,
            max_attempts=attempts_for(failure),
            delay_s=round(delay_s, 3),
        ),
        durable=False,
    )
    await asyncio.sleep(delay_s)
