"""The writer: records come in as batches, are durable at once, and become segments.

    append   a frame of the spool, synced: durable                (many threads share one sync)
    seal     frames → segments of a day each → manifest → the frames' files go
    compact  small neighbours → one larger segment → manifest → they go
    retain   what is too old or too much → manifest → it goes

Every step is safe to be cut off after any touch of the disk: what no manifest names is swept away at the next start,
what a manifest names was synced before it.
"""

from __future__ import annotations

import errno
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from logpith.batch import Batch
from logpith.store.building import SEGMENT_BYTES, build_segments
from logpith.store.disk import DAYS, DRAFT, FREE_SPACE, MANIFEST, TRASH, make_store, writer_lock
from logpith.store.manifest import (
    MOST_BATCH_IDS,
    Entry,
    Manifest,
    entry_of,
    read_manifest,
    spell_manifest,
    write_manifest,
)
from logpith.store.rows import days_of, rows_of, table_of
from logpith.store.segment import Segment, segment_table, spell_head
from logpith.store.segment_writer import HEAD, Built, build_segment
from logpith.store.spools import BATCH_KIND, FrameHead, Stored, in_order, pack_frame, read_frames, spool_of
from logpith.timerange import NS_PER_D, NS_PER_S, format_ns
from logpith_emit.disk import Disk
from logpith_emit.errors import Refused, Unavailable
from logpith_emit.spool import Damage, DurableWriter, Spool

SEAL_RECORDS = 100_000
SEAL_BYTES = 32 << 20
SEAL_AGE_NS = 60 * NS_PER_S

SEGMENT_RECORDS = 524_288
"""Records of a segment at most, when many come at once or small ones are put together."""

_MERGED_AT_ONCE = 8
_FEWEST_MERGED = 4
TRASH_GRACE_NS = 300 * NS_PER_S
"""How long readers may go on with a segment that was dropped."""


@dataclass(frozen=True, kw_only=True)
class StoreLimits:
    """When what happens."""

    seal_records: int = SEAL_RECORDS
    seal_bytes: int = SEAL_BYTES
    seal_age_ns: int = SEAL_AGE_NS
    segment_records: int = SEGMENT_RECORDS
    segment_bytes: int = SEGMENT_BYTES
    spool_bytes: int = 1 << 30
    compression_level: int = 3
    compacted_level: int = 6
    classify: Callable[[Any], Mapping[str, Any]] | None = None
    """An Arrow table of records → their tables by retention class; None means that all are of one class, ""."""


@contextmanager
def open_store(
    folder: Path, *, disk: Disk | None = None, limits: StoreLimits | None = None
) -> Iterator[Store]:
    """The store in a folder, made where there is none, to be written.

    Raises:
        Unavailable: another process writes it, or the disk cannot be written.
        Refused: the folder holds something else, or its manifest is damaged.
    """
    disk = disk or Disk()
    disk.make_folder(folder)
    with ExitStack() as stack:
        stack.enter_context(writer_lock(folder))
        make_store(disk, folder, spell_manifest(Manifest()))
        store = Store(folder, disk, limits or StoreLimits())
        stack.enter_context(store.opened())
        yield store


