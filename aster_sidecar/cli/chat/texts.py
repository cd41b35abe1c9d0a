"""All texts of `chat`, as whole sentences. Where the web UI says the same, both use the same words.

Callers pass what models, tools and people wrote through `plain` or `visible` before it is put into a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aster_sidecar.cli.chat.figures import duration, local_time, sentence, size, times

if TYPE_CHECKING:
    from aster_sidecar.cli.lasting import Lasting

Json = Mapping[str, Any]

# -- help --------------------------------------------------------------------------------------------------------------

MODES = ("smart_approve", "always_ask", "auto_approve")
EFFORTS = ("none", "minimal", "low", "medium", "high")
COMMANDS = {
    "/help": "what you can type here",
    "/new": "[TITLE]  start a new conversation",
    "/sessions": "[WORDS]  list conversations, newest first, or those that contain the words",
    "/find": "WORDS  find messages of this conversation",
    "/switch": "NUMBER or ID  open another conversation",
    "/rename": "TITLE  rename this conversation",
    "/delete": "delete this conversation; /restore can restore it for 30 days",
    "/restore": "[NUMBER or ID]  list deleted conversations, or restore one",
    "/history": "[N]  show the last N messages (10)",
    "/undo": "take your last message and its answer out, to edit it; if you want, also undo what it changed in files",
    "/redo": "put back what /undo took out, until the next message",
    "/retry": "send your last message again, for another answer",
    "/fork": "copy this conversation and go on in the copy",
    "/changes": "[[undo or redo] NUMBER or PATH]  list changed files, show the diff of one, or undo its change",
    "/model": "[NAME or -]  show or choose the model of this conversation; with - the usual one again",
    "/effort": "[LEVEL or -]  show or choose how much its model thinks: " + ", ".join(EFFORTS),
    "/mode": "[MODE or -]  show or choose when this conversation asks: " + ", ".join(MODES),
    "/folder": "[PATH or -]  show or choose the folder in which this conversation works",
    "/agent": "[ID]  list the agents, or choose which one answers in this conversation",
    "/mcp": "[on or off NAME]  list the MCP servers, or use one or none of its tools in this conversation",
    "/attach": "[PATH or -]  attach a file to your next message; with - none; alone, list them",
    "/resources": "list the resources of MCP servers; @NAME:URI in a message attaches one",
    "/prompts": "list the prompts of MCP servers; /NAME:PROMPT inserts one",
    "/inbox": "answer what waits for you in all conversations, one by one, the oldest first",
    "/approvals": "the same as /inbox",
    "/steer": "TEXT  during an answer: send a message that the agent reads at its next step",
    "/interrupt": "TEXT  during an answer: stop the answer and send a message",
    "/cancel": "stop this answer and cancel the queued messages",
    "/quit": "leave; a daemon that was already running keeps running",
}
KEYS = (
    "Enter sends; during an answer it queues the message. Alt-Enter, or a backslash at the end of a line, starts a new "
    "line. Ctrl-C stops the answer and keeps what you typed. Ctrl-C at an empty prompt leaves, and so does Ctrl-D."
)
ANSWERS = (
    "[a] Allow once · [d] Deny (d WHY also tells the agent why) · [l] Always allow · [x] Always deny · [e] Edit the"
    " arguments. After l and x, what is covered and for how long may follow: l 2, l 2 s (in this conversation), l 2 7d,"
    " x 1 2026-12-31."
)
KEYS_OF_A_QUESTION = "Answers to a question: " + ANSWERS

# -- the input line ----------------------------------------------------------------------------------------------------

PROMPT = "› "
YES_NO = "yes/no"
ARGUMENTS = "Arguments"


def choices(*, always: bool) -> str:
    """The answers to a question."""
    return f"[a] Allow once · [d] Deny{' · [l] Always allow' if always else ''} · [x] Always deny · [e] Edit"


def said(text: str, *, by_us: bool) -> str:
    """A person's message in the conversation."""
    indented = text.replace("\n", "\n  ")
    return f"{'›' if by_us else '▸'} {indented}"


# -- files -------------------------------------------------------------------------------------------------------------

ATTACH_TAKES = "/attach PATH attaches a file to your next message, and /attach - removes all."
NOTHING_ATTACHED = "Your next message has no files."
NOT_A_FILE = "it is not a file"


