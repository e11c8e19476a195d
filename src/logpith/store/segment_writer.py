"""Building a segment: rows → the bytes of its files. Nothing here touches the disk.

    data.parquet        a row a record: time, template, values …, in blocks (row groups) of BLOCK_RECORDS
    templates.parquet   a row a template, numbered from 0: its text with marks, and what its records have in common
    words.bits          which words stand among the values of each block (`scan/word_bits.py`)
    letters.bits        which runs of three letters do, compressed
    rollup.parquet      records by minute and template
    shapes.msgpack      what the corpus knows of it: samples and tallies by shape, compressed
    segment.json        what there is, with a checksum of each other file

`docs/format/segment.md` draws them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from numpy.typing import NDArray

from logpith.scan.split import MOST_FACTS, Split, split_lines
from logpith.scan.timestamps import NO_TIME
from logpith.scan.word_bits import BITS_PER_WORD, HASHES, letter_bits, word_bits
from logpith.store.attributes import number_columns
from logpith.store.rows import Rows
from logpith.store.shapes import Shapes
from logpith.timerange import NS_PER_MIN
from logpith_emit.errors import Refused

FORMAT = 1
"""Of the files of a segment. Readers refuse a number that they do not know."""

BLOCK_RECORDS = 16_384

DATA = "data.parquet"
TEMPLATES = "templates.parquet"
WORDS = "words.bits"
LETTERS = "letters.bits"
ROLLUP = "rollup.parquet"
SHAPES = "shapes.msgpack"
HEAD = "segment.json"

NONE = 0xFFFF
"""The shape of a record beyond the bound on shapes."""

UNDATED_MINUTE = np.iinfo(np.int32).min
_NEWLINE = 10
_UNITS = (("ms", 1_000_000), ("us", 1_000))


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What `segment.json` says."""

    format: int = FORMAT
    id: str
    day: int
    """Days since 1970 in UTC; of records without a time the day they came."""

    kind: str = ""
    """Its retention class."""

    records: int
    lines: int
    text_bytes: int
    """Of the lines, with a newline behind each."""

    start_ns: int
    """First and last time; NO_TIME when no record has one."""

    end_ns: int
    undated: int
    observed_start_ns: int
    observed_end_ns: int
    block_records: int = BLOCK_RECORDS
    bits_per_word: int = BITS_PER_WORD
    hashes: int = HASHES
    services: dict[str, int]
    """Records by service; `sources` by source."""

    sources: dict[str, int]
    severities: list[int]
    """Records by severity number, 0 to 24."""

    numbers: dict[str, list[int]]
    """Attributes that are columns of data.parquet, each with the templates whose records have it only there."""

    footer_bytes: int
    """Of data.parquet, from the end of its last page on; `footer` is their checksum."""

    footer: str
    chunks: bytes
    """CRC-32 of each column of each block of data.parquet, little-endian, block by block. Pages carry checksums of
    their own, but their headers have none."""

    files: dict[str, str]
    """Name → BLAKE2b-128 of its bytes."""

    sizes: dict[str, int]


@dataclass(frozen=True)
class Built:
    """A segment that is not on the disk yet."""

    head: Head
    files: Mapping[str, bytes]
    """All but `segment.json`."""

    @property
    def id(self) -> str:
        return self.head.id

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.files.values()))


def build_segment(
    rows: Rows,
    name: str,
    day: int,
    newest_ns: int,
    *,
    level: int = 3,
    kind: str = "",
    block_records: int = BLOCK_RECORDS,
) -> Built:
    """The segment of some rows of one day; `level` is zstd's.

    Raises:
        Refused: it would have more different services, sources and severities than a segment can.
    """
    facts = _facts(rows)
    if len(np.unique(facts)) > MOST_FACTS:
        raise Refused("too many services and sources for one segment", remedy="Split the rows")
    split = split_lines(rows.buf, rows.starts, rows.ends, np.arange(len(rows)), rows.time_ns, facts)
    shapes = Shapes.of(rows, split, newest_ns)
    split = shapes.split
    offsets = np.concatenate([[0], split.value_ends])
    numbers = number_columns(rows, split, offsets)
    counts = np.bincount(split.tids, minlength=len(split.text_ends))
    files = {
        DATA: _data(rows, split, offsets, numbers.columns, level, block_records),
        TEMPLATES: _templates(rows, split, shapes.of_template, counts),
        WORDS: word_bits(split.values, offsets, block_records).tobytes(),
        LETTERS: zstandard.compress(letter_bits(split.values, offsets, block_records).tobytes(), 3),
        ROLLUP: _rollup(rows, split),
        SHAPES: zstandard.compress(msgspec.msgpack.encode(shapes.facts(rows)), 3),
    }
    dated = rows.time_ns[rows.time_ns != NO_TIME]
    footer_bytes = int.from_bytes(files[DATA][-8:-4], "little") + 8
    return Built(
        Head(
            id=name,
            day=day,
            kind=kind,
            records=len(rows),
            lines=int(shapes.lines.sum()),
            text_bytes=int((rows.ends - rows.starts).sum()) + len(rows),
            start_ns=int(dated.min()) if len(dated) else NO_TIME,
            end_ns=int(dated.max()) if len(dated) else NO_TIME,
            undated=len(rows) - len(dated),
            block_records=block_records,
            observed_start_ns=int(rows.observed_ns.min()),
            observed_end_ns=int(rows.observed_ns.max()),
            services=_counted(rows.service, rows.services),
            sources=_counted(rows.source, rows.sources),
            severities=np.bincount(rows.severity, minlength=25).tolist(),
            numbers=numbers.templates,
            footer_bytes=footer_bytes,
            footer=digest(files[DATA][-footer_bytes:]),
            chunks=_chunk_checksums(files[DATA]),
            files={name: digest(data) for name, data in files.items()},
            sizes={name: len(data) for name, data in files.items()},
        ),
        files,
    )


