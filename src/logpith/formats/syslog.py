"""Syslog: RFC 5424, RFC 3164, and the lines that syslog daemons write to files.

A file written by a daemon has no priority; RFC 3164 has no year and no zone (the year is settled by the
file's last change, the zone is UTC unless told otherwise).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from logpith.formats import Layout
from logpith.scan.records import FIELDS

_TIME = "%b_%d %H:%M:%S%f"
_TIME_WITH_YEAR = "%b_%d %Y %H:%M:%S%f"
_ISO_TIME = "%Y-%m-%dT%H:%M:%S%f%z"


def _layout(name: str, head: str, tail: str, weight: int, number: int = 3164) -> Layout:
    """A layout that falls back to its head alone ("last message repeated 3 times" names no program)."""
    return Layout(
        name,
        head + tail,
        moves=False,
        behind=FIELDS,
        format=f"syslog {number}",
        falls_back_to=head if tail else "",
        weight=weight,
    )


LAYOUTS = (
    _layout("RFC 5424", f"%P1 {_ISO_TIME}", "_*_%V_*_*_%D%.", 30, number=5424),
    _layout("RFC 3164", f"%P{_TIME}", "_%h_%N%.", 30),
    _layout("RFC 3164 without host", f"%P{_TIME}", "_%N%.", 25),
    _layout("RFC 3164 without program", f"%P{_TIME}", "", 20),
    _layout("RFC 3164 with ISO 8601 time", f"%P{_ISO_TIME}", "_%h_%N%.", 30),
    _layout("RFC 3164 with ISO 8601 time, without program", f"%P{_ISO_TIME}", "", 20),
    _layout("RFC 5424 without header", f"%P1 {_ISO_TIME}", "", 10, number=5424),
    _layout("syslog file", _TIME, "_%h_%N%.", 20),
    _layout("syslog file with year", _TIME_WITH_YEAR, "_%h_%N%.", 20),
    _layout("syslog file with ISO 8601 time", _ISO_TIME, "_%h_%N%.", 20),
)

_HEAD = re.compile(
    r"(?:<(?P<pri>\d{1,3})>)?"
    r"(?:1 (?P<time5>\S+) (?P<host5>\S+) (?P<app5>\S+) (?P<procid>\S+) (?P<msgid>\S+) "
    r'(?P<data>-|(?:\[(?:[^"\]\\]|"(?:[^"\\]|\\.)*")*\])+)(?: ?\ufeff?(?P<body5>.*))?'
    r"|(?P<time>[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?[\d:.]+|\d{4}-\d\d-\d\dT\S+) (?P<host>\S+) "
    r"(?P<app>[^\s:\[]+)(?:\[(?P<pid>[^\]\s]*)\])?: ?(?P<body>.*))",
    re.DOTALL,
)
HEADS = r"<|1 |[A-Z][a-z]{2} |[\d\x80-\xff]\S* \S+ [^\s:\[]+(?:\[[^\]\s]*\])?:"
"""What every line begins with that `unwrap` takes apart, for RE2 and bytes; others may too."""

HEADER_FIELDS = frozenset({"priority", "facility", "host", "app", "pid", "msgid"})
"""What `unwrap` calls what a header says."""

HOST = (
    r"\A(?:<[0-9]{1,3}>)?"
    r"(?:[A-Z][a-z]{2} [ 0-9][0-9] (?:[0-9]{4} )?[0-9:.]+|[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[!-<>-~]+) "
    r"(?P<host>[!-<>-~]+) [!-9;<>-Z\\-~]+(?:\[[!-<>-\\^-~]*\])?:(?: [^{\x1b]*|[^={\x1b]*)\z"
)
"""Lines of which the header says the host, for RE2, unless a pair behind it says another: no object and no colour
stands in them. Of others only `unwrap` tells, and where the host seems to be one of `NO_HOSTS`."""

NO_HOSTS = frozenset({"-", "stdout", "stderr"})
"""A host that is not known, and where a line of a container (`wrappers.py`) says what it was written to."""

_ELEMENT = re.compile(r'\[([^\s\]="]+)((?:[^"\]\\]|"(?:[^"\\]|\\.)*")*)\]', re.DOTALL)
_PARAMETER = re.compile(r'([^\s="\]]+)="((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')


def unwrap(text: str) -> tuple[Mapping[str, object], str] | None:
    """Host, program, process and structured data (RFC 5424 §6.3, escapes taken out); and the message."""
    head = _HEAD.match(text)
    if head is None:
        return None
    part = head.groupdict()
    fields: dict[str, object] = {}
    if part["pri"]:
        fields["priority"] = int(part["pri"]) % 8
        fields["facility"] = int(part["pri"]) // 8
    named = (
        ("host", part["host5"] or part["host"]),
        ("app", part["app5"] or part["app"]),
        ("pid", part["procid"] or part["pid"]),
        ("msgid", part["msgid"]),
    )
    fields.update({name: value for name, value in named if value and value != "-"})
    for identity, inside in _ELEMENT.findall(part["data"] or ""):
        for name, value in _PARAMETER.findall(inside):
            plain = _ESCAPED.sub(r"\1", value)
            fields[f"{identity}.{name}"] = plain
            fields.setdefault(name, plain)
    return fields, part["body5"] or part["body"] or ""