def file_line(name: str, size_bytes: int, *, is_image: bool, pixels: tuple[int, int] | None) -> str:
    """An image or a file of a message, on one line."""
    facts = f"{pixels[0]} × {pixels[1]}" if pixels else size(size_bytes)
    return f"[{'image' if is_image else 'file'} {name}, {facts}]"


def attached(line: str) -> str:
    return f"For your next message: {line}"


def not_attached(path: str, reason: str) -> str:
    return f"{path} can’t be attached: {reason}"


def too_large(most_bytes: int) -> str:
    return f"it has more than {most_bytes >> 20} MiB"


# -- taking back ------------------------------------------------------------------------------------------------------

NOTHING_TO_UNDO = "This conversation has no message that could be taken out."
NOTHING_TO_REDO = "Nothing to put back: /undo took nothing out since the last message."
NOTHING_UNDONE = "Nothing was changed."
REDO_PUTS_BACK = "/redo puts it back, until the next message."
TAKEN_OUT_SAID = "Your message was:"
TURN_CHANGED = "This turn changed files:"
REWOUND_ELSEWHERE = {
    "history_rewound": "Messages were taken out of this conversation in another window. /redo puts them back, until the"
    " next message.",
    "history_unrewound": "Messages that had been taken out of this conversation were put back in another window.",
}
CONFLICTS = "These files changed since, or can’t be written back. Nothing was changed yet:"
ANYWAY_MEANS = "“Anyway” replaces what changed since, and leaves what can’t be written back. It can be undone."
LEFT = "These files were left as they are:"


def taken_out(messages: int) -> str:
    return f"{times(messages, 'message was', 'messages were')} taken out of the conversation."


def put_back(messages: int) -> str:
    return f"{times(messages, 'message is', 'messages are')} in the conversation again."


def undo_choices(*, tools: bool, commands: bool) -> str:
    """What can become of the files that a turn changed: by tools, while commands ran, or both."""
    if tools and commands:
        return "[k] Keep the files · [u] Undo changes by tools · [a] All, also those while a command ran · [c] Cancel"
    return f"[k] Keep the files · [{'a' if commands else 'u'}] Undo them too · [c] Cancel"


def conflict_choices(*, keep: bool) -> str:
    """What can be done about files that changed since."""
    return f"[a] Anyway{' · [k] Keep the files as they are' if keep else ''} · [c] Cancel"


def conflict(message: str) -> str:
    return f"  {sentence(message)}"


def reverted(action: str, path: str, *, dry: bool) -> str:
    """What was done at a path, or with `dry` would be done."""
    words = {
        "write": ("would be written", "written"),
        "delete": ("would be deleted", "deleted"),
        "none": ("is as before already", "was as before already"),
    }
    would, was = words[action]
    return f"  {would if dry else was}: {path}"


def more_files(count: int) -> str:
    return f"  … and {times(count, 'more file')}"


def reverted_elsewhere(files: int) -> str:
    return f"In another window, {times(files, 'file was', 'files were')} changed back. /changes lists them."


def forked(original: str) -> str:
    """After the line about the copy, which has the same title."""
    return f"You are in the copy now. /switch {original} goes back to the original."


# -- changes to files --------------------------------------------------------------------------------------------------

NO_CHANGES = "No changes to files are recorded in this conversation."
CHANGES_TAKES = (
    "/changes NUMBER or PATH shows the diff of a file. /changes undo NUMBER or PATH undoes its change, and redo makes"
    " it again."
)
EARLIER_MESSAGE = "an earlier message"
SAME_LINES = "  The lines are the same."
DIFF_IS_CUT = "  … The diff is longer."
NOT_UNDONE_YET = "This change was not undone."
AS_BEFORE_ALREADY = "The file is as before already."
UNDO_SURE = "Undo this change?"
REDO_SURE = "Make this change again?"
FILE_STATES = {"undone": "undone", "edited": "changed again since"}


