"""Gathering lines: their bytes in the order that was asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logpith.scan.gather import chain_lines, gather_lines

LINES = st.lists(st.binary(max_size=40), max_size=12)


def buffer_of(lines):
    """(bytes, where each line begins, where the last one ends), with something else around them."""
    offsets = 2 + np.concatenate([[0], np.cumsum([len(line) for line in lines])]).astype(np.int64)
    return np.frombuffer(b"<<" + b"".join(lines) + b">>", np.uint8), offsets


@given(LINES, st.randoms(use_true_random=False), st.integers(0, 20))
def test_lines_are_copied_in_an_order(lines, chance, padding):
    source, offsets = buffer_of(lines)
    order = chance.choices(range(len(lines)), k=8) if lines else []

    buf, starts = gather_lines(source, offsets[:-1], offsets[1:], np.array(order, np.int64), padding)

    chosen = [lines[place] for place in order]
    assert bytes(buf) == b"".join(line + b"\n" for line in chosen) + bytes(padding)
    assert starts.tolist() == [sum(len(line) + 1 for line in chosen[:place]) for place in range(len(order))]


@given(st.lists(LINES, max_size=4), st.integers(0, 20))
def test_buffers_are_chained(buffers, padding):
    buf, starts = chain_lines([buffer_of(lines) for lines in buffers], padding)

    chosen = [line for lines in buffers for line in lines]
    assert bytes(buf) == b"".join(line + b"\n" for line in chosen) + bytes(padding)
    assert starts.tolist() == [sum(len(line) + 1 for line in chosen[:place]) for place in range(len(chosen))]
