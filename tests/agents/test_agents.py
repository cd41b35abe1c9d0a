"""Agents from files: what is read, what is refused and where, who an id belongs to, and when files are read again."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import get_args

import pytest

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.registry import FILES_MOST, Agents, Places
from aster_sidecar.agents.spec import (
    ALLOWED,
    ALLOWED_SETTINGS,
    FILE_BYTES,
    INSTRUCTIONS,
    REFUSED,
    AgentFile,
    AgentSpec,
    Broken,
    Known,
    ModelSettings,
    parse,
)
from aster_sidecar.errors import AgentNotFound, ConfigInvalid
from aster_sidecar.models.catalog import misnamed
from tests.contract.test_protocol_doc import DOCUMENT, ROOT, missing, rows, section

TOOLS = ["read_file", "write_file"]
KNOWN = Known(lambda name: name in TOOLS, lambda: TOOLS, misnamed)


def spec_of(text: str, agent_id: str = "helper") -> AgentSpec:
    return parse(agent_id, text, KNOWN, "user", f"/agents/{agent_id}.yaml")


def reasons(text: str, agent_id: str = "helper") -> list[tuple[int | None, str]]:
    with pytest.raises(Broken) as caught:
        spec_of(text, agent_id)
    return list(caught.value.reasons)


# -- one file ----------------------------------------------------------------------------------------------------------


def test_every_field_is_read() -> None:
    spec = spec_of(
        """\
# yaml-language-server: $schema=./agent_schema.json
$schema: ./agent_schema.json
name: The helper
description: |
  Helps.
model: openai:gpt-5.2
instructions:
  - Help.
  - Be brief.
model_settings:
  temperature: 1
  max_tokens: 500
  stop_sequences: [END]
  thinking: low
