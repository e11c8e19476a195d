"""One pass over a buffer of text: lines, records, times, severities, services, shapes.

`read_records` is the hot loop of the product. It looks at each byte about once: a line is cut, recognised
(a JSON object, one of the given timestamp layouts, or neither), joined to the record before when it
continues it, and its body is hashed to a shape by `words.walk`. It allocates nothing per line and holds no
lock, so blocks of a file run on all cores.

The buffer ends with a newline and PADDING spare bytes, so that no loop needs a bounds test inside a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.headers import read_header
from logpith.scan.json_fields import (
    BODY,
    FAILURE,
    ROLES,
    SERVICE,
    SEVERITY,
    SEVERITY_NUMBER,
    TIME,
    find_json_fields,
)
from logpith.scan.kernel import kernel
from logpith.scan.names import NameTable, hash_name, look_up
from logpith.scan.timestamps import NO_TIME, epoch_ns, run_layout
from logpith.scan.words import walk

PADDING = 16

# Ways a record was recognised; from LAYOUT on, the number of the layout is added.
PLAIN = 0
JSON = 1
LAYOUT = 2

# A record is never joined from more lines than this: a file whose dated lines are followed by a million
# undated ones shall not become one record.
MAX_JOINED_LINES = 1000

MAX_SERVICES = 255
_NEWLINE = 10
_JOIN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read a source: what `formats/` found out from a sample of it."""

    layouts: NDArray[np.int64]
    """(layouts, steps, 2): operation and argument of each step; see `timestamps`."""

    layout_lengths: NDArray[np.int64]
    """Steps of each layout."""

    headed: NDArray[np.bool_]
    """Behind which layouts a logger's header may stand (`headers`)."""

    last_resorts: NDArray[np.bool_]
    """Which layouts fit the lines of others too, and know less of them: never tried before those."""

    value_layouts: NDArray[np.int64]
    """Layouts for the times inside JSON fields."""

    value_layout_lengths: NDArray[np.int64]
    json_keys: NameTable
    severities: NameTable
    """Level words that may stand in the head of a line; `AMBIGUOUS` is added to those that texts also have."""

    json_severities: NameTable
    """Level words that may be the value of a JSON line's level."""

    joins_undated: bool
    """Whether a line without a time goes on the record before, whatever it looks like."""

    whole_lines: bool = False
    """Whether each line is a body as it stands: no time, no joining."""

    newest_ns: int
    """The last change of the source: the newest a line can be."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """Columns of the records of one block, in order; all arrays have one entry a record."""

    start: NDArray[np.int64]
    """First byte, counted from the block's own start."""

    end: NDArray[np.int64]
    """The byte behind the last one; line ends between the lines of a record are inside."""

    lines: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    """UTC; NO_TIME where there is none."""

    severity: NDArray[np.uint8]
    """OpenTelemetry's number; 0 where the header or a JSON field tells none."""

    kind: NDArray[np.uint8]
    """PLAIN, JSON or LAYOUT + number of the layout."""

    service: NDArray[np.uint8]
    """1 + place in `services`; 0 where none is named."""

    body_start: NDArray[np.int64]
    body_end: NDArray[np.int64]
    """The text that is mined: the message of a JSON line; the first line behind its header otherwise."""

    failure_start: NDArray[np.int64]
    failure_end: NDArray[np.int64]
    """What a JSON line says went wrong beside its message; empty when nothing."""

    shape: NDArray[np.uint64]
    value_hash: NDArray[np.uint64]
    services: tuple[bytes, ...]
    continues: bool
    """Whether the first record in fact goes on the last one of the block before."""

    def __len__(self) -> int:
        return len(self.start)


@kernel
def continues_record(buf: Any, start: int, end: int) -> Any:
    """Whether a line looks as if it went on the record before: indented, closing, or a line of a trace."""
    if start >= end:
        return True
    byte = buf[start]
    if byte in (32, 9, 125, 41, 93):
        return True
    left = end - start
    if byte == 97:  # "at "
        return left > 3 and buf[start + 1] == 116 and buf[start + 2] == 32
    if byte == 46:  # "..."
        return left > 3 and buf[start + 1] == 46 and buf[start + 2] == 46
    if byte == 67:  # "Caused by"
        return (
            left > 9
            and buf[start + 1] == 97
            and buf[start + 2] == 117
            and buf[start + 3] == 115
            and buf[start + 7] == 98
        )
    return _is_traceback(buf, start, end) or _is_exception(buf, start, end)


