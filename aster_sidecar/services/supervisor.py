"""Services, the daemon's supervised child processes: started, watched, restarted with a growing delay, and ended.

Each service has one task, from its start until it has stopped or crashed permanently. A request changes `state`, and
the task continues from there. Nothing polls: the task waits for the process, a request, or a delay.

The processes of a service descend from the keeper, like those of a tool (`launch.py`). So all of them are ended, also
those that left their session or parent, and when the daemon was killed; and the daemon answers none of their requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import shutil
import signal
from collections import deque
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import ServiceNotFound
from aster_sidecar.services.config import ServiceSpec
from aster_sidecar.services.launch import Program, start
from aster_sidecar.services.log import ServiceLog
from aster_sidecar.services.process_tree import KILL_S, TERM_S, clean_environment, path_known
from aster_sidecar.services.program_mark import ProgramMark
from aster_sidecar.store.journal import Journal
from aster_sidecar.telemetry.redaction import Redactor, secrets_of

log = logging.getLogger(__name__)

JITTER = 0.2
DOUBLINGS = 5
HURRY_S = 1.0
"""When the daemon stops: how long a service may take to exit, then to exit after TERM, and then after KILL."""
CLOSE_S = 3.8
OUTPUT_S = 0.5
"""How long the rest of the output is waited for after the process has exited."""
TELL_AGAIN_S = 2.0

GRACE_S = 2.0
"""How long a service may take to exit when the daemon is gone, which closes its stdin."""


class CannotStart(Exception):
    """A service's program could not be started; `str(error)` is the reason."""


def backoff_s(spec: ServiceSpec, attempt: int, chance: float) -> float:
    """The delay before restart number `attempt` (from 0); `chance`, from 0 to 1, places it between -20 % and +20 %."""
    plain = min(spec.backoff_max_s, spec.backoff_s * 2 ** min(attempt, DOUBLINGS))
    return plain * (1 - JITTER + 2 * JITTER * chance)


@dataclass(slots=True)
class Running:
    """A started program, and the tasks that read its output."""

    program: Program
    pumps: list[asyncio.Task[None]]

    def exit_info(self) -> wire.ServiceExit:
        """How the program ended: its exit code, or the name of the signal."""
        code = self.program.returncode
        if code is None or code >= 0:
            return wire.ServiceExit(time=clock.stamp(), code=code)
        with contextlib.suppress(ValueError):
            return wire.ServiceExit(time=clock.stamp(), signal=signal.Signals(-code).name)
        return wire.ServiceExit(time=clock.stamp(), signal=f"SIG{-code}")

    async def rest_of_output(self) -> None:
        """Wait for the end of the output, at most `OUTPUT_S`: another process may hold it open."""
        await asyncio.wait(self.pumps, timeout=OUTPUT_S)


