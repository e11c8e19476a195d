"""Gathering: some lines of a buffer, copied behind each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel


@kernel
def _gather(source: Any, starts: Any, ends: Any, order: Any, out: Any, out_starts: Any) -> None:
    place = 0
    for k in range(order.shape[0]):
        record = order[k]
        out_starts[k] = place
        for i in range(starts[record], ends[record]):
            out[place] = source[i]
            place += 1
        out[place] = 10
        place += 1


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
    _gather(source, starts, ends, order, out, out_starts)
    return out, out_starts
