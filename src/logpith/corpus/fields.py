"""A field of some records as one column: its distinct values, and which of them each record has.

A name means what it means in a query (`query/fields.py`): the severity, the source, the service; else the value
that stands under that key in the record's text, or under another spelling of the same thing (`callId`, `call_sid`
for `call_id`). Two more are asked for only here: `template`, and `time:5m`, the time cut into slices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import overload

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Source
from logpith.corpus.segment_query import SERVICE_NAMES, numbers_of
from logpith.corpus.select import HOST, hosts_in_headers, workers
from logpith.corpus.selection import Selection
from logpith.corpus.view import fields_of_record
from logpith.corpus.windows import Window, windows
from logpith.formats import syslog
from logpith.query.fields import (
    SOURCE,
    column_named,
    column_spelled,
    is_severity,
    is_timestamp,
    spellings_of,
)
from logpith.query.match import number_in
from logpith.query.regex import mark_matching
from logpith.query.texts import distinct_texts
from logpith.scan.field_values import ABSENT, ASK, BARE, TEXT, FieldName, find_values
from logpith.scan.search import Literal, mark_records
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import NS_PER_D, NS_PER_H, NS_PER_MIN, NS_PER_S, format_ns, parse_span
from logpith_emit.errors import BadArgument
from logpith_emit.record import flat, normalised
from logpith_emit.severity import BANDS, band

TEMPLATE = "template"

_LONGEST_NAME = 200
_OF_KEYS_AND_VALUES = frozenset(("plain", "json", "logfmt", "syslog 3164", "syslog 5424"))
_BRACE = ord("{")
_TIME = re.compile(r"(?P<name>[^:]+)(?::(?P<width>.+))?")
_ROUND_WIDTHS_NS = (
    *(width * NS_PER_S // 1000 for width in (1, 10, 100)),
    *(width * NS_PER_S for width in (1, 5, 10, 30)),
    *(width * NS_PER_MIN for width in (1, 5, 10, 30)),
    *(width * NS_PER_H for width in (1, 3, 6, 12)),
    *(width * NS_PER_D for width in (1, 7, 30, 365, 3650, 36_500)),
)


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the records of a selection."""

    name: str
    """As it was asked for."""

    kind: str
    """What answers call it: `severity`, `source`, `time`, `template`; `text` where values come from log text."""

    codes: NDArray[np.int32]
    """For each record the place of its value in `texts`; -1 where it has none."""

    texts: Sequence[str]
    """The distinct values, in no promised order. Log text where `kind` is `text` or `template`."""

    def numbers(self) -> NDArray[np.float64]:
        """The value of each record as a number, NaN where it is none."""
        return self._number_of_text[self.codes]

    @cached_property
    def _number_of_text(self) -> NDArray[np.float64]:
        """Of each text, and of none."""
        read = [number_in(text) for text in self.texts]
        return np.array([*(np.nan if number is None else float(number) for number in read), np.nan])


class Moments(Sequence[str]):
    """Times in ns as answers write them, written when they are shown: of thousands of slices few are."""

    def __init__(self, times_ns: NDArray[np.int64]) -> None:
        self._times_ns = times_ns

    def __len__(self) -> int:
        return len(self._times_ns)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return Moments(self._times_ns[place])
        return format_ns(int(self._times_ns[place]))


def check_field(name: str) -> None:
    """Nothing, when a field can be asked for.

    Raises:
        BadArgument: it cannot.
    """
    if not name.strip():
        raise BadArgument(
            "a field has no name", remedy="Name one: service, level, source, template, time:5m…"
        )
    if len(name) > _LONGEST_NAME or any(0xD800 <= ord(sign) <= 0xDFFF for sign in name):
        raise BadArgument(
            "this is no name of a field",
            remedy=f"Write at most {_LONGEST_NAME} characters, all of them Unicode",
        )
    slices_named(name)


