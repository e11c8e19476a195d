"""Whatever fails, the program goes on, nothing is lost without being counted, and what is counted adds up."""

import json
import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith_emit.clock import ManualClock
from logpith_emit.command import main
from logpith_emit.destinations import ALL_WRITTEN, Destination, Written
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.emitter import EmitSettings, Emitter
from logpith_emit.errors import Refused, Unavailable
from logpith_emit.handlers import intercept
from logpith_emit.logger import Logger
from logpith_emit.shipping import Shipper, status_of
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.spool import Spool
from logpith_emit.testing import numbered

SOON_S = 60
"""A deadline, not a wait."""

MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS


@dataclass(frozen=True, kw_only=True)
class Faulty(Destination):
    """Raises in the methods that `raising` names, and keeps what it takes."""

    type: ClassVar[str] = "faulty"

    raising: dict = field(default_factory=dict)
    first_retry_s: float = 0.001
    most_retry_s: float = 0.002
    max_age_s: float = 0.0
    records: list = field(default_factory=list)
    raised: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0), compare=False)

    def _perhaps(self, method):
        error = self.raising.get(method)
        if error is not None:
            self.raised.release()
            if error == "nothing":
                return None
            raise error.with_traceback(None)  # of one that is raised again and again it would grow
        return ALL_WRITTEN

    def open(self):
        self._perhaps("open")
        return self._live()

    @contextmanager
    def _live(self):
        self._perhaps("enter")
        yield self
        self._perhaps("close")

    def write(self, records):
        written = self._perhaps("write")
        self.records.extend(record.fields["message"] for record in records)
        return written

    def wants(self, record):
        self._perhaps("wants")
        return super().wants(record)


class UnspeakableError(Exception):
    def __str__(self):
        raise ValueError("no words")


@pytest.fixture
def emitted(tmp_path):
    """emitted({name: destination}): an emitter in a folder of its own, and its logger; closed afterwards."""
    made = []

    def emit_to(destinations, *, clock=None, **more):
        known = {"folder": tmp_path / "spool", "drain_s": 0.0, **more}
        emitter = Emitter(
            EmitSettings(service="shop", destinations=destinations, **known), clock=clock or ManualClock()
        )
        made.append(emitter)
        return emitter, Logger("shop", {}, emitter)

    yield emit_to
    for emitter in made:
        emitter.close()


def fail_again(destination, emitter, times=1):
    """Returns when it has failed so many times more."""
    while destination.raised.acquire(blocking=False):
        pass
    for _ in range(times):
        while not destination.raised.acquire(timeout=0.001):
            emitter.shipper.flush(0.01)  # which lets it hurry


def hurry(emitter, until):
    """Returns when something is so."""
    for _ in range(100_000):
        if until():
            return
        emitter.shipper.flush(0.005)
    raise AssertionError("it never was")


def fill(path):
    """Leaves no room on a disk."""
    with path.open("wb", buffering=0) as hog, suppress(OSError):
        while True:
            hog.write(bytes(100))


def messages(memory):
    return [record.fields["message"] for record in memory.records.values()]


def accounted(status):
    shipped = status.shipped
    return shipped.sent + status.waiting + shipped.refused + shipped.unwanted + sum(shipped.dropped.values())


# ── destinations that raise ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["open", "enter", "write", "wants"])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        Unavailable("down", remedy="wait"),
        SystemExit(3),
        KeyboardInterrupt(),
        UnspeakableError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_it_raises_wherever_records_wait_and_it_is_told_once_a_minute(
    emitted, capsys, method, error
):
    clock = ManualClock()
    destination = Faulty(raising={method: error})
    emitter, log = emitted({"odd": destination}, clock=clock)
    log.info("one")

    fail_again(destination, emitter, 3)
    log.info("two")
    first = capsys.readouterr().err
    assert first.count("\n") == 1
    assert first.startswith("logpith-emit: odd: ")

    clock.advance(MINUTE_NS)
    fail_again(destination, emitter, 3)
    assert capsys.readouterr().err.count("\n") == 1
    assert destination.records == []

    destination.raising.clear()
    assert emitter.shipper.flush(SOON_S)
    assert destination.records == ["one", "two"]
    assert emitter.dropped == {}


def test_one_that_answers_nonsense_is_told_and_asked_again_later(emitted, capsys):
    destination = Faulty(raising={"write": "nothing"})
    emitter, log = emitted({"odd": destination})
    log.info("one")

    fail_again(destination, emitter, 3)
    assert "odd: AttributeError" in capsys.readouterr().err
    assert emitter.shipper.shipped["odd"].sent == 0


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), UnspeakableError()], ids=lambda one: type(one).__name__
)
def test_one_that_raises_when_it_is_closed_has_all_and_its_program_ends(emitted, capsys, tmp_path, error):
    destination = Faulty(raising={"close": error})
    emitter, log = emitted({"odd": destination})
    log.info("one")
    assert emitter.shipper.flush(SOON_S)

    assert emitter.shipper.close(SOON_S)

    assert destination.records == ["one"]
    assert capsys.readouterr().err.count("\n") == 1
    (status,) = status_of(Spool(folder=tmp_path / "spool"))
    assert (status.waiting, status.shipped.sent, status.shipped.state) == (0, 1, "ended")


