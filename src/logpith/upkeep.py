"""What somebody does with a store besides asking it, told in words and as data: ingest, retention, copies, checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from logpith.answer import Json
from logpith.corpus.rollups import plans
from logpith.corpus.select import read_query
from logpith.corpus.selection import period_of
from logpith.corpus.store_corpus import StoreCorpus
from logpith.files.finding import find_files
from logpith.files.roots import Roots
from logpith.ingest import Ingested, ingest
from logpith.pipeline import redaction_key, source_named, stages_of
from logpith.plural import are, counted
from logpith.progress import Progress, size_in_words
from logpith.quote import show_hidden
from logpith.restaging import Restaged, restage
from logpith.scan.timestamps import NO_TIME
from logpith.sending import Server, send
from logpith.settings import FILE_NAME, Found, Settings, StoreSettings
from logpith.settings_copy import copy_settings
from logpith.sources.file import FileSource
from logpith.store import Store, StoreLimits, open_store
from logpith.store.check import Checked, check_store, repair_store
from logpith.store.classes import classify_by
from logpith.store.copies import (
    Classify,
    Snapshot,
    Told,
    check_name,
    create_snapshot,
    read_snapshot,
    restore_snapshot,
    snapshot_names,
    verify_snapshot,
)
from logpith.store.disk import FORMAT, check_format, full_disk_told, opening_told
from logpith.store.keeping import copy_manifest, disk_room, policy_of, trash_bytes
from logpith.store.manifest import Entry, Manifest, read_manifest
from logpith.store.places import Place, place_at
from logpith.store.reader import StoreReader
from logpith.store.retention import Plan, Policy, plan_in_words, plan_retention, plan_rows
from logpith.timerange import NS_PER_D, format_ns
from logpith_emit.disk import Disk
from logpith_emit.errors import LogpithError, NotFound, Refused, Unavailable

SNAPSHOTS_FOLDER = "snapshots"
"""Beside the store: where copies go that are told no other place."""

_MOST_SERVICES = 4


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was done or found."""

    text: str
    data: Json
    is_good: bool = True
    """Whether nobody needs to do anything about it."""


# ── Plans ───────────────────────────────────────────────────────────────────────────────────────────────────


def report_plan(settings: StoreSettings, text: str, since: str, until: str, now_ns: int) -> Report:
    """What a query would read of the store, segment by segment, and what it leaves out and why.

    Raises:
        NotFound: there is no store.
        BadArgument: the query or the period cannot be read.
    """
    corpus = StoreCorpus(StoreReader(settings.folder)).open(now_ns)
    query = read_query(corpus, text, now_ns).query
    period = period_of(corpus, since, until, now_ns)
    rows: list[Json] = []
    each: list[str] = []
    left_out = blocks = rolled = 0
    for asked, sure, doubtful, wanted in plans(corpus, query, period):
        segment = asked.segment
        how = "read" if wanted else "counted by its rollup" if sure else "left out"
        left_out += how == "left out"
        rolled += how == "counted by its rollup"
        blocks += wanted
        rows.append(
            {
                "segment": segment.name,
                "how": how,
                "templates": len(segment.templates),
                "sure": sure,
                "in_doubt": doubtful,
                "blocks": wanted,
                "of_blocks": segment.blocks,
            }
        )
        each.append(
            f"{segment.name}  {how}; of {counted(len(segment.templates), 'template')} "
            f"{sure:,} match{'es' * (sure == 1)}, {doubtful:,} {are(doubtful)} in doubt; "
            f"{wanted} of {counted(segment.blocks, 'block')}"
        )
    told = (
        f"{query}: of {counted(len(rows), 'segment')} {left_out:,} {are(left_out)} left out by time, service, "
        f"severity, templates or words, {rolled:,} {are(rolled)} counted by {'its' if rolled == 1 else 'their'} "
        f"rollup, of the others {counted(blocks, 'block')} {are(blocks)} read."
    )
    return Report(text="\n".join([told, *each]), data={"query": str(query), "segments": rows})


