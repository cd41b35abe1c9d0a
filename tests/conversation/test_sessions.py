"""The list of sessions by itself: search in any alphabet, an order that clock changes do not affect, older stores."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from aster_sidecar import clock
from aster_sidecar.asking.questions import Questions
from aster_sidecar.contract import wire
from aster_sidecar.conversation.history import History
from aster_sidecar.conversation.messages import insert_message
from aster_sidecar.conversation.session_choices import SessionChoices
from aster_sidecar.conversation.session_queue import SessionQueues
from aster_sidecar.conversation.sessions import Sessions
from aster_sidecar.conversation.sessions import titled as title_of
from aster_sidecar.conversation.waits import Waits
from aster_sidecar.errors import InvalidShape, SessionNotFound
from aster_sidecar.hosts.dispatch import Dispatch
from aster_sidecar.hosts.registry import Hosts
from aster_sidecar.policy.approvals import Approvals
from aster_sidecar.policy.rules import Rules
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.schema import scripts
from aster_sidecar.text.folding import fold
from aster_sidecar.text.repair import cut, valid_text

SAME = [
    ("привет", "Привет"),
    ("überlingen", "ÜBERLINGEN"),
    ("STRASSE", "Straße"),
    ("straße", "STRASSE"),
    ("straße", "STRAẞE"),
    ("café", "CAFE\u0301"),
    ("cafe\u0301", "CAFÉ"),
    ("istanbul", "İstanbul"),
    ("İSTANBUL", "istanbul"),
    ("ISPARTA", "ısparta"),
    ("οδος", "ΟΔΟΣ"),
    ("οδοσ", "οδος"),
    ("aster", "ＡＳＴＥＲ"),
    ("office", "oﬃce"),
    ("ガ", "ｶﾞ"),
    ("한글", unicodedata.normalize("NFD", "한글")),
    ("donaudampf", "Donau\u00addampf"),
    ("میخواهم", "می\u200cخواهم"),
    ("❤", "❤\ufe0f"),
    ("ᾳ\u0301", "\u0391\u0345\u0301"),
    ("cafe", "CAFÉ"),
    ("naive", "naïve"),
    ("αθηνα", "ΑΘΉΝΑ"),
    ("ἀγάπη", "αγαπη"),
    ("елка", "Ёлка"),
    ("замок", "за\u0301мок"),
    ("da nang", "Đà Nẵng"),
    ("tiếng việt", "TIENG VIET"),
    ("lodz", "Łódź"),
    ("kobenhavn", "København"),
    ("oeuvre", "Œuvre"),
    ("محمد", "مُحَمَّد"),
    ("احمد", "أحمد"),
    ("سلام", "ســلام"),
    ("کتاب", "كتاب"),
    ("שלום", "שָׁלוֹם"),
    ("हिन्दी", unicodedata.normalize("NFD", "हिन्दी")),
    ("ﾊﾝｶｸ", "ハンカク"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_texts_that_differ_in_case_or_composition_only_are_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("привет", "превет"), ("й", "и"), ("ї", "і"), ("か", "が"), ("か", "カ")),
        *(("कि", "की"), ("क", "क़"), ("กา", "ก่า"), ("ם", "מ")),
    ],
)
def test_other_letters_count(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_folding_is_the_same_for_each_case_of_every_character_and_changes_nothing_twice() -> None:
    wrong: list[str] = []
    for code in range(0x20, sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cs", "Cn", "Co"):
            continue
        folded = fold(character)
        if {fold(folded), fold(character.lower()), fold(character.upper())} != {folded}:
            wrong.append(character)
    assert wrong == []


def unasked(*_: Any) -> Any:
    raise AssertionError("no call should need an assessment here")


def within(tmp_path: Path, check: Callable[[Journal, Sessions], object]) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "store")
        journal.open()
        sessions = Sessions(
            journal,
            SessionQueues(journal),
            Waits(
                Approvals(journal, Rules(journal), unasked),
                Questions(journal),
                Dispatch(journal, Hosts(journal, lambda name: None)),
            ),
            SessionChoices(journal),
            lambda *_: None,
        )
        sessions.open()
        result = check(journal, sessions)
        if asyncio.iscoroutine(result):
            await result
        await journal.close()

    asyncio.run(main())


async def said(journal: Journal, sessions: Sessions, session_id: str, text: str, message_id: str = "") -> None:
    """Record a person's message, as a turn does."""
    message = wire.Message(
        message_id=message_id or clock.new_id("msg"),
        turn_id=clock.new_id("turn"),
        session_id=session_id,
        role="user",
        text=text,
        parts=[wire.TextPart(text=text)],
        created_at=clock.stamp(),
        status="complete",
    )
    writes = [insert_message(message, 0), *sessions.touch(session_id, text)]
    await journal.record("message_added", wire.MessageAddedEvent(message=message), session_id=session_id, writes=writes)


