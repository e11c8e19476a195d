"""Rhythm: what was put into many series is found, what they always do is not told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.anomalies import ASKED_DAYS, BUCKETS_PER_DAY, DAYS, make_series, score
from logpith.corpus.rhythm import WIDTH_NS, find_surges

DAY = BUCKETS_PER_DAY
SINCE = (DAYS - ASKED_DAYS) * DAY


def found(counts, since=SINCE, **given):
    return [(one.kind, one.level, one.first, one.last) for one in find_surges(counts, since, **given)]


@pytest.fixture(scope="module")
def steady():
    """Twenty records in each bucket, give or take what chance does."""
    return np.random.default_rng(5).poisson(20, (1, DAYS * DAY))


@pytest.mark.parametrize("seed", range(5))
def test_300_series_of_14_days_give_few_false_alarms_and_most_of_what_was_put_in(seed):
    made = make_series(seed)

    surges = find_surges(made.counts, SINCE)

    noticed = score(made, surges)
    assert noticed.false_per_day < 5
    assert noticed.spikes_found >= 0.88
    assert noticed.drops_found >= 0.75
    alerted = score(made, [surge for surge in surges if surge.level == "alert"])
    assert alerted.false_per_day <= 1
    assert alerted.spikes_found >= 0.75
    assert alerted.drops_found >= 0.75


def test_sigma_tells_thousands_of_times_what_is_usual():
    made = make_series(0)

    simple = score(made, find_surges(made.counts, SINCE, method="sigma"))

    assert simple.false_per_day > 1000
    assert simple.drops_found == 0


@pytest.mark.parametrize("jitter", [0, 1])
def test_a_job_of_each_night_is_no_news_and_one_that_does_ten_times_as_much_is(jitter):
    random = np.random.default_rng(1)
    counts = random.poisson(0.2, (1, DAYS * DAY))
    for day in range(DAYS):
        at = day * DAY + 24 + int(random.integers(-jitter, jitter + 1))
        counts[0, at : at + 4] += random.poisson(500, 4)

    assert found(counts) == []

    counts[0, 13 * DAY + 23 : 13 * DAY + 28] *= 10
    assert [kind for kind, *_ in found(counts)] == ["spike"]


def test_a_job_that_did_not_run_is_no_drop_but_a_steady_series_that_stopped_is_a_gap(steady):
    nightly = np.zeros((1, DAYS * DAY), np.int64)
    nightly[0, 24::DAY] = 500
    nightly[0, 13 * DAY + 24] = 0
    stopped = steady.copy()
    stopped[0, 13 * DAY + 100 : 13 * DAY + 106] = 0

    assert found(nightly) == []
    assert found(stopped) == [("gap", "alert", 13 * DAY + 100, 13 * DAY + 105)]


def test_one_low_bucket_is_chance_and_two_are_a_drop(steady):
    counts = steady.copy()
    counts[0, 13 * DAY + 50] = 1
    counts[0, 13 * DAY + 150 : 13 * DAY + 152] = 1

    assert found(counts) == [("drop", "alert", 13 * DAY + 150, 13 * DAY + 151)]


def test_a_bucket_that_is_not_over_is_never_low_but_may_be_high(steady):
    low, high = steady.copy(), steady.copy()
    low[0, -2:] = 0
    high[0, -1] = 200
    buckets = DAYS * DAY

    assert found(low, whole=buckets) == [("gap", "alert", buckets - 2, buckets - 1)]
    assert found(low, whole=buckets - 1) == []
    assert found(high, whole=buckets - 1) == [("spike", "alert", buckets - 1, buckets - 1)]


def test_a_spike_knows_what_was_usual_and_how_many_there_were(steady):
    counts = steady.copy()
    counts[0, 13 * DAY : 13 * DAY + 3] = 300

    (spike,) = find_surges(counts, SINCE)

    assert (spike.count, spike.first, spike.last) == (900, 13 * DAY, 13 * DAY + 2)
    assert spike.usual == pytest.approx(20, rel=0.15)
    assert spike.z > 10


def test_what_happened_three_times_in_ten_days_must_be_more_to_be_told(steady):
    counts = steady.copy()
    times = [day * DAY + 7 * day for day in (6, 8, 10, 12)]  # not at the same time of day
    for at in times:
        counts[0, at] = 90

    assert [first for *_, first, _ in found(counts, 0)] == times[:3]

    counts[0, times[3]] = 400
    assert [first for *_, first, _ in found(counts, 0)] == times


def test_a_series_that_somebody_called_no_anomaly_must_go_further(steady):
    counts = steady.copy()
    counts[0, 13 * DAY] = 80

    assert [kind for kind, *_ in found(counts)] == ["spike"]
    assert found(counts, patience=np.array([3.0])) == []


def test_a_series_that_has_just_begun_has_no_spikes_and_a_young_log_no_alerts(steady):
    begun = np.zeros((1, DAYS * DAY), np.int64)
    begun[0, -20:] = 500
    young = steady[:, : DAY // 2].copy()
    young[0, 100] = 400

    assert found(begun) == []
    assert found(young, 0) == [("spike", "notice", 100, 100)]


def test_what_is_asked_for_later_is_the_same_as_what_is_asked_for_at_once():
    made = make_series(3, series=150)
    later = SINCE + DAY

    at_once = [one for one in find_surges(made.counts, SINCE) if one.first >= later]

    assert at_once
    assert {(one.series, one.last) for one in at_once} == {
        (one.series, one.last) for one in find_surges(made.counts, later) if one.first >= later
    }


@settings(max_examples=40)
@given(
    counts=arrays(
        np.int64, st.tuples(st.integers(0, 3), st.integers(0, 200)), elements=st.integers(0, 10**9)
    ),
    since=st.integers(-5, 250),
    hours=st.sampled_from([1, 2, 6]),
    method=st.sampled_from(["robust", "sigma"]),
)
def test_surges_are_within_what_was_asked_apart_and_count_what_is_in_them(counts, since, hours, method):
    surges = find_surges(counts, since, width_ns=12 * hours * WIDTH_NS, method=method)

    for one in surges:
        assert one.last >= max(since, 0)
        assert one.count == counts[one.series, one.first : one.last + 1].sum()
        assert (one.kind == "gap") == (one.kind != "spike" and one.count == 0)
        assert (one.z > 0) == (one.kind == "spike")
    places = [(one.series, place) for one in surges for place in range(one.first, one.last + 1)]
    assert len(places) == len(set(places))
