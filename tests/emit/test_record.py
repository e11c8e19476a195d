from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith_emit.record import (
    _KEYS,
    ALIASES,
    ID_KINDS,
    PREFERENCE,
    Record,
    column_of,
    normalised,
    record_from_mapping,
    timestamp_ns,
    traceparent,
)

MOMENT = "2025-11-18T17:05:12.123Z"
MOMENT_NS = 1_763_485_512_123_000_000
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("keys", "column"),
    [
        ("timestamp @timestamp time ts Timestamp TIME_STAMP eventTime @t __REALTIME_TIMESTAMP", "timestamp"),
        ("level log_level log.level LogLevel severity levelname lvl @l PRIORITY", "severity_text"),
        ("message msg @m event short_message textPayload log body MESSAGE", "body"),
        ("service service_name service.name serviceName app SYSLOG_IDENTIFIER", "service"),
        ("host hostname host.name _HOSTNAME MachineName", "host"),
        ("trace_id traceId trace.id TraceId @tr otelTraceID dd.trace_id", "trace_id"),
        ("span_id spanId span.id @sp logging.googleapis.com/spanId", "span_id"),
        ("call_id callId CallSid call.id", "call_id"),
        ("request_id requestId x-request-id req.id", "request_id"),
        ("correlation_id correlationId X-Correlation-ID", "correlation_id"),
        ("session_id sessionId session.id", "session_id"),
        ("user_id userId user.id", "user_id"),
        ("SeverityNumber severity_number", "severity_number"),
        ("ObservedTimestamp observed_timestamp", "observed_timestamp"),
    ],
)
def test_a_column_is_known_by_every_spelling(keys, column):
    assert {column_of(key) for key in keys.split()} == {column}


@pytest.mark.parametrize(
    "key", ["", "duration_ms", "status", "id", "m", "l", "levels", "message_id", "metadata.region"]
)
def test_other_keys_are_attributes(key):
    assert column_of(key) is None


def test_every_alias_leads_to_a_column_and_has_a_rank():
    columns = {*Record.__dataclass_fields__, *ID_KINDS}

    assert set(ALIASES.values()) <= columns
    assert set(ALIASES) == set(PREFERENCE)
    assert len(ALIASES) == len({(key, column) for key, column, _ in _KEYS})
    assert all(normalised(key) == key for key in ALIASES)


def test_the_example_of_a_service_log_is_understood():
    record = record_from_mapping(
        {
            "timestamp": MOMENT,
            "service_name": "model-router",
            "service_version": "1.2.3",
            "log_level": "INFO",
            "message": "Request processed successfully",
            "request_id": "req-1",
            "trace_id": TRACE,
            "span_id": SPAN,
            "user_id": 42,
            "duration_ms": 310.5,
            "status_code": 200,
            "metadata": {"environment": "prod", "region": "eu"},
        }
    )

    assert record == Record(
        timestamp=MOMENT_NS,
        severity_number=9,
        severity_text="INFO",
        service="model-router",
        body="Request processed successfully",
        attributes={
            "service_version": "1.2.3",
            "duration_ms": 310.5,
            "status_code": 200,
            "metadata.environment": "prod",
            "metadata.region": "eu",
        },
        trace_id=TRACE,
        span_id=SPAN,
        ids={"request": "req-1", "user": "42"},
    )


