"""What a command line would do, judged by its words: which programs it runs, and whether "always" may cover it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from aster_sidecar.text.safe_text import quoted, shown
from aster_sidecar.tools.commands.named_programs import plain_programs


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- programs that pass work on ----------------------------------------------------------------------------------------

# Programs that pass the work on to a running server, service manager or desktop. What that starts descends from it: the
# daemon can neither end it, nor distinguish it from a program of the user's.
_OTHERS = _words(
    "tmux screen byobu zellij dtach abduco at batch crontab anacron systemd-run systemctl loginctl machinectl busctl"
    " dbus-send gdbus qdbus docker docker-compose podman podman-remote nerdctl ctr crictl lxc incus multipass virsh"
    " vagrant flatpak-spawn distrobox toolbox xdg-open gio gtk-launch kde-open kde-open5 exo-open open emacsclient"
    " code code-insiders codium cursor subl kitty kitten wezterm ssh scp sftp mosh nsenter gdb strace ltrace reptyr"
    " launchctl osascript schtasks sc wmic"
)
# These run a program that they are given: any word after them may be its name.
_BEFORE = _words(
    "sudo doas su runuser env exec command builtin nohup setsid setpriv nice ionice chrt taskset time timeout stdbuf"
    " xargs parallel watch entr unshare chroot bwrap firejail fakeroot faketime pkexec sg numactl setarch linux32"
    " linux64 dbus-run-session ssh-agent xvfb-run rlwrap unbuffer caffeinate systemd-inhibit busybox toybox script"
    " flock sh bash zsh dash ksh fish if then else elif while until do !"
)
_QUOTES = re.compile(r"['\"]" if os.name == "nt" else r"['\"\\]")


def handed_over(command: str) -> str | None:
    """The program in a command line that passes work on to a running one, going by its words; None without one."""
    for segment in re.split(r"[;&|\n(){}`]", command):
        # Quoted words are a command only after a shell's -c; otherwise a message in quotes would be one.
        parts = re.split(r"['\"]", segment) if re.search(r"\s-\w*c\s", segment) else [segment]
        for part in parts:
            words = [word for word in part.replace("$", " ").split() if "=" not in word.split("/")[0]]
            bare = [os.path.basename(_QUOTES.sub("", word)).casefold().removesuffix(".exe") for word in words]
            for place, name in enumerate(bare):
                runs = place == 0 or bare[0] in _BEFORE or bare[place - 1] in ("-exec", "-execdir", "-ok", "-okdir")
                if runs and name in _OTHERS:
                    return name
    return None


# -- what may be remembered --------------------------------------------------------------------------------------------

# Programs that depend on their arguments alone: no file, network or configuration could make them run something
# else: an approval of today means the same tomorrow. Nearly all of them only read and print.
_READERS = _words(
    "ls cat head tail wc echo printf true false test [ pwd type stat file du df uname date whoami id groups hostname"
    " nproc uptime free arch basename dirname realpath readlink cut tr nl od rev tac comm cmp diff cksum md5sum sha1sum"
    " sha256sum sha512sum b2sum seq expr factor numfmt locale tty column fold fmt paste join grep egrep fgrep cal lscpu"
    " lsblk ps pgrep pidof which"
)
# One binary for many commands: the name in the command decides, not the binary's own.
_MULTICALL = frozenset(("busybox", "toybox", "coreutils"))
_BUILTINS = _words("echo printf true false test [ pwd : type read")


def programs(command: str) -> list[str] | None:
    """The program of each command in a plain list of commands; None when the list is not plain."""
    if os.name == "nt":  # cmd.exe reads words by other rules
        return None
    return plain_programs(command, os.path.expanduser("~"))


def why_not_remembered(command: str, cwd: Path, work_dir: Path, path: str) -> str | None:
    """Why "always" can't cover this command, as a sentence; None when it can. `path` is the PATH that it runs with."""
    names = programs(command)
    if names is None:
        return "it is a complex shell command"
    for name in names:
        binary = _binary(name, cwd, path)
        if name not in _READERS or (binary and binary.name not in _MULTICALL and binary.name not in _READERS):
            return f"{quoted(shown(os.path.basename(name)))} may change files, or may act differently when files change"
        if name in _BUILTINS:
            continue
        if binary is None:
            return f"Aster can't find the program {quoted(shown(name))}"
        if binary.is_relative_to(work_dir) or binary.is_relative_to(os.path.realpath(os.path.expanduser("~"))):
            return f"the program {quoted(shown(name))} is in your home or work folder, where it can be changed"
    return None


def _binary(name: str, cwd: Path, path: str) -> Path | None:
    found = shutil.which(name, path=path) if not os.path.dirname(name) else os.path.join(cwd, name)
    return Path(os.path.realpath(found)) if found and os.path.isfile(found) else None


def binary_identity(name: str, cwd: Path, path: str) -> str | None:
    """The file that `name` runs, with what changes when the file is replaced; None when there is no such file."""
    binary = _binary(name, cwd, path)
    try:
        found = binary.stat() if binary else None
    except OSError:
        return None
    if binary is None or found is None:
        return None
    # st_ctime can't be set back, unlike the other times.
    return f"{binary} {found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
