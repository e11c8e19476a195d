"""JSON: GELF's own meanings, and objects printed over several lines."""

import json

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
