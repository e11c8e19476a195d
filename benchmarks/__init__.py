"""Benchmarks: ratios against named peers, measured in one run, because this machine and yours differ.

    python -m benchmarks            all of them, as a Markdown table
    python -m benchmarks --only templates_speed --quick
    python -m benchmarks --only store --lines 2000000 --peer victorialogs=http://127.0.0.1:9428

Each file measures one thing and gives rows; the folder is the registry. `pip install -e '.[bench]'` brings the
peers. Speed is lines per second of CPU time where that is said, else wall time, each the median of interleaved
repeats. Nothing here is a test: no number decides whether the tests pass.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SHARED = frozenset(("__main__", "loggers", "measuring", "mixed_lines", "peers"))
"""What benchmarks share; every other file here is one."""


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

    wanted_lines: int | None = None
    """How many lines to make, when somebody has said so."""

    lines_file: Path | None = None
    """The lines to be kept and asked, in place of generated ones."""

    sketch: Path | None = None
    """Where the code of the store's sketch is."""

    peers: Mapping[str, str] = field(default_factory=dict)
    """Addresses of running servers by the name of what runs there."""

    def lines(self, most: int) -> int:
        """How many of so many lines of data to make."""
        return self.wanted_lines or (most // 10 if self.quick else most)


Benchmark = Callable[[Setting], Iterable[Row]]
"""What each file has as `measure`."""


def names() -> list[str]:
    """The benchmarks there are."""
    return [info.name for info in pkgutil.iter_modules(__path__) if info.name not in SHARED]
