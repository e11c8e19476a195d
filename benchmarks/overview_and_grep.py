"""`logpith` and `logpith grep` as fresh processes on a day of 2 million lines in one file, against `rg -c`.

ripgrep counts what matches; we read the whole file, tell records, times and templates, and show examples with
refs. The ratio is our wall time to ripgrep's: smaller is better.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Row, Setting
from benchmarks.measuring import LOGPITH, Run, rate, run

_LINES = 2_000_000
_REPEATS = 3
_END_NS = 1_795_212_000 * 10**9
_GREPS = (
    ("grep, rare text", ("grep", "quota_exceeded"), ("-F", "quota_exceeded")),
    ("grep, frequent text", ("grep", "call_id"), ("-F", "call_id")),
    ("grep -i", ("grep", "-i", "QUOTA_exceeded"), ("-iF", "QUOTA_exceeded")),
    ("grep -E with a literal", ("grep", "-E", r"timed out after \d+ ms"), (r"timed out after \d+ ms",)),
    ("grep -E without a literal", ("grep", "-E", r"[a-f0-9]{30}77"), (r"[a-f0-9]{30}77",)),
    ("grep -q", ("grep", "-q", "level>=error AND upstream"), ("upstream",)),
)


def measure(setting: Setting) -> Iterator[Row]:
    """A row for the overview and one for each kind of grep."""
    from logpith.demo import Day, write_day  # noqa: PLC0415  --help must not wait

    lines = _LINES // 10 if setting.quick else _LINES
    setting.say(f"  writing {lines:,} lines")
    folder = setting.folder / "day"
    write_day(Day(lines=lines, end_ns=_END_NS), folder)
    path = setting.folder / "day.log"
    with path.open("wb") as whole:
        for part in sorted(folder.glob("*.log")):
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
    # pip puts rg beside the interpreter.
    rg = shutil.which("rg") or str(Path(sys.executable).parent / "rg")
    run([*LOGPITH, "grep", "x", str(path)])
    setting.say("  overview")
    runs = _fastest([*LOGPITH, str(path)])
    reads = _fastest([rg, "-c", "", str(path)])
    yield _row(
        f"overview of {lines:,} lines ({path.stat().st_size >> 20} MB)", runs, reads, lines, "rg -c ''"
    )
    for what, ours, theirs in _GREPS:
        setting.say(f"  {what}")
        yield _row(
            what,
            _fastest([*LOGPITH, *ours, str(path)]),
            _fastest([rg, "-c", *theirs, str(path)]),
            lines,
            "rg -c",
        )


def _row(what: str, ours: Run, peer: Run, lines: int, name: str) -> Row:
    shown = f"{ours.wall_s:.2f} s, {rate(lines, ours.wall_s)}, {ours.peak_anon_bytes >> 20} MB"
    return Row(what, shown, f"{name} {peer.wall_s:.2f} s", f"{ours.wall_s / peer.wall_s:.1f} × its time")


def _fastest(command: list[str]) -> Run:
    return min((run(command) for _ in range(_REPEATS)), key=lambda one: one.wall_s)
