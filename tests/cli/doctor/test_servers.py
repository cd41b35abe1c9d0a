"""Checks of the MCP servers, where no daemon runs. tests/flows/test_mcp_command.py has those with a daemon."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.cli.doctor.servers import mcp_servers


def checks(tmp_path: Path, config: str) -> list[Check]:
    path = tmp_path / "config.toml"
    path.write_text(config)
    return list(mcp_servers(path, None))


def test_without_servers_nothing_is_checked(tmp_path: Path) -> None:
    [found] = mcp_servers(tmp_path / "config.toml", None)
    assert (found.status, found.detail) == ("skipped", "none")
    for wrong in ("[mcp", "mcp = 1"):
        [found] = checks(tmp_path, wrong)
        assert (found.status, found.detail) == ("skipped", "config.toml can't be read")


def test_a_mistake_in_a_table_is_named_and_the_others_are_checked(tmp_path: Path) -> None:
    config = "[mcp.docs]\ncommand = 1\nenabled = false\n[mcp.missing]\ncommand = 'no-such-program-here'\n[mcp.A]\n"
    summary, docs, missing = checks(tmp_path, config)
    assert "docs (turned off), missing: no daemon is running" in summary.detail
    assert (docs.name, docs.status) == ("mcp server docs", "warning")
    assert docs.detail == "[mcp.docs] command = '1': should be a valid string"
    assert "[mcp.docs] in" in str(docs.remedy)
    assert missing.name == "mcp server missing"


def test_what_a_server_lacks_is_named_and_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "sk-canary-1")
    monkeypatch.delenv("B_TOKEN", raising=False)
    started = tmp_path / "started"
    (tmp_path / "plain").write_text("")
    config = f"""\
[mcp.good]
command = {sys.executable!r}
args = ["-c", "open({str(started)!r}, 'w')"]
env = {{ A = "${{env:A_TOKEN}}", B = "${{secret:mcp.good.B}}" }}
[mcp.missing]
command = "no-such-program-here"
[mcp.plain]
command = "{tmp_path}/plain"
[mcp.off]
command = "no-such-program-here"
enabled = false
[mcp.address]
url = "https://${{env:B_TOKEN}}/mcp"
headers = {{ Authorization = "Bearer ${{env:B_TOKEN}} ${{env:A_TOKEN}}" }}
"""
    summary, *others = checks(tmp_path, config)
    assert summary.status == "skipped"
    assert summary.detail == (
        "good, missing, plain, off (turned off), address: no daemon is running that could have started them"
    )
    assert [check.name for check in others] == ["mcp server missing", "mcp server plain", "mcp server address"]
    missing, plain, address = others
    assert missing.detail.startswith("no-such-program-here was not found on PATH")
    assert plain.detail.endswith("plain is not a program that this user may run")
    assert "the variable B_TOKEN is not set" in address.detail
    assert all(check.status == "warning" and "config.toml" in str(check.remedy) for check in others)
    assert "sk-canary" not in str(others)
    assert not started.exists()
