import json
from collections import Counter

from logpith.batch import make_batch
from logpith.stages.sample import SampleStage


def test_one_of_each_n_is_kept_and_says_for_how_many_it_stands():
    batch = make_batch(
        [f"GET /health {at}".encode() for at in range(250)] + [b"other"], observed_ns=1, source="s"
    )

    with SampleStage(every=100, only='"/health"').open() as apply:
        outcomes = [apply(batch), apply(batch)]

    # The count goes on from batch to batch: of 500 each 100th.
    assert [outcome.kept.num_rows for outcome in outcomes] == [4, 3]
    assert sum(outcome.dropped["sampled"] for outcome in outcomes) == 495
    first = outcomes[0].kept.to_pylist()
    assert json.loads(first[0]["extra"]) == {"sample_rate": 100}
    assert first[-1]["extra"] == ""


def test_dropped_and_kept_tell_the_whole():
    batch = make_batch([b"x"] * 1000, observed_ns=1, source="s")

    with SampleStage(every=7).open() as apply:
        outcome = apply(batch)

    assert outcome.counters["sampled_kept"] == outcome.kept.num_rows == 143
    assert outcome.dropped["sampled"] + outcome.kept.num_rows == 1000


def test_records_with_one_value_stay_together_in_every_process():
    lines = [f"step={at} call_id=CA{at % 40:032x}".encode() for at in range(400)]
    stage = SampleStage(every=4, by="call_id")

    kept = [sampled(stage, lines), sampled(stage, lines[::-1])]

    assert kept[0] == kept[1]
    assert 0 < len(kept[0]) < 40
    assert all(count == 10 for count in kept[0].values())


def sampled(stage, lines):
    """How many records of each call are kept."""
    with stage.open() as apply:
        kept = apply(make_batch(lines, observed_ns=1, source="s")).kept
    return Counter(line.split(b"=")[-1] for line in kept["line"].to_pylist())
