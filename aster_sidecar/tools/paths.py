"""Where a path leads and what that makes of the risk (`look`), and how it is opened and changed on no other way.

A tool is judged by the canonical path: every link resolved, before anyone decides. It runs on that very path, one
component after the other from the root, none of which may be a link any more. On systems without `dir_fd` (Windows)
the components are checked right before the use instead, which leaves a gap of microseconds.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from aster_sidecar.text.folding import UNSEEN
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import RuleTarget, Surroundings, ToolError
from aster_sidecar.tools.denied_places import Denied

# Whether this system opens a name relative to an open directory without following links.
HANDLES = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")

# A directory on the way: an open descriptor, or its path where there are no handles.
Folder = int | str

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
# O_PATH passes directories that may be crossed but not listed (/home with mode 711).
_CROSS = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY | _NOFOLLOW | _FLAGS
_LIST = os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _FLAGS
# O_NONBLOCK: a FIFO put in the file's place must not hang the call.
READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NOFOLLOW | _FLAGS
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _FLAGS


def _sendable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    text.encode()  # a lone surrogate, which no file name, command or answer can carry, is a ValueError here
    return text


# A string that files, commands and JSON can all carry.
Text = Annotated[str, AfterValidator(_sendable)]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Compared with a folded name (see _folded), so that case, full-width letters and zero-width characters hide nothing.
_SECRET_NAMES = frozenset(("login data", "web data")) | _words(
    ".netrc _netrc .git-credentials .npmrc .yarnrc.yml .pypirc .pgpass .my.cnf .mylogin.cnf .vault-token .htpasswd"
    " .dockercfg .s3cfg .boto .history auth.json credentials credentials.json credentials.toml secrets.json"
    " secrets.toml secrets.yaml secrets.yml client_secret.json service-account.json service_account.json"
    " consolehost_history.txt fish_history wallet.dat cookies cookies.sqlite logins.json key3.db key4.db"
)
_SECRET_STARTS = (".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_xmss")
_SECRET_ENDS = (
    *(".pem", ".key", ".p12", ".pfx", ".p8", ".jks", ".keystore", ".kdbx", ".ppk", ".agekey", ".tfstate"),
    *(".keychain", ".keychain-db", "_history", ".keytab", ".mobileprovision", ".ovpn"),
)
# Each is looked for anywhere in the folded path, which starts and ends with a slash.
_SECRET_PLACES = (
    *("/.ssh/", "/.gnupg/", "/.aws/", "/.azure/", "/.kube/", "/.docker/config.json/", "/.password-store/"),
    *("/.config/gcloud/", "/.config/gh/", "/.config/hub/", "/.config/op/", "/.config/sops/", "/.config/doctl/"),
    *("/.config/git/credentials/", "/.config/containers/auth.json/", "/.cargo/credentials/", "/.gem/credentials/"),
    *("/.git/config/", "/.terraform.d/", "/.claude/.credentials.json/", "/.local/share/keyrings/", "/keychains/"),
    *("/.local/share/kwalletd/", "/.mozilla/", "/.thunderbird/", "/.config/google-chrome/", "/.config/chromium/"),
    *("/.config/bravesoftware/", "/.config/microsoft-edge/", "/.config/vivaldi/", "/.config/opera/", "/snap/firefox/"),
    *("/google/chrome/", "/mozilla/firefox/", "/application support/firefox/", "/bravesoftware/", "/microsoft edge/"),
    *("/microsoft/edge/", "/library/cookies/", "/microsoft/credentials/", "/microsoft/protect/", "/1password/"),
    *("/etc/shadow/", "/etc/shadow-/", "/etc/gshadow/", "/etc/gshadow-/", "/etc/master.passwd/", "/etc/sudoers/"),
    *("/etc/sudoers.d/", "/etc/ssl/private/", "/etc/krb5.keytab/", "/windows/system32/config/"),
)
_LATER_NAMES = frozenset(
    [
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".bash_logout",
        ".bash_aliases",
        ".profile",
        ".login",
        ".logout",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".zlogin",
        ".zlogout",
        ".cshrc",
        ".tcshrc",
        ".kshrc",
        ".mkshrc",
        ".xprofile",
        ".xinitrc",
        ".xsession",
        ".xsessionrc",
        ".pam_environment",
        ".inputrc",
        ".gitconfig",
        ".gitmodules",
        ".vimrc",
        ".gvimrc",
        ".exrc",
        ".emacs",
        ".gdbinit",
        ".lldbinit",
        ".tmux.conf",
        ".screenrc",
        ".mailcap",
        ".yarnrc",
        ".pnpmfile.cjs",
        ".pre-commit-config.yaml",
        ".mcp.json",
        "authorized_keys",
        "authorized_keys2",
        "crontab",
        "sitecustomize.py",
        "usercustomize.py",
        # what interpreters and tools run or obey when they start
        *_words(
            ".pythonrc .pythonrc.py .pystartup .pdbrc .pylintrc .pydistutils.cfg .rprofile .renviron .irbrc .pryrc"
            " .gemrc .perldb .ghci .psqlrc .sqliterc .ocamlinit .sbclrc .clisprc .iex.exs .erlang .octaverc .curlrc"
            " .wgetrc .lessfilter .lesskey .condarc .bazelrc .sbtopts .watchmanconfig .nvim.lua .nvimrc .ideavimrc"
            " .dir-locals.el .envrc mise.toml .mise.toml .tool-versions bunfig.toml pip.conf pip.ini .hgrc"
            " .lintstagedrc lefthook.yml lefthook.yaml .lefthook.yml .overcommit.yml .huskyrc init.gradle mimeapps.list"
        ),
        # what servers run when it is pushed
        *_words(
            ".gitlab-ci.yml .gitlab-ci.yaml .travis.yml jenkinsfile azure-pipelines.yml .drone.yml .cirrus.yml"
            " bitbucket-pipelines.yml appveyor.yml .appveyor.yml cloudbuild.yaml .woodpecker.yml"
        ),
        # what other agents obey
        *_words(
            "agent.md agents.md agents.override.md claude.md claude.local.md gemini.md qwen.md crush.md warp.md"
            " copilot-instructions.md .cursorrules .windsurfrules .clinerules .goosehints .aider.conf.yml opencode.json"
            " crush.json mcp.json"
        ),
        # what makes a directory a repository of git, whose configuration git obeys
        "head",
        # what makes one a Python environment, whose packages its programs load
        "pyvenv.cfg",
        "profile.ps1",
        "microsoft.powershell_profile.ps1",
    ]
)
_LATER_ENDS = (".pth", ".desktop", ".code-workspace")
_LATER_PLACES = (
    *(
        "/.hg/",
        "/.jj/",
        "/.svn/",
        "/.bzr/",
        "/.cargo/",
        "/.mvn/",
        "/.gradle/",
        "/gradle/wrapper/",
        "/.bundle/",
        "/.m2/",
    ),
    *("/.github/", "/.gitea/", "/.forgejo/", "/.circleci/", "/.buildkite/", "/.woodpecker/", "/.drone/", "/.lefthook/"),
    *("/.codex/", "/.gemini/", "/.goose/", "/.opencode/", "/.windsurf/", "/.continue/", "/.roo/", "/.clinerules/"),
    *("/.kiro/", "/.amazonq/", "/.junie/", "/.agents/", "/.augment/", "/.zed/", "/.fleet/", "/.ipython/", "/.jupyter/"),
    *("/.venv/bin/", "/venv/bin/", "/node_modules/.bin/", "/.docker/cli-plugins/", "/.local/share/applications/"),
    *("/.local/share/dbus-1/", "/.config/pip/", "/.config/mise/", "/.config/direnv/", "/.config/jj/", "/.config/hg/"),
    *("/.config/julia/", "/.julia/config/", "/.config/zed/", "/.config/goose/", "/.config/opencode/", "/.pyenv/"),
    *(
        "/.rbenv/",
        "/.nvm/",
        "/.deno/bin/",
        "/.bun/bin/",
        "/go/bin/",
        "/.rustup/",
        "/.asdf/",
        "/.config/containers/",
        "/.m2/",
    ),
    *("/.git/", "/.husky/", "/.githooks/", "/.github/workflows/", "/.vscode/", "/.idea/", "/.devcontainer/"),
    *("/.cursor/", "/.claude/", "/.aster/", "/.config/autostart/", "/.config/systemd/", "/.config/environment.d/"),
    *("/.config/fish/", "/.config/nvim/", "/.config/git/", "/.config/powershell/", "/.local/bin/", "/.oh-my-zsh/"),
    *("/.local/share/systemd/", "/.emacs.d/", "/.vim/", "/launchagents/", "/launchdaemons/", "/start menu/programs/"),
    *("/etc/cron.", "/etc/cron", "/var/spool/cron/", "/etc/profile", "/etc/init", "/etc/systemd/", "/etc/ld.so."),
    *("/etc/bash", "/etc/zsh", "/etc/rc", "/etc/pam.d/", "/etc/udev/", "/etc/xdg/autostart/", "/etc/sudoers"),
)
# What is installed, and run without anybody having read it.
_INSTALLED = ("/node_modules/", "/site-packages/", "/dist-packages/", "/_darcs/")
# Outside of the work directory: where systems and programs keep what they run and obey. Each begins the folded path.
_SYSTEMS = (
    *("/etc/", "/usr/", "/bin/", "/sbin/", "/lib", "/boot/", "/var/spool/", "/private/etc/", "/system/"),
    *("/applications/", "/windows/", "/program files", "/programdata/"),
)
_PROGRAMS_OWN = ("/library/", "/appdata/")
# Hidden files that only say what to leave out, how to set text, or which version is meant. Other hidden files and
# directories are settings that some program obeys, and most of them can name a program to run.
_INERT = _words(
    ".gitignore .gitkeep .keep .gitattributes .mailmap .dockerignore .npmignore .eslintignore .prettierignore"
    " .stylelintignore .helmignore .ignore .rgignore .editorconfig .browserslistrc .nvmrc .node-version .python-version"
    " .ruby-version .java-version .nojekyll .well-known"
)
_OF_ENVIRONMENT = _words("bin lib lib64 scripts include")
_OF_REPOSITORY = _words("hooks objects refs info worktrees modules")
_FILES_OF_REPOSITORY = _words("config config.worktree packed-refs commondir")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads. `path` is canonical, `inside` says whether that is in the work directory.

    `concerns` are reasons, in words, to rate a use of it high; `always_asks` says that one of them is what the file
    holds or who will run it: such a use can't be remembered. `forbidden` is why no one can allow it. `instead_of` is
    the path that was asked for, where one whose name looks the same was taken.
    """

    path: Path
    inside: bool
    concerns: tuple[str, ...]
    always_asks: bool
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

    `follow=False` leaves a link in the last place alone: for calls that act on the link itself. `changes` judges by
    what writing there could do as well. `lookalike` is for a path that does not exist, beside one whose name looks the
    same (`similar`): it is taken if it is the only one, or told as a concern, or the call is refused; where `denied`
    covers it, nobody is told. Raises: ToolError when the path can't lead anywhere (a loop of links), or is not clear.
    """
    work_dir = surroundings.work_dir
    plain = os.path.join(work_dir, os.path.expanduser(asked))
    if os.name == "nt":
        refuse_windows_names(plain)
    found, near = plain, list[Path]()
    if lookalike is not None:
        found, near = _resembling(plain, surroundings, lookalike, denied)
    path = _canonical(found, follow)
    inside = _beneath(path, work_dir)
    ways = {path, *(Path(os.path.normpath(way)) for way in (plain, found))}
    concerns: list[str] = []
    if not inside:
        linked = _beneath(Path(os.path.normpath(plain)), work_dir)
        way = "goes through a link that leads" if linked else "is"
        concerns.append(f"This path {way} outside the work folder {shown(work_dir)}.")
    # A directory called `credentials` or `.env` is ordinary; what counts for directories is where they are.
    is_folder = os.path.isdir(path)  # Path.is_dir raises where nobody may look
    secret = any(in_secret_place(way) if is_folder else holds_secrets(way) for way in ways)
    if secret:
        concerns.append(f"There may be secrets in {shown(path.name)}.")
    later = changes and any(runs_later(way, work_dir) for way in ways)
    if later:
        concerns.append("Other programs run this file or take their settings from it.")
    if near:
        concerns.append(f"{RESEMBLES}{_spelled(near)}, which {'exist' if len(near) > 1 else 'exists'}. {DIFFERENCE}.")
    return Place(
        path,
        inside,
        tuple(concerns),
        secret or later,
        forbidden(path, surroundings.protected),
        plain if found != plain else None,
    )


def rule_value(asked: RuleTarget, surroundings: Surroundings, *, follow: bool = True) -> str:
    """The canonical path that a rule for files means; with `follow=False` a link itself. Raises: ToolError."""
    try:
        _sendable(asked.value)
        plain = os.path.join(surroundings.work_dir, os.path.expanduser(asked.value))
        path = _canonical(plain, follow=follow or asked.kind == "beneath")
    except ValueError as error:
        raise ToolError(str(error)) from error
    if asked.kind == "beneath" and os.path.exists(path) and not os.path.isdir(path):
        raise ToolError(f"{shown(path)} is not a directory: nothing is beneath it")
    return str(path)


def rule_value_of_links(asked: RuleTarget, surroundings: Surroundings) -> str:
    """The same for tools that act on a link and not on what it leads to. Raises: ToolError."""
    return rule_value(asked, surroundings, follow=False)


def holds_secrets(path: Path) -> bool:
    """Whether the name or the place of the file `path` says that it holds passwords, keys, cookies, typed commands."""
    name = _folded(path.name)
    if name in _SECRET_NAMES or name.startswith(_SECRET_STARTS) or name.endswith(_SECRET_ENDS):
        return True
    if name.startswith("id_") and "." not in name.removesuffix(".pub"):
        return True
    return in_secret_place(path)


def in_secret_place(path: Path) -> bool:
    """Whether `path` is, or lies in, a directory kept for keys, sessions or browser profiles."""
    whole = _whole(path)
    return any(place in whole for place in _SECRET_PLACES)


def runs_later(path: Path, work_dir: Path) -> bool:
    """Whether something written at `path` is run or obeyed by other programs later: hooks, shell start-up, cron.

    So is what lies where programs are looked for or installed, what is hidden (from the work directory on, or anywhere
    outside of it) unless it is known to name no program, and the parts of a bare repository of git.
    """
    name = _folded(path.name)
    if name in _LATER_NAMES or name.endswith(_LATER_ENDS):
        return True
    whole = _whole(path)
    inside = _beneath(path, work_dir)
    if not inside and (whole.startswith(_SYSTEMS) or any(place in whole for place in _PROGRAMS_OWN)):
        return True
    parts = path.relative_to(work_dir).parts if inside else path.parts[1:]
    hidden = any(part.startswith(".") and part not in _INERT for part in map(_folded, parts))
    return (
        hidden
        or any(place in whole for place in (*_LATER_PLACES, *_INSTALLED))
        or _is_program_place(path.parent)
        or _in_environment(path)
        or _in_bare_repository(path)
    )


def _in_environment(path: Path) -> bool:
    """Whether `path` lies where an environment of Python's keeps programs and packages."""
    return any(
        _folded(path.parts[place]) in _OF_ENVIRONMENT and os.path.lexists(Path(*path.parts[:place], "pyvenv.cfg"))
        for place in range(1, len(path.parts))
    )


