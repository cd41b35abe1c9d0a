"""Every text that `chat` shows of its own: whole sentences, in the words of the page where it says the same.

What models, tools and people said is made visible by the caller before it is put into one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]

# -- help --------------------------------------------------------------------------------------------------------------

MODES = ("smart_approve", "always_ask", "auto_approve")
COMMANDS = {
    "/help": "what you can type here",
    "/new": "[TITLE]  start a new conversation",
    "/sessions": "[WORDS]  list conversations, newest first, or those that contain the words",
    "/find": "WORDS  find messages of this conversation",
    "/switch": "NUMBER or ID  go on with another conversation",
    "/rename": "TITLE  rename this conversation",
    "/delete": "delete this conversation; for 30 days /restore brings it back",
    "/restore": "[NUMBER or ID]  list deleted conversations, or bring one back",
    "/history": "[N]  show the last N messages (10)",
    "/model": "[NAME]  show or choose the model",
    "/mode": "[MODE]  show or choose when to ask: " + ", ".join(MODES),
    "/approvals": "questions that wait in any conversation, one by one",
    "/steer": "TEXT  during an answer: the agent reads it at its next step",
    "/interrupt": "TEXT  during an answer: stops this answer and sends your message",
    "/cancel": "stop this answer, and what is queued behind it",
    "/quit": "leave; a daemon that was already running goes on",
}
KEYS = (
    "Enter sends; during an answer it queues the message. Alt-Enter, or a backslash at the end of a line, starts a new "
    "line. Ctrl-C stops the answer and keeps what you typed. Ctrl-C at an empty prompt leaves, and so does Ctrl-D."
)
ANSWERS = (
    "[a] Allow once · [d] Deny (d WHY also tells the agent why) · [l] Always allow · [x] Always deny · [e] Edit the"
    " arguments."
)
KEYS_OF_A_QUESTION = "Answers to a question: " + ANSWERS

# -- the input line ----------------------------------------------------------------------------------------------------

PROMPT = "› "
YES_NO = "yes/no"
ARGUMENTS = "Arguments"


def choices(*, always: bool) -> str:
    """What may be answered to a question."""
    return f"[a] Allow once · [d] Deny{' · [l] Always allow' if always else ''} · [x] Always deny · [e] Edit"


def said(text: str, *, by_us: bool) -> str:
    """A person's message, as it stands in the conversation."""
    indented = text.replace("\n", "\n  ")
    return f"{'›' if by_us else '▸'} {indented}"


# -- a turn ------------------------------------------------------------------------------------------------------------

TURN_ON = "An answer is being written."
CANCELING = "Stopping… With an empty prompt, Ctrl-C again leaves."
NOTHING_TO_CANCEL = "Nothing to stop."
QUEUED = "Queued. The agent gets your message after this answer."
QUEUED_CANCELED = "A queued message was canceled."
STEERED = "The agent reads this at its next step."
INTERRUPTING = "This answer is stopped, and your message is sent."
NOT_SENT_YET = "Can’t reach Aster. Your message is sent when Aster answers again."
ENDS = {
    "cancelled": "Stopped by you.",
    "interrupted": "Interrupted because Aster stopped. The text so far is kept.",
    "denied": "The agent stopped because a tool call was denied.",
}
"""Of a turn, by its `stop_reason`. Nothing is said where it is complete, or where an error has said it."""
SPOKEN_ENDS = ("complete", "failed", "limit")


def ended(stop_reason: str) -> str | None:
    """How a turn ended, None where nothing is left to say."""
    if stop_reason in SPOKEN_ENDS:
        return None
    return "— " + ENDS.get(stop_reason, f"The turn ended: {stop_reason}.")


def used(usage: Json) -> str:
    return f"— {times(usage['input_tokens'], 'token')} in, {times(usage['output_tokens'], 'token')} out."


def now_answering(message: str) -> str:
    return f"Answering your queued message: {message}"


def retry(message: str, data: Json) -> str:
    again = f"Trying again in {duration(data['delay_s'] * 1000)}: attempt {data['attempt']} of {data['max_attempts']}."
    return f"… The provider failed ({message}). {again}"


def trouble(mark: str, message: str) -> str:
    """An error or a warning, its mark before it."""
    return f"{mark} {sentence(message)}"


REMEDIES: Mapping[str, str | None] = {
    "agent_busy": "/cancel stops the answer that is being written.",
    "invalid_shape": None,
    "model_not_set": "/model lists models, and /model NAME chooses one. The demo model is free.",
    "session_not_found": "/sessions lists conversations, and /restore those that were deleted.",
}
"""What to do in chat, by the code of an error, where the daemon's hint is for programs."""


