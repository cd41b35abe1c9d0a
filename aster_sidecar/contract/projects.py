"""Wire models of folders, and of the projects in them that a person may trust."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import Folder, Model, Request
from aster_sidecar.contract.settings import AgentProblem


class FolderInfo(Model):
    """A directory. `project`: it contains `.git` or `.aster`. `usable`: a conversation can work in it."""

    name: str
    path: str
    project: bool
    usable: bool


class FolderList(Model):
    """The directories in a directory, for a picker. `parent` is null at a root."""

    path: str
    parent: str | None
    home: str | None
    roots: list[str] = Field(description="where the file system begins; several on Windows")
    folders: list[FolderInfo]
    truncated: bool = Field(description="whether there are more")
    unnamed: int = Field(description="how many were left out because their names are not UTF-8")
    recent: list[FolderInfo] = Field(description="those of conversations, the last used first, then the daemon's own")


class ProjectFile(Model):
    """A file that counts if the project is trusted. `text` is null if it can't be shown; `problem` says why."""

    name: str = Field(description="its path in the project")
    text: str | None
    problem: str | None


class ProjectAgent(Model):
    """An agent that a project defines. It would not be used if it has `problems`."""

    id: str
    name: str
    description: str
    path: str
    problems: list[AgentProblem]


class FileChange(Model):
    """How a file differs from the moment when the person trusted the project."""

    name: str
    change: Literal["added", "changed", "removed"]


class TrustView(Model):
    """A project, whether it is trusted, and what trust lets in. `directory` is null if the path is in no project."""

    directory: str | None
    trusted: bool
    settings: dict[str, Any] = Field(description="the values that its file sets")
    agents: list[ProjectAgent]
    files: list[ProjectFile]
    problems: list[str] = Field(description="what is ignored, and why")
    digest: str = Field(description="changes with the files; empty without a project")
    changed: list[FileChange]
    projects: list[str] = Field(description="all trusted directories")


class TrustRequest(Request):
    """Trust the project that contains `path`. `digest`: that of the `TrustView` which the person saw."""

    path: Folder
    digest: Annotated[str, StringConstraints(min_length=1, max_length=200)]
