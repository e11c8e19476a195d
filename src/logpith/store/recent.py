"""Columns of blocks that were read lately: what was asked for its matches is asked for their texts next, and questions
come in rows about the same days. One bound holds for all open segments together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

MOST_RECENT_BYTES = 80 << 20
"""Enough for a million records of usual logs, whose values take some 50 bytes each."""


class RecentColumns:
    """Arrow arrays by segment, block and name; those not asked for the longest go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._columns: OrderedDict[tuple[int, int, str], Any] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, segment: int, block: int, name: str) -> Any:
        """A column of a block; None if it is not here."""
        key = segment, block, name
        with self._lock:
            if key in self._columns:
                self._columns.move_to_end(key)
            return self._columns.get(key)

    def put(self, segment: int, block: int, name: str, column: Any) -> None:
        """Keeps a column for a while."""
        key = segment, block, name
        with self._lock:
            before = self._columns.pop(key, None)
            self._bytes += column.nbytes - (before.nbytes if before is not None else 0)
            self._columns[key] = column
            while self._bytes > self._most_bytes:
                _, gone = self._columns.popitem(last=False)
                self._bytes -= gone.nbytes


RECENT = RecentColumns(MOST_RECENT_BYTES)
