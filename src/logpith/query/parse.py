"""Reading a query: the Lucene syntax that people and agents already write.

    query   = { clause [ AND | && | OR | || ] }     side by side means AND; AND binds closer than OR
    clause  = ( NOT | ! | - | + ) clause | ( query ) | term
    term    = word | wild* | "phrase" | /regex/ | field:value | field>=value | *
    value   = word | wild* | "phrase" | /regex/ | ( query ) | [low TO high] | {low TO high} | *

As in Lucene the operators are upper case, and a backslash takes the next character as it stands. Other
than in Lucene, side by side means AND; `field=value` and its kin compare; a regex is searched, not
anchored, and its closing slash must end the term, so that paths (`/api/users`) are words; names do not
start with a digit, so that `10:45` is a word; `::` and `://` belong to words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn

from logpith.query.fields import FIELD_NAMES, is_known, is_severity, is_timestamp, severity_range
from logpith.query.regex import compile_regex, refuse_long
from logpith.query.tree import (
    CONTAINS,
    CONTAINS_EXACTLY,
    EXISTS,
    MANY,
    ONE,
    OPERATORS,
    And,
    Comparison,
    Everything,
    Exists,
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
    is_name,
    unescape,
)
from logpith.timerange import format_ns, is_relative, parse_time
from logpith_emit.errors import BadArgument, BadQuery, nearest
from logpith_emit.severity import BANDS

MAX_TEXT_BYTES = 8 * 1024
MAX_DEPTH = 64

_SPACE = re.compile(r"\s*")
_ENDS_RUN = re.compile(r'[\s()"]|&&|\|\|')
_OPERATOR = re.compile(r"(AND|OR|NOT)(?=[\s()\"]|&&|\|\||$)")
_COMPARISON = re.compile(r"(!=|<=|>=|==?|<|>)")
_SIGN = re.compile(r"[:=<>]|!=")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN_PATTERN = re.compile(r"(?:[^/\\]|\\.)+", re.DOTALL)
_PATTERN_WITH_CLASSES = re.compile(r"(?:[^/\\\[]|\\.|\[\^?\]?(?:[^\]\\]|\\.)*\])+", re.DOTALL)
_REGEX_CLOSE = re.compile(r"/(?=[\s)]|$)")
_RANGE_END = re.compile(r'[^\s()"\[\]{}]+')
_RANGE_TO = re.compile(r"TO(?=\s)")
_SIGN_IN_WORD = re.compile(r"[\s)+-]|$")
_SUFFIX = re.compile(r"[~^][\d.]*(?=[\s)]|$)")
_CARET_REACH = 40

_OPERATOR_WORDS = ("AND", "OR", "NOT")
_COMPARISONS: dict[str, Operator] = {"==": "=", **{operator: operator for operator in OPERATORS}}


@dataclass(frozen=True, slots=True)
class Reading:
    """A query that was read, and notes for who wrote it about what may not mean what they meant."""

    query: Query
    notes: tuple[str, ...] = ()


def parse(
    text: str, fields: Collection[str] | None = None, *, now_ns: int | None = None, end_ns: int | None = None
) -> Query:
    """The query that `text` says; see `parse_with_notes`."""
    return parse_with_notes(text, fields, now_ns=now_ns, end_ns=end_ns).query


def parse_with_notes(
    text: str, fields: Collection[str] | None = None, *, now_ns: int | None = None, end_ns: int | None = None
) -> Reading:
    """The query that `text` says, with notes. Blank text is every record.

    With `fields` a name outside of them and of the standard columns is a mistake. Times that move
    (`timestamp>=now-2h`) are fixed here by `now_ns` and `end_ns`, and are a mistake without them.

    Raises:
        BadQuery: the text is no query; the remedy shows the place.
    """
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > MAX_TEXT_BYTES:
        raise BadQuery(
            f"the query has {size_bytes:,} bytes",
            remedy=f"Write {MAX_TEXT_BYTES:,} bytes at most",
            position=0,
        )
    reader = _Reader(text, fields, now_ns, end_ns)
    query = reader.read_all()
    return Reading(query, tuple(dict.fromkeys(reader.notes)))


_Run = list[tuple[str, bool]]
"""Characters of a word as they were read, and whether a backslash stood before each."""


class _Reader:
    """Recursive descent over the characters of one query."""

    def __init__(
        self, text: str, fields: Collection[str] | None, now_ns: int | None, end_ns: int | None
    ) -> None:
        self.text = text
        self.fields = fields
        self.now_ns = now_ns
        self.end_ns = end_ns
        self.place = 0
        self.depth = 0
        self.group_field: str | None = None
        self.notes: list[str] = []

    # --- the grammar, from the outside in ---

    def read_all(self) -> Query:
        self._skip_space()
        if self._is_at_end():
            return Everything()
        query = self._either()
        if not self._is_at_end():
            self._fail(
                "this ')' closes nothing",
                'Take it out, or put text with parentheses in quotes, "like (this)"',
            )
        return query

    def _either(self) -> Query:
        operands = [self._all()]
        while self._take_operator("OR", "||"):
            operands.append(self._all())
        return Or(tuple(operands)) if len(operands) > 1 else operands[0]

    def _all(self) -> Query:
        operands = [self._clause()]
        while True:
            if self._take_operator("AND", "&&"):
                operands.append(self._clause())
            elif self._is_at_end() or self._sees(")") or self._sees_operator("OR", "||"):
                break
            else:
                operands.append(self._clause())
        self._note_lower_case_operators(operands)
        return And(tuple(operands)) if len(operands) > 1 else operands[0]

    def _clause(self) -> Query:
        self._skip_space()
        if self._is_at_end():
            self._fail(
                "the query ends where a term was expected", "Write a word, a phrase or field:value here"
            )
        start = self.place
        is_comparison = self.group_field is not None and self._sees("!=")
        if not is_comparison and (self._take_operator("NOT", "!") or self._take_sign("-")):
            return Not(self._deeper(self._clause, start))
        if self._take_sign("+"):
            return self._deeper(self._clause, start)
        if self._take("("):
            return self._deeper(self._group, start)
        for name, sign in (("AND", "&&"), ("OR", "||")):
            if self._sees_operator(name, sign):
                self._fail(
                    f"{name} needs a term on both sides",
                    f'Add one, or write "{name}" in quotes to search the word',
                )
        if self._sees(")"):
            self._fail("a term was expected before ')'", "Write a word, a phrase or field:value here")
        return self._term()

    def _group(self) -> Query:
        start = self.place - 1
        query = self._either()
        if not self._take(")"):
            self._fail("this '(' is never closed", "Add a ')'", start)
        return query

    def _term(self) -> Query:
        start = self.place
        field = self.group_field
        if self._sees('"') or self._sees("/"):
            return self._text_term(field)
        if field is not None and (operator := self._take_comparison()):
            return self._comparison(field, operator, start)
        run = self._run(stops_at_field=True)
        if self._is_at_field_sign(run):
            return self._field_clause(run, start)
        return self._worded(run, field, start)

    # --- a field and what is asked of it ---

    def _field_clause(self, run: _Run, start: int) -> Query:
        name = _plain(run)
        is_syntax = not any(is_escaped for _, is_escaped in run)
        if is_syntax and name in (CONTAINS, CONTAINS_EXACTLY, EXISTS):
            self.place += 1
            return self._reserved_clause(name)
        if is_syntax and name == MANY:
            self.place += 1
            if _plain(self._run()) == MANY:
                return Everything()
            self._fail(
                "a field needs a name", 'Name it, as in service:api, or put the text in quotes, "*:x"', start
            )
        self._check_name(name, start)
        if operator := self._take_comparison():
            return self._comparison(name, operator, start)
        self.place += 1
        return self._field_value(name, start)

    def _field_value(self, field: str, start: int) -> Query:
        if self._is_at_end() or self._sees(")") or self.text[self.place].isspace():
            self._fail(
                f"the field '{field}' has no value after its colon",
                f'Write {field}:value without a space, or put the text in quotes, "{field}: …"',
            )
        if self._take("("):
            outer, self.group_field = self.group_field, field
            query = self._deeper(self._group, start)
            self.group_field = outer
            return query
        if operator := self._take_comparison():
            return self._comparison(field, operator, start)
        if self.text[self.place] in "[{":
            return self._range(field)
        return self._text_term(field)

    def _comparison(self, field: str, operator: str, start: int) -> Query:
        if self._sees("~"):
            self._fail("there is no operator =~", f"Write {field}:/regex/ or {field}:wild*")
        value = self._value(field)
        self._check_severity(field, value, start)
        return Comparison(field, _COMPARISONS[operator], value)

    def _value(self, field: str) -> str:
        """The value after an operator: in quotes, or up to the next space."""
        start = self.place
        if self._sees('"'):
            return self._fixed_time(field, self._quoted(), start)
        run = self._run()
        if not run:
            self._fail(
                "a value was expected here", f'Write one without a space before it, or {field}="" for none'
            )
        if run[0][0] in "<>=~!" and not run[0][1]:
            self._fail(
                "a value was expected here",
                f'Put it in quotes if it starts so: {field}="{_plain(run)}"',
                start,
            )
        if any(character == MANY and not is_escaped for character, is_escaped in run):
            self.notes.append(
                f"An operator compares the whole value, * included; write {field}:wild* for a wildcard"
            )
        return self._fixed_time(field, _plain(run), start)

    def _range(self, field: str) -> Query:
        start = self.place
        is_low_inclusive = self._take("[")
        self.place += not is_low_inclusive
        low = self._range_end(field)
        if _RANGE_TO.match(self.text, self.place) is None:
            self._fail(
                "a range needs TO between its ends",
                f'Write {field}:[low TO high], with * for an open end, or quotes: {field}:"[…"',
            )
        self.place += len("TO")
        high = self._range_end(field)
        is_high_inclusive = self._take("]")
        if not is_high_inclusive and not self._take("}"):
            self._fail("this range is never closed", "Close it with ] (with the end) or } (without)", start)
        if low is None and high is None:
            return Exists(field)
        for end in (low, high):
            if end is not None:
                self._check_severity(field, end, start)
        return Range(field, low, high, is_low_inclusive, is_high_inclusive)

    def _range_end(self, field: str) -> str | None:
        self._skip_space()
        start = self.place
        if self._sees('"'):
            value = self._quoted()
        else:
            match = _RANGE_END.match(self.text, self.place)
            if match is None:
                self._fail("an end of the range was expected here", "Write a value, or * for an open end")
            self.place = match.end()
            value = _plain(list(unescape(match[0])))
            if match[0] == MANY:
                self._skip_space()
                return None
        self._skip_space()
        return self._fixed_time(field, value, start)

    def _reserved_clause(self, name: str) -> Query:
        start = self.place
        value = self._quoted() if self._sees('"') else _plain(self._run())
        if not value:
            self._fail(f"{name} needs a value", f'Write {name}:"text"', start)
        if name == EXISTS:
            self._check_name(value, start)
            return Exists(value)
        return Substring(value, ignore_case=name == CONTAINS)

    # --- text: words, phrases, regexes ---

    def _text_term(self, field: str | None) -> Query:
        start = self.place
        if self._sees('"'):
            phrase = self._quoted()
            self._refuse_suffix()
            if not phrase and field is None:
                self._fail("this phrase is empty", "Write something between the quotes", start)
            if not phrase and field is not None:
                return Comparison(field, "=", "")
            return self._checked(Phrase(phrase, field), start)
        if self._sees("/") and (pattern := self._regex()) is not None:
            return self._checked(Regex(pattern, field), start)
        return self._worded(self._run(), field, start)

    def _worded(self, run: _Run, field: str | None, start: int) -> Query:
        """The word or wildcard that was read."""
        if not run:
            self._fail("a value was expected here", "Write a word, a phrase or a number", start)
        holes = [character for character, is_escaped in run if character in (MANY, ONE) and not is_escaped]
        self._note_odd_word(run)
        if not holes:
            return self._checked(Word(_plain(run), field), start)
        if len(holes) == len(run) and ONE not in holes:
            return Everything() if field is None else Exists(field)
        pattern = "".join(f"\\{character}" if is_escaped else character for character, is_escaped in run)
        try:
            refuse_long(pattern, "wildcard")
        except BadArgument as error:
            self._fail(error.problem, error.remedy, start)
        return Wildcard(pattern, field)

    def _checked(self, term: TextTerm, start: int) -> Query:
        """The term, once its regex compiles and its time or severity can be read."""
        if isinstance(term, Regex):
            try:
                compile_regex(term.pattern)
            except BadArgument as error:
                self._fail(error.problem, error.remedy, start)
        elif term.field is not None and not isinstance(term, Wildcard):
            self._check_severity(term.field, term.text, start)
            return type(term)(self._fixed_time(term.field, term.text, start), term.field)
        return term

    def _quoted(self) -> str:
        start = self.place
        match = _QUOTED.match(self.text, start)
        if match is None:
            self._fail("this quote is never closed", 'Add a closing ", or write \\" for the character', start)
        self.place = match.end()
        return _plain(list(unescape(match[1])))

    def _regex(self) -> str | None:
        """The pattern between slashes, or None when what starts with a slash is a word."""
        start = self.place + 1
        close = self._regex_close(_PLAIN_PATTERN) or self._regex_close(_PATTERN_WITH_CLASSES)
        if close is None:
            return None
        self.place = close + 1
        return self.text[start:close]

    def _regex_close(self, inside: re.Pattern[str]) -> int | None:
        """Where the closing slash stands when the pattern's inside is made so."""
        match = inside.match(self.text, self.place + 1)
        return match.end() if match and _REGEX_CLOSE.match(self.text, match.end()) else None

    def _run(self, *, stops_at_field: bool = False) -> _Run:
        """The characters of a word from here; they may stop at the sign that makes them a field's name."""
        run: _Run = []
        while not self._is_at_end() and not _ENDS_RUN.match(self.text, self.place):
            if stops_at_field and _SIGN.match(self.text, self.place):
                if self._is_at_field_sign(run):
                    break
                stops_at_field = False  # a name holds no sign; asking again at each would be quadratic
            is_escaped = self.text[self.place] == "\\" and self.place + 1 < len(self.text)
            self.place += is_escaped
            is_lone = self.text[self.place] == "\\" and not is_escaped
            run.append((self.text[self.place], is_escaped or is_lone))
            self.place += 1
        return run

    def _is_at_field_sign(self, run: _Run) -> bool:
        here = self.place
        if self._sees(":"):
            is_part_of_word = self.text.startswith(("::", "://"), here)
            return not is_part_of_word and (is_name(run) or run == [(MANY, False)])
        return _COMPARISON.match(self.text, here) is not None and is_name(run)

    # --- what is checked while reading ---

    def _check_name(self, name: str, start: int) -> None:
        if self.fields is not None and not is_known(name, self.fields):
            self._fail(
                f"no field named '{name}'",
                "Use a field that the records have, or put the text in quotes."
                + nearest(name, {*self.fields, *FIELD_NAMES}),
                start,
            )

    def _check_severity(self, field: str, value: str, start: int) -> None:
        if is_severity(field) and severity_range(field, value) is None:
            known = BANDS[1:]
            self._fail(
                f"no severity named '{value}'",
                f"The severities are {', '.join(known)}.{nearest(value.lower(), known)}",
                start,
            )

    def _fixed_time(self, field: str, value: str, start: int) -> str:
        """The value; of a time that moves, the moment that it means now."""
        if not is_timestamp(field):
            return value
        moves = is_relative(value)
        if moves and self.now_ns is None:
            self._fail(
                f"'{value}' moves with the clock", "Write an ISO time here, or use since and until", start
            )
        try:
            fixed_ns = parse_time(value, now_ns=self.now_ns or 0, end_ns=self.end_ns)
        except BadArgument as error:
            self._fail(error.problem, error.remedy, start)
        return format_ns(fixed_ns) if moves else value

    def _refuse_suffix(self) -> None:
        if match := _SUFFIX.match(self.text, self.place):
            self._fail(
                f"'{match[0]}' after a phrase is not offered",
                "Take it out: records are not ranked by nearness of words",
            )

    def _note_odd_word(self, run: _Run) -> None:
        word = _plain(run)
        if re.search(r"\w[~^][\d.]*$", word):
            self.notes.append(f"'{word}' is searched as it stands: there are no fuzzy or boosted terms")
        if re.fullmatch(r"/.+/[gimsux]{1,3}", word):
            self.notes.append(f"'{word}' is searched as a word; a regex without regard to case is /(?i)…/")
        if (
            any(is_escaped and character.isalnum() for character, is_escaped in run)
            and word not in _OPERATOR_WORDS
        ):
            self.notes.append(f"A backslash takes the next character as it stands ('{word}'); a regex is /…/")

    def _note_lower_case_operators(self, operands: list[Query]) -> None:
        for index, operand in enumerate(operands):
            if not isinstance(operand, Word) or operand.field is not None or operand.text in _OPERATOR_WORDS:
                continue
            is_between = 0 < index < len(operands) - 1
            upper = operand.text.upper()
            if (upper in ("AND", "OR") and is_between) or (upper == "NOT" and index < len(operands) - 1):
                self.notes.append(f"'{operand.text}' is searched as a word; the operator is written {upper}")

    # --- characters ---

    def _is_at_end(self) -> bool:
        return self.place >= len(self.text)

    def _skip_space(self) -> None:
        match = _SPACE.match(self.text, self.place)
        self.place = match.end() if match else self.place

    def _sees(self, character: str) -> bool:
        return self.text.startswith(character, self.place)

    def _take(self, character: str) -> bool:
        """Whether the character stood here; steps over it, and past a parenthesis over space."""
        if not self._sees(character):
            return False
        self.place += len(character)
        if character in "()":
            self._skip_space()
        return True

    def _take_sign(self, sign: str) -> bool:
        """Whether a sign stood here right before its term; alone or doubled (`--since`) it is a word."""
        is_word = _SIGN_IN_WORD.match(self.text, self.place + 1) is not None
        return not is_word and self._take(sign)

    def _sees_operator(self, name: str, sign: str) -> bool:
        self._skip_space()
        match = _OPERATOR.match(self.text, self.place)
        return self._sees(sign) or (match is not None and match[1] == name)

    def _take_operator(self, name: str, sign: str) -> bool:
        if not self._sees_operator(name, sign):
            return False
        self.place += len(sign if self._sees(sign) else name)
        return True

    def _take_comparison(self) -> str | None:
        match = _COMPARISON.match(self.text, self.place)
        if match is None:
            return None
        self.place = match.end()
        return match[1]

    def _deeper(self, read: Callable[[], Query], start: int) -> Query:
        if self.depth >= MAX_DEPTH:
            self._fail(f"the query is nested more than {MAX_DEPTH} deep", "Take out parentheses", start)
        self.depth += 1
        query = read()
        self.depth -= 1
        return query

    def _fail(self, problem: str, remedy: str, place: int | None = None) -> NoReturn:
        position = self.place if place is None else place
        raise BadQuery(
            f"{problem} (character {position + 1})",
            remedy=f"{remedy}\n{_caret_lines(self.text, position)}",
            position=position,
        )


def _plain(run: _Run) -> str:
    return "".join(character for character, _ in run)


def _caret_lines(text: str, position: int) -> str:
    """The text around a place, and a caret under it. What does not print is shown as a space."""
    start, end = max(position - _CARET_REACH, 0), position + _CARET_REACH
    shown = "".join(character if character.isprintable() else " " for character in text[start:end])
    before, after = "…" if start else "", "…" if end < len(text) else ""
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + position - start)}^"
