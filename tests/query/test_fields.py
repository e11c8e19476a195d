import pytest

from logpith.query.fields import (
    FIELD_NAMES,
    SEVERITY,
    TIMESTAMP,
    column_named,
    column_spelled,
    is_known,
    is_within_text,
    severity_range,
)


@pytest.mark.parametrize(
    "name", ["level", "severity", "log_level", "logLevel", "log.level", "LEVEL", "severity_text"]
)
def test_every_plain_spelling_of_severity_is_severity(name):
    assert column_named(name) == SEVERITY


@pytest.mark.parametrize("name", ["timestamp", "@timestamp", "time", "ts"])
def test_every_plain_spelling_of_time_is_the_timestamp(name):
    assert column_named(name) == TIMESTAMP


@pytest.mark.parametrize(
    ("name", "spelled"),
    [("t", "timestamp"), ("priority", "severity_text"), ("event", "body"), ("callId", "call_id")],
)
def test_a_greedy_spelling_may_also_be_an_attribute(name, spelled):
    assert column_named(name) is None
    assert column_spelled(name) == spelled


@pytest.mark.parametrize("name", ["user", "http.status", "duration_ms"])
def test_other_names_are_attributes(name):
    assert column_named(name) is None
    assert column_spelled(name) is None
    assert not is_known(name, [])
    assert is_known(name, [name])


def test_suggested_names_are_known():
    assert all(is_known(name, []) for name in FIELD_NAMES)


def test_what_may_come_from_a_path_or_the_settings_is_not_within_the_text():
    inside = {
        name
        for name in (
            "user",
            "body",
            "message",
            "trace_id",
            "callId",
            "service",
            "app",
            "source",
            "level",
            "t",
        )
        if is_within_text(name)
    }

    assert inside == {"user", "body", "message", "trace_id", "callId"}


@pytest.mark.parametrize(
    ("name", "value", "numbers"),
    [
        ("level", "warn", (13, 16)),
        ("level", "WARNING", (13, 16)),
        ("level", "critical", (21, 24)),
        ("level", "notice", (10, 10)),
        ("severity_number", "13", (13, 13)),
        ("severity_number", "0", None),
        ("severity_number", "25", None),
        ("level", "banana", None),
        ("level", "", None),
    ],
)
def test_a_severity_is_the_numbers_that_share_its_name(name, value, numbers):
    assert severity_range(name, value) == numbers
