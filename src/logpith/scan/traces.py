"""Lines that go on the record before them: stack traces of the languages in use, indented and closing lines.

Python   Traceback (most recent call last): … ValueError: bad       During handling of the above exception, …
Java     java.io.IOException: gone, \tat a.b.C(C.java:1), Caused by: …, ... 12 more
Node     TypeError: x is undefined, and indented lines; a crash begins with the place, its source line and a caret
Go       panic: …, goroutine 1 [running]: and all that follows, blank lines too
Rust     thread 'main' panicked at …: and its message, note: …, stack backtrace:
"""

from __future__ import annotations

from typing import Any

import numpy as np

from logpith.scan.kernel import kernel

# Which trace a record is in the middle of.
NO_TRACE = 0
PYTHON = 1  # between `Traceback` and the exception's own line
PYTHON_ENDED = 2  # behind that line, where another may be chained on
GO = 3
RUST_HEAD = 4  # the message comes next
RUST = 5
JAVA = 6
CRASHED = 7  # as JAVA, of a thread that has ended
NODE_PLACE = 8  # the source line comes next, then the caret
NODE_SOURCE = 9
NODE_CARET = 10  # blank lines and the exception come next
NODE = 11

_MOST_SOURCE_BYTES = 4096

_STARTS = (
    b"Traceback (most recent call last)",
    b"During handling of the above exception",
    b"The above exception was the direct cause",
    b"Exception in thread ",
    b"panic: ",
    b"fatal error: ",
    b"goroutine ",
    b"[signal ",
    b"created by ",
    b"exit status ",
    b"thread '",
    b"note: ",
    b"stack backtrace:",
    b"Caused by",
    b"Node.js v",
)
_TRACEBACK, _DURING, _ABOVE, _IN_THREAD, _PANIC, _FATAL, _GOROUTINE, _SIGNAL, _CREATED, _EXIT = range(10)
_THREAD, _NOTE, _BACKTRACE, _CAUSED, _NODE = range(10, 15)
_TEXT = np.frombuffer(b"".join(_STARTS), np.uint8)
_FROM = np.cumsum([0, *map(len, _STARTS)])
_PANICKED = np.frombuffer(b" panicked at ", np.uint8)


@kernel
def _begins(buf: Any, start: int, end: int, which: int) -> bool:
    """Whether a line begins with one of `_STARTS`."""
    first = _FROM[which]
    length = _FROM[which + 1] - first
    if end - start < length:
        return False
    for k in range(length):  # noqa: SIM110 - a kernel has no generators
        if buf[start + k] != _TEXT[first + k]:
            return False
    return True


@kernel
def continues_record(buf: Any, start: int, end: int) -> Any:
    """Whether a line looks as if it went on the record before: indented, closing, or a line of a trace."""
    if start >= end:
        return True
    byte = buf[start]
    if byte == 32 or byte == 9 or byte == 125 or byte == 41 or byte == 93:
        return True
    left = end - start
    if byte == 97:  # "at "
        return left > 3 and buf[start + 1] == 116 and buf[start + 2] == 32
    if byte == 46:  # "..."
        return left > 3 and buf[start + 1] == 46 and buf[start + 2] == 46
    if byte == 67 and _begins(buf, start, end, _CAUSED):
        return True
    if byte == 84 and (_begins(buf, start, end, _TRACEBACK) or _begins(buf, start, end, _ABOVE)):
        return True
    if byte == 68 and _begins(buf, start, end, _DURING):
        return True
    if byte == 103 and _begins(buf, start, end, _GOROUTINE):
        return buf[end - 1] == 58 and buf[end - 2] == 93
    return names_exception(buf, start, end, True)


@kernel
def names_exception(buf: Any, start: int, end: int, dotted: bool) -> Any:
    """Whether a line begins with an exception's name, `java.io.IOException: gone`; with `dotted` only such names."""
    dots = 0
    i = start
    while i < end and (buf[i] == 46 or buf[i] == 36 or buf[i] == 95 or _is_letter_or_digit(buf[i])):
        dots += buf[i] == 46
        i += 1
    if (dotted and not dots) or i - start < 8 or (i < end and buf[i] != 58):
        return False
    if not dots and not 65 <= buf[start] <= 90:
        return False
    # …Exception, …Error
    if buf[i - 1] == 110:
        return (
            i - start >= 9
            and buf[i - 9] == 69
            and buf[i - 8] == 120
            and buf[i - 7] == 99
            and buf[i - 6] == 101
        )
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
def _is_rust_panic(buf: Any, start: int, end: int) -> bool:
    if not _begins(buf, start, end, _THREAD):
        return False
    length = _PANICKED.shape[0]
    for i in range(start + 8, min(end - length, start + 120)):
        if buf[i] == 39:
            at = i + 1
            if buf[at] == 32 and buf[at + 1] == 40:  # the number of the thread
                at += 2
                while 48 <= buf[at] <= 57:
                    at += 1
                at += 1
            if at + length > end:
                return False
            same = True
            for k in range(length):
                same = same and buf[at + k] == _PANICKED[k]
            return same
    return False