def changed_file(file: Json, path: str, moved_from: str | None, why: str | None, number: int | None) -> str:
    """One changed file of a list; the paths are those that are shown. `why` its content before is not kept."""
    lines = f"  +{file['added']} −{file['removed']}" if file["added"] is not None else ""
    facts = [
        "while a command ran" if file["source"] == "command" else None,
        FILE_STATES.get(file["now"]),
        f"can’t be undone: {why}" if why is not None else None,
    ]
    said = ", ".join(filter(None, facts))
    place = f"{number:3}  " if number is not None else "  "
    where = path if moved_from is None else f"{moved_from} → {path}"
    return f"{place}{file['kind']}  {where}{lines}{f'  ({said})' if said else ''}"


def not_covered(words: str) -> str:
    return f"  Not recorded: {sentence(words)}"


def no_change(which: str) -> str:
    return f"no change in this conversation has this number or path: {which}"


def no_diff(before: Json | None, after: Json | None) -> str:
    """A change that has no diff of its lines; `before` and `after`: a `FileState`, or None if there is nothing."""
    sizes = [size(state["size"]) if state is not None else "nothing" for state in (before, after)]
    return f"  No lines can be compared: {sizes[0]} before, {sizes[1]} after."


# -- a turn ------------------------------------------------------------------------------------------------------------

TURN_RUNS = "An answer is being written."
CANCELING = "Stopping… With an empty prompt, Ctrl-C again leaves."
NOTHING_TO_CANCEL = "Nothing to stop."
QUEUED = "Queued. The agent gets your message after this answer."
QUEUED_CANCELED = "A queued message was canceled."
STEERED = "The agent reads this at its next step."
MESSAGE_ANSWERED = "Your message answered the question for which the agent waits."
INTERRUPTING = "This answer is stopped, and your message is sent."
NOT_SENT_YET = "Can’t reach Aster. Your message is sent when Aster answers again."
ENDS = {
    "cancelled": "Stopped by you.",
    "interrupted": "Interrupted because Aster stopped. The text so far is kept.",
    "denied": "The agent stopped because a tool call was denied.",
}
"""How a turn ended, by its `stop_reason`."""
NEARLY_FULL = 80
"""At this percentage of the context window and above, the conversation is summarised soon. The web UI has the same."""
UNSAID_ENDS = ("complete", "failed", "limit")
"""Ends that need no text; the last two come with an `error` event."""


def ended(stop_reason: str) -> str | None:
    """How a turn ended; None for the ends that need no text."""
    if stop_reason in UNSAID_ENDS:
        return None
    return "— " + ENDS.get(stop_reason, f"The turn ended: {stop_reason}.")


