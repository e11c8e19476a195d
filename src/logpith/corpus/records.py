"""The corpus: records of some texts as columns, in the order in which they stand in their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from logpith.answer import Coverage, Evidence
from logpith.corpus.refs import make_ref
from logpith.files.text import Text
from logpith.formats.severity_words import severity_in
from logpith.quote import Quoter
from logpith.scan.records import OwnFormat
from logpith.scan.shape_index import NO_SHAPE
from logpith.scan.timestamps import NO_TIME
from logpith.templates.mine import Templates, mine
from logpith.templates.shapes import ShapeTable
from logpith.timerange import format_ns
from logpith_emit.severity import severity_name


@dataclass(frozen=True, kw_only=True)
class Source:
    """One text, read."""

    name: str
    text: Text
    key: str
    """Four hex digits that refs carry."""

    first: int
    """Its first record's number."""

    records: int
    lines: int
    formats: Counter[tuple[str, str]]
    """Records by format and name of the time layout."""

    size_bytes: int
    """Of the unpacked text."""

    trouble: str = ""
    columns: tuple[str, ...] = ()
    """The names of the words of a line, where a header line has told them."""

    own_formats: tuple[OwnFormat, ...] = ()
    """The formats of this user that lines of the source fit."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """One entry a record."""

    start: NDArray[np.int64]
    """First byte in the unpacked text of its source."""

    length: NDArray[np.int64]
    lines: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    """UTC; NO_TIME where unknown."""

    severity: NDArray[np.uint8]
    """OpenTelemetry's number; 0 unknown."""

    service: NDArray[np.int32]
    """Place in `Corpus.services`."""

    shape: NDArray[np.int32]
    """Place in the shape table; NO_SHAPE for a record beyond its bound."""

    source: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What a tool asks. Numbers of records count from 0 through all sources."""

    sources: tuple[Source, ...]
    columns: Columns
    services: tuple[str, ...]
    shapes: ShapeTable
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns.start)

    @property
    def lines(self) -> int:
        """Lines of text in all sources."""
        return sum(source.lines for source in self.sources)

    @cached_property
    def templates(self) -> Templates:
        """The templates of all records."""
        return mine(self.shapes)

    @cached_property
    def template(self) -> NDArray[np.int32]:
        """The template of each record, by its place in `templates`; -1 for a record without a shape."""
        of_shape = np.append(self.templates.of_shape, np.int32(-1)).astype(np.int32)
        return of_shape[self.columns.shape]

    @cached_property
    def by_template(self) -> tuple[NDArray[np.int64], ...]:
        """For each template the numbers of its records, in order."""
        order = np.argsort(self.template, kind="stable")
        edges = np.searchsorted(self.template[order], np.arange(len(self.templates.templates) + 1))
        return tuple(order[a:b] for a, b in pairwise(edges.tolist()))

    @cached_property
    def severity(self) -> NDArray[np.uint8]:
        """The severity of each record: its own, or else the level word that its template begins with."""
        if not len(self.shapes.hashes):
            return self.columns.severity
        of_shape = np.array([severity_in(samples[0]) for samples in self.shapes.samples], np.uint8)
        from_words = np.where(self.columns.shape >= 0, of_shape[self.columns.shape], 0).astype(np.uint8)
        return np.where(self.columns.severity > 0, self.columns.severity, from_words)

    @cached_property
    def first_line(self) -> NDArray[np.int64]:
        """The 1-based number of each record's first line in its source."""
        before = np.cumsum(self.columns.lines, dtype=np.int64) - self.columns.lines
        starts = np.array(
            [before[source.first] if source.records else 0 for source in self.sources], np.int64
        )
        return before - starts[self.columns.source] + 1

    @cached_property
    def span_ns(self) -> tuple[int, int] | None:
        """The first and the last time, or None when no record has one."""
        dated = self.columns.time_ns[self.columns.time_ns != NO_TIME]
        return (int(dated.min()), int(dated.max())) if len(dated) else None

    def texts(self, records: Sequence[int]) -> list[bytes]:
        """The text of each record, whole; their order is free, but reading is in file order."""
        found: dict[int, bytes] = {}
        for source, numbers in self._by_source(sorted(set(records))):
            starts = self.columns.start[numbers]
            ends = starts + self.columns.length[numbers]
            spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
            found.update(zip(numbers, source.text.parts(spans), strict=True))
        return [found[record] for record in records]

    def _by_source(self, records: Sequence[int]) -> Iterator[tuple[Source, list[int]]]:
        for source in self.sources:
            inside = [record for record in records if source.first <= record < source.first + source.records]
            if inside:
                yield source, inside

    def evidence(self, records: Sequence[int], quoter: Quoter, width: int) -> tuple[Evidence, ...]:
        """Each record as proof, its text at most `width` characters wide."""
        return tuple(
            self._one_evidence(record, text, quoter, width)
            for record, text in zip(records, self.texts(records), strict=True)
        )

    def _one_evidence(self, record: int, text: bytes, quoter: Quoter, width: int) -> Evidence:
        source = self.sources[self.columns.source[record]]
        shown = quoter.quote(text, width)
        return Evidence(
            ref=make_ref(int(self.first_line[record]), source.key, text),
            time=self.time_text(record),
            source=source.name,
            severity=severity_name(int(self.severity[record])),
            text=shown,
            flag=quoter.flag(text),
        )

    def time_text(self, record: int) -> str:
        """ISO 8601, or "" for a record without time."""
        time = int(self.columns.time_ns[record])
        return format_ns(time) if time != NO_TIME else ""

    def span_text(self, records: NDArray[np.int64]) -> tuple[str, str]:
        """The first and the last time of some records; both empty when none has one."""
        times = self.columns.time_ns[records]
        times = times[times != NO_TIME]
        return (format_ns(int(times.min())), format_ns(int(times.max()))) if len(times) else ("", "")

    def coverage(self, quoter: Quoter) -> Coverage:
        """What was read, for the answer that `quoter` has served."""
        span = self.span_ns
        undated = int((self.columns.time_ns == NO_TIME).sum())
        troubles = [f"{source.name}: {source.trouble}" for source in self.sources if source.trouble]
        ungrouped = int((self.columns.shape == NO_SHAPE).sum())
        if ungrouped:
            troubles.append(f"{ungrouped} records: not grouped, more than {len(self.shapes.hashes)} shapes")
        return Coverage(
            lines=self.lines,
            records=len(self),
            sources=len(self.sources),
            start=format_ns(span[0]) if span else "",
            end=format_ns(span[1]) if span else "",
            undated=round(undated / len(self), 4) if len(self) else 0.0,
            skipped=tuple(quoter.quote(text, 200) for text in (*troubles, *self.skipped)),
            redacted=quoter.redacted,
            flagged=quoter.flagged,
        )
