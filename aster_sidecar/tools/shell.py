"""The tool that runs a command: what may be remembered of it, and its processes from their start to their end."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aster_sidecar.frozen import FROZEN
from aster_sidecar.policy.permissions import Assessment, Scope, sentences
from aster_sidecar.services.launch import Program, start_shell
from aster_sidecar.services.process_tree import (
    KILL_S,
    READ_BYTES,
    TERM_S,
    clean_environment,
    editors_without_keys,
    path_known,
    to_the_end,
)
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import BRIEF_CHARS, brief, counted, meant, shown, sized, visible
from aster_sidecar.tools import paths, shell_scripts
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.file_content import Content
from aster_sidecar.tools.paths import Text
from aster_sidecar.tools.shell_output import Rendered

HEAD_BYTES = 16 * 1024  # of each stream's result, as a terminal shows it
TAIL_BYTES = 48 * 1024
STREAMED_BYTES = 256 * 1024  # shown while it runs, both streams together
DELTA_CHARS = 4096
DELTA_S = 0.05
# A flood is read this much slower once nothing of it is shown any more: some 13 MB/s, a few percent of a core.
FLOOD_PAUSE_S = 0.005
RENDERED_BYTES = 16 * 1024  # at a time: output that moves the cursor all over the screen takes longer
LOOK_S = 1.0  # between two looks for an editor that waits for keys
DRAIN_S = 1.0
DRAIN_LOOKS = 10  # in that time: what a loop that stood still has not looked at, it looks at then

NOT_FOUND = 127  # a shell's exit code. Source: POSIX, Shell Command Language, 2.8.2

Stream = Literal["stdout", "stderr"]


class RunCommand(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    command: Text = Field(min_length=1, max_length=100_000, description="What /bin/sh -c runs (cmd.exe on Windows).")
    cwd: Text | None = Field(
        default=None, min_length=1, description="Directory to run in; the work directory by default."
    )
    timeout_s: float = Field(default=120, gt=0, le=3600, description="Seconds until it is ended, with all it started.")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- what another program would do ---------------------------------------------------------------------------------

# Programs that have another one do the work: a server, a service manager or a desktop that was there before. What it
# starts descends from it, so the daemon neither ends it nor tells it from a program of the person's.
_OTHERS = _words(
    "tmux screen byobu zellij dtach abduco at batch crontab anacron systemd-run systemctl loginctl machinectl busctl"
    " dbus-send gdbus qdbus docker docker-compose podman podman-remote nerdctl ctr crictl lxc incus multipass virsh"
    " vagrant flatpak-spawn distrobox toolbox xdg-open gio gtk-launch kde-open kde-open5 exo-open open emacsclient"
    " code code-insiders codium cursor subl kitty kitten wezterm ssh scp sftp mosh nsenter gdb strace ltrace reptyr"
    " launchctl osascript schtasks sc wmic"
)
# These take a program and run it themselves: any word behind them may be its name.
_BEFORE = _words(
    "sudo doas su runuser env exec command builtin nohup setsid setpriv nice ionice chrt taskset time timeout stdbuf"
    " xargs parallel watch entr unshare chroot bwrap firejail fakeroot faketime pkexec sg numactl setarch linux32"
    " linux64 dbus-run-session ssh-agent xvfb-run rlwrap unbuffer caffeinate systemd-inhibit busybox toybox script"
    " flock sh bash zsh dash ksh fish if then else elif while until do !"
)
_QUOTES = re.compile(r"['\"]" if os.name == "nt" else r"['\"\\]")


def handed_over(command: str) -> str | None:
    """The program in a command line that would have another one do the work, as far as a look at its words tells."""
    for segment in re.split(r"[;&|\n(){}`]", command):
        # In quotes only a shell's -c is a command, else "look at this" would be one.
        parts = re.split(r"['\"]", segment) if re.search(r"\s-\w*c\s", segment) else [segment]
        for part in parts:
            words = [word for word in part.replace("$", " ").split() if "=" not in word.split("/")[0]]
            bare = [os.path.basename(_QUOTES.sub("", word)).casefold().removesuffix(".exe") for word in words]
            for place, name in enumerate(bare):
                runs = place == 0 or bare[0] in _BEFORE or bare[place - 1] in ("-exec", "-execdir", "-ok", "-okdir")
                if runs and name in _OTHERS:
                    return name
    return None


# --- what may be remembered ----------------------------------------------------------------------------------------


# Programs that do what their arguments say and nothing that a file, the network or their configuration could make them
# do: what is said of one today holds tomorrow. Nearly all of them only read and print.
_READERS = _words(
    "ls cat head tail wc echo printf true false test [ pwd type stat file du df uname date whoami id groups hostname"
    " nproc uptime free arch basename dirname realpath readlink cut tr nl od rev tac comm cmp diff cksum md5sum sha1sum"
    " sha256sum sha512sum b2sum seq expr factor numfmt locale tty column fold fmt paste join grep egrep fgrep cal lscpu"
    " lsblk ps pgrep pidof which"
)
# One binary for many commands: the name it is called by counts, not its own.
_MULTICALL = frozenset(("busybox", "toybox", "coreutils"))
_RESERVED = _words("if then elif else fi for while until do done case esac in function select { } ! [[ coproc")
_BUILTINS = _words("echo printf true false test [ pwd : type read")
# Words of plain characters or in quotes that expand nothing, and the operators between commands. `$ ` * ? [ ~ < > ( )
# & # \` and whatever else is not listed make a line one that is not understood.
_TOKEN = r"""(?P<space>[ ]+)|(?P<between>&&|\|\||;|\|)|(?P<word>(?:[\w@%+=:,./-]+|'[^'\n]*'|"[^"$`\\\n!]*")+)"""


def programs(command: str) -> list[str] | None:
    """The program of each segment of a plain command list, e.g. ["git", "wc"]; None for all that is not that plain.

    Plain is: words without expansion, quoting without escapes, joined by `&&`, `||`, `;` and `|`. Assignments,
    substitution, globs, redirection, grouping, background, comments and several lines are not.
    """
    if visible(command, newlines=False) != command:
        return None
    found: list[str] = []
    expected, place = True, 0
    tokens = re.compile(_TOKEN)
    while place < len(command):
        token = tokens.match(command, place)
        if token is None:
            return None
        place = token.end()
        if token["between"]:
            if expected:
                return None
            expected = True
        elif token["word"] and expected:
            word = re.sub("['\"]", "", token["word"])
            if "=" in word or word in _RESERVED or not word:
                return None
            found.append(word)
            expected = False
    return found if found and not (expected and not command.rstrip().endswith(";")) else None


def why_not_remembered(command: str, cwd: Path, work_dir: Path, path: str) -> str | None:
    """Why "always" can't cover this command, in words; None when it can. `path` is the PATH that it runs with."""
    names = programs(command) if os.name != "nt" else None  # cmd.exe reads words by other rules
    if names is None:
        return "it is a complex shell command"
    for name in names:
        binary = _binary(name, cwd, path)
        if name not in _READERS or (binary and binary.name not in _MULTICALL and binary.name not in _READERS):
            return f"{_named(shown(os.path.basename(name)))} may change files, or may act differently when files change"
        if name in _BUILTINS:
            continue
        if binary is None:
            return f"Aster can't find the program {_named(shown(name))}"
        if binary.is_relative_to(work_dir) or binary.is_relative_to(os.path.realpath(os.path.expanduser("~"))):
            return f"the program {_named(shown(name))} is in your home or work folder, where it can be changed"
    return None


def _binary(name: str, cwd: Path, path: str) -> Path | None:
    found = shutil.which(name, path=path) if not os.path.dirname(name) else os.path.join(cwd, name)
    return Path(os.path.realpath(found)) if found and os.path.isfile(found) else None


def _identity(name: str, cwd: Path, path: str) -> str | None:
    """The file that `name` stands for, and what tells it from a later one of the same name."""
    binary = _binary(name, cwd, path)
    try:
        found = binary.stat() if binary else None
    except OSError:
        return None
    if binary is None or found is None:
        return None
    # The time of the last change of whatever kind can't be set back, as the others can.
    return f"{binary} {found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _assess(arguments: RunCommand, surroundings: Surroundings) -> Assessment:
    work_dir = surroundings.work_dir
    place = paths.look(arguments.cwd or str(work_dir), surroundings)
    cwd = place.path
    if not os.path.isdir(cwd):
        raise ToolError(f"{shown(cwd)} is not a directory")
    env = clean_environment(os.environ)
    other = handed_over(arguments.command)
    concerns: list[str] = []
    if other is None:
        unsure = why_not_remembered(arguments.command, cwd, work_dir, env["PATH"])
    else:
        concerns.append(f"{_named(other)} starts programs that Aster can't stop or control.")
        unsure = "that program decides what runs"
    if not place.inside:
        concerns.append(f"This command runs in {shown(cwd)}, outside the work folder.")
    reasons = (
        [*concerns] if other is not None else ["A command can do anything that you can do on this computer.", *concerns]
    )
    if unsure:
        reasons.append(f"This command can't be always allowed: {unsure}.")
    names = dict.fromkeys([*(programs(arguments.command) or ()), *shell_scripts.programs_in(arguments.command)])
    files = {} if place.forbidden else shell_scripts.run_by(arguments.command, cwd, surroundings.protected, env)
    contents = {name: shell_scripts.held(path) for name, path in files.items()}
    # A program that the line names by its place is one of the files.
    binaries = {name: _identity(name, cwd, env["PATH"]) for name in names if name not in files}
    # Never begins like a path, so that no rule for a directory covers it.
    target = f"in {shown(cwd)}:\n{arguments.command}"
    words = f"exactly this command in {shown(cwd)}: {visible(arguments.command, newlines=False)}"
    return Assessment(
        risk="high",
        target=target,
        summary=f"Run {_brief(arguments.command)} in {brief(cwd, surroundings.work_dir)}",
        display=f"in {shown(cwd)}:\n{visible(arguments.command)}{shell_scripts.described(files, contents)}",
        reason=sentences(reasons),
        remember=None if unsure else Scope("exact", target, words),
        binding={
            "command": arguments.command,
            "cwd": str(cwd),
            "folder": _folder(os.stat(cwd)),
            "shell": os.path.realpath(_shell()),
            "binaries": {name: found for name, found in binaries.items() if found is not None},
            "scripts": {name: one.mark for name, one in contents.items()},
            "path": env["PATH"],
        },
        forbidden=place.forbidden,
        always_asked=other is not None,
        names=(arguments.command, str(cwd)),
        concerns=tuple(concerns),
        effects=tuple(f"It runs {shown(name)}." for name in files),
    )


def _named(text: str) -> str:
    """A program or the line of a command, made visible, as a sentence names it.

    The backquotes around it are the only ones: no command can write the rest of the sentence.
    """
    return "`" + cut(text.replace("`", "'"), BRIEF_CHARS) + "`"


def _brief(command: str) -> str:
    """A command as a sentence names it: its first line, and how many follow.

    Spaces stand alone in it.
    """
    lines = [line for line in command.strip().split("\n") if line.strip()] or [""]
    return _named(" ".join(visible(lines[0], newlines=False).split())) + (
        f" and {counted(len(lines) - 1, 'more line')}" if len(lines) > 1 else ""
    )


def rule_value(asked: RuleTarget, surroundings: Surroundings) -> str:
    """The target that a rule for commands means: a command in its directory. Raises: ToolError.

    A rule that denies may also name a command wherever it runs, or a directory where none may run.
    """
    value = asked.value
    if asked.kind == "beneath":
        if asked.decision == "allow":
            raise ToolError("a rule can't allow every command in a folder: the folder doesn't say what a command does")
        folder = paths.rule_value(asked, surroundings)
        if not os.path.isabs(os.path.expanduser(value)) and not os.path.isdir(folder):
            raise ToolError(f"there is no folder {shown(folder)}; for a command choose “Exactly this” (kind exact)")
        return folder
    placed = re.fullmatch(r"in ([^\n]+):\n(.+)", value, re.DOTALL)
    if placed is None and (asked.decision == "allow" or re.match(r"in [^\n]+:(\s|\Z)", value)):
        raise ToolError("say in which folder the command may run: 'in FOLDER:', a new line, and the command")
    command = placed[2] if placed is not None else value
    try:
        RunCommand(command=command)
    except ValidationError as error:
        raise ToolError(f"this can't be a command: {error.errors()[0]['msg']}") from error
    if placed is None:
        return command
    folder = paths.rule_value(RuleTarget(asked.decision, "beneath", meant(placed[1])), surroundings)
    return f"in {shown(folder)}:\n{command}"


def _folder(found: os.stat_result) -> str:
    """What tells a directory from another one in its place."""
    return f"{found.st_dev} {found.st_ino}"


def _as_approved(arguments: RunCommand, assessment: Assessment, ctx: CallContext) -> dict[str, Content]:
    """The files that the command runs. Raises: ToolError when one is not what it was when the command was allowed."""
    found = _scripts(arguments, assessment, ctx)
    approved: dict[str, str] = assessment.binding.get("scripts", {})
    if names := [name for name in approved.keys() | found.keys() if approved.get(name) != _mark(found.get(name))]:
        listed = ", ".join(map(shown, sorted(names)))
        raise ToolError(f"{listed} changed after the command was allowed; it was not run")
    return found


def _scripts(arguments: RunCommand, assessment: Assessment, ctx: CallContext) -> dict[str, Content]:
    env = clean_environment(os.environ)
    files = shell_scripts.run_by(arguments.command, Path(assessment.binding["cwd"]), ctx.surroundings.protected, env)
    return {name: shell_scripts.held(path) for name, path in files.items()}


def _mark(found: Content | None) -> str | None:
    return found.mark if found is not None else None


def _touched(before: dict[str, Content], after: dict[str, Content]) -> list[str]:
    """The files that somebody changed in the meantime, also when they are as before again."""
    return sorted(name for name, found in before.items() if _trace(found) != _trace(after.get(name)))


def _trace(found: Content | None) -> tuple[int, ...] | None:
    status = found.status if found is not None else None
    return (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size) if status is not None else None


def _shell() -> str:
    return os.environ.get("COMSPEC", "cmd.exe") if os.name == "nt" else "/bin/sh"


# --- workers -------------------------------------------------------------------------------------------------------


def worker(function: Callable[[], None]) -> tuple[list[str], dict[str, str]]:
    """The argv and environment of a process that runs nothing but `function`, which must stand alone and be killable.

    It is handed over as source, so that the process imports what the function does and no more. A packaged build has
    no interpreter to hand it to: there, `--tool-worker MODULE:NAME` runs it (`frozen.run_worker`).
    """
    import inspect

    # PATH and the like, and what this interpreter itself was started with to find its libraries.
    names = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP")
    env = {name: os.environ[name] for name in names if name in os.environ}
    if FROZEN:
        return [sys.executable, "--tool-worker", f"{function.__module__}:{function.__name__}"], env
    code = (
        "from __future__ import annotations\n"
        f"import sys\nsys.path[:] = {[entry for entry in sys.path if entry]!r}\n"
        f"{inspect.getsource(function)}\n{function.__name__}()\n"
    )
    return [sys.executable, "-I", "-S", "-B", "-c", code], env


# --- running -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Teller:
    """What is shown while the command runs, bounded for both streams together."""

    ctx: CallContext
    left: int = STREAMED_BYTES
    total: int = 0
    counted_at: float = 0.0

    async def tell(self, stream: Stream, delta: str) -> None:
        self.left -= len(delta.encode())
        await self.ctx.progress(stream=stream, delta=delta)

    async def count(self) -> None:
        now = time.monotonic()
        if now - self.counted_at >= 1:
            self.counted_at = now
            await self.ctx.progress(f"{sized(self.total)} of output so far; no more of it is shown while it runs")


@dataclass(slots=True)
class _Output:
    """One stream: shown raw while it comes, kept as a terminal shows it at its end."""

    stream: Stream
    rendered: Rendered = field(default_factory=lambda: Rendered(HEAD_BYTES, TAIL_BYTES))

    async def pump(self, reader: asyncio.StreamReader, teller: _Teller) -> None:
        """Read until every writer has closed, show it in pieces of DELTA_S or DELTA_CHARS, and keep what is bounded."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        pending, told_at, chunk = "", -DELTA_S, b"-"
        while chunk:
            due_s = told_at + DELTA_S - time.monotonic()
            if pending and (due_s <= 0 or len(pending) >= DELTA_CHARS):
                await teller.tell(self.stream, pending)
                pending, told_at = "", time.monotonic()
            try:
                async with asyncio.timeout(max(due_s, 0) if pending else None):
                    chunk = await reader.read(READ_BYTES)
            except TimeoutError:
                continue
            for start in range(0, len(chunk), RENDERED_BYTES):
                self.rendered.feed(chunk[start : start + RENDERED_BYTES])
                await asyncio.sleep(0)
            teller.total += len(chunk)
            if teller.left > 0:
                pending += decoder.decode(chunk, final=not chunk)
            elif chunk:
                await teller.count()
                if len(chunk) >= READ_BYTES // 2:
                    await asyncio.sleep(FLOOD_PAUSE_S)
        if pending:
            await teller.tell(self.stream, pending)


async def _run(arguments: RunCommand, assessment: Assessment, ctx: CallContext) -> Outcome:
    began = time.monotonic()
    cwd = Path(assessment.binding["cwd"])
    env = clean_environment(os.environ) | {"PWD": str(cwd)}
    try:
        with _working(cwd, assessment.binding.get("folder")) as place:
            approved = _as_approved(arguments, assessment, ctx)
            program = await start_shell(arguments.command, cwd=place, env=env, marker=f"{os.getpid()}:{ctx.call_id}")
    except OSError as error:
        raise ToolError(f"the command could not be started: {error.strerror or error}") from error
    teller, outputs = _Teller(ctx), (_Output("stdout"), _Output("stderr"))
    readers = (program.stdout, program.stderr)
    pumps = [asyncio.create_task(out.pump(reader, teller)) for out, reader in zip(outputs, readers, strict=True)]
    editors: list[str] = []
    try:
        timed_out = not await _exits(program, pumps, arguments.timeout_s, editors)
        others, survivors = await to_the_end(_ended(program))
        for pump in await _drained(pumps):
            pump.result()
    except BaseException:
        await to_the_end(_ended(program))
        raise
    finally:
        for pump in pumps:
            pump.cancel()
        program.close()
        await asyncio.gather(*pumps, return_exceptions=True)
    code = program.returncode
    touched = _touched(approved, _scripts(arguments, assessment, ctx)) if approved else []
    (stdout, cut_stdout), (stderr, cut_stderr) = (output.rendered.text() for output in outputs)
    value = {
        "exit_code": code if code is not None and code >= 0 else None,
        "signal": signal.Signals(-code).name if code is not None and code < 0 else None,
        "stdout": stdout,
        "stderr": stderr,
        "timed_out": timed_out,
        "duration_ms": round((time.monotonic() - began) * 1000),
        "note": _note(arguments.timeout_s if timed_out else None, editors, others, survivors, touched, code),
    }
    return Outcome(value, truncated=cut_stdout or cut_stderr)


def _note(
    timeout_s: float | None,
    editors: Iterable[str],
    others: int,
    survivors: Iterable[int],
    changed: Iterable[str],
    code: int | None,
) -> str:
    processes = "1 background process was" if others == 1 else f"{others} background processes were"
    parts = [f"stopped after {timeout_s:g} s"] if timeout_s is not None else []
    parts += [f"{shown(name)} was ended: it waited for keys, and nobody can press any" for name in editors]
    parts += [f"{processes} ended"] if others else []
    if numbers := ", ".join(map(str, survivors)):
        parts.append(f"could not be ended: {numbers}")
    if names := ", ".join(map(shown, changed)):
        parts.append(f"changed while it ran: {names}")
    if code == NOT_FOUND:
        parts.append("a program was not found on PATH; the person can set it with command_path in config.toml")
    return "; ".join(parts)


@contextmanager
def _working(cwd: Path, approved: str | None) -> Generator[str, None, None]:
    """The directory to start in, by the handle that was reached without following links, where /proc names handles.

    Raises: ToolError when it is another one than `approved` says.
    """
    with paths.opened_folder(cwd) as folder:
        if approved not in (None, _folder(os.stat(folder))):
            raise ToolError(f"{shown(cwd)} is another directory by now")
        handle = f"/proc/self/fd/{folder}"
        yield handle if isinstance(folder, int) and os.path.isdir(handle) else str(cwd)


async def _exits(program: Program, pumps: Iterable[asyncio.Task[None]], within_s: float, editors: list[str]) -> bool:
    """Wait for the program's end; False when the time is over. Raises: what showing its output raised.

    Editors that wait for somebody meanwhile are ended; their names are added to `editors`.
    """
    until = time.monotonic() + within_s
    waiting: set[asyncio.Future[None]] = {program.exited, *pumps}
    while not program.exited.done():
        left = until - time.monotonic()
        if left <= 0:
            return False
        wait_s = min(left, LOOK_S)
        done, waiting = await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            future.result()
        if not done:
            for pid, name in editors_without_keys(program.pid).items():
                editors.append(name)
                with suppress(OSError):
                    os.kill(pid, signal.SIGTERM)
    return True


async def _ended(program: Program) -> tuple[int, list[int]]:
    return await program.end(TERM_S, KILL_S)


async def _drained(waiting: Iterable[asyncio.Future[None]]) -> set[asyncio.Future[None]]:
    """Wait for what must come to its end soon; those that did."""
    futures = set(waiting)
    for _ in range(DRAIN_LOOKS):
        _, left = await asyncio.wait(futures, timeout=DRAIN_S / DRAIN_LOOKS)
        if not left:
            break
    return {future for future in futures if future.done()}


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "run_command",
        "Run a shell command and wait for its end; nobody can type into it. Returns exit code, stdout and stderr, the "
        "middle of long output left out. Processes that it leaves in the background are ended with it.",
        RunCommand,
        "high",
        _assess,
        _run,
        rule_value,
        path_known,
    ),
)