# ── Retention ───────────────────────────────────────────────────────────────────────────────────────────────


def report_retention(settings: StoreSettings, now_ns: int, *, apply: bool = False) -> Report:
    """What would go now, or with `apply` what went.

    Raises:
        NotFound: there is no store.
        Unavailable: somebody else writes it, who does this already.
    """
    disk = Disk()
    size, free = disk_room(settings.folder)
    policy = policy_of(settings, size)
    plan = _plan(disk, settings.folder, _manifest(disk, settings.folder), policy, now_ns, free)
    if apply:
        remedy = (
            "A server (logpith serve) lets go of what is due by itself, every second; to do it without one, "
            "stop it first"
        )
        with _open_alone(settings.folder, remedy) as store:
            plan = _plan(disk, settings.folder, store.manifest, policy, now_ns, free)
            store.drop({one.entry.id: one.reason for one in plan.removals}, now_ns, cut_ns=plan.cut_ns)
            store.empty_trash(now_ns)
    rows = plan_rows(plan, policy, now_ns)
    told = plan_in_words(plan, policy)
    data: Json = {
        "applied": apply,
        "segments": [dict(row) for row in rows],
        "shortfalls": [
            {"class": one.kind or "default", "wanted_ns": one.wanted_ns, "real_ns": one.real_ns}
            for one in plan.shortfalls
        ],
        "lacking_bytes": plan.lacking_bytes,
        "told": told,
    }
    return Report(text="\n".join([*_table(rows), *([""] if rows else []), *told]), data=data)


@contextmanager
def _open_alone(folder: Path, remedy: str, limits: StoreLimits | None = None) -> Iterator[Store]:
    """The store, to be written by nobody else; `remedy` is what to do where a server has it.

    Raises:
        Unavailable: one has.
    """
    with ExitStack() as opened:
        try:
            store = opened.enter_context(open_store(folder, limits=limits))
        except Unavailable as error:
            raise Unavailable(error.problem, remedy=remedy) from error
        yield store


def _plan(disk: Disk, folder: Path, manifest: Manifest, policy: Policy, now_ns: int, free_bytes: int) -> Plan:
    return plan_retention(
        manifest.segments,
        policy,
        now_ns,
        free_bytes=free_bytes,
        freeing_bytes=trash_bytes(disk, folder),
        cut_ns=manifest.cut_ns,
    )


def _manifest(disk: Disk, folder: Path) -> Manifest:
    if FORMAT not in disk.names(folder):
        raise NotFound(
            f"there is no store in {folder}",
            remedy="Collect something first, or name another folder with --data-dir",
        )
    check_format(disk, folder)
    return read_manifest(disk, folder)


# ── The store ───────────────────────────────────────────────────────────────────────────────────────────────


def report_segments(settings: StoreSettings) -> Report:
    """The segments of the store, by day and class.

    Raises:
        NotFound: there is no store.
    """
    disk = Disk()
    manifest = _manifest(disk, settings.folder)
    entries = sorted(manifest.segments, key=lambda entry: (entry.day, entry.kind, entry.start_ns, entry.id))
    records = sum(entry.records for entry in entries)
    size = size_in_words(sum(entry.size_bytes for entry in entries))
    told = [f"{counted(len(entries), 'segment')}, {counted(records, 'record')}, {size}."]
    told += [
        f"{counted(count, 'record')} went: {reason}." for reason, count in sorted(manifest.dropped.items())
    ]
    rows = [
        {
            "segment": entry.id,
            "day": _day(entry),
            "class": entry.kind or "default",
            "records": f"{entry.records:,}",
            "size": size_in_words(entry.size_bytes),
            "from": _time(entry.start_ns),
            "to": _time(entry.end_ns),
            "services": _services(entry),
        }
        for entry in entries
    ]
    data: Json = {
        "segments": [
            {
                "segment": entry.id,
                "day": _day(entry),
                "class": entry.kind or "default",
                "records": entry.records,
                "size_bytes": entry.size_bytes,
                "from": _time(entry.start_ns),
                "to": _time(entry.end_ns),
                "undated": entry.undated,
                "services": entry.services,
                "sources": entry.sources,
            }
            for entry in entries
        ],
        "dropped": manifest.dropped,
    }
    return Report(
        text="\n".join([*_table(rows), *([""] if rows else []), *told]), data=data, is_good=bool(entries)
    )


