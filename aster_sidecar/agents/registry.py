"""Which agents there are: built in, from the app's code, from YAML files; the files are reread when they change.

An id belongs to whoever comes first: the app's code, then the person's own directory, then a trusted project. Files are
looked at (a few `stat`s) whenever somebody asks for an agent; nothing here polls.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.agents.spec import DEFAULT, AgentSpec, Broken, Known, Problem, Source, parse, read
from aster_sidecar.config.trusted_projects import FOLDER
from aster_sidecar.errors import AgentNotFound, AsterError
from aster_sidecar.policy.permissions import Mode, stricter
from aster_sidecar.publisher import Publisher

log = logging.getLogger(__name__)

SUFFIXES = (".yaml", ".yml")
FILES_MOST = 200
"""Most files of one directory that are read."""
FRESH_NS = 2_000_000_000
"""A file that changed this shortly before it was read may change again without a new time stamp: it is read again."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file was when it was read, and what came of it. `settled` says that its time stamp can be relied on."""

    stamp: tuple[int, ...]
    settled: bool
    found: AgentSpec | tuple[Problem, ...]


@dataclass(slots=True)
class Places:
    """Where files are looked for: the person's directory, and the trusted project there is now (None: none).

    `project` may raise AsterError.
    """

    user: Path | None = None
    project: Callable[[], Path | None] = lambda: None


@dataclass(slots=True)
class State:
    """Which agents and problems there are at one time."""

    specs: dict[str, AgentSpec] = field(default_factory=dict[str, AgentSpec])
    problems: tuple[Problem, ...] = ()


