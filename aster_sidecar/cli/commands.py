"""The commands beside serving: their parsers, and those that are small. They talk to the running daemon if one runs.

`main(words)` → exit code: 0, 1 it could not be done, 2 wrong usage, 5 wrong configuration, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aster_sidecar import __version__
from aster_sidecar.cli.config_preview import config_of
from aster_sidecar.cli.console import cell, local_time, on_terminal, print_error, print_json, print_line, print_table
from aster_sidecar.cli.main import COMMANDS, EXIT_CONFIG, EXIT_FAILED, FRAMEWORKS, Help, absolute, misnamed_places
from aster_sidecar.config.settings import STORE_NAME, Places, places, validated
from aster_sidecar.config.toml_file import DEFAULTS, write_file
from aster_sidecar.daemon import lock_holder, running_daemons
from aster_sidecar.daemon.client import Client, ClientError, Running, find, path_part
from aster_sidecar.errors import ConfigInvalid, StoreError
from aster_sidecar.text.repair import typed_path as place
from aster_sidecar.text.safe_text import sized

EXIT_INTERRUPTED = 130
PAGE = 100


class Failed(Exception):
    """The command can't be done. `hint` is the remedy."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# -- what can be said --------------------------------------------------------------------------------------------------


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


def main(words: Sequence[str]) -> int:
    """Run one command."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a terminal may know few letters
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr] # a pipe may hold anything
    logging.getLogger("aster_sidecar").setLevel(logging.ERROR)  # what is wrong with a file each command says itself
    given = parser().parse_args(words)
    given.data_dir, given.config_dir = absolute(given.data_dir), absolute(given.config_dir)
    if given.command not in ("completion", "version"):
        if (wrong := misnamed_places(given, places_of(given))) is not None:
            code, message, hint = wrong
            print_error(message, hint)
            return code
        given.data_dir = given.data_dir or only_daemon(given)
    try:
        code = RUN[given.command](given)
        sys.stdout.flush()
        return code
    except Failed as error:
        print_error(error.message, error.hint)
        return EXIT_FAILED
    except ClientError as error:
        print_error(error.message, error.hint)
        return EXIT_FAILED
    except ConfigInvalid as error:
        print_error(error.message, error.hint)
        return EXIT_CONFIG
    except OSError as error:
        if error.errno not in UNWRITTEN:
            raise
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its end
            if not isinstance(error, BrokenPipeError):
                print_error(f"the output could not be written: {error.strerror or error}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


UNWRITTEN = (errno.EPIPE, errno.EINVAL, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Why a stream takes nothing more. EINVAL: so Windows says that nobody reads it."""


