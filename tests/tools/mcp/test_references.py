"""References to variables and secrets in the settings of MCP servers."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.references import (
    Reference,
    Unresolved,
    checked,
    escaped,
    literal,
    parts,
    references_in,
    resolved,
    secret_names,
)

SETTINGS = {
    "one": {"args": ["-k", "${secret:a}", 3], "env": {"A": "x${secret:b.C}${env:D}", "B": "${secret:a}"}},
    "broken": {"url": "${secret:e", "args": [["${secret:f}${"]], "headers": "${secret:}"},
}
TEXT = st.text() | st.text(alphabet="${}:envscrtA_1")
NO_SECRETS: dict[str, str] = {}


class Setting(BaseModel):
    value: Annotated[str, AfterValidator(checked)]


def program(**settings: object) -> ServerSpec:
    return ServerSpec.model_validate({"name": "files", "command": "npx", **settings})


def remote(url: str, **headers: str) -> ServerSpec:
    # As config.toml is read once references are allowed in an address.
    return ServerSpec(name="web", url="http://h/", headers=headers).model_copy(update={"url": url})


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("plain $HOME $ {x} $$", ["plain $HOME $ {x} $$"]),
        ("${env:HOME}", [Reference("env", "HOME")]),
        ("Bearer ${secret:github-TOKEN}!", ["Bearer ", Reference("secret", "github-TOKEN"), "!"]),
        ("${env:A}${env:B}", [Reference("env", "A"), Reference("env", "B")]),
        ("$${env:A}", ["${env:A}"]),
        ("$${", ["${"]),
        ("$$${", ["$${"]),
        ("$${${env:A}", ["${", Reference("env", "A")]),
        ("${env:ProgramFiles(x86)}", [Reference("env", "ProgramFiles(x86)")]),
    ],
)
def test_a_text_consists_of_literal_pieces_and_references(text: str, pieces: list[str | Reference]) -> None:
    assert parts(text) == pieces
    assert references_in(text) == [piece for piece in pieces if isinstance(piece, Reference)]
    assert checked(text) is text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a ${env:sk-canary", "has a reference without a closing bracket; $${ is a literal ${"),
        ("${sk-canary}", "has a reference that is neither ${env:NAME} nor ${secret:NAME}; $${ is a literal ${"),
        ("${}", "has a reference that is neither ${env:NAME} nor ${secret:NAME}; $${ is a literal ${"),
        ("${ENV:A}", "has a reference that is neither ${env:NAME} nor ${secret:NAME}; $${ is a literal ${"),
        ("${env:}", "has a reference without a name"),
        ("${secret:}", "has a reference without a name"),
        ("${env:sk-canary}", "has a reference with a name that a variable can't have"),
        ("${env: A}", "has a reference with a name that a variable can't have"),
        ("${secret:sk canary}", "has a reference with a name that a secret can't have"),
        ("${secret:" + "a" * 129 + "}", "has a reference with a name that a secret can't have"),
        ("${env:A:-b}", "has a reference with a name that a variable can't have"),
        ("${env:ASTER_SIDECAR_TOKEN}", "refers to ASTER_SIDECAR_TOKEN, which is only for the daemon's clients"),
        ("${env:Aster_Sidecar_Token}", "refers to ASTER_SIDECAR_TOKEN, which is only for the daemon's clients"),
    ],
)
def test_a_malformed_reference_is_an_error_of_the_setting(text: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Setting(value=text)
    (error,) = caught.value.errors()
    assert error["msg"] == said
    assert "canary" not in error["msg"]
    with pytest.raises(ValueError, match=r"reference|refers"):
        references_in(text)


@given(TEXT)
def test_an_escaped_text_is_literal(text: str) -> None:
    assert literal(escaped(text)) == text
    assert references_in(escaped(text)) == []
    spec = program(args=[escaped(text.replace("\0", ""))])
    assert resolved(spec, NO_SECRETS, NO_SECRETS.get).args == (text.replace("\0", ""),)


@given(TEXT)
def test_any_text_has_parts_or_a_documented_error(text: str) -> None:
    try:
        pieces = parts(text)
    except PydanticCustomError:
        return
    assert "".join(escaped(piece) if isinstance(piece, str) else str(piece) for piece in pieces) == text


@given(st.lists(TEXT.filter(lambda text: not text.endswith("$")) | st.just(Reference("env", "A"))), TEXT)
def test_values_stand_in_place_of_references_and_are_not_searched(pieces: list[str | Reference], value: str) -> None:
    value = value.replace("\0", "")
    given_pieces = [piece if isinstance(piece, Reference) else piece.replace("\0", "") for piece in pieces]
    joined: list[str | Reference] = []
    for piece in given_pieces:  # neighbouring literals are one, as when a person writes them
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    text = "".join(escaped(piece) if isinstance(piece, str) else str(piece) for piece in joined)
    expected = "".join(value if isinstance(piece, Reference) else piece for piece in joined)
    if any(isinstance(piece, str) and piece.endswith("$") for piece in joined):
        return
    spec = program(env={"KEY": text})
    assert resolved(spec, {"A": value}, NO_SECRETS.get).env == {"KEY": expected}


def test_all_places_are_resolved() -> None:
    secrets = {"github": "ghp_canary"}
    spec = program(
        args=["--user=${env:WHO}", "$${env:WHO}"], env={"TOKEN": "${secret:github}", "PLAIN": "x"}, cwd="/tmp"
    )
    made = resolved(spec, {"WHO": "me"}, secrets.get)
    assert (made.args, made.env) == (("--user=me", "${env:WHO}"), {"TOKEN": "ghp_canary", "PLAIN": "x"})
    assert (made.name, made.command, made.cwd, made.url, made.headers) == ("files", "npx", "/tmp", None, {})
    assert spec.env == {"TOKEN": "${secret:github}", "PLAIN": "x"}
    web = resolved(
        remote("https://${env:HOST}/mcp", Authorization="Bearer ${secret:github}"), {"HOST": "h"}, secrets.get
    )
    assert (web.url, web.headers) == ("https://h/mcp", {"Authorization": "Bearer ghp_canary"})
    assert "canary" not in repr(web) + repr(made)


def test_a_server_without_references_stays_as_it_is() -> None:
    for spec in (program(args=["-y"], env={"A": "b"}), remote("https://h/x", A="b")):
        made = resolved(spec, NO_SECRETS, NO_SECRETS.get)
        assert made == spec
        assert made.model_fields_set == spec.model_fields_set


def test_everything_that_is_missing_is_named_with_its_place_and_without_a_value() -> None:
    spec = program(
        args=["${secret:a}", "x${env:NOWHERE}"],
        env={"TOKEN": "Bearer ${secret:a}", "MIX": "${env:HERE}${env:NOWHERE}"},
    )
    spec = spec.model_copy(update={"env": {**spec.env, "BAD": "${env:"}})  # not validated
    with pytest.raises(Unresolved) as caught:
        resolved(spec, {"HERE": "sk-canary"}, NO_SECRETS.get)
    assert str(caught.value) == (
        "files: argument 1: the secret a is not saved; argument 2: the variable NOWHERE is not set; "
        "env TOKEN: the secret a is not saved; env MIX: the variable NOWHERE is not set; "
        "env BAD has a reference without a closing bracket; $${ is a literal ${"
    )
    assert caught.value.missing == (Reference("secret", "a"), Reference("env", "NOWHERE"))
    assert isinstance(caught.value, ToolError)


def test_the_daemons_token_is_refused_even_if_the_setting_was_not_checked() -> None:
    spec = program().model_copy(update={"env": {"A": "${env:ASTER_SIDECAR_TOKEN}"}})
    with pytest.raises(Unresolved, match="env A refers to ASTER_SIDECAR_TOKEN"):
        resolved(spec, {"ASTER_SIDECAR_TOKEN": "t"}, NO_SECRETS.get)


@pytest.mark.parametrize("value", ["canary\r\nX: y", "canary\n", "canary\tx", "can\u00e4ry", "canary\0", "\x7fcanary"])
def test_a_value_can_not_break_a_header(value: str) -> None:
    with pytest.raises(Unresolved) as caught:
        resolved(remote("http://h/", Authorization="Bearer ${secret:a}"), {}, {"a": value}.get)
    assert str(caught.value).startswith("web: headers Authorization ")
    assert "can" not in str(caught.value).removeprefix("web: headers Authorization ")


@pytest.mark.parametrize(
    "value",
    ["file:///canary", "canary", "", "http://", "http://h:0/", "http://h:canary/", "http://h/\n", "http://h/ c"],
)
def test_the_address_must_still_be_one(value: str) -> None:
    with pytest.raises(Unresolved) as caught:
        resolved(remote("${env:URL}"), {"URL": value}, NO_SECRETS.get)
    assert str(caught.value) == "web: url is not an http:// or https:// address after references were replaced"
    assert resolved(remote("${env:URL}"), {"URL": "https://[::1]:8080/mcp"}, NO_SECRETS.get).url is not None


def test_nul_reaches_no_program() -> None:
    with pytest.raises(Unresolved, match="argument 1 contains NUL"):
        resolved(program(args=["${secret:a}"]), {}, {"a": "x\0y"}.get)


def test_a_text_with_references_is_no_literal() -> None:
    with pytest.raises(ValueError, match="has references"):
        literal("x${env:A}")


def test_the_secrets_of_whole_tables_are_found_also_beside_mistakes() -> None:
    assert secret_names(SETTINGS) == {"a", "b.C", "f", ""}
    assert secret_names(None) == secret_names(3) == set()
