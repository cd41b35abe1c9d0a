"""API calls about trust: which projects may add their own settings and agents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aster_sidecar.agents.folders import FolderAgents
from aster_sidecar.agents.project_content import (
    FoundAgent,
    ProjectContent,
    ProjectFile,
    agents_of,
    changes,
    read_content,
    settings_of,
)
from aster_sidecar.agents.spec import AgentSpec, Known
from aster_sidecar.api.identity import Identity
from aster_sidecar.companion.timed_reading import TimedReading
from aster_sidecar.config.project_file import Project
from aster_sidecar.config.settings import Config, folder_in_request
from aster_sidecar.config.trusted_projects import distrust, project_of, trust, trusted, trusted_files
from aster_sidecar.contract import wire
from aster_sidecar.errors import FolderUnusable, InvalidShape, TrustChanged
from aster_sidecar.store.journal import Journal
from aster_sidecar.text.repair import valid_text

READ_S = 5.0
"""How long reading a project's files may take."""
TEXT_MOST = 1 << 20
"""The most characters of all texts in an answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of the project that contains a path. `content`: None if there is no project."""

    path: Path
    content: ProjectContent | None
    settings: Project
    agents: list[FoundAgent]


class TrustCalls:
    """Calls about trust."""

    def __init__(
        self,
        journal: Journal,
        identity: Identity,
        config: Config,
        agents: FolderAgents,
        known: Known,
        reading: TimedReading,
    ) -> None:
        self._journal = journal
        self._config_dir = identity.settings.places.config_dir
        self._environment = identity.settings.environment
        self._config = config
        self._agents = agents
        self._known = known
        self._reading = reading

    async def view(self, path: str | None) -> wire.TrustView:
        """The project that contains a path, by default the daemon's work folder, and what trusting it lets in.

        Raises: InvalidShape, FolderUnusable, ConfigInvalid if the list of trusted projects is damaged.
        """
        return self._shown(await self._read(path if path is not None else str(self._config.work_dir)))

    async def trust(self, body: wire.TrustRequest) -> wire.TrustView:
        """Trust the project that contains a path, if its files are those that the person saw. Idempotent.

        Raises: InvalidShape, FolderUnusable, TrustChanged, ConfigInvalid, StoreError.
        """
        found = await self._read(body.path)
        if found.content is None:
            raise InvalidShape(
                f"path = {body.path[:200]!r}: no project contains it",
                hint="a project is a directory that contains a directory .aster",
            )
        if found.content.digest != body.digest:
            error = TrustChanged(f"the files in {found.content.directory} have changed since they were shown")
            error.details = self._shown(found).model_dump(mode="json")
            raise error
        trust(self._config_dir, found.content.directory, self._environment, found.content.digests)
        await self._apply()
        return self._shown(found)

    async def untrust(self, path: str) -> wire.TrustView:
        """Stop trusting a directory: `path`, also one that is gone, or else the project that contains it. Idempotent.

        Raises: InvalidShape, FolderUnusable, ConfigInvalid, StoreError.
        """
        known = trusted(self._config_dir)
        try:
            found = await self._read(path)
        except (InvalidShape, FolderUnusable):
            if Path(path) not in known:
                raise
            found = Found(Path(path), None, Project(), [])
        places = [found.path] if found.content is None else [found.path, found.content.directory]
        place = next((place for place in places if place in known), None)
        if place is not None:
            distrust(self._config_dir, place, self._environment)
            await self._apply()
        return self._shown(found)

    async def _apply(self) -> None:
        """Let sessions use the settings and agents of the projects that are trusted now, and publish that."""
        changed = self._config.read_project_again()
        self._agents.refresh()
        await self._journal.record("config_changed", wire.ConfigChangedEvent(changed=changed))

    async def _read(self, path: str) -> Found:
        # Taken here: the registry of agents belongs to the event loop.
        others = [spec for spec in self._agents.default.list() if spec.source != "project"]
        return await self._reading.one(path, lambda path: self._found(path, others), READ_S)

    def _found(self, path: str, others: list[AgentSpec]) -> Found:
        """Read the project; runs in a thread. Raises: InvalidShape."""
        folder = Path(folder_in_request(path, "path"))
        directory = project_of(folder)
        if directory is None:
            return Found(folder, None, Project(), [])
        content = read_content(directory)
        return Found(folder, content, settings_of(content), agents_of(content, self._known, others))

    def _shown(self, found: Found) -> wire.TrustView:
        """Raises: ConfigInvalid."""
        projects = trusted(self._config_dir)
        content, settings = found.content, found.settings
        directory = content.directory if content is not None else None
        is_trusted = directory in projects
        before = trusted_files(self._config_dir, directory) if directory is not None and is_trusted else None
        return wire.TrustView(
            directory=str(directory) if directory is not None else None,
            trusted=is_trusted,
            settings=dict(settings.values),
            agents=[agent_of(agent) for agent in found.agents],
            files=shown(content.files) if content is not None else [],
            problems=[*settings.problems, *(content.problems if content is not None else ())],
            digest=content.digest if content is not None else "",
            changed=[
                wire.FileChange(name=name, change=change)
                for name, change in (changes(content, before) if content is not None else ())
            ],
            projects=[str(project) for project in projects],
        )


def agent_of(agent: FoundAgent) -> wire.ProjectAgent:
    """The wire model of an agent in a project."""
    spec = agent.spec
    return wire.ProjectAgent(
        id=agent.agent_id,
        name=spec.name if spec is not None else agent.agent_id,
        description=spec.description if spec is not None else "",
        path=agent.path,
        problems=[
            wire.AgentProblem(id=p.agent_id, source=p.source, path=p.path, line=p.line, reason=p.reason)
            for p in agent.problems
        ],
    )


def shown(files: tuple[ProjectFile, ...]) -> list[wire.ProjectFile]:
    """The files with their texts, `TEXT_MOST` characters in all."""
    left = TEXT_MOST
    result: list[wire.ProjectFile] = []
    for file in files:
        text, problem = file.text, file.problem
        if text is not None and len(text) > left:
            text, problem = None, f"not shown: all files together have more than {TEXT_MOST:,} characters"
        left -= len(text or "")
        text = valid_text(text) if text is not None else None
        result.append(wire.ProjectFile(name=file.name, text=text, problem=problem))
    return result
