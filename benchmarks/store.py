"""The store against ripgrep, DuckDB on plain Parquet, SQLite FTS5 and others: taking lines in, disk, and questions.

Ten million mixed lines (`mixed_lines.py`), or `--lines N`, or a file of the same layouts by `--lines-file`. All take in
the same lines and are asked the same questions in turns: A, B, A, B. Of taking in the better of two counts; times of
questions are medians behind a first one, which is told beside; in brackets stands how many were found. What logpith
remembers of a question it forgets before it is asked again: each answer is worked out anew. More peers come by
`--sketch FOLDER` and `--peer NAME=URL`.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import zstandard

from benchmarks import Row, Setting
from benchmarks.measuring import rate
from benchmarks.mixed_lines import Lines, first_lines, read_lines, write_mixed_lines
from benchmarks.peers import Ask, Loaded, Peer, Question
from benchmarks.peers.elasticsearch import ElasticsearchPeer
from benchmarks.peers.fts5 import FTS5Peer
from benchmarks.peers.ours import Ours
from benchmarks.peers.parquet import ParquetPeer
from benchmarks.peers.ripgrep import RipgrepPeer
from benchmarks.peers.sketch import SketchPeer
from benchmarks.peers.victorialogs import VictoriaLogsPeer

_LINES = 10_000_000
_LINES_OF_SQLITE = 1_000_000
_FEW_LINES = 20_000
_LOADS = 2
_ASKS = 5
# What takes so long is asked but once more.
_LONG_S = 10.0

_INGEST = "logpith ingest"
Load = Callable[[Lines], Loaded]


def measure(setting: Setting) -> Iterator[Row]:
    """Rows for taking in, for the disk, and for each question and peer."""
    lines = lines_for(setting)
    ours, peers = _peers(setting, lines)
    yield from _loading(setting, lines, ours, peers)
    yield from _asking(setting, lines, ours, peers)
    peak = ours.peak_bytes(lines)
    yield Row(
        "memory of a process that asks all of these twice",
        f"{peak >> 20} MB",
        "promised 500 MB",
        f"{peak / (500 << 20):.2f} × of it",
    )


def lines_for(setting: Setting) -> Lines:
    """The lines that all are given."""
    if setting.lines_file is not None:
        return read_lines(setting.lines_file)
    count = setting.lines(_LINES)
    setting.say(f"  writing {count:,} mixed lines")
    return write_mixed_lines(setting.folder / "mixed.log", count)


def _peers(setting: Setting, lines: Lines) -> tuple[Ours, list[Peer]]:
    folder = setting.folder / "store"
    folder.mkdir(exist_ok=True)
    parquet = folder / "lines.parquet"
    peers: list[Peer] = [RipgrepPeer(), ParquetPeer(parquet)]
    if setting.sketch is not None:
        (folder / "sketch").mkdir(exist_ok=True)
        peers.append(SketchPeer(folder / "sketch", setting.sketch))
    peers.append(FTS5Peer(folder / "lines.db", parquet, min(lines.count, _LINES_OF_SQLITE)))
    if url := setting.peers.get("victorialogs"):
        peers.append(VictoriaLogsPeer(url, parquet))
    if url := setting.peers.get("elasticsearch"):
        peers.append(ElasticsearchPeer(url, parquet))
    return Ours(folder / "ours"), peers


# ── Taking in ───────────────────────────────────────────────────────────────────────────────────────────────


def _loading(setting: Setting, lines: Lines, ours: Ours, peers: Sequence[Peer]) -> Iterator[Row]:
    keeping = {peer.name: peer for peer in peers if not isinstance(peer, RipgrepPeer)}
    ways: dict[str, Load] = {ours.name: ours.load, _INGEST: ours.ingest}
    ways |= {name: peer.load for name, peer in keeping.items()}
    few = first_lines(lines, _FEW_LINES, setting.folder / "few.log")
    ours.load(few)  # kernels are compiled before anything is timed
    ours.ingest(few)
    loads: dict[str, list[Loaded]] = {name: [] for name in ways}
    for turn in range(_LOADS):
        for name, load in ways.items():
            if turn and isinstance(keeping.get(name), VictoriaLogsPeer | ElasticsearchPeer):
                continue  # what they have they keep
            setting.say(f"  {name} takes the lines in")
            loads[name].append(load(lines))
    best = {name: min(some, key=lambda load: load.wall_s) for name, some in loads.items()}
    taken = f"{lines.count:,} lines ({lines.size_bytes >> 20} MB)"
    for way, what in ((ours.name, f"take in {taken}"), (_INGEST, f"{_INGEST} of {taken}, redacted")):
        for name in keeping:
            yield from _speeds(what, best[way], name, best[name])
    yield from _disk(setting, lines, best[ours.name], {name: best[name] for name in keeping})


def _speeds(what: str, ours: Loaded, name: str, theirs: Loaded) -> Iterator[Row]:
    part = f"; {theirs.lines:,} lines" if theirs.lines < ours.lines else ""
    times = [("wall time", ours.wall_s, theirs.wall_s)]
    if ours.cpu_s and theirs.cpu_s:
        times.append(("a core-second", ours.cpu_s, theirs.cpu_s))
    for measured, our_s, their_s in times:
        yield Row(
            f"{what}, {measured}",
            rate(ours.lines, our_s),
            f"{name} {rate(theirs.lines, their_s)}{part}",
            f"{(ours.lines / our_s) / (theirs.lines / their_s):.2f} ×",
        )


def _disk(setting: Setting, lines: Lines, ours: Loaded, peers: Mapping[str, Loaded]) -> Iterator[Row]:
    setting.say("  packing the lines")
    with lines.path.open("rb") as raw, Path(os.devnull).open("wb") as nowhere:
        _, packed_bytes = zstandard.ZstdCompressor(level=3).copy_stream(raw, nowhere, size=lines.size_bytes)
    sizes = {"zstd -3": packed_bytes / lines.count} | {
        name: load.size_bytes / load.lines for name, load in peers.items() if load.size_bytes
    }
    each = (ours.size_bytes or 0) / ours.lines
    for name, size in sizes.items():
        yield Row(
            "disk, indexes included",
            f"{each:.1f} B/line",
            f"{name} {size:.1f} B/line",
            f"{each / size:.2f} × its size",
        )


# ── Questions ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Asked:
    first_s: float
    median_s: float
    found: int

    def __str__(self) -> str:
        return f"{self.median_s * 1000:,.1f} ms, first {self.first_s * 1000:,.0f} ({self.found:,})"


def _asking(setting: Setting, lines: Lines, ours: Ours, peers: Sequence[Peer]) -> Iterator[Row]:
    with ExitStack() as stack:
        asks = {peer.name: stack.enter_context(peer.questions(lines)) for peer in (ours, *peers)}
        for question in Question:
            setting.say(f"  {question.value}")
            able = {name: own[question] for name, own in asks.items() if question in own}
            found = in_turns(able)
            for name, asked in found.items():
                if name != ours.name:
                    own = found[ours.name]
                    of_part = " of a part" if name == "SQLite FTS5" and lines.count > _LINES_OF_SQLITE else ""
                    ratio = f"{own.median_s / asked.median_s:.2f} × its time"
                    yield Row(question.value, str(own), f"{name}{of_part} {asked}", ratio)


def in_turns(asks: Mapping[str, Ask]) -> dict[str, _Asked]:
    """Everyone's times for one question, asked in turns, so that a busy moment hits all."""
    spent: dict[str, list[float]] = {name: [] for name in asks}
    found = {}
    for _ in range(_ASKS + 1):
        for name, ask in asks.items():
            if len(spent[name]) > 1 and max(spent[name]) > _LONG_S:
                continue
            started = time.perf_counter()
            found[name] = ask()
            spent[name].append(time.perf_counter() - started)
    return {
        name: _Asked(times[0], statistics.median(times[1:]), found[name]) for name, times in spent.items()
    }
