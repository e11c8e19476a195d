"""Of a batch a query chooses in bulk what it chooses one by one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import make_batch
from logpith.query import matches
from logpith.query.of_batch import BatchView, field_values, fill_column, has_field, which_match
from logpith_emit.errors import BadArgument, BadQuery
from logpith_emit.severity import ERROR
from strategies import queries

LINES = (
    b'{"level": "error", "user": "ann", "n": 5, "deep": {"er": "x"}}',
    b"level=warn user=bob n=7 quota exceeded",
    b"plain error text, /health",
    b'{"log":"inner user=eve\\n","stream":"stderr","time":"2026-11-20T12:00:00Z"}',
    b"Nov 20 12:00:00 db-7 sshd[1]: Accepted password for root",
    b"\xff\xfe \x00",
    b"",
)
BATCH = make_batch(
    LINES,
    observed_ns=10**18,
    source="app",
    timestamps=[10**18, None, 3, 4, 5, 6, None],
    severities=[17, 13, 0, 9, 9, 0, 24],
    services=["api", "", "web", "", "", "x", ""],
    extras=[{}, {"team": "voice"}, {"user": "dan", "host.name": "web-1"}, {}, {}, {}, {"trace_id": "ab12"}],
)


def chosen(query):
    return which_match(query)(BATCH).tolist()


@given(query=queries())
def test_a_query_chooses_what_it_matches_one_by_one(query):
    views = [BatchView(row) for row in BATCH.to_pylist()]

    assert chosen(str(query)) == [matches(query, view) for view in views]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", range(7)),
        ("level>=error", (0, 6)),
        ("error", (0, 2)),
        ("user:bob OR user:dan", (1, 2)),
        ("team:voice", (1,)),
        ("host:web-1", (2,)),
        ("trace_id:ab12", (6,)),
        ("service:sshd", (4,)),
        ("source:app NOT level:info", (0, 1, 2, 5, 6)),
        ("source:other", ()),
        ("timestamp>=2001-01-01", (0,)),
        ("n>=6", (1,)),
        ("deep.er:x", (0,)),
    ],
)
def test_it_looks_at_columns_texts_and_what_was_added(query, places):
    assert [at for at, is_met in enumerate(chosen(query)) if is_met] == list(places)


def test_what_is_no_query_or_moves_with_the_clock_is_refused():
    with pytest.raises(BadQuery):
        which_match("level>=")
    with pytest.raises(BadArgument, match="moves with the clock"):
        which_match("timestamp>now-2h")


def test_the_values_of_a_field_are_found_in_every_format():
    everywhere = which_match("")(BATCH)

    assert field_values(BATCH, "user", everywhere) == {0: "ann", 1: "bob", 2: "dan", 3: "eve"}
    assert field_values(BATCH, "n", everywhere) == {0: 5, 1: "7"}
    assert field_values(BATCH, "hostname", everywhere) == {2: "web-1", 4: "db-7"}
    assert field_values(BATCH, "user", which_match("level>=error")(BATCH)) == {0: "ann"}


@given(
    st.sampled_from(("user", "n", "host.name", "service", "message", "deep.er", "team", "trace_id", "stream"))
)
def test_a_field_is_there_where_it_has_a_value(name):
    everywhere = which_match("")(BATCH)

    assert [at for at, has in enumerate(has_field(BATCH, name, everywhere)) if has] == list(
        field_values(BATCH, name, everywhere)
    )


def test_a_batch_of_which_a_slice_was_taken_gives_the_same():
    assert which_match("quota")(BATCH.slice(1, 2)).tolist() == [True, False]
    assert field_values(BATCH.slice(2), "user", which_match("")(BATCH.slice(2))) == {0: "dan", 1: "eve"}


def test_a_column_is_filled_by_what_can_be_read_and_by_nothing_else():
    filled = fill_column(BATCH, "level", {2: "ERROR", 5: "purple"})
    filled = fill_column(filled, "time", {1: "Nov 20 13:45:02", 6: "later"})
    filled = fill_column(filled, "colour", {0: "red"})

    assert filled["severity_number"].to_pylist() == [17, 13, ERROR, 9, 9, 0, 24]
    assert filled["timestamp"][1].as_py() < 10**18
    assert filled["timestamp"][6].as_py() is None
    assert json.loads(filled["extra"][1].as_py()) == {"team": "voice"}


def test_what_a_text_says_itself_counts_before_what_was_added():
    batch = make_batch(
        [b"user=ann", b"nobody"], observed_ns=1, source="s", extras=[{"user": "bob"}, {"user": "bob"}]
    )

    assert field_values(batch, "user", which_match("")(batch)) == {0: "ann", 1: "bob"}
    assert which_match("user:ann")(batch).tolist() == [True, False]
