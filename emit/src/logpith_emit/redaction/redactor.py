"""The redactor: blanks out what rules find, each value with a placeholder of its own that stays the same."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from logpith_emit.redaction.groups import Group, groups_of
from logpith_emit.redaction.names import is_said_openly, tells_a_secret
from logpith_emit.redaction.rule import Pattern, Rule, compile_own
from logpith_emit.redaction.rules import DEFAULT_RULES
from logpith_emit.redaction.shapes import (
    LONGEST_SHAPE,
    MOST_SHAPES,
    SHAPE_BYTES,
    has_no_sign,
    may_be_a_scheme,
)

# A text that still gives something new after so many rounds was made to do that, and is hidden whole.
_MOST_ROUNDS = 8

_MOST_NARROWED = 4096

_DEEPEST = 64
"""Levels of nesting in attributes that are looked into; JSON readers commonly stop there too."""


class Redactor:
    """Blanks out secrets, each value with a placeholder of its own that stays the same.

    May be used by several threads at once, and after a fork: there is no lock to be held.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = DEFAULT_RULES,
        *,
        compile_pattern: Callable[[str], Pattern] = compile_own,
        most_remembered: int = 65_536,
        blank: Callable[[str], str] | None = None,
        placeholder: Callable[[str, str], str] | None = None,
    ) -> None:
        """`compile_pattern` is RE2's where users wrote rules. Of more than `most_remembered` values the ones met
        first are forgotten; they get a new number when they come again, never one that was given out. `blank`
        says what stands in the place of a value, instead of a numbered placeholder; it must leave nothing of
        the value, and give the same for what it gave. `placeholder` says it of a kind and a value: nothing, or
        `<kind:digits>` with 12 digits at most, which is known again for one.
        """
        self.rules = tuple(rules)
        self._has_default_rules = self.rules == DEFAULT_RULES
        self.clean_shapes: dict[bytes, int] = {}
        """Flat lines of JSON that were clean, translated by `SHAPE_BYTES`, and how many fields they had."""

        self._compile = compile_pattern
        self._own_blank = blank
        self._own_placeholder = placeholder
        self._most_remembered = most_remembered
        kinds = sorted({rule.kind for rule in self.rules} | {"secret"})
        # A kind that is already in a dict is counted up in one step of the interpreter.
        self.counts: Counter[str] = Counter(dict.fromkeys(kinds, 0))
        """How many values were blanked out, by kind."""

        self._next_number = {kind: itertools.count(1) for kind in kinds}
        # Only hashes are kept: whoever gets to see this memory must not find the secrets of a day in it.
        self._numbers: dict[int, int] = {}
        self._placeholder = re.compile(rf"<(?:{'|'.join(kinds)}):[0-9]{{1,12}}>")
        self._groups = groups_of(self.rules)
        self._narrowed: dict[tuple[str, ...], list[Group]] = {}

    def redact(self, text: str, triggers: tuple[str, ...] | None = None) -> str:
        """`text` with its secrets blanked out; doing it again changes nothing.

        `triggers` says of which triggers of rules at most the text holds some; it is asked for no others then.
        """
        rules = self._candidates(text, triggers)
        if not rules:
            return text
        redacted = text
        for _ in range(_MOST_ROUNDS):
            before = redacted
            for rule in rules:
                redacted = self._apply(rule, redacted)
            if redacted == before:
                return redacted
        return self._blank("secret", text)

    def is_clean(self, text: str) -> bool:
        """Whether no rule can match, which is told in 2 to 3 µs. When not, one need not."""
        return not self._candidates(text, None)

    def is_clean_line(self, line: bytes, fields: int) -> bool:
        """Whether no rule can match a value of a flat line of JSON, whose so many names are plain: none is a secret's
        or has any of `:=@<`. Told in less than 1 µs of nearly every line. When not, one need not."""
        shape = line.translate(SHAPE_BYTES)
        if self.clean_shapes.get(shape) == fields:
            return True
        if not self._has_default_rules or not has_no_sign(line, shape, fields):
            return not self._candidates(line.decode(), None)
        if not may_be_a_scheme(shape) and len(shape) <= LONGEST_SHAPE:
            if len(self.clean_shapes) >= MOST_SHAPES:
                self.clean_shapes.clear()
            self.clean_shapes[shape] = fields
        return True

    def redact_fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The same fields with secrets blanked out, in values at any depth, and what secret names name.

        Numbers stay numbers unless their name is a secret's; objects of other types are given back untouched.
        """
        return {name: self._redact_value(name, value, depth=0) for name, value in fields.items()}

    def _redact_value(self, name: str, value: object, *, depth: int) -> object:
        if isinstance(value, str):
            return self._blank("secret", value) if tells_a_secret(name, value) else self.redact(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._blank("secret", str(value)) if tells_a_secret(name, str(value)) else value
        if not isinstance(value, Mapping | list | tuple):
            return value
        if depth == _DEEPEST:
            return self.redact(str(value))
        if isinstance(value, Mapping):
            return {key: self._redact_value(f"{key}", item, depth=depth + 1) for key, item in value.items()}
        return [self._redact_value(name, item, depth=depth + 1) for item in value]

    def _candidates(self, text: str, triggers: tuple[str, ...] | None) -> list[Rule]:
        """The rules that may match, in their order; none for nearly every line, found out in 2 to 3 µs."""
        lowered = text.lower()
        encoded = text.encode("ascii", "replace")
        found: list[tuple[int, Rule]] = []
        for group in self._groups if triggers is None else self._groups_asking(triggers):
            if group.has_run is None or group.has_run(encoded):
                found += group.always
                for mark, asked in group.triggers_by_mark:
                    if mark in lowered:
                        for trigger in filter(lowered.__contains__, asked):
                            found += group.rules_of[trigger]
        if len(found) > 1:
            return [rule for _, rule in sorted(set(found), key=_place)]
        return [rule for _, rule in found]

    def _groups_asking(self, triggers: tuple[str, ...]) -> list[Group]:
        """The groups as they are where no other triggers can be found."""
        known = self._narrowed.get(triggers)
        if known is None:
            if len(self._narrowed) >= _MOST_NARROWED:
                self._narrowed.clear()
            groups = [group.asking(triggers) for group in self._groups]
            known = [group for group in groups if group.always or group.triggers_by_mark]
            self._narrowed[triggers] = known
        return known

    def _apply(self, rule: Rule, text: str) -> str:
        search = self._compile(rule.pattern).search
        pieces: list[str] = []
        kept = at = 0
        while (match := search(text, at)) is not None:
            if past := self._end_of_placeholder(text, match.start()):
                at = past
                continue
            start, end = match.span(match.lastindex or 0)
            place = rule.judge(text, start, end) if rule.judge else (start, end)
            if place is None or self._is_blank(text[place[0] : place[1]]):
                at = start if start > match.start() else _after_first_space(text, start, end)
                continue
            start, end = max(place[0], kept), place[1]
            quote = _missing_quote(text[match.start() : start])
            pieces += text[kept:start], quote, self._blank(rule.kind, text[start:end]), quote
            kept = at = end
        return "".join((*pieces, text[kept:])) if pieces else text

    def _end_of_placeholder(self, text: str, position: int) -> int:
        """Where the placeholder ends that `position` lies within, 0 if it lies in none."""
        bracket = text.rfind("<", max(position - 64, 0), position)
        around = self._placeholder.match(text, bracket) if bracket >= 0 else None
        return around.end() if around and around.end() > position else 0

    def _is_blank(self, value: str) -> bool:
        """Whether nothing secret is left: placeholders, and at most the name of a scheme beside them."""
        rest = self._placeholder.sub("", value)
        return rest != value and is_said_openly(rest.strip(" )]}>.:!?"))

    def _blank(self, kind: str, value: str) -> str:
        if self._own_blank is not None:
            self.counts[kind] += 1
            return self._own_blank(value)
        if self._own_placeholder is not None:
            self.counts[kind] += 1
            return self._own_placeholder(kind, value)
        key = hash((kind, value))
        number = self._numbers.get(key)
        if number is None:
            # setdefault and next are one step each, so two threads that meet here agree on a number.
            number = self._numbers.setdefault(key, next(self._next_number[kind]))
            if len(self._numbers) > self._most_remembered:
                self._numbers.pop(next(iter(self._numbers)), None)
        self.counts[kind] += 1
        return f"<{kind}:{number}>"


def _place(placed: tuple[int, Rule]) -> int:
    return placed[0]


def _after_first_space(text: str, start: int, end: int) -> int:
    """Where to look on in a match that was none: in a row of numbers the next one may begin a card's."""
    space = text.find(" ", start, end)
    return space + 1 if space >= 0 else end


def _missing_quote(lead: str) -> str:
    """The quote that a placeholder needs for JSON to stay JSON: `"password": 123` has none yet."""
    if '"' not in lead or lead.rstrip()[-1:] != ":":
        return ""
    before, quote, _ = lead.rpartition('"')
    return before[len(before.rstrip("\\")) :] + quote
