"""Hits: the records that a search has found, folded by template, since a thousand lines alike say one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus
from logpith.corpus.services import Services
from logpith.corpus.some import Some
from logpith.scan.tally import tally, typical_severity
from logpith.scan.timestamps import NO_TIME

NO_TEMPLATE = -1

# Up to so many pairs of template and service are counted without sorting.
_MOST_COUNTED = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Records of one template."""

    template: int
    """Its place in the corpus' templates; NO_TEMPLATE for records beyond the bound on shapes."""

    count: int
    severity: int
    """That most of them have; 0 unknown."""

    worst: int
    newest: int
    """The number of the last record in time; of records without a time, the last as they stand."""

    first_ns: int
    last_ns: int
    """NO_TIME where no record has one."""

    services: tuple[str, ...]
    """The names of who wrote them, whoever wrote most first."""


def fold_hits(corpus: Corpus, records: NDArray[np.int64], services: Services) -> list[Hit]:
    """The records by template, whatever was seen last first; templates without a time come last."""
    if not len(records):
        return []
    groups = len(corpus.templates.templates) + 1
    some = Some(corpus, records)
    template = some.template
    template = np.where(template < 0, groups - 1, template)
    times = some.time_ns
    counted = tally(template, groups, times, some.severity)
    newest = _newest(template, times, counted.end_ns, counted.last)
    wrote = _who_wrote(template, services.of(records), groups, services.names)
    typical = typical_severity(counted.severities)
    worst = 24 - np.argmax(counted.severities[:, ::-1] > 0, axis=1)
    hits = [
        Hit(
            template=place if place < groups - 1 else NO_TEMPLATE,
            count=int(counted.count[place]),
            severity=int(typical[place]),
            worst=int(worst[place]),
            newest=int(records[newest[place]]),
            first_ns=int(counted.start_ns[place]),
            last_ns=int(counted.end_ns[place]),
            services=wrote[place],
        )
        for place in np.flatnonzero(counted.count).tolist()
    ]
    return sorted(hits, key=lambda hit: (hit.last_ns == NO_TIME, -hit.last_ns, hit.template))


def counts_by_name(codes: NDArray[np.int32], names: Sequence[str]) -> dict[str, int]:
    """How often each name occurs, the most frequent first."""
    counts = np.bincount(codes, minlength=len(names))
    order = np.argsort(-counts, kind="stable").tolist()
    return {names[place]: int(counts[place]) for place in order if counts[place]}


def _newest(
    template: NDArray[np.int32], times: NDArray[np.int64], end_ns: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each template the place of its last record in time."""
    newest = last.copy()
    is_end = np.flatnonzero((times == end_ns[template]) & (times != NO_TIME))
    newest[template[is_end]] = is_end  # of several at the same moment the one that stands last
    return newest


def _who_wrote(
    template: NDArray[np.int32], service: NDArray[np.int32], groups: int, names: Sequence[str]
) -> dict[int, tuple[str, ...]]:
    """For each template that occurs its services, the most frequent first."""
    pairs = template.astype(np.int64) * len(names) + service
    if groups * len(names) <= _MOST_COUNTED:
        counts = np.bincount(pairs)
        kept = np.flatnonzero(counts)
        counts = counts[kept]
    else:
        kept, counts = np.unique(pairs, return_counts=True)
    wrote: dict[int, list[str]] = {}
    for place in np.argsort(-counts, kind="stable").tolist():
        of, name = divmod(int(kept[place]), len(names))
        wrote.setdefault(of, []).append(names[name])
    return {of: tuple(name for name in found if name) for of, found in wrote.items()}
