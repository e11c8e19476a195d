"""Windows: the records of a source beside the bytes that they are read from, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus, Source
from logpith.files.text import Block


@dataclass(frozen=True)
class Window:
    """The records of one source that begin in one block, and their bytes."""

    corpus: Corpus
    block: Block
    first: int
    starts: NDArray[np.int64]
    """In the block's buffer, as `ends`."""

    ends: NDArray[np.int64]

    def text(self, place: int) -> bytes:
        """The text of the record at `place` in this window."""
        return bytes(self.block.buf[self.starts[place] : self.ends[place]])


def windows(corpus: Corpus, source: Source) -> Iterator[Window]:
    """The records of a source by blocks. A record that goes on into the next block is cut at its block's end
    only when it is longer than a block's last lines; such records are given whole, alone."""
    starts = corpus.columns.start[source.first : source.first + source.records]
    lengths = corpus.columns.length[source.first : source.first + source.records]
    done = 0
    for block in source.text.blocks():
        behind = int(np.searchsorted(starts, block.base + block.end))
        if behind <= done:
            continue
        some = slice(done, behind)
        first = source.first + done
        begins = starts[some] - block.base
        ends = begins + lengths[some]
        if ends[-1] > block.end:  # its trace was cut by the end of the block
            yield Window(corpus, block, first, begins[:-1], ends[:-1])
            span = (int(starts[behind - 1]), int(starts[behind - 1] + lengths[behind - 1]))
            raw = source.text.parts([span])[0] + b"\n"
            whole = Block(span[0], np.frombuffer(raw + b"\0" * 16, np.uint8), len(raw))
            yield Window(corpus, whole, first + len(begins) - 1, np.array([0]), np.array([len(raw) - 1]))
        else:
            yield Window(corpus, block, first, begins, ends)
        done = behind


def texts_of(corpus: Corpus, records: NDArray[np.int64]) -> Iterator[bytes]:
    """The text of each of the records, which are ascending, whole: for many, where `Corpus.texts` is for a few."""
    for source in corpus.sources:
        low, high = np.searchsorted(records, (source.first, source.first + source.records))
        if low == high:
            continue
        for window in windows(corpus, source):
            a, b = np.searchsorted(records, (window.first, window.first + len(window.starts)))
            if a < b:
                chosen = records[a:b] - window.first
                raw = bytes(window.block.buf[: int(window.ends[-1])])
                for start, end in zip(
                    window.starts[chosen].tolist(), window.ends[chosen].tolist(), strict=True
                ):
                    yield raw[start:end]
