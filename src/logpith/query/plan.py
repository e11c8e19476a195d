"""What a backend can know before it looks at records: literals that must occur, columns that decide.

Both are conservative: they may keep a record that does not match, and never lose one that does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from logpith.query.fields import (
    SEVERITY,
    SOURCE,
    TIMESTAMP,
    column_named,
    is_within_text,
    severity_range,
)
from logpith.query.match import moment_ns, number_in, severity_bounds
from logpith.query.regex import literals_of
from logpith.query.tree import (
    And,
    Comparison,
    Everything,
    Exists,
    FieldTest,
    Not,
    Operator,
    Or,
    Phrase,
    Query,
    Range,
    Regex,
    Substring,
    TextTerm,
    Wildcard,
    Word,
    all_of,
)
from logpith.query.words import plain_runs
from logpith.timerange import TimeRange

MIN_LITERAL_BYTES = 2
MAX_LITERALS = 64

ALL_SEVERITIES = (0, 24)
ALL_TIMES = TimeRange()

# What a number or a truth value can be written with; a field's text made of these need not stand in the
# raw text in this form (2e2, TRUE, 1.50).
_NUMBER_CHARACTERS = frozenset("0123456789+-.einfa")
_TRUTH_VALUES = ("true", "false")


@dataclass(frozen=True, slots=True)
class ColumnPredicates:
    """The part of a query that severity, time and source decide; all three must hold."""

    severity: tuple[int, int] = ALL_SEVERITIES
    """Lowest and highest severity number, both inside; from 1 on the unknown severity is outside. The
    lowest may exceed the highest: then no record matches."""

    time: TimeRange = ALL_TIMES

    source: tuple[Query, ...] = ()
    """Queries about the field `source`; `match.value_matcher` asks them of each source once."""


def required_literals(query: Query) -> tuple[bytes, ...] | None:
    """Small-letter ASCII literals of which one at least occurs in the raw text of every match.

    They occur without regard to ASCII case, also where the raw text is JSON with escapes. None says that
    nothing is known, so every record must be looked at.
    """
    match query:
        case And():
            offers = [required_literals(operand) for operand in query.operands]
            return min((offer for offer in offers if offer), key=_breadth, default=None)
        case Or():
            return _united(map(required_literals, query.operands))
        case Everything() | Not() | Range() | Exists():
            return None
        case Substring():
            return _literals([query.text])
        case Regex(field=None):
            return _literals(literals_of(query.pattern))
        case Word(field=None) | Phrase(field=None):
            return _literals([query.text])
        case Wildcard(field=None):
            return _longest(piece for piece, is_hole in query.pieces if not is_hole)
        case _:
            return _field_literals(query)


def column_predicates(query: Query) -> tuple[ColumnPredicates, Query]:
    """What columns alone decide, and the rest: a record matches the query when it meets both.

    Taken from the operands of a top-level And, or from a query that is a single such term.
    """
    severity, time, sources, rest = ALL_SEVERITIES, ALL_TIMES, [], []
    for operand in query.operands if isinstance(query, And) else (query,):
        column = _column_of_term(operand)
        found_severity = _severity_span(operand) if column == SEVERITY else None
        found_time = _time_span(operand) if column == TIMESTAMP else None
        if found_severity is not None:
            severity = (max(severity[0], found_severity[0]), min(severity[1], found_severity[1]))
        elif found_time is not None:
            time = time.intersect(found_time)
        elif column == SOURCE:
            sources.append(operand)
        else:
            rest.append(operand)
    return ColumnPredicates(severity, time, tuple(sources)), all_of(rest)


def _column_of_term(query: Query) -> str | None:
    if isinstance(query, TextTerm | FieldTest) and query.field is not None:
        return column_named(query.field)
    return None


def _comparisons(query: Query) -> tuple[Comparison, ...]:
    """The comparisons that together say the same as a term about severity or time; none for other terms."""
    match query:
        case Comparison():
            return (query,)
        case Range():
            return query.comparisons
        case Word(field=str(field)) | Phrase(field=str(field)):
            return (Comparison(field, "=", query.text),)
        case _:
            return ()


def _severity_span(query: Query) -> tuple[int, int] | None:
    """The span of severity numbers that is exactly what the term matches, or None when no span is."""
    if isinstance(query, Exists):
        return 1, ALL_SEVERITIES[1]
    spans = [_compared_severity(comparison) for comparison in _comparisons(query)]
    known = [span for span in spans if span is not None]
    if not known or len(known) < len(spans):
        return None
    return max(low for low, _ in known), min(high for _, high in known)


def _compared_severity(comparison: Comparison) -> tuple[int, int] | None:
    named = severity_range(comparison.field, comparison.value)
    if named is None:
        return 1, 0  # an unknown severity matches nothing
    return severity_bounds(comparison.operator, named)


def _time_span(query: Query) -> TimeRange | None:
    """The range of time that is exactly what the term matches, or None when no range is."""
    comparisons = _comparisons(query)
    if not comparisons or any(comparison.operator == "!=" for comparison in comparisons):
        return None
    span = ALL_TIMES
    for comparison in comparisons:
        span = span.intersect(_compared_time(comparison.operator, moment_ns(comparison.value)))
    return span


def _compared_time(operator: Operator, moment: int) -> TimeRange:
    match operator:
        case "<":
            return TimeRange(None, moment)
        case "<=":
            return TimeRange(None, moment + 1)
        case ">":
            return TimeRange(moment + 1, None)
        case ">=":
            return TimeRange(moment, None)
        case _:
            return TimeRange(moment, moment + 1)


def _field_literals(query: Query) -> tuple[bytes, ...] | None:
    """Literals of a term about a field whose text stands in the raw text."""
    if not isinstance(query, TextTerm | FieldTest) or not is_within_text(query.field or ""):
        return None
    match query:
        case Word() | Phrase():
            return None if number_in(query.text) is not None else _written_literals([query.text])
        case Comparison(operator="="):
            return None if number_in(query.value) is not None else _written_literals([query.value])
        case Wildcard():
            runs = [piece for piece, is_hole in query.pieces if not is_hole]
            offers = [_written_literals([run]) for run in runs]
            return min((offer for offer in offers if offer), key=_breadth, default=None)
        case Regex():
            return _written_literals(literals_of(query.pattern))
        case _:
            return None


def _literals(texts: Iterable[str] | None) -> tuple[bytes, ...] | None:
    """For each text its longest plain run; all are needed, because any one text may be the one."""
    return None if texts is None else _united(_longest([text]) for text in texts)


def _written_literals(texts: Iterable[str] | None) -> tuple[bytes, ...] | None:
    """Like `_literals`, for a field's text: numbers and truth values are written in many ways, and a
    format may have joined what was apart, so neither they nor spaces count."""
    if texts is None:
        return None
    return _united(
        _longest(run for run in plain_runs(text, without=" ") if _is_written_as_is(run)) for text in texts
    )


def _is_written_as_is(run: str) -> bool:
    return not _NUMBER_CHARACTERS.issuperset(run) and not any(run in truth for truth in _TRUTH_VALUES)


def _longest(texts: Iterable[str]) -> tuple[bytes, ...] | None:
    """The longest plain run in any of the texts, when it is long enough to be worth a search."""
    runs = (run for text in texts for run in plain_runs(text))
    longest = max(runs, key=len, default="")
    return (longest.encode("ascii"),) if len(longest) >= MIN_LITERAL_BYTES else None


def _united(offers: Iterable[tuple[bytes, ...] | None]) -> tuple[bytes, ...] | None:
    """The literals of alternatives: none when one of them has none, or when they are too many."""
    united: dict[bytes, None] = {}
    for offer in offers:
        if offer is None:
            return None
        united.update(dict.fromkeys(offer))
    return tuple(united) if 0 < len(united) <= MAX_LITERALS else None


def _breadth(literals: tuple[bytes, ...]) -> tuple[int, int]:
    """How much a set of literals lets through: by its shortest literal, then by how many they are."""
    return -min(map(len, literals)), len(literals)
