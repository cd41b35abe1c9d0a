"""Secrets that the user saved, by name: in the system's keychain, else in a file that the API reports as unprotected.

The keychain is read once, in a thread, when the secrets are first needed, because the system may ask the user for
permission. The store knows which secrets there are, and where, without reading it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from aster_sidecar import clock
from aster_sidecar.errors import InvalidShape, StoreError
from aster_sidecar.publisher import Publisher
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.meta import forget, remember, select_remembered
from aster_sidecar.text.json_text import parse_object

log = logging.getLogger(__name__)

SERVICE = "aster-sidecar"
FILE = "keys.json"
OWNER = "keys_owner"
ANSWER_S = 20.0
"""Longest wait for the keychain, which may be asking the user."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
MOST_BYTES = 16 * 1024
"""The longest secret, in UTF-8."""
Place = Literal["keychain", "file"]


class SecretStorage:
    """Where secrets are saved. All `KeptSecrets` of a data directory share one, because they share its file."""

    def __init__(self, journal: Journal, directory: Path) -> None:
        self._journal = journal
        self._file = directory / FILE
        self.changing = asyncio.Lock()
        """Held while a secret is saved or deleted."""

    @cached_property
    def why_no_keychain(self) -> str | None:
        """Why secrets are saved in a file; None when a keychain is used. The first use blocks for an import."""
        return why_unprotected()

    @property
    def owner(self) -> str | None:
        """The data directory's part of names in the keychain; None before the first secret was saved."""
        return self._journal.recall(OWNER)

    async def read(self, name: str, place: Place, owner: str) -> str | None:
        """A saved secret; None if it is not there. Raises: TimeoutError, the keychain's exceptions."""
        async with asyncio.timeout(ANSWER_S):
            return await asyncio.to_thread(self._read, name, place, owner)

    def _read(self, name: str, place: Place, owner: str) -> str | None:
        if place == "file":
            return self._in_file().get(name)
        import keyring

        return keyring.get_password(SERVICE, account(name, owner))

    def _in_file(self) -> dict[str, str]:
        with contextlib.suppress(OSError, ValueError):
            saved = parse_object(self._file.read_text("utf-8"))
            return {name: value for name, value in saved.items() if isinstance(value, str)}
        return {}

    async def write(self, name: str, value: str, owner: str) -> Place:
        """Save a secret; returns where. Raises: StoreError."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if await asyncio.to_thread(lambda: self.why_no_keychain) is None:
                    await asyncio.to_thread(to_keychain, account(name, owner), value)
                    await asyncio.to_thread(self._change_file, name, None)
                    return "keychain"
        except Exception as error:  # locked, refused by the user, or gone
            log.warning("the keychain did not save %s (%s): it is saved in a file", name, type(error).__name__)
        try:
            await asyncio.to_thread(self._change_file, name, value)
        except OSError as error:
            raise StoreError(f"{name} could not be saved: {error.strerror}") from error
        return "file"

    async def erase(self, name: str, owner: str) -> None:
        """Delete a secret from the file and the keychain. Raises: StoreError."""
        try:
            await asyncio.to_thread(self._erase, name, owner)
        except OSError as error:
            raise StoreError(f"{name} could not be deleted: {error.strerror}") from error

    def _erase(self, name: str, owner: str) -> None:
        self._change_file(name, None)
        if self.why_no_keychain is None:
            import keyring
            from keyring.errors import KeyringError

            with contextlib.suppress(KeyringError):
                keyring.delete_password(SERVICE, account(name, owner))

    def _change_file(self, name: str, value: str | None) -> None:
        """Save a secret in the file, or delete it (None). The file is replaced as a whole. Raises: OSError."""
        secrets = self._in_file()
        if value is None and name not in secrets:
            return
        secrets = {other: secret for other, secret in secrets.items() if other != name}
        if value is not None:
            secrets[name] = value
        if not secrets:
            self._file.unlink(missing_ok=True)
            return
        handle, fresh = tempfile.mkstemp(dir=self._file.parent, prefix=f".{FILE}-")  # 0600 from the start
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(secrets, out)
                out.flush()
                os.fsync(out.fileno())
            os.replace(fresh, self._file)
        except BaseException:
            os.unlink(fresh)
            raise


class KeptSecrets:
    """Saved secrets by name, for example `mcp.SERVER.KEY`. `learn` gets each one, so that logs can mask it.

    `kind` is the beginning of their rows in the store: `key` for the keys of providers. `wanted` says which ones `load`
    reads.
    """

    def __init__(
        self,
        journal: Journal,
        storage: SecretStorage,
        learn: Callable[[str], None],
        kind: Literal["key", "secret"] = "secret",
        wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self._journal = journal
        self._storage = storage
        self._learn = learn
        self._kind = kind
        self._wanted = wanted
        self.changed: Publisher[[]] = Publisher()
        """Publishes after a secret was saved or deleted."""
        self._values: dict[str, str] = {}
        self._loading: asyncio.Task[None] | None = None

    # -- reading -------------------------------------------------------------------------------------------------------

    def value(self, name: str) -> str | None:
        """A saved secret; None before `load` has read it, or if the keychain did not return it."""
        return self._values.get(name)

    def place(self, name: str) -> Place | None:
        """Where a secret is saved; None when it is not."""
        stored = self._journal.recall(self._row(name))
        return stored if stored in ("keychain", "file") else None  # type: ignore[return-value]

    def names(self) -> list[str]:
        """The names of the saved secrets, in alphabetical order."""
        return [name for name in self._journal.rows(select_remembered(self._row(""))) if self.place(name) is not None]

    def _row(self, name: str) -> str:
        return f"{self._kind}:{name}"

    async def load(self) -> None:
        """Read the saved secrets, once. One that the keychain does not return is treated as missing."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        owner = self._storage.owner
        for name in self.names():
            place = self.place(name)
            if place is None or owner is None or not self._wanted(name):
                continue
            try:
                value = await self._storage.read(name, place, owner)
            except Exception as error:  # each keychain has exceptions of its own
                log.warning("the saved %s could not be read (%s)", name, type(error).__name__)
                continue
            if value:
                self._hold(name, value)

    def _hold(self, name: str, value: str) -> None:
        self._values[name] = value
        for part in (value, *value.split()):  # the token of "Bearer TOKEN" is also a secret
            self._learn(part)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def put(self, name: str, value: str) -> Place:
        """Save a secret; returns where. Raises: InvalidShape, StoreError."""
        check(name, value)
        async with self._storage.changing:
            await self.load()
            owner = self._storage.owner or clock.new_id("keys")
            place = await self._storage.write(name, value, owner)
            self._hold(name, value)
            self.changed.publish()
            await self._journal.record(writes=[remember(OWNER, owner), remember(self._row(name), place)])
            return place

    async def drop(self, name: str) -> bool:
        """Delete a saved secret; returns whether there was one. Raises: StoreError."""
        async with self._storage.changing:
            owner = self._storage.owner
            if self.place(name) is None or owner is None:
                return False
            await self.load()
            await self._storage.erase(name, owner)
            self._values.pop(name, None)
            self.changed.publish()
            await self._journal.record(writes=[forget(self._row(name))])
            return True


