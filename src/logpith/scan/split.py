"""Splitting lines into templates and values, and putting them together again: how the store keeps text small.

A line is static text with holes. What stands in the holes are the words that `words.walk` masks, so a hole is always
a whole word, with delimiters around it: no word of a query can lie half in one. A template is the static text with
marks for the holes; two lines share one when their static text and their facts are the same.

    \\x11          a hole: its word is the next of the line's values, which \\x12 stands between
    \\x13 and c    the line's own time, written as the code c says; nothing is kept of it
    \\x10          all of the line is one value, as it stands: it holds one of these marks itself, or there are too
                  many templates

Putting together gives back every byte. A time is left out only where writing it anew gives the same text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel
from logpith.scan.timestamps import NO_TIME
from logpith.scan.words import walk

WHOLE = 0x10
HOLE = 0x11
BETWEEN = 0x12
TIME = 0x13

MOST_TEMPLATES = 32_768
"""Distinct templates of a segment; the lines of further ones are kept whole."""

MOST_FACTS = 4_096
"""Distinct facts of a segment at most: so many templates are left for lines that are kept whole."""

MOST_TEMPLATE_BYTES = 16_384
_MOST_WORDS = 1_024
_TEMPLATES_TEXT_BYTES = 64 << 20
LONGEST_TIME = 30

_FULL, _DATE, _CLOCK = 0, 1, 2
_FIRST_CODE = 0x40
_NS_PER_S = 1_000_000_000
_S_PER_D = 86_400

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_ONE = np.uint64(1)


@kernel
def _date_of(day: int, date: Any) -> None:
    """Year, month and day of a day since 1970, into `date`. After "chrono-Compatible Low-Level Date Algorithms"."""
    z = day + 719468
    era = (z if z >= 0 else z - 146096) // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    date[0] = yoe + era * 400 + (1 if mp >= 10 else 0)
    date[1] = mp + 3 if mp < 10 else mp - 9
    date[2] = doy - (153 * mp + 2) // 5 + 1
    date[3] = day


@kernel
def _digits(buf: Any, start: int, count: int) -> Any:
    """The number that `count` digits say; -1 when one of them is none."""
    value = np.int64(0)
    for i in range(start, start + count):
        digit = np.int64(buf[i]) - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@kernel
def _time_code(buf: Any, start: int, end: int, time: int, date: Any) -> int:
    """The code by which `time` is written exactly as `buf[start:end]`; 0 when there is none."""
    length = end - start
    is_date = length >= 10 and buf[start + 4] == 45 and buf[start + 7] == 45
    if not is_date and not (length >= 8 and buf[start + 2] == 58 and buf[start + 5] == 58):
        return 0
    day = time // (_NS_PER_S * _S_PER_D)
    i = start
    kind = _CLOCK
    if is_date:
        if date[3] != day:
            _date_of(day, date)
        if (
            _digits(buf, i, 4) != date[0]
            or _digits(buf, i + 5, 2) != date[1]
            or _digits(buf, i + 8, 2) != date[2]
        ):
            return 0
        if length == 10:
            return _FIRST_CODE + _DATE * 20
        if length < 19 or buf[i + 10] != 84 or buf[i + 13] != 58 or buf[i + 16] != 58:
            return 0
        kind = _FULL
        i += 11
    second = (time // _NS_PER_S) % _S_PER_D
    if (
        _digits(buf, i, 2) != second // 3600
        or _digits(buf, i + 3, 2) != second // 60 % 60
        or _digits(buf, i + 6, 2) != second % 60
    ):
        return 0
    i += 8
    is_utc = i < end and buf[end - 1] == 90
    behind = end - 1 if is_utc else end
    fraction = 0
    if i < behind:
        fraction = behind - i - 1
        if buf[i] != 46 or fraction < 1 or fraction > 9:
            return 0
        nanos = _digits(buf, i + 1, fraction)
        if nanos < 0:
            return 0
        for _ in range(9 - fraction):
            nanos *= 10
        if nanos != time % _NS_PER_S:
            return 0
    elif time % _NS_PER_S != 0:
        return 0
    return _FIRST_CODE + kind * 20 + fraction * 2 + (1 if is_utc else 0)


@kernel
def _put_digits(out: Any, place: int, value: int, count: int) -> int:
    for i in range(place + count - 1, place - 1, -1):
        out[i] = 48 + value % 10
        value //= 10
    return place + count


@kernel
def _put_time(out: Any, place: int, time: int, code: int, date: Any) -> int:
    """Writes a time as its code says; the place behind it."""
    code -= _FIRST_CODE
    kind = code // 20
    fraction = code % 20 // 2
    if kind != _CLOCK:
        day = time // (_NS_PER_S * _S_PER_D)
        if date[3] != day:
            _date_of(day, date)
        place = _put_digits(out, place, date[0], 4)
        out[place] = 45
        place = _put_digits(out, place + 1, date[1], 2)
        out[place] = 45
        place = _put_digits(out, place + 1, date[2], 2)
        if kind == _DATE:
            return place
        out[place] = 84
        place += 1
    second = (time // _NS_PER_S) % _S_PER_D
    place = _put_digits(out, place, second // 3600, 2)
    out[place] = 58
    place = _put_digits(out, place + 1, second // 60 % 60, 2)
    out[place] = 58
    place = _put_digits(out, place + 1, second % 60, 2)
    if fraction > 0:
        out[place] = 46
        nanos = time % _NS_PER_S
        for _ in range(9 - fraction):
            nanos //= 10
        place = _put_digits(out, place + 1, nanos, fraction)
    if code % 2 == 1:
        out[place] = 90
        place += 1
    return place


@kernel
def _is_same(
    buf: Any, start: int, end: int, spans: Any, count: int, texts: Any, text: int, text_end: int
) -> Any:
    """Whether a line's static text and marks are those of a template."""
    # Unsigned indices: numba would ask of each signed one whether it counts from the end.
    i = np.uint64(start)
    t = np.uint64(text)
    last = np.uint64(text_end)
    for k in range(count + 1):
        stop = np.uint64(spans[k, 0]) if k < count else np.uint64(end)
        if last < t + (stop - i):
            return False
        while i < stop:
            if buf[i] != texts[t]:
                return False
            i += _ONE
            t += _ONE
        if k < count:
            code = spans[k, 2]
            if t >= last:
                return False
            if code == 0:
                if texts[t] != HOLE:
                    return False
                t += _ONE
            else:
                if t + _ONE >= last or texts[t] != TIME or texts[t + _ONE] != code:
                    return False
                t += _ONE + _ONE
            i = np.uint64(spans[k, 1])
    return t == last


