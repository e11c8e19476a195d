from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.timerange import (
    FIRST_NS,
    LAST_NS,
    NS_PER_D,
    NS_PER_H,
    NS_PER_MIN,
    NS_PER_S,
    TimeRange,
    format_ns,
    format_span,
    is_relative,
    parse_range,
    parse_span,
    parse_time,
)
from logpith_emit.errors import BadArgument

NOW = 1_795_182_302_123_456_789  # 2026-11-20T13:45:02.123456789Z
END = NOW - 3 * NS_PER_D
EVERY_NS = st.integers(FIRST_NS, LAST_NS)


def seconds(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp())


@given(EVERY_NS)
def test_a_formatted_time_reads_back_exactly(timestamp_ns):
    assert parse_time(format_ns(timestamp_ns), now_ns=0) == timestamp_ns


@given(st.integers(0, 4_000_000_000))
def test_a_formatted_second_is_what_the_standard_library_says(epoch_s):
    expected = datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert format_ns(epoch_s * NS_PER_S) == expected


@pytest.mark.parametrize(
    ("timestamp_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (NOW, "2026-11-20T13:45:02.123456789Z"),
        (NOW // 1000 * 1000, "2026-11-20T13:45:02.123456Z"),
        (NOW // 1_000_000 * 1_000_000, "2026-11-20T13:45:02.123Z"),
        (LAST_NS, "2262-04-11T23:47:16.854775807Z"),
        (FIRST_NS, "1677-09-21T00:12:43.145224192Z"),
        (-62_167_219_200 * NS_PER_S, "0000-01-01T00:00:00Z"),
        (-62_167_219_201 * NS_PER_S, "-0001-12-31T23:59:59Z"),
        (253_402_300_800 * NS_PER_S, "+10000-01-01T00:00:00Z"),
    ],
)
def test_format_ns_is_exact_and_short(timestamp_ns, text):
    assert format_ns(timestamp_ns) == text


@pytest.mark.parametrize(
    ("text", "epoch_s"),
    [
        ("2026-11-20", seconds(2026, 11, 20)),
        ("2026-11-20T13:45", seconds(2026, 11, 20, 13, 45)),
        ("2026-11-20 13:45:02", seconds(2026, 11, 20, 13, 45, 2)),
        ("2026-11-20t13:45:02z", seconds(2026, 11, 20, 13, 45, 2)),
        ("2026-11-20T13:45:02 UTC", seconds(2026, 11, 20, 13, 45, 2)),
        ("2026-11-20T13:45:02+01:00", seconds(2026, 11, 20, 12, 45, 2)),
        ("2026-11-20T13:45:02-0530", seconds(2026, 11, 20, 19, 15, 2)),
        ("2026-11-20T13:45+02", seconds(2026, 11, 20, 11, 45)),
        ("2024-02-29", seconds(2024, 2, 29)),
        ("2016-12-31T23:59:60Z", seconds(2017, 1, 1)),
        ("1795182302", 1_795_182_302),
        ("  2026-11-20  ", seconds(2026, 11, 20)),
    ],
)
def test_absolute_times_are_read(text, epoch_s):
    assert parse_time(text, now_ns=NOW) == epoch_s * NS_PER_S


@pytest.mark.parametrize(
    ("text", "timestamp_ns"),
    [
        ("2026-11-20T13:45:02.123456789Z", NOW),
        ("2026-11-20T13:45:02,123Z", NOW // 1_000_000 * 1_000_000),
        ("2026-11-20T13:45:02.1234567891234Z", NOW),
        ("1795182302.5", 1_795_182_302_500_000_000),
        ("1795182302123", 1_795_182_302_123_000_000),
        ("1795182302123456", 1_795_182_302_123_456_000),
        ("1795182302123456789", 1_795_182_302_123_456_789),
    ],
)
def test_fractions_and_epochs_are_read_to_the_nanosecond(text, timestamp_ns):
    assert parse_time(text, now_ns=0) == timestamp_ns


@pytest.mark.parametrize("text", ["10m", "-10m", "10min", "last 10m", "10m ago", "600s", "5m 300 s"])
def test_a_bare_span_counts_back_from_now_or_from_the_last_record(text):
    assert parse_time(text, now_ns=NOW) == NOW - 10 * NS_PER_MIN
    assert parse_time(text, now_ns=NOW, end_ns=END) == END - 10 * NS_PER_MIN


@pytest.mark.parametrize(
    ("text", "timestamp_ns"),
    [
        ("now", NOW),
        ("NOW-2h30m", NOW - 150 * NS_PER_MIN),
        ("now+1d", NOW + NS_PER_D),
        ("now - 1.5h", NOW - 90 * NS_PER_MIN),
        ("end", END),
        ("end-10m", END - 10 * NS_PER_MIN),
        ("today", NOW // NS_PER_D * NS_PER_D),
        ("yesterday", NOW // NS_PER_D * NS_PER_D - NS_PER_D),
        ("yesterday 14:00", NOW // NS_PER_D * NS_PER_D - 10 * NS_PER_H),
    ],
)
def test_anchored_times_are_read(text, timestamp_ns):
    assert is_relative(text)
    assert parse_time(text, now_ns=NOW, end_ns=END) == timestamp_ns


def test_the_end_is_refused_where_no_last_record_is_known():
    with pytest.raises(BadArgument, match="last record") as caught:
        parse_time("end-10m", now_ns=NOW)

    assert "now-10m" in caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "soon",
        "10x",
        "m",
        "now-",
        "now-x",
        "20261120",
        "12",
        "2026-11",
        "2026-11-20T",
        "-",
    ],
)
def test_what_is_no_time_is_refused_with_the_accepted_forms(text):
    with pytest.raises(BadArgument, match="is not a time") as caught:
        parse_time(text, now_ns=NOW)

    assert "now-2h" in caught.value.remedy
    assert "2026-11-20" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-13-01", "month 13"),
        ("2026-02-29", "day 29"),
        ("2026-11-20T24:00", "time of day"),
        ("2026-11-20T10:00+19:00", "time zone"),
        ("3026-11-20", "too far"),
        ("999999999d", "too far"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(text, problem):
    with pytest.raises(BadArgument, match=problem):
        parse_time(text, now_ns=NOW)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_is_refused(text):
    try:
        read = parse_time(text, now_ns=NOW, end_ns=END)
    except BadArgument:
        return

    assert FIRST_NS <= read <= LAST_NS


@pytest.mark.parametrize(
    ("span_ns", "text"),
    [
        (0, "0 s"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1_499, "1 µs"),
        (999_999, "1 ms"),
        (850_000_000, "850 ms"),
        (999_600_000, "1 s"),
        (3_200_000_000, "3.2 s"),
        (59_960_000_000, "1 min"),
        (65 * NS_PER_S, "1 min 5 s"),
        (3_599_600_000_000, "1 h"),
        (125 * NS_PER_MIN, "2 h 5 min"),
        (NS_PER_D - 1, "1 d"),
        (28 * NS_PER_H, "1 d 4 h"),
        (-3_200_000_000, "-3.2 s"),
    ],
)
def test_spans_are_said_as_people_say_them(span_ns, text):
    assert format_span(span_ns) == text


@given(EVERY_NS)
def test_a_span_is_never_off_by_more_than_half_a_small_unit(span_ns):
    shown = format_span(span_ns)

    read = parse_span(shown.removeprefix("-"))

    assert read is not None
    error = abs(abs(span_ns) - read)
    assert error * 20 <= abs(span_ns) or error * 2 <= NS_PER_MIN


@given(EVERY_NS)
def test_a_time_is_inside_a_range_from_its_start_to_before_its_end(timestamp_ns):
    assert TimeRange(timestamp_ns, timestamp_ns + 1).contains(timestamp_ns)
    assert not TimeRange(timestamp_ns + 1, None).contains(timestamp_ns)
    assert not TimeRange(None, timestamp_ns).contains(timestamp_ns)


def test_the_undated_are_inside_the_open_range_only():
    assert TimeRange().contains(None)
    assert not TimeRange(0, None).contains(None)
    assert not TimeRange(None, 0).contains(None)


BOUNDS = st.none() | st.integers(0, 20)
RANGES = st.builds(TimeRange, BOUNDS, BOUNDS)


@given(RANGES, RANGES, st.integers(-1, 21))
def test_an_intersection_holds_what_both_hold(one, other, timestamp_ns):
    both = one.contains(timestamp_ns) and other.contains(timestamp_ns)

    assert one.intersect(other).contains(timestamp_ns) == both


def test_a_range_is_read_from_since_and_until():
    assert parse_range("1h", None, now_ns=NOW) == TimeRange(NOW - NS_PER_H, None)
    assert parse_range(None, " ", now_ns=NOW) == TimeRange()
    assert parse_range("2h", "1h", now_ns=NOW) == TimeRange(NOW - 2 * NS_PER_H, NOW - NS_PER_H)


def test_a_range_that_ends_before_it_starts_is_refused():
    with pytest.raises(BadArgument, match="not before until"):
        parse_range("1h", "2h", now_ns=NOW)


def test_the_span_of_a_datetime_difference_agrees():
    difference = timedelta(hours=2, minutes=30)

    assert parse_span("2h30m") == int(difference.total_seconds()) * NS_PER_S


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("11:59", "2026-11-20T11:59:00Z"),
        ("12:00:00", "2026-11-20T12:00:00Z"),
        ("13:45", "2026-11-19T13:45:00Z"),
        ("23:59:59.5", "2026-11-19T23:59:59.500Z"),
    ],
)
def test_a_time_of_day_alone_is_the_last_one_before_the_end(text, meant):
    end_ns = parse_time("2026-11-20T12:00", now_ns=0)

    assert format_ns(parse_time(text, now_ns=0, end_ns=end_ns)) == meant
    assert is_relative(text)


def test_an_hour_is_enough_behind_a_date():
    assert format_ns(parse_time("2026-11-20T09", now_ns=0)) == "2026-11-20T09:00:00Z"
