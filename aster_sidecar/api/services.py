"""The services of the user's configuration."""

from __future__ import annotations

from aster_sidecar.contract import wire
from aster_sidecar.services.supervisor import Services


class ServiceCalls:
    """Calls about services. What comes of a start or a stop is on the event stream."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def list(self) -> list[wire.ServiceInfo]:
        """The services, and how each stands."""
        return self._services.list()

    def start(self, name: str) -> wire.ServiceInfo:
        """Have a service run; returns at once. Idempotent. Raises: ServiceNotFound."""
        service = self._services.get(name)
        service.start()
        return service.info()

    def stop(self, name: str) -> wire.ServiceInfo:
        """Have a service stopped, with all that it started; returns at once. Idempotent. Raises: ServiceNotFound."""
        service = self._services.get(name)
        service.stop()
        return service.info()

    def restart(self, name: str) -> wire.ServiceInfo:
        """Stop a service, and start it when nothing of it is left; returns at once. Raises: ServiceNotFound."""
        service = self._services.get(name)
        service.restart()
        return service.info()

    def logs(self, name: str, after: int | None, limit: int) -> wire.ServiceLogs:
        """The newest lines that a service has written (those after the line `after`), oldest first.

        Raises: ServiceNotFound.
        """
        return self._services.get(name).log.page(after, limit)
