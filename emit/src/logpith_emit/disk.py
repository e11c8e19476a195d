"""The disk, as everything that must survive touches it. Tests put another one in its place, which cuts the power.

Nothing is durable before it is synced: the bytes of a file by the file's `sync`, its name by `sync_folder` of the
folder that it stands in. `rename` replaces what had the name.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

Data = bytes | bytearray | memoryview


class Appending(Protocol):
    """A file that only grows."""

    size_bytes: int

    def write(self, data: Data) -> None:
        """Puts all of `data` behind what is there; it is not durable yet."""

    def sync(self) -> None:
        """Returns when all that was written is durable."""

    def close(self) -> None:
        """Closes it, without syncing."""


class Disk:
    """The disk of this machine. Every method may raise OSError."""

    def append_to(self, path: Path) -> Appending:
        """The file at `path`, made when it is not there, to be written at its end."""
        return _File(path)

    def write_new(self, path: Path, data: Data) -> None:
        """A file that was not there, with its bytes synced; its name is not."""
        file = _File(path, exclusive=True)
        try:
            file.write(data)
            file.sync()
        finally:
            file.close()

    def read(self, path: Path) -> bytes:
        """All of a file."""
        return path.read_bytes()

    def names(self, folder: Path) -> list[str]:
        """What stands in a folder, sorted; nothing where there is none."""
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def make_folder(self, path: Path) -> None:
        """A folder, with those above it; none of their names is synced."""
        path.mkdir(parents=True, exist_ok=True)

    def rename(self, old: Path, new: Path) -> None:
        """Gives a file or folder another name, in the place of a file that had it."""
        old.replace(new)

    def remove(self, path: Path) -> None:
        """Takes a file away, if it is there."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Takes a folder away with all that is in it, if it is there."""
        if path.is_dir():
            shutil.rmtree(path)

    def truncate(self, path: Path, size_bytes: int) -> None:
        """Cuts a file behind its first bytes."""
        os.truncate(path, size_bytes)

    def sync_folder(self, path: Path) -> None:
        """Returns when the names in a folder are durable."""
        if os.name == "nt":  # Windows knows no such thing, and needs none
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _File:
    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | (os.O_EXCL if exclusive else 0)
        flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self.size_bytes = os.fstat(self._descriptor).st_size

    def write(self, data: Data) -> None:
        left = memoryview(data).cast("B")
        while left:
            written = os.write(self._descriptor, left)
            self.size_bytes += written
            left = left[written:]

    def sync(self) -> None:
        getattr(os, "fdatasync", os.fsync)(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
