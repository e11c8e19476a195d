"""The disk, as everything that must survive touches it. Tests put another one in its place, which cuts the power.

Nothing is durable before it is synced: the bytes of a file by the file's `sync`, its name by `sync_folder` of the
folder that it stands in. `rename` replaces what had the name.

A file that is being written can be **claimed**: the claim ends when the file is closed, or with the process, however
that ends. So a reader elsewhere knows whether a file may still grow.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

if sys.platform != "win32":
    import fcntl

Data = bytes | bytearray | memoryview


class Appending(Protocol):
    """A file that only grows."""

    size_bytes: int

    def write(self, data: Data) -> None:
        """Puts all of `data` behind what is there; it is not durable yet."""

    def sync(self) -> None:
        """Returns when all that was written is durable."""

    def claim(self) -> bool:
        """Says that it is being written, until it is closed; False when somebody has removed it meanwhile."""

    def close(self) -> None:
        """Closes it, without syncing."""


class Reading(Protocol):
    """A file to read from; one that is removed meanwhile can be read to its end."""

    def size_bytes(self) -> int:
        """How long it is now."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Bytes from `offset` on, fewer only at the file's end."""

    def close(self) -> None:
        """Closes it."""


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

    def reading(self, path: Path) -> Reading:
        """A file, open for reading."""
        return _Reading(path)

    def size_bytes(self, path: Path) -> int:
        """How long a file is."""
        return path.stat().st_size

    def is_claimed(self, path: Path) -> bool:
        """Whether somebody, here or in another process, has the file open to write it."""
        if sys.platform == "win32":
            return not _can_be_moved(path)
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        try:
            return not try_lock(descriptor)
        finally:
            os.close(descriptor)

    def remove_unclaimed(self, path: Path, *, only_empty: bool = False) -> bool:
        """Takes a file away unless it is claimed; nobody can claim it meanwhile. Whether it is gone."""
        if sys.platform == "win32":  # which removes no open file
            with suppress(PermissionError, FileNotFoundError):
                if not (only_empty and path.stat().st_size):
                    path.unlink()
            return not path.exists()
        try:
            descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return True
        try:
            gone = try_lock(descriptor) and not (only_empty and os.fstat(descriptor).st_size)
            if gone:
                path.unlink(missing_ok=True)
            return gone
        finally:
            os.close(descriptor)

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
        import shutil  # noqa: PLC0415 - which brings compression along, and no logger removes folders

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


_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Lock:
    """Held by one process at a time, until it is let go or the process ends, however that ends."""

    def __init__(self, path: Path) -> None:
        """Nothing is held yet; the file is made when it is not there."""
        self._path = path
        self._descriptor = -1

    def take(self) -> bool:
        """Whether it is held now. Does not wait.

        Raises:
            OSError: the file cannot be opened.
        """
        if self._descriptor >= 0:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def is_there(self) -> bool:
        """Whether it is held and its file is still the one of its name; else another process may hold that one."""
        try:
            return self._descriptor >= 0 and os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def let_go(self) -> None:
        """Lets another process have it. In a forked child it stays with the parent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def try_lock(descriptor: int) -> bool:
    """Whether nobody held the file; then it is held until this descriptor is closed."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only Windows has it

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if sys.platform == "win32":

    def _can_be_moved(path: Path) -> bool:
        """Whether nobody has the file open: an open one cannot be renamed, not even to its own name."""
        with suppress(PermissionError):
            path.rename(path)
            return True
        return False


class _File:
    _descriptor = -1

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _FLAGS | (os.O_EXCL if exclusive else 0)
        self._descriptor = os.open(path, flags, 0o600)
        self.size_bytes = os.fstat(self._descriptor).st_size

    def write(self, data: Data) -> None:
        written = os.write(self._descriptor, data)
        self.size_bytes += written
        if written != len(data):  # which for a view may also be so when all is written
            left = memoryview(data).cast("B")[written:]
            while left:
                written = os.write(self._descriptor, left)
                self.size_bytes += written
                left = left[written:]

    def sync(self) -> None:
        getattr(os, "fdatasync", os.fsync)(self._descriptor)

    def claim(self) -> bool:
        if sys.platform == "win32":  # which removes no open file
            return True
        # This waits only for somebody who is looking or removing, which takes no time.
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        return os.fstat(self._descriptor).st_nlink > 0

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


class _Reading:
    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)

    def size_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, size_bytes: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size_bytes)
        while len(data) < size_bytes and (more := self._file.read(size_bytes - len(data))):
            data += more
        return data

    def close(self) -> None:
        self._file.close()
