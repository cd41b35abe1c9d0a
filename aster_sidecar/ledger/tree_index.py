"""What was last seen in a folder, in the store: so that a restarted daemon does not read every file again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from aster_sidecar.ledger.keeping import MOST_FILE_BYTES
from aster_sidecar.ledger.tree import LARGE, NONE, Directory, Entry, directory
from aster_sidecar.store.kept_files import IndexRow, KeptFiles

BITS_64 = 1 << 64
SIGN = 1 << 63
PERMISSIONS = 0o7777


def record_index(files: KeptFiles, folder: bytes, recorded: Directory | None, now: Directory | None) -> None:
    """Record what is in a folder. `recorded`: what the store has. Raises: StoreError."""
    rows: list[IndexRow] = []
    gone: list[bytes] = []
    _differences(recorded or NONE, now or NONE, b"", rows, gone)
    files.record(folder, rows, gone)


def _differences(was: Directory, now: Directory, path: bytes, rows: list[IndexRow], gone: list[bytes]) -> None:
    if was is now:
        return
    if was.entries is not now.entries:
        for name, entry in now.entries.items():
            old = was.entries.get(name)
            if old is entry:
                continue
            row = _row(path + os.fsencode(name), entry)
            if row is not None:
                rows.append(row)
            elif old is not None:
                gone.append(path + os.fsencode(name))
        gone += [path + os.fsencode(name) for name in was.entries.keys() - now.entries.keys() - now.folders.keys()]
    for name in was.folders.keys() | now.folders.keys():
        inner = path + os.fsencode(name)
        before, after = was.folders.get(name, NONE), now.folders.get(name, NONE)
        if before is after:
            continue
        if after is not NONE and after.left_out is None:
            if (before.inode, before.mode) != (after.inode, after.mode) or before is NONE:
                inode = after.inode if after.inode < SIGN else after.inode - BITS_64
                if inode < SIGN and inode >= -SIGN:
                    rows.append(IndexRow(inner, "directory", 0, 0, 0, inode, after.mode, None, None))
        elif before is not NONE and name not in now.entries:
            gone.append(inner)
        _differences(before, after, inner + b"/", rows, gone)


def _row(path: bytes, entry: Entry) -> IndexRow | None:
    """The row of an entry; None if it is to be read again after a restart."""
    mark, _, kind, _, _, sha256, why, gap = entry
    if mark is None or (why is not None and gap != LARGE):
        return None
    mtime_ns, ctime_ns, size, inode, mode = mark
    inode = inode if inode < SIGN else inode - BITS_64
    if max(abs(mtime_ns), abs(ctime_ns), abs(inode + 1)) >= SIGN:  # a file system with larger numbers
        return None
    return IndexRow(path, kind, size, mtime_ns, ctime_ns, inode, mode, sha256, why)


@dataclass(slots=True)
class _Growing:
    """A directory whose rows are being read."""

    inode: int = 0
    mode: int = 0
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    folders: dict[str, _Growing] = field(default_factory=dict[str, "_Growing"])

    def grown(self) -> Directory:
        folders = {name: inner.grown() for name, inner in self.folders.items()}
        return directory(self.inode, self.mode, self.entries, folders)


def read_index(files: KeptFiles, folder: bytes) -> Directory | None:
    """What the store has of a folder; None if it has nothing. Raises: StoreError."""
    rows = files.index(folder)
    if not rows:
        return None
    root = _Growing()
    known: dict[bytes, _Growing] = {b"": root}

    def place(path: bytes) -> _Growing:
        found = known.get(path)
        if found is None:
            above, _, name = path.rpartition(b"/")
            found = known[path] = place(above).folders.setdefault(os.fsdecode(name), _Growing())
        return found

    for row in rows:
        if row.type == "directory":
            one = place(row.path)
            one.inode, one.mode = row.inode % BITS_64, row.mode
            continue
        above, _, name = row.path.rpartition(b"/")
        mark = (row.mtime_ns, row.ctime_ns, row.size, row.inode % BITS_64, row.mode)
        gap = LARGE if row.why_not_kept is not None and row.size > MOST_FILE_BYTES else None
        entry = (mark, mark, row.type, row.size, row.mode & PERMISSIONS, row.sha256, row.why_not_kept, gap)
        place(above).entries[os.fsdecode(name)] = entry
    return root.grown()
