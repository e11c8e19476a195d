"""Bodies: what a record says behind its header, as templates are mined from it.

No column keeps where a body begins: few questions ask, and a number for each record would cost all of them
memory. So the first lines of wanted records are put together and scanned once more, with the layouts that were
found in their source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus
from logpith.corpus.windows import texts_of
from logpith.files.text import Block
from logpith.formats.body import body_of
from logpith.scan.records import PADDING, Reading, read_records

_AT_ONCE = 20_000


def bodies(corpus: Corpus, records: NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    """The number and the body of each of the records, which are ascending.

    Raises:
        Refused: a source has changed since it was read.
    """
    for source in corpus.sources:
        low, high = np.searchsorted(records, (source.first, source.first + source.records))
        if low == high:
            continue
        # Each line is a record's first: none goes on the one before, whatever it looks like.
        reading = replace(source.recognised.reading(), joins_undated=False)
        numbers = records[low:high].tolist()
        texts: list[bytes] = []
        for place, text in enumerate(texts_of(corpus, records[low:high])):
            texts.append(text.partition(b"\n")[0])
            if len(texts) == _AT_ONCE or place == len(numbers) - 1:
                yield from zip(
                    numbers[place + 1 - len(texts) : place + 1], _bodies(texts, reading), strict=True
                )
                texts = []


def _bodies(lines: Sequence[bytes], reading: Reading) -> Iterator[bytes]:
    """The body of each line."""
    block = _block(lines)
    found = read_records(block.buf, 0, block.end, reading)
    if len(found) == len(lines):
        for place in range(len(lines)):
            yield body_of(block.buf, found, place)
        return
    for line in lines:  # one of them looks like a part of the line before it
        alone = _block([line])
        yield body_of(alone.buf, read_records(alone.buf, 0, alone.end, reading), 0)


def _block(lines: Sequence[bytes]) -> Block:
    text = b"\n".join([*lines, b""])
    return Block(0, np.frombuffer(bytearray(text + bytes(PADDING)), np.uint8), len(text))
