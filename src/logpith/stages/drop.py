"""Drop: records that nobody wants are left out, and counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from logpith.batch import Batch
from logpith.query.of_batch import which_match
from logpith.stages import Apply, Outcome, Stage
from logpith_emit.errors import BadArgument


@dataclass(frozen=True, kw_only=True)
class DropStage(Stage):
    """Leave out the records that `only` selects."""

    type: ClassVar[str] = "drop"

    reason: str = "unwanted"
    """What they are counted as."""

    def __post_init__(self) -> None:
        if not self.only.strip():
            raise BadArgument("it would drop everything", remedy="Say which records: only = 'path:/health'")

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)

        def apply(batch: Batch) -> Outcome:
            unwanted = choose(batch)
            count = int(unwanted.sum())
            kept = batch.filter(pa.array(~unwanted)) if count else batch
            return Outcome(kept=kept, dropped={self.reason: count} if count else {})

        yield apply
