"""Whether who knocks descends from this daemon: a tool, an MCP server, a service, or what one of them started. Linux.

Nothing that a process says of itself counts. Its ancestors do: they lead to the daemon as long as it lives, since the
daemon, its keeper and each overseer adopt whoever loses its parent (`services/keeper.py`). A client must be found
outside of that tree; one that can't be found at all (it closes, hands on or hides its socket) may be in it.
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

LOOKS = 5
"""How often a row of ancestors is read before it counts as unknown: one of them may end while it is read."""
KEPT = 1024
"""So many sockets are remembered with who holds them."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who was seen to hold a socket: a process, and at which of its descriptors."""

    pid: int
    started: int
    descriptor: str


class Ancestry:
    """Tells the daemon's own descendants from everybody else. `keeper` is its keeper's pid, None without one."""

    def __init__(self, keeper: Callable[[], int | None]) -> None:
        self._keeper = keeper
        self._holders: dict[int, Holder] = {}
        self._clients: dict[int, None] = {}
        """Processes that were clients before, the last one last: they are looked at first."""
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="ancestry")

    def alone(self) -> bool:
        """Whether nothing that descends from the daemon could be a client. Some microseconds."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True  # whoever lost its parent would be our child
        except OSError:
            return False
        keeper, found = self._keeper(), children(os.getpid())
        for pid in found:
            if pid == keeper:
                if children(pid):
                    return False
            elif stat(pid)[:1] != [b"Z"]:
                return False
        return bool(found)  # there is one: a list without it was read while it moved from thread to thread

    async def of_socket(self, inode: int) -> Answer:
        """Who holds the socket with this inode. A search, the first time, takes some milliseconds in a thread."""
        known = self._holders.get(inode)
        if known is not None and _holds(known.pid, known.descriptor, inode) and _started(known.pid) == known.started:
            return self.of_process(known.pid, known.started)
        return await asyncio.get_running_loop().run_in_executor(self._looking, self._search, inode)

    def _search(self, inode: int) -> Answer:
        """Look through /proc for who holds the socket."""
        tree = descendants([os.getpid()])
        if any(_descriptor(pid, inode) is not None for pid in tree):
            return "ours"
        here = os.getpid()
        if _descriptor(here, inode) is not None:
            return "other"  # a client in the daemon itself: the code of the app
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
        """Whose descendant the process is that was started at this clock tick; unknown when it is gone."""
        here = os.getpid()
        if pid == here:
            return "other"
        for _ in range(LOOKS):
            one, younger = pid, started
            while True:
                fields = stat(one)
                # An ancestor is never younger: one that is took the number of one that has ended meanwhile.
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
        self._looking.shutdown(wait=False)


class Marked:
    """The same where there is no keeper, and only who connected to a Unix socket is known: by the mark it inherited."""

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
    """At which descriptor a process holds a socket; None when it doesn't, or hides them."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return None
    return next((name for name in names if _holds(pid, name, inode)), None)


def _holds(pid: int, descriptor: str, inode: int) -> bool:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/{descriptor}") == f"socket:[{inode}]"
    return False
