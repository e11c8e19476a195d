"""Reading: bytes of whole lines → a batch of records, by the scan that files are explored with.

A reader belongs to one stream of lines and remembers what was recognised in it, so that the second block is read as
the whole file would be. Nothing here is done once a record: columns come out of the scan as arrays, and the column of
texts is the block itself without its line ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.batch import MOST_RECORDS, SCHEMA, Batch, empty_batch, spell_extra, text_column
from logpith.formats.body import body_of
from logpith.formats.own import own_formats
from logpith.formats.recognise import Recognised
from logpith.formats.severity_words import severity_in
from logpith.scan.gather import close_up
from logpith.scan.records import PADDING, OwnFormat, Reading, Records, read_records
from logpith.scan.timestamps import NO_TIME
from logpith_emit.errors import BadArgument

# As many bodies as are looked at for the level word that they begin with; beyond, the known ones are forgotten.
_MOST_SHAPES = 65_536
_TEXTS = pa.binary()


@dataclass(frozen=True)
class Found:
    """The records of a block."""

    batch: Batch
    """All of them, however many."""

    ends: NDArray[np.int64]
    """For each record the place in the block where the next one begins; for the last one the block's end."""

    lines: NDArray[np.int32]
    """Of how many lines each is."""

    def __len__(self) -> int:
        return len(self.ends)

    def parts(self, count: int) -> Iterator[tuple[Batch, int]]:
        """The first `count` records in batches of at most MOST_RECORDS, each with the place behind it."""
        for first in range(0, count, MOST_RECORDS):
            length = min(MOST_RECORDS, count - first)
            yield self.batch.slice(first, length), int(self.ends[first + length - 1])


class LineReader:
    """Reads the lines of one stream."""

    def __init__(
        self,
        source: str,
        *,
        service: str = "",
        extra: Mapping[str, object] | None = None,
        own: tuple[OwnFormat, ...] | None = None,
    ) -> None:
        """`service` is that of records that name none, `extra` what each record is besides."""
        self._source = source
        self._service = service
        self._extra = spell_extra(extra or {})
        self._recognised = Recognised(newest_ns=0, wanted=own_formats() if own is None else own)
        self._known_shapes = np.empty(0, np.uint64)
        self._known_severities = np.empty(0, np.uint8)
        self._has_looked = False

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was recognised yet: `look_back` helps only then."""
        return not self._has_looked

    def look_back(self, text: bytes, now_ns: int) -> None:
        """Recognises how lines are written that were read before, by an earlier reader of this stream."""
        buf, end = as_block(text)
        if end:
            self._look(buf, 0, end, now_ns)

    def read_text(self, text: bytes, observed_ns: int) -> Found:
        """The records of a text, whose last line need not end."""
        buf, end = as_block(text)
        return self.read(buf, 0, end, observed_ns)

    def read(self, buf: NDArray[np.uint8], begin: int, end: int, observed_ns: int) -> Found:
        """The records of `buf[begin:end]`, which ends behind a newline; PADDING bytes follow."""
        if begin >= end:
            return Found(empty_batch(), np.empty(0, np.int64), np.empty(0, np.int32))
        reading = self._look(buf, begin, end, observed_ns)
        records = read_records(buf, begin, end, reading)
        ends = np.append(records.start[1:], end)
        return Found(self._batch(buf, records, observed_ns), ends, records.lines)

    def _look(self, buf: NDArray[np.uint8], begin: int, end: int, now_ns: int) -> Reading:
        self._has_looked = True
        self._recognised.newest_ns = now_ns
        return self._recognised.look_at(buf, begin, end)

    def _batch(self, buf: NDArray[np.uint8], records: Records, observed_ns: int) -> Batch:
        count = len(records)
        columns = [
            _texts(buf, records.start, records.end),
            pa.array(records.time_ns, pa.int64(), mask=records.time_ns == NO_TIME),
            pa.array(np.full(count, observed_ns, np.int64)),
            pa.array(self._severities(buf, records)),
            self._services(records),
            pa.repeat(pa.scalar(self._source, pa.string()), count),
            pa.repeat(pa.scalar(self._extra, pa.string()), count),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    def _services(self, records: Records) -> object:
        names = [self._service, *(name.decode("utf-8", "backslashreplace") for name in records.services)]
        if len(names) == 1:
            return pa.repeat(pa.scalar(self._service, pa.string()), len(records))
        return pa.array(names, pa.string()).take(pa.array(records.service))

    def _severities(self, buf: NDArray[np.uint8], records: Records) -> NDArray[np.uint8]:
        """The severity that each record names, or else the level word that its body begins with."""
        unnamed = np.flatnonzero(records.severity == 0)
        if not len(unnamed):
            return records.severity.copy()
        shapes = records.shape[unnamed]
        unknown = np.flatnonzero(~self._is_known(shapes))
        if len(unknown):
            self._learn_severities(buf, records, unnamed[unknown])
        severities = records.severity.copy()
        severities[unnamed] = self._known_severities[np.searchsorted(self._known_shapes, shapes)]
        return severities

    def _is_known(self, shapes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        if not len(self._known_shapes):
            return np.zeros(len(shapes), np.bool_)
        places = np.minimum(np.searchsorted(self._known_shapes, shapes), len(self._known_shapes) - 1)
        known: NDArray[np.bool_] = self._known_shapes[places] == shapes
        return known

    def _learn_severities(self, buf: NDArray[np.uint8], records: Records, some: NDArray[np.int64]) -> None:
        """Looks at one body of each shape that was not seen before."""
        if len(self._known_shapes) > _MOST_SHAPES:
            self._known_shapes, self._known_severities = np.empty(0, np.uint64), np.empty(0, np.uint8)
            some = np.flatnonzero(records.severity == 0)
        shapes, first = np.unique(records.shape[some], return_index=True)
        severities = [severity_in(body_of(buf, records, record)) for record in some[first].tolist()]
        known = np.concatenate([self._known_shapes, shapes])
        order = np.argsort(known)
        self._known_shapes = known[order]
        told = np.concatenate([self._known_severities, np.array(severities, np.uint8)])
        self._known_severities = told[order]


def as_block(text: bytes) -> tuple[NDArray[np.uint8], int]:
    """A buffer that the scan can read, and where its last line ends; a last line without an end is given one."""
    end = "" if not text or text.endswith(b"\n") else "\n"
    buf = np.frombuffer(text + end.encode() + bytes(PADDING), np.uint8)
    return buf, len(text) + len(end)


def attributes_of(settings: Sequence[str]) -> dict[str, object]:
    """Attributes as settings spell them, `name=value`.

    Raises:
        BadArgument: one has no name, or no equals sign.
    """
    found: dict[str, object] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise BadArgument(
                f"attributes: {text!r} is not written name=value",
                remedy="Write one like deployment.environment=production",
            )
        found[name.strip()] = value.strip()
    return found


def _texts(buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> object:
    """The bytes between each start and end as an Arrow column: the block without what lies between records."""
    return text_column(close_up(buf, starts, ends), ends - starts, _TEXTS)
