"""Rules and a question that the version before scopes (schema 15) stored: they mean the same after the update."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest

from aster_sidecar.contract import wire
from aster_sidecar.errors import InvalidShape
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.policy.rules import Rules
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.schema import scripts
from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.builtin import builtin_tools
from aster_sidecar.tools.registry import Toolkit

SCHEMA = 15
LATER = "2999-01-01T00:00:00.000Z"
EARLIER = "2026-01-02T00:00:00.000Z"

# Rules as rows: id, decision, tool, kind, value, agent, session, expires_at. WORK stands for the work folder.
RULES: list[tuple[str | None, ...]] = [
    ("command", "allow", "run_command", "exact", "in WORK:\nnpm test", "a", None, None),
    ("command anywhere", "deny", "run_command", "exact", "git push", None, None, None),
    ("command here", "deny", "run_command", "exact", "in WORK:\nmake clean", None, None, None),
    ("no command in", "deny", "run_command", "beneath", "WORK/closed", None, None, None),
    ("folder", "allow", "write_file", "beneath", "WORK/docs", "a", None, None),
    ("file", "deny", "write_file", "exact", "WORK/docs/kept.md", None, None, None),
    ("secret file", "allow", "write_file", "exact", "WORK/docs/.env", "b", None, None),
    ("every tool in", "deny", "*", "beneath", "WORK/private", None, None, None),
    ("site", "allow", "fetch_url", "exact", "https://example.com:443", None, "s1", None),
    ("every edit", "deny", "edit_file", "any", "", "b", None, None),
    ("over", "allow", "delete_file", "any", "", None, None, EARLIER),
    ("not over", "allow", "move_file", "any", "", None, None, LATER),
]


class Case(NamedTuple):
    """A call, and what the version before decided about it: the verdict, and the id of the rule; None: the mode."""

    tool: str
    arguments: dict[str, Any]
    verdict: str
    rule: str | None = None
    agent: str = "a"
    session: str = "s1"


def write(path: str) -> dict[str, Any]:
    return {"path": path, "content": "x"}


def edit(path: str) -> dict[str, Any]:
    return {"path": path, "old": "x", "new": "y"}


def move(source: str, destination: str) -> dict[str, Any]:
    return {"source": source, "destination": destination}


CASES = [
    Case("run_command", {"command": "npm test"}, "allow", "command"),
    Case("run_command", {"command": "npm test"}, "ask", agent="b"),
    Case("run_command", {"command": "npm test -- x"}, "ask"),
    Case("run_command", {"command": "npm test && rm a.txt"}, "ask"),
    Case("run_command", {"command": "npm test", "cwd": "docs"}, "ask"),
    Case("run_command", {"command": "git push"}, "deny", "command anywhere"),
    Case("run_command", {"command": "git push", "cwd": "docs"}, "deny", "command anywhere"),
    Case("run_command", {"command": "git push origin"}, "ask"),
    Case("run_command", {"command": "make clean"}, "deny", "command here"),
    Case("run_command", {"command": "make clean", "cwd": "docs"}, "ask"),
    Case("run_command", {"command": "npm test", "cwd": "closed"}, "deny", "no command in"),
    Case("run_command", {"command": "ls", "cwd": "closed/inner"}, "deny", "no command in"),
    Case("run_command", {"command": "ls docs"}, "allow"),
    Case("write_file", write("docs/new.md"), "allow", "folder"),
    Case("write_file", write("docs/inner/new.md"), "allow", "folder", session="s2"),
    Case("write_file", write("docs/new.md"), "ask", agent="b"),
    Case("write_file", write("docs.md"), "ask"),
    Case("write_file", write("docs/kept.md"), "deny", "file"),
    Case("write_file", write("docs/.env"), "ask"),
    Case("write_file", write("docs/.env"), "allow", "secret file", agent="b"),
    Case("read_file", {"path": "docs/kept.md"}, "allow"),
    Case("read_file", {"path": "private/a.txt"}, "deny", "every tool in"),
    Case("write_file", write("private/b.txt"), "deny", "every tool in"),
    Case("list_dir", {"path": "private"}, "deny", "every tool in"),
    Case("move_file", move("a.txt", "private/a.txt"), "deny", "every tool in"),
    Case("fetch_url", {"url": "https://example.com/page?x=1"}, "allow", "site"),
    Case("fetch_url", {"url": "https://example.com/page"}, "ask", session="s2"),
    Case("fetch_url", {"url": "https://sub.example.com/"}, "ask"),
    Case("edit_file", edit("a.txt"), "deny", "every edit", agent="b"),
    Case("edit_file", edit("a.txt"), "ask"),
    Case("delete_file", {"path": "a.txt"}, "ask"),
    Case("move_file", move("a.txt", "b.txt"), "allow", "not over"),
    Case("read_file", {"path": "a.txt"}, "allow"),
]


class World(NamedTuple):
    work: Path
    rules: Rules
    approvals: Approvals
    toolkit: Toolkit


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder, and beside it a store of schema 15."""
    work = Path(tmp_path).resolve() / "work"
    for folder in ("docs/inner", "private", "closed/inner"):
        (work / folder).mkdir(parents=True)
    for file in ("a.txt", "docs/kept.md", "private/a.txt"):
        (work / file).write_text("x")
    with contextlib.closing(apsw.Connection(str(tmp_path / "store"))) as old:
        old.create_scalar_function("fold", lambda *texts: str(texts[0]).lower(), 1)
        old.execute("PRAGMA synchronous=OFF")
        for number, script in enumerate(scripts()[:SCHEMA], 1):
            old.execute(script.read_text("utf-8"))
            old.execute(f"PRAGMA user_version={number}")
        for rule in RULES:
            rule_id, decision, tool, kind, value, agent_id, session_id, expires_at = rule
            old.execute(
                "INSERT INTO rules (rule_id, decision, tool, kind, value, agent_id, session_id, created_at, expires_at,"
                " boot, due_s) VALUES (?,?,?,?,?,?,?,'2026-01-01T00:00:00.000Z',?,'an earlier boot',?)",
                (
                    *(rule_id, decision, tool, kind, (value or "").replace("WORK", str(work))),
                    *(agent_id, session_id, expires_at, 1.0 if expires_at else None),
                ),
            )
        old.execute(
            "INSERT INTO sessions (session_id, agent_id, title, created_at, updated_at)"
            " VALUES ('s1','a','t','2026','2026')"
        )
        old.execute(
            "INSERT INTO calls (call_id, turn_id, session_id, agent_id, model_call_id, name, arguments, risk, state)"
            " VALUES ('call_1','t1','s1','a','m1','edit_file',?,'medium','waiting')",
            (json.dumps(edit("a.txt")),),
        )
        old.execute(
            "INSERT INTO approvals (call_id, agent_id, session_id, turn_id, message_id, state, name, arguments, risk,"
            " reason, display, target, binding, remember, requested_at, summary) VALUES"
            " ('call_1','a','s1','t1','msg_1','pending','edit_file',?,'medium','why','what',?,'{}',?,"
            "'2026-01-01T00:00:00.000Z','Edit a.txt')",
            (
                json.dumps(edit("a.txt")),
                str(work / "a.txt"),
                json.dumps({"kind": "beneath", "value": str(work), "words": "edit_file anywhere in it"}),
            ),
        )
    return work


