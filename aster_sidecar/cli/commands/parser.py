"""The argument parsers of the commands; `completion` reads them too."""

from __future__ import annotations

import argparse
from typing import Any

from aster_sidecar.cli.command_list import COMMANDS
from aster_sidecar.cli.serve_args import FRAMEWORKS, Help
from aster_sidecar.config.toml_file import DEFAULTS
from aster_sidecar.text.path_names import typed_path as place


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
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
        "With a message, send it and print the answer; without one, hold a conversation. Uses the running daemon, or "
        "starts one that stops at the end.",
        "aster-sidecar chat what is in this directory",
    )
    chat.add_argument("message", nargs="*", help="the message to send (default: hold a conversation)")
    chat.add_argument("--agent", metavar="ID", help="the agent (default: default, or that of --session)")
    which = chat.add_mutually_exclusive_group()
    which.add_argument("--session", metavar="ID", help="the conversation: its id, or the beginning of its title")
    which.add_argument("--new", action="store_true", help="start a new conversation")
    chat.add_argument(
        "--attach", action="append", default=[], metavar="FILE", help="a file for the message; may be given again"
    )
    chat.add_argument(
        "--answers",
        metavar="FILE",
        help="with a message: a JSON object with answers, by the ids of fields, to what the agent asks with forms; "
        "without a terminal, other questions are declined",
    )
    chosen = chat.add_argument_group(
        "settings of the conversation",
        "The conversation keeps them. With a message and without --new, --model and --effort are for this message "
        "only. If chat has to start a daemon, --model, --work-dir and --permission-mode apply until that daemon stops.",
    )
    settings(chosen)

    doctor = command(
        "doctor",
        "Sends one small request to the model. The exit code is 1 when a check failed.",
        "aster-sidecar doctor --model openai:gpt-5.2",
    )
    doctor.add_argument("--model", metavar="NAME", help="check this model instead of the configured one")
    doctor.add_argument(
        "--framework", choices=FRAMEWORKS, help="check the default port of this framework (default web)"
    )
    doctor.add_argument("--port", type=int, help="check this port instead")
    doctor.add_argument(
        "--work-dir", type=place, metavar="DIR", help="also check this folder, as for a conversation in it"
    )
    doctor.add_argument("--no-model", action="store_true", help="send no request to the model")

    sessions = command("sessions", "Needs a running daemon.", "aster-sidecar sessions search invoice")
    verbs = sessions.add_subparsers(dest="verb", metavar="VERB")
    listing = verb(verbs, "list", "list conversations, the newest first (the default)")
    listing.add_argument("--limit", type=int, default=20, help="the largest number to list (default 20)")
    listing.add_argument("--agent", metavar="ID", help="only conversations of this agent")
    listing.add_argument("--archived", action="store_true", help="archived conversations instead of the others")
    listing.add_argument("--deleted", action="store_true", help="conversations in the trash, the last deleted first")
    show = verb(verbs, "show", "show the messages of a conversation")
    show.add_argument("session", metavar="ID")
    show.add_argument("--limit", type=int, default=50, help="the number of newest messages to show (default 50)")
    rename = verb(verbs, "rename", "change the title of a conversation")
    rename.add_argument("session", metavar="ID")
    rename.add_argument("title", nargs="+", metavar="TITLE")
    choosing = verb(verbs, "set", "choose what a conversation works with; - takes the usual value again")
    choosing.add_argument("session", metavar="ID")
    settings(choosing, "-")
    choosing.add_argument("--agent", metavar="ID", help="the agent that answers from now on")
    verb(verbs, "pin", "keep a conversation at the top of the list").add_argument("session", metavar="ID")
    verb(verbs, "unpin", "undo pin").add_argument("session", metavar="ID")
    verb(verbs, "archive", "archive a conversation; a new message moves it back to the list").add_argument(
        "session", metavar="ID"
    )
    verb(verbs, "restore", "move a conversation from the archive or the trash back to the list").add_argument(
        "session", metavar="ID"
    )
    delete = verb(verbs, "delete", "move a conversation to the trash; after 30 days it is deleted permanently")
    delete.add_argument("session", metavar="ID")
    delete.add_argument(
        "--purge", action="store_true", help="delete it permanently, even if it is in the trash already"
    )
    delete.add_argument("--yes", action="store_true", help="do not ask first; without a terminal it never asks")
    search = verb(verbs, "search", "search titles and messages, also of archived conversations")
    search.add_argument("text", nargs="+", metavar="TEXT")
    search.add_argument("--limit", type=int, default=20, help="the largest number to list (default 20)")

    audit = command(
        "audit",
        "The newest first. Needs a running daemon.",
        "aster-sidecar audit --decision deny --since 2026-11-20",
    )
    audit.add_argument("--session", metavar="ID", help="only decisions in this conversation, also a deleted one")
    audit.add_argument("--agent", metavar="ID", help="only decisions about calls of this agent")
    audit.add_argument("--tool", metavar="NAME", help="only decisions about calls of this tool")
    audit.add_argument("--decision", choices=("allow", "deny"), help="only what was allowed, or only what was denied")
    when = "a date, or a time such as 2026-11-20T12:00; in the time zone of this machine, if it names none"
    audit.add_argument("--since", metavar="TIME", help=f"only decisions from then on: {when}")
    audit.add_argument("--until", metavar="TIME", help="only decisions before then")
    audit.add_argument("--limit", type=int, metavar="N", help="the largest number to list (default 20; --jsonl: all)")
    audit.add_argument("--jsonl", action="store_true", help="print one JSON object a line, the oldest first")

    permissions = command(
        "permissions",
        "Rules that deny come before everything else. Needs a running daemon.",
        "aster-sidecar permissions allow run_command 'npm test' --kind program --expires 7d",
    )
    verbs = permissions.add_subparsers(dest="verb", metavar="VERB", parser_class=RuleParser)
    verb(verbs, "list", "list the rules, the oldest first (the default)")
    check = verb(
        verbs, "check", "show what would happen to a tool call, why, and what always could cover; runs nothing"
    )
    check.add_argument("tool", metavar="TOOL")
    check.add_argument("arguments", metavar="ARGUMENTS", help="the arguments of the call, as a JSON object")
    check.add_argument("--agent", default="default", metavar="ID", help="the agent that would call (default: default)")
    check.add_argument("--session", metavar="ID", help="the conversation of the call")
    rule_flags(verb(verbs, "allow", "add a rule that allows calls of a tool: every call, without VALUE and --where"))
    rule_flags(verb(verbs, "deny", "add a rule that denies calls of a tool: every call, without VALUE and --where"))
    verb(verbs, "remove", "remove a rule").add_argument("rule_id", metavar="RULE_ID")

    mcp = command(
        "mcp",
        "A server is saved in config.toml, and its secrets in the system's keychain. Needs a running daemon.",
        "aster-sidecar mcp add notes --env NOTES_DIR=/home/ada/notes -- npx -y notes-mcp\n"
        "  aster-sidecar mcp add tickets --url https://tickets.example.com/mcp --secret-header Authorization\n"
        "  aster-sidecar mcp import",
    )
    mcp_verbs(mcp.add_subparsers(dest="verb", metavar="VERB", parser_class=ServerParser))

    browser = command(
        "browser",
        "It needs Chromium, Chrome, Edge or Brave, and Node 20 or newer. Needs a running daemon.",
        "aster-sidecar browser enable --allow localhost:3000",
    )
    verbs = browser.add_subparsers(dest="verb", metavar="VERB")
    verb(verbs, "status", "show its settings and its state (the default)")
    enable = verb(verbs, "enable", "turn it on, or change it; a running one is started again")
    allow_help = "a host of this machine or its networks that it may open, such as localhost:3000; repeatable"
    enable.add_argument("--allow", action="append", default=[], metavar="HOST", help=allow_help)
    enable.add_argument("--disallow", action="append", default=[], metavar="HOST", help="undo --allow; repeatable")
    yes_or_no = argparse.BooleanOptionalAction
    enable.add_argument("--windows", action=yes_or_no, help="show its windows (default: if there is a display)")
    enable.add_argument("--isolated", action=yes_or_no, help="forget cookies and logins when it ends")
    verb(verbs, "disable", "turn it off, and end it")

    config = command(
        "config",
        "A change is saved in config.toml; a running daemon applies it at once. Flags, variables and a trusted "
        "project take precedence over the file.",
        "aster-sidecar config set permission_mode always_ask",
    )
    verbs = config.add_subparsers(dest="verb", metavar="VERB")
    verb(verbs, "show", "show every value and its source (the default)")
    verb(verbs, "get", "show one value").add_argument("key", metavar="KEY", help=", ".join(DEFAULTS))
    change = verb(verbs, "set", "change a value")
    change.add_argument("key", metavar="KEY", choices=DEFAULTS, help=", ".join(DEFAULTS))
    change.add_argument("value", metavar="VALUE")
    unset = verb(verbs, "unset", "remove a value from the file, so that the flag, variable or default applies again")
    unset.add_argument("key", metavar="KEY", choices=DEFAULTS, help=", ".join(DEFAULTS))

    command("agents", "Without a running daemon, lists the agents that it would have.", "aster-sidecar agents --json")
    command("paths", "For the usual directories of this machine, or for --data-dir.", "aster-sidecar paths")
    storing = command(
        "store",
        "restore and new need that no daemon uses the store. They move the old store aside and delete nothing.",
        "aster-sidecar store restore aster.db.before-0005",
    )
    verbs = storing.add_subparsers(dest="verb", metavar="VERB")
    verb(verbs, "list", "list the store and its copies (the default)")
    back = verb(verbs, "restore", "replace the store by a copy")
    back.add_argument("file", type=place, metavar="FILE", help="the name of a listed copy, or the path of another")
    verb(verbs, "new", "move the store aside; the next start creates an empty one")
    trusting = command(
        "trust",
        "A project is a directory that contains .aster.",
        "aster-sidecar trust ~/projects/site",
    )
    trusting.add_argument(
        "directory", nargs="?", type=place, metavar="DIR", help="the project (default: list the trusted ones)"
    )
    command("untrust", "", "aster-sidecar untrust ~/projects/site").add_argument("directory", type=place, metavar="DIR")
    completion = command(
        "completion",
        'bash: eval "$(aster-sidecar completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc, after compinit; '
        "fish: aster-sidecar completion fish | source, in ~/.config/fish/config.fish.",
        'eval "$(aster-sidecar completion bash)"',
        json=False,
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    command("version", "", "aster-sidecar version --json")
    return text


def common(made: argparse.ArgumentParser, json: bool, suppress: bool = False) -> None:
    """Add the flags of every command. `suppress`: for a verb, whose parser must not reset flags before the verb."""
    absent: Any = argparse.SUPPRESS if suppress else None
    made.add_argument("--data-dir", type=place, default=absent, metavar="DIR", help="the daemon's data directory")
    made.add_argument("--config-dir", type=place, default=absent, metavar="DIR", help="the directory of config.toml")
    if json:
        off: Any = argparse.SUPPRESS if suppress else False
        made.add_argument("--json", action="store_true", default=off, help="print JSON, for scripts")


def settings(made: argparse._ActionsContainer, *more: str) -> None:
    """Add the flags for the settings of a conversation. `more`: values that each of them takes besides."""
    made.add_argument("--model", metavar="NAME", help="provider:name, or demo, or local")
    made.add_argument(
        "--effort", choices=("none", "minimal", "low", "medium", "high", *more), help="how much the model thinks"
    )
    made.add_argument("--work-dir", type=place, metavar="DIR", help="the folder in which its tools work")
    made.add_argument(
        "--permission-mode",
        choices=("smart_approve", "always_ask", "auto_approve", *more),
        help="when it asks before a tool call",
    )


class RuleParser(argparse.ArgumentParser):
    """Lets VALUE follow flags, as in `allow TOOL --kind program VALUE`, which argparse refuses before Python 3.12.7."""

    def parse_known_args(self, *args: Any, **named: Any) -> tuple[Any, list[str]]:
        found, rest = super().parse_known_args(*args, **named)
        if rest and not rest[0].startswith("-") and getattr(found, "value", "") is None:
            found.value = rest.pop(0)
        return found, rest


def rule_flags(made: argparse.ArgumentParser) -> None:
    """Add the arguments of a rule."""
    made.add_argument("tool", metavar="TOOL", help="the name of a tool; to deny also *, every tool")
    made.add_argument(
        "value",
        nargs="?",
        metavar="VALUE",
        help="a path, command, program or origin. A path is one from the current directory. A command or program is "
        "allowed in the current directory, and denied in every one, unless VALUE names another as 'in FOLDER:', a line "
        "end and the command",
    )
    made.add_argument(
        "--kind",
        choices=("exact", "beneath", "glob", "program", "any"),
        help="what VALUE is: exactly the target (the default); a directory with everything in it; a pattern; programs "
        "of command lines, one a line; or, without VALUE, any target",
    )
    condition = ("ARGUMENT", "TEST", "VALUE")
    made.add_argument(
        "--where",
        nargs=3,
        action="append",
        default=[],
        metavar=condition,
        help="only calls whose argument passes a test: equals VALUE, one_of a JSON list, beneath a directory, or glob, "
        "a pattern; may be given again, and all have to hold",
    )
    made.add_argument(
        "--where-not",
        nargs=3,
        action="append",
        default=[],
        metavar=condition,
        help="only calls whose argument fails the test; may be given again",
    )
    made.add_argument("--agent", metavar="ID", help="only calls of this agent")
    made.add_argument("--session", metavar="ID", help="only calls in this conversation")
    made.add_argument(
        "--expires", metavar="WHEN", help="when the rule ends: 12h, 7d, 2w, or a date, which is the end of that day"
    )


class ServerParser(argparse.ArgumentParser):
    """Takes what follows `--` as a command line, as in `add NAME --env K=V -- COMMAND --flag`.

    argparse would take options of the command as its own before Python 3.12.7.
    """

    takes_program = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        words: list[str] = list(args or ())
        program: list[str] = []
        if self.takes_program and "--" in words:
            place = words.index("--")
            words, program = words[:place], words[place + 1 :]
        found, rest = super().parse_known_args(words, namespace)
        if self.takes_program:
            found.program = program
            if rest and not rest[0].startswith("-"):
                self.error(f"the program has to follow --, as in: {self.prog} NAME -- {' '.join(rest)}")
        return found, rest


def mcp_verbs(verbs: Any) -> None:
    """Add the verbs of `mcp`."""
    verb(verbs, "list", "list the servers and their state (the default)")
    verb(verbs, "show", "show the settings of a server and what it offers").add_argument("name", metavar="NAME")
    add = verb(
        verbs,
        "add",
        "add a server. It is started once and its tools are listed; if that fails, nothing is saved",
        "aster-sidecar mcp add notes --secret-env NOTES_TOKEN -- npx -y notes-mcp",
        program=True,
    )
    add.add_argument("name", metavar="NAME", help="the name of the server: a to z, 0 to 9, _ and -, at most 32")
    server_flags(add)
    add.add_argument("--no-try", action="store_true", help="save it without starting it once before")
    add.add_argument(
        "--replace", action="store_true", help="replace a server that has this name, with all its settings"
    )
    trying = verb(
        verbs,
        "try",
        "start a server once and list its tools; nothing is saved",
        "aster-sidecar mcp try -- npx -y notes-mcp",
        program=True,
    )
    trying.add_argument("name", nargs="?", default="new", metavar="NAME", help="the name that its tools begin with")
    server_flags(trying)
    change = verb(
        verbs,
        "change",
        "change settings of a server; - takes the default again",
        "aster-sidecar mcp change notes --disable-tool delete_note --risk medium",
    )
    change.add_argument("name", metavar="NAME")
    change.add_argument(
        "--enable-tool", action="append", default=[], metavar="TOOL", help="offer a tool again; may be given again"
    )
    change.add_argument(
        "--disable-tool", action="append", default=[], metavar="TOOL", help="do not offer a tool; may be given again"
    )
    settings_of_server(change, "-")
    change.add_argument("--unset-env", action="append", default=[], metavar="NAME", help="remove a variable")
    change.add_argument("--unset-header", action="append", default=[], metavar="NAME", help="remove a header")
    verb(verbs, "enable", "start a server, and offer its tools").add_argument("name", metavar="NAME")
    verb(verbs, "disable", "end a server, and offer none of its tools").add_argument("name", metavar="NAME")
    verb(verbs, "restart", "end a server and start it again; its failures no longer count").add_argument(
        "name", metavar="NAME"
    )
    remove = verb(verbs, "remove", "remove a server with its settings and secrets")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask first; without a terminal it never asks")
    logs = verb(verbs, "logs", "show what a server wrote to its stderr", "aster-sidecar mcp logs notes --follow")
    logs.add_argument("name", metavar="NAME")
    logs.add_argument("--limit", type=int, default=100, metavar="N", help="the number of newest lines (default 100)")
    logs.add_argument(
        "--follow", action="store_true", help="go on with new lines, until Ctrl-C; with --json one a line"
    )
    taking = verb(
        verbs,
        "import",
        "list the servers in the files of other apps, or add some of them",
        "aster-sidecar mcp import github notes\n  aster-sidecar mcp import ./mcp.json --all",
    )
    taking.add_argument(
        "words",
        nargs="*",
        metavar="NAME",
        help="a server that was found; before the first one may be the path of a file, to look into this file only. A "
        "path has a character that no name has, such as . or /",
    )
    taking.usage = f"{taking.prog} [PATH] [NAME ...] [flags]"
    taking.add_argument("--all", action="store_true", help="add all servers that can be added and are not there yet")
    taking.add_argument("--replace", action="store_true", help="also replace servers that have the same names")


def server_flags(made: argparse.ArgumentParser) -> None:
    """Add all settings of a server."""
    made.add_argument("--url", metavar="URL", help="the address of a server, instead of a command")
    settings_of_server(made)


def settings_of_server(made: argparse.ArgumentParser, *more: str) -> None:
    """Add the settings that a server with a command or an address may have. `more`: values that each takes besides."""
    again = "; may be given again"
    made.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"a variable for the command; the value is saved in config.toml and may have ${{env:NAME}}{again}",
    )
    made.add_argument(
        "--secret-env",
        action="append",
        default=[],
        metavar="NAME",
        help="a variable whose value is asked for, or read from a line of stdin, and saved in the keychain" + again,
    )
    made.add_argument(
        "--header", action="append", default=[], metavar="NAME=VALUE", help=f"a header of each request to a URL{again}"
    )
    made.add_argument(
        "--secret-header", action="append", default=[], metavar="NAME", help="a header, as with --secret-env"
    )
    made.add_argument("--cwd", type=place, metavar="DIR", help="the directory in which the command runs")
    made.add_argument(
        "--root",
        type=place,
        action="append",
        default=[],
        metavar="DIR",
        help=f"a directory that the server is told to work in (default: the folder of the conversation){again}",
    )
    made.add_argument(
        "--agent", action="append", default=[], metavar="ID", help=f"only this agent gets its tools{again}"
    )
    made.add_argument(
        "--risk", choices=("low", "medium", "high", *more), help="the lowest risk of its tools (default high)"
    )
    made.add_argument("--timeout-s", metavar="SECONDS", help="how long a call may take (default 60)")


def verb(
    verbs: Any, name: str, words: str, example: str | None = None, *, program: bool = False
) -> argparse.ArgumentParser:
    """Add a verb of a command; `words` say what it does. `program`: a command line may follow `--`."""
    made: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=words,
        description=f"{words[0].upper()}{words[1:]}.",
        epilog=f"example:\n  {example}" if example else None,
        formatter_class=Help,
    )
    if program:
        assert isinstance(made, ServerParser)
        made.takes_program = True
        name = "[NAME]" if name == "try" else "NAME"
        made.usage = f"{made.prog} {name} [flags] -- COMMAND [ARGUMENTS]\n       {made.prog} {name} [flags] --url URL"
    common(made, json=True, suppress=True)
    return made
