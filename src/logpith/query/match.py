"""Whether a record matches a query: the reference that every backend must agree with.

Text without a field is looked for in the raw text of the whole record, under the rules of `words.py`.
Within a field:

- **field:word**, `field:"phrase"`, `field:wild*`, `field:/re/` look into the field's text under the same
  rules; a number beside a number is compared as one (`status:200` is 200.0 too).
- **field=value** compares the whole value, without regard to case; a number is compared as one.
  `field!=value` is the opposite for records that have the field. A query that means the others too
  says `NOT field=value`.
- **field<value** and its kin, and ranges, compare as numbers when the query's value is one, and then text
  counts if it reads as a number; otherwise they compare as text.
- **severity** is compared by number: `level>=warn`, and `level:warn` is WARN to WARN4. An unknown severity
  matches no comparison. **timestamp** is compared as a moment; an undated record matches none.
- **A list** matches when one of its values does. An object has no text of its own, only its fields have.
- **field:*** is met by any value but null, empty text, the empty list or object, and the unknown severity.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from logpith.query.fields import (
    SEVERITY,
    SEVERITY_TEXT,
    TIMESTAMP,
    column_named,
    column_spelled,
    severity_range,
)
from logpith.query.regex import compile_own, compile_regex
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
)
from logpith.query.words import fold, phrase_finder, readings, wildcard_regex
from logpith.timerange import format_ns, is_relative, parse_time
from logpith_emit.errors import BadArgument
from logpith_emit.record import ID_KINDS
from logpith_emit.severity import severity_name

Value = None | bool | int | float | str | Sequence["Value"] | Mapping[str, "Value"]
"""What a column or an attribute holds."""


class RecordView(Protocol):
    """One record, as far as a query looks at it."""

    @property
    def text(self) -> str:
        """The raw text of the whole record."""

    def column(self, name: str) -> Value:
        """A column of `logpith_emit.record.Record` by its name, None when empty; `ids` is the mapping."""

    def attribute(self, path: str) -> Value:
        """The attribute at a dotted path, None when there is none."""


# Longer digits are text: Python refuses to turn thousands of them into a number.
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,5})?")

Matcher = Callable[[RecordView], bool]


def matches(query: Query, view: RecordView) -> bool:
    """Whether the record matches."""
    return matcher(query)(view)


@functools.lru_cache(maxsize=256)
def matcher(query: Query) -> Matcher:
    """The query made ready to be asked of many records.

    Raises:
        BadArgument: a time that moves, or a regex that RE2 does not read; `parse` lets neither through.
    """
    ask = _prepare(query)
    return lambda view: ask(_Record(view))


@functools.lru_cache(maxsize=256)
def value_matcher(query: Query) -> Callable[[Value], bool]:
    """The query about one field made ready to be asked of that field's values alone.

    Raises:
        ValueError: the query has operands or no field.
    """
    if isinstance(query, FieldTest) or (isinstance(query, TextTerm) and query.field is not None):
        return _value_test(query)
    raise ValueError(f"not about the values of one field: {query}")


class _Record:
    """A view whose text is folded once, however many terms ask."""

    def __init__(self, view: RecordView) -> None:
        self.view = view

    @functools.cached_property
    def readings(self) -> tuple[str, ...]:
        return readings(self.view.text)

    @functools.cached_property
    def folded_readings(self) -> tuple[str, ...]:
        return tuple(map(fold, self.readings))

    def column(self, name: str) -> Value:
        if name in ID_KINDS:
            ids = self.view.column("ids")
            return ids.get(ID_KINDS[name]) if isinstance(ids, Mapping) else None
        value = self.view.column(name)
        # A time asked for by a name that need not mean it (`when`, `created`) is text like any attribute.
        return format_ns(value) if name == TIMESTAMP and isinstance(value, int) else value


_Ask = Callable[[_Record], bool]


def _prepare(query: Query) -> _Ask:
    match query:
        case Everything():
            return lambda _record: True
        case And():
            asks = [_prepare(operand) for operand in query.operands]
            return lambda record: all(ask(record) for ask in asks)
        case Or():
            asks = [_prepare(operand) for operand in query.operands]
            return lambda record: any(ask(record) for ask in asks)
        case Not():
            ask = _prepare(query.operand)
            return lambda record: not ask(record)
        case Substring():
            return _substring_ask(query)
        case Regex(field=None):
            find = compile_regex(query.pattern)
            return lambda record: any(map(find, record.readings))
        case Word(field=None) | Phrase(field=None) | Wildcard(field=None):
            find_folded = _folded_finder(query)
            return lambda record: any(map(find_folded, record.folded_readings))
        case _:
            return _field_ask(query)


def _substring_ask(query: Substring) -> _Ask:
    if not query.ignore_case:
        return lambda record: query.text in record.view.text
    needle = fold(query.text)
    return lambda record: needle in record.folded_readings[0]


def _field_ask(query: TextTerm | FieldTest) -> _Ask:
    field = query.field or ""
    column = column_named(field)
    is_met = _value_test(query)
    if column == SEVERITY and isinstance(query, Wildcard | Regex):
        return lambda record: is_met(_severity_texts(record.view))
    if column is not None:
        return lambda record: is_met(record.view.column(column))
    spelled = column_spelled(field)
    if spelled is None:
        return lambda record: is_met(record.view.attribute(field))
    return lambda record: is_met(record.view.attribute(field)) or is_met(record.column(spelled))


def _severity_texts(view: RecordView) -> Value:
    """What a pattern over the severity sees: our name for it, and the text as it came."""
    number, text = view.column(SEVERITY), view.column(SEVERITY_TEXT)
    name = severity_name(number) if isinstance(number, int) and number > 0 else None
    return [name, text if isinstance(text, str) else None]


def _value_test(query: TextTerm | FieldTest) -> Callable[[Value], bool]:
    """Whether a value of the query's field meets it; of a list, whether one of its values does."""
    is_met = _scalar_test(query, column_named(query.field or ""))
    if isinstance(query, Exists):
        return lambda value: (isinstance(value, Mapping) and bool(value)) or any(map(is_met, _scalars(value)))
    return lambda value: any(map(is_met, _scalars(value)))


