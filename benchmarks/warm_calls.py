"""Calls of a warm MCP server on a day of 300,000 lines in one file, against `grep -c` of a fresh process.

The server has read the file before: what is timed is the median of calls in its process, without the pipe. An
agent without us would run `grep`, which reads the file each time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import Row, Setting
from benchmarks.measuring import day_in_one_file, run

_LINES = 300_000
_REPEATS = 21


def measure(setting: Setting) -> Iterator[Row]:
    """A row for each kind of call."""
    from logpith.server.lazy_desk import LazyDesk  # noqa: PLC0415  --help must not wait
    from logpith.server.mcp import answer_call  # noqa: PLC0415  as above
    from logpith.tools import tools  # noqa: PLC0415  as above

    path, lines = day_in_one_file(setting, "warm", _LINES), setting.lines(_LINES)
    desk = LazyDesk([str(setting.folder)])
    desk.load(tools())

    def ask(name: str, given: dict[str, Any]) -> dict[str, Any]:
        result = answer_call(desk, tools()[name], {"sources": [str(path)], **given})
        if result.is_error or result.structured_content is None:
            raise RuntimeError(str(result.content))
        answer: dict[str, Any] = result.structured_content
        return answer

    ref = ask("log_grep", {"pattern": "quota_exceeded"})["evidence"][0]["ref"]
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "overview": ("log_overview", {}),
        "cluster": ("log_cluster", {}),
        "grep, rare word": ("log_grep", {"pattern": "quota_exceeded"}),
        "grep, frequent word": ("log_grep", {"pattern": "call_id"}),
        "grep, severity": ("log_grep", {"pattern": "level>=error", "as_query": True}),
        "fetch by ref": ("log_fetch", {"refs": [ref], "before": 5, "after": 5}),
        "fetch a page of a query": ("log_fetch", {"query": "quota_exceeded"}),
    }
    peer_s = statistics.median(run(["grep", "-c", "quota_exceeded", str(path)]).wall_s for _ in range(5))
    size = f"{lines:,} lines ({path.stat().st_size >> 20} MB)"
    for what, (name, given) in calls.items():
        ask(name, given)
        ours_s = statistics.median(_wall_s(partial(ask, name, given)) for _ in range(_REPEATS))
        yield Row(
            f"warm call on {size}: {what}",
            f"{ours_s * 1000:.1f} ms",
            f"grep -c {peer_s * 1000:.0f} ms",
            f"{ours_s / peer_s:.2f} × its time",
        )


def _wall_s(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