@kernel
def _is_exception(buf: Any, start: int, end: int) -> Any:
    """Whether a line begins with a dotted name of an exception: `java.io.IOException: gone`."""
    dots = 0
    i = start
    while i < end and (buf[i] == 46 or buf[i] == 36 or buf[i] == 95 or _is_letter_or_digit(buf[i])):
        dots += buf[i] == 46
        i += 1
    if not dots or i - start < 8 or (i < end and buf[i] != 58):
        return False
    # …Exception, …Error
    if buf[i - 1] == 110:
        return buf[i - 9] == 69 and buf[i - 8] == 120 and buf[i - 7] == 99 and buf[i - 6] == 101
    return (
        buf[i - 5] == 69
        and buf[i - 4] == 114
        and buf[i - 3] == 114
        and buf[i - 2] == 111
        and buf[i - 1] == 114
    )


@kernel
def _is_letter_or_digit(byte: int) -> bool:
    return 48 <= byte <= 57 or 97 <= (byte | 32) <= 122


@kernel
def _is_traceback(buf: Any, start: int, end: int) -> Any:
    """Whether a line is Python's `Traceback (most recent call last):` or one of its bridges."""
    if end - start < 16:
        return False
    if buf[start] == 84:  # Traceback (
        return (
            buf[start + 1] == 114 and buf[start + 2] == 97 and buf[start + 5] == 98 and buf[start + 10] == 40
        )
    return False


@kernel
def _number(buf: Any, start: int, end: int) -> Any:
    """A whole number and its count of digits; a fraction is left out; 0 digits when it is none."""
    value = 0
    digits = 0
    i = start
    while i < end and 48 <= buf[i] <= 57 and digits < 19:
        value = value * 10 + (buf[i] - 48)
        digits += 1
        i += 1
    if i < end and buf[i] != 46:
        return 0, 0
    return value, digits


