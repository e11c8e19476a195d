"""A segment, read: opened in no time, read in parts, verified as it is read.

Blocks are read one by one, only the columns that are asked for. What is small (templates, words, rollup) is read
once. Every byte that is used is covered by a checksum, and a wrong one raises `Refused`: never a wrong record.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from numpy.typing import NDArray

from logpith.batch import SCHEMA
from logpith.meter import note_read
from logpith.scan.records import PADDING
from logpith.scan.split import Templates, join_lines
from logpith.scan.timestamps import NO_TIME
from logpith.scan.word_bits import LETTERS_BYTES, may_hold_letters, may_hold_words
from logpith.store.disk import TRASH
from logpith.store.parquet_file import ParquetFile
from logpith.store.recent import RECENT
from logpith.store.segment_writer import (
    DATA,
    FIRST_FORMAT,
    FORMAT,
    HEAD,
    LETTERS,
    NUMBERS,
    ROLLUP,
    SHAPES,
    TEMPLATES,
    VALUES,
    WORDS,
    Built,
    Checksums,
    Head,
    digest,
    sorted_rows,
)
from logpith.store.shapes import ShapeFacts
from logpith_emit.disk import Disk
from logpith_emit.errors import Damaged, Refused, Unavailable

_PER_UNIT = {"ms": 1_000_000, "us": 1_000, "ns": 1}
_RESTORE = "Run logpith store check; restore the segment from a copy, or drop it"

_NO_TEXT = np.zeros(1, np.uint8)
_NO_ROWS = np.empty(0, np.int64)
_NUMBERS = itertools.count()

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class SegmentTemplates:
    """The templates of a segment."""

    texts: NDArray[np.uint8]
    """Their texts with marks (`scan/split.py`), behind each other; `offsets` has one entry more."""

    offsets: NDArray[np.int64]
    severity: NDArray[np.uint8]
    service: NDArray[np.int32]
    """Places in `services`; `source` in `sources`."""

    source: NDArray[np.int32]
    services: tuple[str, ...]
    sources: tuple[str, ...]
    shape: NDArray[np.uint64]
    """0 for templates without one."""

    records: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.severity)

    def text(self, template: int) -> bytes:
        """The text of one, with marks."""
        return bytes(self.texts[self.offsets[template] : self.offsets[template + 1]])


@dataclass(frozen=True)
class Rollup:
    """Records by minute and template."""

    minute: NDArray[np.int32]
    """Since 1970; UNDATED_MINUTE for records without a time."""

    template: NDArray[np.int32]
    records: NDArray[np.int32]


@dataclass(frozen=True)
class Values:
    """The values of some rows, or of some of them."""

    buf: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    """One entry more than rows that have some here."""

    rows: NDArray[np.int64]
    """Which row each of them is of, in the order of the buffer."""

    count: int
    """Of all rows."""

    def spans(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(starts, ends) in the buffer of the values of some rows that have some here."""
        place = np.empty(self.count, np.int32)
        place[self.rows] = np.arange(len(self.rows), dtype=np.int32)
        places = place[rows]
        return self.offsets[places], self.offsets[places + 1]


