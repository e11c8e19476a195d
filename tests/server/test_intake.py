import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.server.intake import JSON, MOST_ERRORS_TOLD, NDJSON, TEXT, read_records
from logpith.server.replies import Wrong

NOW = 1_800_000_000_000_000_000


def lines_of(brought, **more):
    given_ = {"service": "", "source": "http", "observed_ns": NOW, **more}
    return [line for batch in brought.batches(**given_) for line in batch["line"].to_pylist()]


def test_each_line_of_ndjson_is_a_record_and_a_bad_one_leaves_its_neighbours():
    body = b'{"msg":"a"}\n\nno json\n{"msg":"b"}\n7\n{}\n{"msg":"c"'

    brought = read_records(body, NDJSON[0])

    assert lines_of(brought) == [b'{"msg":"a"}', b'{"msg":"b"}']
    assert [(wrong.index, wrong.message) for wrong in brought.wrong] == [
        (1, "it is no JSON object"),
        (3, "it is no JSON object"),
        (4, "it is empty"),
        (5, "it is no valid JSON"),
    ]
    assert brought.rejected == 4


def test_an_array_holds_objects_and_texts():
    body = b'[{"msg": "a",\n "n": 1}, "ERROR plain", 7, null]'

    brought = read_records(body, JSON)

    assert lines_of(brought) == [b'{"msg":"a","n":1}', b"ERROR plain"]
    assert [wrong.index for wrong in brought.wrong] == [2, 3]


def times_of(body, kind):
    batches = read_records(body, kind).batches(service="", source="http", observed_ns=NOW)
    return [time for batch in batches for time in batch["timestamp"].to_pylist()]


def test_records_that_tell_no_time_happened_when_they_came():
    assert times_of(b'{"msg":"a"}\n{"msg":"b"}', NDJSON[0]) == [NOW, NOW]
    assert times_of(b"plain\nlines\n", TEXT) == [NOW, NOW]


def test_where_some_tell_a_time_nothing_is_known_of_the_others():
    at = '{"time":"2026-11-20T10:00:00Z","msg":"b"}'

    assert times_of(f'{{"msg":"a"}}\n{at}'.encode(), NDJSON[0]) == [None, 1_795_168_800_000_000_000]


def test_a_broken_array_has_no_records():
    with pytest.raises(Wrong) as wrong:
        read_records(b'[{"a":1}, ', JSON)

    assert (wrong.value.status, wrong.value.code) == (400, "bad_json")


def test_a_traceback_in_a_text_is_one_record():
    trace = b"Traceback (most recent call last):\n  File x\nKeyError: 1\n"
    body = b"2026-11-20 10:00:00 ERROR a\n" + trace + b"2026-11-20 10:00:01 INFO b\n"

    assert [line.count(b"\n") for line in lines_of(read_records(body, TEXT))] == [3, 0]


def test_what_the_text_says_is_read_and_what_it_does_not_say_is_given():
    body = b'{"time":"2026-11-20T10:00:00Z","level":"error","service":"auth","msg":"a"}\n{"msg":"b"}'

    (batch,) = read_records(body, JSON).batches(service="gateway", source="drain", observed_ns=NOW)

    assert batch["service"].to_pylist() == ["auth", "gateway"]
    assert batch["severity_number"].to_pylist() == [17, 0]
    assert batch["timestamp"].to_pylist() == [1_795_168_800_000_000_000, None]
    assert set(batch["source"].to_pylist()) == {"drain"}
    assert set(batch["observed_timestamp"].to_pylist()) == {NOW}


def test_deep_nesting_is_one_bad_record():
    deep = b'{"a":' * 200 + b"1" + b"}" * 200
    wide = json.dumps({str(number): [] for number in range(500)}).encode()
    quoted = json.dumps({"a": "{" * 500}).encode()

    brought = read_records(b"\n".join([deep, wide, quoted, b'{"a":' * 100_000]), NDJSON[0])

    assert [wrong.index for wrong in brought.wrong] == [0, 3]
    assert len(lines_of(brought)) == 2


def test_many_bad_records_are_counted_and_the_first_are_told():
    brought = read_records(b"x\n" * 1_000, NDJSON[0])

    assert (brought.rejected, len(brought.wrong)) == (1_000, MOST_ERRORS_TOLD)


def test_other_types_and_binary_are_refused():
    for body, kind, status in ((b"<x/>", "application/xml", 415), (b"a\0b", TEXT, 400)):
        with pytest.raises(Wrong) as wrong:
            read_records(body, kind)
        assert wrong.value.status == status


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text(), min_size=1), max_size=20))
def test_objects_come_through_unchanged(objects):
    body = "\n".join(json.dumps(one) for one in objects).encode()

    assert [json.loads(line) for line in lines_of(read_records(body, NDJSON[0]))] == objects


@given(st.binary(max_size=300), st.sampled_from([*NDJSON, JSON, TEXT, ""]))
def test_no_body_breaks_it(body, kind):
    with contextlib.suppress(Wrong):
        lines_of(read_records(body, kind))
