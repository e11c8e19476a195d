"""Fields: the quick way finds exactly what parsing each record finds."""

import io
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.fields import read_fields, slice_width_ns, time_slices, value_in
from logpith.corpus.reading import CorpusReader
from logpith.corpus.selection import Selection, select_records
from logpith.corpus.view import fields_in
from logpith.files import text as text_module
from logpith.files.text import TextStream
from logpith_emit.errors import BadArgument

NAMES = (
    "a",
    "b",
    "a.b",
    "user_id",
    "request_id",
    "http.status",
    "x-y",
    "message",
    "host",
    "@tr",
    "é",
    "fqdn",
    "pid",
)
KEYS = st.sampled_from(
    [*NAMES, "A", "userId", "user.id", "reqId", "REQUEST_ID", "@a", "@m", "b'", "usr", "xy", "msg"]
)
SCALARS = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(["", "x", "x y", 'q"q', "back\\slash", "é", "k=v", "{", "tab\there", "\u2028", "1"]),
    st.sampled_from([None, True, False, 1.5, 1e30, -0.0]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)
JSON_LINES = st.tuples(
    st.dictionaries(KEYS, VALUES, max_size=5), st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")])
).map(lambda drawn: json.dumps(drawn[0], ensure_ascii=drawn[1], separators=drawn[2]))
PAIRS = st.tuples(
    KEYS | st.sampled_from(["k" * 70, "päth", "3a"]),
    st.sampled_from(["=", ":", "= "]),
    st.sampled_from(
        ["", "1", "x", '"q w"', '"k=v b=1"', '"unclosed', '"es\\"c"', "(b=2", "[a=1]", "é", "v\u00a0b=3"]
    ),
    st.sampled_from([" ", ",", ";", "\t", " (", "\u2003", "\u00a0", "é", '"', "—"]),
).map("".join)
PLAIN_LINES = st.lists(PAIRS | st.sampled_from(["words ", "b", "="]), max_size=5).map("".join)
BROKEN = st.sampled_from(
    [
        '{"a": 1',
        '{"a":1,"a":2}',
        '{"a":1,"a":null}',
        '{"a":{"b":1},"a.b":2}',
        '{"a":1} b=2',
        "{a=1}",
    ]
)
HEADERS = (
    "<38>Nov 19 00:28:51 db sshd[7]: ",
    "Nov 19 00:28:51 - cron: ",
    "<34>1 2026-11-20T13:45:02Z db api 7 - - ",
    '<34>1 2026-11-20T13:45:02Z db api 7 ID1 [a b="1" host="x"] ',
    '<34>1 2026-11-20T13:45:02Z - api - - [x@1 b="2"] ',
)
HEADED_LINES = st.tuples(st.sampled_from(HEADERS), JSON_LINES | PLAIN_LINES).map("".join)
LINES = st.lists(JSON_LINES | PLAIN_LINES | HEADED_LINES | BROKEN, max_size=12)


def corpus_of(text):
    return CorpusReader().read([TextStream.drain(io.BytesIO(text.encode()), "app.log", 10**18)])


def values_of(field):
    return [field.texts[code] if code >= 0 else "" for code in field.codes.tolist()]


@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
@given(lines=LINES, names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_a_field_is_what_parsing_each_record_says(block_bytes, lines, names):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block_bytes)
        corpus = corpus_of("\n".join(lines))
        texts = [text.decode("utf-8", "surrogateescape") for text in corpus.texts(range(len(corpus)))]

        fields = read_fields(Selection(corpus), names)

    for name, field in zip(names, fields, strict=True):
        assert values_of(field) == [value_in(fields_in(text), name) for text in texts]
        assert len(set(field.texts)) == len(field.texts)


def test_only_the_selected_records_have_values():
    corpus = corpus_of("".join(f'{{"level":"{"info" if i % 3 else "error"}","n":{i}}}\n' for i in range(30)))

    (field,) = read_fields(select_records(corpus, "level:error", "", "", 0), ["n"])

    assert values_of(field) == [str(i) for i in range(0, 30, 3)]


def test_one_name_finds_the_other_spellings_of_its_column():
    text = '{"callId":"CA1"}\n{"call_sid":"CA2"}\ncall_id=CA3 done\n{"call_id":"CA4","callSid":"no"}\n{"other":1}\n'

    (field,) = read_fields(Selection(corpus_of(text)), ["call_id"])

    assert values_of(field) == ["CA1", "CA2", "CA3", "CA4", ""]


def test_a_syslog_header_says_host_and_process():
    text = (
        "<38>Nov 19 00:28:51 db sshd[7]: gone\nNov 19 00:28:52 web cron: a=1\nNov 19 00:28:53 db su: done\n"
    )

    host, fqdn, process = read_fields(Selection(corpus_of(text)), ["host", "fqdn", "pid"])

    assert values_of(host) == values_of(fqdn) == ["db", "web", "db"]
    assert values_of(process) == ["7", "", ""]


def test_columns_need_no_text():
    text = "2026-11-20 13:45:02 WARN app: slow\n2026-11-20 13:51:02 ERROR app: gone\nno time here\n"
    corpus = corpus_of(text)

    severity, source, time = read_fields(Selection(corpus), ["log_level", "source", "time:5m"])

    assert Counter(values_of(severity)[:2]) == {"warn": 1, "error": 1}
    assert set(values_of(source)) == {"app.log"}
    assert values_of(time)[:2] == ["2026-11-20T13:45:00Z", "2026-11-20T13:50:00Z"]


def test_a_width_that_is_none_is_told():
    with pytest.raises(BadArgument, match="time slice"):
        read_fields(Selection(corpus_of("a\n")), ["time:often"])


@given(st.lists(st.integers(0, 10**18), min_size=1, max_size=20), st.integers(2, 50))
def test_slices_are_at_most_as_many_as_asked(times, most):
    start, end = min(times), max(times)

    width = slice_width_ns(end - start, most)

    assert end // width - start // width + 1 <= most


def test_slices_hold_the_times_that_begin_in_them():
    corpus = corpus_of("".join(f"2026-11-20 13:{i:02d}:30 INFO app: tick {i}\n" for i in range(60)))
    selection = Selection(corpus)

    codes, starts = time_slices(selection, 600 * 10**9)

    assert np.bincount(codes).tolist() == [10] * 6
    for code, time in zip(codes.tolist(), selection.time_ns.tolist(), strict=True):
        assert starts[code] <= time < starts[code] + 600 * 10**9
