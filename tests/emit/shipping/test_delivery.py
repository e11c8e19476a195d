"""What stands in a spool comes to every destination, whatever becomes of them."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from logpith_emit.clock import ManualClock
from logpith_emit.destinations import ALL_WRITTEN, Destination, Written
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.shipping import Shipper, forget, status_of
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.spool import Spool
from logpith_emit.testing import check_destination, numbered

SOON_S = 60
"""A deadline, not a wait."""


@dataclass(frozen=True, kw_only=True)
class Scripted(Destination):
    """Does with each write what `act` says, and keeps what that lets through."""

    type: ClassVar[str] = "scripted"

    act: object = None
    first_retry_s: float = 0.001
    most_retry_s: float = 0.002
    records: list = field(default_factory=list)
    writes: list = field(default_factory=list)

    @contextmanager
    def open(self):
        yield self

    def write(self, records):
        self.writes.append([record.id for record in records])
        written = self.act(records) or ALL_WRITTEN
        self.records.extend(
            record.fields["message"]
            for record in records
            if record.id not in written.refused and record.id not in written.again
        )
        return written


@pytest.fixture
def spool(tmp_path):
    return Spool(folder=tmp_path / "spool")


@pytest.fixture
def told():
    return []


def shipper_of(spool, destinations, told=None, *, clock=None):
    """At a time when the records of these tests are not old."""
    told = [] if told is None else told
    return Shipper(spool, destinations, warn=lambda *said: told.append(said), clock=clock or ManualClock())


@pytest.fixture
def ship(spool, told):
    """Delivers all that is there to some destinations, and ends."""
    shippers = []

    def shipped(destinations, **more):
        shipper = shipper_of(spool, destinations, told, **more)
        shippers.append(shipper)
        shipper.start()
        assert shipper.flush(SOON_S)
        assert shipper.close(SOON_S)

    yield shipped
    for shipper in shippers:
        shipper.close(0)


def say(spool, count, *, first=1):
    """Appends records to a spool; their messages."""
    with spool.open() as writer:
        for record in numbered(count, first=first):
            writer.append(record.text, 1)
    return [f"record {number}" for number in range(first, first + count)]


def messages(memory):
    return [record.fields["message"] for record in memory.records.values()]


def test_memory_keeps_its_promises():
    memory = MemoryDestination()

    check_destination(memory, lambda: [record.entry for record in memory.records.values()])


def test_all_comes_once_to_every_destination_and_the_files_go(spool, ship):
    said = say(spool, 2_500)
    one, two = MemoryDestination(), MemoryDestination(batch_records=7)

    ship({"one": one, "two": two})

    assert messages(one) == messages(two) == said
    assert spool.segments() == []
    assert [(status.waiting, status.shipped.sent) for status in status_of(spool)] == [(0, 2_500)] * 2


def test_what_comes_later_is_delivered_too_and_nothing_twice(spool):
    memory = MemoryDestination()
    shipper = shipper_of(spool, {"memory": memory})
    shipper.start()
    with spool.open() as writer:
        for record in numbered(3):
            writer.append(record.text, 1)
            assert shipper.flush(SOON_S)
            assert messages(memory)[-1] == record.fields["message"]

    assert shipper.close(SOON_S)
    assert len(memory.records) == 3


def test_a_dead_destination_delays_no_other_and_loses_nothing(spool, told):
    may_pass = threading.Event()

    def refuses(_records):
        if not may_pass.is_set():
            raise Unavailable("The server is down", remedy="Start it")

    said = say(spool, 100)
    dead, healthy = Scripted(act=refuses), MemoryDestination()
    shipper = shipper_of(spool, {"dead": dead, "healthy": healthy}, told)
    shipper.start()
    running = shipper._running

    assert running["healthy"].flush(SOON_S)
    assert messages(healthy) == said
    while len(dead.writes) < 6:
        running["dead"].flush(0.01)
    assert shipper.shipped["dead"].state == "dead"
    assert len(dead.writes[-1]) == 1, "one that is dead is asked with a single record"
    assert ("dead: The server is down", "Start it") in told

    may_pass.set()
    assert shipper.flush(SOON_S)
    assert dead.records == said
    assert shipper.shipped["dead"].state == "delivering"
    assert shipper.close(SOON_S)


def test_one_that_is_too_slow_for_many_at_once_gets_fewer(spool):
    """As over a line on which a batch takes longer than `timeout_s`."""

    def takes_seven(records):
        if len(records) > 7:
            raise Unavailable("It did not answer in time", remedy="Wait")

    said = say(spool, 1_000)
    slow = Scripted(act=takes_seven)
    shipper = shipper_of(spool, {"slow": slow})
    shipper.start()

    assert shipper.flush(SOON_S)
    assert shipper.close(SOON_S)
    assert slow.records == said
    assert len(slow.writes) < 500


def test_one_that_is_back_soon_gets_as_many_as_it_should(spool):
    fails = iter([True] * 8)

    def comes_back(_records):
        if next(fails, False):
            raise Unavailable("The server is down", remedy="Start it")

    said = say(spool, 1_000)
    back = Scripted(act=comes_back, batch_records=100)
    shipper = shipper_of(spool, {"back": back})
    shipper.start()

    assert shipper.flush(SOON_S)
    assert shipper.close(SOON_S)
    assert back.records == said
    assert [len(write) for write in back.writes[:10]] == [100] * 5 + [1] * 4 + [2]
    assert len(back.writes[-1]) == 100


def pauses(shipper, destination, failures):
    """In how long it was to be tried again after each failure of which that was seen, until it has failed so often;
    looking at it lets it try at once."""
    shipper.start()
    seen = {}
    while len(destination.writes) <= failures:
        pause_s = shipper.next_try_s["d"]
        if pause_s:
            seen[len(destination.writes)] = pause_s
        shipper.flush(0.002)
    shipper.close(0)
    return [*seen.values()]


def test_each_pause_is_twice_as_long_up_to_the_longest_and_none_is_like_another(spool):
    def never(_records):
        raise Unavailable("down", remedy="wait")

    say(spool, 1)
    destination = Scripted(act=never, first_retry_s=1_000, most_retry_s=8_000)

    seen = pauses(shipper_of(spool, {"d": destination}), destination, 40)

    assert 4_000 < max(seen) <= 8_000
    longest = seen[len(seen) // 2 :]
    assert min(longest) > 3_990
    assert len({round(pause_s / 100) for pause_s in longest}) > 3, "many programs would come back at once"


def test_a_server_that_says_when_to_come_again_is_not_asked_before(spool):
    def busy(_records):
        raise Unavailable("busy", remedy="wait", retry_after_s=5_000)

    say(spool, 1)
    destination = Scripted(act=busy)

    seen = pauses(shipper_of(spool, {"d": destination}), destination, 3)

    assert min(seen) > 4_900


def test_what_was_not_delivered_waits_for_the_next_process(spool, ship):
    def never(_records):
        raise Unavailable("down", remedy="wait")

    said = say(spool, 10)
    shipper = shipper_of(spool, {"d": Scripted(act=never)})
    shipper.start()
    (delivery,) = shipper._running.values()

    shipper.close(0.05)
    assert delivery.join(SOON_S)
    (status,) = status_of(spool)
    assert (status.waiting, status.shipped.sent, status.shipped.state) == (10, 0, "ended")
    assert status.oldest_ns == numbered(1)[0].timestamp

    memory = MemoryDestination()
    ship({"d": memory})
    assert messages(memory) == said


def test_a_record_that_is_refused_becomes_a_dead_letter_and_its_neighbours_pass(spool, ship):
    def picky(records):
        if any(record.fields["message"] == "record 42" for record in records):
            raise Refused("42 is no number", remedy="Take another")

    said = say(spool, 100)
    destination = Scripted(act=picky)

    ship({"picky": destination})

    assert destination.records == [message for message in said if message != "record 42"]
    (letter,) = DeadLetters(spool, "picky").read()
    assert (letter["reason"], letter["record"]["message"]) == ("42 is no number", "record 42")
    assert status_of(spool)[0].shipped.refused == 1


@pytest.mark.parametrize(
    "text",
    [b"no JSON", b"[1]", b'"x"', b"\xff", b'{"timestamp":1,"level":"in', b'{"a":' * 100_000],
    ids=lambda text: text[:20].decode("latin-1"),
)
@pytest.mark.parametrize("level", ["trace", "info"])
def test_a_frame_that_is_no_record_becomes_a_dead_letter_and_holds_nobody_up(spool, ship, text, level):
    def reads(records):
        for record in records:
            assert record.entry

    with spool.open() as writer:
        writer.append(text, 1)
    said = say(spool, 3)
    destination = Scripted(act=reads, level=level, max_age_s=0)

    ship({"d": destination})

    assert sorted(destination.records) == said
    (letter,) = DeadLetters(spool, "d").read()
    assert letter["reason"] == "it is no JSON object"
    assert [status.waiting for status in status_of(spool)] == [0]


def test_items_that_are_refused_or_wanted_again_are_told_apart(spool, ship):
    seen = set()

    def by_item(records):
        refused = {record.id: "odd" for record in records if record.fields["message"] == "record 3"}
        again = frozenset(
            record.id
            for record in records
            if record.fields["message"] == "record 5" and record.id not in seen
        )
        seen.update(again)
        return Written(refused=refused, again=again)

    say(spool, 6)
    destination = Scripted(act=by_item)

    ship({"d": destination})

    assert destination.records == [f"record {number}" for number in (1, 2, 4, 6, 5)]
    shipped = status_of(spool)[0].shipped
    assert (shipped.sent, shipped.refused, shipped.retried) == (5, 1, 1)


@pytest.mark.parametrize(
    ("why", "problem"),
    [
        (Unavailable("the second shelf is full", remedy="Make room"), "the second shelf is full"),
        (None, "4 of 6 records are to be written again"),
    ],
)
def test_what_is_wanted_again_counts_as_an_error_which_is_told(spool, told, why, problem):
    may_pass, seen = threading.Event(), threading.Event()

    def takes_two(records):
        if may_pass.is_set():
            return None
        if len(records) < 6:
            seen.set()
            assert may_pass.wait(SOON_S)
            return None
        return Written(again=frozenset(record.id for record in records[2:]), why_again=why)

    say(spool, 6)
    destination = Scripted(act=takes_two)
    shipper = shipper_of(spool, {"d": destination}, told)
    shipper.start()

    assert seen.wait(SOON_S)
    shipped = shipper.shipped["d"]
    assert (shipped.state, shipped.errors, shipped.retried) == ("retrying", 1, 4)
    assert problem in shipped.last_error
    assert told[0][0] == f"d: {problem}"
    may_pass.set()
    assert shipper.flush(SOON_S)
    assert shipper.close(SOON_S)
    assert destination.records == [f"record {number}" for number in range(1, 7)]
    shipped = status_of(spool)[0].shipped
    assert (shipped.sent, shipped.errors, shipped.retried) == (6, 1, 4)


def test_who_wants_some_again_later_is_not_asked_before(spool):
    def busy(records):
        why = Unavailable("busy", remedy="wait", retry_after_s=5_000)
        return Written(again=frozenset(record.id for record in records), why_again=why)

    say(spool, 1)
    destination = Scripted(act=busy)

    seen = pauses(shipper_of(spool, {"d": destination}), destination, 3)

    assert min(seen) > 4_900


def test_whatever_a_destination_raises_delivery_goes_on(spool, ship, told):
    raised = iter([ZeroDivisionError("no"), KeyError("x"), RuntimeError(), None])

    def rages(_records):
        error = next(raised)
        if error is not None:
            raise error

    said = say(spool, 5)
    destination = Scripted(act=rages)

    ship({"d": destination})

    assert destination.records == said
    assert ("d: ZeroDivisionError: no", "The records wait in the spool") in told


def test_what_waited_too_long_is_dropped_counted_and_told(spool, ship):
    clock = ManualClock(numbered(5)[-1].timestamp + int(3e9))
    say(spool, 5)
    memory = MemoryDestination(max_age_s=3.0015)

    ship({"m": memory}, clock=clock)

    assert messages(memory) == ["record 4", "record 5", "3 records were dropped"]
    assert list(memory.records.values())[-1].fields["dropped"] == {"too_old": 3}
    assert status_of(spool)[0].shipped.dropped == {"too_old": 3}


def test_what_becomes_too_old_while_it_is_tried_is_dropped_and_told_once(spool, ship):
    clock = ManualClock(numbered(1)[0].timestamp)
    stuck = {"record 1", "record 2"}

    def holds_some_up(records):
        clock.advance(1_000_000_000)
        return Written(again=frozenset(record.id for record in records if record.fields["message"] in stuck))

    say(spool, 4)
    destination = Scripted(act=holds_some_up, max_age_s=10)

    ship({"d": destination}, clock=clock)

    assert destination.records == ["record 3", "record 4", "2 records were dropped"]
    shipped = status_of(spool)[0].shipped
    assert (shipped.sent, shipped.dropped) == (2, {"too_old": 2})


def test_what_the_spool_has_dropped_is_told_in_a_record(tmp_path, ship):
    spool = Spool(folder=tmp_path / "spool", limit_bytes=20_000, overflow="drop_newest")
    with spool.open() as writer:
        texts = [record.text for record in numbered(400)]
        kept = sum(bool(writer.append(text, 1)) for text in texts)
        assert 0 < kept < 400
        spool.remove()
    memory = MemoryDestination()

    ship({"m": memory})

    dropped = [record.fields for record in memory.records.values() if "dropped" in record.fields]
    assert [fields["message"] for fields in dropped] == [f"{400 - kept} records were dropped"]
    assert len(memory.records) == kept + 1


def test_a_destination_gets_only_what_it_wants(spool, ship):
    with spool.open() as writer:
        for level, logger, kind in [
            ("info", "shop.pay", "internal"),
            ("error", "shop.pay", "internal"),
            ("error", "httpx", "framework"),
            ("error", "shop.call", "tool_execution"),
        ]:
            fields = {
                "timestamp": 1,
                "level": level,
                "logger": logger,
                "log_type": kind,
                "message": f"{logger} {level}",
            }
            writer.append(json.dumps(fields).encode(), 1)
    errors = MemoryDestination(level="warning", max_age_s=0)
    shop = MemoryDestination(loggers=("shop.*", "!shop.call"), max_age_s=0)
    tools = MemoryDestination(types=("tool_execution",), max_age_s=0)

    ship({"errors": errors, "shop": shop, "tools": tools})

    assert messages(errors) == ["shop.pay error", "httpx error", "shop.call error"]
    assert messages(shop) == ["shop.pay info", "shop.pay error"]
    assert messages(tools) == ["shop.call error"]


def test_a_tag_and_a_service_choose_destinations_with_patterns(spool, ship):
    with spool.open() as writer:
        for number, more in enumerate(
            [
                {"tag": "audit.login", "service": "shop"},
                {"tag": "audit.noise", "service": "shop"},
                {"tag": "metrics", "service": "pay"},
                {"service": "pay"},
                {"tag": 7, "service": None},
                {"extra_data": {"tag": "audit.entry", "service": "pay"}},
                {"extra_data": "audit.text"},
            ]
        ):
            writer.append(json.dumps({"message": f"{number}", **more}).encode(), 1)
    chosen = {
        "audit": ("tags", ("audit.*", "!*.noise")),
        "others": ("tags", ("!audit.*",)),
        "seven": ("tags", ("[0-9]",)),
        "pay": ("services", ("pay",)),
    }
    destinations = {
        name: MemoryDestination(max_age_s=0, **{field: of}) for name, (field, of) in chosen.items()
    }

    ship(destinations | {"both": MemoryDestination(max_age_s=0, tags=("audit.*",), services=("pay",))})

    assert {name: messages(one) for name, one in destinations.items()} == {
        "audit": ["0", "5"],
        "others": ["2", "3", "4", "6"],
        "seven": ["4"],
        "pay": ["2", "3", "5"],
    }
    assert {status.name: status.shipped.unwanted for status in status_of(spool)}["both"] == 6


def wait_until_it_gathers(shipper, name="d"):
    while shipper.shipped[name].state != "gathering":
        assert not shipper._running[name].join(0.001)


def test_fewer_records_wait_for_others_as_long_as_it_gathers_and_go_together(spool):
    clock = ManualClock()
    come = threading.Event()
    destination = Scripted(act=lambda _: come.set(), gather_s=60, batch_records=10)
    shipper = shipper_of(spool, {"d": destination}, clock=clock)
    first = say(spool, 3)
    shipper.start()
    wait_until_it_gathers(shipper)
    clock.advance(59_000_000_000)
    second = say(spool, 2, first=4)
    assert destination.writes == []
    assert status_of(spool)[0].waiting == 5

    clock.advance(1_000_000_000)
    assert come.wait(SOON_S)

    assert (len(destination.writes), sorted(destination.records)) == (1, first + second)
    assert shipper.close(SOON_S)
    assert len(destination.writes) == 1


def test_what_is_as_much_as_it_gets_at_once_waits_for_nothing(spool):
    come = threading.Semaphore(0)
    destination = Scripted(act=lambda _: come.release(), gather_s=60, batch_records=10)
    said = say(spool, 25)
    shipper = shipper_of(spool, {"d": destination})
    shipper.start()
    wait_until_it_gathers(shipper)

    assert destination.records == said[:20]
    assert shipper.close(SOON_S)
    assert [len(ids) for ids in destination.writes] == [10, 10, 5]


@pytest.mark.parametrize("count", [3, 10, 25])
def test_who_waits_for_it_waits_for_nothing_to_be_gathered(spool, count):
    destination = Scripted(act=lambda _: None, gather_s=60, batch_records=10)
    shipper = shipper_of(spool, {"d": destination})
    said = say(spool, count)
    shipper.start()

    assert shipper.flush(SOON_S)
    assert destination.records == said
    later = say(spool, count, first=count + 1)
    assert shipper.flush(SOON_S)
    assert destination.records == said + later
    assert shipper.close(SOON_S)


GATHERS = """
import sys
from pathlib import Path
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.shipping import Shipper
from logpith_emit.spool import Spool
shipper = Shipper(Spool(folder=Path(sys.argv[1])), {"d": MemoryDestination(gather_s=600, max_age_s=0)}, warn=print)
shipper.start()
while shipper.shipped["d"].state != "gathering":
    shipper._running["d"].join(0.001)
