"""Shares of errors: a rise is told once it is beyond chance, and beyond what each night brings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from logpith.corpus.shares import find_share_rises

DAY = 288
SINCE = 7 * DAY


def made(share, seed=0, days=8, mean=50):
    random = np.random.default_rng(seed)
    every = random.poisson(mean, (1, days * DAY))
    return random.binomial(every, share), every


def test_a_service_that_fails_as_often_as_ever_is_not_told():
    told = 0
    for seed in range(40):
        told += len(find_share_rises(*made(0.02, seed), SINCE))

    assert told == 0


def test_failing_five_times_as_often_is_told_with_its_share():
    bad, every = made(0.02)
    bad[0, SINCE + 100 : SINCE + 112] = every[0, SINCE + 100 : SINCE + 112] // 5

    (rise,) = find_share_rises(bad, every, SINCE)

    assert rise.level == "alert"
    assert SINCE + 100 <= rise.first <= SINCE + 105 <= rise.last
    assert rise.share == pytest.approx(0.2, rel=0.1)
    assert rise.usual == pytest.approx(0.02, rel=0.3)


def test_a_job_that_fails_each_night_is_no_news():
    bad, every = made(0.01)
    for day in range(8):
        bad[0, day * DAY + 60 : day * DAY + 66] = every[0, day * DAY + 60 : day * DAY + 66] // 3

    assert find_share_rises(bad, every, SINCE) == []
    assert find_share_rises(bad, every, 0) != []  # as it was in the first night


def test_twice_as_many_records_of_which_as_many_are_errors_are_none():
    bad, every = made(0.05)
    bad[0, SINCE + 50 : SINCE + 60] *= 4
    every[0, SINCE + 50 : SINCE + 60] *= 4

    assert find_share_rises(bad, every, SINCE) == []


def test_a_young_log_gives_notices_only():
    bad, every = made(0.02, days=1)
    bad[0, 200:212] = every[0, 200:212] // 2

    assert [rise.level for rise in find_share_rises(bad, every)] == ["notice"]


@settings(max_examples=40)
@given(
    every=arrays(np.int64, st.tuples(st.integers(0, 3), st.integers(0, 150)), elements=st.integers(0, 10**6)),
    since=st.integers(-5, 160),
    data=st.data(),
)
def test_rises_are_within_what_was_asked_and_of_errors_there_are(every, since, data):
    shares = data.draw(arrays(np.float64, every.shape, elements=st.floats(0, 1)))
    bad = (every * shares).astype(np.int64)

    for rise in find_share_rises(bad, every, since):
        assert max(since, 0) <= rise.first <= rise.last < every.shape[1]
        assert 5 <= rise.bad <= rise.every
        assert rise.share >= 2 * rise.usual
