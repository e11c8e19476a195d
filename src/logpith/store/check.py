"""Check: is everything in a store what it should be; and repair, which makes a store of all that still is.

    for finding in check_store(folder, disk): ...        reads every byte, changes nothing
    repair_store(folder, disk, now_ns)                   what is damaged goes aside, into `damaged/`, and is counted

A segment is more than its checksums: rows point to templates, templates and rollup count rows, each line has the length
that stands beside it. All of that is looked at, so a good segment is one of which every question gets the right answer.

Where the manifest is lost, it is made anew from the segments. One that a compaction had already put into another
is known by its records, which are all in the other; frames of the spool that had been sealed, likewise. Positions come
from the last copy of the manifest (`keeping.py`), so sources read again what came since.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from logpith.plural import are, counted
from logpith.scan.timestamps import NO_TIME
from logpith.store.disk import (
    DAYS,
    DRAFT,
    FORMAT,
    FORMAT_TEXT,
    LOCK,
    MANIFEST,
    SPOOL,
    TRASH,
    check_format,
    replace_file,
    writer_lock,
)
from logpith.store.manifest import MANIFEST_COPY, Entry, Manifest, entry_of, parse_manifest, write_manifest
from logpith.store.rows import table_of
from logpith.store.segment import Segment, segment_table
from logpith.store.segment_writer import HEAD, WORDS, Head, digest
from logpith.store.spools import read_frames, spool_of
from logpith.store.writer import day_text, open_store, segment_folder
from logpith_emit.disk import Disk
from logpith_emit.errors import LogpithError, NotFound, Unavailable
from logpith_emit.spool import Damage

DAMAGED = "damaged"
"""The folder of what was damaged, and the reason that its records are counted under."""

_OURS = frozenset({FORMAT, MANIFEST, MANIFEST_COPY, LOCK, DAYS, SPOOL, TRASH, DAMAGED})
_UNREADABLE = (
    LogpithError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    pa.ArrowException,
    msgspec.MsgspecError,
)
"""What reading may raise that is not what it should be."""

_OTHER_FORMAT = re.compile(rb"logpith store [0-9]+\n")

Kind = Literal["damaged", "missing", "stray"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something in a store that is not as it should be."""

    kind: Kind
    """`stray` is in nobody's way; the others have cost records, or will."""

    place: str
    """Where: `MANIFEST`, `2026-11-20/ID`, `spool`."""

    problem: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check has seen."""

    segments: int = 0
    records: int = 0
    size_bytes: int = 0
    spooled: int = 0
    """Records that are in the spool only."""

    findings: tuple[Finding, ...] = ()
    repaired: tuple[str, ...] = ()
    """What was done about it."""

    is_written: bool = False
    """Whether somebody writes the store, so that what is on its way cannot be told from what was left behind."""

    @property
    def is_good(self) -> bool:
        """Whether nothing is damaged or missing."""
        return all(finding.kind == "stray" for finding in self.findings)


def _require_store(disk: Disk, folder: Path) -> None:
    """Nothing, when somebody keeps a store in a folder, whatever has become of it.

    Raises:
        NotFound: nobody does.
    """
    names = disk.names(folder)
    if FORMAT not in names and MANIFEST not in names and not {DAYS, SPOOL} <= {*names}:
        raise NotFound(
            f"there is no store in {folder}", remedy="Name its folder with --data-dir, or in the settings"
        )


# ── Checking ────────────────────────────────────────────────────────────────────────────────────────────────


def check_store(folder: Path, disk: Disk | None = None) -> Checked:
    """What is not as it should be in a store; it may be written meanwhile.

    Raises:
        NotFound: there is none.
    """
    disk = disk or Disk()
    _require_store(disk, folder)
    findings: list[Finding] = []
    try:
        check_format(disk, folder)
    except (LogpithError, OSError) as error:
        findings.append(Finding(kind="damaged", place=FORMAT, problem=_told(error)))
    manifest = _manifest_of(disk, folder, findings)
    is_written = _is_written(folder)
    good: list[Entry] = []
    for entry in manifest.segments if manifest else ():
        found = list(_wrong_with(disk, folder, entry))
        if found and _has_gone(disk, folder, entry):
            continue  # put together or dropped while we looked
        findings += found
        if all(finding.kind == "stray" for finding in found):
            good.append(entry)
    if not is_written:
        findings += _strays(disk, folder, manifest)
    spooled = _check_spool(disk, folder, manifest.consumed if manifest else 0, findings)
    return Checked(
        segments=len(good),
        records=sum(entry.records for entry in good),
        size_bytes=sum(entry.size_bytes for entry in good),
        spooled=spooled,
        findings=tuple(findings),
        is_written=is_written,
    )


def problem_of(folder: Path, disk: Disk) -> str:
    """What is wrong with the segment in a folder; empty when nothing is."""
    try:
        segment = Segment.open(folder, disk)
        for name, told in segment.head.files.items():
            data = disk.read(folder / name)
            if len(data) != segment.head.sizes.get(name) or digest(data) != told:
                return f"{name} is not what was written"
        return _disagreement(segment, disk.size_bytes(folder / WORDS))
    except FileNotFoundError as error:
        return f"{Path(error.filename or HEAD).name} is missing"
    except _UNREADABLE as error:
        return _told(error)


def _disagreement(segment: Segment, words_bytes: int) -> str:
    """Where the parts of a segment, each readable, say different things; empty when they do not."""
    head, templates = segment.head, segment.templates
    names = ("template", "length")
    columns = segment.columns(names, range(segment.blocks))
    rows = columns["template"].to_numpy()
    if len(rows) != head.records:
        return f"{counted(len(rows), 'row')}, but {counted(head.records, 'record')}"
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(templates):
        return "a row has a template that is not there"
    values = segment.values(range(segment.blocks), rows)
    if (np.diff(values.offsets) < 0).any() or values.offsets[-1] > len(values.buf):
        return "the values of a row are not there"
    counts = np.bincount(rows, minlength=len(templates))
    if not np.array_equal(counts, templates.records):
        return "templates count other rows than there are"
    rollup = np.bincount(segment.rollup.template, segment.rollup.records, minlength=len(templates))
    if not np.array_equal(rollup.astype(np.int64), counts):
        return "the rollup counts other rows than there are"
    times = segment.times()
    dated = times[times != NO_TIME]
    span = (int(dated.min()), int(dated.max())) if len(dated) else (NO_TIME, NO_TIME)
    if span != (head.start_ns, head.end_ns) or len(times) - len(dated) != head.undated:
        return "the times are others than the head says"
    if words_bytes % max((segment.blocks + 7) // 8, 1):
        return "the word bits are of other blocks"
    if len(segment.shapes.hashes) % 8:
        return "the shapes are cut"
    lines = segment_table(segment)["line"]
    lengths = [len(chunk_line) for chunk_line in lines.to_pylist()]
    if lengths != columns["length"].to_pylist():
        return "a line is not as long as it was"
    return ""


def _manifest_of(disk: Disk, folder: Path, findings: list[Finding]) -> Manifest | None:
    try:
        return parse_manifest(disk.read(folder / MANIFEST))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        kind: Kind = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        findings.append(Finding(kind=kind, place=MANIFEST, problem=_told(error)))
        return None


def _wrong_with(disk: Disk, folder: Path, entry: Entry) -> Iterator[Finding]:
    """What is wrong with a segment that the manifest names."""
    home = segment_folder(folder, entry)
    place = f"{home.parent.name}/{home.name}"
    names = disk.names(home)
    if not names:
        yield Finding(
            kind="missing",
            place=place,
            problem=f"its {counted(entry.records, 'record')} {are(entry.records)} gone",
        )
        return
    problem = problem_of(home, disk)
    if problem:
        yield Finding(kind="damaged", place=place, problem=problem)
        return
    head = Segment.open(home, disk).head
    if entry_of(head) != entry:
        yield Finding(kind="damaged", place=place, problem="the manifest says something else of it")
    for name in sorted({*names} - {*head.files, HEAD}):
        yield Finding(kind="stray", place=f"{place}/{name}", problem="nobody put it there")


def _strays(disk: Disk, folder: Path, manifest: Manifest | None) -> Iterator[Finding]:
    """What nobody needs: left behind by a program that was cut off, or put there by somebody."""
    for name in sorted({*disk.names(folder)} - _OURS):
        problem = "left behind" if name.startswith(DRAFT) else "nobody put it there"
        yield Finding(kind="stray", place=name, problem=problem)
    named = {(day_text(entry.day), entry.id) for entry in manifest.segments} if manifest else set()
    for day in disk.names(folder / DAYS):
        for name in disk.names(folder / DAYS / day):
            if manifest and (day, name) not in named:
                yield Finding(
                    kind="stray",
                    place=f"{day}/{name}",
                    problem="no manifest names it; it goes when the store is next written",
                )


def _check_spool(disk: Disk, folder: Path, consumed: int, findings: list[Finding]) -> int:
    """The records in the spool that are in no segment; what is wrong there goes to `findings`."""
    spool = spool_of(folder, disk, 1 << 62)
    damage = Damage()
    records = 0
    try:
        for stored in read_frames(spool, consumed, damage):
            records += stored.batch.num_rows
    except _UNREADABLE as error:
        findings.append(Finding(kind="damaged", place=SPOOL, problem=_told(error)))
    if damage.is_worth_keeping:
        problem = f"{counted(damage.places, 'place')} of {counted(damage.bytes, 'byte')} cannot be read"
        if damage.unreadable_files:
            problem += f", {counted(damage.unreadable_files, 'file')} not at all"
        findings.append(Finding(kind="damaged", place=SPOOL, problem=problem))
    for path in spool.aside():
        findings.append(
            Finding(kind="stray", place=f"{SPOOL}/{path.name}", problem="damaged, and kept aside")
        )
    return records


def _has_gone(disk: Disk, folder: Path, entry: Entry) -> bool:
    """Whether the manifest does not name a segment any more."""
    manifest = _manifest_of(disk, folder, [])
    return manifest is not None and entry.id not in {one.id for one in manifest.segments}


def _is_written(folder: Path) -> bool:
    try:
        with writer_lock(folder):
            return False
    except (Unavailable, OSError):
        return True


def _told(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    if isinstance(error, LogpithError):
        return error.problem
    return str(error) or type(error).__name__


# ── Repairing ───────────────────────────────────────────────────────────────────────────────────────────────


def repair_store(folder: Path, now_ns: int, disk: Disk | None = None) -> Checked:
    """Makes a store of all that is good in a folder, then checks it.

    Raises:
        NotFound: there is none.
        Unavailable: somebody writes it.
        Refused: it is of a later version.
    """
    disk = disk or Disk()
    _require_store(disk, folder)
    if FORMAT in disk.names(folder) and _OTHER_FORMAT.fullmatch(disk.read(folder / FORMAT)):
        check_format(disk, folder)
    before = check_store(folder, disk)
    done: list[str] = []
    with writer_lock(folder):
        if any(finding.place == FORMAT for finding in before.findings):
            replace_file(disk, folder / FORMAT, FORMAT_TEXT)
            done.append(f"{FORMAT} was written anew")
        for name in (DAYS, SPOOL, TRASH, DAMAGED):
            disk.make_folder(folder / name)
        repairing = _Repairing(folder, disk, done)
        manifest = _manifest_of(disk, folder, [])
        if manifest is None:
            write_manifest(disk, folder, repairing.manifest_anew())
        elif not before.is_good:
            write_manifest(disk, folder, repairing.without_damaged(manifest))
        is_spool_damaged = any(
            finding.place == SPOOL and finding.kind == "damaged" for finding in before.findings
        )
        if is_spool_damaged:
            repairing.keep_spool_aside()
    if is_spool_damaged:
        with open_store(folder, disk=disk) as store:
            store.seal(now_ns)  # then all that could be read is in segments, and the damaged files go
    return replace(check_store(folder, disk), repaired=tuple(done))


class _Repairing:
    """A repair of one store that nobody else writes."""

    def __init__(self, folder: Path, disk: Disk, done: list[str]) -> None:
        self._folder = folder
        self._disk = disk
        self._done = done
        self._read_once = lru_cache(maxsize=4)(self._read)

    def without_damaged(self, manifest: Manifest) -> Manifest:
        """The manifest without what cannot be read any more, which is put aside and counted."""
        kept: list[Entry] = []
        lost = 0
        for entry in manifest.segments:
            home = segment_folder(self._folder, entry)
            problem = problem_of(home, self._disk)
            if problem:
                lost += entry.records
                self._put_aside(home, problem, entry.records)
            else:
                kept.append(entry_of(Segment.open(home, self._disk).head))
        return msgspec.structs.replace(
            manifest,
            generation=manifest.generation + 1,
            segments=tuple(kept),
            dropped=_with(manifest.dropped, lost),
        )

    def manifest_anew(self) -> Manifest:
        """A manifest of all good segments that are there, none of which another has already taken in."""
        base = self._last_copy()
        good: dict[str, Head] = {}
        lost = 0
        for day in self._disk.names(self._folder / DAYS):
            for name in self._disk.names(self._folder / DAYS / day):
                home = self._folder / DAYS / day / name
                if name.startswith(DRAFT):
                    continue
                problem = problem_of(home, self._disk)
                if problem:
                    known = [entry.records for entry in base.segments if entry.id == name]
                    lost += sum(known)
                    self._put_aside(home, problem, sum(known))
                else:
                    good[name] = Segment.open(home, self._disk).head
        entries = [entry_of(head) for _, head in sorted(good.items())]
        taken_in = {entry.id for entry in entries if self._is_taken_in(entry, entries)}
        kept = tuple(entry for entry in entries if entry.id not in taken_in)
        self._done.append(
            f"{MANIFEST} was made anew from {counted(len(kept), 'segment')}; "
            + (
                f"positions are those of generation {base.generation}"
                if base.generation
                else "positions are lost: sources are read from their beginning"
            )
        )
        return msgspec.structs.replace(
            base,
            generation=base.generation + 1,
            segments=kept,
            consumed=self._consumed(base.consumed, kept),
            dropped=_with(base.dropped, lost),
        )

    def keep_spool_aside(self) -> None:
        """Copies the files of the spool that are damaged, before what is good of them goes into segments."""
        spool = spool_of(self._folder, self._disk, 1 << 62)
        for file in spool.segments():
            damage = Damage()
            for _ in spool.read(file, damage=damage):
                pass
            if damage.is_worth_keeping:
                target = self._free_name(file.path.name)
                self._disk.write_new(target, self._disk.read(file.path))
                self._disk.sync_folder(target.parent)
                self._done.append(
                    f"{SPOOL}/{file.path.name} was copied to {DAMAGED}, what can be read of it is kept"
                )

    def _last_copy(self) -> Manifest:
        try:
            return parse_manifest(self._disk.read(self._folder / MANIFEST_COPY))
        except (OSError, ValueError, msgspec.MsgspecError):
            return Manifest()

    def _put_aside(self, home: Path, problem: str, records: int) -> None:
        if self._disk.names(home):
            target = self._free_name(home.name)
            self._disk.rename(home, target)
            self._disk.sync_folder(target.parent)
            self._disk.sync_folder(home.parent)
        self._done.append(
            f"{home.name} went to {DAMAGED}: {problem}; {counted(records, 'record')} {are(records)} lost"
        )

    def _free_name(self, name: str) -> Path:
        """Where something of that name can go."""
        there = set(self._disk.names(self._folder / DAMAGED))
        number = 1
        while name in there:
            number += 1
            name = f"{name.partition('~')[0]}~{number}"
        return self._folder / DAMAGED / name

    def _is_taken_in(self, entry: Entry, entries: Sequence[Entry]) -> bool:
        """Whether all records of a segment are in a larger, younger one, which was put together from it and others."""
        return any(
            _may_have_taken(other, entry) and not self._table(entry) - self._table(other) for other in entries
        )

    def _consumed(self, least: int, entries: Sequence[Entry]) -> int:
        """Up to which sequence the frames of the spool are in segments: frames are sealed in their order."""
        consumed = least
        spool = spool_of(self._folder, self._disk, 1 << 62)
        for stored in read_frames(spool, least):
            records = _records_of(table_of([stored.batch]))
            times = [observed for observed, *_ in records]
            near = [
                entry
                for entry in entries
                if times and entry.observed_start_ns <= max(times) and entry.observed_end_ns >= min(times)
            ]
            for entry in near:
                records -= self._table(entry)
            if records:
                break
            consumed = stored.sequence
        return consumed

    def _table(self, entry: Entry) -> Counter[tuple[Any, ...]]:
        return self._read_once(segment_folder(self._folder, entry))

    def _read(self, home: Path) -> Counter[tuple[Any, ...]]:
        return _records_of(segment_table(Segment.open(home, self._disk)))


def _may_have_taken(other: Entry, entry: Entry) -> bool:
    """Whether a segment may have been put together from another one and more."""
    return (
        (other.day, other.kind) == (entry.day, entry.kind)
        and other.records > entry.records
        and other.start_ns <= entry.start_ns
        and other.end_ns >= entry.end_ns
        and other.observed_start_ns <= entry.observed_start_ns
        and other.observed_end_ns >= entry.observed_end_ns
        and all(other.sources.get(name, 0) >= count for name, count in entry.sources.items())
    )


def _records_of(table: Any) -> Counter[tuple[Any, ...]]:
    """Each record by what tells it from others, and how often it is there."""
    names = ("observed_timestamp", "timestamp", "source", "line")
    return Counter(zip(*(table[name].to_pylist() for name in names), strict=True))


def _with(dropped: Mapping[str, int], lost: int) -> dict[str, int]:
    return {**dropped, DAMAGED: dropped.get(DAMAGED, 0) + lost} if lost else dict(dropped)