def found(sessions: Sessions, query: str) -> list[str]:
    return [session.title for session in sessions.list(None, query, False, None, 50).sessions]


async def titled(sessions: Sessions, title: str) -> str:
    return (await sessions.create(wire.SessionCreate(agent_id="default", title=title))).session_id


def test_messages_and_titles_are_found_in_any_alphabet(tmp_path: Path) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        for number, (_, text) in enumerate(SAME):
            session_id = await titled(sessions, f"message {number}")
            await said(journal, sessions, session_id, f"before {text} behind")
            await titled(sessions, f"title {number} {text}")
        for number, (query, text) in enumerate(SAME):
            names = found(sessions, query)
            assert f"message {number}" in names, (query, text)
            assert f"title {number} {text}" in names, (query, text)

    within(tmp_path, check)


@pytest.mark.parametrize("query", ["100%", "a_b", "it's", 'say "so"', "c:\\dir", "%", "_", "\\", "*", "ж%ж"])
def test_signs_mean_themselves(tmp_path: Path, query: str) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        await said(journal, sessions, await titled(sessions, "with"), f"x {query.upper()} y")
        await said(journal, sessions, await titled(sessions, "without"), "100 aXb its say so c:dir жaж")
        assert found(sessions, query) == ["with"]

    within(tmp_path, check)


@pytest.mark.parametrize("text", ["before\0Behind", "vor\0HINTER Öl", "Behind"])
def test_what_stands_behind_a_nul_is_found(tmp_path: Path, text: str) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        await said(journal, sessions, await titled(sessions, "message"), text)
        await titled(sessions, text)
        # Messages stored now have U+FFFD instead; a message from an earlier version may still contain NUL.
        assert sorted(found(sessions, text.partition("\0")[2] or text)) == sorted(["message", valid_text(text)])
        assert "message" in found(sessions, text)
        assert valid_text(text) in found(sessions, valid_text(text))

    within(tmp_path, check)


def test_a_hit_says_which_message_and_the_words_around(tmp_path: Path) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        one, other = await titled(sessions, "Straße"), await titled(sessions, "other")
        await said(journal, sessions, one, "the old strasse", "msg_1")
        await said(journal, sessions, one, "Die neue Straße ist lang", "msg_2")
        await said(journal, sessions, one, "nothing of it", "msg_3")
        await said(journal, sessions, other, "STRASSE\n\nof another conversation", "msg_4")
        await titled(sessions, "only the title: strasse")
        page = sessions.list(None, "strasse", False, None, 50)
        assert len(page.sessions) == 3
        shown = {hit.message_id: (hit.text, hit.text[hit.start : hit.end]) for hit in page.hits.values()}
        assert shown == {
            "msg_2": ("Die neue Straße ist lang", "Straße"),
            "msg_4": ("STRASSE of another conversation", "STRASSE"),
        }
        assert page.hits.keys() == {one, other}
        assert sessions.list(None, None, False, None, 50).hits == {}

        history = History(journal, sessions, SessionQueues(journal))
        found = history.find(one, "STRASSE", None, 1)
        assert [hit.message_id for hit in found.hits] == ["msg_2"]
        assert found.next_before == "msg_2"
        found = history.find(one, "STRASSE", found.next_before, 1)
        assert ([hit.message_id for hit in found.hits], found.next_before) == (["msg_1"], None)
        # A character that is not visible is never found.
        assert history.find(one, "\u00ad", None, 10).hits == []
        assert sessions.list(None, "\u00ad", False, None, 50).hits == {}
        with pytest.raises(InvalidShape):
            history.find(one, "strasse", "msg_4", 10)
        with pytest.raises(SessionNotFound):
            history.find("ses_none", "strasse", None, 10)
        await sessions.delete(one)
        with pytest.raises(SessionNotFound):
            history.find(one, "strasse", None, 10)

    within(tmp_path, check)


