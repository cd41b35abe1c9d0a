"""What a person types for a permission rule, in the form that the daemon takes.

A path that is typed in a shell is one from the current directory; the daemon would take it from its work folder.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from typing import Any, cast

from aster_sidecar.text.json_text import parse_json
from aster_sidecar.text.safe_text import shown

FILE_TOOLS = ("read_file", "list_dir", "search_files", "write_file", "edit_file", "delete_file", "move_file")
"""Tools whose rules are about paths."""
TESTS = ("equals", "one_of", "beneath", "glob")


class BadRule(Exception):
    """What was typed makes no rule. `hint`: what is possible."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def value_of(decision: str, tool: str, kind: str, typed: str | None) -> str:
    """The `value` of a rule; `typed`: None if the person gave none. Raises: BadRule."""
    if (typed is None) != (kind == "any"):
        problem = "takes no VALUE" if typed is not None else "needs a VALUE"
        raise BadRule(
            f"a rule of the kind {kind} {problem}", "kind any, the default without a VALUE, covers every call"
        )
    if not typed:
        return ""
    if kind == "beneath" or (tool in FILE_TOOLS and kind == "exact"):
        return from_here(typed)
    if tool in FILE_TOOLS and kind == "glob":
        return os.path.join(glob.escape(os.getcwd()), os.path.expanduser(typed))
    placed = re.match(r"in [^\n]+:\n", typed) is not None
    if tool == "run_command" and kind in ("exact", "program") and decision == "allow" and not placed:
        return f"in {shown(os.getcwd())}:\n{typed}"
    return typed


def from_here(path: str) -> str:
    """A path from the current directory, with ~ expanded."""
    return os.path.join(os.getcwd(), os.path.expanduser(path))


def condition_of(argument: str, test: str, typed: str, *, negated: bool, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A condition on an argument of a tool; `schema`: that of the tool's arguments. Raises: BadRule."""
    value: Any = typed
    match test:
        case "equals":
            if not takes_text(schema, argument):
                value = scalar(typed)
        case "one_of":
            value = items(typed)
        case "beneath":
            value = from_here(typed)
        case "glob":
            pass
        case _:
            raise BadRule(f"there is no test {test!r}", f"the tests are: {', '.join(TESTS)}")
    return {"argument": argument, "test": test, "value": value, "negated": negated}


def takes_text(schema: Mapping[str, Any], argument: str) -> bool:
    """Whether a schema says that an argument may be a text, so that `5` means "5"."""
    return "string" in types_of(schema.get("properties", {}).get(argument, {}))


def types_of(schema: Mapping[str, Any]) -> set[str]:
    """The types that a schema allows."""
    kinds: str | list[str] = schema.get("type", [])
    found = {kinds} if isinstance(kinds, str) else set(kinds)
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found |= types_of(one)
    return found


def scalar(typed: str) -> Any:
    """A number, true, false or a text in quotes as JSON has it; anything else is the text itself."""
    try:
        value = parse_json(typed)
    except ValueError:
        return typed
    return value if isinstance(value, bool | int | float | str) else typed


def items(typed: str) -> list[Any]:
    """The values of a JSON list. Raises: BadRule."""
    try:
        value = parse_json(typed)
    except ValueError:
        value = None
    if isinstance(value, list) and value:
        return cast("list[Any]", value)
    raise BadRule(f"one_of: {typed[:100]} is not a list", """write it as JSON: '["a", "b"]'""")
