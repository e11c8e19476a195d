"""Copies: a store as it was at one moment, kept in another place. Create, list, verify, restore.

    PLACE/FORMAT                  `logpith copies 1`
    PLACE/segments/DAY/ID/…       the files of a segment, as they are in the store
    PLACE/snapshots/NAME.json     a snapshot: which segments, how far sources were read, settings; its checksum behind

Segments never change, so each is copied once, whatever the number of snapshots that name it. What is in the spool only
is put into segments of its own. The snapshot's file comes last: without it, what was copied is nobody's, and the next
snapshot takes what it can use of it. A store may be written while it is copied; nobody waits for it.

A copy holds every record that was acknowledged before it began. Segments that are dropped or put together meanwhile are
read from the trash, and should they be gone from there too, the copy begins anew with what there is then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from logpith.store.building import build_segments
from logpith.store.disk import (
    DAYS,
    DRAFT,
    FORMAT,
    FORMAT_TEXT,
    LOCK,
    MANIFEST,
    TRASH,
    check_format,
    replace_file,
    writer_lock,
)
from logpith.store.manifest import MOST_BATCH_IDS, Entry, Manifest, entry_of, write_manifest
from logpith.store.places import Place
from logpith.store.reader import read_moment
from logpith.store.rows import days_of, table_of
from logpith.store.segment import read_head, spell_head
from logpith.store.segment_writer import HEAD, Built, digest
from logpith.store.spools import Stored
from logpith.store.writer import SEGMENT_RECORDS, day_text, new_name, segment_folder
from logpith_emit.disk import Disk
from logpith_emit.errors import BadArgument, NotFound, Refused, Unavailable, nearest

COPIES_TEXT = b"logpith copies 1\n"
SEGMENTS = "segments"
SNAPSHOTS = "snapshots"

DAMAGED = "damaged"
RESTORING = f"{DRAFT}restore"
"""Stands in a folder that is being restored into; what has it and no FORMAT may be begun anew."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_FILE = re.compile(r"[a-z]{1,32}\.[a-z]{1,32}")
_ENDING = ".json"
_TRIES = 20

Classify = Callable[[Any], Mapping[str, Any]]
Told = Callable[[int, int], None]
"""Told (bytes done, bytes in all) while work goes on."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A segment in a snapshot."""

    entry: Entry
    head: str
    """The checksum of its `segment.json`, which has those of its other files."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A store at one moment, in a place."""

    format: int = 1
    name: str
    made_ns: int
    segments: tuple[Kept, ...]
    positions: dict[str, str]
    batch_ids: tuple[str, ...]
    dropped: dict[str, int]
    cut_ns: dict[str, int]
    left_out: dict[str, str] = {}
    """Segments that were damaged in the store, and how."""

    settings: dict[str, str] = {}
    """File name → its text, without secrets."""

    @property
    def records(self) -> int:
        return sum(kept.entry.records for kept in self.segments)

    @property
    def size_bytes(self) -> int:
        return sum(kept.entry.size_bytes for kept in self.segments)


