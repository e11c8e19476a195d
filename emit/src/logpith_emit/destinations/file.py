"""A file: records as lines of JSON, with the files before it kept for a while.

    logs.ndjson  logs.ndjson.20260314-092653-1.gz  …

The file that is written keeps its name; when it is full or old it gets the time in its name and is compressed. Other
programs that follow it by name or by rename read every line.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

from logpith_emit.clock import SYSTEM_CLOCK, Clock
from logpith_emit.destinations import ALL_WRITTEN, Destination, LiveDestination, Outgoing, Written, write_only
from logpith_emit.disk import Disk
from logpith_emit.errors import Unavailable

_COPY_BYTES = 1 << 20
_MOMENT = "%Y%m%d-%H%M%S"


@dataclass(frozen=True, kw_only=True)
class FileDestination(Destination):
    """Writes records to a file, a line of JSON each, and begins another one when it is full or old."""

    type: ClassVar[str] = "file"

    path: Path
    """The file; its folder is made."""

    rotate_bytes: int = 64 << 20
    """How large it may become; 0 for ever larger."""

    rotate_s: float = 86_400.0
    """How old it may become; 0 for ever older."""

    keep_files: int = 14
    """How many of those before it are kept; 0 keeps all."""

    compression: Literal["gzip", "none"] = "gzip"
    """How those before it are kept."""

    sync: bool = True
    """Whether a batch counts as written only when it survives a power cut."""

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        live = FileWriter(self)
        try:
            yield live
        finally:
            live.close()


class FileWriter:
    """The file, open when something was written to it."""

    def __init__(
        self, settings: FileDestination, *, clock: Clock = SYSTEM_CLOCK, disk: Disk | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._disk = disk or Disk()
        self._descriptor = -1
        self._begun_ns = 0
        self._aside = re.compile(re.escape(settings.path.name) + r"\.(\d{8}-\d{6}-\d+)(\.gz)?")

    def write(self, records: Sequence[Outgoing]) -> Written:
        """Behind what is there. What a write that failed has left half is taken away first."""
        text = b"".join(record.text + b"\n" for record in records)
        try:
            size_bytes = self._open()
            if self._is_due(size_bytes, len(text)):
                self._rotate()
                size_bytes = self._open()
            left = memoryview(text)
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
                if self._settings.sync:
                    os.fsync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, size_bytes)  # or these would stand there twice
                self.close()
                raise
        except OSError as error:
            raise Unavailable(
                f"{self._settings.path} cannot be written: {error.strerror}", remedy="See to that disk"
            ) from error
        return ALL_WRITTEN

    query = write_only

    def close(self) -> None:
        """Lets go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        """How long the file is, which is open then; somebody else may have moved or removed it."""
        path = self._settings.path
        if self._descriptor >= 0:
            here = os.fstat(self._descriptor)
            try:
                there = path.stat()
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return here.st_size
            self.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = (
            os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        )
        self._descriptor = os.open(path, flags, 0o600)
        size_bytes = self._without_torn_line(os.fstat(self._descriptor).st_size)
        self._begun_ns = self._since() if size_bytes else self._clock.now_ns()
        return size_bytes

    def _since(self) -> int:
        """When a file that is there was begun: as its first record says, but not before another was put aside, for a
        record may come late. One that does not say is as old as what was written last."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        first, _, _ = os.read(self._descriptor, _COPY_BYTES).partition(b"\n")
        said_ns = Outgoing("", first).timestamp or os.fstat(self._descriptor).st_mtime_ns
        names = map(self._aside.fullmatch, self._disk.names(self._settings.path.parent))
        last = max((found[1] for found in names if found is not None), default="")
        if not last:
            return said_ns
        try:
            moment = datetime.strptime(last[:15], _MOMENT).replace(tzinfo=UTC)
        except ValueError:  # somebody else's, of a month 13
            return said_ns
        return max(said_ns, int(moment.timestamp()) * 1_000_000_000)

    def _without_torn_line(self, size_bytes: int) -> int:
        """Takes away what a process wrote of a line before it was killed; that record comes again."""
        at = size_bytes
        while at:
            begin = max(0, at - _COPY_BYTES)
            os.lseek(self._descriptor, begin, os.SEEK_SET)
            end = os.read(self._descriptor, at - begin).rfind(b"\n")
            if end >= 0:
                at = begin + end + 1
                break
            at = begin
        if at < size_bytes:
            os.ftruncate(self._descriptor, at)
        return at

    def _is_due(self, size_bytes: int, more_bytes: int) -> bool:
        settings = self._settings
        if not size_bytes:
            return False
        is_full = 0 < settings.rotate_bytes < size_bytes + more_bytes
        age_ns = self._clock.now_ns() - self._begun_ns
        return is_full or 0 < settings.rotate_s * 1e9 <= age_ns

    def _rotate(self) -> None:
        """Gives the file a name with the time in it, compresses it, and removes the oldest."""
        self.close()
        path = self._settings.path
        moment = datetime.fromtimestamp(self._clock.now_ns() // 1_000_000_000, UTC)
        names = set(self._disk.names(path.parent))
        self._sweep(names)
        number = 1
        while {f"{path.name}.{moment:{_MOMENT}}-{number}{end}" for end in ("", ".gz")} & names:
            number += 1
        aside = path.with_name(f"{path.name}.{moment:{_MOMENT}}-{number}")
        self._disk.rename(path, aside)
        if self._settings.compression == "gzip":
            packed = aside.with_name(f"{aside.name}.gz")
            new = aside.with_name(f"{aside.name}.new")
            with aside.open("rb") as plain, gzip.open(new, "wb", 6) as into:
                shutil.copyfileobj(plain, into, _COPY_BYTES)
            if self._settings.sync:
                self._sync(new)
            self._disk.rename(new, packed)
            if self._settings.sync:
                self._disk.sync_folder(path.parent)
            self._disk.remove(aside)
        if self._settings.keep_files:
            kept = sorted(name for name in self._disk.names(path.parent) if self._aside.fullmatch(name))
            for name in kept[: -self._settings.keep_files]:
                self._disk.remove(path.parent / name)

    def _sync(self, path: Path) -> None:
        """Returns when a file is durable, so that what it stands for may go."""
        with path.open("rb+") as file:
            os.fsync(file.fileno())

    def _sweep(self, names: Collection[str]) -> None:
        """Takes away what a process left that was killed while it compressed: a half of it, or the same in plain."""
        for name in names:
            plain = name.removesuffix(".new")
            is_left = name != plain or f"{name}.gz" in names
            if is_left and self._aside.fullmatch(plain) is not None:
                self._disk.remove(self._settings.path.parent / name)
