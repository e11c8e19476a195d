"""Reading: texts → a corpus. Blocks are scanned on all cores and put together in their order.

What an index in the cache holds is not read again.
"""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from logpith.corpus.columns import MOST_LENGTH, NONE, Chunks, Growing, Table, chunks_of
from logpith.corpus.index import Border, Start, finish_table, open_table
from logpith.corpus.records import Corpus, Source, join_tables
from logpith.corpus.refs import file_key, source_key
from logpith.files.archive import AnyText, TextMember
from logpith.files.text import Block, TextFile, TextStream
from logpith.formats.recognise import Recognised
from logpith.scan.records import JSON, Reading, Records, read_records
from logpith.scan.tally import add_times
from logpith_emit.errors import Refused

Progress = Callable[[int, int, int], None]
"""Told (bytes done, bytes in all or 0 when unknown, lines done)."""

_MOST_SAMPLE_BYTES = 8 << 10


class CorpusReader:
    """Reads texts one after the other into one corpus."""

    def __init__(
        self, *, whole_lines: bool = False, progress: Progress | None = None, may_keep: bool = True
    ) -> None:
        self._whole_lines = whole_lines
        self._progress = progress
        self._may_keep = may_keep and not whole_lines
        self._total_bytes = 0
        self._done_bytes = 0
        self._done_lines = 0

    def read(
        self,
        texts: Sequence[AnyText],
        skipped: tuple[str, ...] = (),
        streams: Mapping[str, str] | None = None,
    ) -> Corpus:
        """All records of `texts`; `skipped` tells what else was asked for and could not be opened, `streams` which
        logs the texts are pieces of, by their names.

        What ends before its time is named by its source's `trouble`, never raised.
        """
        opened = [open_table(text, may_keep=self._may_keep) for text in texts]
        jobs = {
            number: _SourceReader(text, start, whole_lines=self._whole_lines)
            for number, (text, start) in enumerate(zip(texts, opened, strict=True))
            if isinstance(start, Start)
        }
        self._total_bytes = sum(job.expected_bytes for job in jobs.values())
        tables = {number: table for number, table in enumerate(opened) if isinstance(table, Table)}
        try:
            tables |= self._read(jobs)
        except BaseException:
            for job in jobs.values():
                job.give_up()
            raise
        named = streams or {}
        sources = [
            _source(text, tables[number], named.get(text.name, text.name))
            for number, text in enumerate(texts)
        ]
        return join_tables(sources, skipped)

    def _read(self, jobs: dict[int, _SourceReader]) -> dict[int, Table]:
        workers = os.cpu_count() or 1
        tables: dict[int, Table] = {}
        with ThreadPoolExecutor(workers, thread_name_prefix="scan") as pool:
            waiting: deque[tuple[int, Future[_Scanned] | None]] = deque()

            def take() -> None:
                number, scanned = waiting.popleft()
                if scanned is None:
                    tables[number] = jobs[number].finish()
                    return
                self._tell(*jobs[number].take(scanned.result()))

            try:
                for number, job in jobs.items():
                    for block, reading in job.blocks():
                        waiting.append((number, pool.submit(_scan, block, reading, job.is_signed)))
                        while len(waiting) > workers:
                            take()
                    waiting.append((number, None))
                while waiting:
                    take()
            finally:
                pool.shutdown(cancel_futures=True)
        return tables

    def _tell(self, size_bytes: int, lines: int) -> None:
        self._done_bytes += size_bytes
        self._done_lines += lines
        if self._progress:
            self._progress(self._done_bytes, self._total_bytes, self._done_lines)


@dataclass(frozen=True)
class _Scanned:
    """A block, and what was found in it."""

    block: Block
    records: Records
    chunks: Chunks


def _scan(block: Block, reading: Reading, is_signed: bool) -> _Scanned:
    records = read_records(block.buf, block.begin, block.end, reading)
    return _Scanned(block, records, chunks_of(block, records.start, signed=is_signed))


