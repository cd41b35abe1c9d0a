"""Addresses and keys as people type them, proxies and certificates, and the errors if a provider can't be reached."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_sidecar.errors import ModelError, Refused
from aster_sidecar.models.build import Models
from aster_sidecar.models.network import way
from aster_sidecar.models.probe import probe
from aster_sidecar.models.provider_errors.unreachable import why_unreachable
from aster_sidecar.telemetry.redaction import Redactor, secrets_of
from aster_sidecar.text.addresses import alternatives, base_url, is_placeholder, key, place, shown
from tests.models.test_local_servers import Server, listed, server  # noqa: F401  # pyright: ignore[reportUnusedImport]

V1 = "/v1"


@pytest.mark.parametrize(
    ("typed", "root", "meant"),
    [
        ("http://127.0.0.1:11434", V1, "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/", V1, "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/api", V1, "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/api/", V1, "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/v1/", V1, "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/api/chat", V1, "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/api/tags", V1, "http://127.0.0.1:11434/v1"),
        ("http://box/ollama/api/generate", V1, "http://box/ollama/v1"),
        ("http://box/ollama/api", V1, "http://box/ollama/v1"),
        ("http://127.0.0.1:1234/api/v0/models", V1, "http://127.0.0.1:1234/v1"),
        ("http://127.0.0.1:8080/v1/chat/completions", V1, "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:8080/chat/completions", V1, "http://127.0.0.1:8080/v1"),
        ("https://box.example/proxy/8000/v1", V1, "https://box.example/proxy/8000/v1"),
        ("https://box.example/openai", V1, "https://box.example/openai"),
        ("  http://127.0.0.1:8000/v1\r\n", None, "http://127.0.0.1:8000/v1"),
        ('"http://127.0.0.1:8000/v1"', None, "http://127.0.0.1:8000/v1"),
        ("“http://127.0.0.1:8000/v1”", None, "http://127.0.0.1:8000/v1"),
        ("<http://127.0.0.1:8000/v1>", None, "http://127.0.0.1:8000/v1"),
        ("\ufeffhttp://127.0.0.1:8000\u200b/v1\u200b", None, "http://127.0.0.1:8000/v1"),
        ("OPENAI_BASE_URL=http://127.0.0.1:8000/v1", None, "http://127.0.0.1:8000/v1"),
        ('export OPENAI_BASE_URL="http://127.0.0.1:8000/v1"', None, "http://127.0.0.1:8000/v1"),
        ("localhost:1234", None, "http://localhost:1234"),
        ("LOCALHOST:1234/v1", None, "http://localhost:1234/v1"),
        ("127.0.0.1:8000/v1", None, "http://127.0.0.1:8000/v1"),
        ("192.168.1.5:8000/v1", None, "http://192.168.1.5:8000/v1"),
        ("10.0.0.7", None, "http://10.0.0.7"),
        ("100.101.102.103:8000", None, "http://100.101.102.103:8000"),
        ("studio.local:1234", None, "http://studio.local:1234"),
        ("gpu-box:8000/v1", None, "http://gpu-box:8000/v1"),
        ("//127.0.0.1:8000", None, "http://127.0.0.1:8000"),
        ("api.example.com/v1", None, "https://api.example.com/v1"),
        ("8.8.8.8:8000", None, "https://8.8.8.8:8000"),
        ("HTTP://API.example.com/V1x", None, "http://api.example.com/V1x"),
        ("http:/127.0.0.1:8000/v1", None, "http://127.0.0.1:8000/v1"),
        ("http//127.0.0.1:8000/v1", None, "http://127.0.0.1:8000/v1"),
        ("http:\\\\127.0.0.1:8000\\v1", None, "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000//v1//", None, "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/v1?api-version=1#top", None, "http://127.0.0.1:8000/v1"),
        ("https://api.example.com/v1/responses", None, "https://api.example.com/v1"),
        ("https://api.example.com/v1/models/", None, "https://api.example.com/v1"),
        ("https://api.example.com/v1/messages?beta=true", None, "https://api.example.com/v1"),
        ("https://api.groq.example/openai/v1", None, "https://api.groq.example/openai/v1"),
        ("https://google.example/v1beta/openai/", None, "https://google.example/v1beta/openai"),
        ("https://api.anthropic.example/v1", "", "https://api.anthropic.example"),
        ("https://api.anthropic.example/v1/messages", "", "https://api.anthropic.example"),
        ("https://gateway.example/anthropic/v1/", "", "https://gateway.example/anthropic"),
        ("https://gateway.example/anthropic", "", "https://gateway.example/anthropic"),
        ("http://0.0.0.0:8000/v1", None, "http://127.0.0.1:8000/v1"),
        ("0.0.0.0:11434", V1, "http://127.0.0.1:11434/v1"),
        ("http://[::]:8000", None, "http://127.0.0.1:8000"),
        ("[::1]:8000/v1", None, "http://[::1]:8000/v1"),
        ("::1", None, "http://[::1]"),
        ("http://[fd00::5]:8000", None, "http://[fd00::5]:8000"),
        ("https://me:pass%40word@box.example:8000/v1", None, "https://me:pass%40word@box.example:8000/v1"),
        ("https://münchen.example/v1", None, "https://xn--mnchen-3ya.example/v1"),
        ("", None, None),
        (' "" ', None, None),
    ],
)
def test_an_address_is_understood_as_it_was_meant(typed: str, root: str | None, meant: str | None) -> None:
    assert base_url(typed, "OPENAI_BASE_URL", root) == meant


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("http://", "host"),
        ("http:///v1", "host"),
        (":8000", "host"),
        ("http://127.0.0.1:99999", "port"),
        ("http://127.0.0.1:0", "port"),
        ("http://127.0.0.1:port/v1", "port"),
        ("http://me:secret-word@127.0.0.1:99999", "port"),
        ("http://me:secret/word@127.0.0.1:8000", "port"),
        ("ftp://127.0.0.1/v1", "scheme"),
        ("ws://127.0.0.1:8000", "scheme"),
        ("file:///v1", "scheme"),
        ("http://127.0.0.1:8000 /v1", "space"),
        ("http://one.example\nhttp://two.example", "space"),
        ("http://192.168.1.300:8000", "IP address"),
        ("http://[::1:8000", "host"),
        ("http://[fe80::1%25eth0]:8000", "IP address"),
        ("http://a..b/v1", "host"),
        ("http://user$host/v1", "host"),
        ("8000", "IP address"),
    ],
)
def test_what_is_no_address_is_said_with_its_variable(typed: str, says: str) -> None:
    with pytest.raises(ModelError) as raised:
        base_url(typed, "OPENAI_BASE_URL")
    error = raised.value
    assert (error.code, error.retryable) == ("address_invalid", False)
    assert error.message.startswith("OPENAI_BASE_URL ")
    assert says in error.message
    assert "secret" not in f"{error.message} {error.hint}"


T = TypeVar("T")


def outcome(call: Callable[[], T]) -> T | ModelError:
    """A call's result or its ModelError. Any other exception fails the test."""
    try:
        return call()
    except ModelError as error:
        return error


