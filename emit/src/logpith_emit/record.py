"""A record: one log entry in OpenTelemetry's columns, and what other programs call those columns.

`ALIASES` is the one table of spellings. Reading uses it to fill a record, queries use it to understand
`level:error`, `service_name:api` and `callId:CA16…` alike. A key is compared without case and separators, so
that `service.name`, `service_name` and `serviceName` are one entry.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from logpith_emit.severity import from_python, from_syslog, severity_name, severity_number

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One log entry."""

    timestamp: int | None = None
    """Nanoseconds since 1970 in UTC; None when the entry does not say when."""

    observed_timestamp: int | None = None
    """When logpith met the entry, on the same scale."""

    severity_number: int = 0
    """1 to 24 as in `severity.py`; 0 is unknown."""

    severity_text: str = ""
    """The severity as it came."""

    service: str = ""
    host: str = ""
    body: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    """What no column holds, by dotted name; values keep their types."""

    trace_id: str = ""
    span_id: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    """What belongs together: kind (`call`, `request`, `correlation`, `session`, `user`) → id."""

    source: str = ""
    """Where the entry was read."""

    position: int | None = None
    """Where in the source it begins."""

    raw: str | None = None
    """The text it was read from, where that cannot be rebuilt from the columns; redacted like everything."""


_SPELLINGS: Mapping[str, str] = {
    # In the order of preference: of several keys for one column the first counts, the others stay attributes.
    # Nested keys are dotted, hence `fields.message` of Rust's tracing and `record.message` of Loguru.
    "timestamp": "timestamp @timestamp time ts @t eventtime event_time time_unix_nano record.time.timestamp "
    "log_time logged_at created_at created date_time datetime asctime date __REALTIME_TIMESTAMP "
    "_SOURCE_REALTIME_TIMESTAMP receive_timestamp t.$date time_generated when t",
    "observed_timestamp": "observed_timestamp observed_time observed_time_unix_nano event.ingested "
    "event.created",
    "severity_number": "severity_number",
    # Words before numbers: Monolog's level 300 is a warning only because level_name says so.
    "severity_text": "severity_text level_name levelname log.level severity level lvl loglevel @level @l "
    "record.level.name level_value levelno priority syslog.severity.name syslog_severity severity_label s",
    "body": "message msg @m @message body body.string_value record.message fields.message event "
    "short_message rendered_message text_payload json_payload.message json_payload.msg log_message "
    "event_message message_template @mt log full_message text",
    "service": "service.name service resource.service.name resource.attributes.service.name app_name "
    "application_name application app program syslog_identifier kubernetes.labels.app dd.service "
    "resource.labels.service_name faas.name kubernetes.container_name container_name _SYSTEMD_UNIT",
    "host": "host.name host resource.host.name resource.attributes.host.name _HOSTNAME machine_name "
    "computer_name node_name kubernetes.host beat.hostname agent.hostname fqdn",
    "trace_id": "trace_id trace.id @tr otelTraceID dd.trace_id x_b3_traceid xray_trace_id "
    "logging.googleapis.com/trace span.trace_id context.trace_id trace",
    "span_id": "span_id span.id @sp otelSpanID dd.span_id x_b3_spanid logging.googleapis.com/spanId "
    "span.span_id context.span_id",
    "call_id": "call_id call_sid call.id",
    "request_id": "request_id req_id x_request_id req.id request.id http.request.id aws_request_id requestid",
    "correlation_id": "correlation_id corr_id x_correlation_id correlation.id",
    "session_id": "session_id session.id x_session_id mcp_session_id",
    "user_id": "user_id user.id userid enduser.id usr.id",
}


@lru_cache(maxsize=4096)
def normalised(key: str) -> str:
    """A key without case, separators and leading marks: `@timestamp` → `timestamp`, `callId` → `callid`.

    Serilog's short names keep their mark: `@t` is a time, `t` may be anything.
    """
    plain = key.translate(_SEPARATORS).lower()
    return plain if len(plain) <= 3 and key.startswith("@") else plain.replace("@", "")


_SEPARATORS = dict.fromkeys(map(ord, "_-. /:$"))

_KEYS = [
    (normalised(key), column, place)
    for column, keys in _SPELLINGS.items()
    for place, key in reversed([*enumerate(keys.split())])  # so that a key met twice keeps its first place
]

ALIASES: Mapping[str, str] = {key: column for key, column, _ in _KEYS}
"""Normalised key → column; `call_id`, `request_id`, … are the columns of `Record.ids`."""

PREFERENCE: Mapping[str, int] = {key: place for key, _, place in _KEYS}
"""Normalised key → its place among the keys of its column; the lowest counts."""

