"""A query as a tree of small values, and how it is written.

    Everything                         *
    And, Or, Not                       a AND b    a OR b    NOT a
    Word, Wildcard, Phrase, Regex      quota    quot*    "quota exceeded"    /quota (\\d+)/
        the same within a field        service:quota    body:"quota exceeded"    path:/v[12]/
    Comparison, Range, Exists          level>=warn    duration_ms:[200 TO *]    call_id:*
    Substring                          _contains_:"uota ex"    _contains_exactly_:"uota ex"

`str(query)` writes a query so that `parse` reads the same tree again; trees that mean the same by being
nested differently (an And in an And) are made equal when they are built. What each node means to a
record is said once, in `words.py` (text) and `match.py` (fields).
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=")

CONTAINS = "_contains_"
CONTAINS_EXACTLY = "_contains_exactly_"
EXISTS = "_exists_"
RESERVED_FIELDS = frozenset({CONTAINS, CONTAINS_EXACTLY, EXISTS})
"""Names that are syntax; a field of this name is written with a backslash before it."""

MANY = "*"
ONE = "?"

# A value that can stand without quotes after an operator.
_BARE_VALUE = re.compile(r"[A-Za-z0-9_.@+\-][A-Za-z0-9_.@+\-:/]*")
_NAME_CHARACTERS = re.compile(r"[\w@./\-]")
_NAME_ENDS = re.compile(r"[^\W\d]|@")
_RESERVED_WORDS = ("AND", "OR", "NOT")


@dataclass(frozen=True, slots=True)
class Everything:
    """Every record."""

    def __str__(self) -> str:
        return MANY


@dataclass(frozen=True, slots=True)
class Word:
    """A whole word, anywhere or in one field; one with delimiters inside, as `10.0.0.1`, is a phrase."""

    text: str
    field: str | None = None

    def __post_init__(self) -> None:
        _require(bool(self.text), "a word needs at least one character")
        _require_name(self.field)

    def __str__(self) -> str:
        written = f"\\{self.text}" if self.text in _RESERVED_WORDS else _escaped(self.text, self.field)
        return _in_field(self.field, written)


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A word with holes: `*` is any run of characters but spaces and quotes, `?` one such character.

    In `pattern` a backslash takes a following `*`, `?` or backslash as it stands.
    """

    pattern: str
    field: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", _written_pieces(self.pieces))
        holes = [piece for piece, is_hole in self.pieces if is_hole]
        _require(bool(holes) and self.pattern != MANY, "a wildcard needs a * or ?, and something beside *")
        _require_name(self.field)

    @property
    def pieces(self) -> tuple[tuple[str, bool], ...]:
        """The pattern in pieces: (literal text, False) or (`*` or `?`, True)."""
        pieces: list[tuple[str, bool]] = []
        for character, is_escaped in unescape(self.pattern):
            if character in (MANY, ONE) and not is_escaped:
                if pieces[-1:] != [(MANY, True)] or character == ONE:
                    pieces.append((character, True))
            elif pieces and not pieces[-1][1]:
                pieces[-1] = (pieces[-1][0] + character, False)
            else:
                pieces.append((character, False))
        return tuple(pieces)

    def __str__(self) -> str:
        written = "".join(
            piece if is_hole else _escaped(piece, self.field, at_start=index == 0)
            for index, (piece, is_hole) in enumerate(self.pieces)
        )
        return _in_field(self.field, written)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Text as it stands but for case, with word borders at its ends."""

    text: str
    field: str | None = None

    def __post_init__(self) -> None:
        _require(bool(self.text), "a phrase needs at least one character")
        _require_name(self.field)

    def __str__(self) -> str:
        return _in_field(self.field, quote(self.text))


@dataclass(frozen=True, slots=True)
class Regex:
    """An RE2 regular expression that matches somewhere, case and all; `(?i)` ignores case."""

    pattern: str
    field: str | None = None

    def __post_init__(self) -> None:
        # Between slashes a slash is escaped; to RE2 it is the same character either way.
        plain = re.sub(
            r"\\(.)", lambda pair: "/" if pair[1] == "/" else pair[0], self.pattern, flags=re.DOTALL
        )
        object.__setattr__(self, "pattern", plain)
        _require(bool(self.pattern), "a regular expression needs at least one character")
        _require_name(self.field)

    def __str__(self) -> str:
        escaped = self.pattern.replace("/", "\\/")
        return _in_field(self.field, f"/{escaped}/")


@dataclass(frozen=True, slots=True)
class Substring:
    """Text within the raw record as grep -F finds it: no borders, no escapes undone."""

    text: str
    ignore_case: bool = True

    def __post_init__(self) -> None:
        _require(bool(self.text), "a substring needs at least one character")

    def __str__(self) -> str:
        return f"{CONTAINS if self.ignore_case else CONTAINS_EXACTLY}:{quote(self.text)}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field's whole value beside another; the field must be there, also for `!=`."""

    field: str
    operator: Operator
    value: str

    def __post_init__(self) -> None:
        _require(self.operator in OPERATORS, f"an operator is one of {' '.join(OPERATORS)}")
        _require_name(self.field)

    def __str__(self) -> str:
        return f"{_written_name(self.field)}{self.operator}{_written_value(self.value)}"


