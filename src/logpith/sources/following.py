"""Following: files that grow, are rotated, truncated, packed and deleted, each byte of them read once.

A file is known by device, inode and time of birth, by its first bytes, and by the bytes before the place that was read
to. The last two are looked at whenever the file has changed, and again after each block was read: who truncates a file
and fills it again (logrotate's copytruncate) is noticed, however far it was filled meanwhile. An inode alone names
nothing: ext4 gives that of a deleted file to the next one.

What begins as a known file began, and agrees with it where that was read to, is a copy of it (copytruncate's, or what
gzip made of it). While the original is there nothing is read of the copy; when it is gone, reading goes on in the copy
where it stopped in the original. So a log is read once whatever a rotation makes of it, also while nobody looked.
"""

from __future__ import annotations

import errno
import os
from base64 import b85encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from logpith.batch import MOST_RECORDS, Batch, empty_batch, join_batches
from logpith.files.birth import birth_ns
from logpith.files.finding import find_files
from logpith.files.holes import BlocksAroundHoles
from logpith.files.kind import head_of, kind_of
from logpith.files.packing import Unpacker
from logpith.files.roots import Roots
from logpith.files.rotation import piece_of
from logpith.files.text import Block
from logpith.scan.records import PADDING
from logpith.sources import Delivery
from logpith.sources.reading import Found, LineReader
from logpith_emit.errors import NotFound, Refused, Unavailable

Key = tuple[int, int]
"""Device and inode."""

BLOCK_BYTES = 8 << 20
# A record longer than this is cut: a file without newlines must fit in memory.
MOST_RECORD_BYTES = 64 << 20
# What a delivery holds about; small files share one, so that the store need not sync for each of them.
_DELIVERY_BYTES = 8 << 20
_HEAD_BYTES = 1024
_TAIL_BYTES = 256
# With so many first bytes it is known what a file is.
_SURE_BYTES = 64
_LOOK_BACK_BYTES = 64 << 10
_MOST_GONE = 64
_MOST_OPEN = 200
# So long is a file followed that lost its name: programs write on until they are told to open the new one.
_LINGER_NS = 60_000_000_000
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


OPEN_GROUP = -1
"""In the place of a line that cannot be parted from those behind it."""


@dataclass(frozen=True, kw_only=True)
class Rejoiner:
    """How lines that a program's runtime has cut are put together before they are read."""

    whole_bytes: Callable[[NDArray[np.uint8], int, int], int]
    """(buffer, begin, end) → behind the last line that is not waiting for another piece."""

    join: Callable[[NDArray[np.uint8], int, int], tuple[NDArray[np.uint8], NDArray[np.int64]] | None]
    """The text with its pieces joined, and for each of its line ends the place in the buffer; None when it has none."""


@dataclass(frozen=True, kw_only=True)
class What:
    """What is followed, and how its records are told."""

    name: str
    paths: Sequence[str]
    service: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    flush_after_s: float = 1.0
    begin: Literal["beginning", "end"] = "beginning"
    describe: Callable[[str], tuple[str, Mapping[str, object]]] | None = None
    """The service and the attributes of the records of a stream, by its live file's path."""

    rejoiner: Rejoiner | None = None
    is_complete: bool = False
    """Whether files are taken as they are: what has no end, a last line or a packed file, is not waited for."""


class Mark(msgspec.Struct, array_like=True):
    """How far a file was read, and how it is known again."""

    path: str
    device: int
    inode: int
    born_ns: int
    read_bytes: int
    """Of the unpacked text."""

    seen_bytes: int
    """Its largest size so far."""

    head_bytes: int
    head: str
    """Hash of so many first bytes of the text."""

    tail: str
    """Hash of the last bytes before `read_bytes`; empty where nothing was read."""

    packing: str = ""
    changed_ns: int = 0
    """Of a packed file that was read to its end: when it was last changed."""

    @property
    def unread_bytes(self) -> int:
        """What was seen of a plain file and not taken."""
        return 0 if self.packing else max(0, self.seen_bytes - self.read_bytes)


class _Position(msgspec.Struct):
    files: list[Mark]
    gone: list[Mark] = []


