"""Finds and reads the MCP servers that other apps on this machine have configured. Nothing is started or changed."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.json_comments import JsonObject, parse_json_with_comments
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.mcp.converting import Candidate, Format, Names, Surroundings, converted

FILE_BYTES = 1024 * 1024
"""The largest size of a file."""
SERVERS_MOST = 256
"""The most servers that are read from one file."""
YAML_DEPTH_MOST = 32

APPS: Mapping[Format, str] = {
    "claude-desktop": "Claude Desktop",
    "claude-code": "Claude Code",
    "cursor": "Cursor",
    "vscode": "VS Code",
    "windsurf": "Windsurf",
    "codex": "Codex",
    "gemini": "Gemini CLI",
    "opencode": "opencode",
    "zed": "Zed",
    "goose": "Goose",
    "cline": "Cline",
    "roo": "Roo Code",
    "lm-studio": "LM Studio",
    "mcp-json": "the app",
}
"""The names of apps, for people."""

_OF_A_FOLDER: tuple[tuple[Format, str], ...] = (
    ("claude-code", ".mcp.json"),
    ("cursor", ".cursor/mcp.json"),
    ("vscode", ".vscode/mcp.json"),
    ("roo", ".roo/mcp.json"),
    ("codex", ".codex/config.toml"),
    ("gemini", ".gemini/settings.json"),
    ("opencode", "opencode.json"),
    ("opencode", "opencode.jsonc"),
    ("zed", ".zed/settings.json"),
)
"""The files for one folder, in that folder."""

_HINT = "choose a file with MCP servers, such as mcp.json: JSON, Codex's config.toml, or Goose's config.yaml"


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A configuration file of another app that exists. `app`: its name, for people.

    `work_dir`: the folder that the file's servers belong to, or of which a file of all folders may have servers.
    """

    app: str
    path: Path
    format: Format
    work_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a file has. `problems`: what is wrong with the file as a whole."""

    path: Path
    format: Format
    servers: list[Candidate]
    problems: list[str]


# -- which files -------------------------------------------------------------------------------------------------------


def known_files(
    home: Path, environment: Mapping[str, str], platform: str, work_dir: Path | None = None
) -> list[KnownFile]:
    """The configuration files of other apps that exist. `platform` is a `sys.platform`: linux, darwin or win32.

    With `work_dir`, files of that folder are included.
    """

    def variable(name: str, otherwise: Path) -> Path:
        value = environment.get(name, "")
        return Path(value) if os.path.isabs(value) else otherwise

    known: list[KnownFile] = []

    def add(app: str, path: Path, format: Format, folder: Path | None = None) -> None:
        if os.path.isfile(path) and all(path != other.path for other in known):
            known.append(KnownFile(app, path, format, folder))

    xdg = variable("XDG_CONFIG_HOME", home / ".config")
    roaming = variable("APPDATA", home / "AppData" / "Roaming")
    if platform == "win32":
        data, zed, goose = roaming, roaming / "Zed", roaming / "Block" / "goose" / "config"
    elif platform == "darwin":
        data = home / "Library" / "Application Support"
        zed, goose = home / ".config" / "zed", home / ".config" / "goose"
    else:
        data, zed, goose = xdg, xdg / "zed", xdg / "goose"
    add("Claude Desktop", data / "Claude" / "claude_desktop_config.json", "claude-desktop")
    if platform == "win32":  # where Windows puts the files of an app that is installed as an MSIX package
        local = variable("LOCALAPPDATA", home / "AppData" / "Local")
        package = local / "Packages" / "Claude_pzs8sxrjxfjjc" / "LocalCache" / "Roaming"
        add("Claude Desktop", package / "Claude" / "claude_desktop_config.json", "claude-desktop")
    add("Claude Code", home / ".claude.json", "claude-code", work_dir)
    add("Cursor", home / ".cursor" / "mcp.json", "cursor")
    for editor, folder in (("VS Code", "Code"), ("VS Code Insiders", "Code - Insiders"), ("VSCodium", "VSCodium")):
        user = data / folder / "User"
        cline = user / "globalStorage" / "saoudrizwan.claude-dev" / "settings" / "cline_mcp_settings.json"
        roo = user / "globalStorage" / "rooveterinaryinc.roo-cline" / "settings" / "mcp_settings.json"
        add(editor, user / "mcp.json", "vscode")
        add(f"Cline in {editor}", cline, "cline")
        add(f"Roo Code in {editor}", roo, "roo")
    cline = home / ".cline" / "data" / "settings" / "cline_mcp_settings.json"
    add("Cline", variable("CLINE_MCP_SETTINGS_PATH", cline), "cline")
    add("Windsurf", home / ".codeium" / "windsurf" / "mcp_config.json", "windsurf")
    add("Windsurf for JetBrains", home / ".codeium" / "mcp_config.json", "windsurf")
    add("Codex", variable("CODEX_HOME", home / ".codex") / "config.toml", "codex")
    add("Gemini CLI", home / ".gemini" / "settings.json", "gemini")
    for ending in ("json", "jsonc"):
        add("opencode", xdg / "opencode" / f"opencode.{ending}", "opencode")
    add("Zed", zed / "settings.json", "zed")
    add("Goose", goose / "config.yaml", "goose")
    add("LM Studio", home / ".lmstudio" / "mcp.json", "lm-studio")
    if work_dir is not None:
        for format, path in _OF_A_FOLDER:
            add(APPS[format], work_dir / path, format, work_dir)
    return known


# -- reading one -------------------------------------------------------------------------------------------------------


def read_servers(
    path: Path,
    format: Format | None = None,
    *,
    work_dir: Path | None = None,
    home: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Found:
    """The MCP servers in a file. `format`: None to recognise it from the content.

    `work_dir`: the folder that `${workspaceFolder}` and relative paths refer to, and of which the servers in Claude
    Code's own file are read; by default, the one that a project's file is in. `home`: what `${userHome}` means.
    `environment`: the daemon's variables; a variable with a default that is not in it gets its default.

    Raises: ConfigInvalid when the file can't be read, or has no place for MCP servers.
    """
    name = shown(path)
    text = _read(path, name)
    document = _document(path, name, text)
    kind = format or _recognised(path, document)
    if kind is None:
        raise ConfigInvalid(f"{name}: no MCP servers", hint=_HINT)
    home = home or Path.home()
    folder = work_dir or _project(path, home)
    problems: list[str] = []
    around = Surroundings(kind, APPS[kind], home, folder, environment, _inputs(document))
    names = Names()
    servers: list[Candidate] = []
    for table, disabled in _tables(kind, document, folder, name):
        repeated: frozenset[str] = table.repeated if isinstance(table, JsonObject) else frozenset()
        for title, given in ((str(key), value) for key, value in table.items()):  # a key of YAML may be a number
            if kind == "goose" and _type(given) in ("builtin", "platform", "frontend", "inline_python"):
                continue  # parts of Goose itself
            if len(servers) == SERVERS_MOST:
                problems.append(f"it has more than {SERVERS_MOST} servers; the others are left out")
                return Found(path, kind, servers, problems)
            notes = ["its name occurs twice in the file; the last one counts"] if title in repeated else []
            candidate = converted(title, names.name(title), given, around, notes)
            if title in disabled:
                candidate.spec["enabled"] = False
            servers.append(candidate)
    return Found(path, kind, servers, problems)


def _read(path: Path, name: str) -> str:
    """The text of a regular file of at most FILE_BYTES. Raises: ConfigInvalid."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # opening a FIFO must not block
    try:
        handle = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigInvalid(f"{name}: not a regular file", hint=_HINT)
            with open(handle, "rb", closefd=False) as opened:
                data = opened.read(FILE_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise ConfigInvalid(f"{name}: can't be read: {error.strerror or error}", hint=_HINT) from error
    except ValueError as error:  # NUL in the path
        raise ConfigInvalid(f"{name}: not the path of a file", hint=_HINT) from error
    if len(data) > FILE_BYTES:
        raise ConfigInvalid(f"{name}: larger than 1 MiB", hint=_HINT)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = "UTF-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "not UTF-8"
        raise ConfigInvalid(f"{name}: the text is {what}", hint="save the file as UTF-8") from error


def _document(path: Path, name: str, text: str) -> Mapping[str, Any]:
    """The content of a file, by the ending of its name. Raises: ConfigInvalid, with a message without the content."""
    ending = path.suffix.lower()
    kind = {".toml": "TOML", ".yaml": "YAML", ".yml": "YAML"}.get(ending, "JSON")
    try:
        if kind == "TOML":
            document: Any = tomllib.loads(text)
        elif kind == "YAML":
            document = _yaml(text)
        else:
            document = parse_json_with_comments(text) if text.strip() else {}
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at (?:line \d+, column \d+|end of document)", str(error))  # the rest may show the content
        raise ConfigInvalid(f"{name}: not TOML {where.group() if where else ''}".rstrip(), hint=_HINT) from None
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigInvalid(f"{name}: not {kind}: {why}", hint=_HINT) from None
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        raise ConfigInvalid(f"{name}: not an object with settings", hint=_HINT)
    return cast("Mapping[str, Any]", document)


def _yaml(text: str) -> Any:
    """The value of a YAML text. Raises: ValueError, with a message that shows a line and nothing of the text.

    Anchors and aliases are refused, so that a small file can't expand into a large value.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise ValueError("anchors and aliases are not supported")
            if depth > YAML_DEPTH_MOST:
                raise ValueError("nested too deeply")
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        raise ValueError(f"a mistake in line {mark.line + 1}" if mark else "a character that is not allowed") from None
    except (TypeError, AttributeError, OverflowError) as error:  # a key or a number that PyYAML can't make
        raise ValueError("a value that is not supported") from error


# -- where in it the servers are ---------------------------------------------------------------------------------------


def _recognised(path: Path, document: Mapping[str, Any]) -> Format | None:
    """The format of a file, by its keys; where several apps use the same keys, by its path. None: it has no servers."""
    if "mcp_servers" in document:
        return "codex"
    if "context_servers" in document:
        return "zed"
    if "mcpServers" in document:
        return _by_path(path)
    if isinstance(document.get("servers"), Mapping):
        return "vscode"
    if isinstance(mcp := document.get("mcp"), Mapping):
        inner = cast("Mapping[str, Any]", mcp)
        types = (*_types(inner), *_types(inner.get("servers")))
        if "local" in types or "remote" in types or "opencode" in str(document.get("$schema")):
            return "opencode"
        if "servers" in inner:
            return "vscode"
    if isinstance(document.get("extensions"), Mapping) and path.suffix.lower() in (".yaml", ".yml"):
        return "goose"
    if document and all(_is_server(value) for value in document.values()):
        return _by_path(path)
    return None


def _by_path(path: Path) -> Format:
    """Which app with the key `mcpServers` a file is of."""
    by_name: dict[str, Format] = {
        "claude_desktop_config.json": "claude-desktop",
        ".claude.json": "claude-code",
        ".mcp.json": "claude-code",
        "cline_mcp_settings.json": "cline",
        "mcp_settings.json": "roo",
        "mcp_config.json": "windsurf",
    }
    by_folder: dict[str, Format] = {
        ".cursor": "cursor",
        ".gemini": "gemini",
        ".roo": "roo",
        ".lmstudio": "lm-studio",
        ".vscode": "vscode",
    }
    return by_name.get(path.name) or by_folder.get(path.parent.name) or "mcp-json"


def _project(path: Path, home: Path) -> Path | None:
    """The folder that a project's file belongs to; None for any other file, such as one for all folders."""
    if path.parent.name in (".vscode", ".cursor", ".roo", ".gemini", ".zed", ".codex"):
        folder = path.parent.parent
    elif path.name in (".mcp.json", "opencode.json", "opencode.jsonc"):
        folder = path.parent
    else:
        return None
    return folder if folder not in (home, home / ".config", home / ".config" / "opencode") else None


def _tables(
    format: Format, document: Mapping[str, Any], work_dir: Path | None, name: str
) -> list[tuple[Mapping[str, Any], frozenset[str]]]:
    """The tables of servers in a file, each with the names of servers that are disabled elsewhere in the file.

    Raises: ConfigInvalid for one that is not a table.
    """

    def table(inside: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = inside.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ConfigInvalid(f"{name}: {key} is not an object with a server for each name", hint=_HINT)
        return (
            {str(title): given for title, given in cast("Mapping[Any, Any]", value).items()}
            if key == "extensions"
            else cast("Mapping[str, Any]", value)
        )

    none: frozenset[str] = frozenset()
    if format == "codex":
        return [(table(document, "mcp_servers"), none)]
    if format == "zed":
        return [(table(document, "context_servers"), none)]
    if format == "goose":
        return [(table(document, "extensions"), none)]
    if format == "opencode":
        mcp = table(document, "mcp")
        servers = mcp.get("servers")
        nested = isinstance(servers, Mapping) and not _is_server(cast("Mapping[str, Any]", servers))
        return [(cast("Mapping[str, Any]", servers) if nested else mcp, none)]
    if format == "vscode" and "mcpServers" not in document:
        return [(table(document if "servers" in document else table(document, "mcp"), "servers"), none)]
    if "mcpServers" not in document and document and all(_is_server(value) for value in document.values()):
        return [(document, none)]
    servers = table(document, "mcpServers")
    if format == "gemini":
        mcp = document.get("mcp")
        excluded: Any = cast("Mapping[str, Any]", mcp).get("excluded") if isinstance(mcp, Mapping) else None
        listed = cast("list[Any]", excluded) if isinstance(excluded, list) else []
        return [(servers, frozenset(title for title in listed if isinstance(title, str)))]
    if format == "claude-code" and work_dir is not None:
        projects = document.get("projects")
        for folder, project in cast("Mapping[str, Any]", projects).items() if isinstance(projects, Mapping) else ():
            if isinstance(project, Mapping) and _same(folder, work_dir):
                return [(table(cast("Mapping[str, Any]", project), "mcpServers"), none), (servers, none)]
    return [(servers, none)]


def _same(folder: str, work_dir: Path) -> bool:
    return os.path.normcase(os.path.normpath(folder)) == os.path.normcase(os.path.normpath(work_dir))


def _is_server(value: Any) -> bool:
    """Whether a value looks like the settings of one server."""
    keys = ("command", "url", "serverUrl", "httpUrl")
    return isinstance(value, Mapping) and any(isinstance(value.get(key), str | list) for key in keys)  # pyright: ignore[reportUnknownMemberType]


def _type(value: Any) -> Any:
    return cast("Mapping[str, Any]", value).get("type") if isinstance(value, Mapping) else None


def _types(servers: Any) -> list[Any]:
    """The types of the servers in a table."""
    return (
        [_type(value) for value in cast("Mapping[str, Any]", servers).values()] if isinstance(servers, Mapping) else []
    )


def _inputs(document: Mapping[str, Any]) -> dict[str, str]:
    """The descriptions of VS Code's inputs, by their ids."""
    mcp = document.get("mcp")
    given: Any = document.get("inputs") or (
        cast("Mapping[str, Any]", mcp).get("inputs") if isinstance(mcp, Mapping) else None
    )
    described: dict[str, str] = {}
    for entry in cast("list[Any]", given) if isinstance(given, list) else ():
        values: Mapping[str, Any] = cast("Mapping[str, Any]", entry) if isinstance(entry, Mapping) else {}
        name, description = values.get("id"), values.get("description")
        if isinstance(name, str) and isinstance(description, str):
            described[name] = description
    return described
