"""The MCP servers that other apps have configured: which files there are, and what is read from them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.tools.mcp.config import server_specs
from aster_sidecar.tools.mcp.converting import REPLACED, Candidate, Format, Names
from aster_sidecar.tools.mcp.other_apps import APPS, FILE_BYTES, SERVERS_MOST, Found, known_files, read_servers
from aster_sidecar.tools.mcp.references import literal

HOME = Path("/home/ada")


def read(folder: Path, name: str, text: str | dict[str, Any], format: Format | None = None, **options: Any) -> Found:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return read_servers(path, format, home=HOME, **options)


def one(folder: Path, server: Any, format: Format = "mcp-json", **options: Any) -> Candidate:
    """The only server of a file of this format that has the key mcpServers."""
    (candidate,) = read(folder, "mcp.json", {"mcpServers": {"one": server}}, format, **options).servers
    return candidate


# -- which files there are ---------------------------------------------------------------------------------------------

LINUX = {
    ".config/Claude/claude_desktop_config.json": ("Claude Desktop", "claude-desktop"),
    ".claude.json": ("Claude Code", "claude-code"),
    ".cursor/mcp.json": ("Cursor", "cursor"),
    ".config/Code/User/mcp.json": ("VS Code", "vscode"),
    ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json": (
        "Cline in VS Code",
        "cline",
    ),
    ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json": (
        "Roo Code in VS Code",
        "roo",
    ),
    ".config/Code - Insiders/User/mcp.json": ("VS Code Insiders", "vscode"),
    ".config/VSCodium/User/mcp.json": ("VSCodium", "vscode"),
    ".cline/data/settings/cline_mcp_settings.json": ("Cline", "cline"),
    ".codeium/windsurf/mcp_config.json": ("Windsurf", "windsurf"),
    ".codex/config.toml": ("Codex", "codex"),
    ".gemini/settings.json": ("Gemini CLI", "gemini"),
    ".config/opencode/opencode.jsonc": ("opencode", "opencode"),
    ".config/zed/settings.json": ("Zed", "zed"),
    ".config/goose/config.yaml": ("Goose", "goose"),
    ".lmstudio/mcp.json": ("LM Studio", "lm-studio"),
}
MAC = {
    "Library/Application Support/Claude/claude_desktop_config.json": ("Claude Desktop", "claude-desktop"),
    "Library/Application Support/Code/User/mcp.json": ("VS Code", "vscode"),
    ".config/zed/settings.json": ("Zed", "zed"),
    ".config/goose/config.yaml": ("Goose", "goose"),
    ".config/opencode/opencode.json": ("opencode", "opencode"),
}
WINDOWS = {
    "AppData/Roaming/Claude/claude_desktop_config.json": ("Claude Desktop", "claude-desktop"),
    "AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json": (
        "Claude Desktop",
        "claude-desktop",
    ),
    "AppData/Roaming/Code - Insiders/User/mcp.json": ("VS Code Insiders", "vscode"),
    ".config/opencode/opencode.json": ("opencode", "opencode"),
    "AppData/Roaming/Zed/settings.json": ("Zed", "zed"),
    "AppData/Roaming/Block/goose/config/config.yaml": ("Goose", "goose"),
    ".claude.json": ("Claude Code", "claude-code"),
}
FOLDER = {
    ".mcp.json": ("Claude Code", "claude-code"),
    ".cursor/mcp.json": ("Cursor", "cursor"),
    ".vscode/mcp.json": ("VS Code", "vscode"),
    ".roo/mcp.json": ("Roo Code", "roo"),
    ".codex/config.toml": ("Codex", "codex"),
    ".gemini/settings.json": ("Gemini CLI", "gemini"),
    "opencode.json": ("opencode", "opencode"),
    ".zed/settings.json": ("Zed", "zed"),
}


def create(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")


@pytest.mark.parametrize(("platform", "files"), [("linux", LINUX), ("darwin", MAC), ("win32", WINDOWS)])
def test_files_that_exist_are_known(tmp_path: Path, platform: str, files: dict[str, tuple[str, str]]) -> None:
    assert known_files(tmp_path, {}, platform, tmp_path / "work") == []
    create(tmp_path, *files)
    found = known_files(tmp_path, {}, platform)
    assert {str(file.path.relative_to(tmp_path).as_posix()): (file.app, file.format) for file in found} == files
    assert {file.work_dir for file in found} == {None}


def test_files_of_the_folder_are_known(tmp_path: Path) -> None:
    work_dir = tmp_path / "work"
    create(work_dir, *FOLDER)
    create(tmp_path, ".claude.json", ".cursor/mcp.json")
    found = known_files(tmp_path, {}, "linux", work_dir)
    assert [(file.app, file.path, file.work_dir) for file in found[:2]] == [
        ("Claude Code", tmp_path / ".claude.json", work_dir),
        ("Cursor", tmp_path / ".cursor/mcp.json", None),
    ]
    assert {str(file.path.relative_to(work_dir).as_posix()): (file.app, file.format) for file in found[2:]} == FOLDER
    assert {file.work_dir for file in found[2:]} == {work_dir}


def test_a_file_is_known_once_when_the_home_folder_is_the_work_folder(tmp_path: Path) -> None:
    create(tmp_path, ".cursor/mcp.json", ".codex/config.toml")
    assert [file.app for file in known_files(tmp_path, {}, "linux", tmp_path)] == ["Cursor", "Codex"]


def test_variables_move_files(tmp_path: Path) -> None:
    create(tmp_path, "x/zed/settings.json", "c/config.toml", "cline.json", "r/Claude/claude_desktop_config.json")
    environment = {
        "XDG_CONFIG_HOME": str(tmp_path / "x"),
        "CODEX_HOME": str(tmp_path / "c"),
        "CLINE_MCP_SETTINGS_PATH": str(tmp_path / "cline.json"),
        "APPDATA": str(tmp_path / "r"),
    }
    assert [file.app for file in known_files(tmp_path, environment, "linux")] == ["Cline", "Codex", "Zed"]
    assert [file.app for file in known_files(tmp_path, environment, "win32")] == ["Claude Desktop", "Cline", "Codex"]
    assert known_files(tmp_path, {"XDG_CONFIG_HOME": "x", "CODEX_HOME": ""}, "linux") == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFO")
def test_what_is_no_file_is_not_known(tmp_path: Path) -> None:
    (tmp_path / ".cursor/mcp.json").mkdir(parents=True)
    os.mkfifo(tmp_path / ".claude.json")
    assert known_files(tmp_path, {}, "linux") == []


# -- each app's file ---------------------------------------------------------------------------------------------------


def test_claude_desktop(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "claude_desktop_config.json",
        {
            "globalShortcut": "",
            "mcpServers": {
                "filesystem": {
                    "command": "npx",
                    "args": ["-y", "@modelcontextprotocol/server-filesystem", "/Users/ada/Desktop"],
                },
                "GitHub (work)": {
                    "command": "docker",
                    "args": ["run", "-i", "--rm", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN", "ghcr.io/github/github-mcp"],
                    "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_0123456789abcdefghij", "LOG": "info"},
                },
                "remote": {
                    "command": "npx",
                    "args": ["mcp-remote", "https://example.com/mcp", "--header", "Authorization:${AUTH_HEADER}"],
                    "env": {"AUTH_HEADER": "Bearer abcdefgh12345678"},
                },
                "windows": {"command": "cmd", "args": ["/c", "npx", "-y", "a-server"]},
            },
        },
    )
    assert (found.format, found.problems) == ("claude-desktop", [])
    files, github, remote, windows = found.servers
    assert files.spec == {
        "command": "npx",
        "args": ["-y", "@modelcontextprotocol/server-filesystem", "/Users/ada/Desktop"],
    }
    assert (files.problems, files.secrets, files.needs, files.importable) == ([], [], [], True)
    assert (github.name, github.title) == ("github-work", "GitHub (work)")
    assert github.secrets == [("env", "GITHUB_PERSONAL_ACCESS_TOKEN")]
    assert "ghp_" not in repr(github)
    # The program replaces ${AUTH_HEADER}; it must reach it as it is.
    assert remote.spec["args"][-1] == "Authorization:$${AUTH_HEADER}"
    assert literal(remote.spec["args"][-1]) == "Authorization:${AUTH_HEADER}"
    assert (remote.secrets, remote.problems) == ([("env", "AUTH_HEADER")], [])
    assert windows.spec == {"command": "cmd", "args": ["/c", "npx", "-y", "a-server"]}
    assert len(server_specs({candidate.name: candidate.spec for candidate in found.servers})) == 4


def test_claude_code_has_servers_of_the_folder_and_of_all_folders(tmp_path: Path) -> None:
    own = {
        "numStartups": 34,
        "projects": {
            "/srv/other": {"mcpServers": {"other": {"command": "x"}}},
            "/srv/here": {
                "allowedTools": [],
                "mcpServers": {
                    "db": {"type": "stdio", "command": "db-mcp", "env": {"URL": "${DB_URL:-postgres://h/x}"}}
                },
            },
            "/srv/broken": None,
        },
        "mcpServers": {
            "db": {"type": "http", "url": "https://api.example.com/mcp", "headers": {"Authorization": "Bearer ${KEY}"}},
            "asana": {"type": "sse", "url": "https://mcp.asana.com/sse"},
            "socket": {"type": "ws", "url": "wss://example.com/"},
            "shell": {"type": "stdio", "command": "x", "args": ["$HOME", "${FOO}/bin", "${env:A}"], "env": {"P": "$P"}},
        },
    }
    found = read(tmp_path, ".claude.json", own, work_dir=Path("/srv/here"))
    assert found.format == "claude-code"
    db, other, asana, socket, shell = found.servers
    assert (db.name, db.spec["env"]) == ("db", {"URL": "${env:DB_URL}"})
    assert db.problems == ["env URL has a default there; here the variable DB_URL must be set"]
    assert (other.name, other.title, other.spec["headers"]) == ("db-2", "db", {"Authorization": "Bearer ${env:KEY}"})
    assert other.secrets == []
    assert (asana.importable, asana.problems) == (
        False,
        ["it uses SSE, which is not supported; many such servers have an address for HTTP too"],
    )
    assert socket.problems == ["its type ws is not supported; supported: stdio and http"]
    # Claude Code replaces neither $NAME nor ${env:NAME}.
    assert (shell.spec["args"], shell.spec["env"]) == (["$HOME", "${env:FOO}/bin", "$${env:A}"], {"P": "$P"})
    assert shell.problems == ["argument 3 has a ${…} that Claude Code does not replace; it is taken literally"]
    assert [one.title for one in read(tmp_path, ".claude.json", own).servers] == ["db", "asana", "socket", "shell"]


@pytest.mark.parametrize(
    ("environment", "url"), [({}, "https://h/mcp"), ({"URL": "x"}, "${env:URL}"), (None, "${env:URL}")]
)
def test_a_default_counts_where_the_variable_is_not_set(
    tmp_path: Path, environment: dict[str, str] | None, url: str
) -> None:
    candidate = one(tmp_path, {"type": "http", "url": "${URL:-https://h/mcp}"}, "claude-code", environment=environment)
    assert (candidate.spec, candidate.importable) == ({"url": url}, True)
    assert len(candidate.problems) == 1


def test_claude_codes_file_of_a_folder(tmp_path: Path) -> None:
    (only,) = read(tmp_path, ".mcp.json", {"mcpServers": {"a": {"command": "x", "cwd": "tools"}}}).servers
    assert only.spec == {"command": "x", "cwd": str(tmp_path / "tools")}


def test_cursor(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        ".cursor/mcp.json",
        {
            "mcpServers": {
                "python": {
                    "type": "stdio",
                    "command": "${workspaceFolder}/.venv/bin/python",
                    "args": ["${workspaceFolder}${pathSeparator}server.py", "${workspaceFolderBasename}"],
                    "env": {"API_KEY": "${env:API_KEY}", "HOME_DIR": "${userHome}/x", "ID": "${API_ID}"},
                    "envFile": "${workspaceFolder}/.env",
                },
                "web": {"url": "${env:BASE}/mcp", "headers": {"Authorization": "Bearer ${env:TOKEN}"}},
                "old": {"url": "https://example.com/v1/sse"},
                "line": {"command": "npx -y 'a server' --flag"},
            }
        },
    )
    python, web, old, line = found.servers
    assert found.format == "cursor"
    assert python.spec == {
        "command": f"{tmp_path}/.venv/bin/python",
        "args": [f"{tmp_path}{os.sep}server.py", tmp_path.name],
        "env": {"API_KEY": "${env:API_KEY}", "HOME_DIR": f"{HOME}/x", "ID": "$${API_ID}"},
    }
    assert python.problems == [
        "the variables in its envFile are not read",
        "env ID has a ${…} that Cursor does not replace; it is taken literally",
    ]
    assert web.spec == {"url": "${env:BASE}/mcp", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}
    assert (web.importable, web.problems) == (True, [])
    assert old.problems == ["its address ends with /sse, so it may need SSE, which is not supported"]
    assert line.spec == {"command": "npx", "args": ["-y", "a server", "--flag"]}


def test_cursors_file_for_all_folders_has_no_open_folder(tmp_path: Path) -> None:
    path = tmp_path / ".cursor/mcp.json"
    create(tmp_path, ".cursor/mcp.json")
    path.write_text('{"mcpServers": {"a": {"command": "x", "args": ["${workspaceFolder}"]}}}')
    (only,) = read_servers(path, home=tmp_path).servers
    assert (only.importable, only.problems) == (False, ["argument 1 refers to the open folder, and there is none"])


VSCODE = """\
{
  // The inputs are asked for once.
  "inputs": [
    {"type": "promptString", "id": "perplexity-key", "description": "Perplexity API Key", "password": true,},
    {"type": "promptString", "id": "token"}, 7,
  ],
  "servers": {
    "perplexity": {
      "type": "stdio", "command": "npx", "args": ["-y", "server-perplexity-ask", "--key=${input:perplexity-key}"],
      "env": {"PERPLEXITY_API_KEY": "${input:perplexity-key}", "PORT": 3000, "OFF": null},
      "sandboxEnabled": true,
    },
    "gitHub": { /* remote */
      "type": "http", "url": "https://api.githubcopilot.com/mcp/",
      "headers": {"Authorization": "Bearer ${input:token}", "X-Note": "// no comment, }"},
    },
    "socket": {"type": "http", "url": "unix:///tmp/server.sock"},
    "config": {"command": "x", "args": ["${config:my.setting}", "${file}"]},
    "memory": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-memory"]},
  },
}
"""


def test_vs_code(tmp_path: Path) -> None:
    found = read(tmp_path, "mcp.json", VSCODE)
    assert found.format == "vscode"
    perplexity, github, socket, config, memory = found.servers
    assert perplexity.needs == [
        ("args", "2", "Perplexity API Key"),
        ("env", "PERPLEXITY_API_KEY", "Perplexity API Key"),
    ]
    assert perplexity.spec == {
        "command": "npx",
        "args": ["-y", "server-perplexity-ask", "--key=${secret:perplexity-perplexity-key}"],
        "env": {"PERPLEXITY_API_KEY": "${secret:perplexity-perplexity-key}", "PORT": "3000"},
    }
    assert perplexity.problems == ["its sandbox is not taken over", "env OFF has no value and is left out"]
    assert (github.name, github.needs) == ("github", [("headers", "Authorization", "token")])
    assert github.spec["headers"] == {"Authorization": "Bearer ${secret:github-token}", "X-Note": "// no comment, }"}
    assert socket.problems == [
        "url: is not an http:// or https:// address; allowed: an http:// or https:// address",
    ]
    assert (config.importable, config.problems) == (
        False,
        [
            "argument 1 has ${config:my.setting}, which only VS Code can replace",
            "argument 2 has a ${…} that VS Code does not replace; it is taken literally",
        ],
    )
    assert (memory.importable, memory.problems) == (True, [])


def test_vs_codes_settings_as_they_were_before(tmp_path: Path) -> None:
    old = {
        "editor.fontSize": 12,
        "mcp": {
            "inputs": [{"id": "k", "type": "promptString", "description": "The key"}],
            "servers": {"a": {"command": "x", "env": {"K": "${input:k}"}}},
        },
    }
    found = read(tmp_path, "settings.json", old)
    assert (found.format, found.servers[0].needs) == ("vscode", [("env", "K", "The key")])


def test_windsurf(tmp_path: Path) -> None:
    servers = {
        "zapier": {"serverUrl": "https://mcp.zapier.com/mcp", "headers": {"API_KEY": "Bearer ${env:AUTH_TOKEN}"}},
        "git": {"command": "py", "args": ["-m", "mcp_server_git"], "disabled": True, "env": {}},
    }
    found = read(tmp_path, "mcp_config.json", {"mcpServers": servers})
    assert found.format == "windsurf"
    zapier, git = found.servers
    assert zapier.spec == {"url": "https://mcp.zapier.com/mcp", "headers": {"API_KEY": "Bearer ${env:AUTH_TOKEN}"}}
    assert git.spec == {"command": "py", "args": ["-m", "mcp_server_git"], "enabled": False}
    assert git.importable


CODEX = """\
model = "gpt-5.2-codex"

