"""An entry holds all that a record says: in its field where that fits, else beside them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith_emit.entry import FIELDS, OPTIONAL, LogEntry, entry_of, fields_of, moment_of, shown
from logpith_emit.testing import BARE, FULL, MOMENT

moments = st.datetimes(timezones=st.just(UTC))
texts = st.text()
mappings = st.dictionaries(texts.filter(lambda name: name not in FIELDS), st.integers() | texts, min_size=1)
entries = st.builds(
    LogEntry,
    correlation_id=texts,
    timestamp=moments,
    level=st.sampled_from(["INFO", "ERROR", "NOTICE"]),
    log_type=st.sampled_from(["internal", "tool_execution"]),
    message=texts,
    tool_name=st.none() | texts,
    duration_ms=st.none() | st.floats(allow_nan=False),
    input_args=st.none() | mappings,
    line=st.none() | st.integers(),
    extra_data=st.none() | mappings,
)


def test_there_are_seventeen_fields():
    assert len(FIELDS) == 17
    assert {name for name in FIELDS if getattr(BARE, name) is None} == set(OPTIONAL)


@given(entry=entries)
def test_an_entry_is_a_record_and_that_is_the_entry(entry):
    assert entry_of(fields_of(entry)) == entry


def test_a_time_of_another_zone_is_the_same_time():
    there = replace(FULL, timestamp=MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30))))

    assert entry_of(fields_of(there)) == FULL
    assert shown(there)["timestamp"] == "2026-03-14T14:56:53.589793+05:30"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("line", "42"),
        ("line", True),
        ("duration_ms", 10**400),
        ("duration_ms", "3 ms"),
        ("input_args", [1]),
        ("a", 1),
    ],
)
def test_what_fits_no_field_is_beside_them(name, value):
    entry = entry_of({"message": "m", name: value, "extra_data": {"b": 2}})

    assert entry.extra_data == {"b": 2, name: value}
    assert all(getattr(entry, field) is None for field in OPTIONAL if field != "extra_data")


@given(
    fields=st.dictionaries(st.sampled_from(FIELDS) | texts, st.none() | st.booleans() | st.integers() | texts)
)
def test_nothing_that_is_said_is_lost(fields):
    entry = entry_of(fields)

    for name, value in fields.items():
        beside = (entry.extra_data or {}).get(name)
        if name in OPTIONAL:
            assert value in (getattr(entry, name), beside)
        elif name not in FIELDS:
            assert beside == value


@pytest.mark.parametrize("timestamp", [None, "2026-03-14", 10**40, -(10**40), 1.5])
def test_what_is_no_time_is_the_beginning_of_time(timestamp):
    assert moment_of(timestamp) == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_field_that_is_called_as_one_of_the_extra_data_replaces_none():
    entry = entry_of({"timestamp": 1, "message": "m", "extra_data": {"a": 1, "b": 2}, "a": 3})

    assert entry.extra_data == {"a": 1, "b": 2, "a_": 3}
