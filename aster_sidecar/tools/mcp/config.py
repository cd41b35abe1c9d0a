"""The settings of an MCP server: one `[mcp.NAME]` table of the user's `config.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self, cast

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from aster_sidecar.config.named_tables import (
    AnyText,
    Directory,
    NamedTable,
    Seconds,
    Text,
    VariableName,
    check_name,
    read_tables,
)
from aster_sidecar.config.table_errors import allowed_values
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.policy.permissions import Risk
from aster_sidecar.tools.mcp.naming import digest
from aster_sidecar.tools.mcp.references import checked, is_address, sample

_PROGRAM_KEYS = frozenset(("args", "env", "cwd"))
_URL_KEYS = frozenset(("headers",))
_STARTED_WITH = ("enabled", "command", "args", "env", "cwd", "url", "headers", "roots")


def _http_url(url: str) -> str:
    if not is_address(sample(url)):
        raise PydanticCustomError("url", "is not an http:// or https:// address")
    return url


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise PydanticCustomError("header", "has a name that is not one of an HTTP header")
    return name


def _header_value(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise PydanticCustomError("header", "has a value that is not printable ASCII")
    return value


Value = Annotated[AnyText, AfterValidator(checked)]
"""A text that may have references."""


class ServerSpec(NamedTable):
    """An MCP server: a program that speaks over its stdin and stdout (`command`), or a `url`."""

    command: Text | None = Field(default=None, description="the name or path of a program")
    args: tuple[Value, ...] = Field(default=(), description="a list of strings")
    env: dict[VariableName, Value] = Field(
        default_factory=dict[str, str],
        repr=False,
        description="a table of strings: names of variables, and their values",
    )
    cwd: Directory | None = Field(default=None, description="the absolute path of a directory")
    url: Annotated[Text, AfterValidator(_http_url)] | None = Field(
        default=None, description="an http:// or https:// address"
    )
    headers: dict[
        Annotated[str, AfterValidator(_header_name)],
        Annotated[str, AfterValidator(_header_value), AfterValidator(checked)],
    ] = Field(
        default_factory=dict[str, str], repr=False, description="a table of strings: names of headers, and their values"
    )
    enabled: bool = Field(default=True, strict=True, description="true, false")
    """Whether it is started, and its tools are offered."""
    tools: tuple[Text, ...] | None = Field(default=None, description="a list of names of the server's tools")
    """The tools that agents may use; None: all."""
    disabled_tools: tuple[Text, ...] = Field(default=(), description="a list of names of the server's tools")
    """The tools that agents may not use."""
    agents: tuple[Text, ...] | None = Field(default=None, description="a list of ids of agents")
    """The agents that get its tools; None: all."""
    roots: tuple[Directory, ...] | None = Field(default=None, description="a list of absolute paths of directories")
    """The directories that it is told to work in; None: the session's folder, and directories named in `args`."""
    risk: Risk = Field(default="high", description="low, medium, high")
    """The risk of each of its tools. Only this setting can lower it; what the server says about its tools can't."""
    timeout_s: Seconds = Field(default=60, description="seconds above 0, at most 3600")
    """How long a call may take."""

    @model_validator(mode="after")
    def _is_a_program_or_a_url(self) -> Self:
        given = self.model_fields_set
        if ("command" in given) == ("url" in given):
            both = "both command and url are given" if "url" in given else "neither command nor url is given"
            hint = "allowed: a command (a program) or a url, one of them"
            raise PydanticCustomError("transport", both, {"hint": hint})  # pyright: ignore[reportArgumentType]
        kind, foreign = ("command", _URL_KEYS) if "command" in given else ("url", _PROGRAM_KEYS)
        if found := foreign & given:
            raise PydanticCustomError(
                "transport", "has no meaning with {kind}", {"kind": kind, "key": min(found), "hint": "remove it"}
            )
        return self

    def is_same_program(self, other: ServerSpec) -> bool:
        """Whether a program or connection with these settings need not be started again for `other`."""
        return all(getattr(self, key) == getattr(other, key) for key in _STARTED_WITH)

    def digest(self) -> str:
        """A hash that changes when another server gets this name. It contains no secret."""
        return digest([self.command, list(self.args), self.cwd, self.url])


class BrokenSpec(ServerSpec):
    """A server whose table has a mistake, with the settings that are right. It is listed, and never started."""

    _fault: ConfigInvalid = PrivateAttr()

    @model_validator(mode="after")
    def _is_a_program_or_a_url(self) -> Self:
        return self  # that it is neither may be the mistake

    @classmethod
    def of(cls, name: str, table: Any, fault: ConfigInvalid) -> Self:
        """The server with those keys of its table that are right by themselves."""
        given = cast("Mapping[str, Any]", table) if isinstance(table, Mapping) else dict[str, Any]()
        right = {key: given[key] for key in ALLOWED if key in given and cls._is_right(key, given[key])}
        spec = cls.model_validate({"name": name, **right})
        spec._fault = fault
        return spec

    @classmethod
    def _is_right(cls, key: str, value: Any) -> bool:
        try:
            cls.model_validate({"name": "", key: value})
        except ValidationError:
            return False
        return True

    @property
    def fault(self) -> ConfigInvalid:
        """The mistake, with the table, the key, the value and what is allowed."""
        return self._fault

    def is_same_program(self, other: ServerSpec) -> bool:
        """Never: it is no program."""
        return False


ALLOWED = allowed_values(ServerSpec)
"""The keys of a table, and the values that each may have, in words."""


def server_specs(tables: Mapping[str, Any]) -> list[ServerSpec]:
    """The servers in the `mcp` table. Raises: ConfigInvalid with the table, the key, the value and a hint."""
    return read_tables("mcp", tables, ServerSpec)


def listed_servers(tables: Mapping[str, Any]) -> list[ServerSpec]:
    """As `server_specs`, with a BrokenSpec for each table with a mistake, so that the other servers can be used.

    Tables with names that are not allowed are left out; `Config.problems` names them.
    """
    found: list[ServerSpec] = []
    for name, table in tables.items():
        try:
            check_name("mcp", name)
        except ConfigInvalid:
            continue
        try:
            found += server_specs({name: table})
        except ConfigInvalid as error:
            found.append(BrokenSpec.of(name, table, error))
    return found
