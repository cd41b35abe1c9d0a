"""Secrets are masked by value and by form, as in the shells, and ordinary text stays as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from aster_sidecar.telemetry.redaction import MASK, Redactor, holds_secret, passwords, secrets_in, secrets_of

CANARY = "canary-7d41c0ffee"
CONFORMANCE = Path(__file__).parent.parent.parent / "shells" / "conformance" / "redaction.json"
VECTORS: list[dict[str, Any]] = json.loads(CONFORMANCE.read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_shared_vectors_of_redaction_hold(vector: dict[str, Any]) -> None:
    """`hides` is removed and `keeps` stays; without `hides` the text is unchanged.

    See README.md in shells/conformance.
    """
    redactor = Redactor(vector.get("secrets", ()))
    redactor.learn(secrets_of(vector.get("environment", {})))
    cleaned = redactor.clean(vector["text"])
    hidden = not any(secret in cleaned for secret in vector["hides"])
    if "daemon" in vector.get("not_in", ()):
        assert not hidden, "it is masked: remove `daemon` from `not_in`"
        return
    assert hidden, cleaned
    assert [kept for kept in vector["keeps"] if kept not in cleaned] == []
    assert MASK in cleaned if vector["hides"] else cleaned == vector["text"]


def test_the_shared_vectors_have_no_other_fields_and_names() -> None:
    fields = {"name", "secrets", "environment", "text", "hides", "keeps", "not_in"}
    assert {field for vector in VECTORS for field in vector} == fields
    assert {name for vector in VECTORS for name in vector.get("not_in", ())} <= {"daemon", "electron", "tauri"}
    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize(
    "text",
    [
        f"sk-{CANARY}",
        f"key=sk-proj-{CANARY}",
        f"Authorization: Bearer {CANARY}",
        f"bearer {CANARY}",
        f'"api_key": "{CANARY}"',
        f"password={CANARY}",
        f"session_token: {CANARY}",
        f"https://ada:{CANARY}@example.com/x",
        "ghp_canary7d41c0ffee0000",
        "AKIACANARY7D41C0FFEE",
        "eyJjYW5hcnkx.eyJjYW5hcnki.c2lnbmF0dXJl",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    cleaned = Redactor().clean(f"before {text} after")
    assert MASK in cleaned
    assert not re.search("canary|c2lnbmF0dXJl|7D41", cleaned, re.IGNORECASE)
    assert cleaned.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/sessions/ses_455683062cc43479c08c9c63 200",
        "the token is missing",
        "stopping: stdin ended",
        "/home/ada/project/.aster/config.toml: unknown key 'modle', ignored",
        "anthropic:claude-sonnet-4-5",
        "turn_aeaeac4600b2ac61300415f1",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Redactor().clean(text) == text


@pytest.mark.parametrize("unit", ["x", "a-", "_tok", "key=", "://a", "bearer ", "-eyJ"])
def test_the_time_for_a_long_text_grows_with_it_and_not_with_its_square(unit: str) -> None:
    """A slow redactor would exceed the suite's time limit. A service may write any lines, and any number of them."""
    text = (unit * 500_000)[:500_000]
    assert len(Redactor(["a-secret-of-the-daemon"]).clean(text)) <= len(text)


def test_known_secrets_are_masked_in_every_spelling() -> None:
    secret = 'p"ss w/rd+é\\x'
    redactor = Redactor([secret, "", "short"])
    for text in (secret, json.dumps(secret), "a%22ss", f"?t={quote(secret, safe='')}"):
        assert "ss" not in redactor.clean(text) or text == "a%22ss"
    assert redactor.clean("short") == "short"
    redactor.learn(["another-secret"])
    assert redactor.clean("another-secret, " + secret) == f"{MASK}, {MASK}"


def test_secrets_are_found_by_the_names_of_variables_and_in_addresses() -> None:
    environment = {
        "OPENAI_API_KEY": "value-of-openai",
        "MY_TOKEN": "value-of-token",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=value-of-header,b=2",
        "HTTPS_PROXY": "http://ada:value-of-proxy@proxy:3128",
        "OPENAI_BASE_URL": "http://127.0.0.1:8000/v1",
        "HOME": "/home/ada",
    }
    redactor = Redactor(secrets_of(environment))
    for value in environment.values():
        assert "value-of" not in redactor.clean(f"({value})").replace("x-team", "")
    assert redactor.clean(environment["OPENAI_BASE_URL"]) == environment["OPENAI_BASE_URL"]
    assert redactor.clean("/home/ada") == "/home/ada"


def test_secrets_of_mcp_servers_are_found() -> None:
    table = {"a": {"env": {"X": "value-of-env"}}, "b": {"headers": {"Authorization": "Bearer value-of-header"}}, "c": 3}
    assert set(secrets_in(table)) >= {"value-of-env", "value-of-header"}
    assert list(secrets_in(None)) == []


def test_a_variable_holds_a_secret_by_its_name_or_its_value() -> None:
    assert holds_secret("OPENAI_API_KEY", "x")
    assert holds_secret("PROXY", "http://ada:opensesame@proxy")
    assert not holds_secret("OPENAI_API_KEY", "")
    assert not holds_secret("SSH_PRIVATE_KEY", "/home/ada/.ssh/id_ed25519")
    assert not holds_secret("SSH_PRIVATE_KEY", "~/.ssh/id_ed25519")
    assert not holds_secret("EDITOR", "vim")


def test_the_password_of_an_address_is_given_as_written_and_decoded() -> None:
    assert list(passwords("http://ada:open%20sesame@proxy:3128")) == ["open%20sesame", "open sesame"]
    for address in ("http://ada@proxy", "http://proxy", "", "http://[broken"):
        assert list(passwords(address)) == []
