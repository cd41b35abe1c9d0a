"""The tools that change files: write, edit, delete, move.

A change is written beside the file and renamed over it: it is done or it is not there.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

from pydantic import Field

from aster_sidecar.permissions import Assessment
from aster_sidecar.tools import CallContext, Outcome, Surroundings, Tool, ToolError, paths
from aster_sidecar.tools.display import shown, sized
from aster_sidecar.tools.files.common import Arguments, bound, braced, in_thread, judge, located
from aster_sidecar.tools.paths import Folder, Text, at

EDIT_BYTES = 8 * 1024 * 1024
WRITE_CHARS = 4 * 1024 * 1024
PREVIEW_CHARS = 16_000


class WriteFile(Arguments):
    path: Text = Field(min_length=1, description="File to create or replace; missing directories are made.")
    content: Text = Field(max_length=WRITE_CHARS, description="The whole new content, as UTF-8.")


class EditFile(Arguments):
    path: Text = Field(min_length=1, description="File to change; must be UTF-8.")
    old: Text = Field(min_length=1, max_length=WRITE_CHARS, description="Exact text to replace; must occur once.")
    new: Text = Field(max_length=WRITE_CHARS, description="Text to put there.")
    replace_all: bool = Field(default=False, description="Replace every occurrence instead.")


class DeleteFile(Arguments):
    path: Text = Field(min_length=1, description="File, link (not what it leads to) or empty directory to delete.")


class MoveFile(Arguments):
    source: Text = Field(min_length=1, description="File or link to move or rename.")
    destination: Text = Field(min_length=1, description="Its new path, name included; missing directories are made.")
    overwrite: bool = Field(default=False, description="Replace the destination when it exists.")


def _preview(text: str) -> str:
    """What a person reads before they decide; says how much is not shown."""
    rest = len(text) - PREVIEW_CHARS
    return braced(text[:PREVIEW_CHARS]) + (f"\n[{rest} more characters are not shown here]" if rest > 0 else "")


def _assess_write(arguments: WriteFile, surroundings: Surroundings) -> Assessment:
    size = sized(len(arguments.content.encode()))
    display = f"write {{}} ({size})\n{_preview(arguments.content)}"
    assessment = judge("write_file", [arguments.path], surroundings, display)
    # Creating a file and replacing one are different things to approve.
    replaces = os.path.lexists(assessment.target)
    return bound(assessment, replaces=replaces)


def _assess_edit(arguments: EditFile, surroundings: Surroundings) -> Assessment:
    every = ", every occurrence" if arguments.replace_all else ""
    # Each line is marked, so that no text can pose as the other part.
    old, new = (
        _preview(text).replace("\n", f"\n{mark} ") for text, mark in ((arguments.old, "-"), (arguments.new, "+"))
    )
    display = f"edit {{}}{every}\n- {old}\n+ {new}"
    return judge("edit_file", [arguments.path], surroundings, display)


def _assess_delete(arguments: DeleteFile, surroundings: Surroundings) -> Assessment:
    assessment = judge("delete_file", [arguments.path], surroundings, "delete {}", follow=False)
    if Path(assessment.target) in (surroundings.work_dir, *surroundings.work_dir.parents):
        raise ToolError("the work directory can't be deleted")
    return assessment


def _assess_move(arguments: MoveFile, surroundings: Surroundings) -> Assessment:
    display = "move {}\nto {}" + ("\n(replacing what is there)" if arguments.overwrite else "")
    return judge("move_file", [arguments.source, arguments.destination], surroundings, display, follow=False)


async def _run_write(arguments: WriteFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await in_thread(lambda stop: _write(Path(assessment.target), arguments.content.encode(), stop))


def _write(path: Path, data: bytes, stop: threading.Event) -> Outcome:
    with located(path, create=True) as (folder, name):
        old = paths.status(folder, name)
        paths.replace(folder, name, lambda file: file.write(data), old, stop, like=old)
    return Outcome({"path": str(path), "bytes": len(data), "created": old is None})


async def _run_edit(arguments: EditFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await in_thread(lambda stop: _edit(Path(assessment.target), arguments, stop))


def _edit(path: Path, arguments: EditFile, stop: threading.Event) -> Outcome:
    with located(path) as (folder, name):
        with open(paths.opened_file(folder, name), "rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(EDIT_BYTES + 1)
        if len(data) > EDIT_BYTES:
            raise ToolError(f"{shown(path)} is larger than {sized(EDIT_BYTES)}")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            # Written back with replacement characters it would be destroyed.
            raise ToolError(f"{shown(path)} is not UTF-8 text (byte {error.start}); it is left as it is") from error
        text, count = _replaced(text, arguments, path)
        changed = text.encode()
        paths.replace(folder, name, lambda file: file.write(changed), found, stop, like=found)
    return Outcome({"path": str(path), "replaced": count, "bytes": len(changed)})


def _replaced(text: str, arguments: EditFile, path: Path) -> tuple[str, int]:
    """`text` after the edit, and how many places changed. Raises: ToolError when the place is not clear."""
    old, new = arguments.old, arguments.new
    # read_file shows a CRLF file with plain line ends, so an edit comes with those; the file keeps its own.
    if "\r\n" in text and (text.count("\n") == text.count("\r\n") or old not in text):
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    if old == new:
        raise ToolError("old and new are the same: nothing to change")
    first = text.find(old)
    if first < 0:
        raise ToolError(f"old does not occur in {shown(path)}; read the file and copy the text exactly")
    if arguments.replace_all:
        return text.replace(old, new), text.count(old)
    if text.find(old, first + 1) >= 0:
        raise ToolError(f"old occurs more than once in {shown(path)}: add lines around it, or set replace_all")
    return text[:first] + new + text[first + len(old) :], 1


async def _run_delete(arguments: DeleteFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await in_thread(lambda stop: _delete(Path(assessment.target)))


def _delete(path: Path) -> Outcome:
    with located(path) as (folder, name):
        found = paths.status(folder, name)
        target, dir_fd = at(folder, name)
        if found is None:
            raise ToolError(f"{shown(path)}: no such file or directory")
        if stat.S_ISDIR(found.st_mode) and not paths.is_link(found):
            try:
                os.rmdir(target, dir_fd=dir_fd)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise ToolError(f"{shown(path)} is a directory and not empty") from error
                raise
        else:
            if not paths.is_link(found):
                paths.regular(found, name)
            os.unlink(target, dir_fd=dir_fd)
        paths.sync(folder)
    return Outcome({"path": str(path), "deleted": paths.kind(found).split(" ", 1)[1]})


async def _run_move(arguments: MoveFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    source, destination = (Path(path) for path in (assessment.target, *assessment.also))
    return await in_thread(lambda stop: _move(source, destination, arguments.overwrite, stop))


def _move(source: Path, destination: Path, overwrite: bool, stop: threading.Event) -> Outcome:
    with located(source) as (folder, name):
        found = paths.status(folder, name)
        if found is None:
            raise ToolError(f"{shown(source)}: no such file")
        if not paths.is_link(found):
            paths.regular(found, name)
        with located(destination, create=True) as (into, new_name):
            there = paths.status(into, new_name)
            if there is not None:
                _check_replaceable(into, new_name, there, overwrite)
            try:
                (paths.rename_over if overwrite else paths.rename_new)(folder, name, into, new_name)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                paths.carry(folder, name, into, new_name, found, there, stop)
            paths.sync(into)
        paths.sync(folder)
    return Outcome({"path": str(destination), "moved_from": str(source), "replaced": there is not None})


def _check_replaceable(folder: Folder, name: str, there: os.stat_result, overwrite: bool) -> None:
    if not overwrite:
        raise ToolError(f"{shown(name)} exists already; set overwrite to replace it")
    if not paths.is_link(there):
        paths.regular(there, name)
        paths.check_writable(*at(folder, name), there)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "write_file",
        "Create a file or replace it as a whole. To change a part of a file use edit_file.",
        WriteFile,
        "medium",
        _assess_write,
        _run_write,
    ),
    Tool(
        "edit_file",
        "Replace an exact piece of text in a file. The text must occur once, unless replace_all is set. "
        "Line ends and the byte order mark stay as they are.",
        EditFile,
        "medium",
        _assess_edit,
        _run_edit,
    ),
    Tool(
        "delete_file",
        "Delete a file, a link (not what it leads to) or an empty directory.",
        DeleteFile,
        "medium",
        _assess_delete,
        _run_delete,
    ),
    Tool(
        "move_file",
        "Move or rename a file or link; not directories.",
        MoveFile,
        "medium",
        _assess_move,
        _run_move,
    ),
)