class Store:
    """A store that is being written; may be used by several threads."""

    def __init__(self, folder: Path, disk: Disk, limits: StoreLimits) -> None:
        self.folder = folder
        self.disk = disk
        self.limits = limits
        self.damage = Damage()
        """What was found damaged in the spool when the store was opened."""

        self._manifest = read_manifest(disk, folder)
        self._spool: Spool = spool_of(folder, disk, limits.spool_bytes)
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        """Held by whoever changes segments and the manifest: one thing at a time."""

        self._hot: dict[int, Stored] = {}
        """Frames that are durable and in no segment, in order."""

        self._waiting: dict[int, Stored] = {}
        """Appended and not known to be durable."""

        self._void: set[int] = set()
        """Appended in vain: whoever brought them knows that they are not stored. The next frame says so."""

        self._generation = self._manifest.generation
        self._unsure: list[Built] = []
        """Segments of a manifest that was not written, or was: the disk did not say."""

        self._synced_days: set[int] = set()
        """Days whose folders' names are durable."""

        self._apart: set[str] = set()
        """Segments that cannot be put together with others."""

        self._positions = dict(self._manifest.positions)
        self._batch_ids: dict[str, int] = dict.fromkeys(self._manifest.batch_ids, 0)
        self._log: DurableWriter | None = None
        self._oldest_ns: int | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While the spool can be written."""
        with _telling(self.folder):
            self._sweep()
            last = self._manifest.consumed
            for stored in read_frames(self._spool, self._manifest.consumed, self.damage):
                self._take(stored)
                last = stored.sequence
            self._sync_spool()
        with self._spool.open_durable(first_sequence=last + 1) as log:
            self._log = log
            try:
                yield
            finally:
                self._log = None

    @property
    def manifest(self) -> Manifest:
        """The segments as they are now."""
        return self._manifest

    def hot(self) -> list[Batch]:
        """Batches that are durable and in no segment, in the order in which they came."""
        with self._lock:
            return [stored.batch for stored in self._hot.values()]

    def snapshot(self) -> tuple[Manifest, tuple[Stored, ...]]:
        """What is stored at this moment: the manifest, and what is not in its segments."""
        with self._lock:
            return self._manifest, tuple(self._hot.values())

    def position(self, source: str) -> str | None:
        """What was last stored with records of a source; None when nothing was."""
        with self._lock:
            return self._positions.get(source)

    def append(self, batch: Batch, *, position: tuple[str, str] | None = None, batch_id: str = "") -> bool:
        """Stores a batch, and with it where its source has come to; durable when it returns.

        False when a batch of that id was stored before: then nothing is stored.

        Raises:
            Unavailable: it is not stored now; the same call may be tried again.
        """
        log = self._open_log()
        with self._lock:
            sequence = self._batch_ids.get(batch_id) if batch_id else None
            is_new = sequence is None
            if sequence is None:
                head = FrameHead(*(position or ("", "")), batch_id, tuple(sorted(self._void)))
                sequence = log.append(pack_frame(head, batch), BATCH_KIND)
                if not sequence:
                    raise Unavailable("the spool has no room", remedy="Free disk space, or raise its limit")
                self._waiting[sequence] = Stored(sequence, head, batch)
                if batch_id:
                    self._batch_ids[batch_id] = sequence
            elif sequence not in self._waiting:
                return False
        problem = Unavailable("a batch is not stored", remedy="Bring it again")
        try:
            log.sync()
        except Unavailable as error:
            problem = error
        with self._lock:
            self._take_durable(log)
            if sequence in self._waiting:
                # It is on the disk, or it is not, and it is going to be brought again: it must not count then.
                del self._waiting[sequence]
                self._void.add(sequence)
                self._batch_ids.pop(batch_id, None)
            if sequence in self._void:
                raise problem
        return is_new

    def add(
        self, batches: Sequence[Batch], *, positions: Mapping[str, str] | None = None, newest_ns: int
    ) -> None:
        """Stores many records at once, as segments; durable and complete when it returns, or nothing of it is.

        The same as appending, some times as quick, for what comes in hundreds of thousands.
        """
        self.add_built(self.build(batches, newest_ns), positions=positions)

    def build(self, batches: Sequence[Batch], newest_ns: int) -> list[Built]:
        """The segments of many records, in memory only; several threads may build at once."""
        limits = self.limits
        built: list[Built] = []
        for day, table in days_of(table_of([batch for batch in batches if batch.num_rows])):
            classes = limits.classify(table) if limits.classify else {"": table}
            for kind, part in classes.items():
                built += build_segments(
                    part,
                    lambda: new_name(newest_ns),
                    day,
                    newest_ns,
                    most_records=limits.segment_records,
                    level=limits.compression_level,
                    kind=kind,
                    most_bytes=limits.segment_bytes,
                )
        return built

    def add_built(self, built: Sequence[Built], *, positions: Mapping[str, str] | None = None) -> None:
        """Stores what was built; durable and complete when it returns, or nothing of it is."""
        with self._changing, _telling(self.folder):
            self._keep(built)
            with self._lock:
                # What is in the spool came before, and so did the positions that it tells.
                last = max((0, *self._hot, *self._waiting, *self._void))
                self._commit(
                    built,
                    positions={**self._manifest.positions, **(positions or {})},
                    placed={**self._manifest.placed, **dict.fromkeys(positions or (), last)},
                )
                self._positions.update(positions or {})

    def maintain(self, now_ns: int) -> None:
        """Empties the trash, seals what waits long enough or is enough, puts small segments together.

        Raises:
            Unavailable: the disk is full or fails; what was stored is safe, and the next time may go better.
        """
        self.empty_trash(now_ns)
        with self._lock:
            records = sum(stored.batch.num_rows for stored in self._hot.values())
            size_bytes = sum(stored.batch.nbytes for stored in self._hot.values())
            if self._hot and self._oldest_ns is None:
                self._oldest_ns = now_ns
            age_ns = now_ns - self._oldest_ns if self._oldest_ns is not None else 0
        limits = self.limits
        if records >= limits.seal_records or size_bytes >= limits.seal_bytes or age_ns >= limits.seal_age_ns:
            self.seal(now_ns)
        self.compact(now_ns)

    def seal(self, now_ns: int) -> None:
        """Makes segments of all that is in the spool only, oldest first and in parts: who is ended in the middle of a
        long spool, again and again, gets further each time.

        Raises:
            Unavailable: the disk is full or fails; what was sealed before stays so, and nothing else has changed.
        """
        with self._changing, _telling(self.folder):
            log = self._open_log()
            log.roll()
            with self._lock:
                self._take_durable(log)
                # What is behind one that is not known to be durable is sealed the next time.
                end = min(self._waiting, default=log.durable_sequence + 1)
                left: Sequence[Stored] = [stored for stored in self._hot.values() if stored.sequence < end]
            if not left:
                return
            try:
                while left:
                    part, left = self._divided(left)
                    self._seal_part(part, left[0].sequence if left else end, now_ns)
            finally:
                self._remove_consumed()
            with self._lock:
                self._oldest_ns = None
                while len(self._batch_ids) > 2 * MOST_BATCH_IDS:
                    del self._batch_ids[next(iter(self._batch_ids))]

    def _divided(self, hot: Sequence[Stored]) -> tuple[Sequence[Stored], Sequence[Stored]]:
        """The first frames, as many as are enough to be sealed, and the others."""
        records = size_bytes = 0
        for count, stored in enumerate(hot, 1):
            records += stored.batch.num_rows
            size_bytes += stored.batch.nbytes
            if records >= self.limits.seal_records or size_bytes >= self.limits.seal_bytes:
                return hot[:count], hot[count:]
        return hot, ()

    def _seal_part(self, hot: Sequence[Stored], end: int, now_ns: int) -> None:
        """Makes segments of the first frames that are in the spool only; no other one of them is before `end`."""
        built = self.build([stored.batch for stored in hot], now_ns)
        self._keep(built)
        with self._lock:
            positions = dict(self._manifest.positions)
            for stored in hot:
                self._note_position(positions, stored)
            void = [sequence for sequence in self._void if sequence < end]
            through = max(hot[-1].sequence, *void) if void else hot[-1].sequence
            ids = (stored.head.batch_id for stored in hot if stored.head.batch_id)
            self._commit(
                built,
                consumed=through,
                positions=positions,
                placed={name: last for name, last in self._manifest.placed.items() if last > through},
                batch_ids=(*self._manifest.batch_ids, *ids)[-MOST_BATCH_IDS:],
            )
            for stored in hot:
                del self._hot[stored.sequence]
            self._void.difference_update(void)

    def compact(self, now_ns: int) -> None:
        """Puts small neighbours of one day and class together, as long as they make one segment.

        Raises:
            Unavailable: the disk is full or fails; nothing has changed.
        """
        while self._compact_once(now_ns):
            pass

    def _compact_once(self, now_ns: int) -> bool:
        with self._changing, _telling(self.folder):
            candidates = [entry for entry in self._manifest.segments if entry.id not in self._apart]
            chosen = _neighbours(candidates, self.limits)
            if not chosen:
                return False
            names = {entry.id for entry in chosen}
            tables: list[Any] = []
            for entry in chosen:
                try:
                    tables.append(segment_table(self.segment(entry)))
                except (Refused, FileNotFoundError):  # readers tell that it is damaged
                    self._apart.add(entry.id)
                    return True
            try:
                built = build_segment(
                    rows_of(pa.concat_tables(tables)),
                    new_name(now_ns),
                    chosen[0].day,
                    now_ns,
                    level=self.limits.compacted_level,
                    kind=chosen[0].kind,
                )
            except Refused:  # one segment cannot hold so many services
                self._apart |= names
                return True
            self._keep([built])
            with self._lock:
                left = [entry for entry in self._manifest.segments if entry.id not in names]
                first = next(at for at, entry in enumerate(self._manifest.segments) if entry.id in names)
                merged = entry_of(built.head)
                self._commit([built], segments=(*left[:first], merged, *left[first:]))
            self._throw_away(chosen, now_ns)
        return True

    def drop(self, names: Mapping[str, str], now_ns: int, *, cut_ns: Mapping[str, int] | None = None) -> None:
        """Drops segments by their names, each for a reason, which its records are counted under.

        `cut_ns` is what the plan that says so wants to be kept for the next one.
        """
        with self._changing, _telling(self.folder):
            gone = [entry for entry in self._manifest.segments if entry.id in names]
            dropped = dict(self._manifest.dropped)
            for entry in gone:
                reason = names[entry.id]
                dropped[reason] = dropped.get(reason, 0) + entry.records
            with self._lock:
                left = tuple(entry for entry in self._manifest.segments if entry.id not in names)
                cut = self._manifest.cut_ns if cut_ns is None else dict(cut_ns)
                self._commit([], segments=left, dropped=dropped, cut_ns=cut)
            self._throw_away(gone, now_ns)

    def replace(
        self, entry: Entry, batches: Sequence[Batch], now_ns: int, *, dropped: Mapping[str, int]
    ) -> None:
        """Puts other records in the place of a segment; `dropped` are those that go, by reason.

        Raises:
            Refused: the segment is not there any more; nothing has changed.
            Unavailable: the disk is full or fails; nothing has changed.
        """
        built = self.build(batches, now_ns)
        with self._changing, _telling(self.folder):
            if entry not in self._manifest.segments:
                raise Refused(f"segment {entry.id} is gone", remedy="Begin again")
            self._keep(built)
            with self._lock:
                at = self._manifest.segments.index(entry)
                before, behind = self._manifest.segments[:at], self._manifest.segments[at + 1 :]
                counts = Counter(self._manifest.dropped) + Counter(dropped)
                made = [entry_of(one.head) for one in built]
                self._commit(built, segments=(*before, *made, *behind), dropped=dict(counts))
            self._throw_away([entry], now_ns)

    def segment(self, entry: Entry) -> Segment:
        """The segment of an entry, open."""
        return Segment.open(segment_folder(self.folder, entry), self.disk)

    def empty_trash(self, now_ns: int) -> None:
        """Removes what was dropped so long ago that nobody can still be reading it; and what a clock that was ahead
        says will be dropped."""
        trash = self.folder / TRASH
        with _telling(self.folder):
            for name in self.disk.names(trash):
                stamp = name.partition("-")[0]
                if not stamp.isdigit() or abs(now_ns - int(stamp)) >= TRASH_GRACE_NS:
                    self.disk.remove_folder(trash / name)

    # ── Steps ───────────────────────────────────────────────────────────────────────────────────────────────

    def _open_log(self) -> DurableWriter:
        if self._log is None:
            raise Refused("the store is closed", remedy="Open it again")
        return self._log

    def _take_durable(self, log: DurableWriter) -> None:
        """Counts what waited and is durable by now."""
        for sequence in [number for number in self._waiting if number <= log.durable_sequence]:
            self._take(self._waiting.pop(sequence))

    def _take(self, stored: Stored) -> None:
        self._hot[stored.sequence] = stored
        self._void.difference_update(stored.head.void)
        self._note_position(self._positions, stored)
        if stored.head.batch_id:
            self._batch_ids[stored.head.batch_id] = stored.sequence

    def _note_position(self, positions: dict[str, str], stored: Stored) -> None:
        source = stored.head.source
        if source and stored.sequence > self._manifest.placed.get(source, 0):
            positions[source] = stored.head.position

    def _keep(self, built: Sequence[Built]) -> None:
        """Writes segments where they belong; durable when it returns, and named by no manifest."""
        try:
            for one in built:
                self._keep_one(one)
        except BaseException:
            self._unkeep(built)
            raise

    def _keep_one(self, built: Built) -> None:
        home = self.folder / DAYS / day_text(built.head.day)
        draft = home / f"{DRAFT}{built.id}"
        self.disk.make_folder(draft)
        for name, data in built.files.items():
            self.disk.write_new(draft / name, data)
        self.disk.write_new(draft / HEAD, spell_head(built.head))
        self.disk.sync_folder(draft)
        self.disk.rename(draft, home / built.id)
        self.disk.sync_folder(home)
        if built.head.day not in self._synced_days:
            self.disk.sync_folder(home.parent)
            self._synced_days.add(built.head.day)

    def _unkeep(self, built: Sequence[Built]) -> None:
        """Takes segments away that no manifest names: a disk that is full needs the room."""
        for one in built:
            home = self.folder / DAYS / day_text(one.head.day)
            for name in (f"{DRAFT}{one.id}", one.id):
                with suppress(OSError):  # the next start sweeps it away
                    self.disk.remove_folder(home / name)

    def _commit(self, built: Sequence[Built], **changes: object) -> None:
        """Puts a manifest in the place of the one before that names the segments `built`, too."""
        self._generation += 1
        segments = (*self._manifest.segments, *(entry_of(one.head) for one in built))
        changed = msgspec.structs.replace(
            self._manifest, **{"generation": self._generation, "segments": segments, **changes}
        )
        try:
            write_manifest(self.disk, self.folder, changed)
        except BaseException:
            if f"{DRAFT}{MANIFEST}" in self.disk.names(self.folder):  # it has not got its name
                self._unkeep(built)
            else:
                self._unsure += built
            raise
        self._manifest = changed
        self._unkeep(self._unsure)
        self._unsure.clear()

    def _throw_away(self, entries: Sequence[Entry], now_ns: int) -> None:
        for entry in entries:
            folder = segment_folder(self.folder, entry)
            with suppress(FileNotFoundError):
                self.disk.rename(folder, self.folder / TRASH / f"{now_ns}-{entry.id}")

    def _remove_consumed(self) -> None:
        """Removes the files of the spool of which every frame is in a segment; damaged ones are kept aside."""
        growing = self._log.segment if self._log is not None else None
        for segment in in_order(self._spool):
            damage = Damage()
            frames = [frame.sequence for frame in self._spool.read(segment, damage=damage)]
            is_consumed = max(frames, default=0) <= self._manifest.consumed
            if segment == growing or damage.unreadable_files or not is_consumed:
                continue
            if damage.is_worth_keeping:
                self._spool.set_aside(segment)
            else:
                self._spool.remove(segment)

    def _sync_spool(self) -> None:
        """Makes durable what an earlier program has written to the spool and may not have synced."""
        segments = self._spool.segments()
        for segment in segments:
            file = self.disk.append_to(segment.path)
            try:
                file.sync()
            finally:
                file.close()
        if segments:
            self.disk.sync_folder(self._spool.folder)

    def _sweep(self) -> None:
        """Removes what a program that was cut off left behind: drafts, and segments that no manifest names."""
        named = {entry.id for entry in self._manifest.segments}
        for day in self.disk.names(self.folder / DAYS):
            home = self.folder / DAYS / day
            for name in self.disk.names(home):
                if name not in named:
                    self.disk.remove_folder(home / name)
        self._remove_consumed()


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """Says in our words that the disk does not do what it should."""
    try:
        yield
    except OSError as error:
        no_space = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise Unavailable(
            f"{folder} cannot be written: {error.strerror}",
            remedy=FREE_SPACE if no_space else "See to that disk",
        ) from error


def segment_folder(folder: Path, entry: Entry) -> Path:
    """Where a segment is."""
    return folder / DAYS / day_text(entry.day) / entry.id


def day_text(day: int) -> str:
    """A day since 1970 as `2026-11-20`."""
    return format_ns(day * NS_PER_D)[:10]


def new_name(now_ns: int) -> str:
    """A name that no other segment has; names sort by when they were given."""
    return f"{now_ns // 1_000_000:013d}-{secrets.token_hex(4)}"


def _neighbours(entries: Sequence[Entry], limits: StoreLimits) -> list[Entry]:
    """Small segments of one day and class that are worth putting together; none when there are too few."""
    groups: dict[tuple[int, str], list[Entry]] = {}
    for entry in entries:
        if entry.records <= limits.segment_records // 2:
            groups.setdefault((entry.day, entry.kind), []).append(entry)
    for group in groups.values():
        # Of one size, so that a record is written anew only a few times.
        group.sort(key=lambda entry: entry.records)
        for first in range(len(group) - _FEWEST_MERGED + 1):
            chosen: list[Entry] = []
            records = text_bytes = 0
            for entry in group[first:]:
                records += entry.records
                text_bytes += entry.text_bytes
                is_larger = chosen and entry.records > _MERGED_AT_ONCE * max(chosen[0].records, 1_000)
                is_too_much = records > limits.segment_records or text_bytes > limits.segment_bytes
                if is_larger or is_too_much or len(chosen) == 4 * _MERGED_AT_ONCE:
                    break
                chosen.append(entry)
            if len(chosen) >= _FEWEST_MERGED:
                names = {entry.id for entry in chosen}
                return [entry for entry in entries if entry.id in names]
    return []
