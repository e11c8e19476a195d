"""What was read lately is given again, within a bound that holds for all together."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logpith.store.recent import RecentColumns

NAMES = st.tuples(st.integers(0, 1), st.integers(0, 2), st.sampled_from(("template", "values")))
SIZES = st.integers(0, 12)


@given(put=st.lists(st.tuples(NAMES, SIZES)))
def test_what_is_kept_is_what_was_put_last_and_never_more_than_the_bound(put):
    recent, last = RecentColumns(most_bytes=160), {}

    for key, size in put:
        last[key] = pa.array([0] * size, pa.int64())
        recent.put(*key, last[key])

        kept = {key: found for key in last if (found := recent.get(*key)) is not None}
        assert all(kept[key] is last[key] for key in kept)
        assert sum(column.nbytes for column in kept.values()) <= 160
        assert kept.get(key) is last[key]


def test_what_was_not_asked_for_the_longest_goes_first():
    recent, column = RecentColumns(most_bytes=160), pa.array([0] * 10, pa.int64())
    recent.put(1, 0, "values", column)
    recent.put(1, 1, "values", column)
    recent.get(1, 0, "values")

    recent.put(1, 2, "values", column)

    assert recent.get(1, 0, "values") is column
    assert recent.get(1, 1, "values") is None
    assert recent.get(1, 2, "values") is column


def test_what_is_larger_than_the_bound_is_not_kept():
    recent = RecentColumns(most_bytes=7)

    recent.put(1, 0, "values", pa.array([0], pa.int64()))

    assert recent.get(1, 0, "values") is None
