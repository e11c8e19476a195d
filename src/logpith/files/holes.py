"""Holes: runs of NULs that a crash left behind a log's last line, or a truncation before its next one.

They belong to no line. Blocks are cut around them; what was passed over is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from logpith.files.encoding import NUL_RUN_BYTES
from logpith.scan.records import PADDING

if TYPE_CHECKING:
    from logpith.files.text import Block

_NEWLINE = 10
# Every run of NUL_RUN_BYTES holds a whole step, wherever it begins.
_STEP = NUL_RUN_BYTES // 2


class BlocksAroundHoles:
    """The blocks of a text without the holes in them."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks = blocks
        self.passed_bytes = 0
        """How many NULs stood in holes so far."""

    def __iter__(self) -> Iterator[Block]:
        for block in self._blocks:
            begin = 0
            for low, high in holes(block.buf, block.end):
                self.passed_bytes += high - low
                if low > begin:
                    yield _part(block, begin, low)
                begin = high
            # The newline that a text without one was given is no line of its own.
            if not begin:
                yield block
            elif begin < block.end and bytes(block.buf[begin : block.end]) != b"\n":
                yield _part(block, begin, block.end)

    def in_words(self) -> str:
        """What was passed over, or nothing."""
        return f"{self.passed_bytes:,} NUL bytes passed over" if self.passed_bytes else ""


def _part(block: Block, begin: int, end: int) -> Block:
    """Lines of `block`, as a block of their own: others may still read the buffer, so a newline goes into a copy."""
    buf = block.buf[begin:]
    if block.buf[end - 1] != _NEWLINE:
        buf = np.zeros(end - begin + 1 + PADDING, np.uint8)
        buf[: end - begin] = block.buf[begin:end]
        buf[end - begin] = _NEWLINE
        return replace(block, base=block.base + begin, buf=buf, end=end - begin + 1)
    return replace(block, base=block.base + begin, buf=buf, end=end - begin)


def holes(buf: NDArray[np.uint8], end: int) -> list[tuple[int, int]]:
    """Where in `buf[:end]` at least NUL_RUN_BYTES stand in a row, in order."""
    found: list[tuple[int, int]] = []
    behind = 0
    for hit in (np.flatnonzero(buf[:end:_STEP] == 0) * _STEP).tolist():
        if hit < behind:
            continue
        low = hit
        while low > behind and buf[low - 1] == 0:
            low -= 1
        high = _first_other(buf, hit, end)
        behind = high
        if high - low >= NUL_RUN_BYTES:
            found.append((low, high))
    return found


def _first_other(buf: NDArray[np.uint8], begin: int, end: int) -> int:
    """Where the run of NULs that `begin` lies in ends."""
    window = NUL_RUN_BYTES
    while begin < end:
        others = np.flatnonzero(buf[begin : min(begin + window, end)])
        if len(others):
            return begin + int(others[0])
        begin += window
        window *= 4
    return end