PIECES = st.lists(
    st.one_of(
        st.sampled_from(["http", "https", "://", ":/", "//", "/", ":", "@", "[", "]", "::1", "%", "?", "#", "\\"]),
        st.sampled_from(
            ["127.0.0.1", "localhost", "box.example", "/v1", "/api", "/chat/completions", "/models", "8000"]
        ),
        st.sampled_from(['"', "“", "\u200b", " ", "\n", "OPENAI_BASE_URL=", "Bearer ", "…", "..", "*", "é", "\ud83d"]),
        st.text(max_size=6),
    ),
    max_size=9,
).map("".join)


@settings(deadline=None)
@given(PIECES, st.sampled_from([None, "", "/v1"]))
def test_any_text_is_an_address_or_refused(typed: str, root: str | None) -> None:
    found = outcome(lambda: base_url(typed, "X_BASE_URL", root))
    if found is None or isinstance(found, ModelError):
        assert found is None or found.code == "address_invalid"
        return
    parts = urlsplit(found)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert found.isascii() and not found.endswith("/") and not parts.query and not parts.fragment  # noqa: PT018
    assert httpx2.URL(found).host
    assert base_url(found, "X_BASE_URL", root) == found
    assert [base_url(other, "X_BASE_URL") for other in alternatives(found)] == list(alternatives(found))
    assert "@" not in place(found)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), PIECES))