class Segment:
    """An open segment; may be asked from several threads."""

    def __init__(self, head: Head, files: Mapping[str, bytes] | Path, disk: Disk) -> None:
        self.head = head
        self._files = files
        self._disk = disk
        self._number = next(_NUMBERS)
        self.damage = ""
        """What was found damaged in it; empty as long as all that was read was good."""

    @classmethod
    def open(cls, folder: Path, disk: Disk) -> Segment:
        """The segment in a folder.

        Raises:
            Refused: it is damaged, or of a later version.
            FileNotFoundError: there is none.
        """
        try:
            data = disk.read(folder / HEAD)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Damaged(
                f"{folder.name}/{HEAD} cannot be read: {error.strerror}", remedy=_RESTORE
            ) from error
        return cls(read_head(folder, data), folder, disk)

    @classmethod
    def of(cls, built: Built) -> Segment:
        """A segment that is only in memory."""
        return cls(built.head, built.files, Disk())

    def __len__(self) -> int:
        return self.head.records

    @property
    def name(self) -> str:
        return self.head.id

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.head.records // self.head.block_records)

    def rows_of(self, block: int) -> slice:
        """The rows of a block."""
        first = block * self.head.block_records
        return slice(first, min(first + self.head.block_records, self.head.records))

    @cached_property
    def templates(self) -> SegmentTemplates:
        """All templates."""
        table = self._table(TEMPLATES, coded=("service", "source"))
        text, service, source = table["text"], table["service"], table["source"]
        octets = text.buffers()[2]
        return SegmentTemplates(
            # Never empty, though the line of the only template may be: so all may look at a first byte.
            texts=np.frombuffer(octets, np.uint8) if octets is not None and octets.size else _NO_TEXT,
            offsets=np.frombuffer(text.buffers()[1], np.int64)[: len(text) + 1],
            severity=table["severity_number"].to_numpy(),
            service=service.indices.to_numpy(),
            source=source.indices.to_numpy(),
            services=tuple(service.dictionary.to_pylist()),
            sources=tuple(source.dictionary.to_pylist()),
            shape=table["shape"].to_numpy(),
            records=table["records"].to_numpy(),
        )

    @cached_property
    def rollup(self) -> Rollup:
        """Records by minute and template."""
        table = self._table(ROLLUP)
        return Rollup(*(table[name].to_numpy() for name in ("minute", "template", "records")))

    @cached_property
    def shapes(self) -> ShapeFacts:
        """What the corpus knows of it."""
        return msgspec.msgpack.decode(zstandard.decompress(self._bytes(SHAPES)), type=ShapeFacts)

    @cached_property
    def _words(self) -> NDArray[np.uint8]:
        width = (self.blocks + 7) // 8
        return np.frombuffer(self._bytes(WORDS), np.uint8).reshape(-1, width)

    def blocks_between(self, start_ns: int | None, end_ns: int | None) -> NDArray[np.bool_]:
        """For each block whether it may hold records from `start_ns` on and before `end_ns`."""
        firsts, lasts = self._borders
        found = np.ones(self.blocks, np.bool_)
        if start_ns is not None:
            found &= lasts >= start_ns
        if end_ns is not None:
            found &= firsts < end_ns
        return found

    @cached_property
    def _borders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The earliest and the latest time of each block; of one without times, nothing that any period holds."""
        metadata, schema = self._data.metadata, self._data.schema
        scale = _PER_UNIT[str(schema.field("timestamp").type.unit)]
        place = schema.get_field_index("timestamp")
        firsts = np.full(self.blocks, np.iinfo(np.int64).max, np.int64)
        lasts = np.full(self.blocks, np.iinfo(np.int64).min, np.int64)
        for block in range(self.blocks):
            told = metadata.row_group(block).column(place).statistics
            if told is not None and told.has_min_max:
                firsts[block] = told.min_raw * scale
                lasts[block] = told.max_raw * scale
        return firsts, lasts

    def may_hold_words(self, words: Sequence[bytes]) -> NDArray[np.bool_]:
        """For each block whether all of some words may stand among its values (not: in its templates)."""
        return may_hold_words(self._words, self.blocks, words)

    @cached_property
    def _letters(self) -> NDArray[np.uint8]:
        bits = zstandard.decompress(self._bytes(LETTERS))
        return np.frombuffer(bits, np.uint8).reshape(-1, LETTERS_BYTES)

    def may_hold_letters(self, text: bytes) -> NDArray[np.bool_]:
        """For each block whether a text may stand among its values, as far as its letters tell."""
        return may_hold_letters(self._letters, text)

    def has_column(self, name: str) -> bool:
        """Whether an attribute is a column of numbers here."""
        return name in self.head.numbers

    def column(self, name: str, blocks: Sequence[int] | None = None) -> Any:
        """A column of some blocks, or of all, as an Arrow array.

        Raises:
            Refused: it is damaged.
        """
        if blocks is not None and len(blocks) == 1:
            return self.columns([name], blocks)[name]
        return self._data.read(range(self.blocks) if blocks is None else blocks, [name])[name]

    def columns(self, names: Sequence[str], blocks: Sequence[int]) -> dict[str, Any]:
        """Some columns of some blocks, as Arrow arrays. Those of single blocks are remembered for a while."""
        if len(blocks) != 1:
            return self._data.read(blocks, names)
        block = blocks[0]
        known = {name: RECENT.get(self._number, block, name) for name in names}
        missing = [name for name, column in known.items() if column is None]
        if missing:
            for name, column in self._data.read([block], missing).items():
                known[name] = column
                RECENT.put(self._number, block, name, column)
        return known

    def times(self, blocks: Sequence[int] | None = None) -> NDArray[np.int64]:
        """The time of each row in ns; NO_TIME where unknown."""
        return times_of(self.column("timestamp", blocks))

    def values(
        self, blocks: Sequence[int], template: NDArray[np.int32], wanted: NDArray[np.bool_] | None = None
    ) -> Values:
        """The values of the rows of some blocks, whose templates are given; at least those of `wanted` templates."""
        if self._is_format_1:
            column = self.column("values", blocks)
            return Values(*_octets_of(column), np.arange(len(template)), len(template))
        parts: Sequence[int] = range(len(self.head.parts))
        if wanted is not None and not wanted.all():
            parts = np.flatnonzero(np.logical_or.reduceat(wanted, self.head.parts)).tolist()
        parts, column = self._parts(blocks, parts)
        borders = itertools.accumulate((self._records_of(block) for block in blocks), initial=0)
        rows = [
            sorted_rows(template[low:high], first, behind) + low
            for low, high in itertools.pairwise(borders)
            for first, behind in self._spans_of(parts)
        ]
        values = Values(*_octets_of(column), np.concatenate([_NO_ROWS, *rows]), len(template))
        if len(values.offsets) != len(values.rows) + 1:
            self._is_damaged(VALUES, "it has the values of other rows")
        return values

    def numbers(self, name: str, blocks: Sequence[int]) -> NDArray[Any]:
        """An attribute that is a column of numbers, of the `numbered` rows of some blocks; NaN where one has it not."""
        column = f"number:{name}"
        if self._is_format_1:
            found = self._data.read(blocks, [column])[column]
        else:
            found = self._numbers.read(blocks, [column])[column]
        numbers = plain_numbers(found)
        return np.where(_is_known(found), numbers, np.nan) if found.null_count else numbers

    def numbered(self, template: NDArray[np.int32]) -> NDArray[np.int32]:
        """Which of some rows, whose templates are given, columns of numbers tell of."""
        if self._is_format_1:
            return np.arange(len(template), dtype=np.int32)
        return np.flatnonzero(self._has_numbers.take(template)).astype(np.int32)

    @cached_property
    def _has_numbers(self) -> NDArray[np.bool_]:
        """The templates whose rows are in the file of numbers."""
        found = np.zeros(len(self.templates), np.bool_)
        for templates in self.head.numbers.values():
            found[templates] = True
        return found

    @property
    def _is_format_1(self) -> bool:
        """Whether values and numbers stand beside the other columns of each row."""
        return self.head.format == FIRST_FORMAT

    def _spans_of(self, parts: Sequence[int]) -> list[tuple[int, int]]:
        """(first template, the one behind the last) of some parts, put together where they follow each other."""
        edges = [*self.head.parts, len(self.templates)]
        spans: list[tuple[int, int]] = []
        for part in parts:
            if spans and spans[-1][1] == edges[part]:
                spans[-1] = spans[-1][0], edges[part + 1]
            else:
                spans.append((edges[part], edges[part + 1]))
        return spans

    def _records_of(self, block: int) -> int:
        return min(self.head.block_records, self.head.records - block * self.head.block_records)

    def _parts(self, blocks: Sequence[int], parts: Sequence[int]) -> tuple[Sequence[int], Any]:
        """(some parts or all, these of the values of some blocks). Of single blocks they are remembered for a while."""
        groups = [block * len(self.head.parts) + part for block in blocks for part in parts]
        if len(blocks) != 1:
            return parts, self._values.read(groups, ["values"])["values"]
        for known in (range(len(self.head.parts)), parts):
            column = RECENT.get(self._number, blocks[0], f"values {[*known]}")
            if column is not None:
                return known, column
        column = self._values.read(groups, ["values"])["values"]
        RECENT.put(self._number, blocks[0], f"values {[*parts]}", column)
        return parts, column

    def lines(
        self,
        rows: NDArray[np.int64],
        template: NDArray[np.int32],
        times: NDArray[np.int64],
        values: Values,
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
        """(buffer, starts, end) of the lines of some rows out of those whose columns are given; see `join_lines`."""
        return join_lines(
            rows, template, times, values.buf, values.spans(rows), self._ready_templates, PADDING
        )

    @cached_property
    def _ready_templates(self) -> Templates:
        return Templates.of(self.templates.texts, self.templates.offsets)

    # ── Files ───────────────────────────────────────────────────────────────────────────────────────────────

    def _bytes(self, name: str) -> bytes:
        if not isinstance(self._files, Path):
            return self._files[name]
        data = self._from_disk(name, self._disk.read)
        note_read(len(data))
        if digest(data) != self.head.files.get(name):
            self._is_damaged(name)
        return data

    def _from_disk(self, name: str, read: Callable[[Path], Made]) -> Made:
        """What `read` makes of a file, wherever the segment stands by now: what is dropped can be read for a while."""
        folder: Any = self._files
        try:
            return read(folder / name)
        except FileNotFoundError as error:
            moved = self._in_trash(folder)
            if moved not in (None, folder):
                self._files = moved
                return self._from_disk(name, read)
            if HEAD in self._disk.names(folder):
                self._is_damaged(name, "it is missing")
            raise Unavailable(
                f"segment {self.head.id} has gone: it was put together anew, or dropped", remedy="Ask again"
            ) from error
        except (OSError, pa.ArrowException) as error:
            self._is_damaged(name, str(error))

    def _in_trash(self, folder: Path) -> Path | None:
        trash = folder.parents[2] / TRASH if folder.parent.name != TRASH else folder.parent
        found = (name for name in self._disk.names(trash) if name.endswith(f"-{self.head.id}"))
        return next((trash / name for name in found), None)

    def _table(self, name: str, coded: Sequence[str] = ()) -> dict[str, Any]:
        # Not `read_table`, which brings a library that reads many files as one.
        file = pq.ParquetFile(pa.BufferReader(self._bytes(name)), read_dictionary=coded, pre_buffer=False)
        table = file.read(use_threads=False)
        return {column: table[column].combine_chunks() for column in table.column_names}

    @cached_property
    def _data(self) -> ParquetFile:
        return self._parquet(DATA, self.head)

    @cached_property
    def _values(self) -> ParquetFile:
        return self._parquet(VALUES, self.head.of_values)

    @cached_property
    def _numbers(self) -> ParquetFile:
        return self._parquet(NUMBERS, self.head.of_numbers)

    def _parquet(self, name: str, checksums: Checksums | None) -> ParquetFile:
        files = self._files
        if not isinstance(files, Path):
            return ParquetFile(lambda: files[name], None, lambda told: self._is_damaged(name, told))
        return ParquetFile(
            lambda: self._from_disk(name, self._mapped),
            checksums,
            lambda told: self._is_damaged(name, told),
        )

    def _mapped(self, path: Path) -> Any:
        if not path.stat().st_size == self.head.sizes[path.name] > 0:
            self._is_damaged(path.name)
        return np.memmap(path, np.uint8, "r")

    def _is_damaged(self, name: str, detail: str = "") -> NoReturn:
        self.damage = f"{self.head.id}/{name} is damaged{f': {detail}' if detail else ''}"
        raise Damaged(self.damage, remedy=_RESTORE)


def segment_table(segment: Segment) -> Any:
    """All records of a segment, as an Arrow table like those that it was made from, in the order of time."""
    import pyarrow.compute as pc  # noqa: PLC0415  a question needs none of it

    blocks = range(segment.blocks)
    names = ("template", "timestamp", "observed_timestamp", "extra")
    columns = segment.columns(names, blocks)
    templates = segment.templates
    template = columns["template"].to_numpy()
    times = times_of(columns["timestamp"])
    values = segment.values(blocks, template)
    buf, starts, end = segment.lines(np.arange(len(segment)), template, times, values)
    lines = pa.Array.from_buffers(
        pa.large_binary(), len(starts), [None, pa.py_buffer(np.append(starts, end)), pa.py_buffer(buf)]
    )
    return pa.table(
        [
            pc.binary_slice(lines, 0, -1).cast(pa.binary()),
            pa.array(times, mask=times == NO_TIME),
            pa.array(times_of(columns["observed_timestamp"])),
            pa.array(templates.severity[template]),
            pa.array(templates.services, pa.string()).take(pa.array(templates.service[template])),
            pa.array(templates.sources, pa.string()).take(pa.array(templates.source[template])),
            columns["extra"].cast(pa.string()),
        ],
        schema=SCHEMA,
    )


def spell_head(head: Head) -> bytes:
    """The bytes of `segment.json`: JSON on the first line, its checksum on the second."""
    body = msgspec.json.encode(head)
    return body + b"\n" + digest(body).encode() + b"\n"


def read_head(folder: Path, data: bytes) -> Head:
    """What `segment.json` of a folder says.

    Raises:
        Refused: it is damaged, or of a later version.
    """
    body, _, rest = data.partition(b"\n")
    if rest != digest(body).encode() + b"\n":
        raise Damaged(f"{folder.name}/{HEAD} is damaged", remedy=_RESTORE)
    remedy = "Use the version of logpith that wrote it, or a later one"
    try:
        head = msgspec.json.decode(body, type=Head)
    except msgspec.MsgspecError as error:  # whole, but not as we write it
        raise Refused(f"{folder.name}/{HEAD} is of another version: {error}", remedy=remedy) from error
    if head.format not in (FIRST_FORMAT, FORMAT):
        raise Refused(
            f"segment {head.id} has format {head.format}; this logpith reads up to {FORMAT}", remedy=remedy
        )
    return head


def times_of(column: Any) -> NDArray[np.int64]:
    """A column of times as ns; NO_TIME where it is null."""
    scale = _PER_UNIT[column.type.unit]
    times: NDArray[np.int64] = plain_numbers(column) * scale
    if column.null_count:
        times[_is_known(column) == 0] = NO_TIME
    return times


def _is_known(column: Any) -> NDArray[np.uint8]:
    """0 where a column that has nulls is null."""
    bits = np.frombuffer(column.buffers()[0], np.uint8)
    return np.unpackbits(bits, bitorder="little")[column.offset : column.offset + len(column)]


def plain_numbers(column: Any) -> NDArray[Any]:
    """A column of numbers as it is stored; where it is null stands any number."""
    kind = np.int64 if pa.types.is_timestamp(column.type) else column.type.to_pandas_dtype()
    numbers = np.frombuffer(column.buffers()[1] or b"", kind)
    return numbers[column.offset : column.offset + len(column)]


def _octets_of(column: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(buffer, offsets) of a column of values."""
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    data = column.buffers()[2]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), offsets
