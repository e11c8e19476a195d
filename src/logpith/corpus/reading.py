"""Reading: texts → a corpus. Blocks are scanned on all cores and put together in their order."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Columns, Corpus, Source
from logpith.corpus.refs import source_key
from logpith.files.text import Block, Text, TextFile
from logpith.formats.own import own_formats
from logpith.formats.recognise import Recognised
from logpith.scan.records import OwnFormat, Reading, Records, read_records
from logpith.scan.shape_index import ShapeIndex
from logpith.templates.shapes import ShapeTable

Progress = Callable[[int, int, int], None]
"""Told (bytes done, bytes in all or 0 when unknown, lines done)."""

_MOST_SAMPLE_BYTES = 8 << 10

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass
class _SourceSoFar:
    """A source while its blocks come in."""

    text: Text
    recognised: Recognised
    first: int
    records: int = 0
    lines: int = 0
    kinds: Counter[int] = field(default_factory=Counter)
    size_bytes: int = 0


@dataclass
class _ColumnsSoFar:
    start: list[NDArray[np.int64]] = field(default_factory=list)
    length: list[NDArray[np.int64]] = field(default_factory=list)
    lines: list[NDArray[np.int32]] = field(default_factory=list)
    time_ns: list[NDArray[np.int64]] = field(default_factory=list)
    severity: list[NDArray[np.uint8]] = field(default_factory=list)
    service: list[NDArray[np.int32]] = field(default_factory=list)
    shape: list[NDArray[np.int32]] = field(default_factory=list)
    source: list[NDArray[np.int32]] = field(default_factory=list)

    def joined(self) -> Columns:
        return Columns(
            start=_joined(self.start, np.int64),
            length=_joined(self.length, np.int64),
            lines=_joined(self.lines, np.int32),
            time_ns=_joined(self.time_ns, np.int64),
            severity=_joined(self.severity, np.uint8),
            service=_joined(self.service, np.int32),
            shape=_joined(self.shape, np.int32),
            source=_joined(self.source, np.int32),
        )


def _joined(parts: list[NDArray[Scalar]], kind: type[Scalar]) -> NDArray[Scalar]:
    joined = np.concatenate(parts) if parts else np.empty(0, kind)
    parts.clear()  # half of the memory peak
    return joined


class CorpusReader:
    """Reads texts one after the other into one corpus."""

    def __init__(
        self,
        *,
        whole_lines: bool = False,
        progress: Progress | None = None,
        total_bytes: int = 0,
        own: tuple[OwnFormat, ...] | None = None,
    ) -> None:
        self._whole_lines = whole_lines
        self._own_formats = own_formats() if own is None else own
        self._progress = progress
        self._total_bytes = total_bytes
        self._sources: list[_SourceSoFar] = []
        self._columns = _ColumnsSoFar()
        self._index = ShapeIndex()
        self._samples: list[dict[int, bytes]] = []
        self._services: dict[str, int] = {}
        self._records = 0
        self._done_bytes = 0
        self._done_lines = 0

    def read(self, texts: Sequence[Text], skipped: tuple[str, ...] = ()) -> Corpus:
        """All records of `texts`; `skipped` tells what else was asked for and could not be opened.

        What ends before its time is named by its source's `trouble`, never raised.
        """
        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers, thread_name_prefix="scan") as pool:
            waiting: deque[tuple[int, Block, Future[Records]]] = deque()
            for source, block, reading in self._blocks(texts):
                waiting.append((source, block, pool.submit(read_records, block.buf, 0, block.end, reading)))
                if len(waiting) > workers:
                    self._take(*waiting.popleft())
            while waiting:
                self._take(*waiting.popleft())
        return self._corpus(skipped)

    def _blocks(self, texts: Sequence[Text]) -> Iterator[tuple[int, Block, Reading]]:
        for number, text in enumerate(texts):
            recognised = Recognised(
                newest_ns=text.changed_ns, whole_lines=self._whole_lines, wanted=self._own_formats
            )
            self._sources.append(_SourceSoFar(text, recognised, first=-1))
            for block in text.blocks():
                yield number, block, recognised.look_at(block.buf, 0, block.end)

    def _take(self, number: int, block: Block, scanned: Future[Records]) -> None:
        """Adds a block's records to the corpus; blocks come in order."""
        records = scanned.result()
        source = self._sources[number]
        if source.first < 0:
            source.first = self._records
        skip = 0
        if records.continues and source.records and len(records):
            self._extend_last(block.base + int(records.end[0]), int(records.lines[0]))
            skip = 1
        kept = slice(skip, len(records))
        codes, chosen = self._index.add(records.shape[kept], records.value_hash[kept])
        self._keep_samples(block, records, skip, chosen)
        services = np.array([0, *(self._service_code(name) for name in records.services)], np.int32)
        columns = self._columns
        columns.start.append(records.start[kept] + block.base)
        columns.length.append((records.end - records.start)[kept])
        columns.lines.append(records.lines[kept].copy())
        columns.time_ns.append(records.time_ns[kept].copy())
        columns.severity.append(records.severity[kept].copy())
        columns.service.append(services[records.service[kept]])
        columns.shape.append(codes)
        columns.source.append(np.full(len(codes), number, np.int32))
        kinds, counts = np.unique(records.kind[kept], return_counts=True)
        source.kinds.update(dict(zip(kinds.tolist(), counts.tolist(), strict=True)))
        lines = int(records.lines.sum())
        source.records += len(codes)
        source.lines += lines
        source.size_bytes = block.base + block.end
        self._records += len(codes)
        self._done_bytes += block.end
        self._done_lines += lines
        if self._progress:
            self._progress(self._done_bytes, self._total_bytes, self._done_lines)

    def _extend_last(self, end: int, lines: int) -> None:
        """The last record so far goes on to `end`: its block was cut within it."""
        for start, length, count in zip(
            reversed(self._columns.start),
            reversed(self._columns.length),
            reversed(self._columns.lines),
            strict=True,
        ):
            if len(start):
                length[-1] = end - start[-1]
                count[-1] += lines
                return

    def _keep_samples(
        self, block: Block, records: Records, skip: int, chosen: list[tuple[int, int, int]]
    ) -> None:
        """Copies the bodies of records that have become samples, and forgets those that are none any more."""
        while len(self._samples) < len(self._index):
            self._samples.append({})
        for code, value, record in chosen:
            self._samples[code][value] = body_of(block, records, record + skip)
        for code in {code for code, _, _ in chosen}:
            samples = self._samples[code]
            self._samples[code] = {value: samples[value] for value in self._index.best_values(code)}

    def _service_code(self, name: bytes) -> int:
        text = name.decode("utf-8", "backslashreplace")
        return self._services.setdefault(text, len(self._services) + 1)

    def _corpus(self, skipped: tuple[str, ...]) -> Corpus:
        columns = self._columns.joined()
        # A corpus has its shapes in the order of their hashes, whatever came first.
        order = np.argsort(self._index.hashes)
        place = np.empty(len(order) + 1, np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        place[-1] = -1  # NO_SHAPE stays what it is
        table = ShapeTable(
            hashes=self._index.hashes[order],
            counts=self._index.counts[order],
            samples=tuple(tuple(self._samples[code].values()) for code in order.tolist()),
            value_hashes=tuple(tuple(self._samples[code]) for code in order.tolist()),
        )
        columns = Columns(**{**vars(columns), "shape": place[columns.shape]})
        sources = tuple(self._source(number) for number in range(len(self._sources)))
        return Corpus(
            sources=sources, columns=columns, services=("", *self._services), shapes=table, skipped=skipped
        )

    def _source(self, number: int) -> Source:
        source = self._sources[number]
        formats: Counter[tuple[str, str]] = Counter()
        for kind, count in source.kinds.items():
            formats[source.recognised.format_of(kind)] += count
        text = source.text
        key = source_key(text.name, 0, 0)
        if isinstance(text, TextFile):
            key = source_key(str(text.path.absolute()), text.identity.device, text.identity.inode)
        return Source(
            name=text.name,
            text=text,
            key=key,
            first=max(source.first, 0),
            records=source.records,
            lines=source.lines,
            formats=formats,
            size_bytes=source.size_bytes,
            trouble=text.trouble,
            columns=source.recognised.columns,
            own_formats=source.recognised.own_formats,
        )


def body_of(block: Block, records: Records, record: int) -> bytes:
    """What is mined of a record: its body, and what a JSON line says went wrong beside it."""
    spans = [(records.body_start[record], records.body_end[record])]
    if records.failure_end[record] > records.failure_start[record]:
        spans.append((records.failure_start[record], records.failure_end[record]))
    texts = [bytes(block.buf[start : min(end, start + _MOST_SAMPLE_BYTES)]) for start, end in spans]
    for _ in range(int(records.escapes[record])):
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