@dataclass
class _File:
    """A known file."""

    mark: Mark
    stream: str
    descriptor: int = -1
    size: int = -1
    changed_ns: int = -1
    unchanged_since_ns: int = 0
    is_present: bool = True
    """Whether one of the names that are followed leads to it."""

    is_rotated: bool = False
    is_searched: bool = False
    head_text: bytes = b""
    held: bytes = b""
    """What was read and not taken: it may still grow."""

    held_tail: str = ""
    """As `Mark.tail`, for the place behind what is held."""

    is_torn: bool = False

    @property
    def key(self) -> Key:
        return self.mark.device, self.mark.inode

    @property
    def is_finished(self) -> bool:
        """Whether nobody should write to it any more."""
        return self.is_rotated or not self.is_present

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def is_settled(self, now_ns: int, flush_after_ns: int) -> bool:
        """Whether its last record is as whole as it will be."""
        unchanged_ns = max(now_ns - self.unchanged_since_ns, now_ns - self.changed_ns)
        return unchanged_ns >= flush_after_ns


@dataclass(frozen=True, kw_only=True)
class _Extent:
    """How much of a block is taken."""

    all_records: bool
    """Whether its last record is taken too, which may grow."""

    all_pieces: bool
    """Whether lines are taken that wait for another piece."""

    def records_of(self, found: Found) -> int:
        """How many of the records."""
        return max(0, len(found) - (not self.all_records))


_WHOLE = _Extent(all_records=True, all_pieces=True)


@dataclass(frozen=True)
class _Lost:
    """A file that is not there any more; a copy of it may be."""

    mark: Mark
    stream: str
    reason: str
    held: bytes
    held_tail: str