def within(work: Path, steps: Callable[[World], Awaitable[None]]) -> None:
    """Open the store beside the work folder, which updates it, and run the steps."""

    async def main() -> None:
        journal = Journal(work.parent / "store")
        journal.open()
        rules = Rules(journal)
        rules.open()
        toolkit = Toolkit(
            builtin_tools(), lambda session_id: Surroundings(work), lambda *_: "smart_approve", rules.active
        )
        approvals = Approvals(journal, rules, toolkit.check)
        approvals.open()
        try:
            await steps(World(work, rules, approvals, toolkit))
        finally:
            approvals.close()
            await journal.close()

    asyncio.run(main())


def test_every_earlier_rule_decides_as_before(work: Path) -> None:
    async def steps(world: World) -> None:
        for case in CASES:
            answer = world.toolkit.check(case.tool, case.arguments, case.agent, case.session)[1]
            decided_by = f"rule:{case.rule}" if case.rule is not None else "mode:smart_approve"
            assert (answer.decision, answer.decided_by) == (case.verdict, decided_by), case

    within(work, steps)
    assert {case.rule for case in CASES} - {None} == {rule[0] for rule in RULES} - {"over"}, "a rule is not tried"


def test_of_an_earlier_rule_nobody_knows_where_it_comes_from(work: Path) -> None:
    async def steps(world: World) -> None:
        found = world.rules.list()
        assert {rule.rule_id for rule in found} == {rule[0] for rule in RULES} - {"over"}
        assert {(rule.made_by, rule.made_for, tuple(rule.conditions)) for rule in found} == {(None, None, ())}
        shown = {rule.rule_id: rule.words for rule in found}
        assert shown["command"] == f"`npm test` in {world.work} (agent a)"
        assert shown["command anywhere"] == "`git push` in every folder"
        assert shown["folder"] == f"write_file for {world.work}/docs and everything in it (agent a)"

    within(work, steps)


def test_an_earlier_question_is_answered_with_always(work: Path) -> None:
    async def steps(world: World) -> None:
        def verdict() -> str:
            return world.toolkit.check("edit_file", edit("docs/kept.md"), "a", "s2")[1].decision

        [asked] = world.approvals.list()
        assert (asked.remember, asked.scopes, asked.summary) == ("edit_file anywhere in it", [], "Edit a.txt")
        answer = wire.ApproveRequest(agent_id="a", call_id="call_1", decision="allow_always")
        with pytest.raises(InvalidShape, match="is not offered"):
            await world.approvals.answer(answer.model_copy(update={"scope_id": "exact"}), "my app")
        assert verdict() == "ask"
        approved = await world.approvals.answer(answer, "my app")
        rule = approved.rule
        assert rule is not None
        assert (rule.kind, rule.value, rule.session_id, rule.expires_at) == ("beneath", str(world.work), None, None)
        assert (rule.made_by, rule.made_for) == ("my app", "call_1")
        assert verdict() == "allow"

    async def afterwards(world: World) -> None:
        assert world.approvals.list() == []
        assert world.rules.list()[-1].made_for == "call_1"

    within(work, steps)
    within(work, afterwards)
