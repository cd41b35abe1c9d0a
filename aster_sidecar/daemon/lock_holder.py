"""The daemon that holds a data directory's lock: reads its lock file, checks that it answers, ends it if it hangs.

A process is identified by its pid and start time, because pids are reused.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from aster_sidecar import clock
from aster_sidecar.daemon.client import Client, ClientError
from aster_sidecar.services.process_facts import started_at, state_of
from aster_sidecar.text.json_text import parse_object

LOCK_NAME = "aster.lock"
LOCK_BYTES = 4096
ANSWER_S = 2.0
"""How long to wait for an answer before a daemon counts as hanging."""
TERM_S = 5.0
"""How long to wait after SIGTERM: an orderly stop takes at most this long."""
KILL_S = 2.0


@dataclass(frozen=True, slots=True)
class Holder:
    """The daemon that has the lock. `since`: RFC 3339; `launcher_*`: None if it does not exit with its launcher."""

    pid: int
    started_at: float
    since: str
    url: str | None = None
    launcher_pid: int | None = None
    launcher_started_at: float | None = None

    @property
    def lives(self) -> bool:
        return is_that(self.pid, self.started_at)

    @property
    def orphaned(self) -> bool:
        """Whether its launcher has exited, so that the daemon should have stopped."""
        return self.launcher_pid is not None and not is_that(self.launcher_pid, self.launcher_started_at)

    def answers(self) -> bool:
        """Whether it answers /health within `ANSWER_S`."""
        if self.url is None:
            return False
        try:
            return Client(self.url).health(ANSWER_S).get("pid") == self.pid
        except (ClientError, ValueError):
            return False

    @property
    def words(self) -> str:
        return f"pid {self.pid}, {f'{self.url}, ' if self.url else ''}since {self.since}"

    def trouble(self) -> tuple[str, str]:
        """For a daemon that does not answer: its state, and what a person can do."""
        end = f"end it: kill -KILL {self.pid}, or start with --replace, which does that"
        if sys.platform == "win32":
            end = f"end it: taskkill /F /PID {self.pid}, or start with --replace, which does that"
        match state_of(self.pid):
            case "stopped":
                return (
                    "it is stopped (by SIGSTOP, or Ctrl-Z in its terminal) and does not answer",
                    f"continue it: kill -CONT {self.pid}; or {end}",
                )
            case "waiting":
                return (
                    "it waits for a disk or a device and does not answer",
                    f"check the disk that holds its data; only a restart of the machine ends it for sure; or {end}",
                )
            case _ if self.url is None:
                return "it has not finished its start, or does not answer", f"try again in some seconds; or {end}"
            case _:
                return "it does not answer: it is stopping, or it hangs", f"try again in some seconds; or {end}"


def is_that(pid: int, born: float | None) -> bool:
    """Whether a process is alive and has this start time."""
    return born is not None and started_at(pid) == born and state_of(pid) != "dead"


def own(launcher_pid: int | None) -> Holder:
    """This process as a holder. `launcher_pid`: the process whose exit stops it."""
    born = started_at(launcher_pid) if launcher_pid is not None else None
    return Holder(os.getpid(), started_at(os.getpid()) or 0.0, clock.stamp(), None, launcher_pid, born)


def written(holder: Holder) -> str:
    """A holder as the lock file's content."""
    return json.dumps(asdict(holder))


def read(text: str) -> Holder | None:
    """The holder in a lock file's content; None if it can't be parsed."""
    try:
        fields = parse_object(text)
        return Holder(
            int(fields["pid"]),
            float(fields["started_at"]),
            str(fields["since"]),
            str(fields["url"]) if fields.get("url") else None,
            int(fields["launcher_pid"]) if fields.get("launcher_pid") else None,
            float(fields["launcher_started_at"]) if fields.get("launcher_started_at") else None,
        )
    except (ValueError, TypeError, KeyError):
        return None


def look(data_dir: Path) -> Holder | None:
    """The living process that a data directory's lock file names; None if there is none. Never raises."""
    try:
        with (data_dir / LOCK_NAME).open("rb") as file:
            holder = read(file.read(LOCK_BYTES).decode("utf-8", "replace"))
    except OSError:
        return None
    return holder if holder is not None and holder.lives else None


def end(holder: Holder) -> bool:
    """Send SIGTERM (and SIGCONT, in case it is stopped), then SIGKILL. Returns whether the process has ended.

    Takes at most `TERM_S + KILL_S`. Never signals another process that has reused the pid.
    """
    handle: int | None = None
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(holder.pid)  # refers to this process even if its pid is reused
    try:
        asked = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGTERM, signal.SIGCONT]
        forced = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGKILL]
        for signals, within_s in ((asked, TERM_S), (forced, KILL_S)):
            until = time.monotonic() + within_s
            for number in signals:
                if not holder.lives:
                    return True
                with contextlib.suppress(OSError):
                    _send_signal(holder.pid, handle, number)
            while time.monotonic() < until:
                if not holder.lives:
                    return True
                time.sleep(0.05)
        return False
    finally:
        if handle is not None:
            os.close(handle)


def _send_signal(pid: int, handle: int | None, number: signal.Signals) -> None:
    if sys.platform == "linux" and handle is not None:
        signal.pidfd_send_signal(handle, number)
    else:
        os.kill(pid, number)
