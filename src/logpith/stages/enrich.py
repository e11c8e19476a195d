"""Enrich: what a text does not say of itself, such as its machine and its environment, and the trace it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from logpith.batch import Batch, add_attributes, text_spans
from logpith.query.of_batch import Parsed, field_values, has_field, which_match
from logpith.scan.search import Literal, mark_records
from logpith.stages import Apply, Outcome, Stage
from logpith_emit.errors import BadArgument
from logpith_emit.record import traceparent

_TRACEPARENT = Literal(b"00-")
"""What each `traceparent` begins with."""


@dataclass(frozen=True, kw_only=True)
class EnrichStage(Stage):
    """Add attributes that records do not have. What a record says itself, in any spelling, stays."""

    type: ClassVar[str] = "enrich"

    host: str = ""
    """The machine, `host.name`."""

    environment: str = ""
    """The environment, `deployment.environment`: production, staging."""

    attributes: tuple[str, ...] = ()
    """Anything else: `{ team = "voice", "cloud.region" = "eu-1" }`."""

    traces: bool = True
    """Whether a W3C `traceparent` in the text gives the record its `trace_id` and `span_id`."""

    def __post_init__(self) -> None:
        for text in self.attributes:
            name, sign, _ = text.partition("=")
            if not (name and sign):
                raise BadArgument(
                    f"attributes: {text!r} names no value", remedy='Write attributes = { team = "voice" }'
                )

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)
        told = {"host.name": self.host, "deployment.environment": self.environment}
        told |= {name: value for name, _, value in (text.partition("=") for text in self.attributes)}
        static = {name: value for name, value in told.items() if value}

        def apply(batch: Batch) -> Outcome:
            chosen = choose(batch)
            added = _lacking(batch, static, chosen)
            if self.traces:
                buf, starts, ends = text_spans(batch["line"])
                held = chosen & mark_records(buf, starts, ends, _TRACEPARENT)
                named = field_values(batch, "trace_id", held)
                for place in np.flatnonzero(held).tolist():
                    text = bytes(buf[starts[place] : ends[place]]).decode("utf-8", "replace")
                    found = traceparent(text)
                    if found and (place not in named or traceparent(str(named[place]))):
                        added[place] = {**added.get(place, {}), "trace_id": found[0], "span_id": found[1]}
            return Outcome(
                kept=add_attributes(batch, added), counters={"enriched": len(added)} if added else {}
            )

        yield apply


def _lacking(
    batch: Batch, told: Mapping[str, object], chosen: NDArray[np.bool_]
) -> dict[int, Mapping[str, object]]:
    """What each record lacks of some attributes, by place; those that lack the same ones share one mapping."""
    parsed = Parsed()
    groups = np.zeros(batch.num_rows, np.int64)
    lacks = {name: chosen & ~has_field(batch, name, chosen, parsed) for name in told}
    for lack in lacks.values():
        _, groups = np.unique(groups * 2 + lack, return_inverse=True)
    added: dict[int, Mapping[str, object]] = {}
    for group in range(int(groups.max(initial=-1)) + 1):
        places = np.flatnonzero(groups == group).tolist()
        attributes = {name: told[name] for name, lack in lacks.items() if lack[places[0]]}
        if attributes:
            added |= dict.fromkeys(places, attributes)
    return added