class Following:
    """Files while they are followed: a live source."""

    def __init__(self, what: What, position: str | None) -> None:
        self._what = what
        self._files: dict[Key, _File] = {}
        self._gone: list[Mark] = []
        self._readers: dict[str, LineReader] = {}
        self._copies: dict[Key, tuple[tuple[int, int], Key, tuple[int, int]]] = {}
        self._binary: dict[Key, tuple[int, int]] = {}
        self._orphans: list[tuple[str, bytes]] = []
        """Streams and texts of files that are gone: they were read, and not taken yet."""

        self._losses: dict[str, int] = {}
        self._flush_after_ns = int(what.flush_after_s * 1e9)
        known = _read_position(position)
        self._skips_what_is_there = known is None and what.begin == "end"
        if known is not None:
            for mark in known.files:
                file = _File(mark, _stream_of(mark.path), is_present=False, is_rotated=_is_rotated(mark.path))
                self._files[file.key] = file
            self._gone = known.gone

    def close(self) -> None:
        """Lets go of all files."""
        for file in self._files.values():
            file.close()

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """See `LiveSource.poll`."""
        problems = self._look(now_ns)
        gathering = _Gathering(self)
        if self._skips_what_is_there:
            self._skips_what_is_there = False
            yield Delivery(batch=empty_batch(), position=self._position())
        yield from self._take_orphans(gathering, now_ns)
        for file in self._in_order():
            for batch, applied in self._records_of(file, now_ns, at_once=at_once):
                yield from gathering.add(batch, applied)
        yield from gathering.flush()
        self._tidy(now_ns)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise Unavailable(
                f"{problems[0]}{more}", remedy="Everything else was read; mend that, or leave it out"
            )

    # ── Which files there are ───────────────────────────────────────────────────────────────────────────────

    def _look(self, now_ns: int) -> list[str]:
        """Brings what is known of all files up to date; what cannot be read is told."""
        problems: list[str] = []
        unclaimed: list[_Lost] = []
        paths, streams = self._find(problems)
        seen, unknown = self._look_at_known(paths, streams, now_ns, unclaimed, problems)
        self._look_for_missing(seen, now_ns, unclaimed)
        listed = set(paths)
        if unclaimed:
            # The copy of a file that was truncated meanwhile may be younger than our list. What else is younger may
            # come from files that we have looked at before, and is for the next poll.
            paths, streams = self._find([])
            unknown += [path for path in paths if path not in seen and path not in unknown]
            unknown += self._companions([lost.mark for lost in unclaimed], set(unknown) | set(seen))
        met = [
            self._met(path, streams.get(path, str(path)), now_ns, problems) for path in dict.fromkeys(unknown)
        ]
        # A file before what it was packed into, and so the original before its copy.
        for file in sorted(filter(None, met), key=lambda file: bool(file.mark.packing)):
            self._take_up(file, only_copies=Path(file.mark.path) not in listed)
        for lost in unclaimed:
            self._settle_gone(lost)
        self._gone = self._gone[-_MOST_GONE:]
        return problems

    def _find(self, problems: list[str]) -> tuple[list[Path], Mapping[Path, str]]:
        paths: list[Path] = []
        streams: dict[Path, str] = {}
        for name in self._what.paths:
            try:
                found = find_files([name], Roots())
            except NotFound as error:
                if not self._files:
                    problems.append(error.problem)
                continue
            except Refused as error:
                problems.append(error.problem)
                continue
            problems += found.skipped
            paths += [path for path in found.paths if path not in streams]
            streams.update(found.streams)
        return paths, streams

    def _look_at_known(
        self,
        paths: Sequence[Path],
        streams: Mapping[Path, str],
        now_ns: int,
        unclaimed: list[_Lost],
        problems: list[str],
    ) -> tuple[dict[Path, Key], list[Path]]:
        """Which file each path leads to, and the paths that lead to no known one."""
        seen: dict[Path, Key] = {}
        unknown: list[Path] = []
        for path in paths:
            try:
                status = path.stat()
            except OSError as error:
                if error.errno != errno.ENOENT or not self._files:
                    problems.append(f"{path}: {os.strerror(error.errno or 0).lower()}")
                continue
            if not S_ISREG(status.st_mode):
                continue
            key = status.st_dev, status.st_ino
            if key in seen.values():
                seen[path] = key
                continue
            file = self._files.get(key)
            if file is None:
                unknown.append(path)
                seen[path] = key
                continue
            if self._is_same(file, path, status, now_ns, unclaimed, problems):
                file.mark.path, file.stream = str(path), streams.get(path, str(path))
                file.is_present, file.is_rotated, file.is_searched = True, _is_rotated(path.name), False
                seen[path] = key
            else:
                unknown.append(path)
                seen[path] = key
        for file in self._files.values():
            file.is_present = file.key in seen.values()
        return seen, unknown

    def _is_same(
        self,
        file: _File,
        path: Path,
        status: os.stat_result,
        now_ns: int,
        unclaimed: list[_Lost],
        problems: list[str],
    ) -> bool:
        """Whether a file with a known inode is the known file; one that was truncated is, from its beginning on."""
        if (status.st_size, status.st_mtime_ns) == (file.size, file.changed_ns):
            return True
        descriptor = file.descriptor
        if descriptor < 0:
            try:
                descriptor = os.open(path, _OPEN_FLAGS)
            except OSError as error:
                problems.append(f"{path}: {os.strerror(error.errno or 0).lower()}")
                return True
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != file.key:  # swapped in between: the next poll sees it
                os.close(descriptor)
                return True
        born_ns = birth_ns(descriptor)
        if born_ns != file.mark.born_ns and born_ns and file.mark.born_ns:
            os.close(descriptor)
            file.descriptor = -1
            self._lose(file, unclaimed, "deleted_bytes")
            return False
        file.descriptor = descriptor
        began_empty = not file.mark.head_bytes and status.st_size > 0
        if began_empty or _is_another_kind(file, status.st_size):
            file.close()
            del self._files[file.key]
            return False
        self._note_change(file, status, now_ns)
        if not file.mark.packing and not self._is_as_read(file):
            self._lose(file, unclaimed, "truncated_bytes")
            status = os.fstat(descriptor)
            fresh = _File(_new_mark(path, status, born_ns), file.stream, descriptor)
            self._files[fresh.key] = fresh
            self._note_change(fresh, status, now_ns)
            if status.st_size:
                _learn_head(fresh)
        return True

    def _note_change(self, file: _File, status: os.stat_result, now_ns: int) -> None:
        if (status.st_size, status.st_mtime_ns) != (file.size, file.changed_ns):
            file.unchanged_since_ns = now_ns
            file.is_torn = False
        file.size, file.changed_ns = status.st_size, status.st_mtime_ns

    def _is_as_read(self, file: _File) -> bool:
        """Whether a plain file still has what was read of it."""
        mark = file.mark
        size = os.fstat(file.descriptor).st_size
        if size < max(mark.read_bytes, mark.head_bytes):
            return False
        head = os.pread(file.descriptor, _HEAD_BYTES, 0)
        if mark.head_bytes and _hash(head[: mark.head_bytes]) != mark.head:
            return False
        if mark.tail and _tail_of(file.descriptor, mark.read_bytes) != mark.tail:
            return False
        # What began empty is met anew when there is something to know it by.
        if mark.head_bytes and (len(head) > mark.head_bytes or not file.head_text):
            _learn_head(file)
        mark.seen_bytes = max(mark.seen_bytes, size)
        return True

    def _lose(self, file: _File, unclaimed: list[_Lost], reason: str) -> None:
        """A file that is not there any more: what was not read of it may be found in a copy."""
        self._files.pop(file.key, None)
        if file.mark.head_bytes and not file.mark.packing:
            self._gone.append(file.mark)
        if reason == "truncated_bytes":
            self._losses.setdefault(reason, 0)
        unclaimed.append(_Lost(file.mark, file.stream, reason, file.held, file.held_tail))

    def _settle_gone(self, lost: _Lost) -> None:
        """Counts what no copy has of a file that is gone; what had been read of it is taken."""
        mark = lost.mark
        is_claimed = bool(mark.head_bytes) and not any(mark is other for other in self._gone)
        if mark.packing or is_claimed:
            return
        self._count_loss(lost.reason, mark.unread_bytes - len(lost.held))
        if lost.held:
            self._orphans.append((lost.stream, lost.held))
            mark.read_bytes, mark.tail = mark.read_bytes + len(lost.held), lost.held_tail
        mark.seen_bytes = mark.read_bytes

    def _count_loss(self, reason: str, lost_bytes: int) -> None:
        if lost_bytes > 0:
            self._losses[reason] = self._losses.get(reason, 0) + lost_bytes

    def _look_for_missing(self, seen: Mapping[Path, Key], now_ns: int, unclaimed: list[_Lost]) -> None:
        """Follows files that have lost their names: by the open file, or where it was renamed to in its folder."""
        for file in [file for file in self._files.values() if not file.is_present]:
            if file.descriptor < 0 and not file.is_searched:
                file.is_searched = True
                self._search(file)
            if file.descriptor < 0:
                self._lose(file, unclaimed, "deleted_bytes")
                continue
            status = os.fstat(file.descriptor)
            if not file.mark.packing and _is_another_kind(file, status.st_size):
                file.close()  # it had hardly begun when it was met, and became something else
                del self._files[file.key]
                continue
            if not file.mark.head_bytes:
                _learn_head(file)
            self._note_change(file, status, now_ns)
            if not file.mark.packing and not self._is_as_read(file):
                file.close()
                self._lose(file, unclaimed, "truncated_bytes")

    def _search(self, file: _File) -> None:
        """Opens a file that was renamed out of sight."""
        folder = Path(file.mark.path).parent
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.inode() != file.mark.inode or not entry.is_file(follow_symlinks=False):
                    continue
                descriptor = os.open(entry.path, _OPEN_FLAGS)
                status = os.fstat(descriptor)
                born_ns = birth_ns(descriptor)
                same_birth = born_ns == file.mark.born_ns or not (born_ns and file.mark.born_ns)
                if (status.st_dev, status.st_ino) == file.key and same_birth:
                    file.descriptor = descriptor
                    return
                os.close(descriptor)

    def _companions(self, marks: Sequence[Mark], known: set[Path]) -> list[Path]:
        """Files beside those that are gone, whose names say that they are rotated pieces of them."""
        found: list[Path] = []
        for mark in marks:
            path = Path(mark.path)
            live = piece_of(path.name).live
            with suppress(OSError):
                for name in sorted(os.listdir(path.parent)):  # noqa: PTH208  # names are all that is needed
                    piece = piece_of(name)
                    beside = path.with_name(name)
                    if not piece.is_live and piece.live == live and beside not in known:
                        found.append(beside)
        return found

    # ── Files that were not known ───────────────────────────────────────────────────────────────────────────

    def _met(self, path: Path, stream: str, now_ns: int, problems: list[str]) -> _File | None:
        """The file that a path leads to; None for one that is known, or that cannot be read or not yet."""
        try:
            descriptor = os.open(path, _OPEN_FLAGS)
        except OSError as error:
            if error.errno != errno.ENOENT:
                problems.append(f"{path}: {os.strerror(error.errno or 0).lower()}")
            return None
        status = os.fstat(descriptor)
        key = status.st_dev, status.st_ino
        state = status.st_size, status.st_mtime_ns
        is_known = key in self._files or self._binary.get(key) == state or self._is_known_copy(key, state)
        if is_known or not S_ISREG(status.st_mode):
            os.close(descriptor)
            return None
        head, packing, is_text, is_torn = _kind(descriptor)
        if is_torn and not self._what.is_complete and now_ns - status.st_mtime_ns < _LINGER_NS:
            os.close(descriptor)  # somebody is packing it just now
            return None
        if not is_text:
            os.close(descriptor)
            if str(path) in self._what.paths:
                problems.append(f"{path} is binary, not text")
            else:
                self._binary[key] = state
            return None
        mark = _new_mark(path, status, birth_ns(descriptor))
        mark.packing = packing
        mark.seen_bytes = 0 if packing else status.st_size
        mark.head_bytes, mark.head = len(head), _hash(head) if head else ""
        file = _File(mark, stream, descriptor, is_rotated=_is_rotated(path.name), head_text=head)
        self._note_change(file, status, now_ns)
        return file

    def _take_up(self, file: _File, *, only_copies: bool) -> None:
        """Follows a file from now on, unless it is a copy of one that is still there."""
        if file.key in self._files:
            file.close()
            return
        original = self._original_of(file)
        if original is not None:
            state = file.size, file.changed_ns
            self._copies[file.key] = state, original.key, (original.size, original.changed_ns)
            file.close()
            return
        is_copy = bool(file.head_text) and self._go_on_from_gone(file)
        if only_copies and not is_copy:
            file.close()
            return
        if self._skips_what_is_there and not is_copy:
            self._skip(file)
        self._files[file.key] = file

    def _is_known_copy(self, key: Key, state: tuple[int, int]) -> bool:
        """Whether nothing has changed since a file was found to be a copy of another one."""
        known = self._copies.get(key)
        if known is None:
            return False
        original = self._files.get(known[1])
        if original is not None and known == (state, original.key, (original.size, original.changed_ns)):
            return True
        del self._copies[key]
        return False

    def _original_of(self, copy: _File) -> _File | None:
        """The file that is still there and has the same text as far as both go."""
        if not copy.head_text:
            return None
        for file in self._files.values():
            common = min(len(copy.head_text), len(file.head_text))
            if not common or file.mark.packing or file.head_text[:common] != copy.head_text[:common]:
                continue
            if copy.mark.packing:
                return file
            size = min(copy.size, file.size)
            if file.descriptor < 0:
                with suppress(OSError):
                    file.descriptor = os.open(file.mark.path, _OPEN_FLAGS)
            # An original that is truncated just now will be known as gone by the next poll.
            differs = file.descriptor >= 0 and _tail_of(copy.descriptor, size) != _tail_of(
                file.descriptor, size
            )
            if not differs or not self._is_as_read(file):
                return file
        return None

    def _go_on_from_gone(self, copy: _File) -> bool:
        """Whether a new file is the copy of one that is gone: then it is read from where that was read to."""
        for place, mark in enumerate(self._gone):
            if len(copy.head_text) < mark.head_bytes or not _may_be_copy(copy, mark):
                continue
            if _hash(copy.head_text[: mark.head_bytes]) != mark.head:
                continue
            if copy.mark.packing:
                copy.mark.read_bytes, copy.mark.tail = mark.read_bytes, mark.tail
            else:
                if copy.size >= mark.read_bytes and _tail_of(copy.descriptor, mark.read_bytes) != mark.tail:
                    continue
                copy.mark.read_bytes = min(mark.read_bytes, copy.size)
                copy.mark.tail = _tail_of(copy.descriptor, copy.mark.read_bytes)
                self._count_loss("truncated_bytes", mark.seen_bytes - max(copy.size, mark.read_bytes))
            del self._gone[place]
            return True
        return False

    def _skip(self, file: _File) -> None:
        """Takes what a file holds as read."""
        if file.mark.packing:
            file.mark.changed_ns = file.changed_ns
            return
        begin = max(0, file.size - _LOOK_BACK_BYTES)
        behind = os.pread(file.descriptor, file.size - begin, begin).rfind(b"\n") + 1
        file.mark.read_bytes = begin + behind if behind else file.size
        file.mark.tail = _tail_of(file.descriptor, file.mark.read_bytes)

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────

    def _in_order(self) -> list[_File]:
        """Files without a name first, then in the order in which they were found."""
        return sorted(self._files.values(), key=lambda file: (file.is_present, not file.is_rotated))

    def _records_of(
        self, file: _File, now_ns: int, *, at_once: bool
    ) -> Iterator[tuple[Batch, Callable[[], None]]]:
        """What has come in a file, in batches, each with what is to be done when it is taken."""
        if file.mark.packing:
            yield from self._unpacked_records(file, now_ns, at_once=at_once)
            return
        settled = at_once or file.is_settled(now_ns, self._flush_after_ns)
        if file.size <= file.mark.read_bytes or (
            len(file.held) == file.size - file.mark.read_bytes and not settled
        ):
            return
        if file.descriptor < 0:
            try:
                file.descriptor = os.open(file.mark.path, _OPEN_FLAGS)
            except OSError:
                return  # the next poll tells where it went
            if _key_of(file.descriptor) != file.key:
                file.close()
                return
        place = file.mark.read_bytes
        want = BLOCK_BYTES
        while place < file.size:
            data = os.pread(file.descriptor, min(want, file.size - place), place)
            if not data or not self._is_as_read(file):
                return  # truncated meanwhile: what was read may be of two files; the next poll sees it
            is_last = place + len(data) >= file.size
            is_finished = file.is_finished and file.is_settled(now_ns, _LINGER_NS)
            ends = is_last and (is_finished or self._what.is_complete)
            whole = len(data) if ends else data.rfind(b"\n") + 1
            is_full = not is_last and want >= MOST_RECORD_BYTES
            if not whole and is_full:
                whole = len(data)
            taken = place
            if whole:
                # Who asks at once gets a record that may grow, and never a piece of a line.
                extent = _Extent(
                    all_records=(is_last and settled) or is_full,
                    all_pieces=(is_last and (ends or file.is_settled(now_ns, self._flush_after_ns)))
                    or is_full,
                )
                for batch, behind in self._read(file, data[:whole], place, now_ns, extent):
                    yield batch, self._reads(file, behind)
                    taken = behind
            if is_last:
                held = data[taken - place :]
                file.held = held if len(held) <= _DELIVERY_BYTES else b""
                file.held_tail = _tail_of(file.descriptor, place + len(data))
                return
            want = BLOCK_BYTES if taken > place else want * 2
            place = taken

    def _reads(self, file: _File, behind: int) -> Callable[[], None]:
        """What is to be done when all that stands before `behind` was taken."""
        tail = _tail_of(file.descriptor, behind)

        def apply() -> None:
            file.mark.read_bytes, file.mark.tail = behind, tail

        return apply

    def _read(
        self, file: _File, data: bytes, base: int, now_ns: int, extent: _Extent
    ) -> Iterator[tuple[Batch, int]]:
        """The records of whole lines that begin at `base`, in batches, each with the place in the file behind it."""
        if not data:
            return
        reader = self._reader(file, base, now_ns)
        blocks = list(BlocksAroundHoles([_block_of(data, base)]))
        for number, block in enumerate(blocks):
            is_last = number == len(blocks) - 1
            limit = base + len(data) if is_last else blocks[number + 1].base
            for batch, behind in self._read_block(reader, block, now_ns, extent if is_last else _WHOLE):
                yield batch, min(block.base + behind, limit)

    def _read_block(
        self, reader: LineReader, block: Block, now_ns: int, extent: _Extent
    ) -> Iterator[tuple[Batch, int]]:
        rejoiner = self._what.rejoiner
        end = block.end
        if rejoiner is not None:
            end = block.end if extent.all_pieces else rejoiner.whole_bytes(block.buf, block.begin, block.end)
            joined = rejoiner.join(block.buf, block.begin, end)
            if joined is not None:
                buf, places = joined
                found = reader.read(buf, 0, len(buf) - PADDING, now_ns)
                behind = places[np.cumsum(found.lines) - 1]
                yield from _closed_parts(Found(found.batch, behind, found.lines), extent)
                return
        found = reader.read(block.buf, block.begin, end, now_ns)
        yield from found.parts(extent.records_of(found))

    def _reader(self, file: _File, base: int, now_ns: int) -> LineReader:
        reader = self._readers.get(file.stream)
        if reader is None:
            reader = self._readers[file.stream] = self._new_reader(file.stream)
        if reader.is_fresh and base and not file.mark.packing:
            begin = max(0, base - _LOOK_BACK_BYTES)
            text = os.pread(file.descriptor, base - begin, begin)
            reader.look_back(text[text.find(b"\n") + 1 if begin else 0 :], now_ns)
        return reader

    def _new_reader(self, stream: str) -> LineReader:
        service, attributes = self._what.service, dict(self._what.attributes)
        if self._what.describe is not None:
            told, more = self._what.describe(stream)
            service, attributes = told or service, {**more, **attributes}
        return LineReader(self._what.name, service=service, extra=attributes)

    def _take_orphans(self, gathering: _Gathering, now_ns: int) -> Iterator[Delivery]:
        """What had been read of files that are gone."""
        orphans, self._orphans = self._orphans, []
        left = len(orphans)

        def apply() -> None:
            nonlocal left
            left -= 1

        try:
            for stream, text in orphans:
                reader = self._readers.get(stream) or self._new_reader(stream)
                found = reader.read_text(text, now_ns)
                for batch, _ in found.parts(len(found)):
                    yield from gathering.add(batch, apply)
            yield from gathering.flush()
            left = 0
        finally:
            if left > 0:
                self._orphans = orphans[-left:]

    def _unpacked_records(
        self, file: _File, now_ns: int, *, at_once: bool
    ) -> Iterator[tuple[Batch, Callable[[], None]]]:
        """What a packed file holds behind what was read of it, once nobody writes to it any more."""
        mark = file.mark
        settled = at_once or file.is_settled(now_ns, self._flush_after_ns)
        waited = self._what.is_complete or file.is_settled(now_ns, _LINGER_NS)
        if not settled or mark.changed_ns == file.changed_ns or (file.is_torn and not waited):
            return
        if file.descriptor < 0:
            try:
                file.descriptor = os.open(mark.path, _OPEN_FLAGS)
            except OSError:
                return
        with os.fdopen(os.dup(file.descriptor), "rb") as packed:
            packed.seek(0)
            unpacker = Unpacker(packed, mark.packing, packed_bytes=file.size)
            text = _TextFrom(unpacker, mark.read_bytes, mark.tail)
            for data, is_last in text.blocks():
                ended = is_last and (not unpacker.trouble or waited)
                whole = len(data) if ended else data.rfind(b"\n") + 1
                taken = text.place
                extent = _Extent(all_records=ended, all_pieces=ended)
                for batch, behind in self._read(file, data[:whole], text.place, now_ns, extent):
                    yield batch, self._unpacks(file, behind)
                    taken = behind
                text.take(taken - text.place)
            if unpacker.trouble and not waited:
                file.is_torn = True
                return
            if unpacker.trouble:
                self._losses.setdefault("torn_bytes", 0)
            yield empty_batch(), self._is_unpacked(file)

    def _is_unpacked(self, file: _File) -> Callable[[], None]:
        changed_ns = file.changed_ns

        def apply() -> None:
            file.mark.changed_ns = changed_ns

        return apply

    def _unpacks(self, file: _File, behind: int) -> Callable[[], None]:
        def apply() -> None:
            file.mark.read_bytes, file.mark.tail = behind, ""

        return apply

    # ── Keeping ─────────────────────────────────────────────────────────────────────────────────────────────

    def _tidy(self, now_ns: int) -> None:
        """Lets go of files that lost their names and came to their end, and of descriptors that are too many."""
        for file in [file for file in self._files.values() if not file.is_present]:
            is_read = file.mark.packing or file.size <= file.mark.read_bytes
            if is_read and now_ns - file.unchanged_since_ns >= _LINGER_NS:
                file.close()
                del self._files[file.key]
                if file.mark.head_bytes and not file.mark.packing:
                    self._gone.append(file.mark)
        held = [file for file in self._files.values() if file.descriptor >= 0 and file.is_present]
        for file in sorted(held, key=lambda file: file.changed_ns)[: max(0, len(held) - _MOST_OPEN)]:
            file.close()
        streams = {file.stream for file in self._files.values()}
        for stream in [stream for stream in self._readers if stream not in streams]:
            del self._readers[stream]

    def _position(self) -> str:
        position = _Position([file.mark for file in self._files.values()], self._gone)
        return msgspec.json.encode(position).decode()

    def _deliver(self, batch: Batch) -> Delivery:
        losses, self._losses = self._losses, {}
        return Delivery(batch=batch, position=self._position(), losses=losses)


