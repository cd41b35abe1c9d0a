"""The tool `run_command`: how a command is judged, to what an approval is bound, and what the model gets."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aster_sidecar.policy.permissions import Assessment, Scope, sentences
from aster_sidecar.policy.programs import NETWORK, described, programs_of, value_of
from aster_sidecar.sandbox.commands import NO_NETWORK, Confinement, refused
from aster_sidecar.sandbox.run_later import Left
from aster_sidecar.sandbox.sandbox import Prepared
from aster_sidecar.sandbox.spec import Network, NoSandbox
from aster_sidecar.services.launch import start, start_shell
from aster_sidecar.services.process_tree import clean_environment, path_known
from aster_sidecar.text.safe_text import brief, counted, meant, quoted, shown, visible
from aster_sidecar.tools import opening, paths, shell_scripts
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError, WillChange
from aster_sidecar.tools.commands import git, named_programs
from aster_sidecar.tools.commands.operands import READING_TOOLS
from aster_sidecar.tools.commands.program_scopes import Judged, judged
from aster_sidecar.tools.commands.sandbox_names import never_named
from aster_sidecar.tools.denied_places import places_of
from aster_sidecar.tools.file_content import Content
from aster_sidecar.tools.paths import Text
from aster_sidecar.tools.shell_commands import binary_identity, handed_over, programs, why_not_remembered
from aster_sidecar.tools.shell_process import Ended, run_to_the_end

NOT_FOUND = 127
"""A shell's exit code for a program that it can't find. Source: POSIX, Shell Command Language, 2.8.2."""


class RunCommand(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    command: Text = Field(min_length=1, max_length=100_000, description="What /bin/sh -c runs (cmd.exe on Windows).")
    cwd: Text | None = Field(
        default=None, min_length=1, description="Directory to run in; the work directory by default."
    )
    timeout_s: float = Field(
        default=120, gt=0, le=3600, description="Seconds until it and all that it started are ended."
    )
    network: Literal["all"] | None = Field(
        default=None, description="In a sandbox there is no network; all asks a person to run it with network."
    )
    sandbox: Literal["none"] | None = Field(
        default=None, description="Only after a result with sandbox_denied: none asks a person to run it without one."
    )
    why: Text | None = Field(
        default=None, max_length=500, description="With sandbox none or network all: why it is needed, briefly."
    )


# -- judging -----------------------------------------------------------------------------------------------------------


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
        concerns.append(f"{quoted(other)} starts programs that Aster can't stop or control.")
        unsure = "that program decides what runs"
    if not place.inside:
        concerns.append(f"This command runs in {shown(cwd)}, outside the work folder.")
    confined = _confinement(arguments, surroundings)
    open_to_tools = place.inside and place.forbidden is None and other is None and not confined.asked_out
    does = Judged("")
    if open_to_tools:
        sandbox = confined.network if confined.level == "full" else None
        does = judged(arguments.command, cwd, surroundings, env, sandbox)
    reads, unsafe = does.why_not is None, does.why_not
    named = named_programs.found(arguments.command, shown(cwd), env.get("HOME", "~"))
    opaque = named.opaque and not reads
    if opaque and open_to_tools:
        # What a row covers runs no program that is named in the line.
        plain = does if confined.level != "full" else judged(arguments.command, cwd, surroundings, env, None)
        opaque = not plain.needs
    reasons = concerns
    if reads:
        reasons = ["This command only reads, and only in the work folder."]
    elif other is None:
        able = [] if confined.level == "full" else ["A command can do anything that you can do on this computer."]
        reasons = [*able, *confined.words, *concerns]
        reasons += [unsafe] if unsafe and unsafe != unsure else []
    # It does not begin like a path, so that no rule for a directory covers it.
    target = here = f"in {shown(cwd)}:\n{arguments.command}"
    network = confined.network == "all"
    with_network = " with network" if network else ""
    if network:  # a rule for the same command without network does not cover it
        target = _WITH_NETWORK + here
    words = f"exactly this command in {shown(cwd)}{with_network}: {visible(arguments.command, newlines=False)}"
    exactly = Scope("exact", target, words, "exact")
    scopes = _scopes(exactly, unsure, does.needs, shown(cwd), confined)
    if not scopes and not reads:
        reasons.append(f"This command can't be always allowed: {unsure}.")
    names = dict.fromkeys([*(programs(arguments.command) or ()), *shell_scripts.programs_in(arguments.command)])
    files = (
        {} if place.forbidden or reads else shell_scripts.run_by(arguments.command, cwd, surroundings.protected, env)
    )
    contents = {name: shell_scripts.held(path) for name, path in files.items()}
    # A program that the command names by its path is one of the files.
    binaries = {name: binary_identity(name, cwd, env["PATH"]) for name in names if name not in files}
    return Assessment(
        risk="low" if reads else "high",
        target=target,
        summary=f"Run {_brief(arguments.command)} in {brief(cwd, surroundings.work_dir)}{with_network}",
        display=f"in {shown(cwd)}:\n{visible(arguments.command)}{shell_scripts.described(files, contents)}",
        reason=sentences(reasons),
        remember=None if unsure else exactly,
        scopes=scopes,
        needs=does.needs,
        runs=named.runs,
        opaque=opaque,
        binding={
            "command": arguments.command,
            "cwd": str(cwd),
            "folder": _folder(os.stat(cwd)),
            "shell": os.path.realpath(_shell()),
            "binaries": {name: found for name, found in binaries.items() if found is not None},
            "scripts": {name: one.mark for name, one in contents.items()},
            "path": env["PATH"],
        }
        | ({"sandbox": confined.level} if confined.words else {})
        | ({"network": confined.network} if network else {}),
        forbidden=place.forbidden,
        always_asked=other is not None or confined.asked_out,
        guarded=network,
        sandbox=confined.level,
        names=(arguments.command, str(cwd), *((here,) if network else ())),
        concerns=tuple(concerns),
        effects=tuple(f"It runs {shown(name)}." for name in files),
    )


def _scopes(
    exactly: Scope, unsure: str | None, needs: Sequence[str], folder: str, confined: Confinement
) -> tuple[Scope, ...]:
    """What "always" may cover: this command, or its programs with other arguments."""
    if not needs:
        return () if unsure else (exactly,)
    rules = list(map(programs_of, needs))
    if any(rule.folder != folder for rule in rules):  # a rule is for one folder
        return () if unsure else (exactly,)
    names = [rule.names[0] for rule in rules]
    listed = described(names, quoted)
    words = f"{listed} in {folder} with other arguments too"
    if confined.level == "full":
        words = f"{listed} in {folder}, in the sandbox with any arguments"
    return (exactly, Scope("program", value_of(folder, names), words, "program"))


def _confinement(arguments: RunCommand, surroundings: Surroundings) -> Confinement:
    """What would confine the command. Raises: ToolError when it has to be in a sandbox and can't be."""
    if surroundings.sandbox is None:
        return Confinement("none")
    try:
        return surroundings.sandbox.confinement(arguments.sandbox == "none", arguments.network or "none", arguments.why)
    except NoSandbox as error:
        raise ToolError(str(error)) from error


