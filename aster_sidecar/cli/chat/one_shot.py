"""`chat MESSAGE` in a script: one message to a running daemon, and its answer, without the imports of the full chat.

It handles the usual course only. Whatever is unusual (other flags, no daemon, an approval request, a question, a lost
connection, Ctrl-C) it leaves to the full chat, with what it has done so far: `command` continues there. The message has
a `client_message_id`, so the daemon accepts it once, however often it is sent.
"""

from __future__ import annotations

import codecs
import os
import signal
import sys

from aster_sidecar.cli.chat.loopback import Loopback, Lost
from aster_sidecar.cli.chat.message import given_message
from aster_sidecar.cli.chat.plain_views import JsonView, PlainView
from aster_sidecar.cli.chat.sse import Frames
from aster_sidecar.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from aster_sidecar.config.places import usual_data_dir
from aster_sidecar.daemon.state_file import read_live_state
from aster_sidecar.text.json_text import parse_object
from aster_sidecar.text.repair import valid_text

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType
    from typing import Any

ENDED_WELL = ("complete", "denied")
"""Stop reasons with the exit code 0."""


class Given:
    """The arguments, if the command line has only those that this module handles."""

    def __init__(self, words: list[str], data_dir: str, agent_id: str, as_json: bool) -> None:
        self.words = words
        self.data_dir = data_dir
        self.agent_id = agent_id
        self.as_json = as_json


class Unfinished:
    """A message for the full chat. `body`: the request, once it may have been sent; `cursor`: the last event shown."""

    def __init__(self, message: str, view: JsonView | PlainView) -> None:
        self.message = message
        self.view = view
        self.body: dict[str, Any] | None = None
        self.cursor: int | None = None
        self.interrupted = False
        """Whether Ctrl-C was pressed since the message was sent."""


class Ended(BaseException):
    """A signal ends the program."""

    def __init__(self, number: int) -> None:
        self.number = number


def parsed(words: Sequence[str]) -> Given | None:
    """The arguments after `chat`; None for flags of the full chat, and where flags stand between the words."""
    flags = {"--data-dir": "", "--agent": "default"}
    as_json, message, rest = False, list[str](), list(words)
    while rest:
        word = rest.pop(0)
        if word == "--json" and not message:
            as_json = True
        elif word in flags and rest and not rest[0].startswith("-") and not message:
            flags[word] = rest.pop(0)
        elif word.startswith("-"):
            return None
        else:
            message.append(word)
    return Given(message, flags["--data-dir"], flags["--agent"], as_json)


def run_once(words: Sequence[str]) -> int | Unfinished | None:
    """Send one message and show its answer; returns the exit code.

    `Unfinished`: the full chat has to go on, with the message and what was read from stdin. None: it has to begin.
    """
    given = parsed(words)
    if given is None or (sys.stdout.isatty() and not given.as_json):
        return None
    found = _found(given)
    if found is None:
        return None
    message = given_message(given.words)
    unfinished = Unfinished(message, JsonView() if given.as_json else PlainView())
    if not message.strip():
        return unfinished
    before = end_by_signals()
    try:
        return _answered(unfinished, valid_text(given.agent_id), *found)
    except (Lost, ValueError, KeyError, TypeError):
        return unfinished
    except KeyboardInterrupt:
        unfinished.interrupted = True
        return unfinished if unfinished.body is not None else EXIT_INTERRUPTED
    except Ended as ended:
        unfinished.view.flush()
        return 128 + ended.number
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _found(given: Given) -> tuple[str, str, str | None] | None:
    """URL, instance id and token of the daemon that runs for the data directory; None if it is not that simple."""
    data_dir = os.path.expanduser(given.data_dir) or usual_data_dir(os.environ)
    try:
        data_dir.encode()  # a name that is not UTF-8 is refused by the full chat
        content = read_live_state(data_dir)
        if content is None:
            return None
        token = os.environ.get("ASTER_SIDECAR_TOKEN") or None
        if content["token"] and token is None:
            return None
        return str(content["url"]), str(content["instance_id"]), token if content["token"] else None
    except (ValueError, KeyError):
        return None


def _answered(unfinished: Unfinished, agent_id: str, url: str, instance_id: str, token: str | None) -> int | Unfinished:
    """Send the message and show its answer. Raises: Lost, and ValueError, KeyError, TypeError for unusual answers."""
    calls = Loopback(url, token)
    try:
        return _exchanged(calls, unfinished, agent_id, instance_id)
    finally:
        calls.close()


def _exchanged(calls: Loopback, unfinished: Unfinished, agent_id: str, instance_id: str) -> int | Unfinished:
    _, health = calls.call("GET", "/health", with_token=False)
    if health.get("instance_id") != instance_id:
        return unfinished  # another program uses the port now
    body = unfinished.body = {
        "agent_id": agent_id,
        "session_id": None,
        "message": unfinished.message,
        "client_message_id": os.urandom(16).hex(),
        "if_busy": "queue",
    }
    _, answer = calls.call("POST", "/api/chat", body)
    started = answer["data"]
    session_id, turn_id = started["session_id"], started["turn_id"]
    before: int = started["seq"] - 1
    unfinished.cursor = before
    if started["status"] != "started":
        return unfinished  # the full chat says that it is in the queue
    for cursor, event in _events(calls, session_id, before):
        if event["type"] == "resync":
            return unfinished
        if event["session_id"] != session_id:
            continue
        unfinished.view.show(event)
        unfinished.cursor = cursor
        if event["type"] in ("approval_required", "question_asked"):
            return unfinished
        if event["type"] == "done" and event["turn_id"] == turn_id:
            return 0 if event["data"]["stop_reason"] in ENDED_WELL else EXIT_FAILED
    return unfinished


def _events(calls: Loopback, session_id: str, after: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of a session after a seq, each with its own; that of an unrecorded event is the seq before it."""
    decoder, frames = codecs.getincrementaldecoder("utf-8")(), Frames()
    for piece in calls.stream(f"/api/events?session_id={session_id}&after={after}"):
        for frame_id, data in frames.feed(decoder.decode(piece)):
            after = int(frame_id) if frame_id else after
            yield after, parse_object(data)


def end_by_signals() -> dict[int, Any]:
    """Let SIGTERM, SIGHUP and SIGQUIT raise `Ended`; returns the handlers from before."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    before: dict[int, Any] = {}
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            before[number] = signal.signal(number, end)
    return before
