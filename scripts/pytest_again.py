"""Runs pytest; where only a few tests have failed, runs those once more, one at a time, with nothing beside them.

    python scripts/pytest_again.py CACHE "PARALLEL FLAGS" [ARGUMENT...]

A test that fails both times has failed. One that passes alone is named at the end, with its first failure above: it, or
what it tests, depends on the speed of the machine, and has to be mended. CACHE is a directory for pytest's list of
failed tests. Exits with pytest's exit code.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

MOST = 5
"""With more failed tests than this, the second run would tell nothing new."""
FAILED = 1
"""Pytest's exit code when tests have failed."""


def failed_tests(cache: Path) -> list[str]:
    """The tests that failed in the last run with this cache directory."""
    try:
        return sorted(json.loads((cache / "v" / "cache" / "lastfailed").read_text("utf-8")))
    except (OSError, ValueError):
        return []


def main(cache: Path, parallel: list[str], arguments: list[str]) -> int:
    shutil.rmtree(cache, ignore_errors=True)
    pytest = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache.absolute()}"]
    code = subprocess.call([*pytest, *parallel, *arguments])
    failed = failed_tests(cache)
    if code != FAILED or not 0 < len(failed) <= MOST:
        return code
    print(f"\nOnce more, one at a time: {', '.join(failed)}", flush=True)
    code = subprocess.call([*pytest, "--last-failed", "--last-failed-no-failures", "none", *arguments])
    if code == 0:
        print(f"\nPassed alone, failed beside other work, to be mended: {', '.join(failed)}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), shlex.split(sys.argv[2]), sys.argv[3:]))
