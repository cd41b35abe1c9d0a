"""The process that started this one, looked at before anything slow is imported: it may be gone a moment later."""

from __future__ import annotations

import os

from aster_sidecar.services.process_facts import name_of

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


class Parent:
    """The process that started this one; `name` is its program's."""

    def __init__(self, pid: int, name: str) -> None:
        self.pid = pid
        self.name = name


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
