"""What a person lets in by trusting a project: the files of its `.aster`, and the settings and agents in them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from aster_sidecar.agents.registry import FILES_MOST, LINKED, owner_of, problems_with, stamps
from aster_sidecar.agents.spec import AgentSpec, Broken, Known, Problem, parse, read
from aster_sidecar.config.project_file import Project, read_settings, settings_in
from aster_sidecar.config.settings import checked
from aster_sidecar.config.trusted_projects import FOLDER, project_of, trust
from aster_sidecar.text.path_names import misnamed

SETTINGS = f"{FOLDER}/config.toml"
AGENTS = f"{FOLDER}/agents"


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A file as it was read once. `name`: its path in the project, with slashes.

    `text`: None for a file that is not used, and `problem` says why.
    """

    name: str
    path: Path
    text: str | None
    problem: str | None

    @property
    def digest(self) -> str:
        """A SHA-256 of the text, in hex. Files that are not used have that of the reason."""
        return hashlib.sha256(json.dumps([self.text, self.problem]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ProjectContent:
    """All files of a project that count when it is trusted. `problems`: with its directories."""

    directory: Path
    files: tuple[ProjectFile, ...]
    problems: tuple[str, ...] = ()

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file, by name."""
        return {file.name: file.digest for file in self.files}

    @property
    def digest(self) -> str:
        """Changes when any file does; differs between projects."""
        whole = [str(self.directory), [[file.name, file.digest] for file in self.files]]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def read_content(directory: Path) -> ProjectContent:
    """Read a project's files, trusted or not. Follows no links; waits for no FIFO. Never raises for what it finds."""
    files: list[ProjectFile] = []
    problems: list[str] = []
    if os.path.lexists(path := directory / SETTINGS):
        files.append(_settings_file(directory, path))
    folder = directory / AGENTS
    try:
        if os.path.realpath(folder) != str(folder):
            raise OSError(0, LINKED)
        paths = sorted(stamps(folder))
    except FileNotFoundError:
        paths = []
    except OSError as error:
        paths = []
        if folder.exists():
            problems.append(f"{folder}: {error.strerror}")
    if len(paths) > FILES_MOST:
        problems.append(f"{folder}: only the first {FILES_MOST} files are read")
    files += [_agent_file(path) for path in paths[:FILES_MOST]]
    return ProjectContent(directory, tuple(files), tuple(problems))


def _settings_file(directory: Path, path: Path) -> ProjectFile:
    try:
        return ProjectFile(SETTINGS, path, read_settings(directory), None)
    except UnicodeDecodeError:
        return ProjectFile(SETTINGS, path, None, "not UTF-8 text")
    except OSError as error:
        return ProjectFile(SETTINGS, path, None, error.strerror or str(error))


def _agent_file(path: Path) -> ProjectFile:
    name = f"{AGENTS}/{misnamed(path.name) or path.name}"
    try:
        return ProjectFile(name, path, read(path, follow_links=False), None)
    except Broken as broken:
        return ProjectFile(name, path, None, "; ".join(reason for _, reason in broken.reasons))


# -- what is in the files ----------------------------------------------------------------------------------------------


def settings_of(content: ProjectContent) -> Project:
    """The project's settings that would apply, and the problems with the file."""
    file = next((file for file in content.files if file.name == SETTINGS), None)
    if file is None:
        return Project(content.directory)
    if file.text is None:
        return Project(content.directory, problems=(f"{file.path}: {file.problem}; ignored",))
    return checked(settings_in(content.directory, file.text))


class FoundAgent(NamedTuple):
    """An agent file of a project. `spec`: None if it defines no agent that would be used; `problems` say why."""

    agent_id: str
    path: str
    spec: AgentSpec | None
    problems: tuple[Problem, ...]


def agents_of(content: ProjectContent, known: Known, others: Iterable[AgentSpec]) -> list[FoundAgent]:
    """The project's agents as they would be loaded. `others`: the agents from elsewhere, which take precedence."""
    taken = {spec.agent_id: spec for spec in others}
    found: list[FoundAgent] = []
    for file in content.files:
        if file.name == SETTINGS:
            continue
        path = misnamed(file.path) or str(file.path)
        agent_id = misnamed(file.path.stem) or file.path.stem
        try:
            if file.text is None:
                raise Broken((None, file.problem or ""))
            spec = parse(file.path.stem, file.text, known, "project", path)
        except Broken as broken:
            found.append(FoundAgent(agent_id, path, None, problems_with(file.path, "project", broken)))
            continue
        if (first := taken.get(spec.agent_id)) is not None:
            problem = Problem(agent_id, "project", path, None, f"not used: {owner_of(first)}")
            found.append(FoundAgent(agent_id, path, None, (problem,)))
            continue
        taken[spec.agent_id] = spec
        found.append(FoundAgent(agent_id, path, spec, ()))
    return found


Change = Literal["added", "changed", "removed"]


def changes(content: ProjectContent, before: Mapping[str, str] | None) -> list[tuple[str, Change]]:
    """What changed since the files had the digests `before`, by name; None: these are not known, so nothing."""
    if before is None:
        return []
    now = content.digests
    found: list[tuple[str, Change]] = []
    for name in sorted({*now, *before}):
        if name not in now:
            found.append((name, "removed"))
        elif name not in before:
            found.append((name, "added"))
        elif now[name] != before[name]:
            found.append((name, "changed"))
    return found


def trust_directory(config_dir: Path, directory: Path, environment: Mapping[str, str]) -> Path:
    """As `trust`, with the digests of the files as they are now. Raises: ConfigInvalid."""
    directory = directory.expanduser().resolve()
    files = read_content(directory).digests if project_of(directory) == directory else {}
    return trust(config_dir, directory, environment, files)
