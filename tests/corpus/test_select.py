"""Selecting: the quick ways find exactly what the reference meaning finds."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.reading import CorpusReader
from logpith.corpus.select import read_query, select
from logpith.corpus.view import CorpusRecordView
from logpith.files import text as text_module
from logpith.files.text import TextStream
from logpith.query import Regex, Substring, matches, parse
from logpith_emit.errors import BadQuery

LINES = [
    "2026-11-20 13:45:02,123 INFO app user=anna took=12 ms",
    "2026-11-20 13:46:02,123 ERROR app request failed: connection-refused by 10.0.0.1",
    "Traceback (most recent call last):",
    "ValueError: quota exceeded",
    '{"time":"2026-11-20T13:47:04Z","level":"warn","msg":"slow \\"query\\" on caf\\u00e9","ms":250,"service":"db"}',
    '{"time":"2026-11-20T13:48:04Z","level":"error","msg":"QUOTA_EXCEEDED","http":{"status":402}}',
    "plain words only, quota and all",
    "größer als erlaubt",
    "",
]
QUERIES = [
    "quota",
    "QUOTA",
    "quota_exceeded",
    '"connection-refused"',
    "refused AND NOT info",
    "level>=warn",
    "level:error OR ms:[200 TO *]",
    "http.status=402",
    "took:12",
    "user:anna",
    "service:db",
    "café",
    "größer",
    '"slow \\"query\\""',
    "quo*",
    "/[0-9]+ ms/",
    "/^plain/",
    "/words$/",
    "/quota exceeded$/",
    "timestamp>=2026-11-20T13:46:00Z",
    "source:app.log",
    "NOT quota",
    "msg:*",
    "*",
    "(quota OR refused) level>=error",
]


def corpus_of(lines):
    text = "\n".join(lines).encode()
    return CorpusReader().read([TextStream.drain(io.BytesIO(text), "app.log", 10**18)])


@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
@given(lines=st.lists(st.sampled_from(LINES), max_size=30), query=st.sampled_from(QUERIES))
def test_select_finds_what_the_meaning_of_the_query_says(block_bytes, lines, query):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block_bytes)
        corpus = corpus_of(lines)
        tree = parse(query, now_ns=0)
        texts = corpus.texts(range(len(corpus)))

        expected = [
            record
            for record, text in enumerate(texts)
            if matches(tree, CorpusRecordView(corpus, record, text))
        ]
        assert select(corpus, tree).tolist() == expected


@given(
    lines=st.lists(st.text("abAB01 .é\\", max_size=12), max_size=20),
    needle=st.text("abAB01 .é\\", min_size=1, max_size=3),
    ignore_case=st.booleans(),
)
def test_a_literal_is_found_exactly_where_a_naive_scan_finds_it(lines, needle, ignore_case):
    corpus = corpus_of(lines)
    texts = [text.decode() for text in corpus.texts(range(len(corpus)))]

    found = select(corpus, Substring(needle, ignore_case=ignore_case)).tolist()

    if ignore_case:
        assert found == [i for i, text in enumerate(texts) if needle.lower() in text.lower()]
    else:
        assert found == [i for i, text in enumerate(texts) if needle in text]


@given(
    lines=st.lists(st.text("ab01 .", max_size=12), max_size=20),
    pattern=st.sampled_from(["a+b", "[01]+", "^a", "b$", "a.b", "(a|b)0", "\\d\\s", "[^a]b", "a\\sb"]),
)
def test_a_regex_is_found_exactly_where_a_naive_scan_finds_it(lines, pattern):
    corpus = corpus_of(lines)
    texts = [text.decode() for text in corpus.texts(range(len(corpus)))]

    found = select(corpus, Regex(pattern)).tolist()

    assert found == [i for i, text in enumerate(texts) if re.search(pattern, text)]


def test_a_bare_span_counts_back_from_the_last_record():
    corpus = corpus_of([f"2026-11-20 13:{minute:02d}:00 tick" for minute in range(60)])

    query = read_query(corpus, "timestamp>=10m", now_ns=0).query

    assert select(corpus, query).tolist() == list(range(49, 60))


def test_a_query_that_cannot_be_read_tells_the_place():
    with pytest.raises(BadQuery) as told:
        read_query(corpus_of(["a"]), "(a OR ", now_ns=0)

    assert told.value.remedy