WILD = {
    "pino": (
        {"level": 50, "time": 1763485512123, "pid": 7, "hostname": "h", "name": "api", "msg": "m"},
        Record(
            timestamp=MOMENT_NS,
            severity_number=17,
            severity_text="50",
            host="h",
            service="api",
            body="m",
            attributes={"pid": 7},
        ),
    ),
    "zap": (
        {"level": "warn", "ts": 1763485512.123, "caller": "a.go:1", "msg": "m"},
        Record(
            timestamp=MOMENT_NS,
            severity_number=13,
            severity_text="warn",
            body="m",
            attributes={"caller": "a.go:1"},
        ),
    ),
    "structlog": (
        {"event": "user logged in", "level": "info", "timestamp": "2025-11-18 17:05:12,123"},
        Record(timestamp=MOMENT_NS, severity_number=9, severity_text="info", body="user logged in"),
    ),
    "serilog compact": (
        {
            "@t": "2025-11-18T17:05:12.1230000Z",
            "@mt": "Hi {Name}",
            "@l": "Warning",
            "@tr": TRACE,
            "Name": "Ann",
        },
        Record(
            timestamp=MOMENT_NS,
            severity_number=13,
            severity_text="Warning",
            body="Hi {Name}",
            trace_id=TRACE,
            attributes={"Name": "Ann"},
        ),
    ),
    "gelf": (
        {
            "version": "1.1",
            "host": "h",
            "short_message": "m",
            "full_message": "m\nx",
            "level": 3,
            "timestamp": 1763485512.123,
            "_call_id": "CA1",
        },
        Record(
            timestamp=MOMENT_NS,
            severity_number=17,
            severity_text="3",
            host="h",
            body="m",
            ids={"call": "CA1"},
            attributes={"version": "1.1", "full_message": "m\nx"},
        ),
    ),
    "ecs": (
        {
            "@timestamp": MOMENT,
            "log.level": "error",
            "message": "m",
            "service": {"name": "s"},
            "trace": {"id": TRACE},
            "host": {"name": "h"},
        },
        Record(
            timestamp=MOMENT_NS,
            severity_number=17,
            severity_text="error",
            body="m",
            service="s",
            host="h",
            trace_id=TRACE,
        ),
    ),
    "google": (
        {
            "timestamp": MOMENT,
            "severity": "NOTICE",
            "textPayload": "m",
            "logging.googleapis.com/trace": f"projects/p/traces/{TRACE}",
            "logging.googleapis.com/spanId": SPAN,
        },
        Record(
            timestamp=MOMENT_NS,
            severity_number=10,
            severity_text="NOTICE",
            body="m",
            trace_id=TRACE,
            span_id=SPAN,
        ),
    ),
    "journald": (
        {
            "__REALTIME_TIMESTAMP": "1763485512123000",
            "PRIORITY": "4",
            "MESSAGE": "m",
            "_HOSTNAME": "h",
            "SYSLOG_IDENTIFIER": "sshd",
        },
        Record(
            timestamp=MOMENT_NS, severity_number=13, severity_text="4", body="m", host="h", service="sshd"
        ),
    ),
    "monolog": (
        {"message": "m", "level": 300, "level_name": "WARNING", "datetime": MOMENT},
        Record(
            timestamp=MOMENT_NS,
            severity_number=13,
            severity_text="WARNING",
            body="m",
            attributes={"level": 300},
        ),
    ),
    "rust tracing": (
        {"timestamp": MOMENT, "level": "INFO", "fields": {"message": "m", "n": 1}, "target": "a::b"},
        Record(
            timestamp=MOMENT_NS,
            severity_number=9,
            severity_text="INFO",
            body="m",
            attributes={"fields.n": 1, "target": "a::b"},
        ),
    ),
    "loguru": (
        {
            "text": "line\n",
            "record": {
                "level": {"name": "SUCCESS", "no": 25},
                "message": "m",
                "time": {"repr": MOMENT, "timestamp": 1763485512.123},
            },
        },
        Record(
            timestamp=MOMENT_NS,
            severity_number=11,
            severity_text="SUCCESS",
            body="m",
            attributes={"text": "line\n", "record.level.no": 25, "record.time.repr": MOMENT},
        ),
    ),
    "opentelemetry": (
        {
            "timeUnixNano": "1763485512123000001",
            "severityNumber": 18,
            "severityText": "ERR",
            "body": {"stringValue": "m"},
            "traceId": TRACE.upper(),
            "spanId": SPAN,
        },
        Record(
            timestamp=MOMENT_NS + 1,
            severity_number=18,
            severity_text="ERR",
            body="m",
            trace_id=TRACE,
            span_id=SPAN,
        ),
    ),
    "mongodb": (
        {"t": {"$date": "2025-11-18T17:05:12.123+00:00"}, "s": "W", "c": "NETWORK", "msg": "m"},
        Record(
            timestamp=MOMENT_NS, severity_number=13, severity_text="W", body="m", attributes={"c": "NETWORK"}
        ),
    ),
    "python": (
        {"asctime": "2025-11-18 17:05:12,123", "levelno": 30, "message": "m"},
        Record(timestamp=MOMENT_NS, severity_number=13, severity_text="30", body="m"),
    ),
}


@pytest.mark.parametrize(("mapping", "record"), WILD.values(), ids=WILD.keys())
def test_the_logs_of_known_libraries_are_understood(mapping, record):
    assert record_from_mapping(mapping) == record


def test_of_several_keys_the_preferred_counts_and_the_others_stay():
    record = record_from_mapping({"msg": "second", "message": "first", "event": "login"})

    assert record.body == "first"
    assert record.attributes == {"msg": "second", "event": "login"}


@pytest.mark.parametrize(
    ("mapping", "what_stays"),
    [
        ({"time": "soon"}, {"time": "soon"}),
        ({"t": 5}, {"t": 5}),
        ({"trace": "Traceback (most recent call last)"}, {"trace": "Traceback (most recent call last)"}),
        ({"trace": "short"}, {"trace": "short"}),
        ({"s": 3}, {"s": 3}),
        ({"priority": "urgent"}, {"priority": "urgent"}),
        ({"user_id": None}, {"user_id": None}),
        ({"request_id": "two words"}, {"request_id": "two words"}),
        ({"message": ["a"]}, {"message": ["a"]}),
        ({"severity_number": 99}, {"severity_number": 99}),
        ({"name": "x"}, {"name": "x"}),
    ],
)
def test_a_value_that_does_not_fit_its_column_stays_an_attribute(mapping, what_stays):
    assert record_from_mapping(mapping) == Record(attributes=what_stays)


