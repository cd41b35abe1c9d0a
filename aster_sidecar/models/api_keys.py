"""API keys that the user saved: in the system's keychain, else in a file that the API reports as unprotected.

A key in the daemon's environment takes precedence. The keychain is read once, in a thread, when the first client
connects, because the system may ask the user for permission. The store knows which keys there are without reading it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from aster_sidecar import clock
from aster_sidecar.contract import wire
from aster_sidecar.errors import InvalidShape, NotFound, StoreError
from aster_sidecar.models.catalog import PROVIDERS
from aster_sidecar.publisher import Publisher
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.meta import remember
from aster_sidecar.text import addresses
from aster_sidecar.text.json_text import parse_object

log = logging.getLogger(__name__)

SERVICE = "aster-sidecar"
FILE = "keys.json"
OWNER = "keys_owner"
ANSWER_S = 20.0
"""Longest wait for the keychain, which may be asking the user."""
Place = Literal["keychain", "file"]
KEYED = {provider.key: name for name, provider in reversed(PROVIDERS.items()) if provider.key}
"""Environment variable of a key → the first provider that uses it."""


class Keys:
    """The saved keys. `learn` gets each one, so that logs can mask it."""

    def __init__(
        self,
        journal: Journal,
        directory: Path,
        environment: Mapping[str, str],
        learn: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._file = directory / FILE
        self._environment = environment
        self._learn = learn
        self.changed: Publisher[[]] = Publisher()
        """Publishes after a key was saved or deleted."""
        self._values: dict[str, str] = {}
        self._loading: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    # -- reading -------------------------------------------------------------------------------------------------------

    def value(self, variable: str) -> str | None:
        """A saved key; None before `load` has read it."""
        return self._values.get(variable)

    def place(self, variable: str) -> Place | None:
        """Where a key is saved; None when it is not."""
        stored = self._journal.recall(f"key:{variable}")
        return stored if stored in ("keychain", "file") else None  # type: ignore[return-value]

    async def load(self) -> None:
        """Read the saved keys, once. A key that the keychain does not return is treated as missing."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        owner = self._journal.recall(OWNER)
        for variable in KEYED:
            place = self.place(variable)
            if place is None or owner is None or is_given(self._environment, variable):
                continue
            try:
                async with asyncio.timeout(ANSWER_S):
                    value = await asyncio.to_thread(self._read, variable, place, owner)
            except Exception as error:  # each keychain has exceptions of its own
                log.warning("the saved %s could not be read (%s)", variable, type(error).__name__)
                continue
            if value:
                self._hold(variable, value)

    def _read(self, variable: str, place: Place, owner: str) -> str | None:
        if place == "file":
            return self._in_file().get(variable)
        import keyring

        return keyring.get_password(SERVICE, account(variable, owner))

    def _hold(self, variable: str, value: str) -> None:
        self._values[variable] = value
        self._learn(value)

    def _in_file(self) -> dict[str, str]:
        with contextlib.suppress(OSError, ValueError):
            saved = parse_object(self._file.read_text("utf-8"))
            return {name: value for name, value in saved.items() if isinstance(value, str)}
        return {}

    @cached_property
    def why_no_keychain(self) -> str | None:
        """Why keys are saved in a file; None when a keychain is used. The first use blocks for an import."""
        return why_unprotected()

    def list(self) -> list[wire.SecretInfo]:
        """Where each provider's key comes from, without the keys."""
        return [self._info(variable) for variable in KEYED]

    def _info(self, variable: str) -> wire.SecretInfo:
        given = is_given(self._environment, variable)
        place = self.place(variable)
        return wire.SecretInfo(
            provider=KEYED[variable],
            variable=variable,
            set=given or place is not None,
            source="environment" if given else place,
            protected=not given and place == "keychain",
        )

    # -- writing -------------------------------------------------------------------------------------------------------

    async def put(self, provider: str, value: str) -> wire.SecretInfo:
        """Save a provider's key. Raises: NotFound, InvalidShape, StoreError."""
        variable = variable_of(provider)
        async with self._changing:
            await self.load()
            owner = self._journal.recall(OWNER) or clock.new_id("keys")
            place = await self._write(variable, value, owner)
            self._hold(variable, value)
            return await self._note(variable, place, owner)

    async def drop(self, provider: str) -> wire.SecretInfo:
        """Delete a provider's saved key. Raises: NotFound, InvalidShape, StoreError."""
        variable = variable_of(provider)
        async with self._changing:
            place = self.place(variable)
            owner = self._journal.recall(OWNER)
            if place is None or owner is None:
                return self._info(variable)
            await self.load()
            try:
                await asyncio.to_thread(self._erase, variable, owner)
            except OSError as error:
                raise StoreError(f"the key could not be deleted: {error.strerror}") from error
            self._values.pop(variable, None)
            return await self._note(variable, None, owner)

    async def _note(self, variable: str, place: Place | None, owner: str) -> wire.SecretInfo:
        """Record where a key is saved, and publish the change."""
        self.changed.publish()
        # Before the event: the event reports what is stored by then.
        await self._journal.record(writes=[remember(OWNER, owner), remember(f"key:{variable}", place or "")])
        info = self._info(variable)
        await self._journal.record("secrets_changed", wire.SecretsChangedEvent(**dict(info)))
        return info

    async def _write(self, variable: str, value: str, owner: str) -> Place:
        try:
            async with asyncio.timeout(ANSWER_S):
                if await asyncio.to_thread(lambda: self.why_no_keychain) is None:
                    await asyncio.to_thread(to_keychain, account(variable, owner), value)
                    await asyncio.to_thread(self._change_file, variable, None)
                    return "keychain"
        except Exception as error:  # locked, refused by the user, or gone
            log.warning("the keychain did not save the key (%s): it is saved in a file", type(error).__name__)
        try:
            await asyncio.to_thread(self._change_file, variable, value)
        except OSError as error:
            raise StoreError(f"the key could not be saved: {error.strerror}") from error
        return "file"

    def _erase(self, variable: str, owner: str) -> None:
        """Delete a key from the file and the keychain. Raises: OSError."""
        self._change_file(variable, None)
        if self.why_no_keychain is None:
            import keyring
            from keyring.errors import KeyringError

            with contextlib.suppress(KeyringError):
                keyring.delete_password(SERVICE, account(variable, owner))

    def _change_file(self, variable: str, value: str | None) -> None:
        """Save a key in the file, or delete it (None). The file is replaced as a whole. Raises: OSError."""
        keys = self._in_file()
        if value is None and variable not in keys:
            return
        keys = {name: key for name, key in keys.items() if name != variable}
        if value is not None:
            keys[variable] = value
        if not keys:
            self._file.unlink(missing_ok=True)
            return
        handle, fresh = tempfile.mkstemp(dir=self._file.parent, prefix=f".{FILE}-")  # 0600 from the start
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(keys, out)
                out.flush()
                os.fsync(out.fileno())
            os.replace(fresh, self._file)
        except BaseException:
            os.unlink(fresh)
            raise


