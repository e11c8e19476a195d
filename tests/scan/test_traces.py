"""Traces that stand alone: one record each, with a severity, mined by the line that says what went wrong."""

import numpy as np
import pytest

from logpith.formats.recognise import Recognised
from logpith.scan.records import PADDING, read_records

PYTHON = [
    "Traceback (most recent call last):",
    '  File "a.py", line 1, in <module>',
    "ValueError: bad",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    "Traceback (most recent call last):",
    '  File "b.py", line 2, in f',
    "KeyError: 'x'",
]
GO = [
    "panic: runtime error: index out of range",
    "",
    "goroutine 1 [running]:",
    "main.main()",
    "\t/app/main.go:12 +0x1b",
    "",
    "goroutine 18 [select, 2 minutes]:",
    "net/http.(*Server).Serve(0xc000, {0x1, 0x2})",
    "\t/usr/net.go:1",
    "created by main.start",
    "exit status 2",
]
RUST = [
    "thread 'main' panicked at src/main.rs:3:5:",
    "index out of bounds",
    "stack backtrace:",
    "   0: rust_begin_unwind",
    "             at /rustc/x.rs:1:1",
    "note: run with `RUST_BACKTRACE=1`",
]
JAVA = [
    'Exception in thread "main" java.lang.IllegalStateException: bad',
    "\tat a.b.C.main(C.java:5)",
    "Caused by: java.io.IOException: gone",
    "\t... 3 more",
]
NODE = ["TypeError: x is not a function", "    at f (/app/x.js:1:2)", "    at node:internal/main:1:1"]

NODE_CRASH = [
    "/app/x.js:12",
    "setTimeout(() => x())",
    "                 ^",
    "",
    "Error: x is gone",
    "    at f (/app/x.js:1:2)",
    "    at node:internal/main:1:1",
    "",
    "Node.js v20.20.2",
]
NEW_RUST = ["thread 'main' (4711) panicked at src/main.rs:3:5:", *RUST[1:]]


def read(lines):
    data = ("\n".join(lines) + "\n").encode()
    buf = np.frombuffer(data + b"\0" * PADDING, np.uint8)
    recognised = Recognised(newest_ns=1_795_200_000 * 10**9)
    records = read_records(buf, 0, len(data), recognised.look_at(buf, 0, len(data)))
    bodies = [data[a:b].decode() for a, b in zip(records.body_start, records.body_end, strict=True)]
    return records.lines.tolist(), records.severity.tolist(), bodies


@pytest.mark.parametrize(
    ("trace", "body"),
    [
        (PYTHON, PYTHON[8]),
        (GO, GO[0]),
        (RUST, RUST[1]),
        (NEW_RUST, RUST[1]),
        (JAVA, JAVA[0]),
        (NODE, NODE[0]),
        (NODE_CRASH, NODE_CRASH[4]),
    ],
    ids=["python", "go", "rust", "new rust", "java", "node", "node's end"],
)
def test_a_trace_that_stands_alone_is_one_record_that_failed(trace, body):
    lines, severities, bodies = read(["one", "two", *trace, "three", *trace, "four"])

    assert lines == [1, 1, len(trace), 1, len(trace), 1]
    assert severities == [0, 0, 17, 0, 17, 0]
    assert bodies[2] == bodies[4] == body


@pytest.mark.parametrize("trace", [PYTHON, JAVA[1:], NODE], ids=["python", "java", "node"])
def test_behind_a_dated_line_a_trace_belongs_to_it(trace):
    dated = "2026-11-20 13:45:02 ERROR app: failed"

    lines, severities, _ = read([dated, *trace] * 3 + [dated] * 9)

    assert lines == [1 + len(trace)] * 3 + [1] * 9
    assert set(severities) == {17}


@pytest.mark.parametrize("trace", [GO, RUST, JAVA, NODE_CRASH], ids=["go", "rust", "java", "node"])
def test_a_crash_of_the_program_is_a_record_of_its_own_even_there(trace):
    dated = "2026-11-20 13:45:02 INFO app: fine"

    lines, severities, _ = read([dated] * 9 + trace + [dated])

    assert lines == [1] * 9 + [len(trace), 1]
    assert severities == [9] * 9 + [17, 9]


@pytest.mark.parametrize(
    "line",
    [
        "panic at the disco",
        "goroutine 5 leaked",
        "thread 'x' is fine",
        "Exceptional: yes",
        "note: x",
        "/app/x.js:12",
    ],
)
def test_words_alone_begin_no_trace(line):
    assert read(["one", line, "two"])[:2] == ([1, 1, 1], [0, 0, 0])
