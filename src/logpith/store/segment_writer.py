"""Building a segment: rows → the bytes of its files. Nothing here touches the disk.

    data.parquet        a row a record: time, template …, in blocks (row groups) of BLOCK_RECORDS
    values.parquet      their values: of each block by template, cut into parts, so that few are read for few templates
    numbers.parquet     numbers that records name by a key, of those records alone
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
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix
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
from logpith.store.attributes import Numbers, number_columns
from logpith.store.rows import Rows
from logpith.store.shapes import Shapes
from logpith.timerange import NS_PER_MIN
from logpith_emit.errors import Refused

FORMAT = 2
"""Of the files of a segment. Readers refuse a number that they do not know."""

FIRST_FORMAT = 1
"""In which values and numbers are columns of data.parquet."""

BLOCK_RECORDS = 16_384

MOST_PARTS = 8
LEAST_PART_BYTES = 64 << 10
"""Of a block's values. Smaller parts would pack worse, and take as long to be found as to be read."""

_GIVE = 0.25
"""By how much of a part its border may be shifted."""

DATA = "data.parquet"
VALUES = "values.parquet"
NUMBERS = "numbers.parquet"
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


class Checksums(msgspec.Struct, frozen=True, kw_only=True):
    """What tells whether a part of a Parquet file is as it was written."""

    footer_bytes: int
    """From the end of its last page on; `footer` is their checksum."""

    footer: str
    chunks: bytes
    """CRC-32 of each column of each row group, little-endian, group by group. Pages carry checksums of their own, but
    their headers have none."""


class Head(Checksums, frozen=True, kw_only=True):
    """What `segment.json` says; its checksums are those of data.parquet."""

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
    """Attributes that are columns of numbers, each with the templates whose records have it only there."""

    parts: list[int] = []
    """The first template of each part of a block's values."""

    of_values: Checksums | None = None
    """Of values.parquet; None in the first format."""

    of_numbers: Checksums | None = None
    """Of numbers.parquet; None where there is none."""

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
    least_part_bytes: int = LEAST_PART_BYTES,
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
    split, shape_of_template = _in_order(shapes.split, shapes.of_template)
    offsets = np.concatenate([[0], split.value_ends])
    numbers = number_columns(rows, split, offsets)
    counts = np.bincount(split.tids, minlength=len(split.text_ends))
    parts = _parts(split, offsets, block_records, least_part_bytes)
    files = {
        DATA: _data(rows, split, level, block_records),
        VALUES: _values(split, offsets, parts, level, block_records),
        **({NUMBERS: _numbers(numbers, split.tids, level, block_records)} if numbers.columns else {}),
        TEMPLATES: _templates(rows, split, shape_of_template, counts),
        WORDS: word_bits(split.values, offsets, block_records).tobytes(),
        LETTERS: zstandard.compress(letter_bits(split.values, offsets, block_records).tobytes(), 3),
        ROLLUP: _rollup(rows, split),
        SHAPES: zstandard.compress(msgspec.msgpack.encode(shapes.facts(rows)), 3),
    }
    dated = rows.time_ns[rows.time_ns != NO_TIME]
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
            parts=parts,
            **msgspec.structs.asdict(_checksums(files[DATA])),
            of_values=_checksums(files[VALUES]),
            of_numbers=_checksums(files[NUMBERS]) if NUMBERS in files else None,
            files={name: digest(data) for name, data in files.items()},
            sizes={name: len(data) for name, data in files.items()},
        ),
        files,
    )


