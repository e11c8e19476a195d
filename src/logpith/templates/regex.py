"""A template as a regular expression: what programs outside of ours can search its records with.

A slot that is one word in all bodies takes anything but blanks; one that may be a date, a size or a quoted value takes
anything. Each pattern that became part of a template is an alternative, so optional parts are where they were seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logpith.templates.canonical import CUT, WILDCARD

_MOST_FORMS = 64
_MOST_CHARACTERS = 20_000
_BLANKS = "[ \\t]+"
# Canonical forms end at the last byte that is no white space, as str.rstrip() has it.
_END = "[ \\t-\\r\\x1c-\\x1f]*$"
_WORD = "[^ \\t]*"
_ANYTHING = ".*?"
_SIGN = re.compile(r"[^\w\x80-\U0010ffff]")  # ASCII but letters, digits and _


@dataclass(frozen=True)
class Form:
    """A pattern, and at which of its slots a value may hold blanks."""

    delimiters: tuple[str, ...]
    words: tuple[str, ...]
    wide: frozenset[int]


def regex_of(forms: Sequence[Form]) -> str | None:
    """The pattern that matches whatever one of the forms matches; None when there are too many of them."""
    alternatives = list(dict.fromkeys(map(_alternative, forms)))
    if not alternatives or len(alternatives) > _MOST_FORMS or sum(map(len, alternatives)) > _MOST_CHARACTERS:
        return None
    either = alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"
    return rf"(?s)^[ \t\r]*{either}{_END}"


def _alternative(form: Form) -> str:
    *before, tail = form.delimiters
    is_cut = tail == CUT
    written = []
    for place, (delimiter, word) in enumerate(zip(before, form.words, strict=True)):
        written.append(_literal(delimiter))
        if word != WILDCARD:
            written.append(_literal(word))
        else:
            written.append(_ANYTHING if place in form.wide else _WORD)
    written.append(_ANYTHING if is_cut else _literal(tail))
    return "".join(_without_repeats(written))


def _without_repeats(parts: Iterable[str]) -> Iterable[str]:
    """The parts with one of two equal neighbours that both match anything."""
    last = ""
    for part in parts:
        if part != last or part not in (_ANYTHING, _WORD):
            yield part
        last = part or last


def _literal(text: str) -> str:
    """The text itself; a blank stands for a run of them."""
    return _BLANKS.join(_SIGN.sub(_escaped, part) for part in text.split(" "))


def _escaped(sign: re.Match[str]) -> str:
    return f"\\{sign[0]}" if sign[0].isprintable() else f"\\x{ord(sign[0]):02x}"
