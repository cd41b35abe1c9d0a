"""The evidence in a refusal: found in every form, and never in what a user wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aster_sidecar.models.provider_errors.body import MOST_NESTED, MOST_TEXTS, page_words, read, tokens


def test_codes_statuses_numbers_waits_and_sentences_are_kept_apart() -> None:
    found = read(
        {
            "error": {
                "code": "some_code",
                "status": 429,
                "message": "slow down",
                "n_ctx": "8,192",
                "retryDelay": "3s",
                "metadata": {"headers": {"Retry-After": 5}},
            }
        },
        {},
    )
    assert (found.codes, found.statuses, found.numbers) == (["some_code"], [429], {"window": 8192})
    assert (found.waits, found.headers, found.texts) == ([("retrydelay", "3s")], {"retry-after": "5"}, ["slow down"])


@pytest.mark.parametrize("member", ["messages", "input", "prompt", "content"])
def test_what_a_user_wrote_is_no_evidence(member: str) -> None:
    found = read({"error": "bad", member: [{"message": "context_length_exceeded", "code": "rate_limited"}]}, {})
    assert (found.codes, found.texts) == ([], ["bad"])


def test_json_inside_a_sentence_is_read() -> None:
    inner = json.dumps({"error": {"code": "inner_code", "message": "inner words"}})
    found = read({"error": {"message": f"Upstream failed: {inner}"}}, {})
    assert found.codes == ["inner_code"]
    assert found.texts == ["inner words", "Upstream failed:"]


def test_json_inside_json_ends_somewhere() -> None:
    body: Any = {"message": "innermost"}
    for _ in range(MOST_NESTED + 3):
        body = {"message": json.dumps(body)}
    found = read(body, {})
    assert "innermost" not in found.texts
    assert any("innermost" in text for text in found.texts)


def test_an_html_page_gives_its_title() -> None:
    found = read(b"<!doctype html><html><head><title>502 &amp; more</title></head><body>code: 1</body></html>", {})
    assert (found.page, found.texts, found.codes) == (True, ["502 & more"], [])
    assert read("anything", {"Content-Type": "text/html"}).page
    assert page_words("<html><script>var x</script><p>Some <b>words</b></p>") == "Some words"


def test_an_event_of_a_stream_is_read() -> None:
    found = read(b'event: error\ndata: {"error": {"code": "a_code", "message": "m"}}\n\n', {})
    assert (found.codes, found.texts) == (["a_code"], ["m"])


def test_fastapis_form_names_the_field() -> None:
    found = read({"detail": [{"loc": ["body", "tools", 0], "msg": "extra inputs"}]}, {})
    assert found.texts == ["extra inputs: body.tools.0"]


def test_an_unknown_form_is_shown_and_is_no_evidence() -> None:
    found = read({"oops": {"deep": 5}}, {})
    assert (found.codes, found.texts, found.unread) == ([], [], '{"oops": {"deep": 5}}')


def test_a_long_list_of_sentences_is_cut() -> None:
    found = read({"errors": [{"message": f"m {number}"} for number in range(20)], "message": "last"}, {})
    assert len(found.texts) == MOST_TEXTS


def test_a_count_of_tokens_is_a_positive_number_of_plausible_size() -> None:
    values: tuple[int | str, ...] = (8192, "8,192", " 8192 ", 0, -1, 10**9, "8k", "", "٨")
    assert [tokens(value) for value in values] == [8192, 8192, 8192, None, None, None, None, None, None]
