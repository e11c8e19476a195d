"""A day of 12 million lines in one file: the first overview, then each question as a fresh process, against ripgrep.

The first overview reads the file and keeps an index; later processes ask the index. `read` is what a later process
took in by reading (`rchar` of /proc/self/io); mapped pages of the index are not in it. Memory is the most RssAnon
that sampling saw. Of ripgrep, which reads the file each time, `-c` counts matching lines.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import Row, Setting
from benchmarks.measuring import LOGPITH, day_in_one_file, rate, run

_LINES = 12_000_000
_REPEATS = 3
_SINCE = "2026-11-20T13:45"

# Runs a command line and tells how long it took from its start and what it read, as its last line of errors.
_ASK = """
import sys
from logpith.cli import main
code = main(sys.argv[1:])
read = next(line.split()[1] for line in open("/proc/self/io") if line.startswith("rchar"))
sys.stderr.write("\\n" + read)
sys.exit(code)
"""


@dataclass(frozen=True)
class _Asked:
    wall_s: float
    read_bytes: int
    peak_anon_bytes: int


def measure(setting: Setting) -> Iterator[Row]:
    """A row for the first overview and one for each later question."""
    path, lines = day_in_one_file(setting, "large", _LINES), setting.lines(_LINES)
    cache = {"LOGPITH_CACHE_DIR": str(setting.folder / "cache")}
    # pip puts rg beside the interpreter.
    rg = shutil.which("rg") or str(Path(sys.executable).parent / "rg")
    _ask(cache, [str(path)])  # kernels are compiled before anything is timed
    _ask(cache, ["grep", "call_id", str(path)])
    setting.say("  first overview")
    firsts, reads = [], []
    for _ in range(_REPEATS):
        shutil.rmtree(setting.folder / "cache" / "indexes", ignore_errors=True)
        firsts.append(_ask(cache, [str(path)]))
        reads.append(run([rg, "-c", "", str(path)]).wall_s)
    first = min(firsts, key=lambda asked: asked.wall_s)
    size = path.stat().st_size
    yield Row(
        f"first overview of {lines:,} lines ({size >> 20} MB)",
        f"{first.wall_s:.1f} s, {rate(lines, first.wall_s)}, {max(one.peak_anon_bytes for one in firsts) >> 20} MB",
        f"rg -c '' {min(reads):.2f} s",
        f"{first.wall_s / min(reads):.0f} × its time",
    )
    index = sum(
        file.stat().st_size for file in (setting.folder / "cache" / "indexes").rglob("*") if file.is_file()
    )
    yield Row("its index", f"{index >> 20} MB", f"file {size >> 20} MB", f"{index / size:.0%} of it")
    worst = _id_of_worst(cache, path)
    for what, ours, theirs in _questions(worst):
        setting.say(f"  {what}")
        yield _row(what, cache, [*ours, str(path)], [rg, "-c", *theirs, str(path)] if theirs else None)


def _questions(cluster_id: str) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """What is asked of us, and of ripgrep where it can be asked."""
    yield "overview", ["overview"], ()
    yield "cluster", ["cluster"], ()
    yield "timeline of a cluster", ["timeline", "--cluster-id", cluster_id], ()
    yield "drill", ["drill", cluster_id], ()
    yield "diff", ["diff", "--since", _SINCE], ()
    yield "count by service", ["count", "--by", "service"], ()
    yield "grep, a word that is not there", ["grep", "segmentation"], ("-F", "segmentation")
    yield "grep, rare word", ["grep", "quota_exceeded"], ("-F", "quota_exceeded")
    yield "grep, frequent word", ["grep", "call_id"], ("-F", "call_id")
    yield "grep -q, severity and word", ["grep", "-q", "level>=error AND upstream"], ("upstream",)
    yield "grep -E with a literal", ["grep", "-E", r"timed out after \d+ ms"], (r"timed out after \d+ ms",)
    yield "grep -E without a literal", ["grep", "-E", r"[a-f0-9]{30}77"], (r"[a-f0-9]{30}77",)
    yield "fetch 50 of a query", ["fetch", "--query", "quota_exceeded"], ()


def _row(what: str, cache: Mapping[str, str], ours: Sequence[str], theirs: Sequence[str] | None) -> Row:
    asked, peers = [], []
    for _ in range(_REPEATS):
        asked.append(_ask(cache, ours))
        if theirs:
            peers.append(run(theirs).wall_s)
    wall_s = statistics.median(one.wall_s for one in asked)
    read = min(one.read_bytes for one in asked)
    shown = f"{wall_s:.2f} s, read {read / 1e6:,.1f} MB, {max(one.peak_anon_bytes for one in asked) >> 20} MB"
    if not peers:
        return Row(f"fresh process: {what}", shown, "", "")
    peer_s = statistics.median(peers)
    return Row(f"fresh process: {what}", shown, f"rg -c {peer_s:.2f} s", f"{wall_s / peer_s:.1f} × its time")


def _ask(cache: Mapping[str, str], words: Sequence[str]) -> _Asked:
    before = dict(os.environ)
    os.environ.update(cache)
    try:
        watched = run([*LOGPITH, *words])
        told = subprocess.run(
            [sys.executable, "-c", _ASK, *words], capture_output=True, check=False, env=os.environ
        )
    finally:
        os.environ.clear()
        os.environ.update(before)
    return _Asked(watched.wall_s, int(told.stderr.split()[-1]), watched.peak_anon_bytes)


def _id_of_worst(cache: Mapping[str, str], path: Path) -> str:
    """The id of a cluster of errors."""
    told = subprocess.run(
        [*LOGPITH, "cluster", "--sort", "severity", "--max-clusters", "1", "--json", str(path)],
        capture_output=True,
        check=True,
        env={**os.environ, **cache},
    )
    return str(json.loads(told.stdout)["items"][0]["id"])
