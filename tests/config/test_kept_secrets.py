"""Secrets with any name: in a keychain or a file, found again after a restart, refused, and masked."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from aster_sidecar.config import kept_secrets
from aster_sidecar.config.kept_secrets import MOST_BYTES, KeptSecrets, SecretStorage
from aster_sidecar.errors import InvalidShape
from aster_sidecar.models.api_keys import Keys
from aster_sidecar.store.journal import Journal
from tests.support.keychain import Keychain, without_keychain

NAME, VALUE = "mcp.files.API_TOKEN", "a-token-of-the-server"


@pytest.fixture(autouse=True)
def no_keychain() -> Iterator[None]:
    """Without a keychain, unless a test has one."""
    with without_keychain():
        yield


class Life:
    """The parts of one run of the daemon, and what the logs mask."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self.journal = Journal(path / "store")
        self.journal.open()
        self.learned: list[str] = []
        storage = SecretStorage(self.journal, path)
        self.secrets = KeptSecrets(self.journal, storage, self.learned.append)
        self.keys = Keys(self.journal, storage, environment, self.learned.append)


def live(path: Path, steps: Callable[[Life], Awaitable[None]], environment: dict[str, str] | None = None) -> None:
    """One run of the daemon on this data directory."""

    async def main() -> None:
        life = Life(path, environment or {})
        try:
            await steps(life)
        finally:
            await life.journal.close()

    asyncio.run(main())


def in_file(path: Path) -> dict[str, str]:
    return json.loads((path / "keys.json").read_text("utf-8"))


def test_without_a_keychain_a_secret_is_in_a_file_for_its_owner(tmp_path: Path) -> None:
    async def saves(life: Life) -> None:
        assert (life.secrets.names(), life.secrets.place(NAME), life.secrets.value(NAME)) == ([], None, None)
        assert await life.secrets.put(NAME, VALUE) == "file"
        assert await life.secrets.put("mcp.a.Authorization", "Bearer the-bearer-token") == "file"
        assert life.secrets.value(NAME) == VALUE
        assert life.learned == [VALUE, VALUE, "Bearer the-bearer-token", "Bearer", "the-bearer-token"]

    async def finds(life: Life) -> None:
        assert life.secrets.names() == ["mcp.a.Authorization", NAME]
        assert (life.secrets.place(NAME), life.secrets.value(NAME)) == ("file", None)
        await life.secrets.load()
        assert life.secrets.value(NAME) == VALUE
        assert {VALUE, "the-bearer-token"} <= set(life.learned)

    async def drops(life: Life) -> None:
        assert await life.secrets.drop(NAME)
        assert not await life.secrets.drop(NAME)
        assert (life.secrets.names(), life.secrets.value(NAME)) == (["mcp.a.Authorization"], None)
        assert in_file(tmp_path) == {"mcp.a.Authorization": "Bearer the-bearer-token"}
        assert await life.secrets.drop("mcp.a.Authorization")
        assert not (tmp_path / "keys.json").exists()

    live(tmp_path, saves)
    assert in_file(tmp_path)[NAME] == VALUE
    if os.name == "posix":
        assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert VALUE.encode() not in (tmp_path / "store").read_bytes()
    live(tmp_path, finds)
    live(tmp_path, drops)


def test_with_a_keychain_a_secret_is_there_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def saves(life: Life) -> None:
        assert await life.secrets.put(NAME, VALUE) == "keychain"

    async def finds(life: Life) -> None:
        await life.secrets.load()
        assert (life.secrets.place(NAME), life.secrets.value(NAME)) == ("keychain", VALUE)
        assert await life.secrets.drop(NAME)

    with Keychain(monkeypatch) as keychain:
        live(tmp_path, saves)
        [((service, account), value)] = keychain.saved.items()
        assert (service, account.split()[0], value) == ("aster-sidecar", NAME, VALUE)
        assert [path.name for path in tmp_path.iterdir() if VALUE.encode() in path.read_bytes()] == []
        live(tmp_path, finds)
        assert keychain.saved == {}


def test_another_data_directory_has_its_own_secrets_in_the_same_keychain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one(life: Life) -> None:
        await life.secrets.put(NAME, "one")

    async def two(life: Life) -> None:
        await life.secrets.put(NAME, "two")

    async def one_again(life: Life) -> None:
        await life.secrets.load()
        assert life.secrets.value(NAME) == "one"

    with Keychain(monkeypatch) as keychain:
        live(tmp_path / "a", one)
        live(tmp_path / "b", two)
        live(tmp_path / "a", one_again)
        assert len(keychain.saved) == 2


