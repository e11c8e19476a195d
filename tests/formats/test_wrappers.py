"""Wrapped lines: the line inside is read as it would be alone; pieces and traces are put together."""

import json

import pytest

from logpith.formats.wrappers import unwrap

CRI = "2026-11-20T13:45:02.123456789Z"
INNER = [
    ("2026-11-20 13:45:02,5 ERROR app.db: no connection left", 17, "no connection left"),
    ('{"level":"error","msg":"no \\"connection\\" left","n":5}', 17, 'no "connection" left'),
    ('level=error msg="no connection left" n=5', 17, "no connection left"),
    ('10.0.0.7 - - [20/Nov/2026:13:45:02 +0000] "GET / HTTP/1.1" 502 5', 17, '"GET <*> HTTP/<*>" 502'),
    ("E1120 13:45:02.123456    7 server.go:9] no connection left", 17, "no connection left"),
    ("5 plain words", 0, "<*> plain words"),
]
WRAP = {
    "CRI": lambda line: f"{CRI} stderr F {line}",
    "docker json": lambda line: json.dumps({"log": f"{line}\n", "stream": "stderr", "time": CRI}),
    "compose": lambda line: f"api-1  | {line}",
    "pm2": lambda line: f"0|api-1  | {line}",
    "foreman": lambda line: f"13:45:02 api-1  | {line}",
}


@pytest.mark.parametrize("wrapper", WRAP)
@pytest.mark.parametrize(("line", "severity", "template"), INNER)
def test_the_line_inside_is_read_as_it_would_be_alone(read, wrapper, line, severity, template):
    one = read("\n".join([WRAP[wrapper](line)] * 3))

    assert one.formats == {wrapper if wrapper in ("CRI", "docker json") else "process manager"}
    assert one.severities == [severity] * 3
    assert one.templates == [template] * 3
    if wrapper in ("compose", "pm2", "foreman"):
        assert one.services == ["api-1"] * 3
        assert one.found("service:api-1") == [0, 1, 2]
    if wrapper in ("CRI", "docker json"):
        assert one.times == [CRI] * 3
        assert one.found("stream:stderr") == [0, 1, 2]
    if "n" in line and ("n=5" in line or '"n":5' in line):
        assert one.found("n:5") == [0, 1, 2]


def test_pieces_of_a_cut_line_are_one_record_and_its_fields_are_whole(read):
    line = json.dumps({"level": "error", "msg": "long", "pad": "x" * 40, "n": 5})
    cut = [f"{CRI} stdout P {line[:30]}", f"{CRI} stdout P {line[30:50]}", f"{CRI} stdout F {line[50:]}"]
    text = "\n".join([cut[0], f"{CRI} stderr F other", *cut, f"{CRI} stdout F next"])

    one = read(text)

    assert one.lines == [1, 1, 3, 1]
    assert one.severities == [17, 0, 17, 0]
    assert one.found("n:5") == [2]


@pytest.mark.parametrize("wrapper", WRAP)
def test_a_trace_is_one_record_through_its_wrapper(read, wrapper):
    trace = [
        "starting",
        "Traceback (most recent call last):",
        '  File "a.py", line 1',
        "ValueError: bad",
        "next",
    ]

    one = read("\n".join(map(WRAP[wrapper], trace)))

    assert one.lines == [1, 3, 1]
    assert one.severities == [0, 17, 0]
    assert one.templates[1] == "ValueError: bad"


def test_lines_of_two_programs_are_never_joined(read):
    one = read("api-1  | panic: boom\nweb-1  |   indented\napi-1  | goroutine 1 [running]:\n")

    assert one.lines == [1, 1, 1]


@pytest.mark.parametrize("line", ["id | name", "error | x | y", " api | x", "api| x", "2026 | x", "{}", ""])
def test_other_text_is_not_wrapped(line):
    assert unwrap(line) is None or line.startswith(("id", "error"))


def test_a_few_bars_do_not_make_a_process_manager(read):
    assert read("\n".join(["name | value", *["some plain words"] * 9])).formats == {"plain"}
