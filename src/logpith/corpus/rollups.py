"""Counting records of a store without reading them: what templates and minutes tell.

A query is asked of each segment's templates; where those say all, the counts that segments keep are the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.fields import (
    TEMPLATE,
    Field,
    Moments,
    column_field,
    is_known,
    slice_width_ns,
    slices_named,
)
from logpith.corpus.records import Corpus
from logpith.corpus.segment_query import SegmentQuery
from logpith.corpus.select import ALWAYS, ask_window
from logpith.corpus.watch import current
from logpith.query import Query, column_predicates
from logpith.query.fields import SOURCE, column_named, is_severity
from logpith.scan.buckets import count_minutes
from logpith.store.segment_writer import UNDATED_MINUTE
from logpith.timerange import NS_PER_MIN, TimeRange
from logpith_emit.severity import band

_SLICES = 20
_MOST_CELLS = 1 << 22


@dataclass(frozen=True)
class Rolled:
    """Fields of the records of a store: one entry for many records that have the same values."""

    fields: tuple[Field, ...]
    weights: NDArray[np.int64]
    """How many records each entry stands for. Several may have the same values."""

    def __len__(self) -> int:
        """How many records there are."""
        return int(self.weights.sum())


def roll(corpus: Corpus, query: Query, names: Sequence[str], period: TimeRange = ALWAYS) -> Rolled | None:
    """Fields of the records of a store that match in a period; None for what templates and minutes do not tell."""
    if not corpus.sources or not all(source.is_segment for source in corpus.sources):
        return None
    slices = [name for name in names if slices_named(name) is not None]
    if len(slices) > 1 or not all(name in slices or is_known(name) for name in names):
        return None
    asked: list[SegmentQuery] = []
    for one in _asked(corpus, query, period):
        if not one.is_certain:
            return None
        asked.append(one)
    width_ns = _width_ns(corpus, slices[0], asked) if slices else 0
    if slices and (not width_ns or width_ns % NS_PER_MIN):
        return None
    others = [name for name in names if name not in slices]
    parts = [_entries(corpus, place, one, others, width_ns) for place, one in enumerate(asked)]
    current().scanned.from_rollup += len(asked)
    weights, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    codes = dict(zip([*slices, *others], columns, strict=True))
    fields = tuple(
        _slices(name, codes[name], width_ns)
        if name in slices
        else column_field(corpus, name, codes[name].astype(np.int32))
        for name in names
    )
    return Rolled(fields, weights)


def plans(
    corpus: Corpus, query: Query, period: TimeRange = ALWAYS
) -> list[tuple[SegmentQuery, int, int, int]]:
    """For each segment what a question would read of it: see `SegmentQuery.plan`."""
    return [(asked, *asked.plan()) for asked in _asked(corpus, query, period)]


def _asked(corpus: Corpus, query: Query, period: TimeRange) -> Iterator[SegmentQuery]:
    predicates, rest = column_predicates(query)
    predicates = replace(predicates, time=predicates.time.intersect(period))
    for source in corpus.sources:
        yield SegmentQuery(corpus, source, predicates, rest, ask_window)


def _width_ns(corpus: Corpus, name: str, asked: Sequence[SegmentQuery]) -> int:
    """The width of slices of time; 0 where it depends on the times of single records."""
    if width_ns := slices_named(name):
        return width_ns
    span = corpus.span_ns
    if span is None or not all(one.certain.all() for one in asked):
        return 0
    return slice_width_ns(span[1] - span[0], _SLICES)


def _entries(
    corpus: Corpus, place: int, asked: SegmentQuery, names: Sequence[str], width_ns: int
) -> tuple[NDArray[np.int64], ...]:
    """(weights, number of the slice of time when there is a width, codes of each name) of a segment."""
    segment = asked.segment
    codes = [_of_templates(corpus, place, asked, name) for name in names]
    if not width_ns:
        chosen = np.flatnonzero(asked.certain)
        return segment.templates.records[chosen].astype(np.int64), *(column[chosen] for column in codes)
    # Templates that have the same in common are one column of a table, whose rows are minutes.
    told = np.zeros(len(segment.templates), np.int64)
    for column in codes:
        told = told * (int(column.max(initial=0)) + 2) + column + 1
    _, first, kind_of_template = np.unique(told, return_index=True, return_inverse=True)
    kind_of_template = np.where(asked.certain, kind_of_template, -1)
    rollup = segment.rollup
    undated = int(np.searchsorted(rollup.minute, np.int32(UNDATED_MINUTE), side="right"))
    low = int(rollup.minute[undated]) if undated < len(rollup.minute) else 0
    high = int(rollup.minute[-1]) if undated < len(rollup.minute) else 0
    if (high - low + 2) * len(first) > _MOST_CELLS:
        kind = kind_of_template[rollup.template]
        chosen = np.flatnonzero(kind >= 0)
        weights, kind = rollup.records[chosen].astype(np.int64), kind[chosen]
        row = np.maximum(rollup.minute[chosen].astype(np.int64) - low + 1, 0)
    else:
        table = np.zeros((high - low + 2, len(first)), np.int64)
        count_minutes(rollup.minute, rollup.template, rollup.records, kind_of_template, low, table)
        row, kind = np.nonzero(table)
        weights = table[row, kind]
    slices = np.where(row > 0, (row + (low - 1)) // (width_ns // NS_PER_MIN), _UNDATED)
    return weights, slices, *(column[first[kind]] for column in codes)


_UNDATED = np.iinfo(np.int64).min


def _of_templates(corpus: Corpus, place: int, asked: SegmentQuery, name: str) -> NDArray[np.int64]:
    """What the records of each template have in common: places in the texts of the field, -1 for none."""
    templates, columns = asked.segment.templates, asked.columns
    if name == TEMPLATE:
        of_shape = np.append(corpus.templates.of_shape, -1)
        places = corpus.codes.shapes[place]
        codes = of_shape[places[np.minimum(columns.shape_of_template, len(places) - 1)]]
    elif is_severity(name):
        codes = np.array([band(number) - 1 for number in range(25)])[asked.severity_of_template]
    elif column_named(name) == SOURCE:
        codes = corpus.codes.origins[place][templates.source]
    else:
        codes = corpus.codes.services[place][columns.service_of_template] - 1
    return codes.astype(np.int64)


def _slices(name: str, numbers: NDArray[np.int64], width_ns: int) -> Field:
    found, places = np.unique(numbers, return_inverse=True)
    undated = int(len(found) > 0 and found[0] == _UNDATED)
    starts = found[undated:] * width_ns
    return Field(name=name, kind="time", codes=(places - undated).astype(np.int32), texts=Moments(starts))