def test_without_a_thread_records_wait_and_the_program_goes_on(emitted, capsys):
    memory = MemoryDestination(max_age_s=0)
    emitter, log = emitted({"m": memory})
    before = threading.stack_size(1 << 60)  # more than any machine has addresses for
    try:
        log.info("one")
    finally:
        threading.stack_size(before)
    assert "The records wait in the spool" in capsys.readouterr().err
    assert emitter.dropped == {}

    emitter.start()
    assert emitter.shipper.flush(SOON_S)
    assert messages(memory) == ["one"]


def test_what_it_logs_while_it_writes_feeds_nobody(emitted, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)

    @dataclass(frozen=True, kw_only=True)
    class Chatty(MemoryDestination):
        def wants(self, record):
            logging.getLogger("client").warning("asked")
            log.warning("asked")
            return super().wants(record)

        @contextmanager
        def open(self):
            with super().open() as live:

                class Live:
                    def write(self, records):
                        logging.getLogger("client").warning("writing %d", len(records))
                        log.warning("writing")
                        return live.write(records)

                yield Live()

    chatty = Chatty(max_age_s=0)
    emitter, log = emitted({"chatty": chatty})
    intercept(emitter=emitter)

    log.info("one")
    assert emitter.shipper.flush(SOON_S)
    logging.getLogger("program").info("two")
    assert emitter.shipper.flush(SOON_S)

    assert messages(chatty) == ["one", "two"]
    assert emitter.lost == {"recursive": 8}


# ── two destinations ────────────────────────────────────────────────────────────────────────────────────────


def test_while_one_hangs_the_other_gets_everything(emitted):
    hangs, may_end = threading.Event(), threading.Event()

    @dataclass(frozen=True, kw_only=True)
    class Hanging(MemoryDestination):
        @contextmanager
        def open(self):
            with super().open() as live:

                class Live:
                    def write(self, records):
                        hangs.set()
                        may_end.wait(SOON_S)
                        return live.write(records)

                yield Live()

    hanging, healthy = Hanging(max_age_s=0), MemoryDestination(max_age_s=0)
    emitter, log = emitted({"hanging": hanging, "healthy": healthy})
    log.info("first")
    assert hangs.wait(SOON_S)

    said = ["first"]
    for number in range(20):
        log.info(f"record {number}")
        said.append(f"record {number}")
        assert emitter.shipper._running["healthy"].flush(SOON_S)
        assert messages(healthy) == said
    assert hanging.records == {}
    assert {status.name: status.shipped.state for status in status_of(emitter.spool)} == {
        "hanging": "delivering",
        "healthy": "delivering",
    }

    may_end.set()
    assert emitter.shipper.flush(SOON_S)
    assert messages(hanging) == said


@dataclass(frozen=True, kw_only=True)
class Calling(MemoryDestination):
    """Calls `act` with each write, when that is done."""

    act: object = None
    max_age_s: float = 0.0

    @contextmanager
    def open(self):
        with super().open() as live:

            class Live:
                def write(self, records):
                    odd = any(record.fields["message"] == "record 7" for record in records)
                    self_settings.act()
                    if odd:
                        raise Refused("odd", remedy="mend it")
                    return live.write(records)

            self_settings = self
            yield Live()


def test_when_its_time_is_up_nothing_more_is_written_and_what_was_counts_once(tmp_path):
    spool = spool_of(tmp_path / "spool", [record.text for record in numbered(40)])
    writes = []

    def end_at_the_sixth():
        writes.append(1)
        if len(writes) == 6:
            begun.get(timeout=SOON_S).end_within(0)

    begun = SimpleQueue()  # the thread may be here before who has begun it knows it
    first = Calling(act=end_at_the_sixth, batch_records=10)
    shipper = Shipper(spool, {"d": first}, warn=lambda *_: None, clock=ManualClock())
    shipper.start()
    (delivery,) = shipper._running.values()
    begun.put(delivery)
    assert delivery.join(SOON_S)

    assert len(writes) == 6, "it had ten more to write"
    (status,) = status_of(spool)
    assert accounted(status) == 40
    assert status.waiting == 40 - status.shipped.sent > 0

    deliver(spool, {"d": (second := Calling(act=lambda: None))})
    (status,) = status_of(spool)
    assert (accounted(status), status.shipped.sent, status.shipped.refused) == (40, 39, 1)
    assert len({*messages(first), *messages(second)}) == 39
    assert len(list(DeadLetters(spool, "d").read())) == 1


