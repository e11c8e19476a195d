"""Grok: every piece is an expression that RE2 reads, and matches what its name says."""

import pytest
import re2

from logpith.formats.grok import PATTERNS, written_out


@pytest.mark.parametrize("name", PATTERNS)
def test_every_piece_is_read_by_re2(name):
    pattern, _ = written_out(f"%{{{name}}}", {})

    re2.compile(pattern)


@pytest.mark.parametrize(
    ("name", "text", "fits"),
    [
        ("IP", "10.0.0.7", True),
        ("IP", "fe80::1", True),
        ("IPV4", "256.1.1.1", False),
        ("LOGLEVEL", "Warning", True),
        ("LOGLEVEL", "fine", False),
        ("TIMESTAMP_ISO8601", "2026-11-20T13:45:02.5+01:00", True),
        ("HTTPDATE", "20/Nov/2026:13:45:02 +0000", True),
        ("SYSLOGTIMESTAMP", "Nov  5 13:45:02", True),
        ("UUID", "0b7e2f3a-1111-2222-3333-444455556666", True),
        ("URI", "https://user@x.org:80/a?b=c", True),
        ("NUMBER", "-1.5e3", True),
        ("QS", r'"a \"b\""', True),
        (
            "COMBINEDAPACHELOG",
            '1.2.3.4 - - [20/Nov/2026:13:45:02 +0000] "GET / HTTP/1.1" 200 5 "-" "x y"',
            True,
        ),
    ],
)
def test_a_piece_matches_what_its_name_says(name, text, fits):
    pattern, _ = written_out(f"%{{{name}}}", {})

    assert bool(re2.fullmatch(pattern, text)) == fits


def test_a_field_may_have_any_name():
    pattern, fields = written_out("%{IP:source.ip} %{INT:size:int}", {})

    match = re2.fullmatch(pattern, "10.0.0.7 12")
    assert {fields[group]: match.group(group) for group in fields} == {"source.ip": "10.0.0.7", "size": "12"}
