"""The check of the proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.cli.doctor import proxy


def test_a_proxy_that_does_not_answer_is_found_and_its_password_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, stranger: str, nobody: int
) -> None:
    assert proxy.proxies().detail == "none"
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:geheim@127.0.0.1:{nobody}")
    found = proxy.proxies()
    assert (found.status, "geheim" in str(found), "ada" in str(found)) == ("warning", False, False)
    assert "HTTPS_PROXY" in (found.remedy or "")
    monkeypatch.setenv("HTTPS_PROXY", stranger)
    monkeypatch.setenv("NO_PROXY", "example.com")
    assert proxy.proxies().status == "ok"
    assert "not for example.com" in proxy.proxies().detail
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    assert proxy.proxies().status == "warning"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ada:secret@proxy:3128/path?query", "http://…@proxy:3128"),
        ("ada:secret@proxy:3128", "http://…@proxy:3128"),
        ("socks5://proxy:1080", "socks5://proxy:1080"),
        ("http://[", "…"),
    ],
)
def test_an_address_is_shown_without_name_and_password(url: str, shown: str) -> None:
    assert proxy.without_password(url) == shown


def test_what_is_wrong_with_a_proxy(stranger: str, nobody: int) -> None:
    assert proxy.problem(stranger, "HTTP_PROXY") is None
    what, remedy = proxy.problem(f"http://127.0.0.1:{nobody}", "HTTP_PROXY") or ("", "")
    assert (what.startswith("it does not answer"), remedy.startswith("fix HTTP_PROXY")) == (True, True)
    assert proxy.problem("gopher://127.0.0.1:1", "HTTP_PROXY") is not None