ID_KINDS: Mapping[str, str] = {
    column: column.removesuffix("_id")
    for column in ("call_id", "request_id", "correlation_id", "session_id", "user_id")
}
"""Column → the kind it is in `Record.ids`."""


def column_of(key: str) -> str | None:
    """The column that `key` means, in whatever spelling; None when it is an attribute."""
    return ALIASES.get(normalised(key))


def record_from_mapping(
    mapping: Mapping[str, object],
    *,
    observed_timestamp: int | None = None,
    source: str = "",
    position: int | None = None,
    raw: str | None = None,
) -> Record:
    """The record that a JSON object, or whatever else became a mapping, stands for.

    Nested objects become dotted attributes. A key whose value does not fit its column (a `trace` that is a
    stack trace, a `t` that is no time) stays an attribute, and so does each key that another one outranks:
    nothing is lost. A W3C `traceparent`, wherever it stands, fills trace and span.
    """
    columns = _Columns(dict(flat(mapping)))
    known_severity = _gelf_severity if "short_message" in mapping else _known_severity
    severity = columns.take("severity_text", known_severity, _unknown_severity)
    body = columns.take("body", _text, _scalar)
    service = columns.take("service", _text)
    if service is None and {"name", "pid", "hostname"} <= mapping.keys():
        service = columns.take_key("name", _text)  # Bunyan and pino name the program so.
    ids = {kind: columns.take(column, _identity) for column, kind in ID_KINDS.items()}
    record = Record(
        timestamp=columns.take("timestamp", _time),
        observed_timestamp=columns.take("observed_timestamp", _time) or observed_timestamp,
        severity_number=columns.take("severity_number", _number_of_severity) or (severity or _NO_SEVERITY)[1],
        severity_text=(severity or _NO_SEVERITY)[0],
        service=service or "",
        host=columns.take("host", _text) or "",
        body=body or "",
        attributes=columns.rest,
        trace_id=columns.take("trace_id", _trace_identity) or "",
        span_id=columns.take("span_id", _identity) or "",
        ids={kind: value for kind, value in ids.items() if value is not None},
        source=source,
        position=position,
        raw=raw,
    )
    return record if record.trace_id else _with_traceparent(record)


def traceparent(text: str) -> tuple[str, str] | None:
    """Trace and span of the first W3C `traceparent` in `text`; None when there is none.

    https://www.w3.org/TR/trace-context/#traceparent-header: an id of nothing but zeros is no id.
    """
    if "00-" not in text:  # The only version there is; looking for it costs next to nothing.
        return None
    for match in _TRACEPARENT.finditer(text):
        trace_id, span_id = match.groups()
        if trace_id.strip("0") and span_id.strip("0"):
            return trace_id, span_id
    return None


_TRACEPARENT = re.compile(r"\b00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\b", re.ASCII)


def timestamp_ns(value: object) -> int | None:
    """Nanoseconds since 1970 in UTC that `value` stands for; None when it is no time.

    Takes ISO 8601 with up to nine digits of a second (also `/` between the days and a space before the time)
    and counts since 1970, in s, ms, µs or ns as their size tells: what lies between 1973 and 5138 when read
    in seconds is seconds. A time without zone is UTC.
    """
    if isinstance(value, str):
        if date := _DATE_TIME.fullmatch(value.strip()):
            return _from_date_time(date)
        count = _COUNT.fullmatch(value.strip())
        return _from_count(int(count[1]), (count[2] or "").ljust(9, "0")[:9]) if count else None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1000
    if isinstance(value, int) and not isinstance(value, bool):
        return _from_count(value, "0" * 9)
    if isinstance(value, float) and math.isfinite(value):
        # A double tells microseconds in our century, not nanoseconds.
        whole, _, fraction = f"{value:.6f}".partition(".")
        return _from_count(int(whole), fraction + "000")
    return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_TIME = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)?"
    r" ?(?:[Zz]|UTC|GMT|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)
_COUNT = re.compile(r"(\d{9,19})(?:\.(\d{1,18}))?", re.ASCII)
_INT64 = range(-(2**63), 2**63)


def _from_date_time(date: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second = (int(date[place] or 0) for place in range(1, 7))
    leap_s = 1 if second == 60 else 0
    try:
        moment = datetime(year, month, day, hour, minute, second - leap_s, tzinfo=UTC)
    except ValueError:
        return None
    zone_s = (int(date[9] or 0) * 3600 + int(date[10] or 0) * 60) * (-1 if date[8] == "-" else 1)
    elapsed_s = (moment - _EPOCH) // timedelta(seconds=1) + leap_s - zone_s
    elapsed_ns = elapsed_s * 10**9 + int((date[7] or "").ljust(9, "0")[:9])
    return elapsed_ns if elapsed_ns in _INT64 else None


def _from_count(count: int, nanos: str) -> int | None:
    """`count` of the unit that its size tells, and a fraction of that unit in nine digits, in nanoseconds."""
    for lowest, unit_ns in ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (10**8, 10**9)):
        if count >= lowest:
            elapsed_ns = count * unit_ns + int(nanos) * unit_ns // 10**9
            return elapsed_ns if elapsed_ns in _INT64 else None
    return None


