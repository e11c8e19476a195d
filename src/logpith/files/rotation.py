"""Rotation: which files are pieces of one log, and in which order they were written.

The names are those that logrotate, log4j, logback, Python's handlers, newsyslog and pm2 give: `app.log.2.gz`,
`app.log-20261119`, `app-2026-11-19.log`, `app.2026-11-19.1.log.gz`, `app.1.log`, `app.log.old`. Of a name alone nobody
can tell for sure; what is not clearly a piece is a log of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PACKED = re.compile(r"\.(?:gz|bz2|xz|lzma|zst|zstd|z)$", re.IGNORECASE)
_EXTENSION = r"(?P<extension>\.(?:log|txt|out|err|json|jsonl|ndjson|csv))"
_DATE = (
    r"(?P<date>(?:19|20)\d\d(?P<dash>[-_.]?)(?:0[1-9]|1[0-2])(?P=dash)(?:0[1-9]|[12]\d|3[01])"
    r"(?:[-_.T]?(?:[01]\d|2[0-3])(?:[-_.:]?[0-5]\d){0,2})?|1[0-9]{9})"
)
_INDEX = r"(?:[.-](?P<index>\d{1,4}))?"
# The stem of `kernel-5.4` ends with a digit: its 4 is a version.
_STEM = r"(?P<stem>.*[^\d.])"
_FORMS = (
    re.compile(rf"{_STEM}[-._]{_DATE}{_INDEX}{_EXTENSION}"),
    re.compile(rf"(?P<stem>.*[^.])[-._]{_DATE}{_INDEX}"),
    re.compile(rf"{_STEM}\.(?P<number>\d{{1,3}}){_EXTENSION}"),
    re.compile(rf"{_STEM}\.(?P<number>\d{{1,3}})"),
    re.compile(r"(?P<stem>.+)\.(?P<old>old)"),
)


@dataclass(frozen=True)
class Piece:
    """What a file's name says of it."""

    live: str
    """The name of the file that its stream is written to now."""

    date: str = ""
    """Digits; empty when the name has none."""

    index: int = 0
    """Of several with the same date, which one: the first is the oldest."""

    number: int | None = None
    """How many times it was rotated."""

    @property
    def is_live(self) -> bool:
        """Whether the name is the live file's own."""
        return not self.date and self.number is None


def piece_of(name: str) -> Piece:
    """What `name`, a file's name without its folder, says."""
    bare = _PACKED.sub("", name)
    for form in _FORMS:
        match = form.fullmatch(bare)
        if match is None:
            continue
        found = match.groupdict()
        live = found["stem"] + (found.get("extension") or "")
        if found.get("date"):
            return Piece(live, re.sub(r"\D", "", found["date"]), int(found.get("index") or 0))
        return Piece(live, number=1 if found.get("old") else int(found["number"]))
    if bare != name and not bare.endswith(".tar") and "." in bare:
        return Piece(bare, number=0)  # packed away by hand: `app.log.gz`
    return Piece(name)


@dataclass(frozen=True)
class Rotated:
    """Paths in the order in which their records were written, each with the stream that it belongs to."""

    paths: tuple[Path, ...]
    streams: Mapping[Path, str]
    """For each path that of the live file, whether that exists or not."""


def in_streams(paths: Iterable[Path], changed_ns: Callable[[Path], int]) -> Rotated:
    """`paths` with the pieces of each stream together, where the first of them stood: oldest first, the live one last.

    `changed_ns` tells when a file was last written to, which decides where names do not: between a number and a date.
    """
    pieces: dict[str, list[tuple[Path, Piece]]] = {}
    streams: dict[Path, str] = {}
    for path in paths:
        piece = piece_of(path.name)
        stream = str(path.with_name(piece.live)) if piece.live else str(path)
        streams[path] = stream
        pieces.setdefault(stream, []).append((path, piece))
    ordered: list[Path] = []
    for found in pieces.values():
        ordered += _oldest_first(found, changed_ns)
    return Rotated(tuple(ordered), streams)


def _oldest_first(pieces: list[tuple[Path, Piece]], changed_ns: Callable[[Path], int]) -> list[Path]:
    live = [path for path, piece in pieces if piece.is_live]
    rotated = [(path, piece) for path, piece in pieces if not piece.is_live]
    kinds = {bool(piece.date) for _, piece in rotated}

    def place(item: tuple[Path, Piece]) -> tuple[int, str, int, int, str]:
        path, piece = item
        when = changed_ns(path) if len(kinds) > 1 else 0
        return when, piece.date, piece.index, -(piece.number or 0), path.name

    return [path for path, _ in sorted(rotated, key=place)] + live
