"""API calls about MCP servers: their settings, their state, and what they offer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from aster_sidecar.api.identity import Identity
from aster_sidecar.config.kept_secrets import KeptSecrets
from aster_sidecar.config.settings import Config
from aster_sidecar.config.table_writer import merged, write_named
from aster_sidecar.config.toml_file import read_file
from aster_sidecar.contract import wire
from aster_sidecar.conversation.engine_loader import EngineLoader
from aster_sidecar.errors import ConfigInvalid, InvalidShape, McpNotFound, StoreError
from aster_sidecar.services.log import ServiceLog
from aster_sidecar.store.journal import Journal
from aster_sidecar.telemetry.redaction import secrets_in
from aster_sidecar.text.safe_text import visible
from aster_sidecar.tools.mcp import other_apps, references
from aster_sidecar.tools.mcp.config import ServerSpec, server_specs
from aster_sidecar.tools.mcp.converting import Candidate
from aster_sidecar.tools.mcp.servers import Servers

log = logging.getLogger(__name__)

TELL_AGAIN_S = 2.0
WHERE_CHARS = 300
NAME_CHARS = 64
"""How much of the name of a variable is in the name of its secret, if that can't have the whole name."""


class McpCalls:
    """Calls about MCP servers. Their settings are in the user's `config.toml`; secrets are in the keychain."""

    def __init__(
        self,
        journal: Journal,
        identity: Identity,
        config: Config,
        servers: Servers,
        secrets: KeptSecrets,
        engine: EngineLoader,
        learn: Callable[[Iterable[str]], None],
    ) -> None:
        """`learn` gets secrets that logs must not show."""
        self._journal = journal
        self._path = identity.settings.places.config_path
        self._environment = identity.settings.environment
        self._config = config
        self._servers = servers
        self._secrets = secrets
        self._engine = engine
        self._learn = learn
        self._changing = asyncio.Lock()
        self._told: dict[str, wire.McpChangedEvent] = {}
        self._untold: set[str] = set()
        servers.told.subscribe(self._tell)

    # -- reading -------------------------------------------------------------------------------------------------------

    def list(self) -> list[wire.McpServerInfo]:
        """The servers and their current state. Those that are not started yet are started in the background."""
        self._engine.look_for_tools()
        return self.now()

    def now(self) -> list[wire.McpServerInfo]:
        """The servers and their current state."""
        return self._servers.list()

    def get(self, name: str) -> wire.McpServerDetails:
        """A server with its settings, and what it offers. Raises: McpNotFound."""
        server = self._servers.get(name)
        session = server.connection.session_now
        return wire.McpServerDetails(
            **server.info().model_dump(),
            config=config_of(server.spec),
            tool_list=server.tool_list(),
            resource_list=session.resources if session is not None else [],
            prompt_list=session.prompts if session is not None else [],
        )

    def logs(self, name: str, after: int | None, limit: int) -> wire.ServiceLogs:
        """The newest `limit` lines of a server's output, only those after line `after` if given, oldest first.

        Raises: McpNotFound.
        """
        log: ServiceLog | None = self._servers.get(name).log
        return log.page(after, limit) if log is not None else wire.ServiceLogs(entries=[], dropped=0, path=None)

    # -- changing ------------------------------------------------------------------------------------------------------

    async def put(self, name: str, spec: wire.McpSpec) -> wire.McpServerDetails:
        """Add a server, or replace all settings of one.

        Raises: InvalidShape, ConfigInvalid, StoreError; then nothing has changed.
        """
        self._refuse_known(name)
        async with self._changing:
            return await self._replace(name, spec.model_dump(exclude_none=True))

    async def patch(self, name: str, patch: wire.McpPatch) -> wire.McpServerDetails:
        """Change settings of a server.

        Raises: McpNotFound; InvalidShape, ConfigInvalid, StoreError, then nothing has changed.
        """
        self._servers.get(name)
        self._refuse_known(name)
        async with self._changing:
            now = await asyncio.to_thread(self._table, name)
            return await self._change(name, now, patch.model_dump(include=patch.model_fields_set))

    async def delete(self, name: str) -> wire.McpRemoved:
        """Delete a server with its settings and secrets, and end it.

        Raises: McpNotFound, InvalidShape, ConfigInvalid, StoreError.
        """
        self._servers.get(name)
        self._refuse_known(name)
        async with self._changing:
            referred = await asyncio.to_thread(self._referred)
            await asyncio.to_thread(write_named, self._path, "mcp", name, None)
            if name in self._servers.names():
                self._servers.remove(name)
            await self._drop_unused(name, referred)
        return wire.McpRemoved(name=name)

    def restart(self, name: str) -> wire.McpServerInfo:
        """End a server and start it again; returns immediately. Raises: McpNotFound."""
        server = self._servers.get(name)
        server.restart()
        return server.info()

    def _refuse_known(self, name: str) -> None:
        """Raises: InvalidShape for a server that is a service, which has settings of its own."""
        if name in self._servers.names() and self._servers.get(name).knowledge is not None:
            raise InvalidShape(f"{name} is the agent's browser", hint="POST /api/browser changes it")

    def _table(self, name: str) -> dict[str, Any]:
        """The table of a server in `config.toml`; empty if there is none. Raises: ConfigInvalid."""
        tables: Any = read_file(self._path).get("mcp", {})
        table: Any = cast("Mapping[str, Any]", tables).get(name, {}) if isinstance(tables, dict) else {}
        return dict(cast("Mapping[str, Any]", table)) if isinstance(table, dict) else {}

    async def _replace(self, name: str, given: Mapping[str, Any]) -> wire.McpServerDetails:
        """Use these settings in place of all that a server has."""
        now = await asyncio.to_thread(self._table, name)
        changes: dict[str, Any] = {**dict.fromkeys(now, None), **given}
        for key in ("env", "headers"):
            if isinstance(now.get(key), Mapping) and key in given:
                changes[key] = {**dict.fromkeys(now[key], None), **given[key]}
        return await self._change(name, {}, changes)

    async def _change(self, name: str, now: Mapping[str, Any], changes: Mapping[str, Any]) -> wire.McpServerDetails:
        """Validate and save changes of a server's table, and use them. `now`: the settings that stay."""
        plain, secrets = without_secrets(name, changes)
        [spec] = server_specs({name: merged(now, plain)})
        self._learn(secrets_in({name: spec.model_dump(include={"env", "headers"})}))
        for secret, value in secrets.items():
            await self._secrets.put(secret, value)
        referred = await asyncio.to_thread(self._referred)
        await asyncio.to_thread(write_named, self._path, "mcp", name, plain)
        self._told.pop(name, None)  # clients read settings again that the event does not have
        self._servers.put(spec)
        if secrets:
            self._servers.get(name).restart()
        else:
            self._servers.get(name).begin()  # also if no client has needed a server yet
        try:
            await self._drop_unused(name, referred)
        except (ConfigInvalid, StoreError) as error:  # the settings are saved and used; the next change tries again
            log.warning("unused secrets of the MCP server %s are still saved: %s", name, error.message)
        return self.get(name)

    def _referred(self) -> set[str]:
        """The names of the secrets to which servers in `config.toml` refer. Raises: ConfigInvalid."""
        return references.secret_names(read_file(self._path).get("mcp"))

    async def _drop_unused(self, name: str, before: set[str]) -> None:
        """Delete saved secrets of a server to which no server refers any more; `before` are those referred to earlier.

        Raises: ConfigInvalid, StoreError.
        """
        unused = [one for one in self._secrets.names() if one in before or one.startswith(secrets_prefix(name))]
        if not unused:
            return
        after = await asyncio.to_thread(self._referred)
        for secret in unused:
            if secret not in after:
                await self._secrets.drop(secret)

    # -- trying and adding ---------------------------------------------------------------------------------------------

    async def try_out(self, given: wire.McpTry) -> wire.McpTryAnswer:
        """Connect to a server with these settings, and list its tools. Nothing is saved. Raises: ConfigInvalid."""
        plain, secrets = without_secrets(given.name, given.model_dump(exclude_none=True, exclude={"name"}))
        await self._secrets.load()
        [spec] = server_specs({given.name: plain})
        try:
            spec = references.resolved(
                spec, self._environment, lambda name: secrets.get(name) or self._secrets.value(name)
            )
        except references.Unresolved as error:
            return wire.McpTryAnswer(ok=False, error=str(error))
        return await self._servers.tried(spec)

    async def sources(self, path: str | None = None) -> list[wire.McpSource]:
        """The files of other apps with MCP servers; with `path`, only that file. Raises: ConfigInvalid."""
        if path is not None:
            return [self._source(await asyncio.to_thread(self._read, path), None)]
        work_dir = self._config.work_dir
        home = Path(self._environment.get("HOME") or Path.home())
        files = await asyncio.to_thread(other_apps.known_files, home, self._environment, sys.platform, work_dir)
        found: list[wire.McpSource] = []
        for file in files:
            try:
                read = await asyncio.to_thread(self._read, str(file.path), file)
                if read.servers or read.problems:
                    found.append(self._source(read, file.app))
            except ConfigInvalid as error:
                found.append(wire.McpSource(app=file.app, path=str(file.path), servers=[], problems=[error.message]))
        return found

    async def add_from(self, request: wire.McpImport) -> wire.McpImported:
        """Add servers from a file of another app. Raises: ConfigInvalid, InvalidShape, McpNotFound, StoreError.

        Servers before the one that fails are added.
        """
        found = await asyncio.to_thread(self._read, request.path)
        candidates = {candidate.name: candidate for candidate in found.servers}
        for name in request.names:
            if name not in candidates:
                raise McpNotFound(f"there is no server {name!r} in {request.path}")
            self._refuse_known(name)
            if not candidates[name].importable:
                raise InvalidShape(f"{name} can't be added: {'; '.join(candidates[name].problems)}")
        async with self._changing:
            for name in request.names:
                await self._add(candidates[name], request.values.get(name, {}))
        return wire.McpImported(servers=[self._servers.get(name).info() for name in request.names])

    async def _add(self, candidate: Candidate, values: Mapping[str, wire.SecretText]) -> None:
        spec, secrets = with_saved(candidate)
        for key, name, _ in candidate.needs:
            if name in values:
                for reference in needed(spec, key, name):
                    secrets[reference] = values[name].secret
        for secret, value in secrets.items():
            await self._secrets.put(secret, value)
        await self._replace(candidate.name, spec)

    def _read(self, path: str, file: other_apps.KnownFile | None = None) -> other_apps.Found:
        """Raises: ConfigInvalid."""
        return other_apps.read_servers(
            Path(os.path.expanduser(path)),
            file.format if file is not None else None,
            environment=self._environment,
            work_dir=file.work_dir if file is not None else self._config.work_dir,
        )

    def _source(self, found: other_apps.Found, app: str | None) -> wire.McpSource:
        names = self._servers.names()
        return wire.McpSource(
            app=app or other_apps.APPS[found.format],
            path=str(found.path),
            servers=[
                wire.McpCandidate(
                    name=one.name,
                    title=visible(one.title, newlines=False),
                    where=where(one),
                    importable=one.importable,
                    secrets=[f"{key} {name}".strip() for key, name in one.secrets],
                    needs=[wire.McpNeed(key=key, name=name, description=words) for key, name, words in one.needs],
                    problems=one.problems,
                    exists=one.name in names,
                )
                for one in found.servers
            ],
            problems=found.problems,
        )

    # -- events --------------------------------------------------------------------------------------------------------

    def _tell(self, name: str) -> None:
        """Publish the state of a server to clients, if it has changed."""
        removed = name not in self._servers.names()
        info = gone(name) if removed else self._servers.get(name).info()
        event = wire.McpChangedEvent(**info.model_dump(), removed=removed)
        if self._told.get(name) == event:
            return
        self._told[name] = event
        self._journal.put("mcp_changed", event, durable=False)

        def again(told: asyncio.Future[None]) -> None:
            if told.cancelled() or told.exception() is None or name in self._untold:
                return
            self._untold.add(name)  # the store is not available; try again later
            asyncio.get_running_loop().call_later(TELL_AGAIN_S, self._tell_again, name)

        self._journal.commit().add_done_callback(again)

    def _tell_again(self, name: str) -> None:
        self._untold.discard(name)
        self._told.pop(name, None)
        self._tell(name)