def test_what_is_not_wanted_is_counted_too(tmp_path):
    spool = spool_of(tmp_path / "spool", [record.text for record in numbered(40)])

    deliver(spool, {"none": Faulty(loggers=("nobody",)), "all": MemoryDestination()})

    everything, nothing = status_of(spool)
    assert (everything.shipped.unwanted, nothing.shipped.unwanted) == (0, 40)
    assert accounted(everything) == accounted(nothing) == 40


def test_an_end_that_leaves_something_says_so(tmp_path):
    spool = spool_of(tmp_path / "spool", [record.text for record in numbered(3)])
    destination = Faulty(raising={"write": Unavailable("down", remedy="wait")})
    shipper = Shipper(spool, {"d": destination}, warn=lambda *_: None, clock=ManualClock())
    shipper.start()

    assert not shipper.close(0.01)

    assert [status.waiting for status in status_of(spool)] == [3]


def test_a_forked_child_keeps_nobody_from_delivering_though_a_destination_hung_at_the_fork(tmp_path):
    hangs, may_end = threading.Event(), threading.Event()

    @dataclass(frozen=True, kw_only=True)
    class Hanging(MemoryDestination):
        @contextmanager
        def open(self):
            yield self

        def write(self, _records):
            hangs.set()
            may_end.wait(SOON_S)
            return ALL_WRITTEN

    spool = spool_of(tmp_path / "spool", [record.text for record in numbered(3)])
    shipper = Shipper(spool, {"d": Hanging()}, warn=lambda *_: None, clock=ManualClock())
    shipper.start()
    assert hangs.wait(SOON_S)
    (delivery,) = shipper._running.values()
    assert not shipper.close(0)
    child_reads, parent_writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(parent_writes)
        os.read(child_reads, 1)
        os._exit(0)
    try:
        may_end.set()
        assert delivery.join(SOON_S)
        spool_of(spool.folder, [record.text for record in numbered(2, first=4)])
        memory = MemoryDestination()
        deliver(spool, {"d": memory})
    finally:
        os.close(parent_writes)
        os.close(child_reads)
        os.waitpid(pid, 0)

    # It took those that it hung at when it was let go.
    assert messages(memory) == ["record 4", "record 5"]


# ── the spool's folder ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("only root may make a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_on_a_full_disk_the_program_goes_on_and_all_that_it_said_is_accounted_for(
    emitted, small_disk, overflow
):
    # It takes nothing as long as it does not open: what is under way while its file is dropped counts as both.
    destination = Faulty(raising={"open": Unavailable("down", remedy="wait")})
    emitter, log = emitted(
        {"d": destination}, folder=small_disk / "spool", limit_bytes=1 << 20, overflow=overflow
    )
    for number in range(8_000):
        log.info(f"record {number}")
    assert sum(emitter.dropped.values()) > 0

    destination.raising.clear()
    hurry(emitter, lambda: not status_of(emitter.spool)[0].waiting)
    log.info("there is room again")
    assert emitter.shipper.flush(SOON_S)

    kept = [message for message in destination.records if message.startswith("record ")]
    assert destination.records[-1] == "there is room again"
    assert len(kept) == len(set(kept))
    assert len(kept) + sum(emitter.dropped.values()) == 8_000
    shipped = emitter.shipper.shipped["d"]
    assert shipped.sent == len(kept) + 1
    assert shipped.dropped == emitter.dropped


def test_on_a_disk_that_others_have_filled_delivery_goes_on_and_makes_room(emitted, small_disk):
    destination = Faulty()
    emitter, log = emitted({"d": destination}, folder=small_disk / "spool")
    log.info("before")
    assert emitter.shipper.flush(SOON_S)

    fill(small_disk / "hog")
    for number in range(100):
        log.info(f"in vain {number}")
    emitter.shipper.flush(SOON_S)
    lost = sum(emitter.dropped.values())
    assert lost > 0

    (small_disk / "hog").unlink()
    log.info("after")
    assert emitter.shipper.flush(SOON_S)

    assert (destination.records[0], destination.records[-1]) == ("before", "after")
    shipped = emitter.shipper.shipped["d"]
    assert shipped.sent + sum(shipped.dropped.values()) >= 102
    assert len([one for one in destination.records if "dropped" not in one]) + lost >= 102


def test_on_a_disk_that_may_only_be_read_the_program_goes_on_and_later_it_writes(emitted, small_disk, capsys):
    def remount(how):
        subprocess.run(["mount", "-o", f"remount,{how}", str(small_disk)], check=True)

    (small_disk / "spool").mkdir()
    memory = MemoryDestination(max_age_s=0)
    emitter, log = emitted({"m": memory}, folder=small_disk / "spool")
    remount("ro")
    for number in range(10):
        log.info(f"lost {number}")
    assert sum(emitter.dropped.values()) == 10
    assert capsys.readouterr().err.count("\n") == 1
    emitter.shipper.flush(0.01)

    remount("rw")
    log.info("kept")
    assert emitter.shipper.flush(SOON_S)

    assert messages(memory) == ["kept", "10 records were dropped"] or messages(memory) == [
        "10 records were dropped",
        "kept",
    ]
    assert emitter.shipper.shipped["m"].dropped == emitter.dropped