def _is_program_place(folder: Path) -> bool:
    home = os.path.expanduser("~")
    places = [*os.environ.get("PATH", "").split(os.pathsep), os.path.join(home, "bin"), os.path.join(home, ".bin")]
    return str(folder) in {os.path.realpath(place) for place in places if os.path.isabs(place)}


def _in_bare_repository(path: Path) -> bool:
    """Whether `path` is what git would obey or run in a directory that is a repository itself: one with a HEAD."""
    whole = [_folded(part) for part in path.parts]
    return any(
        os.path.lexists(Path(*path.parts[:place], "HEAD"))
        for place in range(1, len(whole))
        if whole[place] in _OF_REPOSITORY or (place == len(whole) - 1 and whole[place] in _FILES_OF_REPOSITORY)
    )


def _whole(path: Path) -> str:
    """The folded path between slashes, so that "/.ssh/" finds the directory and what is in it."""
    return "/" + "/".join(_folded(part) for part in path.parts[1:]) + "/"


def _folded(name: str) -> str:
    """As forgiving file systems compare names: without case, zero-width characters, and trailing dots and spaces."""
    if not name.isascii():
        name = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return name.casefold().rstrip(" .") or name


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
            # What is there is resolved, the rest kept; opening says later what is missing.
            return _possible(os.path.realpath(path))
    except OSError as error:
        raise ToolError(f"{shown(path)}: {error.strerror}") from error


