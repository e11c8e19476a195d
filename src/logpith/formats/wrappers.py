"""Wrappers: what container runtimes and process managers put around the lines of programs.

    2026-11-20T13:45:02.123456789Z stderr F line       CRI; P tags all pieces of a cut line but the last
    {"log":"line\\n","stream":"stderr","time":"…"}     Docker's json-file driver
    0|api  | line                                      pm2
    12:00:01 web.1  | line                             foreman and honcho
    api-1  | line                                      docker compose

A process manager's name is the service. The line inside is read as it would be alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from logpith.formats import Layout
from logpith.scan.records import LINE, LINE_OR_PIECE

DOCKER_KEY = "log"
"""The key of a message by which a JSON line is known as one of Docker's."""

_WEIGHT = 30

LAYOUTS = (
    Layout(
        "CRI",
        "%Y-%m-%dT%H:%M:%S%f%z_%O_%G",
        moves=False,
        behind=LINE_OR_PIECE,
        format="CRI",
        weight=_WEIGHT,
    ),
    Layout(
        "time and process",
        "%H:%M:%S%f_%I",
        moves=False,
        behind=LINE,
        format="process manager",
        weight=_WEIGHT,
    ),
    Layout("process", "%I", moves=False, behind=LINE, format="process manager", weight=_WEIGHT),
)

_CRI = re.compile(r"(\d{4}-\d\d-\d\dT\S+) (stdout|stderr) ([FP])(?::\S*)? ?")
HEADS = r"\S+ (?:stdout|stderr) [FP]|[^\n|]*\|"
"""What every line begins with that `unwrap` takes apart and that is no JSON, for RE2 and bytes; others may too."""

_PROCESS = re.compile(
    r"(?:\d\d?:\d\d:\d\d(?:\.\d+)? +)?(?:\d+\|([\w.:@-]+) *|([A-Za-z][\w.:@-]*) +)\|(?: |$)"
)


def unwrap(text: str) -> tuple[Mapping[str, object], str] | None:
    """The wrapper's own fields and the text inside, with the pieces and lines of a record put together."""
    if text.startswith('{"log":'):
        return _of_docker(text)
    head = _CRI.match(text)
    if head is not None:
        return {"time": head[1], "stream": head[2]}, _without_heads(text)
    process = _PROCESS.match(text)
    if process is None:
        return None
    lines = [_PROCESS.sub("", line, count=1) for line in text.split("\n")]
    return {"service": process[1] or process[2]}, "\n".join(lines)


def _without_heads(text: str) -> str:
    """The lines of CRI without what stands before them; a piece is joined to the next one."""
    parts: list[str] = []
    for line in text.split("\n"):
        head = _CRI.match(line)
        parts.append(line[head.end() :] if head else line)
        if head is None or head[3] == "F":
            parts.append("\n")
    return "".join(parts).removesuffix("\n")


def _of_docker(text: str) -> tuple[Mapping[str, object], str] | None:
    """Docker's object, taken apart; of a record of several lines, all of them."""
    inside: list[str] = []
    fields: dict[str, object] = {}
    for line in text.split("\n"):
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(read, dict) or not isinstance(read.get(DOCKER_KEY), str) or "time" not in read:
            return None
        inside.append(read.pop(DOCKER_KEY))
        fields = fields or read
    return fields, "".join(inside).removesuffix("\n")
