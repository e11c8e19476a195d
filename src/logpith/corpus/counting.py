"""Counting records by the values of fields, and what is reckoned of a field in each group: exact, on columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.fields import Field

Codes = NDArray[np.int64] | NDArray[np.int32]

# Up to so many pairs of values, marking which ones occur is quicker and smaller than sorting them.
_MOST_MARKED = 1 << 24


@dataclass(frozen=True)
class Groups:
    """Records by the values of some fields."""

    codes: Codes
    """The group of each record; groups count from 0, the largest first, behind the one without any value."""

    counts: NDArray[np.int64]
    values: tuple[NDArray[np.int64], ...]
    """For each field the code of each group's value; -1 where the group's records have none."""

    @property
    def begins_empty(self) -> bool:
        """Whether the first group is that of the records without any value."""
        return bool(self.values) and len(self.counts) > 0 and all(codes[0] < 0 for codes in self.values)


def group_records(count: int, fields: Sequence[Field], weights: NDArray[np.int64] | None = None) -> Groups:
    """`count` records by their values in all of the fields; one group when there are no fields. With `weights` each
    entry stands for so many records."""
    codes: Codes = np.zeros(count, np.int32)
    columns: tuple[NDArray[np.int64], ...] = ()
    for field in fields:
        width = len(field.texts) + 1
        # Renumbered after each field, so that the product of all widths need not fit a number.
        most = (len(columns[0]) if columns else 1) * width
        kept, codes = renumbered(codes, field.codes, width, most)
        columns = (*(column[kept // width] for column in columns), kept % width - 1)
    groups = len(columns[0]) if columns else min(count, 1)
    counts = np.bincount(codes, weights, groups).astype(np.int64)
    order = np.arange(len(counts))
    if columns:
        # They stand in the order of their values: so do those with the same count, and the one without any comes first.
        has_none = int(len(counts) > 0 and all(column[0] < 0 for column in columns))
        order[has_none:] = np.argsort(-counts[has_none:], kind="stable") + has_none
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    return Groups(place[codes], counts[order], tuple(column[order] for column in columns))


def renumbered(codes: Codes, values: Codes, width: int, most: int) -> tuple[NDArray[np.int64], Codes]:
    """The pairs of codes and values that occur, in order, and for each record the place of its pair among them."""
    if most > _MOST_MARKED:
        kept, places = np.unique(codes.astype(np.int64) * width + values + 1, return_inverse=True)
        return kept, places
    pairs = codes * np.int32(width)
    pairs += values
    pairs += 1
    occurs = np.zeros(most, np.bool_)
    occurs[pairs] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs, dtype=np.int32) - 1)[pairs]


@dataclass(frozen=True)
class Values:
    """A field as it is reckoned with."""

    group: Codes
    """Of each record that has a value; its group is below `groups`."""

    groups: int
    code: Codes
    """Which of the distinct values it is."""

    number: NDArray[np.float64]
    """The value, NaN where it is no number."""

    def numeric(self) -> Values:
        """Only the records whose value is a number."""
        kept = ~np.isnan(self.number)
        return Values(self.group[kept], self.groups, self.code[kept], self.number[kept])


Result = NDArray[np.float64]
"""One number for each group, NaN for a group without any value."""


def _least(values: Values) -> Result:
    found = np.full(values.groups, np.inf)
    np.minimum.at(found, values.group, values.number)
    return np.where(np.isinf(found) & (_count(values) == 0), np.nan, found)


def _most(values: Values) -> Result:
    found = np.full(values.groups, -np.inf)
    np.maximum.at(found, values.group, values.number)
    return np.where(np.isinf(found) & (_count(values) == 0), np.nan, found)


def _count(values: Values) -> Result:
    return np.bincount(values.group, minlength=values.groups).astype(np.float64)


def _sum(values: Values) -> Result:
    found = np.bincount(values.group, values.number, values.groups)
    return np.where(_count(values) > 0, found, np.nan)


def _mean(values: Values) -> Result:
    with np.errstate(invalid="ignore"):
        return _sum(values) / _count(values)


def _quantile(percent: int) -> Callable[[Values], Result]:
    """The smallest value that at least so many percent of the values do not exceed (nearest rank)."""

    def found(values: Values) -> Result:
        order = np.lexsort((values.number, values.group))
        counts = np.bincount(values.group, minlength=values.groups)
        first = np.cumsum(counts) - counts
        rank = np.maximum(-(-counts * percent // 100), 1) - 1
        sorted_numbers = np.append(values.number[order], np.nan)
        return np.where(counts > 0, sorted_numbers[np.minimum(first + rank, len(order))], np.nan)

    return found


def _distinct(values: Values) -> Result:
    width = int(values.code.max(initial=0)) + 1
    pairs = np.unique(values.group * width + values.code)
    return np.bincount(pairs // width, minlength=values.groups).astype(np.float64)


OF_NUMBERS: Mapping[str, Callable[[Values], Result]] = {
    "min": _least,
    "max": _most,
    "sum": _sum,
    "avg": _mean,
    "p50": _quantile(50),
    "p95": _quantile(95),
    "p99": _quantile(99),
}
"""What is reckoned of numbers alone."""

OF_ANY: Mapping[str, Callable[[Values], Result]] = {"count": _count, "distinct": _distinct}
"""What is counted of values of any kind."""


def reckon(what: str, field: Field, group: Codes, groups: int) -> Result:
    """`what` (`p95`, `distinct`…) of a field in each of the groups that records are in."""
    has = field.codes >= 0
    code = field.codes[has].astype(np.int64)
    values = Values(group[has], groups, code, field.numbers()[has])
    return OF_ANY[what](values) if what in OF_ANY else OF_NUMBERS[what](values.numeric())
