"""Arrival: a position is text, and is read as it was written."""

from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.arrival import Position, read_position

LINES = st.integers(0, 2**40)
KEYS = st.text("0123456789abcdef", min_size=4, max_size=4)
TIMES = st.none() | st.integers(-(2**62), 2**62)


@given(st.dictionaries(KEYS, LINES, max_size=20), TIMES)
def test_a_position_in_files_is_read_as_it_was_spelled(lines, newest):
    position = Position(lines=lines, newest_ns=newest)

    assert read_position(position.spelled()) == position


@given(LINES, LINES)
def test_a_position_in_a_store_is_read_as_it_was_spelled(observed, seen):
    position = Position(observed_ns=observed, seen=seen)

    assert read_position(position.spelled()) == position