class _SourceReader:
    """One text on its way to a table. Blocks are given out ahead of what is taken back."""

    def __init__(self, text: AnyText, start: Start, *, whole_lines: bool) -> None:
        self._text = text
        self._store = start.store
        self._note = start.note
        self._recognised = Recognised(newest_ns=text.changed_ns, whole_lines=whole_lines)
        self._growing = Growing()
        self._base = self._read_to = 0
        if start.border is not None:
            self._growing = start.border.growing
            self._recognised.restore(start.border.recognised)
            self._base, self._read_to = start.border.base, start.border.read_to
        self._known_before_last: dict[str, object] | None = None
        self._border: Border | None = None
        self._trouble = ""

    @property
    def is_signed(self) -> bool:
        """Whether chunks get signatures: they pay where an index keeps them."""
        return self._store.draft is not None

    @property
    def expected_bytes(self) -> int:
        """How much there is to read; 0 when that cannot be told."""
        if self._text.packing:
            return 0
        match self._text:
            case TextFile():
                return self._text.identity.size_bytes - self._base
            case TextMember():
                return self._text.entry.size_bytes
            case TextStream():
                return self._text.size_bytes

    def blocks(self) -> Iterator[tuple[Block, Reading]]:
        """Each block and how to read it."""
        text = self._text
        blocks = (
            text.blocks(self._base, self._read_to)
            if isinstance(text, TextFile) and text.seekable
            else text.blocks()
        )
        try:
            for block in blocks:
                if block.last and self._known_before_last is None:
                    self._known_before_last = self._recognised.state()
                yield block, self._recognised.look_at(block.buf, block.begin, block.end)
        except (
            Refused
        ) as refused:  # deleted, rotated or truncated since it was opened: the others are still there
            self._trouble = refused.problem.removeprefix(text.name).strip()

    def take(self, scanned: _Scanned) -> tuple[int, int]:
        """Adds a block's records to the table; (bytes, lines) of the block. Blocks come in order."""
        block, records = scanned.block, scanned.records
        growing = self._growing
        if block.last and self._border is None:
            self._mark_border(block)
        last = self._store.last
        skip = 0
        # What stands behind a hole belongs to no line before it.
        is_joined = block.base <= growing.size_bytes
        if records.continues and is_joined and growing.records and len(records):
            end = block.base + int(records.end[0])
            last["length"][-1] = min(end - int(last["start"][-1]), MOST_LENGTH)
            skip = 1
        kept = slice(skip, len(records))
        codes, chosen = growing.shapes.add(records.shape[kept], records.value_hash[kept])
        self._keep_samples(scanned, skip, chosen)
        services = np.array([0, *(self._service_code(name) for name in records.services)], np.uint16)
        lines_before = np.cumsum(records.lines, dtype=np.int64) - records.lines
        starts = records.start[kept] + block.base
        times = records.time_ns[kept].copy()
        self._store.add(
            {
                "start": starts,
                "length": np.minimum((records.end - records.start)[kept], MOST_LENGTH).astype(np.uint32),
                "line": (lines_before[kept] + growing.lines + 1).astype(np.uint32),
                "time_ns": times,
                "severity": records.severity[kept].copy(),
                "service": services[records.service[kept]],
                "shape": codes.astype(np.uint16),  # NO_SHAPE is -1, and becomes NONE
            }
        )
        chunk_first = np.searchsorted(records.start[kept], scanned.chunks.starts) + growing.records
        self._store.put("chunk_start", scanned.chunks.starts + block.base)
        self._store.put("chunk_first", chunk_first.astype(np.int64))
        if scanned.chunks.signatures is not None:
            self._store.put("signatures", scanned.chunks.signatures)
        add_times(growing.times, times)
        kinds, counts = np.unique(records.kind[kept], return_counts=True)
        growing.kinds.update(dict(zip(kinds.tolist(), counts.tolist(), strict=True)))
        lines = int(records.lines.sum())
        growing.records += len(codes)
        growing.chunks += len(scanned.chunks.starts)
        growing.lines += lines
        growing.size_bytes = block.base + block.end
        return block.end - block.carried if block.carried <= block.end else 0, lines

    def finish(self) -> Table:
        """The table, when all blocks have been taken."""
        formats: Counter[tuple[str, str]] = Counter()
        for kind, count in self._growing.kinds.items():
            formats[self._recognised.format_of(kind)] += count
        trouble = self._trouble or self._text.trouble
        return finish_table(
            self._text, self._store, self._growing, formats, self._border, trouble, self._note
        )

    def give_up(self) -> None:
        """Leaves nothing of a draft behind."""
        if self._store.draft is not None:
            self._store.draft.discard()

    def _mark_border(self, block: Block) -> None:
        """Remembers what is known before the last block, which is read again when the file has grown."""
        last = self._store.last.get("length")
        if last is None or self._store.draft is None or self._known_before_last is None:
            return
        read_to = block.base + block.carried
        self._border = Border(
            block.base, read_to, self._growing.copy(), self._known_before_last, int(last[-1])
        )

    def _keep_samples(self, scanned: _Scanned, skip: int, chosen: list[tuple[int, int, int]]) -> None:
        """Copies the bodies of records that have become samples, and forgets those that are none any more."""
        index, samples = self._growing.shapes, self._growing.samples
        while len(samples) < len(index):
            samples.append({})
        for code, value, record in chosen:
            samples[code][value] = _body(scanned.block, scanned.records, record + skip)
        for code in {code for code, _, _ in chosen}:
            of_code = samples[code]
            samples[code] = {value: of_code[value] for value in index.best_values(code)}

    def _service_code(self, name: bytes) -> int:
        services = self._growing.services
        text = name.decode("utf-8", "backslashreplace")
        if text not in services and len(services) >= NONE - 1:
            return 0
        return services.setdefault(text, len(services) + 1)


def _source(text: AnyText, table: Table, stream: str) -> Source:
    key = source_key(text.name, 0, 0)
    if isinstance(text, TextFile):
        key = file_key(text.identity)
    elif isinstance(text, TextMember):
        place = f"{text.entry.name}@{text.entry.offset}"
        key = source_key(place, text.identity.device, text.identity.inode)
    return Source(name=text.name, text=text, key=key, table=table, stream=stream)


def _body(block: Block, records: Records, record: int) -> bytes:
    """What is mined of a record: its body, and what a JSON line says went wrong beside it."""
    spans = [(records.body_start[record], records.body_end[record])]
    if records.failure_end[record] > records.failure_start[record]:
        spans.append((records.failure_start[record], records.failure_end[record]))
    texts = [bytes(block.buf[start : min(end, start + _MOST_SAMPLE_BYTES)]) for start, end in spans]
    if records.kind[record] == JSON:
        texts = [_unescaped(text) for text in texts]
    return texts[0] if len(texts) == 1 else texts[0] + b" (" + texts[1] + b")"


def _unescaped(text: bytes) -> bytes:
    """The inside of a JSON string as text; as it stands when it is none (a number, or cut within an escape)."""
    if b"\\" not in text:
        return text
    try:
        decoded: str = json.loads(b'"' + text + b'"', strict=False)
    except ValueError:
        return text
    return decoded.encode("utf-8", "backslashreplace")