@kernel
def _copy(source: Any, start: Any, end: Any, out: Any, place: Any) -> Any:
    """Copies `source[start:end]` to `out` from `place` on; the place behind it."""
    first = np.uint64(start)
    to = np.uint64(place)
    for i in range(first, np.uint64(end)):
        out[to + (i - first)] = source[i]
    return place + (end - start)


@kernel
def _holds_marks(buf: Any, start: int, end: int) -> Any:
    found = np.uint8(0)
    for i in range(np.uint64(start), np.uint64(end)):
        found |= np.uint8(np.uint8(buf[i] - np.uint8(WHOLE)) <= np.uint8(TIME - WHOLE))
    return found != 0


@kernel
def _is_status(buf: Any, start: int, begin: int, end: int) -> Any:
    """Whether a word is what a request was answered with: `"GET /a HTTP/1.1" 502`. That is no value (`words.py`)."""
    if end - begin != 3 or begin - start < 6 or buf[begin - 1] != 32 or buf[begin - 2] != 34:
        return False
    return buf[begin - 4] == 46 or buf[begin - 4] == 47


@kernel
def _mark_samples(tids: Any, counts: Any, seen: Any, samples: Any) -> None:
    """The first row of each template, one in the middle and the last."""
    for row in range(tids.shape[0]):
        tid = tids[row]
        if seen[tid] == 0:
            samples[tid, 0] = row
        if seen[tid] == counts[tid] // 2:
            samples[tid, 1] = row
        samples[tid, 2] = row
        seen[tid] += 1


def samples_of(tids: NDArray[np.int32], templates: int) -> NDArray[np.int64]:
    """(templates, 3): three rows of each, the same one more than once where there are fewer."""
    counts = np.bincount(tids, minlength=templates)
    samples = np.zeros((templates, 3), np.int64)
    _mark_samples(tids, counts, np.zeros(templates, np.int64), samples)
    return samples