def _day(entry: Entry) -> str:
    return format_ns(entry.day * NS_PER_D)[:10]


def _time(timestamp_ns: int) -> str:
    return "" if timestamp_ns == NO_TIME else format_ns(timestamp_ns)


def _services(entry: Entry) -> str:
    names = [name for name, _ in sorted(entry.services.items(), key=lambda named: -named[1]) if name]
    more = len(names) - _MOST_SERVICES
    return ", ".join(names[:_MOST_SERVICES]) + (f" and {more} more" if more > 0 else "")


def report_check(settings: StoreSettings, now_ns: int, *, repair: bool = False) -> Report:
    """What is not as it should be in the store, and with `repair` what was done about it.

    Raises:
        NotFound: there is no store.
        Unavailable: it is to be repaired, and somebody writes it.
    """
    checked = repair_store(settings.folder, now_ns) if repair else check_store(settings.folder)
    return Report(
        text="\n".join(_checked_in_words(checked, settings.folder)),
        data=_as_json(checked),
        is_good=checked.is_good,
    )


def _checked_in_words(checked: Checked, folder: Path) -> Iterable[str]:
    yield from checked.repaired
    for finding in checked.findings:
        yield f"{finding.kind:<8} {finding.place}: {finding.problem}"
    spooled = f", and {counted(checked.spooled, 'record')} in the spool" if checked.spooled else ""
    yield (
        f"{counted(checked.segments, 'segment')} with {counted(checked.records, 'record')} "
        f"({size_in_words(checked.size_bytes)}): all good{spooled}."
    )
    if checked.is_written:
        yield "The store is being written, so what lies about was not looked at."
    if not checked.is_good:
        yield f"Run logpith store check --repair, or restore a snapshot. The store is in {folder}."


def _as_json(checked: Checked) -> Json:
    told = asdict(checked)
    return {
        **told,
        "ok": checked.is_good,
        "findings": [asdict(finding) for finding in checked.findings],
        "repaired": list(checked.repaired),
    }


# ── Snapshots ───────────────────────────────────────────────────────────────────────────────────────────────


def place_of(settings: StoreSettings, address: str | None) -> Place:
    """Where snapshots are: at an address, or beside the store.

    Raises:
        BadArgument: the address is none.
    """
    return place_at(address or str(settings.folder.parent / SNAPSHOTS_FOLDER))


def report_created(
    found: Found, name: str | None, address: str | None, now_ns: int, progress: Progress | None = None
) -> Report:
    """Makes a snapshot, named after the time where no name is given.

    Raises:
        LogpithError: see `create_snapshot`.
    """
    settings = found.settings
    place = place_of(settings.store, address)
    copied = copy_settings(found.path)
    created = create_snapshot(
        settings.store.folder,
        place,
        name or name_at(now_ns),
        now_ns,
        settings=copied.files,
        classify=_classify(settings),
        told=_progress(progress),
    )
    snapshot = created.snapshot
    told = [
        f"snapshot {snapshot.name} in {place.told}: {_size(snapshot)}; "
        f"{counted(created.copied, 'segment')} ({size_in_words(created.copied_bytes)}) copied, the others were there."
    ]
    told += [f"left out: segment {name}: {problem}" for name, problem in snapshot.left_out.items()]
    if copied.left_out:
        told.append(f"Secrets are not in it: {', '.join(copied.left_out)}. Keep those elsewhere.")
    data: Json = {
        **_snapshot_json(snapshot, place),
        "copied_segments": created.copied,
        "copied_bytes": created.copied_bytes,
        "secrets_left_out": list(copied.left_out),
    }
    return Report(text="\n".join(told), data=data, is_good=not snapshot.left_out)


