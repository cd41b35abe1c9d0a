"""The names of the commands, which the parsers and the help share; importing it is cheap."""

from __future__ import annotations

COMMANDS = {
    "chat": "chat with an agent in the terminal",
    "doctor": "check keys, model, port, directories, disk, store, sandbox and proxies, with remedies",
    "sessions": "list, show, search, change, archive or delete conversations",
    "audit": "list the decisions about tool calls: what was allowed or denied, and by whom",
    "permissions": "list, check, add or remove the rules that allow or deny tool calls",
    "mcp": "list, add, try, change, import or remove MCP servers",
    "browser": "show the browser of agents, turn it on or off, or say which private addresses it may open",
    "config": "show or change settings and where each comes from",
    "agents": "list the agents",
    "paths": "show where files are stored",
    "store": "list copies of the store, restore one, or start a new store",
    "trust": "trust the settings and agents of a project, or list trusted projects",
    "untrust": "stop trusting a project",
    "completion": "print the completion script for bash, zsh or fish",
    "version": "show the version",
}
"""Command → what it does. Any other first word is an error; without a command the daemon serves."""
