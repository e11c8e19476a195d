"""Where a spool goes on that has no room, noted beside it: who is told of its folder alone finds the rest by that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from logpith_emit.spool import Spool

SUFFIX = ".spill"

_NAME = re.compile(rf"[0-9a-f]{{8}}{re.escape(SUFFIX)}")


def is_note(name: str) -> bool:
    """Whether a file of this name says where a spool goes on."""
    return _NAME.fullmatch(name) is not None


def note_spill(spool: Spool) -> None:
    """Leaves a note of the folder where the spool goes on, unless it is there. Programs do so before they need that
    folder: when they do, there may be no room for a note.

    Raises:
        OSError: there is none, or another process leaves the same at this moment.
    """
    if spool.spill_folder is None:
        return
    text = os.fsencode(spool.spill_folder.absolute())
    path = spool.folder / _name_of(text)
    with suppress(FileNotFoundError):
        if spool.disk.read(path) == text:
            return
    new = path.with_name(path.name + ".new")
    spool.disk.make_folder(spool.folder)
    spool.disk.remove(new)
    spool.disk.write_new(new, text)
    spool.disk.rename(new, path)
    spool.disk.sync_folder(spool.folder)


def noted(spool: Spool, names: Iterable[str]) -> list[Path]:
    """The folders that the notes among these names of a spool's folder tell; none of a note that is damaged."""
    told: list[Path] = []
    for name in filter(is_note, names):
        with suppress(FileNotFoundError):
            text = spool.disk.read(spool.folder / name)
            if _name_of(text) == name:
                told.append(Path(os.fsdecode(text)))
    return told


def spilled_to(spool: Spool, names: Iterable[str]) -> list[Path]:
    """The folders beside its own where a spool's files can be, each once, however it is spelt."""
    seen = {os.path.realpath(spool.folder)}
    told: list[Path] = []
    for folder in (*spool.folders[1:], *noted(spool, names)):
        real = os.path.realpath(folder)
        if real not in seen:
            seen.add(real)
            told.append(folder)
    return told


def without_spilled(spools: Sequence[Spool]) -> list[Spool]:
    """Of some spools, those that are not where another of them goes on: what is there is read with that one."""
    notes: dict[Path, list[Path]] = {}
    spills: set[str] = set()
    for spool in spools:
        notes[spool.folder] = []
        with suppress(OSError):  # which who reads it tells
            names = spool.disk.names(spool.folder)
            notes[spool.folder] = noted(spool, names)
            spills.update(map(os.path.realpath, spilled_to(spool, names)))
    return [spool for spool in spools if notes[spool.folder] or os.path.realpath(spool.folder) not in spills]


def _name_of(text: bytes) -> str:
    """The checksum of what a note says is its name: then a torn one is known, and each folder has one."""
    return f"{crc32(text):08x}{SUFFIX}"
