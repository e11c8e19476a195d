"""Arrival: what has come since somebody looked, in whatever order its times say.

Records come late and out of order, so no time can tell what is new. Where a corpus numbers its records as they arrive
(`columns.arrival`, as a store does), the highest number is how far one has come; in files it is how many lines of each
have been seen. A file is known by its inode: under the new name that rotation gives it, it goes on where it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Source
from logpith.files.rotation import piece_of
from logpith.scan.timestamps import NO_TIME
from logpith_emit.errors import BadArgument

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = "[0-9a-z]{1,13}"
_OF_STORE = re.compile(rf"s({_NUMBER})")
_OF_FILES = re.compile(rf"f(-?{_NUMBER}|o)((?:\.[0-9a-f]{{4}}{_NUMBER})*)")


@dataclass(frozen=True)
class Position:
    """How far somebody has come."""

    number: int | None = None
    """The highest number of an arrived record, where records are numbered."""

    lines: Mapping[str, int] | None = None
    """Else by the key of each source the lines that were seen."""

    newest_ns: int | None = None
    """The last time that was seen."""

    def spelled(self) -> str:
        """As text that `read_position` reads."""
        if self.lines is None:
            return f"s{_base36(self.number or 0)}"
        newest = "o" if self.newest_ns is None else _base36(self.newest_ns)
        return f"f{newest}" + "".join(f".{key}{_base36(lines)}" for key, lines in self.lines.items())


def read_position(text: str) -> Position:
    """The position that a text spells.

    Raises:
        BadArgument: it spells none.
    """
    if match := _OF_STORE.fullmatch(text):
        return Position(number=int(match[1], 36))
    if match := _OF_FILES.fullmatch(text):
        parts = match[2].split(".")[1:]
        newest = None if match[1] == "o" else int(match[1], 36)
        return Position(lines={part[:4]: int(part[4:], 36) for part in parts}, newest_ns=newest)
    raise BadArgument("this is no cursor of tail_logs", remedy="Copy it from the answer before")


def position_of(corpus: Corpus) -> Position:
    """Behind all that is there now."""
    numbers = _numbers(corpus)
    if numbers is not None:
        return Position(number=int(numbers.max(initial=0)))
    span = corpus.span_ns
    lines = {source.key: source.lines for source in corpus.sources}
    return Position(lines=lines, newest_ns=span[1] if span else None)


def arrived_after(corpus: Corpus, position: Position) -> NDArray[np.int64]:
    """The records that came behind a position, in the order in which they came.

    Those of a source that nobody knew are all new; but what rotation has packed meanwhile was seen when it was not
    packed, but for what its times say came later.
    """
    numbers = _numbers(corpus)
    if numbers is not None:
        new = np.flatnonzero(numbers > (position.number or 0))
        return new[np.argsort(numbers[new], kind="stable")]
    seen = position.lines or {}
    return np.concatenate(
        [np.empty(0, np.int64), *(_new_in(source, seen, position.newest_ns) for source in corpus.sources)]
    )


def positions_behind(corpus: Corpus, records: NDArray[np.int64], start: Position) -> list[Position]:
    """The position behind each of some records that came after `start`, in the order of `arrived_after`."""
    numbers = _numbers(corpus)
    if numbers is not None:
        return [Position(number=int(number)) for number in numbers[records].tolist()]
    seen = dict(start.lines or {})
    known = dict(seen)
    positions = []
    for record in records.tolist():
        source = corpus.source_of(record)
        own = record - source.first
        line = source.table.columns["line"]
        behind = int(line[own + 1]) - 1 if own + 1 < len(line) else source.lines
        known[source.key] = behind
        positions.append(Position(lines=dict(known), newest_ns=start.newest_ns))
    return positions


def _new_in(source: Source, seen: Mapping[str, int], newest_ns: int | None) -> NDArray[np.int64]:
    columns = source.table.columns
    known = seen.get(source.key)
    if known is not None:
        # Fewer lines than were seen: it was truncated, and what is there now is new.
        first = int(np.searchsorted(columns["line"], known, side="right")) if known <= source.lines else 0
        return np.arange(source.first + first, source.first + source.records)
    own = np.arange(source.first, source.first + source.records)
    if newest_ns is not None and not piece_of(source.name.rpartition("/")[2]).is_live:
        times = columns["time_ns"]
        later: NDArray[np.int64] = own[(times > newest_ns) & (times != NO_TIME)]
        return later
    return own


def _numbers(corpus: Corpus) -> NDArray[np.int64] | None:
    """The numbers of the records as they arrived; None where nobody has counted."""
    return cast("NDArray[np.int64] | None", getattr(corpus.columns, "arrival", None))


def _base36(number: int) -> str:
    if number < 0:
        return f"-{_base36(-number)}"
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
