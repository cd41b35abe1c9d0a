"""The process that started this one, looked at before anything slow is imported: it may be gone a moment later."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

BY_HAND = frozenset(
    (
        *("sh", "bash", "dash", "zsh", "fish", "ksh", "mksh", "csh", "tcsh", "ash", "busybox", "nu", "xonsh", "elvish"),
        *("pwsh", "powershell", "pwsh.exe", "powershell.exe", "cmd.exe"),
        *("make", "gmake", "ninja", "just", "task"),
        *("tmux", "tmux: server", "screen", "SCREEN", "zellij", "byobu", "dtach"),
        *("init", "systemd", "launchd", "login", "sshd", "su", "sudo", "doas", "runuser", "script", "expect"),
    )
)
"""Parents behind which a person started the daemon: it stays when they go. Source: guarantees, section 4."""


class Parent(NamedTuple):
    """`name` is the program's."""

    pid: int
    name: str


def look() -> Parent:
    """Our parent at this moment. Whoever started us and has ended already is not seen any more."""
    pid = os.getppid()
    return Parent(pid, name_of(pid))


def to_watch(parent: Parent, framework: str, parent_pid: int | None, detach: bool) -> int | None:
    """The process whose end ends us; None to outlive everybody.

    What the seed's shells pass (`--framework` and `--port` only) is enough: their process is our parent. Behind a
    command interpreter, make, a multiplexer or init a person started us by hand.
    """
    if parent_pid is not None:
        return parent_pid
    if detach or framework == "web":
        return None
    return None if parent.pid <= 1 or parent.name.lstrip("-") in BY_HAND else parent.pid


def name_of(pid: int) -> str:
    """The process's program name; empty when it is gone."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").rstrip("\n")
        except OSError:
            return ""
    import psutil

    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def started_at(pid: int) -> float | None:
    """When the process started, on a clock that is the same for all; None when it is gone."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        return float(stat.rpartition(b")")[2].split()[19])  # field 22, proc(5); the name may hold spaces
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def state_of(pid: int) -> str:
    """What a process is at: "stopped" by a signal, "waiting" for a device and deaf to signals, "dead", else "alive"."""
    if sys.platform == "linux":
        try:
            letter = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0].decode()
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
