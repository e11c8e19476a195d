"""A running Elasticsearch, by `_bulk` and `_search`; its index `logpith-bench` is made anew.

Text is analysed as it is by default, fields are keywords and numbers. What it cannot be asked so is left out:
substrings, regexes over whole lines, templates. Aggregations are asked with `request_cache=false`, or it would tell
them from memory.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import mixed_lines
from benchmarks.mixed_lines import Lines
from benchmarks.peers import Ask, Loaded, Question
from benchmarks.peers.wire import Wire, rows_as_json

_INDEX = "/logpith-bench"
_ACTION = b'{"index":{}}'
_MOST_HITS = 10_000
_KEYWORDS = ("level", "service", "host", "fmt", "component", "trace_id", "request_id")
_MADE = {
    "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
    "mappings": {
        "properties": {
            "@timestamp": {"type": "date_nanos"},
            "message": {"type": "text"},
            "duration_ms": {"type": "integer"},
            "status_code": {"type": "short"},
            **{name: {"type": "keyword"} for name in _KEYWORDS},
        }
    },
}


@dataclass(frozen=True)
class ElasticsearchPeer:
    """The server at `url`."""

    url: str
    parquet: Path
    """Where the lines are, read already."""

    name: str = "Elasticsearch"

    def load(self, lines: Lines) -> Loaded:
        """Requests of some thousands of lines, one behind the other; then all is searchable and durable.

        Raises:
            RuntimeError: it refuses.
        """
        with closing(Wire(self.url)) as wire:
            with suppress(RuntimeError):  # there is none the first time
                wire.ask("DELETE", _INDEX)
            wire.ask("PUT", _INDEX, json.dumps(_MADE).encode())
            before, wall_s, count = _cpu_s(wire), 0.0, 0
            for rows in rows_as_json(self.parquet, "@timestamp", "message"):
                body = b"".join(b"%b\n%b\n" % (_ACTION, row) for row in rows)
                started = time.perf_counter()
                answer = wire.ask("POST", f"{_INDEX}/_bulk", body, "application/x-ndjson")
                wall_s += time.perf_counter() - started
                if json.loads(answer)["errors"]:
                    raise RuntimeError(f"{self.url} refuses lines: {answer[:300]!r}")
                count += len(rows)
            started = time.perf_counter()
            wire.ask("POST", f"{_INDEX}/_refresh")
            wire.ask("POST", f"{_INDEX}/_flush")
            wall_s += time.perf_counter() - started
            stored = json.loads(wire.ask("GET", f"{_INDEX}/_stats/store"))
            return Loaded(
                count, wall_s, _cpu_s(wire) - before, stored["_all"]["total"]["store"]["size_in_bytes"]
            )

    @contextmanager
    def questions(self, lines: Lines) -> Iterator[Mapping[Question, Ask]]:
        """What is about words and fields."""
        with closing(Wire(self.url)) as wire:
            rows, groups = partial(_rows, wire), partial(_groups, wire)
            is_error = {"term": {"level": "ERROR"}}
            newest = {"size": 20, "sort": [{"@timestamp": "desc"}]}
            by_service = {"field": "service", "size": 1000}
            yield {
                Question.NEEDLE: partial(rows, {"query": _word(mixed_lines.NEEDLE), "size": _MOST_HITS}),
                Question.ABSENT: partial(rows, {"query": _word(mixed_lines.ABSENT), "size": _MOST_HITS}),
                Question.NEWEST_WORD: partial(
                    rows, {"query": {"bool": {"filter": [_word(mixed_lines.WORD), is_error]}}, **newest}
                ),
                Question.BY_SERVICE: partial(groups, {"aggs": {"by": {"terms": by_service}}}),
                Question.HISTOGRAM: partial(
                    groups,
                    {
                        "aggs": {
                            "by": {
                                "date_histogram": {
                                    "field": "@timestamp",
                                    "fixed_interval": "1m",
                                    "min_doc_count": 1,
                                },
                                "aggs": {"by": {"terms": {"field": "level"}}},
                            }
                        }
                    },
                ),
                Question.TRACE: partial(
                    rows, {"query": {"term": {"trace_id": lines.trace_id}}, "size": _MOST_HITS}
                ),
                Question.AVERAGE: partial(
                    groups,
                    {
                        "query": {"range": {"status_code": {"gte": 500}}},
                        "aggs": {
                            "by": {
                                "terms": by_service,
                                "aggs": {"average": {"avg": {"field": "duration_ms"}}},
                            }
                        },
                    },
                ),
                Question.NEWEST_ERROR: partial(rows, {"query": is_error, **newest}),
                Question.TEMPLATE_WORD: partial(_count, wire, {"query": _word(mixed_lines.TEMPLATE_WORD)}),
            }


def _word(word: str) -> dict[str, Any]:
    return {"match": {"message": word}}


def _rows(wire: Wire, question: Mapping[str, Any]) -> int:
    answer = json.loads(wire.ask("POST", f"{_INDEX}/_search", json.dumps(question).encode()))
    return len(answer["hits"]["hits"])


def _count(wire: Wire, question: Mapping[str, Any]) -> int:
    answer = json.loads(wire.ask("POST", f"{_INDEX}/_count", json.dumps(question).encode()))
    return int(answer["count"])


def _groups(wire: Wire, question: Mapping[str, Any]) -> int:
    body = json.dumps({"size": 0, **question}).encode()
    answer = json.loads(wire.ask("POST", f"{_INDEX}/_search?request_cache=false", body))
    return sum(
        len(bucket["by"]["buckets"]) if "by" in bucket else 1
        for bucket in answer["aggregations"]["by"]["buckets"]
    )


def _cpu_s(wire: Wire) -> float:
    """Time that all nodes have spent."""
    nodes = json.loads(wire.ask("GET", "/_nodes/stats/process"))["nodes"].values()
    return sum(float(node["process"]["cpu"]["total_in_millis"]) for node in nodes) / 1000
