"""Reading: texts → a corpus. Blocks are scanned on all cores and put together in their order.

What an index in the cache holds is not read again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from logpith.corpus.columns import MOST_LENGTH, NONE, Chunks, Growing, Table, chunks_of
from logpith.corpus.index import Border, Start, finish_table, open_table, table_so_far
from logpith.corpus.masking import without_secrets
from logpith.corpus.records import Corpus, Source, join_tables
from logpith.corpus.refs import file_key, source_key
from logpith.files.archive import AnyText, TextMember
from logpith.files.text import Block, TextFile, TextStream
from logpith.formats.body import body_of
from logpith.formats.own import own_formats
from logpith.formats.recognise import Recognised
from logpith.plural import counted
from logpith.scan.records import OwnFormat, Reading, Records, read_records
from logpith.scan.tally import add_times
from logpith_emit.errors import Refused

Progress = Callable[[int, int, int], None]
"""Told (bytes done, bytes in all or 0 when unknown, lines done)."""

_Step = tuple[int, tuple[Block, Reading] | None]
"""The number of a source with one of its blocks and how to read it, or None behind the last one."""


Clock = Callable[[], float]
"""Seconds, from any beginning, that never go back."""


@dataclass(frozen=True)
class Deadline:
    """How long reading may go on, from when this was made."""

    limit_s: float
    clock: Clock = time.monotonic
    begun_s: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "begun_s", self.clock())

    def is_over(self) -> bool:
        """Whether it is time to stop."""
        return self.clock() - self.begun_s >= self.limit_s


class CorpusReader:
    """Reads texts one after the other into one corpus."""

    def __init__(
        self,
        *,
        whole_lines: bool = False,
        progress: Progress | None = None,
        may_keep: bool = True,
        deadline: Deadline | None = None,
        own: tuple[OwnFormat, ...] | None = None,
    ) -> None:
        self._whole_lines = whole_lines
        self._progress = progress
        self._may_keep = may_keep and not whole_lines
        self._deadline = deadline
        self._own = own_formats() if own is None else own
        self._texts: Sequence[AnyText] = ()
        self._skipped: tuple[str, ...] = ()
        self._streams: Mapping[str, str] = {}
        self._jobs: dict[int, _SourceReader] = {}
        self._tables: dict[int, Table] = {}
        self._ahead: Iterator[_Step] = iter(())
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

        What ends before its time is named by its source's `trouble`, never raised. At the deadline the corpus
        holds what was read until then, is not `whole`, and `go_on` may follow.
        """
        self._texts, self._skipped, self._streams = texts, skipped, streams or {}
        for number, text in enumerate(texts):
            opened = open_table(text, may_keep=self._may_keep)
            if isinstance(opened, Table):
                self._tables[number] = opened
            else:
                self._jobs[number] = _SourceReader(text, opened, self._own, whole_lines=self._whole_lines)
        self._total_bytes = sum(job.expected_bytes for job in self._jobs.values())
        self._ahead = self._steps()
        return self._read_ahead()

    def go_on(self, deadline: Deadline) -> Corpus:
        """Reads on where the last deadline ended the reading: all records from the beginning until now."""
        self._deadline = deadline
        return self._read_ahead()

    def give_up(self) -> None:
        """Leaves nothing behind of what was not read to its end."""
        for job in self._jobs.values():
            job.give_up()

    def _steps(self) -> Iterator[_Step]:
        for number, job in self._jobs.items():
            for block, reading in job.blocks():
                yield number, (block, reading)
            yield number, None

    def _read_ahead(self) -> Corpus:
        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers, thread_name_prefix="scan") as pool:
            waiting: deque[tuple[int, Future[_Scanned] | None]] = deque()
            try:
                # One block at least, or asking again would never come to an end.
                for number, step in self._ahead:
                    scanned = pool.submit(_scan, *step, self._jobs[number].is_signed) if step else None
                    waiting.append((number, scanned))
                    while len(waiting) > workers:
                        self._take(*waiting.popleft())
                    if step and self._deadline and self._deadline.is_over():
                        break
                while waiting:
                    self._take(*waiting.popleft())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                self.give_up()
                raise
        following = next(self._ahead, None)
        while following is not None and following[1] is None:  # that source has no more blocks
            self._take(following[0], None)
            following = next(self._ahead, None)
        if following is None:
            return self._corpus()
        self._ahead = chain([following], self._ahead)
        return self._corpus(stopped_in=following[0])

    def _take(self, number: int, scanned: Future[_Scanned] | None) -> None:
        job = self._jobs[number]
        if scanned is None:
            self._tables[number] = job.finish()
            return
        size_bytes, lines = job.take(scanned.result())
        self._done_bytes += size_bytes
        self._done_lines += lines
        if self._progress:
            self._progress(self._done_bytes, self._total_bytes, self._done_lines)

    def _corpus(self, stopped_in: int | None = None) -> Corpus:
        """The corpus of all tables; of what is not finished as far as it was read."""
        unfinished = {
            number: job.so_far() for number, job in self._jobs.items() if number not in self._tables
        }
        tables = self._tables | unfinished
        sources = [
            _source(text, tables[number], self._streams.get(text.name, text.name))
            for number, text in enumerate(self._texts)
        ]
        if stopped_in is None:
            return join_tables(sources, self._skipped)
        stopped = self._where_it_stopped(stopped_in, tables[stopped_in])
        return join_tables(sources, (stopped, *self._skipped), whole=False)

    def _where_it_stopped(self, number: int, table: Table) -> str:
        """`stopped after 25 s: 61 % of app.log read; ask again to go on`."""
        text = self._texts[number]
        size = text.identity.size_bytes if isinstance(text, TextFile) and not text.packing else 0
        share = f"{int(100 * table.size_bytes / size)} %" if size else counted(table.lines, "line")
        behind = sum(other > number for other in self._jobs)
        others = f", nothing of {behind} more source{'s' * (behind > 1)}" if behind else ""
        limit_s = self._deadline.limit_s if self._deadline else 0
        return f"stopped after {limit_s:g} s: {share} of {text.name} read{others}; ask again to go on"


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

    def __init__(self, text: AnyText, start: Start, own: tuple[OwnFormat, ...], *, whole_lines: bool) -> None:
        self._text = text
        self._store = start.store
        self._note = start.note
        self._recognised = Recognised(
            newest_ns=text.changed_ns, whole_lines=whole_lines, wanted=() if whole_lines else own
        )
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
        trouble = self._trouble or self._text.trouble
        return finish_table(
            self._text, self._store, self._growing, self._recognised, self._border, trouble, self._note
        )

    def so_far(self) -> Table:
        """The table as far as it has come; reading may go on."""
        return table_so_far(self._store, self._growing, self._recognised)

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
            samples[code][value] = without_secrets(body_of(scanned.block.buf, scanned.records, record + skip))
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
