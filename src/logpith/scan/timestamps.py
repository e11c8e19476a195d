"""Timestamp layouts, run as little programs over lines.

A layout is a list of steps, each an operation and an argument; `run_layout` is their interpreter. Text of a
layout → steps is `formats/layouts.py`. One interpreter for all layouts costs about 0.1 µs a line and compiles
once; a function per layout would be faster by a little and compile for minutes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logpith.scan.kernel import kernel
from logpith.scan.names import hash_name, look_up

NO_TIME = np.iinfo(np.int64).min
"""Stands where a record has no time."""

# The operations. Digits are ASCII; an optional step never fails.
LITERAL = 1  # this byte
YEAR4 = 2
YEAR2 = 3  # 70 to 99 are the last century
MONTH2 = 4
MONTH_NAME = 5  # three letters, any case
DAY = 6  # one or two digits, or a blank and one digit
HOUR = 7  # one or two digits
MINUTE = 8
SECOND = 9
FRACTION = 10  # optional: . or , or : and digits, to the nanosecond
ZONE = 11  # optional: Z, UTC, GMT, ±hh, ±hhmm, ±hh:mm, a blank before it or not
EPOCH = 12  # 10, 13, 16 or 19 digits; after 10 a fraction may follow
DATE_TIME_GAP = 13  # T, t, blank or _
WEEKDAY = 14  # letters, not looked at
BLANKS = 15  # one or more
WORD = 16  # bytes up to a blank; a severity if it is one
AM_PM = 17  # optional
LEVEL_LETTER = 18  # one of V D T I W E F C
PRIORITY = 19  # <0> to <191>, as of syslog
PROGRAM = 20  # program[pid]: or program:
SERVICE = 21  # a word that names the service
STRUCTURED_DATA = 22  # - or [id name="value" …]…, as of RFC 5424
END_OF_HEADER = 23  # the blanks and the byte order mark before a body; optional

REQUEST = 26  # a quoted request and the status behind it, as access logs have them; not consumed
STATUS = 27  # a status of HTTP, or -; tells the severity
SOURCE_PLACE = 28  # file:line], as klog writes it
PIPE_NAME = 29  # name and |, as process managers put before each line; names the service
STREAM = 30  # stdout or stderr
PIECE = 31  # F or P, tags, and a blank: whole or cut, as of CRI
BODY_HERE = 32  # what is mined begins here, although more steps follow
HOST = 33  # a word as WORD, but no level and nothing in brackets
UPTIME = 34  # seconds with a fraction, blanks before; not a time, for nobody knows of what
PROCESS_ROLE = 35  # process:letter, as Redis writes it
LEVEL_SIGN = 36  # one of . - * #, as Redis writes it, and a blank
LEVEL_IN_BRACKETS = 37  # [info], blanks before the closing one

# Several steps in one, put together by `layouts.pack_layouts`: year, month, day and hour, minute, second with one
# sign, or none, between them. They fail wherever the single steps would.
DATE = 24  # the sign; YEAR2_FLAG is added for a year of two digits
TIME_OF_DAY = 25  # the sign
YEAR2_FLAG = 256

# Added to the number of a level word that texts also have ("HTTP", "LOG"): a level only where nothing else can be.
AMBIGUOUS = 64

_MONTHS = np.frombuffer(b"janfebmaraprmayjunjulaugsepoctnovdec", np.uint8)
_DAY_NS = 86_400 * 10**9


@kernel
def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, chrono-compatible date algorithms)."""
    if month <= 2:
        year -= 1
    era = year // 400
    year_of_era = year - era * 400
    shifted_month = month - 3 if month > 2 else month + 9
    day_of_year = (153 * shifted_month + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


@kernel
def days_in_month(year: int, month: int) -> int:
    """28 to 31."""
    if month == 2:
        return 29 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 28
    return 30 if month in (4, 6, 9, 11) else 31


@kernel
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@kernel
def _digits(buf: Any, i: int, end: int, least: int, most: int) -> Any:
    """The number at `i` and the place behind it; the place is -1 when there are too few digits."""
    value = 0
    count = 0
    while count < most and i < end and 48 <= buf[i] <= 57:
        value = value * 10 + (buf[i] - 48)
        i += 1
        count += 1
    if count < least:
        return value, -1
    return value, i


@kernel
def _two_digits(buf: Any, i: int, end: int, one_will_do: bool) -> Any:
    """The number of two digits at `i` and the place behind it; the place is -1 when they are not there."""
    if i < 0 or i >= end:
        return 0, -1
    tens = np.int64(buf[i]) - 48
    if tens < 0 or tens > 9:
        return 0, -1
    ones = np.int64(buf[i + 1]) - 48 if i + 1 < end else np.int64(-1)
    if ones < 0 or ones > 9:
        return (tens, i + 1) if one_will_do else (tens, -1)
    return tens * 10 + ones, i + 2


@kernel
def _two_digits_behind(buf: Any, i: int, end: int, sign: int) -> Any:
    """As `_two_digits`, behind a sign, or behind none where it is 0."""
    if sign != 0:
        if i < 0 or i >= end or buf[i] != sign:
            return 0, -1
        i += 1
    return _two_digits(buf, i, end, False)


@kernel
def _fraction_ns(buf: Any, i: int, end: int) -> Any:
    """Nanoseconds written as digits at `i`, and the place behind all of them."""
    scale = 100_000_000
    value = 0
    while i < end and 48 <= buf[i] <= 57:
        value += (buf[i] - 48) * scale
        scale //= 10
        i += 1
    return value, i


@kernel
def _zone_s(buf: Any, i: int, end: int) -> Any:
    """Seconds east of UTC named at `i`, and the place behind; the place is `i` when no zone is there."""
    at = i
    if at < end and buf[at] == 32:
        at += 1
    if at >= end:
        return 0, i
    byte = buf[at]
    if (byte | 32) == 122 and at == i:  # Z
        return 0, at + 1
    if at + 3 <= end and (
        (buf[at] == 85 and buf[at + 1] == 84 and buf[at + 2] == 67)
        or (buf[at] == 71 and buf[at + 1] == 77 and buf[at + 2] == 84)
    ):  # UTC, GMT
        return 0, at + 3
    if byte in (43, 45):
        hours, after = _digits(buf, at + 1, end, 2, 2)
        if after < 0 or hours > 14:
            return 0, i
        minutes = 0
        colon = after < end and buf[after] == 58
        more, behind = _digits(buf, after + 1 if colon else after, end, 2, 2)
        if behind >= 0:
            minutes, after = more, behind
        elif at != i:  # " -5" is text more often than a zone
            return 0, i
        offset = hours * 3600 + minutes * 60
        return (offset if byte == 43 else -offset), after
    return 0, i


@kernel
def _structured_data_end(buf: Any, i: int, end: int) -> int:
    """The place behind `-` or `[id a="b"]…` at `i`; -1 when neither is there whole."""
    if i < end and buf[i] == 45:
        return i + 1
    if i >= end or buf[i] != 91:
        return -1
    while i < end and buf[i] == 91:
        quoted = False
        i += 1
        while i < end and (quoted or buf[i] != 93):
            if quoted and buf[i] == 92:
                i += 1
            elif buf[i] == 34:
                quoted = not quoted
            i += 1
        if i >= end:
            return -1
        i += 1
    return i


@kernel
def status_at(buf: Any, i: int, end: int) -> Any:
    """The status of HTTP at `i`, 100 to 599, with nothing but a blank, a comma or a quote behind it; 0 for none."""
    if i + 3 > end:
        return 0
    value, after = _digits(buf, i, i + 3, 3, 3)
    if after < 0 or value < 100 or value > 599:
        return 0
    if after < end and not (buf[after] == 32 or buf[after] == 9 or buf[after] == 44 or buf[after] == 34):
        return 0
    return value


@kernel
def severity_of_status(status: int) -> int:
    """What a status of HTTP says: 5xx error, 4xx warn, else info."""
    if status >= 500:
        return 17
    return 13 if status >= 400 else 9


@kernel
def behind_request(buf: Any, i: int, end: int) -> int:
    """The place behind `"request" status` at `i`; -1 when that is not there. A status may be `-`, or 000."""
    if i >= end or buf[i] != 34:
        return -1
    i += 1
    while i < end and buf[i] != 34:
        i += 2 if buf[i] == 92 else 1
    i += 2
    if i >= end or buf[i - 2] != 34 or buf[i - 1] != 32:
        return -1
    if status_at(buf, i, end) > 0:
        return i + 3
    if buf[i] == 45 and (i + 1 >= end or buf[i + 1] == 32):
        return i + 1
    if i + 3 < end and buf[i] == 48 and buf[i + 1] == 48 and buf[i + 2] == 48 and buf[i + 3] == 32:
        return i + 3
    return -1


@kernel
def _behind_pipe_name(buf: Any, i: int, end: int) -> Any:
    """(start and end of the name, place behind the bar) of `0|api  | ` or `api-1  | ` at `i`; place -1 for none."""
    at = i
    while at < end and 48 <= buf[at] <= 57:
        at += 1
    if at > i:  # pm2's number of the process
        if at >= end or buf[at] != 124:
            return 0, 0, -1
        at += 1
    if at >= end or not (97 <= (buf[at] | 32) <= 122):
        return 0, 0, -1
    first = at
    while at < end and (
        97 <= (buf[at] | 32) <= 122
        or 48 <= buf[at] <= 57
        or buf[at] == 45
        or buf[at] == 46
        or buf[at] == 95
        or buf[at] == 58
        or buf[at] == 64
    ):
        at += 1
    last = at
    while at < end and buf[at] == 32:
        at += 1
    if at >= end or buf[at] != 124 or last - first > 64:
        return 0, 0, -1
    # Without a blank between, a name and its bar are pm2's; all others write one.
    if at == last and first == i:
        return 0, 0, -1
    at += 1
    if at < end and buf[at] != 32:
        return 0, 0, -1
    return first, last, min(at + 1, end)


@kernel
def epoch_ns(value: int, digits: int) -> int:
    """Nanoseconds for a whole epoch number by its count of digits; NO_TIME when it is none."""
    if digits == 10:
        return value * 1_000_000_000
    if digits == 13:
        return value * 1_000_000
    if digits == 16:
        return value * 1_000
    if digits == 19:
        return value
    return NO_TIME


@kernel
def run_layout(
    buf: Any, start: int, end: int, steps: Any, n_steps: int, severities: Any, numbers: Any, newest_ns: int
) -> Any:
    """(time_ns, place behind the header, severity, service start, service end) of the line `buf[start:end]`.

    The place is -1 when the layout does not fit. A layout without a year or a date is read as the last such
    moment before `newest_ns` (a file cannot hold lines younger than its last change).
    """
    i = start
    year = -1
    month = 0
    day = 0
    hour = -1
    minute = 0
    second = 0
    fraction = 0
    zone = 0
    epoch = NO_TIME
    body = -1
    severity = 0
    service_start = 0
    service_end = 0
    for k in range(n_steps):
        step = steps[k, 0]
        if step == TIME_OF_DAY:
            sign = steps[k, 1]
            hour, i = _two_digits(buf, i, end, sign != 0)
            minute, i = _two_digits_behind(buf, i, end, sign)
            second, i = _two_digits_behind(buf, i, end, sign)
        elif step == DATE:
            sign = steps[k, 1] % YEAR2_FLAG
            if steps[k, 1] >= YEAR2_FLAG:
                year, i = _two_digits(buf, i, end, False)
                year += 1900 if year >= 70 else 2000
            else:
                high, i = _two_digits(buf, i, end, False)
                low, i = _two_digits(buf, i, end, False)
                year = high * 100 + low
            month, i = _two_digits_behind(buf, i, end, sign)
            if sign:
                if i < 0 or i >= end or buf[i] != sign:
                    return NO_TIME, -1, 0, 0, 0
                i += 1
            if i >= 0 and i < end and buf[i] == 32:
                i += 1
            day, i = _two_digits(buf, i, end, sign != 0)
        elif step == LITERAL:
            if i >= end or buf[i] != steps[k, 1]:
                return NO_TIME, -1, 0, 0, 0
            i += 1
        elif step == BLANKS:
            if i >= end or (buf[i] != 32 and buf[i] != 9):
                return NO_TIME, -1, 0, 0, 0
            while i < end and (buf[i] == 32 or buf[i] == 9):
                i += 1
        elif step in (YEAR2, MONTH2, MINUTE, SECOND):
            value, i = _digits(buf, i, end, 2, 2)
            if step == MONTH2:
                month = value
            elif step == MINUTE:
                minute = value
            elif step == SECOND:
                second = value
            else:
                year = value + (1900 if value >= 70 else 2000)
        elif step == YEAR4:
            year, i = _digits(buf, i, end, 4, 4)
        elif step == DAY:
            if i < end and buf[i] == 32:
                i += 1
            day, i = _digits(buf, i, end, 1, 2)
        elif step == HOUR:
            hour, i = _digits(buf, i, end, 1, 2)
        elif step == FRACTION:
            if i + 1 < end and (buf[i] in (46, 44, 58)) and _is_digit(buf[i + 1]):
                fraction, i = _fraction_ns(buf, i + 1, end)
        elif step == ZONE:
            zone, i = _zone_s(buf, i, end)
        elif step == DATE_TIME_GAP:
            if i >= end or not ((buf[i] | 32) == 116 or buf[i] == 32 or buf[i] == 95):
                return NO_TIME, -1, 0, 0, 0
            i += 1
        elif step == MONTH_NAME:
            if i + 3 > end:
                return NO_TIME, -1, 0, 0, 0
            month = 0
            for m in range(12):
                if (
                    (buf[i] | 32) == _MONTHS[3 * m]
                    and (buf[i + 1] | 32) == _MONTHS[3 * m + 1]
                    and (buf[i + 2] | 32) == _MONTHS[3 * m + 2]
                ):
                    month = m + 1
                    break
            i += 3
        elif step in (WORD, SERVICE, HOST):
            word = i
            while i < end and buf[i] != 32 and buf[i] != 9:
                i += 1
            if i == word:
                return NO_TIME, -1, 0, 0, 0
            if step == SERVICE:
                if not (i == word + 1 and buf[word] == 45):
                    service_start, service_end = word, i
            elif step == HOST:
                if buf[word] == 91:
                    return NO_TIME, -1, 0, 0, 0
                level = look_up(severities, numbers, hash_name(buf, word, i))
                if 0 < level < AMBIGUOUS:
                    return NO_TIME, -1, 0, 0, 0
            elif severity == 0:
                low, high = word, i
                while low < high and not ((buf[low] | 32) >= 97 and (buf[low] | 32) <= 122):
                    low += 1
                while high > low and not ((buf[high - 1] | 32) >= 97 and (buf[high - 1] | 32) <= 122):
                    high -= 1
                if high - low > 1:
                    severity = look_up(severities, numbers, hash_name(buf, low, high))
                    if severity >= AMBIGUOUS:
                        severity = 0
        elif step == EPOCH:
            first = i
            value, i = _digits(buf, i, end, 10, 19)
            epoch = epoch_ns(value, i - first) if i >= 0 else NO_TIME
            if epoch == NO_TIME:
                return NO_TIME, -1, 0, 0, 0
            if i - first == 10 and i + 1 < end and buf[i] == 46 and _is_digit(buf[i + 1]):
                fraction, i = _fraction_ns(buf, i + 1, end)
            if i < end and (_is_digit(buf[i]) or ((buf[i] | 32) >= 97 and (buf[i] | 32) <= 122)):
                return NO_TIME, -1, 0, 0, 0
        elif step == WEEKDAY:
            word = i
            while i < end and (buf[i] | 32) >= 97 and (buf[i] | 32) <= 122:
                i += 1
            if i - word < 3 or i - word > 9:
                return NO_TIME, -1, 0, 0, 0
        elif step == AM_PM:
            at = i + 1 if i < end and buf[i] == 32 else i
            if at + 1 < end and (buf[at + 1] | 32) == 109:
                if (buf[at] | 32) == 112:
                    hour = hour % 12 + 12
                    i = at + 2
                elif (buf[at] | 32) == 97:
                    hour = hour % 12
                    i = at + 2
        elif step == LEVEL_LETTER:
            if i >= end:
                return NO_TIME, -1, 0, 0, 0
            letter = buf[i]
            if letter in (86, 84):
                severity = 1
            elif letter == 68:
                severity = 5
            elif letter == 73:
                severity = 9
            elif letter == 87:
                severity = 13
            elif letter == 69:
                severity = 17
            elif letter in (70, 67):
                severity = 21
            else:
                return NO_TIME, -1, 0, 0, 0
            i += 1
        elif step == PRIORITY:
            if i >= end or buf[i] != 60:
                return NO_TIME, -1, 0, 0, 0
            value, i = _digits(buf, i + 1, end, 1, 3)
            if i < 0 or i >= end or buf[i] != 62 or value > 191:
                return NO_TIME, -1, 0, 0, 0
            i += 1
            level = value & 7
            # OpenTelemetry's table for syslog: emerg alert crit err warning notice info debug
            severity = (24, 22, 21, 17, 13, 10, 9, 5)[level]
        elif step == PROGRAM:
            word = i
            while i < end and buf[i] != 91 and buf[i] != 58 and buf[i] != 32:
                i += 1
            if i == word or i >= end or i - word > 96:
                return NO_TIME, -1, 0, 0, 0
            service_start, service_end = word, i
            if buf[i] == 91:
                while i < end and buf[i] != 93 and buf[i] != 32:
                    i += 1
                if i >= end or buf[i] != 93:
                    return NO_TIME, -1, 0, 0, 0
                i += 1
            if i >= end or buf[i] != 58:
                return NO_TIME, -1, 0, 0, 0
            i += 1
        elif step == STRUCTURED_DATA:
            i = _structured_data_end(buf, i, end)
        elif step == END_OF_HEADER:
            while i < end and buf[i] == 32:
                i += 1
            if i + 2 < end and buf[i] == 0xEF and buf[i + 1] == 0xBB and buf[i + 2] == 0xBF:
                i += 3
        elif step == REQUEST:
            behind = behind_request(buf, i, end)
            if behind < 0:
                return NO_TIME, -1, 0, 0, 0
            severity = severity_of_status(status_at(buf, behind - 3, end))
        elif step == STATUS:
            status = status_at(buf, i, end)
            if status > 0:
                severity = severity_of_status(status)
                i += 3
            elif i < end and buf[i] == 45:
                i += 1
            else:
                return NO_TIME, -1, 0, 0, 0
        elif step == SOURCE_PLACE:
            word = i
            while i < end and buf[i] != 93 and buf[i] != 32:
                i += 1
            if i == word or i >= end or buf[i] != 93:
                return NO_TIME, -1, 0, 0, 0
            i += 1
        elif step == PIPE_NAME:
            service_start, service_end, i = _behind_pipe_name(buf, i, end)
            if i >= 0 and look_up(severities, numbers, hash_name(buf, service_start, service_end)) > 0:
                return NO_TIME, -1, 0, 0, 0
        elif step == STREAM:
            if i + 6 >= end or buf[i] != 115 or buf[i + 1] != 116 or buf[i + 2] != 100:
                return NO_TIME, -1, 0, 0, 0
            i += 6
        elif step == PIECE:
            if i >= end or not (buf[i] == 70 or buf[i] == 80):
                return NO_TIME, -1, 0, 0, 0
            i += 1
            if i < end and buf[i] == 58:
                while i < end and buf[i] != 32:
                    i += 1
            if i < end:
                if buf[i] != 32:
                    return NO_TIME, -1, 0, 0, 0
                i += 1
        elif step == BODY_HERE:
            body = i
        elif step == UPTIME:
            while i < end and buf[i] == 32:
                i += 1
            _, i = _digits(buf, i, end, 1, 12)
            if i < 0 or i >= end or buf[i] != 46:
                return NO_TIME, -1, 0, 0, 0
            _, i = _digits(buf, i + 1, end, 1, 9)
        elif step == PROCESS_ROLE:
            _, i = _digits(buf, i, end, 1, 10)
            if i < 0 or i + 1 >= end or buf[i] != 58:
                return NO_TIME, -1, 0, 0, 0
            role = buf[i + 1]
            if role not in (67, 77, 83, 88):  # child, master, replica, sentinel
                return NO_TIME, -1, 0, 0, 0
            i += 2
        elif step == LEVEL_IN_BRACKETS:
            if i >= end or buf[i] != 91:
                return NO_TIME, -1, 0, 0, 0
            word = i + 1
            i = word
            while i < end and 97 <= (buf[i] | 32) <= 122:
                i += 1
            severity = look_up(severities, numbers, hash_name(buf, word, i)) % AMBIGUOUS
            while i < end and buf[i] == 32:
                i += 1
            if severity == 0 or i >= end or buf[i] != 93:
                return NO_TIME, -1, 0, 0, 0
            i += 1
        elif step == LEVEL_SIGN:
            if i >= end or (i + 1 < end and buf[i + 1] != 32):
                return NO_TIME, -1, 0, 0, 0
            sign = int(buf[i])
            if sign in (45, 46):
                severity = 5
            elif sign == 42:
                severity = 10
            elif sign == 35:
                severity = 13
            else:
                return NO_TIME, -1, 0, 0, 0
            i += 1
        if i < 0:
            return NO_TIME, -1, 0, 0, 0
    if hour < 0 and epoch == NO_TIME:  # a layout without a time
        return NO_TIME, i, severity, service_start, service_end
    if epoch != NO_TIME:
        return epoch + fraction, i if body < 0 else body, severity, service_start, service_end
    if hour > 23 or minute > 59 or second > 60:
        return NO_TIME, -1, 0, 0, 0
    # 10:30:001 is no time; behind a header a body may well begin with a digit.
    last_step = steps[n_steps - 1, 0]
    if i < end and _is_digit(buf[i]) and last_step not in (END_OF_HEADER, PIECE, PIPE_NAME):
        return NO_TIME, -1, 0, 0, 0
    if body >= 0:
        i = body
    # A leap second is the last moment of its minute; the next second has its own number.
    of_day = (hour * 3600 + minute * 60 + min(second, 59) - zone) * 1_000_000_000 + fraction
    if month == 0 and day == 0:
        midnight = newest_ns // _DAY_NS * _DAY_NS
        time = midnight + of_day
        if time > newest_ns + 3600 * 1_000_000_000:
            time -= _DAY_NS
        return time, i, severity, service_start, service_end
    if year < 0:
        # The year of `newest_ns`, give or take the rounding at New Year, which the next lines settle.
        year = 1970 + newest_ns // (31_556_952 * 1_000_000_000)
        if month < 1 or month > 12 or day < 1 or (day > 29 and day > days_in_month(year, month)):
            return NO_TIME, -1, 0, 0, 0
        year += 1
        while days_from_civil(year, month, day) * _DAY_NS + of_day > newest_ns + _DAY_NS or (
            day > days_in_month(year, month)
        ):
            year -= 1
    if month < 1 or month > 12 or year < 1678 or year > 2261 or day < 1 or day > days_in_month(year, month):
        return NO_TIME, -1, 0, 0, 0
    return days_from_civil(year, month, day) * _DAY_NS + of_day, i, severity, service_start, service_end


@kernel
def fit_layouts(
    buf: Any, lines: Any, layouts: Any, lengths: Any, severities: Any, numbers: Any, newest_ns: int, fits: Any
) -> None:
    """Fills `fits` (layouts, lines): whether each layout fits each of `lines` (start, end)."""
    for k in range(lengths.shape[0]):
        for row in range(lines.shape[0]):
            _, place, _, _, _ = run_layout(
                buf, lines[row, 0], lines[row, 1], layouts[k], lengths[k], severities, numbers, newest_ns
            )
            fits[k, row] = place >= 0
