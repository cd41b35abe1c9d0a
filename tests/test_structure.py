"""The package's structure: rules that import-linter does not check (see pyproject.toml, `lint-imports`)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aster_sidecar"
MODULES = [path for path in PACKAGE.rglob("*.py") if "webui" not in path.parts]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]


def test_modules_begin_by_saying_what_they_are() -> None:
    silent = [str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert [path for path in silent if "migrations" not in path] == []


def test_importing_a_package_does_nothing() -> None:
    packages = [path for path in MODULES if path.name == "__init__.py" and path.parent != PACKAGE]
    assert len(packages) > 15
    for path in packages:
        body = ast.parse(path.read_text("utf-8")).body
        assert len(body) <= 1, f"{path.parent.name}: its __init__.py has more than a docstring"


SQL = re.compile(r"\b(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA|CREATE (TABLE|INDEX))\b", re.DOTALL)
SQL_ELSEWHERE = {"cli/doctor/files.py": "a command that a person can copy"}
"""Modules outside of store/ that have SQL, and why."""


def test_sql_is_in_the_store_alone() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value))
        or (isinstance(node, ast.Call) and re.search(r"journal\.(all|one)$", ast.unparse(node.func)))
    }
    assert {path for path in found if not path.startswith("store/")} == SQL_ELSEWHERE.keys()
    assert "store/rows/turns.py" in found


def test_a_cold_start_imports_neither_an_agent_loop_nor_a_provider() -> None:
    script = (
        "import sys; import aster_sidecar.cli.serve, aster_sidecar.http.routes.all;"
        "heavy = {'pydantic_ai', 'openai', 'anthropic', 'httpx', 'httpx2', 'psutil', 'mcp', 'tomlkit', 'markdownify',"
        "'yaml', 'griffe', 'platformdirs', 'opentelemetry.sdk', 'requests', 'websockets', 'PIL'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert told.stdout.strip() == "[]"


# -- rules that import-linter must enforce -----------------------------------------------------------------------------

SEEDS = {
    "layers": ("store/journal.py", "from aster_sidecar.http import sockets"),
    "cycles": ("text/folding.py", "from aster_sidecar.text import finding"),
    "web": ("api/health.py", "import fastapi"),
    "apsw": ("conversation/sessions.py", "import apsw"),
}
"""A line that breaks each of these rules, and the module to which it is added."""


@pytest.mark.parametrize("rule", SEEDS)
def test_a_line_that_breaks_a_rule_is_found(rule: str, tmp_path: Path) -> None:
    for path in MODULES:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    place, line = SEEDS[rule]
    seeded = tmp_path / "aster_sidecar" / place
    seeded.write_text(f"{seeded.read_text('utf-8')}\n{line}\n", "utf-8")
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--contract", rule]
    told = subprocess.run(lint, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "BROKEN" in told.stdout


def test_every_rule_has_an_id() -> None:
    names = [contract["id"] for contract in RULES["contracts"]]
    assert len(names) == len(set(names))
    assert SEEDS.keys() <= set(names)


# -- nothing may exist only for tests ---------------------------------------------------------------------------------

CALLED_BY_LIBRARIES = {
    "emit": "logging.Handler",
    "is_trace_id_random": "OpenTelemetry's id generator",
    "capture_signals": "uvicorn.Server",
    "main_loop": "uvicorn.Server",
    "_listen_for_exit_signal": "sse_starlette",
    "render_bullet": "rich",
    "render_number": "rich",
    "get_tools": "pydantic-ai",
    "seekable": "io.BufferedReader",
    "readinto": "io.BufferedReader",
    "get_completions_async": "prompt_toolkit",
}
"""Methods that a library calls by their names."""
FOR_DOCUMENTS = {"REFUSAL_CODES": "docs/models.md is held to it"}


def defined(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Functions, classes and constants of a module, except those that a decorator registers elsewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made_known = any(
                "router" in ast.unparse(one) or "validator" in ast.unparse(one) for one in node.decorator_list
            )
            if not made_known and not node.name.startswith("__"):
                yield node.name, node
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node


def test_whatever_is_defined_is_used() -> None:
    texts = {path: path.read_text("utf-8") for path in MODULES}
    words = Counter(re.findall(r"\w+", "\n".join(texts.values())))
    for path in (*(ROOT / "package").iterdir(), ROOT / "pyproject.toml"):
        words.update(re.findall(r"\w+", path.read_text("utf-8")))
    unused = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path, text in texts.items()
        if path.parent.name not in ("contract", "migrations") and path != PACKAGE / "__init__.py"
        for name, _ in defined(ast.parse(text))
        if words[name] == 1 and name not in CALLED_BY_LIBRARIES | FOR_DOCUMENTS
    }
    assert unused == set()


# -- documents for newcomers name only existing paths ------------------------------------------------------------------


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_document_names_is_there(document: str) -> None:
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:/|/[a-z_]+\.(?:py|ts)))`", (ROOT / document).read_text("utf-8"))
    assert len(named) > 8
    roots = (ROOT, PACKAGE, ROOT / "shells")
    assert [path for path in named if not any((root / path).exists() for root in roots)] == []
