"""`[mcp.NAME]` tables: what they become, and how mistakes in them are reported."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.tools.mcp.config import ALLOWED, BrokenSpec, ServerSpec, listed_servers, server_specs


def test_a_table_becomes_a_server() -> None:
    table = {
        "files": {"command": "npx", "args": ["-y", "server"], "env": {"TOKEN": "t"}, "tools": ["read"], "risk": "low"},
        "web": {"url": "https://example.com/mcp", "headers": {"Authorization": "Bearer x"}, "timeout_s": 5},
    }
    files, web = server_specs(table)
    assert (files.command, files.args, files.env, files.tools) == ("npx", ("-y", "server"), {"TOKEN": "t"}, ("read",))
    assert (files.risk, web.risk, web.timeout_s) == ("low", "high", 5)
    assert "Bearer" not in repr(web)


@pytest.mark.parametrize(
    ("name", "table", "said"),
    [
        ("Upper", {"command": "x"}, "[mcp.Upper]"),
        ("a", "x", "mcp.a = 'x'"),
        ("a", {}, "neither command nor url"),
        ("a", {"command": "x", "url": "http://h/"}, "both command and url"),
        ("a", {"command": "x", "comand": 1}, "[mcp.a] comand: unknown key"),
        ("a", {"command": ""}, "command = ''"),
        ("a", {"command": "x", "args": "-y"}, "args = '-y'"),
        ("a", {"command": "x", "risk": "none"}, "risk = 'none'"),
        ("a", {"command": "x", "timeout_s": 0}, "timeout_s = '0'"),
        ("a", {"command": "x", "timeout_s": True}, "timeout_s = 'True'"),
        ("a", {"command": "x", "cwd": "sub"}, "cwd = 'sub'"),
        ("a", {"command": "x", "headers": {"A": "b"}}, "[mcp.a] headers: has no meaning with command"),
        ("a", {"url": "http://h/", "env": {"A": "b"}}, "[mcp.a] env: has no meaning with url"),
        ("a", {"url": "file:///etc/passwd"}, "url = 'file:///etc/passwd'"),
        ("a", {"url": "http://h:x/"}, "url = 'http://h:x/'"),
        ("a", {"url": "http://h/", "headers": {"A": "sk-canary\r\nB: c"}}, "the value of headers"),
        ("a", {"command": "x", "env": {"A": 1}}, "the value of env"),
    ],
)
def test_a_wrong_table_says_what_is_allowed(name: str, table: Any, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        server_specs({name: table})
    assert said in caught.value.message
    assert "sk-canary" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("command", "a\0b"),
        ("args", [1]),
        ("args", {"a": "b"}),
        ("env", {"A=B": "c"}),
        ("env", {"": "c"}),
        ("env", ["A"]),
        ("cwd", ""),
        ("tools", [""]),
        ("tools", "read"),
        ("risk", "LOW"),
        ("timeout_s", "5"),
        ("timeout_s", 3600.5),
        ("timeout_s", float("nan")),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(key: str, value: Any) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        server_specs({"here": {"command": "true", key: value}})
    assert refused.value.message.startswith("[mcp.here]")
    assert key in refused.value.message
    assert refused.value.hint == f"allowed: {ALLOWED[key]}"


@pytest.mark.parametrize(
    ("table", "said", "kept"),
    [
        (3, "not a table", {}),
        ({}, "neither command nor url", {}),
        ({"command": "x", "url": "http://h/"}, "both command and url", {"command": "x", "url": "http://h/"}),
        ({"command": "x", "comand": 1, "args": ["-y"]}, "comand: unknown key", {"command": "x", "args": ("-y",)}),
        ({"command": ["x"], "enabled": False, "risk": "no"}, "command = ", {"enabled": False}),
        (
            {"url": "http://h/", "env": {"A": "b"}, "agents": ["a"]},
            "[mcp.a] env",
            {"env": {"A": "b"}, "agents": ("a",)},
        ),
        ({"command": "x", "name": "b", "enabled": "no"}, "name: unknown key", {"command": "x", "enabled": True}),
    ],
)
def test_a_mistake_in_a_table_harms_no_other_server(table: Any, said: str, kept: dict[str, Any]) -> None:
    first, broken, last = listed_servers({"a1": {"command": "y"}, "a": table, "B": {}, "a2": {"command": "z"}})
    assert [type(one) for one in (first, broken, last)] == [ServerSpec, BrokenSpec, ServerSpec]
    assert isinstance(broken, BrokenSpec)
    assert said in broken.fault.message
    assert broken.fault.hint
    assert {key: getattr(broken, key) for key in kept} == kept
    assert broken.risk == "high"
    assert not broken.is_same_program(broken)


@pytest.mark.parametrize("headers", [{"A b": "c"}, {"": "c"}, {"A": "\u00e9"}, {"A": "b\tc"}, {"A": 1}])
def test_a_wrong_header_is_refused(headers: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid, match="the value of headers"):
        server_specs({"a": {"url": "http://h/", "headers": headers}})


def test_the_digest_tells_servers_of_one_name_apart_and_has_no_secret() -> None:
    plain = ServerSpec(name="a", command="x")
    assert plain.digest() == ServerSpec(name="a", command="x", env={"TOKEN": "t"}, timeout_s=1).digest()
    others = (ServerSpec(name="a", command="y"), ServerSpec(name="a", command="x", args=("-y",)))
    assert plain.digest() not in {other.digest() for other in others}