@dataclass(frozen=True, slots=True)
class Range:
    """A field's value between two others; None is open, but not at both ends: that is `Exists`."""

    field: str
    low: str | None
    high: str | None
    low_inclusive: bool = True
    high_inclusive: bool = True

    def __post_init__(self) -> None:
        _require(self.low is not None or self.high is not None, "a range needs one end at least")
        _require_name(self.field)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The one or two comparisons that say the same."""
        found = []
        if self.low is not None:
            found.append(Comparison(self.field, ">=" if self.low_inclusive else ">", self.low))
        if self.high is not None:
            found.append(Comparison(self.field, "<=" if self.high_inclusive else "<", self.high))
        return tuple(found)

    def __str__(self) -> str:
        low, high = (MANY if end is None else _written_value(end) for end in (self.low, self.high))
        opening, closing = "[" if self.low_inclusive else "{", "]" if self.high_inclusive else "}"
        return f"{_written_name(self.field)}:{opening}{low} TO {high}{closing}"


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there and not empty."""

    field: str

    def __post_init__(self) -> None:
        _require_name(self.field)

    def __str__(self) -> str:
        return f"{_written_name(self.field)}:{MANY}"


@dataclass(frozen=True, slots=True)
class Not:
    """What `operand` does not match."""

    operand: Query

    def __str__(self) -> str:
        return f"NOT {_in_parentheses(self.operand)}"


@dataclass(frozen=True, slots=True)
class And:
    """What all operands match; two at least, and none is an And."""

    operands: tuple[Query, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "operands", tuple(_flattened(self.operands, And)))
        _require(len(self.operands) > 1, "AND joins two or more; use all_of")

    def __str__(self) -> str:
        return " AND ".join(map(_in_parentheses, self.operands))


@dataclass(frozen=True, slots=True)
class Or:
    """What one operand matches or more; two at least, and none is an Or."""

    operands: tuple[Query, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "operands", tuple(_flattened(self.operands, Or)))
        _require(len(self.operands) > 1, "OR joins two or more; use any_of")

    def __str__(self) -> str:
        return " OR ".join(map(_in_parentheses, self.operands))


TextTerm = Word | Wildcard | Phrase | Regex
"""A leaf that looks at text: the whole record's, or one field's."""

FieldTest = Comparison | Range | Exists
"""A leaf that looks at one field's value."""

Query = Everything | TextTerm | Substring | FieldTest | Not | And | Or


def all_of(queries: Iterable[Query]) -> Query:
    """What all of `queries` match: everything when there are none."""
    wanted = [query for query in queries if not isinstance(query, Everything)]
    if len(wanted) > 1:
        return And(tuple(wanted))
    return wanted[0] if wanted else Everything()


