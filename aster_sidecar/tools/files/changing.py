"""The tools that change files: write, edit, delete, move.

A change is written to a new file, which is renamed over the old one: it is done completely or not at all.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import stat
import threading
from pathlib import Path
from typing import Any

from pydantic import Field

from aster_sidecar.policy.permissions import Assessment, Preview
from aster_sidecar.text.safe_text import brief, counted, shown, sized, visible
from aster_sidecar.tools import lookalikes, opening, paths, sensitive_places
from aster_sidecar.tools.base import CallContext, Outcome, Surroundings, Tool, ToolError, WillChange
from aster_sidecar.tools.file_content import (
    NOTHING,
    Content,
    content,
    content_at,
    difference,
    encoded,
    form_change,
    in_form,
    read_text,
)
from aster_sidecar.tools.files.common import Arguments, bound, in_thread, judge, located, warned
from aster_sidecar.tools.files.replacing import bits_lost, carry, changed, check_writable, move, remove, replace, sync
from aster_sidecar.tools.opening import Folder, at
from aster_sidecar.tools.paths import Text

EDIT_BYTES = 8 * 1024 * 1024
WRITE_CHARS = 4 * 1024 * 1024
LONG_CHARS = 32 * 1024
"""The most characters of a change beside twice the new text; a longer change is cut, and the texts themselves shown."""


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


def _assess_write(arguments: WriteFile, surroundings: Surroundings) -> Assessment:
    size = sized(len(arguments.content.encode()))
    assessment = judge("write_file", [arguments.path], surroundings, "write {}")
    name = brief(Path(assessment.target), surroundings.work_dir)
    many = _lines(arguments.content)
    old = _found(assessment)
    if old.status is None:
        display = f" ({size}, a new file)\n{visible(arguments.content)}"
        return bound(assessment, display, content=old.mark, summary=f"Create {name} ({counted(many, 'line')})")
    before = f"{sized(old.status.st_size)} before"
    assessment = _replacing(assessment, assessment.target)
    if old.data is None or sensitive_places.holds_secrets(Path(assessment.target)):
        display = f" ({size}; replaces {opening.kind(old.status)}, {before})\n{visible(arguments.content)}"
        summary = f"Replace {name} ({sized(old.status.st_size)} → {size})"
        return _several(bound(assessment, display, content=old.mark, summary=summary), old)
    data, form = in_form(arguments.content, old.data)
    shown_lines, kept = None, ""
    summary = f"Replace {name} ({sized(old.status.st_size)} → {size})"
    if form.encoding is None:
        assessment = warned(assessment, "The file there is not UTF-8 text. It would be lost.")
    else:
        shown_lines = _shown_change(old.data, data)
        if (read := read_text(old.data)) is not None:
            summary = f"Replace {name} ({counted(_lines(read[0]), 'line')} → {many})"
        kept = "".join(f"; {words}" for words in (form.words, form_change(old.data, data)) if words)
    preview = _preview(assessment.target, shown_lines, arguments.content) if shown_lines else None
    if shown_lines is None or (preview is not None and preview.truncated):
        shown_lines = visible(arguments.content)
    elif preview is None:
        kept += "; the same content" if data == old.data else "; the same lines"
    display = f" ({size}; replaces a file, {before}{kept})\n{shown_lines}"
    return _several(bound(assessment, display, content=old.mark, summary=summary, preview=preview), old)


def _lines(text: str) -> int:
    """How many lines a text has, with any line ends."""
    return len(text.splitlines())


def _preview(path: str, change: str, *texts: str) -> Preview:
    """A change, and how many lines it adds and removes; its beginning, if it is much longer than the call's `texts`."""
    marks = [line[:1] for line in change.split("\n")]
    truncated = len(change) > LONG_CHARS + 2 * sum(map(len, texts))
    diff = _beginning(change) if truncated else change
    return Preview(path=shown(path), diff=diff, added=marks.count("+"), removed=marks.count("-"), truncated=truncated)


