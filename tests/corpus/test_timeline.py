"""Widths of buckets: round, and as many of them as a person can look at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.timeline import FEWEST_BUCKETS, MOST_BUCKETS, ROUND_WIDTHS_NS, round_width_ns
from logpith.timerange import NS_PER_D, NS_PER_H, NS_PER_MIN, NS_PER_S, parse_time

START = parse_time("2026-11-20T13:45:02.5Z", now_ns=0)


def buckets(start, end, width):
    shift = 4 * NS_PER_D if width % (7 * NS_PER_D) == 0 else 0
    return (end - 1 - shift) // width - (start - shift) // width + 1


@given(
    start=st.integers(-(10**18), 4 * 10**18),
    span=st.integers(10 * NS_PER_S, 366 * NS_PER_D),
    wanted=st.integers(FEWEST_BUCKETS, MOST_BUCKETS),
)
def test_ten_seconds_to_a_year_are_10_to_40_round_buckets(start, span, wanted):
    width = round_width_ns(start, start + span + 1, wanted)

    assert width in ROUND_WIDTHS_NS
    assert FEWEST_BUCKETS <= buckets(start, start + span + 1, width) <= MOST_BUCKETS


@given(start=st.integers(-(10**18), 4 * 10**18), span_s=st.integers(10, 10**8))
def test_that_holds_for_times_in_whole_seconds_too(start, span_s):
    begin = start // NS_PER_S * NS_PER_S

    width = round_width_ns(begin, begin + span_s * NS_PER_S + 1, 24, finest_ns=NS_PER_S)

    assert width >= NS_PER_S
    assert FEWEST_BUCKETS <= buckets(begin, begin + span_s * NS_PER_S + 1, width) <= MOST_BUCKETS


@given(start=st.integers(-(2**63) + 1, 2**63 - 1), end=st.integers(-(2**63) + 1, 2**63 - 1))
def test_any_time_fits_into_40_buckets(start, end):
    first, last = sorted((start, end))

    width = round_width_ns(first, last + 1, 24)

    assert 1 <= buckets(first, last + 1, width) <= MOST_BUCKETS


@pytest.mark.parametrize(
    ("span", "width"),
    [
        (24 * NS_PER_H, NS_PER_H),
        (2 * NS_PER_H, 5 * NS_PER_MIN),
        (60 * NS_PER_S, 2 * NS_PER_S),
        (30 * NS_PER_D, NS_PER_D),
        (365 * NS_PER_D, 14 * NS_PER_D),
        (20 * 10**6, 10**6),
    ],
)
def test_widths_are_those_that_people_would_choose(span, width):
    assert round_width_ns(START, START + span, 24) == width
