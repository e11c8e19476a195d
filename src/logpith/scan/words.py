"""Words: what a word of a log line is, and which words are values. The one place that says so.

Word bytes are letters, digits, `_` and every byte from 128 on; all others are delimiters. A word is a run of
word bytes, continued over these delimiters:

    . @ $ / \\    when a word byte follows
    -            when a word byte follows, or `-` and then a word byte
    :            between digits (times, ip:port); in `://` after letters, and in `X:\\`, which begin a path; inside
                 a group of hex (MAC, IPv6); behind a name with two dots before a digit (host:port)

A word may begin with `/` (not right behind a word), with `./` or `../` behind a blank, and with `+` or `-` before a
digit behind a blank or one of `=:(,[`. In a path or URL each of `./-_~%#&?=+:@$*!\\` goes on when more follows.

A word is *masked*, being a value, when it is a path, a URL or host:port; when an `@` joins its parts; when it has
two digits or more, or begins with one; when it is a group of hex with colons. So `ssh2` and `eth0` are words,
`blk_-160`, `10ms`, `0x1f` values. One body has a word that looks like a value: a request with its status, `"GET /a
HTTP/1.1" 502`; what answers 502 is another event than what answers 200 (`shape_of`).

`walk` goes over a body once. Its shape is a hash of delimiters and words in which every masked word counts the
same; runs of blanks count as one. Four things make it quick: one pass, unsigned indices, counters of digits
and letters packed in one number, and a delimiter behind every line in place of a bounds test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from logpith.scan.kernel import kernel

_DIGIT = 1
_LETTER = 2
BYTE_KIND = np.zeros(256, np.uint8)
"""Of each byte: a digit, another word byte, or 0 for a delimiter."""

_ADDEND = np.zeros(256, np.uint64)  # counters: digits from bit 0, hex letters from bit 20, others from bit 40
_IS_HEX = np.zeros(256, np.uint8)
_GOES_ON_IN_PATH = np.zeros(256, np.uint8)
_MAY_JOIN = np.zeros(256, np.uint8)

BYTE_KIND[[*b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", *range(128, 256)]] = _LETTER
BYTE_KIND[[*b"0123456789"]] = _DIGIT
_ADDEND[BYTE_KIND == _LETTER] = 1 << 40
_ADDEND[[*b"abcdefABCDEF"]] = 1 << 20
_ADDEND[BYTE_KIND == _DIGIT] = 1
_IS_HEX[[*b"0123456789abcdefABCDEF"]] = 1
_GOES_ON_IN_PATH[[*b"./-_~%#&?=+:@$*!\\"]] = 1
_MAY_JOIN[[*b".@$-/\\:"]] = 1

_PRIME = np.uint64(1099511628211)
_OFFSET = np.uint64(14695981039346656037)
_MASK = np.uint64(0x9E3779B97F4A7C15)
_END_OF_WORD = np.uint64(255)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_FIVE = np.uint64(5)
_HALF = np.uint64(32)
_COUNTER = np.uint64((1 << 20) - 1)
_OTHER_LETTERS = np.uint64(40)
# A word that is longer is not counted on: its counters would run into each other.
_LONGEST_COUNTED = np.uint64(1 << 19)

_BLANK = np.uint64(32)
_IN_WORD = np.uint64(1)  # what `before` says behind a word


@kernel
def walk(buf: Any, start: int, end: int, spans: Any, emit: bool) -> Any:
    """(shape, hash of the values, count of words) of the body `buf[start:end]`.

    With `emit`, `spans` (n, 3) gets begin, end and whether it is masked of the first n words. Behind `end` stands a
    delimiter and four more readable bytes. The hash of the values is 0 when no word is masked.
    """
    i = np.uint64(start)
    stop = np.uint64(end)
    while stop > i and (buf[stop - _ONE] == 32 or buf[stop - _ONE] == 9 or buf[stop - _ONE] == 13):
        stop -= _ONE
    while i < stop and (buf[i] == 32 or buf[i] == 9):
        i += _ONE
    shape = _OFFSET
    values = np.uint64(0)
    before = _BLANK
    words = 0
    while i < stop:
        byte = buf[i]
        begin = i
        shape_before = shape
        is_path = False
        if BYTE_KIND[byte] == 0:
            opens = False
            following = buf[i + _ONE]
            if byte == 47:  # /
                opens = is_path = before != _IN_WORD and (
                    BYTE_KIND[following] != 0 or following == 46 or following == 47
                )
            elif byte == 46:  # ./ and ../
                opens = is_path = before == 32 and (
                    following == 47 or (following == 46 and buf[i + _TWO] == 47)
                )
            elif byte == 45 or byte == 43:  # -1, +1
                opens = BYTE_KIND[following] == _DIGIT and (
                    before == 32
                    or before == 61
                    or before == 58
                    or before == 40
                    or before == 44
                    or before == 91
                )
            if not opens:
                delimiter = _BLANK if byte == 9 else np.uint64(byte)
                if not (delimiter == _BLANK and before == _BLANK):
                    shape = (shape ^ delimiter) * _PRIME
                before = delimiter
                i += _ONE
                continue
            shape = (shape ^ np.uint64(byte)) * _PRIME
            i += _ONE
        count = np.uint64(0)
        has_colon = False  # a colon inside, as times and hex groups have
        is_odd = False  # a joining delimiter other than a dot inside
        is_host = False
        has_at = False
        dots = 0
        while True:
            byte = buf[i]
            while BYTE_KIND[byte] != 0:
                count += _ADDEND[byte]
                shape = (shape ^ np.uint64(byte)) * _PRIME
                i += _ONE
                byte = buf[i]
            if i >= stop:
                break
            following = buf[i + _ONE]
            if is_path:
                if _GOES_ON_IN_PATH[byte] and (
                    byte == 47 or BYTE_KIND[following] != 0 or _GOES_ON_IN_PATH[following]
                ):
                    i += _ONE
                    continue
                break
            if _MAY_JOIN[byte] == 0:
                break
            if byte == 58:
                last = buf[i - _ONE]
                if following == 47 and i + _TWO < stop and buf[i + _TWO] == 47 and (count & _COUNTER) == 0:
                    is_path = True  # scheme://
                    i += _TWO + _ONE
                    continue
                if following == 92 and i - begin == _ONE and (count & _COUNTER) == 0:
                    is_path = True  # C:\
                    i += _TWO
                    continue
                if BYTE_KIND[following] == _DIGIT and dots >= 2 and BYTE_KIND[last] != 0:
                    is_host = True
                    i += _ONE
                    continue
                joins = BYTE_KIND[last] == _DIGIT and BYTE_KIND[following] == _DIGIT
                if (
                    not joins
                    and not is_odd
                    and (count >> _OTHER_LETTERS) == 0
                    and (_IS_HEX[last] or (has_colon and last == 58 and _IS_HEX[following]))
                    and (_IS_HEX[following] or following == 58)
                    and (has_colon or (count & _COUNTER) > 0 or i - begin == _TWO)
                ):
                    ahead = i + _ONE
                    while _IS_HEX[buf[ahead]] and ahead - i <= _FIVE:
                        ahead += _ONE
                    joins = ahead - i <= _FIVE and (ahead >= stop or BYTE_KIND[buf[ahead]] == 0)
                if not joins:
                    break
                has_colon = True
                shape = (shape ^ np.uint64(byte)) * _PRIME
                i += _ONE
                continue
            if BYTE_KIND[following] != 0:
                if byte == 46:
                    dots += 1
                else:
                    is_odd = True
                    has_at = has_at or byte == 64
                shape = (shape ^ np.uint64(byte)) * _PRIME
                i += _ONE
                continue
            if byte == 45 and following == 45 and BYTE_KIND[buf[i + _TWO]] != 0:
                is_odd = True
                shape = (((shape ^ np.uint64(45)) * _PRIME) ^ np.uint64(45)) * _PRIME
                i += _TWO
                continue
            break
        i = min(i, stop)
        digits = count & _COUNTER
        is_masked = (
            is_path
            or is_host
            or has_at
            or digits >= 2
            or BYTE_KIND[buf[begin]] == _DIGIT
            or (digits > 0 and count == digits)
            or (has_colon and not is_odd and (count >> _OTHER_LETTERS) == 0)
            or i - begin > _LONGEST_COUNTED
        )
        if is_masked:
            values = (values ^ shape) * _PRIME
            shape = (shape_before ^ _MASK) * _PRIME
        else:
            shape = (shape ^ _END_OF_WORD) * _PRIME
        before = _IN_WORD
        if emit and words < spans.shape[0]:
            spans[words, 0] = begin
            spans[words, 1] = i
            spans[words, 2] = is_masked
        words += 1
    shape ^= shape >> _HALF
    shape *= _MIX
    shape ^= shape >> np.uint64(29)
    return max(shape, _ONE), values, words


@kernel
def _status_of_request(buf: Any, start: int, end: int) -> int:
    """The status, as a number, of a body that is nothing but `"request HTTP/1.1" 502`; 0 of any other."""
    if end - start < 16 or buf[start] != 34:
        return 0
    status = 0
    for i in range(end - 3, end):
        if BYTE_KIND[buf[i]] != _DIGIT:
            return 0
        status = status * 10 + buf[i] - 48
    i = end - 4
    if buf[i] != 32 or buf[i - 1] != 34 or BYTE_KIND[buf[i - 2]] != _DIGIT:
        return 0
    i -= 3
    if buf[i] == 46:
        i -= 2
    if buf[i] == 47 and buf[i - 1] == 80 and buf[i - 2] == 84 and buf[i - 3] == 84 and buf[i - 4] == 72:
        return status
    return 0


@kernel
def shape_of(buf: Any, start: int, end: int, spans: Any) -> Any:
    """(shape, hash of the values) of a body: as `walk` tells, but that the status behind a request is no value."""
    status = _status_of_request(buf, start, end) if buf[start] == 34 else 0
    shape, values, _ = walk(buf, start, end, spans, False)
    if status > 0:
        shape = max((shape ^ np.uint64(status)) * _MIX, _ONE)
    return shape, values


@dataclass(frozen=True)
class Words:
    """A body, taken apart: `delimiters[0] + words[0] + delimiters[1] + … + delimiters[-1]` is the body again."""

    delimiters: tuple[str, ...]
    """One before each word, and one behind the last."""

    words: tuple[str, ...]
    masked: tuple[bool, ...]


def split_words(body: bytes) -> Words:
    """The words of a body without the blanks at its ends; bad UTF-8 becomes U+FFFD."""
    body = body.strip(b" \t\r")
    buf = np.frombuffer(body + b"\n\0\0\0\0", np.uint8)
    spans = np.empty((len(body) // 2 + 1, 3), np.int64)
    _, _, count = walk(buf, 0, len(body), spans, True)
    delimiters: list[str] = []
    words: list[str] = []
    masked: list[bool] = []
    place = 0
    for begin, end, is_masked in spans[:count].tolist():
        delimiters.append(body[place:begin].decode("utf-8", "replace"))
        words.append(body[begin:end].decode("utf-8", "replace"))
        masked.append(bool(is_masked))
        place = end
    delimiters.append(body[place:].decode("utf-8", "replace"))
    if _status_of_request(buf, 0, len(body)):
        masked[-1] = False
    return Words(tuple(delimiters), tuple(words), tuple(masked))