def test_any_text_is_a_key_that_can_be_sent_or_refused(typed: str) -> None:
    found = outcome(lambda: key(typed, "X_API_KEY"))
    if isinstance(found, ModelError):
        assert found.code == "key_refused"
        assert found.message.startswith("X_API_KEY contains ")
    elif found is not None:
        assert re.fullmatch("[!-~]+", found)
        assert key(found, "X_API_KEY") == found
        httpx2.Headers({"authorization": f"Bearer {found}"})


@pytest.mark.parametrize(
    "typed",
    [
        "sk-test-0123456789\n",
        "sk-test-0123456789\r\n",
        " sk-test-0123456789 ",
        "\tsk-test-0123456789\u00a0",
        "“sk-test-0123456789”",
        "‘sk-test-0123456789’",
        "'sk-test-0123456789'",
        '"sk-test-0123456789",',
        "«sk-test-0123456789»",
        "`sk-test-0123456789`",
        "\ufeffsk-test-\u200b0123456789",
        "sk-test-0123456789\\n",
        "Bearer sk-test-0123456789",
        "bearer  “sk-test-0123456789”",
        "Authorization: Bearer sk-test-0123456789",
        "OPENAI_API_KEY=sk-test-0123456789",
        "export OPENAI_API_KEY='sk-test-0123456789'",
        '$env:OPENAI_API_KEY = "sk-test-0123456789"',
        "set OPENAI_API_KEY=sk-test-0123456789",
    ],
)
def test_a_key_is_freed_of_what_came_along(typed: str) -> None:
    assert key(typed, "OPENAI_API_KEY") == "sk-test-0123456789"
    redactor = Redactor(secrets_of({"OPENAI_API_KEY": typed}))
    assert "0123456789" not in redactor.clean("sent: sk-test-0123456789")
    assert "0123456789" not in redactor.clean(f"typed: {typed.strip()}")


@pytest.mark.parametrize(
    "typed", ["sk-tést-0123456789", "sk-test 0123456789", "sk-test\n0123456789", "sk-\x07test-01234"]
)
def test_a_key_that_cant_be_sent_is_named_and_not_shown(typed: str) -> None:
    with pytest.raises(ModelError) as raised:
        key(typed, "OPENAI_API_KEY")
    error = raised.value
    assert (error.code, error.retryable) == ("key_refused", False)
    assert "OPENAI_API_KEY" in error.message
    assert not set(re.findall(r"\w{4,}", typed)) & set(re.findall(r"\w{4,}", f"{error.message} {error.hint}"))


def test_base64_padding_is_part_of_a_key() -> None:
    for whole in ("abcDEF0123456789==", "AB_CD==", "a=b"):
        assert key(whole, "K") == whole


def test_placeholders_are_told_from_keys() -> None:
    for text in (
        *("your-api-key", "YOUR_API_KEY", "sk-...", "sk-…", "<key>", "<your key here>", "changeme", "change-me"),
        *("sk-xxxxxxxx", "xxx", "sk-ant-...", "$OPENAI_API_KEY", "${OPENAI_API_KEY}", "%OPENAI_API_KEY%", "{{key}}"),
        *("sk-your-key-here", "insert-key-here", "api-key", "my_openai_key", '"your-api-key"', "TODO", "sk-***"),
    ):
        assert is_placeholder(text), text
    for text in ("", "sk-test-0123456789", "sk-1234", "k", "a-key", "EMPTY", "ollama", "lm-studio", "no-key", "dummy"):
        assert not is_placeholder(text), text


# -- how the models use it ---------------------------------------------------------------------------------------------


def models(environment: dict[str, str], kept: dict[str, str] | None = None, name: str | None = None) -> Models:
    facts = kept if kept is not None else {}
    return Models(environment, lambda: name, facts.get, facts.__setitem__)


def why_not(environment: dict[str, str], name: str) -> str | None:
    return {info.name: info.why_not for info in models(environment, name=name).list()}[name]


DEAD = {f"{name}_BASE_URL": "http://127.0.0.1:9/v1" for name in ("OLLAMA", "LMSTUDIO", "LLAMACPP")}


