"""What comes back from a tool: one shape for all of them, bounded, traceable, the same at every door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A value that JSON can say."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One record shown as proof; `text` is redacted and safe to print."""

    ref: str
    """`e12@3f9ac21b`: line 12 of the source whose key is 3f9a, whose text hashes to c21b."""

    time: str = ""
    """ISO 8601 in UTC; empty when the record has no time."""

    source: str
    severity: str = ""
    text: str
    flag: str = ""
    """`instruction-like` when the text reads as if it spoke to an agent."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What was looked at, so that "not found" is worth something."""

    lines: int
    records: int
    sources: int
    start: str = ""
    end: str = ""
    undated: float = 0.0
    """Share of records without a time, 0 to 1."""

    skipped: tuple[str, ...] = ()
    """`name: reason` of each source, or part of one, that could not be read."""

    redacted: int = 0
    flagged: int = 0


@dataclass(frozen=True, kw_only=True)
class Omitted:
    """What was left out of an answer, and why."""

    items: int = 0
    evidence: int = 0
    reason: str = "budget"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer. `summary` and `next` are made of counts, ids and known names: never of log text."""

    summary: str
    items: tuple[Mapping[str, Json], ...] = ()
    """Ranked rows; what they hold is told by each tool. An item names its evidence under `refs`."""

    evidence: tuple[Evidence, ...] = ()
    coverage: Coverage
    omitted: Omitted | None = None
    cursor: str | None = None
    """Hand it back to the same tool to go on."""

    next: tuple[str, ...] = ()
    """Calls worth making now, ready to copy."""

    found: bool = field(default=True, kw_only=True)
    """Whether what was asked for is there; not part of the printed answer."""
