"""What is decided about each address of the table; tests/tools/web has where names and redirects lead."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from aster_sidecar.policy.permissions import ToolCall, decide
from aster_sidecar.tools.base import Surroundings, ToolError
from tests.tools.cases.url_cases import CASES, UrlCase
from tests.tools.support import assess


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case.url)[1:-1])
def test_an_address_is_judged(case: UrlCase, place: Surroundings) -> None:
    if case.decided == "refused":
        with pytest.raises((ToolError, ValidationError), match=re.escape(case.why)):
            assess("fetch_url", place, url=case.url)
        return
    found = assess("fetch_url", place, url=case.url)
    decision = decide("smart_approve", (), ToolCall("fetch_url", "a", "s", datetime.now(UTC)), found)
    assert decision.verdict == case.decided
    assert case.why in decision.reason


def test_there_are_enough_addresses() -> None:
    assert len(set(CASES)) == len(CASES) >= 100
