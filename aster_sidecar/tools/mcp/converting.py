"""Converts one MCP server of another app's configuration into a table `[mcp.NAME]` of ours.

What can't be converted is reported; no report shows a value that may be a secret.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from aster_sidecar.telemetry.redaction import NAMES, SECRET_SHAPES, holds_secret
from aster_sidecar.text.values import json_value
from aster_sidecar.tools.mcp.config import ALLOWED, ServerSpec
from aster_sidecar.tools.mcp.naming import shown_name
from aster_sidecar.tools.mcp.references import Reference, checked, escaped, references_in, sample

Format = Literal[
    "claude-desktop",
    "claude-code",
    "cursor",
    "vscode",
    "windsurf",
    "codex",
    "gemini",
    "opencode",
    "zed",
    "goose",
    "cline",
    "roo",
    "lm-studio",
    "mcp-json",
]
"""How an app writes its servers. `mcp-json`: an unknown app that uses the key `mcpServers`."""

Feature = Literal["env", "braces", "dollar", "curly", "folders", "input"]

REPLACED: Mapping[Format, frozenset[Feature]] = {
    "claude-desktop": frozenset(),
    "claude-code": frozenset(("braces",)),
    "cursor": frozenset(("env", "folders")),
    "vscode": frozenset(("env", "folders", "input")),
    "windsurf": frozenset(("env",)),
    "codex": frozenset(),
    "gemini": frozenset(("braces", "dollar")),
    "opencode": frozenset(("curly",)),
    "zed": frozenset(),
    "goose": frozenset(),
    "cline": frozenset(("env",)),
    "roo": frozenset(("env", "folders")),
    "lm-studio": frozenset(("env", "folders")),
    "mcp-json": frozenset(("env", "braces", "folders", "input")),
}
"""What each app replaces in values; all else is literal.

env: `${env:X}`. braces: `${X}` and `${X:-default}`. dollar: `$X`. curly: `{env:X}`. folders: `${workspaceFolder}` and
`${userHome}`. input: `${input:ID}`, which the person types in.
"""

_TOKEN = re.compile(r"\$\{(?P<braced>[^{}]*)\}|\$(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<curly>(?:env|file):[^{}]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GOOSE_VARIABLE = re.compile(r"\$\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}|\$([A-Za-z_][A-Za-z0-9_]*)")

PROBLEMS_MOST = 20
"""The most problems that are reported for one server."""
LINE_CHARS = 8192
"""The longest command line that is split into words."""

_COMMAND = ("command", "cmd")
_ENV = ("env", "environment", "envs")
_URL = ("httpUrl", "serverUrl", "url", "uri")
_HEADERS = ("headers", "http_headers")
_TOOLS = ("includeTools", "enabled_tools", "available_tools")
_TRANSPORT = ("type", "transport", "transportType")

_NOT_TAKEN_OVER = {
    "envFile": "the variables in its envFile are not read",
    "headersHelper": "the program of headersHelper is not run, so its headers are missing",
    "oauth": "its OAuth settings are not taken over",
    "auth": "its OAuth settings are not taken over",
    "authProviderType": "its OAuth settings are not taken over",
    "excludeTools": "the tools that it leaves out are not left out here",
    "disabled_tools": "the tools that it leaves out are not left out here",
    "disabledTools": "the tools that it leaves out are not left out here",
    "sandboxEnabled": "its sandbox is not taken over",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An MCP server of another app.

    `name`: the name of its table here; `title`: its name there. `spec`: the keys and values of the table, without
    defaults. `problems`: what the person should know. `importable`: whether the table is valid as it is, apart from
    `needs`. `secrets`: the (key, name) of values that look like secrets, such as ("env", "TOKEN"), ("args", "1") (a
    position, from 0) and ("url", ""); `references.literal` makes the secret itself from such a value. `needs`: the
    (key, name, description) of values that the person has to type in; there, `spec` has a reference to a secret.
    """

    name: str
    title: str
    spec: dict[str, Any] = field(repr=False)
    problems: list[str]
    importable: bool
    secrets: list[tuple[str, str]]
    needs: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the values of a server may refer to. `inputs`: the descriptions of VS Code's inputs, by their ids.

    `environment`: the daemon's variables; None if it is not known which are set.
    """

    format: Format
    app: str
    home: Path
    work_dir: Path | None = None
    environment: Mapping[str, str] | None = None
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])


def converted(title: str, name: str, given: Any, around: Surroundings, notes: list[str]) -> Candidate:
    """The server that is called `title` there and `name` here. `notes`: what is already known to be wrong with it."""
    title = shown_name(title)
    if not isinstance(given, Mapping):
        return Candidate(name, title, {}, [*notes, "it is not a table of settings"], False, [], [])
    converting = _Converting(name, cast("Mapping[str, Any]", given), around, list(notes))
    converting.run()
    spec, needs = converting.spec, converting.needs
    problems = list(dict.fromkeys(converting.problems))
    if len(problems) > PROBLEMS_MOST:
        problems[PROBLEMS_MOST - 1 :] = ["and more"]
    if not _encodable(spec):
        return Candidate(name, title, {}, ["it has a character that is not valid text"], False, [], [])
    return Candidate(name, title, spec, problems, converting.importable, secrets_in(spec), needs)


class Names:
    """Makes names of tables from the names of servers, each of them once."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def name(self, title: str) -> str:
        """An allowed name (1 to 32 of a-z, 0-9, _ and -) that no other server has got."""
        plain = unicodedata.normalize("NFKD", title[:256]).encode("ascii", "ignore").decode().lower()
        base = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:32].strip("-") or "server"
        name = base
        while name in self._used:
            count = self._next[base] = self._next.get(base, 1) + 1
            name = f"{base[: 31 - len(str(count))]}-{count}"
        self._used.add(name)
        return name


