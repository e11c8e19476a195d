"""A record as a query sees it: columns first, then what its text tells."""

import io

from logpith.corpus.reading import CorpusReader
from logpith.corpus.view import CorpusRecordView, fields_in
from logpith.files.text import TextStream


def view(line):
    corpus = CorpusReader().read([TextStream.drain(io.BytesIO(line.encode()), "app.log", 10**18)])
    return CorpusRecordView(corpus, 0, corpus.texts([0])[0])


def test_columns_come_from_the_corpus():
    one = view("2026-11-20T13:45:02Z ERROR db.pool: no connection left")

    assert one.column("timestamp") == 1_795_182_302 * 10**9
    assert one.column("severity_number") == 17
    assert one.column("service") == "db.pool"
    assert one.column("source") == "app.log"
    assert view("no time").column("timestamp") is None


def test_attributes_come_from_json_or_from_pairs():
    one = view('{"msg":"x","http":{"status":402},"callId":"CA1","ok":true}')
    assert one.attribute("http.status") == 402
    assert one.attribute("ok") is True

    other = view('took=12 user="anna meyer" path=/a/b')
    assert (other.attribute("took"), other.attribute("user")) == ("12", "anna meyer")
    assert other.attribute("nothing") is None


def test_broken_json_and_odd_bytes_are_text():
    assert fields_in('{"a": ') == {"message": '{"a": '}
    assert view('{"a": ').attribute("a") is None
    assert "\udcff" in CorpusRecordView(view("x")._corpus, 0, b"\xff").text
