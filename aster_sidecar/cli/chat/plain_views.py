"""What an event of the conversation looks like in scripts: as lines of JSON, or as plain text.

It imports nothing slow: `one_shot` shows an answer with it.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False  # as in typing, which every start would wait for
if TYPE_CHECKING:
    from aster_sidecar.cli.chat.connection import Json


NOTED = ("tool_start", "tool_end", "error", "question_asked", "question_answered")
"""Events that `PlainView` shows on stderr."""


class JsonView:
    """Every event of a turn as one line of JSON on stdout; notes on stderr."""

    def show(self, event: Json) -> None:
        if event["turn_id"] is not None:
            print(json.dumps(event, ensure_ascii=False), flush=True)

    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None:
        print(text, file=sys.stderr, flush=True)

    def flush(self) -> None:
        sys.stdout.flush()


class PlainView:
    """The answer's text, as the model wrote it, on stdout; everything else on stderr."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}
        """Characters of each message that are written."""
        self._asked: dict[str, Json] = {}
        """The question of each id."""
        self._in_line = False
        """Whether the last line on stdout has no end yet."""

    def show(self, event: Json) -> None:
        data = event["data"]
        if event["type"] == "text_chunk":
            if data["message_id"] not in self._written:
                self.flush()  # a message begins on a line of its own
            written = self._written.get(data["message_id"], 0)
            new = data["delta"][max(0, written - data["offset"]) :]
            self._written[data["message_id"]] = max(written, data["offset"] + len(data["delta"]))
            self._in_line = not new.endswith("\n") if new else self._in_line  # first: a signal may end the program
            sys.stdout.write(new)
            sys.stdout.flush()
        elif event["type"] == "done":
            self.flush()
        elif event["type"] in NOTED:
            self._note_event(event["type"], data)

    def _note_event(self, kind: str, data: Json) -> None:
        from aster_sidecar.cli.chat import texts
        from aster_sidecar.cli.chat.plain_text import plain
        from aster_sidecar.text.repair import cut
        from aster_sidecar.text.safe_text import still_visible

        if kind == "tool_start":
            self.note(texts.plain_call(data["name"], cut(still_visible(data["display"], newlines=False), 300)))
        elif kind == "tool_end" and data["outcome"] != "done":
            error = cut(plain(str(data.get("error") or "")), 300)
            self.note(texts.plain_outcome(data["name"], data["outcome"], error))
        elif kind in ("question_asked", "question_answered"):
            self._note_question(kind, data)
        elif kind == "error":
            hint = plain(data["hint"]) if data.get("hint") else None
            self.note(texts.plain_error(data["severity"], plain(data["message"]), hint))

    def _note_question(self, kind: str, data: Json) -> None:
        from aster_sidecar.cli.chat.question_words import asked_lines, ended_lines

        if kind == "question_asked":
            self._asked[data["question_id"]] = data
            lines = asked_lines(data)
        else:
            lines = ended_lines(self._asked.pop(data["question_id"], {"fields": []}), data)
        for line in lines:
            self.note(line)

    def note(self, text: str, style: str = "dim", *, indent: int | None = None) -> None:
        if self._in_line and same_file():
            self.flush()
        print(text, file=sys.stderr, flush=True)

    def flush(self) -> None:
        """End the last line."""
        if self._in_line:
            print(flush=True)
        self._in_line = False


def same_file() -> bool:
    """Whether stdout and stderr are the same file, so that a note would continue a line of the answer."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
