"""Colours: what programs write for a terminal, taken out before a text is read, and the places put back behind it.

A colour is a sequence `ESC [ numbers m`, or `K`, which clears the rest of a line and comes with it. Levels and times
are often painted, so nothing would be found where it is looked for. Nothing else here knows of colours: the scan
is given a text that has none, and what it tells of places is moved to where they are in the text as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel

ESCAPE = 27
_COLOUR = re.compile(r"\x1b\[[0-9;:]*[mK]")
_COLOUR_BYTES = re.compile(_COLOUR.pattern.encode())


def without_colours(text: str) -> str:
    """`text` as it looks where there are no colours."""
    return _COLOUR.sub("", text) if "\x1b" in text else text


def bytes_without_colours(text: bytes) -> bytes:
    """`text` as it looks where there are no colours."""
    return _COLOUR_BYTES.sub(b"", text) if b"\x1b" in text else text


@dataclass(frozen=True)
class Plain:
    """A text without its colours, and where they were."""

    buf: NDArray[np.uint8]
    end: int
    """The text is `buf[:end]`; what is behind it is padding."""

    cuts: NDArray[np.int64]
    """The place in this text of each colour taken out, ascending."""

    before: NDArray[np.int64]
    """What to add to a place behind none, the first, the first two … of the cuts."""

    def places_before(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where `places` are in the text with colours: before the ones that stand there."""
        return places + self.before[np.searchsorted(self.cuts, places, side="left")]

    def places_behind(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where `places` are in the text with colours: behind the ones that stand there."""
        return places + self.before[np.searchsorted(self.cuts, places, side="right")]


@kernel
def _take_out(buf: Any, start: int, end: int, text: Any, cuts: Any, before: Any) -> Any:
    """(bytes, colours): writes `buf[start:end]` without colours into `text`, and where they were."""
    size = 0
    count = 0
    before[0] = start
    i = start
    while i < end:
        if buf[i] == 27 and i + 1 < end and buf[i + 1] == 91:
            at = i + 2
            while at < end and 48 <= buf[at] <= 59:  # digits, : and ;
                at += 1
            if at < end and (buf[at] == 109 or buf[at] == 75):
                at += 1
                cuts[count] = size
                before[count + 1] = before[count] + at - i
                count += 1
                i = at
                continue
        text[size] = buf[i]
        size += 1
        i += 1
    return size, count


def take_out_colours(buf: NDArray[np.uint8], start: int, end: int, padding: int) -> Plain:
    """`buf[start:end]` without its colours, with `padding` spare bytes behind it."""
    most = int(np.count_nonzero(buf[start:end] == ESCAPE))
    text = np.zeros(end - start + padding, np.uint8)
    cuts = np.empty(most, np.int64)
    before = np.empty(most + 1, np.int64)
    size, count = _take_out(buf, start, end, text, cuts, before)
    text[size : size + padding] = 0
    return Plain(text[: size + padding], size, cuts[:count], before[: count + 1])