@dataclass(frozen=True, kw_only=True)
class Created:
    """A snapshot that was made."""

    snapshot: Snapshot
    copied: int
    """Segments that were not there before."""

    copied_bytes: int


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A snapshot, every byte of it read."""

    snapshot: Snapshot
    problems: tuple[str, ...]


# ── Creating ────────────────────────────────────────────────────────────────────────────────────────────────


def create_snapshot(
    folder: Path,
    place: Place,
    name: str,
    now_ns: int,
    *,
    settings: Mapping[str, str] | None = None,
    classify: Classify | None = None,
    disk: Disk | None = None,
    told: Told | None = None,
) -> Created:
    """Copies what is not there yet of the store in a folder, and names all of it.

    Raises:
        BadArgument: the name cannot be a snapshot's.
        NotFound: there is no store.
        Refused: a snapshot of that name is there, or the place holds something else.
        Unavailable: the place cannot be reached or is full.
    """
    disk = disk or Disk()
    check_name(name)
    if FORMAT not in disk.names(folder):
        raise NotFound(
            f"there is no store in {folder}", remedy="Name its folder with --data-dir, or in the settings"
        )
    check_format(disk, folder)
    _prepare(place)
    if f"{name}{_ENDING}" in place.sizes(SNAPSHOTS):
        raise Refused(f"there is a snapshot '{name}' in {place.told}", remedy="Give this one another name")
    copying = _Copying(folder, disk, place, told)
    for _ in range(_TRIES):
        manifest, frames = read_moment(folder, disk)
        hot = list(_hot_segments(frames, now_ns, classify))
        try:
            kept = copying.copy(manifest, hot)
        except FileNotFoundError:  # dropped, and out of the trash since: what is there now has its records
            continue
        snapshot = _snapshot(name, now_ns, manifest, frames, kept, copying, settings or {})
        body = msgspec.json.encode(snapshot)
        place.put(f"{SNAPSHOTS}/{name}{_ENDING}", body + b"\n#" + digest(body).encode() + b"\n")
        return Created(snapshot=snapshot, copied=copying.copied, copied_bytes=copying.copied_bytes)
    raise Unavailable(
        f"segments of {folder} go faster than they can be copied",
        remedy="Try again, or copy to a quicker place",
    )


def check_name(name: str) -> None:
    """Nothing, when a snapshot may be called so: its name is a file's, and leads nowhere else.

    Raises:
        BadArgument: it may not.
    """
    if not _NAME.fullmatch(name):
        raise BadArgument(
            f"a snapshot cannot be called {name[:100]!r}",
            remedy="Use letters, digits, dots, dashes and underscores, at most 100",
        )


def _prepare(place: Place) -> None:
    """Says that a place is for copies, unless it is for something else."""
    try:
        told = place.read(FORMAT)
    except FileNotFoundError:
        if place.sizes(""):
            raise Refused(
                f"{place.told} is not empty and holds no copies",
                remedy="Name an empty folder, or one that copies are in",
            ) from None
        place.put(FORMAT, COPIES_TEXT)
        return
    _require_copies(place, told)


def _require_copies(place: Place, told: bytes) -> None:
    if told != COPIES_TEXT:
        raise Refused(
            f"{place.told} holds something else than copies, or those of a later version: {told[:40]!r}",
            remedy="Name another place, or use the version of logpith that wrote it",
        )


def _hot_segments(frames: tuple[Stored, ...], now_ns: int, classify: Classify | None) -> Iterator[Built]:
    """What is in the spool only, as segments."""
    batches = [frame.batch for frame in frames if frame.batch.num_rows]
    for day, table in days_of(table_of(batches)) if batches else ():
        classes = classify(table) if classify else {"": table}
        for kind, part in classes.items():
            yield from build_segments(
                part,
                lambda: new_name(now_ns),
                day,
                now_ns,
                most_records=SEGMENT_RECORDS,
                level=3,
                kind=kind,
            )


def _snapshot(
    name: str,
    now_ns: int,
    manifest: Manifest,
    frames: tuple[Stored, ...],
    kept: tuple[Kept, ...],
    copying: _Copying,
    settings: Mapping[str, str],
) -> Snapshot:
    lost = sum(entry.records for entry in manifest.segments if entry.id in copying.left_out)
    dropped = manifest.dropped
    if lost:
        dropped = {**dropped, DAMAGED: dropped.get(DAMAGED, 0) + lost}
    positions = dict(manifest.positions)
    for frame in frames:
        if frame.head.source and frame.sequence > manifest.placed.get(frame.head.source, 0):
            positions[frame.head.source] = frame.head.position
    ids = (frame.head.batch_id for frame in frames if frame.head.batch_id)
    return Snapshot(
        name=name,
        made_ns=now_ns,
        segments=kept,
        positions=positions,
        batch_ids=(*manifest.batch_ids, *ids)[-MOST_BATCH_IDS:],
        dropped=dropped,
        cut_ns=manifest.cut_ns,
        left_out=copying.left_out,
        settings=dict(settings),
    )


class _Copying:
    """Segments on their way to a place."""

    def __init__(self, folder: Path, disk: Disk, place: Place, told: Told | None) -> None:
        self._folder = folder
        self._disk = disk
        self._place = place
        self._told = told
        self._there = place.sizes(SEGMENTS)
        self.copied = 0
        self.copied_bytes = 0
        self.left_out: dict[str, str] = {}

    def copy(self, manifest: Manifest, hot: list[Built]) -> tuple[Kept, ...]:
        """All segments of a moment, in their order.

        Raises:
            FileNotFoundError: one of them is gone.
        """
        self.left_out = {}
        total = sum(entry.size_bytes for entry in manifest.segments)
        done = 0
        kept: list[Kept] = []
        for entry in manifest.segments:
            try:
                kept.append(self._copy_segment(entry))
            except Refused as error:  # what is whole is worth a copy all the same
                self.left_out[entry.id] = error.problem
            done += entry.size_bytes
            if self._told:
                self._told(done, total)
        for built in hot:
            spelled = spell_head(built.head)
            self._put(entry_of(built.head), {**built.files, HEAD: spelled})
            kept.append(Kept(entry=entry_of(built.head), head=digest(spelled)))
        return tuple(kept)

    def _copy_segment(self, entry: Entry) -> Kept:
        home = self._where(entry)
        spelled = self._disk.read(home / HEAD)
        head = read_head(home, spelled)
        base = f"{day_text(entry.day)}/{entry.id}"
        sizes = {**head.sizes, HEAD: len(spelled)}
        if any(self._there.get(f"{base}/{name}") != size for name, size in sizes.items()):
            files: dict[str, bytes] = {}
            for name, told in head.files.items():
                files[name] = self._disk.read(home / name)
                if digest(files[name]) != told:
                    raise Refused(f"{name} is damaged", remedy="Run logpith store check")
            self._put(entry, {**files, HEAD: spelled})
        return Kept(entry=entry, head=digest(spelled))

    def _put(self, entry: Entry, files: Mapping[str, bytes]) -> None:
        base = f"{day_text(entry.day)}/{entry.id}"
        for name, data in files.items():
            self._place.put(f"{SEGMENTS}/{base}/{name}", data)
            self._there[f"{base}/{name}"] = len(data)
            self.copied_bytes += len(data)
        self.copied += 1

    def _where(self, entry: Entry) -> Path:
        """The folder of a segment: that of its day, or for a while the trash."""
        home = segment_folder(self._folder, entry)
        if HEAD in self._disk.names(home):
            return home
        trash = self._folder / TRASH
        name = next((name for name in self._disk.names(trash) if name.endswith(f"-{entry.id}")), "")
        return trash / name if name else home


# ── What there is ───────────────────────────────────────────────────────────────────────────────────────────


def snapshot_names(place: Place) -> list[str]:
    """The snapshots in a place.

    Raises:
        NotFound: it holds no copies.
    """
    try:
        _require_copies(place, place.read(FORMAT))
    except FileNotFoundError as error:
        raise NotFound(
            f"there are no snapshots in {place.told}", remedy="Make one: logpith snapshot create"
        ) from error
    return sorted(
        name.removesuffix(_ENDING)
        for name in place.sizes(SNAPSHOTS)
        if name.endswith(_ENDING) and _NAME.fullmatch(name.removesuffix(_ENDING))
    )


def read_snapshot(place: Place, name: str) -> Snapshot:
    """A snapshot by its name.

    Raises:
        NotFound: there is none.
        Refused: it is damaged, or of a later version.
    """
    check_name(name)
    names = snapshot_names(place)
    if name not in names:
        offer = nearest(name, names).strip() or f"There are: {', '.join(names[-10:]) or 'none'}"
        raise NotFound(f"there is no snapshot '{name}' in {place.told}", remedy=offer)
    body, _, rest = place.read(f"{SNAPSHOTS}/{name}{_ENDING}").rpartition(b"\n#")
    if rest != digest(body).encode() + b"\n":
        raise Refused(f"the snapshot '{name}' in {place.told} is damaged", remedy="Take another one")
    try:
        snapshot = msgspec.json.decode(body, type=Snapshot)
    except msgspec.DecodeError as error:
        raise Refused(
            f"the snapshot '{name}' cannot be read: {error}",
            remedy="Use the version of logpith that wrote it",
        ) from error
    # Whoever can write to the place can also make a checksum: a name must lead nowhere else all the same.
    if any(not _ID.fullmatch(kept.entry.id) for kept in snapshot.segments):
        raise Refused(f"the snapshot '{name}' names segments as none are named", remedy="Take another one")
    return snapshot


def verify_snapshot(place: Place, name: str, told: Told | None = None) -> Verified:
    """A snapshot, and what is wrong with it after every byte was read.

    Raises:
        NotFound, Refused: as `read_snapshot`.
    """
    snapshot = read_snapshot(place, name)
    problems = [
        f"{kept.entry.id}: {problem}"
        for kept in _each(snapshot, told)
        if (problem := _read_whole(place, kept)[1])
    ]
    return Verified(snapshot=snapshot, problems=tuple(problems))


def _each(snapshot: Snapshot, told: Told | None) -> Iterator[Kept]:
    done = 0
    for kept in snapshot.segments:
        yield kept
        done += kept.entry.size_bytes
        if told:
            told(done, snapshot.size_bytes)


def _read_whole(place: Place, kept: Kept) -> tuple[Mapping[str, bytes], str]:
    """(all files, what is wrong) of a segment in a place."""
    base = f"{SEGMENTS}/{day_text(kept.entry.day)}/{kept.entry.id}"
    files: dict[str, bytes] = {}
    name = HEAD
    try:
        files[HEAD] = place.read(f"{base}/{HEAD}")
        if digest(files[HEAD]) != kept.head:
            return {}, f"{HEAD} is damaged"
        head = read_head(Path(kept.entry.id), files[HEAD])
        if head.id != kept.entry.id or not all(map(_FILE.fullmatch, head.files)):
            return {}, f"{HEAD} is of another segment"
        for name, told in head.files.items():
            files[name] = place.read(f"{base}/{name}")
            if digest(files[name]) != told:
                return {}, f"{name} is damaged"
    except FileNotFoundError:
        return {}, f"{name} is missing"
    return files, ""


# ── Restoring ───────────────────────────────────────────────────────────────────────────────────────────────


def restore_snapshot(
    place: Place,
    name: str,
    folder: Path,
    *,
    skip_damaged: bool = False,
    disk: Disk | None = None,
    told: Told | None = None,
) -> Verified:
    """Makes a store of a snapshot in an empty folder; it is one when this returns, and none before.

    With `skip_damaged` segments that cannot be read are left out, told, and counted as dropped.

    Raises:
        NotFound, Refused: as `read_snapshot`; the folder is not empty; a segment is damaged. Nothing is left then.
        Unavailable: the place cannot be reached, or somebody else is at the folder.
    """
    disk = disk or Disk()
    snapshot = read_snapshot(place, name)
    there = [one for one in disk.names(folder) if one != LOCK]
    if there and (RESTORING not in there or FORMAT in there):
        raise Refused(f"{folder} is not empty", remedy="Name an empty folder, or move away what is in it")
    disk.make_folder(folder)
    with writer_lock(folder):
        _clear(disk, folder)
        disk.write_new(folder / RESTORING, b"")
        try:
            kept, problems = _restore_segments(
                disk, place, folder, snapshot, skip_damaged=skip_damaged, told=told
            )
        except (Refused, Unavailable, OSError):
            _clear(disk, folder)
            raise
        lost = snapshot.records - sum(entry.records for entry in kept)
        dropped = snapshot.dropped
        if lost:
            dropped = {**dropped, DAMAGED: dropped.get(DAMAGED, 0) + lost}
        manifest = Manifest(
            generation=1,
            segments=kept,
            positions=snapshot.positions,
            batch_ids=snapshot.batch_ids,
            dropped=dropped,
            cut_ns=snapshot.cut_ns,
        )
        write_manifest(disk, folder, manifest)
        replace_file(disk, folder / FORMAT, FORMAT_TEXT)  # the last: from here on it is a store
        disk.remove(folder / RESTORING)
    return Verified(snapshot=snapshot, problems=tuple(problems))


def _restore_segments(
    disk: Disk, place: Place, folder: Path, snapshot: Snapshot, *, skip_damaged: bool, told: Told | None
) -> tuple[tuple[Entry, ...], list[str]]:
    kept: list[Entry] = []
    problems: list[str] = []
    for one in _each(snapshot, told):
        files, problem = _read_whole(place, one)
        if problem:
            problems.append(f"{one.entry.id}: {problem}")
            if not skip_damaged:
                raise Refused(
                    f"the snapshot '{snapshot.name}' is damaged: {problems[0]}",
                    remedy="Take another snapshot, or restore what is whole with --skip-damaged",
                )
            continue
        home = segment_folder(folder, one.entry)
        disk.make_folder(home)
        for name, data in files.items():
            disk.write_new(home / name, data)
        disk.sync_folder(home)
        disk.sync_folder(home.parent)
        kept.append(one.entry)
    disk.make_folder(folder / DAYS)
    disk.sync_folder(folder / DAYS)
    disk.sync_folder(folder)
    return tuple(kept), problems


def _clear(disk: Disk, folder: Path) -> None:
    """Takes away what a restore has left that came to no end."""
    disk.remove(folder / MANIFEST)
    disk.remove_folder(folder / DAYS)
    disk.remove(folder / RESTORING)
