"""SQL fragments that several packages share."""

from __future__ import annotations

TRASHED = "SELECT session_id FROM trash"
"""A query for the ids of the sessions in the trash."""
