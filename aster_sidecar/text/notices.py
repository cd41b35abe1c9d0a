"""Notices in a conversation that several programs write in the same words."""

from __future__ import annotations


def compacted(before: int, after: int) -> str:
    """The notice about a compaction of the model's history; shells/client/src/fold.ts has the same text."""
    if after < before:
        return f"Earlier messages were summarised for the model ({before} became {after})."
    return "Earlier messages were shortened for the model."
