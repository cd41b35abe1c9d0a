"""The environment of a sandboxed command: nothing in it names a socket or a session outside."""

from __future__ import annotations

import re
from collections.abc import Mapping

_OUTSIDE_NAMES = (
    "SSH_AUTH_SOCK SSH_AGENT_PID SSH_CONNECTION SSH_CLIENT SSH_TTY GPG_AGENT_INFO GPG_TTY"
    " GNOME_KEYRING_CONTROL GNOME_KEYRING_PID DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS"
    " DBUS_STARTER_ADDRESS DISPLAY WAYLAND_DISPLAY WAYLAND_SOCKET XAUTHORITY XDG_RUNTIME_DIR"
    " XDG_SESSION_ID XDG_SESSION_PATH XDG_SEAT_PATH SESSION_MANAGER ICEAUTHORITY AT_SPI_BUS_ADDRESS"
    " IBUS_ADDRESS DOCKER_HOST DOCKER_CONTEXT CONTAINER_HOST BUILDKIT_HOST PULSE_SERVER PULSE_COOKIE"
    " PIPEWIRE_REMOTE JACK_SERVER TMUX TMUX_PANE STY NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES"
    " INVOCATION_ID JOURNAL_STREAM KITTY_LISTEN_ON ALACRITTY_SOCKET WEZTERM_UNIX_SOCKET NVIM"
    " NVIM_LISTEN_ADDRESS SWAYSOCK I3SOCK HYPRLAND_INSTANCE_SIGNATURE WATCHMAN_SOCK BASH_ENV ENV"
    " LD_PRELOAD LD_AUDIT"
)
_OUTSIDE = frozenset(_OUTSIDE_NAMES.split())
_SOCKET_NAME = re.compile(r"_(?:SOCK|SOCKET|IPC_HOOK|IPC_HOOK_CLI|IPC_HANDLE)(?:_PATH)?\Z")
_SOCKET_VALUE = re.compile(r"(?:unix|unixexec|npipe|fd):", re.IGNORECASE)
_TEMPORARY = ("TMPDIR", "TMP", "TEMP", "TEMPDIR")


def inside(environ: Mapping[str, str], home: str, temporary: str, cwd: str) -> dict[str, str]:
    """The variables of a command, from those that it would have without a sandbox.

    Caches go to `temporary`, because the home is read-only.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _OUTSIDE and not _SOCKET_NAME.search(name) and not _SOCKET_VALUE.match(value)
    }
    cache = f"{temporary}/.cache"
    return {
        **{name: value for name, value in kept.items() if name not in _TEMPORARY},
        "HOME": home,
        "TMPDIR": temporary,
        "PWD": cwd,
        "XDG_CACHE_HOME": cache,
        "npm_config_cache": f"{cache}/npm",
    }
