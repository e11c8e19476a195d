"""A checksum of arrays that is nearly as quick as reading them: to tell a damaged cache, not to resist an attacker.

Words of 8 bytes are added up in rows of 64 KiB, and the sums of the rows with odd weights. So any change within a
single word is noticed, and rows that have changed places.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROW_WORDS = 8192
_ROWS_AT_ONCE = 1024
_PLACE = 0x9E3779B97F4A7C15
_ALL = (1 << 64) - 1


class Checksum:
    """The checksum of bytes that come in pieces."""

    def __init__(self) -> None:
        self._total = 0
        self._rows = 0
        self._size_bytes = 0
        self._rest = np.empty(0, np.uint8)

    def add(self, data: NDArray[Any]) -> None:
        """Adds the bytes of an array."""
        octets = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        self._size_bytes += len(octets)
        row_bytes = _ROW_WORDS * 8
        if len(self._rest):
            need = row_bytes - len(self._rest)
            self._rest = np.concatenate([self._rest, octets[:need]])
            octets = octets[need:]
            if len(self._rest) < row_bytes:
                return
            self._add_rows(self._rest)
        whole = len(octets) // row_bytes * row_bytes
        for first in range(0, whole, _ROWS_AT_ONCE * row_bytes):
            self._add_rows(octets[first : min(whole, first + _ROWS_AT_ONCE * row_bytes)])
        self._rest = octets[whole:].copy()

    def _add_rows(self, octets: NDArray[np.uint8]) -> None:
        sums = octets.view(np.uint64).reshape(-1, _ROW_WORDS).sum(axis=1, dtype=np.uint64)
        weights = np.arange(self._rows, self._rows + len(sums), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._total = (self._total + int((sums * weights).sum(dtype=np.uint64))) & _ALL
        self._rows += len(sums)

    @property
    def value(self) -> int:
        """The checksum of all bytes so far."""
        padded = np.concatenate([self._rest, np.zeros(-len(self._rest) % 8, np.uint8)]).view(np.uint64)
        rest = int(padded.sum(dtype=np.uint64)) * (2 * self._rows + 1)
        return (self._total + rest + self._size_bytes * _PLACE) & _ALL


def checksum(data: NDArray[Any]) -> int:
    """The checksum of an array's bytes."""
    total = Checksum()
    total.add(data)
    return total.value
