"""Shapes of a segment: what the corpus knows of records by what they say.

The shape of a record is a matter of its template, so a few records of each template are read, not all. Only where
those differ, or where lines are kept whole, each is read; then there is a template more for each shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from logpith.formats.body import body_of
from logpith.formats.own import own_formats
from logpith.formats.recognise import Recognised
from logpith.scan.gather import gather_lines
from logpith.scan.records import PADDING, Reading, Records, read_records
from logpith.scan.shape_index import ShapeIndex
from logpith.scan.split import MOST_TEMPLATES, Split, samples_of
from logpith.scan.tally import add_times, new_times, slice_times, tally
from logpith.store.rows import Rows

_NEWLINE = 10


class ShapeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What `shapes.msgpack` says: see `corpus/columns.py Table`."""

    hashes: bytes
    counts: bytes
    samples: list[dict[int, bytes]]
    tally: dict[str, bytes]
    slice_times: list[int]
    times: list[int]
    formats: list[tuple[str, str, int]]
    recognised: dict[str, Any]


@dataclass(frozen=True)
class Shapes:
    """The shapes of the rows of a segment."""

    split: Split
    """With as many templates as it takes for the rows of each to have one shape."""

    of_template: NDArray[np.uint64]
    """0 beyond the bound on shapes."""

    codes: NDArray[np.uint16]
    """Of each row."""

    lines: NDArray[np.int64]
    """How many lines each row has."""

    index: ShapeIndex
    samples: list[dict[int, bytes]]
    formats: list[tuple[str, str, int]]
    recognised: dict[str, Any]

    @classmethod
    def of(cls, rows: Rows, split: Split, newest_ns: int) -> Shapes:
        """The shapes of rows that have been split."""
        read = _Reader.of(rows, newest_ns)
        some = samples_of(split.tids, len(split.text_ends))
        sampled = read.rows(some.reshape(-1))
        of_sample = sampled.shapes.reshape(-1, 3)
        is_mixed = (of_sample != of_sample[:, :1]).any(axis=1) | split.is_whole
        of_template = of_sample[:, 0].copy()
        if is_mixed.any():
            mixed = np.flatnonzero(is_mixed[split.tids])
            told = read.rows(mixed)
            split, of_template = _parted(split, of_template, mixed, told.shapes)
            sampled = sampled.joined(told)
        index = ShapeIndex()
        _, chosen = index.add(sampled.shapes, sampled.values)
        samples: list[dict[int, bytes]] = [{} for _ in range(len(index))]
        for code, value, place in chosen:
            samples[code][value] = sampled.body(place)
        place_of = {shape: code for code, shape in enumerate(index.hashes.tolist())}
        code_of_template = np.array([place_of.get(shape, -1) for shape in of_template.tolist()], np.int64)
        codes = code_of_template[split.tids]
        known = codes[codes >= 0]
        # The index has counted samples; all rows count.
        counted = ShapeIndex.restore(
            index.hashes, np.bincount(known, minlength=len(index)), [list(one) for one in samples]
        )
        kinds = dict(zip(sampled.shapes.tolist(), sampled.kinds.tolist(), strict=True))
        formats = Counter[tuple[str, str]]()
        for shape, count in zip(counted.hashes.tolist(), counted.counts.tolist(), strict=True):
            formats[read.recognised.format_of(kinds[shape])] += count
        return cls(
            split,
            np.where(code_of_template >= 0, of_template, np.uint64(0)),
            codes.astype(np.uint16),
            read.lines,
            counted,
            samples,
            [(*names, count) for names, count in formats.items() if count],
            read.recognised.state(),
        )

    def facts(self, rows: Rows) -> ShapeFacts:
        """What the segment keeps of them."""
        times = new_times()
        add_times(times, rows.time_ns)
        tallied = tally(self.codes, len(self.index), rows.time_ns, rows.severity)
        return ShapeFacts(
            hashes=self.index.hashes.tobytes(),
            counts=self.index.counts.tobytes(),
            samples=self.samples,
            tally={name: array.tobytes() for name, array in vars(tallied).items()},
            slice_times=slice_times(rows.time_ns, None).tolist(),
            times=times.tolist(),
            formats=self.formats,
            recognised=self.recognised,
        )


