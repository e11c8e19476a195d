"""Access logs: the common and the combined log format of Apache, nginx and many others, with a virtual host or without.

    client ident user [20/Nov/2026:13:45:02 +0000] "GET /path HTTP/1.1" 200 512 "referer" "agent" 0.004

What is mined is the request and its status. The status is the severity: 5xx error, 4xx warn, else info.
https://httpd.apache.org/docs/current/logs.html#accesslog
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from logpith.formats import Layout
from logpith.scan.records import QUOTED_REQUEST

_TIME = "[%d/%b/%Y:%H:%M:%S%f%z]"


def _layout(name: str, text: str) -> Layout:
    return Layout(name, text, moves=False, behind=QUOTED_REQUEST, format="access log", weight=30)


LAYOUTS = (
    _layout("common log format", f"*_*_*_{_TIME}_%R"),
    _layout("common log format with virtual host", f"*_*_*_*_{_TIME}_%R"),
)

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    r"(?:(?P<vhost>\S+) )?(?P<client>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]+)\] "
    rf'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{{3}}|-)(?: (?P<size>\d+|-))?'
    rf"(?: {_QUOTED} {_QUOTED})?(?P<rest>.*)",
    re.DOTALL,
)
HEADS = r'\S+ \S+ \S+ (?:\S+ )?\[[^\]]+\] "'
"""What every line begins with that has fields here, for RE2 and bytes; others may too."""

_REQUEST = re.compile(r"([A-Za-z-]+) (\S+)(?: (HTTP/[\d.]+))?")
_SECONDS = re.compile(r"^ (?:rt=|request_time=)?(\d+\.\d+)(?=\s|$)")
_PAIR = re.compile(r'(?:^|\s)([A-Za-z_]\w*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


def fields_of(text: str) -> Mapping[str, object] | None:
    """client, user, method, path, query, status, size, referer, agent, request_time: those that the line has."""
    match = _LINE.match(text)
    if match is None:
        return None
    part = match.groupdict()
    request = _REQUEST.fullmatch(part["request"])
    method, target, protocol = request.groups() if request else (None, None, None)
    path, _, query = (target or "").partition("?")
    seconds = _SECONDS.match(part["rest"])
    fields: dict[str, object] = {
        "vhost": part["vhost"],
        "client": part["client"],
        "user": part["user"],
        "request": part["request"],
        "method": method,
        "path": path or None,
        "query": query or None,
        "protocol": protocol,
        "status": _number(part["status"]),
        "size": _number(part["size"]),
        "referer": match[9],
        "agent": match[10],
        "request_time": float(seconds[1]) if seconds else None,
        **{key: quoted or bare for key, quoted, bare in _PAIR.findall(part["rest"])},
    }
    named = {name: value for name, value in fields.items() if value not in (None, "", "-")}
    return {**named, "message": text}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