def _open_streams() -> None:
    """Put the null device where a standard stream was closed: nothing to read, and what is written is nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 # open as long as we run


# -- the daemon, or what one would have --------------------------------------------------------------------------------


def places_of(given: argparse.Namespace) -> Places:
    return places(os.environ, data_dir=given.data_dir, config_dir=given.config_dir)


def only_daemon(given: argparse.Namespace) -> Path | None:
    """The data directory of the one daemon that runs, when none runs over the usual one; says so on stderr.

    None where the usual one is meant: a daemon runs over it, none runs at all, or several do.
    """
    usual = places_of(given)
    if given.config_dir is not None or find(usual.data_dir) is not None:
        return None
    found = running_daemons.running(usual.daemons_dir)
    if len(found) == 1:
        print_error(f"using the daemon that runs over {found[0]}; --data-dir chooses another")
        return found[0]
    if found:
        listed = ", ".join(map(str, found))
        print_error(f"{len(found)} daemons run, none of them over {usual.data_dir}; choose with --data-dir: {listed}")
    return None


def daemon(given: argparse.Namespace) -> Client | None:
    """The daemon over this data directory. Raises: Failed when it needs a token and none is set."""
    running = find(places_of(given).data_dir)
    if running is None:
        return None
    token = os.environ.get("ASTER_SIDECAR_TOKEN") or None
    if running.token and token is None:
        raise Failed(
            f"the daemon over {places_of(given).data_dir} needs a token: {described(running)}",
            "set ASTER_SIDECAR_TOKEN to its token, or use another --data-dir",
        )
    return Client(running.url, token)


def needed(given: argparse.Namespace) -> Client:
    """The running daemon. Raises: Failed without one, or with one that does not answer."""
    client = daemon(given)
    if client is None:
        where = places_of(given).data_dir
        held = lock_holder.look(where)
        if held is not None:
            why, hint = held.trouble()
            raise Failed(f"the daemon over {where} ({held.words}): {why}", hint)
        start = "aster-sidecar" + (f" --data-dir {where}" if given.data_dir else "")
        raise Failed(f"no daemon runs over {where}", f"start one: {start}")
    return client


def described(running: Running) -> str:
    """Who a running daemon is, for a person who did not start it."""
    since = local_time(running.started_at)
    return f"pid {running.pid}, for {running.framework}, {running.url}, since {since}"


# -- the commands ------------------------------------------------------------------------------------------------------


def run_chat(given: argparse.Namespace) -> int:
    from aster_sidecar.cli.chat.command import run

    running = find(places_of(given).data_dir)
    return run(given, described(running) if running is not None else None)


def run_doctor(given: argparse.Namespace) -> int:
    from aster_sidecar.cli.doctor import run

    return run(given)


def run_paths(given: argparse.Namespace) -> int:
    found = places_of(given)
    shown = {
        "config": found.config_path,
        "data": found.data_dir,
        "store": found.data_dir / STORE_NAME,
        "logs": found.logs_dir,
        "trusted": found.config_dir / "trusted.json",
    }
    try:
        shown["work_dir"] = config_of(places_of(given)).work_dir
    except ConfigInvalid as error:
        print_error(f"the work directory is not known: {error.message}", error.hint)
    if given.json:
        print_json({name: {"path": str(path), "exists": path.exists()} for name, path in shown.items()})
    else:
        print_table(("what", "there", "path"), [(name, path.exists(), path) for name, path in shown.items()])
    return 0


def run_store(given: argparse.Namespace) -> int:
    """The store's copies, and the way back to one."""
    from aster_sidecar.store import files

    path = places_of(given).data_dir / STORE_NAME
    if given.verb in ("restore", "new"):
        return change_store(given, path)
    there = files.copies(path)
    if given.json:
        own = {"path": str(path), "exists": path.exists(), "bytes": files.size_of(path)}
        told = [{**asdict(copy), "path": str(copy.path)} for copy in there]
        print_json({"store": own, "copies": told})
        return 0
    rows = [(copy.path.name, copy.kind, local_time(copy.made_at), sized(copy.bytes), copy.schema) for copy in there]
    print_line(f"{path}: {sized(files.size_of(path)) if path.exists() else 'none'}")
    if rows:
        print_table(("copy", "kind", "made", "size", "schema"), rows)
    return 0


def change_store(given: argparse.Namespace, path: Path) -> int:
    """Put a copy in the store's place, or nothing, while no daemon uses it. Raises: Failed."""
    from aster_sidecar.daemon.server import AlreadyRunning, lock
    from aster_sidecar.store import files
    from aster_sidecar.store.journal import scripts

    if not path.parent.is_dir():
        raise Failed(f"there is no data directory {path.parent}", "`aster-sidecar paths` says where it is looked for")
    restoring = given.verb == "restore"
    try:
        with contextlib.closing(lock(path.parent)):
            if restoring:
                beside = path.with_name(given.file.name) if given.file.name == str(given.file) else None
                copy = beside if beside is not None and beside.exists() else given.file.expanduser().absolute()
                aside = files.restore(path, copy, len(scripts()))
            else:
                aside = files.set_aside(path)
    except AlreadyRunning as error:
        raise Failed(str(error), error.hint if error.holder is not None else "stop it first") from error
    except StoreError as error:
        raise Failed(error.message, error.hint) from error
    except OSError as error:
        raise Failed(f"{error.filename or path}: {error.strerror}") from error
    if given.json:
        print_json({"store": str(path), "aside": str(aside) if aside is not None else None})
        return 0
    kept = f"what was there is {aside}" if aside is not None else "nothing was there"
    done = "is the copy now" if restoring else "will be made by the next start"
    print_line(f"{path} {done}; {kept}")
    return 0


