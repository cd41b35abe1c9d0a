"""The parent process, recorded before anything slow is imported, because it may exit meanwhile."""

from __future__ import annotations

import os

from aster_sidecar.services.process_facts import name_of

STARTED_BY_HAND = frozenset(
    (
        *("sh", "bash", "dash", "zsh", "fish", "ksh", "mksh", "csh", "tcsh", "ash", "busybox", "nu", "xonsh", "elvish"),
        *("pwsh", "powershell", "pwsh.exe", "powershell.exe", "cmd.exe"),
        *("make", "gmake", "ninja", "just", "task"),
        *("tmux", "tmux: server", "screen", "SCREEN", "zellij", "byobu", "dtach"),
        *("init", "systemd", "launchd", "login", "sshd", "su", "sudo", "doas", "runuser", "script", "expect"),
    )
)
"""Parents that mean that a person started the daemon: it keeps running after they exit. Source: docs/protocol.md."""


class Parent:
    """The process that started this one; `name` is the name of its program."""

    def __init__(self, pid: int, name: str) -> None:
        self.pid = pid
        self.name = name


def look() -> Parent:
    """The current parent process. A launcher that has exited already is not visible."""
    pid = os.getppid()
    return Parent(pid, name_of(pid))


def to_watch(parent: Parent, framework: str, parent_pid: int | None, detach: bool) -> int | None:
    """The pid of the process whose exit stops the daemon; None if it runs until a request or a signal stops it.

    A desktop shell needs only `--framework` and `--port`: it is the parent. A parent such as a command interpreter,
    make, a terminal multiplexer or init means that a person started the daemon by hand.
    """
    if parent_pid is not None:
        return parent_pid
    if detach or framework == "web":
        return None
    return None if parent.pid <= 1 or parent.name.lstrip("-") in STARTED_BY_HAND else parent.pid
