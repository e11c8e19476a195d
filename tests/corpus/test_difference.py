"""Differences: none of a thing with itself, the opposite ones the other way round, and no chance among them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.difference import find_differences, surprise_bits, typical_growth

COUNTS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=1, max_size=40)
OPPOSITE = {"new": "gone", "gone": "new", "up": "down", "down": "up"}


def differences(before, now, severity=None):
    before, now = np.array(before, np.int64), np.array(now, np.int64)
    growth = typical_growth(before, now)
    return find_differences(before, now, growth, [0] * len(before) if severity is None else severity)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40))
def test_nothing_differs_from_itself(counts):
    assert differences(counts, counts, [24] * len(counts)) == []


@given(COUNTS)
def test_the_other_way_round_new_is_gone_and_up_is_down(counts):
    before, now = zip(*counts, strict=True)

    there = {one.group: one.verdict for one in differences(before, now)}
    back = {one.group: one.verdict for one in differences(now, before)}

    assert {group: OPPOSITE[verdict] for group, verdict in back.items()} == there


def test_a_change_of_the_whole_volume_is_in_no_row():
    before = [100, 2000, 30, 444, 51, 9000]
    now = [5 * count for count in before]

    assert differences(before, now) == []
    assert typical_growth(np.array(before), np.array(now)) == pytest.approx(5)


def test_a_flood_of_one_does_not_make_all_others_rare():
    before = [100, 200, 300, 400, 500, 600]
    now = [*before[:-1], 600_000]

    assert [(one.group, one.verdict, one.ratio) for one in differences(before, now)] == [(5, "up", 1000.0)]


def test_of_a_single_new_record_only_a_severe_one_is_told():
    before = [100, 200, 300, 400, 500, 0, 0]
    now = [100, 200, 300, 400, 500, 1, 1]

    found = differences(before, now, [9, 9, 9, 9, 9, 9, 17])

    assert [(one.group, one.verdict, one.beyond_chance) for one in found] == [(6, "new", False)]


def test_chance_is_not_told():
    told = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        means = np.exp(random.uniform(0, 7, 200))
        told += len(differences(random.poisson(9 * means), random.poisson(means)))

    assert told <= 30 * 200 * 0.0005


def test_what_trebles_comes_and_goes_is_found_among_the_steady():
    before = [1000] * 20 + [40, 0, 50, 300]
    now = [1000] * 20 + [120, 30, 0, 60]

    found = {one.group: (one.verdict, one.ratio) for one in differences(before, now)}

    assert found == {20: ("up", 3.0), 21: ("new", math.inf), 22: ("gone", 0.0), 23: ("down", 0.2)}


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(1e-3, 1e3))
def test_surprise_is_a_number_of_bits_whatever_the_counts(before, now, growth):
    bits = surprise_bits(np.array([before]), np.array([now]), growth)

    assert np.isfinite(bits).all()
    assert (bits >= 0).all()


def test_surprise_of_coins_is_what_everybody_knows():
    (bits,) = surprise_bits(np.array([0]), np.array([11]), 1.0)

    assert bits == pytest.approx(10)  # eleven times the same side, whichever it is
