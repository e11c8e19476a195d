"""A rule: something to blank out, as data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

Span = tuple[int, int]
Judge = Callable[[str, int, int], Span | None]
"""Given the text and the place of a value, the place to blank out, or None when it is no secret after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something to blank out."""

    kind: str
    """What stands in the placeholder: `email` makes `<email:1>`. Lower-case letters and `_`."""

    pattern: str
    """An RE2 expression. Its last group that took part is the value; without groups, all of the match is."""

    triggers: tuple[str, ...] = ()
    """Lower-case texts, one of which every match holds in some case; without any, all texts are tried."""

    run: Literal["", "word", "digits"] = ""
    """What every match holds besides: `word` is 16 of `A-Z a-z 0-9 _ -` in a row, `digits` 14 digits in a row
    or in groups of four. Saves looking for the triggers in the many lines without."""

    judge: Judge | None = None
    """Has the last word on a match, and may move the borders of the value."""


class Match(Protocol):
    """What `re` and RE2 both say of a match."""

    @property
    def lastindex(self) -> int | None: ...
    def start(self) -> int: ...
    def span(self, group: int = 0, /) -> Span: ...


class Pattern(Protocol):
    def search(self, text: str, pos: int = 0, /) -> Match | None: ...


@lru_cache(maxsize=256)
def compile_own(pattern: str) -> Pattern:
    """A pattern of this package, compiled once; ASCII, because RE2 means ASCII by `\\b`, `\\d` and `\\s`.

    For constants of our own only: `re` may take exponential time on what users write.
    """
    return re.compile(pattern, re.ASCII)
