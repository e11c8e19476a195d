"""Retention: what goes, when, and why; and what never does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.scan.timestamps import NO_TIME
from logpith.store.manifest import Entry
from logpith.store.retention import (
    Hold,
    Policy,
    due_ns,
    newest_ns,
    plan_in_words,
    plan_retention,
    plan_rows,
)
from logpith.timerange import NS_PER_D, NS_PER_H, TimeRange

NOW = 1_795_212_000 * 10**9
GB = 10**9

POLICY = Policy(retention_ns=30 * NS_PER_D, kinds={"errors": 90 * NS_PER_D, "debug": 3 * NS_PER_D})


def segment(name, days, kind="", size=GB, *, came=None, undated=0, services=()):
    """A segment whose last record was written so many days ago."""
    end = NOW - round(days * NS_PER_D)
    observed = end if came is None else NOW - round(came * NS_PER_D)
    return Entry(
        id=name,
        day=end // NS_PER_D,
        kind=kind,
        records=1000,
        size_bytes=size,
        start_ns=end - NS_PER_H,
        end_ns=end,
        undated=undated,
        observed_start_ns=observed - NS_PER_H,
        observed_end_ns=observed,
        services=dict(services),
        sources={},
        severities=[],
    )


def gone(entries, policy=POLICY, now_ns=NOW, **given):
    return [(one.entry.id, one.reason) for one in plan_retention(entries, policy, now_ns, **given).removals]


def test_what_is_older_than_30_days_goes_when_the_clock_is_there_and_the_newer_stays():
    entries = [segment("old", 31), segment("new", 29)]

    assert gone(entries) == [("old", "age")]
    assert gone(entries, now_ns=NOW - 2 * NS_PER_D) == []
    assert gone(entries, now_ns=NOW + 2 * NS_PER_D) == [("old", "age"), ("new", "age")]


def test_each_class_is_kept_for_its_own_time_and_an_unknown_one_for_the_usual():
    days = (2, 4, 29, 31, 89, 91)
    entries = [segment(f"{kind}{day}", day, kind) for kind in ("", "errors", "debug", "past") for day in days]

    stay = [entry.id for entry in plan_retention(entries, POLICY, NOW).kept]

    assert sorted(stay) == sorted(
        [*(f"{kind}{day}" for kind in ("", "past") for day in (2, 4, 29)), "debug2"]
        + [f"errors{day}" for day in (2, 4, 29, 31, 89)]
    )


def test_a_record_from_the_future_ages_from_when_it_came_and_one_without_a_time_too():
    future = segment("future", -3000, came=31)
    undated = replace_times(segment("undated", 0, came=31, undated=1000))

    assert gone([future, undated]) == [("future", "age"), ("undated", "age")]
    assert gone([replace_times(segment("undated", 0, came=29, undated=1000))]) == []


def replace_times(entry):
    return Entry(
        **{name: getattr(entry, name) for name in Entry.__struct_fields__}
        | {"start_ns": NO_TIME, "end_ns": NO_TIME}
    )


def test_a_store_that_is_too_large_loses_the_oldest_of_the_class_that_is_kept_the_shortest():
    entries = [
        segment("info5", 5),
        segment("info1", 1),
        segment("debug2", 2, "debug"),
        segment("debug1", 1, "debug"),
        segment("errors80", 80, "errors"),
    ]
    policy = replace(POLICY, most_bytes=int(2.5 * GB))

    assert gone(entries, policy) == [("debug2", "size"), ("debug1", "size"), ("info5", "size")]


def test_a_full_disk_is_helped_once_and_not_again_while_the_trash_is_being_emptied():
    entries = [segment(str(day), day) for day in range(10, 0, -1)]
    policy = replace(POLICY, least_free_bytes=5 * GB)

    assert gone(entries, policy, free_bytes=3 * GB) == [("10", "free space"), ("9", "free space")]
    assert gone(entries[2:], policy, free_bytes=3 * GB, freeing_bytes=2 * GB) == []
    assert gone([segment("old", 31, size=2 * GB), *entries], policy, free_bytes=3 * GB) == [("old", "age")]
    assert gone(entries, policy, free_bytes=None) == []


def test_real_retention_is_told_until_the_time_that_was_cut_would_be_over_anyway():
    entries = [segment(str(day), day) for day in (20, 12, 11, 5)]
    policy = replace(POLICY, most_bytes=2 * GB)

    plan = plan_retention(entries, policy, NOW)

    assert [one.in_words() for one in plan.shortfalls] == [
        "default: real retention is 12 d, below the wanted 30 d"
    ]
    later = plan_retention(plan.kept, policy, NOW + NS_PER_D, cut_ns=plan.cut_ns)
    assert later.removals == ()
    assert [one.real_ns for one in later.shortfalls] == [13 * NS_PER_D]
    over = plan_retention((), policy, NOW + 18 * NS_PER_D, cut_ns=plan.cut_ns)
    assert (over.shortfalls, over.cut_ns) == ((), {})


@pytest.mark.parametrize(
    ("hold", "kept"),
    [
        (Hold(name="all"), {"a", "b", "c"}),
        (Hold(name="of a class", kinds=("errors",)), {"c"}),
        (Hold(name="of a time", time=TimeRange(NOW - 201 * NS_PER_D, NOW - 199 * NS_PER_D)), {"b", "c"}),
        (Hold(name="since", time=TimeRange(NOW - 150 * NS_PER_D, None)), {"a"}),
        (Hold(name="of a service", services=("billing",)), {"b"}),
        (Hold(name="asked", has_any=lambda entry: entry.id == "a"), {"a"}),
        (Hold(name="both", services=("billing",), has_any=lambda entry: entry.id == "a"), set()),
        (Hold(name="until", time=TimeRange(None, NOW - 300 * NS_PER_D)), set()),
    ],
)
def test_a_hold_keeps_what_it_names(hold, kept):
    entries = [segment("a", 100), segment("b", 200, services={"billing": 7}), segment("c", 200, "errors")]

    plan = plan_retention(entries, replace(POLICY, most_bytes=0, holds=(hold,)), NOW)

    assert {entry.id for entry in plan.kept} == kept
    assert plan.lacking_bytes == len(kept) * GB


def test_a_plan_as_rows_says_what_goes_now_what_is_next_and_why():
    policy = replace(
        POLICY, most_bytes=3 * GB, holds=(Hold(name="case 7", reason="they ask", kinds=("errors",)),)
    )
    entries = [
        segment("a", 40),
        segment("b", 20),
        segment("c", 10),
        segment("d", 5),
        segment("e", 95, "errors"),
    ]

    plan = plan_retention(entries, policy, NOW)

    rows = plan_rows(plan, policy, NOW)
    assert [(row["segment"], row["class"], row["goes"], row["why"]) for row in rows] == [
        ("a", "default", "now", "default is kept 30 d"),
        ("b", "default", "now", "the store may have 3 GB"),
        ("e", "errors", "held", "hold case 7"),
        ("c", "default", "in 20 d", "default is kept 30 d"),
        ("d", "default", "in 25 d", "default is kept 30 d"),
    ]
    assert len(plan_rows(plan, policy, NOW, upcoming=1)) == 3
    assert plan_in_words(plan, policy) == [
        "2 segments (2,000 records, 2 GB) to go, 3 segments (3,000 records, 3 GB) to stay.",
        "1 segment (1,000 records, 1 GB) would go, but for the hold case 7 (they ask).",
        "default: real retention is 20 d, below the wanted 30 d.",
    ]


def test_a_segment_that_stays_anyway_is_not_asked_whether_it_must():
    asked = []
    hold = Hold(name="case 7", has_any=lambda entry: bool(asked.append(entry.id)))

    plan_retention([segment("old", 31), segment("new", 5)], replace(POLICY, holds=(hold,)), NOW)

    assert asked == ["old"]


def test_limits_that_holds_make_impossible_are_told():
    policy = replace(POLICY, most_bytes=GB, holds=(Hold(name="case 7"),))
    plan = plan_retention([segment("a", 40), segment("b", 20)], policy, NOW)

    assert plan_in_words(plan, policy) == [
        "0 segments (0 records, 0 B) to go, 2 segments (2,000 records, 2 GB) to stay.",
        "2 segments (2,000 records, 2 GB) would go, but for the hold case 7.",
        "1 GB too many for the limits although all goes that may; held: case 7.",
    ]


KINDS = st.sampled_from(["", "errors", "debug", "past"])
DAYS = st.floats(-5, 120)
ENTRIES = st.lists(
    st.tuples(DAYS, KINDS, st.integers(0, 5 * GB), st.none() | DAYS, st.sampled_from([0, 0, 3])), max_size=12
).map(
    lambda rows: [
        segment(f"s{place:02}", days, kind, size, came=came, undated=undated)
        for place, (days, kind, size, came, undated) in enumerate(rows)
    ]
)
ENDS = st.none() | DAYS.map(lambda days: NOW - round(days * NS_PER_D))
HOLDS = st.builds(
    lambda kinds, start, end: Hold(name="kept", kinds=tuple(kinds), time=TimeRange(start, end)),
    st.lists(KINDS, max_size=2),
    ENDS,
    ENDS,
)
POLICIES = st.builds(
    lambda most, least, holds: replace(POLICY, most_bytes=most, least_free_bytes=least, holds=tuple(holds)),
    st.none() | st.integers(0, 40 * GB),
    st.integers(0, 20 * GB),
    st.lists(HOLDS, max_size=2),
)
FREE = st.none() | st.integers(0, 20 * GB)


@given(ENTRIES, POLICIES, FREE)
def test_each_segment_goes_or_stays_and_what_is_held_stays(entries, policy, free):
    plan = plan_retention(entries, policy, NOW, free_bytes=free)

    told = [*(one.entry.id for one in plan.removals), *(entry.id for entry in plan.kept)]
    assert sorted(told) == sorted(entry.id for entry in entries)
    for one in plan.removals:
        assert not any(hold.keeps(one.entry) for hold in policy.holds)
        assert (one.reason == "age") == (due_ns(one.entry, policy) < NOW)


@given(ENTRIES, POLICIES, FREE)
def test_limits_take_the_lowest_class_and_the_oldest_first_and_no_more_than_they_need(entries, policy, free):
    plan = plan_retention(entries, policy, NOW, free_bytes=free)

    taken = [one.entry for one in plan.removals if one.reason != "age"]
    for entry in taken:
        for kept in plan.kept:
            if not policy.is_held(kept):
                kinds = policy.retention_of(entry.kind), policy.retention_of(kept.kind)
                assert kinds[0] < kinds[1] or (kinds[0] == kinds[1] and newest_ns(entry) <= newest_ns(kept))
    size = sum(entry.size_bytes for entry in plan.kept)
    freed = sum(one.entry.size_bytes for one in plan.removals)

    def lacking(back):
        """By how much limits would not be met if so many bytes stayed."""
        over = 0 if policy.most_bytes is None else size + back - policy.most_bytes
        full = 0 if free is None else policy.least_free_bytes - (free + freed - back)
        return max(0, over, full)

    assert plan.lacking_bytes == lacking(0)
    if plan.lacking_bytes:
        assert all(policy.is_held(entry) for entry in plan.kept)
    if taken:
        assert lacking(taken[-1].size_bytes) > 0 or not taken[-1].size_bytes


@given(ENTRIES, POLICIES, FREE, st.integers(0, 400 * NS_PER_D))
def test_once_done_nothing_is_left_to_do_now_or_when_the_clock_jumps_back(entries, policy, free, back):
    plan = plan_retention(entries, policy, NOW, free_bytes=free)
    freed = sum(one.entry.size_bytes for one in plan.removals)

    for now in (NOW, NOW - back):
        again = plan_retention(
            plan.kept, policy, now, free_bytes=None if free is None else free + freed, cut_ns=plan.cut_ns
        )
        assert again.removals == ()
        assert again.kept == plan.kept or now != NOW


@given(ENTRIES, st.integers(0, 400 * NS_PER_D))
def test_an_earlier_clock_never_removes_what_a_later_one_would_not(entries, back):
    assert set(gone(entries, now_ns=NOW - back)) <= set(gone(entries))