@kernel
def _split(
    buf: Any,
    starts: Any,
    ends: Any,
    order: Any,
    first: int,
    times: Any,
    facts: Any,
    spans: Any,
    slots: Any,
    hashes: Any,
    texts: Any,
    text_ends: Any,
    template_facts: Any,
    state: Any,
    tids: Any,
    values: Any,
    value_ends: Any,
    date: Any,
) -> Any:
    """The row to go on with: behind the last, or the first whose values found no room.

    `state` holds the count of templates, and how many bytes of `values` are taken.
    """
    mask = np.uint64(slots.shape[0] - 1)
    for row in range(first, order.shape[0]):
        record = order[row]
        start = starts[record]
        end = ends[record]
        taken = state[1]
        if values.shape[0] - taken < end - start:
            return row
        time = times[record]
        is_whole = _holds_marks(buf, start, end)
        count = 0
        key = np.uint64(0)
        if not is_whole:
            key, _, words = walk(buf, start, end, spans, True)
            words = min(words, spans.shape[0])
            for k in range(words):
                if spans[k, 2] != 0 and not _is_status(buf, start, spans[k, 0], spans[k, 1]):
                    spans[count, 0] = spans[k, 0]
                    spans[count, 1] = spans[k, 1]
                    spans[count, 2] = (
                        _time_code(buf, spans[k, 0], spans[k, 1], time, date) if time != NO_TIME else 0
                    )
                    count += 1
        tid = -1
        fact = facts[record]
        for attempt in range(2):
            if is_whole or attempt == 1:
                key = _GOLDEN
                is_whole = True
            key = (key ^ (fact * _GOLDEN)) * _GOLDEN
            key ^= key >> _SHIFT
            slot = np.int64(key & mask)
            while slots[slot] >= 0:
                t = slots[slot]
                if hashes[t] == key and template_facts[t] == fact:
                    text = text_ends[t - 1] if t > 0 else 0
                    if is_whole:
                        if text_ends[t] == text + 1 and texts[text] == WHOLE:
                            tid = t
                            break
                    elif _is_same(buf, start, end, spans, count, texts, text, text_ends[t]):
                        tid = t
                        break
                slot = (slot + 1) & np.int64(mask)
            if tid >= 0:
                break
            text = text_ends[state[0] - 1] if state[0] > 0 else 0
            is_full = state[0] >= template_facts.shape[0] - MOST_FACTS
            if attempt == 0 and (
                is_full
                or end - start > MOST_TEMPLATE_BYTES
                or text + 2 * (end - start) + MOST_FACTS > texts.shape[0]
            ):
                continue  # it is kept whole
            tid = state[0]
            slots[slot] = tid
            hashes[tid] = key
            template_facts[tid] = fact
            if is_whole:
                texts[text] = WHOLE
                text += 1
            else:
                i = start
                for k in range(count + 1):
                    text = _copy(buf, i, spans[k, 0] if k < count else end, texts, text)
                    if k < count:
                        if spans[k, 2] == 0:
                            texts[text] = HOLE
                        else:
                            texts[text] = TIME
                            text += 1
                            texts[text] = spans[k, 2]
                        text += 1
                        i = spans[k, 1]
            text_ends[tid] = text
            state[0] += 1
            break
        tids[row] = tid
        if is_whole:
            taken = _copy(buf, start, end, values, taken)
        else:
            is_first = True
            for k in range(count):
                if spans[k, 2] != 0:
                    continue
                if not is_first:
                    values[taken] = BETWEEN
                    taken += 1
                is_first = False
                taken = _copy(buf, spans[k, 0], spans[k, 1], values, taken)
        state[1] = taken
        value_ends[row] = taken
    return order.shape[0]