[mcp_servers.context7]
command = "npx"
args = ["-y", "@upstash/context7-mcp"]
env_vars = ["LOCAL_TOKEN", { name = "OTHER", source = "local" }, 3]
enabled_tools = ["search", "read"]
startup_timeout_sec = 20

[mcp_servers.context7.env]
MY_ENV_VAR = "${literal}"

[mcp_servers.figma]
url = "https://mcp.figma.com/mcp"
bearer_token_env_var = "FIGMA_OAUTH_TOKEN"
http_headers = { "X-Figma-Region" = "us-east-1" }
env_http_headers = { "X-User" = "FIGMA_USER", "X-Bad" = "no good" }
enabled = false

[mcp_servers."Ünïcode!"]
command = "x"
"""


def test_codex(tmp_path: Path) -> None:
    found = read(tmp_path, "config.toml", CODEX)
    assert found.format == "codex"
    context7, figma, unicode = found.servers
    assert context7.spec == {
        "command": "npx",
        "args": ["-y", "@upstash/context7-mcp"],
        "env": {"MY_ENV_VAR": "$${literal}", "LOCAL_TOKEN": "${env:LOCAL_TOKEN}", "OTHER": "${env:OTHER}"},
        "tools": ["search", "read"],
    }
    assert context7.problems == [
        "env MY_ENV_VAR has a ${…} that Codex does not replace; it is taken literally",
        "an entry of env_vars is not a name",
    ]
    assert figma.spec == {
        "url": "https://mcp.figma.com/mcp",
        "headers": {
            "X-Figma-Region": "us-east-1",
            "X-User": "${env:FIGMA_USER}",
            "X-Bad": "",
            "Authorization": "Bearer ${env:FIGMA_OAUTH_TOKEN}",
        },
        "enabled": False,
    }
    assert figma.problems == ["headers X-Bad has a reference with a name that a variable can't have"]
    assert not figma.importable
    assert (unicode.name, unicode.title) == ("unicode", "Ünïcode!")


def test_gemini_cli(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        ".gemini/settings.json",
        {
            "mcp": {"excluded": ["node"], "allowed": ["http"]},
            "mcpServers": {
                "python": {
                    "command": "python",
                    "args": ["-m", "my_mcp_server"],
                    "cwd": "./mcp-servers/python",
                    "env": {"DATABASE_URL": "$DB", "API_KEY": "${KEY}", "TAG": "v$low", "PRICE": "5$", "TWO": "$A$B"},
                    "includeTools": ["safe_tool"],
                    "excludeTools": ["x"],
                },
                "node": {"command": "node"},
                "http": {"httpUrl": "http://localhost:3000/mcp", "url": "http://localhost/sse", "timeout": 5000},
                "sse": {"url": "http://localhost:8080/events", "type": "sse"},
                "url": {"url": "http://localhost:8080/mcp"},
            },
        },
    )
    assert found.format == "gemini"
    python, node, http, sse, url = found.servers
    assert python.spec == {
        "command": "python",
        "args": ["-m", "my_mcp_server"],
        "cwd": str(tmp_path / "mcp-servers/python"),
        "env": {
            "DATABASE_URL": "${env:DB}",
            "API_KEY": "${env:KEY}",
            "TAG": "v$low",
            "PRICE": "5$",
            "TWO": "${env:A}${env:B}",
        },
        "tools": ["safe_tool"],
    }
    assert python.problems == [
        "the tools that it leaves out are not left out here",
        "env TAG has $low, which is taken literally",
    ]
    assert node.spec == {"command": "node", "enabled": False}
    assert http.spec == {"url": "http://localhost:3000/mcp"}
    assert (sse.importable, url.importable) == (False, True)


@pytest.mark.parametrize("nested", [False, True])
def test_opencode(tmp_path: Path, nested: bool) -> None:
    servers = """{
      "my-local": { // Or ["bun", "x", "my-mcp-command"]
        "type": "local", "command": ["npx", "-y", "my-mcp-command"], "enabled": true,
        "environment": { "MY_KEY": "{env:MY_KEY}", "JSON": "{\\"a\\": 1}", "FILE": "{file:~/.key}" }, "cwd": "sub"
      },
      "remote": {
        "type": "remote", "url": "https://mcp.example.com/mcp", "enabled": false, "oauth": {},
        "headers": { "Authorization": "Bearer {env:API_KEY}", "X": "${HOME}" },
      },
      "overridden": { "enabled": true },
    }"""
    mcp = f'{{"servers": {servers}}}' if nested else servers
    found = read(tmp_path, "opencode.jsonc", f'{{"$schema": "https://opencode.ai/config.json", "mcp": {mcp},}}')
    assert found.format == "opencode"
    local, remote, overridden = found.servers
    assert local.spec == {
        "command": "npx",
        "args": ["-y", "my-mcp-command"],
        "env": {"MY_KEY": "${env:MY_KEY}", "JSON": '{"a": 1}', "FILE": "{file:~/.key}"},
        "cwd": str(tmp_path / "sub"),
    }
    assert (local.importable, local.problems) == (False, ["env FILE is read from a file, which is not supported"])
    assert remote.spec == {
        "url": "https://mcp.example.com/mcp",
        "headers": {"Authorization": "Bearer ${env:API_KEY}", "X": "$${HOME}"},
        "enabled": False,
    }
    assert overridden.problems == ["neither a command nor a url is given"]


def test_zed(tmp_path: Path) -> None:
    text = """\
    // Zed settings
    {
      "theme": "One Dark",
      "context_servers": {
        "local-mcp-server": {"source": "custom", "command": "some-command", "args": ["arg-1"], "env": {}},
        "before": {"command": {"path": "old", "args": ["a"], "env": {"K": "${V}"}}, "settings": {}},
        "remote": {"url": "https://example.com/mcp", "headers": {"Authorization": "Bearer <token>"}, "enabled": false},
        "extension": {"settings": {"key": 1}},
      },
    }
    """
    found = read(tmp_path, "settings.json", text)
    assert found.format == "zed"
    local, before, remote, extension = found.servers
    assert local.spec == {"command": "some-command", "args": ["arg-1"]}
    assert before.spec == {"command": "old", "args": ["a"], "env": {"K": "$${V}"}}
    assert remote.spec["enabled"] is False
    assert extension.problems == ["it belongs to an extension, which starts it"]
    assert read(tmp_path, "settings.json", {"theme": "x"}, "zed").servers == []


GOOSE = """\
GOOSE_PROVIDER: anthropic
extensions:
  developer: {bundled: true, enabled: true, name: developer, timeout: 300, type: builtin}
  github:
    name: GitHub
    type: stdio
    cmd: npx
    args: [-y, "@modelcontextprotocol/server-github"]
    envs: {LOG: debug, DAY: 2025-01-01}
    env_keys: [GITHUB_TOKEN]
    available_tools: []
    enabled: true
  remote:
    type: streamable_http
    uri: https://example.com/mcp
    envs: {ORG: "a${b"}
    env_keys: [SERVICE_TOKEN]
    headers: {Authorization: "Bearer ${ SERVICE_TOKEN }", X-Org: $ORG, X-Other: "$${NONE}"}
    enabled: false
  old: {type: sse, uri: "https://example.com/sse"}
  5: {type: stdio, cmd: five, args: []}
