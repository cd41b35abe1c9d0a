"""Where files are on each system, which layer wins, and the file itself: its comments, and what a project may set."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from aster_sidecar.config import toml_file
from aster_sidecar.config.places import places
from aster_sidecar.config.settings import DEFAULTS, Config, Settings, validated
from aster_sidecar.config.toml_file import SETTINGS, template, toml, with_value, without, write_file, write_first
from aster_sidecar.config.trusted_projects import trust
from aster_sidecar.contract import wire
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.services.config import ALLOWED as SERVICE_KEYS
from aster_sidecar.services.config import service_specs
from aster_sidecar.tools.mcp.config import ALLOWED as MCP_KEYS
from aster_sidecar.tools.mcp.config import server_specs

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


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname != "Linux", reason="its log directory is not the seed's")
def test_the_table_agrees_with_platformdirs_on_this_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ({}, {"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "relative"}):
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            monkeypatch.delenv(name, raising=False)
            if name in given:
                monkeypatch.setenv(name, given[name])
        theirs = platformdirs.PlatformDirs("aster")
        ours = places(dict(os.environ))
        assert (ours.config_dir, ours.data_dir) == (theirs.user_config_path, theirs.user_data_path)
        assert ours.logs_dir.parent == theirs.user_state_path


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


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("", None)])
def test_vision_is_a_choice_of_three(tmp_path: Path, text: str, value: bool | None) -> None:
    assert config(tmp_path, environment={**HOME, "ASTER_VISION": text}).value("vision") is value
    (tmp_path / "config.toml").write_text(f"vision = {text or toml(None)}\n")
    made = config(tmp_path)
    assert made.value("vision") is value
    made.change(wire.ConfigPatch(vision=True))
    assert made.value("vision") is True
    made.change(wire.ConfigPatch.model_validate({"vision": None}))
    assert made.value("vision") is None


@pytest.mark.parametrize(
    "variable", ["ASTER_VISION", "ASTER_MAX_REQUESTS", "ASTER_PERMISSION_MODE", "ASTER_MAX_TURN_S"]
)
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


# -- the file ----------------------------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    """The file after "# " was removed from every line that shows a key or a table."""
    return re.sub(r"(?m)^# (?=\w+ = |\[)", "", text)


def test_the_first_file_shows_every_key_with_its_default_and_holds_nothing() -> None:
    assert tomllib.loads(template()) == {}
    shown = tomllib.loads(uncommented(template()))
    servers, services = shown.pop("mcp"), shown.pop("services")
    assert set(shown) == set(DEFAULTS) == set(wire.ConfigPatch.model_fields)
    assert {key: shown[key] or None for key in shown} == {key: DEFAULTS[key] or None for key in DEFAULTS}
    assert [spec.name for spec in server_specs(servers)] == ["example", "example-at-an-address"]
    assert {key for table in servers.values() for key in table} == set(MCP_KEYS)
    assert {key for table in services.values() for key in table} == set(SERVICE_KEYS)
    [example] = service_specs(services)
    plain = service_specs({"example": {"command": [*example.argv]}})[0]
    bare = example.model_copy(update={"command": example.argv, "args": (), "env": {}, "cwd": None})
    assert bare == plain, "the defaults that the file shows are the real defaults"


def test_uncommenting_every_line_is_a_valid_configuration_with_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(uncommented(template()), "utf-8")
    made, plain = config(tmp_path), config(tmp_path / "nothing")
    assert made.problems == []
    assert {key: made.value(key) for key in DEFAULTS if key != "work_dir"} == {
        key: plain.value(key) for key in DEFAULTS if key != "work_dir"
    }
    assert made.work_dir == tmp_path.resolve()
    assert {made.sourced(key).source for key in DEFAULTS if DEFAULTS[key] is not None} == {"file"}
    assert made.sourced("vision").source == "default", "an empty one is not set"


@pytest.mark.parametrize("key", SETTINGS)
def test_what_is_said_to_be_allowed_is_what_is_checked(key: str) -> None:
    schema = wire.ConfigPatch.model_json_schema()["properties"][key]["anyOf"][0]
    for bound in ("minimum", "exclusiveMinimum", "maximum", "maxLength"):
        if bound in schema:
            assert re.search(rf"\b{int(schema[bound])}\b", SETTINGS[key].allowed)
    for word in schema.get("enum", []):
        assert word in SETTINGS[key].allowed
    assert SETTINGS[key].what in template()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pass_environment": ["A B"]}, "'A B' is not the name of a variable"),
        ({"pass_environment": ["A=b"]}, "'A=b' is not the name of a variable"),
        ({"pass_environment": [""]}, "'' is not the name of a variable"),
        ({"pass_environment": ["1A"]}, "'1A' is not the name of a variable"),
        ({"pass_environment": ["*"]}, "'\\*' is not the name of a variable"),
        ({"pass_environment": ["aster_sidecar_token"]}, "the daemon's token is for its clients"),
        ({"pass_environment": {"A": "b"}}, "pass_environment"),
        ({"command_path": "on"}, "neither auto, login nor inherit"),
        ({"command_path": "/usr/bin:bin"}, "neither auto, login nor inherit"),
        ({"command_path": ""}, "neither auto, login nor inherit"),
    ],
)
def test_what_is_no_variable_and_no_path_is_refused(values: dict[str, Any], words: str) -> None:
    for where in ("request", "flag", "config.toml"):
        with pytest.raises(ConfigInvalid, match=words) as refused:
            validated(values, where)
        assert refused.value.hint


def test_names_of_variables_are_a_list_or_words_with_commas(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('pass_environment = ["A_*", "PROGRAMFILES(X86)"]\n')
    assert config(tmp_path).value("pass_environment") == ["A_*", "PROGRAMFILES(X86)"]
    made = config(tmp_path, environment={**HOME, "ASTER_PASS_ENVIRONMENT": "A, B_*,C D"})
    assert made.value("pass_environment") == ["A", "B_*", "C", "D"]
    assert config(tmp_path, flags={"pass_environment": "E"}).value("pass_environment") == ["E"]
    made.change(wire.ConfigPatch(pass_environment=["F"]))
    assert made.sourced("pass_environment") == wire.ConfigValue(value=["F"], source="api")
    assert tomllib.loads((tmp_path / "config.toml").read_text()) == {"pass_environment": ["F"]}
    with pytest.raises(ConfigInvalid):
        validated({"pass_environment": "A,B"}, "request")


def test_the_first_file_is_for_its_owner_and_never_takes_another_s_place(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    write_first(path)
    assert path.read_text("utf-8") == template()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    path.write_text("max_requests = 1\n")
    write_first(path)
    assert path.read_text() == "max_requests = 1\n"
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    write_first(path)
    assert path.is_symlink()
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("lost", [OSError, FileExistsError])
def test_the_first_file_where_links_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: type[OSError]
) -> None:
    """A file system without links gets the file. A file that another daemon wrote first is kept."""
    path = tmp_path / "config.toml"

    def link(*_: object) -> None:
        if lost is FileExistsError:
            path.write_text("# theirs\n")
        raise lost(1, "no")

    monkeypatch.setattr(toml_file.os, "link", link)
    write_first(path)
    assert path.read_text("utf-8") == ("# theirs\n" if lost is FileExistsError else template())
    assert list(tmp_path.iterdir()) == [path]


SAMPLES: dict[str, Any] = {
    "model": "openai:gpt-5.2",
    "vision": True,
    "permission_mode": "always_ask",
    "approval_timeout_s": 60.5,
    "on_unattended": "deny",
    "max_requests": 3,
    "max_tool_calls": 4,
    "max_tokens": 5,
    "max_turn_s": 6.0,
    "changes_keep_days": 7,
    "changes_keep_mb": 64,
    "audit_keep_days": 90,
    "sandbox": "auto",
    "pass_environment": ["AWS_PROFILE", "MY_*"],
    "command_path": "inherit",
}


@pytest.mark.parametrize("key", SAMPLES)
def test_a_change_is_put_below_its_comment_and_taken_away_without_a_trace(key: str) -> None:
    changed = with_value(template(), key, SAMPLES[key])
    assert tomllib.loads(changed) == {key: SAMPLES[key]}
    lines = changed.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith(f"{key} = "))
    assert lines[place - 1].startswith(f"# {key} = ")
    again = with_value(changed, key, SAMPLES[key])
    assert again == changed
    assert without(changed, key) == template()


def test_all_keys_at_once_in_a_file_with_tables() -> None:
    text = uncommented(template()).split("# MCP servers")[1]
    text = template().split("\n# MCP servers")[0] + "\n# MCP servers" + text
    servers = tomllib.loads(text)
    for key, value in SAMPLES.items():
        text = with_value(text, key, value)
    assert tomllib.loads(text) == {**SAMPLES, **servers}
    for key in SAMPLES:
        text = without(text, key)
    assert tomllib.loads(text) == servers


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "[mcp.a]\ncommand = 'x'\n",
        "[mcp.a]\ncommand = 'x'\n# max_requests = 5\n",
        'model = """\n# max_requests = 50\n"""\n',
        "# max_requests = 50",
        "# max_requests = 50\r\nmodel = 'demo' # why\r\n",
        "   #max_requests=50\n[mcp.a]\ncommand='x' # c\n",
        "max_requests = 50 # as she said\nmodel = 'demo'\n",
        "'max_requests' = 50\n",
        "max_tokens = 1 # one\n\n\n# end\n",
    ],
)
def test_a_change_keeps_everything_else_in_any_file(text: str) -> None:
    before = tomllib.loads(text)
    changed = with_value(text, "max_requests", 7)
    assert tomllib.loads(changed) == {**before, "max_requests": 7}
    gone = without(changed, "max_requests")
    assert tomllib.loads(gone) == {key: value for key, value in before.items() if key != "max_requests"}
    for comment in re.findall(r"#[^\r\n]*", text):
        assert comment in changed
        assert comment in gone
    assert changed.count("\r\n") >= text.count("\r\n")


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles" / "aster.toml").write_text("# mine\n")
    (tmp_path / "config.toml").symlink_to(tmp_path / "dotfiles" / "aster.toml")
    write_file(tmp_path / "config.toml", {"max_requests": 2})
    assert (tmp_path / "config.toml").is_symlink()
    assert (tmp_path / "dotfiles" / "aster.toml").read_text() == "# mine\nmax_requests = 2\n"


