"""Route: some records get another service, go under another name, or are kept for another time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from logpith.batch import Batch, add_attributes, with_column
from logpith.query.of_batch import which_match
from logpith.stages import Apply, Outcome, Stage
from logpith_emit.errors import BadArgument

RETENTION_CLASS: Final = "retention_class"
"""The attribute that names a record's class of retention."""

ORIGINAL_SOURCE: Final = "original_source"
"""The attribute that says where a record came from that went into a stream."""


@dataclass(frozen=True, kw_only=True)
class RouteStage(Stage):
    """Say where the records that `only` selects belong."""

    type: ClassVar[str] = "route"

    service: str = ""
    """Their service."""

    retention_class: str = ""
    """The class of `[[store.classes]]` that they belong to; a class with the query `retention_class:NAME` has them."""

    stream: str = ""
    """A name that they are kept apart under: their `source`, which `source:NAME` finds."""

    def __post_init__(self) -> None:
        if not (self.service or self.retention_class or self.stream):
            raise BadArgument("it says nothing", remedy="Give service, retention_class or stream")

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)

        def apply(batch: Batch) -> Outcome:
            chosen = choose(batch)
            attributes: dict[str, object] = {}
            if self.retention_class:
                attributes[RETENTION_CLASS] = self.retention_class
            places = np.flatnonzero(chosen).tolist()
            added = dict.fromkeys(places, attributes)
            if self.stream:
                sources = batch["source"].to_pylist()
                added = {place: {**attributes, ORIGINAL_SOURCE: sources[place]} for place in places}
            batch = add_attributes(batch, added) if attributes or self.stream else batch
            for name, told in (("service", self.service), ("source", self.stream)):
                if told:
                    column = np.where(chosen, told, np.array(batch[name].to_pylist(), object))
                    batch = with_column(batch, name, pa.array(column.tolist(), pa.string()))
            return Outcome(kept=batch, counters={"routed": len(places)} if places else {})

        yield apply
