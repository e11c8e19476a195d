"""A running VictoriaLogs, by its documented HTTP API: `/insert/jsonline`, `/select/logsql/query`, `/metrics`.

It must be empty, and keep lines of November 2026: `victoria-logs -storageDataPath=… -retentionPeriod=100y`. Lines come
to it as JSON objects that were read before, so that only its own work is timed: what passes while it has a request.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import mixed_lines
from benchmarks.mixed_lines import Lines
from benchmarks.peers import Ask, Loaded, Question
from benchmarks.peers.wire import Wire, rows_as_json

_FORM = "application/x-www-form-urlencoded"
_NEWEST = "| sort by (_time) desc limit 20"
_COUNT = "| stats count() found"


@dataclass(frozen=True)
class VictoriaLogsPeer:
    """The server at `url`."""

    url: str
    parquet: Path
    """Where the lines are, read already."""

    name: str = "VictoriaLogs"

    def load(self, lines: Lines) -> Loaded:
        """Requests of some thousands of lines, one behind the other; then all is made searchable.

        Raises:
            RuntimeError: it has lines already, or refuses.
        """
        with closing(Wire(self.url)) as wire:
            if _number(wire, f"* {_COUNT}"):
                raise RuntimeError(f"{self.url} has logs already: start VictoriaLogs with an empty folder")
            parameters = urlencode(
                {"_time_field": "_time", "_msg_field": "_msg", "_stream_fields": "service"}
            )
            before, wall_s, count = _metric(wire, "process_cpu_seconds_total"), 0.0, 0
            for rows in rows_as_json(self.parquet, "_time", "_msg"):
                body = b"\n".join(rows) + b"\n"
                started = time.perf_counter()
                wire.ask("POST", f"/insert/jsonline?{parameters}", body, "application/stream+json")
                wall_s += time.perf_counter() - started
                count += len(rows)
            started = time.perf_counter()
            wire.ask("GET", "/internal/force_flush")
            wall_s += time.perf_counter() - started
            after = _metric(wire, "process_cpu_seconds_total")
            size = _metric(wire, "vl_data_size_bytes")
        cpu_s = after - before if before is not None and after is not None else None
        return Loaded(count, wall_s, cpu_s, None if size is None else int(size))

    @contextmanager
    def questions(self, lines: Lines) -> Iterator[Mapping[Question, Ask]]:
        """All of them, in LogsQL."""
        with closing(Wire(self.url)) as wire:
            rows, count = partial(_rows, wire), partial(_number, wire)
            yield {
                Question.NEEDLE: partial(rows, mixed_lines.NEEDLE),
                Question.ABSENT: partial(rows, mixed_lines.ABSENT),
                Question.NEWEST_WORD: partial(rows, f"i({mixed_lines.WORD}) level:=ERROR {_NEWEST}"),
                Question.SUBSTRING: partial(count, f"~{json.dumps(mixed_lines.SUBSTRING)} {_COUNT}"),
                Question.REGEX: partial(count, f"~{json.dumps(mixed_lines.REGEX)} {_COUNT}"),
                Question.BY_SERVICE: partial(rows, "* | stats by (service) count() found"),
                Question.HISTOGRAM: partial(rows, "* | stats by (_time:1m, level) count() found"),
                Question.TRACE: partial(rows, f'trace_id:="{lines.trace_id}"'),
                Question.AVERAGE: partial(
                    rows, "status_code:>=500 | stats by (service) avg(duration_ms) found"
                ),
                Question.NEWEST_ERROR: partial(rows, f"level:=ERROR {_NEWEST}"),
                Question.TEMPLATE_WORD: partial(count, f"i({mixed_lines.TEMPLATE_WORD}) {_COUNT}"),
                Question.TEMPLATES: partial(rows, "* | collapse_nums | stats by (_msg) count() found"),
            }


def _asked(wire: Wire, query: str) -> list[bytes]:
    """The lines of an answer, each a JSON object."""
    body = urlencode({"query": query}).encode()
    return wire.ask("POST", "/select/logsql/query", body, _FORM).splitlines()


def _rows(wire: Wire, query: str) -> int:
    return len(_asked(wire, query))


def _number(wire: Wire, query: str) -> int:
    answer = _asked(wire, query)
    # Every value is a string there.
    return int(json.loads(answer[0])["found"]) if answer else 0


def _metric(wire: Wire, name: str) -> float | None:
    """The sum of a metric over its labels; None where the server does not have it."""
    text = wire.ask("GET", "/metrics").decode()
    values = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, values)) if values else None
