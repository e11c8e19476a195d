"""What is counted without reading records is what reading them tells."""

from collections import Counter

import numpy as np
import pytest

from logpith.batch import make_batch
from logpith.corpus.fields import read_fields
from logpith.corpus.rollups import count_by, count_matching, histogram, plans, rolled_fields
from logpith.corpus.select import select
from logpith.corpus.selection import Selection
from logpith.corpus.store_corpus import StoreCorpus
from logpith.query import parse
from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader
from logpith.timerange import NS_PER_MIN, NS_PER_S

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


@pytest.mark.parametrize(
    "text",
    ["*", "quota", "level>=error", "call OR done", "NOT quota", "status:103", "service:db quota", "user-46"],
)
def test_matches_are_counted_as_they_are_selected(corpus, text):
    query = parse(text, now_ns=NOW)
    chosen = select(corpus, query)

    assert count_matching(corpus, query) == len(chosen)
    services = [corpus.service_of(record) for record in chosen.tolist()]
    severities = corpus.severity[chosen].tolist()
    assert count_by(corpus, query, ["service", "severity"]) == Counter(zip(services, severities, strict=True))
    minutes, table = histogram(corpus, query)
    times = corpus.columns.time_ns[chosen]
    dated = times > 0
    assert minutes.tolist() == np.unique(times[dated] // NS_PER_MIN).tolist()
    assert table.sum() == dated.sum()


@pytest.mark.parametrize("names", [["service"], ["level"], ["source", "service"]])
def test_fields_of_all_records_weigh_what_reading_them_counts(corpus, names):
    rolled = rolled_fields(Selection(corpus), names)

    assert rolled is not None
    fields, weights = rolled
    read = read_fields(Selection(corpus), names)
    counted = Counter(zip(*([text_of(one, code) for code in one.codes] for one in read), strict=True))
    found = Counter()
    for place, weight in enumerate(weights.tolist()):
        found[tuple(text_of(one, one.codes[place]) for one in fields)] += weight
    assert found == counted


def text_of(field, code):
    return field.texts[code] if code >= 0 else ""


def test_what_templates_do_not_tell_is_not_rolled(corpus):
    assert rolled_fields(Selection(corpus), ["status"]) is None
    assert rolled_fields(Selection(corpus, np.arange(3)), ["service"]) is None


def test_a_plan_says_what_must_be_read(corpus):
    (_, *nowhere), (_, *by_template), (_, *by_value) = (
        plans(corpus, parse(text, now_ns=NOW))[0] for text in ("nowhere", "done", "user-46")
    )

    assert nowhere == [0, 0, 0]
    assert by_template[0] > 0
    assert by_template[1:] == [0, 0]
    assert by_value[1] > 0
    assert by_value[2] == 1
