"""Counting: what numpy reckons on columns is what plain Python reckons on lists."""

import math
import statistics
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.counting import OF_NUMBERS, group_records, reckon
from logpith.corpus.fields import Field

VALUES = st.lists(st.sampled_from([None, "1", "2", "2.5", "-7", "10", "300", "fast", "1e3"]), max_size=30)


def field_of(values):
    texts = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = np.array([-1 if value is None else texts.index(value) for value in values], np.int32)
    return Field(name="x", kind="text", codes=codes, texts=texts)


def nearest_rank(numbers, percent):
    return sorted(numbers)[max(math.ceil(len(numbers) * percent / 100), 1) - 1]


ORACLE = {
    "min": min,
    "max": max,
    "sum": sum,
    "avg": statistics.fmean,
    "p50": lambda numbers: nearest_rank(numbers, 50),
    "p95": lambda numbers: nearest_rank(numbers, 95),
    "p99": lambda numbers: nearest_rank(numbers, 99),
}


@given(st.lists(st.tuples(*[st.sampled_from([None, "a", "b", "c"])] * 3), max_size=40), st.integers(0, 3))
def test_groups_are_the_distinct_values_with_their_counts(records, width):
    columns = [[record[place] for record in records] for place in range(width)]
    fields = [field_of(column) for column in columns]

    groups = group_records(len(records), fields)

    told = Counter()
    for group, count in enumerate(groups.counts.tolist()):
        values = tuple(
            None if codes[group] < 0 else field.texts[codes[group]]
            for field, codes in zip(fields, groups.values, strict=True)
        )
        told[values] += count
    assert told == Counter(record[:width] for record in records)
    assert np.bincount(groups.codes, minlength=len(groups.counts)).tolist() == groups.counts.tolist()
    ranked = groups.counts[groups.begins_empty :].tolist()
    assert ranked == sorted(ranked, reverse=True)


@pytest.mark.parametrize("what", ORACLE)
@given(values=VALUES, groups=st.integers(1, 4))
def test_numbers_are_reckoned_as_plain_python_does(what, values, groups):
    field = field_of(values)
    group = np.arange(len(values)) % groups

    told = reckon(what, field, group, groups).tolist()

    for number in range(groups):
        numbers = [
            float(value)
            for place, value in enumerate(values)
            if place % groups == number and value not in (None, "fast")
        ]
        if numbers:
            assert told[number] == pytest.approx(ORACLE[what](numbers), rel=1e-12)
        else:
            assert math.isnan(told[number])
    assert set(ORACLE) == set(OF_NUMBERS)


@given(values=VALUES, groups=st.integers(1, 4))
def test_values_of_any_kind_are_counted(values, groups):
    field = field_of(values)
    group = np.arange(len(values)) % groups

    counted = reckon("count", field, group, groups).tolist()
    distinct = reckon("distinct", field, group, groups).tolist()

    for number in range(groups):
        here = [value for value in values[number::groups] if value is not None]
        assert counted[number] == len(here)
        assert distinct[number] == len(set(here))
