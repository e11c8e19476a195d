"""Some records: what is known of them, looked up for them alone.

A column of all records of a store is large, and most questions are about few of them. So each segment is asked for its
own, and of a long segment only the blocks are read in which they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Scalar

_MANY = 0.5
"""From this share of all records on columns of all of them are made, for the next question too."""


@dataclass(frozen=True)
class Some:
    """Columns with an entry for each of some records, in their order."""

    corpus: Corpus
    records: NDArray[np.int64]
    """Their numbers, ascending."""

    @cached_property
    def time_ns(self) -> NDArray[np.int64]:
        """As `Columns.time_ns`."""
        return self._of("time_ns", np.int64, lambda: self.corpus.columns.time_ns)

    @cached_property
    def severity(self) -> NDArray[np.uint8]:
        """As `Corpus.severity`."""
        if self._are_many:
            return self.corpus.severity[self.records]
        own = self._of("severity", np.uint8, lambda: self.corpus.columns.severity)
        if not self.corpus.shape_severity.any():
            return own
        severity: NDArray[np.uint8] = self.corpus.shape_severity[self.shape]
        np.copyto(severity, own, where=own > 0)
        return severity

    @cached_property
    def shape(self) -> NDArray[np.int32]:
        """As `Columns.shape`."""
        return self._of("shape", np.int32, lambda: self.corpus.columns.shape, self.corpus.codes.shapes)

    @cached_property
    def service(self) -> NDArray[np.int32]:
        """As `Columns.service`."""
        return self._of("service", np.int32, lambda: self.corpus.columns.service, self.corpus.codes.services)

    @cached_property
    def origin(self) -> NDArray[np.int32]:
        """As `Columns.origin`."""
        return self._of("origin", np.int32, lambda: self.corpus.columns.origin, self.corpus.codes.origins)

    @cached_property
    def template(self) -> NDArray[np.int32]:
        """As `Corpus.template`."""
        if self._are_many:
            return self.corpus.template[self.records]
        of_shape = np.append(self.corpus.templates.of_shape, np.int32(-1)).astype(np.int32)
        found: NDArray[np.int32] = of_shape[self.shape]  # no shape is -1, which is the last entry too
        return found

    @property
    def _are_many(self) -> bool:
        return len(self.records) >= _MANY * len(self.corpus)

    @cached_property
    def _parts(self) -> list[tuple[int, NDArray[np.int64], Callable[[str], NDArray[Any]]]]:
        """(place of the source, its rows, what its columns have of them) where there are some."""
        parts: list[tuple[int, NDArray[np.int64], Callable[[str], NDArray[Any]]]] = []
        for place, source in enumerate(self.corpus.sources):
            low, high = np.searchsorted(self.records, (source.first, source.first + source.records)).tolist()
            if low < high:
                rows = self.records[low:high] - source.first
                parts.append((place, rows, source.table.of(rows)))
        return parts

    def _of(
        self,
        name: str,
        kind: type[Scalar],
        of_all: Callable[[], NDArray[Scalar]],
        codes: Sequence[NDArray[Scalar]] | None = None,
    ) -> NDArray[Scalar]:
        """A column; where sources have codes of their own in it, what those mean."""
        if self._are_many:
            return of_all()[self.records]
        found = [np.empty(0, kind)]
        for place, rows, column in self._parts:
            if codes is None:
                found.append(column(name))
            elif name == "origin" and not self.corpus.sources[place].table.origins:
                found.append(np.full(len(rows), codes[place][0], kind))
            else:
                found.append(np.take(codes[place], column(name), mode="clip"))
        return np.concatenate(found)