def run_version(given: argparse.Namespace) -> int:
    from aster_sidecar.contract.wire import PROTOCOL

    if given.json:
        python = platform.python_version()
        print_json({"version": __version__, "protocol": PROTOCOL, "python": python, "platform": platform.platform()})
    else:
        print(f"aster-sidecar {__version__} (protocol {PROTOCOL}, Python {platform.python_version()})")
    return 0


def run_agents(given: argparse.Namespace) -> int:
    client = daemon(given)
    if client is not None:
        agents: list[dict[str, Any]] = client.call("GET", "/api/agents")
    else:
        agents = agents_here(given)
    if given.json:
        print_json(agents)
        return 0
    rows = [(a["id"], a["name"], a["source"], a["state"] or "", a["model"], a["description"]) for a in agents]
    print_table(("id", "name", "source", "state", "model", "description"), rows)
    for agent in agents:
        for problem in agent["problems"]:
            line = f":{problem['line']}" if problem["line"] else ""
            print_error(f"agent {agent['id']}: {problem['path']}{line}: {problem['reason']}")
    if client is None:
        print("no daemon runs: these are the ones it would have", file=sys.stderr)
    return 0


def agents_here(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The agents that a daemon started here would have; `state` is null, or failed for a broken file."""
    from aster_sidecar.cli.config_preview import agents_of

    found = agents_of(places_of(given), config_of(places_of(given)))
    specs = found.list()
    problems: dict[str, list[dict[str, Any]]] = {}
    for problem in found.problems:
        told = {"path": problem.path, "line": problem.line, "reason": problem.reason}
        problems.setdefault(problem.agent_id, []).append(told)
    rows = [
        {
            "id": spec.agent_id,
            "name": spec.name,
            "description": spec.description,
            "model": spec.model or "",
            "state": None,
            "source": spec.source,
            "path": spec.path,
            "problems": problems.pop(spec.agent_id, []),
        }
        for spec in specs
    ]
    broken = {problem.agent_id: problem for problem in found.problems if problem.agent_id in problems}
    for agent_id, problem in broken.items():
        row = {"name": agent_id, "description": "", "model": "", "state": "failed", "source": problem.source}
        rows.append({"id": agent_id, **row, "path": problem.path, "problems": problems[agent_id]})
    return rows


def run_config(given: argparse.Namespace) -> int:
    client = daemon(given)
    match given.verb or "show":
        case "set":
            return change_config(given, client, checked(given.key, given.value))
        case "unset":
            return change_config(given, client, None)
        case asked:
            view = config_view(given, client)
            values: dict[str, dict[str, Any]] = view["values"]
    if asked == "get":
        if given.key not in values:
            raise Failed(f"no such setting: {given.key[:100]!r}", f"there are {', '.join(values)}")
        value = values[given.key]
        print_json({"key": given.key, **value}) if given.json else print(cell(value["value"]))
    elif given.json:
        print_json({"running": client is not None, **view})
    else:
        print_table(("key", "value", "source"), [(key, v["value"], v["source"]) for key, v in values.items()])
        for problem in view["problems"]:
            print_error(problem)
        if client is None:
            print("no daemon runs: one that is started here would have these", file=sys.stderr)
    return 0


def config_view(given: argparse.Namespace, client: Client | None) -> dict[str, Any]:
    """A `ConfigView`: of the running daemon, or as one would have it."""
    if client is not None:
        return client.call("GET", "/api/config")
    return config_of(places_of(given)).view({}).model_dump()


def checked(key: str, text: str) -> Any:
    """A setting's value from its text. Raises: ConfigInvalid."""
    if key == "work_dir":
        text = str(absolute(Path(text)))
    return validated({key: text}, "command line")[key]


def change_config(given: argparse.Namespace, client: Client | None, value: Any) -> int:
    """Set a key, or with None take it back, for now (if a daemon runs) and for the next start."""
    key, path = given.key, places_of(given).config_path
    if client is not None:
        now = client.call("POST", "/api/config", {key: value})["values"][key]
        when = "holds now, and is kept in"
    else:
        config_of(places_of(given))  # a file that is wrong already is said now, not at the next start
        write_file(path, {key: value})
        now = config_of(places_of(given)).sourced(key).model_dump()
        when = "is kept in"
    if given.json:
        print_json({"key": key, **now})
        return 0
    print(f"{key} = {cell(now['value'])} ({now['source']})")
    if value is None:
        print(f"{key} is no longer in {cell(path)}", file=sys.stderr)
    elif now["source"] in ("api", "file"):
        print(f"{when} {cell(path)}", file=sys.stderr)
    else:
        print(f"kept in {cell(path)}, but the {now['source']} wins over it", file=sys.stderr)
    return 0


def run_trust(given: argparse.Namespace) -> int:
    from aster_sidecar.config.trusted_projects import trust, trusted

    config_dir = places_of(given).config_dir
    if given.directory is not None:
        kept = trust(config_dir, given.directory)
        print_json({"trusted": str(kept)}) if given.json else print(f"trusted: {cell(kept)}")
        return 0
    known = trusted(config_dir)
    if given.json:
        print_json([str(place) for place in known])
    elif known:
        print("\n".join(cell(place) for place in known))
    else:
        print("no directory is trusted: aster-sidecar trust DIR adds one", file=sys.stderr)
    return 0


def run_untrust(given: argparse.Namespace) -> int:
    from aster_sidecar.config.trusted_projects import distrust

    if not distrust(places_of(given).config_dir, given.directory):
        raise Failed(f"{given.directory} was not trusted", "aster-sidecar trust lists the directories that are")
    place = given.directory.expanduser().resolve()
    print_json({"untrusted": str(place)}) if given.json else print(f"no longer trusted: {cell(place)}")
    return 0


def run_completion(given: argparse.Namespace) -> int:
    from aster_sidecar.cli.completion import script
    from aster_sidecar.cli.main import parser as serving

    print(script(given.shell, serving(), parser()), end="")
    return 0


# -- sessions ----------------------------------------------------------------------------------------------------------


def run_sessions(given: argparse.Namespace) -> int:
    client = needed(given)
    match given.verb or "list":
        case "list":
            limit, agent = getattr(given, "limit", 20), getattr(given, "agent", None)
            which = {name: getattr(given, name, False) for name in ("archived", "deleted")}
            return show_sessions(given, listed(client, limit, agent_id=agent, **which))
        case "search":
            text = " ".join(given.text)
            rows = [row for old in (False, True) for row in listed(client, given.limit, q=text, archived=old)]
            return show_sessions(given, rows[: given.limit])
        case "show":
            return show_session(given, client)
        case "delete":
            return delete_session(given, client)
        case "rename":
            patch: dict[str, Any] = {"title": " ".join(given.title)}
        case "restore" if (back := restored(client, given.session)) is not None:
            return show_sessions(given, [back]) if not given.json else print_json(back) or 0
        case "pin" | "unpin" as other:
            patch = {"pinned": other == "pin"}
        case other:
            patch = {"archived": other == "archive"}
    now = client.call("PATCH", f"/api/sessions/{path_part(given.session)}", patch)
    return show_sessions(given, [now]) if not given.json else print_json(now) or 0


def restored(client: Client, session_id: str) -> dict[str, Any] | None:
    """The session, brought back out of the trash; None when it is not in there. Raises: ClientError."""
    path = f"/api/sessions/{path_part(session_id)}"
    try:
        client.call("GET", path)
    except ClientError as error:
        if error.code != "session_not_found":
            raise
        return client.call("POST", f"{path}/restore")
    return None


def listed(client: Client, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    """Sessions, over as many pages as it takes; with `q` each has a `hit`, or None. Raises: ClientError."""
    rows: list[dict[str, Any]] = []
    before = None
    while len(rows) < limit:
        page = client.call("GET", "/api/sessions", limit=min(limit - len(rows), PAGE), before=before, **wanted)
        for row in page["sessions"]:
            rows.append({**row, "hit": page["hits"].get(row["session_id"])} if "q" in wanted else row)
        before = page["next_before"]
        if before is None:
            break
    return rows


def show_sessions(given: argparse.Namespace, rows: list[dict[str, Any]]) -> int:
    if given.json:
        print_json(rows)
    elif rows:
        names = ["session_id", "title", "agent_id", "messages", "state", "archived", "updated_at"]
        head = ["id", "title", "agent", "messages", "state", "archived", "updated"]
        table = [[row[name] for name in names] for row in rows]
        if any(row.get("hit") for row in rows):
            head.append("found")
            for line, row in zip(table, rows, strict=True):
                line.append(row["hit"]["text"] if row["hit"] else "")
        print_table(head, table)
    else:
        print("no sessions", file=sys.stderr)
    return 0


def show_session(given: argparse.Namespace, client: Client) -> int:
    """One conversation, oldest message first."""
    from aster_sidecar.text.safe_text import still_visible, visible

    session = client.call("GET", f"/api/sessions/{path_part(given.session)}")
    asked = {"agent_id": session["agent_id"], "session_id": session["session_id"]}
    messages: list[dict[str, Any]] = []
    before = None
    while len(messages) < given.limit:
        limit = min(given.limit - len(messages), PAGE)
        page = client.call("GET", "/api/history", limit=limit, before=before, **asked)
        messages = [*page["messages"], *messages]
        before = page["next_before"]
        if before is None:
            break
    if given.json:
        print_json({**session, "history": messages})
        return 0
    print_line((cell(session["title"]), "bold"), f"  {cell(session['session_id'])}")
    for message in messages:
        print_line("\n", (cell(message["role"]), "bold"), f"  {cell(message['created_at'])}")
        for part in message["parts"]:
            match part["type"]:
                case "text":
                    print(visible(part["text"]))
                case "tool":
                    print_line(
                        (f"[{cell(part['name'])}: {cell(part['state'])}] {still_visible(part['display'] or '')}", "dim")
                    )
                case "notice":
                    print_line((f"[{cell(part['code'])}] {visible(part['message'])}", "yellow"))
                case _:
                    pass
    return 0


def delete_session(given: argparse.Namespace, client: Client) -> int:
    path = f"/api/sessions/{path_part(given.session)}"
    if not given.yes and on_terminal() and sys.stdin.isatty():
        what = named(client, given.session, given.purge)
        answer = input(f"delete {what}{' for good' if given.purge else ''}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise Failed("nothing was deleted")
    gone = client.call("DELETE", path, purge=given.purge or None)
    if given.json:
        print_json(gone)
        return 0
    session_id, until = cell(gone["session_id"]), gone["restorable_until"]
    print(f"deleted {session_id} ({gone['deleted']} messages){' for good' if until is None else ''}")
    if until is not None:
        print(f"until {cell(until)} it comes back with: aster-sidecar sessions restore {session_id}", file=sys.stderr)
    return 0


def named(client: Client, session_id: str, purge: bool) -> str:
    """A session as a person is asked about it. Raises: ClientError."""
    try:
        session = client.call("GET", f"/api/sessions/{path_part(session_id)}")
    except ClientError as error:
        if error.code != "session_not_found" or not purge:
            raise
        trash = listed(client, sys.maxsize, deleted=True)
        session = next((one for one in trash if one["session_id"] == session_id), None)
        if session is None:
            raise
    return f"{cell(session['title'])!r} and its {session['messages']} messages"


RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "chat": run_chat,
    "doctor": run_doctor,
    "sessions": run_sessions,
    "config": run_config,
    "agents": run_agents,
    "paths": run_paths,
    "store": run_store,
    "trust": run_trust,
    "untrust": run_untrust,
    "completion": run_completion,
    "version": run_version,
}