def _parted(
    split: Split, of_template: NDArray[np.uint64], rows: NDArray[np.int64], shapes: NDArray[np.uint64]
) -> tuple[Split, NDArray[np.uint64]]:
    """The split with a template more for each further shape that rows of a template have."""
    tids = split.tids.copy()
    pairs = np.empty(len(rows), [("template", np.int32), ("shape", np.uint64)])
    pairs["template"], pairs["shape"] = tids[rows], shapes
    distinct, first, place = np.unique(pairs, return_index=True, return_inverse=True)
    ends = [split.text_ends]
    texts = [split.texts]
    facts = [split.facts]
    told = [of_template.copy()]
    count, size = len(split.text_ends), len(split.texts)
    new_tids = np.empty(len(distinct), np.int32)
    is_taken: set[int] = set()
    for number in np.argsort(first).tolist():
        template, shape = int(distinct["template"][number]), int(distinct["shape"][number])
        if template not in is_taken:
            is_taken.add(template)
            new_tids[number] = template
            told[0][template] = shape
            continue
        if count >= 2 * MOST_TEMPLATES:  # the rest share the shape of the first
            new_tids[number] = template
            continue
        start = int(split.text_ends[template - 1]) if template else 0
        text = split.texts[start : split.text_ends[template]]
        size += len(text)
        new_tids[number] = count
        count += 1
        texts.append(text)
        ends.append(np.array([size], np.int64))
        facts.append(split.facts[template : template + 1])
        told.append(np.array([shape], np.uint64))
    tids[rows] = new_tids[place]
    parted = replace(
        split,
        tids=tids,
        texts=np.concatenate(texts),
        text_ends=np.concatenate(ends),
        facts=np.concatenate(facts),
    )
    return parted, np.concatenate(told)


@dataclass(frozen=True)
class _Read:
    """Some rows, read."""

    buf: NDArray[np.uint8]
    parts: list[tuple[int, Records]]
    """The place of the first row of each part, and what was read of it."""

    shapes: NDArray[np.uint64]
    values: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    before: _Read | None = None

    def body(self, place: int) -> bytes:
        """What the row at a place says."""
        if self.before is not None:
            count = len(self.before.shapes)
            if place < count:
                return self.before.body(place)
            place -= count
        firsts = [first for first, _ in self.parts]
        first, part = self.parts[int(np.searchsorted(firsts, place, side="right")) - 1]
        return body_of(self.buf, part, place - first)

    def joined(self, behind: _Read) -> _Read:
        """These rows, and others behind them."""
        return _Read(
            behind.buf,
            behind.parts,
            np.concatenate([self.shapes, behind.shapes]),
            np.concatenate([self.values, behind.values]),
            np.concatenate([self.kinds, behind.kinds]),
            self,
        )


@dataclass(frozen=True)
class _Reader:
    """Reads rows by their first lines, each as a record of its own."""

    source: Rows
    first_ends: NDArray[np.int64]
    """Where the first line of each row ends."""

    lines: NDArray[np.int64]
    recognised: Recognised
    reading: Reading

    @classmethod
    def of(cls, rows: Rows, newest_ns: int) -> _Reader:
        recognised = Recognised(newest_ns=newest_ns, wanted=own_formats())
        end = len(rows.buf) - PADDING
        text = rows.buf[:end]
        lines, first_ends = np.ones(len(rows), np.int64), rows.ends
        if np.count_nonzero(text == _NEWLINE) > len(rows):
            newlines = np.flatnonzero(text == _NEWLINE)
            first_newline = np.searchsorted(newlines, rows.starts)
            lines = np.searchsorted(newlines, rows.ends) + 1 - first_newline
            first_ends = newlines[first_newline]
        # Each line is the first one of a record, whatever it looks like.
        reading = replace(recognised.look_at(rows.buf, 0, end), joins_undated=False)
        return cls(rows, first_ends, lines, recognised, reading)

    def rows(self, chosen: NDArray[np.int64]) -> _Read:
        """Some rows by their numbers."""
        buf, starts = gather_lines(self.source.buf, self.source.starts, self.first_ends, chosen, PADDING)
        ends = np.append(starts[1:], len(buf) - PADDING) - 1
        parts = list(_read_each(buf, starts, ends, 0, len(starts), self.reading))
        return _Read(
            buf,
            parts,
            np.concatenate([np.empty(0, np.uint64), *(part.shape for _, part in parts)]),
            np.concatenate([np.empty(0, np.uint64), *(part.value_hash for _, part in parts)]),
            np.concatenate([np.empty(0, np.uint8), *(part.kind for _, part in parts)]),
        )


def _read_each(
    buf: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    low: int,
    high: int,
    reading: Reading,
) -> Iterator[tuple[int, Records]]:
    """(first row, what was read) of parts that together are the lines from `low` to `high`, each a record."""
    if low == high:
        return
    found = read_records(buf, int(starts[low]), int(ends[high - 1]) + 1, reading)
    if len(found) == high - low:
        yield low, found
        return
    # Some line looks like a part of the one before it: it is read apart from that.
    middle = (low + high) // 2
    yield from _read_each(buf, starts, ends, low, middle, reading)
    yield from _read_each(buf, starts, ends, middle, high, reading)
