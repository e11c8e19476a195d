"""Spans: what is made to stand out is what matches, and nothing that the query does not want."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.query import parse
from logpith.query.spans import excerpt, find_spans


def marked(query, text):
    return [text[start:end] for start, end in find_spans(parse(query, now_ns=0), text)]


@pytest.mark.parametrize(
    ("query", "text", "spans"),
    [
        ("quota", "Quota left, quota_exceeded, QUOTA", ["Quota", "QUOTA"]),
        ("quota*", "a quota_exceeded, b", ["quota_exceeded"]),
        ('"timed out"', "it Timed Out twice: timed out", ["Timed Out", "timed out"]),
        ("/[0-9]+ ms/", "took 20 ms and 3 ms", ["20 ms", "3 ms"]),
        ("a AND NOT b", "a b", ["a"]),
        ("code:quota_exceeded", "code=quota_exceeded", ["quota_exceeded"]),
        ("call_id=CA01", '{"callId":"CA01"}', ["CA01"]),
        ("level>=warn", "warn warn", []),
        ("time OR timeout", "timeout", ["timeout"]),
        ("é", "café é", ["é"]),
        ("/é+/", "déé", ["éé"]),
        ("*", "anything", []),
    ],
)
def test_what_matches_stands_out(query, text, spans):
    assert marked(query, text) == spans


@given(st.text(max_size=60), st.sampled_from(["a", "a*", "/a+/", '"a b"', "a OR b", "x:a"]))
def test_spans_are_in_order_and_apart(text, query):
    spans = find_spans(parse(query, now_ns=0), text)

    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(text) for start, end in spans)


@given(st.text("ab ", max_size=400), st.integers(0, 399), st.integers(60, 200))
def test_an_excerpt_holds_the_span_and_is_not_longer_than_asked(text, place, width):
    span = (min(place, len(text)), min(place + 5, len(text)))

    shown = excerpt(text, span, width)

    assert len(shown) <= width
    assert text[slice(*span)] in shown
