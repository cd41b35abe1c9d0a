"""An agent's file: what is read, and what is refused with its line and the allowed values."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from aster_sidecar.agents.spec import (
    ALLOWED,
    ALLOWED_SETTINGS,
    INSTRUCTIONS,
    REFUSED,
    AgentFile,
    AgentSpec,
    Broken,
    Known,
    ModelSettings,
    parse,
)
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
    "unknown tool": ("tools:\n  - read_file\n  - rm_rf\n", 3, "unknown tool 'rm_rf'; available: read_file, write_file"),
    "tool twice": ("tools:\n  - read_file\n  - read_file\n", 3, "listed twice"),
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
    "template": ("instructions: |\n  You help {{name}}.\n", 1, "templates such as {{…}} are not supported"),
    "template in a list": ("instructions:\n  - a\n  - '{{name}}'\n", 3, "templates such as {{…}} are not supported"),
    "not yaml": ("name: a\nmodel: b: c\n", 2, "not YAML: mapping values are not allowed"),
    "tab": ("name:\n\t- a\n", 2, "not YAML"),
    "unclosed": ("name: a\ntools: [read_file\n", 3, "not YAML"),
    "not a mapping": ("- a\n", 1, "not a mapping of fields"),
    "empty": ("", 1, "not a mapping of fields"),
    "twice": ("name: a\ndescription: b\nname: c\n", 3, "'name' occurs twice"),
    "alias": ("name: &a b\ndescription: *a\n", 1, "anchors (&) and aliases (*)"),
    "tag": ("name: !!python/object/apply:os.system [id]\n", 1, "tags are not supported"),
    "a tag of plain yaml": ("name: !!binary aGVsbG8=\n", 1, "tags are not supported"),
    "merge": ("<<: {name: a}\n", 1, "a field's name must be plain text"),
    "number as a field": ("1: a\n", 1, "a field's name must be plain text"),
    "two documents": ("name: a\n---\nname: b\n", 2, "one file defines one agent"),
    "deep": ("tools: " + "[" * 5000 + "]" * 5000 + "\n", 1, "levels deep"),
    "many": ("tools:\n" + "- a\n" * 5000, 1999, "2000 names and values"),
    "a control character": ("name: a\ndescription: \x07\n", 2, "not YAML"),
    "NUL": ('name: a\ninstructions: "a\\0b"\n', 2, "instructions: Value error, it contains NUL"),
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
