"""Segments of a store as sources of a corpus: their columns are read when they are asked for, and then kept a while."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from logpith.corpus.columns import NONE, PartlyRead, Shapes, Table
from logpith.corpus.records import Source
from logpith.corpus.refs import STORE_KEY
from logpith.files.text import Block
from logpith.scan.records import PADDING
from logpith.scan.split import WHOLE
from logpith.scan.tally import read_tally
from logpith.scan.timestamps import NO_TIME
from logpith.store.segment import Segment, times_of
from logpith.timerange import NS_PER_US

MOST_KEPT_BYTES = 192 << 20
"""What the columns of all segments, and what was found in them, may take in memory together."""

_ENTRY_BYTES = 512
"""What an array takes besides its numbers, about: an answer may be that nothing was found."""

_FEW_BLOCKS = 0.25
"""Up to this share of a segment's blocks is read alone; of more the whole column is, and kept."""

_NEWLINE = 10


class _Kept:
    """Arrays that were read or found lately, by segment and what they are."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._arrays: OrderedDict[tuple[int, Hashable], NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def has(self, key: tuple[int, Hashable]) -> bool:
        """Whether an array is here."""
        return key in self._arrays

    def peek(self, key: tuple[int, Hashable]) -> NDArray[Any] | None:
        """An array, if it is here."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
            return self._arrays.get(key)

    def get(self, key: tuple[int, Hashable], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        known = self.peek(key)
        return self.put(key, make()) if known is None else known

    def put(self, key: tuple[int, Hashable], made: NDArray[Any]) -> NDArray[Any]:
        """The array, which is here from now on."""
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = made
                self._bytes += made.nbytes + _ENTRY_BYTES
            while self._bytes > self._most_bytes and len(self._arrays) > 1:
                _, gone = self._arrays.popitem(last=False)
                self._bytes -= gone.nbytes + _ENTRY_BYTES
        return made

    def forget_found(self) -> None:
        with self._lock:
            for key in [key for key in self._arrays if isinstance(key[1], tuple)]:
                self._bytes -= self._arrays.pop(key).nbytes + _ENTRY_BYTES


_KEPT = _Kept(MOST_KEPT_BYTES)
_NUMBERS = itertools.count()


def forget_found() -> None:
    """Forgets what questions have found, so that the next one is answered anew, as measurements want it."""
    _KEPT.forget_found()


class SegmentColumns(PartlyRead):
    """The columns of a segment under the names that a corpus knows (`columns.KINDS`), and a few of its own:
    `template`, `origin`, `extra`, `observed_ns`; `numbered` has the rows that columns of numbers tell of, and
    `number:duration_ms` what one of these says of them."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._number = next(_NUMBERS)
        self._makers: Mapping[str, Callable[[], NDArray[Any]]] = {
            "template": lambda: segment.column("template").to_numpy(),
            "time_ns": segment.times,
            "observed_ns": lambda: times_of(segment.column("observed_timestamp")),
            "length": lambda: segment.column("length").to_numpy(),
            "start": self._starts,
            "line": self._lines,
            "severity": lambda: self.of_template["severity"][self["template"]],
            "service": lambda: self.of_template["service"][self["template"]],
            "shape": lambda: self.of_template["shape"][self["template"]],
            "origin": lambda: self.of_template["origin"][self["template"]],
            "extra": self._extra_codes,
            "moment": lambda: self.moments(None, self["time_ns"]),
            "numbered": lambda: segment.numbered(self["template"]),
            **{f"number:{name}": partial(self._numbers, name) for name in segment.head.numbers},
        }

    def __getitem__(self, name: str) -> NDArray[Any]:
        return _KEPT.get((self._number, name), self._makers[name])

    def _numbers(self, name: str) -> NDArray[Any]:
        return self._segment.numbers(name, range(self._segment.blocks))

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def of(self, rows: NDArray[np.int64]) -> Callable[[str], NDArray[Any]]:
        return _Rows(self._segment, self, rows).column

    def was_read(self, name: str) -> bool:
        """Whether a column was read lately."""
        return _KEPT.has((self._number, name))

    def found(self, question: Hashable) -> NDArray[np.int64] | None:
        """The rows that match, if the same was asked lately."""
        return _KEPT.peek((self._number, ("found", question)))

    def remember(self, question: Hashable, rows: NDArray[np.int64]) -> None:
        """Keeps all rows that match, for whoever asks the same: a segment never changes."""
        _KEPT.put((self._number, ("found", question)), rows)

    @cached_property
    def of_template(self) -> Mapping[str, NDArray[Any]]:
        """The columns that are a matter of each record's template: for each template what its records have."""
        templates = self._segment.templates
        return {
            "severity": templates.severity,
            "service": self.service_of_template,
            "shape": self.shape_of_template,
            "origin": templates.source.astype(np.uint16),
        }

    @cached_property
    def service_of_template(self) -> NDArray[np.uint16]:
        """For each template its records' service: place in the table's list from 1 on, 0 for none."""
        templates = self._segment.templates
        places = {name: place for place, name in enumerate(service_names(self._segment), 1)}
        codes = np.array([places.get(name, 0) for name in templates.services], np.uint16)
        return codes[templates.service]

    @cached_property
    def shape_of_template(self) -> NDArray[np.uint16]:
        """For each template its records' shape: place in the table's list, NONE without one."""
        known = np.frombuffer(self._segment.shapes.hashes, np.uint64)
        order = np.argsort(known)
        shapes = self._segment.templates.shape
        if not len(known):
            return np.full(len(shapes), NONE, np.uint16)
        places = order[np.minimum(np.searchsorted(known[order], shapes), len(known) - 1)]
        return np.where(known[places] == shapes, places, NONE).astype(np.uint16)

    @cached_property
    def extras(self) -> tuple[Mapping[str, object], ...]:
        """The distinct attributes besides the text; the first is none."""
        return tuple(self._extras[0])

    @cached_property
    def _extras(self) -> tuple[list[Mapping[str, object]], NDArray[np.uint32]]:
        encoded = self._segment.column("extra").dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        found: list[Mapping[str, object]] = [{}]
        codes = np.zeros(len(texts), np.uint32)
        for place, text in enumerate(texts):
            if text:
                codes[place] = len(found)
                found.append(msgspec.json.decode(text))
        return found, codes[encoded.indices.to_numpy()] if len(texts) else np.zeros(0, np.uint32)

    def _extra_codes(self) -> NDArray[np.uint32]:
        codes: NDArray[np.uint32] = self._extras[1]
        return codes

    def moments(self, blocks: list[int] | None, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """When each record of some blocks, or of all, was, or else came, in microseconds since 1970."""
        moments: NDArray[np.int64] = times // NS_PER_US
        undated = times == NO_TIME
        if undated.any():
            came = times_of(self._segment.column("observed_timestamp", blocks))
            moments[undated] = came[undated] // NS_PER_US
        moments[moments < 1] = 1  # a ref's number has no sign
        return moments

    def _starts(self) -> NDArray[np.int64]:
        lengths = self["length"].astype(np.int64) + 1
        starts: NDArray[np.int64] = np.cumsum(lengths) - lengths
        return starts

    def _lines(self) -> NDArray[np.uint32]:
        """The number of each record's first line, from 1 on."""
        counts = self.lines
        firsts: NDArray[np.uint32] = (np.cumsum(counts) - counts + 1).astype(np.uint32)
        return firsts

    @property
    def lines(self) -> NDArray[np.int64]:
        """How many lines each record has."""
        templates = self._segment.templates
        is_newline = np.concatenate([[0], np.cumsum(templates.texts == _NEWLINE)])
        of_template = is_newline[templates.offsets[1:]] - is_newline[templates.offsets[:-1]] + 1
        lines: NDArray[np.int64] = of_template[self["template"]]
        firsts = np.minimum(templates.offsets[:-1], max(len(templates.texts) - 1, 0))
        is_whole = (np.diff(templates.offsets) == 1) & (templates.texts[firsts] == WHOLE)
        rows = np.flatnonzero(is_whole[self["template"]])
        if len(rows):
            for block in np.unique(rows // self._segment.head.block_records).tolist():
                some = self._segment.rows_of(block)
                values = self._segment.values([block], self["template"][some], is_whole)
                newlines = np.concatenate([[0], np.cumsum(values.buf == _NEWLINE)])
                inside = rows[(rows >= some.start) & (rows < some.stop)]
                starts, ends = values.spans(inside - some.start)
                counted = newlines[ends] - newlines[starts]
                lines[inside] = counted + 1
        return lines


class _Rows:
    """Some rows of a segment, ascending: where they stand in few of its blocks, only those are read."""

    def __init__(self, segment: Segment, columns: SegmentColumns, rows: NDArray[np.int64]) -> None:
        self._segment = segment
        self._columns = columns
        self._rows = rows

    def column(self, name: str) -> NDArray[Any]:
        """A column of `SegmentColumns`."""
        if name in self._columns.of_template:
            return self._columns.of_template[name][self._template]
        if name == "template":
            return self._template
        if name in ("time_ns", "moment") and not self._columns.was_read(name) and self._are_in_few_blocks:
            found = self._times if name == "time_ns" else self._columns.moments(self._blocks, self._times)
            return found[self._places]
        return self._columns[name][self._rows]

    @cached_property
    def _template(self) -> NDArray[np.int32]:
        if self._are_in_few_blocks and not self._columns.was_read("template"):
            codes: NDArray[np.int32] = self._segment.column("template", self._blocks).to_numpy()
            return codes[self._places]
        return self._columns["template"][self._rows]

    @cached_property
    def _times(self) -> NDArray[np.int64]:
        return self._segment.times(self._blocks)

    @property
    def _are_in_few_blocks(self) -> bool:
        return len(self._blocks) <= _FEW_BLOCKS * self._segment.blocks

    @cached_property
    def _blocks(self) -> list[int]:
        blocks: list[int] = np.unique(self._rows // self._segment.head.block_records).tolist()
        return blocks

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Where the rows stand among those of their blocks."""
        size = self._segment.head.block_records
        places: NDArray[np.int64] = (
            np.searchsorted(self._blocks, self._rows // size) * size + self._rows % size
        )
        return places


class SegmentText:
    """The text of a segment: its lines behind each other, put together where they are asked for."""

    seekable = True
    packing = ""
    trouble = ""

    def __init__(self, segment: Segment, columns: SegmentColumns) -> None:
        self.segment = segment
        self.columns = columns
        self.name = f"segment {segment.name}"
        self.changed_ns = segment.head.observed_end_ns
        self.searchable: Any = None
        """Its templates as `segment_query.py` searches them, once it did."""

    @property
    def moments(self) -> tuple[int, int]:
        """The first and the last time at which its records were, or came, in ns."""
        head = self.segment.head
        if head.start_ns == NO_TIME:
            return head.observed_start_ns, head.observed_end_ns
        if not head.undated:
            return max(head.start_ns, 0), max(head.end_ns, 0)
        return min(head.start_ns, head.observed_start_ns), max(head.end_ns, head.observed_end_ns)

    def read(self, start: int, end: int) -> NDArray[np.uint8]:
        """The bytes from `start` to `end`, a newline and PADDING behind them."""
        starts = self.columns["start"]
        low = int(np.searchsorted(starts, start, side="right")) - 1
        high = int(np.searchsorted(starts, end))
        buf, behind = self.lines(np.arange(max(low, 0), high))
        first = start - int(starts[max(low, 0)])
        out = np.zeros(end - start + 1 + PADDING, np.uint8)
        some = buf[first : min(first + end - start, behind)]
        out[: len(some)] = some
        out[end - start] = _NEWLINE
        return out

    def parts(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of each span."""
        starts = self.columns["start"]
        rows = np.searchsorted(starts, [start for start, _ in spans], side="right") - 1
        wanted = np.unique(rows)
        lines = dict(zip(wanted.tolist(), self.texts(wanted), strict=True))
        found: list[bytes] = []
        for row, (start, end) in zip(rows.tolist(), spans, strict=True):
            first = start - int(starts[row])
            is_inside = first + end - start <= len(lines[row])
            found.append(
                lines[row][first : first + end - start]
                if is_inside
                else bytes(self.read(start, end)[: end - start])
            )
        return found

    def blocks(self) -> Iterator[Block]:
        """All of it, a block of records at a time."""
        base = 0
        for block in range(self.segment.blocks):
            rows = self.segment.rows_of(block)
            buf, end = self.lines(np.arange(rows.start, rows.stop))
            yield Block(base, buf, end, last=block == self.segment.blocks - 1)
            base += end

    def texts(self, rows: NDArray[np.int64]) -> list[bytes]:
        """The line of each of some rows, which are ascending."""
        found: list[bytes] = []
        for block, some in _by_block(self.segment, rows):
            buf, starts, end = self._join(block, some)
            raw = bytes(buf[:end])
            edges = [*starts.tolist(), end]
            found += [raw[edges[k] : edges[k + 1] - 1] for k in range(len(some))]
        return found

    def lines(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], int]:
        """(buffer, its end): the lines of some rows, which are ascending, each with a newline behind it."""
        pieces = [self._join(block, some) for block, some in _by_block(self.segment, rows)]
        if len(pieces) == 1:
            return pieces[0][0], pieces[0][2]
        joined = np.concatenate([*(buf[:end] for buf, _, end in pieces), np.zeros(PADDING, np.uint8)])
        return joined, len(joined) - PADDING

    def _join(self, block: int, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
        columns = self.segment.columns(("template", "timestamp"), [block])
        template, times = columns["template"].to_numpy(), times_of(columns["timestamp"])
        some = rows - self.segment.rows_of(block).start
        wanted = np.zeros(len(self.segment.templates), np.bool_)
        wanted[template[some]] = True
        return self.segment.lines(some, template, times, self.segment.values([block], template, wanted))


def _by_block(segment: Segment, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    blocks = rows // segment.head.block_records
    for block in np.unique(blocks).tolist():
        low, high = np.searchsorted(blocks, (block, block + 1))
        yield block, rows[low:high]


def service_names(segment: Segment) -> tuple[str, ...]:
    """The services of a segment, but for the unknown one."""
    return tuple(name for name in segment.templates.services if name)


def source_of_segment(segment: Segment) -> Source:
    """A segment as a source; nothing but its head is read yet."""
    columns = SegmentColumns(segment)
    text: Any = SegmentText(segment, columns)
    return Source(
        name=text.name,
        text=text,
        key=STORE_KEY,
        table=_table(segment, columns),
        stream="",
    )


def _table(segment: Segment, columns: SegmentColumns) -> Table:
    facts = segment.shapes
    hashes = np.frombuffer(facts.hashes, np.uint64)
    firsts = np.arange(segment.blocks) * segment.head.block_records
    return Table(
        columns=columns,
        chunks=_Chunks(columns, firsts),
        signatures=None,
        shapes=Shapes(
            hashes=hashes, counts=np.frombuffer(facts.counts, np.int64), samples=tuple(facts.samples)
        ),
        tally=read_tally(facts.tally, len(hashes)),
        slice_times=np.array(facts.slice_times, np.int64),
        services=service_names(segment),
        formats=Counter({(name, layout): count for name, layout, count in facts.formats}),
        recognised=facts.recognised,
        lines=segment.head.lines,
        size_bytes=segment.head.text_bytes,
        times=np.array(facts.times, np.int64),
        origins=segment.templates.sources,
        extras=_Extras(columns),  # type: ignore[arg-type]  # a tuple, but for being read when it is asked for
        rows=len(segment),
    )


class _Extras(Sequence[Mapping[str, object]]):
    """The extras of a segment, read when they are asked for."""

    def __init__(self, columns: SegmentColumns) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns.extras)

    def __getitem__(self, place: Any) -> Any:
        return self._columns.extras[place]


class _Chunks(Mapping[str, NDArray[Any]]):
    """The blocks of a segment as the chunks of a text."""

    def __init__(self, columns: SegmentColumns, firsts: NDArray[np.int64]) -> None:
        self._columns = columns
        self._firsts = firsts

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._firsts if name == "chunk_first" else self._columns["start"][self._firsts]

    def __iter__(self) -> Iterator[str]:
        return iter(("chunk_start", "chunk_first"))

    def __len__(self) -> int:
        return 2


__all__ = ["SegmentColumns", "SegmentText", "source_of_segment"]
