"""How far readers are, on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from sys import maxsize
from typing import TYPE_CHECKING
from zlib import crc32

from logpith_emit.spool.segment import Segment

if TYPE_CHECKING:
    from logpith_emit.spool import Spool

SUFFIX = ".place"
BELOW = ".below"
"""What the file's name ends with that a reader of all spools in a folder and right below it has there."""


@dataclass(frozen=True)
class Place:
    """How far a reader is with the files of one writer."""

    number: int = 0
    """The file it is in; it is done with those before."""

    offset: int = 0
    """The byte of it to read on from."""

    sequence: int = 0
    """The last record read."""

    records: int = 0
    """How many were read of that file."""

    def done_of(self, segment: Segment) -> int:
        """How many records of a file are read; for all, more than a file can have."""
        if segment.number == self.number:
            return self.records
        return maxsize if segment.number < self.number else 0


def place_files(spool: Spool) -> list[Path]:
    return [spool.folder / name for name in spool.disk.names(spool.folder) if name.endswith(SUFFIX)]


def load_places(spool: Spool, path: Path) -> tuple[dict[str, Place], bool]:
    """The places that a reader saved, and whether what stands there is good; none when it has not saved any."""
    try:
        checksum, _, text = spool.disk.read(path).partition(b"\n")
    except FileNotFoundError:
        return {}, True
    except OSError:
        return {}, False
    if checksum != b"%08x" % crc32(text):
        return {}, False
    return {writer: Place(*numbers) for writer, numbers in json.loads(text).items()}, True


def begin_places(spool: Spool, name: str) -> None:
    """The file of a reader that has read nothing, unless it has one."""
    with suppress(FileExistsError):
        spool.disk.write_new(spool.folder / f"{name}{SUFFIX}", _with_checksum(b"{}"))


def begin_below(spool: Spool, name: str) -> None:
    """Says that a reader reads this spool, and those of folders in its own, also those that come."""
    with suppress(FileExistsError):
        spool.disk.write_new(spool.folder / f"{name}{BELOW}", b"")


def readers_of_all(spool: Spool) -> list[str]:
    """Those that read this spool because they read all in its folder, or in the one above."""
    folders = (spool.folder, spool.folder.parent)
    names = [name for folder in folders for name in spool.disk.names(folder)]
    return [name.removesuffix(BELOW) for name in names if name.endswith(BELOW)]


def save_places(spool: Spool, path: Path, places: Mapping[str, Place]) -> None:
    text = json.dumps({writer: astuple(place) for writer, place in places.items()}).encode()
    new = path.with_name(path.name + ".new")
    spool.disk.remove(new)
    spool.disk.write_new(new, _with_checksum(text))
    spool.disk.rename(new, path)
    spool.disk.sync_folder(spool.folder)


def _with_checksum(text: bytes) -> bytes:
    return b"%08x\n%b" % (crc32(text), text)