class _Converting:
    """Collects the table of one server, and its problems."""

    def __init__(self, name: str, given: Mapping[str, Any], around: Surroundings, problems: list[str]) -> None:
        self._name = name
        self._given = given
        self._around = around
        self._replaced = REPLACED[around.format]
        self.spec: dict[str, Any] = {}
        self.problems = problems
        self.importable = True
        self.needs: list[tuple[str, str, str]] = []
        self._own_env: frozenset[str] = frozenset()

    def run(self) -> None:
        given = self._given
        self.problems += [text for key, text in _NOT_TAKEN_OVER.items() if given.get(key)]
        command, url = self._first(_COMMAND), self._first(_URL)
        transport = self._transport(command, url)
        if transport == "program":
            self._program(command)
        elif transport == "http":
            self._http(url)
        if tools := self._first(_TOOLS):
            self._tools(tools)
        if given.get("disabled") is True or given.get("enabled") is False:
            self.spec["enabled"] = False
        if self.importable and (problem := self._invalid()):
            self._wrong(problem)

    # -- which transport -----------------------------------------------------------------------------------------------

    def _transport(self, command: Any, url: Any) -> Literal["program", "http"] | None:
        """How the server is reached; None when it can't be, which is reported."""
        kind = self._first(_TRANSPORT)
        plain = re.sub(r"[-_ ]", "", kind).lower() if isinstance(kind, str) else ""
        if plain in ("stdio", "local") or (not plain and command is not None):
            if command is not None:
                return "program"
            self._wrong("no command is given")
        elif plain in ("http", "streamablehttp", "remote") or (not plain and url is not None):
            if url is None:
                self._wrong("no url is given")
            elif not plain and self._around.format == "cline":
                self._wrong("it uses SSE, which is not supported: Cline does so when no type is given")
            else:
                return "http"
        elif plain == "sse":
            self._wrong("it uses SSE, which is not supported; many such servers have an address for HTTP too")
        elif plain:
            self._wrong(f"its type {shown_name(plain)} is not supported; supported: stdio and http")
        elif "settings" in self._given or self._given.get("source") == "extension":
            self._wrong("it belongs to an extension, which starts it")
        else:
            self._wrong("neither a command nor a url is given")
        return None

    # -- a program -----------------------------------------------------------------------------------------------------

    def _program(self, command: Any) -> None:
        args: Any = self._given.get("args")
        env: Any = self._first(_ENV)
        if isinstance(command, Mapping):  # Zed, before it had "command": "…"
            inner = cast("Mapping[str, Any]", command)
            command, args, env = inner.get("path"), inner.get("args", args), inner.get("env", env)
        if isinstance(command, list):
            command, args = self._command_list(cast("list[Any]", command), args)
        elif isinstance(command, str) and not args:
            command, args = self._split(command)
        if not isinstance(command, str):
            self._wrong("its command is not text")
            return
        variables = self._table("env", env)
        self._own_env = frozenset(variables)
        if (plain := self._plain("command", command)) is not None:
            self.spec["command"] = plain
        if texts := self._args(args):
            self.spec["args"] = [self._text("args", str(place), text) for place, text in enumerate(texts)]
        made = {name: self._text("env", name, value) for name, value in variables.items()}
        made |= self._passed_on(variables)
        if made:
            self.spec["env"] = made
        if (cwd := self._given.get("cwd")) is not None:
            self._cwd(cwd)

    def _command_list(self, command: list[Any], args: Any) -> tuple[Any, list[Any]]:
        """The program and its arguments, from a list of both."""
        if not command:
            return "", []
        return command[0], [*command[1:], *(cast("list[Any]", args) if isinstance(args, list) else [])]

    def _split(self, line: str) -> tuple[str, list[Any]]:
        """The program and its arguments, where the command may be a whole command line."""
        line = line.strip()
        if len(line) > LINE_CHARS or not re.search(r"\s", line) or os.path.isfile(os.path.expanduser(line)):
            return line, []
        # A backslash is part of a path on Windows; elsewhere it quotes.
        windows = re.match(r'"?(?:[A-Za-z]:[\\/]|\\\\)|\S*\\\S*\.(?:exe|cmd|bat)\b', line) is not None
        if windows and (path := re.match(r"[^\"]+?\.(?:exe|cmd|bat|com)(?=\s|$)", line, re.IGNORECASE)):
            head, line = [path.group()], line[path.end() :]  # such as C:\Program Files\nodejs\node.exe
        else:
            head = []
        reader = shlex.shlex(line, posix=True, punctuation_chars=False)
        reader.whitespace_split = True
        reader.commenters = ""
        reader.escape = "" if windows else "\\"
        try:
            words = [*head, *reader]
        except ValueError:
            self._wrong("its command has a quotation mark without the second one")
            return line, []
        return (words[0], list[Any](words[1:])) if words else ("", [])

    def _args(self, args: Any) -> list[str]:
        if args is None:
            return []
        if not isinstance(args, list):
            self._wrong("its args are not a list")
            return []
        texts = [_as_text(arg) for arg in cast("list[Any]", args)]
        for place, text in enumerate(texts, 1):
            if text is None:
                self._wrong(f"argument {place} is not text")
        return [text for text in texts if text is not None]

    def _passed_on(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Variables that the app takes from its own environment (Codex) or its keychain (Goose)."""
        passed: dict[str, str] = {}
        for name in self._names("env_vars", of_tables=True):
            if name not in variables:
                passed[name] = self._joined([Reference("env", name)], f"env {shown_name(name)}")
        for name in self._names("env_keys"):
            if name not in variables:
                passed[name] = str(self._typed_in("env", name, name, self._saved(name)))
        return passed

    def _saved(self, name: str) -> str:
        return f"{name}, which {self._around.app} has saved"

    def _names(self, key: str, *, of_tables: bool = False) -> list[str]:
        """The names in a list of names, or (`of_tables`) of tables with a `name`."""
        given = self._given.get(key)
        names: list[str] = []
        for entry in cast("list[Any]", given) if isinstance(given, list) else ():
            named = cast("Mapping[str, Any]", entry).get("name") if of_tables and isinstance(entry, Mapping) else entry
            name = cast("Any", named)
            if isinstance(name, str) and name:
                names.append(name)
            else:
                self.problems.append(f"an entry of {key} is not a name")
        return names

    def _cwd(self, cwd: Any) -> None:
        if not isinstance(cwd, str):
            self._wrong("its cwd is not text")
            return
        path = self._plain("cwd", cwd)
        if path is None:
            return
        windows = re.match(r"[A-Za-z]:[\\/]", path) is not None
        if not path.startswith("~") and not os.path.isabs(path) and not windows and self._around.work_dir is not None:
            path = os.path.normpath(self._around.work_dir / path)
        self.spec["cwd"] = path

    # -- HTTP ----------------------------------------------------------------------------------------------------------

    def _http(self, url: Any) -> None:
        if not isinstance(url, str):
            self._wrong("its url is not text")
            return
        self.spec["url"] = self._text("url", "", url)
        if not self._first(_TRANSPORT) and re.search(r"/sse/?(?:[?#]|$)", url):
            self.problems.append("its address ends with /sse, so it may need SSE, which is not supported")
        headers = self._table("headers", self._first(_HEADERS))
        if self._around.format == "goose":
            made = {name: self._goose_header(name, value) for name, value in headers.items()}
        else:
            made = {name: self._text("headers", name, value) for name, value in headers.items()}
        for name, variable in self._table("env_http_headers", self._given.get("env_http_headers")).items():
            made[name] = self._joined([Reference("env", variable)], f"headers {shown_name(name)}")
        bearer = self._given.get("bearer_token_env_var")
        if isinstance(bearer, str) and bearer:
            made["Authorization"] = self._joined(["Bearer ", Reference("env", bearer)], "headers Authorization")
        if made:
            self.spec["headers"] = made

    def _goose_header(self, name: str, value: str) -> str:
        """A header in which Goose replaces `${X}` and `$X` by a value of `envs`, or of its keychain (`env_keys`)."""
        values = self._table("envs", self._given.get("envs"))
        saved = self._names("env_keys")
        pieces: list[str | Reference] = []
        at = 0
        for found in _GOOSE_VARIABLE.finditer(value):
            variable = found.group(1) or found.group(2)
            pieces.append(value[at : found.start()])
            at = found.end()
            if variable in saved:
                pieces.append(self._typed_in("headers", name, variable, self._saved(variable)))
            else:
                pieces.append(values.get(variable, found.group()))
        return self._joined([*pieces, value[at:]], f"headers {shown_name(name)}")

    # -- tools ---------------------------------------------------------------------------------------------------------

    def _tools(self, tools: Any) -> None:
        names = cast("list[Any]", tools) if isinstance(tools, list) else []
        if not names or not all(isinstance(name, str) and name.strip() for name in names):
            self.problems.append("its list of tools is not a list of names, so all its tools are available")
        else:
            self.spec["tools"] = names

    # -- values --------------------------------------------------------------------------------------------------------

    def _first(self, keys: tuple[str, ...]) -> Any:
        """The value of the first of these keys that is given, and not null."""
        return next((self._given[key] for key in keys if self._given.get(key) is not None), None)

    def _table(self, key: str, given: Any) -> dict[str, str]:
        """A table of texts; what is not text is reported."""
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self._wrong(f"its {key} is not a table of names and values")
            return {}
        made: dict[str, str] = {}
        for name, value in cast("Mapping[Any, Any]", given).items():
            text = _as_text(value)
            if text is not None and isinstance(name, str):
                made[name] = text
            elif value is None:
                self.problems.append(f"{key} {shown_name(str(name))} has no value and is left out")
            else:
                self._wrong(f"the value of {key} {shown_name(str(name))} is not text")
        return made

    def _text(self, place: str, key: str, value: str) -> str:
        """The value in our form: with references to variables and secrets, and otherwise literal."""
        where = f"argument {int(key) + 1}" if place == "args" else f"{place} {shown_name(key)}".strip()
        pieces: list[str | Reference] = []
        at = 0
        for found in _TOKEN.finditer(value):
            pieces += (value[at : found.start()], self._token(place, key, where, value, found))
            at = found.end()
        if self._replaced and "${" in _TOKEN.sub("", value):
            self.problems.append(f"{where} has a ${{ that is taken literally")
        return self._joined([*pieces, value[at:]], where)

    def _joined(self, pieces: list[str | Reference], where: str) -> str:
        """The text of a value that consists of literal pieces and references. What can't be written is reported."""
        made = plain = ""
        for piece in pieces:
            if isinstance(piece, str):
                plain += piece
                continue
            try:
                checked(str(piece))
            except PydanticCustomError as error:
                self._wrong(f"{where} {error.message()}")
                continue
            made += escaped(plain)
            plain = ""
            if made.endswith("$"):
                self._wrong(f"{where} has a $ directly before a reference, which can't be written here")
                continue
            made += str(piece)
        return made + escaped(plain)

    def _token(self, place: str, key: str, where: str, value: str, found: re.Match[str]) -> str | Reference:
        """What stands here for something that looks like a reference there."""
        text, braced, bare, curly = found.group(), found["braced"], found["bare"], found["curly"]
        if braced is not None:
            return self._braced(place, key, where, braced)
        if curly is not None:
            if "curly" not in self._replaced:
                return text
            if curly.startswith("env:"):
                return Reference("env", curly[4:])
            self._wrong(f"{where} is read from a file, which is not supported")
        elif "dollar" in self._replaced:
            if bare == bare.upper() or text == value:
                return Reference("env", bare)
            self.problems.append(f"{where} has ${shown_name(bare)}, which is taken literally")
        elif self._around.format == "mcp-json" and text == value:
            self.problems.append(
                f"{where} is ${shown_name(bare)}, which is taken literally; ${{env:NAME}} is a variable"
            )
        return text

    def _braced(self, place: str, key: str, where: str, inside: str) -> str | Reference:
        """What stands here for `${inside}` there."""
        replaced = self._replaced
        if "env" in replaced and inside.startswith("env:"):
            return Reference("env", inside[4:].strip())
        if "input" in replaced and inside.startswith("input:"):
            entry = inside[6:]
            return self._typed_in(place, key, entry, self._around.inputs.get(entry) or entry)
        if "folders" in replaced and (folder := self._folder(inside, where)) is not None:
            return folder
        if place == "args" and inside in self._own_env:
            return f"${{{inside}}}"  # the program itself replaces it, as mcp-remote does
        variable, colon, default = inside.partition(":-")
        if "braces" in replaced and _VARIABLE.fullmatch(variable):
            return self._with_default(variable, default, where) if colon else Reference("env", variable)
        if "folders" in replaced and inside.startswith(("config:", "command:")):
            self._wrong(f"{where} has ${{{shown_name(inside)}}}, which only {self._around.app} can replace")
        else:
            self.problems.append(
                f"{where} has a ${{…}} that {self._around.app} does not replace; it is taken literally"
            )
        return f"${{{inside}}}"

    def _with_default(self, variable: str, default: str, where: str) -> str | Reference:
        """What stands here for `${variable:-default}` there."""
        environment = self._around.environment
        if environment is not None and variable not in environment:
            self.problems.append(f"{where} uses its default, because the variable {shown_name(variable)} is not set")
            return default
        self.problems.append(f"{where} has a default there; here the variable {shown_name(variable)} must be set")
        return Reference("env", variable)

    def _folder(self, inside: str, where: str) -> str | None:
        """The path that `${inside}` means; None when it means none."""
        if inside == "userHome":
            return str(self._around.home)
        if inside in ("pathSeparator", "/"):
            return os.sep
        if inside not in ("workspaceFolder", "workspaceFolderBasename"):
            return None
        if self._around.work_dir is None:
            self._wrong(f"{where} refers to the open folder, and there is none")
            return ""
        return str(self._around.work_dir) if inside == "workspaceFolder" else self._around.work_dir.name

    def _typed_in(self, place: str, key: str, entry: str, description: str) -> Reference:
        """A reference to a secret that the person has to type in."""
        self.needs.append((place, key, shown_name(description)))
        return Reference("secret", re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{self._name}-{entry}")[:128])

    def _plain(self, key: str, value: str) -> str | None:
        """A value in which there are no references here: only folders are replaced. None when that is not enough."""
        made, at = "", 0
        for found in _TOKEN.finditer(value):
            made += value[at : found.start()]
            at = found.end()
            braced = found["braced"]
            if braced is not None and "folders" in self._replaced and (folder := self._folder(braced, key)) is not None:
                made += folder
            elif self._is_replaced(found):
                self._wrong(f"{key} has {shown_name(found.group())}; a variable is not supported there")
                return None
            else:
                made += found.group()
        return made + value[at:]

    def _is_replaced(self, found: re.Match[str]) -> bool:
        """Whether the app replaces this text."""
        braced, replaced = found["braced"], self._replaced
        if braced is None:
            return bool("dollar" in replaced if found["bare"] is not None else "curly" in replaced)
        kinds = ("env:", "input:", "config:", "command:")
        if braced.startswith(kinds):
            return "folders" in replaced or ("env" in replaced and braced.startswith("env:"))
        return "braces" in replaced and _VARIABLE.fullmatch(braced.partition(":-")[0]) is not None

    # -- the whole table -----------------------------------------------------------------------------------------------

    def _wrong(self, problem: str) -> None:
        """Report why the server can't be imported as it is."""
        self.importable = False
        self.problems.append(problem)

    def _invalid(self) -> str | None:
        """Why the table would be refused in config.toml; None when it would not be."""
        table = {key: value for key, value in self.spec.items() if key != "enabled"}
        if isinstance(url := table.get("url"), str) and references_in(url):
            table["url"] = sample(url)
        try:
            ServerSpec.model_validate({**table, "name": self._name})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            key, *inner = (str(place) for place in first["loc"]) if first["loc"] else ("",)
            name = f" {shown_name(inner[0])}" if inner and key in ("env", "headers") else ""
            allowed = f"; allowed: {ALLOWED[key]}" if key in ALLOWED else ""
            return f"{key}{name}: {first['msg'].removeprefix('Input ')}{allowed}".removeprefix(": ")
        return None


def secrets_in(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The (key, name) of values in a table that look like secrets. A value with references is none."""
    found: list[tuple[str, str]] = []
    for place in ("env", "headers"):
        values: Mapping[str, str] = spec.get(place, {})
        found += [(place, name) for name, value in values.items() if _is_secret(name, value)]
    args: list[str] = spec.get("args", [])
    before = ""
    for place, arg in enumerate(args):
        flag = before if before.startswith("-") and not arg.startswith("-") else ""
        if _is_secret(flag, arg):
            found.append(("args", str(place)))
        before = arg
    if _is_secret("", spec.get("url", "")):
        found.append(("url", ""))
    return found


def _is_secret(name: str, value: str) -> bool:
    """Whether a value looks like a secret. `name`: of the variable or header, the option before an argument, or ""."""
    if references_in(value):
        return False
    value = re.sub(r"\$\$\{[^{}]*\}", "", value)  # the program itself replaces it
    if value.strip().lower() in ("", "true", "false", "0", "1"):
        return False
    if SECRET_SHAPES.search(value) is not None:
        return True
    if name.startswith("-"):
        return NAMES.search(name) is not None and "/" not in value  # not a path or an address
    return bool(name) and holds_secret(name, value)


def _as_text(value: Any) -> str | None:
    """A text, or a number or truth value as text; None for anything else."""
    if isinstance(value, str):
        return value
    plain = json_value(value) if isinstance(value, int | float) else None  # None for a number that JSON can't hold
    return None if plain is None else json.dumps(plain)


def _encodable(table: Mapping[str, Any]) -> bool:
    try:
        json.dumps(table, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
