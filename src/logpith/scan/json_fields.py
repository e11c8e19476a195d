"""The few fields of a JSON line that a record's columns need, found in one pass without building anything.

Not a validator: it follows strings, brackets and colons (RFC 8259) and gives up where they do not fit, which
makes the line plain text. What it finds are spans of the line; escapes inside them stay as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logpith.scan.kernel import kernel
from logpith.scan.names import fold_byte, look_up

# What a key may mean to a record. Between keys of one meaning the smaller rank wins (`role_and_rank`).
TIME = 1
BODY = 2
SEVERITY = 3  # a word, or a number as pino, bunyan and Python's logging write it, or syslog's 0 to 7
SEVERITY_NUMBER = 4  # OpenTelemetry's 1 to 24
SERVICE = 5
FAILURE = 6  # text that says what went wrong: error, code, reason…

ROLES = 7
_RANKS = 256
MAX_DEPTH = 8
_DOT = 46
_OFFSET = np.uint64(14695981039346656037)


def role_and_rank(role: int, rank: int) -> int:
    """A role and a rank in one number, as the tables of key names hold them."""
    return role * _RANKS + rank + 1


@kernel
def string_end(buf: Any, i: int, end: int) -> int:
    """The place of the closing quote of the string whose first byte is at `i`; -1 when it never closes."""
    while i < end:
        byte = buf[i]
        if byte == 34:
            return i
        i += 2 if byte == 92 else 1
    return -1


@kernel
def nested_end(buf: Any, i: int, end: int) -> int:
    """The place behind the array or object that opens at `i`; -1 when it never closes."""
    depth = 0
    while i < end:
        byte = buf[i]
        if byte == 34:
            i = string_end(buf, i + 1, end)
            if i < 0:
                return -1
        elif byte in (91, 123):
            depth += 1
        elif byte in (93, 125):
            depth -= 1
            if depth == 0:
                return i + 1
        i += 1
    return -1


@kernel
def note_field(
    state: Any, first: int, last: int, keys: Any, meanings: Any, found: Any, is_text: bool
) -> None:
    """Puts the value `buf[first:last]` of the key with the hash `state` into `found`, unless a better one is there.

    `find_json_fields` says the same in its own loop: called from there it would cost half as much as all the rest.
    """
    meaning = look_up(keys, meanings, state) - 1
    if meaning < 0:
        return
    role = meaning // 256
    rank = meaning % 256 + 1
    if (found[role, 2] == 0 or rank < found[role, 2]) and (is_text or (role not in (FAILURE, SERVICE))):
        found[role, 0] = first
        found[role, 1] = last
        found[role, 2] = rank


@kernel
def find_json_fields(
    buf: Any, start: int, end: int, keys: Any, meanings: Any, found: Any, prefixes: Any
) -> bool:
    """Whether `buf[start:end]` reads as one JSON object; `found` (ROLES, 3) gets start, end and rank + 1 by role.

    The span of a string leaves its quotes out; rank 0 means that the role was not found. A FAILURE counts only
    as text, and a BODY only as a scalar. Keys inside objects are looked up by dotted path (`log.level`); `prefixes` is
    room for MAX_DEPTH + 1 hashes of such paths.
    """
    for role in range(ROLES):
        found[role, 2] = 0
    prefixes[0] = _OFFSET
    depth = 0
    i = start + 1
    expect_key = True
    while i < end:
        byte = buf[i]
        if byte in (32, 9, 44, 13, 10):
            i += 1
            continue
        if byte == 125:
            i += 1
            if depth == 0:
                while i < end and buf[i] in (32, 9, 13, 44):
                    i += 1
                return i >= end
            depth -= 1
            continue
        if byte != 34 or not expect_key:
            return False
        state = prefixes[depth]
        i += 1
        while i < end and buf[i] != 34:
            if buf[i] == 92:
                i += 1
                if i >= end:
                    return False
            state = fold_byte(state, buf[i])
            i += 1
        i += 1
        while i < end and buf[i] in (32, 9):
            i += 1
        if i >= end or buf[i] != 58:
            return False
        i += 1
        while i < end and buf[i] in (32, 9):
            i += 1
        if i >= end:
            return False
        byte = buf[i]
        if byte == 123 and depth < MAX_DEPTH:
            depth += 1
            prefixes[depth] = fold_byte(state, _DOT)
            i += 1
            continue
        is_text = byte == 34
        is_scalar = True
        first = i
        if is_text:
            first = i + 1
            last = string_end(buf, first, end)
            if last < 0:
                return False
            i = last + 1
        elif byte in (91, 123):
            i = nested_end(buf, i, end)
            if i < 0:
                return False
            last = i
            is_scalar = False
        else:
            while i < end and buf[i] not in (44, 125, 32, 9, 13):
                if buf[i] in (34, 58, 91, 93, 123):
                    return False
                i += 1
            last = i
            if last == first:
                return False
        if is_scalar and last > first:
            meaning = look_up(keys, meanings, state) - 1
            if meaning >= 0:
                role = meaning // 256
                rank = meaning % 256 + 1
                if (found[role, 2] == 0 or rank < found[role, 2]) and (
                    is_text or (role not in (FAILURE, SERVICE))
                ):
                    found[role, 0] = first
                    found[role, 1] = last
                    found[role, 2] = rank
    return False
