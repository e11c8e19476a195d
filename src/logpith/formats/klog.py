"""klog and glog, of Kubernetes and others: `E1120 13:45:02.123456    7 server.go:9] message`.

https://github.com/kubernetes/klog: level letter, month and day, time, thread, file and line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from logpith.formats import Layout
from logpith.scan.records import MESSAGE

_TIME = "%L%m%d %H:%M:%S%f"

LAYOUTS = (
    Layout(
        "klog",
        f"{_TIME}_*_%F%.",
        moves=False,
        behind=MESSAGE,
        format="klog",
        falls_back_to=_TIME,
        weight=10,
    ),
    Layout(
        "glog with year",
        "%L%Y%m%d %H:%M:%S%f_*_%F%.",
        moves=False,
        behind=MESSAGE,
        format="klog",
        weight=10,
    ),
    Layout("klog, time alone", _TIME, moves=False, format="klog"),
)

_HEAD = re.compile(r"([IWEFD])\d{4,8} [\d:.]+ +(\d+) ([^\s\]:]+):(\d+)\] ?(.*)", re.DOTALL)
HEADS = r"[IWEFD][\d\x80-\xff]"
"""What every line begins with that has fields here, for RE2 and bytes; others may too."""

_PAIR = re.compile(r'(?:^|\s)([A-Za-z_][\w./-]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


def fields_of(text: str) -> Mapping[str, object] | None:
    """Level, thread, file and line, and the pairs behind a structured message."""
    head = _HEAD.match(text)
    if head is None:
        return None
    level, thread, file, line, message = head.groups()
    pairs = {key: quoted or bare for key, quoted, bare in _PAIR.findall(message)}
    return {
        **pairs,
        "level": level,
        "thread": int(thread),
        "file": file,
        "line": int(line),
        "message": message,
    }