def secrets_prefix(server: str) -> str:
    """The beginning of the names of a server's saved secrets."""
    return f"mcp.{server}."


def secret_name(server: str, key: str) -> str:
    """The name under which the secret of a variable or a header is saved, which differs for each of a server."""
    name = f"{secrets_prefix(server)}{key}"
    if re.fullmatch(r"[A-Za-z0-9_-]+", key) and len(name) <= references.SECRET_NAME_CHARS:
        return name
    shown = re.sub(r"[^A-Za-z0-9_-]", "_", key)[:NAME_CHARS]
    return f"{secrets_prefix(server)}{shown}.{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def without_secrets(name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings with references in place of secrets, and the secrets by the names under which they are saved."""
    plain, secrets = dict(given), dict[str, str]()
    for key in ("env", "headers"):
        if not isinstance(given.get(key), Mapping):
            continue
        values: dict[str, Any] = dict(given[key])
        for variable, value in values.items():
            if isinstance(value, Mapping):
                saved = secret_name(name, variable)
                secrets[saved] = str(cast("Mapping[str, Any]", value)["secret"])
                values[variable] = f"${{secret:{saved}}}"
        plain[key] = values
    return plain, secrets


def with_saved(candidate: Candidate) -> tuple[dict[str, Any], dict[str, str]]:
    """A candidate's settings with references in place of its secrets, and the secrets by their names."""
    spec, secrets = dict(candidate.spec), dict[str, str]()
    for key, name in candidate.secrets:
        saved = secret_name(candidate.name, name if key in ("env", "headers") else f"{key}_{name}".rstrip("_"))
        reference = f"${{secret:{saved}}}"
        if key == "args":
            args = list(spec["args"])
            secrets[saved], args[int(name)] = references.literal(args[int(name)]), reference
            spec["args"] = args
        elif key == "url":
            secrets[saved], spec["url"] = references.literal(spec["url"]), reference
        else:
            secrets[saved] = references.literal(spec[key][name])
            spec[key] = {**spec[key], name: reference}
    return spec, secrets


