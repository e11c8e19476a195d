"""Ingest: files into the store, through the stages, in hundreds of thousands of records at once.

    read ──► stages ──► build ──► store          reading and storing on one thread, stages and building on others

Stages take each batch as it comes; what is built waits for so many that they fill a segment.

What is stored goes together with the position behind it, so a run that is cut off anywhere is continued by the next
one, and one on the same files stores only what was appended. A file is known as sources know theirs
(`sources/following.py`): after a rotation, or when it was packed meanwhile, too. Archives are known by their size, time
and first bytes, their members by their order.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import msgspec
import numpy as np

from logpith.batch import MOST_RECORDS, Batch, empty_batch
from logpith.files.archive import TextMember, open_texts
from logpith.files.finding import find_files
from logpith.files.roots import Roots
from logpith.files.text import TextFile
from logpith.pipeline import Chain, Passed, open_stages
from logpith.sources.following import What, follow
from logpith.sources.reading import LineReader
from logpith.stages import Stage
from logpith.store import Store
from logpith.store.segment_writer import Built
from logpith_emit.errors import NotFound, Refused, Unavailable

POSITION = "ingest:"
"""What stands before a file's path in the name of its position."""

CHUNK_BYTES = 160 << 20
THREADS = 2

# A record of an archive that is longer is cut.
_MOST_RECORD_BYTES = 64 << 20

Told = Callable[[int, int, int], None]
"""Told (bytes read, bytes in all, records stored) now and then."""


@dataclass(kw_only=True)
class Ingested:
    """What became of some files."""

    records: int = 0
    """Records that are stored now, dead letters among them."""

    dead: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    counters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(stage, name) → count."""

    files: int = 0
    """Files with something new in them."""

    known: int = 0
    """Files with nothing new in them."""

    skipped: list[str] = field(default_factory=list)
    """`name: why` of what was not read."""

    losses: Counter[str] = field(default_factory=Counter)
    oldest_ns: int | None = None
    """The earliest time of a record."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """Some records of a file, and where to read on behind them."""

    batch: Batch
    key: str
    position: str
    read_bytes: int


def ingest(
    store: Store,
    paths: Sequence[str],
    stages: Sequence[Stage],
    now_ns: int,
    *,
    service: str = "",
    told: Told | None = None,
) -> Ingested:
    """Stores what is new in files, folders and globs; all of it is durable when this returns.

    Raises:
        NotFound, Refused: a file that was named is not there, or cannot be read as text.
        Unavailable: the store cannot be written; what was stored until then stays, and is not stored twice.
    """
    done = Ingested()
    files = Files(paths, store.position, now_ns, service, done)
    with ExitStack() as opened:
        threads = ThreadPoolExecutor(THREADS, "ingest")
        work = _Work(store, opened.enter_context(_staging(stages, threads)), threads, now_ns, done)
        # Before the stages are closed nobody is within them, and after an error nobody begins.
        opened.callback(threads.shutdown, cancel_futures=True)
        read_bytes = 0
        for read in files.read():
            work.add(read)
            read_bytes += read.read_bytes
            if told:
                told(min(read_bytes, files.size_bytes), files.size_bytes, done.records)
        work.finish()
    return done


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────


class Files:
    """The files that some names mean, read one after the other from where they were read to."""

    def __init__(
        self,
        names: Sequence[str],
        position: Callable[[str], str | None],
        now_ns: int,
        service: str,
        done: Ingested,
    ) -> None:
        found = find_files(names, Roots())
        self._position = position
        self._now_ns = now_ns
        self._service = service
        self._done = done
        done.skipped += found.skipped
        self._streams: dict[str, list[Path]] = {}
        self._archives: list[Path] = []
        self.size_bytes = 0
        for path in found.paths:
            try:
                text = TextFile.open(path, Roots())
            except Refused as error:
                if path in found.named:
                    raise
                done.skipped.append(f"{path}: {error.problem.removeprefix(str(path)).strip()}")
                continue
            self.size_bytes += text.identity.size_bytes
            if text.is_archive:
                self._archives.append(path)
            else:
                self._streams.setdefault(found.streams.get(path, str(path)), []).append(path)
        if found.skipped and not (self._streams or self._archives):
            raise NotFound(f"nothing was read: {found.skipped[0]}", remedy="Name a text log, packed or not")

    def read(self) -> Iterator[Read]:
        for stream, paths in self._streams.items():
            yield from self._counted(self._follow(stream, paths))
        for path in self._archives:
            yield from self._counted(self._unpack(path))

    def _counted(self, reads: Iterator[Read]) -> Iterator[Read]:
        is_new = False
        for read in reads:
            is_new = is_new or bool(read.batch.num_rows)
            yield read
        self._done.files += is_new
        self._done.known += not is_new

    def _follow(self, stream: str, paths: Sequence[Path]) -> Iterator[Read]:
        """A file and the pieces that a rotation made of it."""
        key = _key(stream)
        what = What(
            name=stream,
            paths=[str(path) for path in paths],
            service=_service(self._service, stream),
            flush_after_s=0,
            is_complete=True,
        )
        with follow(what, self._position(key)) as live:
            try:
                for delivery in live.poll(self._now_ns, at_once=True):
                    self._done.losses.update(delivery.losses)
                    batch = delivery.batch
                    yield Read(batch=batch, key=key, position=delivery.position, read_bytes=batch.nbytes)
            except Unavailable as error:  # some of it: the rest was read
                self._done.skipped.append(error.problem)

    def _unpack(self, path: Path) -> Iterator[Read]:
        """The texts in an archive."""
        key = _key(str(path))
        texts, skipped = open_texts(path, Roots())
        self._done.skipped += skipped
        mark = _archive_mark(path, self._position(key))
        for member, text in enumerate(texts):
            if member < mark.member or not isinstance(text, TextMember):
                continue
            begin = mark.place if member == mark.member else 0
            reader = LineReader(text.name, service=_service(self._service, text.entry.name))
            for batch, place in _records_of(reader, text, begin, self._now_ns):
                if not batch.num_rows:
                    continue
                position = msgspec.structs.replace(mark, member=member, place=place)
                yield Read(batch=batch, key=key, position=_spelled(position), read_bytes=batch.nbytes)
            if text.trouble:
                self._done.skipped.append(f"{text.name}: {text.trouble}")


class _ArchiveMark(msgspec.Struct, array_like=True):
    """How far an archive was read."""

    identity: str
    member: int = 0
    place: int = 0
    """In the member's text: what stands before it was read."""


