"""Prints how many questions each session needs with the policy of before and of now; with --list, also which."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.policy.sessions.replay import before, now, replayed, sessions, table

with TemporaryDirectory() as folder:
    base = Path(folder)
    then = [replayed(one, base / "before" / one.name, before) for one in sessions()]
    for sandbox in (True, False):
        today = [replayed(one, base / str(sandbox) / one.name, now, sandbox=sandbox) for one in sessions()]
        print(f"\n{'In a sandbox that holds' if sandbox else 'Without a sandbox'}\n{table(then, today)}")
        if "--list" in sys.argv:
            for one in today:
                for call in one.asked:
                    print(f"{one.session.name}\t{'dangerous' if call.dangerous else ''}\t{call}")