def needed(spec: Mapping[str, Any], key: str, name: str) -> list[str]:
    """The names of the secrets to which a setting refers."""
    value = spec[key][int(name)] if key == "args" else spec["url"] if key == "url" else spec[key][name]
    return [one.name for one in references.references_in(str(value)) if one.kind == "secret"]


def where(candidate: Candidate) -> str:
    """A candidate's program with its arguments, or its address, without secrets."""
    spec = candidate.spec
    hidden = {(key, name) for key, name in candidate.secrets}
    if "url" in spec:
        text = "•••" if ("url", "") in hidden else str(spec["url"])
    else:
        args = ["•••" if ("args", str(n)) in hidden else str(arg) for n, arg in enumerate(spec.get("args", ()))]
        text = " ".join([str(spec.get("command", "")), *args])
    return visible(text, newlines=False)[:WHERE_CHARS]


def config_of(spec: ServerSpec) -> wire.McpConfig:
    """The settings for clients, without secrets."""

    def shown(values: Mapping[str, str]) -> dict[str, str | None]:
        return {name: value if references.references_in(value) else None for name, value in values.items()}

    return wire.McpConfig(
        enabled=spec.enabled,
        command=spec.command,
        args=list(spec.args),
        env=shown(spec.env),
        cwd=spec.cwd,
        url=spec.url,
        headers=shown(spec.headers),
        roots=list(spec.roots) if spec.roots is not None else None,
        tools=list(spec.tools) if spec.tools is not None else None,
        disabled_tools=list(spec.disabled_tools),
        agents=list(spec.agents) if spec.agents is not None else None,
        risk=spec.risk,
        timeout_s=spec.timeout_s,
    )


def gone(name: str) -> wire.McpServerInfo:
    """What clients see of a server that was deleted."""
    return wire.McpServerInfo(name=name, enabled=False, state="disabled", transport="stdio", where="", managed=False)
