"""The names that tools of MCP servers get here, and the digests by which an approval knows a tool again."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from aster_sidecar.text.safe_text import visible

NAME_CHARS = 64
"""The longest name of a tool that every provider accepts."""
SHOWN_CHARS = 128


def tool_names(server: str, tools: Sequence[str], servers: Collection[str], reserved: Collection[str]) -> list[str]:
    """A unique name for each tool of a server; none is in `reserved`, or can be a name of another of `servers`.

    A name does not depend on which servers have answered: a call that waits for approval is found again by its name.
    """
    plain = [re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}_{tool}") for tool in tools]
    count = Counter(plain)
    longer = tuple(f"{other}_" for other in servers if other.startswith(f"{server}_"))
    shorter = tuple(f"{other}_" for other in servers if server.startswith(f"{other}_"))
    names: list[str] = []
    for tool, name in zip(tools, plain, strict=True):
        unique = name == f"{server}_{tool}" and len(name) <= NAME_CHARS and count[name] == 1 and name not in reserved
        # With servers "a" and "a_b", names that begin with "a_b_" belong to a_b, and names that end like a digest to a.
        if not unique or name.startswith(longer) or (shorter and re.search(r"_[0-9a-f]{8}$", name)):
            name = f"{name[: NAME_CHARS - 9]}_{digest([server, tool])[:8]}"
        names.append(name)
    return names


def shown_name(text: str) -> str:
    """The name of a tool, program or directory, as an error or a question shows it."""
    return visible(text[:SHOWN_CHARS], newlines=False)


def canonical(value: Any) -> str:
    """The same JSON text for equal values. Raises: ValueError for what JSON can't hold; RecursionError."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    text.encode()
    return text


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