@pytest.mark.parametrize(
    ("environment", "name", "code", "says"),
    [
        ({"OPENAI_BASE_URL": "http://127.0.0.1:99999"}, "openai:m", "address_invalid", "OPENAI_BASE_URL"),
        ({"OLLAMA_BASE_URL": "ftp://x"}, "ollama:m", "address_invalid", "OLLAMA_BASE_URL"),
        ({"OLLAMA_BASE_URL": "", "OLLAMA_HOST": "ftp://x"}, "ollama:m", "address_invalid", "OLLAMA_HOST"),
        ({"ANTHROPIC_API_KEY": "sk-ánt"}, "anthropic:m", "key_refused", "ANTHROPIC_API_KEY"),
        ({"OPENAI_API_KEY": "your-api-key"}, "openai:m", "key_missing", "placeholder"),
        ({"GEMINI_API_KEY": "<key>"}, "google:m", "key_missing", "GEMINI_API_KEY holds a placeholder"),
        ({"OPENAI_API_KEY": "k", "HTTPS_PROXY": "foo://x"}, "openai:m", "address_invalid", "HTTPS_PROXY"),
        ({}, "openai:m", "key_missing", "OPENAI_API_KEY is not set"),
    ],
)
def test_a_turn_and_the_list_say_the_same(environment: dict[str, str], name: str, code: str, says: str) -> None:
    here = DEAD | environment
    known = models(here, name=name)
    with pytest.raises(ModelError) as raised:
        known.build()
    with pytest.raises(ModelError) as probed:
        asyncio.run(probe(known))
    assert raised.value.code == probed.value.code == code
    assert raised.value.message == probed.value.message
    assert says in raised.value.message
    assert (why_not(here, name) or "nothing") in raised.value.message


def test_a_placeholder_is_no_key_and_the_demo_answers() -> None:
    assert models({"OPENAI_API_KEY": "sk-..."}).name() == "demo"
    assert models({"OPENAI_API_KEY": "sk-test-0123456789"}).name() == ""


def test_a_server_of_ones_own_gets_any_key() -> None:
    known = models({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "changeme"})
    assert cast("Any", known.build("openai-chat:m").model).client.api_key == "changeme"


def test_providers_own_names_for_keys_count() -> None:
    known = models({**DEAD, "LM_API_TOKEN": "of-lm-studio", "LLAMA_API_KEY": "of-llama"})
    assert cast("Any", known.build("lmstudio:m").model).client.api_key == "of-lm-studio"
    assert cast("Any", known.build("llamacpp:m").model).client.api_key == "of-llama"
    assert models({"GEMINI_API_KEY": "g-key-0123"}).name() == ""
    assert why_not({**DEAD, "GEMINI_API_KEY": "g-key-0123"}, "google:m") is None


def test_a_providers_own_host_has_its_own_path() -> None:
    for typed in (
        "https://openrouter.ai",
        "https://openrouter.ai/api",
        "https://openrouter.ai/api/v1/",
        "openrouter.ai",
    ):
        known = models({"OPENROUTER_BASE_URL": typed, "OPENROUTER_API_KEY": "k"})
        assert known.build("openrouter:m").base_url == "https://openrouter.ai/api/v1"
    known = models({"OPENAI_BASE_URL": "api.openai.com"})
    with pytest.raises(ModelError, match="needs a key"):
        known.build("openai:m")


