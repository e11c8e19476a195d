"""Counting records of a store without reading them: what templates and minutes tell.

A query is asked of each segment's templates first; where those say all, their counts are the answer. Elsewhere only
the blocks in doubt are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.fields import SERVICE_NAMES, Field
from logpith.corpus.records import Corpus
from logpith.corpus.segment_query import SegmentQuery
from logpith.corpus.select import ALWAYS, ask_window
from logpith.corpus.selection import Selection
from logpith.query import Everything, Query, column_predicates
from logpith.query.fields import SOURCE, column_named, is_severity
from logpith.store.segment_writer import UNDATED_MINUTE
from logpith.timerange import TimeRange
from logpith_emit.record import normalised
from logpith_emit.severity import BANDS, band

Known = Literal["service", "severity", "source"]
"""What all records of a template have in common."""


def is_rolled(corpus: Corpus) -> bool:
    """Whether all of a corpus can be counted so: it is a store."""
    return bool(corpus.sources) and all(source.is_segment for source in corpus.sources)


def count_matching(corpus: Corpus, query: Query, period: TimeRange = ALWAYS) -> int:
    """How many records of a store match in a period."""
    return sum(int(asked.count_by_template().sum()) for asked in _asked(corpus, query, period))


def count_by(
    corpus: Corpus, query: Query, by: Sequence[Known], period: TimeRange = ALWAYS
) -> Counter[tuple[str | int, ...]]:
    """How many records of a store match in a period, by what their templates have in common."""
    found = Counter[tuple[str | int, ...]]()
    for asked in _asked(corpus, query, period):
        counts = asked.count_by_template()
        place = np.zeros(len(counts), np.int64)
        names: list[tuple[str | int, ...]] = [()]
        for name in by:
            known, codes = _of_templates(asked, name)
            place = place * len(known) + codes
            names = [(*before, one) for before in names for one in known]
        totals = np.bincount(place, counts, len(names)).astype(np.int64)
        for number in np.flatnonzero(totals).tolist():
            found[names[number]] += int(totals[number])
    return found


def rolled_fields(
    selection: Selection, names: Sequence[str]
) -> tuple[tuple[Field, ...], NDArray[np.int64]] | None:
    """Fields of all records of a store as `read_fields` gives them, but with an entry for each combination of values
    that occurs, and how many records have it. None for what the templates do not tell."""
    known = [_known(name) for name in names]
    told = [name for name in known if name is not None]
    if selection.chosen is not None or not is_rolled(selection.corpus) or not names or len(told) < len(names):
        return None
    counted = count_by(selection.corpus, Everything(), told)
    weights = np.array(list(counted.values()), np.int64)
    fields = [
        _field(name, kind, [key[place] for key in counted])
        for place, (name, kind) in enumerate(zip(names, told, strict=True))
    ]
    return tuple(fields), weights


def _known(name: str) -> Known | None:
    if is_severity(name):
        return "severity"
    if column_named(name) == SOURCE:
        return "source"
    return "service" if normalised(name) in SERVICE_NAMES else None


def _field(name: str, kind: Known, values: Sequence[str | int]) -> Field:
    if kind == "severity":
        codes = [band(int(number)) - 1 for number in values]
        return Field(name=name, kind="severity", codes=np.array(codes, np.int32), texts=BANDS[1:])
    places: dict[str, int] = {}
    codes = [places.setdefault(str(value), len(places)) if value else -1 for value in values]
    shown = "source" if kind == "source" else "text"
    return Field(name=name, kind=shown, codes=np.array(codes, np.int32), texts=tuple(places))


def histogram(
    corpus: Corpus, query: Query, period: TimeRange = ALWAYS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(minutes, counts by severity): the minutes since 1970 that hold matches, ascending, and (minutes, 25) of how many
    by severity number. Records without a time are in none."""
    parts = []
    for asked in _asked(corpus, query, period):
        minute, template, count = asked.count_by_minute()
        severity = asked.severity_of_template[template]
        dated = minute != UNDATED_MINUTE
        if not dated.all():
            minute, severity, count = minute[dated], severity[dated], count[dated]
        if len(minute):
            parts.append((minute, severity, count))
    if not parts:
        return np.empty(0, np.int64), np.empty((0, 25), np.int64)
    low = min(int(minute.min()) for minute, _, _ in parts)
    width = max(int(minute.max()) for minute, _, _ in parts) - low + 1
    table = np.zeros(25 * width, np.int64)
    for minute, severity, count in parts:
        places = (minute - low).astype(np.int64) * 25 + severity
        table += np.bincount(places, count, 25 * width).astype(np.int64)
    by_minute = table.reshape(-1, 25)
    holds = by_minute.any(axis=1)
    return np.flatnonzero(holds) + low, by_minute[holds]


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


def _of_templates(
    asked: SegmentQuery, name: Known
) -> tuple[Sequence[str] | Sequence[int], NDArray[np.int64]]:
    """(values, place of each template's value): what the records of templates have in common."""
    templates = asked.segment.templates
    if name == "severity":
        return range(25), asked.severity_of_template.astype(np.int64)
    if name == "service":
        return templates.services, templates.service.astype(np.int64)
    return templates.sources, templates.source.astype(np.int64)