def _archive_mark(path: Path, position: str | None) -> _ArchiveMark:
    text = TextFile.open(path, Roots())
    told = f"{text.identity.size_bytes} {text.identity.changed_ns} "
    identity = hashlib.blake2b(told.encode() + text.raw(0, 4096), digest_size=12).hexdigest()
    try:
        mark = msgspec.json.decode(position or "", type=_ArchiveMark)
    except msgspec.DecodeError:
        return _ArchiveMark(identity)
    return mark if mark.identity == identity else _ArchiveMark(identity)


def _records_of(reader: LineReader, text: TextMember, begin: int, now_ns: int) -> Iterator[tuple[Batch, int]]:
    """The records of a text behind a place in batches, each with the place behind it.

    The last record of a block waits for the next one, since the rest of a traceback may follow.
    """
    held, base = b"", 0
    for block in text.blocks():
        start = block.base + block.begin
        if held and start != base + len(held):  # a hole lies between
            yield from _parts(reader, held, base, begin, now_ns, all_of_it=True)
            held = b""
        if not held:
            base = start
        held += bytes(block.buf[block.begin : block.end])
        is_all = block.last or len(held) > _MOST_RECORD_BYTES
        behind = base
        for batch, behind in _parts(reader, held, base, begin, now_ns, all_of_it=is_all):
            yield batch, behind
        held, base = held[behind - base :], behind
    if held:
        yield from _parts(reader, held, base, begin, now_ns, all_of_it=True)


def _parts(
    reader: LineReader, text: bytes, base: int, begin: int, now_ns: int, *, all_of_it: bool
) -> Iterator[tuple[Batch, int]]:
    """The records of whole lines that end behind `begin`, and the place behind all that are whole."""
    found = reader.read_text(text, now_ns)
    count = len(found) - (not all_of_it and len(found) > 0)
    ends = base + np.minimum(found.ends[:count], len(text))
    first = int(np.searchsorted(ends, begin, side="right"))
    for low in range(first, count, MOST_RECORDS):
        high = min(low + MOST_RECORDS, count)
        yield found.batch.slice(low, high - low), int(ends[high - 1])
    if count:
        yield empty_batch(), int(ends[-1])


