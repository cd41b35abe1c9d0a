"""The hosts: who they are, which tools they lend, and whether they are there."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import HostNotFound, HostTaken, InvalidShape, LeaseLost, StoreError, ToolTaken
from aster_sidecar.publisher import Publisher
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import hosts as rows
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.mcp.definitions import Arguments, Definition, arguments_model

log = logging.getLogger(__name__)

GONE_S = 20.0
"""A host that did not send a heartbeat for so long is gone. It is longer than the time between two heartbeats of the
stream: they alone wake a page that is hidden for long."""
HEARTBEAT_S = 5.0
CHECK_S = 1.0
MOST_HOSTS = 64


@dataclass(frozen=True, slots=True)
class Lent:
    """A tool that a host lends, with its definition and the model of its arguments."""

    spec: wire.HostTool
    definition: Definition
    arguments: type[Arguments]


@dataclass(slots=True)
class Host:
    """A host. `lease` is that of its newest registration; None: it is not there.

    `specs` are all tools that it lends, `tools` those that can be called now.
    """

    name: str
    host_id: str
    instance: str
    specs: list[wire.HostTool]
    tools: dict[str, Lent]
    registered_at: str
    lease: str | None = None
    over_socket: bool = False
    seen_s: float = field(default=0.0)

    @property
    def online(self) -> bool:
        return self.lease is not None


class Hosts:
    """All hosts that have registered and were not removed.

    `taken` says why a name can't be that of a tool; None: it can.
    """

    def __init__(self, journal: Journal, taken: Callable[[str], str | None]) -> None:
        self._journal = journal
        self._taken = taken
        self._hosts: dict[str, Host] = {}
        self._registering = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self.changed: Publisher[[]] = Publisher()
        """Publishes that a host came or went, or lends other tools."""
        self.registered: Publisher[Host] = Publisher()
        """Publishes that an instance of a host has registered."""

    async def open(self) -> None:
        """Read the hosts of the last run; none of them is there yet. Raises: StoreError."""
        for row in self._journal.rows(rows.select_hosts()):
            with self._journal.parsing(f"host {row.name[:100]}"):
                specs = [wire.HostTool.model_validate(one) for one in json.loads(row.tools)]
            host = self._hosts[row.name] = Host(row.name, row.host_id, row.instance, specs, {}, row.registered_at)
            durable = [spec for spec in specs if spec.wait == "durable"]
            if durable:  # the others are called only while the host is there
                try:
                    host.tools = await asyncio.to_thread(lent, durable)
                except ToolError as error:
                    log.warning("tools of the host %s can't be offered: %s", row.name, error)
        if self._hosts:
            self.changed.publish()

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    # -- registering -----------------------------------------------------------------------------------------------

    async def register(self, request: wire.HostRegister, *, over_socket: bool = False) -> Host:
        """Register an instance of a host. It gets a new lease; an earlier one ends.

        Raises: HostTaken, ToolTaken, InvalidShape, StoreError.
        """
        async with self._registering:
            before = self._hosts.get(request.name)
            if before is not None and before.online and before.instance != request.instance and not request.replace:
                raise HostTaken(f"an instance of the host {request.name!r} is there")
            if before is None and len(self._hosts) >= MOST_HOSTS:
                raise InvalidShape(f"there are {MOST_HOSTS} hosts, more are not kept", hint="DELETE /api/hosts/ID")
            self._check_names(request)
            try:
                tools = await asyncio.to_thread(lent, request.tools)
            except ToolError as error:
                raise InvalidShape(str(error), hint="parameters is the JSON Schema of an object") from error
            host = Host(
                name=request.name,
                host_id=before.host_id if before is not None else clock.new_id("host"),
                instance=request.instance,
                specs=request.tools,
                tools=tools,
                registered_at=clock.stamp(),
                lease=secrets.token_urlsafe(24),
                over_socket=over_socket,
                seen_s=clock.real_s(),
            )
            self._hosts[request.name] = host
            self._put(host)
            self.registered.publish(host)
            try:
                await self._journal.commit()
            except Exception:
                host.lease = None
                raise
            self.changed.publish()
            self._watch()
            return host

    def _check_names(self, request: wire.HostRegister) -> None:
        """Raises: InvalidShape, ToolTaken."""
        seen: set[str] = set()
        for tool in request.tools:
            if tool.name in seen:
                raise InvalidShape(f"tools: {tool.name} is there twice")
            seen.add(tool.name)
            if (why := self._taken(tool.name)) is not None:
                raise ToolTaken(f"{tool.name}: {why}")
            other = self.host_of_tool(tool.name)
            if other is not None and other.name != request.name:
                raise ToolTaken(f"{tool.name}: the host {other.name!r} lends a tool of this name")

    def _put(self, host: Host) -> None:
        tools = json.dumps([spec.model_dump() for spec in host.specs])
        row = rows.HostRow(host.name, host.host_id, host.instance, tools, host.registered_at)
        self._journal.put("host_changed", changed_event(host), writes=[rows.upsert_host(row)])

    async def leave(self, host_id: str, lease: str) -> Host:
        """End a registration. The host stays known. Raises: HostNotFound, LeaseLost, StoreError."""
        host = self.holder(host_id, lease)
        self._gone(host)
        await self._journal.commit()
        return host

    def leave_lease(self, lease: str) -> None:
        """End the registration with this lease, if it is still the newest one: its socket was closed."""
        for host in self._hosts.values():
            if host.lease == lease:
                try:
                    self._gone(host)
                except StoreError as error:
                    log.warning("it is not recorded that the host %s is gone: %s", host.name, error.message)

    async def remove(self, host_id: str) -> Host:
        """Forget a host, with its tools. Raises: HostNotFound, StoreError."""
        host = self.get(host_id)
        del self._hosts[host.name]
        host.lease = None
        self._journal.put("host_changed", changed_event(host, removed=True), writes=[rows.delete_host(host.name)])
        self.changed.publish()
        await self._journal.commit()
        return host

    # -- whether they are there ------------------------------------------------------------------------------------

    def holder(self, host_id: str, lease: str) -> Host:
        """The host, if this is its lease: it is there. Raises: HostNotFound, LeaseLost."""
        host = self.get(host_id)
        if host.lease is None or not secrets.compare_digest(host.lease.encode(), lease.encode()):
            raise LeaseLost(f"the registration of {host.name!r} has ended, or another one has taken its place")
        host.seen_s = clock.real_s()
        return host

    def _watch(self) -> None:
        """Look in a second whether all that are there still send heartbeats."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if any(host.online and not host.over_socket for host in self._hosts.values()):
            self._timer = asyncio.get_running_loop().call_later(CHECK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        now_s = clock.real_s()
        for host in self._hosts.values():
            if host.online and not host.over_socket and now_s - host.seen_s > GONE_S:
                self._gone(host)
        self._watch()

    def _gone(self, host: Host) -> None:
        host.lease = None
        self._journal.put("host_changed", changed_event(host))
        self.changed.publish()

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, host_id: str) -> Host:
        """Raises: HostNotFound."""
        for host in self._hosts.values():
            if host.host_id == host_id:
                return host
        raise HostNotFound(f"no host {host_id[:200]!r} is registered")

    def named(self, name: str) -> Host | None:
        return self._hosts.get(name)

    def all(self) -> Sequence[Host]:
        """All hosts, in the order of their first registration."""
        return list(self._hosts.values())

    def host_of_tool(self, tool: str) -> Host | None:
        """The host that lends, or lent, the tool of this name."""
        for host in self._hosts.values():
            if any(spec.name == tool for spec in host.specs):
                return host
        return None

    def list(self) -> list[wire.HostInfo]:
        """All hosts as clients see them."""
        return [info(host) for host in self._hosts.values()]


def lent(specs: Sequence[wire.HostTool]) -> dict[str, Lent]:
    """The tools by name. Raises: ToolError for a schema that is not valid."""
    found: dict[str, Lent] = {}
    for spec in specs:
        schema = spec.parameters
        if schema.get("type", "object") != "object":
            raise ToolError(f"tools: {spec.name}: parameters have to be an object")
        definition = Definition(spec.name, spec.description, {**schema, "type": "object"})
        try:
            found[spec.name] = Lent(spec, definition, arguments_model(definition))
        except (ToolError, RecursionError) as error:
            raise ToolError(f"tools: {spec.name}: {error}") from error
    return found


def info(host: Host) -> wire.HostInfo:
    """A host as clients see it."""
    return wire.HostInfo(
        host_id=host.host_id,
        name=host.name,
        online=host.online,
        registered_at=host.registered_at,
        tools=host.specs,
    )


def changed_event(host: Host, *, removed: bool = False) -> wire.HostChangedEvent:
    return wire.HostChangedEvent(**dict(info(host)), removed=removed)
