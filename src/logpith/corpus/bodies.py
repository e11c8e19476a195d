"""Bodies: what a record says behind its header, as templates are mined from it.

No column keeps where a body begins: few questions ask, and a number for each record would cost all of them
memory. So the blocks that hold wanted records are scanned once more, in the same way as before.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.reading import body_of
from logpith.corpus.records import Corpus, Source
from logpith.formats.recognise import Recognised
from logpith.scan.records import read_records
from logpith_emit.errors import Refused


def bodies(corpus: Corpus, records: NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    """The number and the body of each of the records, which are ascending.

    Raises:
        Refused: a source has changed since it was read.
    """
    wanted = np.zeros(len(corpus), np.bool_)
    wanted[records] = True
    for source in corpus.sources:
        if wanted[source.first : source.first + source.records].any():
            yield from _bodies_in(corpus, source, wanted)


def _bodies_in(corpus: Corpus, source: Source, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, bytes]]:
    starts = corpus.columns.start[source.first : source.first + source.records]
    recognised = Recognised(newest_ns=source.text.changed_ns)
    done = 0
    for block in source.text.blocks():
        # Looked at even where nothing is wanted: how a block is read depends on those before it.
        reading = recognised.look_at(block.buf, 0, block.end)
        behind = int(np.searchsorted(starts, block.base + block.end))
        first, count = source.first + done, behind - done
        if wanted[first : first + count].any():
            found = read_records(block.buf, 0, block.end, reading)
            skipped = len(found) - count  # 1 where the block begins within a record of the one before
            if skipped not in (0, 1) or (found.start[skipped:] + block.base != starts[done:behind]).any():
                raise Refused(
                    f"{source.name} has changed since it was read", remedy="Ask again: it is read anew then"
                )
            for place in np.flatnonzero(wanted[first : first + count]).tolist():
                yield first + place, body_of(block, found, place + skipped)
        done = behind
