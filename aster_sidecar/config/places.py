"""The directories of settings, data and logs on each platform. Imports nothing slow."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STORE_NAME = "aster.db"
"""The store's file, in the data directory."""


class Places:
    """The daemon's directories. Source: docs/protocol.md.

    `daemons_dir` has the list of running daemons (daemon/running_daemons.py); --data-dir does not change it.
    """

    __slots__ = ("config_dir", "daemons_dir", "data_dir", "logs_dir")

    def __init__(self, config_dir: Path, data_dir: Path, logs_dir: Path, daemons_dir: Path) -> None:
        self.config_dir = config_dir
        self.data_dir = data_dir
        self.logs_dir = logs_dir
        self.daemons_dir = daemons_dir

    @property
    def config_path(self) -> Path:
        return self.config_dir / "config.toml"


def places(
    environment: Mapping[str, str],
    platform: str = sys.platform,
    data_dir: Path | None = None,
    config_dir: Path | None = None,
) -> Places:
    """The platform's directories; with `data_dir`, all are inside it, so that two apps never share files."""
    from pathlib import Path

    home, data = home_of(environment), Path(usual_data_dir(environment, platform))
    if platform in ("darwin", "win32"):
        usual = Places(data, data, data, data / "daemons")
    else:
        state = Path(xdg("XDG_STATE_HOME", ".local/state", environment, home))
        config = Path(xdg("XDG_CONFIG_HOME", ".config", environment, home))
        usual = Places(config, data, state / "logs", state / "daemons")
    if data_dir is not None:
        return Places(config_dir or data_dir, data_dir, data_dir / "logs", usual.daemons_dir)
    return Places(config_dir or usual.config_dir, usual.data_dir, usual.logs_dir, usual.daemons_dir)


def usual_data_dir(environment: Mapping[str, str], platform: str = sys.platform) -> str:
    """The platform's data directory."""
    home = home_of(environment)
    if platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "aster")
    if platform == "win32":
        return os.path.join(roaming(environment, home), "aster")
    return xdg("XDG_DATA_HOME", ".local/share", environment, home)


def home_of(environment: Mapping[str, str]) -> str:
    """The user's home directory."""
    return environment.get("HOME") or environment.get("USERPROFILE") or os.path.expanduser("~")


def xdg(name: str, default: str, environment: Mapping[str, str], home: str) -> str:
    """Aster's directory in one that the XDG base directory specification names; relative paths are ignored."""
    given = environment.get(name, "")
    return os.path.join(given if os.path.isabs(given) else os.path.join(home, default), "aster")


def roaming(environment: Mapping[str, str], home: str) -> str:
    """%APPDATA%. If the launcher cleared the environment, Windows is asked, because the folder can be redirected."""
    given = environment.get("APPDATA")
    if not given and sys.platform == "win32":
        from platformdirs import user_data_path

        return str(user_data_path(roaming=True))
    return given or os.path.join(home, "AppData", "Roaming")
