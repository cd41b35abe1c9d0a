"""SQL that several packages share."""

from __future__ import annotations

TRASHED = "SELECT session_id FROM trash"
"""The ids of the sessions in the trash, as SQL."""