@pytest.mark.parametrize(("level", "text"), [("CHATTY", "CHATTY"), (3, "3"), (300, "300")])
def test_an_unknown_level_is_kept_as_text_and_never_guessed(level, text):
    record = record_from_mapping({"level": level})

    assert (record.severity_number, record.severity_text) == (0, text)


@pytest.mark.parametrize(
    "mapping",
    [
        {"traceparent": TRACEPARENT},
        {"headers": {"Traceparent": TRACEPARENT}},
        {"trace_id": TRACEPARENT},
        {"msg": f"calling with traceparent={TRACEPARENT}."},
    ],
)
def test_a_traceparent_anywhere_fills_trace_and_span(mapping):
    record = record_from_mapping(mapping)

    assert (record.trace_id, record.span_id) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0123",
        "00-" * 99,
    ],
)
def test_what_is_no_traceparent_fills_nothing(text):
    assert traceparent(text) is None


def test_a_trace_that_is_named_outranks_a_traceparent():
    record = record_from_mapping({"trace_id": "named", "traceparent": TRACEPARENT})

    assert (record.trace_id, record.span_id) == ("named", "")


def test_two_values_under_one_dotted_name_are_both_kept():
    record = record_from_mapping({"a": {"b": 1}, "a.b": 2})

    assert record.attributes == {"a.b": 1, "a.b'": 2}


def test_endless_nesting_comes_to_an_end():
    endless: dict[str, object] = {}
    endless["a"] = endless

    assert len(record_from_mapping(endless).attributes) == 1


def test_a_record_says_where_it_was_read():
    record = record_from_mapping({}, source="app.log", position=7, raw="{}", observed_timestamp=5)

    assert record == Record(source="app.log", position=7, raw="{}", observed_timestamp=5)


@pytest.mark.parametrize(
    ("value", "elapsed_ns"),
    [
        ("2025-11-18T17:05:12.123456789Z", 1_763_485_512_123_456_789),
        ("2025-11-18T18:05:12.123+01:00", MOMENT_NS),
        ("2025-11-18T12:05:12.123-0500", MOMENT_NS),
        ("2025-11-18T17:05:12.1234567891234Z", 1_763_485_512_123_456_789),
        ("2025/11/18 17:05:12", 1_763_485_512_000_000_000),
        ("2025-11-18 17:05 UTC", 1_763_485_500_000_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
        ("1763485512.123", MOMENT_NS),
        ("1763485512123", MOMENT_NS),
        (1763485512, 1_763_485_512_000_000_000),
        (1763485512123, MOMENT_NS),
        (1763485512123000, MOMENT_NS),
        (1763485512123000001, MOMENT_NS + 1),
        (1763485512.123, MOMENT_NS),
        (1763485512123.5, MOMENT_NS + 500_000),
        (datetime(2025, 11, 18, 17, 5, 12, 123000), MOMENT_NS),
        (datetime(2025, 11, 18, 18, 5, 12, 123000, timezone(timedelta(hours=1))), MOMENT_NS),
    ],
)
def test_a_time_is_read_to_the_nanosecond(value, elapsed_ns):
    assert timestamp_ns(value) == elapsed_ns


@pytest.mark.parametrize(
    "value",
    [
        *("", "now", "2025-11-18", "17:05:12", "2025-13-01T00:00:00Z", "9999-12-31T00:00:00Z", "12345"),
        *(0, 5, -1763485512, 10**30, True, None, float("nan"), float("inf"), 1e300, [], {}),
    ],
)
def test_what_is_no_time_is_none(value):
    assert timestamp_ns(value) is None


@given(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)))
def test_every_time_comes_back_from_its_iso_form(moment):
    elapsed_ns = timestamp_ns(moment.replace(tzinfo=UTC).isoformat())

    assert elapsed_ns is not None
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=elapsed_ns // 1000) == moment.replace(
        tzinfo=UTC
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["message", "level", "time", "t", "trace", "user.id", "x"]) | st.text(), JSON
    )
)
def test_whatever_is_in_a_mapping_is_somewhere_in_the_record(mapping):
    def leaves(value):
        inner = [leaf for item in value.values() for leaf in leaves(item)] if isinstance(value, dict) else []
        return inner or [value]

    record = record_from_mapping(mapping)

    kept = (
        len(record.attributes)
        + len(record.ids)
        + sum(
            bool(value)
            for value in (record.body, record.severity_text, record.service, record.host, record.span_id)
        )
        + (record.timestamp is not None)
        + bool(record.trace_id)
        + (record.observed_timestamp is not None)
    )
    assert kept >= sum(len(leaves(value)) for value in mapping.values())