def name_at(now_ns: int) -> str:
    """What a snapshot is called that is given no name: `2026-11-20T22-00-00Z`."""
    return format_ns(now_ns - now_ns % 10**9).replace(":", "-")


def report_snapshots(settings: StoreSettings, address: str | None) -> Report:
    """The snapshots in a place, the oldest first.

    Raises:
        LogpithError: see `snapshot_names`.
    """
    place = place_of(settings, address)
    rows: list[dict[str, str]] = []
    data: list[Json] = []
    snapshots: list[Snapshot] = []
    damaged: list[str] = []
    for name in snapshot_names(place):
        try:
            snapshots.append(read_snapshot(place, name))
        except Refused as error:
            damaged.append(f"{error}")
    for snapshot in sorted(snapshots, key=lambda one: (one.made_ns, one.name)):
        rows.append(
            {
                "snapshot": snapshot.name,
                "made": format_ns(snapshot.made_ns),
                "segments": f"{len(snapshot.segments):,}",
                "records": f"{snapshot.records:,}",
                "size": size_in_words(snapshot.size_bytes),
            }
        )
        data.append(_snapshot_json(snapshot, place))
    text = "\n".join([*_table(rows), *damaged]) or f"No snapshots in {place.told}."
    return Report(text=text, data={"snapshots": data, "damaged": damaged}, is_good=bool(rows) and not damaged)


def report_verified(
    settings: StoreSettings, name: str, address: str | None, progress: Progress | None = None
) -> Report:
    """Reads every byte of a snapshot.

    Raises:
        LogpithError: see `verify_snapshot`.
    """
    place = place_of(settings, address)
    verified = verify_snapshot(place, name, _progress(progress))
    told = [*verified.problems]
    damaged = len(verified.problems)
    told.append(
        f"{counted(damaged, 'segment')} of {name} {are(damaged)} damaged; others can be restored with --skip-damaged."
        if damaged
        else f"{name} is whole: {_size(verified.snapshot)}."
    )
    data: Json = {
        **_snapshot_json(verified.snapshot, place),
        "ok": not verified.problems,
        "problems": list(verified.problems),
    }
    return Report(text="\n".join(told), data=data, is_good=not verified.problems)


