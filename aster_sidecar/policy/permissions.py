"""Policy as pure functions: (mode, rules, call) → allow | deny | ask, and why. Nothing here reads or writes anything.

Order: a deny rule, then what is asked whatever was allowed, then `always_ask`, then an allow rule, then the mode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Risk = Literal["low", "medium", "high"]
Mode = Literal["auto_approve", "smart_approve", "always_ask"]
Verdict = Literal["allow", "deny", "ask"]


STRICTNESS: tuple[Mode, ...] = ("auto_approve", "smart_approve", "always_ask")


def stricter(one: Mode, other: Mode) -> Mode:
    """The mode of the two that asks more."""
    return STRICTNESS[max(STRICTNESS.index(one), STRICTNESS.index(other))]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a remembered answer covers: one tool, and a target.

    `kind` "exact" covers the calls whose target is `value`; "beneath" those whose target is `value` or lies below
    that directory; "any" every call of the tool (`value` is empty). `words` says it to a person.
    """

    kind: Literal["exact", "beneath", "any"]
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The lines of a file that change. Each line of `diff` begins with " ", "-" (goes), "+" (comes) or "@ line N".

    `added` and `removed` count lines.
    """

    path: str
    diff: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a call would do, worked out from the tool *and* its arguments before anything runs.

    `summary` says in one plain sentence what would happen; `preview` shows a change of a file line by line, where
    `display` ends with the same lines.
    `target` is the canonical thing acted on (an absolute path without links, a command string, an origin); `display`
    the exact thing that will run, control and bidi characters made visible; `reason` says why the risk is what it is;
    `remember` is what "always" would cover, None when the call can't be remembered; `binding` is all that an approval
    is bound to (resolved paths, binary, cwd): when it differs at the time of running, it is asked again. `forbidden`
    names why no mode and no person can allow the call, e.g. writing into the daemon's own data. `concerns` are the
    reasons, in words, that raise the risk above the tool's own. `effects` are what it would do that the
    arguments don't say: replace a file, run a script. `unshown` says why a person can't be shown all of it:
    where the call would be asked, it fails. `always_asked` says that every mode asks and no allow rule covers it,
    e.g. when another program would do the work, out of our reach. `also` are further targets of the same call (a
    move's destination): a deny rule that covers any of them holds, an allow rule has to cover them all. `names` are
    other targets that a deny rule may name the call by, such as a command in whatever directory.
    """

    risk: Risk
    target: str
    display: str
    reason: str
    remember: Scope | None = None
    binding: Mapping[str, Any] = field(default_factory=dict[str, Any])
    forbidden: str | None = None
    always_asked: bool = False
    also: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    unshown: str | None = None
    summary: str = ""
    preview: Preview | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A stored answer. `agent_id` and `session_id` narrow it; None means every one. `expires_at` is aware UTC."""

    rule_id: str
    decision: Literal["allow", "deny"]
    tool: str
    kind: Literal["exact", "beneath", "any"]
    value: str
    agent_id: str | None = None
    session_id: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, what made it (`rule:<id>`, `mode:<mode>`, `call` or `forbidden`), and why in words."""

    verdict: Verdict
    decided_by: str
    reason: str


def covers(rule: Rule, tool: str, target: str, agent_id: str, session_id: str, now: datetime) -> bool:
    """Whether `rule` is about this call and still holds at `now` (aware UTC)."""
    if rule.tool not in (tool, "*"):
        return False
    if rule.agent_id not in (None, agent_id) or rule.session_id not in (None, session_id):
        return False
    if rule.expires_at is not None and rule.expires_at <= now:
        return False
    return reaches(rule, target)


def reaches(rule: Rule, target: str) -> bool:
    """Whether `target` is what the rule names, or lies in it."""
    if rule.kind == "any":
        return True
    if rule.kind == "exact":
        return target == rule.value
    base = rule.value.rstrip("/\\")
    return target == base or target.startswith((base + "/", base + "\\"))


def decide(
    mode: Mode,
    rules: Iterable[Rule],
    *,
    tool: str,
    assessment: Assessment,
    agent_id: str,
    session_id: str,
    now: datetime,
) -> Decision:
    """Decide one call. Pure: the same arguments give the same answer."""
    if assessment.forbidden is not None:
        return Decision("deny", "forbidden", assessment.forbidden)
    targets = (assessment.target, *assessment.also)
    hits: list[Rule] = []
    for rule in rules:
        covered = [covers(rule, tool, target, agent_id, session_id, now) for target in targets]
        if all(covered):
            hits.append(rule)
        named = [covers(rule, tool, name, agent_id, session_id, now) for name in assessment.names]
        if rule.decision == "deny" and any((*covered, *named)):
            return Decision("deny", f"rule:{rule.rule_id}", denied_by(rule))
    if assessment.always_asked:
        return Decision("ask", "call", f"{sentence(assessment.reason)} Aster always asks before such a call runs.")
    if mode == "always_ask":
        return Decision("ask", "mode:always_ask", "The mode is “Always ask”.")
    for rule in hits:
        # An allow rule for a directory must not carry a call that its arguments made riskier than what the person saw
        # (a file that holds secrets): only a rule for the exact target, or for everything, does.
        if rule.kind != "beneath" or assessment.remember is not None:
            return Decision("allow", f"rule:{rule.rule_id}", f"Your rule allows {describe(rule)}.")
    if mode == "auto_approve":
        return Decision("allow", "mode:auto_approve", "The mode is “Never ask”.")
    if assessment.risk == "low":
        return Decision("allow", "mode:smart_approve", sentence(assessment.reason))
    return Decision("ask", "mode:smart_approve", sentence(assessment.reason))


def sentence(words: str) -> str:
    """Words that were written to follow others, as a sentence of their own."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '!', '?')) else '.'}" if words else words


def denied_by(rule: Rule) -> str:
    """Why a call that a deny rule covers is denied, as a sentence."""
    return f"Your rule denies {describe(rule)}."


def describe(rule: Rule) -> str:
    """The calls that the rule covers, on one line: a command and where it runs, or a tool and what it is used on."""
    tool = "every tool" if rule.tool == "*" else rule.tool
    value = _on_one_line(rule.value)
    if rule.kind == "any":
        return tool if rule.tool == "*" else f"every call of {tool}"
    if rule.kind == "beneath":
        return f"{tool} for {value} and everything in it"
    placed = re.fullmatch(r"in ([^\n]+):\n(.+)", rule.value, re.DOTALL)
    if placed is not None:
        return f"{_quoted(placed[2])} in {_on_one_line(placed[1])}"
    return f"{_quoted(rule.value)} in every folder" if rule.tool == "run_command" else f"{tool} for {value}"


def _quoted(command: str) -> str:
    """A command between backquotes, which are the only ones."""
    return "`" + _on_one_line(command).replace("`", "'") + "`"


def _on_one_line(text: str) -> str:
    """The text with every character that is not plainly seen, such as the end of a line, written as Python does."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def sentences(reasons: Iterable[str]) -> str:
    """Reasons as sentences, one after the other."""
    return " ".join(map(sentence, reasons))
