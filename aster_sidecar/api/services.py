"""API calls about the services in the user's configuration."""

from __future__ import annotations

from aster_sidecar.contract import wire
from aster_sidecar.services.supervisor import Services


class ServiceCalls:
    """Calls about services. The result of a start or stop is reported on the event stream."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def list(self) -> list[wire.ServiceInfo]:
        """The services and their current state."""
        return self._services.list()

    def start(self, name: str) -> wire.ServiceInfo:
        """Start a service; returns immediately. Idempotent. Raises: ServiceNotFound."""
        service = self._services.get(name)
        service.start()
        return service.info()

    def stop(self, name: str) -> wire.ServiceInfo:
        """Stop a service and its child processes; returns immediately. Idempotent. Raises: ServiceNotFound."""
        service = self._services.get(name)
        service.stop()
        return service.info()

    def restart(self, name: str) -> wire.ServiceInfo:
        """Stop a service, and start it after all its processes have ended; returns immediately.

        Raises: ServiceNotFound.
        """
        service = self._services.get(name)
        service.restart()
        return service.info()

    def logs(self, name: str, after: int | None, limit: int) -> wire.ServiceLogs:
        """The newest `limit` lines of a service's output, only those after line `after` if given, oldest first.

        Raises: ServiceNotFound.
        """
        return self._services.get(name).log.page(after, limit)
