"""Classes of retention: each record is of one, that of the first query that it matches."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import SCHEMA, make_batch
from logpith.query import matcher, parse
from logpith.query.of_batch import BatchView
from logpith.store.classes import classify_by
from logpith_emit.errors import BadQuery

CLASSES = (("audit", "service:billing"), ("errors", "level>=error"), ("debug", "level<=debug"))


def table_of(records):
    """An Arrow table of (service, severity, text)."""
    service, severity, text = zip(*records, strict=True) if records else ((), (), ())
    batch = make_batch(
        [one.encode() for one in text], observed_ns=0, source="s", severities=severity, services=service
    )
    return pa.Table.from_batches([batch], schema=SCHEMA)


def texts_of(classified):
    return {kind: [line.decode() for line in table["line"].to_pylist()] for kind, table in classified.items()}


def test_records_go_to_the_first_class_that_they_match_and_else_to_the_default():
    records = [
        ("billing", 17, "refused"),
        ("api", 17, "failed"),
        ("api", 21, "dead"),
        ("api", 9, "served"),
        ("", 5, "looked"),
        ("", 0, "unknown"),
    ]

    assert texts_of(classify_by(CLASSES)(table_of(records))) == {
        "audit": ["refused"],
        "errors": ["failed", "dead"],
        "debug": ["looked"],
        "": ["served", "unknown"],
    }


def test_a_query_may_ask_for_words_and_fields_too():
    classes = (("health", "GET AND path:/healthz"), ("tenant", "tenant:7"), ("word", "ping"))
    records = [
        ("api", 9, '{"msg": "GET", "path": "/healthz"}'),
        ("api", 9, '{"msg": "GET", "path": "/calls", "tenant": 7}'),
        ("api", 9, "PING from 10.0.0.1"),
        ("api", 9, "other"),
    ]

    assert {
        kind: len(lines) for kind, lines in texts_of(classify_by(classes)(table_of(records))).items()
    } == {
        "health": 1,
        "tenant": 1,
        "word": 1,
        "": 1,
    }


def test_no_records_are_of_no_class_and_a_wrong_query_is_refused_at_once():
    assert classify_by(CLASSES)(table_of([])) == {}
    with pytest.raises(BadQuery):
        classify_by([("broken", "level>=error AND (")])


QUERIES = st.sampled_from(
    [
        "level>=error",
        "level<=debug",
        "NOT level:info",
        "service:api",
        "service=billing OR level:fatal",
        "service:b* AND NOT level>=warn",
        "service:*",
        "severity:[warn TO error]",
        "*",
        "served",
        "level:warn AND served",
    ]
)
RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["", "api", "billing", "api-2"]),
        st.integers(0, 24),
        st.sampled_from(["served", "refused"]),
    ),
    max_size=30,
)


@given(RECORDS, st.lists(QUERIES, max_size=4))
def test_the_class_of_each_record_is_what_asking_each_query_of_it_says(records, queries):
    classes = [(f"{place}", query) for place, query in enumerate(queries)]
    table = table_of(
        [(service, severity, f"{text} {n}") for n, (service, severity, text) in enumerate(records)]
    )

    classified = texts_of(classify_by(classes)(table))

    expected = {}
    matchers = [(name, matcher(parse(query))) for name, query in classes]
    for row in table.to_pylist():
        kind = next((name for name, matches in matchers if matches(BatchView(row))), "")
        expected.setdefault(kind, []).append(row["line"].decode())
    assert classified == expected