def _key(stream: str) -> str:
    return f"{POSITION}{Path(stream).resolve()}"


def _service(service: str, path: str) -> str:
    """The service of records that name none, with what is known of their file put in."""
    return service.replace("{name}", Path(path).stem).replace("{folder}", Path(path).resolve().parent.name)


def _spelled(mark: _ArchiveMark) -> str:
    return msgspec.json.encode(mark).decode()


# ── Storing ─────────────────────────────────────────────────────────────────────────────────────────────────


Staged = Callable[[], Passed]
"""Waits for what becomes of a batch behind the stages."""


@contextmanager
def _staging(stages: Sequence[Stage], threads: ThreadPoolExecutor) -> Iterator[Callable[[Batch], Staged]]:
    """What takes batches through the stages, on any thread where what they make of one depends on no other."""
    with ExitStack() as opened:
        if any(stage.remembers for stage in stages):
            chain = opened.enter_context(open_stages(stages))

            def stage_here(batch: Batch) -> Staged:
                passed = chain(batch)
                return lambda: passed

            yield stage_here
            return
        idle: SimpleQueue[Chain] = SimpleQueue()
        for _ in range(THREADS):
            idle.put(opened.enter_context(open_stages(stages)))

        def stage_there(batch: Batch) -> Passed:
            chain = idle.get()
            try:
                return chain(batch)
            finally:
                idle.put(chain)

        yield lambda batch: threads.submit(stage_there, batch).result


@dataclass(kw_only=True)
class _Chunk:
    """What is stored in one step."""

    staged: list[Staged] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    records: int = 0
    size_bytes: int = 0


@dataclass(kw_only=True)
class _Made:
    """A chunk behind the stages, as segments."""

    built: Sequence[Built] = ()
    dead: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    counters: Counter[tuple[str, str]] = field(default_factory=Counter)


class _Work:
    """Batches through stages and building on other threads, and into the store in their order."""

    def __init__(
        self,
        store: Store,
        stage: Callable[[Batch], Staged],
        threads: ThreadPoolExecutor,
        now_ns: int,
        done: Ingested,
    ) -> None:
        self._store = store
        self._stage = stage
        self._threads = threads
        self._now_ns = now_ns
        self._done = done
        self._chunk = _Chunk()
        self._under_way: deque[tuple[Future[_Made], Mapping[str, str]]] = deque()

    def add(self, read: Read) -> None:
        """Some more records; those before may be stored by now."""
        if self._chunk.records + read.batch.num_rows > self._store.limits.segment_records:
            self._send()  # full segments, not full ones and remainders
        chunk = self._chunk
        chunk.staged.append(self._stage(read.batch))
        chunk.positions[read.key] = read.position
        chunk.records += read.batch.num_rows
        chunk.size_bytes += read.batch.nbytes
        if chunk.size_bytes >= CHUNK_BYTES:
            self._send()

    def finish(self) -> None:
        """Returns when everything is stored."""
        self._send()
        while self._under_way:
            self._keep_first()

    def _send(self) -> None:
        chunk, self._chunk = self._chunk, _Chunk()
        if not chunk.positions:
            return
        # All that it waits for was given to the threads before.
        self._under_way.append((self._threads.submit(self._build, chunk.staged), chunk.positions))
        if len(self._under_way) > THREADS:
            self._keep_first()

    def _build(self, staged: Sequence[Staged]) -> _Made:
        made = _Made()
        batches: list[Batch] = []
        for wait in staged:
            passed = wait()
            made.dead += passed.dead.num_rows
            made.dropped.update(passed.dropped)
            made.counters.update(passed.counters)
            if passed.batch.num_rows:
                batches.append(passed.batch)
        if batches:
            made.built = self._store.build(batches, self._now_ns)
        return made

    def _keep_first(self) -> None:
        """Stores the chunk that was sent first, positions after those before them."""
        future, positions = self._under_way.popleft()
        made = future.result()
        self._store.add_built(made.built, positions=positions)
        done = self._done
        done.records += sum(one.head.records for one in made.built)
        done.dead += made.dead
        done.dropped.update(made.dropped)
        done.counters.update(made.counters)
        dated = [one.head.start_ns for one in made.built if one.head.undated < one.head.records]
        if dated:
            done.oldest_ns = min(dated if done.oldest_ns is None else [done.oldest_ns, *dated])
