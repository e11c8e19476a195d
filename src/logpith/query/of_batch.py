"""Which records of a batch match a query, and what a field is in each of them.

Severity, time and source are decided by their columns, and records without the literals that a match must hold are
left out, both in bulk; only what is left is looked at one by one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.batch import Batch, extra_of, text_spans, with_column
from logpith.formats.fields import HEADS, fields_if_wrapped, fields_in
from logpith.formats.times import times_of
from logpith.query.fields import (
    SEVERITY,
    SEVERITY_TEXT,
    TIMESTAMP,
    column_named,
    column_spelled,
    spellings_of,
)
from logpith.query.in_bulk import Search, lines_with_match, pieces
from logpith.query.match import Matcher, Value, matcher, value_matcher
from logpith.query.parse import parse
from logpith.query.plan import ColumnPredicates, column_predicates, required_literals
from logpith.query.tree import Everything
from logpith.quote import decode
from logpith.scan.field_values import ABSENT, ASK, BARE, TEXT, FieldName, find_values
from logpith.scan.gather import gather_lines
from logpith.scan.search import Literal, mark_records
from logpith_emit.record import Record, flat, normalised, record_from_mapping
from logpith_emit.severity import severity_number

if TYPE_CHECKING:
    from logpith.timerange import TimeRange

_BRACE = ord("{")
_DOCKER = Literal(b'{"log":')

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
        return record_from_mapping({**extra_of(self._row["extra"]), **fields_in(self.text)})


@dataclass(frozen=True)
class Parsed:
    """What is known of texts that had to be looked at one by one, by place: for who asks for several fields of them."""

    fields: dict[int, Mapping[str, object]] = field(default_factory=dict)
    wrapped: dict[int, Mapping[str, object] | None] = field(default_factory=dict)
    """Those that only the reader of its format finds, if it is of such a one."""

    def fields_of(self, place: int, line: bytes) -> Mapping[str, object]:
        """All fields of a text."""
        if place not in self.fields:
            self.fields[place] = dict(flat(fields_in(_decoded(line))))
        return self.fields[place]

    def wrapped_in(self, place: int, line: bytes) -> Mapping[str, object] | None:
        """See `wrapped`."""
        if place not in self.wrapped:
            fields = fields_if_wrapped(_decoded(line))
            self.wrapped[place] = None if fields is None else dict(flat(fields))
        return self.wrapped[place]


def field_values(
    batch: Batch, name: str, chosen: NDArray[np.bool_], parsed: Parsed | None = None
) -> dict[int, Value]:
    """The value of a field in each of the chosen records that have it, by place.

    What the text says counts first, under that name and then under other spellings of it; then what was added to it.
    """
    return _values(batch, _Told.of(batch, name, chosen, parsed), chosen)


def _values(batch: Batch, told: _Told, chosen: NDArray[np.bool_]) -> dict[int, Value]:
    asked = np.flatnonzero(chosen & (told.is_found | told.is_doubtful))
    extras = batch["extra"].take(pa.array(asked)).to_pylist() if told.has_extra.any() else [""] * len(asked)
    kinds = told.kinds[asked].tolist()
    spans = told.spans[asked].tolist()
    octets = told.texts[0].data
    values: dict[int, Value] = {}
    for place, kind, (first, last), extra in zip(asked.tolist(), kinds, spans, extras, strict=True):
        if kind == TEXT:
            value: Value = str(octets[first:last], "utf-8", "surrogateescape")
        else:
            value = told.value(place, extra)
        if value not in (None, ""):
            values[place] = value
    return values


def has_field(
    batch: Batch, name: str, chosen: NDArray[np.bool_], parsed: Parsed | None = None
) -> NDArray[np.bool_]:
    """Which of the chosen records have a field, by `field_values`."""
    told = _Told.of(batch, name, chosen, parsed)
    has = chosen & told.is_found
    has[list(_values(batch, told, chosen & told.is_doubtful & ~has))] = True
    return has


@dataclass(frozen=True)
class _Told:
    """What some texts of a batch say of a field, as far as it can be known in bulk."""

    name: str
    spellings: Mapping[str, int]
    texts: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]
    kinds: NDArray[np.uint8]
    spans: NDArray[np.int64]
    is_wrapped: NDArray[np.bool_]
    """Which texts may have fields that only the reader of their format finds."""

    has_extra: NDArray[np.bool_]
    parsed: Parsed

    @classmethod
    def of(cls, batch: Batch, name: str, chosen: NDArray[np.bool_], parsed: Parsed | None) -> _Told:
        spellings = spellings_of(name)
        buf, starts, ends = text_spans(batch["line"])
        kinds = np.zeros(len(starts), np.uint8)
        spans = np.zeros((len(starts), 2), np.int64)
        asked = np.flatnonzero(chosen)
        if len(asked):
            kinds[asked], spans[asked] = find_values(
                buf, starts[asked], ends[asked], FieldName.of(name, spellings)
            )
        is_wrapped = chosen & (kinds == ABSENT)
        in_braces = np.flatnonzero(is_wrapped & (buf[np.minimum(starts, len(buf) - 1)] == _BRACE))
        is_wrapped[in_braces] = mark_records(buf, starts[in_braces], ends[in_braces], _DOCKER)
        if not spellings:
            # What is no column stands in the text by its own name, however it is wrapped.
            leaf = name.rpartition(".")[2].encode("utf-8", "surrogateescape")
            doubtful = np.flatnonzero(is_wrapped)
            is_wrapped[doubtful] = mark_records(buf, starts[doubtful], ends[doubtful], Literal(leaf))
        outside = np.flatnonzero(is_wrapped & (buf[np.minimum(starts, len(buf) - 1)] != _BRACE))
        is_wrapped[outside] = _may_be_wrapped(buf, starts, ends, outside)
        _, first_of, behind = text_spans(batch["extra"])
        texts = (buf, starts, ends)
        return cls(name, spellings, texts, kinds, spans, is_wrapped, behind > first_of, parsed or Parsed())

    @property
    def is_found(self) -> NDArray[np.bool_]:
        return np.equal(self.kinds, TEXT) | np.equal(self.kinds, BARE)

    @property
    def is_doubtful(self) -> NDArray[np.bool_]:
        return np.equal(self.kinds, ASK) | self.is_wrapped | self.has_extra

    def value(self, place: int, extra: str) -> Value:
        """The value in one record, None when it has none."""
        buf, starts, ends = self.texts
        kind = self.kinds[place]
        if kind in (TEXT, BARE):
            first, last = self.spans[place].tolist()
            found = bytes(buf[first:last])
            return cast("Value", json.loads(found)) if kind == BARE else _decoded(found)
        line = bytes(buf[starts[place] : ends[place]])
        fields: Mapping[str, object] | None = None
        if kind == ASK:
            fields = self.parsed.fields_of(place, line)
        elif self.is_wrapped[place]:
            fields = self.parsed.wrapped_in(place, line)
        value = _spelled_in(fields, self.name, self.spellings) if fields else None
        if value is not None:
            return value
        return _spelled_in(dict(flat(extra_of(extra))), self.name, self.spellings) if extra else None


def fill_column(batch: Batch, name: str, values: Mapping[int, Value]) -> Batch:
    """The batch with the column that a name means filled by what can be read as its values, by place."""
    column = column_named(name) or column_spelled(name)
    if column == TIMESTAMP:
        import pyarrow.compute as pc  # noqa: PLC0415  takes long to load, and questions need none of it

        newest_ns = int(pc.max(batch["observed_timestamp"]).as_py() or 0)
        texts = [str(value) for value in values.values()]
        read: dict[int, Any] = dict(zip(values, times_of(texts, newest_ns), strict=True))
    elif column in (SEVERITY, SEVERITY_TEXT):
        column = SEVERITY
        read = {place: severity_number(str(value)) or None for place, value in values.items()}
    elif column == "service":
        read = {place: _readable(value) for place, value in values.items() if isinstance(value, str)}
    else:
        return batch
    fit = {place: known for place, known in read.items() if known is not None}
    if not fit:
        return batch
    told = batch[column].to_pylist()
    for place, known in fit.items():
        told[place] = known
    return with_column(batch, column, pa.array(told, batch[column].type))


def _readable(text: str) -> str:
    """The text with a sign in the place of each byte that is no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _spelled_in(fields: Mapping[str, object], name: str, spellings: Mapping[str, int]) -> Value:
    if name in fields:
        return cast("Value", fields[name])
    keys = [key for key in fields if normalised(key) in spellings]
    best = min(keys, key=lambda key: spellings[normalised(key)], default=None)
    return None if best is None else cast("Value", fields[best])


def _may_be_wrapped(
    buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], places: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Of some texts that are no JSON at least those that are wrapped."""
    lines, begins = gather_lines(buf, starts, ends, places, 0)
    octets, borders = lines.tobytes(), [*begins.tolist(), len(lines)]
    may_be = np.zeros(len(places), np.bool_)
    search = _heads()
    for first, last in pieces(borders):
        begin = borders[first]
        text = octets[begin : borders[last]]
        for at in lines_with_match(search, text, [at - begin for at in borders[first:last]]):
            may_be[first + at] = True
    return may_be


@functools.cache
def _heads() -> Search:
    import re2  # noqa: PLC0415 - only who asks for fields of wrapped lines pays for it

    options: Any = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    return cast("Search", re2.compile(f"(?m)^(?:{HEADS})".encode(), options).search)


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


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
    answers[places] = [ask(BatchView(row)) for row in batch.take(pa.array(places)).to_pylist()]
    return answers
