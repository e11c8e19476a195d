"""The corpus: records of some texts as columns, in the order in which they stand in their sources."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from logpith.answer import Coverage, Evidence
from logpith.corpus.columns import Table
from logpith.corpus.mining import Mined, mined
from logpith.corpus.points import parts_of
from logpith.corpus.refs import make_ref
from logpith.files.archive import AnyText
from logpith.formats.recognise import Recognised
from logpith.formats.severity_words import severity_in
from logpith.plural import counted
from logpith.quote import Quoter
from logpith.scan.records import OwnFormat
from logpith.scan.shape_index import NO_SHAPE
from logpith.scan.tally import END, SEVERITIES, START, UNDATED, Tally, join_tallies
from logpith.scan.timestamps import NO_TIME
from logpith.templates.mine import Templates
from logpith.templates.shapes import ShapeTable
from logpith.timerange import format_ns
from logpith_emit.severity import severity_name

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One text, read."""

    name: str
    text: AnyText
    key: str
    """Four hex digits that refs carry."""

    table: Table
    stream: str = ""
    """The name of the log that it is a piece of: that of the live file."""

    first: int = 0
    """Its first record's number."""

    share: tuple[float, float] = (0.0, 1.0)
    """From where to where it goes in its log, counted in records: all of a log that was not rotated."""

    @property
    def records(self) -> int:
        return len(self.table)

    @property
    def lines(self) -> int:
        return self.table.lines

    @property
    def formats(self) -> Counter[tuple[str, str]]:
        """Records by format and name of the time layout."""
        return self.table.formats

    @property
    def size_bytes(self) -> int:
        """Of the unpacked text."""
        return self.table.size_bytes

    @property
    def trouble(self) -> str:
        return self.table.trouble

    @property
    def is_segment(self) -> bool:
        """Whether it is a segment of a store, and not a text by itself."""
        return bool(self.table.origins)

    @property
    def origins(self) -> tuple[str, ...]:
        """Where its records came from: of a text that is the text itself."""
        return self.table.origins or (self.name,)

    def line_of(self, place: int) -> int:
        """What a ref of one of its records begins with: its first line, or when it was where there are no lines."""
        return int(self._one("moment" if self.is_segment else "line", place))

    def origin_of(self, place: int) -> str:
        """Where one of its records came from."""
        if not self.table.origins:
            return self.name
        return self.table.origins[int(self._one("origin", place))]

    def extra_of(self, place: int) -> Mapping[str, object]:
        """What is known of one of its records besides its text."""
        if not self.table.extras:
            return {}
        return self.table.extras[int(self.table.columns["extra"][place])]

    def _one(self, name: str, place: int) -> np.generic:
        """What a column has of one record."""
        one: np.generic = self.table.of(np.array([place]))(name)[0]
        return one

    @cached_property
    def recognised(self) -> Recognised:
        """What was found out about its formats."""
        recognised = Recognised(newest_ns=self.text.changed_ns, wanted=self.table.own_formats)
        recognised.restore(self.table.recognised)
        return recognised

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the words of a line, where a header line has told them."""
        return self.recognised.columns

    @property
    def own_formats(self) -> tuple[OwnFormat, ...]:
        """The formats of this user that lines of the source fit."""
        return self.recognised.own_formats


def span_of(sources: Sequence[Source]) -> tuple[str, str]:
    """The first and the last time of some sources; both empty when no record has one."""
    span = _span_ns(sources)
    return (format_ns(span[0]), format_ns(span[1])) if span else ("", "")


def _span_ns(sources: Sequence[Source]) -> tuple[int, int] | None:
    dated = [source.table.times for source in sources if source.table.times[START] != NO_TIME]
    if not dated:
        return None
    return min(int(times[START]) for times in dated), max(int(times[END]) for times in dated)


class Columns:
    """One entry a record, through all sources. A column of a single source is the source's own, not a copy."""

    def __init__(self, sources: Sequence[Source], codes: Codes) -> None:
        self._sources = sources
        self._codes = codes

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """First byte in the unpacked text of its source."""
        return self._joined("start", np.int64)

    @cached_property
    def length(self) -> NDArray[np.uint32]:
        """Bytes."""
        return self._joined("length", np.uint32)

    @cached_property
    def line(self) -> NDArray[np.uint32]:
        """The 1-based number of its first line in its source."""
        return self._joined("line", np.uint32)

    @cached_property
    def lines(self) -> NDArray[np.int64]:
        """How many lines it has."""
        return np.concatenate(
            [
                np.empty(0, np.int64),
                *(
                    np.diff(source.table.columns["line"].astype(np.int64), append=source.lines + 1)
                    for source in self._sources
                    if source.records
                ),
            ]
        )

    @cached_property
    def time_ns(self) -> NDArray[np.int64]:
        """UTC; NO_TIME where unknown."""
        return self._joined("time_ns", np.int64)

    @cached_property
    def severity(self) -> NDArray[np.uint8]:
        """OpenTelemetry's number, as the record names it; 0 unknown."""
        return self._joined("severity", np.uint8)

    @cached_property
    def service(self) -> NDArray[np.int32]:
        """Place in `Corpus.services`."""
        return self._coded("service", self._codes.services)

    @cached_property
    def shape(self) -> NDArray[np.int32]:
        """Place in the shape table; NO_SHAPE for a record beyond its bound."""
        return self._coded("shape", self._codes.shapes)

    def by_shape(self, of_shape: NDArray[Scalar]) -> NDArray[Scalar]:
        """What `of_shape` holds for each record's shape; its last entry for a record without one."""
        maps = [of_shape[places] for places in self._codes.shapes]
        return self._coded("shape", maps)

    @cached_property
    def origin(self) -> NDArray[np.int32]:
        """Place in `Corpus.origins`."""
        if not any(source.is_segment for source in self._sources):
            places = [int(of_source[0]) for of_source in self._codes.origins]
            return np.repeat(np.array(places, np.int32), [source.records for source in self._sources])
        return self._coded("origin", self._codes.origins)

    @cached_property
    def source(self) -> NDArray[np.int32]:
        """Place in `Corpus.sources`."""
        return np.repeat(
            np.arange(len(self._sources), dtype=np.int32), [source.records for source in self._sources]
        )

    def _joined(self, name: str, kind: type[Scalar]) -> NDArray[Scalar]:
        arrays = [source.table.columns[name] for source in self._sources]
        return arrays[0] if len(arrays) == 1 else np.concatenate([np.empty(0, kind), *arrays])

    def _coded(self, name: str, maps: Sequence[NDArray[Scalar]]) -> NDArray[Scalar]:
        joined = np.empty(
            sum(source.records for source in self._sources), maps[0].dtype if maps else np.int32
        )
        for source, of_code in zip(self._sources, maps, strict=True):
            part = joined[source.first : source.first + source.records]
            if name == "origin" and not source.table.origins:
                part[:] = of_code[0]
                continue
            # Codes of 16 bits never pass the end of their map, but for NONE, which the last entry is for.
            np.take(of_code, source.table.columns[name], out=part, mode="clip")
        return joined


