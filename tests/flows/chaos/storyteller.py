"""What the provider double answers while the daemon is killed at random."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter

from tests.support.daemon import Json
from tests.support.provider import Answer, Call, Fault, RecordedRequest, Reply, Say, Think
from tests.support.provider_wire import FaultKind

WORDS = [
    "alpha ",
    "größer ",
    "想法 ",
    "😀🎉 ",
    "line\u2028break ",
    "\x85next ",
    "tab\t",
    "new\nline ",
    "\\u0000 ",
    '"q" ',
]
FAULTS: list[FaultKind] = ["cut", "error_event", "truncate"]


class Storyteller:
    """Makes up the answer to each request. Each command in an answer appends a unique mark to the file `marks`."""

    def __init__(self, chance: random.Random, ticks: Ticks) -> None:
        self.calm = False
        self._chance = chance
        self._ticks = ticks
        self._numbers = itertools.count()

    def __call__(self, request: RecordedRequest) -> Answer:
        self._ticks.tick("request")
        chance = self._chance
        if self.calm or request.last_user_text.startswith("probe"):
            return Reply([Say("calm again")])
        parts: list[Say | Think | Call] = []
        if chance.random() < 0.4:
            parts.append(Think(self._words(6), chunk=chance.randint(1, 7), delay_s=self._delay()))
        if chance.random() < 0.8:
            parts.append(Say(self._words(12), chunk=chance.randint(1, 7), delay_s=self._delay()))
        asked_before = len(request.tool_results)
        if asked_before < 40 and chance.random() < (0.3 if request.new_tool_results else 0.75):
            parts += [self._call() for _ in range(chance.choice([1, 1, 1, 2, 3]))]
            if chance.random() < 0.1:
                parts.append(Say(self._words(3), delay_s=self._delay()))
        reply = Reply(
            parts or [Say("yes")], flush_each=chance.random() < 0.3, wait_before_s=chance.choice([0, 0, 0.05])
        )
        if chance.random() < 0.05 and reply.delta_count() > 3:
            kind = chance.choice(FAULTS)
            return Fault(kind=kind, code="server_error", reply=reply, after=chance.randint(1, reply.delta_count() - 1))
        return reply

    def _delay(self) -> float:
        return self._chance.choice([0, 0, 0.001, 0.005, 0.02])

    def _words(self, most: int) -> str:
        return "".join(self._chance.choice(WORDS) for _ in range(self._chance.randint(1, most)))

    def _call(self) -> Call:
        mark = f"m{next(self._numbers)}."
        line = self._chance.choice(
            [
                f"echo {mark} >> marks",
                f"echo {mark} >> marks",
                f"echo {mark} | tee -a marks",
                f"echo {mark} >> marks; sleep 0.2; echo slept",
                f"sleep 0.1; echo {mark} >> marks",
                f"echo {mark} >> marks; seq 1 3000",
                f"echo {mark} >> marks; exit 3",
                None,
                None,
            ]
        )
        if line is not None:
            return Call("run_command", {"command": line})
        return self._chance.choice([Call("list_dir", {"path": "."}), Call("read_file", {"path": "there.txt"})])


def mark_of(arguments: Json) -> str | None:
    """The mark that a call appends to the file `marks` when it runs."""
    words = str(arguments.get("command", "")).split() if arguments else []
    return next((word for word in words if word.endswith(".") and word[0] in "me"), None)


class Ticks:
    """Counts requests, answers and events, so that a kill can follow any of them."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self._changed = threading.Condition()

    def tick(self, kind: str) -> None:
        with self._changed:
            self.count[kind] += 1
            self._changed.notify_all()

    def wait(self, more: int, kind: str | None = None, within_s: float = 5.0) -> None:
        """Wait until `more` further ticks (of one kind, or of all) have been counted, at most `within_s` seconds."""
        with self._changed:

            def total() -> int:
                return self.count[kind] if kind is not None else self.count.total()

            due = total() + more
            self._changed.wait_for(lambda: total() >= due, within_s)
