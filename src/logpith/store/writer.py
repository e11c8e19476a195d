"""The writer: records come in as batches, are durable at once, and become segments.

    append   a frame of the spool, synced: durable                (many threads share one sync)
    seal     frames → segments of a day each → manifest → the frames' files go
    compact  small neighbours → one larger segment → manifest → they go
    retain   what is too old or too much → manifest → it goes

Every step is safe to be cut off after any touch of the disk: what no manifest names is swept away at the next start,
what a manifest names was synced before it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from logpith.batch import Batch
from logpith.store.disk import DAYS, DRAFT, TRASH, make_store, writer_lock
from logpith.store.manifest import MOST_BATCH_IDS, Entry, Manifest, entry_of, read_manifest, write_manifest
from logpith.store.rows import Rows, days_of, rows_of, table_of
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

_SMALL_RECORDS = SEGMENT_RECORDS // 2
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
    spool_bytes: int = 1 << 30
    compression_level: int = 3
    compacted_level: int = 6
    classify: Callable[[Any], Mapping[str, Any]] | None = None
    """An Arrow table of records → their tables by retention class; None means that all are of one class, ""."""


@dataclass
class _Hot:
    """A batch that is in the spool and in no segment."""

    stored: Stored
    size_bytes: int


@contextmanager
def open_store(
    folder: Path, *, disk: Disk | None = None, limits: StoreLimits | None = None
) -> Iterator[Store]:
    """The store in a folder, made where there is none, to be written.

    Raises:
        Unavailable: another process writes it.
        Refused: the folder holds something else, or its manifest is damaged.
    """
    disk = disk or Disk()
    disk.make_folder(folder)
    with ExitStack() as stack:
        stack.enter_context(writer_lock(folder))
        make_store(disk, folder)
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

        self._hot: dict[int, _Hot] = {}
        self._waiting: dict[int, _Hot] = {}
        """Appended and not known to be durable."""

        self._positions = dict(self._manifest.positions)
        self._batch_ids: dict[str, int] = dict.fromkeys(self._manifest.batch_ids, 0)
        self._log: DurableWriter | None = None
        self._oldest_ns: int | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While the spool can be written."""
        self._sweep()
        last = self._manifest.consumed
        for stored in read_frames(self._spool, self._manifest.consumed, self.damage):
            self._take(stored, stored.batch.nbytes)
            last = stored.sequence
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
            return [hot.stored.batch for hot in self._hot.values()]

    def snapshot(self) -> tuple[Manifest, tuple[Stored, ...]]:
        """What is stored at this moment: the manifest, and what is not in its segments."""
        with self._lock:
            return self._manifest, tuple(hot.stored for hot in self._hot.values())

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
        head = FrameHead(*(position or ("", "")), batch_id)
        log = self._open_log()
        with self._lock:
            sequence = self._batch_ids.get(batch_id) if batch_id else None
            if sequence is None:
                payload = pack_frame(head, batch)
                sequence = log.append(payload, BATCH_KIND)
                if not sequence:
                    raise Unavailable("the spool has no room", remedy="Free disk space, or raise its limit")
                self._waiting[sequence] = _Hot(Stored(sequence, head, batch), len(payload))
                if batch_id:
                    self._batch_ids[batch_id] = sequence
                is_new = True
            else:
                is_new = sequence in self._waiting
        log.sync()
        with self._lock:
            for waiting in [number for number in self._waiting if number <= log.durable_sequence]:
                hot = self._waiting.pop(waiting)
                self._take(hot.stored, hot.size_bytes)
        return is_new

    def add(
        self, batches: Sequence[Batch], *, positions: Mapping[str, str] | None = None, newest_ns: int
    ) -> None:
        """Stores many records at once, as segments; durable and complete when it returns, or nothing of it is.

        The same as appending, some times as quick, for what comes in hundreds of thousands.
        """
        built = self._build(batches, newest_ns, self.limits.compression_level)
        with self._changing:
            self._keep(built)
            with self._lock:
                self._commit(
                    segments=(*self._manifest.segments, *(entry_of(one.head) for one in built)),
                    positions={**self._manifest.positions, **(positions or {})},
                )
                self._positions.update(positions or {})

    def maintain(self, now_ns: int) -> None:
        """Seals what waits long enough or is enough, puts small segments together, empties the trash."""
        with self._lock:
            records = sum(hot.stored.batch.num_rows for hot in self._hot.values())
            size_bytes = sum(hot.size_bytes for hot in self._hot.values())
            if self._hot and self._oldest_ns is None:
                self._oldest_ns = now_ns
            age_ns = now_ns - self._oldest_ns if self._oldest_ns is not None else 0
        limits = self.limits
        if records >= limits.seal_records or size_bytes >= limits.seal_bytes or age_ns >= limits.seal_age_ns:
            self.seal(now_ns)
        self.compact(now_ns)
        self.empty_trash(now_ns)

    def seal(self, now_ns: int) -> None:
        """Makes segments of all that is in the spool only."""
        with self._changing:
            log = self._open_log()
            log.roll()
            with self._lock:
                hot = list(self._hot.values())
                self._oldest_ns = None
                waiting = min(self._waiting, default=None)
            if not hot:
                return
            through = hot[-1].stored.sequence
            if waiting is not None and waiting < through:
                return  # one of them is not known to be durable: the next time
            built = self._build([one.stored.batch for one in hot], now_ns, self.limits.compression_level)
            self._keep(built)
            with self._lock:
                heads = [one.stored.head for one in hot]
                self._commit(
                    segments=(*self._manifest.segments, *(entry_of(one.head) for one in built)),
                    consumed=through,
                    positions={
                        **self._manifest.positions,
                        **{head.source: head.position for head in heads if head.source},
                    },
                    batch_ids=(
                        *self._manifest.batch_ids,
                        *(head.batch_id for head in heads if head.batch_id),
                    )[-MOST_BATCH_IDS:],
                )
                for one in hot:
                    del self._hot[one.stored.sequence]
                while len(self._batch_ids) > 2 * MOST_BATCH_IDS:
                    del self._batch_ids[next(iter(self._batch_ids))]
            self._remove_consumed()

    def compact(self, now_ns: int) -> None:
        """Puts small neighbours of one day and class together, as long as they make one segment."""
        while self._compact_once(now_ns):
            pass

    def _compact_once(self, now_ns: int) -> bool:
        with self._changing:
            chosen = _neighbours(self._manifest.segments, self.limits.segment_records)
            if not chosen:
                return False
            tables = [segment_table(self.segment(entry)) for entry in chosen]
            built = self._build_rows(
                rows_of(pa.concat_tables(tables)),
                chosen[0].day,
                now_ns,
                self.limits.compacted_level,
                chosen[0].kind,
            )
            self._keep([built])
            names = {entry.id for entry in chosen}
            with self._lock:
                left = [entry for entry in self._manifest.segments if entry.id not in names]
                first = next(at for at, entry in enumerate(self._manifest.segments) if entry.id in names)
                merged = entry_of(built.head)
                self._commit(segments=(*left[:first], merged, *left[first:]))
            self._throw_away(chosen, now_ns)
        return True

    def drop(self, names: Mapping[str, str], now_ns: int) -> None:
        """Drops segments by their names, each for a reason, which its records are counted under."""
        with self._changing:
            gone = [entry for entry in self._manifest.segments if entry.id in names]
            dropped = dict(self._manifest.dropped)
            for entry in gone:
                reason = names[entry.id]
                dropped[reason] = dropped.get(reason, 0) + entry.records
            with self._lock:
                left = tuple(entry for entry in self._manifest.segments if entry.id not in names)
                self._commit(segments=left, dropped=dropped)
            self._throw_away(gone, now_ns)

    def segment(self, entry: Entry) -> Segment:
        """The segment of an entry, open."""
        return Segment.open(segment_folder(self.folder, entry), self.disk)

    def empty_trash(self, now_ns: int) -> None:
        """Removes what was dropped so long ago that nobody can still be reading it."""
        trash = self.folder / TRASH
        for name in self.disk.names(trash):
            stamp = name.partition("-")[0]
            if not stamp.isdigit() or int(stamp) + TRASH_GRACE_NS <= now_ns:
                self.disk.remove_folder(trash / name)

    # ── Steps ───────────────────────────────────────────────────────────────────────────────────────────────

    def _open_log(self) -> DurableWriter:
        if self._log is None:
            raise Refused("the store is closed", remedy="Open it again")
        return self._log

    def _take(self, stored: Stored, size_bytes: int) -> None:
        self._hot[stored.sequence] = _Hot(stored, size_bytes)
        if stored.head.source:
            self._positions[stored.head.source] = stored.head.position
        if stored.head.batch_id:
            self._batch_ids[stored.head.batch_id] = stored.sequence

    def _build(self, batches: Sequence[Batch], now_ns: int, level: int) -> list[Built]:
        built: list[Built] = []
        for day, table in days_of(table_of([batch for batch in batches if batch.num_rows])):
            classes = self.limits.classify(table) if self.limits.classify else {"": table}
            for kind, part in classes.items():
                for first in range(0, part.num_rows, self.limits.segment_records):
                    some = part.slice(first, self.limits.segment_records)
                    built.append(self._build_rows(rows_of(some), day, now_ns, level, kind))
        return built

    def _build_rows(self, rows: Rows, day: int, now_ns: int, level: int, kind: str = "") -> Built:
        return build_segment(rows, new_name(now_ns), day, now_ns, level=level, kind=kind)

    def _keep(self, built: Sequence[Built]) -> None:
        """Writes segments where they belong; durable when it returns, and named by no manifest."""
        for one in built:
            home = self.folder / DAYS / day_text(one.head.day)
            draft = home / f"{DRAFT}{one.id}"
            is_new = not self.disk.names(home)
            self.disk.make_folder(draft)
            for name, data in one.files.items():
                self.disk.write_new(draft / name, data)
            self.disk.write_new(draft / HEAD, spell_head(one.head))
            self.disk.sync_folder(draft)
            self.disk.rename(draft, home / one.id)
            self.disk.sync_folder(home)
            if is_new:
                self.disk.sync_folder(home.parent)

    def _commit(self, **changes: object) -> None:
        changed = msgspec.structs.replace(self._manifest, generation=self._manifest.generation + 1, **changes)
        write_manifest(self.disk, self.folder, changed)
        self._manifest = changed

    def _throw_away(self, entries: Sequence[Entry], now_ns: int) -> None:
        for entry in entries:
            folder = segment_folder(self.folder, entry)
            self.disk.rename(folder, self.folder / TRASH / f"{now_ns}-{entry.id}")

    def _remove_consumed(self) -> None:
        """Removes the files of the spool of which every frame is in a segment."""
        growing = self._open_log().segment
        for segment in in_order(self._spool):
            if segment == growing:
                continue
            last = 0
            for frame in self._spool.read(segment):
                last = frame.sequence
            if last <= self._manifest.consumed:
                self._spool.remove(segment)

    def _sweep(self) -> None:
        """Removes what a program that was cut off left behind: drafts, and segments that no manifest names."""
        named = {entry.id for entry in self._manifest.segments}
        for day in self.disk.names(self.folder / DAYS):
            home = self.folder / DAYS / day
            for name in self.disk.names(home):
                if name not in named:
                    self.disk.remove_folder(home / name)
        for segment in in_order(self._spool):
            frames = [frame.sequence for frame in self._spool.read(segment)]
            if frames and max(frames) <= self._manifest.consumed:
                self._spool.remove(segment)


