import pytest

from logpith.batch import make_batch
from logpith.stages.dedupe import DedupeStage
from logpith.timerange import NS_PER_S
from logpith_emit.errors import BadArgument


def kept(stage, *records):
    """The numbers of the records (text, service, second) that stay."""
    lines, services, seconds = zip(*records, strict=True)
    times = [None if second is None else second * NS_PER_S for second in seconds]
    batch = make_batch(lines, observed_ns=0, source="s", services=services, timestamps=times)
    with stage.open() as apply:
        outcome = apply(batch)
    assert outcome.kept.num_rows + outcome.dropped.get("repeated", 0) == len(records)
    return [row["timestamp"] and row["timestamp"] // NS_PER_S for row in outcome.kept.to_pylist()]


def test_a_text_within_the_window_is_left_out_and_behind_it_is_not():
    same = (b"disk full", "db")

    assert kept(DedupeStage(window="10s"), (*same, 0), (*same, 9), (*same, 10), (*same, 12)) == [0, 10]


def test_another_service_or_another_text_is_not_the_same():
    assert kept(DedupeStage(), (b"a", "x", 0), (b"a", "y", 1), (b"b", "x", 2)) == [0, 1, 2]


def test_texts_that_differ_in_numbers_are_the_same_when_wanted():
    records = ((b"12:00:01 took 5 ms", "x", 1), (b"12:00:02 took 17 ms", "x", 2))

    assert kept(DedupeStage(), *records) == [1, 2]
    assert kept(DedupeStage(ignore_digits=True), *records) == [1]


def test_an_earlier_record_that_comes_late_is_no_repetition():
    assert kept(DedupeStage(), (b"a", "x", 100), (b"a", "x", 5)) == [100, 5]


def test_undated_records_go_by_when_they_were_observed():
    assert kept(DedupeStage(), (b"a", "x", None), (b"a", "x", None)) == [None]


def test_a_window_that_is_none_is_refused():
    with pytest.raises(BadArgument, match="no span of time"):
        DedupeStage(window="soon")
