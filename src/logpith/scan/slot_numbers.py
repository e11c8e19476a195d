"""The numbers that stand in some holes of templates, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.split import BETWEEN

_ONE = np.uint64(1)
_MOST_DIGITS = 15
"""So many digits a double holds as they are."""


@kernel
def _read_numbers(
    values: Any,
    offsets: Any,
    tids: Any,
    first_wish: Any,
    holes: Any,
    places: Any,
    tens: Any,
    out: Any,
    bad: Any,
) -> None:
    for row in range(tids.shape[0]):
        tid = tids[row]
        wish = first_wish[tid]
        last = first_wish[tid + 1]
        if wish == last:
            continue
        i = offsets[row]
        end = offsets[row + 1]
        hole = 0
        while wish < last:
            while hole < holes[wish]:
                while i < end and values[i] != BETWEEN:
                    i += 1
                i += 1
                hole += 1
            negative = i < end and values[i] == 45
            if negative:
                i += 1
            # Only what is written as a number would be written anew: neither 007 nor 1.50 nor -0.
            is_odd = i + 1 < end and values[i] == 48 and values[i + 1] != 46 and values[i + 1] != BETWEEN
            digits = 0
            fraction = -1
            number = np.int64(0)
            while i < end and values[i] != BETWEEN:
                byte = values[i]
                if 48 <= byte <= 57:
                    digits += 1
                    if digits <= _MOST_DIGITS:
                        number = number * 10 + (np.int64(byte) - 48)
                    if fraction >= 0:
                        fraction += 1
                elif byte == 46 and fraction < 0 and digits > 0:
                    fraction = 0
                else:
                    digits = 99
                i += 1
            i += 1
            hole += 1
            is_odd = (
                is_odd or (fraction > 0 and values[i - 2] == 48) or fraction > 4 or (negative and number == 0)
            )
            if is_odd or digits == 0 or digits > _MOST_DIGITS or fraction == 0:
                bad[wish] = True
            else:
                value = number / tens[max(fraction, 0)]
                out[places[wish], row] = -value if negative else value
            wish += 1


def read_numbers(
    values: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    tids: NDArray[np.int32],
    wishes: list[tuple[int, int, int]],
    templates: int,
    columns: int,
) -> tuple[NDArray[np.float64], list[int]]:
    """(columns, rows) the numbers of wished holes, NaN where there is none; and the wishes that some row does not meet.

    A wish is (template, hole, column); they are sorted, and each hole is wished for once.
    """
    of_template = np.array([template for template, _, _ in wishes], np.int64)
    first_wish = np.searchsorted(of_template, np.arange(templates + 1))
    out = np.full((columns, len(tids)), np.nan)
    bad = np.zeros(len(wishes), np.bool_)
    _read_numbers(
        values,
        offsets,
        tids,
        first_wish,
        np.array([hole for _, hole, _ in wishes], np.int64),
        np.array([column for _, _, column in wishes], np.int64),
        np.array([float(10**power) for power in range(_MOST_DIGITS + 1)]),
        out,
        bad,
    )
    return out, np.flatnonzero(bad).tolist()


@kernel
def _find_unreadable(values: Any, offsets: Any, tids: Any, first_hole: Any, is_bare: Any, bad: Any) -> None:
    for row in range(tids.shape[0]):
        tid = tids[row]
        hole = first_hole[tid]
        last = first_hole[tid + 1]
        if hole == last or bad[tid]:
            continue
        # Unsigned indices: numba would ask of each signed one whether it counts from the end.
        i = np.uint64(offsets[row])
        end = np.uint64(offsets[row + 1])
        while hole < last:
            begin = i
            has_backslash = False
            while i < end:
                byte = values[i]
                if byte == BETWEEN:
                    break
                has_backslash |= byte == 92
                i += _ONE
            if has_backslash or (is_bare[hole] and not _is_json_number(values, begin, i)):
                bad[tid] = True  # behind a backslash stands who knows what
            hole += 1
            i += _ONE


@kernel
def _is_json_number(values: Any, i: Any, end: Any) -> Any:
    if i < end and values[i] == 45:
        i += _ONE
    begin = i
    i = _behind_digits(values, i, end)
    if i == begin or (values[begin] == 48 and i - begin > _ONE):
        return False
    if i < end and values[i] == 46:
        begin = i + _ONE
        i = _behind_digits(values, begin, end)
        if i == begin:
            return False
    if i < end and (values[i] == 101 or values[i] == 69):
        i += _ONE
        if i < end and (values[i] == 43 or values[i] == 45):
            i += _ONE
        begin = i
        i = _behind_digits(values, i, end)
        if i == begin:
            return False
    return i == end


@kernel
def _behind_digits(values: Any, i: Any, end: Any) -> Any:
    while i < end and 48 <= values[i] <= 57:
        i += _ONE
    return i


def find_unreadable(
    values: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    tids: NDArray[np.int32],
    bare: Sequence[Sequence[int]],
) -> NDArray[np.int64]:
    """The templates of JSON of which some row may be none: a hole outside of strings holds no number, or one inside
    a backslash. `bare` has for each template whether each of its holes is outside; nothing for other templates."""
    counts = np.array([len(one) for one in bare], np.int64)
    if not counts.any():
        return np.empty(0, np.int64)
    bad = np.zeros(len(bare), np.bool_)
    is_bare = np.array([one for some in bare for one in some], np.bool_)
    _find_unreadable(values, offsets, tids, np.concatenate([[0], np.cumsum(counts)]), is_bare, bad)
    return np.flatnonzero(bad)
