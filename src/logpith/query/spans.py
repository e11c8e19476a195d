"""Spans: where in a text the words of a query stand, to be made to stand out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from logpith.query.fields import column_named
from logpith.query.regex import compile_block_regex
from logpith.query.tree import (
    And,
    Comparison,
    Or,
    Phrase,
    Query,
    Regex,
    Substring,
    Wildcard,
    Word,
)
from logpith.query.words import fold, is_word_character, wildcard_regex

Span = tuple[int, int]

_MOST_SPANS = 50


def find_spans(query: Query, text: str) -> tuple[Span, ...]:
    """From where to where, in characters, the text holds what the query asks for; in order, none within another.

    What a query does not want (NOT) and what it says of severity, time and source has no place in the text.
    """
    found = sorted({span for leaf in _wanted(query) for span in _spans_of(leaf, text)})
    merged: list[Span] = []
    for start, end in found:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged[:_MOST_SPANS])


def excerpt(text: str, span: Span, width: int) -> str:
    """At most `width` characters of the text, with the span in them and its whole length where any are left out.

    What stands behind a span tells more than what stands before it.
    """
    if len(text) <= width:
        return text
    mark = f"…[{len(text):,} characters]"
    if span[1] <= width - len(mark):
        return text[: width - len(mark)] + mark
    room = max(width - len(mark) - 1, 1)
    start = min(max(span[0] - room // 3, 0), len(text) - room)
    return f"…{text[start : start + room]}{mark}"


def _wanted(query: Query) -> Iterator[Query]:
    match query:
        case And() | Or():
            for operand in query.operands:
                yield from _wanted(operand)
        case Word() | Phrase() | Wildcard() | Regex() | Comparison():
            if query.field is None or column_named(query.field) in (None, "body", "service"):
                yield query
        case Substring():
            yield query


def _spans_of(leaf: Query, text: str) -> Iterable[Span]:
    match leaf:
        case Word() | Phrase():
            return _literal(leaf.text, text, whole=True)
        case Comparison(operator="="):
            return _literal(leaf.value, text, whole=True)
        case Substring():
            return _literal(leaf.text, text, whole=False, ignore_case=leaf.ignore_case)
        case Wildcard():
            return _trimmed(_regex(wildcard_regex(leaf.pieces), fold(text)), text)
        case Regex():
            return _regex(leaf.pattern, text)
        case _:
            return ()


def _literal(wanted: str, text: str, *, whole: bool, ignore_case: bool = True) -> Iterator[Span]:
    needle, within = (fold(wanted), fold(text)) if ignore_case else (wanted, text)
    start = within.find(needle)
    while start >= 0:
        end = start + len(needle)
        touches = whole and (
            (start > 0 and is_word_character(needle[0]) and is_word_character(within[start - 1]))
            or (end < len(within) and is_word_character(needle[-1]) and is_word_character(within[end]))
        )
        if not touches:
            yield start, end
        start = within.find(needle, start + 1)


def _regex(pattern: str, text: str) -> Iterator[Span]:
    next_match = compile_block_regex(pattern)
    octets = text.encode("utf-8", "surrogatepass")
    place = 0
    for _ in range(_MOST_SPANS):
        start, end = next_match(octets, place)
        if start < 0:
            return
        if end > start:
            before = len(octets[:start].decode("utf-8", "replace"))
            yield before, before + len(octets[start:end].decode("utf-8", "replace"))
        place = max(end, start + 1)
        if place > len(octets):
            return


def _trimmed(spans: Iterable[Span], text: str) -> Iterator[Span]:
    """Without the borders that the pattern of a wildcard takes with it."""
    for low, high in spans:
        inside = [place for place in range(low, high) if is_word_character(text[place])]
        if inside:
            yield inside[0], inside[-1] + 1