def account(variable: str, owner: str) -> str:
    """A key's name in the keychain. `owner` is the data directory's: apps with different ones don't share keys."""
    return f"{variable} {owner}"


def to_keychain(name: str, value: str) -> None:
    """Save a key in the keychain. Raises: the keychain's exceptions; RuntimeError when it returns another value."""
    import keyring

    keyring.set_password(SERVICE, name, value)
    if keyring.get_password(SERVICE, name) != value:
        raise RuntimeError("the keychain returned another value")


class WithKeys(Mapping[str, str]):
    """The daemon's environment, with saved keys for the variables that it lacks."""

    def __init__(self, environment: Mapping[str, str], keys: Keys) -> None:
        self._environment = environment
        self._keys = keys

    def __getitem__(self, name: str) -> str:
        saved = None if is_given(self._environment, name) else self._keys.value(name)
        return self._environment[name] if saved is None else saved

    def __iter__(self) -> Iterator[str]:
        yield from self._environment
        yield from (
            name
            for name in KEYED
            if name not in self._environment and not is_given(self._environment, name) and self._keys.value(name)
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


def is_given(environment: Mapping[str, str], variable: str) -> bool:
    """Whether the environment has a provider's key, under one of its names."""
    provider = PROVIDERS.get(KEYED.get(variable, ""))
    names = (variable, provider.key_too if provider is not None else None)
    return any(name and addresses.unwrap(environment.get(name, "")) for name in names)


def variable_of(provider: str) -> str:
    """The environment variable of a provider's key. Raises: NotFound, InvalidShape."""
    known = PROVIDERS.get(provider)
    if known is None:
        raise NotFound(f"no such provider: {provider[:100]!r}", hint=f"providers: {', '.join(PROVIDERS)}")
    if not known.key:
        raise InvalidShape(f"{provider} does not use a key")
    return known.key


def why_unprotected() -> str | None:
    """Why no keychain protects a key; None when one does. Imports `keyring`."""
    if sys.platform.startswith("linux") and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return "no system keychain was found (there is no session bus)"
    try:
        import keyring
        from keyring.backends import SecretService, Windows, kwallet, libsecret, macOS
    except ImportError:
        return "the keyring package is not installed"
    safe = (
        *(SecretService.Keyring, libsecret.Keyring, macOS.Keyring, Windows.WinVaultKeyring),
        *(kwallet.DBusKeyring, kwallet.DBusKeyringKWallet4),
    )
    backend: Any = keyring.get_keyring()
    parts = getattr(backend, "backends", [backend])
    if not parts or not isinstance(parts[0], safe):
        return "this system's keychain is not known to protect keys"
    return None
