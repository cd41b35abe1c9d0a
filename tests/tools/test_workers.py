"""Workers: processes that run one function and no other code of the daemon."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aster_sidecar import frozen
from aster_sidecar.tools import workers

PYTHON = sys.executable


def test_a_worker_stands_alone() -> None:
    argv, env = workers.worker(print_secrets)
    assert not [name for name in env if "KEY" in name or "TOKEN" in name]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    with pytest.raises(ValueError, match="not a worker"):
        frozen.run_worker("os:abort")


IGNORED = b'{"rules": [[0, "a/"]], "folders": [[0, ""]], "names": ["a/", "a"]}'


def test_a_packaged_build_runs_the_same_workers() -> None:
    code = "import sys; from aster_sidecar.frozen import run_worker; run_worker(sys.argv[1])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for spec, given, answer in (
        ("aster_sidecar.tools.web:to_markdown", b"<h1>x</h1>", b"# x"),
        (
            "aster_sidecar.tools.files.matching:match_lines",
            b"p\0\0\0\1bt\0\0\0\3a\nb" + b"i" + len(IGNORED).to_bytes(4, "big") + IGNORED,
            b'[]\n[[2, 1, 1, 1, "b", 0]]\n[true, false]\n',
        ),
    ):
        done = subprocess.run([PYTHON, "-c", code, spec], input=given, capture_output=True, env=env, check=True)
        assert done.stdout == answer


def print_secrets() -> None:
    import sys

    print("aster_sidecar" not in sys.modules)
