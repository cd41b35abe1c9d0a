"""Facts from refusals: tried at once, stored after an answer, dropped after another refusal."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.errors import ModelError, Refused
from aster_sidecar.models.chosen import LACKING, Chosen
from aster_sidecar.models.demo import demo_model
from aster_sidecar.models.learned import LEAST_WINDOW_TOKENS, Learned

URL = "http://box.example/v1"


def learned(kept: dict[str, str]) -> Learned:
    return Learned(kept.get, kept.__setitem__)


def chosen(**more: Any) -> Chosen:
    return Chosen("openai:m", demo_model(), 100_000, URL, **more)


def refusal(lacks: str | None) -> ModelError:
    return Refused("request_refused", "no", hint="x", lacks=lacks)


@pytest.mark.parametrize("feature", sorted(LACKING - {"tools"}))
def test_a_missing_feature_is_stored_after_an_answer(feature: str) -> None:
    kept: dict[str, str] = {}
    facts = learned(kept)
    assert facts.learn(chosen(), refusal(feature))
    assert facts.lacks("openai:m", URL) == {feature}
    assert kept == {}
    facts.confirm(chosen(lacks=frozenset({feature})))
    assert kept == {f"lacks:openai:m@{URL}": feature}
    assert learned(kept).lacks("openai:m", URL) == {feature}
    assert learned(kept).lacks("openai:other", URL) == frozenset()


def test_missing_tools_are_forgotten_when_the_daemon_stops() -> None:
    kept: dict[str, str] = {}
    facts = learned(kept)
    assert facts.learn(chosen(), refusal("ids"))
    assert facts.learn(chosen(lacks=frozenset({"ids"})), refusal("tools"))
    facts.confirm(chosen(lacks=frozenset({"ids", "tools"})))
    assert facts.lacks("openai:m", URL) == {"ids", "tools"}
    assert learned(kept).lacks("openai:m", URL) == {"ids"}


def test_a_stored_refusal_does_not_count_once_the_server_reports_the_feature() -> None:
    kept = {f"lacks:openai:m@{URL}": "ids,images"}
    reported = frozenset({"images"})
    facts = learned(kept)
    assert facts.lacks("openai:m", URL) == {"ids", "images"}
    assert facts.lacks("openai:m", URL, reported) == {"ids"}, "the server was restarted with it"
    assert facts.learn(chosen(lacks=frozenset({"ids"})), refusal("images"))
    assert facts.lacks("openai:m", URL, reported) == {"ids", "images"}, "what it refused since then counts"


def test_each_feature_is_tried_once() -> None:
    facts = learned({})
    assert facts.learn(chosen(), refusal("roles"))
    assert not facts.learn(chosen(lacks=frozenset({"roles"})), refusal("roles"))
    assert not facts.learn(chosen(), refusal("system")), "nothing can be sent instead"
    assert not facts.learn(chosen(), refusal(None))
    assert not facts.learn(chosen(), ModelError("provider_error", "no", hint="x"))


def test_chat_completions_are_tried_only_where_responses_may_be_missing() -> None:
    kept: dict[str, str] = {}
    facts = learned(kept)
    assert not facts.learn(chosen(), refusal("responses"))
    assert facts.learn(chosen(may_fall_back=True), refusal("responses"))
    assert facts.speaks_chat_only(URL)
    facts.confirm(chosen())
    assert kept == {f"speaks:{URL}": "chat"}


def test_what_did_not_help_is_dropped_and_what_is_stored_stays() -> None:
    kept: dict[str, str] = {}
    facts = learned(kept)
    facts.learn(chosen(), refusal("ids"))
    assert not facts.discard(chosen(), refusal(None)), "the refusal has another reason"
    assert facts.discard(chosen(), refusal("ids"))
    assert facts.lacks("openai:m", URL) == frozenset()
    facts.learn(chosen(), refusal("ids"))
    facts.confirm(chosen())
    assert not facts.discard(chosen(), refusal("ids"))
    assert facts.lacks("openai:m", URL) == {"ids"}


def test_unknown_words_in_the_store_mean_nothing() -> None:
    assert learned({f"lacks:openai:m@{URL}": "ids,of tomorrow,"}).lacks("openai:m", URL) == {"ids"}
    assert learned({f"window:openai:m@{URL}": "many"}).window_tokens(chosen(), None) is None


def test_a_window_holds_until_the_server_reports_another_one() -> None:
    kept: dict[str, str] = {}
    assert learned(kept).learn_window(chosen(), 8192, 32768)
    assert kept == {f"window:openai:m@{URL}": "8192 32768"}
    assert learned(kept).window_tokens(chosen(), 32768) == 8192
    assert learned(kept).window_tokens(chosen(), None) == 8192
    assert learned(kept).window_tokens(chosen(), 65536) is None
    kept[f"window:openai:m@{URL}"] = "8192"
    assert learned(kept).window_tokens(chosen(), 65536) == 8192, "at that time the server reported nothing"


@pytest.mark.parametrize("tokens", [0, LEAST_WINDOW_TOKENS - 1, 100_000, 200_000])
def test_a_number_that_is_no_smaller_window_is_not_learned(tokens: int) -> None:
    kept: dict[str, str] = {}
    assert not learned(kept).learn_window(chosen(), tokens, None)
    assert kept == {}
