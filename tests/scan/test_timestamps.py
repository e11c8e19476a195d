"""Timestamps: each layout in use, told by an independent calendar."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.formats.recognise import Recognised, all_layouts
from logpith.scan.records import PADDING, read_records
from logpith.scan.timestamps import NO_TIME

NEWEST = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def ns(moment: datetime) -> int:
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 10**9 + delta.microseconds * 1_000


def read_time(line: str, newest: datetime = NEWEST) -> tuple[int, str]:
    """The time of a line that is the only one of its file, and the name of the layout that told it."""
    data = line.encode() + b"\n"
    buf = np.frombuffer(data + b"\0" * PADDING, np.uint8)
    recognised = Recognised(newest_ns=ns(newest))
    records = read_records(buf, 0, len(data), recognised.look_at(buf, 0, len(data)))
    return int(records.time_ns[0]), recognised.format_of(int(records.kind[0]))[1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2024-01-15T10:30:00Z ready", "2024-01-15T10:30:00+00:00"),
        ("2024-01-15 10:30:00 ready", "2024-01-15T10:30:00+00:00"),
        ("2024-01-15 10:30:00,123 INFO ready", "2024-01-15T10:30:00.123+00:00"),
        ("2024-01-15 10:30:00.123456+02:00 ready", "2024-01-15T08:30:00.123456+00:00"),
        ("2024-01-15T10:30:00-0530 ready", "2024-01-15T16:00:00+00:00"),
        ("[2024-01-15 10:30:00.5 UTC] ready", "2024-01-15T10:30:00.5+00:00"),
        ("[15/Jan/2024:10:30:00 +0000] ready", "2024-01-15T10:30:00+00:00"),
        ('10.0.0.1 - - [15/Jan/2024:10:30:00 +0100] "GET / HTTP/1.1" 200 5', "2024-01-15T09:30:00+00:00"),
        ("Nov 15 10:30:00 host sshd[12]: ready", "2026-11-15T10:30:00+00:00"),
        ("Nov  5 10:30:00 host sshd[12]: ready", "2026-11-05T10:30:00+00:00"),
        ("Dec 31 23:59:59 host sshd[12]: of last year", "2025-12-31T23:59:59+00:00"),
        ("1705315800000 ready", "2024-01-15T10:50:00+00:00"),
        ("1705315800 ready", "2024-01-15T10:50:00+00:00"),
        ("1705315800.25 ready", "2024-01-15T10:50:00.25+00:00"),
        ("081109 203518 148 INFO x: ready", "2008-11-09T20:35:18+00:00"),
        ("17/06/09 20:10:40 INFO x: ready", "2017-06-09T20:10:40+00:00"),
        ("[Sun Dec 04 04:47:44 2005] [notice] ready", "2005-12-04T04:47:44+00:00"),
        ("2026/11/20 13:45:02 [error] 7#7: ready", "2026-11-20T13:45:02+00:00"),
        ("20-Nov-2026 13:45:02.123 INFO [main] ready", "2026-11-20T13:45:02.123+00:00"),
        ("1:M 20 Nov 2026 13:45:02.123 * ready", "2026-11-20T13:45:02.123+00:00"),
        ("11-20 13:45:02.123  1234  1234 E Tag: ready", "2026-11-20T13:45:02.123+00:00"),
        ("E1120 13:45:02.123456    7 server.go:9] ready", "2026-11-20T13:45:02.123456+00:00"),
        ("13:45:02.5 ready", "2026-11-20T13:45:02.5+00:00"),
        ("11/20/2026 1:45:02 PM ready", "2026-11-20T13:45:02+00:00"),
        ("20.11.2026 13:45:02 ready", "2026-11-20T13:45:02+00:00"),
        ("<34>1 2003-10-11T22:14:15.003Z host su - ID47 - ready", "2003-10-11T22:14:15.003+00:00"),
        ("<34>Oct 11 22:14:15 host su: ready", "2026-10-11T22:14:15+00:00"),
        ("INFO 2026-11-20 13:45:02 ready", "2026-11-20T13:45:02+00:00"),
        ('{"time":"2026-11-20T13:45:02Z","msg":"ready"}', "2026-11-20T13:45:02+00:00"),
        ('{"ts":1705315800.5,"msg":"ready"}', "2024-01-15T10:50:00.5+00:00"),
        ("2024-01-15 10:30:00.123456 ready", "2024-01-15T10:30:00.123456+00:00"),
        ("2024-01-15 10:30:00,123456 ready", "2024-01-15T10:30:00.123456+00:00"),
        ("[2024-01-15 10:30:00,123] 5 ready", "2024-01-15T10:30:00.123+00:00"),
        ("2024-01-15 10:30:00.123 +0200 ready", "2024-01-15T08:30:00.123+00:00"),
        ("20240115T103000Z ready", "2024-01-15T10:30:00+00:00"),
        ("20240115-10:30:00:123 ready", "2024-01-15T10:30:00.123+00:00"),
        ("[11.15 10:30:00.5] ready", "2026-11-15T10:30:00.5+00:00"),
        ("11-15 10:30:00,5 ready", "2026-11-15T10:30:00.5+00:00"),
        ("Nov 15 2024 10:30:00 host sshd[12]: 5 ready", "2024-11-15T10:30:00+00:00"),
        ("Nov 15 10:30:00.123456 host sshd[12]: ready", "2026-11-15T10:30:00.123456+00:00"),
        (
            '<34>1 2003-10-11T22:14:15.003-07:00 host su - ID47 [a b="c"] 5 ready',
            "2003-10-12T05:14:15.003+00:00",
        ),
        ("2026-11-20T13:45:02.123456+0100 host su[1]: ready", "2026-11-20T12:45:02.123456+00:00"),
        ("2026-11-20T13:45:02.123456Z stderr F 5 ready", "2026-11-20T13:45:02.123456+00:00"),
        (
            '{"log":"ready\\n","stream":"stderr","time":"2026-11-20T13:45:02.123456Z"}',
            "2026-11-20T13:45:02.123456+00:00",
        ),
        ("13:45:02 web.1  | ready", "2026-11-20T13:45:02+00:00"),
        ("api-1  | 2026-11-20 13:45:02 ready", "2026-11-20T13:45:02+00:00"),
        ("0|api  | 2026-11-20 13:45:02 ready", "2026-11-20T13:45:02+00:00"),
        ('ts=2026-11-20T13:45:02.5Z level=info msg="a b"', "2026-11-20T13:45:02.5+00:00"),
        ('level=info msg="a b" time="2026-11-20 13:45:02"', "2026-11-20T13:45:02+00:00"),
        ('{"short_message":"a","timestamp":1705315800.25,"level":6}', "2024-01-15T10:50:00.25+00:00"),
        ("type=CWD msg=audit(1705315800.250:7): cwd", "2024-01-15T10:50:00.25+00:00"),
        ("I20261120 13:45:02.5 7 a.cc:9] ready", "2026-11-20T13:45:02.5+00:00"),
        ('{"time":1705315800123,"msg":"ready"}', "2024-01-15T10:50:00.123+00:00"),
    ],
)
def test_a_line_tells_its_moment_in_utc(line, expected):
    assert read_time(line)[0] == ns(datetime.fromisoformat(expected))


@pytest.mark.parametrize(
    "line",
    [
        "2024-13-15T10:30:00Z no such month",
        "2024-02-30T10:30:00Z no such day",
        "2023-02-29 10:30:00 no leap year",
        "2024-01-15T24:30:00Z no such hour",
        "2024-01-15T10:61:00Z no such minute",
        "0000-01-15T10:30:00Z out of reach",
        "9999-01-15T10:30:00Z out of reach",
        "Feb 31 10:30:00 host sshd[1]: no such day",
        "no time at all",
        "12345 a number",
        "",
    ],
)
def test_an_impossible_or_absent_time_is_no_time(line):
    assert read_time(line)[0] == NO_TIME


@given(
    moment=st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31)),
    offset_min=st.integers(-14 * 60, 14 * 60),
)
def test_iso_times_with_any_zone_are_exact(moment, offset_min):
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=offset_min)))

    assert read_time(f"{zoned.isoformat()} ready")[0] == ns(zoned)


@given(
    # A day ahead of the last change is believed: the line's zone is not known.
    st.datetimes(datetime(2025, 11, 22), datetime(2026, 11, 21, 17)),
    st.sampled_from(["%b %d %H:%M:%S", "%b %e %H:%M:%S"]),
)
def test_a_syslog_time_belongs_to_the_last_year_before_the_file_changed(moment, form):
    moment = moment.replace(microsecond=0)
    line = f"{moment.strftime(form)} host cron[1]: ready"

    assert read_time(line)[0] == ns(moment.replace(tzinfo=UTC))


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2068, 12, 31)),
    st.sampled_from(
        [
            "%Y/%m/%d %H:%M:%S",
            "%Y.%m.%d %H:%M:%S",
            "%Y-%m-%d-%H.%M.%S",
            "%Y%m%d %H%M%S",
            "%Y%m%d-%H:%M:%S",
            "%Y%m%dT%H%M%S",
            "[%d/%b/%Y:%H:%M:%S]",
            "%d-%b-%Y %H:%M:%S",
            "%d %b %Y %H:%M:%S",
            "%a, %d %b %Y %H:%M:%S",
            "%a %b %d %H:%M:%S %Y",
            "%b %d, %Y %H:%M:%S",
            "%b %d %Y %H:%M:%S",
            "%m/%d/%Y %I:%M:%S %p",
            "%d.%m.%Y %H:%M:%S",
        ]
    ),
)
def test_a_layout_with_a_year_reads_back_any_second(moment, form):
    moment = moment.replace(microsecond=0)

    assert read_time(f"{moment.strftime(form)} ready")[0] == ns(moment.replace(tzinfo=UTC))


def test_every_layout_has_a_name_of_its_own():
    names = [layout.name for layout in all_layouts()]

    assert len(set(names)) == len(names)


def test_a_time_behind_other_words_is_found_when_most_lines_have_it():
    text = "".join(f"node-{i} unix.hw 10777{i:05d} state change\n" for i in range(100)).encode()
    buf = np.frombuffer(text + b"\0" * PADDING, np.uint8)

    records = read_records(buf, 0, len(text), Recognised(newest_ns=ns(NEWEST)).look_at(buf, 0, len(text)))

    assert records.time_ns.tolist() == [(1_077_700_000 + i) * 10**9 for i in range(100)]
