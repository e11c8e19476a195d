"""The value of one named field in each record: of a JSON object, or written key=value as logfmt and many plain logs do.

Finds what `corpus/view.py` finds by parsing each record, some hundred times as quickly: it follows quotes, brackets
and signs and builds nothing. Where following is not enough (escapes, a name that comes twice, letters that may be
blanks in Unicode) it says ASK, and the record is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.json_fields import nested_end
from logpith.scan.kernel import kernel
from logpith.scan.names import NameTable, fold_byte, look_up, name_table

ABSENT = 0
TEXT = 1  # as it stands
BARE = 2  # a JSON number or truth value
ASK = 3

MAX_DEPTH = 8
_LONGEST_KEY = 64
_DOT = 46
_OFFSET = np.uint64(14695981039346656037)
_PRIME = np.uint64(1099511628211)


@dataclass(frozen=True)
class FieldName:
    """A name to look for, and other spellings of it, which count where the name itself has no value."""

    exact: np.uint64
    spellings: NameTable
    """Without case and separators (`logpith_emit.record.normalised`), by rank from 1 on, the lowest first."""

    @classmethod
    def of(cls, name: str, spellings: Mapping[str, int]) -> FieldName:
        """A name and the ranks of its normalised spellings."""
        state = int(_OFFSET)
        for byte in name.encode("utf-8", "surrogateescape"):
            state = ((state ^ byte) * int(_PRIME)) & 0xFFFF_FFFF_FFFF_FFFF
        return cls(np.uint64(state), name_table(spellings))


@kernel
def _is_separator(byte: Any) -> Any:
    """Whether `normalised` leaves a byte out: one of `_-. /:$`, and `@` but for the shortest keys."""
    return byte == 95 or byte == 45 or byte == 46 or byte == 32 or byte == 47 or byte == 58 or byte == 36


@kernel
def _rank(
    buf: Any, start: int, end: int, exact: Any, plain: Any, inside: bool, wanted: Any, keys: Any, ranks: Any
) -> Any:
    """The rank of the key `buf[start:end]` below `plain` (the hash of what it stands in), -1 when it is none.

    `exact` is the hash of the whole path.
    """
    if exact == wanted:
        return 0
    length = 0
    for i in range(start, end):
        length += not _is_separator(buf[i])
    keeps_mark = not inside and length <= 3 and buf[start] == 64
    for i in range(start, end):
        if not _is_separator(buf[i]) and (keeps_mark or buf[i] != 64):
            plain = fold_byte(plain, buf[i])
    rank = look_up(keys, ranks, plain)
    return rank if rank > 0 else -1


@kernel
def _in_json(
    buf: Any, start: int, end: int, wanted: Any, keys: Any, ranks: Any, found: Any, exacts: Any, plains: Any
) -> Any:
    """ABSENT, TEXT, BARE or ASK for one JSON object; `found` gets the span. `exacts` and `plains` are room to work."""
    exacts[0] = _OFFSET
    plains[0] = _OFFSET
    depth = 0
    best = 1 << 30
    kind = ABSENT
    i = start + 1
    while i < end:
        byte = buf[i]
        if byte in (32, 9, 44, 13, 10):
            i += 1
            continue
        if byte == 125:
            i += 1
            if depth == 0:
                while i < end and buf[i] in (32, 9, 13, 10):
                    i += 1
                return kind if i >= end else ASK
            depth -= 1
            continue
        if byte != 34:
            return ASK
        exact = exacts[depth]
        i += 1
        key = i
        while i < end and buf[i] != 34:
            if buf[i] == 92 or buf[i] < 32:
                return ASK
            exact = (exact ^ np.uint64(buf[i])) * _PRIME
            i += 1
        key_end = i
        i += 1
        while i < end and buf[i] in (32, 9, 10, 13):
            i += 1
        if i >= end or buf[i] != 58:
            return ASK
        i += 1
        while i < end and buf[i] in (32, 9, 10, 13):
            i += 1
        if i >= end:
            return ASK
        rank = _rank(buf, key, key_end, exact, plains[depth], depth > 0, wanted, keys, ranks)
        byte = buf[i]
        first = i
        if byte == 123:
            behind = i + 1
            while behind < end and buf[behind] in (32, 9, 10, 13):
                behind += 1
            if rank == best:
                return ASK
            if behind < end and buf[behind] == 125:  # an empty object is no value
                i = behind + 1
                continue
            if depth >= MAX_DEPTH:
                return ASK
            plain = plains[depth]
            for k in range(key, key_end):
                if not _is_separator(buf[k]) and buf[k] != 64:
                    plain = fold_byte(plain, buf[k])
            depth += 1
            exacts[depth] = (exact ^ np.uint64(_DOT)) * _PRIME
            plains[depth] = plain
            i += 1
            continue
        this = ASK
        if byte == 34:
            i += 1
            first = i
            this = TEXT
            while i < end and buf[i] != 34:
                if buf[i] < 32:
                    return ASK
                if buf[i] == 92:
                    this = ASK
                    i += 1
                i += 1
            if i >= end:
                return ASK
            last = i
            i += 1
            if last == first:
                if rank == best:
                    return ASK
                continue
        elif byte == 91:
            i = nested_end(buf, i, end)
            if i < 0:
                return ASK
            last = i
        else:
            while i < end and buf[i] not in (44, 125, 32, 9, 10, 13):
                if buf[i] in (34, 58, 91, 93, 123):
                    return ASK
                i += 1
            last = i
            if not (48 <= byte <= 57 or byte == 45 or byte == 116 or byte == 102 or byte == 110):
                return ASK
            if byte == 110:
                if last - first != 4:
                    return ASK
                if rank == best:
                    return ASK
                continue
            this = BARE
        if rank < 0:
            continue
        if rank == best or (this == ASK and rank <= best):
            return ASK
        if rank < best:
            best = rank
            kind = this
            found[0] = first
            found[1] = last
    return ASK


@kernel
def _is_blank(byte: Any) -> Any:
    """A blank as Python's `\\s` has it, in ASCII."""
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31


