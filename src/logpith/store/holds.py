"""Holds: what the settings say must stay, looked for in segments.

A segment goes as a whole, so it stays as a whole when one of its records must. Which segments a query selects is asked
only of those that would go, and of each once: a segment never changes. One that cannot be read stays, since it may hold
what must.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from logpith.batch import Batch
from logpith.query.of_batch import which_match
from logpith.settings import HoldSettings, StoreSettings
from logpith.store.manifest import Entry
from logpith.store.retention import Hold
from logpith.store.segment import Segment, segment_table
from logpith.store.writer import segment_folder
from logpith_emit.disk import Disk
from logpith_emit.errors import Refused, Unavailable


def holds_of(settings: StoreSettings) -> tuple[Hold, ...]:
    """The holds that the settings name.

    Raises:
        BadQuery: the query of one is none.
    """
    return tuple(_hold_of(told, settings.folder) for told in settings.holds)


def _hold_of(told: HoldSettings, folder: Path) -> Hold:
    return Hold(
        name=told.name,
        reason=told.reason,
        services=told.services,
        time=told.time,
        has_any=_Found(told, folder) if told.query else None,
    )


class _Found:
    """Whether a segment holds a record that a hold names."""

    def __init__(self, told: HoldSettings, folder: Path) -> None:
        self._told = told
        self._folder = folder
        self._choose = which_match(told.query)
        self._known: dict[str, bool] = {}

    def __call__(self, entry: Entry) -> bool:
        if entry.id not in self._known:
            self._known[entry.id] = self._is_in(entry)
        return self._known[entry.id]

    def _is_in(self, entry: Entry) -> bool:
        try:
            table = segment_table(Segment.open(segment_folder(self._folder, entry), Disk()))
        except (FileNotFoundError, Refused, Unavailable):
            return True
        return any(self._is_among(batch) for batch in table.to_batches())

    def _is_among(self, batch: Batch) -> bool:
        chosen = self._choose(batch)
        if self._told.services:
            chosen &= np.isin(np.array(batch["service"].to_pylist(), object), self._told.services)
        time = self._told.time
        if not time.is_open and chosen.any():
            times = batch["timestamp"].to_pylist()
            # A record without a time may be of any.
            chosen &= np.array([one is None or time.contains(one) for one in times], np.bool_)
        return bool(chosen.any())