def flat(mapping: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Keys and values with nested objects taken apart, `{"a": {"b": 1}}` to `a.b`, each key once."""
    met: set[str] = set()
    waiting: list[tuple[str, object, int]] = [(str(key), value, 0) for key, value in mapping.items()][::-1]
    while waiting:
        key, value, depth = waiting.pop()
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            waiting += [(f"{key}.{inner}", item, depth + 1) for inner, item in value.items()][::-1]
            continue
        while key in met:  # {"a": {"b": 1}, "a.b": 2} says two things under one name.
            key += "'"
        met.add(key)
        yield key, value


_DEEPEST = 64
"""Levels of nesting that are taken apart; what lies deeper is kept as it is."""


class _Columns:
    """Attributes, out of which the columns are taken."""

    def __init__(self, attributes: dict[str, object]) -> None:
        self.rest = attributes
        self._keys: dict[str, list[str]] = {}
        for key in attributes:
            if column := column_of(key):
                self._keys.setdefault(column, []).append(key)
        for keys in self._keys.values():
            keys.sort(key=_preference)

    def take(self, column: str, *readers: Callable[[str, object], T | None]) -> T | None:
        """What the first reader that can read any of the column's keys makes of the best of them."""
        for reader in readers:
            for key in self._keys.get(column, ()):
                value = self.take_key(key, reader)
                if value is not None:
                    return value
        return None

    def take_key(self, key: str, reader: Callable[[str, object], T | None]) -> T | None:
        value = reader(key, self.rest[key])
        if value is not None:
            del self.rest[key]
        return value


def _preference(key: str) -> int:
    return PREFERENCE[normalised(key)]


def _time(_key: str, value: object) -> int | None:
    return timestamp_ns(value)


def _text(_key: str, value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _scalar(_key: str, value: object) -> str | None:
    return str(value) if isinstance(value, bool | int | float) else None


def _identity(_key: str, value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and _IDENTITY.fullmatch(value) else None


_IDENTITY = re.compile(r"\S{1,256}")
_HEX = re.compile(r"[0-9A-Fa-f]{16,32}")


def _trace_identity(key: str, value: object) -> str | None:
    """A trace id; the key `trace` is as often a stack trace, and Google writes `projects/x/traces/ID`."""
    trace_id = _identity(key, value)
    if trace_id is None or traceparent(trace_id):
        return None  # A traceparent tells the span as well: see _with_traceparent.
    trace_id = trace_id.rpartition("/traces/")[2]
    if _HEX.fullmatch(trace_id):
        return trace_id.lower()
    return None if normalised(key) == "trace" else trace_id


_NO_SEVERITY = ("", 0)
_SYSLOG_KEYS = frozenset({"priority", "syslogseverity"})


def _known_severity(key: str, value: object) -> tuple[str, int] | None:
    """The severity as it came and its number, when that is known."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text, plain = str(value), normalised(key)
    number = severity_number(text)
    if len(text) <= 2 and text.isascii() and text.isdigit():
        if plain in _SYSLOG_KEYS:
            number = from_syslog(int(text))
        elif plain == "levelno":
            number = from_python(int(text))
    return (text, number) if number else None


def _gelf_severity(key: str, value: object) -> tuple[str, int] | None:
    """As in other records, but that GELF's `level` is syslog's (Graylog Extended Log Format 1.1)."""
    is_level = normalised(key) == "level" and isinstance(value, int)
    return _known_severity("priority" if is_level else key, value)


def _unknown_severity(key: str, value: object) -> tuple[str, int] | None:
    """A word of a program's own beside a key that can mean nothing else: kept as text, unknown as number."""
    is_word = isinstance(value, str) and 0 < len(value) <= 64
    is_number = isinstance(value, int) and not isinstance(value, bool)
    is_sure = normalised(key) not in _SYSLOG_KEYS | {"s"}
    return (str(value), 0) if is_sure and (is_word or is_number) else None


def _number_of_severity(_key: str, value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and severity_name(value)
    return value if is_number and isinstance(value, int) else None


def _with_traceparent(record: Record) -> Record:
    """The record with trace and span of the first traceparent in its attributes or body, if there is one."""
    for text in (*record.attributes.values(), record.body):
        if isinstance(text, str) and (found := traceparent(text)):
            return replace(record, trace_id=found[0], span_id=record.span_id or found[1])
    return record
