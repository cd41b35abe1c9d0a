"""The layout is the map: which way imports may point, who may import what, and that importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "aster_sidecar"

LAYERS = [
    {"errors", "__init__"},
    {
        "clock",
        "client",
        "frozen",
        "lean",
        "parent",
        "text",
        "exchange",
        "shapes",
        "folding",
        "witness",
        "tokens",
        "addresses",
        "keeper",
    },
    {"reader", "redact", "finding"},
    {"chat_reader", "responses_reader", "anthropic_reader", "gemini_reader"},
    {"dialects"},
    {"completion", "waits", "refusal_body", "refusal_kinds", "refusal_words"},
    {"processes", "daemons", "network", "holder"},
    {"programs", "ancestry"},
    {"loginpath"},
    {"wire"},
    {"transcript", "envelope", "storefiles"},
    {"journal"},
    {"permissions", "trash", "search"},
    {"turnlog", "peer"},
    {"rules"},
    {"approvals"},
    {"tools.display", "tools"},
    {"tools.denied"},
    {"tools.paths", "tools.rendered", "tools.mcp_schemas", "tools.encodings", "output"},
    {"tools.content", "tools.mcp_messages"},
    {"tools.scripts"},
    {"tools.shell"},
    {"tools.files.common", "tools.files.lines", "tools.files.globs", "tools.files.matching"},
    {"tools.web", "tools.mcp", "tools.own"},
    {"tools.files.reading", "tools.files.replacing", "tools.files.ignoring"},
    {"tools.files.searching", "tools.files.changing"},
    {"tools.files"},
    {"trust", "configfile", "agentspec", "servicespec"},
    {"logs", "spans", "refusals", "ownenv"},
    {"project", "agents", "servicelog"},
    {"toolkit", "settings", "services"},
    {"job", "demo", "local", "summary", "edge", "prefix", "request_form"},
    {"salvage", "history_form", "endings", "earlier", "served"},
    {"memory", "models", "compaction"},
    {"tracing"},
    {"toolbox", "offline"},
    {"engine"},
    {"sessions", "attention", "keys", "flags"},
    {"companion"},
    {"turns", "stream"},
    {"guard", "launcher", "handoff", "pages"},
    {"app", "listening"},
    {"calls"},
    {"websocket", "diagnostics"},
    {"routes"},
    {"openapi"},
    {"server"},
    {"sidecar"},
    {"cli"},
    {"doctor", "connection", "terminal_texts", "wrapping"},
    {"terminal_markdown"},
    {"screen"},
    {"input_line"},
    {"terminal"},
    {"chat"},
    {"commands"},
    {"__main__"},
]
"""From the ground up: a module imports only from layers below its own. Within a function (a lazy import, because a
cold start counts) it may also reach for what is named in LAZY."""

LAZY = {
    ("cli", "commands"),  # serving needs none of them
    ("cli", "connection"),  # how this program is started again
    ("tools", "tools.files"),
    ("tools", "tools.shell"),
    ("tools", "tools.web"),  # the registry of built-in tools
    ("spans", "tracing"),  # only where traces are asked for
    ("app", "routes"),  # the composition root mounts what depends on it
    ("app", "engine"),
    ("turns", "engine"),  # for type checkers only: the engine is handed in when it is first needed
    ("routes", "openapi"),
    ("sidecar", "cli"),  # an app's program runs the command
    ("__init__", "sidecar"),  # what apps import, when they do
}
OWNERS = {
    "fastapi": {"app", "routes", "openapi"},
    "starlette": {"app", "guard", "pages", "routes", "websocket"},
    "uvicorn": {"server", "listening"},
    "sse_starlette": {"stream"},
    "apsw": {"journal", "storefiles"},
    "pydantic_ai": {
        "endings",
        "earlier",
        "prefix",
        "engine",
        "memory",
        "salvage",
        "history_form",
        "models",
        "toolbox",
        "demo",
        "compaction",
        "summary",
    },
    "genai_prices": {"lean"},
    "openai": {"models"},
    "anthropic": {"models"},
    "google": {"models"},
    "httpx": {"tools.web", "connection"},
    "psutil": {"processes", "tools.web", "launcher", "parent", "doctor"},
    "rich": {"output", "terminal", "terminal_markdown", "wrapping", "screen", "input_line"},
    "prompt_toolkit": {"input_line", "terminal"},
    "markdown_it": {"screen", "terminal_markdown"},
    "mcp": {"tools.mcp", "tools.mcp_messages"},
    "yaml": {"agentspec"},
    "griffe": {"tools.own"},
    "pathspec": {"tools.files.matching"},
    "keyring": {"keys"},
    "tomlkit": {"configfile"},
    "platformdirs": {"settings"},
    "opentelemetry": {"tracing"},
    "requests": {"tracing"},
}


@cache
def modules() -> dict[str, ast.Module]:
    found: dict[str, ast.Module] = {}
    for path in PACKAGE.rglob("*.py"):
        if "migrations" in path.parts:
            continue
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


@cache
def imports(tree: ast.Module) -> list[tuple[str, bool]]:
    """Every imported module's full name, and whether the import stands at the top."""
    found: list[tuple[str, bool]] = []
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ("aster_sidecar." if node.level else "") + (node.module or "")
            base = base.rstrip(".")
            found.append((base, id(node) in top))
            if base in ("aster_sidecar", "aster_sidecar.tools.base", "aster_sidecar.tools.files"):
                found += [(f"{base}.{alias.name}", id(node) in top) for alias in node.names]
    return found


def ours(name: str, known: set[str]) -> str | None:
    inner = name.removeprefix("aster_sidecar.")
    return inner if name.startswith("aster_sidecar.") and inner in known else None


def test_every_module_has_a_layer() -> None:
    assert set(modules()) == set().union(*LAYERS)


def test_imports_point_down() -> None:
    level = {name: height for height, layer in enumerate(LAYERS) for name in layer}
    wrong: list[str] = []
    for name, tree in modules().items():
        for imported, at_top in imports(tree):
            target = ours(imported, set(level))
            if target is None or level[target] < level[name] or target == name:
                continue
            if not at_top and (name, target) in LAZY:
                continue
            wrong.append(f"{name} → {target}")
    assert wrong == []


@pytest.mark.parametrize("library", OWNERS)
def test_libraries_stay_with_their_owners(library: str) -> None:
    users = {
        name
        for name, tree in modules().items()
        for imported, _ in imports(tree)
        if imported == library or imported.startswith(library + ".")
    }
    assert users <= OWNERS[library], f"{library} is imported by {sorted(users - OWNERS[library])}"


def test_a_cold_start_imports_neither_an_agent_loop_nor_a_provider() -> None:
    script = (
        "import sys; import aster_sidecar.cli.main, aster_sidecar.daemon.server, aster_sidecar.http.routes;"
        "heavy = {'pydantic_ai', 'openai', 'anthropic', 'httpx', 'httpx2', 'psutil', 'mcp', 'tomlkit', 'markdownify',"
        "'yaml', 'griffe', 'platformdirs', 'opentelemetry.sdk', 'requests', 'websockets'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert told.stdout.strip() == "[]"


def test_modules_begin_by_saying_what_they_are() -> None:
    silent = [name for name, tree in modules().items() if not ast.get_docstring(tree)]
    assert silent == []
