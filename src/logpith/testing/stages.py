"""What every stage owes, as a check that the test of each stage calls."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from logpith.batch import SCHEMA, Batch, make_batch, with_column
from logpith.stages import Apply, Stage

# Texts that no stage may stumble over.
HOSTILE = (
    b"",
    b" ",
    b"\x00\xff\xfe not UTF-8 \xe2\x84",
    b"{",
    b'{"a": {"a": {"a": [',
    b'{"level": 17, "service": null, "message": {"deep": true}, "level": "error"}',
    b'{"log":"inner line\\n","stream":"stderr","time":"2026-11-20T12:00:00Z"}',
    b'<34>1 2026-11-20T12:00:00Z web-1 api 7 ID [x y="z"] message',
    b"2026-11-20 12:00:01 ERROR api: quota of 5 exceeded\n  at a.b(C.java:1)\n  at d.e(F.java:2)",
    b"level=warn service=api user=\xc3\xa9ric password=hunter2 email=ann@example.org",
    b"x" * 5000,
    "K\u212aELVIN \u0130 \u200b".encode(),
    b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)


def hostile_batch(observed_ns: int = 1_700_000_000_000_000_000) -> Batch:
    """Records that no stage may stumble over."""
    count = len(HOSTILE)
    return make_batch(
        HOSTILE,
        observed_ns=observed_ns,
        source="checked",
        timestamps=[None if at % 3 == 0 else -(2**62) + at for at in range(count)],
        severities=[at % 25 for at in range(count)],
        services=["" if at % 2 else "api" for at in range(count)],
        extras=[{} if at % 4 else {"a": {"b": 1}, "user.email": "bob@example.org"} for at in range(count)],
    )


def check_stage(stage: Stage, batch: Batch | None = None) -> None:
    """Nothing, when the stage keeps what its kind promises, for this batch as for none and one that was sliced.

    Raises:
        AssertionError: it does not.
    """
    batch = hostile_batch() if batch is None else batch
    for given in (batch, batch.slice(0, 0), batch.slice(batch.num_rows // 2), batch.slice(0, 1)):
        with stage.open() as apply:
            _check(apply, given)
    with stage.open() as apply:  # once more: what it remembers must not break it either
        _check(apply, batch)
        _check(apply, batch)


def _check(apply: Apply, batch: Batch) -> None:
    # A time of its own makes each record known again, whatever a stage does to its text.
    batch = with_column(batch, "observed_timestamp", pa.array(np.arange(batch.num_rows) * 1000 + 10**18))
    outcome = apply(batch)
    ends = {"kept": outcome.kept, **{f"dead ({reason})": some for reason, some in outcome.dead.items()}}
    came = batch["observed_timestamp"].to_pylist()
    met: list[int] = []
    for name, part in ends.items():
        _require(part.schema.equals(SCHEMA), f"what is {name} has the columns {part.schema}")
        part.validate(full=True)
        marks = part["observed_timestamp"].to_pylist()
        _require(marks == sorted(marks), f"what is {name} is out of order")
        met += marks
    _require(len(set(met)) == len(met), "a record is in two places")
    _require(set(met) <= set(came), "a record's observed_timestamp was changed, or a record made up")
    dropped = sum(outcome.dropped.values())
    _require(
        len(met) + dropped == len(came), f"of {len(came)} records {len(met)} are somewhere, {dropped} dropped"
    )
    counts = [*outcome.dropped.values(), *outcome.counters.values()]
    _require(all(count >= 0 for count in counts), f"it counts {counts}")
    _require(all(some.num_rows for some in outcome.dead.values()), "a reason has no dead record")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise AssertionError(problem)
