"""Which records of a batch match a query.

Severity, time and source are decided by their columns, and records without the literals that a match must hold are
left out, both in bulk; only what is left is looked at one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from logpith.batch import Batch, text_spans
from logpith.formats.fields import fields_in
from logpith.query.match import Matcher, Value, matcher, value_matcher
from logpith.query.parse import parse
from logpith.query.plan import ColumnPredicates, column_predicates, required_literals
from logpith.query.tree import Everything
from logpith.quote import decode
from logpith.scan.search import Literal, mark_records
from logpith_emit.record import Record, record_from_mapping

if TYPE_CHECKING:
    from logpith.timerange import TimeRange

Choose = Callable[[Batch], NDArray[np.bool_]]


def which_match(text: str) -> Choose:
    """What tells of each record of a batch whether it matches the query; every record matches an empty one.

    Raises:
        BadQuery: the text is no query.
        BadArgument: it asks for a time that moves with the clock.
    """
    query = parse(text) if text.strip() else Everything()
    columns, rest = column_predicates(query)
    ask = matcher(rest)
    literals = required_literals(rest) or ()

    def choose(batch: Batch) -> NDArray[np.bool_]:
        chosen = _by_columns(batch, columns)
        if isinstance(rest, Everything):
            return chosen
        if literals:
            chosen &= _holding(batch, literals)
        return _asked(batch, chosen, ask)

    return choose


class BatchView:
    """One record of a batch as a query looks at it; its text is parsed when a field of it is asked for."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row
        self.text = decode(row["line"], "surrogateescape")

    def column(self, name: str) -> Value:
        """A column of the batch, or else what the text says."""
        if name in ("timestamp", "severity_number", "source", "observed_timestamp"):
            return cast("Value", self._row[name])
        if name == "service":
            return cast("str", self._row["service"]) or self._parsed.service or None
        found = getattr(self._parsed, name, None)
        return None if found == "" else cast("Value", found)

    def attribute(self, path: str) -> Value:
        """The attribute at a dotted path; one of the ids is found by its own name too."""
        if path in self._parsed.attributes:
            return cast("Value", self._parsed.attributes[path])
        return self._parsed.ids.get(path)

    @functools.cached_property
    def _parsed(self) -> Record:
        return record_from_mapping({**fields_in(self.text), **extra_of(self._row["extra"])})


def extra_of(text: str) -> dict[str, object]:
    """The attributes that the column `extra` spells."""
    return msgspec.json.decode(text, type=dict[str, object]) if text else {}


def _by_columns(batch: Batch, columns: ColumnPredicates) -> NDArray[np.bool_]:
    severity = batch["severity_number"].to_numpy(zero_copy_only=False)
    lowest, highest = columns.severity
    chosen: NDArray[np.bool_] = (severity >= lowest) & (severity <= highest)
    if not columns.time.is_open:
        chosen &= _within(batch, columns.time)
    for query in columns.source:
        coded = batch["source"].dictionary_encode()
        is_met = np.array([value_matcher(query)(name) for name in coded.dictionary.to_pylist()], np.bool_)
        chosen &= is_met[coded.indices.to_numpy(zero_copy_only=False)]
    return chosen


def _within(batch: Batch, time: TimeRange) -> NDArray[np.bool_]:
    column = batch["timestamp"]
    dated = ~column.is_null().to_numpy(zero_copy_only=False)
    moments = column.fill_null(0).to_numpy(zero_copy_only=False)
    if time.start_ns is not None:
        dated &= moments >= time.start_ns
    if time.end_ns is not None:
        dated &= moments < time.end_ns
    return cast("NDArray[np.bool_]", dated)


def _holding(batch: Batch, literals: tuple[bytes, ...]) -> NDArray[np.bool_]:
    """Which records hold one of the literals in their text, or in what was added to it."""
    held = np.zeros(batch.num_rows, np.bool_)
    for name in ("line", "extra"):
        spans = text_spans(batch[name])
        for literal in literals:
            held |= mark_records(*spans, Literal(literal, ignore_case=True))
    return held


def _asked(batch: Batch, chosen: NDArray[np.bool_], ask: Matcher) -> NDArray[np.bool_]:
    """Of the chosen records those that match: the one loop over records, for what no column tells."""
    places = np.flatnonzero(chosen)
    answers = chosen.copy()
    answers[places] = [ask(BatchView(row)) for row in batch.take(places).to_pylist()]
    return answers