retries: 0
tool_timeout: 2.5
tools: [read_file]
permission_mode: always_ask
"""
    )
    assert spec == AgentSpec(
        "helper",
        "The helper",
        "Helps.",
        "Help.\n\nBe brief.",
        "openai:gpt-5.2",
        ("read_file",),
        {"temperature": 1.0, "max_tokens": 500, "stop_sequences": ["END"], "thinking": "low"},
        "always_ask",
        0,
        2.5,
        "user",
        "/agents/helper.yaml",
    )


def test_what_is_left_out_is_as_with_the_default_agent() -> None:
    spec = spec_of("description: x\n")
    assert (spec.name, spec.instructions, spec.model, spec.tools) == ("helper", INSTRUCTIONS, None, None)
    assert (spec.permission_mode, spec.retries, spec.tool_timeout_s, spec.model_settings) == (None, 2, None, {})
    assert spec_of("tools: []\n").tools == ()


WRONG = {
    "unknown field": ("name: a\ntool: [read_file]\n", 2, "unknown field 'tool'; allowed: $schema, model"),
    "capabilities": ("name: a\n\ncapabilities:\n  - WebSearch\n", 3, "capabilities is not supported here"),
    "unknown tool": ("tools:\n  - read_file\n  - rm_rf\n", 3, "no tool 'rm_rf'; there are: read_file, write_file"),
    "tool twice": ("tools:\n  - read_file\n  - read_file\n", 3, "named twice"),
    "tools a text": ("tools: read_file\n", 1, "allowed: a list of"),
    "a server": ("mcp:\n  command: sh\n", 1, "unknown field 'mcp'"),
    "an address": ("model: http://evil.example/v1\n", 1, "not provider:name"),
    "unknown provider": ("name: a\nmodel: evil:gpt\n", 2, "providers: demo, openai"),
    "base url": ("model_settings:\n  base_url: http://x\n", 2, "unknown field 'base_url' in model_settings"),
    "headers": ("model_settings:\n  extra_headers: {a: b}\n", 2, "allowed: max_tokens, temperature"),
    "setting": ("model_settings:\n  seed: 1\n  temperature: hot\n", 3, "temperature: "),
    "setting too high": ("model_settings: {temperature: 3}\n", 1, "allowed: a number from 0 to 2"),
    "settings a list": ("model_settings: [a]\n", 1, "allowed: a mapping of max_tokens"),
    "mode": ("description: a\npermission_mode: never_ask\n", 2, "smart_approve, always_ask or auto_approve"),
    "retries": ("retries: 11\n", 1, "allowed: a whole number from 0 to 10"),
    "retries a truth": ("retries: true\n", 1, "allowed: a whole number"),
    "timeout": ("tool_timeout: 0\n", 1, "seconds above 0"),
    "name a date": ("name: 2026-11-21\n", 1, "name: "),
    "instructions a mapping": ("instructions:\n  a: b\n", 1, "allowed: text, or a list of texts"),
    "one instruction a number": ("instructions:\n  - a\n  - 1\n", 1, "instructions: "),
    "template": ("instructions: |\n  You help {{name}}.\n", 1, "is not filled in here"),
    "template in a list": ("instructions:\n  - a\n  - '{{name}}'\n", 3, "is not filled in here"),
    "not yaml": ("name: a\nmodel: b: c\n", 2, "not YAML: mapping values are not allowed"),
    "tab": ("name:\n\t- a\n", 2, "not YAML"),
    "unclosed": ("name: a\ntools: [read_file\n", 3, "not YAML"),
    "not a mapping": ("- a\n", 1, "not a mapping of fields"),
    "empty": ("", 1, "not a mapping of fields"),
    "twice": ("name: a\ndescription: b\nname: c\n", 3, "'name' is there twice"),
    "alias": ("name: &a b\ndescription: *a\n", 1, "anchors (&) and aliases (*)"),
    "tag": ("name: !!python/object/apply:os.system [id]\n", 1, "tags are not read"),
    "a tag of plain yaml": ("name: !!binary aGVsbG8=\n", 1, "tags are not read"),
    "merge": ("<<: {name: a}\n", 1, "a field's name must be plain text"),
    "number as a field": ("1: a\n", 1, "a field's name must be plain text"),
    "two documents": ("name: a\n---\nname: b\n", 2, "one file is one agent"),
    "deep": ("tools: " + "[" * 5000 + "]" * 5000 + "\n", 1, "levels deep"),
    "many": ("tools:\n" + "- a\n" * 5000, 1999, "2000 names and values"),
    "a control character": ("name: a\ndescription: \x07\n", 2, "not YAML"),
    "NUL": ('name: a\ninstructions: "a\\0b"\n', 2, "instructions: Value error, it holds NUL"),
    "a date that is none": ("name: 2026-13-99\n", None, "not YAML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_line_and_what_is_allowed(case: str) -> None:
    text, line, words = WRONG[case]
    found = reasons(text)
    assert (found[0][0], words in found[0][1]) == (line, True), found


def test_several_problems_of_a_file_are_named_in_order() -> None:
    found = reasons("retries: x\ntool: a\nmodel_settings:\n  top_p: 2\n")
    assert [line for line, _ in found] == [1, 2, 4]


@pytest.mark.parametrize("name", ["Helper", "a b", "ünter", "", "a" * 65, "..", "a.b"])
def test_a_file_s_name_must_be_an_id(name: str) -> None:
    assert "the name of the file is the agent's id" in reasons("name: a\n", name)[0][1]


def test_every_field_of_pydantic_ai_s_agent_spec_is_read_or_refused_by_name() -> None:
    from pydantic_ai.agent.spec import AgentSpec as Theirs

    theirs = {field.alias or name for name, field in Theirs.model_fields.items()}
    assert theirs - set(ALLOWED) == set(REFUSED)
    assert set(ALLOWED) - theirs == {"tools", "permission_mode"}


def test_every_setting_is_one_of_pydantic_ai_s() -> None:
    from pydantic_ai import ModelSettings as Theirs

    assert set(ModelSettings.model_fields) <= set(Theirs.__annotations__)
    refused = {"extra_headers", "extra_body", "timeout"}
    assert refused & set(ModelSettings.model_fields) == set()


# -- the pages ---------------------------------------------------------------------------------------------------------

FIELDS = {field.alias or name for name, field in AgentFile.model_fields.items()}


def test_the_words_for_what_is_allowed_cover_every_field() -> None:
    assert set(ALLOWED) == FIELDS
    assert set(ALLOWED_SETTINGS) == set(ModelSettings.model_fields)


def test_the_page_has_a_row_for_every_field_and_no_other() -> None:
    text = section(DOCUMENT, "Agents")
    table = rows(text)
    named = {re.findall(r"`([^`]+)`", row)[0] for row in table.values()}
    assert named == FIELDS
    settings = table["model_settings"]
    assert missing(settings, ModelSettings.model_fields) == []
    levels = get_args(get_args(ModelSettings.model_fields["thinking"].annotation)[1])
    assert missing(settings, levels) == []
    assert missing(text, REFUSED) == []


def test_the_page_s_example_is_an_agent() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", section(DOCUMENT, "Agents") + DOCUMENT, re.DOTALL)[:1]
    known = Known(lambda name: name in ("read_file", "list_dir", "search_files"), list, misnamed)
    assert parse("reviewer", example, known, "user", "x").permission_mode == "always_ask"


def test_the_python_page_has_every_parameter_and_no_other() -> None:
    import inspect

    from aster_sidecar import Agent, Sidecar, ToolContext, tool

    page = (ROOT / "docs" / "agents.md").read_text("utf-8")
    for made, title in ((Sidecar, "`Sidecar`"), (Agent, "`Agent`"), (tool, "`tool`")):
        part = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
        parameters = set(inspect.signature(made).parameters) - {"function"}
        named = {name for name in rows(part) if name != "default"}
        assert named == parameters, title
    part = page.split("\n## `ToolContext`\n")[1]
    told = {name.partition("(")[0] for name in rows(part)}
    assert told == {name for name in vars(ToolContext) if not name.startswith("_")}


# -- all of them -------------------------------------------------------------------------------------------------------


class House:
    """A configuration directory and a project, and the agents that are read from them."""

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
    assert house.problems() == [("cook.yaml", None, f"not used: the id is taken by the person's own {mine}")]
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
    with pytest.raises(AgentNotFound, match=r"its file .*cook\.yaml is gone"):
        house.agents.get("cook")


def test_a_change_that_keeps_size_and_time_stamp_is_seen_while_the_file_is_fresh(house: House) -> None:
    path = house.put(house.user, "cook.yaml", "description: one\n")
    stamp = time.time_ns() + 60_000_000_000  # it stays fresh for a minute, however slow the machine is
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
        "pipe.yaml": "not an ordinary file",
        "folder.yaml": "not an ordinary file",
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
