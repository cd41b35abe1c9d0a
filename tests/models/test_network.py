"""Proxies and certificates. The table of the values that people set is in tests/text/test_addresses.py."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from aster_sidecar.errors import ModelError
from aster_sidecar.models.network import Way, context, proxies, usable, way


def test_this_machine_is_reached_directly_and_without_certificates() -> None:
    here = way("http://127.0.0.1:1/v1", {"HTTP_PROXY": "http://p:1"})
    assert here == Way(plain=True)
    assert here.verify() is False
    assert isinstance(way("https://127.0.0.1:1/v1", {}).verify(), ssl.SSLContext)


def test_servers_that_are_reached_alike_share_a_way() -> None:
    environment = {"HTTPS_PROXY": "p:1", "SSL_CERT_FILE": "/certs"}
    assert way("https://a.example/v1", environment) == way("https://b.example/v2", environment)
    assert way("https://a.example/v1", environment) != way("https://a.example/v1", {"HTTPS_PROXY": "p:1"})
    assert len({way(None, {}), way("https://a.example", {}), way("https://b.example", {})}) == 1


def test_a_lower_case_variable_overrides_the_upper_case_one() -> None:
    assert proxies({"http_proxy": "s:1", "HTTP_PROXY": "l:1"})["http"] == ("http_proxy", "s:1")
    assert "http" not in proxies({"http_proxy": "", "HTTP_PROXY": "l:1", "no_proxy": "x"})
    assert proxies({"REQUEST_METHOD": "GET", "HTTP_PROXY": "l:1", "NO_PROXY": "x"}) == {"no": ("NO_PROXY", "x")}


@pytest.mark.parametrize(
    ("system", "expected"), [("darwin", "http://from.system:1"), ("win32", "http://from.system:1"), ("linux", None)]
)
def test_the_systems_proxy_is_used_without_variables_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, system: str, expected: str | None
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://from.system:1"})
    assert way("https://a.example", {}).proxy == expected
    assert way("https://a.example", {"ALL_PROXY": "http://set:1"}).proxy == "http://set:1"


@pytest.mark.parametrize(
    ("value", "proxy"),
    [
        ("h", "http://h"),
        ("socks://h:1", "socks5://h:1"),
        ("HTTP://h:1/", "http://h:1"),
        ("http://me:p%40ss@h:1", "http://me:p%40ss@h:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_proxy_is_given_as_clients_accept_it(value: str, proxy: str) -> None:
    assert usable(value, "HTTPS_PROXY") == proxy


def test_a_certificate_file_replaces_the_systems(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"SSL_CERT_FILE is set to .*, which does not exist"):
        context(str(tmp_path / "gone"), "")
    with pytest.raises(ModelError, match="SSL_CERT_FILE"):
        context(str(tmp_path / "gone"), str(tmp_path))
    assert context("", str(tmp_path)).get_ca_certs() == []
    assert context("", f"/nowhere:{tmp_path}").get_ca_certs() == [], "one of several directories is enough"