_Scalar = bool | int | float | str


def _scalars(value: Value) -> Iterable[_Scalar]:
    """The single values in a value: none in null and in an object, each in a list."""
    if isinstance(value, _Scalar):
        yield value
    elif isinstance(value, Sequence):
        for element in value:
            yield from _scalars(element)


def _scalar_test(query: TextTerm | FieldTest, column: str | None) -> Callable[[_Scalar], bool]:
    match query:
        case Exists():
            # An empty text and the unknown severity are as good as nothing.
            return lambda value: value != "" and not (column == SEVERITY and value == 0)
        case Range():
            tests = [_scalar_test(comparison, column) for comparison in query.comparisons]
            return lambda value: all(test(value) for test in tests)
        case Comparison() if column == SEVERITY:
            return _severity_test(query.operator, severity_range(query.field, query.value))
        case Comparison() if column == TIMESTAMP:
            return _timestamp_test(query.operator, moment_ns(query.value))
        case Comparison():
            return _comparison_test(query)
        case Word() | Phrase() if column == SEVERITY:
            return _severity_test("=", severity_range(query.field or "", query.text))
        case Word() | Phrase() if column == TIMESTAMP:
            return _timestamp_test("=", moment_ns(query.text))
        case Regex():
            find = compile_regex(query.pattern)
            return lambda value: find(_text_of(value, column))
        case Word() | Phrase() | Wildcard():
            return _text_test(query, column)


def moment_ns(value: str) -> int:
    """The moment that a query's timestamp means."""
    if is_relative(value):
        raise BadArgument(f"{value!r} moves with the clock", remedy="Parse the query with now_ns")
    return parse_time(value, now_ns=0)


_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def severity_bounds(compare: Operator, named: tuple[int, int]) -> tuple[int, int] | None:
    """The lowest and highest severity that compare so to a named one; None for `!=`, which has two parts."""
    lowest, highest = named
    bounds: dict[Operator, tuple[int, int]] = {
        "=": (lowest, highest),
        "<": (1, lowest - 1),
        "<=": (1, highest),
        ">": (highest + 1, 24),
        ">=": (lowest, 24),
    }
    return bounds.get(compare)


def _severity_test(compare: Operator, named: tuple[int, int] | None) -> Callable[[_Scalar], bool]:
    if named is None:
        return lambda _value: False
    bounds = severity_bounds(compare, named)
    if bounds is None:
        return lambda value: isinstance(value, int) and value > 0 and not named[0] <= value <= named[1]
    lowest, highest = bounds
    return lambda value: isinstance(value, int) and lowest <= value <= highest


def _timestamp_test(compare: Operator, moment: int) -> Callable[[_Scalar], bool]:
    stands = _COMPARE[compare]
    return lambda value: isinstance(value, int) and stands(value, moment)


def _comparison_test(query: Comparison) -> Callable[[_Scalar], bool]:
    stands, wanted_number, wanted_text = _COMPARE[query.operator], number_in(query.value), fold(query.value)
    is_equality = query.operator in ("=", "!=")

    def is_met(value: _Scalar) -> bool:
        number = value if _is_number(value) else None
        if wanted_number is not None and number is None and not is_equality:
            number = number_in(str(value))
        if wanted_number is not None and number is not None:
            return stands(number, wanted_number)
        if is_equality or (wanted_number is None and isinstance(value, str)):
            return stands(fold(_text_of(value, None)), wanted_text)
        return False

    return is_met


def _text_test(query: Word | Phrase | Wildcard, column: str | None) -> Callable[[_Scalar], bool]:
    find = _folded_finder(query)
    wanted_number = None if isinstance(query, Wildcard) else number_in(query.text)

    def is_met(value: _Scalar) -> bool:
        if wanted_number is not None and _is_number(value):
            return value == wanted_number
        return find(fold(_text_of(value, column)))

    return is_met


def _folded_finder(query: Word | Phrase | Wildcard) -> Callable[[str], bool]:
    if isinstance(query, Wildcard):
        return compile_own(wildcard_regex(query.pieces))
    return phrase_finder(query.text)


def number_in(text: str) -> int | float | None:
    """The number that the whole text writes (`200`, `-1.5`, `2e2`), or None."""
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) if _INTEGER.fullmatch(text) else float(text)


def _is_number(value: _Scalar) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text_of(value: _Scalar, column: str | None) -> str:
    """A single value as text: true, 200, 1.5, and a timestamp in ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if column == TIMESTAMP and isinstance(value, int):
        return format_ns(value)
    return str(value)
