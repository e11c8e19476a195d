"""Benchmarks: ratios against named peers, measured in one run, because this machine and yours differ.

    python -m benchmarks            all of them, as a Markdown table
    python -m benchmarks --only templates_speed --quick

Each file measures one thing and gives rows; the folder is the registry. `pip install -e '.[bench]'` brings the
peers. Speed is lines per second of CPU time where that is said, else wall time, each the median of interleaved
repeats. Nothing here is a test: no number decides whether the tests pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    peer: str
    ratio: str
    """How many times better than the peer, or what the figure is a share of."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a benchmark is given."""

    folder: Path
    """For generated data; removed afterwards."""

    shared: Path | None
    """Where labelled samples and their scorer are; None where there are none."""

    quick: bool
    """Whether a tenth of the data is enough."""

    say: Callable[[str], None]
    """Tells a person how far it is."""

    def lines(self, most: int) -> int:
        """How many of so many lines of data to make."""
        return most // 10 if self.quick else most


Benchmark = Callable[[Setting], Iterable[Row]]
"""What each file has as `measure`."""