def used(usage: Json, context: Json | None) -> str:
    """The tokens of a turn, and how much of the model's context window the conversation fills, if both are known."""
    tokens = f"— {times(usage['input_tokens'], 'token')} in, {times(usage['output_tokens'], 'token')} out."
    window = (context or {}).get("window_tokens")
    if context is None or not window:
        return tokens
    percent = min(100, context["used_tokens"] * 100 // window)
    soon = "; the conversation is summarised soon" if percent >= NEARLY_FULL else ""
    return f"{tokens} {percent}% of the context window used{soon}."


def now_answering(message: str) -> str:
    return f"Answering your queued message: {message}"


def retry(message: str, data: Json) -> str:
    again = f"Trying again in {duration(data['delay_s'] * 1000)}: attempt {data['attempt']} of {data['max_attempts']}."
    return f"… The provider failed ({message}). {again}"


def trouble(mark: str, message: str) -> str:
    """An error or a warning, after its mark."""
    return f"{mark} {sentence(message)}"


REMEDIES: Mapping[str, str | None] = {
    "agent_busy": "/cancel stops the answer that is being written.",
    "agent_not_found": "/agent lists the agents.",
    "change_not_found": "/changes lists what was changed.",
    "attachment_not_found": "/attach PATH attaches the file again.",
    "folder_unusable": "/folder PATH chooses another folder.",
    "invalid_shape": None,
    "mcp_failed": "/mcp lists the servers. aster-sidecar mcp logs NAME shows what one of them wrote.",
    "message_not_found": None,
    "model_not_set": "/model lists models, and /model NAME chooses one. The demo model is free.",
    "not_a_turn_start": None,
    "rewind_not_found": None,
    "session_not_found": "/sessions lists conversations, and /restore those that were deleted.",
}
"""What to do in chat, by the code of an error whose hint is for programs; None: no hint."""


def remedy(code: str, advice: str | None) -> str | None:
    """What to do about an error; `advice` is the daemon's hint."""
    return REMEDIES.get(code, advice)


def hint(text: str) -> str:
    """What to do. No full stop is added, because the text may end with a command."""
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
    """The state of a call in words."""
    return STATES.get(word, word)


def call_ended(mark: str, outcome: str, duration_ms: float | None, error: str) -> str:
    """The last line of a call; an empty `error` is left out."""
    words = state(outcome) + (f" in {duration(duration_ms)}" if duration_ms is not None else "")
    return f"  {mark} {words}{f': {error}' if error else ''}"


def more_lines(count: int) -> str:
    return f"  … {times(count, 'more line')}"


def call_in_history(name: str, first: str, word: str) -> str:
    return f"● {name}  {first}  {state(word)}"


# -- questions ---------------------------------------------------------------------------------------------------------

NO_ALWAYS = "This call can’t be always allowed."
ONCE_ONLY = f"Allowed once. {NO_ALWAYS}"
ALWAYS_MAY_COVER = "  “Always” can cover one of these:"
WHICH = "Which? A number, or Enter for 1"
HOW_LONG = "For how long? Enter: always · s: in this conversation · or a time: 12h, 7d, 2w, or a date: 2026-12-31"
ALWAYS_TAKES = "Type it as in: l 2, l s, l 2 7d or x 1 2026-12-31."
CHOICE_INDENT = 6
"""Cells before the second line of a choice."""
IN_THIS_CONVERSATION = "in this conversation"
QUESTION_ELSEWHERE = "A question is waiting for you in another conversation: /inbox."
NOTHING_WAITS = "Nothing is waiting for you."
QUESTION_STAYS = "The question keeps waiting. The next chat shows it again."
NOT_CHANGED = "The arguments were not changed. The question is still open."
NOT_AN_OBJECT = "✗ The arguments have to be a JSON object: { … }."
KEEPS_WAITING = "  It keeps waiting: run chat in a terminal, or answer with POST /api/approve."
RISKS = {"low": "low risk", "medium": "medium risk", "high": "high risk"}


def waits_for_answer(display: str) -> str:
    return f"This is waiting for you: {display}"


def waits_here(name: str) -> str:
    return f"A question about {name} is waiting for you: /inbox."


def waiting(count: int) -> str:
    return f"{times(count, 'question is', 'questions are')} waiting for you."


def resolved(name: str, decision: str, by: str) -> str:
    """How a question was resolved that was not answered here."""
    words = DECISIONS.get(decision, decision)
    return f"{name}: {words}." if decision == "expired" else f"{name}: {words} by {by}."


def use(name: str) -> str:
    """What a call does, if it has no summary."""
    return f"Use {name}"


def risk(word: str) -> str:
    return f"  {RISKS.get(word, word)}"


def long_change(added: int, removed: int) -> str:
    return f"  In all, {times(added, 'line')} added, {removed:,} removed."


def why(reason: str) -> str:
    return f"  {sentence(reason)}"


def always_covers(words: str | None, reason: str) -> str | None:
    """What "always" would cover; None where the reason says already that there is no "always"."""
    if words is not None:
        return f"  “Always allow” would cover: {words}."
    return None if "always allowed" in reason else f"  {NO_ALWAYS}"


def choice(number: int, words: str) -> str:
    """One of the things that "always" can cover."""
    return f"  {number:2}  {words}"


def always_sure(decision: str, covers: str | None, lasting: Lasting | None, *, here: bool) -> str:
    """The question before a rule is made; `covers`: None for exactly the call."""
    limits = [words for words in (IN_THIS_CONVERSATION if here else "", lasts(lasting) if lasting else "") if words]
    always = "Always allow" if decision == "allow_always" else "Always deny"
    if covers is None:
        covers = "exactly this call" if here else "exactly this call, in every conversation"
    return f"{' '.join([always, ', '.join(limits)]).strip()}: {covers}?"


def lasts(lasting: Lasting) -> str:
    """How long a rule applies."""
    if lasting.day is not None:
        return f"until the end of {lasting.day.isoformat()}"
    return f"for {times(lasting.count, lasting.unit)}"


def no_such_choice(number: str, count: int) -> str:
    """The number is none of those of the choices."""
    return f"There is no {number}: {'only 1 can be chosen' if count == 1 else f'choose 1 to {count}'}."


def no_time(word: str, why: str) -> str:
    """Why a word is no time at which a rule can end."""
    match why:
        case "past":
            return f"A rule can’t end in the past: {word}."
        case "far":
            return f"A rule can end within 365 days, or not at all: {word}."
        case _:
            return f"{word} is no time: type s, 12h, 7d, 2w, or a date such as 2026-12-31."


def still_open(problem: str) -> str:
    """What was typed chose nothing."""
    return f"{problem} The question is still open."


def run_it(problem: str) -> str:
    return f"{sentence(problem)} Run it?"


def kept_rule(decision: str, words: str, expires_at: str | None) -> str:
    return f"New rule: {decision} {words}{f', until {local_time(expires_at)}' if expires_at else ''}."


def editor_failed(editor: str, problem: str) -> str:
    return f"✗ The editor {editor} failed. The question is still open: {sentence(problem)}"


def not_json(problem: str) -> str:
    return f"✗ The arguments are not valid JSON: {problem}."


# -- forms -------------------------------------------------------------------------------------------------------------

FORM_KEYS = "/decline declines; /decline WHY also says why."
FORM_KEYS_OF_MANY = f"{FORM_KEYS} /back returns to the previous question."
KEYS_OF_A_FORM = f"In a form of the agent or of an MCP server: {FORM_KEYS_OF_MANY}"
DECLINE = "/decline"
BACK = "/back"
YES, NO = "yes", "no"
DONE_WORDS = ("done", "d", "yes", "y")
"""What a person types when a question has no fields."""
VISITED = "Open the page yourself. Then type done, or /decline"
AGREED = "Type yes to agree, or /decline"
NO_ANSWER_SIGN = "-"
"""What a person types to give no answer to a field that has a default."""
ANSWER_NEEDED = "An answer is needed."
NUMBER_NEEDED = "Type a number, such as 3 or 2.5."
YES_OR_NO_NEEDED = "Type yes or no."
NO_ANSWER = "no answer"
NOT_SENT_ANSWER = "Can’t reach Aster. Your answer is sent when Aster answers again."
KEEPS_ASKING = "  It keeps waiting: run chat in a terminal, or answer with POST /api/answer."
OUTCOMES = {"answered": "answered", "declined": "declined", "expired": "expired", "cancelled": "canceled"}
FORMATS = {
    "email": "An email address",
    "uri": "An address, such as https://example.com",
    "date": "A date, such as 2026-01-31",
    "date-time": "A date and time, such as 2026-01-31T09:30",
}


def asks(server: str | None, *, page: bool) -> str:
    """Who asks. `page`: the server asks the person to visit a page."""
    who = f"The MCP server {server}" if server is not None else "The agent"
    return f"{who} asks you to visit a page." if page else f"{who} asks you:"


def page_host(host: str) -> str:
    return f"  This page is on the host {host}. Nothing opens it by itself."


def field(number: int, count: int, text: str) -> str:
    """The question of a field, with its number if there are several."""
    return f"  {text}" if count == 1 else f"  {number} of {count}  {text}"


def option(mark: str, words: str) -> str:
    """An option of a field."""
    return f"  {mark:>4}  {words}"


def field_label(field: Json, default: str | None) -> str:
    """What can be typed as the answer to a field; `default`: what Enter takes."""
    required = field.get("required", True)
    parts = [_takes(field)]
    if default is not None:
        parts.append(f"Enter: {default}")
        parts += [] if required else [f"{NO_ANSWER_SIGN}: {NO_ANSWER}"]
    elif not required:
        parts.append("Enter skips it")
    return " · ".join(parts)


def _takes(field: Json) -> str:
    match field["kind"]:
        case "choice":
            return "A number, or another text" if field.get("other") else "A number"
        case "multi":
            return "Numbers with commas, or other texts" if field.get("other") else "Numbers with commas"
        case "number":
            return _number(field)
        case "boolean":
            return YES_NO
        case "file":
            return "The path of a file"
        case "folder":
            return "The path of a folder"
        case _:
            return FORMATS.get(str(field.get("format")), "A text")


def _number(field: Json) -> str:
    least, most = field.get("minimum"), field.get("maximum")
    words = "A whole number" if field.get("whole") else "A number"
    if least is None:
        return words if most is None else f"{words} up to {most:g}"
    return f"{words} from {least:g}" + (f" to {most:g}" if most is not None else "")


def no_such_option(text: str) -> str:
    return f"{text} is not among the options."


def answers_refused(problem: str) -> str:
    """What the daemon says about answers, each part after the id of a field."""
    return f"✗ {problem}."


def taken(words: str) -> str:
    """What an answer was understood as."""
    return f"  → {words}"


def answer_line(question: str, answer: str) -> str:
    """A field of a question and its answer."""
    return f"  {question} → {answer}"


def question_ended(outcome: str, note: str | None) -> str:
    """How a question ended, and what the person said about it."""
    words = OUTCOMES.get(outcome, outcome)
    return f"  {words[:1].upper()}{words[1:]}{f': {note}' if note else '.'}"


def asks_here(server: str | None) -> str:
    who = f"The MCP server {server}" if server is not None else "The agent"
    return f"{who} asks you something: /inbox."


def question_resolved(outcome: str, by: str) -> str:
    """How a question ended that was not answered here."""
    words = OUTCOMES.get(outcome, outcome)
    return "The question expired." if outcome == "expired" else f"The question was {words} by {by}."


# -- answers from a file -----------------------------------------------------------------------------------------------

NOBODY_NOTE = (
    "Nobody can be asked here: the message was sent without a terminal, and without answers for this question."
)
"""The note for the model with a question that is declined because nobody can be asked."""
DECLINED_UNASKED = "The question is declined, because nobody can be asked here: --answers FILE gives answers."
NOT_UTF8 = "it is not UTF-8"
ANSWERS_NEED_MESSAGE = "--answers needs a message"


def bad_answers(path: str, why: str) -> str:
    return f"{path} can’t be used for --answers: {why}"


def answers_lack(fields: str) -> str:
    return f"The question is declined, because the file of --answers has no answer for {fields}."


def answers_wrong(problem: str) -> str:
    return f"The question is declined, because the answers of --answers do not fit: {problem}"


# -- the connection ----------------------------------------------------------------------------------------------------

CONNECTED = "Connected."
STREAM_ENDED = "the stream ended"


def lost(reason: str) -> str:
    return f"Connection lost. Reconnecting… ({reason})"


def no_daemon_at(url: str, problem: str) -> str:
    return f"no daemon answers on {url}: {problem}"


def other_server(url: str) -> str:
    return f"the server on {url} is not the daemon of this data directory"


def no_answer(url: str, problem: str) -> str:
    return f"the daemon on {url} does not answer: {problem}"


def refused(status: int) -> str:
    """An error without a text."""
    return f"HTTP {status}"


def found_daemon(version: str, where: str) -> str:
    """The first line, with a daemon that was running before."""
    return f"Aster Sidecar {version}, already running ({where}). It keeps running when you leave."


def own_daemon(version: str, url: str) -> str:
    """The first line, with a daemon that chat started."""
    return f"Aster Sidecar {version}, started for this chat ({url}). It stops when you leave."


# -- conversations -----------------------------------------------------------------------------------------------------

UNTITLED = "untitled"
HELP_IS = "/help lists the commands."
SWITCH_OPENS = "/switch NUMBER opens one of these conversations."
NO_SESSIONS = "No conversations yet."
NO_MATCHES = "No matches."
SWITCH_TAKES = "/switch takes a number from /sessions, an id, or the beginning of a title."
STEER_TAKES = "/steer and /interrupt take the text of a message."
RESTORE_TAKES = "/restore NUMBER restores one of these conversations."
TRASH_IS_EMPTY = "No deleted conversations."
DELETED_ELSEWHERE = "This conversation was deleted. /restore lists the conversations that can be restored."


FIRST_CONVERSATION = "There is no conversation yet. Your first message starts one."


def where(title: str, session_id: str) -> str:
    return f"Conversation: {title or UNTITLED} ({session_id})"


def other_agent(title: str, agent_id: str) -> str:
    return f"The conversation {title!r} is with the agent {agent_id!r}."


def other_agent_hint(session_id: str) -> str:
    return f"leave out --agent, or change it first: aster-sidecar sessions set {session_id} --agent ID"


def unknown_title(words: str) -> str:
    return f"No conversation has a title that begins with {words!r}."


def listed(number: int, entry: Json, title: str, *, here: bool) -> str:
    """One conversation of a list."""
    pending = entry["pending_approvals"] + entry.get("pending_questions", 0)
    waits = f", {pending} waiting for you" if pending else ""
    return f"{'▸' if here else ' '} {number:2}  {title}  ({times(entry['messages'], 'message')}{waits})"


def hit(text: str) -> str:
    """The text around the match in a conversation of a list."""
    return f"      {text}"


def found(hit: Json, text: str) -> str:
    """A message of this conversation that matches."""
    return f"  {'You' if hit['role'] == 'user' else 'Agent'}: {text}"


def found_in_all(messages: int, *, more: bool) -> str:
    """How many messages match; `more`: at least."""
    if messages == 0:
        return NO_MATCHES
    return f"Found in {times(messages, 'message')}{' or more' if more else ''}, newest last."


def listed_deleted(number: int, entry: Json, title: str) -> str:
    """One conversation of the list of deleted ones."""
    until = local_time(entry["restorable_until"])
    return f"  {number:2}  {title}  ({times(entry['messages'], 'message')}, can be restored until {until})"


FIND_TAKES = "/find takes the words to search for."


def delete_sure(title: str) -> str:
    return f"Delete “{title}”?"


def deleted(until: str, session_id: str) -> str:
    return f"Deleted. You can restore it until {local_time(until)}:\n  /restore {session_id}"


def no_command(name: str) -> str:
    return f"{name} is not a command. {HELP_IS}"


# -- what a conversation chooses ---------------------------------------------------------------------------------------

SETTINGS = {"model": "Model", "effort": "Effort", "permission_mode": "Permission mode", "work_dir": "Folder"}
NO_VALUE = {"model": "none is chosen", "effort": "as the provider decides", "permission_mode": "", "work_dir": ""}
"""What applies when nobody chose a value."""
SOURCES = {
    "session": "chosen for this conversation",
    "agent": "from the agent",
    "config": "from the configuration",
    "default": "the default",
}
LATER = {
    "model": "The current answer keeps its model.",
    "effort": "The current answer keeps its effort.",
    "permission_mode": "In the current answer it applies from the next tool call on.",
    "mcp_off": "In the current answer it applies from the next request to the model on.",
}
MODEL_TAKES = (
    "/model NAME chooses a model for this conversation, and /model - the usual one. aster-sidecar config set model NAME"
    " changes the usual one."
)
EFFORT_TAKES = f"/effort takes one of {', '.join(EFFORTS)}, or - for the usual one."
MODE_TAKES = f"/mode takes one of {', '.join(MODES)}, or - for the usual one."
AGENT_TAKES = "/agent ID chooses which one answers in this conversation."
NEW_THEN_AGENT = "/new starts another conversation, and /agent ID works there."
AGENT_IS_STRICTER = "The agent does not allow a mode that asks less."


def begun(session_id: str) -> str:
    """A conversation was started, because a setting was chosen before the first message."""
    return f"There was no conversation yet. A new one was started: {session_id}"


def setting(name: str, value: str, source: str) -> str:
    """A setting of the conversation, and who chose it."""
    return f"{SETTINGS[name]}: {value} ({SOURCES.get(source, source)})"


def model(name: str, why_not: str | None, *, chosen: bool) -> str:
    return f"{'▸' if chosen else ' '} {name}{f'  ({why_not})' if why_not else ''}"


def agent(agent_id: str, words: str, *, here: bool, broken: bool) -> str:
    """One agent of a list."""
    return f"{'▸' if here else ' '} {agent_id}  {words}{'  (its file has an error)' if broken else ''}"


def answers_now(agent_id: str) -> str:
    return f"Agent: {agent_id}. It answers from the next message on and knows the conversation so far."


def keeps_agent(agent_id: str) -> str:
    return f"This is the main conversation of the agent {agent_id}, which can’t be given to another agent."


def not_utf8(path: str) -> str:
    return f"The name of this folder is not UTF-8: {path}"


# -- MCP servers -------------------------------------------------------------------------------------------------------

SERVER_STATES = {
    "disabled": "turned off",
    "idle": "not started yet",
    "starting": "starting",
    "ready": "ready",
    "backoff": "failed, is tried again",
    "crashed": "crashed",
}
SERVER_TURNED = {
    "off": "This conversation does without the tools of {name}.",
    "on": "This conversation has the tools of {name}.",
}
MCP_TAKES = "/mcp off NAME and /mcp on NAME choose for this conversation. aster-sidecar mcp changes the servers."
MCP_LISTS = "/mcp lists the servers."
NO_SERVERS = "No MCP servers. aster-sidecar mcp add adds one."


def server(data: Json, agent_id: str, *, off: bool) -> str:
    """An MCP server of a list, and what keeps its tools from this conversation."""
    state = str(data["state"])
    words = [SERVER_STATES.get(state, state)]
    if state == "ready":
        words.append(times(data["tools"], "tool"))
    if data["changed_tools"]:
        words.append(f"{data['changed_tools']} of them changed, the next call asks")
    if off:
        words.append("off in this conversation")
    if data["agents"] is not None and agent_id not in data["agents"]:
        words.append("not for this agent")
    return f"  {data['name']}  {', '.join(words)}{': ' + data['error'] if data['error'] else ''}"


def no_server(name: str) -> str:
    return f"There is no MCP server {name}."


RESOURCES_ARE = "@NAME:URI in a message attaches a resource. Tab completes it."
NO_RESOURCES = "No MCP server that runs offers resources. /mcp lists the servers."
PROMPTS_ARE = "/NAME:PROMPT inserts a prompt, with its arguments as KEY=VALUE. Tab completes it."
NO_PROMPTS = "No MCP server that runs offers prompts. /mcp lists the servers."
PROMPTS_LIST = "/prompts lists them."
PROMPT_TAKES = (
    "The arguments of a prompt are KEY=VALUE, with quotes around a value that has spaces. /prompts lists them."
)
PROMPT_SURE = "Send this prompt?"
PROMPT_LEFT = "The prompt was not used."


def resource(mention: str, title: str) -> str:
    return f"  {mention}  {title}"


def prompt(command: str, arguments: Sequence[tuple[str, bool]], about: str) -> str:
    """A prompt of a list. `arguments`: the names, and whether each is required."""
    words = [f"{name}=…" if required else f"[{name}=…]" for name, required in arguments]
    return f"  {' '.join((command, *words))}{'  ' + about if about else ''}"


def no_prompt(server_name: str, name: str) -> str:
    return f"The MCP server {server_name} offers no prompt {name}."


def server_crashed(name: str) -> str:
    return f"The MCP server {name} crashed and is not started again: aster-sidecar mcp restart {name}"


# -- the command, before and without a conversation --------------------------------------------------------------------

NO_MESSAGE = "no message: pass one as an argument or on stdin"
JSON_NEEDS_MESSAGE = "--json needs a message"
NO_TERMINAL = "stdout is not a terminal: pass a message"
WRONG_TOKEN = "ASTER_SIDECAR_TOKEN is not the token of this daemon"
NEEDS_TOKEN_HINT = "set ASTER_SIDECAR_TOKEN to its token, or use another --data-dir"


def no_daemon(data_dir: object) -> str:
    return f"no daemon is running for {data_dir}"


def daemon_exited(code: int) -> str:
    return f"the daemon exited with code {code}"


def needs_token(data_dir: object, holder: str) -> str:
    return f"the daemon that uses the data directory {data_dir} needs a token ({holder})"


def plain_call(name: str, display: str) -> str:
    """A call, on stderr when stdout is not a terminal, as with the next two."""
    return f"{name}: {display}"


def plain_outcome(name: str, outcome: str, error: str) -> str:
    return f"{name}: {STATES.get(outcome, outcome)}{f': {error}' if error else ''}"


def plain_error(severity: str, message: str, advice: str | None) -> str:
    return f"{severity}: {message}" + (f"\n  {advice}" if advice else "")