def check(name: str, value: str) -> None:
    """Raises: InvalidShape, which does not quote the value, if one can't be saved."""
    if not NAME.fullmatch(name):
        raise InvalidShape(f"{name[:100]!r} is no name of a secret", hint="allowed: 1 to 200 of A-Z, a-z, 0-9, ., _, -")
    if not value.strip() or len(value.encode("utf-8", "replace")) > MOST_BYTES:
        raise InvalidShape(f"{name}: the value is blank or too long", hint=f"allowed: 1 to {MOST_BYTES} bytes")
    if not value.isprintable():
        raise InvalidShape(
            f"{name}: the value contains a line break or another character that cannot be printed",
            hint="give nothing but the secret, in one line",
        )


def account(name: str, owner: str) -> str:
    """A secret's name in the keychain. `owner` is the data directory's: apps with different ones share no secrets."""
    return f"{name} {owner}"


def to_keychain(name: str, value: str) -> None:
    """Save a secret in the keychain. Raises: the keychain's exceptions; RuntimeError when it returns another value."""
    import keyring

    keyring.set_password(SERVICE, name, value)
    if keyring.get_password(SERVICE, name) != value:
        raise RuntimeError("the keychain returned another value")


def why_unprotected() -> str | None:
    """Why no keychain protects a secret; None when one does. Imports `keyring`."""
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
