"""The agent's browser as a service: off until a person turns it on, then the MCP server `browser`.

It is the flag `browser`, with the table `[browser]` of the user's `config.toml`. Every connection of the browser goes
through a proxy, which has a new password for each start.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from aster_sidecar.config.table_errors import invalid_table
from aster_sidecar.policy.permissions import Risk, Scope
from aster_sidecar.services.process_tree import clean_environment, path_known
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import RuleTarget, Surroundings, ToolError
from aster_sidecar.tools.browser import calls
from aster_sidecar.tools.browser.allowed import allowed_hosts
from aster_sidecar.tools.browser.exchange import DOWNLOADS, Exchange
from aster_sidecar.tools.browser.launch import Choices, Launch, prepare
from aster_sidecar.tools.browser.programs import PACKAGE, VERSION, NotInstalled, find_browser, find_server
from aster_sidecar.tools.browser.proxy import BrowserProxy
from aster_sidecar.tools.mcp.config import ServerSpec
from aster_sidecar.tools.mcp.tools import Judged
from aster_sidecar.tools.web.fetch_tool import rule_value

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

log = logging.getLogger(__name__)

NAME = "browser"
"""The name of the MCP server."""
TIMEOUT_S = 120.0
"""How long a call may take. A navigation takes at most 45 s."""
REFUSALS_KEPT = 5
FILES = "files"
"""The directory in the browser's own where it reads and writes files."""


def _host(pattern: str) -> str:
    try:
        allowed_hosts([pattern])
    except ValueError as error:
        raise PydanticCustomError("host", "{why}", {"why": str(error)}) from None
    return pattern


