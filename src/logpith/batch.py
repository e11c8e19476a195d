"""A batch: records as Arrow columns, what sources, stages and the store hand to each other.

A record is its text and what was read of it. Whatever the text itself says (fields of a JSON object, pairs) stays in
the text and is found there; `extra` holds only what the text does not say: what a stage added, renamed or took apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Batch: TypeAlias = Any
"""A `pyarrow.RecordBatch` of SCHEMA; pyarrow comes without types."""

SCHEMA = pa.schema(
    [
        pa.field("line", pa.binary(), nullable=False),
        pa.field("timestamp", pa.int64()),
        pa.field("observed_timestamp", pa.int64(), nullable=False),
        pa.field("severity_number", pa.uint8(), nullable=False),
        pa.field("service", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("extra", pa.string(), nullable=False),
    ]
)
"""line: the text of the record without its last line end, other line ends inside; not always UTF-8.
timestamp, observed_timestamp: ns since 1970 UTC; the first is null when unknown.
severity_number: OpenTelemetry's 1 to 24; 0 unknown.    service: empty when unknown.    source: what it came from.
extra: a JSON object of attributes, or empty."""

MOST_RECORDS = 65_536
"""Records of a batch at most."""


def make_batch(
    lines: Sequence[bytes],
    *,
    observed_ns: int,
    source: str,
    timestamps: Sequence[int | None] | None = None,
    severities: Sequence[int] | None = None,
    services: Sequence[str] | None = None,
    extras: Sequence[Mapping[str, object]] | None = None,
) -> Batch:
    """A batch of a few records, from Python's own values; what is left out is unknown."""
    count = len(lines)
    columns = [
        pa.array(lines, pa.binary()),
        pa.array([None] * count if timestamps is None else timestamps, pa.int64()),
        pa.array([observed_ns] * count, pa.int64()),
        pa.array([0] * count if severities is None else severities, pa.uint8()),
        pa.array([""] * count if services is None else services, pa.string()),
        pa.array([source] * count, pa.string()),
        pa.array([""] * count if extras is None else [spell_extra(extra) for extra in extras], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def spell_extra(extra: Mapping[str, object]) -> str:
    """Attributes as the column `extra` has them: the same ones always as the same text."""
    if not extra:
        return ""
    try:
        return msgspec.json.encode(extra, order="sorted").decode()
    except UnicodeEncodeError:  # what a text says need not be UTF-8
        readable = json.dumps(extra, ensure_ascii=False).encode("utf-8", "replace")
        return spell_extra(msgspec.json.decode(readable, type=dict[str, object]))


def with_column(batch: Batch, name: str, column: Any) -> Batch:
    """The batch with another column of that name."""
    return batch.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), column)


def dated(batch: Batch) -> Batch:
    """Records none of which tells a time, with the one at which they came: who sends such sends them as they happen.

    OpenTelemetry has it so, too (logs data model, `ObservedTimestamp`). Where some tell a time, those that do not are
    lines between them, of which nothing is known.
    """
    if not batch.num_rows or batch["timestamp"].null_count < batch.num_rows:
        return batch
    return with_column(batch, "timestamp", batch["observed_timestamp"])


def empty_batch() -> Batch:
    """No record."""
    return pa.RecordBatch.from_pylist([], schema=SCHEMA)


def text_spans(column: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The bytes of a column of texts, and where each text begins and ends in them; nothing is copied but offsets."""
    _, offsets, data = column.buffers()
    count = len(column)
    places = (
        np.frombuffer(offsets, np.int32, count + 1, column.offset * 4) if count else np.zeros(1, np.int32)
    )
    buf = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return buf, places[:-1].astype(np.int64), places[1:].astype(np.int64)


def text_column(octets: Any, sizes: NDArray[np.int64], kind: Any) -> Any:
    """The column of texts of these sizes, whose bytes stand behind each other."""
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.Array.from_buffers(kind, len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(octets)])


def replace_rows(batch: Batch, chosen: NDArray[np.bool_], by: Batch) -> Batch:
    """The batch with its chosen records replaced by those of `by`, of which there are as many, in order."""
    if not by.num_rows:
        return batch
    if by.num_rows == batch.num_rows:
        return by
    order = np.arange(batch.num_rows)
    order[chosen] = batch.num_rows + np.arange(by.num_rows)
    return join_batches([batch, by]).take(pa.array(order))


def join_batches(batches: Sequence[Batch]) -> Batch:
    """One batch with the records of all, one after the other."""
    if len(batches) == 1:
        return batches[0]
    # An empty table has no chunk to give.
    table = pa.Table.from_batches(batches, schema=SCHEMA).combine_chunks()
    return next(iter(table.to_batches()), None) or empty_batch()


def add_attributes(batch: Batch, added: Mapping[int, Mapping[str, object]]) -> Batch:
    """The batch with more attributes in some records, by place; what they are called already is not kept."""
    if not added:
        return batch
    extras = batch["extra"].to_pylist()
    # Where many records get the same one, it is spelled once.
    known: dict[tuple[str, int], str] = {}
    for place, attributes in added.items():
        extra = extras[place]
        key = extra, id(attributes)
        if key not in known:
            known[key] = spell_extra({**extra_of(extra), **attributes})
        extras[place] = known[key]
    return with_column(batch, "extra", pa.array(extras, pa.string()))


def count_before(batch: Batch, timestamp_ns: int) -> int:
    """How many records have a time that lies before a moment."""
    times = batch["timestamp"]
    return int(np.count_nonzero((times.fill_null(timestamp_ns)).to_numpy() < timestamp_ns))


def extra_of(text: str) -> dict[str, object]:
    """The attributes that the column `extra` spells."""
    return msgspec.json.decode(text, type=dict[str, object]) if text else {}