@kernel
def _json_severity(buf: Any, start: int, end: int, severities: Any, numbers: Any) -> Any:
    """The severity that a JSON value names, as a word or as a number of the common loggers; 0 when none."""
    value, digits = _number(buf, start, end)
    if digits == 0:
        return look_up(severities, numbers, hash_name(buf, start, end))
    if value >= 60:
        return 21
    if value >= 10:  # pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error
        return (1, 5, 9, 13, 17)[value // 10 - 1]
    if value < 8:  # GELF and syslog
        return (24, 22, 21, 17, 13, 10, 9, 5)[value]
    return 0


@kernel
def _run_first_fit(
    buf: Any,
    start: int,
    end: int,
    layouts: Any,
    lengths: Any,
    last_resorts: Any,
    last: int,
    severities: Any,
    numbers: Any,
    newest_ns: int,
) -> Any:
    """What `run_layout` gives for the first layout that fits, its number, and the one to begin with next time.

    The layout that fitted the line before is tried first: it nearly always fits again.
    """
    count = lengths.shape[0]
    for turn in range(-1, count):
        k = last if turn < 0 else turn
        if turn >= 0 and k == last:
            continue
        if k >= count:
            continue
        time, place, severity, service_start, service_end = run_layout(
            buf, start, end, layouts[k], lengths[k], severities, numbers, newest_ns
        )
        if place >= 0:
            return time, place, severity, service_start, service_end, k, last if last_resorts[k] else k
    return NO_TIME, np.int64(-1), 0, np.int64(0), np.int64(0), last, last


@kernel
def _json_time(
    buf: Any,
    start: int,
    end: int,
    layouts: Any,
    lengths: Any,
    last_resorts: Any,
    last: int,
    severities: Any,
    numbers: Any,
    newest_ns: int,
) -> Any:
    """The time a JSON value tells, and the number of the layout that read it."""
    value, digits = _number(buf, start, end)
    if digits > 0:
        time = epoch_ns(value, digits)
        if time == NO_TIME:
            return NO_TIME, last
        scale = 100_000_000
        i = start + digits
        if digits == 10 and i < end:
            i += 1
            while i < end and 48 <= buf[i] <= 57:
                time += (buf[i] - 48) * scale
                scale //= 10
                i += 1
        return time, last
    time, place, _, _, _, _, last = _run_first_fit(
        buf, start, end, layouts, lengths, last_resorts, last, severities, numbers, newest_ns
    )
    return (time, last) if place >= 0 else (NO_TIME, last)


@kernel
def _service_code(buf: Any, start: int, end: int, hashes: Any, spans: Any, count: int) -> Any:
    """(code, count of services): the code of a name seen before, or the next one; 0 when the table is full."""
    name = hash_name(buf, start, end) | np.uint64(1)
    slot = np.int64((name >> np.uint64(7)) & np.uint64(511))
    while hashes[slot, 0] != 0:
        if hashes[slot, 0] == name:
            return np.int64(hashes[slot, 1]), count
        slot = (slot + 1) & 511
    if count >= MAX_SERVICES:
        return 0, count
    spans[count, 0] = start
    spans[count, 1] = end
    count += 1
    hashes[slot, 0] = name
    hashes[slot, 1] = np.uint64(count)
    return count, count


@kernel
def _read(
    buf: Any,
    start: int,
    newlines: Any,
    layouts: Any,
    lengths: Any,
    headed: Any,
    last_resorts: Any,
    value_layouts: Any,
    value_lengths: Any,
    json_keys: Any,
    json_meanings: Any,
    json_severities: Any,
    json_numbers: Any,
    severities: Any,
    numbers: Any,
    joins_undated: bool,
    whole_lines: bool,
    newest_ns: int,
    out64: Any,
    out_hash: Any,
    out_lines: Any,
    out8: Any,
    service_spans: Any,
) -> Any:
    """(records, services, whether the first record continues). See `read_records`."""
    n = 0
    services = 0
    service_hashes = np.zeros((512, 2), np.uint64)
    no_last_resorts = np.zeros(value_lengths.shape[0], np.bool_)
    found = np.zeros((ROLES, 3), np.int64)
    spans = np.empty((1, 3), np.int64)
    first_continues = False
    last_layout = 0
    last_value_layout = 0
    in_traceback = False
    previous_dated = joins_undated
    line = start
    for number in range(newlines.shape[0]):
        stop = newlines[number]
        behind = stop + 1
        while stop > line and buf[stop - 1] == 13:
            stop -= 1
        time = NO_TIME
        severity = 0
        kind = PLAIN
        body = line
        body_end = stop
        failure = 0
        failure_end = 0
        service_start = 0
        service_end = 0
        opens = True
        if not whole_lines:
            lead = line
            while lead < stop and buf[lead] == 32:
                lead += 1
            if buf[lead] == 123 and find_json_fields(buf, lead, stop, json_keys, json_meanings, found):
                kind = JSON
                if found[TIME, 2]:
                    time, last_value_layout = _json_time(
                        buf,
                        found[TIME, 0],
                        found[TIME, 1],
                        value_layouts,
                        value_lengths,
                        no_last_resorts,
                        last_value_layout,
                        severities,
                        numbers,
                        newest_ns,
                    )
                if found[SEVERITY, 2]:
                    severity = _json_severity(
                        buf, found[SEVERITY, 0], found[SEVERITY, 1], json_severities, json_numbers
                    )
                if severity == 0 and found[SEVERITY_NUMBER, 2]:
                    value, digits = _number(buf, found[SEVERITY_NUMBER, 0], found[SEVERITY_NUMBER, 1])
                    severity = value if digits > 0 and value <= 24 else 0
                if found[BODY, 2]:
                    body, body_end = found[BODY, 0], found[BODY, 1]
                if found[SERVICE, 2]:
                    service_start, service_end = found[SERVICE, 0], found[SERVICE, 1]
                if found[FAILURE, 2] and found[BODY, 2]:
                    failure, failure_end = found[FAILURE, 0], found[FAILURE, 1]
            else:
                time, place, severity, service_start, service_end, layout, last_layout = _run_first_fit(
                    buf,
                    line,
                    stop,
                    layouts,
                    lengths,
                    last_resorts,
                    last_layout,
                    severities,
                    numbers,
                    newest_ns,
                )
                if place >= 0:
                    kind = LAYOUT + layout
                    body = place
                    if headed[layout]:
                        severity, body, service_start, service_end = read_header(
                            buf, place, stop, severity, severities, numbers
                        )
                else:
                    looks = continues_record(buf, line, stop)
                    # A line that begins with a year is no continuation even where its date is impossible.
                    year = (
                        stop - line > 8
                        and 48 <= buf[line] <= 57
                        and 48 <= buf[line + 1] <= 57
                        and 48 <= buf[line + 2] <= 57
                        and 48 <= buf[line + 3] <= 57
                    )
                    opens = not (looks or in_traceback or (previous_dated and not year))
                    if in_traceback and not looks:
                        in_traceback = False  # the exception's own line ends the trace
                    elif _is_traceback(buf, line, stop):
                        in_traceback = True
        if not opens and n > 0 and out_lines[n - 1] < MAX_JOINED_LINES:
            out64[1, n - 1] = stop
            out_lines[n - 1] += 1
        else:
            if n == 0:
                first_continues = not opens
            if opens:
                in_traceback = False
                previous_dated = joins_undated and kind >= LAYOUT
            shape, value_hash, _ = walk(buf, body, body_end, spans, False)
            if failure_end > failure:
                failure_shape, failure_values, _ = walk(buf, failure, failure_end, spans, False)
                shape = (shape ^ (failure_shape + _JOIN)) * _JOIN
                value_hash ^= failure_values
            service = 0
            if service_end > service_start:
                service, services = _service_code(
                    buf, service_start, service_end, service_hashes, service_spans, services
                )
            out64[0, n] = line
            out64[1, n] = stop
            out64[2, n] = time
            out64[3, n] = body
            out64[4, n] = body_end
            out64[5, n] = failure
            out64[6, n] = failure_end
            out_hash[0, n] = shape
            out_hash[1, n] = value_hash
            out_lines[n] = 1
            out8[0, n] = severity
            out8[1, n] = kind
            out8[2, n] = service
            n += 1
        line = behind
    return n, services, first_continues


def read_records(buf: NDArray[np.uint8], start: int, end: int, reading: Reading) -> Records:
    """The records of `buf[start:end]`, which begins at a line's start and ends behind a newline.

    `buf` has at least PADDING bytes behind `end`. May run on several threads at once.
    """
    # The loops inside a line stop at its newline and test nothing else: without one they would run on.
    if (end > start and buf[end - 1] != _NEWLINE) or len(buf) < end + PADDING:
        raise ValueError("a block ends with a newline and has PADDING bytes behind it")
    newlines = start + np.flatnonzero(buf[start:end] == _NEWLINE)
    capacity = len(newlines)
    out64 = np.empty((7, capacity), np.int64)
    out_hash = np.empty((2, capacity), np.uint64)
    out_lines = np.empty(capacity, np.int32)
    out8 = np.empty((3, capacity), np.uint8)
    service_spans = np.zeros((MAX_SERVICES, 2), np.int64)
    n, services, continues = _read(
        buf,
        start,
        newlines,
        reading.layouts,
        reading.layout_lengths,
        reading.headed,
        reading.last_resorts,
        reading.value_layouts,
        reading.value_layout_lengths,
        reading.json_keys.keys,
        reading.json_keys.values,
        reading.json_severities.keys,
        reading.json_severities.values,
        reading.severities.keys,
        reading.severities.values,
        reading.joins_undated,
        reading.whole_lines,
        reading.newest_ns,
        out64,
        out_hash,
        out_lines,
        out8,
        service_spans,
    )
    names = tuple(bytes(buf[a:b]) for a, b in service_spans[:services].tolist())
    return Records(
        start=out64[0, :n],
        end=out64[1, :n],
        lines=out_lines[:n],
        time_ns=out64[2, :n],
        severity=out8[0, :n],
        kind=out8[1, :n],
        service=out8[2, :n],
        body_start=out64[3, :n],
        body_end=out64[4, :n],
        failure_start=out64[5, :n],
        failure_end=out64[6, :n],
        shape=out_hash[0, :n],
        value_hash=out_hash[1, :n],
        services=names,
        continues=continues,
    )
