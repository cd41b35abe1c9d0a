"""The command `permissions`: lists, checks, adds and removes permission rules of the running daemon."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

from aster_sidecar.cli.commands.rule_values import BadRule, condition_of, value_of
from aster_sidecar.cli.commands.running import needed
from aster_sidecar.cli.console import cell, print_error, print_json, print_line, print_table
from aster_sidecar.cli.exit_codes import EXIT_USAGE
from aster_sidecar.cli.lasting import WrongTime, read_lasting
from aster_sidecar.daemon.client import Client, path_part
from aster_sidecar.text.json_text import parse_object

RULES = "/api/permissions/rules"
COLOURS = {"allow": "green", "deny": "red", "ask": "yellow"}
WRONG_TIMES = {"unclear": "not a time", "past": "it is over already", "far": "more than 365 days away"}


def run_permissions(given: argparse.Namespace) -> int:
    """Run one verb; returns the exit code. Raises: Failed, ClientError."""
    match given.verb or "list":
        case "check":
            return check(given)
        case "allow" | "deny" as decision:
            return add(given, decision)
        case "remove":
            gone = needed(given).call("DELETE", f"{RULES}/{path_part(given.rule_id)}")
            print_json(gone) if given.json else print(f"removed {cell(gone['rule_id'])}")
        case _:
            show_rules(given, needed(given).call("GET", RULES))
    return 0


def show_rules(given: argparse.Namespace, rules: list[dict[str, Any]]) -> None:
    """Print rules, the oldest first."""
    if given.json:
        print_json(rules)
    elif rules:
        names = ("rule_id", "decision", "words", "made_by", "created_at", "expires_at")
        heads = ("id", "decision", "covers", "made by", "made", "ends")
        print_table(heads, [[rule.get(name) for name in names] for rule in rules])
    else:
        print("no rules", file=sys.stderr)


# -- check -------------------------------------------------------------------------------------------------------------


def check(given: argparse.Namespace) -> int:
    """Print what would happen to a call; returns the exit code. Raises: Failed, ClientError."""
    try:
        arguments = parse_object(given.arguments)
    except ValueError as error:
        print_error(f"ARGUMENTS: {error}", """write them as a JSON object, such as '{"path": "notes.txt"}'""")
        return EXIT_USAGE
    body = {"tool": given.tool, "arguments": arguments, "agent_id": given.agent, "session_id": given.session}
    answer = needed(given).call("POST", "/api/permissions/check", body)
    if given.json:
        print_json(answer)
        return 0
    decision = cell(answer["decision"])
    print_line(
        "decision: ", (decision, f"bold {COLOURS.get(decision, '')}".strip()), f" ({cell(answer['decided_by'])})"
    )
    print_line(f"why:      {cell(answer['reason'])}")
    print_line(f"call:     {cell(answer['summary'])}, {cell(answer['risk'])} risk")
    for line in rule_lines(answer.get("rule")):
        print_line(line)
    for number, words in enumerate(always(answer)):
        print_line(("          " if number else "always:   ") + cell(words))
    return 0


def rule_lines(rule: dict[str, Any] | None) -> list[str]:
    """The rule that decided, where it comes from and when it ends; nothing where no rule decided."""
    if rule is None:
        return []
    client = cell(rule.get("made_by") or "an unknown client")
    made = f"made:     by {client}, {cell(rule['created_at'])}"
    if rule.get("made_for") is not None:
        made += f", as the answer to the call {cell(rule['made_for'])}"
    lines = [f"rule:     {cell(rule['rule_id'])}: {cell(rule['decision'])} {cell(rule['words'])}", made]
    if rule.get("expires_at") is not None:
        lines.append(f"ends:     {cell(rule['expires_at'])}")
    return lines


def always(answer: dict[str, Any]) -> list[str]:
    """What "always" could cover, one a line, the narrowest first."""
    scopes = [one["words"] for one in answer.get("scopes") or ()]
    if not scopes:
        scopes = [answer["remember"]] if answer["remember"] is not None else []
    return scopes or ["this call can't be always allowed"]


# -- allow and deny ----------------------------------------------------------------------------------------------------


def add(given: argparse.Namespace, decision: str) -> int:
    """Add a rule; returns the exit code. Raises: Failed, ClientError."""
    kind = given.kind or ("any" if given.value is None else "exact")
    body: dict[str, Any] = {"decision": decision, "tool": given.tool, "kind": kind}
    body |= {"agent_id": given.agent, "session_id": given.session}
    try:
        body["value"] = value_of(decision, given.tool, kind, given.value)
        if given.expires is not None:
            body["expires_in_s"] = seconds_of(given.expires)
        client = needed(given)
        body["conditions"] = conditions(given, client)
    except BadRule as error:
        print_error(error.message, error.hint)
        return EXIT_USAGE
    rule = client.call("POST", RULES, body)
    if given.json:
        print_json(rule)
        return 0
    ends = f", until {cell(rule['expires_at'])}" if rule["expires_at"] is not None else ""
    print_line(f"added {cell(rule['rule_id'])}: {cell(rule['decision'])} {cell(rule['words'])}{ends}")
    return 0


def seconds_of(text: str) -> float:
    """The seconds until the end that --expires names. Raises: BadRule."""
    now = datetime.now().astimezone()
    try:
        return read_lasting(text, now).seconds(now)
    except WrongTime as error:
        hint = "write it as 12h, 7d, 2w, or as a date such as 2026-12-31, which is the end of that day"
        raise BadRule(f"--expires {text}: {WRONG_TIMES[error.why]}", hint) from error


def conditions(given: argparse.Namespace, client: Client) -> list[dict[str, Any]]:
    """The conditions that the flags name. Raises: BadRule, ClientError."""
    asked = [(words, False) for words in given.where] + [(words, True) for words in given.where_not]
    if not asked:
        return []
    schemas: dict[str, dict[str, Any]] = {tool["name"]: tool["schema"] for tool in client.call("GET", "/api/tools")}
    schema = schemas.get(given.tool, {})
    return [condition_of(*words, negated=negated, schema=schema) for words, negated in asked]
