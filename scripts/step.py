"""Runs one step of a longer job and says what it does, how far the job is, and how long it took.

    python3 scripts/step.py TITLE COMMAND...

ASTER_STEPS=N/FILE says that the job has N steps and that FILE counts the steps that have ended (one byte each), so that
several steps may run at the same time. The output of a step goes to build/logs. It is printed when the step fails, and
always where CI=true; while the step runs, its last line is printed from time to time. Exits with the command's code.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

LOGS = Path("build/logs")
SHOW_S = (1.0, 9.0, 20.0)
"""Seconds from one showing of a running step's last line to the next. The last value repeats."""
NOT_PASSED_ON = ("ASTER_STEPS", "MAKEFLAGS", "MFLAGS")
"""The job's own step count, and make's flags, which are about its other steps.

Make passes its variables on in the environment.
"""
RESULT = re.compile(r"\b(passed|installed|ok)\b")
SKIPPED = re.compile(r"^(?=.*\bskipped\b)(?!=).*|^SKIPPED .*", re.MULTILINE)
"""Lines about tests that this machine can't run."""
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def last_line(log: Path) -> str:
    """The last line of a step's output, shortened."""
    with log.open("rb") as text:
        text.seek(max(0, log.stat().st_size - 4000))
        lines = STYLE.sub("", text.read().decode("utf-8", "replace")).replace("\r", "\n").splitlines()
    said = [line.strip() for line in lines if line.strip(" =-.")]
    said = [line for line in said if not line.startswith(">")]  # npm prints the command
    return said[-1][:100] if said else ""


def say(text: str) -> None:
    """Print in one write where the system can, since other steps print at the same time."""
    left = text.encode("utf-8", "replace")
    while left:
        left = left[os.write(1, left) :]


def ended() -> str:
    """Count this step and return how many of the steps have ended, as `[3/9] `; "" outside of a longer job."""
    total, _, counter = os.environ.get("ASTER_STEPS", "").partition("/")
    if not counter:
        return ""
    with open(counter, "ab") as count:
        count.write(b".")
        count.flush()
        done = count.tell()
    return f"[{done}/{total}] "


def main(title: str, command: list[str]) -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}.log"
    began = time.monotonic()
    shown = 0
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    with log.open("wb") as output:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        try:
            while True:
                try:
                    code = running.wait(SHOW_S[min(shown, len(SHOW_S) - 1)])
                    break
                except subprocess.TimeoutExpired:
                    shown += 1
                    if words := last_line(log):
                        say(f"  ...  {title} ({time.monotonic() - began:.0f} s): {words}\n")
        except KeyboardInterrupt:
            code = running.wait()
    took = time.monotonic() - began
    text = log.read_text("utf-8", "replace")
    if code != 0:
        say(f"{text}\n{ended()}{title}: failed after {took:.0f} s with exit code {code}; its output: {log}\n")
    else:
        left_out = "".join(f"  {line}\n" for line in SKIPPED.findall(text))
        whole = f"{text}\n" if text.strip() and os.environ.get("CI") == "true" else left_out
        words = last_line(log)
        result = f" ({words})" if RESULT.search(words) else ""
        say(f"{whole}{ended()}{title}: done in {took:.0f} s{result}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
