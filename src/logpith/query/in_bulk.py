"""Asking RE2 about many lines at once: nearly all of its time for a line goes into being called."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Search = Callable[[bytes, int], Any]
"""(text, place to begin at) → a match, or None."""

AT_ONCE_BYTES = 64 << 10
"""What is looked at in one call, which bounds how far a match that begins in one line can go on."""


def pieces(borders: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first line, the one behind the last) of each piece of a text that is looked at in one call.

    `borders` are where lines begin, and the end of the text.
    """
    first = 0
    while first < len(borders) - 1:
        last = max(first + 1, bisect_right(borders, borders[first] + AT_ONCE_BYTES) - 1)
        yield first, last
        first = last


def lines_with_match(search: Search, text: bytes, begins: Sequence[int]) -> Iterator[int]:
    """The numbers of the lines that begin at these places in which a match begins.

    Each line that has a match in itself is among them, but for patterns that ask for the beginning or the end of a
    text; a line whose match goes on into the next one is too.
    """
    line = 0
    while line < len(begins) and (match := search(text, begins[line])) is not None:
        line = bisect_right(begins, match.start())
        yield line - 1