def test_a_password_in_an_address_is_not_shown_or_kept(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("m")
    kept: dict[str, str] = {}
    address = server.root.replace("://", "://me:secret-word@")
    known = models({"OPENAI_BASE_URL": address}, kept)
    chosen = known.build("openai-chat:m")
    known.learn_window(chosen, 8192)
    assert "secret-word" not in f"{kept} {chosen.base_url}"
    assert kept[f"base:{server.root}"] == f"{server.root}/v1"
    assert "secret-word" in str(cast("Any", chosen.model).client.base_url)
    assert shown("https://a:b@box.example/v1") == "https://box.example/v1"


# -- where an interface is found ---------------------------------------------------------------------------------------


def test_an_address_without_its_path_is_found_out_and_remembered(server: Server) -> None:  # noqa: F811
    server.answers["/v1/models"] = listed("m")
    kept: dict[str, str] = {}
    known = models({"OPENAI_BASE_URL": server.root}, kept)
    assert known.build("openai-chat:m").base_url == f"{server.root}/v1"
    assert known.build("openai:m").base_url == f"{server.root}/v1"
    assert models({"OPENAI_BASE_URL": server.root}, kept).settings.base_url(provider("openai")) == f"{server.root}/v1"


NOTHING_THERE = Refused("endpoint_unknown", "nothing there", hint="check it", provider_status=404)


def test_an_interface_at_the_root_stays_there(server: Server) -> None:  # noqa: F811
    server.answers["/models"] = listed("m")
    server.answers["/v1/models"] = listed("m")
    known = models({"OPENAI_BASE_URL": server.root})
    chosen = known.build("openai-chat:m")
    assert chosen.base_url == server.root
    assert not known.adapts(chosen, NOTHING_THERE)


def test_the_other_address_is_tried_once_and_kept_when_it_works(server: Server) -> None:  # noqa: F811
    kept: dict[str, str] = {}
    known = models({"OPENAI_BASE_URL": server.root}, kept)
    chosen = known.build("openai-chat:m")  # it lists no models, so the right address is not known
    assert chosen.base_url == server.root
    assert known.adapts(chosen, NOTHING_THERE)
    moved = known.build("openai-chat:m")
    assert moved.base_url == f"{server.root}/v1"
    assert not known.adapts(moved, NOTHING_THERE)
    known.failed(moved, NOTHING_THERE)
    assert known.build("openai-chat:m").base_url == server.root
    assert kept == {}
    assert known.adapts(known.build("openai-chat:m"), NOTHING_THERE)
    known.worked(known.build("openai-chat:m"))
    assert kept == {f"base:{server.root}": f"{server.root}/v1"}


def provider(name: str) -> Any:
    from aster_sidecar.models.catalog import PROVIDERS

    return PROVIDERS[name]


# -- proxies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "environment", "proxy", "variable"),
    [
        ("https://api.example/v1", {"HTTPS_PROXY": "http://p:1"}, "http://p:1", "HTTPS_PROXY"),
        ("https://api.example/v1", {"HTTPS_PROXY": "p:8080"}, "http://p:8080", "HTTPS_PROXY"),
        ("https://api.example/v1", {"HTTPS_PROXY": '"p:8080"\n'}, "http://p:8080", "HTTPS_PROXY"),
        ("https://api.example/v1", {"HTTPS_PROXY": "http://a:b@p:1/"}, "http://a:b@p:1", "HTTPS_PROXY"),
        ("https://api.example/v1", {"HTTPS_PROXY": "http://[::1]:1"}, "http://[::1]:1", "HTTPS_PROXY"),
        (
            "https://api.example/v1",
            {"https_proxy": "http://s:1", "HTTPS_PROXY": "http://l:1"},
            "http://s:1",
            "https_proxy",
        ),
        ("https://api.example/v1", {"https_proxy": "", "HTTPS_PROXY": "http://l:1"}, None, None),
        ("https://api.example/v1", {"ALL_PROXY": "http://a:1"}, "http://a:1", "ALL_PROXY"),
        ("https://api.example/v1", {"ALL_PROXY": "socks5://127.0.0.1:7890"}, "socks5://127.0.0.1:7890", "ALL_PROXY"),
        ("https://api.example/v1", {"all_proxy": "socks5h://a:b@h:1/"}, "socks5h://a:b@h:1", "all_proxy"),
        ("https://api.example/v1", {"all_proxy": "socks://127.0.0.1:1080/"}, "socks5://127.0.0.1:1080", "all_proxy"),
        ("https://api.example/v1", {"HTTPS_PROXY": "SOCKS5H://h"}, "socks5h://h", "HTTPS_PROXY"),
        (
            "https://api.example/v1",
            {"HTTPS_PROXY": "http://127.0.0.1:7897", "ALL_PROXY": "socks5://127.0.0.1:7890"},
            "http://127.0.0.1:7897",
            "HTTPS_PROXY",
        ),
        ("https://api.example/v1", {"ALL_PROXY": "socks5://h:1", "NO_PROXY": "api.example"}, None, None),
        ("https://api.example/v1", {"HTTP_PROXY": "http://h:1"}, None, None),
        ("http://10.1.2.3:8000/v1", {"HTTP_PROXY": "http://h:1"}, "http://h:1", "HTTP_PROXY"),
        # An unusable proxy does not matter where another one covers the address, or where no proxy is used.
        (
            "https://api.example/v1",
            {"HTTPS_PROXY": "http://h:1", "ALL_PROXY": "socks9://x"},
            "http://h:1",
            "HTTPS_PROXY",
        ),
        ("https://api.example/v1", {"ALL_PROXY": "socks9://x", "NO_PROXY": "api.example"}, None, None),
        ("https://api.example/v1", {"HTTPS_PROXY": "http://h:1", "NO_PROXY": "*"}, None, None),
        ("https://api.example/v1", {"HTTPS_PROXY": "http://h:1", "no_proxy": "a.b, example"}, None, None),
        ("https://api.example/v1", {"HTTPS_PROXY": "http://h:1", "NO_PROXY": ".example"}, None, None),
        ("https://api.example/v1", {"HTTPS_PROXY": "http://h:1", "NO_PROXY": "*.example"}, None, None),
        (
            "https://api.example/v1",
            {"HTTPS_PROXY": "http://h:1", "NO_PROXY": "pi.example"},
            "http://h:1",
            "HTTPS_PROXY",
        ),
        ("https://api.example/v1", {"HTTPS_PROXY": "http://h:1", "NO_PROXY": "api.example:443"}, None, None),
        ("https://api.example/v1", {"HTTPS_PROXY": "h:1", "NO_PROXY": "api.example:8443"}, "http://h:1", "HTTPS_PROXY"),
        ("http://10.1.2.3/v1", {"HTTP_PROXY": "http://h:1", "NO_PROXY": "10.0.0.0/8"}, None, None),
        ("http://[fd00::5]/v1", {"HTTP_PROXY": "http://h:1", "NO_PROXY": "[fd00::5]"}, None, None),
        ("http://127.0.0.1:9/v1", {"HTTP_PROXY": "nonsense://", "ALL_PROXY": "nonsense://"}, None, None),
        ("http://localhost:9/v1", {"HTTP_PROXY": "nonsense://"}, None, None),
        ("http://[::1]:9/v1", {"HTTP_PROXY": "nonsense://"}, None, None),
    ],
)
def test_the_proxy_of_an_address(
    url: str, environment: dict[str, str], proxy: str | None, variable: str | None
) -> None:
    taken = way(url, environment)
    assert (taken.proxy, taken.variable) == (proxy, variable)
    if proxy is not None:
        httpx2.Proxy(proxy)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("foo://p:1", "foo://"),
        ("socks4://p:1", "socks4://"),
        ("http://p:port", "port"),
        ("p:99999", "port"),
        ("http:p:8080", "://"),
        ("http//p:8080", "://"),
        ("http://", "host"),
        ("htp://me:secret-word@p:1", "htp://"),
        ("socks5:127.0.0.1:7890", "://"),
        ("socks5://127.0.0.1:99999", "port"),
    ],
)
def test_what_is_no_proxy_is_said_with_its_variable(value: str, says: str) -> None:
    for variable in ("HTTPS_PROXY", "all_proxy"):
        with pytest.raises(ModelError) as raised:
            way("https://api.example/v1", {variable: value})
        error = raised.value
        assert (error.code, error.retryable) == ("address_invalid", False)
        assert variable in error.message
        assert says in error.message
        assert "secret" not in f"{error.message} {error.hint}"


