"""Counting by time and by side, against counting in the plainest way."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logpith.scan.buckets import BEFORE, NOW, count_buckets, count_sides, mark_sides
from logpith.scan.timestamps import NO_TIME

TIMES = st.integers(-50, 49) | st.just(NO_TIME)
RECORDS = st.lists(st.tuples(TIMES, st.integers(0, 24), st.integers(-1, 3)), max_size=60)


def columns(records):
    times, severities, groups = zip(*records, strict=True) if records else ((), (), ())
    return np.array(times, np.int64), np.array(severities, np.uint8), np.array(groups, np.int32)


@given(RECORDS)
def test_each_record_is_in_its_bucket_or_undated(records):
    times, severities, _ = columns(records)

    counts, severe, undated = count_buckets(times, severities, -50, 10, 10, 17)

    places = [((time + 50) // 10, severity) for time, severity, _ in records if time != NO_TIME]
    assert counts.tolist() == [sum(place == bucket for place, _ in places) for bucket in range(10)]
    assert severe.tolist() == [
        sum(place == bucket and severity >= 17 for place, severity in places) for bucket in range(10)
    ]
    assert undated == len(records) - len(places)


def test_all_the_times_there_are_fit_into_buckets():
    times = np.array([NO_TIME + 1, 0, 2**63 - 1], np.int64)

    counts, _, _ = count_buckets(times, np.zeros(3, np.uint8), NO_TIME + 1, 2**60, 16, 17)

    assert counts[0] == counts[7] == counts[15] == 1


@given(RECORDS)
def test_sides_count_and_know_their_earliest_and_latest_record(records):
    times, _, groups = columns(records)
    side = mark_sides(times, (-30, 10), (0, 40))

    tally = count_sides(groups, 4, side, times)

    for row, (bit, start, end) in enumerate([(BEFORE, -30, 10), (NOW, 0, 40)]):
        inside = [place for place, (time, _, _) in enumerate(records) if start <= time < end]
        assert np.flatnonzero(side & bit).tolist() == inside
        for group in range(4):
            members = [place for place in inside if records[place][2] == group]
            assert tally.count[row, group] == len(members)
            if members:
                ordered = sorted(members, key=lambda place: (records[place][0], place))
                assert tally.first[row, group] == ordered[0]
                assert tally.last[row, group] == ordered[-1]


def test_a_record_without_a_time_is_neither_first_nor_last_where_others_have_one():
    times = np.array([NO_TIME, 5, NO_TIME], np.int64)

    tally = count_sides(np.zeros(3, np.int32), 1, np.full(3, NOW, np.uint8), times)

    assert (tally.count[1, 0], tally.first[1, 0], tally.last[1, 0]) == (3, 1, 1)
