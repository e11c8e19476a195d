"""Series: how many records each template of each service has in each five minutes of up to 14 days.

Counted from records, or put together from counts that somebody has counted before (the store's rollup).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.counting import renumbered
from logpith.corpus.rhythm import WIDTH_NS
from logpith.corpus.selection import Selection
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import FIRST_NS, NS_PER_D
from logpith_emit.severity import ERROR

MOST_DAYS = 14
MOST_SERIES = 2_000
"""With so many series, counts take 32 MB. Those with the most records are kept, what is left out is told."""

_FEWEST_RECORDS = 5
"""With fewer, nothing can rise or fall beyond chance."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Records counted by template, service and time: one entry for each record, or for many alike."""

    template: NDArray[np.int32]
    """Of each pair of template and service that occurs; -1 for records without a template."""

    service: NDArray[np.int32]
    """Of each pair."""

    pair: NDArray[np.int32] | NDArray[np.int64]
    """Of each entry."""

    time_ns: NDArray[np.int64]
    """Of each entry any time in its bucket; NO_TIME where unknown."""

    bad: NDArray[np.bool_]
    """Whether the records of an entry are an error or worse."""

    count: NDArray[np.int64] | None = None
    """How many records an entry stands for; None means one each."""

    services: int
    """How many services there are, in these records or not."""

    def only(self, entries: NDArray[np.bool_]) -> Counted:
        """Some of the entries; the pairs stay."""
        if entries.all():
            return self
        return replace(
            self,
            pair=self.pair[entries],
            time_ns=self.time_ns[entries],
            bad=self.bad[entries],
            count=None if self.count is None else self.count[entries],
        )

    def within(self, start_ns: int, end_ns: int) -> Counted:
        """The entries from `start_ns` on and before `end_ns`."""
        return self.only((self.time_ns >= start_ns) & (self.time_ns < end_ns) & (self.time_ns != NO_TIME))

    def totals(self, place: NDArray[np.integer[Any]], places: int) -> NDArray[np.int64]:
        """The records at each place, of which every entry has one."""
        if self.count is None:
            return np.bincount(place, minlength=places)
        # As floats, which are exact up to 2^53 records.
        return np.bincount(place, self.count, minlength=places).astype(np.int64)


def counted_of(selection: Selection) -> Counted:
    """The records of a selection, one entry each."""
    service = selection.corpus.columns.service
    return counted_from(
        template=selection.template,
        service=service if selection.chosen is None else service[selection.chosen],
        time_ns=selection.time_ns,
        bad=selection.severity >= ERROR,
        services=len(selection.corpus.services),
    )


def counted_from(
    *,
    template: NDArray[np.int32],
    service: NDArray[np.int32],
    time_ns: NDArray[np.int64],
    bad: NDArray[np.bool_],
    services: int,
    count: NDArray[np.int64] | None = None,
) -> Counted:
    """Entries of records or of counts, as columns: see `Counted`."""
    width = services + 1
    kinds = (int(template.max(initial=-1)) + 2) * width
    pairs, pair = renumbered(template + np.int32(1), service, width, kinds)
    return Counted(
        template=(pairs // width - 1).astype(np.int32),
        service=(pairs % width - 1).astype(np.int32),
        pair=pair,
        time_ns=time_ns,
        bad=bad,
        count=count,
        services=services,
    )


@dataclass(frozen=True, kw_only=True)
class Series:
    """Counts of (series, buckets). All series have the same buckets, without holes."""

    origin_ns: int
    """Where the first bucket begins: a round time in UTC."""

    width_ns: int
    whole: int
    """From this bucket on, buckets are not over yet."""

    counts: NDArray[np.int32]
    template: NDArray[np.int32]
    """Of each series."""

    service: NDArray[np.int32]
    left_out: int
    """Series that would have been too many, with the fewest records."""

    every: NDArray[np.int64]
    """Records of (services, buckets), those without a template too."""

    bad: NDArray[np.int64]
    """Of those, the ones that are an error or worse."""

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def buckets(self) -> int:
        return int(self.every.shape[1])

    def start_of(self, bucket: int) -> int:
        """Where a bucket begins; the one before it ends there."""
        return self.origin_ns + bucket * self.width_ns

    def bucket_at(self, time_ns: int) -> int:
        """The bucket of a time, which may lie before the first or behind the last."""
        return (time_ns - self.origin_ns) // self.width_ns


def count_series(counted: Counted, end_ns: int, *, days: int = MOST_DAYS, width_ns: int = WIDTH_NS) -> Series:
    """The series of the `days` that end at `end_ns`, from the first record there on."""
    last = -(-end_ns // width_ns)
    inside = counted.within(max(last * width_ns - days * NS_PER_D, FIRST_NS + 1), end_ns)
    first = int(inside.time_ns.min()) // width_ns if len(inside.time_ns) else last
    buckets = last - first
    cell = inside.service[inside.pair] * np.int64(buckets) + (inside.time_ns // width_ns - first)
    cells = inside.services * buckets
    bad = inside.only(inside.bad)

    total = np.where(inside.template >= 0, inside.totals(inside.pair, len(inside.template)), 0)
    enough = np.flatnonzero(total >= _FEWEST_RECORDS)
    kept = np.sort(enough[np.argsort(-total[enough], kind="stable")[:MOST_SERIES]])
    place = np.full(len(total), -1, np.int64)
    place[kept] = np.arange(len(kept))
    some = inside.only(place[inside.pair] >= 0)
    counts = some.totals(place[some.pair] * buckets + (some.time_ns // width_ns - first), len(kept) * buckets)
    return Series(
        origin_ns=first * width_ns,
        width_ns=width_ns,
        whole=end_ns // width_ns - first,
        counts=counts.astype(np.int32).reshape(len(kept), buckets),
        template=inside.template[kept],
        service=inside.service[kept],
        left_out=len(enough) - len(kept),
        every=inside.totals(cell, cells).reshape(inside.services, buckets),
        bad=bad.totals(cell[inside.bad], cells).reshape(inside.services, buckets),
    )
