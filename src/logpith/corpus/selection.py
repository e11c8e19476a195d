"""A selection: the records that a question is about, and what is counted about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from logpith.answer import Coverage
from logpith.corpus.records import Corpus
from logpith.corpus.select import read_query, select, unknown_fields
from logpith.corpus.some import Some
from logpith.query import parse
from logpith.quote import Quoter
from logpith.scan.tally import DISORDERED, SEVERITIES, SLICES, Tally, tally, time_ranks
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import TimeRange, format_ns, parse_range, parse_time


@dataclass(frozen=True)
class Selection:
    """Some records of a corpus, or all. Columns have one entry for each of them, in their order."""

    corpus: Corpus
    chosen: NDArray[np.int64] | None = None
    """Numbers of the records, ascending; None means all of them."""

    notes: tuple[str, ...] = ()
    """What whoever wrote the query should know."""

    def __len__(self) -> int:
        return len(self.corpus) if self.chosen is None else len(self.chosen)

    @cached_property
    def records(self) -> NDArray[np.int64]:
        """Numbers of the records, ascending."""
        return np.arange(len(self.corpus)) if self.chosen is None else self.chosen

    @cached_property
    def time_ns(self) -> NDArray[np.int64]:
        """UTC; NO_TIME where unknown."""
        return self.corpus.columns.time_ns if self.chosen is None else self._some.time_ns

    @cached_property
    def severity(self) -> NDArray[np.uint8]:
        """OpenTelemetry's numbers; 0 unknown."""
        return self.corpus.severity if self.chosen is None else self._some.severity

    @cached_property
    def template(self) -> NDArray[np.int32]:
        """Places in `corpus.templates.templates`; -1 for a record without one."""
        return self.corpus.template if self.chosen is None else self._some.template

    @cached_property
    def shape(self) -> NDArray[np.int32]:
        """Places in `corpus.shapes`; -1 for a record without one."""
        return self.corpus.columns.shape if self.chosen is None else self._some.shape

    @cached_property
    def origin(self) -> NDArray[np.int32]:
        """Places in `corpus.origins`."""
        return self.corpus.columns.origin if self.chosen is None else self._some.origin

    @cached_property
    def tally(self) -> Tally:
        """Counts, first and last record, period and severities of each template; places are of this selection."""
        if self.chosen is None:
            return self.corpus.tally
        return self._tally_by(self.template, len(self.corpus.templates.templates))

    @cached_property
    def shape_tally(self) -> Tally:
        """As `tally`, of each shape."""
        if self.chosen is None:
            return self.corpus.shape_tally
        return self._tally_by(self.shape, len(self.corpus.shapes))

    def _tally_by(self, group: NDArray[np.int32], groups: int) -> Tally:
        return tally(group, groups, self.time_ns, self.severity, self._ranks)

    @cached_property
    def _ranks(self) -> NDArray[np.int32] | None:
        """The order of time, where the records of a part do not stand in it."""
        in_order = len(self.corpus.sources) == 1 and not self.corpus.sources[0].table.times[DISORDERED]
        return None if in_order else time_ranks(self.time_ns)

    def shares(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where in the order of time some records stand, from 0 to 1: each in its log, or in this part of all.

        To a slice (`scan/tally.py`) where a log is not in order: sorting all of it would take long.
        """
        if self.chosen is not None:
            return (places if self._ranks is None else self._ranks[places]) / max(len(self), 1)
        shares = np.empty(len(places), np.float64)
        for source in self.corpus.sources:
            inside = slice(*np.searchsorted(places, (source.first, source.first + source.records)).tolist())
            own = places[inside] - source.first
            low, high = source.share
            within = own / max(source.records, 1)
            if len(own) and source.table.times[DISORDERED]:
                times = source.table.columns["time_ns"][own]
                slices = np.searchsorted(source.table.slice_times, times, side="right") - 1
                within = np.where(times == NO_TIME, within, (np.maximum(slices, 0) + 0.5) / SLICES)
            shares[inside] = low + within * (high - low)
        return shares

    def first_from(self, places: NDArray[np.int64], share: float) -> int | None:
        """Of some records, by their places, the first in time that stands at `share` of its log or behind it.

        A share counts records in the order of time: of each log by itself, or of all that were chosen.
        """
        if self.chosen is not None:
            ranks = places if self._ranks is None else self._ranks[places]
            behind = np.flatnonzero(ranks >= share * len(self))
            return int(places[behind[np.argmin(ranks[behind])]]) if len(behind) else None
        found: list[tuple[int, int]] = []
        for source in self.corpus.sources:
            inside = slice(*np.searchsorted(places, (source.first, source.first + source.records)).tolist())
            own = places[inside] - source.first
            low, high = source.share
            within = (share - low) / (high - low) if high > low else 0.0
            if not len(own) or within > 1:
                continue
            times = source.table.columns["time_ns"][own]
            begins = int(source.table.slice_times[max(0, min(SLICES - 1, round(within * SLICES)))])
            behind = np.flatnonzero(times >= begins) if begins != NO_TIME else np.empty(0, np.int64)
            if not len(behind):  # without times the order is that in which they stand
                behind = np.flatnonzero(own >= within * source.records)
            if len(behind):
                first = behind[np.argmin(times[behind])]
                found.append((int(times[first]), int(own[first]) + source.first))
        return min(found)[1] if found else None

    @cached_property
    def span_ns(self) -> tuple[int, int] | None:
        """The first and the last time, or None when no record has one."""
        if self.chosen is None:
            return self.corpus.span_ns
        dated = self.time_ns[self.time_ns != NO_TIME]
        return (int(dated.min()), int(dated.max())) if len(dated) else None

    @property
    def severity_counts(self) -> NDArray[np.int64]:
        """Records by severity number, 0 to 24."""
        if self.chosen is None:
            return self.corpus.severity_counts
        return np.bincount(self.severity, minlength=SEVERITIES)

    def record(self, place: int) -> int:
        """The record's number in the corpus, of its place in this selection."""
        return place if self.chosen is None else int(self.chosen[place])

    def places_of(self, templates: Sequence[int]) -> NDArray[np.int64]:
        """The places in this selection of the records of some templates, ascending."""
        if len(templates) == 1:
            return np.flatnonzero(self.template == templates[0])
        wanted = np.zeros(len(self.corpus.templates.templates) + 1, np.bool_)
        wanted[list(templates)] = True
        return np.flatnonzero(wanted[self.template])

    def only(self, places: NDArray[np.int64]) -> Selection:
        """A part of this selection."""
        return Selection(self.corpus, self.records[places], self.notes)

    def in_time_order(self, offset: int, limit: int) -> list[int]:
        """Numbers of records of a page: of one source as they stand, of several by time."""
        if len(self.corpus.sources) == 1:
            return [self.record(place) for place in range(offset, min(len(self), offset + limit))]
        order = np.argsort(time_ranks(self.time_ns), kind="stable")
        return [self.record(place) for place in order[offset : offset + limit].tolist()]

    def span_text(self) -> tuple[str, str]:
        """The first and the last time; both empty when no record has one."""
        span = self.span_ns
        return (format_ns(span[0]), format_ns(span[1])) if span else ("", "")

    def coverage(self, quoter: Quoter) -> Coverage:
        """What was looked at, for the answer that `quoter` has served."""
        return self.corpus.coverage(quoter)

    @cached_property
    def _some(self) -> Some:
        return Some(self.corpus, self.records)


def check_filter(query: str, since: str, until: str) -> None:
    """Nothing, when a filter can be read: a mistake shall be told before a large file is read.

    Raises:
        BadArgument: it cannot.
    """
    parse(query, now_ns=0, end_ns=0)
    for moment in (since, until):
        if moment:
            parse_time(moment, now_ns=0, end_ns=0)


def select_records(corpus: Corpus, query: str, since: str, until: str, now_ns: int) -> Selection:
    """The records that match a query in a period; a bare `10m` counts back from its last record, in a
    store from now."""
    if not query and not since and not until:
        return Selection(corpus)
    reading = read_query(corpus, query, now_ns)
    chosen = select(corpus, reading.query, period_of(corpus, since, until, now_ns))
    notes = reading.notes if len(chosen) else (*reading.notes, *unknown_fields(corpus, reading.query))
    return Selection(corpus, chosen, notes)


def period_of(corpus: Corpus, since: str, until: str, now_ns: int) -> TimeRange:
    """The period that two texts say of a corpus.

    Raises:
        BadArgument: it cannot hold anything.
    """
    return parse_range(since, until, now_ns=now_ns, end_ns=corpus.counts_back_from_ns)
