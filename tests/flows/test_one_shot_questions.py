"""Questions with forms where nobody can be asked: `chat MESSAGE` in a script, with and without `--answers`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flows.test_cli import ask, chat
from tests.support.daemon import Daemon, Json

COLOUR = {"id": "colour", "text": "Which colour?", "kind": "choice", "options": ["red", "blue"]}
NAME = {"id": "name", "text": "What is its name?"}
NOTE = "Nobody can be asked here"


def call(*fields: Json) -> str:
    """A message for which the demo model asks."""
    return "call ask_user " + json.dumps({"questions": list(fields), "reason": "I need to know."})


def question(daemon: Daemon) -> Json:
    """The newest question, as the history has it."""
    message = [one for one in daemon.history() if one["role"] == "assistant"][-1]
    return next(one["question"] for one in message["parts"] if one["type"] == "tool")


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """A file with answers to both fields, and to one that nobody asks."""
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"colour": "blue", "name": "Ada", "other": [1, None]}), "utf-8-sig")
    return path


def test_without_answers_a_question_is_declined_and_the_model_is_told(daemon: Daemon) -> None:
    told = chat(daemon, call(COLOUR, NAME))
    assert told.code == 0
    assert told.out == daemon.history()[-1]["text"] + "\n"
    assert NOTE in told.out, "the model got the note"
    lines = told.err.splitlines()
    assert lines[:4] == ["The agent asks you:", "  I need to know.", "  Which colour?", "  What is its name?"]
    assert lines[4] == "The question is declined, because nobody can be asked here: --answers FILE gives answers."
    assert lines[5].startswith(f"  Declined: {NOTE}")
    assert lines[6].startswith("ask_user: denied: The person declined to answer.")
    assert len(lines) == 7
    assert (question(daemon)["outcome"], daemon.call("GET", "/api/inbox")) == ("declined", [])
    assert len([one for one in daemon.history() if one["role"] == "user"]) == 1, "the message was sent once"


def test_answers_of_a_file_are_sent(daemon: Daemon, answers: Path) -> None:
    told = chat(daemon, "--answers", str(answers), call(COLOUR, NAME))
    assert (told.code, told.out) == (0, daemon.history()[-1]["text"] + "\n")
    assert told.err.splitlines()[4:] == ["  Which colour? → blue", "  What is its name? → Ada"]
    assert question(daemon)["answers"] == {"colour": "blue", "name": "Ada"}
    assert chat(daemon, "--answers", str(answers), call(NAME)).code == 0
    assert question(daemon)["answers"] == {"name": "Ada"}, "one file is for all questions"


def test_defaults_and_what_is_not_required_need_no_answer(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"keep": null}')
    fields = [
        {**COLOUR, "default": "red"},
        {**NAME, "required": False},
        {"id": "keep", "text": "Keep?", "kind": "boolean", "required": False, "default": True},
    ]
    assert chat(daemon, "--answers", str(tmp_path / "none.json"), call(*fields)).code == 0
    assert question(daemon)["answers"] == {"colour": "red"}


def test_a_path_is_that_of_this_directory(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "paths.json").write_text('{"one": "~/work", "two": "stderr.txt"}')
    fields = [{"id": "one", "text": "One?", "kind": "folder"}, {"id": "two", "text": "Two?", "kind": "file"}]
    assert chat(daemon, "--answers", str(tmp_path / "paths.json"), call(*fields)).code == 0
    assert question(daemon)["answers"] == {"one": f"{daemon.home}/work", "two": f"{daemon.home}/stderr.txt"}


@pytest.mark.parametrize(
    ("content", "fields", "why"),
    [
        ({"colour": "red"}, [COLOUR, NAME], "the file of --answers has no answer for name."),
        ({"name": None}, [COLOUR, NAME], "the file of --answers has no answer for colour, name."),
        ({"name": None}, [{**NAME, "default": "Ada"}], "the file of --answers has no answer for name."),
        ({"name": 3}, [NAME], "the answers of --answers do not fit: name: it has to be a text"),
        ({"count": "x"}, [{**NAME, "id": "count", "kind": "number"}], "do not fit: count: it has to be a number"),
    ],
)
def test_what_the_file_does_not_answer_is_declined_and_named(
    daemon: Daemon, tmp_path: Path, content: Json, fields: list[Json], why: str
) -> None:
    (tmp_path / "answers.json").write_text(json.dumps(content))
    told = chat(daemon, "--answers", str(tmp_path / "answers.json"), call(*fields))
    assert told.code == 0
    assert why in told.err
    assert (question(daemon)["outcome"], question(daemon)["answers"]) == ("declined", None)


@pytest.mark.parametrize("given", [True, False])
def test_json_has_the_question_as_events(daemon: Daemon, answers: Path, given: bool) -> None:
    told = chat(daemon, "--json", *(["--answers", str(answers)] if given else []), call(COLOUR))
    assert told.code == 0
    events = [json.loads(line) for line in told.out.splitlines()]
    [asked] = [one["data"] for one in events if one["type"] == "question_asked"]
    [ended] = [one["data"] for one in events if one["type"] == "question_answered"]
    assert asked["fields"][0]["options"] == ["red", "blue"]
    assert ended["question_id"] == asked["question_id"]
    assert (ended["outcome"], ended.get("answers")) == (
        ("answered", {"colour": "blue"}) if given else ("declined", None)
    )
    assert events[-1]["type"] == "done"
    assert ("nobody can be asked here" in told.err) == (not given)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"{", "Expecting property name"),
        (b"[1]", "the JSON is not an object"),
        (b'{"a": "\xff"}', "it is not UTF-8"),
        (b'{"a": NaN}', "Out of range float values are not JSON compliant"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"a":' * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_sent(
    daemon: Daemon, tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "answers.json"
    if content is not None:
        path.write_bytes(content)
    told = chat(daemon, "--answers", str(path), "hello")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"aster-sidecar: {path} can’t be used for --answers: ")
    assert why in told.err
    assert daemon.call("GET", "/api/sessions")["sessions"] == []


def test_a_question_of_another_turn_is_left_to_a_person(daemon: Daemon, answers: Path) -> None:
    with daemon.watch() as watcher:
        daemon.chat(call(COLOUR, NAME))
        watcher.until("question_asked")
    told = chat(daemon, "--answers", str(answers), "hello")
    assert told.code == 7
    assert "This is waiting for you: I need to know." in told.err
    assert "answer with POST /api/answer" in told.err
    assert len(daemon.call("GET", "/api/questions")) == 1


def test_a_message_can_be_the_answer(daemon: Daemon) -> None:
    with daemon.watch() as watcher:
        daemon.chat(call(COLOUR))
        watcher.until("question_asked")
    told = chat(daemon, "BLUE")
    assert told.code == 0
    assert "Your message answered the question for which the agent waits." in told.err
    assert question(daemon)["answers"] == {"colour": "blue"}


def test_an_approval_after_a_question_still_waits(daemon: Daemon, answers: Path) -> None:
    assert chat(daemon, "--answers", str(answers), "write hello.txt").code == 7
    assert len(daemon.call("GET", "/api/approvals")) == 1


def test_sessions_show_has_questions_and_answers_in_words(daemon: Daemon, answers: Path) -> None:
    chat(daemon, "--answers", str(answers), call(COLOUR, {**NAME, "kind": "multi", "options": ["Ada"], "id": "none"}))
    chat(daemon, "--answers", str(answers), call(COLOUR))
    [session] = daemon.call("GET", "/api/sessions")["sessions"]
    told = ask(daemon, "sessions", "show", session["session_id"]).out
    assert "[ask_user: denied] I need to know.\n  Which colour?\n  What is its name?\n  declined: Nobody" in told
    assert "[ask_user: done] I need to know.\n  Which colour?: blue\n" in told
