"""Facts about one process: its name, its start, its state. Imports nothing slow."""

from __future__ import annotations

import sys


def name_of(pid: int) -> str:
    """The name of the process's program; "" when the process is gone."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as comm:
                return comm.read().rstrip("\n")
        except OSError:
            return ""
    import psutil

    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def started_at(pid: int) -> float | None:
    """When the process started, on a clock that all processes share; None when it is gone."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                stat = file.read()
        except OSError:
            return None
        return float(stat.rpartition(b")")[2].split()[19])  # field 22, proc(5); the name may hold spaces
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def state_of(pid: int) -> str:
    """The state: "stopped" by a signal, "waiting" for a device (signals have no effect), "dead", or "alive"."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                letter = file.read().rpartition(b")")[2].split()[0].decode()
        except (OSError, IndexError):
            return "dead"
        return {"T": "stopped", "t": "stopped", "D": "waiting", "Z": "dead", "X": "dead"}.get(letter, "alive")
    import psutil

    try:
        status = psutil.Process(pid).status()
    except psutil.Error:
        return "dead"
    named = {psutil.STATUS_STOPPED: "stopped", psutil.STATUS_DISK_SLEEP: "waiting", psutil.STATUS_ZOMBIE: "dead"}
    return named.get(status, "alive")