async def _known(surroundings: Surroundings) -> None:
    await path_known()
    if surroundings.sandbox is not None:
        await surroundings.sandbox.known()


def _brief(command: str) -> str:
    """A command in a sentence: its first line, with single spaces, and how many lines follow."""
    lines = [line for line in command.strip().split("\n") if line.strip()] or [""]
    return quoted(" ".join(visible(lines[0], newlines=False).split())) + (
        f" and {counted(len(lines) - 1, 'more line')}" if len(lines) > 1 else ""
    )


def rule_value(asked: RuleTarget, surroundings: Surroundings) -> str:
    """The target of a rule in the form that calls have: a command in its directory. Raises: ToolError.

    A deny rule may also name a command in any directory, or a directory in which no command may run.
    """
    value = asked.value
    if asked.kind == "program":
        return _program_value(asked, surroundings)
    if asked.kind == "glob":
        if asked.decision == "allow":
            raise ToolError("a pattern can't allow commands: what else the line has could do anything")
        return value
    if asked.kind == "beneath":
        if asked.decision == "allow":
            raise ToolError("a rule can't allow every command in a folder: the folder doesn't say what a command does")
        folder = paths.rule_value(asked, surroundings)
        if not os.path.isabs(os.path.expanduser(value)) and not os.path.isdir(folder):
            raise ToolError(f"there is no folder {shown(folder)}; for a command choose “Exactly this” (kind exact)")
        return folder
    network = _WITH_NETWORK if value.startswith(f"{_WITH_NETWORK}in ") else ""
    placed = re.fullmatch(r"in ([^\n]+):\n(.+)", value.removeprefix(network), re.DOTALL)
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
    return f"{network}in {shown(folder)}:\n{command}"