class Service:
    """One service."""

    def __init__(self, spec: ServiceSpec, home: Services) -> None:
        self.spec = spec
        self.log = ServiceLog(home.redactor, home.logs_dir and home.logs_dir / f"service-{spec.name}.log")
        self._home = home
        self._state: wire.ServiceState = "stopped"
        self._desired = False
        self._pid: int | None = None
        self._last_start: str | None = None
        self._last_exit: wire.ServiceExit | None = None
        self._attempt = 0
        self._crashes: deque[float] = deque()
        self._delay_s = 0.0
        self._next_restart: str | None = None
        self._asked = asyncio.Event()
        self._healthy: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def info(self) -> wire.ServiceInfo:
        """The state of the service, for clients."""
        return wire.ServiceInfo(
            name=self.spec.name,
            description=self.spec.description,
            state=self._state,
            desired_running=self._desired,
            autostart=self.spec.autostart,
            pid=self._pid,
            last_start=self._last_start,
            last_exit=self._last_exit,
            restart_attempt=self._attempt,
            next_restart=self._next_restart,
        )

    # -- requests --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, even before its next restart or after its last crash. Earlier crashes no longer count."""
        self._desired = True
        if self._state in ("stopped", "crashed", "backoff"):
            self._forget_crashes()
            self._to("starting")

    def stop(self) -> None:
        """Stop it."""
        self._desired = False
        if self._state != "stopped":
            self._forget_crashes()
            self._to("stopping" if self._busy else "stopped")

    def restart(self) -> None:
        """Stop and start it; a service that does not run is started."""
        if self._state == "running":
            self._desired = True
            self._forget_crashes()
            self._to("stopping")
        else:
            self.start()

    async def close(self) -> None:
        """End it because the daemon stops. Whether it should run does not change."""
        if self._busy and self._state != "stopping":
            self._to("stopping")
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_S)
        await self.log.settled(OUTPUT_S)
        self.log.close()

    @property
    def _busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def _is(self, state: wire.ServiceState) -> bool:
        return self._state == state

    def _forget_crashes(self) -> None:
        self._attempt = 0
        self._crashes.clear()

    def _to(self, state: wire.ServiceState) -> None:
        """Change the state, publish it, and let the task continue from there."""
        if state == self._state:
            return
        self._state = state
        if state != "backoff":
            self._next_restart = None
        self._home.tell(self)
        if self._busy:
            self._asked.set()
        elif state == "starting":
            self._task = asyncio.get_running_loop().create_task(self._supervise(), name=f"service {self.spec.name}")

    # -- supervision -----------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        try:
            while self._state not in ("stopped", "crashed"):
                self._asked.clear()
                if self._state == "starting":
                    await self._run_once()
                elif self._state == "backoff":
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._asked.wait(), self._delay_s)
                    if self._state == "backoff":
                        self._to("starting")
                else:
                    self._to("starting" if self._desired and not self._home.closing else "stopped")
        except Exception:
            log.exception("the supervision of service %s failed", self.spec.name)
            self._desired = False
            self._state = "crashed"
            self._home.tell(self)

    async def _run_once(self) -> None:
        """One run of the program, from its start until all its processes are gone."""
        await self._home.ready()
        if not self._is("starting"):
            return
        try:
            running = await self._started()
        except CannotStart as error:
            self._crashed(wire.ServiceExit(time=clock.stamp(), error=str(error)))
            return
        try:
            if self._is("starting"):
                self._to("running")
                self._asked.clear()
                if self._attempt:
                    self._healthy = asyncio.get_running_loop().call_later(self.spec.healthy_s, self._is_healthy)
                await first_of(running.program.exited, self._asked.wait())
            if self._is("stopping"):
                await self._ask_to_exit(running)
            await self._clean_up(running)
        finally:
            for pump in running.pumps:
                pump.cancel()
            running.program.close()
            await asyncio.gather(*running.pumps, return_exceptions=True)

    async def _ask_to_exit(self, running: Running) -> None:
        """Close its stdin and wait for the exit: `stop_timeout_s`, or a short time when the daemon stops."""
        if running.program.stdin is not None:
            running.program.stdin.close()
        within_s = self.spec.stop_timeout_s
        await first_of(running.program.exited, self._home.hurry.wait(), within_s=within_s)
        if self._home.closing:
            await first_of(running.program.exited, within_s=min(HURRY_S, within_s))

    async def _clean_up(self, running: Running) -> None:
        """Record an unexpected exit, and end all processes that are left."""
        if self._healthy is not None:
            self._healthy.cancel()
        noted = False
        if self._is("running"):
            how = running.exit_info()
            self._pid = None
            await running.rest_of_output()
            await self.log.settled(OUTPUT_S)
            self._crashed(how)
            noted = True
        hurry = self._home.closing
        _, left = await running.program.end(HURRY_S if hurry else TERM_S, HURRY_S if hurry else KILL_S)
        await first_of(running.program.exited, within_s=OUTPUT_S)
        await running.rest_of_output()
        await self.log.settled(OUTPUT_S)
        self._pid = None
        if left:
            self._stuck(left)
        elif not noted:
            self._last_exit = running.exit_info()
            log.info("service %s was stopped", self.spec.name)

    def _crashed(self, how: wire.ServiceExit) -> None:
        """Handle an unexpected exit or a failed start: wait for the restart, or give up."""
        self._last_exit = how
        if self._is("stopping"):
            return
        now = asyncio.get_running_loop().time()
        self._crashes.append(now)
        while now - self._crashes[0] > self.spec.crash_window_s:
            self._crashes.popleft()
        log.warning(
            "service %s ended by itself: %s", self.spec.name, how.error or how.signal or f"exit code {how.code}"
        )
        if len(self._crashes) >= self.spec.crash_limit:
            log.error("service %s crashed %d times: it is not started again", self.spec.name, len(self._crashes))
            self._to("crashed")
            return
        self._delay_s = backoff_s(self.spec, self._attempt, random.random())
        self._attempt += 1
        self._next_restart = clock.stamp(clock.now() + timedelta(seconds=self._delay_s))
        self._to("backoff")

    def _stuck(self, left: list[int]) -> None:
        """Give up, because some processes can't be ended: a second instance beside them would do harm."""
        numbers = ", ".join(map(str, left))
        self._last_exit = wire.ServiceExit(time=clock.stamp(), error=f"processes could not be ended: {numbers}")
        log.error("service %s: processes could not be ended: %s", self.spec.name, numbers)
        self._to("crashed")

    def _is_healthy(self) -> None:
        self._forget_crashes()
        self._home.tell(self)

    # -- the process -----------------------------------------------------------------------------------------------

    async def _started(self) -> Running:
        """Start the program. Raises: CannotStart."""
        spec = self.spec
        env = clean_environment(os.environ) | dict(spec.env)
        argv = [found(spec, env["PATH"]), *spec.argv[1:]]
        marker = f"{os.getpid()}:{self._home.mark.text}service-{spec.name}-{secrets.token_hex(4)}"
        try:
            program = await start(argv, cwd=spec.cwd, env=env, marker=marker, grace_s=GRACE_S)
        except OSError as error:
            raise CannotStart(f"{argv[0]} could not be started: {error.strerror or error}") from error
        self._pid, self._last_start = program.pid, clock.stamp()
        running = Running(program, [])
        running.pumps.append(asyncio.create_task(self.log.pump(program.stdout, "stdout")))
        running.pumps.append(asyncio.create_task(self.log.pump(program.stderr, "stderr")))
        log.info("service %s was started", spec.name, extra={"pid": self._pid})
        return running