def _possible(path: str) -> str:
    """The path itself. Raises: ToolError when it is too long, so that nothing made on it could be opened."""
    try:
        os.lstat(path)
    except _NOT_THERE:
        pass
    except OSError as error:
        raise ToolError(f"{shown(path)}: {error.strerror}") from error
    return path


# --- names that look the same -------------------------------------------------------------------------------------

RESEMBLES = "The new name looks the same as "
DIFFERENCE = "The names differ only in invisible characters, the kind of a space, or how accents are stored"
_SCAN_ENTRIES = 50_000  # of the directory of a name that is missing


def likeness(name: str) -> str:
    """The name as it looks: without invisible characters, with plain spaces, in normal form C."""
    if name.isascii():
        return name
    seen = (char for char in UNSEEN.sub("", name) if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", "".join(" " if unicodedata.category(char) == "Zs" else char for char in seen))


def similar(path: Path) -> list[Path]:
    """What stands beside the canonical `path` under another name that looks the same; [] where that can't be told.

    A directory of more than 50,000 entries is not looked through.
    """
    wanted = likeness(path.name)
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, _SCAN_ENTRIES + 1)]
    except OSError:
        return []
    if len(names) > _SCAN_ENTRIES:
        return []
    return sorted(path.with_name(name) for name in names if name != path.name and likeness(name) == wanted)