_WITH_NETWORK = "with network, "


def _program_value(asked: RuleTarget, surroundings: Surroundings) -> str:
    """The value of a rule for programs in the form that calls have. Raises: ToolError."""
    placed = re.fullmatch(r"in ([^\n]+):\n(.+)", asked.value, re.DOTALL)
    if placed is None and (asked.decision == "allow" or re.match(r"in [^\n]+:(\s|\Z)", asked.value)):
        raise ToolError("say in which folder the program may run: 'in FOLDER:', a new line, and the program")
    names = [" ".join(line.split()) for line in (placed[2] if placed is not None else asked.value).split("\n")]
    for name in names:
        if re.fullmatch(r"[\w.@:+/-]+( [\w.@:+/-]+)*", name.removesuffix(NETWORK)) is None:
            raise ToolError(f"{quoted(shown(name))} is no program with a subcommand, such as `npm test`")
        program = name.split(" ")[0]
        if asked.decision == "allow" and (never_named(program) or handed_over(name)):
            raise ToolError(f"{quoted(program)} can't be allowed by its name: its arguments say what is done")
        if asked.decision == "deny" and name.endswith(NETWORK):
            raise ToolError("a rule that denies a program denies it with and without network")
    names = [named_programs.canonical(name) for name in names]
    if placed is None:
        return "\n".join(names)
    folder = paths.rule_value(RuleTarget(asked.decision, "beneath", meant(placed[1])), surroundings)
    return value_of(shown(folder), names)


def _only_reads(assessment: Assessment) -> bool:
    return assessment.risk == "low"


def _folder(found: os.stat_result) -> str:
    """What changes when a directory is replaced by another one."""
    return f"{found.st_dev} {found.st_ino}"


def _as_approved(arguments: RunCommand, assessment: Assessment, ctx: CallContext) -> dict[str, Content]:
    """The files that the command runs. Raises: ToolError when one has changed since the command was allowed."""
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
    """The files that were changed in the meantime, even if they were changed back."""
    return sorted(name for name, found in before.items() if _trace(found) != _trace(after.get(name)))


def _trace(found: Content | None) -> tuple[int, ...] | None:
    status = found.status if found is not None else None
    return (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size) if status is not None else None


def _shell() -> str:
    return os.environ.get("COMSPEC", "cmd.exe") if os.name == "nt" else "/bin/sh"


# -- running -----------------------------------------------------------------------------------------------------------


async def _run(arguments: RunCommand, assessment: Assessment, ctx: CallContext) -> Outcome:
    began = time.monotonic()
    cwd = Path(assessment.binding["cwd"])
    env = {**clean_environment(os.environ), "PWD": str(cwd), **(git.SAFE if _only_reads(assessment) else {})}
    try:
        with _working(cwd, assessment.binding.get("folder")) as place:
            approved = _as_approved(arguments, assessment, ctx)
            marker = f"{os.getpid()}:{ctx.call_id}"
            prepared = await _prepared(arguments, assessment, env, ctx)
            if prepared is None:
                program = await start_shell(arguments.command, cwd=place, env=env, marker=marker)
            else:
                program = await start(prepared.argv, cwd="/", env=prepared.env, marker=marker, stdin=False)
    except NoSandbox as error:
        raise ToolError(f"the command can't run in the sandbox: {error}") from error
    except OSError as error:
        raise ToolError(f"the command could not be started: {error.strerror or error}") from error
    ended = await run_to_the_end(program, ctx, arguments.timeout_s)
    touched = _touched(approved, _scripts(arguments, assessment, ctx)) if approved else []
    code = ended.code
    denied, left = None, Left((), True)
    if prepared is not None:
        network: Network = assessment.binding.get("network", "none")
        denied, left = refused(code, f"{ended.stdout}\n{ended.stderr}", network), await prepared.left()
    value = {
        "exit_code": code if code is not None and code >= 0 else None,
        "signal": signal.Signals(-code).name if code is not None and code < 0 else None,
        "stdout": ended.stdout,
        "stderr": ended.stderr,
        "timed_out": ended.timed_out,
        "duration_ms": round((time.monotonic() - began) * 1000),
        "note": "; ".join(filter(None, (_note(arguments.timeout_s, ended, touched), _left_behind(left)))),
    }
    if prepared is not None:
        value |= {
            "sandbox": assessment.sandbox,
            "sandbox_denied": denied and f"{denied}; {_WAYS_OUT[denied == NO_NETWORK]}",
        }
    return Outcome(value, truncated=ended.truncated)


