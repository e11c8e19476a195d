"""What every destination owes, as checks that its tests call: ours, and those of whoever brings one.

    def test_it_keeps_its_promises(server):
        check_destination(MyDestination(url=server.url), lambda: [entry_of(row) for row in server.rows()])

A check raises AssertionError where a promise is broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from logpith_emit.destinations import Destination, LiveDestination, Outgoing, Wanted
from logpith_emit.encoding import encode
from logpith_emit.entry import FIELDS, LogEntry, fields_of
from logpith_emit.errors import Refused

ReadBack = Callable[[], Sequence[LogEntry]]
"""All that stands where the records went, read in another way than the destination's own; in any order."""

MOMENT = datetime(2026, 3, 14, 9, 26, 53, 589_793, tzinfo=UTC)

FULL = LogEntry(
    correlation_id="0af7651916cd43dd8448eb211c80319c",
    timestamp=MOMENT,
    level="ERROR",
    log_type="tool_execution",
    message="call 16 failed: quota_exceeded",
    tool_name="place_call",
    duration_ms=31.25,
    status="error",
    input_args={"to": "+49 30 901820", "retries": 2, "tags": ["a", "b"], "nested": {"deep": None}},
    output_summary="nothing",
    error_message="quota_exceeded",
    module="calls",
    function="place",
    line=42,
    thread_name="MainThread",
    process_id=4711,
    extra_data={"service": "shop", "ratio": 0.5, "yes": True, "none": None, "items": [1, 2.5, "x"]},
)
"""An entry with all of its fields."""

BARE = LogEntry(correlation_id="", timestamp=MOMENT, level="INFO", log_type="internal", message="")
"""An entry with nothing that may be left out."""

ODD_TEXTS = (
    "line\nbreaks\r\nand\ttabs",
    "'; DROP TABLE unified_logs; --",
    'quotes " and \\ and %s and {} and $1',
    "grüße, 日本語, \U0001f600, \u202eright to left",
    "control \x01\x1b[31m\x7f",
    "x" * 100_000,
)
"""Texts on which careless writers break."""


def outgoing(entry: LogEntry, number: int = 1) -> Outgoing:
    """An entry as a destination gets it, with an id of its own for each number."""
    return Outgoing(f"7f-0123456789ab-{number}", encode(fields_of(entry)))


def numbered(count: int, *, first: int = 1) -> list[Outgoing]:
    """So many records, a millisecond apart, whose messages tell their numbers."""
    return [
        outgoing(
            replace(BARE, message=f"record {number}", timestamp=MOMENT + timedelta(milliseconds=number)),
            number,
        )
        for number in range(first, first + count)
    ]


def check_destination(destination: Destination, read_back: ReadBack) -> None:
    """What it is given stands there, all of it and as it was, each record once if it says so; and it can be asked for
    it. It is empty before, or holds nothing of these checks."""
    before = len(read_back())
    with destination.open() as live:
        _check_entries(live, read_back, before)
        _check_again(destination, live, read_back)
        if destination.can_query:
            _check_query(live)
        else:
            _check_refuses_query(live)
    with destination.open() as live:  # again, as after a restart
        (last,) = numbered(1, first=90_001)
        assert not live.write([last]).refused
    assert "record 90001" in {entry.message for entry in read_back()}


def _check_entries(live: LiveDestination, read_back: ReadBack, before: int) -> None:
    # Not everything can keep a zero byte, but what says one must be there, and its neighbours.
    with_zero = replace(BARE, message="a zero \x00 byte", level="DEBUG", extra_data={"a\x00b": "c\x00d"})
    odd = [
        replace(FULL, message=text, error_message=text, extra_data={text[:50]: text}) for text in ODD_TEXTS
    ]
    entries = [FULL, *odd, BARE]
    given = [with_zero, *entries]
    written = live.write([outgoing(entry, 10_000 + at) for at, entry in enumerate(given)])
    assert not written.refused, written.refused
    assert not written.again

    found = list(read_back())

    assert len(found) == before + len(given), f"{len(found)} stand there, not {before + len(given)}"
    assert any("a zero " in one.message and " byte" in one.message for one in found)
    for entry in entries:
        same = [one for one in found if one.message == entry.message and one.level == entry.level]
        assert any(_is_same(one, entry) for one in same), _difference(same, entry)


def _is_same(found: LogEntry, wanted: LogEntry) -> bool:
    return all(
        math.isclose(found.duration_ms or 0, wanted.duration_ms or 0, rel_tol=1e-6)
        if name == "duration_ms"
        else getattr(found, name) == getattr(wanted, name)
        for name in FIELDS
    )


def _difference(found: Sequence[LogEntry], wanted: LogEntry) -> str:
    if not found:
        return f"{wanted.message[:60]!r} does not stand there"
    names = [name for name in FIELDS if getattr(found[0], name) != getattr(wanted, name)]
    told = (
        f"{name}: {getattr(found[0], name)!r:.200} is not {getattr(wanted, name)!r:.200}" for name in names
    )
    return "; ".join(told)


def _check_again(destination: Destination, live: LiveDestination, read_back: ReadBack) -> None:
    records = numbered(300)
    before = len(read_back())
    assert not live.write(records).refused
    assert not live.write(records[100:]).refused

    messages = sorted(entry.message for entry in read_back() if entry.message.startswith("record "))

    assert set(messages) >= {f"record {number}" for number in range(1, 301)}
    if destination.once:
        assert len(read_back()) == before + 300, "records that came again stand there again"


def _check_query(live: LiveDestination) -> None:
    newest = live.query(Wanted(limit=3, since=MOMENT + timedelta(milliseconds=1)))
    assert [entry.message for entry in newest] == ["record 300", "record 299", "record 298"]
    by_time = live.query(
        Wanted(since=MOMENT + timedelta(milliseconds=10), until=MOMENT + timedelta(milliseconds=12))
    )
    assert [entry.message for entry in by_time] == ["record 11", "record 10"]
    for name in FIELDS:
        if name in ("input_args", "extra_data", "timestamp", "duration_ms"):
            continue
        found = live.query(Wanted(equal={name: getattr(FULL, name)}, limit=1_000))
        assert any(_is_same(entry, FULL) for entry in found), f"asked by {name} it does not give what has it"
        assert all(getattr(entry, name) == getattr(FULL, name) for entry in found), f"asked by {name}"


def _check_refuses_query(live: LiveDestination) -> None:
    try:
        live.query(Wanted())
    except Refused:
        return
    raise AssertionError("a destination that cannot be asked must refuse")
