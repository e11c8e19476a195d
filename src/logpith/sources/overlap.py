"""Overlap: what is new in the last lines of a log, given the lines that were seen before.

A place that tells only its last lines tells most of them again each time. Of the lines seen before, hashes of the last
MOST_KNOWN are kept; what is new begins behind the longest piece of the new lines that the known ones end with. Where
equal lines repeat, several places fit: the last one is taken, so that no line is ever stored twice. Where no place fits
and yet most lines are known, as when a process manager tells several logs one behind the other, the others are new.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

MOST_KNOWN: Final = 1024
_WIDTH: Final = 6


@dataclass(frozen=True)
class Known:
    """The last lines that were seen of a log."""

    hashes: bytes = b""
    """One behind the other, _WIDTH bytes each."""

    is_all: bool = False
    """Whether they are all that the log had: then its beginning is known too."""

    def spelled(self) -> str:
        """As text, for a position."""
        return ("*" if self.is_all else "") + b64encode(self.hashes).decode()

    @classmethod
    def read(cls, text: str) -> Known:
        """What `spelled` gave; nothing known when it is no such text."""
        try:
            hashes = b64decode(text.removeprefix("*"), validate=True)
        except ValueError:
            return cls()
        return cls(hashes, text.startswith("*")) if len(hashes) % _WIDTH == 0 else cls()

    def followed_by(self, lines: Sequence[bytes]) -> Known:
        """What is known when these lines came next."""
        hashes = self.hashes + hashes_of(lines)
        return Known(hashes[-MOST_KNOWN * _WIDTH :], self.is_all and len(hashes) <= MOST_KNOWN * _WIDTH)


@dataclass(frozen=True)
class News:
    """What is new in some last lines."""

    places: Sequence[int]
    """Of the new lines, in order."""

    has_gap: bool = False
    """Whether nothing of them was known: lines between may have been missed."""

    is_mixed: bool = False
    """Whether new lines stand between known ones."""


def news_in(lines: Sequence[bytes], known: Known) -> News:
    """What is new in the last lines of a log."""
    before = known.hashes
    now = hashes_of(lines)
    if not before or not now:
        return News(range(len(lines)))
    if known.is_all and now.startswith(before):
        return News(range(len(before) // _WIDTH, len(lines)))
    place = now.rfind(before)
    while place > 0 and place % _WIDTH:
        place = now.rfind(before, 0, place + len(before) - 1)
    if place >= 0:
        return News(range((place + len(before)) // _WIDTH, len(lines)))
    for count in range(min(len(before), len(now)) // _WIDTH, 0, -1):
        if before.endswith(now[: count * _WIDTH]):
            return News(range(count, len(lines)))
    return _news_between(_each(now), _each(before))


def _news_between(now: Sequence[bytes], before: Sequence[bytes]) -> News:
    """What is new where lines came in between: of several logs one behind the other, or late ones in order of time.

    A few lines that are the same by chance make no overlap: half of those that could be known must be.
    """
    left = Counter(before)
    new: list[int] = []
    first_known = len(now)
    for place, line in enumerate(now):
        if left[line]:
            left[line] -= 1
            first_known = min(first_known, place)
        else:
            new.append(place)
    if 2 * (len(now) - len(new)) < min(len(now), len(before)):
        return News(range(len(now)), has_gap=True)
    if len(now) > len(before):  # those at the beginning may have been known before they were forgotten
        new = [place for place in new if place > first_known]
    return News(new, is_mixed=True)


def _each(hashes: bytes) -> list[bytes]:
    return [hashes[place : place + _WIDTH] for place in range(0, len(hashes), _WIDTH)]


def hashes_of(lines: Sequence[bytes]) -> bytes:
    """A hash for each line; of some thousand lines at most, which is why a loop may do it."""
    return b"".join(blake2b(line, digest_size=_WIDTH).digest() for line in lines)
