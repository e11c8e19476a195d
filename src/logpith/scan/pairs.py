"""A line of keys and values, `ts=… level=warn msg="…" k=v`: the few that a record's columns need.

The line must be pairs from its beginning to its end (logfmt, https://brandur.org/logfmt); a value may be quoted, a few
keys may stand without one, a comma may follow a pair. What it finds is the same as of a JSON line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logpith.scan.json_fields import BODY, ROLES, SEVERITY, TIME, note_field, string_end
from logpith.scan.kernel import kernel
from logpith.scan.names import fold_byte

_OFFSET = np.uint64(14695981039346656037)
_MOST_BARE_KEYS = 2
_IN_KEY = np.zeros(256, np.uint8)
_IN_KEY[[*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/@"]] = 1
_IN_PLAIN_VALUE = _IN_KEY.copy()
_IN_PLAIN_VALUE[[*b":+%,"]] = 1


@kernel
def _is_plain(buf: Any, start: int, end: int) -> bool:
    """Whether a value without quotes is made of what words, paths and numbers are made of."""
    for i in range(start, end):  # noqa: SIM110 - a kernel has no generators
        if _IN_PLAIN_VALUE[buf[i]] == 0:
            return False
    return True


@kernel
def may_be_pairs(buf: Any, start: int, end: int) -> bool:
    """Whether a key and `=` begin a line; nearly every other line is told at its first word."""
    if start >= end or not (97 <= (buf[start] | 32) <= 122 or buf[start] == 95 or buf[start] == 64):
        return False
    i = start
    while i < end and _IN_KEY[buf[i]]:
        i += 1
    return i < end and buf[i] == 61


@kernel
def find_pairs(buf: Any, start: int, end: int, keys: Any, meanings: Any, found: Any) -> bool:
    """Whether `buf[start:end]` is a line of pairs that tells a time, severity or message; fills `found`.

    See `json_fields.find_json_fields` for `found`. The message behind `msg=` counts without quotes only as a plain
    word: what Linux' audit writes there is none.
    """
    for role in range(ROLES):
        found[role, 2] = 0
    pairs = 0
    bare = 0
    i = start
    while i < end:
        while i < end and (buf[i] == 32 or buf[i] == 9):
            i += 1
        if i >= end:
            break
        first = i
        state = _OFFSET
        if not (97 <= (buf[i] | 32) <= 122 or buf[i] == 95 or buf[i] == 64):
            return False
        while i < end and _IN_KEY[buf[i]]:
            state = fold_byte(state, buf[i])
            i += 1
        if i == first:
            return False
        if i >= end or buf[i] == 32 or buf[i] == 9:
            bare += 1
            if pairs == 0 or bare > _MOST_BARE_KEYS:
                return False
            continue
        if buf[i] != 61:
            return False
        i += 1
        pairs += 1
        quoted = i < end and buf[i] == 34
        if quoted:
            value = i + 1
            value_end = string_end(buf, value, end)
            if value_end < 0:
                return False
            i = value_end + 1
            if i < end and buf[i] == 44:
                i += 1
            if i < end and not (buf[i] == 32 or buf[i] == 9):
                return False
        else:
            value = i
            while i < end and not (buf[i] == 32 or buf[i] == 9):
                i += 1
            value_end = i - 1 if i < end and i > value and buf[i - 1] == 44 else i
        if value_end > value:
            note_field(state, value, value_end, keys, meanings, found, True)
            if (
                found[BODY, 0] == value
                and found[BODY, 2]
                and not quoted
                and not _is_plain(buf, value, value_end)
            ):
                found[BODY, 2] = 0
    return pairs >= 2 and (found[TIME, 2] > 0 or found[SEVERITY, 2] > 0 or found[BODY, 2] > 0)
