"""Splitting and joining: every byte comes back, and lines that differ in values only share a template."""

import datetime
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_lines import log_lines
from logpith.scan.records import PADDING
from logpith.scan.split import (
    BETWEEN,
    HOLE,
    MOST_FACTS,
    MOST_TEMPLATE_BYTES,
    MOST_TEMPLATES,
    TIME,
    WHOLE,
    Templates,
    join_lines,
    samples_of,
    split_lines,
)
from logpith.scan.timestamps import NO_TIME
from logpith.scan.words import split_words

MOST_WORDS = 1_024

MOMENT = datetime.datetime(2026, 11, 20, 13, 45, 2, tzinfo=datetime.UTC)
SECOND_NS = int(MOMENT.timestamp()) * 10**9
TIMES = st.sampled_from(
    (NO_TIME, SECOND_NS, SECOND_NS + 123_000_000, SECOND_NS + 123_456_789, SECOND_NS + 100_000_000, 0, -1)
) | st.integers(-(2**63) + 1, 2**63 - 1)


def split(lines, times=None, facts=None):
    buf = np.frombuffer(b"\n".join([*lines, b""]) + bytes(PADDING), np.uint8)
    lengths = np.array([len(line) for line in lines], np.int64)
    ends = np.cumsum(lengths + 1) - 1
    count = len(lines)
    return split_lines(
        buf,
        ends - lengths,
        ends,
        np.arange(count),
        np.array([NO_TIME] * count if times is None else times, np.int64),
        np.zeros(count, np.uint64) if facts is None else np.array(facts, np.uint64),
    )


def joined(found, times, rows=None):
    count = len(found.tids)
    chosen = np.arange(count) if rows is None else np.array(rows, np.int64)
    offsets = np.concatenate([[0], found.value_ends])
    templates = Templates.of(found.texts, np.concatenate([[0], found.text_ends]))
    buf, starts, end = join_lines(
        chosen,
        found.tids,
        np.array(times, np.int64),
        found.values,
        (offsets[chosen], offsets[chosen + 1]),
        templates,
        PADDING,
    )
    assert bytes(buf[end : end + PADDING]) == bytes(PADDING)
    edges = [*starts.tolist(), end]
    return [bytes(buf[low : high - 1]) for low, high in itertools.pairwise(edges)]


def templates_of(found):
    starts = [0, *found.text_ends.tolist()]
    return [bytes(found.texts[low:high]) for low, high in itertools.pairwise(starts)]


def values_of(found):
    starts = [0, *found.value_ends.tolist()]
    return [bytes(found.values[low:high]) for low, high in itertools.pairwise(starts)]


@given(st.lists(st.tuples(log_lines() | st.binary(max_size=80), TIMES, st.integers(0, 2)), max_size=20))
def test_what_is_joined_is_what_was_split(records):
    lines, times, facts = zip(*records, strict=True) if records else ((), (), ())

    found = split(lines, times, facts)

    assert joined(found, times) == list(lines)
    assert found.facts[found.tids].tolist() == list(facts)
    some = list(range(0, len(lines), 3))
    assert joined(found, times, some) == [lines[row] for row in some]


@given(st.lists(log_lines() | st.binary(max_size=80), min_size=1, max_size=10))
def test_a_value_is_a_whole_word_that_words_masks(lines):
    found = split(lines)

    for line, template, values in zip(lines, found.tids.tolist(), values_of(found), strict=True):
        if templates_of(found)[template] == bytes((WHOLE,)):
            assert values == line
            continue
        words = split_words(line)
        pairs = itertools.islice(zip(words.words, words.masked, strict=True), MOST_WORDS)
        masked = [word for word, is_masked in pairs if is_masked]
        told = [value.decode("utf-8", "replace") for value in values.split(bytes((BETWEEN,)))]
        assert [one for one in told if one] == masked
        assert templates_of(found)[template].count(HOLE) == len(masked)