class BrowserSettings(BaseModel):
    """The table `[browser]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    allow: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(), max_length=100, description='a list of hosts, such as ["localhost:3000"]'
    )
    """Hosts of this machine and its networks that the browser may open."""
    headless: bool | None = Field(default=None, strict=True, description="true, false")
    """Without windows; None: where there is no display."""
    isolated: bool = Field(default=False, strict=True, description="true, false")
    """Forget cookies and logins at each end."""


def browser_settings(table: Any) -> BrowserSettings:
    """Raises: ConfigInvalid with the key, the value and what is allowed."""
    given: dict[str, Any] = dict(table) if isinstance(table, Mapping) else {"": table}  # pyright: ignore[reportUnknownArgumentType]
    try:
        return BrowserSettings.model_validate(given)
    except ValidationError as error:
        raise invalid_table("[browser]", given, BrowserSettings, error) from None


class BrowserService:
    """The browser's settings, its proxy, and how its calls are judged."""

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        work_dir: Callable[[], Path],
        own_port: Callable[[], int],
    ) -> None:
        """`directory` is the browser's own in the data directory; no tool may write in it."""
        self.settings = BrowserSettings()
        self.launched: Launch | None = None
        self.refusals: deque[str] = deque(maxlen=REFUSALS_KEPT)
        """The newest addresses that were refused, each in a sentence."""
        self._refused_n = 0
        self._directory = directory
        self._environment = environment
        self._work_dir = work_dir
        self._own_port = own_port
        self._proxy: BrowserProxy | None = None
        self._one_call = asyncio.Lock()
        self._exchange = Exchange(directory / FILES)

    @property
    def spec(self) -> ServerSpec:
        """The MCP server, as it is configured. `prepared` says how it is started."""
        return ServerSpec(
            name=NAME,
            command=f"{PACKAGE}@{VERSION}",
            tools=tuple(calls.RISKS),
            roots=(),
            timeout_s=TIMEOUT_S,
        )

    @property
    def downloads(self) -> Path:
        """The directory for downloads of conversations that chose no folder."""
        return self._work_dir() / DOWNLOADS

    def found(self) -> str:
        """The browser's program. Raises: NotInstalled."""
        return find_browser(self._environment, clean_environment(os.environ)["PATH"])

    async def prepared(self, spec: ServerSpec) -> ServerSpec:
        """The server with the programs of this machine, for one start. Raises: ToolError."""
        await path_known()
        environ = clean_environment(os.environ)
        try:
            browser = await asyncio.to_thread(find_browser, self._environment, environ["PATH"])
            server = await find_server(self._environment, environ, self._directory)
        except NotInstalled as error:
            raise ToolError(f"{error}; {error.hint}") from error
        await self.close()
        proxy = self._proxy = BrowserProxy(self._may_reach, on_refusal=self._refused, environment=self._environment)
        try:
            await proxy.start()
            launched = self.launched = await asyncio.to_thread(
                prepare,
                Choices(self._exchange.directory, self.settings.isolated, self.settings.headless),
                browser=browser,
                server=server,
                proxy=(proxy.url, proxy.user, proxy.password),
                directory=self._directory,
                environment=self._environment,
            )
        except OSError as error:
            raise ToolError(f"the browser could not be prepared: {error.strerror or error}") from error
        command, *args = launched.command
        return spec.model_copy(
            update={"command": command, "args": tuple(args), "env": launched.env, "cwd": str(launched.cwd)}
        )

    def _may_reach(self, host: str, port: int) -> bool:
        """Whether the person has allowed a host that is not public. Never the daemon itself."""
        return port != self._own_port() and allowed_hosts(self.settings.allow)(host, port)

    def _refused(self, sentence: str) -> None:
        self._refused_n += 1
        self.refusals.append(shown(sentence))

    async def close(self) -> None:
        """End the proxy, and with it all connections of the browser. Its files go where they belong."""
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            await proxy.close()
        for sentence in await asyncio.to_thread(self._exchange.clear, self._work_dir()):
            log.warning("the browser's file %s", sentence)

    # -- its calls -----------------------------------------------------------------------------------------------------

    def name_of(self, tool: str) -> str:
        """The name of a tool without the server's."""
        return tool.removeprefix(f"{NAME}_")

    def risk(self, tool: str) -> Risk:
        """The risk of an ordinary call. Raises: ToolError for a tool that is never offered."""
        return calls.risk_of(tool, {})

    def judge(self, tool: str, values: Mapping[str, Any]) -> Judged:
        """What a call would do. Raises: ToolError."""
        risk, target = calls.risk_of(tool, values), calls.destination(tool, values)
        if target is None:
            return Judged(risk)
        words = f"the browser's {self.name_of(tool)} to {target.scheme}://{target.authority} only"
        return Judged(
            risk,
            summary=f"Open {shown(target.url)[:200]} in the browser",
            reason="The address can carry your data to that site, and the page may hold instructions meant to mislead"
            " the agent.",
            scope=Scope("exact", target.origin, words),
        )

    def rule_value(self, asked: RuleTarget, surroundings: Surroundings) -> str:
        """An origin, or a pattern of origins. Raises: ToolError."""
        return rule_value(asked, surroundings)

    @asynccontextmanager
    async def around(self, values: Mapping[str, Any], folder: Path) -> AsyncGenerator[BrowserCall]:
        """One call at a time: two would disturb each other. Raises: ToolError for a file that it may not read."""
        async with self._one_call:
            lent = await asyncio.to_thread(self._exchange.lend, values, folder)
            yield BrowserCall(lent, folder, self._exchange, partial(self._refused_since, self._refused_n))

    def _refused_since(self, before: int) -> list[str]:
        """The newest addresses that were refused since there were `before` of them."""
        new = self._refused_n - before
        return list(self.refusals)[-new:] if new else []


@dataclass(frozen=True, slots=True)
class BrowserCall:
    """A call that is being made. `values`: its arguments, with paths that the browser can read."""

    values: Mapping[str, Any]
    folder: Path
    exchange: Exchange
    refused: Callable[[], list[str]]

    async def told(self, result: Any) -> tuple[Any, str]:
        """A result with files in the folder of the conversation, and a note on it; "": none."""
        result, troubles = await asyncio.to_thread(self.exchange.hand_over, result, self.folder)
        return result, " ".join((*self.refused(), *troubles))
