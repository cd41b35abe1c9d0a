"""Prints how long judging the ordinary lines takes: `python -m tests.tools.commands.timing [FOLDER]`.

In a folder made for it, or in FOLDER, such as a large repository.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from aster_sidecar.tools.base import Surroundings
from aster_sidecar.tools.commands.program_scopes import judged
from tests.tools.commands.cases import build
from tests.tools.commands.ordinary_lines import ORDINARY

_TIMES = 5


def _took_ms(line: str, surroundings: Surroundings, env: dict[str, str]) -> float:
    """The median of some times, in milliseconds."""
    found: list[float] = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        judged(line, surroundings.work_dir, surroundings, env, None)
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        base = Path(made).resolve()
        build(base)
        work = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else base / "work"
        surroundings = Surroundings(work, (base / "daemon",))
        env = {"PATH": str(base / "bin"), "HOME": str(base / "home")}
        judged("ls", work, surroundings, env, None)  # loads the parser
        lines = [case.line.replace("BASE/work", str(work)) for case in ORDINARY]
        took = sorted((_took_ms(line, surroundings, env), line) for line in lines)
    print(f"{len(took)} lines: median {statistics.median(one for one, _ in took):.2f} ms")
    for one, line in took[:-6:-1]:
        print(f"{one:8.2f} ms  {line}")


if __name__ == "__main__":
    main()
