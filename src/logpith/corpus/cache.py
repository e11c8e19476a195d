"""What we remember between processes, in the cache folder. Losing it costs time, never truth.

    sources.json                which paths have which source keys, so that a ref needs no path
    indexes/<key>/<version>/    one index: arrays and notes about them; never changed once it is published
    templates/<key>             what was mined from a table of shapes
    points/<key>                where unpacking a packed file can begin

A thing is written under a draft's name and published by renaming it, so a reader finds all of it or nothing,
whoever else writes at the same time and wherever a writer is killed. What nobody asked for longest goes first
when the cache outgrows its bound.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.config import cache_dir
from logpith.scan.checksum import Checksum
from logpith.timerange import NS_PER_H, now_ns

_BOOK = "sources.json"
_MOST_SOURCES = 1_000
_DRAFT = "draft-"
_DRAFT_LIVES_NS = 6 * NS_PER_H

MOST_BYTES = 20 << 30
"""The bound on the cache, unless `$LOGPITH_CACHE_BYTES` says otherwise. An index takes about a quarter of its text."""

LEAST_FREE_BYTES = 256 << 20
"""So much of the disk is left to others."""


class Draft:
    """A folder that is being written: arrays that only grow, and small files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, FileIO] = {}
        self._checksums: dict[str, Checksum] = {}
        # What nobody publishes goes with whoever made it, also when the process ends in the midst of it.
        self._forget = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @classmethod
    def begin(cls, kind: str, expected_bytes: int) -> Draft | None:
        """A new one for a thing of a kind; None where there is no room, or the cache cannot be written."""
        home = cache_dir() / kind
        try:
            home.mkdir(parents=True, exist_ok=True)
            if (
                expected_bytes > most_bytes()
                or shutil.disk_usage(home).free < expected_bytes + LEAST_FREE_BYTES
            ):
                return None
            return cls(Path(tempfile.mkdtemp(prefix=_DRAFT, dir=home)))
        except OSError:
            return None

    def append(self, name: str, array: NDArray[Any]) -> None:
        """Adds the bytes of an array to a file.

        Raises:
            OSError: the disk is full, or the folder is gone.
        """
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = FileIO(self._folder / name, "w+b")
            self._checksums[name] = Checksum()
        octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        while octets:  # a raw file may take less than it is given, when the disk is nearly full
            octets = octets[file.write(octets) or 0 :]
        self._checksums[name].add(array)

    def so_far(self, kinds: Mapping[str, type[np.generic]]) -> dict[str, NDArray[Any]]:
        """All that was written until now; mapped, so it stays readable whatever becomes of the draft."""
        found: dict[str, NDArray[Any]] = {}
        for name, kind in kinds.items():
            file = self._files.get(name)
            count = file.seek(0, os.SEEK_END) // np.dtype(kind).itemsize if file else 0
            found[name] = map_array(file, kind, count) if file else np.empty(0, kind)
        return found

    def checksums(self) -> dict[str, int]:
        """The checksum of each array so far."""
        return {name: checksum.value for name, checksum in self._checksums.items()}

    def write(self, name: str, data: bytes) -> None:
        """Writes a small file at once."""
        (self._folder / name).write_bytes(data)

    def take_back(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """What was written so far, also when somebody has cleared the cache; discards the draft."""
        for name, file in self._files.items():
            octets = np.empty(file.seek(0, os.SEEK_END), np.uint8)
            file.seek(0)
            left = octets.data
            while left and (count := file.readinto(left)):
                left = left[count:]
            yield name, octets
        self.discard()

    def publish(self, kind: str, key: str) -> Path | None:
        """Gives it the name under which others look for it; None when that cannot be done: `take_back` still can."""
        home = cache_dir() / kind / key
        target = home / f"{now_ns():020d}-{self._folder.name.removeprefix(_DRAFT)}"
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._folder.rename(target)
        except OSError:
            return None
        self._forget.detach()
        self._close()
        for older in versions(kind, key)[1:]:
            forget(older)  # who reads it has it open, and reads on
        return target

    def discard(self) -> None:
        """Leaves nothing behind."""
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _close(self) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        self._files.clear()


def versions(kind: str, key: str) -> list[Path]:
    """The published folders of a key, newest first."""
    try:
        return sorted((cache_dir() / kind / key).iterdir(), reverse=True)
    except OSError:
        return []


def forget(folder: Path) -> None:
    """Removes what was published; half of it is never seen, since it is moved away first."""
    grave = folder.parent.parent / f"{_DRAFT}{folder.name}"
    with contextlib.suppress(OSError):
        folder.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)


