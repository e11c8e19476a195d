"""Lines of logs for property tests: what services write, and what nobody should."""

import json

from hypothesis import strategies as st

WORDS = st.sampled_from(
    (
        "error",
        "quota",
        "Quota_exceeded",
        "connection-refused",
        "10.0.0.1",
        "10.0.0.1:8080",
        "200",
        "007",
        "-1",
        "+12.50",
        "1e9",
        "0x1f",
        "blk_-160",
        "a/b",
        "/var/log/app.log",
        "https://example.org/a?b=c#d",
        "user@example.org",
        "de:ad:be:ef:00:01",
        "12ms",
        "true",
        "größer",
        "\u212aelvin",
        "日本語",
        "\\nquota",
        "caf\\u00e9",
        '\\"',
        "WARN",
        "a",
        "b",
        "",
    )
)
TIMES = st.sampled_from(
    (
        "2026-11-20T13:45:02Z",
        "2026-11-20T13:45:02.123Z",
        "2026-11-20T13:45:02.123456789Z",
        "2026-11-20T13:45:02",
        "2026-11-20T13:45:02.100",
        "2026-11-20",
        "13:45:02",
        "13:45:02.123",
        "2026-11-20 13:45:02,123",
        "2026-11-20T13:45:02+01:00",
        "20/Nov/2026:13:45:02 +0000",
        "Nov 20 13:45:02",
        "2026-11-20T13:45:60Z",
        "0000-00-00T00:00:00Z",
    )
)
KEYS = st.sampled_from(
    ("user", "ms", "status", "level", "msg", "http.status", "http", "a", "ratio", "id", "service")
)
NUMBERS = st.sampled_from(("0", "7", "007", "12", "-3", "1.50", "250", "99999999999999999999", "1e3", "0.1"))
SEPARATORS = st.sampled_from(
    (" ", "  ", "=", ":", ",", ", ", '"', "[", "]", "(", ")", "\t", ";", "|", "'", "/")
)

_pieces = st.one_of(WORDS, NUMBERS, TIMES, SEPARATORS, SEPARATORS, st.text(max_size=3))
plain = st.lists(_pieces, max_size=10).map(lambda some: "".join(some).encode("utf-8", "surrogatepass"))
spaced = st.lists(st.one_of(WORDS, NUMBERS, TIMES), max_size=8).map(lambda some: " ".join(some).encode())
logfmt = st.lists(st.tuples(KEYS, WORDS | NUMBERS | TIMES), max_size=6).map(
    lambda pairs: " ".join(
        f'{key}="{value}"' if " " in value else f"{key}={value}" for key, value in pairs
    ).encode()
)
_values = st.one_of(
    WORDS,
    TIMES,
    st.integers(-1000, 100_000),
    st.floats(allow_nan=False, width=32),
    st.booleans(),
    st.none(),
    NUMBERS,
)
_trees = st.dictionaries(
    KEYS, _values | st.lists(_values, max_size=3) | st.dictionaries(KEYS, _values, max_size=3), max_size=6
)
json_lines = st.builds(
    lambda tree, ascii, tight: json.dumps(
        tree, ensure_ascii=ascii, separators=(",", ":") if tight else None
    ).encode(),
    _trees,
    st.booleans(),
    st.booleans(),
)
_marks = st.binary(max_size=20) | st.text("\x10\x11\x12\x13@A ab1", max_size=12).map(str.encode)
_long = st.tuples(
    plain, st.sampled_from((b"x", b"a1 ", b"k=7 ", b"\x11")), st.sampled_from((300, 5_000, 20_000))
).map(lambda parts: parts[0] + parts[1] * (parts[2] // len(parts[1])))
_several = st.lists(plain | json_lines, min_size=2, max_size=4).map(b"\n".join)


def log_lines(*, one_line=False):
    """The text of a record: mostly what services write; with `one_line` without line ends inside."""
    lines = st.one_of(plain, spaced, logfmt, json_lines, spaced, logfmt, json_lines, _marks, _several, _long)
    return lines.map(lambda line: line.replace(b"\n", b" ").replace(b"\r", b" ")) if one_line else lines