def digest(data: bytes | memoryview) -> str:
    """The checksum that `segment.json` has of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def chunk_span(metadata: Any, group: int, column: int) -> slice:
    """Where a column of a row group stands in its file."""
    told = metadata.row_group(group).column(column)
    start = told.data_page_offset
    if told.has_dictionary_page:
        start = min(start, told.dictionary_page_offset)
    return slice(start, start + told.total_compressed_size)


def _checksums(data: bytes) -> Checksums:
    metadata = pq.read_metadata(pa.BufferReader(data))
    octets = memoryview(data)
    footer_bytes = int.from_bytes(data[-8:-4], "little") + 8
    chunks = b"".join(
        crc32(octets[chunk_span(metadata, group, column)]).to_bytes(4, "little")
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    return Checksums(footer_bytes=footer_bytes, footer=digest(octets[-footer_bytes:]), chunks=chunks)


def sorted_rows(template: NDArray[np.int32], low: int, high: int) -> NDArray[np.int64]:
    """The rows of templates from `low` to below `high`, in the order of templates, and of each as they stand."""
    # Numbers of two bytes are sorted by counting them; a segment has no more templates than they tell.
    numbers = template.astype(np.uint16)
    rows = np.flatnonzero((template >= low) & (template < high))
    return rows[np.argsort(numbers[rows], kind="stable")]


def _in_order(split: Split, shapes: NDArray[np.uint64]) -> tuple[Split, NDArray[np.uint64]]:
    """The split and the shapes of its templates, numbered in the order of their texts as read from the end: those of
    one statement then stand together, whoever says it."""
    edges = [0, *split.text_ends.tolist()]
    octets = split.texts.tobytes()
    texts = [octets[low:high] for low, high in itertools.pairwise(edges)]
    order = sorted(range(len(texts)), key=lambda template: texts[template][::-1])
    place = np.empty(len(texts), np.int32)
    place[order] = np.arange(len(texts))
    ordered = replace(
        split,
        tids=place[split.tids],
        texts=np.frombuffer(b"".join([texts[template] for template in order]), np.uint8),
        text_ends=np.cumsum([len(texts[template]) for template in order], dtype=np.int64),
        facts=split.facts[order],
    )
    return ordered, shapes[order]


def _parts(split: Split, offsets: NDArray[np.int64], block_records: int, least_bytes: int) -> list[int]:
    """The first template of each part: parts of about the same size, as many as are worth it, and cut where the texts
    of neighbours have least in common at their ends, so that what is said alike is found in one."""
    held = np.cumsum(np.bincount(split.tids, np.diff(offsets), len(split.text_ends)))
    blocks = -(-len(split.tids) // block_records)
    wanted = min(max(int(held[-1]) // blocks // least_bytes, 1), MOST_PARTS)
    octets, edges = split.texts.tobytes(), [0, *split.text_ends.tolist()]
    texts = [octets[low:high][::-1] for low, high in itertools.pairwise(edges)]

    def in_common(template: int) -> int:
        return len(commonprefix(texts[template - 1 : template + 1]))  # noqa: RUF071  these are no paths

    parts = {0}
    for part in range(1, wanted):
        low, high = np.searchsorted(held, held[-1] * np.array([part - _GIVE, part + _GIVE]) / wanted).tolist()
        parts.add(min(range(low + 1, high + 1), key=in_common, default=low))
    return sorted(parts)


def _facts(rows: Rows) -> NDArray[np.uint64]:
    """What templates keep of each row besides its text: severity, service, source."""
    facts = rows.severity.astype(np.uint64)
    facts |= rows.service.astype(np.uint64) << np.uint64(8)
    facts |= rows.source.astype(np.uint64) << np.uint64(32)
    return facts


def _counted(codes: NDArray[np.int32], names: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────


def _data(rows: Rows, split: Split, level: int, block_records: int) -> bytes:
    columns = {
        "timestamp": _times(rows.time_ns),
        "observed_timestamp": _times(rows.observed_ns),
        "template": pa.array(split.tids),
        "length": pa.array((rows.ends - rows.starts).astype(np.uint32)),
        "extra": rows.extra,
    }
    return _parquet(
        [pa.table(columns)],
        level=level,
        row_group_size=block_records,
        use_dictionary=["template", "length", "extra"],
        column_encoding={"timestamp": "DELTA_BINARY_PACKED", "observed_timestamp": "DELTA_BINARY_PACKED"},
        write_statistics=["timestamp", "observed_timestamp"],
    )


def _values(
    split: Split, offsets: NDArray[np.int64], parts: Sequence[int], level: int, block_records: int
) -> bytes:
    values = _binary(split.values, offsets)
    edges = [*parts, len(split.text_ends)]

    def groups() -> Iterable[Any]:
        for first in range(0, len(split.tids), block_records):
            template = split.tids[first : first + block_records]
            for low, high in itertools.pairwise(edges):
                rows = pa.array(sorted_rows(template, low, high) + first)
                yield pa.table({"values": values.take(rows)})

    return _parquet(groups(), level=level)


def _numbers(numbers: Numbers, tids: NDArray[np.int32], level: int, block_records: int) -> bytes:
    rows = np.flatnonzero(np.isin(tids, np.concatenate(list(numbers.templates.values()))))
    table = pa.table({f"number:{name}": column for name, column in numbers.columns.items()})
    firsts = range(0, len(tids), block_records)
    edges = [*np.searchsorted(rows, firsts).tolist(), len(rows)]
    groups = (table.take(pa.array(rows[low:high])) for low, high in itertools.pairwise(edges))
    return _parquet(groups, level=level, write_statistics=True)


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
    return _parquet([table])


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
    return _parquet([table], column_encoding=dict.fromkeys(table.column_names, "DELTA_BINARY_PACKED"))


def _parquet(
    groups: Iterable[Any], *, level: int = 3, row_group_size: int | None = None, **options: Any
) -> bytes:
    """A file of some tables, each a row group or several of `row_group_size`."""
    out = pa.BufferOutputStream()
    settings = {"use_dictionary": False, "write_statistics": False, **options}
    groups = iter(groups)
    first = next(groups)
    with pq.ParquetWriter(
        out,
        first.schema,
        compression="zstd",
        compression_level=level,
        write_page_checksum=True,
        **settings,
    ) as writer:
        for table in itertools.chain([first], groups):
            writer.write_table(table, row_group_size)
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types
