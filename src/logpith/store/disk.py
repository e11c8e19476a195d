"""The store's own touches of the disk: the folder's names, the writer's lock, files that change by renaming."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from logpith_emit.disk import Disk, try_lock
from logpith_emit.errors import Refused, Unavailable

FORMAT = "FORMAT"
MANIFEST = "MANIFEST"
LOCK = "LOCK"
DAYS = "days"
SPOOL = "spool"
TRASH = "trash"
DRAFT = "draft-"

FORMAT_TEXT = b"logpith store 1\n"

_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
FREE_SPACE = (
    "Free some space on that disk, or name another folder as folder in [store], or with --data-dir; "
    "a lower retention or most_bytes in [store] keeps it smaller"
)


@contextmanager
def opening_told(folder: Path) -> Iterator[None]:
    """While a store is opened: what the disk says becomes an error that names the folder and what to do.

    Raises:
        Unavailable: the disk is full.
        Refused: the folder cannot be made, or not be written.
    """
    try:
        with full_disk_told(folder):
            yield
    except OSError as error:
        raise Refused(
            f"the store {folder} cannot be made or written: {error.strerror or type(error).__name__}",
            remedy="Name another folder as folder in [store], or with --data-dir",
        ) from error


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """While a store is written: a full disk becomes an error that names the folder and what to do.

    Raises:
        Unavailable: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise Unavailable(
            f"the store {folder} cannot be written: {error.strerror}",
            remedy=FREE_SPACE,
        ) from error


def replace_file(disk: Disk, path: Path, data: bytes) -> None:
    """Gives a file new contents: whoever reads it meets the old ones or the new ones, also after a power cut."""
    draft = path.with_name(f"{DRAFT}{path.name}")
    disk.remove(draft)
    disk.write_new(draft, data)
    disk.rename(draft, path)
    disk.sync_folder(path.parent)


def make_store(disk: Disk, folder: Path, first_manifest: bytes) -> None:
    """Makes a store in a folder where there is none.

    Raises:
        Refused: what is there is no store, or one of a later version.
    """
    names = disk.names(folder)
    if FORMAT in names:
        check_format(disk, folder)
        # Its manifest may not be durable yet: the program before may have ended before it got to syncing it.
        disk.sync_folder(folder)
    elif [name for name in names if not name.startswith((DRAFT, LOCK, MANIFEST))]:
        raise Refused(
            f"{folder} is not empty and holds no store",
            remedy="Name an empty folder, or one that a store is in",
        )
    else:
        for above in folder.parents:
            with suppress(PermissionError):  # it may be none of ours to open
                disk.sync_folder(above)
        # The format comes last: what has one is whole, and if its manifest is missing, somebody has lost it.
        replace_file(disk, folder / MANIFEST, first_manifest)
        replace_file(disk, folder / FORMAT, FORMAT_TEXT)
    for name in (DAYS, SPOOL, TRASH):
        disk.make_folder(folder / name)


def check_format(disk: Disk, folder: Path) -> None:
    """Nothing, when a folder holds a store that this logpith reads.

    Raises:
        Refused: it does not.
    """
    told = disk.read(folder / FORMAT)
    if told != FORMAT_TEXT:
        raise Refused(
            f"{folder} holds a store that this logpith does not read: {told[:40]!r}",
            remedy="Use the version of logpith that wrote it, or a later one",
        )


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Held by the one writer of a store; goes with its process, however that ends.

    Raises:
        Unavailable: another process holds it.
    """
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(descriptor):
            pid = (
                os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            )
            raise Unavailable(
                f"{folder} is being written by another process{f' ({pid})' if pid else ''}",
                remedy="It may be a server (logpith serve): stop it first, and try again",
            )
        with suppress(OSError):  # on a full disk nobody is told who it is
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