class Agents:
    """The agents a client can talk to, by id."""

    def __init__(self, code: AppCode, places: Places, known: Known) -> None:
        self._places = places
        self._known = known
        self._fixed = {DEFAULT.agent_id: DEFAULT, **{spec.agent_id: spec for spec in code.agents}}
        self._readings: dict[Path, Reading] = {}
        self._state = State(dict(self._fixed))
        self._gone: dict[str, AgentSpec] = {}
        self.changed: Publisher[[]] = Publisher()
        """Publishes that reading the files again changed an agent or a problem."""
        self._state = self._look()
        self._tell_problems(())

    def get(self, agent_id: str) -> AgentSpec:
        """Raises: AgentNotFound, which says what is wrong with its file when that is why."""
        self.refresh()
        spec = self._state.specs.get(agent_id)
        if spec is None:
            raise self._missing(agent_id)
        return spec

    def name_of(self, agent_id: str) -> str:
        """What people call an agent; its id when it is gone or has no name."""
        found = next((spec for spec in self.list() if spec.agent_id == agent_id), None)
        return (found and found.name) or agent_id

    def list(self) -> list[AgentSpec]:
        """All that work: built in, code, the person's, the project's."""
        self.refresh()
        return list(self._state.specs.values())

    def ids(self) -> list[str]:
        """The ids of all that work, as they were when the files were last looked at."""
        return list(self._state.specs)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with files, as it was when they were last looked at."""
        return self._state.problems

    def mode(self, agent_id: str, configured: Mode) -> Mode:
        """The permission mode that holds for an agent. Taking its file away does not loosen it."""
        spec = self._state.specs.get(agent_id) or self._gone.get(agent_id)
        return (
            configured if spec is None or spec.permission_mode is None else stricter(configured, spec.permission_mode)
        )

    def refresh(self) -> None:
        """Read what changed since the last time; publishes `changed` when that changes an agent or a problem."""
        before, now = self._state, self._look()
        if (now.specs, now.problems) == (before.specs, before.problems):
            return
        self._gone |= {name: spec for name, spec in before.specs.items() if name not in now.specs}
        self._state = now
        self._tell_problems(before.problems)
        self.changed.publish()

    def _tell_problems(self, before: tuple[Problem, ...]) -> None:
        for problem in self._state.problems:
            if problem not in before:
                log.warning("agent %s is left out: %s", problem.agent_id, problem)

    def _missing(self, agent_id: str) -> AgentNotFound:
        wrong = [problem for problem in self._state.problems if problem.agent_id == agent_id]
        if wrong:
            return AgentNotFound(
                f"agent not found: {agent_id[:100]!r}: {wrong[0]}",
                hint="mend the file: it is read again at once; GET /api/agents names what is wrong",
            )
        gone = self._gone.get(agent_id)
        if gone is not None:
            return AgentNotFound(
                f"agent not found: {agent_id[:100]!r}: its file {gone.path} is gone",
                hint="put the file back: it is read at once; GET /api/agents lists the agents there are",
            )
        return AgentNotFound(f"agent not found: {agent_id[:100]!r}")

    # -- files -----------------------------------------------------------------------------------------------------

    def _look(self) -> State:
        """What there is now."""
        state = State(dict(self._fixed))
        problems: list[Problem] = []
        seen: dict[Path, Reading] = {}
        if self._places.user is not None:
            self._take("user", self._places.user, state, problems, seen)
        try:
            project = self._places.project()
        except (AsterError, OSError) as error:
            project = None
            problems.append(Problem("*", "project", FOLDER, None, str(error)))
        if project is not None:
            folder = project / FOLDER / "agents"
            if os.path.realpath(folder) == str(folder):
                self._take("project", folder, state, problems, seen)
            elif folder.exists():
                problems.append(
                    Problem("*", "project", str(folder), None, "a link: a project's agents are files in it")
                )
        self._readings = seen
        state.problems = tuple(problems)
        return state

    def _take(
        self, source: Source, folder: Path, state: State, problems: list[Problem], seen: dict[Path, Reading]
    ) -> None:
        """Add a directory's agents to those before, which keep their ids."""
        try:
            entries = stamps(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            problems.append(Problem("*", source, str(folder), None, f"it can't be read: {error.strerror or error}"))
            return
        if len(entries) > FILES_MOST:
            problems.append(Problem("*", source, str(folder), None, f"only the first {FILES_MOST} files are read"))
        for path in sorted(entries)[:FILES_MOST]:
            reading = seen[path] = self._read(source, path, entries[path])
            if not isinstance(reading.found, AgentSpec):
                problems += reading.found
                continue
            spec = reading.found
            taken = state.specs.get(spec.agent_id)
            if taken is None:
                state.specs[spec.agent_id] = spec
            else:
                problems.append(Problem(spec.agent_id, source, str(path), None, f"not used: {whose(taken)}"))

    def _read(self, source: Source, path: Path, stamp: tuple[int, ...]) -> Reading:
        known = self._readings.get(path)
        if known is not None and known.settled and known.stamp == stamp:
            return known
        settled = time.time_ns() - stamp[0] > FRESH_NS
        try:
            text = read(path, follow_links=source == "user")
            found = parse(path.stem, text, self._known, source, str(path))
        except Broken as broken:
            found = tuple(Problem(path.stem, source, str(path), line, reason) for line, reason in broken.reasons)
        return Reading(stamp, settled, found)


def stamps(folder: Path) -> dict[Path, tuple[int, ...]]:
    """The agent files of a directory, and what tells that one changed. Raises: OSError."""
    found: dict[Path, tuple[int, ...]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.endswith(SUFFIXES):
                continue
            try:
                status = entry.stat()
                found[Path(entry.path)] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
            except OSError:  # a link that leads nowhere, or gone in between: reading it says so
                found[Path(entry.path)] = (0,)
    return found


def whose(spec: AgentSpec) -> str:
    """Why an id is taken, in words."""
    if spec.source == "builtin":
        return f"{spec.agent_id!r} is built in, and only the app's code may replace it"
    owner = {"code": "the app's own code", "user": "the person's own", "project": "the project's"}[spec.source]
    return f"the id is taken by {owner}" + (f" {spec.path}" if spec.path else "")