def test_lines_that_differ_in_values_only_share_a_template():
    found = split([b"user 17 from 10.0.0.1", b"user 4 from 192.168.0.77", b"user x from 10.0.0.1"])

    assert templates_of(found) == [b"user \x11 from \x11", b"user x from \x11"]
    assert found.tids.tolist() == [0, 0, 1]
    assert values_of(found) == [b"17\x1210.0.0.1", b"4\x12192.168.0.77", b"10.0.0.1"]


def test_lines_with_other_facts_have_a_template_of_their_own():
    found = split([b"user 1", b"user 2", b"user 3"], facts=[5, 6, 5])

    assert found.tids.tolist() == [0, 1, 0]
    assert found.facts.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (b"2026-11-20T13:45:02Z", SECOND_NS),
        (b"2026-11-20T13:45:02", SECOND_NS),
        (b"2026-11-20T13:45:02.5Z", SECOND_NS + 500_000_000),
        (b"2026-11-20T13:45:02.123456789", SECOND_NS + 123_456_789),
        (b"13:45:02", SECOND_NS),
        (b"13:45:02.120Z", SECOND_NS + 120_000_000),
        (b"1969-12-31T23:59:59.999999999Z", -1),
        (b"1677-09-21T00:12:43.145224193Z", -(2**63) + 1),
        (b"2262-04-11T23:47:16.854775807Z", 2**63 - 1),
    ],
)
def test_the_own_time_of_a_line_is_not_kept_twice(text, time):
    found = split([text + b" ok"], [time])

    assert templates_of(found)[0][:1] == bytes((TIME,))
    assert values_of(found) == [b""]
    assert joined(found, [time]) == [text + b" ok"]


@pytest.mark.parametrize(
    "text",
    [
        b"2026-11-20T13:45:03Z",
        b"2026-11-20T13:45:02.1Z",
        b"2026-11-20T13:45:02z",
        b"12026-11-20T13:45:02Z",
        b"2026-13-20T13:45:02Z",
        b"2026-11-20T13:45",
        b"13:45:02.1234567890",
    ],
)
def test_another_time_is_a_value(text):
    found = split([text + b" ok"], [SECOND_NS])

    assert TIME not in found.texts
    assert joined(found, [SECOND_NS]) == [text + b" ok"]


def test_a_line_with_marks_of_its_own_is_kept_whole():
    lines = [b"a \x11 1", b"b \x10", b"c \x12 2", b"d \x13A", b"e \x0f\x14 1"]
    found = split(lines)

    assert [templates_of(found)[tid] == b"\x10" for tid in found.tids] == [True, True, True, True, False]
    assert joined(found, [NO_TIME] * 5) == lines


def test_a_line_that_is_too_long_for_a_template_is_kept_whole_and_one_of_too_many_words_in_part():
    long, wordy = b"a" * (MOST_TEMPLATE_BYTES + 1), b"1 " * 1_500
    found = split([long, wordy])

    assert found.is_whole.tolist() == [True, False]
    assert joined(found, [NO_TIME, NO_TIME]) == [long, wordy]


def test_beyond_so_many_templates_lines_are_kept_whole():
    lines = [
        b"a" * (number % 97) + b" " + b"bcdefghij"[number % 9 :] * (number // 97) for number in range(40_000)
    ]
    assert len(set(lines)) > MOST_TEMPLATES
    found = split(lines, facts=[number % 7 for number in range(len(lines))])

    assert MOST_TEMPLATES - MOST_FACTS <= len(found.text_ends) <= MOST_TEMPLATES
    assert found.is_whole.any()
    assert joined(found, [NO_TIME] * len(lines)) == lines


@pytest.mark.parametrize("lines", [[], [b""], [b"", b""]])
def test_nothing_is_split_into_nothing(lines):
    found = split(lines)

    assert joined(found, [NO_TIME] * len(lines)) == lines
    assert found.is_whole.tolist() == [False] * bool(lines)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_samples_are_rows_of_their_templates(tids):
    tids = [sorted(set(tids)).index(tid) for tid in tids]
    samples = samples_of(np.array(tids, np.int32), max(tids) + 1)

    for template, rows in enumerate(samples.tolist()):
        assert {tids[row] for row in rows} == {template}
        assert rows[0] == tids.index(template)
        assert len(set(rows)) == min(3, tids.count(template))
