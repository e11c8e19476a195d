"""Calls: what can be called by `{tool, arguments}` besides tools: how the server is, and points that programs measure.

A point is kept as a record of its source, whose text is the point as a JSON object. So it is durable, found
(`metric:queue_depth`), counted (`value`), and goes with its retention, like any other record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from logpith import __version__
from logpith.server.intake import Brought, bring
from logpith.server.replies import Wrong
from logpith.server.running import Running
from logpith.server.tokens import ASKING, READER, WRITER, Role
from logpith.timerange import format_ns, parse_time
from logpith_emit.errors import BadArgument

SOURCE = "metrics"
"""The source of records that are points."""

MOST_POINTS = 1_000
_LONGEST_NAME = 200

Arguments = Mapping[str, object]


class Point(msgspec.Struct, forbid_unknown_fields=True):
    """One measurement."""

    name: str
    value: int | float
    metric_type: Literal["gauge", "counter", "histogram", "summary"] = "gauge"
    tags: dict[str, str] = {}
    timestamp: str = ""
    """ISO 8601; when it came, where nobody says."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """Something that can be called."""

    name: str
    role: Role
    does: str
    arguments: Mapping[str, object]
    """JSON Schema."""

    run: Callable[[Running, Arguments, int], Mapping[str, object]]
    """Given the arguments and what time it is; blocks."""


def call_named(name: str) -> Call | None:
    """The call of that name, which may have dashes."""
    return _CALLS.get(name.replace("-", "_"))


def _server_status(running: Running, arguments: Arguments, now_ns: int) -> Mapping[str, object]:
    _refuse_unknown(arguments, ())
    sources = [
        {
            "name": state.name,
            "type": state.type,
            "state": "failing" if state.is_failing else "ok" if state.success_ns else "not read yet",
            **({"last_seen": format_ns(state.success_ns)} if state.success_ns else {}),
            **({"problem": state.problem} if state.problem else {}),
            **({"lost": state.lost} if state.lost else {}),
            **({"older_than_kept": state.old} if state.old else {}),
        }
        for state in running.desk().states()
    ]
    is_ready = running.is_ready()
    return {
        "status": "ok" if is_ready else "not ready",
        "version": __version__,
        "timestamp": format_ns(now_ns),
        "sources": sources,
    }


def _collect_metrics(running: Running, arguments: Arguments, now_ns: int) -> Mapping[str, object]:
    _refuse_unknown(arguments, ("source", "metrics"))
    source, metrics = arguments.get("source"), arguments.get("metrics")
    if not isinstance(source, str) or not 0 < len(source) <= _LONGEST_NAME:
        raise BadArgument("`source` must be a text", remedy='Send {"source": "billing", "metrics": […]}')
    if not isinstance(metrics, list) or not 0 < len(metrics) <= MOST_POINTS:
        raise BadArgument(
            f"`metrics` must be a list of 1 to {MOST_POINTS} points",
            remedy='Send "metrics": [{"name": "queue_depth", "value": 3}]',
        )
    allowed = ASKING.get().services
    if allowed is not None and source not in allowed:
        raise Wrong(
            status=403,
            code="out_of_scope",
            message="this token may not bring points of that source",
            hint="Name one that it may bring",
        )
    lines: list[bytes] = []
    rejected: list[dict[str, object]] = []
    for index, told in enumerate(metrics):
        line = _line_of(told, now_ns)
        if isinstance(line, bytes):
            lines.append(line)
        else:
            rejected.append({"index": index, "reason": line})
    if lines:
        brought = Brought(text=b"\n".join(lines))
        bring(running, brought, service=source, source=SOURCE, observed_ns=now_ns, is_bound=True)
    return {
        "status": "success" if lines else "error",
        "collected_count": len(lines),
        "source": source,
        "timestamp": format_ns(now_ns),
        **({"rejected": rejected} if rejected else {}),
    }


def _line_of(told: object, now_ns: int) -> bytes | str:
    """A point as the text of its record, or why it is none."""
    try:
        point = msgspec.convert(told, Point)
    except msgspec.ValidationError as error:
        return str(error)
    if not 0 < len(point.name) <= _LONGEST_NAME or not math.isfinite(point.value):
        return "a point has a name, and a number as its value"
    try:
        time_ns = parse_time(point.timestamp, now_ns=now_ns) if point.timestamp else now_ns
    except BadArgument as error:
        return error.problem
    text: dict[str, Any] = {
        "timestamp": format_ns(time_ns),
        "metric": point.name,
        "value": point.value,
        "metric_type": point.metric_type,
    }
    return msgspec.json.encode(text | ({"tags": point.tags} if point.tags else {}))


def _refuse_unknown(arguments: Arguments, known: tuple[str, ...]) -> None:
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        told = f"The arguments are {', '.join(known)}" if known else "Give none"
        raise BadArgument(f"there is no argument named {unknown[0][:60]!r}", remedy=told)


_CALLS: Mapping[str, Call] = {
    call.name: call
    for call in (
        Call(
            name="get_server_status",
            role=READER,
            does="How the server and its sources are.",
            arguments={"type": "object", "properties": {}, "additionalProperties": False},
            run=_server_status,
        ),
        Call(
            name="collect_metrics",
            role=WRITER,
            does="Keeps points that a program has measured, as records; answers when they are durable.",
            arguments={
                "type": "object",
                "required": ["source", "metrics"],
                "additionalProperties": False,
                "properties": {
                    "source": {"type": "string"},
                    "metrics": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MOST_POINTS,
                        "items": {
                            "type": "object",
                            "required": ["name", "value"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string"},
                                "value": {"type": "number"},
                                "metric_type": {"enum": ["gauge", "counter", "histogram", "summary"]},
                                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                                "timestamp": {"type": "string"},
                            },
                        },
                    },
                },
            },
            run=_collect_metrics,
        ),
    )
}
