"""Arrival: what has come since somebody looked, in whatever order its times say.

Records come late and out of order, so their own times cannot tell what is new. In a store it is the moment at which
logpith met them; in files it is how many lines of each have been seen. A file is known by its inode: under the new name
that rotation gives it, it goes on where it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Source
from logpith.files.rotation import piece_of
from logpith.scan.timestamps import NO_TIME
from logpith_emit.errors import BadArgument

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = "[0-9a-z]{1,13}"
_OF_STORE = re.compile(rf"s({_NUMBER})\.({_NUMBER})")
_OF_FILES = re.compile(rf"f(-?{_NUMBER}|o)((?:\.[0-9a-f]{{4}}{_NUMBER})*)")


@dataclass(frozen=True)
class Position:
    """How far somebody has come."""

    observed_ns: int = 0
    """In a store: when the last of the records that were seen was met."""

    seen: int = 0
    """How many of those that were met at that moment have been seen."""

    lines: Mapping[str, int] | None = None
    """In files: by the key of each the lines that were seen."""

    newest_ns: int | None = None
    """The last time that was seen."""

    def spelled(self) -> str:
        """As text that `read_position` reads."""
        if self.lines is None:
            return f"s{_base36(self.observed_ns)}.{_base36(self.seen)}"
        newest = "o" if self.newest_ns is None else _base36(self.newest_ns)
        return f"f{newest}" + "".join(f".{key}{_base36(lines)}" for key, lines in self.lines.items())


def read_position(text: str) -> Position:
    """The position that a text spells.

    Raises:
        BadArgument: it spells none.
    """
    if match := _OF_STORE.fullmatch(text):
        return Position(observed_ns=int(match[1], 36), seen=int(match[2], 36))
    if match := _OF_FILES.fullmatch(text):
        parts = match[2].split(".")[1:]
        newest = None if match[1] == "o" else int(match[1], 36)
        return Position(lines={part[:4]: int(part[4:], 36) for part in parts}, newest_ns=newest)
    raise BadArgument("this is no cursor of tail_logs", remedy="Copy it from the answer before")


def position_of(corpus: Corpus) -> Position:
    """Behind all that is there now."""
    if corpus.is_stored:
        last = max((source.text.changed_ns for source in corpus.sources), default=0)
        _, observed = _met_from(corpus, last)
        return Position(observed_ns=last, seen=int((observed == last).sum()))
    span = corpus.span_ns
    lines = {source.key: source.lines for source in corpus.sources}
    return Position(lines=lines, newest_ns=span[1] if span else None)


def arrived_after(corpus: Corpus, position: Position) -> NDArray[np.int64]:
    """The records that came behind a position, in the order in which they came.

    Those of a source that nobody knew are all new; but what rotation has packed meanwhile was seen when it was not
    packed, but for what its times say came later.
    """
    if corpus.is_stored:
        records, observed = _met_from(corpus, position.observed_ns)
        return records[min(position.seen, int((observed == position.observed_ns).sum())) :]
    seen = position.lines or {}
    return np.concatenate(
        [np.empty(0, np.int64), *(_new_in(source, seen, position.newest_ns) for source in corpus.sources)]
    )


def positions_behind(corpus: Corpus, records: NDArray[np.int64], start: Position) -> list[Position]:
    """The position behind each of some records that came after `start`, in the order of `arrived_after`."""
    if corpus.is_stored:
        return _positions_in_store(corpus, records, start)
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


def _met_from(corpus: Corpus, from_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The records of a store that were met at a moment or later, and when, in the order in which they were met.

    Only segments with such records are read.
    """
    records, observed = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for source in corpus.sources:
        if source.text.changed_ns >= from_ns:
            moments = source.table.columns["observed_ns"]
            own = np.flatnonzero(moments >= from_ns)
            records.append(own + source.first)
            observed.append(moments[own])
    numbers, met = np.concatenate(records), np.concatenate(observed)
    # Of those that were met at one moment the times decide: putting segments together leaves that order.
    order = np.lexsort((numbers, corpus.columns.time_ns[numbers], met))
    return numbers[order], met[order]


def _positions_in_store(corpus: Corpus, records: NDArray[np.int64], start: Position) -> list[Position]:
    numbers, met = _met_from(corpus, start.observed_ns)
    begins = np.searchsorted(met, met)
    place_of = dict(zip(numbers.tolist(), range(len(numbers)), strict=True))
    places = [place_of[record] for record in records.tolist()]
    return [Position(observed_ns=int(met[place]), seen=place - int(begins[place]) + 1) for place in places]


def _base36(number: int) -> str:
    if number < 0:
        return f"-{_base36(-number)}"
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
