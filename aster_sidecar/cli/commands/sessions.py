"""The command `sessions`: lists, shows and changes conversations of the running daemon."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from aster_sidecar.cli.commands.running import Failed, needed
from aster_sidecar.cli.console import cell, on_terminal, print_error, print_json, print_line, print_table
from aster_sidecar.cli.exit_codes import EXIT_USAGE
from aster_sidecar.cli.serve_args import absolute
from aster_sidecar.daemon.client import Client, ClientError, path_part
from aster_sidecar.text.path_names import misnamed
from aster_sidecar.text.safe_text import still_visible, visible

PAGE = 100
"""Conversations or messages of one request."""
INHERIT = "-"
"""The value with which `sessions set` takes a setting from the agent and the configuration again."""


def run_sessions(given: argparse.Namespace) -> int:
    """Run one verb; returns the exit code. Raises: Failed, ClientError."""
    client = needed(given)
    match given.verb or "list":
        case "list":
            limit, agent = getattr(given, "limit", 20), getattr(given, "agent", None)
            which = {name: getattr(given, name, False) for name in ("archived", "deleted")}
            return show_sessions(given, listed(client, limit, agent_id=agent, **which))
        case "search":
            text = " ".join(given.text)
            rows = [row for old in (False, True) for row in listed(client, given.limit, q=text, archived=old)]
            return show_sessions(given, rows[: given.limit])
        case "show":
            return show_session(given, client)
        case "delete":
            return delete_session(given, client)
        case "set":
            return set_session(given, client)
        case "rename":
            patch: dict[str, Any] = {"title": " ".join(given.title)}
        case "restore" if (session := restored(client, given.session)) is not None:
            return show_sessions(given, [session]) if not given.json else print_json(session) or 0
        case "pin" | "unpin" as other:
            patch = {"pinned": other == "pin"}
        case other:
            patch = {"archived": other == "archive"}
    now = client.call("PATCH", f"/api/sessions/{path_part(given.session)}", patch)
    return show_sessions(given, [now]) if not given.json else print_json(now) or 0


def restored(client: Client, session_id: str) -> dict[str, Any] | None:
    """The session after it was restored from the trash; None when it is not in the trash. Raises: ClientError."""
    path = f"/api/sessions/{path_part(session_id)}"
    try:
        client.call("GET", path)
    except ClientError as error:
        if error.code != "session_not_found":
            raise
        return client.call("POST", f"{path}/restore")
    return None


def listed(client: Client, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    """At most `limit` sessions, from as many pages as needed; with `q` each has a `hit` or None.

    `wanted`: the query. Raises: ClientError.
    """
    rows: list[dict[str, Any]] = []
    before = None
    while len(rows) < limit:
        page = client.call("GET", "/api/sessions", limit=min(limit - len(rows), PAGE), before=before, **wanted)
        for row in page["sessions"]:
            rows.append({**row, "hit": page["hits"].get(row["session_id"])} if "q" in wanted else row)
        before = page["next_before"]
        if before is None:
            break
    return rows


def show_sessions(given: argparse.Namespace, rows: list[dict[str, Any]]) -> int:
    """Print sessions; returns the exit code."""
    if given.json:
        print_json(rows)
    elif rows:
        names = ["session_id", "title", "agent_id", "messages", "state", "archived", "updated_at"]
        head = ["id", "title", "agent", "messages", "state", "archived", "updated"]
        table = [[row[name] for name in names] for row in rows]
        if any(own_folder(row) for row in rows):
            head.append("folder")
            for line, row in zip(table, rows, strict=True):
                line.append(own_folder(row))
        if any(row.get("hit") for row in rows):
            head.append("found")
            for line, row in zip(table, rows, strict=True):
                line.append(row["hit"]["text"] if row["hit"] else "")
        print_table(head, table)
    else:
        print("no sessions", file=sys.stderr)
    return 0


def question_lines(asked: dict[str, Any]) -> list[str]:
    """What a call asked the person, and the answers, a line each; `asked` is the question of a tool part."""
    answers = asked.get("answers")
    if answers is None:
        note = f": {cell(asked['note'])}" if asked.get("note") else ""
        ended = [f"  {cell(asked['outcome'])}{note}"] if asked.get("outcome") else []
        return [f"  {cell(field['text'])}" for field in asked["fields"]] + ended
    return [f"  {cell(field['text'])}: {answer_words(answers.get(field['id']))}" for field in asked["fields"]]


def answer_words(value: Any) -> str:
    """An answer as a person reads it; empty without one."""
    values: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    return ", ".join(map(cell, values))


def show_session(given: argparse.Namespace, client: Client) -> int:
    """Print one conversation, the oldest message first; returns the exit code. Raises: ClientError."""
    session = client.call("GET", f"/api/sessions/{path_part(given.session)}")
    asked = {"agent_id": session["agent_id"], "session_id": session["session_id"]}
    messages: list[dict[str, Any]] = []
    before = None
    while len(messages) < given.limit:
        limit = min(given.limit - len(messages), PAGE)
        page = client.call("GET", "/api/history", limit=limit, before=before, **asked)
        messages = [*page["messages"], *messages]
        before = page["next_before"]
        if before is None:
            break
    if given.json:
        print_json({**session, "history": messages})
        return 0
    print_line((cell(session["title"]), "bold"), f"  {cell(session['session_id'])}")
    for name, value, source in setting_rows(session):
        if source == "session":
            print_line((f"{name}: {cell(value)}", "dim"))
    for message in messages:
        print_line("\n", (cell(message["role"]), "bold"), f"  {cell(message['created_at'])}")
        for part in message["parts"]:
            match part["type"]:
                case "text":
                    print(visible(part["text"]))
                case "tool":
                    asked = part.get("question")
                    display = still_visible(part["display"] or (asked["reason"] if asked else ""))
                    print_line((f"[{cell(part['name'])}: {cell(part['state'])}] {display}", "dim"))
                    for line in question_lines(asked) if asked else ():
                        print_line((line, "dim"))
                case "notice":
                    print_line((f"[{cell(part['code'])}] {visible(part['message'])}", "yellow"))
                case _:
                    pass
    return 0


def own_folder(session: dict[str, Any]) -> str:
    """The folder that a session chose; empty if it works where the daemon works."""
    folder = session["settings"]["work_dir"]
    return folder["value"] if folder["source"] == "session" else ""


def set_session(given: argparse.Namespace, client: Client) -> int:
    """Choose what a session works with, and print what applies now; returns the exit code. Raises: ClientError."""
    chosen = {name: getattr(given, name) for name in ("model", "effort", "work_dir", "permission_mode")}
    patch: dict[str, Any] = {
        name: None if str(value) == INHERIT else str(value) for name, value in chosen.items() if value is not None
    }
    if patch.get("work_dir") is not None:
        patch["work_dir"] = str(absolute(given.work_dir))
        if (shown := misnamed(patch["work_dir"])) is not None:
            print_error(f"--work-dir {shown[:200]}: its name is not UTF-8", "rename it, or choose another")
            return EXIT_USAGE
    if given.agent is not None:
        patch["agent_id"] = given.agent
    if not patch:
        print_error("nothing to set", "pass --model, --effort, --work-dir, --permission-mode or --agent")
        return EXIT_USAGE
    now = client.call("PATCH", f"/api/sessions/{path_part(given.session)}", patch)
    if given.json:
        print_json(now)
        return 0
    print_table(("setting", "value", "source"), [("agent", now["agent_id"], ""), *setting_rows(now)])
    return 0


def setting_rows(session: dict[str, Any]) -> list[tuple[str, Any, str]]:
    """What a session works with: names, values and sources."""
    one: dict[str, Any] = session["settings"]
    rows = [(name, one[name]["value"], one[name]["source"]) for name in one if name != "mcp_off"]
    off = ", ".join(one.get("mcp_off") or ())
    return [*rows, ("mcp_off", off, "session")] if off else rows


def delete_session(given: argparse.Namespace, client: Client) -> int:
    """Delete a session, on a terminal after a question; returns the exit code. Raises: Failed, ClientError."""
    path = f"/api/sessions/{path_part(given.session)}"
    if not given.yes and on_terminal() and sys.stdin.isatty():
        what = named(client, given.session, given.purge)
        answer = input(f"delete {what}{' permanently' if given.purge else ''}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise Failed("nothing was deleted")
    gone = client.call("DELETE", path, purge=given.purge or None)
    if given.json:
        print_json(gone)
        return 0
    session_id, until = cell(gone["session_id"]), gone["restorable_until"]
    print(f"deleted {session_id} ({gone['deleted']} messages){' permanently' if until is None else ''}")
    if until is not None:
        print(f"to restore it, until {cell(until)}: aster-sidecar sessions restore {session_id}", file=sys.stderr)
    return 0


def named(client: Client, session_id: str, purge: bool) -> str:
    """A session in words, for the question before its deletion; `purge`: also in the trash. Raises: ClientError."""
    try:
        session = client.call("GET", f"/api/sessions/{path_part(session_id)}")
    except ClientError as error:
        if error.code != "session_not_found" or not purge:
            raise
        trash = listed(client, sys.maxsize, deleted=True)
        session = next((one for one in trash if one["session_id"] == session_id), None)
        if session is None:
            raise
    return f"{cell(session['title'])!r} and its {session['messages']} messages"
