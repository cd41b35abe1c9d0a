"""The profile of macOS's sandbox-exec for a command. Nobody has run it yet: docs/decisions/0037-sandbox.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from aster_sidecar.sandbox.places import GIT_RUNS, RUN_LATER
from aster_sidecar.sandbox.spec import Network
from aster_sidecar.sandbox.survey import Survey

SANDBOX_EXEC = "/usr/bin/sandbox-exec"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/tty", "/dev/dtracehelper", "/dev/stdout", "/dev/stderr")


def arguments(found: Survey, network: Network, argv: Sequence[str]) -> list[str]:
    """The command line that starts `argv` under the profile."""
    return [SANDBOX_EXEC, "-p", profile(found, network), *argv]


def profile(found: Survey, network: Network) -> str:
    """The profile. A later rule wins, so that what is denied at the end stays denied. Pure.

    Rules go by paths, so that they also hold for what is not there yet. There is no private /tmp: what a command writes
    there is refused, and TMPDIR names the session's directory.
    """
    lines = [
        "(version 1)",
        "(deny default)",
        "(allow process-fork process-exec)",
        "(allow signal process-info* (target same-sandbox))",
        "(allow sysctl-read)",
        "(allow file-read*)",
        "(allow file-ioctl file-read* file-write-data " + _each("literal", _DEVICES) + ")",
        "(allow pseudo-tty)",
        '(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo")'
        ' (global-name "com.apple.trustd.agent") (global-name "com.apple.system.notification_center"))',
        "(allow ipc-posix-sem ipc-posix-shm)",
        "(allow file-write* " + _each("subpath", (found.folder, found.private_tmp)) + ")",
    ]
    if network == "all":
        lines += [
            "(allow system-socket network-inbound network-outbound)",
            '(allow mach-lookup (global-name "com.apple.SystemConfiguration.configd")'
            ' (global-name "com.apple.dnssd.service"))',
            "(deny network-outbound (remote unix-socket))",
            '(allow network-outbound (literal "/private/var/run/mDNSResponder"))',
        ]
    else:
        lines += ["(deny network*)"]
    hidden = (*found.hidden_folders, *found.hidden_files)
    lines += ["(deny file-read* file-write* " + _each("subpath", hidden) + ")"] if hidden else []
    read_only = (*found.read_only, *found.more_later)
    lines += ["(deny file-write* " + _each("subpath", read_only) + ")"] if read_only else []
    lines += ["(deny file-write* " + _each("regex", _named(found.folder)) + ")", "(deny file-write-setugid)"]
    return "\n".join(lines) + "\n"


def _named(folder: str) -> list[str]:
    """Patterns of everything in the folder that other programs run later, and of what git runs."""
    base = "^" + _quoted(folder) + "/(.*/)?"
    later = [base + _quoted(name) + "(/|$)" for name in sorted(RUN_LATER)]
    git = [base + r"\.git/(.*/)?" + _quoted(name) + "(/|$)" for name in sorted(GIT_RUNS)]
    # The entry `.git` itself: it can't be made, renamed or removed, while git writes in it.
    return [*later, *git, base + r"\.git$"]


def _quoted(text: str) -> str:
    return "".join(f"\\{one}" if one in r".^$*+?()[]{}|\\" else one for one in text)


def _each(kind: str, values: Iterable[str]) -> str:
    # A string of the profile language is one of JSON; a pattern is #"…", in which a backslash stands for itself.
    if kind == "regex":
        return " ".join('(regex #"' + value.replace('"', '\\"') + '")' for value in values)
    return " ".join(f"({kind} {json.dumps(value, ensure_ascii=False)})" for value in values)