def map_array(file: Path | FileIO, kind: type[np.generic], count: int) -> NDArray[Any]:
    """`count` numbers of a file as an array that reads them when they are looked at.

    Raises:
        OSError, ValueError: there is no such file, or it is too short.
    """
    if not count:
        return np.empty(0, kind)
    # Copy on write makes it an array like any other to a kernel; nothing ever writes.
    return np.asarray(np.memmap(file, kind, "c", shape=(count,)))


def touch(folder: Path) -> None:
    """Notes that something was asked for."""
    with contextlib.suppress(OSError):
        os.utime(folder)


def most_bytes() -> int:
    """The bound on the cache."""
    told = os.environ.get("LOGPITH_CACHE_BYTES", "")
    return int(told) if told.isdigit() else MOST_BYTES


def tidy(kind: str) -> None:
    """Removes what was asked for longest ago until the bound holds, and what killed writers left behind."""
    home = cache_dir() / kind
    kept: list[tuple[float, int, Path]] = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(home):
            if entry.name.startswith(_DRAFT):
                if now_ns() - entry.stat().st_mtime_ns > _DRAFT_LIVES_NS:
                    shutil.rmtree(entry.path, ignore_errors=True)
                continue
            for folder in versions(kind, entry.name):
                kept.append((folder.stat().st_mtime, _size_bytes(folder), folder))
            with contextlib.suppress(OSError):
                Path(entry.path).rmdir()  # only an empty one
    total = sum(size for _, size, _ in kept)
    for _, size, folder in sorted(kept)[:-1]:
        if total <= most_bytes():
            break
        forget(folder)
        total -= size


def _size_bytes(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def read_note(kind: str, key: str) -> bytes:
    """A small thing that was remembered; empty when it was not."""
    path = cache_dir() / kind / key
    try:
        data = path.read_bytes()
    except OSError:
        return b""
    touch(path)
    return data


def notes(kind: str) -> list[str]:
    """The keys of all small things of a kind, the last written or read first."""
    try:
        entries = sorted(os.scandir(cache_dir() / kind), key=lambda entry: -entry.stat().st_mtime_ns)
    except OSError:
        return []
    return [entry.name for entry in entries if entry.is_file()]


def write_note(kind: str, key: str, data: bytes, most: int) -> None:
    """Remembers a small thing, and forgets the oldest of more than `most`."""
    home = cache_dir() / kind
    with contextlib.suppress(OSError):
        _write_whole(home / key, data)
        names = sorted(os.scandir(home), key=lambda entry: entry.stat().st_mtime)
        for entry in names[: max(0, len(names) - most)]:
            Path(entry.path).unlink(missing_ok=True)


def remember_sources(paths: Mapping[str, Path]) -> None:
    """Keeps which path has which key; silent where the cache cannot be written."""
    book = _read_book()
    fresh = {key: str(path.absolute()) for key, path in paths.items()}
    if all(book.get(key, [""])[0] == path for key, path in fresh.items()):
        return
    for key, path in fresh.items():
        book[key] = [path, *[other for other in book.pop(key, []) if other != path]][:4]
    newest = dict(list(book.items())[-_MOST_SOURCES:])
    with contextlib.suppress(OSError):  # a cache that cannot be written is none; refs then need their path
        _write_whole(cache_dir() / _BOOK, json.dumps(newest).encode())


def paths_of(key: str) -> tuple[Path, ...]:
    """The paths that were last read under a source key, newest first."""
    return tuple(Path(path) for path in _read_book().get(key, []))


def _read_book() -> dict[str, list[str]]:
    try:
        book = json.loads((cache_dir() / _BOOK).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(book, dict):
        return {}
    return {
        key: paths
        for key, paths in book.items()
        if isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths)
    }


def _write_whole(path: Path, data: bytes) -> None:
    """Replaces `path` at once: another process reads the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
