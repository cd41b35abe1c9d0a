"""Paths of file tools: what the mode `smart_approve` decides about each, and a part of the reason.

"allow" and "ask" as the policy has it; "deny": nobody can allow it; "refused": the call makes no sense, and fails.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Decided = Literal["allow", "ask", "deny", "refused"]


class PathCase(NamedTuple):
    """`tool` "read", "write", "edit", "list", "search", "delete" or "move" (to the path "moved" in the folder)."""

    tool: str
    path: str
    decided: Decided
    why: str


LINKS = {
    "work/out": "../outside/x.txt",
    "work/away": "../outside",
    "work/in": "src/main.py",
    "work/loop": "loop",
    "work/dangling": "../outside/missing",
    "work/harmless": ".env",
    "work/.env.link": "a.txt",
    "work/hook": ".git/hooks/post-commit",
    "work/here": "/proc/self",
    "work/ours": "../daemon/aster.db",
}
"""What links lead to, by their names from the folder's parent on."""

FILES = (
    *("work/a.txt", "work/src/main.py", "work/.env", "work/src/.env.local", "work/credentials/notes.txt"),
    *("work/package.json", "work/secrets.yaml", "work/.git/HEAD", "work/.git/config", "work/sub dir/b c.txt"),
    *("outside/x.txt", "work-evil/x.txt", "home/.ssh/id_rsa", "home/.bashrc", "home/notes.txt", "daemon/aster.db"),
    *("work/caf\u00e9.txt", "work/r\u00e9sum\u00e9.txt", "work/pipes/x"),
)

_IN = "in the work folder"
_OUT = "outside the work folder"
_LINK = "goes through a link that leads outside the work folder"
_SECRET = "There may be secrets in"
_LATER = "Other programs run this file or take their settings from it"
_SYSTEM = "Tools can't open the system's files"
_OURS = "Tools can't open Aster's own data"