def test_a_folder_that_is_removed_under_way_is_made_again_and_what_went_is_counted(emitted):
    destination = Faulty(raising={"open": Unavailable("down", remedy="wait")})
    emitter, log = emitted({"d": destination})
    said = 0

    def say():
        nonlocal said
        said += 1
        log.info(f"record {said}")

    for _ in range(100):
        say()
    fail_again(destination, emitter)
    emitter.spool.disk.remove_folder(emitter.folder)

    def is_back():
        say()
        return bool(emitter.spool.segments())

    hurry(emitter, is_back)
    destination.raising.clear()
    say()
    last = said
    assert emitter.shipper.flush(SOON_S)

    assert f"record {last}" in destination.records
    assert emitter.dropped["removed"] >= 100
    sent = [message for message in destination.records if message.startswith("record ")]
    assert len(sent) + emitter.dropped["removed"] == said
    (status,) = status_of(emitter.spool)
    assert status.shipped.dropped == {"removed": emitter.dropped["removed"]}
    assert len(set(sent)) == len(sent) == status.shipped.sent


def test_after_the_folder_was_removed_still_only_one_delivers(tmp_path):
    spool, told = Spool(folder=tmp_path / "spool"), []
    one, two = MemoryDestination(), MemoryDestination()
    first, second = (
        Shipper(spool, {"d": memory}, warn=lambda *said: told.append(said), clock=ManualClock())
        for memory in (one, two)
    )
    first.start()
    assert first.flush(SOON_S)

    spool.disk.remove_folder(spool.folder)
    for _ in range(10_000):
        first.flush(0.01)
        if (spool.folder / "d.lock").exists():
            break
    assert first.flush(SOON_S)
    assert first.shipped["d"].state == "delivering"
    second.start()
    for _ in range(10_000):
        second.flush(0.01)
        if second.shipped["d"].state == "elsewhere":
            break
    spool_of(spool.folder, [record.text for record in numbered(3)])
    assert first.flush(SOON_S)

    assert (f"d: {spool.folder} was removed", "It is made again") in told
    assert (len(one.records), len(two.records)) == (3, 0)
    assert second.close(SOON_S)
    assert first.close(SOON_S)


# ── damage, clocks, large records ───────────────────────────────────────────────────────────────────────────


def spool_of(folder, texts):
    spool = Spool(folder=folder)
    with spool.open() as writer:
        for text in texts:
            writer.append(text, 1)
    return spool


def deliver(spool, destinations, *, clock=None, told=None):
    told = [] if told is None else told
    shipper = Shipper(spool, destinations, warn=lambda *said: told.append(said), clock=clock or ManualClock())
    shipper.start()
    assert shipper.flush(SOON_S), told[-3:]
    assert shipper.close(SOON_S)


