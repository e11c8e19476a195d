"""Gathering: some lines of a buffer, copied behind each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel


@kernel
def _gather(source: Any, starts: Any, ends: Any, order: Any, out: Any, out_starts: Any, first: int) -> Any:
    """The place in `out` behind the last line."""
    # Unsigned indices: the compiler then copies sixteen bytes and more at a time.
    place = np.uint64(first)
    for k in range(order.shape[0]):
        record = order[k]
        out_starts[k] = place
        start = np.uint64(starts[record])
        end = np.uint64(ends[record])
        for i in range(start, end):
            out[place + (i - start)] = source[i]
        place += end - start
        out[place] = 10
        place += np.uint64(1)
    return place


@kernel
def _close_up(source: Any, starts: Any, ends: Any, out: Any) -> None:
    place = np.uint64(0)
    for k in range(starts.shape[0]):
        start = np.uint64(starts[k])
        end = np.uint64(ends[k])
        for i in range(start, end):
            out[place + (i - start)] = source[i]
        place += end - start


def close_up(
    source: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The texts `source[start:end]` behind each other, with nothing between."""
    out = np.empty(int((ends - starts).sum()), np.uint8)
    _close_up(source, starts, ends, out)
    return out


def gather_lines(
    source: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    order: NDArray[np.int64],
    padding: int,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(buffer, where each line begins in it): the lines `source[start:end]` in `order`, a newline behind each.

    `padding` zeros follow the last newline.
    """
    total = int((ends[order] - starts[order]).sum()) + len(order)
    out = np.empty(total + padding, np.uint8)
    out[total:] = 0
    out_starts = np.empty(len(order), np.int64)
    _gather(source, starts, ends, order, out, out_starts, 0)
    return out, out_starts


def chain_lines(
    sources: Sequence[tuple[NDArray[np.uint8], NDArray[np.int64]]], padding: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The same of several buffers behind each other, each with where its lines begin and where the last one ends."""
    rows = sum(len(offsets) - 1 for _, offsets in sources)
    total = sum(int(offsets[-1] - offsets[0]) for _, offsets in sources) + rows
    out = np.empty(total + padding, np.uint8)
    out[total:] = 0
    out_starts = np.empty(rows, np.int64)
    place = row = 0
    for source, offsets in sources:
        count = len(offsets) - 1
        order = np.arange(count)
        place = int(
            _gather(source, offsets[:-1], offsets[1:], order, out, out_starts[row : row + count], place)
        )
        row += count
    return out, out_starts