@dataclass(frozen=True)
class Codes:
    """What the codes of each source's table mean in the corpus."""

    shapes: tuple[NDArray[np.int32], ...]
    """For each source the place in the table of all shapes; the last entry, NO_SHAPE, is for NONE."""

    services: tuple[NDArray[np.int32], ...]
    origins: tuple[NDArray[np.int32], ...]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What a tool asks. Numbers of records count from 0 through all sources."""

    sources: tuple[Source, ...]
    codes: Codes
    services: tuple[str, ...]
    origins: tuple[str, ...]
    """Where records came from: the names of the sources, or of what a store has collected from."""

    shapes: ShapeTable
    skipped: tuple[str, ...] = ()
    whole: bool = True
    """Whether the sources were read to their ends; `skipped` begins with why not."""

    is_lacking: bool = False
    """Whether parts of a store could not be read; `skipped` tells which."""

    def __len__(self) -> int:
        return self._records

    @cached_property
    def _records(self) -> int:
        return sum(source.records for source in self.sources)

    @cached_property
    def columns(self) -> Columns:
        """What is known of each record."""
        return Columns(self.sources, self.codes)

    @property
    def is_stored(self) -> bool:
        """Whether its sources are segments of a store, and not texts by themselves."""
        return any(source.is_segment for source in self.sources)

    @property
    def source_count(self) -> int:
        """How many logs it is of; of a store how many sources it has collected from."""
        return len(self.origins) if self.is_stored else len(self.streams)

    @cached_property
    def lines(self) -> int:
        """Lines of text in all sources."""
        return sum(source.lines for source in self.sources)

    @cached_property
    def streams(self) -> Mapping[str, tuple[Source, ...]]:
        """The pieces of each log, oldest first; a log that was not rotated has one, and its name."""
        streams: dict[str, list[Source]] = {}
        for source in self.sources:
            streams.setdefault(source.stream or source.name, []).append(source)
        return {
            name if len(pieces) > 1 else pieces[0].name: tuple(pieces) for name, pieces in streams.items()
        }

    @cached_property
    def templates(self) -> Templates:
        """The templates of all records."""
        return self.mined.templates

    @cached_property
    def mined(self) -> Mined:
        """The templates, and what each shape looks like by itself."""
        return mined(self.shapes)

    @cached_property
    def template(self) -> NDArray[np.int32]:
        """The template of each record, by its place in `templates`; -1 for a record without a shape."""
        return self.columns.by_shape(np.append(self.templates.of_shape, np.int32(-1)).astype(np.int32))

    @cached_property
    def severity(self) -> NDArray[np.uint8]:
        """The severity of each record: its own, or else the level word that its template begins with."""
        own = self.columns.severity
        if not self.shape_severity.any():
            return own
        severity = self.columns.by_shape(self.shape_severity)
        np.copyto(severity, own, where=own > 0)
        return severity

    @cached_property
    def shape_severity(self) -> NDArray[np.uint8]:
        """For each shape the severity of the level word that its bodies begin with; one entry more, 0, for none."""
        return np.array([*(severity_in(samples[0]) for samples in self.shapes.samples), 0], np.uint8)

    @cached_property
    def shape_tally(self) -> Tally:
        """All records by shape."""
        joined = join_tallies(
            [source.table.tally.within(*source.share) for source in self.sources],
            [places[:-1] for places in self.codes.shapes],
            [source.first for source in self.sources],
            len(self.shapes),
        )
        # A record that names no severity has the one of its words.
        named = np.arange(len(self.shapes)), self.shape_severity[:-1]
        unnamed = joined.severities[:, 0].copy()
        joined.severities[:, 0] = 0
        np.add.at(joined.severities, named, unnamed)
        return joined

    @cached_property
    def tally(self) -> Tally:
        """All records by template."""
        return join_tallies([self.shape_tally], [self.templates.of_shape], [0], len(self.templates.templates))

    @property
    def severity_counts(self) -> NDArray[np.int64]:
        """Records by severity number, 0 to 24."""
        counts: NDArray[np.int64] = self.shape_tally.severities.sum(axis=0)
        if counts.sum() < len(self):  # some have no shape
            return np.bincount(self.severity, minlength=SEVERITIES)
        return counts

    @property
    def first_line(self) -> NDArray[np.uint32]:
        """The 1-based number of each record's first line in its source."""
        return self.columns.line

    @cached_property
    def span_ns(self) -> tuple[int, int] | None:
        """The first and the last time, or None when no record has one."""
        return _span_ns(self.sources)

    @property
    def counts_back_from_ns(self) -> int | None:
        """When a bare `10m` begins to count back: at the last record of files, which may be old; a store is of now."""
        span = self.span_ns
        return None if self.is_stored or span is None else span[1]

    @cached_property
    def undated(self) -> int:
        """Records without a time."""
        return sum(int(source.table.times[UNDATED]) for source in self.sources)

    @cached_property
    def _ungrouped(self) -> int:
        """Records without a shape."""
        return len(self) - int(sum(source.table.shapes.counts.sum() for source in self.sources))

    def texts(self, records: Sequence[int]) -> list[bytes]:
        """The text of each record, whole; their order is free, but reading is in file order."""
        found: dict[int, bytes] = {}
        for source, numbers in self._by_source(sorted(set(records))):
            own = np.array(numbers) - source.first
            if source.is_segment:
                text: Any = source.text
                found.update(zip(numbers, text.texts(own), strict=True))
                continue
            starts = source.table.columns["start"][own]
            ends = starts + source.table.columns["length"][own]
            spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
            found.update(zip(numbers, parts_of(source.text, spans), strict=True))
        return [found[record] for record in records]

    def _by_source(self, records: Sequence[int]) -> Iterator[tuple[Source, list[int]]]:
        for source in self.sources:
            inside = [record for record in records if source.first <= record < source.first + source.records]
            if inside:
                yield source, inside

    def source_of(self, record: int) -> Source:
        """The source of a record."""
        return self.sources[self._source_place(record)]

    def _source_place(self, record: int) -> int:
        return bisect_right(self.sources, record, key=lambda source: source.first) - 1

    def service_of(self, record: int) -> str:
        """The service that wrote a record, as the record says; empty when it does not."""
        place = self._source_place(record)
        source = self.sources[place]
        code = int(source.table.columns["service"][record - source.first])
        return self.services[int(self.codes.services[place][code])]

    def severity_of(self, record: int) -> int:
        """The severity of one record, as `severity` has it."""
        place = self._source_place(record)
        source = self.sources[place]
        column = source.table.of(np.array([record - source.first]))
        own = int(column("severity")[0])
        if own or not self.shape_severity.any():
            return own
        codes = self.codes.shapes[place]
        return int(self.shape_severity[codes[min(int(column("shape")[0]), len(codes) - 1)]])

    def evidence(self, records: Sequence[int], quoter: Quoter, width: int) -> tuple[Evidence, ...]:
        """Each record as proof, its text at most `width` characters wide."""
        return tuple(
            self._one_evidence(record, text, quoter, width)
            for record, text in zip(records, self.texts(records), strict=True)
        )

    def _one_evidence(self, record: int, text: bytes, quoter: Quoter, width: int) -> Evidence:
        source = self.source_of(record)
        shown = quoter.quote(text, width)
        return Evidence(
            ref=make_ref(source.line_of(record - source.first), source.key, text),
            time=self.time_text(record),
            source=source.origin_of(record - source.first),
            severity=severity_name(self.severity_of(record)),
            text=shown,
            flag=quoter.flag(text),
        )

    def time_text(self, record: int) -> str:
        """ISO 8601, or "" for a record without time."""
        source = self.source_of(record)
        time = int(source.table.of(np.array([record - source.first]))("time_ns")[0])
        return format_ns(time) if time != NO_TIME else ""

    def span_text(self, records: NDArray[np.int64]) -> tuple[str, str]:
        """The first and the last time of some records; both empty when none has one."""
        times = self.columns.time_ns[records]
        times = times[times != NO_TIME]
        return (format_ns(int(times.min())), format_ns(int(times.max()))) if len(times) else ("", "")

    def coverage(self, quoter: Quoter) -> Coverage:
        """What was read, for the answer that `quoter` has served."""
        span = self.span_ns
        undated = self.undated
        troubles = [f"{source.name}: {source.trouble}" for source in self.sources if source.trouble]
        troubles += [f"{source.name}: {source.table.note}" for source in self.sources if source.table.note]
        if self._ungrouped:
            troubles.append(
                f"{counted(self._ungrouped, 'record')}: not grouped, more than {len(self.shapes.hashes)} shapes"
            )
        return Coverage(
            lines=self.lines,
            records=len(self),
            sources=self.source_count,
            start=format_ns(span[0]) if span else "",
            end=format_ns(span[1]) if span else "",
            undated=round(undated / len(self), 4) if len(self) else 0.0,
            skipped=tuple(quoter.quote(text, 200) for text in self._skipped(troubles)),
            redacted=quoter.redacted,
            flagged=quoter.flagged,
        )

    def _skipped(self, troubles: Sequence[str]) -> tuple[str, ...]:
        """What is missing, the weightiest first: budgets cut from the tail."""
        return (*troubles, *self.skipped) if self.whole else (self.skipped[0], *troubles, *self.skipped[1:])


