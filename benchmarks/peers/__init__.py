"""Who keeps the same lines and is asked the same questions as the store. Each file here is one of them.

A peer owes two things. `load` takes the lines in, from the raw file where the peer can read it, to where they are on
the disk and can be asked; it is timed as a whole process, or as all requests to a server. `questions` gives, while it
is open, for each question that the peer can be asked a call that answers it in full and tells how many records or
groups it found, so that answers can be compared too. What a peer cannot be asked is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from benchmarks.mixed_lines import Lines

ROOT = Path(__file__).parents[2]
"""Where `python -m benchmarks.peers.…` is run from."""


class Question(StrEnum):
    """What is asked."""

    NEEDLE = "needle, 16 hits, whole rows"
    ABSENT = "a word that is not there"
    NEWEST_WORD = "newest 20 of a word and error"
    SUBSTRING = "count of a substring"
    REGEX = "count of a regex"
    BY_SERVICE = "count by service"
    HISTOGRAM = "count by minute and severity"
    TRACE = "trace, whole rows"
    AVERAGE = "avg(duration_ms) where status_code>=500, by service"
    NEWEST_ERROR = "newest 20 errors"
    TEMPLATE_WORD = "count of a word of templates"
    TEMPLATES = "count by template"


Ask = Callable[[], int]
"""Asks, takes the whole answer, and tells how many records or groups it found."""


@dataclass(frozen=True)
class Loaded:
    """Lines that a peer has taken in."""

    lines: int
    wall_s: float
    cpu_s: float | None
    """User and system time of all threads and processes; None where a server spent it."""

    size_bytes: int | None
    """On the disk, indexes included; None where a server does not tell."""


class Peer(Protocol):
    """One who keeps lines."""

    @property
    def name(self) -> str:
        """As the table calls it."""

    def load(self, lines: Lines) -> Loaded:
        """Takes the lines in; what was taken in before is forgotten."""

    def questions(self, lines: Lines) -> AbstractContextManager[Mapping[Question, Ask]]:
        """What can be asked of those lines."""


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder, or of a file."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