_WAYS_OUT = {
    True: 'if the command needs it, call again with network "all" and say why: a person is asked',
    False: 'if the command needs it, call again with sandbox "none" and say why: a person is asked',
}


async def _prepared(
    arguments: RunCommand, assessment: Assessment, env: Mapping[str, str], ctx: CallContext
) -> Prepared | None:
    """How to start the command in a sandbox; None without one. Raises: NoSandbox, OSError."""
    sandbox = ctx.surroundings.sandbox
    if assessment.sandbox == "none" or sandbox is None:
        return None
    return await sandbox.prepare(
        ["/bin/sh", "-c", arguments.command],
        env,
        folder=ctx.surroundings.work_dir,
        cwd=Path(assessment.binding["cwd"]),
        session_id=ctx.session_id,
        protected=ctx.surroundings.protected,
        network=assessment.binding.get("network", "none"),
        denied=places_of(rule for tool in READING_TOOLS for rule in ctx.surroundings.denials(tool)),
    )


def _left_behind(left: Left) -> str:
    """What other programs would run of what the command left, for the note."""
    named = [f"{shown(path)} ({why})" for path, why in left.found]
    more = "" if left.complete else ", and perhaps more"
    return f"other programs run what it left: {', '.join(named)}{more}" if named else ""


def _note(timeout_s: float, ended: Ended, changed: Iterable[str]) -> str:
    processes = "1 background process was" if ended.others == 1 else f"{ended.others} background processes were"
    parts = [f"stopped after {timeout_s:g} s"] if ended.timed_out else []
    parts += [
        f"{shown(name)} was ended: it waited for key presses, which a command never gets" for name in ended.editors
    ]
    parts += [f"{processes} ended"] if ended.others else []
    if numbers := ", ".join(map(str, ended.survivors)):
        parts.append(f"could not be ended: {numbers}")
    if names := ", ".join(map(shown, changed)):
        parts.append(f"changed while it ran: {names}")
    if ended.code == NOT_FOUND:
        parts.append("a program was not found on PATH; the person can set it with command_path in config.toml")
    return "; ".join(parts)


@contextmanager
def _working(cwd: Path, approved: str | None) -> Generator[str, None, None]:
    """The directory to start in: by its descriptor, opened without following links, where /proc has descriptors.

    Raises: ToolError when it is not the directory `approved`.
    """
    with opening.opened_folder(cwd) as folder:
        if approved not in (None, _folder(os.stat(folder))):
            raise ToolError(f"{shown(cwd)} is another directory now")
        handle = f"/proc/self/fd/{folder}"
        yield handle if isinstance(folder, int) and os.path.isdir(handle) else str(cwd)


def _changes(arguments: RunCommand, assessment: Assessment) -> WillChange:
    return WillChange(command_in=None if _only_reads(assessment) else Path(assessment.binding["cwd"]))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "run_command",
        "Run a shell command and wait for its end; it gets no input. Returns exit code, stdout and stderr, the "
        "middle of long output left out. Processes that it leaves in the background are ended with it.",
        RunCommand,
        "high",
        _assess,
        _run,
        rule_value,
        _known,
        _changes,
        confined=True,
    ),
)