CASES = (
    # inside
    PathCase("read", "a.txt", "allow", _IN),
    PathCase("read", "./a.txt", "allow", _IN),
    PathCase("read", "src/../a.txt", "allow", _IN),
    PathCase("read", "src//main.py", "allow", _IN),
    PathCase("read", "BASE/work/a.txt", "allow", _IN),
    PathCase("read", "//BASE/work/a.txt", "allow", _IN),
    PathCase("read", "sub dir/b c.txt", "allow", _IN),
    PathCase("read", "in", "allow", _IN),
    PathCase("read", "missing.txt", "allow", _IN),
    PathCase("read", "../work/a.txt", "allow", _IN),
    PathCase("list", ".", "allow", _IN),
    PathCase("list", "src", "allow", _IN),
    PathCase("search", ".", "allow", _IN),
    PathCase("read", ".git/HEAD", "allow", _IN),
    PathCase("read", "credentials/notes.txt", "allow", _IN),
    PathCase("write", "a.txt", "ask", "It changes files in the work folder"),
    PathCase("write", "new/deep/file.py", "ask", "It changes files in the work folder"),
    PathCase("edit", "a.txt", "ask", "It changes files in the work folder"),
    PathCase("delete", "a.txt", "ask", "It changes files in the work folder"),
    PathCase("move", "a.txt", "ask", "It changes files in the work folder"),
    # outside
    PathCase("read", "../outside/x.txt", "ask", _OUT),
    PathCase("read", "src/../../outside/x.txt", "ask", _OUT),
    PathCase("read", "BASE/outside/x.txt", "ask", _OUT),
    PathCase("read", "../work-evil/x.txt", "ask", _OUT),
    PathCase("read", "BASE/work/../work-evil/x.txt", "ask", _OUT),
    PathCase("read", "~/notes.txt", "ask", _OUT),
    PathCase("read", "/etc/hostname", "ask", _OUT),
    PathCase("read", "//etc/hostname", "ask", _OUT),
    PathCase("list", "..", "ask", _OUT),
    PathCase("list", "/", "ask", _OUT),
    PathCase("list", "~", "ask", _OUT),
    PathCase("search", "..", "ask", _OUT),
    PathCase("write", "../new.txt", "ask", _OUT),
    PathCase("write", "/etc/cron.d/x", "ask", _OUT),
    PathCase("delete", "../outside/x.txt", "ask", _OUT),
    PathCase("move", "../outside/x.txt", "ask", _OUT),
    # links
    PathCase("read", "out", "ask", _LINK),
    PathCase("read", "away/x.txt", "ask", _LINK),
    PathCase("read", "away/../work/a.txt", "allow", _IN),
    PathCase("read", "away/../outside/x.txt", "ask", _OUT),
    PathCase("read", "dangling", "ask", _LINK),
    PathCase("read", "loop", "refused", "Too many levels of symbolic links"),
    PathCase("list", "away", "ask", _LINK),
    PathCase("search", "away", "ask", _LINK),
    PathCase("write", "out", "ask", _LINK),
    PathCase("write", "away/new.txt", "ask", _LINK),
    PathCase("write", "dangling", "ask", _LINK),
    PathCase("edit", "out", "ask", _LINK),
    PathCase("delete", "out", "ask", "It changes files in the work folder"),  # the link itself
    PathCase("delete", "away/x.txt", "ask", _LINK),
    PathCase("write", "hook", "ask", _LATER),
    PathCase("read", "harmless", "ask", _SECRET),
    PathCase("read", ".env.link", "ask", _SECRET),
    # secrets
    PathCase("read", ".env", "ask", _SECRET),
    PathCase("read", "./src/.env.local", "ask", _SECRET),
    PathCase("read", ".ENV", "ask", _SECRET),
    PathCase("read", ".env ", "ask", _SECRET),
    PathCase("read", ".env.", "ask", _SECRET),
    PathCase("read", ".e\u200bnv", "ask", _SECRET),
    PathCase("read", "\uff0eenv", "ask", _SECRET),
    PathCase("read", "secrets.yaml", "ask", _SECRET),
    PathCase("read", "server.key", "ask", _SECRET),
    PathCase("read", "x/id_ed25519", "ask", _SECRET),
    PathCase("read", ".git/config", "ask", _SECRET),
    PathCase("read", ".aws/anything", "ask", _SECRET),
    PathCase("list", ".ssh", "ask", _SECRET),
    PathCase("read", "~/.ssh/id_rsa", "ask", _SECRET),
    PathCase("read", "/etc/shadow", "ask", _SECRET),
    PathCase("write", ".env", "ask", _SECRET),
    PathCase("move", ".env", "ask", _SECRET),
    # what runs later
    PathCase("write", ".git/hooks/pre-commit", "ask", _LATER),
    PathCase("write", ".GIT/hooks/x", "ask", _LATER),
    PathCase("write", "src/.git/config", "ask", _LATER),
    PathCase("write", ".git", "ask", _LATER),
    PathCase("write", "HEAD", "ask", _LATER),
    PathCase("write", "src/head", "ask", _LATER),
    PathCase("write", ".github/workflows/ci.yml", "ask", _LATER),
    PathCase("write", ".gitlab-ci.yml", "ask", _LATER),
    PathCase("write", ".vscode/tasks.json", "ask", _LATER),
    PathCase("write", ".envrc", "ask", _LATER),
    PathCase("write", ".aster/x", "ask", _LATER),
    PathCase("write", "AGENTS.md", "ask", _LATER),
    PathCase("write", "claude.md", "ask", _LATER),
    PathCase("write", ".gitmodules", "ask", _LATER),
    PathCase("write", ".husky/pre-commit", "ask", _LATER),
    PathCase("write", "node_modules/.bin/x", "ask", _LATER),
    PathCase("write", "node_modules/x/index.js", "ask", _LATER),
    PathCase("write", "x/site-packages/y.pth", "ask", _LATER),
    PathCase("write", "pyvenv.cfg", "ask", _LATER),
    PathCase("write", "sitecustomize.py", "ask", _LATER),
    PathCase("write", ".unknown-tool", "ask", _LATER),
    PathCase("write", ".bashrc", "ask", _LATER),
    PathCase("write", "~/.bashrc", "ask", _LATER),
    PathCase("write", "~/.config/autostart/x.desktop", "ask", _LATER),
    PathCase("write", "~/.local/bin/ls", "ask", _LATER),
    PathCase("write", "/usr/bin/x", "ask", _LATER),
    PathCase("delete", ".git/hooks", "ask", _LATER),
    PathCase("move", ".git/config", "ask", _LATER),
    PathCase("read", ".github/workflows/ci.yml", "allow", _IN),
    # files of the system, and our own
    PathCase("read", "/proc/self/environ", "deny", _SYSTEM),
    PathCase("read", "//proc//self/environ", "deny", _SYSTEM),
    PathCase("read", "here/environ", "deny", _SYSTEM),
    PathCase("read", "/dev/zero", "deny", _SYSTEM),
    PathCase("read", "/dev/fd/0", "deny", _SYSTEM),
    PathCase("read", "/sys/kernel", "deny", _SYSTEM),
    PathCase("write", "/dev/sda", "deny", _SYSTEM),
    PathCase("write", "/proc/sysrq-trigger", "deny", _SYSTEM),
    PathCase("list", "/proc", "deny", _SYSTEM),
    PathCase("read", "../daemon/aster.db", "deny", _OURS),
    PathCase("read", "ours", "deny", _OURS),
    PathCase("list", "../daemon", "deny", _OURS),
    PathCase("search", "../daemon", "deny", _OURS),
    PathCase("write", "../daemon/new", "deny", _OURS),
    PathCase("write", "ours", "deny", _OURS),
    PathCase("delete", "../daemon/aster.db", "deny", _OURS),
    PathCase("move", "../daemon/aster.db", "deny", _OURS),
    # names that look like others, or that nothing can have
    PathCase("read", "cafe\u0301.txt", "allow", "caf"),
    PathCase("write", "cafe\u0301.txt", "ask", "looks the same"),
    PathCase("edit", "cafe\u0301.txt", "refused", "does not exist"),
    PathCase("delete", "cafe\u0301.txt", "refused", "does not exist"),
    PathCase("read", "x" * 300, "refused", "File name too long"),
    PathCase("write", "d/" * 3000, "refused", "File name too long"),
    PathCase("read", "a\0b", "refused", "must not contain NUL"),
    PathCase("read", "\ud800", "refused", "valid string"),
    PathCase("read", "", "refused", "at least 1 character"),
    PathCase("read", "a\nb", "allow", _IN),
    PathCase("read", "a.txt\u202e", "allow", _IN),
    PathCase("read", "nul", "allow", _IN),
    PathCase("read", "C:\\Windows\\x", "allow", _IN),  # a name like any other here
    PathCase("read", "\\\\server\\share", "allow", _IN),
    PathCase("read", "$HOME/x", "allow", _IN),  # tools don't expand variables
    PathCase("read", "~nobody-xyz/x", "allow", _IN),
    PathCase("read", "file:///etc/passwd", "allow", _IN),
)

WINDOWS_NAMES = {
    "NUL": True,
    "nul.txt": True,
    "con ": True,
    "sub/AUX.h": True,
    "COM1.log": True,
    "lpt\u00b9": True,
    "CONIN$": True,
    "a.txt:stream": True,
    "a.txt::$DATA": True,
    "sub\\prn": True,
    "null": False,
    "console.log": False,
    "com10": False,
    "auxiliary/x": False,
    "a.con": False,
}
"""Whether a name is a device or a stream on Windows."""