def segment_folder(folder: Path, entry: Entry) -> Path:
    """Where a segment is."""
    return folder / DAYS / day_text(entry.day) / entry.id


def day_text(day: int) -> str:
    """A day since 1970 as `2026-11-20`."""
    return format_ns(day * NS_PER_D)[:10]


def new_name(now_ns: int) -> str:
    """A name that no other segment has; names sort by when they were given."""
    return f"{now_ns // 1_000_000:013d}-{secrets.token_hex(4)}"


def _neighbours(entries: Sequence[Entry], most_records: int) -> list[Entry]:
    """Small segments of one day and class that are worth putting together; none when there are too few."""
    groups: dict[tuple[int, str], list[Entry]] = {}
    for entry in entries:
        if entry.records <= most_records // 2:
            groups.setdefault((entry.day, entry.kind), []).append(entry)
    for group in groups.values():
        # Of one size, so that a record is written anew only a few times.
        group.sort(key=lambda entry: entry.records)
        for first in range(len(group) - _FEWEST_MERGED + 1):
            chosen: list[Entry] = []
            records = 0
            for entry in group[first:]:
                too_large = chosen and entry.records > _MERGED_AT_ONCE * max(chosen[0].records, 1_000)
                if too_large or records + entry.records > most_records or len(chosen) == 4 * _MERGED_AT_ONCE:
                    break
                chosen.append(entry)
                records += entry.records
            if len(chosen) >= _FEWEST_MERGED:
                names = {entry.id for entry in chosen}
                return [entry for entry in entries if entry.id in names]
    return []
