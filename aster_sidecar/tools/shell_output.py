"""A command's output as a model gets it: as a terminal shows it at the end (`terminal_screen.py`), bounded, only text.

- Output is UTF-8; bytes that are not are U+FFFD. A run of binary data (executables, images, archives) is one line with
  its length.
- The beginning and the end are kept; of the rest only the length, so that memory stays bounded.
- Except for line ends and tabs, the result has no control characters.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from dataclasses import dataclass, field

from aster_sidecar.tools.terminal_screen import Screen

BLOCK_BYTES = 4096
"""Output is divided into blocks of this size; each is text or binary."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")
# Bytes that text does not have: all control characters but NUL (counted apart), BEL, BS, TAB, LF, VT, FF, CR, SO, SI
# and ESC.
_ODD = bytes((*range(1, 7), *range(16, 27), *range(28, 32), 127))
_NOT_TEXT = re.compile(rb"[\x00-\x06\x10-\x1a\x1c-\x1f\x7f]")
_NOT_ASCII_TEXT = re.compile(rb"[\x00-\x06\x10-\x1a\x1c-\x1f\x7f-\xff]")


class Rendered:
    """The output of one stream of a command: `feed` it, then call `text` once."""

    def __init__(self, head_bytes: int, tail_bytes: int) -> None:
        self._kept = Kept(head_bytes, tail_bytes)
        self._screen = Screen(self._kept.add)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._block = bytearray()
        self._binary: bytes | None = None
        """The last block if it is binary; its end may be text, which depends on the next block."""
        self._binary_bytes = 0

    def feed(self, data: bytes) -> None:
        """Add what the command wrote next."""
        self._block += data
        whole = len(self._block) - len(self._block) % BLOCK_BYTES
        if not whole:
            return
        blocks = bytes(self._block[:whole])
        del self._block[:whole]
        if self._binary is None and not _NOT_TEXT.search(blocks):
            self._show(blocks)
            return
        for start in range(0, whole, BLOCK_BYTES):
            self._sort(blocks[start : start + BLOCK_BYTES])

    def text(self) -> tuple[str, bool]:
        """The result, and whether something is left out of it; a line in it says how much."""
        self._sort(bytes(self._block))
        self._block.clear()
        self._end_binary()
        self._screen.write(self._decoder.decode(b"", final=True))
        self._screen.end()
        return self._kept.text()

    # -- text or not -----------------------------------------------------------------------------------------------

    def _sort(self, block: bytes) -> None:
        if not _is_binary(block, self._binary is not None):
            self._end_binary()
            self._show(block)
            return
        if self._binary is None:
            first = _NOT_TEXT.search(block)
            text = block[: block.rfind(b"\n", 0, first.start() if first else 0) + 1]
            self._show(text)
            block = block[len(text) :]
        self._binary = block
        self._binary_bytes += len(block)

    def _end_binary(self) -> None:
        """Show how much binary data there was, and then what follows its last byte that is not text."""
        if self._binary is None:
            return
        last = max((found.end() for found in _NOT_ASCII_TEXT.finditer(self._binary)), default=0)
        text = self._binary[last:] if b"\n" in self._binary[last:] else b""
        self._screen.write(self._decoder.decode(b"", final=True))
        self._screen.note(f"[binary output, {self._binary_bytes - len(text)} bytes]")
        self._binary, self._binary_bytes = None, 0
        self._show(text)

    def _show(self, data: bytes) -> None:
        self._screen.write(self._decoder.decode(data))


def _is_binary(block: bytes, follows_binary: bool) -> bool:
    """Whether a block is binary. Text in another encoding is not UTF-8, but has hardly any control characters."""
    nuls = block.count(0)
    odd = len(block) - len(block.translate(None, _ODD))
    if follows_binary:  # an executable has names and messages in it
        return (nuls + odd) * 100 > len(block)
    if nuls + odd < 32:
        return False
    undecodable = len(block) - len(block.decode("utf-8", "ignore").encode())
    mostly = (nuls + odd + undecodable) * 10 > len(block) * 3
    return mostly and (odd * 100 > len(block) or nuls * 10 > len(block) * 6)


@dataclass(slots=True)
class Kept:
    """The beginning and the end of the final text, as bytes, and the length of all of it."""

    head_bytes: int
    tail_bytes: int
    head: bytearray = field(default_factory=bytearray)
    tail: deque[bytes] = field(default_factory=deque[bytes])
    total: int = 0
    _tail_bytes: int = 0

    def add(self, text: str) -> None:
        """Append text, in which bytes that are not UTF-8 are lone surrogates."""
        data = text.encode("utf-8", "surrogateescape")
        self.total += len(data)
        room = self.head_bytes - len(self.head)
        self.head += data[:room]
        if rest := data[room:]:
            self.tail.append(rest)
            self._tail_bytes += len(rest)
            while self._tail_bytes - len(self.tail[0]) >= self.tail_bytes:
                self._tail_bytes -= len(self.tail.popleft())
        if len(self.tail) > 1000:  # many small pieces
            self.tail = deque((b"".join(self.tail)[-self.tail_bytes :],))
            self._tail_bytes = len(self.tail[0])

    def text(self) -> tuple[str, bool]:
        """The text, with a line in place of what is left out, and whether something is left out."""
        tail = b"".join(self.tail)[-self.tail_bytes :]
        left_out = self.total - len(self.head) - len(tail)
        if not left_out:
            return _without_controls((bytes(self.head) + tail).decode("utf-8", "replace")), False
        # Drop characters that were cut in two here: the command did not write U+FFFD.
        first = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self.head))
        last = re.sub(rb"\A[\x80-\xbf]{1,3}", b"", tail).decode("utf-8", "replace")
        text = f"{first}\n[... {left_out} bytes are left out here ...]\n{last}"
        return _without_controls(text), True


def _without_controls(text: str) -> str:
    """Remove controls that only joining the pieces made: of invalid bytes, or of half a line end."""
    return _CONTROLS.sub("", text)
