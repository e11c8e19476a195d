"""Severity: every spelling of a level met in the wild, as OpenTelemetry's numbers 1 to 24.

Follows the log data model of OpenTelemetry (https://opentelemetry.io/docs/specs/otel/logs/data-model/).
We differ from its example mapping in one point: there syslog's critical is 18 while the critical of other
systems is 21. Here all of them are 21, so that `level>=critical` means the same whoever wrote the line.

Unknown is 0 and stays 0: a line that says nothing of its severity is not "info".
"""

from __future__ import annotations

import re
from functools import lru_cache

TRACE, DEBUG, INFO, WARN, ERROR, FATAL = 1, 5, 9, 13, 17, 21
"""The lowest number of each band, which is what the plain names stand for."""

_BANDS_UPWARDS = (TRACE, DEBUG, INFO, WARN, ERROR, FATAL)

BANDS = ("", "trace", "debug", "info", "warn", "error", "fatal")
"""The canonical names, by band: band 0 is unknown, band 1 the numbers 1 to 4, band 6 the numbers 21 to 24."""

_NUMBERED = {
    # OpenTelemetry's own short names: info is 9, info2 is 10.
    f"{name}{step}": lowest + step - 1
    for name, lowest in zip(BANDS[1:], _BANDS_UPWARDS, strict=True)
    for step in (2, 3, 4)
}

SPELLINGS: dict[str, int] = {
    **_NUMBERED,
    # Apache httpd has trace1 to trace8, PostgreSQL debug1 to debug5.
    **dict.fromkeys(("trace1", "trace5", "trace6", "trace7", "trace8"), TRACE),
    **dict.fromkeys(("debug1", "debug5"), DEBUG),
    **dict.fromkeys(("trace", "trc", "trce", "verbose", "vrb", "finest", "silly", "t", "v"), TRACE),
    **dict.fromkeys(("debug", "dbg", "dbug", "finer", "d"), DEBUG),
    # java.util.logging, as OpenTelemetry's Java agent maps it.
    "fine": DEBUG + 1,
    "config": DEBUG + 2,
    # npm and winston place http between debug and info.
    "http": DEBUG + 3,
    **dict.fromkeys(("info", "inf", "information", "informational", "log", "i"), INFO),
    **dict.fromkeys(("notice", "note", "n"), INFO + 1),
    # Loguru's success lies between info and warning.
    "success": INFO + 2,
    **dict.fromkeys(("warn", "warning", "wrn", "w"), WARN),
    **dict.fromkeys(("error", "err", "eror", "fail", "severe", "e"), ERROR),
    # zap's dpanic panics in development and is an error in production.
    "dpanic": ERROR + 1,
    **dict.fromkeys(("fatal", "ftl", "fatl", "critical", "crit", "crt", "c", "f"), FATAL),
    **dict.fromkeys(("alert", "panic", "pnc"), FATAL + 1),
    **dict.fromkeys(("emerg", "emergency"), FATAL + 2),
}
"""Every word that names a severity, in lower case, with its number: made to be loaded into a kernel."""

ALSO_PROSE = frozenset(
    {"alert", "config", "fail", "fine", "finer", "finest", "http", "log", "note", "notice", "panic", "silly"}
    | {"success", "trace", *(word for word in SPELLINGS if len(word) == 1)}
)
"""Words of `SPELLINGS` that running text uses too: take them for a severity only where one must stand."""

SYSLOG = (FATAL + 2, FATAL + 1, FATAL, ERROR, WARN, INFO + 1, INFO, DEBUG)
"""Numbers of syslog's severities 0 (emergency) to 7 (debug), RFC 5424 §6.2.1."""

_LEVEL_NUMBERS = {
    # Bunyan and pino write numbers where others write words. Python's numbers mean something else (30 is its
    # warning) but reach a log only under a name of their own: see `from_python`.
    **dict(zip((10, 20, 30, 40, 50, 60), _BANDS_UPWARDS, strict=True)),
    # log4j and logback, as `level_value`.
    **dict(zip((5_000, 10_000, 20_000, 30_000, 40_000, 50_000), _BANDS_UPWARDS, strict=True)),
    # 100 to 800 stay unknown: Monolog's 300 is a warning, Google's a notice, java.util.logging's the finest.
}

_ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WRAPPING = " \t\r\n[](){}<>|:;,.=*\"'`-"
# Go's slog writes what lies between its levels as INFO+2 or DEBUG-1, in OpenTelemetry's steps.
_STEP = re.compile(r"([a-z]+)([+-][0-9]{1,2})")


def severity_number(text: str) -> int:
    """The number of a severity as somebody spelled it, 0 when it is none that we know.

    Takes any case, colours, brackets and colons around it (`[WARN]`, `error:`), a name before it
    (`LogLevel.Warning`, `core:error`, `daemon.info`), and the numbers of pino, bunyan and log4j.
    Syslog's 0 to 7 and Python's 10 to 50 mean something else: `from_syslog`, `from_python`.
    """
    known = SPELLINGS.get(text.lower())
    if known is not None:
        return known
    # No level is longer, and a cache must not be filled with long texts.
    return _number_of_odd_spelling(text) if len(text) <= 64 else 0


@lru_cache(maxsize=1024)
def _number_of_odd_spelling(text: str) -> int:
    word = _ANSI_COLOUR.sub("", text).strip(_WRAPPING).lower()
    if word.isascii() and word.isdigit():
        return _LEVEL_NUMBERS.get(int(word), 0)
    if step := _STEP.fullmatch(word):
        base = SPELLINGS.get(step[1], 0)
        return min(max(base + int(step[2]), 1), 24) if base else 0
    return SPELLINGS.get(re.split(r"[.:/]", word)[-1].strip(), 0)


def from_syslog(level: int) -> int:
    """The number of syslog's severity `level`, 0 (emergency) to 7 (debug); 0 for anything else."""
    return SYSLOG[level] if 0 <= level < len(SYSLOG) else 0


def from_python(level: int) -> int:
    """The number of a level of Python's `logging`: 10 is debug, 30 warning, 50 critical; 0 below 1.

    A level between two named ones belongs to the lower, as it does there; 25 is Loguru's success.
    """
    if level <= 0:
        return 0
    return INFO + 2 if level == 25 else _BANDS_UPWARDS[min(level // 10, 5)]


def severity_name(number: int) -> str:
    """The canonical name of a number: "trace", "debug", "info", "warn", "error", "fatal", "" if unknown."""
    return BANDS[band(number)]


def band(number: int) -> int:
    """The place in `BANDS` of a number: 1 for trace to 6 for fatal, 0 for unknown."""
    return (number + 3) // 4 if 1 <= number <= 24 else 0


def numbers_of_band(number: int) -> range:
    """All numbers that share the canonical name of `number`; of 0 only 0."""
    lowest = 4 * band(number) - 3
    return range(lowest, lowest + 4) if band(number) else range(1)
