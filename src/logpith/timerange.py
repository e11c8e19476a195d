"""Times and spans of time, as text and as nanoseconds.

Time is an int64 of nanoseconds since 1970 in UTC from end to end. All arithmetic here is on whole
numbers: `datetime` knows neither nanoseconds nor every int64, and must not decide what can be shown.
The proleptic Gregorian calendar follows "chrono-Compatible Low-Level Date Algorithms" (Howard Hinnant).

This is the only place in logpith that reads the clock; everything else is told the time.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from logpith_emit.errors import BadArgument

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MIN = 60 * NS_PER_S
NS_PER_H = 60 * NS_PER_MIN
NS_PER_D = 24 * NS_PER_H

FIRST_NS = -(2**63)
LAST_NS = 2**63 - 1

FORMS = (
    "Write an ISO time (2026-11-20, 2026-11-20T13:45:02.123Z, 2026-11-20 13:45+01:00; UTC without a zone), "
    "a time of the last day (13:45), a span back (10m, 2h30m, 1d), now-2h, end-10m, yesterday 14:00, "
    "or an epoch in s, ms, us or ns"
)

_UNIT_NS = {
    "ns": 1,
    "us": NS_PER_US,
    "µs": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "sec": NS_PER_S,
    "m": NS_PER_MIN,
    "min": NS_PER_MIN,
    "h": NS_PER_H,
    "d": NS_PER_D,
    "w": 7 * NS_PER_D,
}
_SPAN_PART = re.compile(r"(\d{1,20})(?:\.(\d{1,9}))?\s*(ns|us|µs|ms|min|sec|s|m|h|d|w)\s*")
_ANCHORED = re.compile(r"(now|end)(?:\s*([+-])\s*(.+))?", re.DOTALL)
_EPOCH = re.compile(r"(\d{9,19})(?:\.(\d+))?")
_DAY_WORD = re.compile(r"(today|yesterday)(?:[ t](.+))?", re.DOTALL)
_ISO = re.compile(r"([+-]?\d{4,6})-(\d\d)-(\d\d)(?:[t ]\s*(.+))?", re.DOTALL)
_CLOCK = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(z|utc|[+-]\d\d(?::?\d\d)?)?")
_CLOCK_ALONE = re.compile(r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?")
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start_ns` on and before `end_ns`; None is open. Only the fully open range holds the undated."""

    start_ns: int | None = None
    end_ns: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether every record is inside, the undated too."""
        return self.start_ns is None and self.end_ns is None

    def contains(self, timestamp_ns: int | None) -> bool:
        """Whether a record of this time is inside; None is a record without a time."""
        if timestamp_ns is None:
            return self.is_open
        after_start = self.start_ns is None or timestamp_ns >= self.start_ns
        return after_start and (self.end_ns is None or timestamp_ns < self.end_ns)

    def intersect(self, other: TimeRange) -> TimeRange:
        """The times inside both; its start lies at or past its end when there are none."""
        starts = [start for start in (self.start_ns, other.start_ns) if start is not None]
        ends = [end for end in (self.end_ns, other.end_ns) if end is not None]
        return TimeRange(max(starts, default=None), min(ends, default=None))


def now_ns() -> int:
    """The time of the wall clock."""
    return time.time_ns()


def parse_range(since: str | None, until: str | None, *, now_ns: int, end_ns: int | None = None) -> TimeRange:
    """From `since` on and before `until`, each in a form of `parse_time`; None or blank is open."""
    start = parse_time(since, now_ns=now_ns, end_ns=end_ns) if since and since.strip() else None
    end = parse_time(until, now_ns=now_ns, end_ns=end_ns) if until and until.strip() else None
    if start is not None and end is not None and start >= end:
        raise BadArgument(
            f"since ({format_ns(start)}) is not before until ({format_ns(end)})",
            remedy="Swap the two, or leave one out",
        )
    return TimeRange(start, end)


def parse_time(text: str, *, now_ns: int, end_ns: int | None = None) -> int:
    """The time that `text` names.

    `end_ns` is the time of the last record. A bare span such as `10m` counts back from it when it is
    given (files), and from `now_ns` otherwise (the store). Digits past the ninth of a fraction are cut.

    Raises:
        BadArgument: no such form, no such date, or outside 1677-09-21 to 2262-04-11, the reach of an int64.
    """
    cleaned = text.strip().lower()
    found = (
        _epoch_ns(cleaned)
        or _anchored_ns(cleaned, now_ns, end_ns)
        or _back_ns(cleaned, now_ns if end_ns is None else end_ns)
        or _clock_alone_ns(cleaned, now_ns if end_ns is None else end_ns)
        or _day_word_ns(cleaned, now_ns)
        or _iso_ns(cleaned)
    )
    if found is None:
        raise BadArgument(f"{_shown(text)} is not a time", remedy=FORMS)
    if not FIRST_NS <= found.ns <= LAST_NS:
        raise BadArgument(
            f"{_shown(text)} is too far away",
            remedy=f"Times reach from {format_ns(FIRST_NS)} to {format_ns(LAST_NS)}",
        )
    return found.ns


def is_relative(text: str) -> bool:
    """Whether what `text` names moves with the clock or the last record: `10m`, `now-2h`, `today`."""
    cleaned = text.strip().lower()
    return (
        bool(_ANCHORED.fullmatch(cleaned) or _DAY_WORD.fullmatch(cleaned) or _CLOCK_ALONE.fullmatch(cleaned))
        or _back_ns(cleaned, 0) is not None
    )


def parse_span(text: str) -> int | None:
    """The nanoseconds of a span such as `10m`, `2h30m`, `1.5s`; None when it is not one."""
    cleaned = text.strip().lower()
    total, place = 0, 0
    while part := _SPAN_PART.match(cleaned, place):
        whole, fraction, unit = part.groups()
        total += int(whole) * _UNIT_NS[unit] + _fraction_ns(fraction) * _UNIT_NS[unit] // NS_PER_S
        place = part.end()
    return total if cleaned and place == len(cleaned) else None


def format_ns(timestamp_ns: int) -> str:
    """ISO 8601 in UTC, exact and as short as that allows: `2026-11-20T13:45:02.123Z`.

    Years outside 0 to 9999 carry a sign, as ISO 8601 asks.
    """
    days, in_day = divmod(timestamp_ns, NS_PER_D)
    year, month, day = _date_of(days)
    hour, in_hour = divmod(in_day, NS_PER_H)
    minute, in_minute = divmod(in_hour, NS_PER_MIN)
    second, fraction = divmod(in_minute, NS_PER_S)
    shown_year = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
    return (
        f"{shown_year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{_shown_fraction(fraction)}Z"
    )


def format_s(timestamp_ns: int) -> str:
    """The second in which a moment lies, as `format_ns` writes it: nobody reads on which nanosecond a question came."""
    return format_ns(timestamp_ns // NS_PER_S * NS_PER_S)


def format_span(span_ns: int) -> str:
    """A span as people say it, rounded to two units at most: `3.2 s`, `2 h 5 min`, `1 d`."""
    if span_ns < 0:
        return f"-{format_span(-span_ns)}"
    for unit_ns, name, next_unit_ns in ((1, "ns", NS_PER_US), (NS_PER_US, "µs", NS_PER_MS)):
        rounded = _rounded(span_ns, unit_ns)
        if 0 < rounded * unit_ns < next_unit_ns:
            return f"{rounded} {name}"
    milliseconds = _rounded(span_ns, NS_PER_MS)
    if 0 < milliseconds < 1000:
        return f"{milliseconds} ms"
    tenths = _rounded(span_ns, NS_PER_S // 10)
    if tenths < 600:
        return f"{tenths // 10}.{tenths % 10} s" if tenths % 10 else f"{tenths // 10} s"
    seconds = _rounded(span_ns, NS_PER_S)
    if seconds < 3600:
        return _two_units(seconds, 60, "min", "s")
    minutes = _rounded(span_ns, NS_PER_MIN)
    if minutes < 24 * 60:
        return _two_units(minutes, 60, "h", "min")
    return _two_units(_rounded(span_ns, NS_PER_H), 24, "d", "h")


@dataclass(frozen=True, slots=True)
class _Found:
    """A time that was read. A wrapper, because the time 0 is false and must not count as nothing found."""

    ns: int


def _epoch_ns(text: str) -> _Found | None:
    match = _EPOCH.fullmatch(text)
    if match is None:
        return None
    whole, fraction = match.groups()
    # Each unit adds three digits, and from 1973 to 5138 a count of seconds has 9 to 11 of them. Shorter
    # numbers are refused: 20261120 would otherwise be a day in 1970.
    unit_ns = {9: NS_PER_S, 12: NS_PER_MS, 15: NS_PER_US, 18: 1}[len(whole) // 3 * 3]
    return _Found(int(whole) * unit_ns + _fraction_ns(fraction) * unit_ns // NS_PER_S)


def _anchored_ns(text: str, now_ns: int, end_ns: int | None) -> _Found | None:
    match = _ANCHORED.fullmatch(text)
    if match is None:
        return None
    anchor, sign, span_text = match.groups()
    if anchor == "end" and end_ns is None:
        raise BadArgument(
            f"{_shown(text)} counts from the last record, and none is known here",
            remedy="Count from now instead, as in now-10m",
        )
    start = now_ns if end_ns is None or anchor == "now" else end_ns
    if sign is None:
        return _Found(start)
    span = parse_span(span_text)
    if span is None:
        return None
    return _Found(start + span if sign == "+" else start - span)


def _back_ns(text: str, anchor_ns: int) -> _Found | None:
    span = parse_span(text.removeprefix("last ").removesuffix(" ago").removeprefix("-"))
    return None if span is None else _Found(anchor_ns - span)


def _clock_alone_ns(text: str, anchor_ns: int) -> _Found | None:
    """The last moment at or before the anchor at which clocks showed that in UTC."""
    if not _CLOCK_ALONE.fullmatch(text):
        return None
    in_day = _clock_ns(text)
    if in_day is None:
        return None
    same_day = anchor_ns // NS_PER_D * NS_PER_D + in_day
    return _Found(same_day if same_day <= anchor_ns else same_day - NS_PER_D)


def _day_word_ns(text: str, now_ns: int) -> _Found | None:
    match = _DAY_WORD.fullmatch(text)
    if match is None:
        return None
    word, clock = match.groups()
    midnight = now_ns // NS_PER_D * NS_PER_D - (NS_PER_D if word == "yesterday" else 0)
    in_day = 0 if clock is None else _clock_ns(clock)
    return None if in_day is None else _Found(midnight + in_day)


def _iso_ns(text: str) -> _Found | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(group) for group in match.groups()[:3])
    if not 1 <= month <= 12:
        raise BadArgument(f"{_shown(text)} has no month {month}", remedy="Months are 01 to 12")
    if not 1 <= day <= _days_in(year, month):
        raise BadArgument(
            f"{_shown(text)} has no day {day}", remedy=f"That month has {_days_in(year, month)} days"
        )
    in_day = 0 if match[4] is None else _clock_ns(match[4])
    return None if in_day is None else _Found(_days_before(year, month, day) * NS_PER_D + in_day)


def _clock_ns(text: str) -> int | None:
    """Nanoseconds from midnight UTC of a time of day with an optional zone, or None."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute, second = (int(group or 0) for group in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 60:  # 60 is a leap second, and is the next minute's first
        raise BadArgument(f"{_shown(text)} is not a time of day", remedy="Write 00:00:00 to 23:59:59")
    in_day = hour * NS_PER_H + minute * NS_PER_MIN + second * NS_PER_S + _fraction_ns(match[4])
    return in_day - _zone_ns(match[5] or "z")


