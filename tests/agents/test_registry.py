"""Agents from code and files: which source an id belongs to, what is refused, and when files are read again."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.registry import FILES_MOST, Agents, Places
from aster_sidecar.agents.spec import FILE_BYTES, AgentSpec, Known
from aster_sidecar.errors import AgentNotFound, ConfigInvalid

TOOLS = ["read_file", "write_file"]
KNOWN = Known(lambda name: name in TOOLS, lambda: TOOLS, lambda name: None)


class House:
    """A user's agents directory and a project, and the agents that are read from both."""

    def __init__(self, home: Path, own: AppCode | None = None) -> None:
        self.user = home / "config" / "agents"
        self.project = home / "project"
        self.theirs = self.project / ".aster" / "agents"
        self.user.mkdir(parents=True)
        self.theirs.mkdir(parents=True)
        self.trusted = True
        self.changes = 0
        places = Places(self.user, lambda: self.project if self.trusted else None)
        self.agents = Agents(own or AppCode(), places, KNOWN)
        self.agents.changed.subscribe(self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def put(self, folder: Path, name: str, text: str = "description: x\n") -> Path:
        (folder / name).write_text(text, "utf-8")
        return folder / name

    def ids(self) -> list[str]:
        return [spec.agent_id for spec in self.agents.list()]

    def problems(self) -> list[tuple[str, int | None, str]]:
        self.agents.refresh()
        return [(Path(p.path).name, p.line, p.reason) for p in self.agents.problems]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there are no such names")
def test_a_file_whose_name_is_not_utf_8_is_a_problem_that_can_be_shown(house: House) -> None:
    house.put(house.theirs, os.fsdecode(b"\xff.yaml"))
    [(name, _, reason)] = house.problems()
    assert name == "\\xff.yaml"
    assert "the name of the file" in reason
    reason.encode()


def test_default_is_there_without_any_file(house: House) -> None:
    assert house.ids() == ["default"]
    assert house.agents.get("default").source == "builtin"


def test_files_of_both_directories_are_agents_and_others_are_not(house: House) -> None:
    house.put(house.user, "cook.yaml")
    house.put(house.theirs, "gardener.yml")
    for name in ("README.md", ".hidden.yaml", "cook.yaml~"):
        house.put(house.user, name, "{")
    assert house.ids() == ["default", "cook", "gardener"]
    assert [(s.source, s.path) for s in house.agents.list()[1:]] == [
        ("user", str(house.user / "cook.yaml")),
        ("project", str(house.theirs / "gardener.yml")),
    ]
    assert house.problems() == []


def test_a_broken_file_is_named_and_the_others_work(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.put(house.user, "good.yaml")
    house.put(house.user, "bad.yaml", "name: a\ntool: b\n")
    assert house.ids() == ["default", "good"]
    [(name, line, reason)] = house.problems()
    assert (name, line) == ("bad.yaml", 2)
    assert "unknown field 'tool'" in reason
    assert f"{house.user / 'bad.yaml'}:2: unknown field" in caplog.text
    caplog.clear()
    house.agents.refresh()
    assert caplog.text == ""
    with pytest.raises(AgentNotFound, match=r"bad\.yaml:2: unknown field 'tool'"):
        house.agents.get("bad")


def test_the_person_s_agent_comes_before_the_project_s_and_the_collision_is_named(house: House) -> None:
    mine = house.put(house.user, "cook.yaml", "description: mine\n")
    house.put(house.theirs, "cook.yaml", "description: theirs\n")
    assert house.agents.get("cook").description == "mine"
    assert house.problems() == [("cook.yaml", None, f"not used: the id is taken by your own file {mine}")]
    mine.unlink()
    assert house.agents.get("cook").description == "theirs"
    assert house.problems() == []


@pytest.mark.parametrize("place", ["user", "theirs"])
def test_no_file_replaces_default(house: House, place: str) -> None:
    house.put(getattr(house, place), "default.yaml", "description: mine\n")
    assert house.agents.get("default").description != "mine"
    [(_, _, reason)] = house.problems()
    assert "'default' is built in" in reason


def test_the_code_s_agents_come_first_and_may_replace_default(tmp_path: Path) -> None:
    specs = (AgentSpec("default", "Mine", "", "x", source="code"), AgentSpec("cook", "Cook", "", "x", source="code"))
    own = AppCode(specs)
    house = House(tmp_path, own)
    house.put(house.user, "cook.yaml")
    assert [spec.name for spec in house.agents.list()] == ["Mine", "Cook"]
    assert house.problems() == [("cook.yaml", None, "not used: the id is taken by the app's own code")]


def test_two_files_of_one_id_are_named(house: House) -> None:
    house.put(house.user, "cook.yaml", "description: first\n")
    house.put(house.user, "cook.yml", "description: second\n")
    assert house.agents.get("cook").description == "first"
    assert house.problems()[0][0] == "cook.yml"


def test_what_changes_is_seen_and_told_once(house: House) -> None:
    steps = [
        (lambda: house.put(house.user, "cook.yaml", "description: one\n"), "one"),
        (lambda: house.put(house.user, "cook.yaml", "description: two\n"), "two"),
        (lambda: house.put(house.user, "cook.yaml", "nonsense: two\n"), None),
        (lambda: house.put(house.user, "cook.yaml", "description: six\n"), "six"),
        (lambda: (house.user / "cook.yaml").unlink(), None),
    ]
    for number, (step, told) in enumerate(steps, 1):
        step()
        found = {spec.agent_id: spec.description for spec in house.agents.list()}.get("cook")
        house.agents.refresh()
        assert (found, house.changes) == (told, number)
    with pytest.raises(AgentNotFound, match=r"its file .*cook\.yaml was removed"):
        house.agents.get("cook")


def test_a_change_that_keeps_size_and_time_stamp_is_seen_while_the_file_is_fresh(house: House) -> None:
    path = house.put(house.user, "cook.yaml", "description: one\n")
    stamp = time.time_ns() + 60_000_000_000  # the time stamp is in the future: the file counts as fresh for a minute
    os.utime(path, ns=(stamp, stamp))
    assert house.agents.get("cook").description == "one"
    path.write_text("description: two\n", "utf-8")
    os.utime(path, ns=(stamp, stamp))
    assert house.agents.get("cook").description == "two"


def test_a_file_that_only_got_older_is_no_change(house: House) -> None:
    path = house.put(house.user, "cook.yaml")
    house.agents.refresh()
    assert house.changes == 1
    os.utime(path, (1, 1))
    house.agents.refresh()
    assert (house.changes, house.ids()) == (1, ["default", "cook"])


def test_trust_comes_and_goes(house: House) -> None:
    house.put(house.theirs, "gardener.yaml")
    house.trusted = False
    assert house.ids() == ["default"]
    house.trusted = True
    assert house.ids() == ["default", "gardener"]
    house.trusted = False
    assert house.ids() == ["default"]
    assert house.changes == 2


def test_trust_that_can_t_be_read_is_named(tmp_path: Path) -> None:
    def project() -> Path | None:
        raise ConfigInvalid("trusted.json: broken")

    agents = Agents(AppCode(), Places(None, project), KNOWN)
    assert [problem.reason for problem in agents.problems] == ["trusted.json: broken"]
    assert agents.get("default")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_project_s_links_are_not_followed_and_tell_nothing(house: House, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password=hunter2: x\n")
    (house.theirs / "spy.yaml").symlink_to(secret)
    (house.user / "mine.yaml").symlink_to(house.put(tmp_path, "elsewhere", "description: x\n"))
    assert house.ids() == ["default", "mine"]
    [(name, _, reason)] = house.problems()
    assert (name, reason) == ("spy.yaml", "a project's agent must be a file, not a link")
    for entry in house.theirs.iterdir():
        entry.unlink()
    house.theirs.rmdir()
    house.theirs.symlink_to(tmp_path)
    house.put(tmp_path, "outside.yaml")
    assert house.ids() == ["default", "mine"]
    assert "a link" in house.problems()[0][2]


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
def test_what_is_no_ordinary_file_does_not_hold_anybody_up(house: House) -> None:
    os.mkfifo(house.user / "pipe.yaml")
    (house.user / "folder.yaml").mkdir()
    (house.user / "nowhere.yaml").symlink_to(house.user / "gone")
    assert house.ids() == ["default"]
    assert {name: reason for name, _, reason in house.problems()} == {
        "pipe.yaml": "not a regular file",
        "folder.yaml": "not a regular file",
        "nowhere.yaml": "it can't be read: No such file or directory",
    }


def test_files_are_bounded_in_size_and_number_and_are_text(house: House) -> None:
    house.put(house.user, "big.yaml", "description: " + "x" * FILE_BYTES)
    (house.user / "latin.yaml").write_bytes("name: a\ndescription: ü\n".encode("latin-1"))
    house.put(house.user, "bom.yaml", "\ufeffdescription: x\n")
    assert house.ids() == ["default", "bom"]
    assert [(name, line) for name, line, _ in house.problems()] == [("big.yaml", None), ("latin.yaml", 2)]
    for number in range(FILES_MOST):
        house.put(house.theirs, f"n{number:03}.yaml")
    house.put(house.theirs, "z.yaml")
    assert len(house.ids()) == 2 + FILES_MOST
    assert (house.problems()[-1][0], house.problems()[-1][2]) == (
        "agents",
        f"only the first {FILES_MOST} files are read",
    )


def test_an_agent_s_mode_only_makes_the_configured_one_stricter(house: House) -> None:
    path = house.put(house.user, "careful.yaml", "permission_mode: always_ask\n")
    house.put(house.theirs, "bold.yaml", "permission_mode: auto_approve\n")
    house.agents.refresh()
    assert house.agents.mode("careful", "auto_approve") == "always_ask"
    assert house.agents.mode("bold", "smart_approve") == "smart_approve"
    assert house.agents.mode("default", "smart_approve") == "smart_approve"
    path.unlink()
    house.agents.refresh()
    assert house.agents.mode("careful", "auto_approve") == "always_ask"