def test_a_change_to_a_file_that_was_removed_writes_the_whole_of_it_again(tmp_path: Path) -> None:
    write_file(tmp_path / "config.toml", {"model": "demo"})
    assert (tmp_path / "config.toml").read_text("utf-8") == with_value(template(), "model", "demo")


def test_a_file_of_an_editor_that_marks_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbfmax_requests = 8\r\n")
    assert config(tmp_path).value("max_requests") == 8


def test_an_unknown_key_is_named_and_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("max_request = 8\nmax_tokens = 9\n")
    made = config(tmp_path)
    assert made.value("max_tokens") == 9
    assert len(made.problems) == 1
    assert "max_request," in made.problems[0]


def test_servers_that_are_no_table_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mcp = 3\n")
    with pytest.raises(ConfigInvalid, match="mcp is not a table"):
        config(tmp_path)


def test_a_server_with_a_name_that_is_not_allowed_is_a_problem_and_ignored(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[mcp.Files]\ncommand = 'x'\n[mcp.b]\ncommand = 3\n")
    [problem] = config(tmp_path).problems
    assert problem.endswith("[mcp.Files]: the name is not allowed, ignored (allowed: 1 to 32 of a-z, 0-9, _ and -)")


# -- the project -------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / ".aster").mkdir(parents=True)
    (tmp_path / "project" / "src").mkdir()
    return (tmp_path / "project").resolve()


def in_project(tmp_path: Path, project: Path, text: str | bytes, **fields: Any) -> Config:
    """The configuration of a daemon that works in the project; its own files are in another directory."""
    told = text.encode() if isinstance(text, str) else text
    (project / ".aster" / "config.toml").write_bytes(told)
    own = tmp_path / "own"
    own.mkdir(exist_ok=True)
    return Config(Settings("web", 0, places(HOME, "linux", data_dir=own), started_in=project / "src", **fields))


def test_a_project_is_read_where_it_is_trusted_only(tmp_path: Path, project: Path) -> None:
    made = in_project(tmp_path, project, "max_requests = 7\n")
    assert made.sourced("max_requests") == wire.ConfigValue(value=50, source="default")
    assert "not trusted" in made.problems[0]
    assert made.view({}).project is None
    trust(tmp_path / "own", project, {})
    made = in_project(tmp_path, project, "max_requests = 7\n")
    assert made.sourced("max_requests") == wire.ConfigValue(value=7, source="project")
    assert made.problems == []
    assert made.view({}).project == str(project)


def test_a_project_stands_between_the_environment_and_the_user_s_file(tmp_path: Path, project: Path) -> None:
    trust(tmp_path / "own", project, {})
    (tmp_path / "own" / "config.toml").write_text("max_requests = 1\nmax_tool_calls = 1\nmax_tokens = 1\n")
    text = "max_requests = 2\nmax_tool_calls = 2\nmax_turn_s = 2\nmodel = 'demo'\n"
    made = in_project(
        tmp_path,
        project,
        text,
        flags={"model": "demo:instant"},
        environment={**HOME, "ASTER_MAX_TURN_S": "3"},
    )
    assert {
        key: (made.value(key), made.sourced(key).source) for key in DEFAULTS if key.startswith(("max", "model"))
    } == {
        "model": ("demo:instant", "flag"),
        "max_requests": (2, "project"),
        "max_tool_calls": (2, "project"),
        "max_tokens": (1, "file"),
        "max_turn_s": (3.0, "environment"),
    }
    made.change(wire.ConfigPatch(max_requests=9))
    assert made.sourced("max_requests").source == "api"
    made.change(wire.ConfigPatch.model_validate({"max_requests": None}))
    assert made.sourced("max_requests") == wire.ConfigValue(value=2, source="project")


FORBIDDEN = """
permission_mode = "auto_approve"
work_dir = "/"
data_dir = "/tmp/x"
config_dir = "/tmp/x"
allow_origins = ["https://example.com"]
allow_origin = "https://example.com"
OPENAI_BASE_URL = "https://example.com"
base_url = "https://example.com"
token = "x"
port = 1
max_tokens = 6
[mcp.evil]
command = "evil"
[services.evil]
command = "evil"
autostart = true
[environment]
OPENAI_BASE_URL = "https://example.com"
"""


def test_what_a_project_may_not_set_is_ignored_and_named(tmp_path: Path, project: Path) -> None:
    trust(tmp_path / "own", project, {})
    made = in_project(tmp_path, project, FORBIDDEN)
    assert made.value("max_tokens") == 6
    assert made.value("permission_mode") == "smart_approve"
    assert made.work_dir == project / "src"
    assert {key for key in DEFAULTS if made.sourced(key).source == "project"} == {"max_tokens"}
    named = {re.search(r"'(\w+)'", problem).group(1) for problem in made.problems}  # type: ignore[union-attr]
    assert named == set(tomllib.loads(FORBIDDEN)) - {"max_tokens"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_requests = 0\nmax_tokens = 5\n", "max_requests = '0'"),
        ("max_requests = 'many'\nmax_tokens = 5\n", "max_requests = 'many'"),
        ("model = 3\nmax_tokens = 5\n", "model = '3'"),
        ("max_tokens = 5\nbroken = \n", "config.toml"),
        (b"\xff\xfe", "config.toml"),
        ("#" * 70_000, "larger"),
    ],
)
def test_a_broken_project_file_is_a_problem_and_no_failure(
    tmp_path: Path, project: Path, text: str | bytes, says: str
) -> None:
    trust(tmp_path / "own", project, {})
    made = in_project(tmp_path, project, text)
    assert len(made.problems) == 1
    assert says in made.problems[0]
    assert made.value("max_requests") == 50
    assert made.value("max_tokens") == (5 if says.startswith(("max", "model")) else 2_000_000)


