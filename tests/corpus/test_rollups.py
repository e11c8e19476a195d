"""What is counted without reading records is what reading them tells."""

from collections import Counter

import numpy as np
import pytest

from logpith.batch import make_batch
from logpith.corpus import rollups
from logpith.corpus.fields import read_fields
from logpith.corpus.rollups import plans, roll
from logpith.corpus.select import ALWAYS, select
from logpith.corpus.selection import Selection
from logpith.corpus.store_corpus import StoreCorpus
from logpith.query import parse
from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader
from logpith.timerange import NS_PER_MIN, NS_PER_S, TimeRange

NOW = 1_790_000_000 * NS_PER_S
TEXTS = (
    b"call %d failed",
    b"quota 12 of user-%d exceeded",
    b"done",
    b'{"status": %d, "msg": "x"}',
    b"a-%d quota",
)


@pytest.fixture
def corpus(tmp_path):
    count = 400
    lines = [
        TEXTS[number % 5] % number if b"%d" in TEXTS[number % 5] else TEXTS[number % 5]
        for number in range(count)
    ]
    batch = make_batch(
        lines,
        observed_ns=NOW,
        source="app",
        timestamps=[None if number % 11 == 0 else NOW + number * 7 * NS_PER_S for number in range(count)],
        severities=[(9, 17, 0)[number % 3] for number in range(count)],
        services=[("api", "", "db")[number % 7 % 3] for number in range(count)],
    )
    with open_store(tmp_path / "store", limits=StoreLimits(segment_records=150)) as store:
        store.add([batch.slice(0, 300)], newest_ns=NOW)
        store.append(batch.slice(300))
        yield StoreCorpus(StoreReader(tmp_path / "store", store=store)).open(NOW)


def counted(fields, weights):
    """How many records have which values, None for none."""
    found = Counter()
    for place, weight in enumerate(weights.tolist()):
        found[tuple(text_of(one, one.codes[place]) for one in fields)] += weight
    return found


def text_of(field, code):
    return field.texts[code] if code >= 0 else None


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["service"],
        ["level"],
        ["template"],
        ["source", "service"],
        ["time:1m"],
        ["time:5m", "level"],
        ["service", "time:1h", "template"],
    ],
)
@pytest.mark.parametrize(
    "text", ["*", "done", "level>=error", "source:app level:info", "NOT done", "source:app"]
)
def test_fields_of_records_weigh_what_reading_them_counts(corpus, text, names):
    query = parse(text, now_ns=NOW)
    selection = Selection(corpus, select(corpus, query))

    rolled = roll(corpus, query, names)

    assert rolled is not None
    assert len(rolled) == len(selection)
    read = read_fields(selection, names)
    assert counted(rolled.fields, rolled.weights) == counted(read, np.ones(len(selection), np.int64))


def test_so_many_cells_that_a_table_would_be_large_are_counted_without_one(corpus, monkeypatch):
    monkeypatch.setattr(rollups, "_MOST_CELLS", 10)

    rolled = roll(corpus, parse("*", now_ns=NOW), ["time:1m", "level"])

    read = read_fields(Selection(corpus), ["time:1m", "level"])
    assert counted(rolled.fields, rolled.weights) == counted(read, np.ones(len(corpus), np.int64))


def test_slices_of_time_are_as_wide_as_those_of_records(corpus):
    wide = roll(corpus, parse("*", now_ns=NOW), ["time"])

    assert wide is not None
    assert list(wide.fields[0].texts) == list(read_fields(Selection(corpus), ["time"])[0].texts)


@pytest.mark.parametrize(
    ("text", "names", "period"),
    [
        ("*", ["status"], ALWAYS),
        ("*", ["time:30s"], ALWAYS),
        ("*", ["time:90s"], ALWAYS),
        ("user-46", ["service"], ALWAYS),
        ("done", ["time"], ALWAYS),
        ("*", ["service"], TimeRange(NOW + NS_PER_MIN, None)),
    ],
)
def test_what_templates_and_minutes_do_not_tell_is_not_rolled(corpus, text, names, period):
    assert roll(corpus, parse(text, now_ns=NOW), names, period) is None


def test_a_plan_says_what_must_be_read(corpus):
    (_, *nowhere), (_, *by_template), (_, *by_value) = (
        plans(corpus, parse(text, now_ns=NOW))[0] for text in ("nowhere", "done", "user-46")
    )

    assert nowhere == [0, 0, 0]
    assert by_template[0] > 0
    assert by_template[1:] == [0, 0]
    assert by_value[1] > 0
    assert by_value[2] == 1
