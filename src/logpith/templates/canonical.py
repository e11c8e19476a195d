"""The canonical form of a body: what stands fast in it, what does not, and the structure of both.

Beyond what `scan/words.py` masks, a few groups of words are one value: dates, sizes with their unit, truth
values. Empty brackets and a `key=` without a value get an empty slot, so that `rhost=` and `rhost=x` have the
same structure. A request with its status, `"GET /a HTTP/1.1" 502`, has its method and its status in the structure:
requests that differ in one of them are never put together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise

from logpith.scan.words import Words, split_words

WILDCARD = "\0"
"""Stands for a value. No word holds it: NUL is a delimiter."""

OPENING = "([{\"'<"
CLOSING = ")]}\"'>"

_MONTHS = frozenset(
    "jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july august "  # noqa: SIM905  reads as the list it is
    "september october november december".split()
)
_WEEKDAYS = frozenset(
    "mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905  as above
)
_SIZE_UNITS = frozenset(("B", "KB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "kB"))
_TRUTH_VALUES = frozenset(("true", "false", "null"))
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_BLANKS = re.compile(r"[ \t]+")
# While records come in, the same table is mined again and again with a few shapes more. Some 3 kB each.
_MOST_REMEMBERED = 8_192
# Longer bodies are mined by their head: behind it stand payloads, not words that a programmer chose.
MOST_WORDS = 256
CUT = " …"
"""The tail of a longer body. No other tail is it: `…` is no delimiter."""

_MOST_WORDS_IN_VALUE = 24
_OPEN_QUOTE = re.compile(r"""=(["'])(?:(?!\1).)*$""")
_HOLE = re.compile(r"\(\)|\[\]|\{\}|=[ ,;)\]}]")
_STATUS_DIGITS = 3
_METHOD = re.compile(r"[A-Z]{3,10}")
_PROTOCOL = re.compile(r"HTTP/(\d(?:\.\d)?)")
_OBJECT_BRACKETS = ("(", "[", "{")


@dataclass(frozen=True)
class Canonical:
    """A body in canonical form; `delimiters` has one entry more than `words`."""

    delimiters: tuple[str, ...]
    """The structure: only bodies with equal delimiters are compared."""

    words: tuple[str, ...]
    """A word, WILDCARD, or "" where a value may stand and none does."""

    values: tuple[str | None, ...]
    """What stood at each word; None where a date became one word."""

    @cached_property
    def wide(self) -> frozenset[int]:
        """The slots that several words became."""
        return frozenset(place for place, value in enumerate(self.values) if value is None or " " in value)


@lru_cache(maxsize=_MOST_REMEMBERED)
def canonical(body: bytes) -> Canonical:
    """The canonical form of a body."""
    split = split_words(body)
    delimiters = tuple(_BLANKS.sub(" ", delimiter) for delimiter in split.delimiters)
    split = _with_request_in_structure(replace(split, delimiters=delimiters))
    return _with_empty_slots(_folded(split))


def _with_request_in_structure(split: Words) -> Words:
    """The words without method and status, which become parts of the delimiters around them; and no `HTTP/`."""
    for i in range(1, len(split.words) - 1):
        protocol = _PROTOCOL.fullmatch(split.words[i])
        if not (
            protocol
            and split.delimiters[i + 1] == '" '
            and not split.masked[i + 1]
            and len(split.words[i + 1]) == _STATUS_DIGITS
            and split.words[i + 1].isdigit()
        ):
            continue
        is_root = split.delimiters[i] == " / "  # a path that is no word
        method = i - 1 if is_root else i - 2
        if (
            method >= 0
            and (is_root or (split.delimiters[i - 1] == split.delimiters[i] == " "))
            and split.delimiters[method].endswith('"')
            and _METHOD.fullmatch(split.words[method])
        ):
            path = "/" if is_root else split.words[i - 1]
            before = f"{split.delimiters[method]}{split.words[method]} "
            behind = f'" {split.words[i + 1]}{split.delimiters[i + 2]}'
            return Words(
                (*split.delimiters[:method], before, " HTTP/", behind, *split.delimiters[i + 3 :]),
                (*split.words[:method], path, protocol[1], *split.words[i + 2 :]),
                (*split.masked[:method], True, True, *split.masked[i + 2 :]),
            )
    return split


@dataclass(frozen=True)
class _LongValue:
    """A value that is more than one word."""

    before: str
    """The delimiter up to it."""

    text: str
    end: int
    """The place of the word behind it."""

    rest: str
    """What is left of the delimiter behind it."""


@dataclass
class _Parts:
    """A canonical form while it grows."""

    delimiters: list[str]
    words: list[str]
    values: list[str | None]

    def add(self, delimiter: str, word: str, value: str | None) -> None:
        self.delimiters.append(delimiter)
        self.words.append(word)
        self.values.append(value)


def _folded(split: Words) -> _Parts:
    """Words with dates, sizes, truth values and long values folded into slots; the last delimiter is the tail."""
    parts = _Parts([], [], [])
    count = min(len(split.words), MOST_WORDS)
    delimiter = split.delimiters[0]
    i = 0
    while i < count:
        word, masked = split.words[i], split.masked[i]
        date_end = 0 if masked else _date_end(split, i, count)
        long = _long_value(split, delimiter, i, count)
        if date_end:
            parts.add(delimiter, WILDCARD, None)
            i, rest = date_end, split.delimiters[date_end]
        elif long:
            parts.add(long.before, WILDCARD, long.text)
            i, rest = long.end, long.rest
        elif masked and _is_size(split, i, count):
            parts.add(delimiter, WILDCARD, f"{word} {split.words[i + 1]}")
            i, rest = i + 2, split.delimiters[i + 2]
        else:
            parts.add(delimiter, WILDCARD if masked or word.lower() in _TRUTH_VALUES else word, word)
            i, rest = i + 1, split.delimiters[i + 1]
        delimiter = rest
    parts.delimiters.append(delimiter if count == len(split.words) else CUT)
    return parts


def _long_value(split: Words, before: str, i: int, count: int) -> _LongValue | None:
    """The value of several words or signs that begins at or before word `i`; None when it is one plain word.

    A key's value may be quoted, and hold blanks: `tag="Audio Mix"`; or be an object as Java and Python write it:
    `ws=WorkSource{10113 com.x}`, `key=Point(x=1, y=2)`.
    """
    furthest = min(count, i + _MOST_WORDS_IN_VALUE)
    quoted = _OPEN_QUOTE.search(before) if "=" in before else None
    if quoted:
        quote, start = quoted[1], quoted.end(1)
        for end in range(i + 1, furthest + 1):
            inside, closing, behind = split.delimiters[end].partition(quote)
            if closing:
                is_plain = end == i + 1 and start == len(before) and not inside
                value = f"{before[start:]}{_text_between(split, i, end)}{inside}"
                return None if is_plain else _LongValue(before[:start], value, end, closing + behind)
    elif before.endswith("=") and not split.masked[i] and split.delimiters[i + 1][:1] in _OBJECT_BRACKETS:
        depth = 0
        for end in range(i + 1, furthest + 1):
            for place, sign in enumerate(split.delimiters[end], start=1):
                depth += (sign in "([{") - (sign in ")]}")
                if depth == 0:
                    closing, rest = split.delimiters[end][:place], split.delimiters[end][place:]
                    return _LongValue(before, _text_between(split, i, end) + closing, end, rest)
    return None


def _text_between(split: Words, start: int, end: int) -> str:
    """Words `start` to `end` as they stand."""
    joined = [split.words[start]]
    for place in range(start + 1, end):
        joined += (split.delimiters[place], split.words[place])
    return "".join(joined)


def _is_size(split: Words, i: int, count: int) -> bool:
    return (
        i + 1 < count
        and split.words[i + 1] in _SIZE_UNITS
        and split.delimiters[i + 1] == " "
        and _NUMBER.fullmatch(split.words[i]) is not None
    )


def _date_end(split: Words, i: int, count: int) -> int:
    """The place behind `[weekday] month day [time] [ZONE] [year]` that begins at word `i`; 0 when none does."""
    if split.words[i].lower() in _WEEKDAYS and i + 1 < count and split.delimiters[i + 1] in (" ", ", "):
        i += 1
    if split.words[i].lower() not in _MONTHS:
        return 0
    i += 1
    if not (i < count and split.masked[i] and split.delimiters[i] == " "):
        return 0
    i += 1
    while (
        i < count
        and split.delimiters[i] in (" ", ", ")
        and (_is_time_or_year(split, i) or _is_zone(split, i, count))
    ):
        i += 1
    return i


def _is_time_or_year(split: Words, i: int) -> bool:
    word = split.words[i]
    return split.masked[i] and word[0].isdigit() and (":" in word or len(word) == 4)


def _is_zone(split: Words, i: int, count: int) -> bool:
    """Whether a word is the zone between a time and a year."""
    word = split.words[i]
    return (
        not split.masked[i]
        and word.isupper()
        and len(word) <= 5
        and i + 1 < count
        and split.delimiters[i + 1] == " "
        and split.masked[i + 1]
        and len(split.words[i + 1]) == 4
        and split.words[i + 1].isdigit()
    )


def _with_empty_slots(parts: _Parts) -> Canonical:
    """The parts with a slot inside empty brackets and behind a `=` that no value follows."""
    tail = parts.delimiters[-1]
    if not (tail.endswith("=") or _HOLE.search("\0".join(parts.delimiters))):
        return Canonical((*parts.delimiters[:-1], tail.rstrip()), tuple(parts.words), tuple(parts.values))
    whole = _Parts([], [], [])
    for delimiter, word, value in zip(parts.delimiters, parts.words, parts.values, strict=False):
        *before, last = _pieces(delimiter)
        for piece in before:
            whole.add(piece, "", "")
        whole.add(last, word, value)
    *before, last = _pieces(f"{tail} " if tail.endswith("=") else tail)
    for piece in before:
        whole.add(piece, "", "")
    whole.delimiters.append(last.rstrip())
    return Canonical(tuple(whole.delimiters), tuple(whole.words), tuple(whole.values))


def _pieces(delimiter: str) -> Iterator[str]:
    """A delimiter, cut where an empty value stands in it."""
    start = 0
    for place, (sign, following) in enumerate(pairwise(delimiter), start=1):
        is_empty_bracket = sign in "([{" and following == CLOSING[OPENING.index(sign)]
        if is_empty_bracket or (sign == "=" and following in " ,;)]}"):
            yield delimiter[start:place]
            start = place
    yield delimiter[start:]
