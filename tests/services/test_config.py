"""`[services.NAME]` tables: what they become, and how mistakes in them are reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.services.config import ALLOWED, ServiceSpec, service_specs


def test_a_table_is_read() -> None:
    [plain, whole] = service_specs(
        {
            "plain": {"command": "true"},
            "whole_1-x": {
                "command": ["server", "--quiet"],
                "args": ["", "-v"],
                "env": {"A": "b=c", "B": ""},
                "cwd": "~",
                "autostart": True,
                "description": "serves",
                "stop_timeout_s": 0.5,
                "backoff_s": 2,
                "backoff_max_s": 3600,
                "healthy_s": 1,
                "crash_limit": 1,
                "crash_window_s": 3.5,
            },
        }
    )
    assert plain == ServiceSpec(name="plain", command=("true",))
    assert whole.argv == ("server", "--quiet", "", "-v")
    assert whole.cwd == str(Path.home())
    assert (whole.autostart, whole.backoff_s, whole.crash_limit) == (True, 2, 1)
    assert "b=c" not in repr(whole)


WRONG: list[tuple[str, Any]] = [
    ("command", ""),
    ("command", []),
    ("command", [""]),
    ("command", ["a", 1]),
    ("command", "a\0b"),
    ("command", 3),
    ("args", "-v"),
    ("args", [1]),
    ("env", {"A=B": "c"}),
    ("env", {"A": 1}),
    ("env", ["A"]),
    ("cwd", "relative"),
    ("cwd", ""),
    ("autostart", 1),
    ("autostart", "yes"),
    ("description", "x" * 501),
    ("stop_timeout_s", 0),
    ("stop_timeout_s", -1),
    ("backoff_s", 3601),
    ("backoff_max_s", float("nan")),
    ("healthy_s", float("inf")),
    ("crash_window_s", "60"),
    ("crash_window_s", True),
    ("crash_limit", 0),
    ("crash_limit", 1.5),
    ("crash_limit", True),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        service_specs({"here": {"command": "true", key: value}})
    assert refused.value.message.startswith("[services.here]")
    assert key in refused.value.message
    assert refused.value.hint == f"allowed: {ALLOWED[key]}"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"Name": {"command": "a"}}, "[services.Name]: the name is not allowed"),
        ({"x" * 33: {"command": "a"}}, "the name is not allowed"),
        ({"../up": {"command": "a"}}, "the name is not allowed"),
        ({"a": 3}, "services.a = '3': not a table"),
        ({"a": {"comand": "b"}}, "[services.a] comand: unknown key"),
        ({"a": {"args": ["b"]}}, "[services.a]: no command is given"),
    ],
)
def test_a_wrong_table_is_refused_by_name(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        service_specs(table)
    assert says in refused.value.message
    assert refused.value.hint


def test_a_secret_in_env_is_not_told() -> None:
    with pytest.raises(ConfigInvalid) as refused:
        service_specs({"a": {"command": "b", "env": {"TOKEN": ["canary-secret"]}}})
    assert "canary" not in refused.value.message + str(refused.value.hint)
