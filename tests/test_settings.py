"""Where files live on each system, and which layer wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar import wire
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.settings import Config, Settings, places

HOME = {"HOME": "/home/ada"}


@pytest.mark.parametrize(
    ("platform", "environment", "config", "data", "logs"),
    [
        (
            "linux",
            HOME,
            "/home/ada/.config/aster",
            "/home/ada/.local/share/aster",
            "/home/ada/.local/state/aster/logs",
        ),
        (
            "linux",
            {**HOME, "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"},
            "/c/aster",
            "/d/aster",
            "/s/aster/logs",
        ),
        (
            "linux",
            {**HOME, "XDG_CONFIG_HOME": "relative"},
            "/home/ada/.config/aster",
            "/home/ada/.local/share/aster",
            "/home/ada/.local/state/aster/logs",
        ),
        ("darwin", HOME, *["/home/ada/Library/Application Support/aster"] * 3),
        ("win32", {"USERPROFILE": "/u", "APPDATA": "/u/AppData/Roaming"}, *["/u/AppData/Roaming/aster"] * 3),
    ],
)
def test_the_seeds_path_table(platform: str, environment: dict[str, str], config: str, data: str, logs: str) -> None:
    found = places(environment, platform)
    assert (found.config_dir, found.data_dir, found.logs_dir) == (Path(config), Path(data), Path(logs))


def test_with_a_data_directory_everything_lives_in_there() -> None:
    found = places(HOME, "linux", data_dir=Path("/app/aster"))
    assert {found.config_dir, found.data_dir, found.logs_dir.parent} == {Path("/app/aster")}


def config(tmp_path: Path, **fields: object) -> Config:
    return Config(Settings("web", 0, places(HOME, "linux", data_dir=tmp_path), started_in=tmp_path, **fields))  # type: ignore[arg-type]


def test_flags_beat_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("max_requests = 3\nmax_tool_calls = 3\nmax_tokens = 3\n")
    made = config(
        tmp_path,
        flags={"max_requests": 1},
        environment={**HOME, "ASTER_MAX_REQUESTS": "2", "ASTER_MAX_TOOL_CALLS": "2"},
    )
    told = {
        key: (made.sourced(key).value, made.sourced(key).source)
        for key in ("max_requests", "max_tool_calls", "max_tokens", "max_turn_s")
    }
    assert told == {
        "max_requests": (1, "flag"),
        "max_tool_calls": (2, "environment"),
        "max_tokens": (3, "file"),
        "max_turn_s": (3600.0, "default"),
    }
    made.change(wire.ConfigPatch(max_requests=9))
    assert (made.value("max_requests"), made.sourced("max_requests").source) == (9, "api")
    made.change(wire.ConfigPatch.model_validate({"max_requests": None}))
    assert made.sourced("max_requests").source == "flag"


@pytest.mark.parametrize("variable", ["ASTER_MAX_REQUESTS", "ASTER_PERMISSION_MODE", "ASTER_MAX_TURN_S"])
def test_a_bad_variable_is_named(tmp_path: Path, variable: str) -> None:
    with pytest.raises(ConfigInvalid, match=variable.removeprefix("ASTER_").lower()):
        config(tmp_path, environment={**HOME, variable: "nonsense"})


def test_a_start_in_the_home_or_root_directory_works_in_the_data_directory(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    made = Config(
        Settings(
            "web", 0, places({}, "linux", data_dir=tmp_path / "data"), started_in=home, environment={"HOME": str(home)}
        )
    )
    assert made.work_dir == (tmp_path / "data" / "workspace").resolve()
    assert made.work_dir.is_dir()