@kernel
def _is_node_crash(buf: Any, start: int, end: int) -> bool:
    """Whether a line is `/app/x.js:12`, and behind it come a source line and one with nothing but a caret."""
    i = end - 1
    while i > start and 48 <= buf[i] <= 57:
        i -= 1
    if i == end - 1 or buf[i] != 58:
        return False
    for at in range(start, i):
        if buf[at] == 32 or buf[at] == 9:
            return False
    stop: int = min(buf.shape[0], end + _MOST_SOURCE_BYTES)
    i = end
    for _ in range(2):
        while i < stop and buf[i] != 10:
            i += 1
        i += 1
    carets = 0
    while i < stop and (buf[i] == 32 or buf[i] == 9 or buf[i] == 94):
        carets += buf[i] == 94
        i += 1
    return carets > 0 and i < stop and (buf[i] == 10 or buf[i] == 13)


@kernel
def trace_begun(buf: Any, start: int, end: int) -> Any:
    """(trace, severity) of what a line that opens a record begins: a trace that stands alone, or nothing."""
    if end - start < 6:
        return NO_TRACE, 0
    byte = buf[start]
    if byte == 84 and _begins(buf, start, end, _TRACEBACK):
        return PYTHON, 17
    if byte == 112 and _begins(buf, start, end, _PANIC):
        return GO, 17
    if byte == 102 and _begins(buf, start, end, _FATAL):
        return GO, 21
    if byte == 103 and _begins(buf, start, end, _GOROUTINE) and buf[end - 1] == 58 and buf[end - 2] == 93:
        return GO, 0
    if byte == 116 and _is_rust_panic(buf, start, end):
        return (RUST_HEAD if buf[end - 1] == 58 else RUST), 17
    if byte == 69 and _begins(buf, start, end, _IN_THREAD):
        return CRASHED, 17
    if 48 <= buf[end - 1] <= 57 and _is_node_crash(buf, start, end):
        return NODE_PLACE, 17
    if names_exception(buf, start, end, False):
        return JAVA, 17
    return NO_TRACE, 0


@kernel
def is_crash(trace: int) -> bool:
    """Whether a trace so begun is the end of a program or a thread: a record of its own wherever it stands."""
    return trace in (GO, RUST, RUST_HEAD, CRASHED, NODE_PLACE)


@kernel
def follow_trace(buf: Any, start: int, end: int, trace: int, alone: bool) -> Any:
    """(whether a line without a time goes on the record before, the trace it leaves that record in).

    `trace` is the one that the record is in, `alone` whether the record is nothing but text: then an exception that is
    no part of a trace is one of its own.
    """
    looks = continues_record(buf, start, end)
    if trace == PYTHON:
        return True, PYTHON if looks else PYTHON_ENDED
    if trace == RUST_HEAD:
        return True, RUST
    if trace == PYTHON_ENDED:
        if looks:
            return True, PYTHON if buf[start] == 84 and _begins(buf, start, end, _TRACEBACK) else PYTHON_ENDED
        return False, NO_TRACE
    if trace == NODE_PLACE:
        return True, NODE_SOURCE
    if trace == NODE_SOURCE:
        return True, NODE_CARET
    if trace == NODE_CARET:
        return True, NODE if start < end else NODE_CARET
    if trace == NODE and _begins(buf, start, end, _NODE):
        return True, NODE
    if trace == RUST and (_begins(buf, start, end, _NOTE) or _begins(buf, start, end, _BACKTRACE)):
        return True, RUST
    if trace == GO and (
        looks
        or buf[end - 1] == 41
        or _begins(buf, start, end, _SIGNAL)
        or _begins(buf, start, end, _CREATED)
        or _begins(buf, start, end, _EXIT)
        or _begins(buf, start, end, _PANIC)
    ):
        return True, GO
    begun, severity = trace_begun(buf, start, end) if start < end else (NO_TRACE, 0)
    if begun == PYTHON or (begun == GO and severity == 0):
        return (False, NO_TRACE) if begun == PYTHON and alone and trace == NO_TRACE else (True, begun)
    if is_crash(begun):
        return False, NO_TRACE
    if begun == JAVA and alone and trace == NO_TRACE:
        return False, NO_TRACE
    return looks, trace if looks else NO_TRACE
