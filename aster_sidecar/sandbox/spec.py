"""What a caller says about the sandbox of one command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Network = Literal["none", "all"]


class NoSandbox(Exception):
    """This command can't run in a sandbox; `str(error)` says why, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One command's sandbox. All paths are absolute.

    The system is read-only, what holds secrets is hidden, and nothing else is writable than `folder` and
    `private_tmp`.
    """

    folder: Path
    """The session's folder: writable, except for what other programs run later (`places.RUN_LATER`)."""
    cwd: Path
    """Where the command starts. It has to be visible: not in /tmp or in a hidden directory, unless in `folder`."""
    private_tmp: Path
    """A directory of this session alone, which is /tmp and /var/tmp inside."""
    protected: tuple[Path, ...]
    """The daemon's own directories. They are hidden."""
    home: Path
    network: Network = "none"
    hidden: tuple[Path, ...] = ()
    """More files and directories that a command may not read."""
    read_only: tuple[Path, ...] = ()
    """More files and directories in `folder` that a command may not write."""