def test_damage_costs_only_what_it_touches_and_status_shows_it(tmp_path, capsys):
    spool = spool_of(tmp_path / "spool", [record.text for record in numbered(100)])
    (segment,) = spool.segments()
    data = bytearray(segment.path.read_bytes())
    at = data.index(b"record 50")
    data[at] ^= 0xFF
    segment.path.write_bytes(data)
    memory, told = MemoryDestination(), []

    deliver(spool, {"m": memory, "two": MemoryDestination()}, told=told)

    assert messages(memory) == [f"record {number}" for number in range(1, 101) if number != 50]
    assert (
        f"{spool.folder} is damaged in 1 place",
        "What is good there is delivered, and the file kept aside as *.damaged",
    ) in told
    main(["status", "--folder", str(spool.folder)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("spool  m (ended): 0 waiting, 99 sent, 1 place of ")
    assert second.startswith("spool  two (ended): 0 waiting, 99 sent, 1 place of ")
    assert len(spool.aside()) == 1

    deliver(spool, {"m": memory})
    assert status_of(spool)[0].shipped.damaged_places == 1


def test_a_clock_that_is_set_drops_nothing_and_holds_nothing_up(tmp_path):
    clock = ManualClock()
    spool = Spool(folder=tmp_path / "spool")
    memory = MemoryDestination(max_age_s=1_800)
    shipper = Shipper(spool, {"m": memory}, warn=lambda *_: None, clock=clock)
    shipper.start()
    assert shipper.flush(SOON_S)
    said = []
    with spool.open() as writer:
        for number, turn_ns in enumerate([0, HOUR_NS, 0, -HOUR_NS, 0, -HOUR_NS, HOUR_NS, HOUR_NS]):
            # Said by the clock as it is, then the clock is set before anybody has looked.
            text = json.dumps(
                {"timestamp": clock.now_ns(), "message": f"record {number}"}, separators=(",", ":")
            )
            said.append(f"record {number}")
            assert writer.append(text.encode(), 1)
            clock.set_now(clock.now_ns() + turn_ns)
            assert shipper.flush(SOON_S)
    assert shipper.close(SOON_S)

    assert messages(memory) == said


@dataclass(frozen=True, kw_only=True)
class Weighing(Destination):
    """Keeps how much it was given at once; refuses what is too much."""

    type: ClassVar[str] = "weighing"

    most: int = 1 << 40
    weights: list = field(default_factory=list)

    @contextmanager
    def open(self):
        yield self

    def write(self, records):
        if sum(len(record.text) for record in records) > self.most:
            raise Refused("413: too large", remedy="Raise the limit")
        self.weights.append([len(record.text) for record in records])
        return ALL_WRITTEN


def large(size_bytes):
    return b'{"timestamp":1700000000000000000,"message":"%s"}' % (b"x" * size_bytes)


def test_a_large_record_is_delivered_alone_or_refused_with_its_reason(tmp_path):
    small = [record.text for record in numbered(3)]
    texts = [*small, large(1 << 20), *small, large(8 << 20), *small]
    spool = spool_of(tmp_path / "spool", texts)
    takes, refuses = Weighing(batch_bytes=1 << 20), Weighing(batch_bytes=1 << 20, most=1 << 22)

    deliver(spool, {"takes": takes, "refuses": refuses})

    assert [size for weights in takes.weights for size in weights] == [len(text) for text in texts]
    assert all(len(weights) == 1 for weights in takes.weights if max(weights) >= 1 << 20)
    assert sum(map(len, refuses.weights)) == len(texts) - 1
    (letter,) = DeadLetters(spool, "refuses").read()
    assert letter["reason"] == "413: too large"
    assert [accounted(status) for status in status_of(spool)] == [len(texts)] * 2


def test_a_record_of_a_hundred_megabytes_takes_a_few_times_that(tmp_path):
    size = 100 << 20
    spool = spool_of(tmp_path / "spool", [large(10), large(size), large(10)])
    takes, refuses = Weighing(), Weighing(most=1 << 20)
    tracemalloc.start()
    try:
        deliver(spool, {"takes": takes})
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * size
    assert [max(weights) > size for weights in takes.weights] == [False, True, False]
    spool_of(tmp_path / "spool", [large(size)])

    deliver(spool, {"refuses": refuses})

    (status,) = [status for status in status_of(spool) if status.name == "refuses"]
    # More than dead letters may take, so it is not kept, and that is counted.
    assert (status.shipped.refused, status.shipped.dropped, status.waiting) == (
        0,
        {"dead_letters_full": 1},
        0,
    )


def grown_with_a_dead_destination(folder, records):
    """By how many bytes what delivery holds has grown over the last three quarters of so many records."""
    destination = Faulty(raising={"write": Unavailable("down", remedy="wait")})
    told = Counter()
    spool = Spool(folder=folder)
    shipper = Shipper(spool, {"d": destination}, warn=lambda *said: told.update(said), clock=ManualClock())
    shipper.start()
    texts = [record.text for record in numbered(1_000)]
    (delivery,) = shipper._running.values()
    tracemalloc.start()
    try:
        with spool.open() as writer:
            for number in range(records):
                writer.append(texts[number % 1_000], 1)
                if number == records // 4:
                    first = settled(delivery, destination)
            last = settled(delivery, destination)
    finally:
        tracemalloc.stop()
        shipper.close(0)
    return last - first


def settled(delivery, destination):
    """What is held after some failures more."""
    while destination.raised.acquire(blocking=False):
        pass
    for _ in range(10):
        while not destination.raised.acquire(timeout=0.001):
            delivery.flush(0.01)
    return tracemalloc.get_traced_memory()[0]


def test_a_dead_destination_takes_no_memory(tmp_path):
    assert grown_with_a_dead_destination(tmp_path / "spool", 20_000) < 1 << 20


# ── any mixture ─────────────────────────────────────────────────────────────────────────────────────────────

MIXED = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from(["fine", "down", "rages", "refuses", "picky", "again", "nonsense"]),
        st.sampled_from(["end", "killed"]),
        st.integers(0, 3),
        st.sampled_from([0, 60]),
    ),
    min_size=1,
    max_size=6,
)


