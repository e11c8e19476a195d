"""Sample: one of many is kept, and says for how many it stands."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from logpith.batch import Batch, add_attributes
from logpith.query.of_batch import field_values, which_match
from logpith.stages import Apply, Outcome, Stage

RATE: Final = "sample_rate"
"""The attribute that says for how many records one stands."""


@dataclass(frozen=True, kw_only=True)
class SampleStage(Stage):
    """Keep one record in `every`. What is kept has the attribute `sample_rate`, and what is not is counted."""

    type: ClassVar[str] = "sample"

    every: int = field(metadata={"minimum": 1, "maximum": 1_000_000_000})
    """Of how many records one is kept."""

    by: str = ""
    """A field: records with the same value of it stay together, all kept or none, whichever source they come from
    (`trace_id`, `call_id`). Without it the first of each `every` records is kept."""

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)
        met = itertools.count()

        def apply(batch: Batch) -> Outcome:
            chosen = choose(batch)
            values = field_values(batch, self.by, chosen) if self.by else {}
            wanted = np.zeros(batch.num_rows, np.bool_)
            for place in np.flatnonzero(chosen).tolist():
                # What has no such field is counted through.
                number = _number(str(values[place])) if place in values else next(met)
                wanted[place] = number % self.every == 0
            stays = ~chosen | wanted
            marked = add_attributes(
                batch, {place: {RATE: self.every} for place in np.flatnonzero(wanted).tolist()}
            )
            left_out = int((~stays).sum())
            return Outcome(
                kept=marked.filter(pa.array(stays)) if left_out else marked,
                dropped={"sampled": left_out} if left_out else {},
                counters={"sampled_kept": int(wanted.sum())} if wanted.any() else {},
            )

        yield apply


def _number(value: str) -> int:
    """A number that a value always has, on every machine."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
