"""The settings of a service: one `[services.NAME]` table of the user's `config.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from aster_sidecar.config.named_tables import AnyText, Directory, NamedTable, Seconds, Variables, read_tables
from aster_sidecar.config.table_errors import allowed_values

DESCRIPTION_CHARS = 500
_SECONDS = "seconds above 0, at most 3600"


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _with_a_program(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command or not command[0].strip():
        raise PydanticCustomError("program", "names no program")
    return command


class ServiceSpec(NamedTable):
    """A program that the daemon starts and restarts. Docs: docs/protocol.md, "Services"."""

    command: Annotated[tuple[AnyText, ...], BeforeValidator(_as_list), AfterValidator(_with_a_program)] = Field(
        description="the name or path of a program, or a list of it and its arguments"
    )
    args: tuple[AnyText, ...] = Field(default=(), description="a list of strings")
    """Further arguments, after those in `command`."""
    env: Variables = Field(
        default_factory=dict[str, str],
        repr=False,
        description="a table of strings: names of variables, and their values",
    )
    cwd: Directory | None = Field(default=None, description="the absolute path of a directory")
    autostart: bool = Field(default=False, strict=True, description="true, false")
    description: AnyText = Field(
        default="", max_length=DESCRIPTION_CHARS, description=f"a text of at most {DESCRIPTION_CHARS} characters"
    )
    stop_timeout_s: Seconds = Field(default=8.0, description=_SECONDS)
    """How long the program may take to exit after its stdin is closed."""
    backoff_s: Seconds = Field(default=1.0, description=_SECONDS)
    """Delay before the first restart; it doubles with each restart, up to `backoff_max_s`."""
    backoff_max_s: Seconds = Field(default=30.0, description=_SECONDS)
    healthy_s: Seconds = Field(default=60.0, description=_SECONDS)
    """After running this long, earlier crashes no longer count."""
    crash_limit: int = Field(default=5, strict=True, ge=1, le=1000, description="a whole number from 1 to 1000")
    """After this many crashes within `crash_window_s`, the service is not restarted."""
    crash_window_s: Seconds = Field(default=60.0, description=_SECONDS)

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and all its arguments."""
        return (*self.command, *self.args)


ALLOWED = allowed_values(ServiceSpec)
"""The keys of a table, and the values that each may have, in words."""


def service_specs(tables: Mapping[str, Any]) -> list[ServiceSpec]:
    """The services in the `services` table. Raises: ConfigInvalid with the table, the key, the value and a hint."""
    return read_tables("services", tables, ServiceSpec)