@dataclass(frozen=True, kw_only=True)
class Moody(Destination):
    """Fails in its way for some writes, then is fine; keeps each record once, as one that says `once`."""

    type: ClassVar[str] = "moody"

    way: str
    times: list
    known: dict
    first_retry_s: float = 0.0001
    most_retry_s: float = 0.0002
    batch_records: int = 4

    @contextmanager
    def open(self):
        yield self

    def write(self, records):
        odd = {record.id: "odd" for record in records if record.fields["message"].endswith("7")}
        if self.way == "refuses" and odd:
            raise Refused("odd", remedy="mend it")
        way = self.way if self.times[0] > 0 else "fine"
        self.times[0] -= 1
        if way == "down":
            raise Unavailable("down", remedy="wait")
        if way == "rages":
            raise KeyError("x")
        if way == "nonsense":
            return None
        refused = odd if way == "picky" else {}
        again = frozenset(record.id for record in records[1:]) if way == "again" else frozenset()
        for record in records:
            if record.id not in refused and record.id not in again:
                self.known[record.id] = record.fields["message"]
        return Written(refused=refused, again=again)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(sessions=MIXED)
def test_after_any_mixture_of_faults_and_restarts_the_sums_hold(tmp_path_factory, sessions):
    folder = tmp_path_factory.mktemp("mixed") / "spool"
    spool, known, said = Spool(folder=folder), {}, []
    with spool.open() as writer:
        for count, way, ending, times, gather_s in sessions:
            for record in numbered(count, first=len(said) + 1):
                assert writer.append(record.text, 1)
                said.append(record.fields["message"])
            place = folder / "d.place"
            before = place.read_bytes() if place.exists() else None
            deliver(spool, {"d": Moody(way=way, times=[times], known=known, gather_s=gather_s)})
            if ending == "killed" and before is not None:
                # As it is when the process ends after it has counted and before its place is saved.
                place.write_bytes(before)
            (status,) = status_of(spool)
            assert accounted(status) == len(said)
            assert status.waiting == 0
    letters = {letter["id"]: letter["record"]["message"] for letter in DeadLetters(spool, "d").read()}

    assert sorted([*known.values(), *letters.values()]) == sorted(said)
    assert (status.shipped.sent, status.shipped.refused) == (len(known), len(letters))