def _zone_ns(zone: str) -> int:
    if zone in ("z", "utc"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = int(digits[:2]) * NS_PER_H + int(digits[2:]) * NS_PER_MIN
    if offset > 18 * NS_PER_H or int(digits[2:]) > 59:
        raise BadArgument(f"{zone} is not a time zone", remedy="Write Z, or an offset such as +01:00")
    return -offset if zone[0] == "-" else offset


def _fraction_ns(digits: str | None) -> int:
    """The digits after a decimal point as billionths."""
    return int((digits or "0")[:9].ljust(9, "0"))


def _shown_fraction(fraction_ns: int) -> str:
    if fraction_ns == 0:
        return ""
    digits = f"{fraction_ns:09d}"
    if digits.endswith("000000"):
        return f".{digits[:3]}"
    return f".{digits[:6]}" if digits.endswith("000") else f".{digits}"


def _rounded(span_ns: int, unit_ns: int) -> int:
    return (span_ns + unit_ns // 2) // unit_ns


def _two_units(count: int, size: int, large: str, small: str) -> str:
    whole, rest = divmod(count, size)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def _days_in(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


def _days_before(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date. Years begin in March, so that the leap day is the last of one."""
    march_year = year - (month <= 2)
    era, year_of_era = divmod(march_year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _date_of(days: int) -> tuple[int, int, int]:
    """The year, month and day that lie `days` after 1970-01-01; the inverse of `_days_before`."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    month = (march_month + 2) % 12 + 1
    return era * 400 + year_of_era + (month <= 2), month, day_of_year - (153 * march_month + 2) // 5 + 1


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
