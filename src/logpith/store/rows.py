"""Rows: batches of records on their way into a segment, in the order of time, their lines behind each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.batch import SCHEMA, Batch
from logpith.scan.gather import chain_lines, gather_lines
from logpith.scan.records import PADDING
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import NS_PER_D


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Columns with one entry a row, and the text of all rows."""

    buf: NDArray[np.uint8]
    """The lines, each with a newline behind it, then PADDING bytes."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    """The place of each line's own newline."""

    time_ns: NDArray[np.int64]
    """NO_TIME where unknown."""

    observed_ns: NDArray[np.int64]
    severity: NDArray[np.uint8]
    service: NDArray[np.int32]
    """Places in `services`; `source` in `sources`."""

    source: NDArray[np.int32]
    extra: Any
    """An Arrow array of texts, as places in the distinct ones."""

    services: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.starts)


def days_of(table: Any) -> Iterator[tuple[int, Any]]:
    """(day since 1970, its records) of an Arrow table; a record without a time is of the day it came."""
    times = table["timestamp"].combine_chunks()
    observed = table["observed_timestamp"].to_numpy()
    days = np.where(times.is_null(), observed, times.fill_null(0).to_numpy()) // NS_PER_D
    for day in np.unique(days).tolist():
        chosen = days == day
        yield day, table if chosen.all() else table.filter(pa.array(chosen))


def table_of(batches: Sequence[Batch]) -> Any:
    """One Arrow table of some batches."""
    return pa.Table.from_batches(batches, schema=SCHEMA)


def rows_of(table: Any) -> Rows:
    """The rows of an Arrow table, in the order of time; one without a time stays behind the one before it."""
    times = _single(table["timestamp"]).fill_null(NO_TIME).to_numpy(zero_copy_only=False)
    order = _order(times)
    is_in_order = order is None
    if order is None:  # nothing need change its place
        buf, starts = chain_lines([_octets(chunk) for chunk in table["line"].chunks], PADDING)
        order = np.arange(len(times))
    else:
        octets, offsets = _octets(_single(table["line"].cast(pa.large_binary())))
        buf, starts = gather_lines(octets, offsets[:-1], offsets[1:], order, PADDING)
    service, services = _codes(table["service"], order)
    source, sources = _codes(table["source"], order)
    extra = _encoded(table["extra"])
    return Rows(
        buf=buf,
        starts=starts,
        ends=np.append(starts[1:], len(buf) - PADDING) - 1,
        time_ns=times[order],
        observed_ns=table["observed_timestamp"].to_numpy()[order],
        severity=table["severity_number"].to_numpy()[order],
        service=service,
        source=source,
        extra=extra if is_in_order else extra.take(pa.array(order)),
        services=services,
        sources=sources,
    )


def _order(times: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The rows in the order of time; None when they stand in it."""
    known = np.maximum.accumulate(np.where(times != NO_TIME, np.arange(len(times)), 0))
    filled = times[known]
    if (filled[1:] >= filled[:-1]).all():
        return None
    order: NDArray[np.int64] = np.argsort(filled, kind="stable")
    return order


def _octets(lines: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of an array of lines, and where each begins, with the end of the last."""
    kind = np.int64 if lines.type == pa.large_binary() else np.int32
    offsets = np.frombuffer(lines.buffers()[1], kind)[lines.offset : lines.offset + len(lines) + 1]
    data = lines.buffers()[2]
    octets = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return octets, offsets.astype(np.int64)


def _codes(column: Any, order: NDArray[np.int64]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    encoded = _encoded(column)
    return encoded.indices.to_numpy()[order].astype(np.int32), tuple(encoded.dictionary.to_pylist())


def _encoded(column: Any) -> Any:
    """A table's column of texts as one array of places in its distinct texts."""
    if not isinstance(column, pa.ChunkedArray):
        return column.dictionary_encode()
    encoded = column.dictionary_encode().unify_dictionaries()
    return encoded.combine_chunks() if encoded.num_chunks != 1 else encoded.chunk(0)


def _single(column: Any) -> Any:
    """A table's column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