def any_of(queries: Iterable[Query]) -> Query:
    """What any of `queries` matches: nothing when there are none."""
    wanted = tuple(queries)
    if len(wanted) > 1:
        return Or(wanted)
    return wanted[0] if wanted else Not(Everything())


def leaves(query: Query) -> Iterable[Query]:
    """Every node of the tree that has no operand, from left to right."""
    match query:
        case And() | Or():
            for operand in query.operands:
                yield from leaves(operand)
        case Not():
            yield from leaves(query.operand)
        case _:
            yield query


def fields_of(query: Query) -> frozenset[str]:
    """The names of fields that a query asks about, as they are written."""
    names = (
        None if isinstance(leaf, Everything | Substring | Not | And | Or) else leaf.field
        for leaf in leaves(query)
    )
    return frozenset(name for name in names if name is not None)


def unescape(text: str) -> Iterable[tuple[str, bool]]:
    """Each character and whether a backslash stood before it; a last lone backslash is itself."""
    is_escaped = False
    for character in text:
        if character == "\\" and not is_escaped:
            is_escaped = True
        else:
            yield character, is_escaped
            is_escaped = False
    if is_escaped:
        yield "\\", True


def is_name(characters: Iterable[tuple[str, bool]]) -> bool:
    """Whether what was read can be a field's name: `http.status`, `x-request-id`, `@timestamp`.

    A backslash makes any character fit. A name neither starts with a digit nor ends in punctuation,
    so that `10:45`, `a->b` and `//x` remain words.
    """
    read = list(characters)
    if not read:
        return False
    first, last = read[0], read[-1]
    return (
        all(is_escaped or _NAME_CHARACTERS.fullmatch(character) for character, is_escaped in read)
        and (first[1] or _NAME_ENDS.fullmatch(first[0]) is not None)
        and (last[1] or re.fullmatch(r"\w", last[0]) is not None)
    )


def quote(text: str) -> str:
    """Text in double quotes, as a phrase or a value is written."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped(text: str, field: str | None, *, at_start: bool = True) -> str:
    """A word's text with a backslash before each character that would mean something there."""
    # A word that starts with a digit cannot be taken for a field's name: 10:45 stays as it is.
    signs = "" if field is not None or (at_start and text[0] in string.digits) else ":=<>!"
    meaningful = "-+!/" if field is None else ":/[{<>=!"
    start = text[0] if at_start and text[0] in meaningful else ""
    rest = re.sub(rf'[\s\\()"*?&|{signs}]', r"\\\g<0>", text[len(start) :])
    return f"\\{start}{rest}" if start else rest


def _written_pieces(pieces: Iterable[tuple[str, bool]]) -> str:
    return "".join(piece if is_hole else re.sub(r"[*?\\]", r"\\\g<0>", piece) for piece, is_hole in pieces)


def _written_name(name: str) -> str:
    if name in RESERVED_FIELDS:
        return f"\\{name}"
    written = [character if _NAME_CHARACTERS.fullmatch(character) else f"\\{character}" for character in name]
    if not _NAME_ENDS.fullmatch(name[0]):
        written[0] = f"\\{name[0]}"
    if not re.fullmatch(r"\w", name[-1]):
        written[-1] = f"\\{name[-1]}"
    return "".join(written)


def _written_value(value: str) -> str:
    return value if _BARE_VALUE.fullmatch(value) else quote(value)


def _in_field(field: str | None, written: str) -> str:
    return written if field is None else f"{_written_name(field)}:{written}"


def _in_parentheses(query: Query) -> str:
    return f"({query})" if isinstance(query, And | Or) else str(query)


def _flattened(operands: Iterable[Query], kind: type[And] | type[Or]) -> Iterable[Query]:
    for operand in operands:
        if isinstance(operand, kind):
            yield from operand.operands
        else:
            yield operand


def _require_name(field: str | None) -> None:
    _require(field != "", "a field needs a name")


def _require(is_met: bool, promise: str) -> None:
    if not is_met:
        raise ValueError(promise)
