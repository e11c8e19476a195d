"""One pass over a buffer of text: lines, records, times, severities, services, shapes.

`read_records` is the hot loop of the product. It looks at each byte about once: a line is cut, recognised
(a JSON object, pairs of keys and values, one of the given layouts, or none of these), joined to the record before
when it continues it, and its body is hashed to a shape by `words.walk`. It allocates nothing per line and holds no
lock, so blocks of a file run on all cores.

Some layouts only wrap a line: what a container runtime or a process manager puts before it. Behind those the line
inside is read as if it stood alone; what Docker writes into a JSON string is first written out without its escapes.

The buffer ends with a newline and PADDING spare bytes, so that no loop needs a bounds test inside a line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logpith.scan.colours import ESCAPE, Plain, take_out_colours
from logpith.scan.headers import read_header
from logpith.scan.json_fields import (
    BODY,
    FAILURE,
    MAX_DEPTH,
    ROLES,
    SERVICE,
    SEVERITY,
    SEVERITY_NUMBER,
    TIME,
    find_json_fields,
)
from logpith.scan.kernel import kernel
from logpith.scan.names import NameTable, hash_name, look_up
from logpith.scan.pairs import find_pairs, may_be_pairs
from logpith.scan.timestamps import NO_TIME, behind_request, epoch_ns, run_layout
from logpith.scan.traces import (
    NO_TRACE,
    NODE_CARET,
    PYTHON_ENDED,
    RUST_HEAD,
    follow_trace,
    is_crash,
    trace_begun,
)
from logpith.scan.words import shape_of, walk

PADDING = 16

# Ways a record was recognised; from LAYOUT and from OWN on, the number of the layout or of the user's format is added.
PLAIN = 0
JSON = 1
PAIRS = 2
GELF = 3
DOCKER = 4
LAYOUT = 5
OWN = 128

# What stands behind a layout.
MESSAGE = 0
HEADER = 1  # a logger's header may come first, see `headers`
QUOTED_REQUEST = 2  # a request and its status are what is mined
LINE = 3  # a whole line, to be read as it would be alone
LINE_OR_PIECE = 4  # the same, of CRI: a line may come in pieces
FIELDS = 5  # a message, unless it is a JSON object or pairs

# A record is never joined from more lines than this: a file whose dated lines are followed by a million
# undated ones shall not become one record.
MAX_JOINED_LINES = 1000

MAX_SERVICES = 255
_NEWLINE = 10
_PIECE_BYTES = 1 << 20  # what is looked through at once stays in the processor's cache
_JOIN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read a source: what `formats/` found out from a sample of it."""

    layouts: NDArray[np.int64]
    """(layouts, steps, 2): operation and argument of each step; see `timestamps`."""

    layout_lengths: NDArray[np.int64]
    """Steps of each layout."""

    behind: NDArray[np.uint8]
    """What stands behind each layout: MESSAGE, HEADER, …"""

    last_resorts: NDArray[np.bool_]
    """Which layouts fit the lines of others too, and know less of them: never tried before those."""

    value_layouts: NDArray[np.int64]
    """Layouts for the times inside JSON fields."""

    value_layout_lengths: NDArray[np.int64]
    json_keys: NameTable
    """What keys mean, in JSON as in pairs."""

    docker_rank: int
    """The rank of the key by which a JSON message is known as a line that Docker has wrapped."""

    unwraps_docker: bool
    """Whether there are such lines: room is made for them only then."""

    gelf_rank: int
    """The same for GELF."""

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

    own_formats: tuple[OwnFormat, ...] = ()
    """What users have said of their lines; asked before everything else."""


