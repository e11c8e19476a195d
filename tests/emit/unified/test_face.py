"""Destinations with an async face: no write waits, none is lost uncounted, and anybody may bring one."""

import asyncio
import json
import math
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from logpith_emit.destinations import Wanted
from logpith_emit.destinations.file import FileDestination
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.destinations.sqlite import SQLiteDestination
from logpith_emit.destinations.stdout import StdoutDestination
from logpith_emit.emitter import EmitSettings
from logpith_emit.entry import entry_of
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.shipping import status_of
from logpith_emit.testing import BARE, FULL, MOMENT
from logpith_emit.unified import (
    CompositeDestination,
    LogDestination,
    LogEntry,
    RetryWrapper,
    SpooledDestination,
)
from logpith_emit.unified.face import AT_ONCE, NoDestination

ENTRY = replace(BARE, correlation_id="c-16", message="call answered")


def numbered_entries(count):
    return [
        replace(BARE, message=f"entry {number}", timestamp=MOMENT + timedelta(milliseconds=number))
        for number in range(count)
    ]


class Kept(LogDestination):
    """Somebody's own, in the least that one needs; it fails as often as it is told to."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.calls = 0
        self.entries = []
        self.is_closed = False

    async def write(self, entry):
        self.calls += 1
        if self.failures and (error := self.failures.pop(0)) is not None:
            raise error
        self.entries.append(entry)

    async def query(self, **filters):
        limit = filters.get("limit", 100)
        return list(reversed(self.entries))[:limit]

    async def close(self):
        self.is_closed = True


class Hanging(LogDestination):
    """Never answers; knows how many writes have begun, and that none has ended."""

    can_query = False

    def __init__(self):
        self.begun = 0
        self.ended = 0

    async def write(self, entry):
        self.begun += 1
        await asyncio.Event().wait()
        self.ended += 1

    async def query(self, **filters):
        raise NotImplementedError

    async def close(self):
        await asyncio.Event().wait()


class Raising(LogDestination):
    async def write(self, entry):
        raise OSError("postgresql://app:hunter2@db refused")

    async def query(self, **filters):
        raise OSError("no")

    async def close(self):
        raise OSError("no")


def spooled(tmp_path, **destinations):
    return SpooledDestination(
        EmitSettings(
            service="shop",
            folder=tmp_path / "spool",
            level="trace",
            destinations=destinations or {"memory": MemoryDestination(max_age_s=0)},
        )
    )


# ── writing does not wait ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wrap", [RetryWrapper, lambda hanging, **how: CompositeDestination([hanging], **how)]
)
def test_no_write_waits_for_a_destination_that_hangs(wrap):
    hanging = Hanging()

    async def program():
        wrapper = wrap(hanging, deadline_s=0.01, most_waiting=9_000)
        for _ in range(10_000):
            # One step of the coroutine is all that it takes: what waits for anything takes more.
            with pytest.raises(StopIteration):
                wrapper.write(ENTRY).send(None)
        begun_by_then = hanging.begun
        for _ in range(3):  # a task begins, and within it a write
            await asyncio.sleep(0)
        at_once, waiting = hanging.begun, wrapper.waiting
        await wrapper.close()
        return begun_by_then, at_once, waiting, wrapper.dropped

    begun_by_then, at_once, waiting, dropped = asyncio.run(program())

    assert (begun_by_then, at_once, hanging.ended) == (0, AT_ONCE, 0)
    assert waiting == 9_000
    assert dropped == {"queue_full": 1_000, "cancelled": AT_ONCE, "closed": 9_000 - AT_ONCE}


def test_no_write_waits_for_a_server_that_does_not_answer(tmp_path):
    said = threading.Event()

    class Asleep(MemoryDestination):
        @contextmanager
        def open(self):
            said.wait()
            with super().open() as live:
                yield live

    asleep = Asleep(max_age_s=0)
    destination = spooled(tmp_path, asleep=asleep)

    async def program():
        for entry in numbered_entries(10_000):
            with pytest.raises(StopIteration):
                destination.write(entry).send(None)
        delivered_by_then = len(asleep.records)
        said.set()
        assert await destination.flush(60)
        await destination.close()
        return delivered_by_then

    assert asyncio.run(program()) == 0
    assert len(asleep.records) == 10_000
    assert destination.dropped == {}


# ── RetryWrapper ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionError("gone"), OSError("no route"), ValueError("odd")]
)
def test_what_fails_once_is_tried_again(error):
    kept = Kept(error)

    async def program():
        wrapper = RetryWrapper(kept, retry_delay_ms=1)
        await wrapper.write(ENTRY)
        assert await wrapper.flush()
        await wrapper.close()
        return wrapper

    wrapper = asyncio.run(program())

    assert (kept.calls, kept.entries, kept.is_closed) == (2, [ENTRY], True)
    assert (wrapper.delivered, wrapper.retried, wrapper.dropped) == (1, 1, {})


def test_its_defaults_are_those_of_the_settings():
    wrapper = RetryWrapper(Kept())

    assert (wrapper.max_attempts, wrapper.retry_delay_ms) == (2, 50)
    with pytest.raises(BadArgument, match="max_attempts must be at least 1"):
        RetryWrapper(Kept(), max_attempts=0)


def test_the_delay_is_no_time_limit():
    """A destination that takes longer than the delay is not given up for that."""
    answered = asyncio.Event()

    class Slow(Kept):
        async def write(self, entry):
            self.calls += 1
            await answered.wait()
            self.entries.append(entry)

    slow = Slow()

    async def program():
        wrapper = RetryWrapper(slow, retry_delay_ms=0)
        await wrapper.write(ENTRY)
        for _ in range(100):
            await asyncio.sleep(0)
        calls_before = slow.calls
        answered.set()
        await wrapper.close()
        return calls_before, wrapper

    calls_before, wrapper = asyncio.run(program())

    assert (calls_before, slow.calls, slow.entries) == (1, 1, [ENTRY])
    assert wrapper.retried == 0


def test_a_write_that_takes_too_long_is_tried_again():
    class Once(Hanging):
        async def write(self, entry):
            if self.begun:
                self.begun += 1
                return
            await super().write(entry)

        async def close(self):
            """Nothing."""

    once = Once()

    async def program():
        wrapper = RetryWrapper(once, retry_delay_ms=0, timeout_s=0.01)
        await wrapper.write(ENTRY)
        await wrapper.close()
        return wrapper

    wrapper = asyncio.run(program())

    assert (once.begun, wrapper.delivered, wrapper.retried, wrapper.dropped) == (2, 1, 1, {})


def test_what_is_given_up_is_counted_and_said_once_without_secrets(capsys):
    async def program():
        wrapper = RetryWrapper(Raising(), retry_delay_ms=0, deadline_s=60)
        for _ in range(50):
            await wrapper.write(ENTRY)
        await wrapper.close()
        return wrapper

    wrapper = asyncio.run(program())

    assert wrapper.dropped == {"OSError": 50}
    assert wrapper.retried == 50
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert "1 entry was lost: OSError" in told
    assert "hunter2" not in told


def test_what_is_refused_for_good_is_not_tried_again():
    kept = Kept(Refused("too large", remedy="Say less"))

    async def program():
        wrapper = RetryWrapper(kept, max_attempts=5, retry_delay_ms=0)
        await wrapper.write(ENTRY)
        await wrapper.close()
        return wrapper

    assert asyncio.run(program()).dropped == {"Refused": 1}
    assert kept.calls == 1


def test_entries_are_written_in_their_order():
    kept = Kept()
    entries = numbered_entries(500)

    async def program():
        wrapper = RetryWrapper(kept, deadline_s=60)
        for entry in entries:
            await wrapper.write(entry)
        await wrapper.close()

    asyncio.run(program())

    assert kept.entries == entries


def test_a_program_whose_event_loop_ends_too_early_counts_what_was_on_its_way_and_keeps_the_rest():
    held = Hanging()
    wrapper = RetryWrapper(held)

    async def program():
        for _ in range(AT_ONCE + 8):
            await wrapper.write(ENTRY)
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(program())

    assert wrapper.dropped == {"cancelled": AT_ONCE}
    assert wrapper.waiting == 8

    wrapper.destination = kept = Kept()
    assert asyncio.run(wrapper.flush())
    assert (len(kept.entries), wrapper.waiting) == (8, 0)


def test_a_destination_that_cancels_itself_loses_one_entry_and_no_more():
    kept = Kept(asyncio.CancelledError())

    async def program():
        wrapper = RetryWrapper(kept)
        for entry in numbered_entries(3):
            await wrapper.write(entry)
            await wrapper.flush()
        await wrapper.close()
        return wrapper

    assert asyncio.run(program()).dropped == {"cancelled": 1}
    assert [entry.message for entry in kept.entries] == ["entry 1", "entry 2"]


# ── CompositeDestination ────────────────────────────────────────────────────────────────────────────────────


def test_all_get_every_entry_and_one_that_raises_or_hangs_harms_none(capsys):
    first, second = Kept(), Kept()
    entries = numbered_entries(100)

    async def program():
        composite = CompositeDestination([first, Raising(), Hanging(), second], deadline_s=0.01)
        for entry in entries:
            await composite.write(entry)
        while min(len(first.entries), len(second.entries), composite.dropped.get("OSError", 0)) < 100:
            await asyncio.sleep(0)
        assert not await composite.flush(0.01)  # as one of them hangs
        newest = await composite.query(limit=1)
        await composite.close()
        return newest, composite

    newest, composite = asyncio.run(program())

    assert first.entries == second.entries == entries
    assert newest == entries[-1:]
    assert (first.is_closed, second.is_closed) == (True, True)
    assert composite.dropped == {"OSError": 100, "cancelled": AT_ONCE, "closed": 100 - AT_ONCE}
    assert "hunter2" not in capsys.readouterr().err


def test_ours_and_somebodys_stand_beside_each_other(tmp_path):
    memory, kept = MemoryDestination(max_age_s=0), Kept(ConnectionError())

    async def program():
        composite = CompositeDestination(
            [spooled(tmp_path, memory=memory), RetryWrapper(kept, retry_delay_ms=0)]
        )
        for entry in numbered_entries(20):
            await composite.write(entry)
        assert await composite.flush()
        await composite.close()
        return composite

    composite = asyncio.run(program())

    assert len(memory.records) == len(kept.entries) == 20
    assert composite.dropped == {}


def test_the_first_that_can_be_asked_is_asked():
    class WriteOnly(Kept):
        async def query(self, **filters):
            raise NotImplementedError

    async def program(*destinations):
        composite = CompositeDestination(destinations)
        await composite.write(ENTRY)
        await composite.flush()
        return await composite.query()

    assert asyncio.run(program(WriteOnly(), Kept())) == [ENTRY]
    with pytest.raises(NotImplementedError):
        asyncio.run(program(WriteOnly(), NoDestination()))


# ── what each owes ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: spooled(folder, one=MemoryDestination(max_age_s=0)),
        lambda folder: spooled(
            folder, one=SQLiteDestination(path=folder / "logs.db", retention_days=0, max_age_s=0)
        ),
        lambda folder: spooled(folder, one=FileDestination(path=folder / "out.ndjson", max_age_s=0)),
        lambda folder: spooled(folder, one=StdoutDestination(max_age_s=0)),
        lambda folder: RetryWrapper(Kept()),
        lambda folder: CompositeDestination([Kept(), spooled(folder)]),
        lambda folder: NoDestination(),
    ],
    ids=["memory", "sqlite", "file", "stdout", "retry", "composite", "none"],
)
def test_each_takes_entries_flushes_answers_or_says_that_it_cannot_and_closes_twice(tmp_path, make):
    entries = numbered_entries(3)

    async def program():
        destination = make(tmp_path)
        assert isinstance(destination, LogDestination)
        for entry in entries:
            assert await destination.write(entry) is None
        assert await destination.flush()
        if destination.can_query:
            assert await destination.query(limit=2) == [entries[2], entries[1]]
        else:
            with pytest.raises(NotImplementedError):
                await destination.query(limit=2)
        await destination.close()
        await destination.close()

    asyncio.run(program())


def test_a_class_that_lacks_one_of_the_three_is_none():
    class Half(LogDestination):
        async def write(self, entry):
            """Nothing."""

    with pytest.raises(TypeError, match="close"):
        Half()


# ── one entry for all ───────────────────────────────────────────────────────────────────────────────────────

WHOLE = replace(FULL, level="CRITICAL", duration_ms=0.1 + 0.2)


@pytest.mark.parametrize("entry", [FULL, BARE, WHOLE], ids=["full", "bare", "odd"])
def test_the_same_entry_comes_back_from_each_destination(tmp_path, entry):
    path = tmp_path / "out.ndjson"
    destinations = {
        "memory": MemoryDestination(max_age_s=0),
        "sqlite": SQLiteDestination(path=tmp_path / "logs.db", retention_days=0, max_age_s=0),
        "file": FileDestination(path=path, max_age_s=0),
    }

    async def program():
        destination = spooled(tmp_path, **destinations)
        await destination.write(entry)
        assert await destination.flush()
        found = {name: _ask(destination.destinations[name]) for name in ("memory", "sqlite")}
        await destination.close()
        return found

    found = asyncio.run(program())
    found["file"] = entry_of(json.loads(path.read_bytes()))

    for name, one in found.items():
        assert one == entry, name
        assert [type(value) for value in vars(one).values()] == [
            type(value) for value in vars(entry).values()
        ], name


def _ask(destination):
    with destination.open() as live:
        (entry,) = live.query(Wanted())
    return entry


# ── SpooledDestination ──────────────────────────────────────────────────────────────────────────────────────


def test_questions_are_by_any_field_and_time(tmp_path):
    async def program():
        destination = spooled(tmp_path)
        for entry in [*numbered_entries(10), replace(BARE, tool_name="charge", message="tool")]:
            await destination.write(entry)
        await destination.flush()
        naive = (MOMENT + timedelta(milliseconds=8)).astimezone().replace(tzinfo=None)
        found = (
            await destination.query(tool_name="charge"),
            await destination.query(since=naive),
            await destination.query(
                since=MOMENT + timedelta(milliseconds=2),
                until=MOMENT + timedelta(milliseconds=4),
                level="INFO",
            ),
            await destination.query(level="ERROR"),
        )
        for wrong in ({"tool_nam": "x"}, {"limit": "ten"}, {"since": "yesterday"}):
            with pytest.raises(BadArgument):
                await destination.query(**wrong)
        await destination.close()
        return [[entry.message for entry in one] for one in found]

    assert asyncio.run(program()) == [["tool"], ["entry 9", "entry 8"], ["entry 3", "entry 2"], []]


@pytest.mark.parametrize(
    "said",
    [
        {name: f"{name}: {secret}, and so on"}
        for name in ("message", "output_summary", "error_message", "tool_name", "module", "thread_name")
        for secret in (
            "password=hunter2",
            "https://app:hunter2@db.internal/x",
            "Authorization: Bearer hunter2hunter2",
        )
    ]
    + [
        {"input_args": {"api_key": "hunter2"}},
        {"input_args": {"deep": [{"token": "hunter2"}]}},
        {"extra_data": {"note": "password=hunter2"}},
    ],
)
def test_a_secret_is_blanked_out_wherever_an_entry_says_it(tmp_path, said):
    memory = MemoryDestination(max_age_s=0)

    async def program():
        destination = spooled(tmp_path, memory=memory)
        await destination.write(replace(ENTRY, **said))
        assert await destination.flush()
        await destination.close()

    asyncio.run(program())

    (record,) = memory.records.values()
    assert b"hunter2" not in record.text
    assert record.entry.correlation_id == ENTRY.correlation_id


def test_secrets_of_an_entry_do_not_come_to_the_disk(tmp_path):
    path = tmp_path / "out.ndjson"

    async def program():
        destination = spooled(tmp_path, file=FileDestination(path=path, max_age_s=0))
        await destination.write(replace(ENTRY, input_args={"api_key": "hunter2", "to": "a"}))
        assert await destination.flush()
        await destination.close()

    asyncio.run(program())

    written = path.read_text() + "".join(
        each.read_bytes().decode(errors="replace") for each in (tmp_path / "spool").iterdir()
    )
    assert "hunter2" not in written
    assert json.loads(path.read_bytes())["input_args"]["to"] == "a"


def test_a_destination_is_switched_off_and_on_without_loss(tmp_path):
    local, far = MemoryDestination(max_age_s=0), MemoryDestination(max_age_s=0)

    async def program():
        destination = spooled(tmp_path, local=local, far=far)
        entries = iter(numbered_entries(30))

        async def say(count):
            for _ in range(count):
                await destination.write(next(entries))
            assert await destination.flush()
            return len(local.records), len(far.records)

        both = await say(10)
        destination.use({"local": local})
        one = await say(10)
        with pytest.raises(BadArgument, match="No destination is called 'kafak'"):
            destination.use({"far": {"type": "kafak"}})
        destination.use({"local": local, "far": far})
        again = await say(10)
        await destination.close()
        return both, one, again

    assert asyncio.run(program()) == ((10, 10), (20, 10), (30, 30))


def test_every_error_of_a_destination_is_told_where_everything_is_logged(tmp_path, capsys):
    """LOG_LEVEL=DEBUG: each error, and no secret of it."""
    told = []

    class Failing(MemoryDestination):
        @contextmanager
        def open(self):
            if len(told) < 3:
                told.append(1)
                raise RuntimeError("postgresql://app:hunter2@db.internal refused")
            with super().open() as live:
                yield live

    async def program(level):
        told.clear()
        destination = SpooledDestination(
            EmitSettings(
                folder=tmp_path / level,
                level=level,
                destinations={"far": Failing(max_age_s=0, first_retry_s=0.001, most_retry_s=0.001)},
            )
        )
        await destination.write(ENTRY)
        assert await destination.flush()
        await destination.close()
        return str(status_of(destination.emitter.spool))

    status = asyncio.run(program("info"))
    seldom = capsys.readouterr().err
    asyncio.run(program("debug"))
    each = capsys.readouterr().err

    assert seldom.count("far: RuntimeError") == 1
    assert each.count("far: RuntimeError") == 3
    assert "db.internal" in each
    assert "db.internal" in status
    assert "hunter2" not in seldom + each + status


# ── somebody's destination, by its name ─────────────────────────────────────────────────────────────────────

THEIRS = '''
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar
from logpith_emit.destinations import ALL_WRITTEN, Destination, write_only

LINES = []

@dataclass(frozen=True, kw_only=True)
class ChalkboardDestination(Destination):
    """Writes on a board."""
    type: ClassVar[str] = "chalkboard"
    colour: str = "white"

    @contextmanager
    def open(self):
        board = self
        class Live:
            query = write_only
            def write(self, records):
                LINES.extend(f"{board.colour}: {record.entry.message}" for record in records)
                return ALL_WRITTEN
        yield Live()
'''


def test_the_destination_of_another_package_is_found_by_its_name(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "chalkboard-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "chalkboard_logs.py").write_text(THEIRS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chalkboard\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[logpith_emit.destinations]\nchalkboard = chalkboard_logs:ChalkboardDestination\n"
    )
    monkeypatch.syspath_prepend(site)

    async def program():
        destination = spooled(tmp_path, board={"type": "chalkboard", "colour": "green", "max_age_s": 0})
        await destination.write(ENTRY)
        assert await destination.flush()
        await destination.close()

    asyncio.run(program())

    assert sys.modules.pop("chalkboard_logs").LINES == ["green: call answered"]
    with pytest.raises(BadArgument, match="Did you mean 'chalkboard'"):
        spooled(tmp_path, board={"type": "chalkbord"})


def test_a_naive_time_of_an_entry_is_this_machines(tmp_path):
    naive = datetime(2026, 3, 14, 9, 26, 53)

    async def program():
        destination = spooled(tmp_path)
        await destination.write(replace(ENTRY, timestamp=naive))
        await destination.flush()
        (found,) = await destination.query()
        await destination.close()
        return found

    found = asyncio.run(program())

    assert isinstance(found, LogEntry)
    assert found.timestamp == naive.astimezone(UTC)
    assert math.isclose(found.timestamp.timestamp(), naive.timestamp())