def read_fields(selection: Selection, names: Sequence[str]) -> tuple[Field, ...]:
    """Each named field of the selection's records; texts are read at most once, and only for what needs them."""
    within_text = [name for name in dict.fromkeys(names) if not is_known(name) and slices_named(name) is None]
    read = dict(zip(within_text, _read_texts(selection, within_text), strict=True))
    return tuple(read[name] if name in read else _column(selection, name) for name in names)


def slice_width_ns(span_ns: int, most: int) -> int:
    """The smallest round width that cuts any `span_ns` into at most `most` slices at multiples of the width."""
    # A span may begin and end within a slice, hence one less.
    wanted = max(most - 1, 1)
    return next((width for width in _ROUND_WIDTHS_NS if span_ns < width * wanted), _ROUND_WIDTHS_NS[-1])


def time_slices(selection: Selection, width_ns: int) -> tuple[NDArray[np.int32], tuple[int, ...]]:
    """The slice of each record, -1 for one without a time; and the starts of the slices that have records."""
    dated = selection.time_ns != NO_TIME
    starts, inside = np.unique(selection.time_ns[dated] // width_ns, return_inverse=True)
    codes = np.full(len(selection), -1, np.int32)
    codes[dated] = inside
    return codes, tuple(int(start) * width_ns for start in starts.tolist())


def is_known(name: str) -> bool:
    """Whether a corpus knows the field of each record, without its text: all records of a template in a store have the
    same."""
    return (
        name == TEMPLATE
        or is_severity(name)
        or column_named(name) == SOURCE
        or normalised(name) in SERVICE_NAMES
    )


def slices_named(name: str) -> int | None:
    """The width in ns that `time:5m` names, 0 for a bare `time`; None for another field.

    Raises:
        BadArgument: it is no width.
    """
    match = _TIME.fullmatch(name)
    if match is None or not is_timestamp(match["name"]):
        return None
    if match["width"] is None:
        return 0
    width = parse_span(match["width"])
    if not width:
        raise BadArgument(
            f"{match['width']!r} is no width of a time slice",
            remedy="Write time:30s, time:5m, time:1h, time:1d",
        )
    return width


def _column(selection: Selection, name: str) -> Field:
    corpus = selection.corpus
    width = slices_named(name)
    if width is not None:
        span = selection.span_ns
        codes, starts = time_slices(selection, width or slice_width_ns(span[1] - span[0] if span else 0, 20))
        return Field(name=name, kind="time", codes=codes, texts=Moments(np.array(starts, np.int64)))
    if name == TEMPLATE:
        return column_field(corpus, name, selection.template)
    if is_severity(name):
        of_number = np.array([band(number) - 1 for number in range(25)], np.int32)
        return column_field(corpus, name, of_number[selection.severity])
    if column_named(name) == SOURCE:
        return column_field(corpus, name, selection.origin)
    services = corpus.columns.service
    return column_field(
        corpus, name, (services if selection.chosen is None else services[selection.chosen]) - 1
    )


def column_field(corpus: Corpus, name: str, codes: NDArray[np.int32]) -> Field:
    """What a corpus knows of each record as a field: the template, the severity's band, the source or the service."""
    if name == TEMPLATE:
        texts = tuple(template.typed for template in corpus.templates.templates)
        return Field(name=name, kind=TEMPLATE, codes=codes, texts=texts)
    if is_severity(name):
        return Field(name=name, kind="severity", codes=codes, texts=BANDS[1:])
    if column_named(name) == SOURCE:
        return Field(name=name, kind="source", codes=codes, texts=corpus.origins)
    return Field(name=name, kind="text", codes=codes, texts=corpus.services[1:])


# ── Values within the text ──────────────────────────────────────────────────────────────────────────────────


def value_in(fields: Mapping[str, object], name: str) -> str:
    """The value of a field among the keys and values of a record, as text; empty where it has none.

    The name itself counts before other spellings of it, of which the one that writers prefer counts.
    """
    values = dict(flat(fields))
    if text := _as_text(values.get(name)):
        return text
    spellings = spellings_of(name)
    others = sorted((spellings.get(normalised(key), 0), place, key) for place, key in enumerate(values))
    return next((text for rank, _, key in others if rank and (text := _as_text(values[key]))), "")


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or value in ([], {}):
        return ""
    return json.dumps(value, ensure_ascii=False)


@dataclass
class _Reading:
    """A field while windows come in."""

    name: str
    finder: FieldName
    codes: NDArray[np.int32]
    places: dict[str, int]
    """Of each distinct value."""

    bare: dict[bytes, int]
    """The same by the bytes that say it: as a JSON number or truth value, or as they stand in `plain`."""

    plain: dict[bytes, int]

    def place_of(self, text: str) -> int:
        return self.places.setdefault(text, len(self.places)) if text else -1


def _read_texts(selection: Selection, names: Sequence[str]) -> list[Field]:
    readings = [
        _Reading(
            name, FieldName.of(name, spellings_of(name)), np.full(len(selection), -1, np.int32), {}, {}, {}
        )
        for name in names
    ]
    if not readings:
        return []
    parts: list[tuple[Source, int, int]] = []
    for source in selection.corpus.sources:
        low, high = np.searchsorted(selection.records, (source.first, source.first + source.records)).tolist()
        if low < high:
            parts.append((source, low, high))
    told = list(workers().map(partial(_columns_of, selection, names), *zip(*parts, strict=True)))
    for (source, low, high), columns in zip(parts, told, strict=True):
        unread = [reading for reading in readings if columns[reading.name] is None]
        for reading in readings:
            if (numbers := columns[reading.name]) is not None:
                _take_numbers(selection, low, high, numbers, reading)
        if not unread:
            continue
        rows = selection.records[low:high] - source.first
        wanted = np.zeros(source.records, np.bool_)
        wanted[rows] = True
        for window in windows(selection.corpus, source, wanted):
            _read_window(selection, window, unread)
        for reading in unread:
            _read_extras(source, rows, reading.codes[low:high], reading)
    return [
        Field(name=reading.name, kind="text", codes=reading.codes, texts=tuple(reading.places))
        for reading in readings
    ]


_Numbers = tuple[NDArray[np.float64], NDArray[np.bool_]]


def _columns_of(
    selection: Selection, names: Sequence[str], source: Source, low: int, high: int
) -> dict[str, _Numbers | None]:
    """What a segment has of the selection's records from `low` to `high` as columns of numbers; None for what it has
    not, or where these tell of no record."""
    found: dict[str, _Numbers | None] = dict.fromkeys(names)
    if source.is_segment:
        rows = selection.records[low:high] - source.first
        for name in names:
            told = numbers_of(source, rows, name)
            found[name] = None if told is None or told[1].all() else told
    return found


def _take_numbers(selection: Selection, low: int, high: int, told: _Numbers, reading: _Reading) -> None:
    """Takes a column of numbers for the field of some records; what it does not tell is read from the texts of those
    records alone."""
    numbers, undecided = told
    of_these = reading.codes[low:high]
    known = ~np.isnan(numbers) & ~undecided
    distinct, places = np.unique(numbers[known], return_inverse=True)
    codes = [reading.place_of(_number_text(number)) for number in distinct.tolist()]
    of_these[known] = np.array(codes, np.int32)[places]
    if undecided.any():
        (rest,) = _read_texts(selection.only(np.flatnonzero(undecided) + low), [reading.name])
        codes = [*(reading.place_of(text) for text in rest.texts), -1]
        of_these[undecided] = np.array(codes, np.int32)[rest.codes]


def _number_text(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)


def _read_extras(
    source: Source, rows: NDArray[np.int64], codes: NDArray[np.int32], reading: _Reading
) -> None:
    """Fills in what is known of records besides their texts."""
    if not source.table.extras:
        return
    values = [reading.place_of(value_in(extra, reading.name)) for extra in source.table.extras]
    if max(values) >= 0:
        told = np.array(values, np.int32)[source.table.columns["extra"][rows]]
        np.copyto(codes, told, where=codes < 0)


def _read_window(selection: Selection, window: Window, readings: Sequence[_Reading]) -> None:
    low, high = np.searchsorted(selection.records, (window.first, window.first + len(window.starts)))
    if low == high:
        return
    chosen = selection.records[low:high] - window.first
    starts, ends = window.starts[chosen], window.ends[chosen]
    raw = bytes(window.buf[: int(window.ends[-1])])
    source = selection.corpus.source_of(window.first)
    is_simple = {name for name, _ in source.formats} <= _OF_KEYS_AND_VALUES
    for reading in readings:
        kinds, spans = find_values(window.buf, starts, ends, reading.finder)
        codes = reading.codes[low:high]
        # What stands in an access log or inside a wrapper only their own readers know.
        asked = kinds == ASK if is_simple else np.ones(len(kinds), np.bool_)
        if "message" in spellings_of(reading.name):
            # The body of a record that is no JSON is its text.
            asked |= window.buf[starts] != _BRACE
        headed = _may_have_header(window, starts, ends, kinds, reading.name) & is_simple
        asked |= headed
        told = np.zeros_like(asked)
        if HOST in (column_named(reading.name), column_spelled(reading.name)) and not source.own_formats:
            rows = np.flatnonzero(headed)
            places, hosts = hosts_in_headers(window.buf, starts[rows], ends[rows])
            codes[rows] = np.array([*map(reading.place_of, hosts), -1], np.int32)[places]
            told[rows] = places >= 0
        own = reading.name.rpartition(".")[2].encode("utf-8", "surrogateescape")
        for place in np.flatnonzero(asked & ~told).tolist():
            text = raw[starts[place] : ends[place]]
            # Without other spellings a field's own name stands in the text, or it is not there at all.
            if not is_simple or headed[place] or spellings_of(reading.name) or own in text or b"\\" in text:
                fields = fields_of_record(_decoded(text), source.own_formats, source.columns)
                codes[place] = reading.place_of(value_in(fields, reading.name))
        for kind, known in ((TEXT, reading.plain), (BARE, reading.bare)):
            found = np.flatnonzero((kinds == kind) & ~asked)
            places, values = distinct_texts(window.buf, spans[found, 0], spans[found, 1])
            for value in values:
                if value not in known:
                    known[value] = reading.place_of(_bare_text(value) if kind == BARE else _decoded(value))
            codes[found] = np.array([known[value] for value in values], np.int32)[places]


def _may_have_header(
    window: Window, starts: NDArray[np.int64], ends: NDArray[np.int64], kinds: NDArray[np.uint8], name: str
) -> NDArray[np.bool_]:
    """The records whose syslog header may say a field, or an object behind it: only their reader takes them apart."""
    found: NDArray[np.bool_] = window.buf[starts] != _BRACE
    if syslog.HEADER_FIELDS.isdisjoint((normalised(name), *spellings_of(name))):
        marks = mark_records(window.buf, starts, ends, Literal(b"{"))
        if "." in name:  # within structured data
            own = name.rpartition(".")[2].encode("utf-8", "surrogateescape")
            marks |= mark_records(window.buf, starts, ends, Literal(own))
        found &= (kinds == ABSENT) & marks
    rows = np.flatnonzero(found)
    found[rows] = mark_matching(f"^(?:{syslog.HEADS})", window.buf, starts[rows], ends[rows])
    return found


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _bare_text(value: bytes) -> str:
    """A JSON number or truth value as `_as_text` writes it; as it stands where it is none."""
    try:
        return _as_text(json.loads(value))
    except ValueError:
        return _decoded(value)
