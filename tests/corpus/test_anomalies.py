"""Anomalies: found where they were put, and hardly ever where nothing is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.anomalies import find_episodes


def found(counts, method="robust"):
    counts = np.asarray(counts)
    return [
        (one.kind, one.first, one.last) for one in find_episodes(counts, np.ones(len(counts), bool), method)
    ]


@pytest.mark.parametrize(("buckets", "days"), [(288, 100), (24, 400), (40, 400)])
def test_noise_gives_less_than_one_false_alarm_in_100_days(buckets, days):
    alarms, series_days = 0, 0
    for seed, mean in enumerate((0.2, 2, 8, 11, 14, 40, 1000)):
        for counts in np.random.default_rng(seed).poisson(mean, (days, buckets)):
            alarms += len(found(counts))
            series_days += 1

    assert alarms < series_days / 100


def test_sigma_tells_what_is_above_the_mean_by_two_and_so_alarms_every_day():
    counts = np.random.default_rng(1).poisson(40, (50, 288))

    alarms = [len(found(day, "sigma")) for day in counts]

    assert min(alarms) >= 1
    assert found([5] * 20 + [50], "sigma") == [("spike", 20, 20)]


@pytest.mark.parametrize("mean", [0.05, 1, 5, 30, 400])
def test_a_spike_at_a_quarter_to_two_is_found(mean):
    at = (13 * 60 + 45) // 5
    counts = np.random.default_rng(7).poisson(mean, 288)
    counts[at] += int(12 + 3 * mean)

    assert found(counts) == [("spike", at, at)]


def test_adjoining_buckets_are_one_episode_and_know_what_was_usual():
    counts = np.random.default_rng(3).poisson(50, 24)
    counts[13:16] = 400

    (episode,) = find_episodes(counts, np.ones(24, bool))

    assert (episode.kind, episode.first, episode.last, episode.count) == ("spike", 13, 15, 1200)
    assert episode.usual == pytest.approx(50, rel=0.15)


def test_a_drop_and_a_gap_are_told_apart():
    counts = np.random.default_rng(4).poisson(60, 40)
    counts[10] = 4
    counts[20:23] = 0

    assert found(counts) == [("drop", 10, 10), ("gap", 20, 22)]


def test_a_spike_in_a_day_that_has_a_rhythm_is_found_and_the_rhythm_is_none():
    hours = np.arange(24)
    rhythm = (200 * (1.1 - np.cos(hours / 24 * 2 * np.pi))).astype(int)
    spiked = rhythm.copy()
    spiked[3] *= 8

    assert found(rhythm) == []
    assert ("spike", 3, 3) in found(spiked)


def test_what_a_third_of_the_buckets_do_is_how_the_log_is():
    office_hours = np.where((np.arange(24) >= 9) & (np.arange(24) < 17), 500, 0)

    assert found(office_hours) == []


def test_a_bucket_that_the_period_cuts_is_not_low():
    counts = np.full(24, 100)
    counts[0] = counts[-1] = 3
    whole = np.ones(24, bool)
    whole[0] = whole[-1] = False

    assert find_episodes(counts, whole) == ()


@given(st.lists(st.integers(0, 10**9), max_size=60), st.sampled_from(["robust", "sigma"]))
def test_episodes_are_apart_in_order_and_count_what_is_in_them(counts, method):
    counts = np.array(counts, np.int64)

    episodes = find_episodes(counts, np.ones(len(counts), bool), method)

    for one, other in pairwise(episodes):
        assert one.last < other.first
    for one in episodes:
        assert one.count == counts[one.first : one.last + 1].sum()
        assert (one.kind == "gap") == (one.kind != "spike" and one.count == 0)
