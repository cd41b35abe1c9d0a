"""The directories of settings, data and logs on each platform. Imports nothing slow."""

from __future__ import annotations

import os
import sys
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
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or Path.home())

    def xdg(name: str, default: str) -> Path:
        given = environment.get(name, "")
        return (Path(given) if os.path.isabs(given) else home / default) / "aster"

    if platform == "darwin":
        base = home / "Library" / "Application Support" / "aster"
        usual = Places(base, base, base, base / "daemons")
    elif platform == "win32":
        base = roaming(environment, home) / "aster"
        usual = Places(base, base, base, base / "daemons")
    else:
        state = xdg("XDG_STATE_HOME", ".local/state")
        config, data = xdg("XDG_CONFIG_HOME", ".config"), xdg("XDG_DATA_HOME", ".local/share")
        usual = Places(config, data, state / "logs", state / "daemons")
    if data_dir is not None:
        return Places(config_dir or data_dir, data_dir, data_dir / "logs", usual.daemons_dir)
    return Places(config_dir or usual.config_dir, usual.data_dir, usual.logs_dir, usual.daemons_dir)


def roaming(environment: Mapping[str, str], home: Path) -> Path:
    """%APPDATA%. If the launcher cleared the environment, Windows is asked, because the folder can be redirected."""
    given = environment.get("APPDATA")
    if not given and sys.platform == "win32":
        from platformdirs import user_data_path

        return user_data_path(roaming=True)
    return Path(given) if given else home / "AppData" / "Roaming"