@pytest.mark.skipif(os.name != "posix", reason="no FIFOs")
def test_a_project_file_that_is_no_file_does_not_hang(tmp_path: Path, project: Path) -> None:
    trust(tmp_path / "own", project, {})
    made = in_project(tmp_path, project, "")
    (project / ".aster" / "config.toml").unlink()
    os.mkfifo(project / ".aster" / "config.toml")
    made.read_project()
    assert "not a regular file" in made.problems[0]


def test_a_damaged_list_of_trust_is_a_problem_and_trusts_nobody(tmp_path: Path, project: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "trusted.json").write_text("{")
    made = in_project(tmp_path, project, "max_requests = 7\n")
    assert made.value("max_requests") == 50
    assert "trusted.json" in made.problems[0]


def test_another_work_directory_is_another_project(tmp_path: Path, project: Path) -> None:
    trust(tmp_path / "own", project, {})
    made = in_project(tmp_path, project, "max_requests = 7\n")
    changed = made.change(wire.ConfigPatch(work_dir=str(tmp_path)))
    assert set(changed) == {"work_dir", "max_requests"}
    assert made.sourced("max_requests").source == "default"
    changed = made.change(wire.ConfigPatch(work_dir=str(project)))
    assert changed["max_requests"] == wire.ConfigValue(value=7, source="project")


def test_a_work_directory_in_the_data_directory_moves_with_it(tmp_path: Path) -> None:
    one = tmp_path / "one"
    (one / "workspace").mkdir(parents=True)
    config(one).change(wire.ConfigPatch(work_dir=str(one / "workspace")))
    assert str(one) not in (one / "config.toml").read_text()
    one.rename(tmp_path / "two")
    assert config(tmp_path / "two").work_dir == (tmp_path / "two" / "workspace").resolve()
