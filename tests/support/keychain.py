"""A keychain in memory, of a class that the daemon takes for a safe one, and a system without a keychain."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from types import TracebackType
from typing import Any

import keyring
import pytest
from keyring.backends import SecretService, fail
from keyring.errors import KeyringLocked, PasswordDeleteError


@contextlib.contextmanager
def without_keychain() -> Generator[None]:
    """No keychain, also where the system has one."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    try:
        yield
    finally:
        keyring.set_keyring(before)


class Keychain:
    """The system's keychain, until the `with` block ends."""

    class Backend(SecretService.Keyring):
        """What keyring calls."""

        keychain: Keychain

        def get_password(self, service: str, username: str) -> str | None:
            self.keychain.asked(username)
            self.keychain.reads.append(username)
            return self.keychain.saved.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.keychain.asked(username)
            self.keychain.saved[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            if self.keychain.saved.pop((service, username), None) is None:
                raise PasswordDeleteError(username)

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.saved: dict[tuple[str, str], str] = {}
        """Service and account → value."""
        self.reads: list[str] = []
        """The accounts that were read."""
        self.refused: str | None = None
        """The name of a secret that the user does not allow."""
        self.answer: threading.Event | None = None
        """When the user answers; None: at once."""
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")

    def asked(self, account: str) -> None:
        if self.answer is not None:
            assert self.answer.wait(60)
        if self.refused is not None and account.split()[0] == self.refused:
            raise KeyringLocked("refused")

    def __enter__(self) -> Keychain:
        backend: Any = self.Backend()
        backend.keychain = self
        self._before = keyring.get_keyring()
        keyring.set_keyring(backend)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keyring.set_keyring(self._before)
