"""Redaction of batches against the same rules asked of each line alone, lines per second of CPU time on one core.

The lines are those of the demo's day: some hold words such as `tokens`, none holds a secret, as nearly all lines of
nearly all logs. Then the same where one line in fifty has something to hide.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from benchmarks import Row, Setting
from benchmarks.measuring import day_in_one_file, interleaved, rate

_LINES = 500_000
_ALONE = 50_000
_SECRET = b" password=hunter2 of ann@example.org"
_ONE_IN = 50
_REPEATS = 3


def measure(setting: Setting) -> Iterator[Row]:
    """A row for lines without secrets, and one for some with."""
    lines = day_in_one_file(setting, "redaction", _LINES).read_bytes().split(b"\n")
    yield _row("redact lines without secrets", lines)
    yield _row(
        f"redact lines, 1 in {_ONE_IN} with two secrets",
        [line + _SECRET if at % _ONE_IN == 0 else line for at, line in enumerate(lines)],
    )


def _row(what: str, lines: Sequence[bytes]) -> Row:
    from logpith.batch import MOST_RECORDS, make_batch  # noqa: PLC0415  --help must not wait for pyarrow
    from logpith.stages.redact import RedactStage  # noqa: PLC0415  as above

    stage = RedactStage(key="of the benchmark")
    starts = range(0, len(lines), MOST_RECORDS)
    batches = [make_batch(lines[at : at + MOST_RECORDS], observed_ns=1, source="s") for at in starts]
    texts = [line.decode("utf-8", "surrogateescape") for line in lines[: _ALONE * 2 : 2]]
    redactor = stage.redactor()

    def in_bulk() -> float:
        with stage.open() as apply:
            started = time.process_time()
            for batch in batches:
                apply(batch)
            return (time.process_time() - started) / len(lines)

    def alone() -> float:
        started = time.process_time()
        for text in texts:
            redactor.redact(text)
        return (time.process_time() - started) / len(texts)

    in_bulk()
    found = interleaved({"bulk": in_bulk, "alone": alone}, _REPEATS)
    return Row(
        what,
        rate(1, found["bulk"]),
        f"line by line: {rate(1, found['alone'])}",
        f"{found['alone'] / found['bulk']:.1f}×",
    )
