"""Known files: which files there are, which of them are known, and what became of those that are gone.

What begins as a known file began, and agrees with it where that was read to, is a copy of it (copytruncate's, or what
gzip made of it). While the original is there nothing is read of the copy; when it is gone, reading goes on in the copy
where it stopped in the original. So a log is read once whatever a rotation makes of it, also while nobody looked.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final

import msgspec

from logpith.files.birth import birth_ns
from logpith.files.finding import find_files
from logpith.files.roots import Roots
from logpith.files.rotation import piece_of
from logpith.sources.marks import (
    OPEN_FLAGS,
    Key,
    KnownFile,
    Mark,
    hash_of,
    is_another_kind,
    is_rotated_name,
    kind_of_file,
    learn_head,
    may_be_copy,
    new_mark,
    stream_of,
    tail_of,
)
from logpith_emit.errors import NotFound, Refused

LOOK_BACK_BYTES: Final = 64 << 10
# So long is a file followed that lost its name: programs write on until they are told to open the new one.
LINGER_NS: Final = 60_000_000_000
_MOST_GONE = 64
_MOST_OPEN = 200


class _Position(msgspec.Struct):
    files: list[Mark]
    gone: list[Mark] = []


@dataclass(frozen=True)
class _Lost:
    """A file that is not there any more; a copy of it may be."""

    mark: Mark
    stream: str
    reason: str
    held: bytes
    held_tail: str


class KnownFiles:
    """The files that some names mean, while they are followed."""

    def __init__(
        self, paths: Sequence[str], position: str | None, *, begins_at_end: bool, is_complete: bool
    ) -> None:
        self._paths = paths
        self._is_complete = is_complete
        self.files: dict[Key, KnownFile] = {}
        self.losses: dict[str, int] = {}
        """What is known to be lost and was not told yet."""

        self.orphans: list[tuple[str, bytes]] = []
        """Streams and texts of files that are gone: they were read, and not taken yet."""

        self._gone: list[Mark] = []
        self._copies: dict[Key, tuple[tuple[int, int], Key, tuple[int, int]]] = {}
        self._binary: dict[Key, tuple[int, int]] = {}
        known = _read_position(position)
        self.skips_what_is_there = known is None and begins_at_end
        """Whether files that are met are taken as read."""

        if known is not None:
            for mark in known.files:
                rotated = is_rotated_name(mark.path)
                file = KnownFile(mark, stream_of(mark.path), is_present=False, is_rotated=rotated)
                self.files[file.key] = file
            self._gone = known.gone

    def position(self) -> str:
        """How far all files were read."""
        position = _Position([file.mark for file in self.files.values()], self._gone)
        return msgspec.json.encode(position).decode()

    def close(self) -> None:
        """Lets go of all files."""
        for file in self.files.values():
            file.close()

    def in_order(self) -> list[KnownFile]:
        """Files without a name first, then in the order in which they were found."""
        return sorted(self.files.values(), key=lambda file: (file.is_present, not file.is_rotated))

    def tidy(self, now_ns: int) -> None:
        """Lets go of files that lost their names and came to their end, and of descriptors that are too many."""
        for file in [file for file in self.files.values() if not file.is_present]:
            is_read = file.mark.packing or file.size <= file.mark.read_bytes
            if is_read and now_ns - file.unchanged_since_ns >= LINGER_NS:
                file.close()
                del self.files[file.key]
                if file.mark.head_bytes and not file.mark.packing:
                    self._gone.append(file.mark)
        held = [file for file in self.files.values() if file.descriptor >= 0 and file.is_present]
        for file in sorted(held, key=lambda file: file.changed_ns)[: max(0, len(held) - _MOST_OPEN)]:
            file.close()

    def look(self, now_ns: int) -> list[str]:
        """Brings what is known of all files up to date; what cannot be read is told."""
        problems: list[str] = []
        unclaimed: list[_Lost] = []
        paths, streams = self._find(problems)
        seen, unknown = self._look_at_known(paths, streams, now_ns, unclaimed, problems)
        self._look_for_missing(now_ns, unclaimed)
        listed = set(seen)
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
        for name in self._paths:
            try:
                found = find_files([name], Roots())
            except NotFound as error:
                if not self.files:
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
        keys: set[Key] = set()
        unknown: list[Path] = []
        for path in paths:
            try:
                status = path.stat()
            except OSError as error:
                if error.errno != errno.ENOENT or not self.files:
                    problems.append(f"{path}: {os.strerror(error.errno or 0).lower()}")
                continue
            if not S_ISREG(status.st_mode):
                continue
            key = status.st_dev, status.st_ino
            seen[path] = key
            if key in keys:  # another name of it
                continue
            keys.add(key)
            file = self.files.get(key)
            if file is None:
                unknown.append(path)
                continue
            is_same = self._is_same(file, path, status, now_ns, unclaimed, problems)
            if is_same is None:
                keys.discard(key)
                del seen[path]
            elif is_same:
                file.mark.path, file.stream = str(path), streams.get(path, str(path))
                file.is_present, file.is_rotated, file.is_searched = True, is_rotated_name(path.name), False
            else:
                unknown.append(path)
        for file in self.files.values():
            file.is_present = file.key in keys
        return seen, unknown

    def _is_same(
        self,
        file: KnownFile,
        path: Path,
        status: os.stat_result,
        now_ns: int,
        unclaimed: list[_Lost],
        problems: list[str],
    ) -> bool | None:
        """Whether a file with a known inode is the known file; one that was truncated is, from its beginning on.

        None when it has lost that name since the list was made.
        """
        if (status.st_size, status.st_mtime_ns) == (file.size, file.changed_ns):
            return True
        descriptor = file.descriptor
        if descriptor < 0:
            try:
                descriptor = os.open(path, OPEN_FLAGS)
            except FileNotFoundError:
                return None
            except OSError as error:
                problems.append(f"{path}: {os.strerror(error.errno or 0).lower()}")
                return True
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != file.key:
                os.close(descriptor)
                return None
        born_ns = birth_ns(descriptor)
        if born_ns != file.mark.born_ns and born_ns and file.mark.born_ns:
            os.close(descriptor)
            file.descriptor = -1
            self._lose(file, unclaimed, "deleted_bytes")
            return False
        file.descriptor = descriptor
        began_empty = not file.mark.head_bytes and status.st_size > 0
        if began_empty or is_another_kind(file, status.st_size):
            file.close()
            del self.files[file.key]
            return False
        file.note_change(status, now_ns)
        if not file.mark.packing and not file.is_as_read():
            self._lose(file, unclaimed, "truncated_bytes")
            status = os.fstat(descriptor)
            fresh = KnownFile(new_mark(path, status, born_ns), file.stream, descriptor)
            self.files[fresh.key] = fresh
            fresh.note_change(status, now_ns)
            if status.st_size:
                learn_head(fresh)
        return True

    def _lose(self, file: KnownFile, unclaimed: list[_Lost], reason: str) -> None:
        """A file that is not there any more: what was not read of it may be found in a copy."""
        self.files.pop(file.key, None)
        if file.mark.head_bytes and not file.mark.packing:
            self._gone.append(file.mark)
        if reason == "truncated_bytes":
            self.losses.setdefault(reason, 0)
        unclaimed.append(_Lost(file.mark, file.stream, reason, file.held, file.held_tail))

    def _settle_gone(self, lost: _Lost) -> None:
        """Counts what no copy has of a file that is gone; what had been read of it is taken."""
        mark = lost.mark
        is_claimed = bool(mark.head_bytes) and not any(mark is other for other in self._gone)
        if mark.packing or is_claimed:
            return
        self._count_loss(lost.reason, mark.unread_bytes - len(lost.held))
        if lost.held:
            self.orphans.append((lost.stream, lost.held))
            mark.read_bytes, mark.tail = mark.read_bytes + len(lost.held), lost.held_tail
        mark.seen_bytes = mark.read_bytes

    def _count_loss(self, reason: str, lost_bytes: int) -> None:
        if lost_bytes > 0:
            self.losses[reason] = self.losses.get(reason, 0) + lost_bytes

    def _look_for_missing(self, now_ns: int, unclaimed: list[_Lost]) -> None:
        """Follows files that have lost their names: by the open file, or where it was renamed to in its folder."""
        for file in [file for file in self.files.values() if not file.is_present]:
            if file.descriptor < 0 and not file.is_searched:
                file.is_searched = True
                self._search(file)
            if file.descriptor < 0:
                self._lose(file, unclaimed, "deleted_bytes")
                continue
            status = os.fstat(file.descriptor)
            if not file.mark.packing and is_another_kind(file, status.st_size):
                file.close()  # it had hardly begun when it was met, and became something else
                del self.files[file.key]
                continue
            if not file.mark.head_bytes:
                learn_head(file)
            file.note_change(status, now_ns)
            if not file.mark.packing and not file.is_as_read():
                file.close()
                self._lose(file, unclaimed, "truncated_bytes")

    def _search(self, file: KnownFile) -> None:
        """Opens a file that was renamed out of sight."""
        folder = Path(file.mark.path).parent
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.inode() != file.mark.inode or not entry.is_file(follow_symlinks=False):
                    continue
                descriptor = os.open(entry.path, OPEN_FLAGS)
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

    def _met(self, path: Path, stream: str, now_ns: int, problems: list[str]) -> KnownFile | None:
        """The file that a path leads to; None for one that is known, or that cannot be read or not yet."""
        try:
            descriptor = os.open(path, OPEN_FLAGS)
        except OSError as error:
            if error.errno != errno.ENOENT:
                problems.append(f"{path}: {os.strerror(error.errno or 0).lower()}")
            return None
        status = os.fstat(descriptor)
        key = status.st_dev, status.st_ino
        state = status.st_size, status.st_mtime_ns
        is_known = key in self.files or self._binary.get(key) == state or self._is_known_copy(key, state)
        if is_known or not S_ISREG(status.st_mode):
            os.close(descriptor)
            return None
        head, packing, is_text, is_torn = kind_of_file(descriptor)
        if is_torn and not self._is_complete and now_ns - status.st_mtime_ns < LINGER_NS:
            os.close(descriptor)  # somebody is packing it just now
            return None
        if not is_text:
            os.close(descriptor)
            if str(path) in self._paths:
                problems.append(f"{path} is binary, not text")
            else:
                self._binary[key] = state
            return None
        mark = new_mark(path, status, birth_ns(descriptor))
        mark.packing = packing
        mark.seen_bytes = 0 if packing else status.st_size
        mark.head_bytes, mark.head = len(head), hash_of(head) if head else ""
        file = KnownFile(mark, stream, descriptor, is_rotated=is_rotated_name(path.name), head_text=head)
        file.note_change(status, now_ns)
        return file

    def _take_up(self, file: KnownFile, *, only_copies: bool) -> None:
        """Follows a file from now on, unless it is a copy of one that is still there."""
        if file.key in self.files:
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
        if self.skips_what_is_there and not is_copy:
            self._skip(file)
        self.files[file.key] = file

    def _is_known_copy(self, key: Key, state: tuple[int, int]) -> bool:
        """Whether nothing has changed since a file was found to be a copy of another one."""
        known = self._copies.get(key)
        if known is None:
            return False
        original = self.files.get(known[1])
        if original is not None and known == (state, original.key, (original.size, original.changed_ns)):
            return True
        del self._copies[key]
        return False

    def _original_of(self, copy: KnownFile) -> KnownFile | None:
        """The file that is still there and has the same text as far as both go."""
        if not copy.head_text:
            return None
        for file in self.files.values():
            common = min(len(copy.head_text), len(file.head_text))
            if not common or file.mark.packing or file.head_text[:common] != copy.head_text[:common]:
                continue
            if copy.mark.packing:
                return file
            size = min(copy.size, file.size)
            if file.descriptor < 0:
                with suppress(OSError):
                    file.descriptor = os.open(file.mark.path, OPEN_FLAGS)
            # An original that is truncated just now will be known as gone by the next poll.
            differs = file.descriptor >= 0 and tail_of(copy.descriptor, size) != tail_of(
                file.descriptor, size
            )
            if not differs or not file.is_as_read():
                return file
        return None

    def _go_on_from_gone(self, copy: KnownFile) -> bool:
        """Whether a new file is the copy of one that is gone: then it is read from where that was read to."""
        for place, mark in enumerate(self._gone):
            if len(copy.head_text) < mark.head_bytes or not may_be_copy(copy, mark):
                continue
            if hash_of(copy.head_text[: mark.head_bytes]) != mark.head:
                continue
            if copy.mark.packing:
                copy.mark.read_bytes, copy.mark.tail = mark.read_bytes, mark.tail
            else:
                if copy.size >= mark.read_bytes and tail_of(copy.descriptor, mark.read_bytes) != mark.tail:
                    continue
                copy.mark.read_bytes = min(mark.read_bytes, copy.size)
                copy.mark.tail = tail_of(copy.descriptor, copy.mark.read_bytes)
                self._count_loss("truncated_bytes", mark.seen_bytes - max(copy.size, mark.read_bytes))
            del self._gone[place]
            return True
        return False

    def _skip(self, file: KnownFile) -> None:
        """Takes what a file holds as read."""
        if file.mark.packing:
            file.mark.changed_ns = file.changed_ns
            return
        begin = max(0, file.size - LOOK_BACK_BYTES)
        behind = os.pread(file.descriptor, file.size - begin, begin).rfind(b"\n") + 1
        file.mark.read_bytes = begin + behind if behind else file.size
        file.mark.tail = tail_of(file.descriptor, file.mark.read_bytes)


def _read_position(position: str | None) -> _Position | None:
    """What a position says; nothing when it is none that can be read: then all is read again, and nothing is lost."""
    if position is None:
        return None
    try:
        return msgspec.json.decode(position, type=_Position)
    except msgspec.DecodeError:
        return None
