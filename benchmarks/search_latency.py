"""How long a search takes as logs grow, against `grep -c` of the same word in a fresh process.

Days of the demo, each in one file, from 100,000 to 5,000,000 lines. Each question is `search_logs` with 20 hits, asked
of a warm process: the corpus is open, as it is in a server. What is told is the median and the 95th percentile.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping

from benchmarks import Row, Setting
from benchmarks.measuring import day_in_one_file, run

_SIZES = (100_000, 1_000_000, 5_000_000)
_REPEATS = 21

_QUESTIONS: Mapping[str, Mapping[str, object]] = {
    "rare word": {"query": "quota_exceeded"},
    "three words": {"query": "error OR quota OR failed"},
    "frequent word": {"query": "call_id"},
    "absent word": {"query": "zyzzogeton"},
    "severity": {"query": "level>=error"},
    "word and severity, last 10 minutes": {"query": "call_id level>=warn", "since": "10m"},
    "regex": {"query": "/quota_[a-z]+/"},
}

_GREPPED = "quota_exceeded"


def measure(setting: Setting) -> Iterator[Row]:
    """A row for each size and question."""
    from logpith.app import ask  # noqa: PLC0415  --help must not wait
    from logpith.component import build  # noqa: PLC0415  as above
    from logpith.corpus.desk import Desk  # noqa: PLC0415  as above
    from logpith.tools import tools  # noqa: PLC0415  as above

    for size in _SIZES:
        path, lines = day_in_one_file(setting, f"search-{size}", size), setting.lines(size)
        desk = Desk(default_sources=(str(path),))
        peer_s = statistics.median(run(["grep", "-c", _GREPPED, str(path)]).wall_s for _ in range(5))
        told = f"{lines:,} lines ({path.stat().st_size >> 20} MB)"
        for name, given in _QUESTIONS.items():
            tool = build(tools()["search_logs"], dict(given))
            ask(tool, desk)
            spent = []
            for _ in range(_REPEATS):
                started = time.perf_counter()
                ask(tool, desk)
                spent.append(time.perf_counter() - started)
            median, high = statistics.median(spent), statistics.quantiles(spent, n=20)[-1]
            yield Row(
                f"search over {told}: {name}",
                f"{median * 1000:.1f} ms (p95 {high * 1000:.1f} ms)",
                f"grep -c {peer_s * 1000:.0f} ms",
                f"{median / peer_s:.2f} × its time",
            )
        path.unlink()
