"""The words in the names of variables with secret values. Imports nothing: every start of a command needs them."""

from __future__ import annotations

SECRET_WORDS = (
    *("KEY", "TOKEN", "SECRET", "PASSW", "PASSPHRASE", "CREDENTIAL", "AUTH", "COOKIE", "PRIVATE", "HEADERS"),
    *("_PAT", "_DSN"),
)
"""Parts of names. Those that begin with an underscore count at the end of a word only."""
SHORTEST = 8
"""The fewest characters of a value that is masked; shorter ones occur in ordinary text."""