print("gathers", flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_process_had_gathered_is_delivered_by_the_next_one(spool, ship):
    said = say(spool, 3)
    process = subprocess.Popen(
        [sys.executable, "-c", GATHERS, str(spool.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "gathers\n"
        process.kill()
    memory = MemoryDestination(gather_s=600, max_age_s=0)

    ship({"d": memory})

    assert messages(memory) == said
    assert status_of(spool)[0].shipped.sent == 3


@pytest.mark.parametrize("wrong", [{"gather_s": -1}, {"gather_s": 60, "max_age_s": 60}])
def test_a_time_to_gather_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(BadArgument, match="gather_s"):
        MemoryDestination(**wrong)


def test_switching_off_and_on_loses_nothing(spool):
    one, two = MemoryDestination(), MemoryDestination()
    shipper = shipper_of(spool, {"one": one, "two": two})
    shipper.start()
    first = say(spool, 3)
    assert shipper.flush(SOON_S)

    shipper.use({"one": one})
    second = say(spool, 3, first=4)
    assert shipper.flush(SOON_S)
    assert (messages(one), messages(two)) == (first + second, first)
    assert spool.segments() != []

    shipper.use({"one": one, "two": two})
    assert shipper.flush(SOON_S)
    assert shipper.close(SOON_S)
    assert messages(two) == first + second


def test_what_is_said_while_old_ones_end_comes_to_the_new_one_and_nothing_twice_to_one_that_stays(spool):
    hangs, may_end = threading.Event(), threading.Event()

    def hangs_first(_records):
        hangs.set()
        may_end.wait(SOON_S)

    old, stays, new = Scripted(act=hangs_first), MemoryDestination(), MemoryDestination()
    shipper = shipper_of(spool, {"old": old, "stays": stays})
    shipper.start()
    before = say(spool, 1)
    assert hangs.wait(SOON_S)
    ending = shipper._running["old"]
    switching = threading.Thread(
        target=shipper.use, args=({"stays": stays, "new": new},), kwargs={"deadline_s": SOON_S}
    )

    switching.start()
    while ending._ends_ns is None:
        ending.join(0.001)
    meanwhile = say(spool, 2, first=2)
    while len(stays.records) < 3:
        shipper._running["stays"].flush(SOON_S)
    may_end.set()
    switching.join()
    assert old.records == before + meanwhile, "it had taken all of them, after which their file may go"
    assert shipper.flush(SOON_S)

    assert sorted(messages(stays)) == before + meanwhile  # of two writers either may come first
    assert set(meanwhile) <= set(messages(new))
    assert shipper.close(SOON_S)
    assert [(one.name, one.shipped.sent) for one in status_of(spool) if one.name != "new"] == [
        ("old", 3),
        ("stays", 3),
    ]


def test_files_do_not_wait_for_what_was_forgotten(spool, ship):
    ship({"old": MemoryDestination(), "new": MemoryDestination()})
    say(spool, 3)
    ship({"new": MemoryDestination()})
    assert spool.segments() != []

    forget(spool, "old")
    say(spool, 1)
    ship({"new": MemoryDestination()})

    assert spool.segments() == []


DELIVERS = """
import sys
from pathlib import Path
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.shipping import Shipper
from logpith_emit.spool import Spool
shipper = Shipper(Spool(folder=Path(sys.argv[1])), {"m": MemoryDestination()}, warn=print)
shipper.start()
shipper.flush(30)
print("delivers", flush=True)
sys.stdin.readline()
"""


def test_only_one_process_delivers_and_another_takes_over_when_it_is_killed(spool):
    process = subprocess.Popen(
        [sys.executable, "-c", DELIVERS, str(spool.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "delivers\n"
        memory = MemoryDestination()
        shipper = shipper_of(spool, {"m": memory})
        shipper.start()
        while shipper.shipped["m"].state != "elsewhere":
            shipper._running["m"].flush(0.01)
        assert memory.records == {}

        process.kill()
        process.wait()
        said = say(spool, 3)
        assert shipper.flush(SOON_S)
        assert messages(memory) == said
        assert shipper.close(SOON_S)


def test_a_forked_child_delivers_what_it_says_when_its_parent_has_ended(spool):
    memory = MemoryDestination()
    shipper = shipper_of(spool, {"m": memory})
    shipper.start()
    assert shipper.flush(SOON_S)
    parent_reads, child_writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            say(spool, 2)
            os.write(child_writes, b"%d" % len(shipper._running))
        finally:
            os._exit(0)
    os.close(child_writes)
    assert os.read(parent_reads, 10) == b"0"
    os.close(parent_reads)
    os.waitpid(pid, 0)

    assert shipper.flush(SOON_S)
    assert messages(memory) == ["record 1", "record 2"]
    assert shipper.close(SOON_S)
