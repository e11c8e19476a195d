"""Tables of records → segments, as many as it takes: what one segment cannot hold is halved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from logpith.store.rows import rows_of
from logpith.store.segment_writer import Built, build_segment
from logpith_emit.errors import Refused

SEGMENT_BYTES = 256 << 20
"""So much text, uncompressed, goes into a segment at most, but for a single record that is longer."""


def build_segments(
    table: Any,
    name: Callable[[], str],
    day: int,
    now_ns: int,
    *,
    most_records: int,
    level: int,
    kind: str = "",
    most_bytes: int = SEGMENT_BYTES,
) -> list[Built]:
    """Segments with the records of an Arrow table, which are all of one day; `name` names the next one."""
    if table.num_rows > 1 and (table.num_rows > most_records or table.nbytes > most_bytes):
        # Full ones first: what is left over is put together with others later.
        first = most_records if table.num_rows > most_records else table.num_rows // 2
    else:
        try:
            return [build_segment(rows_of(table), name(), day, now_ns, level=level, kind=kind)]
        except Refused:  # too many services and sources
            if table.num_rows < 2:
                raise
            first = table.num_rows // 2
    return [
        built
        for part in (table.slice(0, first), table.slice(first))
        for built in build_segments(
            part,
            name,
            day,
            now_ns,
            most_records=most_records,
            level=level,
            kind=kind,
            most_bytes=most_bytes,
        )
    ]
