"""Selecting: the quick ways find exactly what the reference meaning finds."""

import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.reading import CorpusReader
from logpith.corpus.select import hosts_in_headers, read_query, select
from logpith.corpus.view import CorpusRecordView
from logpith.files import text as text_module
from logpith.files.text import TextStream
from logpith.formats.fields import fields_in
from logpith.query import Regex, Substring, matches, parse
from logpith_emit.errors import BadQuery
from logpith_emit.record import record_from_mapping

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
    "<38>Nov 19 00:28:51 node-17 sshd[1003]: Received disconnect from 10.3.123.2: 11: Bye Bye [preauth]",
    "Nov 19 00:28:50 db sshd[1001]: user=anna hostname=node-17 Received disconnect",
    '<38>Nov 19 00:28:50 db api: {"host":"node-17","fqdn":"db.example"}',
    "2026-11-20T13:45:02Z node-17 cron: done",
    "2026-11-20T13:45:02Z stdout F node-17: done",
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
    "host:node-17",
    "host=db",
    "host!=db",
    "fqdn:db",
    "hostname:node-17",
    "NOT host:node*",
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


HEADED_LINES = st.tuples(
    st.sampled_from(["", "", "<38>", "<1234>", "1 "]),
    st.sampled_from(
        [
            "Nov 19 00:28:51",
            "Nov  9 2026 00:28:51",
            "Nov 19",
            "2026-11-20T13:45:02Z",
            "2026-11-20Té",
            "Nov\u00a019 00:28:51",
        ]
    ),
    st.sampled_from([" "] * 3 + ["  ", "\u3000", " | "]),
    st.sampled_from(["node-17", "db", "-", "stdout", "größer", "x\u00a0y", "00:28:51", "\x1b[1mdb", "2026"]),
    st.sampled_from([" sshd[7]:", " sshd:", " F:", " F", " ap\u00a0p:", " a[b c]:", " a[b]c:", " - - -"]),
    st.sampled_from(
        ["", " done", " a=1 hostname=x", ' {"host":"x"}', " größer", "\nFoo: node", "\x1b[0m", " a = b"]
    ),
).map("".join)


@given(st.lists(HEADED_LINES, min_size=1, max_size=20))
def test_a_host_that_is_read_off_a_header_is_the_one_that_its_reader_says(lines):
    texts = [line.encode() for line in lines]
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    starts = ends - [len(text) for text in texts]

    places, hosts = hosts_in_headers(np.frombuffer(b"\n".join(texts) + b"\n", np.uint8), starts, ends)

    told = {line: hosts[place] for line, place in zip(lines, places.tolist(), strict=True) if place >= 0}
    assert told == {line: record_from_mapping(fields_in(line)).host for line in told}
    plain = {
        line for line in lines if re.fullmatch(r"(<38>)?Nov 19 00:28:51 [dn][\w-]* sshd\[7\]: done", line)
    }
    assert plain <= told.keys()


def test_a_bare_span_counts_back_from_the_last_record():
    corpus = corpus_of([f"2026-11-20 13:{minute:02d}:00 tick" for minute in range(60)])

    query = read_query(corpus, "timestamp>=10m", now_ns=0).query

    assert select(corpus, query).tolist() == list(range(49, 60))


def test_a_query_that_cannot_be_read_tells_the_place():
    with pytest.raises(BadQuery) as told:
        read_query(corpus_of(["a"]), "(a OR ", now_ns=0)

    assert told.value.remedy
