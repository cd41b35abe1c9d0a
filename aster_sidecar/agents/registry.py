"""The registry of agents: built in, from the app's code, and from YAML files, which are reloaded when they change.

If several define the same id, the first one wins: the app's code, then the user's directory, then a trusted project.
Every request for an agent checks the files (a few `stat` calls); nothing polls.
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
from aster_sidecar.text.path_names import misnamed

log = logging.getLogger(__name__)

SUFFIXES = (".yaml", ".yml")
FILES_MOST = 200
"""The most files of one directory that are read."""
LINKED = "a link; a project's agents must be files in the project"
FRESH_NS = 2_000_000_000
"""A file that changed this shortly before it was read can change again with the same time stamp; it is read again."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file's `stat` fields and the result of reading it. `settled`: a later change would change its time stamp."""

    stamp: tuple[int, ...]
    settled: bool
    found: AgentSpec | tuple[Problem, ...]


@dataclass(slots=True)
class Places:
    """Where agent files are.

    `user`: the user's directory. `project`: returns the trusted project, None if there is none; may raise AsterError.
    """

    user: Path | None = None
    project: Callable[[], Path | None] = lambda: None


@dataclass(slots=True)
class State:
    """The agents and problems after one reading of the files."""

    specs: dict[str, AgentSpec] = field(default_factory=dict[str, AgentSpec])
    problems: tuple[Problem, ...] = ()


class Agents:
    """The agents that clients can talk to, by id."""

    def __init__(self, code: AppCode, places: Places, known: Known) -> None:
        self._places = places
        self._known = known
        self._fixed = {DEFAULT.agent_id: DEFAULT, **{spec.agent_id: spec for spec in code.agents}}
        self._readings: dict[Path, Reading] = {}
        self._state = State(dict(self._fixed))
        self._gone: dict[str, AgentSpec] = {}
        self.changed: Publisher[[]] = Publisher()
        """Publishes when reloading the files changed an agent or a problem."""
        self._state = self._look()
        self._log_problems(())

    def get(self, agent_id: str) -> AgentSpec:
        """The agent with this id. Raises: AgentNotFound, which names the problem if the agent's file is invalid."""
        self.refresh()
        spec = self._state.specs.get(agent_id)
        if spec is None:
            raise self._missing(agent_id)
        return spec

    def known(self, agent_id: str) -> AgentSpec | None:
        """The agent as of the last reading of the files, also one whose file was removed since."""
        return self._state.specs.get(agent_id) or self._gone.get(agent_id)

    def list(self) -> list[AgentSpec]:
        """All usable agents, in the order built-in, code, user, project."""
        self.refresh()
        return list(self._state.specs.values())

    def ids(self) -> list[str]:
        """The ids of all usable agents, as of the last reading of the files."""
        return list(self._state.specs)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems with files, as of the last reading."""
        return self._state.problems

    def mode(self, agent_id: str, configured: Mode) -> Mode:
        """The permission mode of an agent. It does not become looser when the agent's file is removed."""
        spec = self.known(agent_id)
        return (
            configured if spec is None or spec.permission_mode is None else stricter(configured, spec.permission_mode)
        )

    def refresh(self) -> None:
        """Read files that changed since the last time; publish `changed` if an agent or a problem changed."""
        before, now = self._state, self._look()
        if (now.specs, now.problems) == (before.specs, before.problems):
            return
        self._gone |= {name: spec for name, spec in before.specs.items() if name not in now.specs}
        self._state = now
        self._log_problems(before.problems)
        self.changed.publish()

    def _log_problems(self, before: tuple[Problem, ...]) -> None:
        for problem in self._state.problems:
            if problem not in before:
                log.warning("agent %s is ignored: %s", problem.agent_id, problem)

    def _missing(self, agent_id: str) -> AgentNotFound:
        wrong = [problem for problem in self._state.problems if problem.agent_id == agent_id]
        if wrong:
            return AgentNotFound(
                f"agent not found: {agent_id[:100]!r}: {wrong[0]}",
                hint="fix the file; it is reloaded automatically. GET /api/agents lists the problems",
            )
        gone = self._gone.get(agent_id)
        if gone is not None:
            return AgentNotFound(
                f"agent not found: {agent_id[:100]!r}: its file {gone.path} was removed",
                hint="restore the file; it is loaded automatically. GET /api/agents lists the agents",
            )
        return AgentNotFound(f"agent not found: {agent_id[:100]!r}")

    # -- files -----------------------------------------------------------------------------------------------------

    def _look(self) -> State:
        """Read the directories."""
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
                problems.append(Problem("*", "project", str(folder), None, LINKED))
        self._readings = seen
        state.problems = tuple(problems)
        return state

    def _take(
        self, source: Source, folder: Path, state: State, problems: list[Problem], seen: dict[Path, Reading]
    ) -> None:
        """Add a directory's agents to `state`. Ids that are already there are not replaced, but reported."""
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
                problems.append(Problem(spec.agent_id, source, str(path), None, f"not used: {owner_of(taken)}"))

    def _read(self, source: Source, path: Path, stamp: tuple[int, ...]) -> Reading:
        known = self._readings.get(path)
        if known is not None and known.settled and known.stamp == stamp:
            return known
        settled = time.time_ns() - stamp[0] > FRESH_NS
        try:
            text = read(path, follow_links=source == "user")
            found = parse(path.stem, text, self._known, source, str(path))
        except Broken as broken:
            found = problems_with(path, source, broken)
        return Reading(stamp, settled, found)


def problems_with(path: Path, source: Source, broken: Broken) -> tuple[Problem, ...]:
    """The problems of a broken file, also of one whose name is not UTF-8."""
    agent_id, shown = misnamed(path.stem) or path.stem, misnamed(path) or str(path)
    return tuple(Problem(agent_id, source, shown, line, reason) for line, reason in broken.reasons)


def stamps(folder: Path) -> dict[Path, tuple[int, ...]]:
    """The agent files of a directory, each with the `stat` fields that change with it. Raises: OSError."""
    found: dict[Path, tuple[int, ...]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.endswith(SUFFIXES):
                continue
            try:
                status = entry.stat()
                found[Path(entry.path)] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
            except OSError:  # a dangling link, or removed meanwhile: reading it reports that
                found[Path(entry.path)] = (0,)
    return found


def owner_of(spec: AgentSpec) -> str:
    """Who defines the agent that has an id, in words."""
    if spec.source == "builtin":
        return f"{spec.agent_id!r} is built in, and only the app's code may replace it"
    owner = {"code": "the app's own code", "user": "your own file", "project": "the project's file"}[spec.source]
    return f"the id is taken by {owner}" + (f" {spec.path}" if spec.path else "")
