"""JSON: GELF's own meanings, and objects printed over several lines."""

import json

import pytest

OBJECT = {
    "time": "2026-11-20T13:45:02Z",
    "level": "error",
    "msg": "bad",
    "deep": {"n": 5},
    "list": [{"a": 1}],
    "": {},
}


def test_gelf_counts_levels_as_syslog_does(read):
    one = read(
        '{"version":"1.1","host":"web","short_message":"bad","timestamp":1795182302.25,"level":3,"_user":"anna"}'
    )

    assert one.formats == {"gelf"}
    assert (one.severities, one.times) == ([17], ["2026-11-20T13:45:02.250Z"])
    assert one.found("user:anna AND _user:anna AND host:web") == [0]


def test_an_object_over_several_lines_is_one_record(read):
    text = json.dumps(OBJECT, indent=2)

    one = read(f"{text}\n{text}\nplain words\n{text}")

    assert one.formats == {"json", "plain"}
    assert one.lines == [text.count("\n") + 1] * 2 + [1, text.count("\n") + 1]
    assert one.severities == [17, 17, 0, 17]
    assert one.times[0] == "2026-11-20T13:45:02Z"
    assert one.found("deep.n:5") == [0, 1, 3]
    assert one.templates[0] == "bad"


def test_the_objects_of_an_array_are_records(read):
    one = read(json.dumps([OBJECT, OBJECT], indent=4))

    assert one.severities == [0, 17, 17]
    assert one.found("msg:bad") == [1, 2]


def test_an_object_that_never_closes_is_text(read):
    one = read('{\n  "a": 1,\nplain words\nmore')

    assert one.lines == [2, 1, 1]
    assert one.severities == [0, 0, 0]


def test_the_name_of_a_level_counts_more_than_its_number(read):
    assert read('{"message":"slow","level":300,"level_name":"WARNING"}').severities == [13]


@pytest.mark.parametrize(
    "line",
    [
        '{"msg":"x","headers":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}',
        "level=info msg=x traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "2026-11-20 13:45:02 INFO x 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 y",
        '{"msg":"x","trace.id":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"}',
    ],
)
def test_trace_and_span_are_found_by_key_and_by_shape(read, line):
    one = read(line)

    assert one.found("trace_id:0af7651916cd43dd8448eb211c80319c AND span_id:b7ad6b7169203331") == [0]


@pytest.mark.parametrize(
    ("line", "query"),
    [
        ('{"msg":"x","callSid":"CA12ef"}', "call_id:CA12ef"),
        ("level=info msg=x req.id=r-7", "request_id:r-7"),
        ("2026-11-20 13:45:02 INFO x correlation_id=c-7", "correlation_id:c-7"),
        ('api-1  | {"msg":"x","session":{"id":"s-7"}}', "session_id:s-7"),
    ],
)
def test_ids_are_found_under_any_of_their_names(read, line, query):
    assert read(line).found(query) == [0]