def report_restored(
    settings: StoreSettings,
    name: str,
    address: str | None,
    into: Path | None,
    *,
    skip_damaged: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Makes a store of a snapshot: in the data folder `into`, or where the settings say, if nothing is there.

    Raises:
        LogpithError: see `restore_snapshot`.
    """
    place = place_of(settings, address)
    folder = into / "store" if into else settings.folder
    beside = folder.parent / f"settings-of-{name}"
    check_name(name)
    if beside.exists():
        raise Refused(
            f"{beside} is there already", remedy="Move it away, or restore into another folder with --into"
        )
    verified = restore_snapshot(place, name, folder, skip_damaged=skip_damaged, told=_progress(progress))
    snapshot = verified.snapshot
    told = [*verified.problems, f"{name} is restored into {folder}: {_size(snapshot)}."]
    texts = {file: text for file, text in snapshot.settings.items() if file in (FILE_NAME, "formats.toml")}
    if texts:
        disk = Disk()
        disk.make_folder(beside)
        for file, text in texts.items():
            disk.write_new(beside / file, text.encode())
        told.append(
            f"Its settings, without secrets, are in {beside}: look at them, then put them where you want them."
        )
    data: Json = {
        **_snapshot_json(snapshot, place),
        "folder": str(folder),
        "problems": list(verified.problems),
    }
    return Report(text="\n".join(told), data=data, is_good=not verified.problems)


def _classify(settings: Settings) -> Classify | None:
    classes = [(one.name, one.query) for one in settings.store.classes]
    return classify_by(classes) if classes else None


def _progress(progress: Progress | None) -> Told | None:
    return None if progress is None else lambda done, total: progress(done, total, 0)


def _size(snapshot: Snapshot) -> str:
    held = f"{counted(snapshot.records, 'record')} in {counted(len(snapshot.segments), 'segment')}"
    return f"{held}, {size_in_words(snapshot.size_bytes)}"


def _snapshot_json(snapshot: Snapshot, place: Place) -> Mapping[str, Json]:
    return {
        "snapshot": snapshot.name,
        "place": place.told,
        "made": format_ns(snapshot.made_ns),
        "segments": len(snapshot.segments),
        "records": snapshot.records,
        "size_bytes": snapshot.size_bytes,
        "left_out": snapshot.left_out,
        "settings": sorted(snapshot.settings),
    }


# ── Ingest ──────────────────────────────────────────────────────────────────────────────────────────────────


def report_ingested(
    found: Found,
    paths: Sequence[str],
    now_ns: int,
    *,
    service: str = "",
    retention: str | None = None,
    progress: Progress | None = None,
    server: Callable[[], Server] | None = None,
) -> Report:
    """Puts what is new in files into the store; with `retention`, what is older goes then. Where somebody else has the
    store open, the `server` there is asked to do it.

    Raises:
        LogpithError: see `ingest` and `send`; or somebody else who is no server writes the store.
    """
    settings = found.settings
    kept = settings.store if retention is None else replace(settings.store, retention=retention)
    folder = kept.folder
    with opening_told(folder):
        stages = stages_of(settings, redaction_key(folder.parent))
    is_kept = retention is not None
    with full_disk_told(folder), ExitStack() as opened:
        limits = StoreLimits(classify=_classify(settings))
        try:
            with opening_told(folder):
                store = opened.enter_context(open_store(folder, limits=limits))
        except Unavailable as error:
            if server is None:
                raise
            done = _sent(server(), error, folder, paths, now_ns, service, progress)
            told = list(_ingested_in_words(done, kept, now_ns, is_kept=is_kept))
            told += ["A server has it, and lets go of what is old by itself."] if is_kept else []
        else:
            done = ingest(store, paths, stages, now_ns, service=service, told=progress)
            store.compact(now_ns)
            told = list(_ingested_in_words(done, kept, now_ns, is_kept=is_kept))
            if is_kept:
                size, free = disk_room(folder)
                policy = policy_of(kept, size)
                plan = _plan(store.disk, folder, store.manifest, policy, now_ns, free)
                store.drop({one.entry.id: one.reason for one in plan.removals}, now_ns, cut_ns=plan.cut_ns)
                told += plan_in_words(plan, policy)
            copy_manifest(store)
    told += _collected_too(settings, paths) if done.files else []
    data: Json = {
        "records": done.records,
        "dead_letters": done.dead,
        "dropped": dict(done.dropped),
        "counted": {f"{stage}.{name}": count for (stage, name), count in done.counters.items()},
        "files": done.files,
        "known_files": done.known,
        "skipped": done.skipped,
        "lost": dict(done.losses),
    }
    return Report(text="\n".join(told), data=data, is_good=bool(done.files or done.known))


def report_restaged(
    found: Found, names: Sequence[str], now_ns: int, *, progress: Progress | None = None
) -> Report:
    """Takes what is stored of some sources through the stages once more.

    Raises:
        LogpithError: see `restage`; or a server writes the store.
    """
    settings = found.settings
    folder = settings.store.folder
    if not settings.store.is_there:
        raise NotFound(f"there is no store in {folder}", remedy="Ingest something first")
    stages = stages_of(settings, redaction_key(folder.parent))
    remedy = (
        "If that is a server (logpith serve), stop it, run this, and start it again: from its sources it reads on "
        "where it stopped"
    )
    limits = StoreLimits(classify=_classify(settings))
    with full_disk_told(folder), _open_alone(folder, remedy, limits) as store:
        done = restage(store, names, stages, now_ns, progress)
        store.compact(now_ns)
        copy_manifest(store)
    sources = counted(len(done.sources), "source")
    told = [
        f"{counted(done.records, 'record')} of {sources} went through the stages once more.",
        *_changes_in_words(done),
    ]
    data: Json = {
        "sources": list(done.sources),
        "records": done.records,
        "dead_letters": done.dead,
        "dropped": dict(done.dropped),
        "counted": {f"{stage}.{name}": count for (stage, name), count in done.counters.items()},
    }
    return Report(text="\n".join(told), data=data, is_good=done.records > 0)


def _sent(
    server: Server,
    locked: Unavailable,
    folder: Path,
    paths: Sequence[str],
    now_ns: int,
    service: str,
    progress: Progress | None,
) -> Ingested:
    """What a server has stored of the files.

    Raises:
        Unavailable: there is none.
        LogpithError: see `send`.
    """
    try:
        return send(server, folder, paths, now_ns, service=service, told=progress)
    except Unavailable as error:
        raise Unavailable(
            f"{locked.problem}, and it cannot be asked: {error.problem}",
            remedy="What was stored stays, and is not stored twice: try again. Where the server is elsewhere, name it "
            "with --server; its token is that of LOGPITH_TOKEN",
        ) from error


def _collected_too(settings: Settings, words: Sequence[str]) -> Iterator[str]:
    """Which sources read the same files: each keeps its own account of what it has stored."""
    ours = _files_named(words)
    for name in settings.sources:
        with suppress(LogpithError):  # which those are told who collect
            source = source_named(settings, name)
            twice = ours & _files_named(source.paths) if isinstance(source, FileSource) else set()
            if twice:
                yield (
                    f"{counted(len(twice), 'file')} {are(len(twice))} read by the source "
                    f"{show_hidden(name)}, too, which stores the same records once more."
                )


def _files_named(words: Sequence[str]) -> set[Path]:
    found: set[Path] = set()
    for word in words:
        with suppress(LogpithError):
            found |= {path.resolve() for path in find_files([word], Roots()).paths}
    return found


def _ingested_in_words(done: Ingested, kept: StoreSettings, now_ns: int, *, is_kept: bool) -> Iterator[str]:
    yield f"{counted(done.records, 'record')} of {counted(done.files, 'file')} {are(done.records)} stored."
    if done.known:
        yield f"{counted(done.known, 'file')} had nothing new."
    yield from _changes_in_words(done)
    for reason, count in sorted(done.losses.items()):
        yield (
            f"lost before they could be read: {count:,} {reason}."
            if count
            else f"some may be lost: {reason}."
        )
    for skipped in done.skipped:
        yield f"skipped: {show_hidden(skipped)}"
    if done.oldest_ns is not None and done.oldest_ns < now_ns - kept.retention_ns and not is_kept:
        yield (
            f"Some are older than what is kept ({kept.retention}): a server lets them go. "
            "To keep them, raise retention in [store]."
        )


def _changes_in_words(done: Ingested | Restaged) -> Iterator[str]:
    """What stages have made of records, but for those that they kept."""
    if done.dead:
        yield f"{done.dead:,} of them are dead letters: search source:dead_letter shows them."
    for reason, count in sorted(done.dropped.items()):
        yield f"{counted(count, 'record')} {'was' if count == 1 else 'were'} dropped: {reason}."


# ── In words ────────────────────────────────────────────────────────────────────────────────────────────────


def as_json(report: Report) -> str:
    """What a report says, as one object."""
    return msgspec.json.encode(report.data).decode()


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Rows side by side below their names; numbers stand to the right."""
    if not rows:
        return []
    columns = [[name, *(show_hidden(row[name]) for row in rows)] for name in rows[0]]
    widths = [max(map(len, column)) for column in columns]
    rights = [name in ("records", "size", "segments") for name in rows[0]]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, rights, strict=True)
        ).rstrip()
        for line in zip(*columns, strict=True)
    ]
