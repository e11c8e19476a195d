"""Novelty: what a service has not written for a week, once it is known what it writes."""

import numpy as np
import pytest

from logpith.corpus.novelty import find_novelties
from logpith.corpus.series import counted_from
from logpith.timerange import NS_PER_D, NS_PER_H
from logpith_emit.severity import ERROR, INFO, WARN

END = 1_795_212_000 * 10**9
SINCE = END - NS_PER_H

TEXTS = (
    "call <*> ended after <*> s",
    "payment of <*> refused by the bank",
    "the queue to <*> has now <*> records waiting for a worker that is free",
    "the queue to <*> has now <*> records waiting for some worker that is free",
)


def found(records, severity=(INFO, ERROR, WARN, WARN)):
    """Of (template, service, days before the end, how many)."""
    template, service, days, count = zip(*records, strict=True)
    counted = counted_from(
        template=np.array(template, np.int32),
        service=np.array(service, np.int32),
        time_ns=np.array([END - round(one * NS_PER_D) for one in days], np.int64),
        bad=np.zeros(len(records), np.bool_),
        services=2,
        count=np.array(count, np.int64),
    )
    novelties = find_novelties(counted, np.array(severity), TEXTS, SINCE, END)
    return [(one.template, one.service, one.level, one.count) for one in novelties]


def test_an_error_that_was_never_there_is_an_alert_though_it_be_one():
    assert found([(0, 0, 3, 100), (1, 0, 0.01, 1)]) == [(1, 0, "alert", 1)]


def test_while_a_service_is_being_learnt_nothing_of_it_is_new():
    assert found([(0, 0, 0.9, 100), (1, 0, 0.01, 1)]) == []
    assert found([(0, 0, 3, 100), (1, 1, 0.01, 9), (1, 1, 0.005, 9)]) == []


@pytest.mark.parametrize(("days", "is_new"), [(0.5, False), (6.9, False), (8, True)])
def test_what_was_there_within_a_week_is_not_new(days, is_new):
    assert bool(found([(0, 0, 9, 100), (1, 0, days, 5), (1, 0, 0.01, 1)])) == is_new


def test_what_another_service_writes_is_new_to_this_one():
    records = [(0, 0, 3, 100), (0, 1, 3, 100), (1, 0, 2, 10), (1, 1, 0.01, 1)]

    assert found(records) == [(1, 1, "alert", 1)]


def test_a_harmless_template_is_told_when_there_are_many():
    known = (1, 0, 3, 100)

    assert found([known, (0, 0, 0.01, 19)]) == []
    assert found([known, (0, 0, 0.01, 20)]) == [(0, 0, "notice", 20)]


def test_what_is_nearly_known_counts_one_level_less():
    records = [(0, 0, 3, 100), (2, 0, 3, 100), (3, 0, 0.01, 5)]

    assert found([records[0], records[2]]) == [(3, 0, "notice", 5)]
    assert found(records) == []
    assert found(records, (INFO, ERROR, ERROR, ERROR)) == [(3, 0, "notice", 5)]
    # One that is worse than what it is like is news.
    assert found(records, (INFO, ERROR, WARN, ERROR)) == [(3, 0, "alert", 5)]
