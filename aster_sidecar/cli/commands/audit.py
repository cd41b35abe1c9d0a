"""The command `audit`: lists the decisions about tool calls that the running daemon has recorded."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aster_sidecar.cli.commands.running import needed
from aster_sidecar.cli.console import print_error, print_json, print_table
from aster_sidecar.cli.exit_codes import EXIT_USAGE
from aster_sidecar.daemon.client import Client

PAGE = 500
"""Decisions of one request."""
LIMIT = 20
"""How many decisions a table has, if the person does not say."""


def run_audit(given: argparse.Namespace) -> int:
    """List decisions; returns the exit code. Raises: Failed, ClientError."""
    wanted: dict[str, Any] = {
        "session_id": given.session,
        "agent_id": given.agent,
        "tool": given.tool,
        "decision": given.decision,
    }
    for name in ("since", "until"):
        text = getattr(given, name)
        try:
            wanted[name] = moment(text) if text is not None else None
        except (ValueError, OverflowError, OSError):
            print_error(f"--{name} {text}: not a date or time", "write it as 2026-11-20 or 2026-11-20T12:00")
            return EXIT_USAGE
    client = needed(given)
    if given.jsonl and given.limit is None:
        print_lines(pages(client, "after", wanted))
        return 0
    found: list[dict[str, Any]] = []
    for page in pages(client, "before", wanted, LIMIT if given.limit is None else given.limit):
        found += page
    if given.jsonl:
        print_lines([found[::-1]])
    elif given.json:
        print_json(found)
    elif found:
        print_decisions(found)
    else:
        print("no decisions", file=sys.stderr)
    return 0


def moment(text: str) -> str:
    """A person's date or time, of this machine's time zone if it names none, for a query. Raises: ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat().replace("+00:00", "Z")


def pages(
    client: Client, towards: str, wanted: dict[str, Any], limit: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Pages of decisions: `towards` "before" newest first, "after" oldest first; at most `limit` decisions.

    Raises: ClientError.
    """
    at = "0" if towards == "after" else None
    while limit is None or limit > 0:
        size = PAGE if limit is None else min(limit, PAGE)
        page = client.call("GET", "/api/audit", limit=size, **{towards: at}, **wanted)
        yield page["decisions"]
        at = page["next"]
        if at is None:
            return
        if limit is not None:
            limit -= size


def print_lines(found: Iterator[list[dict[str, Any]]] | list[list[dict[str, Any]]]) -> None:
    """Print each decision as one line of JSON, as soon as its page is here."""
    for page in found:
        for decision in page:
            print(json.dumps(decision).replace("\x7f", "\\u007f"))
        sys.stdout.flush()


def print_decisions(found: list[dict[str, Any]]) -> None:
    """Print decisions as a table."""
    print_table(
        ["decided", "decision", "by", "tool", "what", "outcome", "why"],
        [
            (one["decided_at"], one["decision"], who(one), one["tool"], one["summary"], one["outcome"], one["words"])
            for one in found
        ],
    )


def who(decision: dict[str, Any]) -> str:
    """Who or what decided; of a person also through which client."""
    client = decision["client"]
    return f"{decision['decided_by']} ({client})" if client is not None else decision["decided_by"]
