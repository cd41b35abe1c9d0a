"""How long generated tests run: a fixed number of examples in `make test`, and a fixed time in `make soak`."""

from __future__ import annotations

import hashlib
import math
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.mangled import EVENT, Mangled

SOAK_S = 60 * float(os.environ.get("SOAK_MINUTES") or 0)
TIMEOUT_S = SOAK_S + 600
FOUND = Path(__file__).parent.parent.parent / "build" / "soak"
"""Where `make soak` puts the streams that broke something, and the numbers of tried streams."""
LINE = re.compile(rb"[^\r\n]*[\r\n]+")
ROUND = 200
"""Examples per random seed, in a soak."""


def try_all(
    name: str,
    strategy: st.SearchStrategy[Mangled],
    check: Callable[[Mangled], None],
    examples: int,
    *,
    share: float = 1.0,
) -> None:
    """Try a check with `examples` streams, always the same; in a soak with new ones, for `share` of its time.

    Raises: what the check raises.
    """
    last: list[Mangled] = []
    tried = 0
    until = time.monotonic() + SOAK_S * share if SOAK_S else math.inf

    def run(most: int, chosen: int | None) -> None:
        @settings(
            max_examples=most,
            derandomize=chosen is None,
            database=None,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink) if chosen is None else (Phase.generate,),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        )
        @given(strategy)
        def property(mangled: Mangled) -> None:
            nonlocal tried
            if time.monotonic() > until:
                return
            tried += 1
            last[:] = [mangled]
            check(mangled)

        (property if chosen is None else seed(chosen)(property))()

    if not SOAK_S:
        run(examples, None)
        return
    failures: dict[str, str] = {}
    while time.monotonic() < until:
        chosen = random.SystemRandom().getrandbits(32)
        try:
            run(ROUND, chosen)
        except Exception as failure:
            said = reason(failure)
            if said not in failures:
                failures[said] = report(name, chosen, smaller(last[0], check, said), failure)
                record(name, tried, failures)
    record(name, tried, failures)
    assert not failures, "\n\n".join(failures.values())


def reason(failure: BaseException) -> str:
    """What distinguishes one failure from another: its type, and the beginning of its text."""
    return f"{type(failure).__name__}: {str(failure).splitlines()[0][:80] if str(failure) else ''}"


def smaller(mangled: Mangled, check: Callable[[Mangled], None], said: str) -> Mangled:
    """The stream without the events and lines that are not needed for the same failure."""
    for pattern in (EVENT, LINE):
        parts = pattern.findall(mangled.data)
        if b"".join(parts) != mangled.data:
            parts.append(mangled.data[sum(map(len, parts)) :])
        for index in reversed(range(len(parts))):
            less = Mangled(b"".join((*parts[:index], *parts[index + 1 :])))
            try:
                check(less)
            except Exception as failure:
                if reason(failure) == said:
                    mangled = less
                    del parts[index]
    return mangled


def report(name: str, chosen: int, mangled: Mangled, failure: BaseException) -> str:
    """What broke, and with which bytes. The bytes are also written to a file."""
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{name}-{hashlib.sha256(mangled.data).hexdigest()[:8]}.sse"
    path.write_bytes(mangled.data)
    notes: list[Any] = getattr(failure, "__notes__", [])
    said = [f"{path.name}, seed {chosen}: {reason(failure)}", str(failure)[:1500], repr(mangled), *notes]
    return "\n".join(map(str, said))


def record(name: str, tried: int, failures: dict[str, str]) -> None:
    """Write down how many streams were tried, and what broke."""
    FOUND.mkdir(parents=True, exist_ok=True)
    head = f"{name}: {tried} examples, {len(failures)} failures"
    (FOUND / f"{name}.txt").write_text("\n\n".join((head, *failures.values())) + "\n")
