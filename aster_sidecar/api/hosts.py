"""API calls about hosts: programs that lend tools to agents."""

from __future__ import annotations

from aster_sidecar.contract import wire
from aster_sidecar.conversation.attachments import Attachments
from aster_sidecar.hosts.dispatch import Dispatch
from aster_sidecar.hosts.registry import Hosts


class HostCalls:
    """Calls about hosts and the calls of their tools."""

    def __init__(self, hosts: Hosts, calls: Dispatch, attachments: Attachments) -> None:
        self._hosts = hosts
        self._calls = calls
        self._attachments = attachments

    def list(self) -> list[wire.HostInfo]:
        """All hosts that were not removed."""
        return self._hosts.list()

    async def register(self, body: wire.HostRegister, *, over_socket: bool = False) -> wire.HostRegistered:
        """Register a host with its tools. Raises: what `Hosts.register` raises."""
        return self._calls.registered(await self._hosts.register(body, over_socket=over_socket))

    def heartbeat(self, host_id: str, body: wire.HostLease) -> wire.HostAlive:
        """The host is still there. Raises: HostNotFound, LeaseLost."""
        self._hosts.holder(host_id, body.lease)
        return wire.HostAlive(host_id=host_id, online=True)

    async def leave(self, host_id: str, body: wire.HostLease) -> wire.HostAlive:
        """The host ends its registration. Raises: HostNotFound, LeaseLost, StoreError."""
        await self._hosts.leave(host_id, body.lease)
        return wire.HostAlive(host_id=host_id, online=False)

    def closed(self, lease: str) -> None:
        """The socket over which a host registered was closed. Raises: StoreError."""
        self._hosts.leave_lease(lease)

    async def remove(self, host_id: str) -> wire.HostAlive:
        """Forget a host, and end the calls of its tools. Raises: HostNotFound, StoreError."""
        host = self._hosts.get(host_id)
        await self._calls.abandon(host)  # first, so that a crash in between leaves no call without its host
        await self._hosts.remove(host_id)
        await self._calls.abandon(host)  # what came meanwhile
        return wire.HostAlive(host_id=host_id, online=False)

    async def accept(self, host_id: str, body: wire.HostAccept) -> wire.HostCallInfo:
        """Take a call. Raises: what `Dispatch.accept` raises."""
        return await self._calls.accept(host_id, body)

    async def finish(self, host_id: str, body: wire.HostResult) -> wire.HostCallDone:
        """End a call. Raises: AttachmentNotFound, and what `Dispatch.finish` raises."""
        self._attachments.to_use(body.attachments)
        return await self._calls.finish(host_id, body)

    async def progress(self, host_id: str, body: wire.HostProgress) -> wire.HostCallDone:
        """Publish the progress of a call. Raises: what `Dispatch.progress` raises."""
        return await self._calls.progress(host_id, body)
