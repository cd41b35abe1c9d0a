"""Patterns of hosts that a person allows."""

from __future__ import annotations

import pytest

from aster_sidecar.tools.browser.allowed import allowed_hosts


@pytest.mark.parametrize(
    ("pattern", "host", "port", "expected"),
    [
        ("localhost", "localhost", 1, True),
        ("LocalHost.:3000", "localhost", 3000, True),
        ("localhost:3000", "localhost", 3001, False),
        ("localhost:3000", "127.0.0.1", 3000, False),
        ("localhost", "a.localhost", 80, False),
        ("*.corp.test", "a.b.corp.test", 80, True),
        ("*.corp.test", "corp.test", 80, False),
        ("*.corp.test", "evilcorp.test", 80, False),
        ("*.corp.test:8080", "a.corp.test", 80, False),
        ("192.168.1.7", "192.168.1.7", 22, True),
        ("[::1]:3000", "::1", 3000, True),
        ("[0:0::1]", "::1", 3000, True),
        ("[::1]", "::2", 3000, False),
    ],
)
def test_a_pattern_covers_its_host_and_port(pattern: str, host: str, port: int, expected: bool) -> None:
    assert allowed_hosts([pattern, "other.test"])(host, port) is expected


def test_nothing_is_allowed_without_patterns() -> None:
    assert not allowed_hosts([])("localhost", 80)


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "*", "*.", "*.*.test", "a*b", "http://localhost", "localhost/a", "localhost:0", "localhost:65536", "a:b"),
        *("::1", "127.1", "2130706433", "user@localhost", "a b", "[::1", "*.127.0.0.1:x"),
    ],
)
def test_other_texts_are_refused_by_name(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a host that can be allowed") as error:
        allowed_hosts([pattern])
    assert repr(pattern) in str(error.value)
