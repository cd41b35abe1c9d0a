"""How often a request is sent again, and how long the wait before it may be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aster_sidecar.conversation.retries import (
    MAX_ATTEMPTS,
    RETRY_MOST_S,
    SLOW_ATTEMPTS,
    attempts_for,
    is_retryable,
    wait_before_retry,
)
from aster_sidecar.conversation.turn_writer import TurnLog
from aster_sidecar.errors import ModelError, StoreCorrupt
from aster_sidecar.store.journal import Journal


def test_a_timeout_is_repeated_less_often() -> None:
    assert attempts_for(ModelError("rate_limited", "slow down", hint="")) == MAX_ATTEMPTS
    assert attempts_for(ModelError("provider_timeout", "no answer", hint="")) == SLOW_ATTEMPTS < MAX_ATTEMPTS


def test_only_failures_that_say_so_are_retried() -> None:
    assert is_retryable(ModelError("rate_limited", "slow down", hint="", retryable=True))
    assert not is_retryable(ModelError("invalid_key", "no", hint=""))
    assert not is_retryable(StoreCorrupt("broken"))


def test_a_wait_that_is_too_long_is_the_failure_itself(tmp_path: Path) -> None:
    failure = ModelError("rate_limited", "slow down", hint="", retryable=True, retry_after_s=RETRY_MOST_S + 1)
    log = TurnLog(Journal(tmp_path / "store"), "default", "session_1", "turn_1", "message_1")
    with pytest.raises(ModelError) as raised:
        asyncio.run(wait_before_retry(log, failure, 1))
    assert raised.value is failure