def resemblance(instead_of: str, path: Path) -> str:
    """In words, that `path` was taken instead."""
    return f"{shown(instead_of)} was not found, {spelled(path)} is used instead. {DIFFERENCE}"


def spelled(path: Path) -> str:
    """A path on one line, in which no two names look the same: letters whose accents stand apart are escaped, too."""
    text = shown(path)
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(char if char.isascii() or char in "‹›" else f"‹U+{ord(char):04X}›" for char in text)


def _spelled(near: list[Path]) -> str:
    return " and ".join(spelled(path) for path in near[:10])


def _resembling(
    plain: str, surroundings: Surroundings, lookalike: Literal["take", "tell", "refuse"], denied: Denied | None
) -> tuple[str, list[Path]]:
    """`plain` with each missing name replaced by the one that looks the same, if it is to be taken; else those names.

    Raises: ToolError when several look the same, or none may be taken.
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
                f"{spelled(path)} does not exist; {_spelled(near)} {'do' if len(near) > 1 else 'does'}. {DIFFERENCE}"
                " (‹U+XXXX› stands for that character)"
            )
        plain = os.path.join(near[0], *rest)
    return plain, []


def _missing(plain: str) -> tuple[Path, tuple[str, ...]] | None:
    """The first part of `plain` that does not exist, its directory resolved, and the names that follow."""
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
    """Refuse what Windows takes for a device or a hidden stream. Raises: ToolError. Source: Naming Files, MSDN."""
    drive, rest = os.path.splitdrive(path)
    for part in rest.replace("/", "\\").split("\\"):
        stem = part.split(".")[0].rstrip(" ").upper()
        if ":" in part or re.fullmatch(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3]", stem):
            raise ToolError(f"{shown(path)}: {shown(part)} names a device or a stream, not a file")
    if drive.startswith(("\\\\.\\", "\\\\?\\")):
        raise ToolError(f"{shown(path)} names a device, not a file")


def _beneath(path: Path, base: Path) -> bool:
    return path == base or base in path.parents


def forbidden(path: Path, protected: tuple[Path, ...]) -> str | None:
    """Why no tool may touch the canonical `path`, in words; None when nothing speaks against it."""
    parts = path.parts[1:]
    if os.name == "posix" and parts[:1] in (("proc",), ("sys",), ("dev",)) and parts[:2] != ("dev", "shm"):
        # /proc/PID/environ and mem of the daemon itself would hand out its keys.
        return f"Tools can't open the system's files in /{parts[0]}."
    if _is_protected(path, protected):
        return "Tools can't open Aster's own data (its journal, rules and settings)."
    return None


def _is_protected(path: Path, protected: tuple[Path, ...]) -> bool:
    """By name and by identity: a second name of the same directory (case, bind mount) or file (hard link) counts."""
    roots = [Path(os.path.realpath(root)) for root in protected]
    if any(_beneath(path, root) for root in roots):
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
    """The identity (device, inode) of every file beneath `protected`, to know a hard link to one by."""
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


# --- opening -------------------------------------------------------------------------------------------------------


def at(folder: Folder, name: str) -> tuple[str, int | None]:
    """`name` in `folder` as (path, dir_fd) for the functions of `os`."""
    return (os.path.join(folder, name), None) if isinstance(folder, str) else (name, folder)


@contextmanager
def opened_folder(path: Path, *, create: bool = False, handles: bool = HANDLES) -> Generator[Folder, None, None]:
    """The directory at the canonical `path`, reached without following any link; missing ones are made on request.

    Raises: ToolError when a component is missing, or is a link or a file by now.
    """
    if not handles:
        _check_plain(path, create)
        yield str(path)
        return
    folder = os.open(path.anchor, _CROSS)
    try:
        for depth, name in enumerate(path.parts[1:], 2):
            try:
                inner = _enter(folder, name, create)
            except OSError as error:
                raise refused(Path(*path.parts[:depth]), error) from error
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _enter(folder: int, name: str, create: bool) -> int:
    try:
        return os.open(name, _CROSS, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return os.open(name, _CROSS, dir_fd=folder)


def _check_plain(path: Path, create: bool) -> None:
    for way in reversed((path, *path.parents)):
        try:
            if create and not os.path.lexists(way):
                os.mkdir(way)
            found = os.lstat(way)
        except OSError as error:
            raise refused(way, error) from error
        if is_link(found) or not stat.S_ISDIR(found.st_mode):
            raise ToolError(f"{shown(way)} is not the directory that was looked at: a link or a file is in its place")
    if os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
        raise ToolError(f"{shown(path)} leads elsewhere by now")


def opened_list(folder: Folder, name: str = ".") -> int | str:
    """A directory for `os.scandir`, whose descriptor the caller closes (`closed`). Raises: OSError."""
    path, dir_fd = at(folder, name)
    if dir_fd is None:
        if is_link(os.lstat(path)):
            raise OSError(errno.ENOTDIR, "a link, not a directory")
        return path
    return os.open(path, _LIST, dir_fd=dir_fd)


def closed(folder: Folder) -> None:
    """Close what `opened_list` gave."""
    if isinstance(folder, int):
        os.close(folder)


def opened_file(folder: Folder, name: str) -> int:
    """A descriptor for reading the regular file `name`, opened without following a link.

    Raises: OSError; ToolError for anything that is not a regular file (a FIFO, a device, a socket, a directory).
    """
    # Looked at before it is opened, because opening alone makes some devices act.
    path, dir_fd = at(folder, name)
    regular(os.stat(path, dir_fd=dir_fd, follow_symlinks=False), name)
    descriptor = os.open(path, READ, dir_fd=dir_fd)
    try:
        regular(os.fstat(descriptor), name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def status(folder: Folder, name: str) -> os.stat_result | None:
    """What `name` is, links not followed; None when there is nothing. Raises: OSError."""
    path, dir_fd = at(folder, name)
    try:
        return os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def regular(found: os.stat_result, name: str) -> None:
    """Raises: ToolError unless `found` is a regular file."""
    if not stat.S_ISREG(found.st_mode) or is_link(found):
        raise ToolError(f"{shown(name)} is {kind(found)}, not a regular file")


def is_link(found: os.stat_result) -> bool:
    """A symbolic link, or on Windows a junction or another reparse point."""
    reparse = getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)
    return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_file_attributes", 0) & reparse)


def kind(found: os.stat_result) -> str:
    """What it is, in words."""
    if is_link(found):
        return "a link"
    names = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return names.get(stat.S_IFMT(found.st_mode), "a special file")


def refused(path: Path | str, error: OSError) -> ToolError:
    """`error` in words that name the path."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        with suppress(OSError):
            found = os.lstat(path)
            if error.errno == errno.ENOTDIR and not is_link(found) and not stat.S_ISDIR(found.st_mode):
                return ToolError(f"{shown(path)} is {kind(found)}, not a directory")
        return ToolError(f"{shown(path)} is not what was looked at: a link or another file is in its place")
    return ToolError(f"{shown(path)}: {error.strerror or error}")