@settings(deadline=None)
@given(PIECES, st.sampled_from(["HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"]))
def test_any_text_in_a_proxy_variable_is_used_or_refused(text: str, variable: str) -> None:
    taken = outcome(lambda: way("https://api.example/v1", {"HTTPS_PROXY": "http://p:1", variable: text}))
    if isinstance(taken, ModelError):
        assert variable in taken.message
    elif taken.proxy is not None:
        httpx2.Proxy(taken.proxy)


# -- certificates, and why a connection fails --------------------------------------------------------------------------


def test_a_file_of_certificates_that_cant_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for variable, value, says in (
        ("SSL_CERT_FILE", str(tmp_path / "gone.pem"), "does not exist"),
        ("SSL_CERT_FILE", str(tmp_path), "is a directory"),
        ("SSL_CERT_FILE", str(tmp_path / "empty.pem"), "no readable certificates"),
        ("SSL_CERT_DIR", str(tmp_path / "gone"), "does not exist"),
    ):
        known = models({"OPENAI_API_KEY": "k", variable: value})
        with pytest.raises(ModelError) as raised:
            known.build("openai:m")
        assert (raised.value.code, raised.value.retryable) == ("provider_unreachable", False)
        assert f"{variable} is set to {value}" in raised.value.message
        assert says in raised.value.message