def join_tables(sources: Sequence[Source], skipped: tuple[str, ...] = (), *, whole: bool = True) -> Corpus:
    """The corpus of some sources."""
    table = ShapeTable.union([_shape_table(source.table) for source in sources])
    names: dict[str, int] = {"": 0}
    shape_maps: list[NDArray[np.int32]] = []
    service_maps: list[NDArray[np.int32]] = []
    origins: dict[str, int] = {}
    origin_maps: list[NDArray[np.int32]] = []
    placed: list[Source] = []
    first = 0
    in_stream = Counter[str]()
    for source in sources:
        in_stream[source.stream] += source.records
    before = Counter[str]()
    for source in sources:
        places = np.searchsorted(table.hashes, source.table.shapes.hashes)
        shape_maps.append(np.append(places, NO_SHAPE).astype(np.int32))
        codes = [names.setdefault(name, len(names)) for name in source.table.services]
        service_maps.append(np.array([0, *codes], np.int32))
        places_of = [origins.setdefault(name, len(origins)) for name in source.origins]
        origin_maps.append(np.array(places_of, np.int32))
        low = before[source.stream]
        before[source.stream] += source.records
        total = max(in_stream[source.stream], 1)
        share = (low / total, before[source.stream] / total) if source.records else (0.0, 1.0)
        placed.append(replace(source, first=first, share=share))
        first += source.records
    return Corpus(
        sources=tuple(placed),
        codes=Codes(tuple(shape_maps), tuple(service_maps), tuple(origin_maps)),
        services=tuple(names),
        origins=tuple(origins),
        shapes=table,
        skipped=skipped,
        whole=whole,
    )


def _shape_table(table: Table) -> ShapeTable:
    """The shapes of a source by ascending hash, with their samples in the order of their values' hashes."""
    order = np.argsort(table.shapes.hashes).tolist()
    samples = [sorted(table.shapes.samples[code].items()) for code in order]
    return ShapeTable(
        hashes=table.shapes.hashes[order],
        counts=table.shapes.counts[order],
        samples=tuple(tuple(body for _, body in pairs) for pairs in samples),
        value_hashes=tuple(tuple(value for value, _ in pairs) for pairs in samples),
    )