def test_pinned_conversations_come_first_over_all_pages(tmp_path: Path) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        ids = {name: await titled(sessions, name) for name in "abcdef"}
        for name in "ea":
            assert (await sessions.patch(ids[name], wire.SessionPatch(pinned=True))).pinned
        order: list[str] = []
        before = None
        while True:
            page = sessions.list(None, None, False, before, 1)
            order += [session.title for session in page.sessions]
            if (before := page.next_before) is None:
                break
        assert "".join(order) == "eafdcb"
        assert found(sessions, "") == [*"eafdcb"]
        await said(journal, sessions, ids["a"], "one word")
        await said(journal, sessions, ids["b"], "one word")
        assert [session.title for session in sessions.list(None, None, False, None, 3).sessions] == ["a", "e", "b"]
        assert found(sessions, "one word") == ["b", "a"], "search results are in the order of last use"
        await sessions.patch(ids["a"], wire.SessionPatch(archived=True))
        assert [session.title for session in sessions.list(None, None, True, None, 3).sessions] == ["a"]
        await sessions.patch(ids["a"], wire.SessionPatch(archived=False))
        assert sessions.info(ids["a"]).pinned, "the conversation keeps its place"
        assert not (await sessions.patch(ids["a"], wire.SessionPatch(pinned=False))).pinned
        assert [session.title for session in sessions.list(None, None, False, None, 3).sessions] == ["e", "b", "a"]
        plan = journal.all(
            "EXPLAIN QUERY PLAN SELECT s.session_id FROM sessions s"
            " ORDER BY s.pinned * 1000000000000000 + s.used_n DESC LIMIT 5"
        )
        assert "sessions_by_place" in str(plan), "a page of the list must not sort all sessions"

    within(tmp_path, check)


def test_what_a_message_becomes_is_what_is_found(tmp_path: Path) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        session_id = await titled(sessions, "one")
        for text, query in (("", "Öl"), ("ÖL", "öl"), ("Äther", "äTHER"), ("plain", "PLAIN")):
            await said(journal, sessions, session_id, text, "msg_1")
            assert found(sessions, query) == ([] if not text else ["one"])
        assert found(sessions, "öl") == found(sessions, "äther") == []
        assert journal.all("SELECT * FROM folded_texts") == []
        await said(journal, sessions, session_id, "später", "msg_2")
        await History(journal, sessions, SessionQueues(journal)).clear(session_id, lambda session_id: None)
        assert journal.all("SELECT * FROM folded_texts") == []

    within(tmp_path, check)


def test_the_session_used_last_is_first_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        ids: list[str] = []
        for year in (2031, 2029, 2030):  # the clock is changed between them
            monkeypatch.setattr(clock, "now", lambda year=year: datetime(year, 1, 1, tzinfo=UTC))
            ids.append(await titled(sessions, str(year)))
        await said(journal, sessions, ids[1], "used again")
        page = sessions.list(None, None, False, None, 2)
        assert [session.title for session in page.sessions] == ["2029", "2030"]
        assert page.sessions[0].updated_at.startswith("2030")
        rest = sessions.list(None, None, False, page.next_before, 2)
        assert [session.title for session in rest.sessions] == ["2031"]
        assert rest.next_before is None
        with pytest.raises(InvalidShape):
            sessions.list(None, None, False, "2026-01-01T00:00:00.000Z~ses_1", 2)

    within(tmp_path, check)