@kernel
def _opens_pair(byte: Any) -> Any:
    """Whether a key may stand behind a byte: a blank or one of `,;([{`."""
    return _is_blank(byte) or byte == 44 or byte == 59 or byte == 40 or byte == 91 or byte == 123


@kernel
def _in_key(byte: Any) -> Any:
    return (
        97 <= byte <= 122
        or 65 <= byte <= 90
        or 48 <= byte <= 57
        or byte == 95
        or byte == 46
        or byte == 64
        or byte == 47
        or byte == 45
        or byte >= 128
    )


@kernel
def _in_pairs(buf: Any, start: int, end: int, wanted: Any, keys: Any, ranks: Any, found: Any) -> Any:
    """ABSENT, TEXT or ASK for one record of key=value pairs; `found` gets the span.

    Reads as `corpus.view` does: key and value may be joined by `=` only, a value may be quoted.
    """
    best = 1 << 30
    kind = ABSENT
    doubt = False
    has_sign = False
    i = start
    may_open = True
    while i < end:
        byte = buf[i]
        if not (may_open and (97 <= (byte | 32) <= 122 or byte == 95 or byte == 64)):
            may_open = _opens_pair(byte)
            has_sign = has_sign or byte == 61
            # The first bytes of all blanks that Unicode has beyond ASCII.
            doubt = doubt or byte in (0xC2, 0xE1, 0xE2, 0xE3)
            i += 1
            continue
        key = i
        exact = _OFFSET
        is_ascii = True
        while i < end and _in_key(buf[i]):
            exact = (exact ^ np.uint64(buf[i])) * _PRIME
            is_ascii = is_ascii and buf[i] < 128
            i += 1
        if i >= end or buf[i] != 61 or i - key > _LONGEST_KEY:
            doubt = doubt or not is_ascii
            may_open = False
            continue
        if not is_ascii:
            return ASK
        has_sign = True
        key_end = i
        i += 1
        this = TEXT
        first = i
        last = i
        if i < end and buf[i] == 34:
            close = i + 1
            while close < end and buf[close] != 34:
                if buf[close] == 92:
                    this = ASK
                    close += 1
                close += 1
            if close < end:
                first = i + 1
                last = close
                i = close + 1
            elif this == ASK:
                return ASK  # a backslash may stand before a line's end, which no quoted value goes beyond
        else:
            while i < end and not (
                _is_blank(buf[i])
                or buf[i] == 44
                or buf[i] == 59
                or buf[i] == 41
                or buf[i] == 93
                or buf[i] == 125
                or buf[i] == 34
            ):
                doubt = doubt or buf[i] in (0xC2, 0xE1, 0xE2, 0xE3)
                i += 1
            last = i
        may_open = False
        rank = _rank(buf, key, key_end, exact, _OFFSET, False, wanted, keys, ranks)
        if rank < 0:
            continue
        if rank == best or (this == ASK and rank <= best):
            return ASK
        if last == first:
            if rank <= best:
                return ASK
            continue
        if rank < best:
            best = rank
            kind = this
            found[0] = first
            found[1] = last
    return ASK if doubt and has_sign else kind


@kernel
def _find_values(
    buf: Any,
    starts: Any,
    ends: Any,
    wanted: Any,
    keys: Any,
    ranks: Any,
    spans: Any,
    kinds: Any,
    exacts: Any,
    plains: Any,
) -> None:
    for record in range(starts.shape[0]):
        start, end = starts[record], ends[record]
        opening = start
        while opening < end and _is_blank(buf[opening]):
            opening += 1
        if opening < end and buf[opening] == 123:
            kinds[record] = _in_json(buf, opening, end, wanted, keys, ranks, spans[record], exacts, plains)
        else:
            kinds[record] = _in_pairs(buf, start, end, wanted, keys, ranks, spans[record])


def find_values(
    buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], name: FieldName
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """For each record of a block what is known of the field, and where its value stands: (records, 2)."""
    kinds = np.zeros(len(starts), np.uint8)
    spans = np.zeros((len(starts), 2), np.int64)
    room = np.empty((2, MAX_DEPTH + 1), np.uint64)
    names = name.spellings
    _find_values(buf, starts, ends, name.exact, names.keys, names.values, spans, kinds, room[0], room[1])
    return kinds, spans
