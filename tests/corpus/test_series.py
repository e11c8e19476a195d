"""Series: what columns count is what plain Python counts."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus import series as series_module
from logpith.corpus.series import count_series, counted_from
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import NS_PER_D, NS_PER_MIN

WIDTH = 5 * NS_PER_MIN
END = 1_795_212_000 * 10**9 + 7 * NS_PER_MIN

RECORDS = st.lists(
    st.tuples(
        st.integers(-1, 2),  # template
        st.integers(0, 2),  # service
        st.one_of(st.just(None), st.integers(-20 * NS_PER_D, 3600 * 10**9)),  # time, before and after the end
        st.booleans(),
        st.integers(1, 9),
    ),
    max_size=60,
)


def counted(records, *, weighted=False):
    template, service, time, bad, count = zip(*records, strict=True) if records else ((), (), (), (), ())
    return counted_from(
        template=np.array(template, np.int32),
        service=np.array(service, np.int32),
        time_ns=np.array([NO_TIME if one is None else END + one for one in time], np.int64),
        bad=np.array(bad, np.bool_),
        services=3,
        count=np.array(count, np.int64) if weighted else None,
    )


@given(RECORDS, st.booleans())
def test_series_hold_what_a_counter_counts(records, weighted):
    series = count_series(counted(records, weighted=weighted), END)

    origin = -(-END // WIDTH) * WIDTH - 14 * NS_PER_D
    every, bad, pairs = Counter(), Counter(), Counter()
    for template, service, time, is_bad, count in records:
        if time is None or not origin <= END + time < END:
            continue
        number = count if weighted else 1
        bucket = series.bucket_at(END + time)
        every[service, bucket] += number
        bad[service, bucket] += number * is_bad
        pairs[template, service, bucket] += number
    assert {key: n for key, n in np.ndenumerate(series.every) if n} == {k: n for k, n in every.items() if n}
    assert {key: n for key, n in np.ndenumerate(series.bad) if n} == {k: n for k, n in bad.items() if n}
    totals = Counter()
    for (template, service, _), number in pairs.items():
        totals[template, service] += number
    named = list(zip(series.template.tolist(), series.service.tolist(), strict=True))
    assert sorted(named) == sorted(pair for pair, number in totals.items() if number >= 5 and pair[0] >= 0)
    for row, pair in enumerate(named):
        for bucket, number in enumerate(series.counts[row].tolist()):
            assert number == pairs[*pair, bucket]


def test_the_last_bucket_is_not_over_until_its_end():
    one = [(0, 0, -1, False, 1)]

    assert count_series(counted(one), END).whole == count_series(counted(one), END).buckets - 1
    whole = count_series(counted(one), END - END % WIDTH)
    assert whole.whole == whole.buckets


def test_of_too_many_series_those_with_most_records_stay(monkeypatch):
    monkeypatch.setattr(series_module, "MOST_SERIES", 2)
    records = [(template, 0, -1, False, 1) for template in (0, 1, 2) for _ in range(5 + template)]

    series = count_series(counted(records), END)

    assert series.template.tolist() == [1, 2]
    assert series.left_out == 1
