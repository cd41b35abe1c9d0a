"""Keys of providers: those that an earlier version saved are found, and what the environment has is not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from aster_sidecar.config.kept_secrets import SecretStorage
from aster_sidecar.models.api_keys import Keys, WithKeys
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.meta import set_value
from tests.support.keychain import Keychain, without_keychain

OWNER = "keys_01hzzzzzzzzzzzzzzzzzzzzzzz"


@pytest.fixture(autouse=True)
def no_keychain() -> Iterator[None]:
    """Without a keychain, unless a test has one."""
    with without_keychain():
        yield


def live(
    path: Path, steps: Callable[[Journal, Keys], Awaitable[None]], environment: dict[str, str] | None = None
) -> None:
    """One run of the daemon on this data directory."""

    async def main() -> None:
        journal = Journal(path / "store")
        journal.open()
        try:
            await steps(journal, Keys(journal, SecretStorage(journal, path), environment or {}, lambda key: None))
        finally:
            await journal.close()

    asyncio.run(main())


def saved_by_1_0(path: Path, place: str, *variables: str) -> None:
    """The rows of keys in the store, as version 1.0 wrote them; a deleted key has an empty one."""

    async def rows(journal: Journal, keys: Keys) -> None:
        values = {"keys_owner": OWNER, "key:MISTRAL_API_KEY": "", **{f"key:{name}": place for name in variables}}
        await journal.record(writes=[set_value(f"fact:{key}", value) for key, value in values.items()])

    live(path, rows)


def test_keys_that_an_earlier_version_saved_in_the_file_are_found(tmp_path: Path) -> None:
    saved_by_1_0(tmp_path, "file", "OPENAI_API_KEY", "ANTHROPIC_API_KEY")
    (tmp_path / "keys.json").write_text('{"OPENAI_API_KEY": "sk-one", "ANTHROPIC_API_KEY": "sk-two"}')

    async def finds(journal: Journal, keys: Keys) -> None:
        kept = {info.variable: info.source for info in keys.list() if info.set}
        assert kept == {"OPENAI_API_KEY": "file", "ANTHROPIC_API_KEY": "file"}
        await keys.load()
        assert (keys.value("OPENAI_API_KEY"), keys.value("ANTHROPIC_API_KEY")) == ("sk-one", "sk-two")
        assert not (await keys.drop("openai")).set
        assert json.loads((tmp_path / "keys.json").read_text()) == {"ANTHROPIC_API_KEY": "sk-two"}

    live(tmp_path, finds)


def test_keys_that_an_earlier_version_saved_in_the_keychain_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_by_1_0(tmp_path, "keychain", "OPENAI_API_KEY")

    async def finds(journal: Journal, keys: Keys) -> None:
        await keys.load()
        assert keys.value("OPENAI_API_KEY") == "sk-one"
        assert (await keys.put("openai", "sk-new")).protected

    with Keychain(monkeypatch) as keychain:
        keychain.saved["aster-sidecar", f"OPENAI_API_KEY {OWNER}"] = "sk-one"
        live(tmp_path, finds)
        assert keychain.saved == {("aster-sidecar", f"OPENAI_API_KEY {OWNER}"): "sk-new"}


def test_the_keychain_is_not_asked_for_a_key_that_the_environment_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"OPENAI_API_KEY": "sk-given"}
    saved_by_1_0(tmp_path, "keychain", "OPENAI_API_KEY", "NO_LONGER_KNOWN_KEY")

    async def loads(journal: Journal, keys: Keys) -> None:
        await keys.load()
        assert keys.value("OPENAI_API_KEY") is None
        assert WithKeys(given, keys)["OPENAI_API_KEY"] == "sk-given"

    with Keychain(monkeypatch) as keychain:
        live(tmp_path, loads, given)
        assert keychain.reads == []


def test_a_change_is_published_and_recorded(tmp_path: Path) -> None:
    async def changes(journal: Journal, keys: Keys) -> None:
        seen: list[str | None] = []
        keys.changed.subscribe(lambda: seen.append(keys.value("OPENAI_API_KEY")))
        before = journal.last_seq
        assert (await keys.put("openai", "sk-one")).source == "file"
        assert not (await keys.drop("openai")).set
        await keys.drop("openai")
        assert seen == ["sk-one", None]
        stream = journal.follow(before)
        events = await anext(stream)
        await stream.aclose()
        assert [(event.type, json.loads(event.data)["set"]) for event in events] == [
            ("secrets_changed", True),
            ("secrets_changed", False),
        ]

    live(tmp_path, changes)
