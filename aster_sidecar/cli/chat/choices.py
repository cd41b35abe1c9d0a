"""What a conversation chooses for itself: model, effort, permission mode, folder and agent.

The commands such as /model and the flags such as --model show and change it.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.connection import Connection, Json
from aster_sidecar.cli.chat.conversation import OpenConversation, Target
from aster_sidecar.cli.chat.plain_text import plain
from aster_sidecar.cli.chat.state import ChatState
from aster_sidecar.cli.chat.views import View
from aster_sidecar.text.path_names import misnamed

INHERIT = "-"
"""What a person types to take a value from the agent and the configuration again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the flags of the command line want. The names are those of the API.

    `settings`: for the conversation. `of_daemon`: those of them that the daemon was started with. `turn`: `model` and
    `effort` for the one message.
    """

    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    of_daemon: frozenset[str] = frozenset()
    turn: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def at_creation(self) -> dict[str, str]:
        """The settings with which a new conversation is created."""
        return {name: value for name, value in self.settings.items() if name not in self.of_daemon}

    def needed(self, applies: Json) -> dict[str, str]:
        """The settings that the conversation does not have yet. `applies`: its `SessionSettings`."""
        return {name: value for name, value in self.settings.items() if not self._has(name, value, applies[name])}

    def _has(self, name: str, value: str, one: Json) -> bool:
        if name in self.of_daemon and one["source"] not in ("session", "agent"):
            return True
        return one["value"] == value and (one["source"] == "session" or name in self.of_daemon)


class Choices:
    """Shows and changes the settings of the open conversation. Its methods raise Refused and Unreachable."""

    def __init__(self, connection: Connection, view: View, state: ChatState, conversation: OpenConversation) -> None:
        self._call = connection.call
        self._view = view
        self._state = state
        self._conversation = conversation

    async def take(self, wanted: Wanted) -> None:
        """Give the open conversation the settings that the flags want, and say what it did not have before.

        Without a conversation, one is created if settings are missing.
        """
        if not wanted.settings:
            return
        applies = await self._applies()
        needed = wanted.needed(applies)
        if needed:
            applies = (await self._change(needed))["settings"]
        for name, value in wanted.settings.items():
            if name in needed or (name == "permission_mode" and applies[name]["value"] != value):
                self._tell(name, applies, value)

    # -- the commands ----------------------------------------------------------------------------------------------

    async def model(self, name: str) -> None:
        """Show the model and those that can be chosen, or choose one."""
        applies = await self._command("model", name)
        if not name:
            for model in await self._call("GET", "/api/models"):
                chosen = model["name"] == applies["model"]["value"]
                self._view.note(texts.model(plain(model["name"]), model["why_not"], chosen=chosen), "")
            self._view.note(texts.MODEL_TAKES)

    async def effort(self, level: str) -> None:
        """Show or choose how much the model thinks."""
        if level and level not in (*texts.EFFORTS, INHERIT):
            self._view.note(texts.trouble("✗", texts.EFFORT_TAKES), "red")
            return
        await self._command("effort", level)

    async def mode(self, mode: str) -> None:
        """Show or choose when the conversation asks."""
        if mode and mode not in (*texts.MODES, INHERIT):
            self._view.note(texts.trouble("✗", texts.MODE_TAKES), "red")
            return
        await self._command("permission_mode", mode)

    async def folder(self, path: str) -> None:
        """Show or choose the folder in which the tools work."""
        if path and path != INHERIT:
            path = typed_path(path)
            if (shown := misnamed(path)) is not None:
                self._view.note(texts.trouble("✗", texts.not_utf8(shown)), "red")
                return
        await self._command("work_dir", path)

    async def agent(self, agent_id: str) -> None:
        """List the agents, or let another one answer in this conversation."""
        state = self._state
        if not agent_id:
            for agent in await self._call("GET", "/api/agents", session_id=state.session_id or None):
                here = agent["id"] == state.agent_id
                words = plain(agent["description"] or agent["name"]).replace("\n", " ")
                self._view.note(texts.agent(agent["id"], words, here=here, broken=agent["state"] == "failed"), "")
            self._view.note(texts.AGENT_TAKES)
            return
        if state.session_id and agent_id != state.agent_id:
            session = await self._call("GET", f"/api/sessions/{state.session_id}")
            if session["is_default"]:
                self._view.note(texts.trouble("✗", texts.keeps_agent(state.agent_id)), "red")
                self._view.note(texts.hint(texts.NEW_THEN_AGENT))
                return
        session = await self._change({"agent_id": agent_id})
        state.agent_id = session["agent_id"]
        self._view.note(texts.answers_now(state.agent_id))

    async def mcp(self, words: str) -> None:
        """List the MCP servers, or let the conversation do with or without one."""
        word, _, name = words.partition(" ")
        name = name.strip()
        servers: list[Json] = await self._call("GET", "/api/mcp")
        off: list[str] = list((await self._applies()).get("mcp_off") or ())
        if not words:
            for server in servers:
                self._view.note(texts.server(shown(server), self._state.agent_id, off=server["name"] in off), "")
            self._view.note(texts.MCP_TAKES if servers else texts.NO_SERVERS)
        elif word not in ("on", "off") or not name:
            self._view.note(texts.trouble("✗", texts.MCP_TAKES), "red")
        elif name not in off and all(server["name"] != name for server in servers):
            self._view.note(texts.trouble("✗", texts.no_server(plain(name))), "red")
            self._view.note(texts.hint(texts.MCP_LISTS))
        else:
            await self._do_without([one for one in off if one != name] + ([name] if word == "off" else []), off)
            self._view.note(texts.SERVER_TURNED[word].format(name=name), "")

    async def _do_without(self, off: list[str], before: list[str]) -> None:
        """Let the conversation do without the tools of these MCP servers; `before`: of those until now."""
        if off == before:
            return
        session = await self._change({"mcp_off": off or None})
        self._state.works_with(session)
        if session["state"] not in ("idle", "failed"):
            self._view.note(texts.LATER["mcp_off"])

    async def _command(self, name: str, value: str) -> Json:
        """Change a setting if there is a value, and show it; returns the settings that apply."""
        if not value or (value == INHERIT and not self._state.session_id):
            applies = await self._applies()
            self._tell(name, applies)
            return applies
        session = await self._change({name: None if value == INHERIT else value})
        self._tell(name, session["settings"], value if value != INHERIT else None)
        if session["state"] not in ("idle", "failed") and name in texts.LATER:
            self._view.note(texts.LATER[name])
        return session["settings"]

    async def _applies(self) -> Json:
        """The settings of the open conversation; without one, those that a new one would have."""
        if self._state.session_id:
            return (await self._call("GET", f"/api/sessions/{self._state.session_id}"))["settings"]
        return (await self._conversation.status())["settings"]

    async def _change(self, body: Json) -> Json:
        """Change the open conversation or, without one, create one with these settings; returns the `SessionInfo`."""
        if self._state.session_id:
            return await self._call("PATCH", f"/api/sessions/{self._state.session_id}", body)
        session = await self._call("POST", "/api/sessions", {"agent_id": self._state.agent_id, **body})
        await self._conversation.choose(Target(session=session["session_id"]))
        self._view.note(texts.begun(session["session_id"]))
        return session

    def _tell(self, name: str, applies: Json, asked: str | None = None) -> None:
        """Say what applies. `asked`: the value that was chosen just now."""
        one = applies[name]
        value = plain(one["value"]).replace("\n", " ") or texts.NO_VALUE[name]
        self._view.note(texts.setting(name, value, one["source"]), "")
        if name == "permission_mode" and asked is not None and one["value"] != asked:
            self._view.note(texts.hint(texts.AGENT_IS_STRICTER), "yellow")


def shown(server: Json) -> Json:
    """An MCP server with texts that are printed as they are."""
    return {
        name: plain(value).replace("\n", " ") if isinstance(value, str) else value for name, value in server.items()
    }


def number_of(text: str) -> int:
    """The number in `text`; 0 if it is not a number or has more than nine digits."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def typed_path(text: str) -> str:
    """The absolute path of what a person typed: with ~, quotes or escaped spaces, from the current directory."""
    if not os.path.exists(os.path.expanduser(text)):
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            text = text[1:-1]
        elif os.name != "nt":
            try:
                words = shlex.split(text)
            except ValueError:  # a quote without its partner belongs to the name
                words = []
            text = words[0] if len(words) == 1 else text
    try:
        return os.path.join(os.getcwd(), os.path.expanduser(text))
    except OSError:  # the current directory is gone; the daemon refuses a relative path
        return os.path.expanduser(text)
