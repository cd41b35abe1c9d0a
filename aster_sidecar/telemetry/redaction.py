"""Masks secrets in text: those that this daemon was given, and text that looks like a secret.

The shells' supervisors do the same in TypeScript and Rust; all three are tested with
`shells/conformance/redaction.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from aster_sidecar.telemetry.secret_words import SECRET_WORDS, SHORTEST
from aster_sidecar.text import addresses

MASK = "[secret]"

NAMES = re.compile("|".join(rf"{word}\b" if word.startswith("_") else word for word in SECRET_WORDS), re.IGNORECASE)
"""Names of variables with secret values."""
SECRET_SHAPES = re.compile(
    r"""
    -----BEGIN[ A-Z]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    | \b(?:sk|pk|rk|sess|key)-[A-Za-z0-9_-]{12,}
    | \b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hf_|npm_|pypi-|AIza|ya29\.|SG\.)[A-Za-z0-9_.-]{10,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{12,}
    | \beyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*
    | (?<=://)[^\s/@:'"]*:[^\s/@'"]+(?=@)
    | \b(?:[Bb]earer|BEARER|Basic)\s+[A-Za-z0-9._~+/=-]{8,}
    | (?i:(?:api[_-]?key|authorization|password|passwd|passphrase|secret|access[_-]?token|cookie
      | (?<![\w-])[\w-]*_token))
      ["']?\s*[:=]\s*["']?(?i:bearer\s+|basic\s+)?[^\s"',;}]{4,}
    """,
    re.VERBOSE | re.DOTALL,
)
"""Text that looks like a secret."""


class Redactor:
    """Masks a set of known secrets, and everything that matches SECRET_SHAPES."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on, also in their JSON and URL encodings."""
        for secret in secrets:
            if len(secret.strip()) >= SHORTEST:
                self._known |= {secret.strip(), quote(secret.strip(), safe=""), json.dumps(secret.strip())[1:-1]}
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def clean(self, text: str) -> str:
        """The text with every secret masked."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return SECRET_SHAPES.sub(MASK, text)


def secrets_of(environment: Mapping[str, str]) -> Iterator[str]:
    """The secrets in environment variables: values of variables with such names, and passwords in addresses."""
    for name, value in environment.items():
        if NAMES.search(name):
            yield from (value, addresses.unwrap(value))  # as it was entered, and as it is sent
            yield from re.split(r"[=,\s]+", value)  # OTEL_EXPORTER_OTLP_HEADERS="name=value,name=value"
        elif "@" in value:
            for address in (value, addresses.unwrap(value)):
                yield from passwords(address if "://" in address else f"//{address}")


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable contains a secret, by its name or value. A path is not secret, even if the file is."""
    return not value.startswith(("/", "~")) and any(secrets_of({name: value}))


def passwords(address: str) -> Iterator[str]:
    """The password in an address, as written and decoded."""
    try:
        found = urlsplit(address).password
    except ValueError:
        return
    if found:
        yield from (found, unquote(found))


def secrets_in(servers: Any) -> Iterator[str]:
    """The secrets in the tables `mcp` and `services`: the values of `env` and `headers`, also without `Bearer`."""
    for table in servers.values() if isinstance(servers, dict) else ():  # pyright: ignore[reportUnknownVariableType]
        for key in ("env", "headers"):
            values: Any = table.get(key, {}) if isinstance(table, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            for value in values.values() if isinstance(values, dict) else ():  # pyright: ignore[reportUnknownVariableType]
                if isinstance(value, str):
                    yield value
                    yield from value.split()