def test_a_secret_that_the_keychain_refuses_is_missing_and_is_not_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def saves(life: Life) -> None:
        await life.secrets.put(NAME, VALUE)
        await life.secrets.put("mcp.files.OTHER", "another-token")

    async def refused(life: Life) -> None:
        await life.secrets.load()
        assert (life.secrets.value(NAME), life.secrets.place(NAME)) == (None, "keychain")
        assert life.secrets.value("mcp.files.OTHER") == "another-token"
        assert life.secrets.names() == [NAME, "mcp.files.OTHER"]

    with Keychain(monkeypatch) as keychain:
        live(tmp_path, saves)
        keychain.refused = NAME
        live(tmp_path, refused)
    assert f"the saved {NAME} could not be read (KeyringLocked)" in caplog.text
    assert VALUE not in caplog.text


def test_a_secret_that_the_keychain_does_not_save_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def saves(life: Life) -> None:
        assert await life.secrets.put(NAME, VALUE) == "file"
        assert life.secrets.value(NAME) == VALUE

    with Keychain(monkeypatch) as keychain:
        keychain.refused = NAME
        live(tmp_path, saves)
    assert in_file(tmp_path) == {NAME: VALUE}
    assert VALUE not in caplog.text


def test_a_keychain_that_waits_for_the_user_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_secrets, "ANSWER_S", 0.05)
    answer = threading.Event()

    async def saves(life: Life) -> None:
        assert await life.secrets.put(NAME, VALUE) == "file"
        answer.set()

    with Keychain(monkeypatch) as keychain:
        keychain.answer = answer
        live(tmp_path, saves)


def test_secrets_and_keys_that_are_saved_at_the_same_time_are_all_there(tmp_path: Path) -> None:
    async def saves(life: Life) -> None:
        puts = [life.secrets.put(f"mcp.files.T{number}", f"value {number}") for number in range(8)]
        await asyncio.gather(*puts, life.keys.put("openai", "sk-one"), life.keys.put("anthropic", "sk-two"))

    live(tmp_path, saves)
    assert len(in_file(tmp_path)) == 10


def test_the_key_of_a_provider_is_no_secret_with_a_name(tmp_path: Path) -> None:
    async def saves(life: Life) -> None:
        await life.keys.put("openai", "sk-one")
        await life.secrets.put(NAME, VALUE)
        assert life.secrets.names() == [NAME]
        assert await life.secrets.drop("OPENAI_API_KEY") is False
        assert life.keys.value("OPENAI_API_KEY") == "sk-one"

    live(tmp_path, saves)


def test_one_reading_serves_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def saves(life: Life) -> None:
        await life.secrets.put(NAME, VALUE)

    async def reads(life: Life) -> None:
        keychain.reads.clear()
        await asyncio.gather(*[life.secrets.load() for _ in range(5)])
        await life.secrets.load()
        assert len(keychain.reads) == 1

    with Keychain(monkeypatch) as keychain:
        live(tmp_path, saves)
        live(tmp_path, reads)


@pytest.mark.parametrize("name", ["", "mcp.files.a b", "mcp/files", "mcp.ü", "a" * 201, "mcp.a\n"])
def test_a_name_with_other_characters_is_refused(tmp_path: Path, name: str) -> None:
    async def saves(life: Life) -> None:
        with pytest.raises(InvalidShape):
            await life.secrets.put(name, VALUE)
        assert life.secrets.names() == []

    live(tmp_path, saves)


@pytest.mark.parametrize(
    "value", ["", "  ", "a\0b", "two\nlines", "tab\t", "\ud800", "a\u200bb", "é" * (MOST_BYTES // 2 + 1)]
)
def test_a_value_that_cannot_be_sent_is_refused_and_not_quoted(tmp_path: Path, value: str) -> None:
    async def saves(life: Life) -> None:
        with pytest.raises(InvalidShape) as refused:
            await life.secrets.put(NAME, value)
        assert not value.strip() or value not in refused.value.message + str(refused.value.hint)
        assert life.secrets.names() == []

    live(tmp_path, saves)
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("value", ["x", "a pass phrase", "é" * (MOST_BYTES // 2)])
def test_the_shortest_and_the_longest_value_are_saved(tmp_path: Path, value: str) -> None:
    async def saves(life: Life) -> None:
        await life.secrets.put("m" * 200, value)

    async def finds(life: Life) -> None:
        await life.secrets.load()
        assert life.secrets.value("m" * 200) == value

    live(tmp_path, saves)
    live(tmp_path, finds)