def test_switching_and_flushing_by_many_threads_at_once_delivers_all_once(tmp_path):
    spool = Spool(folder=tmp_path / "spool")
    one, two = MemoryDestination(), MemoryDestination(batch_records=3)
    told, raised = [], []
    shipper = Shipper(spool, {"one": one}, warn=lambda *said: told.append(said), clock=ManualClock())
    choices = [{"one": one}, {"two": two}, {"one": one, "two": two}]

    def switch(seed):
        chance = random.Random(seed)
        try:
            for _ in range(10):
                act = chance.choice(["start", "flush", "use"])
                if act == "start":
                    shipper.start()
                elif act == "flush":
                    shipper.flush(0.001)
                else:
                    shipper.use(chance.choice(choices))
        except BaseException as error:  # noqa: BLE001 - whatever it is
            raised.append(error)

    # Files wait for both from before the first record.
    spool.wait_for("one")
    spool.wait_for("two")
    threads = [threading.Thread(target=switch, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    with spool.open() as writer:
        for record in numbered(500):
            writer.append(record.text, 1)
    for thread in threads:
        thread.join()
    shipper.use(choices[2])
    assert shipper.flush(SOON_S)
    assert shipper.close(SOON_S)

    assert raised == []
    assert told == []
    assert [(status.waiting, status.shipped.sent) for status in status_of(spool)] == [(0, 500)] * 2
    assert len(one.records) == len(two.records) == 500


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def program(tmp_path):
    """program(text, *arguments): runs it to its end, with a file as destination, or one of another `kind`; what it
    told, and the records that were written."""
    table = tmp_path / "emit.toml"
    out = tmp_path / "out"
    environment = {
        **os.environ,
        "LOGPITH_EMIT_SETTINGS": str(table),
        "LOGPITH_EMIT_FOLDER": str(tmp_path / "spool"),
        "LOGPITH_EMIT_SERVICE": "shop",
        # From Python 3.12 on, it warns of what forks beside threads.
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }

    def run(text, *arguments, kind="file"):
        table.write_text(f'drain_s = 30\n[destinations.{kind}]\ntype = "{kind}"\npath = "{out}"\n')
        path = tmp_path / "program.py"
        path.write_text(text)
        done = subprocess.run(
            [sys.executable, str(path), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SOON_S * 4,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        # What was said after the end had begun waits for this.
        ship = [sys.executable, "-m", "logpith_emit", "ship", "--once"]
        shipped = subprocess.run(
            ship, env=environment, capture_output=True, text=True, check=False, timeout=SOON_S * 2
        )
        assert shipped.returncode == 0, shipped
        return done.stdout, in_sqlite(out) if kind == "sqlite" else in_file(out)

    return run


def in_file(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def in_sqlite(path):
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT message, extra_data FROM unified_logs").fetchall()
    return [{"message": message} | json.loads(fields or "{}") for message, fields in rows]


FORKS = """
import os, sys
from logpith_emit import get_logger
log = get_logger("shop")
log.info("begun")
children = []
for child in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        for number in range(20):
            log.info("record", child=child, number=number)
        if child % 2:
            sys.exit(0)      # which waits until all is delivered
        os._exit(0)          # which waits for nothing
    children.append(pid)
    if len(children) == 25:
        for pid in children:
            os.waitpid(pid, 0)
        children.clear()
for pid in children:
    os.waitpid(pid, 0)
log.info("ended")
"""


def check_forks(program, children):
    # A child may be the first to deliver, and end in the middle of that: what it brought comes again.
    _, records = program(FORKS, str(children), kind="sqlite")

    said = Counter((record.get("child"), record.get("number")) for record in records)
    assert said == Counter(
        [(child, number) for child in range(children) for number in range(20)] + [(None, None)] * 2
    )


def test_all_that_fifty_forked_children_say_is_delivered_once(program):
    check_forks(program, 50)


@pytest.mark.crash
@pytest.mark.timeout(1_800)
def test_all_that_five_hundred_forked_children_say_is_delivered_once(program):
    check_forks(program, 500)


ORPHAN = """
import os
from logpith_emit import get_logger
from logpith_emit.logger import the_emitter
log = get_logger("shop")
log.info("by the parent")
the_emitter().shipper.flush(30)
reader, writer = os.pipe()
if os.fork():
    os._exit(0)              # as what makes itself a daemon does
os.close(writer)
os.setsid()
log.info("by the child")
the_emitter().shipper.flush(30)
print(the_emitter().shipper.shipped["file"].sent, flush=True)
"""


def test_a_child_whose_parent_has_ended_delivers_by_itself(program):
    told, records = program(ORPHAN)

    assert told == "2\n"
    assert [record["message"] for record in records] == ["by the parent", "by the child"]


SPAWNS = """
import multiprocessing
from logpith_emit import get_logger

def work(child):
    for number in range(20):
        get_logger("shop").info("record", number=child * 20 + number)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(work, range(3))
        pool.close()
        pool.join()
"""

TASKS = """
import asyncio
from logpith_emit import get_logger

async def work(task):
    for number in range(20):
        get_logger("shop").info("record", number=task * 20 + number)
        await asyncio.sleep(0)

async def all_of_them():
    tasks = [asyncio.create_task(work(task)) for task in range(3)]
    await asyncio.gather(*tasks)

asyncio.run(all_of_them())
"""

SIGNALS = """
import itertools, signal
from logpith_emit import get_logger
from logpith_emit.logger import the_emitter
numbers = itertools.count()
log = get_logger("shop")
log.info("begun")
signal.signal(signal.SIGALRM, lambda *_: log.info("record", number=next(numbers)))
for turn in range(500):
    signal.setitimer(signal.ITIMER_REAL, 0.00002 + turn % 50 * 0.000002)
    for _ in range(5):
        log.info("x" * 1_000)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
assert not the_emitter().dropped, the_emitter().dropped
print(next(numbers))
"""

LATE = """
import atexit
from logpith_emit import get_logger

class Dying:
    def __del__(self):
        log.info("record", number=2)

log = get_logger("shop")
atexit.register(lambda: log.info("record", number=1))     # runs after what the first record has registered
log.info("record", number=0)
left = Dying()
"""

ONLY_LATE = """
import atexit
from logpith_emit import get_logger
atexit.register(lambda: get_logger("shop").info("record", number=0))
"""


@pytest.mark.parametrize(
    ("text", "count"),
    [(SPAWNS, 60), (TASKS, 60), (SIGNALS, None), (LATE, 3), (ONLY_LATE, 1)],
    ids=["spawn", "asyncio", "signal handler", "atexit and __del__", "nothing before the end"],
)
def test_wherever_it_is_said_it_is_delivered_once(program, text, count):
    told, records = program(text)

    numbers = sorted(record["number"] for record in records if "number" in record)
    assert numbers == list(range(int(told) if count is None else count))


ENDS = """
import atexit, socket, sys, threading, time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

began = []
# Runs last, for it is registered first.
atexit.register(lambda: print(time.monotonic() - began[0], flush=True))

from logpith_emit.destinations import ALL_WRITTEN, Destination
from logpith_emit.destinations.file import FileDestination
from logpith_emit.destinations.http import HttpDestination
from logpith_emit.emitter import EmitSettings, Emitter
from logpith_emit.errors import Unavailable
from logpith_emit.logger import Logger

@dataclass(frozen=True, kw_only=True)
class Bad(Destination):
    type = "bad"
    how: str
    tried: threading.Event

    @contextmanager
    def open(self):
        yield self
        if self.how == "never closes":
            threading.Event().wait()

    def write(self, records):
        self.tried.set()
        if self.how == "refuses":
            raise Unavailable("no", remedy="wait")
        if self.how == "hangs":
            threading.Event().wait()
        return ALL_WRITTEN

nobody = socket.create_server(("127.0.0.1", 0))
address = "http://127.0.0.1:%d" % nobody.getsockname()[1]
bad = {how: Bad(how=how, tried=threading.Event()) for how in ("refuses", "hangs", "never closes")}
emitter = Emitter(EmitSettings(
    service="shop", folder=Path(sys.argv[1]), drain_s=0.2,
    destinations={
        **{how.replace(" ", "_"): one for how, one in bad.items()},
        "black_hole": HttpDestination(url=address),
        "healthy": FileDestination(path=Path(sys.argv[2])),
    },
))
log = Logger("shop", {}, emitter)
log.info("first")
for one in bad.values():
    one.tried.wait()
nobody.accept()          # it has connected, and will never hear anything
log.info("last")
began.append(time.monotonic())
"""


def test_the_end_waits_no_longer_than_it_may_for_any_of_them(tmp_path):
    arguments = [str(tmp_path / "spool"), str(tmp_path / "out.ndjson")]

    done = subprocess.run(
        [sys.executable, "-c", ENDS, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON_S * 2,
    )

    # 0.2 s, and 0.1 s at most where nobody else needs the machine. Whatever does wait for one of them waits for 30 s
    # or for ever, so that this tells the two apart on any machine.
    assert 0.15 < float(done.stdout) < 10, done
    said = [json.loads(line)["message"] for line in (tmp_path / "out.ndjson").read_bytes().splitlines()]
    assert said == ["first", "last"]
    states = {
        status.name: (status.waiting, status.shipped.sent)
        for status in status_of(Spool(folder=tmp_path / "spool"))
    }
    assert states == {
        "healthy": (0, 2),
        "never_closes": (0, 2),
        **dict.fromkeys(("refuses", "hangs", "black_hole"), (2, 0)),
    }


SHIPS = """
import json, sys
from pathlib import Path
from logpith_emit.destinations import destination_of
from logpith_emit.shipping import Shipper
from logpith_emit.clock import ManualClock
from logpith_emit.spool import Spool
destinations = {name: destination_of(table, name) for name, table in json.loads(sys.argv[2]).items()}
shipper = Shipper(Spool(folder=Path(sys.argv[1])), destinations, warn=print, clock=ManualClock())
print("begins", flush=True)
shipper.start()
print(shipper.flush(120), shipper.close(120), flush=True)
"""


def kill_shippers(tmp_path, kills, seed):
    chance = random.Random(seed)
    folder, batch = tmp_path / "spool", 50
    tables = {
        "sqlite": {
            "type": "sqlite",
            "path": str(tmp_path / "logs.db"),
            "batch_records": batch,
            "retention_days": 0,
        },
        # What is said here was said long ago, and would be put aside as too old.
        "file": {
            "type": "file",
            "path": str(tmp_path / "out.ndjson"),
            "batch_records": batch,
            "rotate_s": 0,
        },
    }
    argv = [sys.executable, "-c", SHIPS, str(folder), json.dumps(tables)]
    said = 0
    spool = Spool(folder=folder)
    for name in tables:
        spool.disk.make_folder(folder)
        spool.wait_for(name)
    for _ in range(kills):
        said += 1_000
        spool_of(folder, [record.text for record in numbered(1_000, first=said - 999)])
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "begins\n"
            with suppress(subprocess.TimeoutExpired):  # it may get to its end before that
                process.wait(chance.random() * 0.15)
            process.kill()
        assert [accounted(status) for status in status_of(spool)] == [said] * 2, seed
        assert {status.shipped.state for status in status_of(spool)} == {"ended"}
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=SOON_S * 4)
    assert done.stdout.endswith("True True\n"), done

    wanted = [f"record {number}" for number in range(1, said + 1)]
    with sqlite3.connect(tmp_path / "logs.db") as base:
        kept = [message for (message,) in base.execute("SELECT message FROM unified_logs")]
    base.close()
    assert sorted(kept) == sorted(wanted), seed
    lines = (tmp_path / "out.ndjson").read_bytes().splitlines()
    written = Counter(json.loads(line)["message"] for line in lines if line.endswith(b"}"))
    assert set(written) == set(wanted), seed
    # At most one batch comes again after each kill.
    assert written.total() - said <= kills * batch, seed
    assert [(status.waiting, status.shipped.sent) for status in status_of(spool)] == [(0, said)] * 2


def test_killed_five_times_in_the_middle_sqlite_has_all_once_and_a_file_at_least_once(tmp_path):
    kill_shippers(tmp_path, kills=5, seed=1)


@pytest.mark.crash
@pytest.mark.timeout(1_800)
def test_killed_a_hundred_times_in_the_middle_sqlite_has_all_once_and_a_file_at_least_once(tmp_path):
    kill_shippers(tmp_path, kills=100, seed=2)