def remedy(code: str, advice: str | None) -> str | None:
    return REMEDIES.get(code, advice)


def hint(text: str) -> str:
    """What to do, in the daemon's words: it may end in a command, which a full stop would change."""
    return f"  {text}"


# -- tool calls --------------------------------------------------------------------------------------------------------

MORE_OUTPUT = "  … Earlier output is not shown."
STATES = {
    "pending": "waiting for you",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "denied": "denied",
    "cancelled": "canceled",
    "unknown": "outcome unknown",
}
DECISIONS = {
    "allow": "allowed",
    "deny": "denied",
    "allow_always": "always allowed",
    "deny_always": "always denied",
    "expired": "expired",
    "cancelled": "canceled",
}


def state(word: str) -> str:
    return STATES.get(word, word)


def call_ended(mark: str, outcome: str, duration_ms: float | None, error: str) -> str:
    """The last line of a call; `error` is empty where there is none."""
    words = state(outcome) + (f" in {duration(duration_ms)}" if duration_ms is not None else "")
    return f"  {mark} {words}{f': {error}' if error else ''}"


def more_lines(count: int) -> str:
    return f"  … {times(count, 'more line')}"


def call_in_history(name: str, first: str, word: str) -> str:
    return f"● {name}  {first}  {state(word)}"


# -- questions ---------------------------------------------------------------------------------------------------------

NO_ALWAYS = "This call can’t be always allowed."
ONCE_ONLY = f"Allowed once. {NO_ALWAYS}"
EXACTLY = "exactly this call, in every conversation"
QUESTION_ELSEWHERE = "A question is waiting for you in another conversation: /approvals."
NOTHING_WAITS = "Nothing is waiting for you."
QUESTION_STAYS = "The question goes on waiting. The next chat shows it again."
NOT_CHANGED = "The arguments were not changed, and nothing is answered."
NOT_AN_OBJECT = "✗ The arguments have to be a JSON object: { … }."
WAITS_ON = "  It goes on waiting: run chat in a terminal, or answer it with POST /api/approve."
RISKS = {"low": "low risk", "medium": "medium risk", "high": "high risk"}


def waits_for_answer(display: str) -> str:
    return f"This is waiting for you: {display}"


def waits_here(name: str) -> str:
    return f"A question about {name} is waiting for you: /approvals."


def waiting(count: int) -> str:
    return f"{times(count, 'question is', 'questions are')} waiting for you."


def resolved(name: str, decision: str, by: str) -> str:
    """What became of a question that was not answered here."""
    words = DECISIONS.get(decision, decision)
    return f"{name}: {words}." if decision == "expired" else f"{name}: {words} by {by}."


def use(name: str) -> str:
    """What a call does, where nobody said it."""
    return f"Use {name}"


def risk(word: str) -> str:
    return f"  {RISKS.get(word, word)}"


def why(reason: str) -> str:
    return f"  {sentence(reason)}"


def always_covers(remember: str | None, reason: str) -> str | None:
    """What "always" would cover; None where the reason has said that there is no always."""
    if remember is not None:
        return f"  “Always allow” would cover: {remember}."
    return None if "always allowed" in reason else f"  {NO_ALWAYS}"


def always_sure(decision: str, covers: str) -> str:
    return f"{'Always allow' if decision == 'allow_always' else 'Always deny'}: {covers}?"


def run_it(problem: str) -> str:
    return f"{sentence(problem)} Run it?"


def kept_rule(decision: str, words: str) -> str:
    return f"New rule: {decision} {words}."


def editor_failed(editor: str, problem: str) -> str:
    return f"✗ The editor {editor} failed, and nothing is answered: {sentence(problem)}"


def not_json(problem: str) -> str:
    return f"✗ The arguments are not valid JSON: {problem}."


# -- the connection ----------------------------------------------------------------------------------------------------

CONNECTED = "Connected."


def lost(reason: str) -> str:
    return f"Connection lost. Reconnecting… ({reason})"


def stays(version: str, where: str) -> str:
    """The first line, with a daemon that ran before."""
    return f"Aster Sidecar {version}, already running ({where}). It goes on when you leave."


def own_daemon(version: str, url: str) -> str:
    """The first line, with a daemon that this chat has started."""
    return f"Aster Sidecar {version}, started for this chat ({url}). It stops when you leave."