class OwnFormat(NamedTuple):
    """A user's regex, as the scan needs it."""

    name: str
    place: int
    """Its number among the formats of this user: what is added to OWN."""

    find: Callable[[bytes], Any]
    """A match of a whole line, or None."""

    roles: tuple[tuple[int, int], ...]
    """Groups by number, and what they mean (`json_fields`)."""

    fields: tuple[tuple[int, str], ...]
    """All named groups, and the fields that they are."""


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
    """PLAIN, JSON, … or LAYOUT + number of the layout, or OWN + number of the user's format."""

    service: NDArray[np.uint8]
    """1 + place in `services`; 0 where none is named."""

    body_start: NDArray[np.int64]
    body_end: NDArray[np.int64]
    """The text that is mined: the message of a JSON line; the first line behind its header otherwise."""

    failure_start: NDArray[np.int64]
    failure_end: NDArray[np.int64]
    """What a JSON line says went wrong beside its message; empty when nothing."""

    escapes: NDArray[np.uint8]
    """How many times the body's text is wrapped in escapes of JSON."""

    shape: NDArray[np.uint64]
    value_hash: NDArray[np.uint64]
    services: tuple[bytes, ...]
    continues: bool
    """Whether the first record in fact goes on the last one of the block before."""

    def __len__(self) -> int:
        return len(self.start)


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
    if value >= 1_000:  # log4j and logback: 5000 trace, 10000 debug, … 50000 fatal
        return (
            (1, 5, 9, 13, 17, 21)[value // 10_000]
            if value == 5_000 or (value % 10_000 == 0 and value <= 50_000)
            else 0
        )
    if value >= 70:  # hundreds mean something else to everyone who counts in them
        return 0
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
def _piece(buf: Any, line: int, place: int) -> Any:
    """(whether a line of CRI is cut, the last letter of its stream): `… stdout P ` before `place`."""
    i = place - 1
    if i > line and buf[i] == 32:
        i -= 1
    while i > line and buf[i] != 32:
        i -= 1
    return buf[i + 1] == 80, buf[i - 1] if i > line else 0


@kernel
def _write_out(buf: Any, start: int, end: int, text: Any, origin: Any) -> Any:
    """Writes the inside of a JSON string without its escapes into `text`; `origin` gets the place of each byte."""
    n = 0
    i = start
    while i < end:
        byte = int(buf[i])
        origin[n] = i
        if byte != 92 or i + 1 >= end:
            text[n] = byte
            n += 1
            i += 1
            continue
        sign = int(buf[i + 1])
        i += 2
        if sign == 117 and i + 4 <= end:  # u
            code = 0
            for k in range(4):
                digit = int(buf[i + k])
                code = code * 16 + (digit - 48 if digit < 58 else (digit | 32) - 87) % 16
            first = origin[n]
            i += 4
            if code < 128:
                text[n] = code
                n += 1
            else:
                # Three bytes are what six can always hold; which ones does not matter to who looks for words.
                text[n] = 0xE0 | (code >> 12)
                text[n + 1] = 0x80 | ((code >> 6) & 63)
                text[n + 2] = 0x80 | (code & 63)
                origin[n + 1] = first
                origin[n + 2] = first
                n += 3
            continue
        if sign == 110:
            sign = 10
        elif sign == 116:
            sign = 9
        elif sign == 114:
            sign = 13
        elif sign == 98 or sign == 102:
            sign = 32
        text[n] = sign
        n += 1
    origin[n] = end
    while n > 0 and (text[n - 1] == 10 or text[n - 1] == 13):
        n -= 1
    text[n] = 10
    return n


@kernel
def _is_lone(buf: Any, line: int, stop: int, bracket: int) -> int:
    """The place of a bracket that is all of its line; -1 when it is not."""
    i = line
    while i < stop and (buf[i] == 32 or buf[i] == 9):
        i += 1
    if i >= stop or buf[i] != bracket:
        return -1
    end = stop
    while end > i + 1 and (buf[end - 1] == 32 or buf[end - 1] == 9 or buf[end - 1] == 44):
        end -= 1
    return i if end == i + 1 else -1


@kernel
def _read(
    buf: Any,
    start: int,
    newlines: Any,
    layouts: Any,
    lengths: Any,
    behinds: Any,
    last_resorts: Any,
    value_layouts: Any,
    value_lengths: Any,
    json_keys: Any,
    json_meanings: Any,
    json_severities: Any,
    json_numbers: Any,
    severities: Any,
    numbers: Any,
    docker_rank: int,
    gelf_rank: int,
    joins_undated: bool,
    whole_lines: bool,
    newest_ns: int,
    own: Any,
    text: Any,
    text_base: int,
    origin: Any,
    out64: Any,
    out_hash: Any,
    out_lines: Any,
    out8: Any,
    service_spans: Any,
    service_hashes: Any,
    no_last_resorts: Any,
    found: Any,
    prefixes: Any,
    spans: Any,
) -> Any:
    """(records, services, whether the first record continues). See `read_records`.

    Each of the functions for fields, layouts, headers and shapes is called from one place, which lets the compiler put
    them in line: two calls of one cost as much as all the rest. Hence the inner loop: its second turn reads the line
    that a wrapper holds; Docker's is written to `text` before, which is the end of `buf` from `text_base` on.
    """
    n = 0
    services = 0
    first_continues: Any = False
    last_layout = 0
    last_value_layout = 0
    last_inner_layout = 0
    trace = NO_TRACE
    alone = not joins_undated  # whether the record so far is nothing but text
    previous_dated = joins_undated
    previous_service = -1
    cut_stream = 0
    object_start = -1
    object_indent = 0
    in_array = False
    line = start
    for number in range(newlines.shape[0]):
        stop = newlines[number]
        behind_line = stop + 1
        while stop > line and buf[stop - 1] == 13:
            stop -= 1
        first = line
        behind_last = stop
        closes_object = False
        if object_start >= 0:
            # An object printed over several lines goes on as long as its lines are indented.
            indent = line
            while indent < stop and (buf[indent] == 32 or buf[indent] == 9):
                indent += 1
            is_blank = indent == stop
            indent -= line
            is_full = out_lines[n - 1] >= MAX_JOINED_LINES
            closing = _is_lone(buf, line, stop, 125) if indent == object_indent and not is_full else -1
            if closing >= 0:
                closes_object = True
                first = object_start
                behind_last = closing + 1
            elif (indent > object_indent or is_blank) and not is_full:
                out64[1, n - 1] = stop
                out_lines[n - 1] += 1
                line = behind_line
                continue
            object_start = -1
        kind = PLAIN  # of the outermost line
        opens = True
        wraps = False
        is_docker = False
        is_cut = False
        stream = 0
        begins = NO_TRACE
        trace_after = trace
        opens_object = -1
        outer_time = NO_TIME
        outer_severity = 0
        outer_service = 0
        outer_service_end = 0
        turn = 0
        while True:
            # One line, or in the second turn the one inside it.
            read_kind = PLAIN
            time = NO_TIME
            severity = 0
            body = first
            body_end = behind_last
            failure = 0
            failure_end = 0
            service_start = 0
            service_end = 0
            escapes = 0
            behind = MESSAGE
            if whole_lines:
                break
            lead = first
            while lead < behind_last and buf[lead] == 32:
                lead += 1
            if turn == 0 and own.shape[0] > 0 and own[number, 0, 2] > 0:
                for role in range(1, ROLES):
                    for k in range(3):
                        found[role, k] = own[number, role, k]
                read_kind = OWN + own[number, 0, 2] - 1
            elif lead < behind_last and buf[lead] == 123:
                is_whole = find_json_fields(buf, lead, behind_last, json_keys, json_meanings, found, prefixes)
                # What the first piece of a cut line tells of an object counts.
                if is_whole or is_cut:
                    read_kind = JSON
                    escapes = 1
                    if found[BODY, 2] == gelf_rank:
                        read_kind = GELF
                    elif (
                        found[BODY, 2] == docker_rank
                        and turn == 0
                        and found[BODY, 0] <= lead + 12
                        and found[TIME, 2] > 0
                        and not closes_object
                    ):
                        read_kind = DOCKER
            elif may_be_pairs(buf, first, behind_last) and find_pairs(
                buf, first, behind_last, json_keys, json_meanings, found
            ):
                read_kind = PAIRS
                escapes = 1
            if read_kind != PLAIN:
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
                    if found[FAILURE, 2]:
                        failure, failure_end = found[FAILURE, 0], found[FAILURE, 1]
                else:
                    escapes = 0
                if found[SERVICE, 2]:
                    service_start, service_end = found[SERVICE, 0], found[SERVICE, 1]
            elif turn < 2:
                time, place, severity, service_start, service_end, layout, next_time = _run_first_fit(
                    buf,
                    first,
                    behind_last,
                    layouts,
                    lengths,
                    last_resorts,
                    last_inner_layout if turn else last_layout,
                    severities,
                    numbers,
                    newest_ns,
                )
                if turn:
                    last_inner_layout = next_time
                else:
                    last_layout = next_time
                if place >= 0:
                    read_kind = LAYOUT + layout
                    body = place
                    behind = behinds[layout]
                    if behind == HEADER:
                        severity, body, service_start, service_end = read_header(
                            buf, place, behind_last, severity, severities, numbers
                        )
                    elif behind == QUOTED_REQUEST:
                        body_end = max(behind_request(buf, place, behind_last), place)
            if turn:
                break
            kind = read_kind
            if kind < DOCKER or (behind < LINE and kind != DOCKER):
                break
            if kind == DOCKER:
                if origin.shape[0] == 0:
                    break
                wraps = True
                is_docker = True
                turn = 1
                first = text_base
                behind_last = text_base + _write_out(buf, body, body_end, text, origin)
            elif body >= stop or (
                behind == FIELDS and buf[body] != 123 and not may_be_pairs(buf, body, behind_last)
            ):
                break
            else:
                first = body
                turn = 2  # only what can be nothing else: a message that has a logger's header stays whole
                if behind != FIELDS:
                    turn = 1
                    wraps = True
                    if behind == LINE_OR_PIECE:
                        is_cut, stream = _piece(buf, line, body)
            outer_time, outer_severity = time, severity
            outer_service, outer_service_end = service_start, service_end
        if turn:
            # When and by whom says the wrapper, if it does; the rest the line inside.
            time = outer_time if outer_time != NO_TIME else time
            severity = severity if severity > 0 else outer_severity
            if is_docker:
                body = origin[body - text_base]
                body_end = origin[body_end - text_base]
                escapes += 1
                if failure_end > failure:
                    failure, failure_end = origin[failure - text_base], origin[failure_end - text_base]
                if service_end > service_start:
                    service_start = origin[service_start - text_base]
                    service_end = origin[service_end - text_base]
            if outer_service_end > outer_service:
                service_start, service_end = outer_service, outer_service_end
        bare = read_kind == PLAIN and (wraps or kind == PLAIN) and not whole_lines and not closes_object
        if bare:
            joins, trace_after = follow_trace(buf, first, behind_last, trace, alone)
            if not joins or wraps:
                begins, failing = trace_begun(buf, first, behind_last)
                if begins != NO_TRACE:
                    severity = failing
            if not wraps:
                if not joins and not is_crash(begins):
                    # A line that begins with a year is no continuation even where its date is impossible.
                    year = (
                        stop - line > 8
                        and 48 <= buf[line] <= 57
                        and 48 <= buf[line + 1] <= 57
                        and 48 <= buf[line + 2] <= 57
                        and 48 <= buf[line + 3] <= 57
                    )
                    joins = previous_dated and not year
                if not joins or in_array:
                    lone = _is_lone(buf, line, stop, 123)
                    if lone >= 0 and (lone == line or in_array):
                        opens_object = lone
                        joins = False
            opens = not joins
        service = 0
        if service_end > service_start:
            service, services = _service_code(
                buf, service_start, service_end, service_hashes, service_spans, services
            )
        if wraps:
            if stream > 0 and cut_stream == stream:
                opens = False
            elif not opens and service != previous_service:
                opens = True
            if opens:
                previous_service = service
            cut_stream = stream if is_cut else 0
        else:
            cut_stream = 0
            if opens:
                previous_service = -1
        row = -1  # the record whose columns this line tells
        if closes_object:
            out64[1, n - 1] = stop
            out_lines[n - 1] += 1
            if kind != PLAIN:
                row = n - 1
                alone = False
        elif not opens and n > 0 and out_lines[n - 1] < MAX_JOINED_LINES:
            out64[1, n - 1] = stop
            out_lines[n - 1] += 1
            if (
                alone
                and trace_after != trace
                and (trace_after == PYTHON_ENDED or trace in (RUST_HEAD, NODE_CARET))
            ):
                # The exception's own line says more of the record than `Traceback` or `panicked at` does.
                row = n - 1
                time = out64[2, row]
                severity = out8[0, row]
            trace = trace_after
        else:
            if n == 0:
                first_continues = not opens
            if opens:
                trace = begins
                alone = kind == PLAIN or (wraps and bare)
                previous_dated = joins_undated and kind >= LAYOUT and not wraps
                if opens_object >= 0:
                    object_start = opens_object
                    object_indent = opens_object - line
                else:
                    in_array = kind == PLAIN and not whole_lines and _is_lone(buf, line, stop, 91) >= 0
            else:
                trace = trace_after
            row = n
            n += 1
            out64[0, row] = line
            out64[1, row] = stop
            out_lines[row] = 1
        if row >= 0:
            shape, value_hash = shape_of(buf, body, body_end, spans)
            if failure_end > failure:
                failure_shape, failure_values, _ = walk(buf, failure, failure_end, spans, False)
                shape = (shape ^ (failure_shape + _JOIN)) * _JOIN
                value_hash ^= failure_values
            out64[2, row] = time
            out64[3, row] = body
            out64[4, row] = body_end
            out64[5, row] = failure
            out64[6, row] = failure_end
            out_hash[0, row] = shape
            out_hash[1, row] = value_hash
            out8[0, row] = severity
            out8[1, row] = kind
            out8[2, row] = service
            out8[3, row] = escapes
        line = behind_line
    return n, services, first_continues


def _own_fields(
    buf: NDArray[np.uint8], start: int, newlines: NDArray[np.int64], reading: Reading
) -> NDArray[np.int64]:
    """(lines, ROLES, 3): what users' formats find in each line, as `find_json_fields` tells it.

    The number of the format, from 1 on, stands in the last place of role 0. Lines that fit none are all zeros.
    """
    own = np.zeros((len(newlines) if reading.own_formats else 0, ROLES, 3), np.int64)
    if not len(own):
        return own
    line = start
    for number, stop in enumerate(newlines.tolist()):
        text = bytes(buf[line:stop]).rstrip(b"\r")
        for form in reading.own_formats:
            match = form.find(text)
            if match is None:
                continue
            own[number, 0, 2] = form.place + 1
            for group, role in form.roles:
                first, behind = match.span(group)
                if behind > first:
                    own[number, role] = line + first, line + behind, 1
            break
        line = stop + 1
    return own


def read_records(buf: NDArray[np.uint8], start: int, end: int, reading: Reading) -> Records:
    """The records of `buf[start:end]`, which begins at a line's start and ends behind a newline.

    `buf` has at least PADDING bytes behind `end`. May run on several threads at once.
    """
    # The loops inside a line stop at its newline and test nothing else: without one they would run on.
    if (end > start and buf[end - 1] != _NEWLINE) or len(buf) < end + PADDING:
        raise ValueError("a block ends with a newline and has PADDING bytes behind it")
    newlines, has_escapes = _newlines(buf, start, end)
    if has_escapes and not reading.whole_lines:
        plain = take_out_colours(buf, start, end, PADDING)
        if len(plain.cuts):
            newlines, _ = _newlines(plain.buf, 0, plain.end)
            return _with_colours(_records(plain.buf, 0, newlines, reading), plain)
    return _records(buf, start, newlines, reading)


def _newlines(buf: NDArray[np.uint8], start: int, end: int) -> tuple[NDArray[np.int64], bool]:
    """The places of all newlines, and whether there is an escape, with which a colour begins."""
    found: list[NDArray[np.int64]] = []
    has_escapes = False
    for first in range(start, end, _PIECE_BYTES):
        piece = buf[first : min(end, first + _PIECE_BYTES)]
        found.append(np.flatnonzero(piece == _NEWLINE) + first)
        has_escapes = has_escapes or bool((piece == ESCAPE).any())
    return np.concatenate(found) if found else np.empty(0, np.int64), has_escapes


def _with_colours(records: Records, plain: Plain) -> Records:
    """The records of a text without its colours, at their places in the text that has them."""
    body_start = plain.places_behind(records.body_start)
    failure_start = plain.places_behind(records.failure_start)
    return replace(
        records,
        start=plain.places_before(records.start),
        end=plain.places_behind(records.end),
        body_start=body_start,
        body_end=np.maximum(body_start, plain.places_before(records.body_end)),
        failure_start=failure_start,
        failure_end=np.maximum(failure_start, plain.places_before(records.failure_end)),
    )


def _records(buf: NDArray[np.uint8], start: int, newlines: NDArray[np.int64], reading: Reading) -> Records:
    """The records of the lines that begin at `start` and end at `newlines`."""
    capacity = len(newlines)
    out64 = np.empty((7, capacity), np.int64)
    out_hash = np.empty((2, capacity), np.uint64)
    out_lines = np.empty(capacity, np.int32)
    out8 = np.empty((4, capacity), np.uint8)
    service_spans = np.zeros((MAX_SERVICES, 2), np.int64)
    text_base = len(buf)
    longest = (
        int(np.diff(newlines, prepend=start).max()) + PADDING if capacity and reading.unwraps_docker else 0
    )
    text = np.empty(0, np.uint8)
    if longest:
        joined = np.concatenate([buf, np.zeros(longest, np.uint8)])
        text = joined[text_base:]
        buf = joined.view()
    else:
        buf = buf.view()
    buf.flags.writeable = False  # as what most callers bring, so that the kernel is compiled once
    n, services, continues = _read(
        buf,
        start,
        newlines,
        reading.layouts,
        reading.layout_lengths,
        reading.behind,
        reading.last_resorts,
        reading.value_layouts,
        reading.value_layout_lengths,
        reading.json_keys.keys,
        reading.json_keys.values,
        reading.json_severities.keys,
        reading.json_severities.values,
        reading.severities.keys,
        reading.severities.values,
        reading.docker_rank,
        reading.gelf_rank,
        reading.joins_undated,
        reading.whole_lines,
        reading.newest_ns,
        _own_fields(buf, start, newlines, reading),
        text,
        text_base,
        np.zeros(longest, np.int64),
        out64,
        out_hash,
        out_lines,
        out8,
        service_spans,
        np.zeros((512, 2), np.uint64),
        np.zeros(len(reading.value_layout_lengths), np.bool_),
        np.zeros((ROLES, 3), np.int64),
        np.zeros(MAX_DEPTH + 1, np.uint64),
        np.empty((1, 3), np.int64),
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
        escapes=out8[3, :n],
        body_start=out64[3, :n],
        body_end=out64[4, :n],
        failure_start=out64[5, :n],
        failure_end=out64[6, :n],
        shape=out_hash[0, :n],
        value_hash=out_hash[1, :n],
        services=names,
        continues=continues,
    )