class _Gathering:
    """Batches of several files on their way to one delivery."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._waiting: list[tuple[Batch, Callable[[], None]]] = []
        self._records = self._bytes = 0

    def add(self, batch: Batch, applied: Callable[[], None]) -> Iterator[Delivery]:
        if self._records + batch.num_rows > MOST_RECORDS:
            yield from self.flush()
        self._waiting.append((batch, applied))
        self._records += batch.num_rows
        self._bytes += batch.nbytes
        if self._bytes >= _DELIVERY_BYTES:
            yield from self.flush()

    def flush(self) -> Iterator[Delivery]:
        waiting, self._waiting = self._waiting, []
        self._records = self._bytes = 0
        for _, applied in waiting:
            applied()
        batches = [batch for batch, _ in waiting if batch.num_rows]
        if batches:
            yield self._following._deliver(join_batches(batches))


class _TextFrom:
    """Unpacked text from a place on, in blocks of which as much is taken as was read."""

    def __init__(self, pieces: Unpacker, place: int, tail: str) -> None:
        self._pieces = iter(pieces)
        self._tail = tail
        self.place = place
        self._rest = b""

    def take(self, count: int) -> None:
        """The first bytes of the last block were read."""
        self.place += count
        self._rest = self._rest[count:]

    def blocks(self) -> Iterator[tuple[bytes, bool]]:
        """Each block, and whether the text ends with it."""
        self._pass_over()
        want = BLOCK_BYTES
        while True:
            parts = [self._rest]
            have = len(self._rest)
            while have < want:
                piece = next(self._pieces, b"")
                if not piece:
                    break
                parts.append(piece)
                have += len(piece)
            self._rest = b"".join(parts)
            is_last = have < want
            place = self.place
            yield self._rest, is_last
            if is_last:
                return
            want = BLOCK_BYTES if self.place > place else want + BLOCK_BYTES

    def _pass_over(self) -> None:
        passed = 0
        before = b""
        while passed < self.place:
            piece = next(self._pieces, b"")
            if not piece:
                self.place = passed
                return
            before = (before + piece)[-len(piece) - _TAIL_BYTES :]
            passed += len(piece)
        self._rest = before[len(before) - (passed - self.place) :] if passed > self.place else b""


def _closed_parts(found: Found, extent: _Extent) -> Iterator[tuple[Batch, int]]:
    """The records in batches that end where none of them goes on, each with the place behind it."""
    closed = np.flatnonzero(found.ends[: extent.records_of(found)] != OPEN_GROUP) + 1
    first = 0
    while len(closed) and first < closed[-1]:
        fitting = closed[(closed > first) & (closed <= first + MOST_RECORDS)]
        behind = int(fitting[-1] if len(fitting) else closed[closed > first][0])
        for batch_first in range(first, behind, MOST_RECORDS):
            last = min(batch_first + MOST_RECORDS, behind)
            yield found.batch.slice(batch_first, last - batch_first), int(found.ends[behind - 1])
        first = behind


@contextmanager
def follow(what: What, position: str | None) -> Iterator[Following]:
    """Files while they are followed, from a position on."""
    following = Following(what, position)
    try:
        yield following
    finally:
        following.close()


def _read_position(position: str | None) -> _Position | None:
    """What a position says; nothing when it is none that can be read: then all is read again, and nothing is lost."""
    if position is None:
        return None
    try:
        return msgspec.json.decode(position, type=_Position)
    except msgspec.DecodeError:
        return None


def _new_mark(path: Path, status: os.stat_result, born_ns: int) -> Mark:
    return Mark(str(path), status.st_dev, status.st_ino, born_ns, 0, status.st_size, 0, "", "")


def _is_another_kind(file: _File, size: int) -> bool:
    """Whether a file that was empty or packed when it was met is something else now, to be met anew."""
    mark = file.mark
    if mark.head_bytes >= _SURE_BYTES and not mark.packing:
        return False
    if size <= mark.head_bytes and not mark.packing:
        return False
    head, packing, is_text, _ = _kind(file.descriptor)
    if not mark.packing:
        return bool(packing) or not is_text
    return packing != mark.packing or _hash(head[: mark.head_bytes]) != mark.head


def _may_be_copy(copy: _File, mark: Mark) -> bool:
    """Whether a file that begins as a known one began is a copy of it, and no new log with the same first line."""
    if copy.mark.packing or copy.is_rotated or mark.head_bytes == _HEAD_BYTES:
        return True
    live = _stream_of(mark.path)
    return copy.mark.path != live and copy.mark.path.startswith(live)


def _learn_head(file: _File) -> None:
    """Remembers the first bytes of a plain file."""
    file.head_text = os.pread(file.descriptor, _HEAD_BYTES, 0)
    file.mark.head_bytes = len(file.head_text)
    file.mark.head = _hash(file.head_text) if file.head_text else ""


def _kind(descriptor: int) -> tuple[bytes, str, bool, bool]:
    """(first bytes of the text, packing, whether it is text, whether its first bytes are not all there yet)."""
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
        file.seek(0)
        first = os.pread(descriptor, _HEAD_BYTES, 0)
        if not first:
            return b"", "", True, False
        try:
            head = head_of(file)
            file.seek(0)
            kind = kind_of(head, file)
        except OSError:
            return b"", "", False, False
        is_text = not kind.is_binary and not kind.is_archive
        if not kind.packing:
            return first, "", is_text, False
        file.seek(0)
        unpacker = Unpacker(file, kind.packing)
        text = b""
        for piece in unpacker:
            text += piece[:_HEAD_BYTES]
            if len(text) >= _HEAD_BYTES:
                break
    is_torn = len(text) < _HEAD_BYTES and bool(unpacker.trouble)
    return text[:_HEAD_BYTES], kind.packing, is_text, is_torn


def _block_of(data: bytes, base: int) -> Block:
    end = len(data) + (not data.endswith(b"\n"))
    buf = np.frombuffer(data + b"\n" * (end - len(data)) + bytes(PADDING), np.uint8)
    return Block(base, buf, end)


def _key_of(descriptor: int) -> Key:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _is_rotated(name: str) -> bool:
    return not piece_of(Path(name).name).is_live


def _stream_of(path: str) -> str:
    return str(Path(path).with_name(piece_of(Path(path).name).live or Path(path).name))


def _tail_of(descriptor: int, behind: int) -> str:
    """A hash of the last bytes before a place; empty at the beginning."""
    begin = max(0, behind - _TAIL_BYTES)
    return _hash(os.pread(descriptor, behind - begin, begin)) if behind else ""


def _hash(data: bytes) -> str:
    return b85encode(blake2b(data, digest_size=10).digest()).decode()
