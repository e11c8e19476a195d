"""`logpith pipeline test FILE`: what would happen to the records of a file, stage by stage, without keeping any.

Records are told apart by `observed_timestamp`, which no stage may change: here each has one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from logpith.batch import MOST_RECORDS, Batch, extra_of, with_column
from logpith.files.roots import Roots
from logpith.files.text import TextFile
from logpith.pipeline import named
from logpith.plural import counted
from logpith.quote import Quoter
from logpith.sources.reading import LineReader
from logpith.stages import Stage
from logpith.timerange import format_ns
from logpith_emit.severity import severity_name

MOST_SHOWN = 20
"""Records that a person is shown; all are counted."""

_WIDTH = 160


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one stage did to a record."""

    stage: str
    fate: str
    """`changed`, `dropped` or `dead`."""

    told: dict[str, object]
    """What is different now, or why it goes no further."""


@dataclass(kw_only=True)
class Journey:
    """A record on its way."""

    line: str
    steps: list[Step] = field(default_factory=list)
    end: dict[str, object] | None = None
    """The record as it would be stored; None when it is not."""

    @property
    def fate(self) -> str:
        return "kept" if self.end is not None else self.steps[-1].fate

    def as_json(self) -> dict[str, object]:
        """The same as `--json` prints it."""
        steps = [{"stage": step.stage, "fate": step.fate, **step.told} for step in self.steps]
        told: dict[str, object] = {"line": self.line, "fate": self.fate, "steps": steps}
        return told | ({"record": self.end} if self.end is not None else {})


@dataclass(frozen=True, kw_only=True)
class Count:
    """What a stage counted."""

    stage: str
    kept: int
    dropped: Mapping[str, int]
    """Reason → records."""

    dead: Mapping[str, int]
    counters: Mapping[str, int]

    @property
    def spelled(self) -> str:
        parts = [f"kept {self.kept:,}"]
        for what, counts in (("dropped, ", self.dropped), ("dead, ", self.dead), ("", self.counters)):
            parts += [f"{what}{name} {count:,}" for name, count in counts.items()]
        return "; ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What would happen to some records."""

    journeys: Sequence[Journey]
    counts: Sequence[Count]


def read_sample(path: Path, now_ns: int, service: str = "") -> Batch:
    """The first records of a file, as a source gives them.

    Raises:
        NotFound, Refused: it cannot be read as text.
    """
    text = TextFile.open(path, Roots())
    block = next(iter(text.blocks()), None)
    if block is None:
        return LineReader(path.name).read_text(b"", now_ns).batch
    found = LineReader(path.name, service=service).read(block.buf, 0, block.end, now_ns)
    return found.batch.slice(0, MOST_RECORDS)


def rehearse(batch: Batch, stages: Sequence[Stage], quoter: Quoter) -> Rehearsal:
    """What the stages do to each record of a batch."""
    first = batch["observed_timestamp"][0].as_py() if batch.num_rows else 0
    marks = pa.array(first + np.arange(batch.num_rows))
    batch = with_column(batch, "observed_timestamp", marks)
    journeys = [Journey(line=quoter.quote(line, _WIDTH)) for line in batch["line"].to_pylist()]
    counts: list[Count] = []
    with ExitStack() as opened:
        for name, stage in named(stages):
            outcome = opened.enter_context(stage.open())(batch)
            before = _by_mark(batch, first)
            after = _by_mark(outcome.kept, first)
            dead = {at: reason for reason, some in outcome.dead.items() for at in _by_mark(some, first)}
            for at, record in before.items():
                if at in after:
                    changes = _changes(record, after[at], quoter)
                    if changes:
                        journeys[at].steps.append(Step(stage=name, fate="changed", told=changes))
                elif at in dead:
                    journeys[at].steps.append(Step(stage=name, fate="dead", told={"reason": dead[at]}))
                else:
                    reason = ", ".join(outcome.dropped)
                    journeys[at].steps.append(Step(stage=name, fate="dropped", told={"reason": reason}))
            counts.append(
                Count(
                    stage=name,
                    kept=outcome.kept.num_rows,
                    dropped=outcome.dropped,
                    dead={reason: some.num_rows for reason, some in outcome.dead.items()},
                    counters=outcome.counters,
                )
            )
            batch = outcome.kept
    for at, record in _by_mark(batch, first).items():
        journeys[at].end = _shown(record, quoter)
    return Rehearsal(journeys=journeys, counts=counts)


_Row = dict[str, object]


def _by_mark(batch: Batch, first: int) -> dict[int, _Row]:
    return {row["observed_timestamp"] - first: row for row in batch.to_pylist()}


def _shown(row: _Row, quoter: Quoter) -> dict[str, object]:
    """The columns of a record in words; what is unknown is left out."""
    time, severity = row["timestamp"], row["severity_number"]
    told = {
        "text": quoter.quote(bytes(row["line"]), _WIDTH),  # type: ignore[call-overload]  # pyarrow has no types
        "time": format_ns(time) if isinstance(time, int) else "",
        "level": severity_name(severity) if isinstance(severity, int) else "",
        "service": quoter.quote(str(row["service"])),
        "source": quoter.quote(str(row["source"])),
    }
    attributes = {
        quoter.quote(name): quoter.quote(value) if isinstance(value, str) else value
        for name, value in extra_of(str(row["extra"])).items()
    }
    return {
        **{name: text for name, text in told.items() if text},
        **({"attributes": attributes} if attributes else {}),
    }


def _changes(before: _Row, after: _Row, quoter: Quoter) -> dict[str, object]:
    """The columns that a stage has changed, as they are now."""
    if before == after:
        return {}
    old, new = _shown(before, quoter), _shown(after, quoter)
    if before["line"] != after["line"]:
        old.pop("text", None)  # a secret is hidden in what is shown of it before, too
    changed = {name: new.get(name, "") for name in {**old, **new} if old.get(name) != new.get(name)}
    attributes, known = changed.get("attributes"), old.get("attributes", {})
    if isinstance(attributes, dict) and isinstance(known, dict):
        changed["attributes"] = {
            name: value for name, value in attributes.items() if known.get(name) != value
        }
    return changed


def as_text(rehearsal: Rehearsal) -> Iterator[str]:
    """Lines for a person: what each stage counted, then the way of the first records."""
    yield f"{counted(len(rehearsal.journeys), 'record')}."
    for count in rehearsal.counts:
        yield f"  {count.stage:<12} {count.spelled}"
    for number, journey in enumerate(rehearsal.journeys[:MOST_SHOWN], 1):
        yield f"\nrecord {number}: {journey.line}"
        for step in journey.steps:
            yield f"  {step.stage:<12} {step.fate}: {_spelled(step.told)}"
        yield f"  → {journey.fate}{': ' + _spelled(journey.end) if journey.end else ''}"
    left = len(rehearsal.journeys) - MOST_SHOWN
    if left > 0:
        yield f"\n… and {counted(left, 'record')} more; --json shows all."


def as_json(rehearsal: Rehearsal) -> str:
    """All of it as one object."""
    stages = [asdict(count) for count in rehearsal.counts]
    journeys = [journey.as_json() for journey in rehearsal.journeys]
    return msgspec.json.encode({"stages": stages, "records": journeys}).decode()


def _spelled(told: dict[str, object]) -> str:
    parts: list[str] = []
    for name, value in told.items():
        if isinstance(value, dict):
            parts += [f"{key}={inner}" for key, inner in value.items()]
        else:
            parts.append(f"{name}={value}" if name != "reason" else str(value))
    return "  ".join(parts)