def _beginning(change: str) -> str:
    """The first lines of a change; a line that is too long ends with "…"."""
    end = change.rfind("\n", LONG_CHARS // 2, LONG_CHARS)
    return change[:end] if end >= 0 else change[:LONG_CHARS] + "…"


def _found(assessment: Assessment, which: int = 0) -> Content:
    """The content at a target now; nothing is read where no tool may."""
    target = (assessment.target, *assessment.also)[which]
    return NOTHING if assessment.forbidden is not None else content_at(Path(target))


def _replacing(assessment: Assessment, target: str) -> Assessment:
    """The assessment with the effect that the file at the target is replaced."""
    return dataclasses.replace(assessment, effects=(*assessment.effects, f"It replaces {shown(target)}."))


def _several(assessment: Assessment, old: Content) -> Assessment:
    """The assessment, with a warning when the file has other names: their content changes too."""
    names = old.status.st_nlink if old.status is not None and stat.S_ISREG(old.status.st_mode) else 1
    if names < 2:
        return assessment
    return warned(assessment, f"This file has {names} names (hard links). The change shows under all of them.")


def _shown_change(old: bytes, new: bytes) -> str | None:
    """The lines that change, for people; None when they can't be compared."""
    texts = [found[0].replace("\r\n", "\n") for found in (read_text(old), read_text(new)) if found]
    return difference(*texts) if len(texts) == 2 else None


def _assess_edit(arguments: EditFile, surroundings: Surroundings) -> Assessment:
    every = ", every occurrence" if arguments.replace_all else ""
    assessment = judge("edit_file", [arguments.path], surroundings, f"edit {{}}{every}\n")
    old = _found(assessment)
    name = brief(Path(assessment.target), surroundings.work_dir)
    change = None if sensitive_places.holds_secrets(Path(assessment.target)) else _edit_change(old, arguments)
    preview = _preview(assessment.target, change, arguments.old, arguments.new) if change else None
    summary = f"Edit {name}"
    if preview is not None:
        summary += f" ({counted(preview.added, 'line')} added, {preview.removed} removed)"
    if not change or preview is None or preview.truncated:  # for example, the whole file is one line
        # Each line is marked, so that no text can fake the other part.
        before, after = (
            visible(text).replace("\n", f"\n{mark} ") for text, mark in ((arguments.old, "-"), (arguments.new, "+"))
        )
        display = f"- {before}\n+ {after}"
        return _several(bound(assessment, display, content=old.mark, summary=summary, preview=preview), old)
    return _several(bound(assessment, change, change=_bound_change(change), summary=summary, preview=preview), old)


def _edit_change(old: Content, arguments: EditFile) -> str | None:
    """The lines that an edit would change; None when it can't be made."""
    try:
        return _shown_change(old.data or b"", _edited(old, arguments, Path("it"))[0])
    except ToolError:
        return None


def _bound_change(change: str) -> str:
    """What an approval of an edit is bound to: the lines, at any place in the file."""
    lines = [line for line in change.split("\n") if not line.startswith("@")]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()


def _assess_delete(arguments: DeleteFile, surroundings: Surroundings) -> Assessment:
    assessment = judge("delete_file", [arguments.path], surroundings, "delete {}", follow=False)
    if Path(assessment.target) in (surroundings.work_dir, *surroundings.work_dir.parents):
        raise ToolError("the work directory can't be deleted")
    old = _found(assessment)
    what = f" ({_described(old)})" if old.status is not None else ""
    return bound(assessment, what, content=old.mark, summary=assessment.summary + what)


def _described(old: Content) -> str:
    assert old.status is not None
    if stat.S_ISREG(old.status.st_mode):
        return f"a file, {sized(old.status.st_size)}"
    return shown(old.mark)


def _assess_move(arguments: MoveFile, surroundings: Surroundings) -> Assessment:
    display = "move {}\nto {}"
    assessment = judge("move_file", [arguments.source, arguments.destination], surroundings, display, follow=False)
    there = _found(assessment, 1)
    replaces = ""
    if arguments.overwrite and there.status is not None:
        replaces = f"\n(replacing {_described(there)})"
        assessment = _replacing(assessment, assessment.also[0])
    more: dict[str, Any] = {"content": there.mark}
    names = [brief(Path(target), surroundings.work_dir) for target in (assessment.target, *assessment.also)]
    summary = f"Move {names[0]} to {names[1]}" + (", replacing what is there" if replaces else "")
    if assessment.concerns:
        more["moved"] = _found(assessment).mark  # bound to the content where other programs run or read it
    return bound(assessment, replaces, summary=summary, **more)


async def _run_write(arguments: WriteFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await in_thread(lambda stop: _write(assessment, arguments.content, stop))


def _write(assessment: Assessment, text: str, stop: threading.Event) -> Outcome:
    path = Path(assessment.target)
    with located(path, create=True) as (folder, name):
        old = _as_approved(folder, name, assessment)
        data, form = in_form(text, old.data or b"")
        replace(folder, name, lambda file: file.write(data), old, stop)
        lost = bits_lost(folder, name, old)
    value: dict[str, Any] = {"path": str(path), "bytes": len(data), "created": old.status is None}
    kept = f"the file's form was kept: {form.words}" if form.words else ""
    if form.encoding is None:
        kept = "the old content was not UTF-8 text; the new content is UTF-8"
    return Outcome(value | _noted(kept, form_change(old.data or b"", data), lost, _beside(assessment)))


def _beside(assessment: Assessment) -> str:
    """The note about names that look the same as a created path; "" without any."""
    return " ".join(concern for concern in assessment.concerns if concern.startswith(lookalikes.RESEMBLES))


def _noted(*notes: str) -> dict[str, str]:
    """The `note` of a result; {} when there is none."""
    told = "; ".join(note for note in notes if note)
    return {"note": told} if told else {}


def _as_approved(folder: Folder, name: str, assessment: Assessment) -> Content:
    """The content, if it is what it was when the call was allowed. Raises: OSError, ToolError."""
    found = content(folder, name)
    if found.mark != assessment.binding.get("content", found.mark):
        raise changed(name)
    return found


async def _run_edit(arguments: EditFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await in_thread(lambda stop: _edit(assessment, arguments, stop))


def _edit(assessment: Assessment, arguments: EditFile, stop: threading.Event) -> Outcome:
    path = Path(assessment.target)
    with located(path) as (folder, name):
        old = _as_approved(folder, name, assessment)
        if old.status is None:
            raise ToolError(f"{shown(path)}: no such file")
        new, count = _edited(old, arguments, path)
        bound_to = assessment.binding.get("change")
        if bound_to is not None and _bound_change(_shown_change(old.data or b"", new) or "") != bound_to:
            raise changed(name)
        replace(folder, name, lambda file: file.write(new), old, stop)
        lost = bits_lost(folder, name, old)
    return Outcome(
        {"path": str(path), "replaced": count, "bytes": len(new)} | _noted(form_change(old.data or b"", new), lost)
    )


def _edited(old: Content, arguments: EditFile, path: Path) -> tuple[bytes, int]:
    """The file's bytes after the edit, and how many places changed. Raises: ToolError when the edit is not possible."""
    if old.status is not None:
        opening.regular(old.status, path.name)
    if old.data is None or len(old.data) > EDIT_BYTES:
        raise ToolError(f"{shown(path)} is larger than {sized(EDIT_BYTES)}")
    read = read_text(old.data)
    if read is None:
        # Writing it back with replacement characters would destroy it.
        raise ToolError(f"{shown(path)} is not text in UTF-8, UTF-16 or UTF-32; it is left as it is")
    text, form = read
    text, count = _replaced(text, arguments, path)
    return encoded(text, form), count


def _replaced(text: str, arguments: EditFile, path: Path) -> tuple[str, int]:
    """`text` after the edit, and how many places changed. Raises: ToolError when the place is missing or ambiguous."""
    old, new = arguments.old, arguments.new
    # read_file shows all files with line feeds, so edits have those; the file keeps its own line ends.
    if "\r\n" in text and (text.count("\n") == text.count("\r\n") or old not in text):
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    elif "\r" in text and "\n" not in text:
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r") for part in (old, new))
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
    return await in_thread(lambda stop: _delete(assessment))


def _delete(assessment: Assessment) -> Outcome:
    path = Path(assessment.target)
    with located(path) as (folder, name):
        old = _as_approved(folder, name, assessment)
        if old.status is None:
            raise ToolError(f"{shown(path)}: no such file or directory")
        target, dir_fd = at(folder, name)
        if stat.S_ISDIR(old.status.st_mode) and not opening.is_link(old.status):
            try:
                os.rmdir(target, dir_fd=dir_fd)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise ToolError(f"{shown(path)} is a directory and not empty") from error
                raise
            sync(folder)
        else:
            if not opening.is_link(old.status):
                opening.regular(old.status, name)
            remove(folder, name, old)
    return Outcome({"path": str(path), "deleted": opening.kind(old.status).split(" ", 1)[1]})


async def _run_move(arguments: MoveFile, assessment: Assessment, ctx: CallContext) -> Outcome:
    return await in_thread(lambda stop: _move(assessment, arguments.overwrite, stop))


def _move(assessment: Assessment, overwrite: bool, stop: threading.Event) -> Outcome:
    source, destination = (Path(path) for path in (assessment.target, *assessment.also))
    with located(source) as (folder, name):
        found = opening.status(folder, name)
        if found is None:
            raise ToolError(f"{shown(source)}: no such file")
        if not opening.is_link(found):
            opening.regular(found, name)
        moved = assessment.binding.get("moved")
        if moved is not None and content(folder, name).mark != moved:
            raise changed(name)
        with located(destination, create=True) as (into, new_name):
            there = _as_approved(into, new_name, assessment)
            if there.status is not None:
                _check_replaceable(into, new_name, there.status, overwrite)
            try:
                move(folder, name, into, new_name, there)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                carry(folder, name, into, new_name, found, there, stop)
            sync(into)
        sync(folder)
    value = {"path": str(destination), "moved_from": str(source), "replaced": there.status is not None}
    return Outcome(value | _noted(_beside(assessment)))


def _check_replaceable(folder: Folder, name: str, there: os.stat_result, overwrite: bool) -> None:
    if not overwrite:
        raise ToolError(f"{shown(name)} exists already; set overwrite to replace it")
    if not opening.is_link(there):
        opening.regular(there, name)
        check_writable(*at(folder, name), there)


def _changed_paths(arguments: Arguments, assessment: Assessment) -> WillChange:
    targets = tuple(Path(target) for target in (assessment.target, *assessment.also))
    return WillChange(targets, moves=len(targets) > 1)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "write_file",
        "Create a file or replace it as a whole. To change a part of a file use edit_file.",
        WriteFile,
        "medium",
        _assess_write,
        _run_write,
        paths.rule_value,
        changes=_changed_paths,
    ),
    Tool(
        "edit_file",
        "Replace an exact piece of text in a file. The text must occur once, unless replace_all is set. "
        "Line ends and the byte order mark stay as they are.",
        EditFile,
        "medium",
        _assess_edit,
        _run_edit,
        paths.rule_value,
        changes=_changed_paths,
    ),
    Tool(
        "delete_file",
        "Delete a file, a link (not what it leads to) or an empty directory.",
        DeleteFile,
        "medium",
        _assess_delete,
        _run_delete,
        paths.rule_value_of_links,
        changes=_changed_paths,
    ),
    Tool(
        "move_file",
        "Move or rename a file or link; not directories.",
        MoveFile,
        "medium",
        _assess_move,
        _run_move,
        paths.rule_value_of_links,
        changes=_changed_paths,
    ),
)
