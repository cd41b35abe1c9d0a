"""Where a path of a tool call leads, and what that means for the risk.

A tool is judged by the canonical path, with every link resolved, before the policy or a person decides. `opening.py`
then opens that path and no other.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from aster_sidecar.policy.conditions import beginning
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import RuleTarget, Surroundings, ToolError
from aster_sidecar.tools.denied_places import Denied
from aster_sidecar.tools.lookalikes import DIFFERENCE, RESEMBLES, similar, spelled, spelled_all
from aster_sidecar.tools.sensitive_places import holds_secrets, in_secret_place, is_beneath, runs_later, runs_unseen


def _sendable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    text.encode()  # UnicodeEncodeError, a ValueError, for a lone surrogate: no file name, command or answer can hold it
    return text


Text = Annotated[str, AfterValidator(_sendable)]
"""A string that file names, commands and JSON can all hold: without NUL and lone surrogates."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads. `path` is canonical; `inside`: whether it is in the work directory.

    `concerns` are reasons, as sentences, to rate a use of it high. `always_asks`: one of them is about the contents of
    the file or who will run it, and such a use can't be remembered. `forbidden` is why nobody can allow the use.
    `guarded`: what is written there runs without a person looking at it, so that every mode asks.
    `instead_of` is the path that was asked for, when another one whose name looks the same was used.
    """

    path: Path
    inside: bool
    concerns: tuple[str, ...]
    always_asks: bool
    guarded: bool
    forbidden: str | None
    instead_of: str | None = None


def look(
    asked: str,
    surroundings: Surroundings,
    *,
    follow: bool = True,
    changes: bool = False,
    lookalike: Literal["take", "tell", "refuse"] | None = None,
    denied: Denied | None = None,
) -> Place:
    """Resolve `asked` (relative to the work directory, `~` expanded) and judge it; nothing is opened or changed.

    `follow=False` does not follow a link at the end of the path: for calls that act on the link itself. `changes` also
    judges what writing there could do. `lookalike` decides about a path that does not exist, beside entries whose names
    look the same (`similar`): "take" uses the entry if it is the only one, "tell" reports it as a concern, "refuse"
    refuses the call. Entries that `denied` covers are not reported. Raises: ToolError when the path leads nowhere (a
    loop of links), or is ambiguous.
    """
    work_dir = surroundings.work_dir
    plain = os.path.join(work_dir, os.path.expanduser(asked))
    if os.name == "nt":
        refuse_windows_names(plain)
    found, near = plain, list[Path]()
    if lookalike is not None:
        found, near = _resembling(plain, surroundings, lookalike, denied)
    path = _canonical(found, follow)
    inside = is_beneath(path, work_dir)
    ways = {path, *(Path(os.path.normpath(way)) for way in (plain, found))}
    concerns: list[str] = []
    if not inside:
        linked = is_beneath(Path(os.path.normpath(plain)), work_dir)
        way = "goes through a link that leads" if linked else "is"
        concerns.append(f"This path {way} outside the work folder {shown(work_dir)}.")
    # A directory called `credentials` or `.env` is ordinary; for directories only the place counts.
    is_folder = os.path.isdir(path)  # Path.is_dir raises without permission to enter
    secret = any(in_secret_place(way) if is_folder else holds_secrets(way) for way in ways)
    if secret:
        concerns.append(f"There may be secrets in {shown(path.name)}.")
    later = changes and any(runs_later(way, work_dir) for way in ways)
    if later:
        concerns.append("Other programs run this file or take their settings from it.")
    if near:
        concerns.append(
            f"{RESEMBLES}{spelled_all(near)}, which {'exist' if len(near) > 1 else 'exists'}. {DIFFERENCE}."
        )
    return Place(
        path,
        inside,
        tuple(concerns),
        secret or later,
        later and any(map(runs_unseen, ways)),
        forbidden(path, surroundings.protected),
        plain if found != plain else None,
    )


def rule_value(asked: RuleTarget, surroundings: Surroundings, *, follow: bool = True) -> str:
    """The canonical path of a rule for files; with `follow=False`, of a link itself. Raises: ToolError."""
    if asked.kind == "program":
        raise ToolError("a rule of the kind program is for run_command")
    try:
        _sendable(asked.value)
        if asked.kind == "glob":
            return _pattern(asked.value, surroundings)
        plain = os.path.join(surroundings.work_dir, os.path.expanduser(asked.value))
        path = _canonical(plain, follow=follow or asked.kind == "beneath")
    except ValueError as error:
        raise ToolError(str(error)) from error
    if asked.kind == "beneath" and os.path.exists(path) and not os.path.isdir(path):
        raise ToolError(f"{shown(path)} is not a directory, so a rule for everything in it has no meaning")
    return str(path)


def _pattern(value: str, surroundings: Surroundings) -> str:
    """A pattern of paths with its beginning made canonical. Raises: ToolError, ValueError."""
    plain = os.path.join(glob.escape(str(surroundings.work_dir)), os.path.expanduser(value))
    folder = beginning(plain)
    names = re.split(r"[/\\]" if os.name == "nt" else "/", plain[len(folder) :])
    rest = os.sep.join(name for name in names if name not in ("", "."))
    if not rest or not set(rest) & set("*?["):
        raise ToolError("the pattern has no wildcard: * and ? stand for characters in a name, ** for any folders")
    if ".." in names:
        raise ToolError("the pattern has .. after a wildcard")
    return os.path.join(glob.escape(str(_canonical(folder, follow=True))), rest)


def rule_value_of_links(asked: RuleTarget, surroundings: Surroundings) -> str:
    """The same for tools that act on a link and not on its target. Raises: ToolError."""
    return rule_value(asked, surroundings, follow=False)


def _canonical(plain: str, follow: bool) -> Path:
    folder, name = os.path.split(plain.rstrip(os.sep) or os.sep)
    if follow or name in ("", ".", ".."):
        return Path(_real(plain))
    return Path(_possible(os.path.join(_real(folder), name)))


_NOT_THERE = (FileNotFoundError, NotADirectoryError, PermissionError)


def _real(path: str) -> str:
    try:
        try:
            return os.path.realpath(path, strict=True)
        except _NOT_THERE:
            # Resolve what exists and keep the rest; opening reports later what is missing.
            return _possible(os.path.realpath(path))
    except OSError as error:
        raise ToolError(f"{shown(path)}: {error.strerror}") from error


def _possible(path: str) -> str:
    """The path itself. Raises: ToolError when it is too long to be opened."""
    try:
        os.lstat(path)
    except _NOT_THERE:
        pass
    except OSError as error:
        raise ToolError(f"{shown(path)}: {error.strerror}") from error
    return path


def _resembling(
    plain: str, surroundings: Surroundings, lookalike: Literal["take", "tell", "refuse"], denied: Denied | None
) -> tuple[str, list[Path]]:
    """`plain`, with each missing name replaced by the one that looks the same if `lookalike` is "take".

    With "tell", `plain` itself and the entries that look the same as its first missing name. Raises: ToolError when
    several look the same, or for "refuse".
    """
    while not os.path.lexists(plain) and (missing := _missing(plain)) is not None:
        path, rest = missing
        hidden = forbidden(path, surroundings.protected) or (denied is not None and denied.reason(path))
        near = [] if hidden else similar(path)
        if not near:
            break
        if lookalike == "tell":
            return plain, near
        if lookalike == "refuse" or len(near) > 1:
            raise ToolError(
                f"{spelled(path)} does not exist; {spelled_all(near)} {'do' if len(near) > 1 else 'does'}. {DIFFERENCE}"
                " (‹U+XXXX› stands for that character)"
            )
        plain = os.path.join(near[0], *rest)
    return plain, []


def _missing(plain: str) -> tuple[Path, tuple[str, ...]] | None:
    """The first missing component of `plain`, in its resolved directory, and the names after it."""
    path = Path(plain)
    here = path.anchor
    for depth, name in enumerate(path.parts[1:], 2):
        inner = os.path.join(here, name)
        try:
            os.lstat(inner)
        except FileNotFoundError:
            return Path(inner), path.parts[depth:]
        except OSError:
            return None
        here = _real(inner)
    return None


def refuse_windows_names(path: str) -> None:
    """Raises: ToolError for a path that is a device or a stream on Windows. Source: Naming Files, MSDN."""
    drive, rest = os.path.splitdrive(path)
    for part in rest.replace("/", "\\").split("\\"):
        stem = part.split(".")[0].rstrip(" ").upper()
        if ":" in part or re.fullmatch(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3]", stem):
            raise ToolError(f"{shown(path)}: {shown(part)} names a device or a stream, not a file")
    if drive.startswith(("\\\\.\\", "\\\\?\\")):
        raise ToolError(f"{shown(path)} names a device, not a file")


def forbidden(path: Path, protected: tuple[Path, ...]) -> str | None:
    """Why no tool may use the canonical `path`, as a sentence; None when tools may."""
    parts = path.parts[1:]
    if os.name == "posix" and parts[:1] in (("proc",), ("sys",), ("dev",)) and parts[:2] != ("dev", "shm"):
        # /proc/PID/environ and mem of the daemon itself contain its keys.
        return f"Tools can't open the system's files in /{parts[0]}."
    if _is_protected(path, protected):
        return "Tools can't open Aster's own data (its journal, rules and settings)."
    return None


def _is_protected(path: Path, protected: tuple[Path, ...]) -> bool:
    """Whether `path` is protected, by its name or as another name (case, bind mount, hard link) of what is."""
    roots = [Path(os.path.realpath(root)) for root in protected]
    if any(is_beneath(path, root) for root in roots):
        return True
    identities = {found for root in roots if (found := _identity(root))}
    return bool(identities) and (
        any(_identity(way) in identities for way in (path, *path.parents)) or _has_second_name(path, protected)
    )


def _has_second_name(path: Path, protected: tuple[Path, ...]) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or found.st_nlink < 2:
        return False
    return (found.st_dev, found.st_ino) in protected_files(protected)


def protected_files(protected: tuple[Path, ...]) -> set[tuple[int, int]]:
    """The (device, inode) of every file in `protected`: a hard link to one has the same."""
    found: set[tuple[int, int]] = set()
    for root in protected:
        for folder, _, names in os.walk(root):
            found.update(known for name in names if (known := _identity(Path(folder, name))))
    return found


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