def digest(data: bytes) -> str:
    """The checksum that `segment.json` has of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def chunk_span(metadata: Any, block: int, column: int) -> slice:
    """Where a column of a block stands in data.parquet."""
    told = metadata.row_group(block).column(column)
    start = told.data_page_offset
    if told.has_dictionary_page:
        start = min(start, told.dictionary_page_offset)
    return slice(start, start + told.total_compressed_size)


def _chunk_checksums(data: bytes) -> bytes:
    metadata = pq.read_metadata(pa.BufferReader(data))
    octets = memoryview(data)
    return b"".join(
        crc32(octets[chunk_span(metadata, block, column)]).to_bytes(4, "little")
        for block in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )


def _facts(rows: Rows) -> NDArray[np.uint64]:
    """What templates keep of each row besides its text: severity, service, source."""
    facts = rows.severity.astype(np.uint64)
    facts |= rows.service.astype(np.uint64) << np.uint64(8)
    facts |= rows.source.astype(np.uint64) << np.uint64(32)
    return facts


def _counted(codes: NDArray[np.int32], names: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────


def _data(
    rows: Rows,
    split: Split,
    offsets: NDArray[np.int64],
    numbers: Mapping[str, Any],
    level: int,
    block_records: int,
) -> bytes:
    lengths = (rows.ends - rows.starts).astype(np.uint32)
    columns = {
        "timestamp": _times(rows.time_ns),
        "observed_timestamp": _times(rows.observed_ns),
        "template": pa.array(split.tids),
        "length": pa.array(lengths),
        "values": _binary(split.values, offsets),
        "extra": rows.extra,
        **{f"number:{name}": column for name, column in numbers.items()},
    }
    table = pa.table(columns)
    return _parquet(
        table,
        level=level,
        row_group_size=block_records,
        use_dictionary=["template", "length", "extra"],
        column_encoding={"timestamp": "DELTA_BINARY_PACKED", "observed_timestamp": "DELTA_BINARY_PACKED"},
        write_statistics=["timestamp", "observed_timestamp", *(f"number:{name}" for name in numbers)],
    )


def _times(times: NDArray[np.int64]) -> Any:
    """Times in the widest unit that keeps them as they are; null for NO_TIME."""
    known = times != NO_TIME
    for unit, width in _UNITS:
        if not (times[known] % width).any():
            return pa.array(times // width, pa.timestamp(unit, "UTC"), mask=~known)
    return pa.array(times, pa.timestamp("ns", "UTC"), mask=~known)


def _binary(values: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Any:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)


def _templates(rows: Rows, split: Split, shapes: NDArray[np.uint64], counts: NDArray[np.int64]) -> bytes:
    offsets = np.concatenate([[0], split.text_ends])
    service = (split.facts >> np.uint64(8) & np.uint64(0xFFFFFF)).astype(np.int64)
    source = (split.facts >> np.uint64(32)).astype(np.int64)
    table = pa.table(
        {
            "text": _binary(split.texts, offsets),
            "severity_number": pa.array((split.facts & np.uint64(0xFF)).astype(np.uint8)),
            "service": pa.array([rows.services[place] for place in service.tolist()], pa.string()),
            "source": pa.array([rows.sources[place] for place in source.tolist()], pa.string()),
            "shape": pa.array(shapes),
            "records": pa.array(counts),
        }
    )
    return _parquet(table, level=3)


def _rollup(rows: Rows, split: Split) -> bytes:
    known = rows.time_ns != NO_TIME
    minutes = np.where(known, rows.time_ns // NS_PER_MIN, UNDATED_MINUTE)
    low = int(minutes[known].min()) if known.any() else 0
    places = np.where(known, minutes - low + 1, 0)
    templates = len(split.text_ends)
    groups, counts = np.unique(places * templates + split.tids, return_counts=True)
    of_group = groups // templates
    table = pa.table(
        {
            "minute": pa.array(np.where(of_group == 0, UNDATED_MINUTE, of_group - 1 + low).astype(np.int32)),
            "template": pa.array((groups % templates).astype(np.int32)),
            "records": pa.array(counts.astype(np.int32)),
        }
    )
    return _parquet(table, level=3, column_encoding=dict.fromkeys(table.column_names, "DELTA_BINARY_PACKED"))


def _parquet(table: Any, *, level: int, **options: Any) -> bytes:
    out = pa.BufferOutputStream()
    settings = {"use_dictionary": False, "write_statistics": False, **options}
    pq.write_table(
        table, out, compression="zstd", compression_level=level, write_page_checksum=True, **settings
    )
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types
