"""Headers: what loggers put between the time and the message: level, thread, process, logger.

    INFO dfs.DataNode$PacketResponder: …            148 WARN dfs.FSNamesystem: …
    ERROR [main] com.example.App - …                [main] ERROR com.example.App - …
    - INFO  [QuorumPeer@774] - …                    - app.db - WARNING - …
    | INFO     | app.db:connect:12 - …              INFO 1 --- [nio-80] c.e.App : …
    [error] …                                       ERROR: …

Behind `ERROR: ` a word with a colon is a logger only when it has a dot: `LOG:  duration: 3 ms` names none.

A header is believed only with a level in it. A level is a word in capitals, in brackets, before a colon or a
bar; written otherwise only when a logger or a dash follows, since `error occurred` is how messages begin too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logpith.scan.kernel import kernel
from logpith.scan.names import hash_name, look_up
from logpith.scan.timestamps import AMBIGUOUS

_MOST_ELEMENTS = 4
_IN_LOGGER = np.zeros(256, np.uint8)
_IN_LOGGER[[*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$-/:<>@*"]] = 1
_LONGEST_BRACKET = 160
_LONGEST_LEVEL = 12
_LONGEST_LOGGER = 120


@kernel
def _is_letter(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122


@kernel
def _skip_blanks(buf: Any, i: int, end: int) -> int:
    while i < end and (buf[i] == 32 or buf[i] == 9):
        i += 1
    return i


@kernel
def _behind_bracket(buf: Any, i: int, end: int) -> int:
    """The place behind the `]` that closes the `[` at `i`; -1 when it is far away."""
    depth = 0
    stop = min(end, i + _LONGEST_BRACKET)
    while i < stop:
        if buf[i] == 91:
            depth += 1
        elif buf[i] == 93:
            depth -= 1
            if depth == 0:
                return i + 1
        i += 1
    return -1


@kernel
def _behind_separator(buf: Any, i: int, end: int) -> int:
    """The place behind `-`, `---`, `|` or `:` and the blank that must follow; `i` when none is there."""
    at = i
    if at < end and (buf[at] == 124 or buf[at] == 58):
        at += 1
    else:
        while at < end and buf[at] == 45:
            at += 1
    if at > i and at < end and (buf[at] == 32 or buf[at] == 9):
        return _skip_blanks(buf, at, end)
    return i


@kernel
def _behind_number(buf: Any, i: int, end: int) -> int:
    """The place behind digits, as of a process or thread, and the blank that must follow; `i` when none are there."""
    at = i
    while at < end and 48 <= buf[at] <= 57:
        at += 1
    if at > i and at < end and buf[at] == 32:
        return _skip_blanks(buf, at, end)
    return i


@kernel
def _level(buf: Any, i: int, end: int, severities: Any, numbers: Any) -> Any:
    """(severity, place behind, whether it can be nothing else) of a level word at `i`; severity 0 for none."""
    bracketed = i < end and buf[i] == 91
    start = i + 1 if bracketed else i
    at = start
    capitals = True
    while at < end and at - start < _LONGEST_LEVEL and _is_letter(buf[at]):
        capitals = capitals and buf[at] < 97
        at += 1
    if at - start < 3:
        return 0, i, False
    severity = look_up(severities, numbers, hash_name(buf, start, at))
    if severity == 0:
        return 0, i, False
    ambiguous = severity >= AMBIGUOUS
    severity %= AMBIGUOUS
    if bracketed:
        at = _skip_blanks(buf, at, end)
        if at < end and buf[at] == 93:
            return severity, at + 1, True
        return 0, i, False
    if at >= end or buf[at] == 32 or buf[at] == 9:
        return (0, i, False) if ambiguous else (severity, at, capitals)
    if buf[at] == 58 and (at + 1 >= end or buf[at + 1] == 32):
        return severity, at + 1, True
    if buf[at] == 124:
        return severity, at, True
    return 0, i, False


@kernel
def _logger(buf: Any, i: int, end: int) -> Any:
    """(end of the name, place of the message) of a logger at `i`, before `: `, ` - ` or ` : `; (-1, i) for none."""
    at = i
    stop = min(end, i + _LONGEST_LOGGER)
    if at >= end or not (_is_letter(buf[at]) or buf[at] == 95):
        return -1, i
    while at < stop and _IN_LOGGER[buf[at]]:
        if buf[at] == 58 and at + 1 < end and buf[at + 1] == 32:
            return at, _skip_blanks(buf, at + 1, end)
        at += 1
    if at < stop and not (buf[at] == 32 or buf[at] == 9 or buf[at] == 91 or buf[at] == 40):
        return -1, i
    if at >= stop:
        return -1, i
    blanks = _skip_blanks(buf, at, end)
    behind = _behind_separator(buf, blanks, end)
    if behind > blanks:
        return at, behind
    return -1, i


@kernel
def _has_dot(buf: Any, start: int, end: int) -> bool:
    for i in range(start, end):  # noqa: SIM110 - a kernel has no generators
        if buf[i] == 46:
            return True
    return False


@kernel
def read_header(buf: Any, start: int, end: int, severity: int, severities: Any, numbers: Any) -> Any:
    """(severity, place of the message, start and end of the logger's name) of what follows a time.

    `severity` is what the layout of the time has told already, 0 for nothing. Without a header the place is `start`.
    """
    i = _skip_blanks(buf, start, end)
    if i < end and buf[i] == 93:  # a bracket that opened before the time
        i = _skip_blanks(buf, i + 1, end)
    name_start = 0
    name_end = 0
    certain = severity > 0
    ends_in_colon = False
    for _ in range(_MOST_ELEMENTS):
        if severity > 0:
            break
        behind = _behind_separator(buf, i, end)
        if behind == i:
            behind = _behind_number(buf, i, end)
        if behind > i:
            i = behind
            continue
        level, behind, certain = _level(buf, i, end, severities, numbers)
        if level > 0:
            severity = level
            i = behind
            ends_in_colon = buf[i - 1] == 58
            break
        if i < end and buf[i] == 91:
            behind = _behind_bracket(buf, i, end)
            if behind < 0:
                break
            i = _skip_blanks(buf, behind, end)
            continue
        name, behind = _logger(buf, i, end)
        if name < 0:
            break
        name_start, name_end = i, name
        i = behind
    if severity == 0:
        return 0, start, 0, 0
    i = _skip_blanks(buf, i, end)
    behind = _behind_separator(buf, i, end)
    certain = certain or behind > i
    message = behind
    # Process, thread and logger belong to the header when something ends it behind them; else the message begins.
    at = behind
    number = _behind_number(buf, at, end)
    dashes = _behind_separator(buf, number, end)
    if number > at and dashes > number:
        at = message = dashes
        certain = True
    if at < end and buf[at] == 91:
        behind = _behind_bracket(buf, at, end)
        if behind > 0:
            at = _skip_blanks(buf, behind, end)
            behind = _behind_separator(buf, at, end)
            if behind > at:
                at = message = behind
                certain = True
    if name_end == 0:
        name, behind = _logger(buf, at, end)
        if name > 0 and (not ends_in_colon or _has_dot(buf, at, name)):
            name_start, name_end = at, name
            message = behind
            certain = True
    if not certain:
        return 0, start, 0, 0
    return severity, message, name_start, name_end
