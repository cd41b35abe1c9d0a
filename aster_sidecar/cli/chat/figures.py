"""Counts, times, durations and sizes as chat's texts write them, in the same way as the web UI."""

from __future__ import annotations

from datetime import datetime


def times(value: int, one: str, many: str | None = None) -> str:
    """A number of things, such as `1 token` or `1,200 tokens`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def local_time(stamp: str) -> str:
    """An ISO 8601 time in this machine's time zone, to the minute."""
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")


def duration(ms: float) -> str:
    """Milliseconds as `12 ms`, `3.4 s`, `34 s` or `2 min 5 s`."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def size(value: int) -> str:
    """Bytes as `12 B`, `3.4 KiB` or `5.6 MiB`."""
    if value < 1024:
        return f"{value} B"
    return f"{value / 1024:.1f} KiB" if value < 1 << 20 else f"{value / (1 << 20):.1f} MiB"


def sentence(text: str) -> str:
    """The daemon's words as a sentence: with a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith((".", "!", "?", "…")) else ".")
