"""Helpers of the tools' tests: a work directory beside the daemon's data, a context that keeps progress, and calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import psutil

from aster_sidecar.asking.forms import Form
from aster_sidecar.policy.permissions import Assessment
from aster_sidecar.services.keeper_client import KEEPER
from aster_sidecar.tools.base import Outcome, QuestionEnd, Surroundings, Tool, ToolError
from aster_sidecar.tools.builtin import builtin_tools


@dataclass
class Told:
    """One call of `progress`."""

    message: str | None
    stream: str | None
    delta: str | None
    progress: float | None = field(default=None, compare=False)


@dataclass
class Listener:
    """A CallContext that keeps all calls of `progress`."""

    surroundings: Surroundings
    call_id: str = "call_1"
    agent_id: str = "default"
    session_id: str = "session_1"
    turn_id: str = "turn_1"
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])
    told: list[Told] = field(default_factory=list[Told])
    ended_questions: Sequence[QuestionEnd] = ()
    again: bool = False
    unattended: bool = False
    answers: list[QuestionEnd] = field(default_factory=list[QuestionEnd])
    """The ends of the questions that are asked, in order; without one, a question stays open."""
    asked: list[Form] = field(default_factory=list[Form])

    async def ask(self, form: Form) -> QuestionEnd:
        self.asked.append(form)
        if len(self.asked) > len(self.answers):
            await asyncio.Event().wait()
        return self.answers[len(self.asked) - 1]

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def progress(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        self.tell(message, progress=progress, stream=stream, delta=delta)
        await asyncio.sleep(0)

    def tell(
        self,
        message: str | None = None,
        *,
        progress: float | None = None,
        stream: Literal["stdout", "stderr"] | None = None,
        delta: str | None = None,
    ) -> None:
        self.told.append(Told(message, stream, delta, progress))

    def streamed(self, stream: str) -> str:
        return "".join(one.delta or "" for one in self.told if one.stream == stream)


BEFORE: set[psutil.Process] = set()
"""The descendants of this process when the test began.

After the first launch of a program, this process adopts orphans. So they may include the fork server and processes of
daemons that earlier tests have killed.
"""


def note_others() -> None:
    """Remember the descendants that this process has now."""
    BEFORE.clear()
    BEFORE.update(psutil.Process().children(recursive=True))


def left() -> list[psutil.Process]:
    """The processes that the test has left: new descendants of this process, without the keeper of programs.

    Processes that are ending, and zombies, are not included.
    """
    found: list[psutil.Process] = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if one.pid != KEEPER.pid and one not in BEFORE and one.cmdline():
                found.append(one)
    return found


def tool(name: str) -> Tool[Any]:
    return next(one for one in builtin_tools() if one.name == name)


def assess(name: str, surroundings: Surroundings, **arguments: Any) -> Assessment:
    found = tool(name)
    return found.assess(found.arguments.model_validate(arguments), surroundings)


async def start(name: str, context: Listener, **arguments: Any) -> Outcome:
    """Assess and run a call, as the daemon does when policy allows it."""
    found = tool(name)
    parsed = found.arguments.model_validate(arguments)
    assessment = found.assess(parsed, context.surroundings)
    if assessment.forbidden is not None:
        raise ToolError(f"forbidden: {assessment.forbidden}")
    return await found.run(parsed, assessment, context)


def call(name: str, surroundings: Surroundings, **arguments: Any) -> Outcome:
    return asyncio.run(start(name, Listener(surroundings), **arguments))


def run_assessed(name: str, surroundings: Surroundings, assessment: Assessment, **arguments: Any) -> Outcome:
    """Run a call with an assessment made earlier, so that a test can change something in between."""
    found = tool(name)
    return asyncio.run(_run(found, found.arguments.model_validate(arguments), assessment, Listener(surroundings)))


async def _run(found: Tool[Any], parsed: Any, assessment: Assessment, context: Listener) -> Outcome:
    return await found.run(parsed, assessment, context)


def make_surroundings(base: Path) -> Surroundings:
    """The work directory base/work, and base/daemon with the daemon's own files."""
    work, daemon = base.resolve() / "work", base.resolve() / "daemon"
    work.mkdir()
    daemon.mkdir()
    (daemon / "aster.db").write_text("the journal")
    return Surroundings(work, (daemon,))


def module_of(folder: Path, source: str) -> ModuleType:
    """A module with this source, in a file of its own."""
    path = folder / "some_worker.py"
    path.write_text(source)
    spec = spec_from_file_location("some_worker", path)
    assert spec is not None
    return module_from_spec(spec)


async def until(condition: Callable[[], bool], within_s: float = 30) -> None:
    """Wait until `condition` holds. Raises: AssertionError if it does not hold within `within_s` seconds."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {within_s:g} s"
        await asyncio.sleep(0.005)
