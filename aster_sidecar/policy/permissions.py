"""Policy as pure functions without I/O: (mode, rules, call) → allow | deny | ask, and why.

Order: forbidden calls, deny rules, calls that need no permission, calls that always ask, command lines that may hide a
denied program, the mode `always_ask`, allow rules, guarded calls, the other modes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aster_sidecar.policy import conditions, programs
from aster_sidecar.policy.conditions import Condition
from aster_sidecar.policy.programs import Run

Risk = Literal["low", "medium", "high"]
Mode = Literal["auto_approve", "smart_approve", "always_ask"]
Verdict = Literal["allow", "deny", "ask"]
Kind = Literal["exact", "beneath", "glob", "program", "any"]

STRICTNESS: tuple[Mode, ...] = ("auto_approve", "smart_approve", "always_ask")


def stricter(one: Mode, other: Mode) -> Mode:
    """The stricter of two modes."""
    return STRICTNESS[max(STRICTNESS.index(one), STRICTNESS.index(other))]


@dataclass(frozen=True, slots=True)
class Scope:
    """The calls that a remembered answer covers: one tool, and a target.

    `kind` "exact" covers the calls whose target is `value`; "beneath" those whose target is `value` or lies below
    that directory; "glob" those whose target matches the pattern; "program" command lines that run nothing else but
    these programs (see `programs`), and what only reads; "any" every call of the tool (`value` is empty). `words`
    describes it to a person. `scope_id` identifies it among the scopes of a call.
    """

    kind: Kind
    value: str
    words: str
    scope_id: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The changed lines of a file. Each line of `diff` begins with " ", "-" (removed), "+" (added) or "@ line N".

    `added` and `removed` count the lines of the whole change. `truncated`: `diff` is only the beginning of it.
    """

    path: str
    diff: str
    added: int
    removed: int
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a call would do, determined from the tool *and* its arguments before the call runs.

    - `summary`: one plain sentence about the effect. `preview`: a change of a file line by line; unless it
      is truncated, `display` ends with the same lines.
    - `target`: the canonical object of the call (an absolute path without links, a command string, an origin).
      `display`: exactly what will run, with control and bidi characters made visible.
    - `reason`: why the call has this risk. `concerns`: reasons, in words, that raise the risk above the tool's own.
    - `effects`: what the call would do that the arguments don't show: replace a file, run a script.
    - `remember`: what "always" covers if the person does not choose; None when the call can't be remembered then.
      `scopes`: what they may choose from, the narrowest first.
    - `binding`: everything that an approval is bound to (resolved paths, binary, cwd). If it differs when the call is
      about to run, the approval is requested again.
    - `forbidden`: why no mode and no person can allow the call, e.g. writing into the daemon's own data.
    - `unshown`: why a person can't be shown all of the call; such a call fails instead of asking.
    - `always_asked`: every mode asks and no allow rule covers it, e.g. because another program, which we don't control,
      would do the work.
    - `changed`: the tool is no longer what was accepted. Only the mode "auto_approve" allows the call.
    - `unasked`: the call needs no permission, e.g. because it is itself a question; only deny rules apply.
    - `guarded`: no mode allows the call, but a rule may, e.g. for a file that runs without a person looking at it.
    - `also`: further targets of the call (a move's destination). A deny rule applies if it covers any of them, an allow
      rule only if it covers all.
    - `names`: other targets by which a deny rule may match the call, such as a command in any directory.
    - `sandbox`: what confines the call when it runs.
    - `needs`: of a command line, the values of rules for programs that have to cover it together; () if such rules
      can't allow it. `runs`: the programs that it runs, for rules that deny one. `opaque`: it may run others.
    """

    risk: Risk
    target: str
    display: str
    reason: str
    remember: Scope | None = None
    binding: Mapping[str, Any] = field(default_factory=dict[str, Any])
    forbidden: str | None = None
    always_asked: bool = False
    unasked: bool = False
    guarded: bool = False
    changed: bool = False
    also: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    unshown: str | None = None
    summary: str = ""
    preview: Preview | None = None
    sandbox: str = "none"
    scopes: tuple[Scope, ...] = ()
    needs: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A stored rule. `agent_id` and `session_id` limit it; None means all. `expires_at` is aware UTC.

    An allow rule applies if all of its `conditions` hold, a deny rule unless one is known not to hold.
    """

    rule_id: str
    decision: Literal["allow", "deny"]
    tool: str
    kind: Kind
    value: str
    agent_id: str | None = None
    session_id: str | None = None
    expires_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, its source (`rule:<id>`, `mode:<mode>`, `call` or `forbidden`), and the reason in words."""

    verdict: Verdict
    decided_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Who makes a call of `tool`, and when: `now` is aware UTC. `places`: canonical paths of arguments that are paths.

    `arguments` are those of the call, for conditions.
    """

    tool: str
    agent_id: str
    session_id: str
    now: datetime
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    places: Mapping[str, str] = field(default_factory=dict[str, str])


def in_force(rule: Rule, call: ToolCall) -> bool:
    """Whether a rule is for this tool, agent and session, has not expired, and its conditions hold."""
    if rule.tool not in (call.tool, "*"):
        return False
    if rule.agent_id not in (None, call.agent_id) or rule.session_id not in (None, call.session_id):
        return False
    if rule.expires_at is not None and rule.expires_at <= call.now:
        return False
    found = (conditions.holds(condition, call.arguments, call.places) for condition in rule.conditions)
    return all(one is True or (one is None and rule.decision == "deny") for one in found)


def reaches(rule: Rule, target: str) -> bool:
    """Whether the value of the rule covers `target`. One for programs covers no target."""
    match rule.kind:
        case "any":
            return True
        case "exact":
            return target == rule.value
        case "beneath":
            return conditions.beneath(rule.value, target)
        case "glob":
            if rule.decision == "allow" or conditions.matches(rule.value, target):
                return conditions.matches(rule.value, target)
            is_path = target.startswith(("/", "\\")) or target[1:2] == ":"
            wider = conditions.matches if is_path else conditions.matches_any
            return wider(conditions.folded(rule.value), conditions.folded(target))
        case "program":
            return False


def decide(mode: Mode, rules: Iterable[Rule], call: ToolCall, assessment: Assessment) -> Decision:
    """Decide one call. Pure: the same arguments give the same decision."""
    if assessment.forbidden is not None:
        return Decision("deny", "forbidden", assessment.forbidden)
    applying = [rule for rule in rules if in_force(rule, call)]
    targets = (assessment.target, *assessment.also)
    for rule in applying:
        if rule.decision == "deny" and (
            any(reaches(rule, target) for target in (*targets, *assessment.names))
            or (rule.kind == "program" and any(programs.denies(rule.value, run) for run in assessment.runs))
        ):
            return Decision("deny", f"rule:{rule.rule_id}", denied_by(rule))
    if assessment.unasked:
        return Decision("allow", "call", sentence(assessment.reason))
    if assessment.always_asked:
        return Decision("ask", "call", f"{sentence(assessment.reason)} Aster always asks before such a call runs.")
    if assessment.opaque and (watched := next((r for r in applying if _denies_programs(r)), None)) is not None:
        words = f"It may run programs that can't be seen in it, and you have a rule: {denied_by(watched)}"
        return Decision("ask", f"rule:{watched.rule_id}", words)
    if mode == "always_ask":
        return Decision("ask", "mode:always_ask", "The mode is “Always ask”.")
    if assessment.changed and mode != "auto_approve":
        return Decision("ask", "call", sentence(assessment.reason))
    if (
        allowing := _allowing([rule for rule in applying if rule.decision == "allow"], targets, assessment)
    ) is not None:
        return allowing
    if assessment.guarded:
        return Decision("ask", "call", f"{sentence(assessment.reason)} Aster asks before such a call in every mode.")
    if mode == "auto_approve":
        return Decision("allow", "mode:auto_approve", "The mode is “Never ask”.")
    if assessment.risk == "low":
        return Decision("allow", "mode:smart_approve", sentence(assessment.reason))
    return Decision("ask", "mode:smart_approve", sentence(assessment.reason))


def _too_wide(rule: Rule, assessment: Assessment) -> bool:
    """Whether a call has riskier arguments than a person saw who allowed a directory, such as a file with secrets.

    Only a rule for the exact target, or for every call, covers it.
    """
    if rule.kind in ("beneath", "glob"):
        return assessment.remember is None
    some = any(condition.test in ("beneath", "glob") for condition in rule.conditions)
    return some and (assessment.guarded or bool(assessment.concerns))


def _denies_programs(rule: Rule) -> bool:
    return rule.decision == "deny" and rule.kind == "program"


def _allowing(rules: Iterable[Rule], targets: Iterable[str], assessment: Assessment) -> Decision | None:
    """The decision to allow a call by one rule, or by several rules for the programs that it needs."""
    covering: dict[str, Rule] = {}
    for rule in rules:
        if all(reaches(rule, target) for target in targets) and not _too_wide(rule, assessment):
            return Decision("allow", f"rule:{rule.rule_id}", f"Your rule allows {describe(rule)}.")
        if rule.kind == "program":
            for need in assessment.needs:
                if programs.allows(rule.value, need):
                    covering.setdefault(need, rule)
    if not assessment.needs or len(covering) < len(set(assessment.needs)):
        return None
    used = list({rule.rule_id: rule for rule in covering.values()}.values())
    words = " ".join(f"Your rule allows {describe(rule)}." for rule in used)
    return Decision("allow", f"rule:{used[0].rule_id}", words)


def sentence(words: str) -> str:
    """The words as a sentence: with a capital letter and a full stop."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '!', '?')) else '.'}" if words else words


def denied_by(rule: Rule) -> str:
    """The reason for a call that a deny rule covers, as a sentence."""
    return f"Your rule denies {describe(rule)}."


def describe(rule: Rule) -> str:
    """The calls that the rule covers, on one line: a command and its directory, or a tool and its target."""
    words = _covered(rule)
    if rule.conditions:
        words += f" where {' and '.join(_on_one_line(condition.words) for condition in rule.conditions)}"
    return words


def _covered(rule: Rule) -> str:
    tool = "every tool" if rule.tool == "*" else rule.tool
    value = _on_one_line(rule.value)
    if rule.kind == "any":
        return tool if rule.tool == "*" else f"every call of {tool}"
    if rule.kind == "beneath":
        return f"{tool} for {value} and everything in it"
    if rule.kind == "glob":
        return f"{tool} for what matches {value}"
    if rule.kind == "program":
        folder, names = programs.programs_of(rule.value)
        listed = programs.described(names, _quoted)
        return f"{listed} in {_on_one_line(folder) if folder is not None else 'every folder'}"
    placed = re.fullmatch(r"(with network, )?in ([^\n]+):\n(.+)", rule.value, re.DOTALL)
    if placed is not None:
        return f"{_quoted(placed[3])} in {_on_one_line(placed[2])}{' with network' if placed[1] else ''}"
    return f"{_quoted(rule.value)} in every folder" if rule.tool == "run_command" else f"{tool} for {value}"


def _quoted(command: str) -> str:
    """A command in backquotes; backquotes in it become apostrophes."""
    return "`" + _on_one_line(command).replace("`", "'") + "`"


def _on_one_line(text: str) -> str:
    """The text with unprintable characters, such as line ends, as Python escapes."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def sentences(reasons: Iterable[str]) -> str:
    """The reasons as sentences, joined with spaces."""
    return " ".join(map(sentence, reasons))
