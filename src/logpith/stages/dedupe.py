"""Dedupe: a text that comes again at once is kept once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from logpith.batch import Batch
from logpith.query.of_batch import which_match
from logpith.stages import Apply, Outcome, Stage
from logpith.timerange import parse_span
from logpith_emit.errors import BadArgument

MOST_REMEMBERED = 100_000
"""Texts; the ones met first are forgotten, and what repeats them is kept once more."""

_DIGITS = re.compile(rb"[0-9]+")


@dataclass(frozen=True, kw_only=True)
class DedupeStage(Stage):
    """Leave out a record whose text was met within the window before it."""

    type: ClassVar[str] = "dedupe"

    window: str = "10s"
    """How long a text is remembered after it was kept, by the times of the records."""

    ignore_digits: bool = False
    """Whether texts are the same that differ in numbers only, such as the time at their head."""

    def __post_init__(self) -> None:
        if not parse_span(self.window):
            raise BadArgument(f"window: {self.window!r} is no span of time", remedy="Write 10s, 1m")

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)
        window_ns = parse_span(self.window) or 0
        kept_ns: dict[bytes, int] = {}

        def apply(batch: Batch) -> Outcome:
            stays = ~choose(batch)
            lines, services = batch["line"], batch["service"]
            times = batch["timestamp"].to_pylist()
            observed = batch["observed_timestamp"].to_pylist()
            # A row at a time: whether a record stays depends on those before it.
            for place in np.flatnonzero(~stays).tolist():
                digest = self._digest(lines[place].as_py(), services[place].as_py())
                now_ns = observed[place] if times[place] is None else times[place]
                before_ns = kept_ns.get(digest)
                # A record from before the window began is no repetition of one within it.
                if before_ns is None or not 0 <= now_ns - before_ns < window_ns:
                    stays[place] = True
                    kept_ns.pop(digest, None)
                    kept_ns[digest] = now_ns
                    if len(kept_ns) > MOST_REMEMBERED:
                        del kept_ns[next(iter(kept_ns))]
            repeated = int((~stays).sum())
            kept = batch.filter(pa.array(stays)) if repeated else batch
            return Outcome(kept=kept, dropped={"repeated": repeated} if repeated else {})

        yield apply

    def _digest(self, line: bytes, service: str) -> bytes:
        text = _DIGITS.sub(b"0", line) if self.ignore_digits else line
        return hashlib.blake2b(text + b"\0" + service.encode(), digest_size=16).digest()