@dataclass(frozen=True)
class Split:
    """Lines as templates and values."""

    tids: NDArray[np.int32]
    """The template of each row."""

    values: NDArray[np.uint8]
    """The values of all rows behind each other."""

    value_ends: NDArray[np.int64]
    """Where the values of each row end."""

    texts: NDArray[np.uint8]
    """The templates behind each other."""

    text_ends: NDArray[np.int64]
    facts: NDArray[np.uint64]
    """What the lines of each template have in common besides."""

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Templates whose lines are kept as they stand."""
        firsts = np.concatenate([[0], self.text_ends[:-1]])[: len(self.text_ends)]
        if not len(self.texts):  # the one template is that of the empty line
            return np.zeros(len(firsts), np.bool_)
        of_first = self.texts[np.minimum(firsts, len(self.texts) - 1)]
        found: NDArray[np.bool_] = (self.text_ends - firsts == 1) & (of_first == WHOLE)
        return found


def split_lines(
    buf: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    order: NDArray[np.int64],
    times: NDArray[np.int64],
    facts: NDArray[np.uint64],
) -> Split:
    """The lines `buf[start:end]`, in `order`. Behind each of them stand a delimiter and four readable bytes.

    Lines share a template only where `facts` are the same; of those there are at most MOST_FACTS.
    """
    rows = len(order)
    room = int((ends - starts).sum()) // 2 + (1 << 16)
    longest = int((ends - starts).max()) if rows else 0
    room = max(room, longest)
    values = np.empty(room, np.uint8)
    value_ends = np.empty(rows, np.int64)
    tids = np.empty(rows, np.int32)
    slots = np.full(4 * MOST_TEMPLATES, -1, np.int64)
    hashes = np.empty(MOST_TEMPLATES, np.uint64)
    texts = np.empty(_TEMPLATES_TEXT_BYTES, np.uint8)
    text_ends = np.zeros(MOST_TEMPLATES, np.int64)
    template_facts = np.empty(MOST_TEMPLATES, np.uint64)
    state = np.zeros(2, np.int64)
    spans = np.empty((_MOST_WORDS, 3), np.int64)
    date = np.full(4, -(1 << 62), np.int64)
    row = 0
    while True:
        row = _split(
            buf,
            starts,
            ends,
            order,
            row,
            times,
            facts,
            spans,
            slots,
            hashes,
            texts,
            text_ends,
            template_facts,
            state,
            tids,
            values,
            value_ends,
            date,
        )
        if row >= rows:
            break
        values = np.concatenate([values, np.empty(max(len(values) // 2, longest), np.uint8)])
    count, taken = state.tolist()
    return Split(
        tids,
        values[:taken],
        value_ends,
        texts[: text_ends[count - 1] if count else 0].copy(),
        text_ends[:count].copy(),
        template_facts[:count].copy(),
    )


@kernel
def _join(
    rows: Any,
    tids: Any,
    times: Any,
    values: Any,
    value_starts: Any,
    value_ends: Any,
    texts: Any,
    text_offsets: Any,
    marks: Any,
    first_mark: Any,
    out: Any,
    out_starts: Any,
    date: Any,
) -> Any:
    place: Any = np.int64(0)
    for k in range(rows.shape[0]):
        row = rows[k]
        out_starts[k] = place
        tid = tids[row]
        t = text_offsets[tid]
        text_end = text_offsets[tid + 1]
        v = np.uint64(value_starts[k])
        value_end = np.uint64(value_ends[k])
        for m in range(first_mark[tid], first_mark[tid + 1]):
            mark = marks[m]
            place = _copy(texts, t, mark, out, place)
            kind = texts[mark]
            t = mark + 1
            if kind == TIME:
                place = _put_time(out, place, times[row], texts[t], date)
                t += 1
            elif kind == WHOLE:
                place = _copy(values, np.int64(v), np.int64(value_end), out, place)
            else:
                to = np.uint64(place)
                while v < value_end and values[v] != BETWEEN:
                    out[to] = values[v]
                    to += _ONE
                    v += _ONE
                v += _ONE
                place = np.int64(to)
        place = _copy(texts, t, text_end, out, place)
        out[place] = 10
        place += 1
    return place


@dataclass(frozen=True)
class Templates:
    """Templates' texts behind each other, made ready to be put together with values."""

    texts: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    """One entry more than templates."""

    marks: NDArray[np.int64]
    """The places of all marks; the code behind a time is none."""

    first_mark: NDArray[np.int64]
    """For each template, and one more."""

    static_bytes: NDArray[np.int64]
    """Of each template without its holes, at most."""

    @classmethod
    def of(cls, texts: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Templates:
        """Of texts and their borders."""
        marks = np.flatnonzero((texts == HOLE) | (texts == TIME) | (texts == WHOLE))
        first_mark = np.searchsorted(marks, offsets)
        times = np.concatenate([[0], np.cumsum(texts[marks] == TIME)])
        times_of = times[first_mark[1:]] - times[first_mark[:-1]]
        return cls(texts, offsets, marks, first_mark, np.diff(offsets) + times_of * LONGEST_TIME)


def join_lines(
    rows: NDArray[np.int64],
    tids: NDArray[np.int32],
    times: NDArray[np.int64],
    values: NDArray[np.uint8],
    spans: tuple[NDArray[np.int64], NDArray[np.int64]],
    templates: Templates,
    padding: int,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
    """(buffer, where each line begins in it, its end): the lines of some rows, each with a newline behind it.

    `padding` bytes follow the end. `tids` and `times` are of all rows, `spans` (where values start and
    end) of those.
    """
    value_starts, value_ends = spans
    held = value_ends - value_starts
    room = int(templates.static_bytes[tids[rows]].sum() + held.sum()) + len(rows)
    out = np.empty(room + padding, np.uint8)
    starts = np.empty(len(rows), np.int64)
    date = np.full(4, -(1 << 62), np.int64)
    end = _join(
        rows,
        tids,
        times,
        values,
        value_starts,
        value_ends,
        templates.texts,
        templates.offsets,
        templates.marks,
        templates.first_mark,
        out,
        starts,
        date,
    )
    out[end : end + padding] = 0
    return out, starts, end
