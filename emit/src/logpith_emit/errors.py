"""Errors that say what to do next.

LogpithError            a problem and its remedy, always both
├── Unavailable         may be tried again: a busy disk, a lock, a server that does not answer
└── Refused             may not: trying again gives the same result
    ├── BadArgument     what the caller gave cannot be used: a wrong name, a wrong value
    │   ├── BadArguments    several of them at once
    │   └── BadQuery    the text of a query cannot be read; knows the place
    ├── NotFound        no such file, ref, template; the remedy offers the nearest
    ├── Damaged         what is stored is not what was written; asked again, it is left out and named
    └── OutsideRoots    a path that the caller may not read
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class LogpithError(Exception):
    """A problem and what to do about it."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}{'' if self.problem.endswith('?') else '.'} {self.remedy}"


class Unavailable(LogpithError):
    """Trying again later may work; `retry_after_s` is when, where somebody has said so."""

    def __init__(self, problem: str, *, remedy: str, retry_after_s: float = 0.0) -> None:
        super().__init__(problem, remedy=remedy)
        self.retry_after_s = retry_after_s


class Refused(LogpithError):
    """Trying again gives the same result."""


class BadArgument(Refused):
    """What the caller gave cannot be used."""


class BadArguments(BadArgument):
    """Several of them, told at once."""

    def __init__(self, each: Sequence[BadArgument]) -> None:
        first, *others = each
        super().__init__(first.problem, remedy="\n".join([first.remedy, *map(str, others)]))
        self.each = tuple(each)


def refuse_all(mistakes: Sequence[BadArgument]) -> None:
    """Nothing, where there are no mistakes.

    Raises:
        BadArgument: the only one, or all.
    """
    if mistakes:
        raise mistakes[0] if len(mistakes) == 1 else BadArguments(mistakes)


class BadQuery(BadArgument):
    """A query that cannot be read; `position` is the 0-based character where reading stopped."""

    def __init__(self, problem: str, *, remedy: str, position: int) -> None:
        super().__init__(problem, remedy=remedy)
        self.position = position


class NotFound(Refused):
    """What was named does not exist."""


class Damaged(Refused):
    """What is stored is not what was written."""


class OutsideRoots(Refused):
    """A path that lies outside the folders this process was told to read."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the known name closest to `name`, ` Did you mean 'path'?`; empty when none is close."""
    # Imported here because this package is loaded by programs that never misspell anything.
    from difflib import get_close_matches  # noqa: PLC0415

    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{matches[0]}'?" if matches else ""