# -- conversations -----------------------------------------------------------------------------------------------------

UNTITLED = "untitled"
HELP_IS = "/help lists the commands."
SWITCH_GOES_ON = "/switch NUMBER opens one of these conversations."
NO_SESSIONS = "No conversations yet."
NO_MATCHES = "No matches."
SWITCH_TAKES = "/switch takes a number of /sessions, an id, or how a title begins."
MODE_TAKES = f"/mode takes one of {', '.join(MODES)}."
STEER_TAKES = "/steer and /interrupt take the text of a message."
RESTORE_BRINGS = "/restore NUMBER brings one back."
TRASH_IS_EMPTY = "No deleted conversations."
DELETED_ELSEWHERE = "This conversation was deleted. /restore lists what can be brought back."


def where(title: str, session_id: str) -> str:
    return f"Conversation: {title or UNTITLED} ({session_id})"


def unknown_title(words: str) -> str:
    return f"No conversation has a title that begins with {words!r}."


def listed(number: int, entry: Json, title: str, *, here: bool) -> str:
    """One conversation of a list."""
    waits = f", {entry['pending_approvals']} waiting for you" if entry["pending_approvals"] else ""
    return f"{'▸' if here else ' '} {number:2}  {title}  ({times(entry['messages'], 'message')}{waits})"


def hit(text: str) -> str:
    """The words around what was found in a conversation of a list."""
    return f"      {text}"


def found(hit: Json, text: str) -> str:
    """A message of this conversation in which something was found."""
    return f"  {'You' if hit['role'] == 'user' else 'Agent'}: {text}"


def found_in_all(messages: int, *, more: bool) -> str:
    if messages == 0:
        return NO_MATCHES
    return f"Found in {times(messages, 'message')}{' or more' if more else ''}, newest last."


def listed_deleted(number: int, entry: Json, title: str) -> str:
    until = local_time(entry["restorable_until"])
    return f"  {number:2}  {title}  ({times(entry['messages'], 'message')}, can be restored until {until})"


FIND_TAKES = "/find takes the words to look for."


def delete_sure(title: str) -> str:
    return f"Delete “{title}”?"


def deleted(until: str, session_id: str) -> str:
    return f"Deleted. Until {local_time(until)}, this brings it back:\n  /restore {session_id}"


def model(name: str, why_not: str | None, *, chosen: bool) -> str:
    return f"{'▸' if chosen else ' '} {name}{f'  ({why_not})' if why_not else ''}"


def mode(value: str) -> str:
    return f"permission_mode: {value}"


def no_command(name: str) -> str:
    return f"{name} is not a command. {HELP_IS}"


# -- outside of a conversation -----------------------------------------------------------------------------------------

NOTHING_TO_SAY = "nothing to say: give a message, or pipe one in"
JSON_NEEDS_MESSAGE = "--json needs a message"
NO_TERMINAL = "stdout is not a terminal: give a message"
WRONG_TOKEN = "ASTER_SIDECAR_TOKEN is not the token of this daemon"
NEEDS_TOKEN_HINT = "put its token into ASTER_SIDECAR_TOKEN, or pass another --data-dir"


def none_runs(data_dir: object) -> str:
    return f"no daemon runs over {data_dir}"


def needs_token(data_dir: object, holder: str) -> str:
    return f"the data directory {data_dir} is held by a daemon that needs its token ({holder})"


def flags_change_nothing(flags: str) -> str:
    return f"a daemon is already running, so this has no effect: {flags}; use /model and /mode"


def plain_call(name: str, display: str) -> str:
    """A call, and other events, on stderr where there is no terminal."""
    return f"{name}: {display}"


def plain_outcome(name: str, outcome: str, error: str) -> str:
    return f"{name}: {STATES.get(outcome, outcome)}{f': {error}' if error else ''}"


def plain_error(severity: str, message: str, advice: str | None) -> str:
    return f"{severity}: {message}" + (f"\n  {advice}" if advice else "")


# -- figures -----------------------------------------------------------------------------------------------------------


def times(value: int, one: str, many: str | None = None) -> str:
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def local_time(stamp: str) -> str:
    """A time of the contract in this machine's time zone, to the minute."""
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")


def duration(ms: float) -> str:
    """As the page writes it: `12 ms`, `3.4 s`, `34 s`, `2 min 5 s`."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def sentence(text: str) -> str:
    """What the daemon says, as a sentence of its own."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith((".", "!", "?", "…")) else ".")
