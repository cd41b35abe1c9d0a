"""Repairs what a server answers about resources and prompts: what can't be used is left out, and the rest stays.

The MCP library refuses such an answer as a whole. All functions take the `result` of an answer and return one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from aster_sidecar.tools.mcp.blocks import usable_block

Json = dict[str, Any]


def resources(result: Json) -> Json:
    """Of `resources/list`: each resource needs an address."""
    return _list(result, "resources", _resource)


def prompts(result: Json) -> Json:
    """Of `prompts/list`: each prompt needs a name."""
    return _list(result, "prompts", _prompt)


def contents(result: Json) -> Json:
    """Of `resources/read`: each content needs a text, or base64."""
    given: Any = result.get("contents")
    found = cast("list[Any]", given) if isinstance(given, list) else [given]
    return {**_plain(result), "contents": [one for item in found if (one := _content(item)) is not None]}


def messages(result: Json) -> Json:
    """Of `prompts/get`: each message has one block; of one with several blocks, several messages are made."""
    given: Any = result.get("messages")
    found: list[Json] = []
    for item in cast("list[Any]", given) if isinstance(given, list) else [given]:
        known = cast("Json", item) if isinstance(item, dict) else {"content": item}
        content: Any = known.get("content")
        role = known.get("role") if known.get("role") == "assistant" else "user"
        blocks = cast("list[Any]", content) if isinstance(content, list) else [content]
        found += [{"role": role, "content": usable_block(block)} for block in blocks if block is not None]
    return {**_plain(result), "messages": found}


def _list(result: Json, key: str, usable: Callable[[Json], Json | None]) -> Json:
    given: Any = result.get(key)
    items = cast("list[Any]", given) if isinstance(given, list) else []
    found = [one for item in items if isinstance(item, dict) and (one := usable(cast("Json", item))) is not None]
    cursor = result.get("nextCursor")
    return {**_plain(result), key: found, **({"nextCursor": cursor} if isinstance(cursor, str) else {})}


def _plain(result: Json) -> Json:
    """The fields of the protocol 2026-07-28 that all results have."""
    return {key: result[key] for key in ("resultType", "ttlMs", "cacheScope") if key in result}


def _resource(given: Json) -> Json | None:
    uri = given.get("uri")
    if not isinstance(uri, str) or not uri:
        return None
    name, size = given.get("name"), given.get("size")
    sizes = {"size": size} if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else {}
    return {"uri": uri, "name": name if isinstance(name, str) else uri, **sizes} | _words(given, "mimeType")


def _prompt(given: Json) -> Json | None:
    name, asked = given.get("name"), given.get("arguments")
    if not isinstance(name, str) or not name:
        return None
    items = cast("list[Any]", asked) if isinstance(asked, list) else []
    arguments = [
        {"name": one["name"], "required": one.get("required") is True} | _words(one)
        for one in cast("list[Json]", [item for item in items if isinstance(item, dict)])
        if isinstance(one.get("name"), str) and one["name"]
    ]
    return {"name": name, "arguments": arguments} | _words(given)


def _words(given: Mapping[str, Any], *more: str) -> Json:
    """The fields that are texts for people, and those in `more`."""
    return {key: given[key] for key in ("title", "description", *more) if isinstance(given.get(key), str)}


def _content(given: Any) -> Json | None:
    known = cast("Json", given) if isinstance(given, dict) else {"text": given}
    key = next((key for key in ("text", "blob") if isinstance(known.get(key), str)), None)
    if key is None:
        return None
    uri = known.get("uri")
    return {"uri": uri if isinstance(uri, str) else "", key: known[key]} | (
        {"mimeType": known["mimeType"]} if isinstance(known.get("mimeType"), str) else {}
    )
