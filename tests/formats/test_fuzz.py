"""Any text is read: random bytes, and lines of all formats cut, spliced and doubled, never raise and lose no line."""

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith.corpus.reading import CorpusReader
from logpith.corpus.view import CorpusRecordView
from logpith.files.text import TextStream
from logpith.formats.own import read_formats
from logpith.scan.timestamps import NO_TIME

CRI = "2026-11-20T13:45:02.123456789Z"
JSON = {"time": CRI, "level": "error", "msg": 'bad "x" \u00e9\n', "error": {"code": "gone"}, "service": "db"}
OWN = read_formats(
    "[[format]]\nname='own'\ngrok='@%{NUMBER:time} %{LOGLEVEL:level} %{WORD:service} %{GREEDYDATA:message}'",
    "test",
)
LINES = [
    line.encode()
    for line in (
        '10.0.0.7 - anna [20/Nov/2026:13:45:02 +0000] "GET /a?b=1 HTTP/1.1" 502 15 "-" "Mozilla" 0.1',
        'x.org 10.0.0.7 - - [20/Nov/2026:13:45:02 +0000] "\\"" 404 -',
        'ts=2026-11-20T13:45:02Z level=warn msg="slow \\"q\\"" err=gone service=db',
        f"{CRI} stderr F 2026-11-20 13:45:02,5 ERROR app.db: gone",
        f"{CRI} stdout P {json.dumps(JSON)[:40]}",
        f"{CRI} stdout F {json.dumps(JSON)[40:]}",
        json.dumps({"log": json.dumps(JSON) + "\n", "stream": "stderr", "time": CRI}),
        json.dumps({"log": "Traceback (most recent call last):\n", "stream": "stderr", "time": CRI}),
        json.dumps({"log": "\u00e9\ud800\\ud\\u12", "stream": "stderr", "time": CRI}),
        json.dumps(JSON),
        *json.dumps(JSON, indent=2).split("\n"),
        *json.dumps([JSON], indent=2).split("\n"),
        "api-1  | level=error msg=bad",
        "0|api  | Nov 20 13:45:02 web su[1]: x",
        "13:45:02 web.1  | [error] x",
        "E1120 13:45:02.123456    7 server.go:9] ready",
        '{"version":"1.1","short_message":"A","timestamp":1705315800.5,"level":3,"_user":"x"}',
        '<34>1 2026-11-20T13:45:02Z host su - ID47 [a k="v\\"]x"] \ufeffready',
        'Nov 20 13:45:02 host api[1]: {"level":"error","msg":"x"}',
        "#Fields: date time c-ip cs-method sc-status",
        "2026-11-20 13:45:02 10.0.0.7 GET 502",
        "type=CWD msg=audit(1705315800.250:7): cwd",
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in <module>',
        "ValueError: bad",
        "panic: runtime error",
        "goroutine 1 [running]:",
        "main.main()",
        "thread 'main' panicked at src/main.rs:3:5:",
        "java.io.IOException: gone",
        "\tat a.b.C(C.java:1)",
        "@1705315800 warn tts used up",
        "",
        "\r",
        "{",
        "}",
        "[",
    )
]

CONTROLS = {127, *range(32)} - set(b"\t\n\r\x1b")

spoilt = st.tuples(
    st.sampled_from(LINES), st.integers(0, 120), st.sampled_from(LINES), st.integers(0, 120)
).map(lambda parts: parts[0][: parts[1]] + parts[2][parts[3] :])
texts = st.lists(
    st.sampled_from(LINES) | spoilt | st.binary(max_size=40) | st.just(b'"' * 3 + b"\\"), max_size=40
).map(b"\n".join)


def check(text):
    # What looks packed or binary is refused before it is read.
    text = b"words\n" + text.translate(bytes(120 if byte in CONTROLS else byte for byte in range(256)))
    corpus = CorpusReader(own=OWN).read(
        [TextStream.drain(io.BytesIO(text), "app.log", 1_795_200_000 * 10**9)]
    )

    whole = text if text.endswith(b"\n") or not text else text + b"\n"
    assert int(corpus.columns.lines.sum()) == whole.count(b"\n")
    starts = corpus.columns.start.tolist()
    ends = [a + b for a, b in zip(starts, corpus.columns.length.tolist(), strict=True)]
    place = 0
    for start, end, lines in zip(starts, ends, corpus.columns.lines.tolist(), strict=True):
        assert start == place
        assert place <= end <= len(whole)
        for _ in range(lines):
            place = whole.index(b"\n", place) + 1
        assert whole[end : place - 1].strip(b"\r") == b""
    assert place == len(whole)
    assert (corpus.severity <= 24).all()
    assert len(corpus.templates.templates) <= len(corpus)
    for record, raw in enumerate(corpus.texts(range(len(corpus)))):
        view = CorpusRecordView(corpus, record, raw)
        view.attribute("n")
        time = view.column("timestamp")
        assert time is None or time > NO_TIME


@given(texts)
def test_any_text_is_read_line_by_line(text):
    check(text)


@given(texts, st.lists(st.sampled_from(LINES), min_size=1, max_size=2))
def test_the_same_behind_lines_of_one_format(text, lines):
    check(b"\n".join([*lines * 20, text]))


@pytest.mark.fuzz
@settings(max_examples=20_000, suppress_health_check=list(HealthCheck), derandomize=False)
@given(texts, st.lists(st.sampled_from(LINES), max_size=2))
def test_any_text_is_read_for_minutes(text, lines):
    check(b"\n".join([*lines * 20, text]))
