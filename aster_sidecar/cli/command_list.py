"""The commands beside serving, by their first words."""

from __future__ import annotations

COMMANDS = {
    "chat": "talk with an agent, here in the terminal",
    "doctor": "check keys, model, ports, directories, disk, store, sandbox and proxy settings, with a remedy for each",
    "sessions": "list, show, search, rename, archive or delete conversations",
    "config": "show or change settings, and say where each comes from",
    "agents": "which agents there are",
    "paths": "where files live",
    "store": "list copies of the store, go back to one, or begin anew",
    "trust": "let a project bring settings and agents of its own; alone: which may",
    "untrust": "take that back",
    "completion": "print the completion of bash, zsh or fish",
    "version": "which version this is",
}
"""The first words that don't serve; cli/commands/run.py runs them."""
