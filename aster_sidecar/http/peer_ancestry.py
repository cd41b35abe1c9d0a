"""Tells whether a client descends from this daemon, as tools, MCP servers, services and their children do. Linux.

A process can't fake its ancestors: as long as the daemon lives they lead to it, because the daemon, its keeper and each
overseer adopt processes that lose their parent (`services/keeper.py`). A client is let in only if it is found outside
that tree. A client that is not found (it closes, passes on or hides its socket) may be inside the tree.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from aster_sidecar.services import process_tree
from aster_sidecar.services.keeper import children, descendants, stat

Answer = Literal["ours", "other", "unknown"]

ATTEMPTS = 5
"""Attempts to read the chain of ancestors, any of which may end meanwhile, before a process counts as unknown."""
KEPT = 1024
"""Sockets that are remembered with their holders."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a socket, and the file descriptor at which it does."""

    pid: int
    started: int
    descriptor: str


class Ancestry:
    """Finds out by /proc whether processes descend from the daemon. `keeper` returns the pid of its keeper, or None."""

    def __init__(self, keeper: Callable[[], int | None]) -> None:
        self._keeper = keeper
        self._holders: dict[int, Holder] = {}
        self._clients: dict[int, None] = {}
        """The pids of earlier clients, the latest last; a search begins with them."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ancestry")

    def alone(self) -> bool:
        """Whether the daemon has no descendant that could be a client. Takes some microseconds."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True  # a process that lost its parent would be our child
        except OSError:
            return False
        keeper, found = self._keeper(), children(os.getpid())
        for pid in found:
            if pid == keeper:
                if children(pid):
                    return False
            elif stat(pid)[:1] != [b"Z"]:
                return False
        return bool(found)  # waitid saw a child, so an empty list was read too early

    async def of_socket(self, inode: int) -> Answer:
        """The descent of the process that holds the socket. The first search takes some milliseconds, in a thread."""
        known = self._holders.get(inode)
        if known is not None and _holds(known.pid, known.descriptor, inode) and _started(known.pid) == known.started:
            return self.of_process(known.pid, known.started)
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._search, inode)

    def _search(self, inode: int) -> Answer:
        """Search /proc for the process that holds the socket."""
        tree = descendants([os.getpid()])
        if any(_descriptor(pid, inode) is not None for pid in tree):
            return "ours"
        here = os.getpid()
        if _descriptor(here, inode) is not None:
            return "other"  # a client in the daemon's own process: code of the app
        pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
        before = [pid for pid in reversed(self._clients) if pid in pids]
        for pid in dict.fromkeys([*before, *pids]):
            if pid == here or pid in tree or (descriptor := _descriptor(pid, inode)) is None:
                continue
            started = _started(pid)
            answer = self.of_process(pid, started)
            if answer == "other" and started is not None:
                self._remember(inode, Holder(pid, started, descriptor))
            if answer != "unknown":
                return answer
        return "unknown"

    def _remember(self, inode: int, holder: Holder) -> None:
        for kept in (self._holders, self._clients):
            while len(kept) >= KEPT:
                del kept[next(iter(kept))]
        self._holders[inode] = holder
        self._clients.pop(holder.pid, None)
        self._clients[holder.pid] = None

    def of_process(self, pid: int, started: float | None) -> Answer:
        """The descent of the process with this pid that was started at this clock tick; unknown if it has ended."""
        here = os.getpid()
        if pid == here:
            return "other"
        for _ in range(ATTEMPTS):
            one, younger = pid, started
            while True:
                fields = stat(one)
                # An ancestor is never younger. If it is, a new process got the pid of one that ended meanwhile.
                if len(fields) < 20 or younger is None or int(fields[19]) > younger:
                    break
                if one == pid and int(fields[19]) != started:
                    return "unknown"
                younger, one = int(fields[19]), int(fields[1])
                if one == here:
                    return "ours"
                if one == 0:
                    return "other"
            if one == pid:
                return "unknown"
        return "unknown"

    def close(self) -> None:
        """End the thread that searches."""
        self._executor.shutdown(wait=False)


class Marked:
    """The same for systems without a keeper, by the mark that a tool's processes inherit. Knows Unix clients only."""

    def __init__(self, any_started: Callable[[], bool]) -> None:
        self._any_started = any_started

    def alone(self) -> bool:
        return not self._any_started()

    async def of_socket(self, inode: int) -> Answer:
        return "unknown"

    def of_process(self, pid: int, started: float | None) -> Answer:
        if pid in process_tree.live_tool_pids():
            return "ours"
        return "other" if process_tree.process(pid) is not None else "unknown"

    def close(self) -> None:
        pass


def _started(pid: int) -> int | None:
    fields = stat(pid)
    return int(fields[19]) if len(fields) > 19 else None


def _descriptor(pid: int, inode: int) -> str | None:
    """The file descriptor at which a process holds a socket; None if it does not, or its descriptors are hidden."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return None
    return next((name for name in names if _holds(pid, name, inode)), None)


def _holds(pid: int, descriptor: str, inode: int) -> bool:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/{descriptor}") == f"socket:[{inode}]"
    return False
