"""What can be said to each command; completion reads it too."""

from __future__ import annotations

import argparse
from typing import Any

from aster_sidecar.cli.command_list import COMMANDS
from aster_sidecar.cli.serve_args import FRAMEWORKS, Help
from aster_sidecar.config.toml_file import DEFAULTS
from aster_sidecar.text.repair import typed_path as place


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; completion reads it too."""
    text = argparse.ArgumentParser(prog="aster-sidecar", formatter_class=Help)
    commands = text.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, more: str, example: str, json: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=COMMANDS[name],
            description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}. {more}",
            epilog=f"example:\n  {example}",
            formatter_class=Help,
        )
        common(made, json)
        return made

    chat = command(
        "chat",
        "With a message it is sent and the answer printed; without one the conversation is here. A daemon that runs is "
        "used.",
        "aster-sidecar chat what is in this directory",
    )
    chat.add_argument("message", nargs="*", help="what to say; nothing: talk here")
    chat.add_argument("--agent", default="default", metavar="ID", help="whom to talk to (default: default)")
    chat.add_argument("--session", metavar="ID", help="which conversation: its id, or how its title begins")
    chat.add_argument("--new", action="store_true", help="start a new conversation")
    fresh = chat.add_argument_group("a daemon that has to be started")
    fresh.add_argument("--model", metavar="NAME", help="provider:name, or demo, or local")
    fresh.add_argument("--work-dir", metavar="DIR", help="where its tools work")
    fresh.add_argument(
        "--permission-mode", choices=("smart_approve", "always_ask", "auto_approve"), help="when it asks first"
    )

    doctor = command(
        "doctor",
        "The model is asked with one tiny request. Exit code 1 when something failed.",
        "aster-sidecar doctor --model openai:gpt-5.2",
    )
    doctor.add_argument("--model", metavar="NAME", help="check this model instead of the configured one")
    doctor.add_argument("--framework", choices=FRAMEWORKS, help="whose default port to check (default web)")
    doctor.add_argument("--port", type=int, help="check this port instead")
    doctor.add_argument("--no-model", action="store_true", help="ask no model")

    sessions = command("sessions", "Needs a running daemon.", "aster-sidecar sessions search invoice")
    verbs = sessions.add_subparsers(dest="verb", metavar="VERB")
    listing = verb(verbs, "list", "the newest first (the default)")
    listing.add_argument("--limit", type=int, default=20, help="at most so many (default 20)")
    listing.add_argument("--agent", metavar="ID", help="only this agent's")
    listing.add_argument("--archived", action="store_true", help="the archived ones instead of the others")
    listing.add_argument("--deleted", action="store_true", help="those in the trash, the one deleted last first")
    show = verb(verbs, "show", "the messages of one")
    show.add_argument("session", metavar="ID")
    show.add_argument("--limit", type=int, default=50, help="at most so many, the newest (default 50)")
    rename = verb(verbs, "rename", "give one another title")
    rename.add_argument("session", metavar="ID")
    rename.add_argument("title", nargs="+", metavar="TITLE")
    verb(verbs, "pin", "keep one at the head of the list").add_argument("session", metavar="ID")
    verb(verbs, "unpin", "let one go from the head of the list").add_argument("session", metavar="ID")
    verb(verbs, "archive", "put one away; a new message brings it back").add_argument("session", metavar="ID")
    verb(verbs, "restore", "bring one back, out of the archive or the trash").add_argument("session", metavar="ID")
    delete = verb(verbs, "delete", "move one to the trash; after 30 days it is deleted for good")
    delete.add_argument("session", metavar="ID")
    delete.add_argument("--purge", action="store_true", help="delete it for good, also one that is in the trash")
    delete.add_argument("--yes", action="store_true", help="don't ask; elsewhere than on a terminal nothing is asked")
    search = verb(verbs, "search", "look in titles and messages, archived ones included")
    search.add_argument("text", nargs="+", metavar="TEXT")
    search.add_argument("--limit", type=int, default=20, help="at most so many (default 20)")

    config = command(
        "config",
        "With a running daemon a change holds at once; it is kept in config.toml either way. Flags, variables and a "
        "trusted project win over the file.",
        "aster-sidecar config set permission_mode always_ask",
    )
    verbs = config.add_subparsers(dest="verb", metavar="VERB")
    verb(verbs, "show", "every value and its source (the default)")
    verb(verbs, "get", "one value").add_argument("key", metavar="KEY", help=", ".join(DEFAULTS))
    change = verb(verbs, "set", "change one")
    change.add_argument("key", metavar="KEY", choices=DEFAULTS, help=", ".join(DEFAULTS))
    change.add_argument("value", metavar="VALUE")
    unset = verb(verbs, "unset", "take it out of the file: flag, variable or default holds again")
    unset.add_argument("key", metavar="KEY", choices=DEFAULTS, help=", ".join(DEFAULTS))

    command("agents", "Without a running daemon: those that one would have.", "aster-sidecar agents --json")
    command("paths", "For this machine, or under --data-dir.", "aster-sidecar paths")
    storing = command(
        "store",
        "No daemon may run over it. What is replaced is moved aside and not deleted.",
        "aster-sidecar store restore aster.db.before-0005",
    )
    verbs = storing.add_subparsers(dest="verb", metavar="VERB")
    verb(verbs, "list", "the store and the copies beside it (the default)")
    back = verb(verbs, "restore", "put a copy in the store's place")
    back.add_argument("file", type=place, metavar="FILE", help="one that list names, or the path of another")
    verb(verbs, "new", "move the store aside; the next start begins with an empty history")
    trusting = command(
        "trust",
        "A project is a directory with a folder .aster in it.",
        "aster-sidecar trust ~/projects/site",
    )
    trusting.add_argument("directory", nargs="?", type=place, metavar="DIR", help="left out: list them")
    command("untrust", "", "aster-sidecar untrust ~/projects/site").add_argument("directory", type=place, metavar="DIR")
    completion = command(
        "completion",
        'bash: eval "$(aster-sidecar completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc, behind compinit; '
        "fish: aster-sidecar completion fish | source, in ~/.config/fish/config.fish.",
        'eval "$(aster-sidecar completion bash)"',
        json=False,
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    command("version", "", "aster-sidecar version --json")
    return text


def common(made: argparse.ArgumentParser, json: bool, suppress: bool = False) -> None:
    """The flags of every command. A verb has them too, and leaves alone what was said before it."""
    absent: Any = argparse.SUPPRESS if suppress else None
    made.add_argument("--data-dir", type=place, default=absent, metavar="DIR", help="the daemon's data directory")
    made.add_argument("--config-dir", type=place, default=absent, metavar="DIR", help="where config.toml is")
    if json:
        off: Any = argparse.SUPPRESS if suppress else False
        made.add_argument("--json", action="store_true", default=off, help="print JSON, for scripts")


def verb(verbs: Any, name: str, words: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    common(made, json=True, suppress=True)
    return made
