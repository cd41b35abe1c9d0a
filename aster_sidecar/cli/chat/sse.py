"""Parses server-sent events from text in pieces of any size. `connection` and `one_shot` use it."""

from __future__ import annotations

from collections.abc import Iterator


class Frames:
    """The frames of one stream, from its text."""

    def __init__(self) -> None:
        self._rest = ""
        self._id = ""
        self._data: list[str] = []

    def feed(self, piece: str) -> Iterator[tuple[str, str]]:
        """The frames that this piece completes and that have data, as (id, data); the id is "" without one.

        A line ends with a line feed only: U+2028 and similar characters occur in texts.
        """
        *ended, self._rest = (self._rest + piece).split("\n")
        for line in ended:
            name, _, value = line.removesuffix("\r").partition(":")
            value = value.removeprefix(" ")
            if not line.removesuffix("\r"):
                if self._data:
                    yield self._id, "\n".join(self._data)
                self._id, self._data = "", []
            elif name == "id":
                self._id = value
            elif name == "data":
                self._data.append(value)
