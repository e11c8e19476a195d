"""The table of shapes: all that mining needs to know of any number of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.scan.words import shape_of as shape_in

MOST_SAMPLES = 3
_NO_SPANS = np.empty((1, 3), np.int64)


@dataclass(frozen=True)
class ShapeTable:
    """Distinct shapes, by ascending hash."""

    hashes: NDArray[np.uint64]
    counts: NDArray[np.int64]
    """Records of each shape."""

    samples: tuple[tuple[bytes, ...], ...]
    """One to three bodies of each shape: those whose values have the smallest hashes, in that order."""

    value_hashes: tuple[tuple[int, ...], ...]
    """The hashes of the samples' values."""

    @staticmethod
    def gathered(counts: Mapping[int, int], samples: Mapping[int, Mapping[int, bytes]]) -> ShapeTable:
        """The table of shapes with their records and, by the hash of their values, some of their bodies."""
        shapes = sorted(counts)
        chosen = [sorted(samples[shape].items())[:MOST_SAMPLES] for shape in shapes]
        return ShapeTable(
            hashes=np.array(shapes, np.uint64),
            counts=np.array([counts[shape] for shape in shapes], np.int64),
            samples=tuple(tuple(body for _, body in pairs) for pairs in chosen),
            value_hashes=tuple(tuple(value for value, _ in pairs) for pairs in chosen),
        )

    def __len__(self) -> int:
        return len(self.hashes)

    @staticmethod
    def union(tables: Iterable[ShapeTable]) -> ShapeTable:
        """The table of all records of all tables."""
        counts: dict[int, int] = {}
        samples: dict[int, dict[int, bytes]] = {}
        for table in tables:
            for shape, count, bodies, values in zip(
                table.hashes.tolist(), table.counts.tolist(), table.samples, table.value_hashes, strict=True
            ):
                counts[shape] = counts.get(shape, 0) + count
                samples.setdefault(shape, {}).update(zip(values, bodies, strict=True))
        return ShapeTable.gathered(counts, samples)


def shape_of(body: bytes) -> tuple[int, int]:
    """A body's shape and the hash of its values."""
    buf = np.frombuffer(body + b"\n\0\0\0\0", np.uint8)
    shape, values = shape_in(buf, 0, len(body), _NO_SPANS)
    return int(shape), int(values)


def shape_table_of(bodies: Sequence[bytes]) -> tuple[ShapeTable, NDArray[np.int32]]:
    """The table of some bodies, and the place in it of each: for small inputs, one call a body."""
    counts: dict[int, int] = {}
    samples: dict[int, dict[int, bytes]] = {}
    shapes = np.empty(len(bodies), np.uint64)
    for place, body in enumerate(bodies):
        shape, values = shape_of(body)
        shapes[place] = shape
        counts[shape] = counts.get(shape, 0) + 1
        samples.setdefault(shape, {}).setdefault(values, body)
    table = ShapeTable.gathered(counts, samples)
    return table, np.searchsorted(table.hashes, shapes).astype(np.int32)