def test_a_store_of_before_is_searched_and_ordered_alike(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with apsw.Connection(str(path)) as old:
        for number, script in enumerate(scripts()[:3], 1):
            old.execute(script.read_text("utf-8"))
            old.execute(f"PRAGMA user_version={number}")
        for number, (name, seq, stamp) in enumerate(
            [("Last", 30, "2026-01-01"), ("First", 10, "2099-01-01"), ("Second", 20, "2026-03-01")]
        ):
            old.execute(
                "INSERT INTO sessions VALUES (?,'default',?,?,?,0,0)",
                (f"ses_{name}", name, stamp, f"{stamp}T00:00:00Z"),
            )
            for role, text, first_seq in (("user", f"ПРИВЕТ {name}", 0), ("assistant", "hello", seq)):
                old.execute(
                    "INSERT INTO messages (message_id, turn_id, session_id, role, text, parts, created_at, status,"
                    " first_seq) VALUES (?,?,?,?,?,'[]','2026','complete',?)",
                    (f"msg_{role}{number}", f"turn_{number}", f"ses_{name}", role, text, first_seq),
                )
        old.execute("INSERT INTO sessions VALUES ('ses_4','default','Empty','2025','2025',0,0)")

    def check(journal: Journal, sessions: Sessions) -> None:
        assert found(sessions, "") == ["Last", "Second", "First", "Empty"]
        assert found(sessions, "привет second") == ["Second"]
        assert found(sessions, "HELLO") == ["Last", "Second", "First"]
        assert len(journal.all("SELECT * FROM folded_texts")) == 3

    within(tmp_path, check)


@pytest.mark.parametrize("purge", [False, True])
def test_what_is_told_of_a_session_in_the_moment_of_its_deletion_goes_with_it(tmp_path: Path, purge: bool) -> None:
    async def check(journal: Journal, sessions: Sessions) -> None:
        session_id = await titled(sessions, "the title")
        renaming = asyncio.ensure_future(sessions.patch(session_id, wire.SessionPatch(title="another title")))
        await asyncio.sleep(0)  # its write joins the transaction of the deletion
        await sessions.delete(session_id, purge=purge)
        with contextlib.suppress(SessionNotFound):
            await renaming
        [(kind, data)] = journal.all("SELECT type, data FROM events")
        assert (kind, json.loads(data)["change"]) == ("session_changed", "deleted")
        held = journal.all("SELECT title FROM sessions")
        assert held == ([] if purge else [("another title",)])

    within(tmp_path, check)


GRAPHEMES = ["👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "क्षि", "நி", "e\u0301", "\u1100\u1161\u11a8", "1\ufe0f\u20e3"]


@pytest.mark.parametrize("whole", GRAPHEMES)
def test_no_cut_goes_through_what_people_see_as_one_character(whole: str) -> None:
    for before in range(4):
        text = "x" * before + whole * 100
        for most in range(10, 40):
            short = cut(text, most)
            assert len(short) <= most
            kept = short.removesuffix("…").removeprefix("x" * before)
            assert kept == whole * (len(kept) // len(whole))
            assert len(short) + len(whole) > most, "no more is cut off than necessary"
        assert title_of(text) == cut(text, 60)


def test_a_text_that_fits_is_left_alone_and_one_endless_character_is_cut() -> None:
    assert cut("é" * 10, 10) == "é" * 10
    assert cut("", 0) == ""
    assert cut("e" + "\u0301" * 500, 20) == "e" + "\u0301" * 18 + "…"


def test_texts_that_an_earlier_version_folded_are_found_without_accents(tmp_path: Path) -> None:
    async def fill(journal: Journal, sessions: Sessions) -> None:
        await said(journal, sessions, await titled(sessions, "one"), "un café")

    within(tmp_path, fill)
    with contextlib.closing(apsw.Connection(str(tmp_path / "store"))) as old:
        old.execute("UPDATE folded_texts SET text='un café'; DROP TABLE trash; PRAGMA user_version=5")
        old.execute("ALTER TABLE approvals DROP COLUMN summary; ALTER TABLE approvals DROP COLUMN preview")
        old.execute("DROP INDEX sessions_by_place; ALTER TABLE sessions DROP COLUMN pinned")
        for column in (
            "sessions.work_dir",
            "sessions.model",
            "sessions.effort",
            "sessions.permission_mode",
            "sessions.mcp_off",
            "sessions.context_tokens",
            "sessions.window_tokens",
            "sessions.forked_from",
            "sessions.forked_at",
            "model_messages.superseded_by",
            "rules.conditions",
            "rules.made_by",
            "rules.made_for",
            "approvals.scopes",
        ):
            old.execute("ALTER TABLE {} DROP COLUMN {}".format(*column.split(".")))
        for table in (
            "attachment_uses",
            "attachments",
            "rewinds",
            "changes",
            "change_notes",
            "decisions",
            "tool_definitions",
            "questions",
            "host_calls",
            "hosts",
        ):
            old.execute(f"DROP TABLE {table}")
        old.execute("DROP INDEX turns_rewound; ALTER TABLE turns DROP COLUMN rewound")
        old.execute("ALTER TABLE turns DROP COLUMN model; ALTER TABLE turns DROP COLUMN effort")
    within(tmp_path, lambda journal, sessions: found(sessions, "cafe") == ["one"] or pytest.fail("not found"))
