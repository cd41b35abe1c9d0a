"""What MCP servers offer for messages: resources, mentioned as @NAME:URI, and prompts, as commands /NAME:PROMPT."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping
from typing import Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Json, Refused, Unreachable
from aster_sidecar.cli.chat.files import Files
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.prompt import Prompt
from aster_sidecar.cli.chat.prompt_parts import Interrupted
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.turns import Turns
from aster_sidecar.cli.chat.views import View

MENTION = re.compile(r"(?<!\S)@([a-z0-9_-]{1,32}):(\S+)")
COMMAND = re.compile(r"/([a-z0-9_-]{1,32}):(.+)", re.DOTALL)
PAUSES = ".,;:!?)]}'\"»”’"
"""Signs after a mention that belong to the sentence."""
ARGUMENT = re.compile(r"([^\s=]+)=(.*)", re.DOTALL)


class Offers:
    """Lists resources and prompts, and takes them into messages."""

    def __init__(
        self, connection: Connection, view: View, state: ChatState, prompt: Prompt, turns: Turns, files: Files
    ) -> None:
        self._call = connection.call
        self._view = view
        self._state = state
        self._prompt = prompt
        self._turns = turns
        self._files = files
        self._given: set[tuple[str, str]] = set()
        """Mentions in the text of the last prompt: a server wrote them, so nothing is attached for them."""

    # -- lists -----------------------------------------------------------------------------------------------------

    async def resources(self, _: str) -> None:
        """List the resources of all servers. Raises: Refused, Unreachable."""
        found = [
            (server["name"], one) for server in await self._servers("resources") for one in server["resource_list"]
        ]
        for name, resource in found:
            self._view.note(texts.resource(f"@{name}:{one_line(resource['uri'])}", one_line(titled(resource))), "")
        self._view.note(texts.RESOURCES_ARE if found else texts.NO_RESOURCES)

    async def prompts(self, _: str) -> None:
        """List the prompts of all servers. Raises: Refused, Unreachable."""
        found = [(server["name"], one) for server in await self._servers("prompts") for one in server["prompt_list"]]
        for name, prompt in found:
            arguments = [(one_line(one["name"]), bool(one["required"])) for one in prompt["arguments"]]
            about = one_line(prompt["description"] or prompt["title"] or "")
            self._view.note(texts.prompt(f"/{name}:{one_line(prompt['name'])}", arguments, about), "")
        self._view.note(texts.PROMPTS_ARE if found else texts.NO_PROMPTS)

    async def completions(self, sign: str) -> dict[str, str]:
        """What can follow a sign: mentions "@", commands "/", with what they are. Empty if the daemon is away."""
        kind = "resources" if sign == "@" else "prompts"
        try:
            servers = await self._servers(kind)
        except (Refused, Unreachable):
            return {}
        if kind == "resources":
            found = [
                (f"@{server['name']}:{one['uri']}", titled(one))
                for server in servers
                for one in server["resource_list"]
            ]
        else:
            found = [
                (f"/{server['name']}:{one['name']}", one["description"] or one["title"] or "")
                for server in servers
                for one in server["prompt_list"]
            ]
        return {word: one_line(about) for word, about in found if word == one_line(word)}

    async def _servers(self, kind: str) -> list[Json]:
        """The details of the servers that run and offer something of this kind. Raises: Refused, Unreachable."""
        names = [one["name"] for one in await self._call("GET", "/api/mcp") if one["state"] == "ready" and one[kind]]
        return list(await asyncio.gather(*(self._call("GET", f"/api/mcp/{name}") for name in names)))

    # -- mentions --------------------------------------------------------------------------------------------------

    async def attach_mentioned(self, text: str) -> None:
        """Attach the resources that a person mentions in a message: all of them, or none.

        Raises: Refused, Unreachable.
        """
        given, self._given = self._given, set()
        mentions = [one for one in dict.fromkeys(mentions_in(text)) if one not in given]
        if not mentions:
            return
        known = {one["name"] for one in await self._call("GET", "/api/mcp")}
        found = [await self._read(name, uri) for name, uri in mentions if name in known]
        for files in found:
            self._files.add(files)

    async def _read(self, name: str, uri: str) -> list[Json]:
        """The files of a resource. Raises: Refused, Unreachable."""
        listed = {one["uri"] for one in (await self._call("GET", f"/api/mcp/{name}"))["resource_list"]}
        if uri not in listed and (stripped := uri.rstrip(PAUSES)):
            uri = stripped
        content = await self._call("POST", f"/api/mcp/{name}/read", {"uri": uri, **self._session()})
        return list(content["attachments"])

    def _session(self) -> Json:
        return {"session_id": self._state.session_id} if self._state.session_id else {}

    # -- prompts ---------------------------------------------------------------------------------------------------

    async def fill(self, command: str) -> bool:
        """Use the prompt of a command such as `/NAME:PROMPT KEY=VALUE`; returns whether it is one.

        The text comes into the input line, to be edited. Raises: Refused, Unreachable, Leave.
        """
        parts = COMMAND.fullmatch(command)
        if parts is None or all(one["name"] != parts[1] for one in await self._call("GET", "/api/mcp")):
            return False
        server, rest = parts[1], parts[2]
        listed: list[Json] = (await self._call("GET", f"/api/mcp/{server}"))["prompt_list"]
        fitting = [
            one for one in listed if rest == one["name"] or rest.startswith((one["name"] + " ", one["name"] + "\n"))
        ]
        if not fitting:
            self._view.note(texts.trouble("✗", texts.no_prompt(server, plain(rest.split()[0]))), "red")
            self._view.note(texts.hint(texts.PROMPTS_LIST))
            return True
        prompt = max(fitting, key=lambda one: len(one["name"]))
        given = arguments_in(rest[len(prompt["name"]) :].strip(), prompt["arguments"])
        if given is None or not await self._asked(prompt["arguments"], given):
            self._view.note(texts.PROMPT_TAKES if given is None else texts.PROMPT_LEFT, "yellow")
            return True
        body = {"prompt": prompt["name"], "arguments": given, **self._session()}
        content = await self._call("POST", f"/api/mcp/{server}/prompt", body)
        await self._use(content["text"], content["attachments"])
        return True

    async def _use(self, text: str, files: list[Json]) -> None:
        """Put a prompt into the input line; where that can't be done, send it once the person agrees.

        A text that begins with a slash is never put there: Enter would run a command that a server chose.
        Raises: Refused, Unreachable, Leave.
        """
        self._files.add(files)
        self._given = set(mentions_in(text))
        if not text.lstrip().startswith("/") and self._prompt.offer(text):
            return
        self._view.note(plain(text), "")
        with self._prompt.holding():
            sure = await self._prompt.confirmed(texts.PROMPT_SURE)
        if sure:
            await self._turns.say(text)
        else:
            self._files.remove(files)
            self._view.note(texts.PROMPT_LEFT)

    async def _asked(self, arguments: list[Json], given: dict[str, str]) -> bool:
        """Ask for required arguments that are missing; returns whether all are there now."""
        missing = [one for one in arguments if one["required"] and one["name"] not in given]
        if not missing:
            return True
        with self._prompt.holding():
            for argument in missing:
                about = f" ({one_line(argument['description'])})" if argument["description"] else ""
                try:
                    answer = await self._prompt.ask(one_line(argument["name"]) + about, follows=bool(given))
                except (Interrupted, EOFError):
                    return False
                given[argument["name"]] = (answer or "").strip()
        return True


def mentions_in(text: str) -> list[tuple[str, str]]:
    """The mentions in a text: each a server and an address."""
    return [(found[1], found[2]) for found in MENTION.finditer(text)]


def arguments_in(text: str, arguments: list[Json]) -> dict[str, str] | None:
    """The arguments of a prompt in `text`: KEY=VALUE, also in quotes; the whole text if there is only one argument.

    None if the text has something else.
    """
    names = {one["name"] for one in arguments}
    if not text:
        return {}
    try:
        words = shlex.split(text)
    except ValueError:  # a quote without its partner
        words = []
    pairs = [found for word in words if (found := ARGUMENT.fullmatch(word)) is not None and found[1] in names]
    if words and len(pairs) == len(words):
        return {pair[1]: pair[2] for pair in pairs}
    return {next(iter(names)): text} if len(names) == 1 and not pairs else None


def titled(one: Mapping[str, Any]) -> str:
    return one["title"] or one["name"]


def one_line(text: str) -> str:
    return plain(text).replace("\n", " ")