class Services:
    """The configured services."""

    def __init__(
        self,
        specs: Iterable[ServiceSpec],
        journal: Journal,
        redactor: Redactor,
        logs_dir: Path | None,
        mark: ProgramMark,
    ) -> None:
        """`logs_dir` None: the output of services is not written to files."""
        self.redactor = redactor
        self.logs_dir = logs_dir
        self.closing = False
        self.hurry = asyncio.Event()
        self.over = False
        self.mark = mark
        self._journal = journal
        self._buried: asyncio.Future[Any] | None = None
        self._untold: set[Service] = set()
        self._services = {spec.name: Service(spec, self) for spec in specs}
        for service in self._services.values():
            redactor.learn(secrets_of(service.spec.env))

    def get(self, name: str) -> Service:
        """Raises: ServiceNotFound."""
        service = self._services.get(name)
        if service is None:
            raise ServiceNotFound(f"service not found: {name[:100]!r}")
        return service

    def list(self) -> list[wire.ServiceInfo]:
        """All services, in the order of the configuration."""
        return [service.info() for service in self._services.values()]

    def begin(self, buried: asyncio.Future[Any] | None) -> None:
        """Start the services with `autostart` after `buried`: the end of the processes of an earlier daemon."""
        self._buried = buried
        for service in self._services.values():
            if service.spec.autostart:
                service.start()
            else:
                self.tell(service)  # otherwise clients would keep showing the state of the previous run

    async def ready(self) -> None:
        """Wait until the processes of an earlier daemon are ended and the PATH of programs is known."""
        if self._buried is not None:
            await first_of(asyncio.shield(self._buried), self.hurry.wait())
        await first_of(path_known(), self.hurry.wait())

    def tell(self, service: Service) -> None:
        """Publish the state of a service to clients."""
        if self.over:
            return
        event = wire.ServiceChangedEvent(**service.info().model_dump())
        self._journal.put("service_changed", event, durable=False)

        def again(told: asyncio.Future[None]) -> None:
            if told.cancelled() or told.exception() is None or service in self._untold:
                return
            self._untold.add(service)  # the store is not available; try again later
            asyncio.get_running_loop().call_later(TELL_AGAIN_S, self._tell_again, service)

        self._journal.commit().add_done_callback(again)

    def _tell_again(self, service: Service) -> None:
        self._untold.discard(service)
        self.tell(service)

    async def close(self) -> None:
        """End all services at the same time, within a few seconds."""
        self.closing = True
        self.hurry.set()
        await asyncio.gather(*(service.close() for service in self._services.values()))
        self.over = True


async def first_of(*waited: Awaitable[Any], within_s: float | None = None) -> None:
    """Wait until one of these is done or the time is over. Coroutines are cancelled then; futures are not."""
    tasks = {one if isinstance(one, asyncio.Future) else asyncio.ensure_future(one) for one in waited}
    try:
        await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            if isinstance(task, asyncio.Task):
                task.cancel()


def found(spec: ServiceSpec, path: str) -> str:
    """The file to start. Raises: CannotStart."""
    if spec.cwd is not None and not os.path.isdir(spec.cwd):
        raise CannotStart(f"{spec.cwd} is not a directory")
    command = os.path.expanduser(spec.command[0])
    if not os.path.dirname(command):
        program = shutil.which(command, path=path)
        if program is None:
            raise CannotStart(f"{command} was not found on PATH; command_path in config.toml sets it")
        return program
    place = os.path.join(spec.cwd or os.getcwd(), command)
    if os.name == "posix" and not os.path.isfile(place):
        raise CannotStart(f"{place} does not exist")
    if not os.access(place, os.X_OK) and os.name == "posix":
        raise CannotStart(f"{place} is not executable")
    return place
