"""Workers: processes that run one module and nothing else of ours."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aster_sidecar import frozen, tools
from aster_sidecar.tools import workers
from tests.tools.support import module_of

PYTHON = sys.executable
WORKERS = sorted(Path(tools.__path__[0]).rglob("*_worker.py"))


def test_a_worker_stands_alone(tmp_path: Path) -> None:
    source = """
from __future__ import annotations

import sys

def main() -> None:
    print(called())

def called() -> bool:
    return "aster_sidecar" not in sys.modules
"""
    argv, env = workers.worker(module_of(tmp_path, source))
    assert not [name for name in env if "KEY" in name or "TOKEN" in name]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("path", WORKERS, ids=lambda path: path.stem)
def test_a_worker_imports_nothing_of_ours_and_at_its_top_the_standard_library(path: Path) -> None:
    def imported(nodes: list[ast.stmt]) -> set[str]:
        names = {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
        return names | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    tree = ast.parse(path.read_text("utf-8"))
    assert imported(tree.body) <= sys.stdlib_module_names
    everywhere = imported([node for node in ast.walk(tree) if isinstance(node, ast.stmt)])
    assert not [name for name in everywhere if name.startswith("aster_sidecar")]


IGNORED = b'{"rules": [[0, "a/"]], "folders": [[0, ""]], "names": ["a/", "a"]}'


def test_a_packaged_build_runs_the_same_workers() -> None:
    code = "import sys; from aster_sidecar.frozen import run_worker; run_worker(sys.argv[1])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    answers = {
        "aster_sidecar.tools.web.markdown_worker": (b"<h1>x</h1>", b"# x"),
        "aster_sidecar.tools.files.matching_worker": (
            b"p\0\0\0\1bt\0\0\0\3a\nb" + b"i" + len(IGNORED).to_bytes(4, "big") + IGNORED,
            b'[]\n[[2, 1, 1, 1, "b", 0]]\n[true, false]\n',
        ),
    }
    assert {name.rpartition(".")[2] for name in answers} == {path.stem for path in WORKERS}
    for module, (given, answer) in answers.items():
        done = subprocess.run([PYTHON, "-c", code, module], input=given, capture_output=True, env=env, check=True)
        assert done.stdout == answer
    with pytest.raises(ValueError, match="not a worker"):
        frozen.run_worker("os")
