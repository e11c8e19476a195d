"""The last records of each service in memory: the right ones, each once, and no more than there is room for."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import make_batch
from logpith.corpus import newest
from logpith.corpus.newest import MOST_LINE_BYTES, MOST_OF_EACH, Newest
from logpith.corpus.records import join_tables
from logpith.corpus.stored import source_of_segment
from logpith.store.rows import rows_of, table_of
from logpith.store.segment import Segment
from logpith.store.segment_writer import build_segment
from stores import DAY_NS, NOW_NS

DAY = DAY_NS // (24 * 3600 * 10**9)


def batch_of(records):
    """A batch of (service, second, text) records; a second that is None is no time."""
    return make_batch(
        [text for _, _, text in records],
        observed_ns=NOW_NS,
        source="app",
        timestamps=[None if second is None else DAY_NS + second * 10**9 for _, second, _ in records],
        services=[service for service, _, _ in records],
    )


def rows(batch):
    times = (None if time is None else (time - DAY_NS) // 10**9 for time in batch["timestamp"].to_pylist())
    return list(zip(batch["service"].to_pylist(), times, batch["line"].to_pylist(), strict=True))


def corpus_of(*batches, **more):
    """The corpus of a store with a segment for each batch."""
    built = [
        build_segment(rows_of(table_of([one])), f"s{n}", DAY, NOW_NS, level=1)
        for n, one in enumerate(batches)
    ]
    return join_tables([source_of_segment(Segment.of(one)) for one in built], **more)


def many(service, first, last):
    return [(service, second, b"%s %d" % (service.encode(), second)) for second in range(first, last)]


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", ""]),
        st.integers(0, 30),
        st.binary(max_size=3).map(lambda b: b.hex().encode()),
    ),
    max_size=40,
)


@given(st.lists(RECORDS, max_size=6), st.integers(1, 9), st.integers(1, 50))
def test_it_holds_of_each_service_what_a_plain_list_would(parts, most, folded):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newest, "MOST_OF_EACH", most)
        patch.setattr(newest, "_FOLDED_RECORDS", folded)
        held = Newest()
        for part in parts:
            held.take(batch_of(part))
        found = rows(held.batch())

    for service in ("a", "b", ""):
        taken = [record for part in parts for record in part if record[0] == service]
        own = [record for record in found if record[0] == service]
        assert [second for _, second, _ in own] == sorted(second for _, second, _ in taken)[-most:]
        assert not Counter(own) - Counter(taken)


def test_what_has_no_time_counts_by_when_it_came():
    held = Newest()
    held.take(batch_of([*many("a", 0, MOST_OF_EACH), ("a", None, b"last")]))

    assert rows(held.batch())[-1] == ("a", None, b"last")
    assert len(rows(held.batch())) == MOST_OF_EACH


def test_what_the_store_held_before_is_remembered_and_nothing_of_it_twice():
    held = Newest()
    held.take(batch_of(many("a", 60, 90)))

    held.remember(corpus_of(batch_of(many("a", 0, 40)), batch_of(many("a", 40, 80) + many("b", 0, 5))))

    assert sorted(rows(held.batch())) == sorted(many("a", 0, 90) + many("b", 0, 5))


def test_of_a_large_store_only_the_newest_segments_are_looked_at(monkeypatch):
    monkeypatch.setattr(newest, "_LOOKED_AT", 10)
    held = Newest()

    held.remember(corpus_of(batch_of(many("a", 20, 40)), batch_of(many("b", 0, 10))))

    assert {service for service, _, _ in rows(held.batch())} == {"a"}


def test_a_corpus_that_lacks_some_is_given_that_and_nothing_twice():
    held = Newest()
    held.take(batch_of(many("a", 0, 50) + many("b", 0, 3)))
    whole = corpus_of(batch_of(many("a", 0, 50)), batch_of(many("b", 0, 3)))
    lacking = corpus_of(batch_of(many("a", 0, 30)), skipped=("s1 is damaged",))

    mended = held.beside(lacking, NOW_NS)

    texts = Counter(mended.texts(range(len(mended))))
    assert texts == Counter(whole.texts(range(len(whole))))
    assert mended.skipped == ("s1 is damaged", "of what is lacking the last 23 records are here, from memory")
    assert held.beside(whole, NOW_NS) is whole


def test_what_is_older_than_all_that_was_looked_at_is_taken_for_known(monkeypatch):
    monkeypatch.setattr(newest, "_LOOKED_AT", 10)
    held = Newest()
    held.take(batch_of(many("old", 0, 5) + many("a", 20, 42)))
    lacking = corpus_of(batch_of(many("old", 0, 5)), batch_of(many("a", 20, 40)))

    mended = held.beside(lacking, NOW_NS)

    assert Counter(mended.texts(range(len(mended)))) == Counter(
        text for _, _, text in many("old", 0, 5) + many("a", 20, 42)
    )


def test_as_a_corpus_it_says_what_it_is():
    held = Newest()
    held.take(batch_of(many("a", 0, 3)))

    corpus = held.corpus("the disk is gone", NOW_NS)

    assert corpus.texts(range(3)) == [b"a 0", b"a 1", b"a 2"]
    assert corpus.skipped == (
        "the disk is gone; these are the last 100 records of each service, from memory",
    )
    assert len(Newest().corpus("the disk is gone", NOW_NS)) == 0


def test_long_lines_and_many_services_find_an_end(monkeypatch):
    monkeypatch.setattr(newest, "MOST_BYTES", 40 * MOST_LINE_BYTES)
    held = Newest()
    for number in range(100):
        held.take(batch_of([(f"s{number}", 1, b"x" * 10 * MOST_LINE_BYTES)]))

    found = rows(held.batch())

    assert {len(line) for _, _, line in found} == {MOST_LINE_BYTES}
    assert 30 <= len(found) < 40
    assert found[-1][0] == "s99"
