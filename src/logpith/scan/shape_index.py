"""Shapes of records → small dense codes, with counts and a few samples of each.

A sample is chosen by the hash of its values, smallest first, so the choice depends on what the lines say and
not on the order in which they came: the same lines, shuffled or split, give the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel

SAMPLES = 3
NO_SHAPE = -1
MOST_SHAPES = 50_000
_ABSENT = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@kernel
def _add(
    shapes: Any,
    values: Any,
    first: int,
    slots: Any,
    slot_codes: Any,
    hashes: Any,
    counts: Any,
    best: Any,
    holders: Any,
    size: int,
    most: int,
    codes: Any,
) -> Any:
    """(place, size): codes are given to the records from `first` to `place`, where the table was full."""
    mask = slots.shape[0] - 1
    for i in range(first, shapes.shape[0]):
        shape = shapes[i]
        slot = np.int64(shape & np.uint64(mask))
        while slots[slot] != 0 and slots[slot] != shape:
            slot = (slot + 1) & mask
        if slots[slot] == 0:
            if size >= most:
                codes[i] = NO_SHAPE
                continue
            if size >= hashes.shape[0]:
                return i, size
            slots[slot] = shape
            slot_codes[slot] = size
            hashes[size] = shape
            size += 1
        code = slot_codes[slot]
        codes[i] = code
        counts[code] += 1
        value = values[i]
        if value < best[code, SAMPLES - 1]:
            place = 0
            while best[code, place] < value:
                place += 1
            if best[code, place] != value:
                for k in range(SAMPLES - 1, place, -1):
                    best[code, k] = best[code, k - 1]
                    holders[code, k] = holders[code, k - 1]
                best[code, place] = value
                holders[code, place] = i
    return shapes.shape[0], size


class ShapeIndex:
    """Grows block by block; shapes beyond `most` get NO_SHAPE."""

    def __init__(self, most: int = MOST_SHAPES) -> None:
        self._most = most
        self._size = 0
        self._hashes = np.zeros(1024, np.uint64)
        self._counts = np.zeros(1024, np.int64)
        self._best = np.full((1024, SAMPLES), _ABSENT, np.uint64)
        self._holders = np.full((1024, SAMPLES), -1, np.int64)
        self._slots = np.zeros(4 * 1024, np.uint64)
        self._slot_codes = np.zeros(4 * 1024, np.int32)

    @classmethod
    def restore(
        cls, hashes: NDArray[np.uint64], counts: NDArray[np.int64], values: Sequence[Sequence[int]]
    ) -> ShapeIndex:
        """The index as it was: its shapes, their counts and the value hashes of their samples."""
        index = cls()
        while len(index._hashes) < len(hashes):
            index._grow()
        index._size = len(hashes)
        index._hashes[: len(hashes)] = hashes
        index._counts[: len(hashes)] = counts
        for code, of_code in enumerate(values):
            index._best[code, : len(of_code)] = sorted(of_code)
        index._rebuild_slots()
        return index

    def copy(self) -> ShapeIndex:
        """As it is now, whatever is added to this one."""
        twin = ShapeIndex(self._most)
        twin._size = self._size
        for name in ("_hashes", "_counts", "_best", "_holders", "_slots", "_slot_codes"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def __len__(self) -> int:
        return self._size

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The shape of each code."""
        return self._hashes[: self._size]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Records of each code."""
        return self._counts[: self._size]

    def best_values(self, code: int) -> list[int]:
        """The value hashes of a code's samples, smallest first."""
        row = self._best[code]
        return [int(value) for value in row[row != _ABSENT]]

    def add(
        self, shapes: NDArray[np.uint64], values: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int32], list[tuple[int, int, int]]]:
        """The code of each record, and (code, value hash, record) for each record that is a sample now."""
        codes = np.empty(len(shapes), np.int32)
        values = np.minimum(values, _ABSENT - np.uint64(1))
        self._holders.fill(-1)
        done = 0
        while True:
            done, self._size = _add(
                shapes,
                values,
                done,
                self._slots,
                self._slot_codes,
                self._hashes,
                self._counts,
                self._best,
                self._holders,
                self._size,
                self._most,
                codes,
            )
            if done >= len(shapes):
                break
            self._grow()
        rows, places = np.nonzero(self._holders[: self._size] >= 0)
        chosen = [
            (code, int(self._best[code, place]), int(self._holders[code, place]))
            for code, place in zip(rows.tolist(), places.tolist(), strict=True)
        ]
        return codes, chosen

    def _grow(self) -> None:
        """Doubles the tables; slots stay four times as many as codes, so that looking up ends soon."""
        more = len(self._hashes)
        self._hashes = np.concatenate([self._hashes, np.zeros(more, np.uint64)])
        self._counts = np.concatenate([self._counts, np.zeros(more, np.int64)])
        self._best = np.concatenate([self._best, np.full((more, SAMPLES), _ABSENT, np.uint64)])
        self._holders = np.concatenate([self._holders, np.full((more, SAMPLES), -1, np.int64)])
        self._rebuild_slots()

    def _rebuild_slots(self) -> None:
        size = 4 * len(self._hashes)
        slots = np.zeros(size, np.uint64)
        slot_codes = np.zeros(size, np.int32)
        for code, shape in enumerate(self._hashes[: self._size].tolist()):
            slot = shape & (size - 1)
            while slots[slot]:
                slot = (slot + 1) & (size - 1)
            slots[slot] = shape
            slot_codes[slot] = code
        self._slots, self._slot_codes = slots, slot_codes
