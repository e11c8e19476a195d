"""Records: an oracle in plain Python says what the kernel must find."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.formats.recognise import Recognised
from logpith.scan.records import JSON, LAYOUT, PADDING, PLAIN, Records, read_records
from logpith.scan.timestamps import NO_TIME


def read(text: bytes, *, whole_lines: bool = False) -> Records:
    if not text.endswith(b"\n"):
        text += b"\n"
    buf = np.frombuffer(text + b"\0" * PADDING, np.uint8)
    recognised = Recognised(newest_ns=1_795_000_000 * 10**9, whole_lines=whole_lines)
    return read_records(buf, 0, len(text), recognised.look_at(buf, 0, len(text)))


def texts(text: bytes, records: Records) -> list[bytes]:
    return [text[a:b] for a, b in zip(records.start.tolist(), records.end.tolist(), strict=True)]


hostile = st.binary(max_size=400) | st.text(max_size=200).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
line_like = st.lists(
    st.sampled_from(
        [
            b"2026-11-20 13:45:02 INFO ready",
            b"2026-99-20 13:45:02 INFO impossible",
            b'{"time":"2026-11-20T13:45:02Z","level":"error","msg":"x"}',
            b'{"broken": ',
            b"Traceback (most recent call last):",
            b'  File "a.py", line 1, in <module>',
            b"ValueError: bad",
            b"\tat a.b.C(C.java:1)",
            b"Caused by: java.io.IOException",
            b"Nov 20 13:45:02 host sshd[1]: hello",
            b"",
            b"\r",
            b"plain text",
            b"\x00\xff\xfe",
        ]
    ),
    max_size=40,
).map(b"\n".join)


@given(hostile | line_like)
def test_whole_lines_are_the_lines_of_the_text(text):
    records = read(text, whole_lines=True)

    lines = (text if text.endswith(b"\n") else text + b"\n").split(b"\n")[:-1]
    assert texts(text, records) == [line.rstrip(b"\r") for line in lines]


@given(hostile | line_like)
def test_every_line_is_in_exactly_one_record_and_no_byte_is_lost(text):
    records = read(text)

    lines = (text if text.endswith(b"\n") else text + b"\n").split(b"\n")[:-1]
    assert int(records.lines.sum()) == len(lines)
    place = 0
    for record, count in zip(texts(text, records), records.lines.tolist(), strict=True):
        joined = b"\n".join(lines[place : place + count])
        assert record == joined.rstrip(b"\r")
        place += count


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["time", "level", "msg", "service", "n", "deep", "error"]),
            st.none()
            | st.booleans()
            | st.integers()
            | st.text(max_size=20)
            | st.lists(st.text(max_size=5), max_size=3)
            | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_json_object_is_recognised_and_its_message_found(objects):
    text = "".join(json.dumps(value) + "\n" for value in objects).encode()

    records = read(text)

    assert records.kind.tolist() == [JSON] * len(objects)
    for place, value in enumerate(objects):
        body = text[records.body_start[place] : records.body_end[place]]
        message = value.get("msg")
        if isinstance(message, str) and message:
            assert json.loads(b'"' + body + b'"') == message


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1',
        b'{"a"}',
        b"{a:1}",
        b'{"a":1}x',
        b'{"a":"b',
        b'{"a":[1}',
        b"{",
        b'{"a":1}{"b":2}',
        b'{"a" 1}',
    ],
)
def test_what_is_no_json_object_is_plain_text_kept_whole(line):
    records = read(line)

    assert records.kind.tolist() == [PLAIN]
    assert texts(line, records) == [line]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ('"error"', 17),
        ('"WARNING"', 13),
        ('"Info"', 9),
        ("10", 1),
        ("20", 5),
        ("30", 9),
        ("40", 13),
        ("50", 17),
        ("60", 21),
        ("300", 0),
        ("5000", 1),
        ("10000", 5),
        ("20000", 9),
        ("30000", 13),
        ("40000", 17),
        ("50000", 21),
        ("60000", 0),
        ('"40"', 13),
        ("3", 17),
        ("7", 5),
        ('"odd"', 0),
        ("null", 0),
    ],
)
def test_a_json_level_in_any_spelling_is_a_severity(value, number):
    records = read(f'{{"level":{value},"msg":"x"}}'.encode())

    assert records.severity.tolist() == [number]


def test_a_trace_belongs_to_the_record_before_it():
    text = (
        b"2026-11-20 13:45:02,1 ERROR app failed\n"
        b"java.lang.IllegalStateException: bad\n"
        b"\tat a.B.c(B.java:1)\n"
        b"Caused by: java.io.IOException: gone\n"
        b"\t... 12 more\n"
        b"2026-11-20 13:45:03,1 INFO app ok\n"
    )

    records = read(text)

    assert records.lines.tolist() == [5, 1]
    assert records.kind.tolist() == [LAYOUT, LAYOUT]


def test_a_python_traceback_behind_a_json_line_ends_with_its_exception():
    text = (
        b'{"level":"error","msg":"failed"}\n'
        b"Traceback (most recent call last):\n"
        b'  File "a.py", line 1, in <module>\n'
        b"    raise ValueError\n"
        b"ValueError: bad\n"
        b"Server started\n"
        b'{"level":"info","msg":"ok"}\n'
    )

    records = read(text)

    assert records.lines.tolist() == [5, 1, 1]
    assert records.time_ns.tolist() == [NO_TIME] * 3


def test_a_line_with_an_impossible_date_is_a_record_of_its_own():
    records = read(b"2026-11-20 13:45:02 a\n2026-11-31 13:45:02 b\n2026-11-20 13:45:03 c\n" * 3)

    assert records.lines.tolist() == [1] * 9
    assert (records.time_ns == NO_TIME).tolist() == [False, True, False] * 3


def test_a_million_undated_lines_do_not_become_one_record():
    text = b"2026-11-20 13:45:02 first\n" * 900 + b"detail\n" * 5000

    records = read(text)

    assert int(records.lines.max()) <= 1000
    assert int(records.lines.sum()) == 5900


def test_the_error_beside_a_json_message_makes_another_shape():
    records = read(
        b'{"msg":"call failed","code":"timeout"}\n'
        b'{"msg":"call failed","code":"quota_exceeded"}\n'
        b'{"msg":"call failed","code":"timeout"}\n'
    )

    assert records.shape[0] == records.shape[2] != records.shape[1]


def test_services_are_told_apart():
    text = (
        b"Nov 20 13:45:02 host sshd[1]: a\nNov 20 13:45:02 host cron[1]: b\nNov 20 13:45:02 host sshd[2]: c\n"
    )

    records = read(text)

    assert records.services == (b"sshd", b"cron")
    assert records.service.tolist() == [1, 2, 1]


def test_a_block_without_its_last_newline_is_refused():
    buf = np.frombuffer(b"no newline" + b"\0" * PADDING, np.uint8)
    reading = Recognised(newest_ns=0, whole_lines=True).look_at(buf, 0, 10)

    with pytest.raises(ValueError, match="newline"):
        read_records(buf, 0, 10, reading)