"""


def test_goose(tmp_path: Path) -> None:
    found = read(tmp_path, "config.yaml", GOOSE)
    assert found.format == "goose"
    github, remote, old, five = found.servers
    assert github.spec["env"] == {"LOG": "debug", "GITHUB_TOKEN": "${secret:github-GITHUB_TOKEN}"}
    assert github.needs == [("env", "GITHUB_TOKEN", "GITHUB_TOKEN, which Goose has saved")]
    assert github.problems == ["the value of env DAY is not text"]
    assert remote.spec == {
        "url": "https://example.com/mcp",
        "headers": {"Authorization": "Bearer ${secret:remote-SERVICE_TOKEN}", "X-Org": "a$${b", "X-Other": "$$${NONE}"},
        "enabled": False,
    }
    assert remote.needs == [("headers", "Authorization", "SERVICE_TOKEN, which Goose has saved")]
    assert (old.importable, five.title, five.spec) == (False, "5", {"command": "five"})


def test_cline_and_roo(tmp_path: Path) -> None:
    servers = {
        "local": {"command": "node", "args": ["/s.js"], "env": {"API_KEY": "${env:KEY}"}, "alwaysAllow": ["t"]},
        "untyped": {"url": "https://h/mcp"},
        "typed": {
            "type": "streamableHttp",
            "url": "https://h/mcp",
            "headers": {"Authorization": "Bearer your-token-1"},
        },
        "legacy": {"transportType": "http", "url": "https://h/mcp"},
        "sse": {"transportType": "sse", "url": "https://h/sse"},
    }
    cline = read(tmp_path, "cline_mcp_settings.json", {"mcpServers": servers})
    assert (cline.format, [one.importable for one in cline.servers]) == ("cline", [True, False, True, True, False])
    assert cline.servers[0].spec["env"] == {"API_KEY": "${env:KEY}"}
    assert cline.servers[1].problems == ["it uses SSE, which is not supported: Cline does so when no type is given"]
    assert cline.servers[2].secrets == [("headers", "Authorization")]
    servers["typed"]["type"] = "streamable-http"
    roo = read(tmp_path, "mcp_settings.json", {"mcpServers": servers})
    assert (roo.format, roo.servers[2].spec["url"]) == ("roo", "https://h/mcp")


def test_lm_studio(tmp_path: Path) -> None:
    text = {"mcpServers": {"hf": {"url": "https://huggingface.co/mcp", "headers": {"Authorization": "Bearer <TOKEN>"}}}}
    found = read(tmp_path, ".lmstudio/mcp.json", text)
    assert (found.format, found.servers[0].spec) == ("lm-studio", text["mcpServers"]["hf"])


def test_a_picked_file_may_be_the_servers_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "servers.json", {"a": {"command": "x"}, "b": {"url": "https://h/"}})
    assert (found.format, [one.name for one in found.servers]) == ("mcp-json", ["a", "b"])


def test_a_file_of_an_unknown_app(tmp_path: Path) -> None:
    server = {"command": "x", "args": ["${env:A}", "${B}", "${input:c}", "$D", "a$D", "${ e"], "env": {"F": "${F}"}}
    candidate = one(tmp_path, server)
    assert candidate.spec == {
        "command": "x",
        "args": ["${env:A}", "${env:B}", "${secret:one-c}", "$D", "a$D", "$${ e"],
        "env": {"F": "${env:F}"},
    }
    assert candidate.problems == [
        "argument 4 is $D, which is taken literally; ${env:NAME} is a variable",
        "argument 6 has a ${ that is taken literally",
    ]


def test_every_format_has_a_name_and_rules() -> None:
    assert APPS.keys() == REPLACED.keys()


# -- single settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("npx", ["npx"]),
        ("  uvx mcp-server-git ", ["uvx", "mcp-server-git"]),
        ("npx -y \"a b\" 'c d' e\\ f", ["npx", "-y", "a b", "c d", "e f"]),
        ("npx -y a#b", ["npx", "-y", "a#b"]),
        (r"C:\Program Files\nodejs\node.exe server.js --x", [r"C:\Program Files\nodejs\node.exe", "server.js", "--x"]),
        (r'"C:\Program Files\nodejs\npx.cmd" -y a', [r"C:\Program Files\nodejs\npx.cmd", "-y", "a"]),
        (r"C:\Tools\server.exe", [r"C:\Tools\server.exe"]),
        (r"C:\my tools\server.exe", [r"C:\my tools\server.exe"]),
        ("cmd /c npx -y a", ["cmd", "/c", "npx", "-y", "a"]),
    ],
)
def test_a_command_line_is_split(tmp_path: Path, command: str, words: list[str]) -> None:
    candidate = one(tmp_path, {"command": command})
    assert [candidate.spec["command"], *candidate.spec.get("args", [])] == words


def test_a_program_with_a_blank_in_its_path_is_kept(tmp_path: Path) -> None:
    program = tmp_path / "my server"
    program.write_text("")
    assert one(tmp_path, {"command": str(program)}).spec == {"command": str(program)}
    assert one(tmp_path, {"command": "/no where/x", "args": ["a"]}).spec == {"command": "/no where/x", "args": ["a"]}


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        (None, "it is not a table of settings"),
        ("npx", "it is not a table of settings"),
        ({}, "neither a command nor a url is given"),
        ({"command": None, "url": None}, "neither a command nor a url is given"),
        ({"command": ""}, "command: must not be empty; allowed: the name or path of a program"),
        ({"command": []}, "command: must not be empty; allowed: the name or path of a program"),
        ({"command": [None]}, "its command is not text"),
        ({"command": 5}, "its command is not text"),
        ({"command": {"args": []}}, "its command is not text"),
        ({"command": "npx 'a"}, "its command has a quotation mark without the second one"),
        ({"command": "x", "args": "-y"}, "its args are not a list"),
        ({"command": "x", "args": ["a", None]}, "argument 2 is not text"),
        ({"command": "x", "args": [["a"]]}, "argument 1 is not text"),
        ({"command": "x", "env": ["A=b"]}, "its env is not a table of names and values"),
        ({"command": "x", "env": {"A": {"b": None}}}, "the value of env A is not text"),
        ({"command": "x", "env": {"A=B": "c"}}, "env A=B: has a name with an equals sign"),
        ({"command": "x", "env": {"A": "b\0"}}, "env A: must not contain NUL"),
        ({"command": "x", "cwd": "sub"}, "cwd: is not an absolute path"),
        ({"command": "x", "cwd": 1}, "its cwd is not text"),
        ({"command": "x", "env": {"A": "\ud800"}}, "it has a character that is not valid text"),
        ({"command": "${env:BIN}/x"}, "command has ${env:BIN}; a variable is not supported there"),
        ({"type": "stdio", "url": "http://h/"}, "no command is given"),
        ({"type": "http", "command": "x"}, "no url is given"),
        ({"url": 1}, "its url is not text"),
        ({"url": "h/mcp"}, "url: is not an http:// or https:// address"),
        ({"url": "http://h/", "headers": {"A b": "c"}}, "headers A b: has a name that is not one of an HTTP header"),
        ({"url": "http://h/", "headers": {"A": "sk-canary\r\nB: c"}}, "headers A: has a value that is not printable"),
        ({"url": "http://h/", "headers": []}, "its headers is not a table"),
        ({"url": "http://h/${env:ASTER_SIDECAR_TOKEN}"}, "url refers to ASTER_SIDECAR_TOKEN"),
        ({"command": "x", "args": ["$${env:A}"]}, "argument 1 has a $ directly before a reference"),
        ({"command": "x", "args": ["${env:A B}"]}, "argument 1 has a reference with a name that a variable can't have"),
    ],
)
def test_a_server_that_can_not_be_imported_says_why(tmp_path: Path, server: Any, problem: str) -> None:
    candidate = one(tmp_path, server)
    assert not candidate.importable
    assert len(candidate.problems) == 1
    assert candidate.problems[0].startswith(problem)


def test_numbers_and_truth_values_become_text(tmp_path: Path) -> None:
    server = {"command": "x", "args": ["--port", 3000, 1.5, True], "env": {"A": 1, "B": False}}
    candidate = one(tmp_path, server)
    assert candidate.spec == {
        "command": "x",
        "args": ["--port", "3000", "1.5", "true"],
        "env": {"A": "1", "B": "false"},
    }
    assert candidate.importable


def test_a_program_counts_where_both_are_given(tmp_path: Path) -> None:
    assert one(tmp_path, {"command": "x", "url": "http://h/", "headers": {"A": "b"}}).spec == {"command": "x"}
    assert one(tmp_path, {"type": "http", "command": "x", "url": "http://h/"}).spec == {"url": "http://h/"}


@pytest.mark.parametrize(
    ("server", "secrets"),
    [
        ({"command": "x", "env": {"API_KEY": "abc", "DEBUG": "1", "PORT": "80"}}, [("env", "API_KEY")]),
        ({"command": "x", "env": {"USE_AUTH": "true", "KEY_FILE": "/etc/key", "EMPTY_TOKEN": ""}}, []),
        ({"command": "x", "env": {"NOTE": "ghp_0123456789abcdef"}}, [("env", "NOTE")]),
        ({"command": "x", "env": {"DB": "postgres://u:pass@h/db"}}, [("env", "DB")]),
        ({"command": "x", "env": {"TOKEN": "${env:TOKEN}", "KEY": "a-${env:B}"}}, []),
        ({"command": "x", "args": ["--api-key", "abc", "--port", "80"]}, [("args", "1")]),
        ({"command": "x", "args": ["--token=abcdefgh"]}, []),
        ({"command": "x", "args": ["--access-token=abcdefgh"]}, [("args", "0")]),
        ({"command": "x", "args": ["--key-file", "/etc/key", "--token", "--verbose"]}, []),
        ({"command": "x", "args": ["--header", "Authorization: Bearer abcdefgh1"]}, [("args", "1")]),
        ({"command": "x", "args": ["--header", "Authorization: ${HEADER}"], "env": {"HEADER": "x"}}, []),
        ({"url": "https://h/mcp?api_key=abcdef"}, [("url", "")]),
        ({"url": "https://h/mcp", "headers": {"Authorization": "x", "X-Region": "eu"}}, [("headers", "Authorization")]),
    ],
)
def test_values_that_look_like_secrets_are_named(tmp_path: Path, server: Any, secrets: list[tuple[str, str]]) -> None:
    candidate = one(tmp_path, server)
    assert (candidate.secrets, candidate.importable) == (secrets, True)


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        (["a", "A", "a!", "a-2"], ["a", "a-2", "a-3", "a-2-2"]),
        (["My Server", "my_server", "io.github/x"], ["my-server", "my_server", "io-github-x"]),
        (["", "!!!", "日本"], ["server", "server-2", "server-3"]),
        (["x" * 40, "x" * 40], ["x" * 32, "x" * 30 + "-2"]),
    ],
)
def test_names_are_allowed_and_occur_once(titles: list[str], names: list[str]) -> None:
    made = Names()
    assert [made.name(title) for title in titles] == names


@given(st.lists(st.text(max_size=40) | st.sampled_from(["a", "a-2", "a-3", "A"]), max_size=20))
def test_every_title_has_a_name_of_its_own(titles: list[str]) -> None:
    made = Names()
    names = [made.name(title) for title in titles]
    assert len(set(names)) == len(titles)
    server_specs({name: {"command": "x"} for name in names})


# -- files that are not what they should be ----------------------------------------------------------------------------


def refused(path: Path, format: Format | None = None) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        read_servers(path, format)
    assert caught.value.hint
    assert "canary" not in caught.value.message
    return caught.value.message.removeprefix(f"{path}: ")


def test_a_name_that_occurs_twice(tmp_path: Path) -> None:
    text = '{"mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}, "a": {"command": "z"}}}'
    a, b = read(tmp_path, "mcp.json", text).servers
    assert (a.spec, a.problems) == ({"command": "z"}, ["its name occurs twice in the file; the last one counts"])
    assert b.problems == []


def test_a_byte_order_mark_is_left_out_and_utf_16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    text = '{"mcpServers": {"a": {"command": "x"}}}'
    path.write_bytes(text.encode("utf-8-sig"))
    assert read_servers(path).servers[0].spec == {"command": "x"}
    path.write_bytes(text.encode("utf-16"))
    assert refused(path) == "the text is UTF-16"
    path.write_bytes(b'{"a": "\xff"}')
    assert refused(path) == "the text is not UTF-8"


def test_the_size_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b" " * (2 * FILE_BYTES))
    assert refused(path) == "larger than 1 MiB"
    text = '{"mcpServers": {"a": {"command": "x"}}}'
    path.write_text(text + " " * (FILE_BYTES - len(text)))
    assert len(read_servers(path).servers) == 1


def test_the_number_of_problems_is_limited(tmp_path: Path) -> None:
    problems = one(tmp_path, {"command": "x", "args": [None] * 1000}).problems
    assert (len(problems), problems[0], problems[-1]) == (20, "argument 1 is not text", "and more")


def test_text_that_is_no_unicode_is_left_out(tmp_path: Path) -> None:
    text = r'{"mcpServers": {"\ud800": {"command": "x", "env": {"\udc00": "${input:\ud801}"}}}}'
    (only,) = read(tmp_path, "mcp.json", text).servers
    assert (only.title, only.spec, only.needs) == ("\u2039U+D800\u203a", {}, [])
    assert only.problems == ["it has a character that is not valid text"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["\\\\", "a ", "${", "$A", "${A}", "{env:", "'", "//", "_token", "://a:", ":-", "eyJ", "-key "]
)
def test_a_long_value_is_read_in_time(tmp_path: Path, piece: str) -> None:
    value = (piece * FILE_BYTES)[: FILE_BYTES // 16]
    for server in (
        {"command": value},
        {"command": "x", "args": [value, value]},
        {"type": "http", "url": f"http://h/{value}", "headers": {"A": value}},
    ):
        one(tmp_path, server)


def test_the_number_of_servers_is_limited(tmp_path: Path) -> None:
    found = read(tmp_path, "mcp.json", {"mcpServers": {f"s{count}": {"command": "x"} for count in range(1000)}})
    assert len(found.servers) == SERVERS_MOST
    assert found.problems == [f"it has more than {SERVERS_MOST} servers; the others are left out"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFO")
@pytest.mark.timeout(10)
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    fifo, link, target = tmp_path / "fifo.json", tmp_path / "link.json", tmp_path / "target.json"
    os.mkfifo(fifo)
    assert refused(fifo) == "not a regular file"
    link.symlink_to(fifo)
    assert refused(link) == "not a regular file"
    assert refused(tmp_path) == "not a regular file"
    assert refused(Path("/dev/null")) == "not a regular file"
    assert refused(target) == "can't be read: No such file or directory"
    with pytest.raises(ConfigInvalid, match="not the path of a file"):
        read_servers(Path("a\0b"))
    link.unlink()
    link.symlink_to(target)  # as people do who keep their settings in a repository
    target.write_text('{"mcpServers": {"a": {"command": "x"}}}')
    assert len(read_servers(link).servers) == 1
    link.unlink()
    link.symlink_to(link)
    assert refused(link).startswith("can't be read: ")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mcp.json", "[]", "not an object with settings"),
        ("mcp.json", "null", "no MCP servers"),
        ("mcp.json", "", "no MCP servers"),
        ("mcp.json", '{"name": "canary"}', "no MCP servers"),
        ("mcp.json", '{"mcp": {"allowed": ["canary"]}}', "no MCP servers"),
        ("mcp.json", '{"mcpServers": [{"command": "canary"}]}', "mcpServers is not an object with a server for each"),
        ("mcp.json", '{"mcpServers": "canary"}', "mcpServers is not an object with a server for each"),
        ("mcp.json", "command=canary", "not JSON: Expecting value: line 1 column 1"),
        ("mcp.json", '{"mcpServers": {"a": canary}}', "not JSON: Expecting value: line 1 column 22"),
        ("mcp.json", '{"a":' * 200_000, "not JSON: the JSON is nested too deeply"),
        ("config.toml", "a = 'b'", "no MCP servers"),
        ("config.toml", "[mcp_servers]\na = canary", "not TOML at line 2, column 5"),
        ("config.toml", "a = " + "[" * 100_000, "not TOML: nested too deeply"),
        ("config.toml", "[[mcp_servers]]\ncommand = 'canary'", "mcp_servers is not an object with a server for each"),
        ("config.toml", "a = " + "9" * 5000, "not TOML"),
        ("config.yaml", "a: [canary]]\n", "not YAML: a mistake in line 1"),
        ("config.yaml", "extensions: &a {b: *a}", "not YAML: anchors and aliases are not supported"),
        ("config.yaml", "[" * 100_000, "not YAML: nested too deeply"),
        ("config.yaml", "a: \x01canary", "not YAML: a character that is not allowed"),
        ("config.yaml", "a: !!python/object:canary.X {}", "not YAML: a mistake in line 1"),
        ("config.yaml", "a: 2025-99-99", "not YAML: "),
        ("config.yaml", "? [a]\n: canary", "not YAML: a mistake in line 1"),
        ("config.yaml", "extensions: [canary]", "no MCP servers"),
        ("config.yaml", "- canary", "not an object with settings"),
    ],
)
def test_a_file_without_servers_says_what_is_wrong(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    assert refused(tmp_path / name).startswith(said)


@pytest.mark.parametrize("format", ["mcp-json", "claude-code", "cursor", "vscode", "gemini", "opencode", "zed"])
def test_a_known_file_without_servers_has_none(tmp_path: Path, format: Format) -> None:
    for text in ("{}", "", "// nothing\n{\n}", '{"mcpServers": null, "mcp": null, "context_servers": null, "x": 1}'):
        assert read(tmp_path, "settings.json", text, format, work_dir=tmp_path).servers == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(alphabet="${}:envinputA$ \\'\"/"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("type", "command", "args", "env", "cwd", "url", "headers", "cmd", "envs", "env_keys", "uri", "serverUrl")
MORE_KEYS = ("env_vars", "bearer_token_env_var", "env_http_headers", "includeTools", "disabled", "enabled", "settings")
SERVER = VALUES | st.dictionaries(st.sampled_from(KEYS + MORE_KEYS), VALUES, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(sorted(REPLACED)),
    st.dictionaries(st.text(max_size=8), SERVER, max_size=3),
    VALUES,
    st.booleans(),
)
def test_any_settings_are_read(
    tmp_path: Path, format: Format, servers: dict[str, Any], extra: Any, picked: bool
) -> None:
    keys = ("mcpServers", "servers", "mcp_servers", "context_servers", "extensions", "mcp")
    document = {**dict.fromkeys(keys, servers), "inputs": extra, "projects": extra}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps(document).replace("NaN", "1").replace("-Infinity", "1").replace("Infinity", "1"))
    found = read_servers(path, None if picked else format, work_dir=tmp_path, home=HOME, environment={})
    for candidate in found.servers:
        json.dumps(candidate.spec)
        assert candidate.importable or candidate.problems
        for key, name in candidate.secrets:
            value = candidate.spec[key]
            literal(value if key == "url" else value[int(name)] if key == "args" else value[name])
        if candidate.importable and "${" not in candidate.spec.get("url", ""):
            table = {key: value for key, value in candidate.spec.items() if key != "enabled"}
            server_specs({candidate.name: table})