def connect_error(cause: BaseException) -> Exception:
    try:
        try:
            raise cause
        except BaseException as inner:
            raise httpx2.ConnectError(str(inner)) from inner
    except httpx2.ConnectError as outer:
        return outer


def unverified(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


OWN = ("https://box.example:8443/v1", "OPENAI_BASE_URL")
HERE = ("http://127.0.0.1:11434/v1", "OLLAMA_BASE_URL")


@pytest.mark.parametrize(
    ("cause", "at", "environment", "says", "hints", "again"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "x"),
            OWN,
            {},
            "host name of box.example:8443 is unknown",
            "OPENAI_BASE_URL",
            False,
        ),
        (socket.gaierror(socket.EAI_AGAIN, "x"), OWN, {}, "is unknown", "OPENAI_BASE_URL", True),
        (ConnectionRefusedError(), OWN, {}, "box.example:8443 refuses", "OPENAI_BASE_URL", True),
        (ConnectionRefusedError(), HERE, {}, "nothing listens on 127.0.0.1:11434", "`ollama serve`", True),
        (OSError(113, "no route"), OWN, {}, "no route to box.example:8443", "OPENAI_BASE_URL", True),
        (unverified(18), OWN, {}, "box.example:8443 is not trusted", "SSL_CERT_FILE", False),
        (unverified(20), OWN, {"SSL_CERT_DIR": "/"}, "not trusted", "SSL_CERT_DIR is set", False),
        (unverified(62), OWN, {}, "for another host", "OPENAI_BASE_URL", False),
        (unverified(64), OWN, {}, "for another host", "OPENAI_BASE_URL", False),
        (unverified(10), OWN, {}, "has expired", "clock", False),
        (unverified(9), OWN, {}, "not valid yet", "clock", False),
        (
            ConnectionRefusedError(),
            OWN,
            {"HTTPS_PROXY": "http://me:word@p:1"},
            "the proxy p:1 (HTTPS_PROXY)",
            "NO_PROXY",
            True,
        ),
        (
            socket.gaierror(-2, "x"),
            OWN,
            {"ALL_PROXY": "p:1"},
            "(ALL_PROXY) has an unknown host name",
            "NO_PROXY",
            True,
        ),
        (ExceptionGroup("all", [ConnectionRefusedError()]), HERE, {}, "nothing listens", "`ollama serve`", True),
    ],
)
def test_what_kept_a_request_from_its_provider_is_told_apart(
    cause: Exception, at: tuple[str, str], environment: dict[str, str], says: str, hints: str, again: bool
) -> None:
    told = why_unreachable(connect_error(cause), f"{at[1].partition('_')[0].lower()}:m", *at, environment)
    assert told is not None
    assert (told.code, told.retryable) == ("provider_unreachable", again)
    assert says in told.message
    assert hints in (told.hint or "")
    assert "word" not in told.message


def test_what_came_after_the_connection_is_not_its_business() -> None:
    for error in (httpx2.ReadError("x"), httpx2.ReadTimeout("x"), ValueError("x"), httpx2.RemoteProtocolError("x")):
        assert why_unreachable(error, "openai:m", *OWN, {}) is None
    refused = why_unreachable(
        httpx2.ProxyError("407 Proxy Authentication Required"), "openai:m", *OWN, {"ALL_PROXY": "p:1"}
    )
    assert refused is not None
    assert "407" in refused.message
    assert "http://NAME:PASSWORD@p:1" in (refused.hint or "")
