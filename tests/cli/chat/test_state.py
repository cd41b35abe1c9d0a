"""The shared state of a chat."""

from __future__ import annotations

import pytest

from aster_sidecar.cli.chat.state import ChatState, Leave


def test_the_next_question_is_the_first_that_is_not_answered() -> None:
    state = ChatState("default", set())
    assert state.next_question() is None
    state.questions = {"call_1": {"call_id": "call_1"}, "call_2": {"call_id": "call_2"}}
    state.answered.add("call_1")
    assert state.next_question() == {"call_id": "call_2"}
    state.answered.add("call_2")
    assert state.next_question() is None


def test_a_turn_ends_once_and_is_no_longer_followed() -> None:
    state = ChatState("default", {"turn_1", "msg_1", "text:turn of events"})
    state.followed.add("turn_1")
    state.queued["turn_1"] = "a message"
    assert (state.asks, state.sent_turns) == (True, {"turn_1"})
    state.turn_ended("turn_1", {"stop_reason": "failed"})
    state.turn_ended("turn_1", {"stop_reason": "complete"})
    assert state.ended == {"turn_1": {"stop_reason": "failed"}}
    assert (state.asks, state.queued) == (False, {})
    state.finishing = True
    assert state.asks


def test_leaving_and_a_failure_end_the_chat() -> None:
    state = ChatState("default", set())
    state.check()
    state.leave()
    assert state.changed.is_set()
    state.check_stream()
    with pytest.raises(Leave):
        state.check()
    state.fail(ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        state.check_stream()
    with pytest.raises(ValueError, match="broken"):
        state.check()
