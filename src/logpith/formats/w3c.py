"""W3C extended log files, as IIS writes them: a line `#Fields:` names the columns of the lines behind it.

https://www.w3.org/TR/WD-logfile. Times are in UTC. The status is the severity, as of access logs.
"""

from __future__ import annotations

from collections.abc import Mapping

from logpith.formats import Layout
from logpith.scan.records import MESSAGE

_HEADER = "#Fields:"
_FORMAT = "W3C"
_STEPS = {"date": "%Y-%m-%d", "time": "%H:%M:%S%f", "sc-status": "%C"}
# Column → the name that access logs have for it.
_NAMES = {
    "c-ip": "client",
    "cs-username": "user",
    "cs-method": "method",
    "cs-uri-stem": "path",
    "cs-uri-query": "query",
    "sc-status": "status",
    "sc-bytes": "size",
    "cs(referer)": "referer",
    "cs(user-agent)": "agent",
    "cs-host": "vhost",
}


def layout_of_header(line: str) -> Layout | None:
    """The layout of lines with the columns that a line `#Fields: date time …` names; None for other lines.

    What is mined begins behind date and time, which must be the first columns.
    """
    if not line.startswith(_HEADER):
        return None
    columns = tuple(line.removeprefix(_HEADER).lower().split())
    if columns[:2] != ("date", "time"):
        return None
    steps = [_STEPS.get(column, "*") for column in columns[2:]]
    while steps and steps[-1] == "*":
        steps.pop()
    text = (
        "_".join((_STEPS["date"], f"{_STEPS['time']}_%@{steps[0]}", *steps[1:]))
        if steps
        else "%Y-%m-%d_%H:%M:%S%f"
    )
    return Layout("W3C date and time", text, moves=False, behind=MESSAGE, format=_FORMAT, columns=columns)


def fields_of_columns(text: str, columns: tuple[str, ...]) -> Mapping[str, object] | None:
    """The words of a line by the names of its columns, and by those that access logs have for them."""
    words = text.split()
    if text.startswith("#") or len(words) != len(columns):
        return None
    fields: dict[str, object] = {}
    for column, word in zip(columns, words, strict=True):
        if word == "-":
            continue
        value: object = int(word) if word.isdigit() and len(word) < 19 else word
        fields[column] = value
        fields.setdefault(_NAMES.get(column, column), value)
    return {**fields, "message": text}
