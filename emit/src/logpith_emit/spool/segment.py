"""The files of a spool, by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

ASIDE = ".damaged"
"""What a damaged file's name has behind it when it is kept aside."""

_NAME = re.compile(r"([0-9a-f]+-[0-9a-f]+)-(\d{8,19})(?:-after-(\d{1,20}))?\.spool")


@dataclass(frozen=True)
class Segment:
    """One file of a spool."""

    folder: Path

    writer: str
    """Who writes it: pid and chance, in hex."""

    number: int
    """Counts the writer's files, from 1."""

    after: int | None = None
    """Set when a sync failed: what the writer's files before hold of later sequences stands here again."""

    @property
    def name(self) -> str:
        again = "" if self.after is None else f"-after-{self.after}"
        return f"{self.writer}-{self.number:08d}{again}.spool"

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def salt(self) -> int:
        """Where the checksums of its frames begin."""
        return crc32(self.name.encode())


def segment_named(folder: Path, name: str) -> Segment | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    segment = Segment(folder, match[1], int(match[2]), int(match[3]) if match[3] else None)
    return segment if segment.name == name else None
