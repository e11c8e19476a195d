"""The spool: what is acknowledged is found again, exactly once, whatever becomes of process, power or disk."""

import errno
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logpith_emit.disk import Disk
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.spool import DROPPED_KIND, Damage, Segment, Spool, dropped_in
from logpith_emit.spool.frames import HEADER_BYTES, MAX_PAYLOAD_BYTES
from power_cut import TestDisk, needless_syncs, power_cuts


def read_all(spool, damage=None):
    """(sequence, kind, payload) of everything that stands in a spool."""
    return [tuple(frame[:3]) for segment in spool.segments() for frame in spool.read(segment, damage=damage)]


def payloads(spool, damage=None):
    return [payload for _, _, payload in read_all(spool, damage)]


def fresh(reader):
    """The payloads that a reader has not given yet."""
    return [frame.payload for _, frame in reader.read()]


@pytest.fixture
def spool(tmp_path):
    return Spool(folder=tmp_path / "spool")


# ── appending and reading ──────────────────────────────────────────────────────────────────────────────────────


def test_records_are_read_as_they_were_appended(spool):
    with spool.open() as writer:
        sequences = [
            writer.append(b"one", kind=1),
            writer.append(memoryview(b""), kind=2),
            writer.append(b"3"),
        ]

    assert sequences == [1, 2, 3]
    assert read_all(spool) == [(1, 1, b"one"), (2, 2, b""), (3, 0, b"3")]


def test_a_writer_counts_on_from_where_it_is_told_to(spool):
    with spool.open_durable(first_sequence=41) as writer:
        assert (writer.durable_sequence, writer.append(b"x"), writer.append(b"y")) == (40, 41, 42)
        writer.sync()
        assert writer.durable_sequence == 42


def test_a_writer_that_writes_nothing_leaves_nothing(spool):
    with spool.open() as free, spool.open_durable() as durable:
        assert (free.roll(), durable.roll(), free.segment, spool.segments()) == (None, None, None, [])

    assert not spool.folder.exists()


def test_a_file_that_has_its_size_is_followed_by_another(tmp_path):
    spool = Spool(folder=tmp_path, segment_bytes=3 * (HEADER_BYTES + 10))
    with spool.open() as writer:
        for number in range(7):
            writer.append(b"%010d" % number)

    segments = spool.segments()

    assert [segment.number for segment in segments] == [1, 2, 3]
    assert [len(list(spool.read(segment))) for segment in segments] == [3, 3, 1]
    assert [int(payload) for payload in payloads(spool)] == list(range(7))


@pytest.mark.parametrize("opened", ["open", "open_durable"])
def test_rolling_ends_a_file_which_can_then_be_read_and_removed(spool, opened):
    with getattr(spool, opened)() as writer:
        writer.append(b"one")
        assert spool.is_growing(writer.segment)
        first = writer.roll()
        writer.append(b"two")

        assert (writer.segment.number, first.number, spool.is_growing(first)) == (2, 1, False)
        spool.remove(first)
        assert payloads(spool) == [b"two"]
        spool.remove(writer.segment)  # it is being written, so it stays
        assert payloads(spool) == [b"two"]


def test_consumed_files_go_together(tmp_path):
    spool = Spool(folder=tmp_path, segment_bytes=1)
    with spool.open() as writer, spool.open() as other:
        for number in range(4):
            writer.append(b"%d" % number)
        other.append(b"other")

    mine = [segment for segment in spool.segments() if segment.writer == writer.name]
    spool.drop_through(mine[2])

    assert sorted(payloads(spool)) == [b"3", b"other"]


def test_a_file_is_read_on_from_a_byte(spool):
    with spool.open() as writer:
        for number in range(3):
            writer.append(b"%d" % number)
        frames = list(spool.read(writer.segment))

        assert [frame.payload for frame in spool.read(writer.segment, frames[0].end)] == [b"1", b"2"]
        assert list(spool.read(writer.segment, frames[2].end)) == []


def test_nothing_can_be_appended_to_a_closed_spool(spool):
    with spool.open() as writer:
        pass

    with pytest.raises(Refused, match="inside the with block"):
        writer.append(b"x")


def test_what_cannot_be_a_record_is_refused(spool):
    class Huge(bytes):
        def __len__(self):
            return MAX_PAYLOAD_BYTES + 1

    with spool.open() as writer:
        with pytest.raises(Refused, match="Split it"):
            writer.append(Huge())
        for kind in (-1, DROPPED_KIND):
            with pytest.raises(BadArgument, match="no kind"):
                writer.append(b"", kind=kind)


def test_a_record_that_the_limit_has_no_room_for_is_refused_and_nothing_dropped_for_it(tmp_path):
    spool = Spool(folder=tmp_path, limit_bytes=100)
    with spool.open() as writer:
        writer.append(b"small")

        with pytest.raises(Refused, match="Split it"):
            writer.append(bytes(100))

    assert (payloads(spool), writer.dropped) == ([b"small"], {})


def test_files_that_are_none_of_ours_are_left_alone(spool):
    spool.folder.mkdir()
    for name in ("a.txt", "1-2-3.spool", "1-2-00000001.spool.tmp", "1-2-000000001.spool"):
        (spool.folder / name).write_bytes(b"x")

    assert spool.segments() == []


def test_a_frame_inside_a_payload_is_no_frame(spool):
    """Somebody logs a spool file: what is in it must not come out as records, even where the frame around it is bad."""
    with spool.open() as writer:
        writer.append(b"secret")
        inner = writer.roll().path.read_bytes()
        writer.append(inner + inner)
        path = writer.roll().path
    data = bytearray(path.read_bytes())
    data[4] ^= 1
    path.write_bytes(data)

    damage = Damage()

    assert payloads(spool, damage) == [b"secret"]
    assert damage.places == 1


# ── damage ─────────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = [b"first", b"", b"\xf5lp1 looks like a frame", b"x" * 40, b"last"]


@pytest.fixture
def written(spool):
    """A spool of one file, with where each frame ends."""
    with spool.open() as writer:
        for text in TEXTS:
            writer.append(text)
        segment = writer.segment
    return spool, segment, [frame.end for frame in spool.read(segment)]


def test_cut_at_any_byte_it_gives_every_whole_record_before(written):
    spool, segment, ends = written
    data = segment.path.read_bytes()

    for size in range(len(data)):
        segment.path.write_bytes(data[:size])
        damage = Damage()
        found = payloads(spool, damage)

        whole = sum(end <= size for end in ends)
        assert found == TEXTS[:whole], size
        assert damage == Damage(torn_bytes=size - (ends[whole - 1] if whole else 0)), size


@pytest.mark.parametrize("tail", [bytes(1), bytes(5000), bytes(600_000)])
def test_zeros_behind_the_last_record_are_a_torn_end(written, tail):
    spool, segment, _ = written
    with segment.path.open("ab") as file:
        file.write(tail)
    damage = Damage()

    assert payloads(spool, damage) == TEXTS
    assert damage == Damage(torn_bytes=len(tail))


@pytest.mark.parametrize(
    "garbage", [b"\xf5lp1", b"\xf5lp1" * 1000, Random(1).randbytes(300_000), b"text\n" * 80_000]
)
def test_garbage_between_records_costs_no_record(written, garbage):
    spool, segment, ends = written
    data = segment.path.read_bytes()
    segment.path.write_bytes(data[: ends[1]] + garbage + data[ends[1] :])
    damage = Damage()

    assert payloads(spool, damage) == TEXTS
    assert damage == Damage(places=1, bytes=len(garbage))


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_with_any_byte_changed_it_loses_one_record_at_most_and_counts_it(written, bits):
    spool, segment, ends = written
    data = segment.path.read_bytes()

    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= bits
        segment.path.write_bytes(changed)
        damage = Damage()
        found = payloads(spool, damage)

        hit = sum(end <= at for end in ends)
        assert found == TEXTS[:hit] + TEXTS[hit + 1 :], at
        assert damage.places + (damage.torn_bytes > 0) == 1, at


def test_a_file_under_another_name_is_not_taken_for_its_own(written):
    spool, segment, _ = written
    segment.path.rename(segment.folder / Segment(segment.folder, segment.writer, 9).name)
    damage = Damage()

    assert payloads(spool, damage) == []
    assert damage.places == 1


def test_damaged_files_are_kept_aside_once_and_what_is_good_is_read(written):
    spool, segment, ends = written
    data = bytearray(segment.path.read_bytes())
    data[ends[0] + 3] ^= 1
    segment.path.write_bytes(data)
    reader = spool.reader("r")

    assert fresh(reader) == [TEXTS[0], *TEXTS[2:]]
    assert spool.aside() == []
    reader.commit()

    assert (reader.damage.places, reader.files_set_aside) == (1, 1)
    assert [path.read_bytes() for path in spool.aside()] == [data]
    assert (spool.segments(), fresh(reader), fresh(spool.reader("r"))) == ([], [], [])


def test_a_torn_end_is_counted_and_not_kept(written):
    spool, segment, ends = written
    os.truncate(segment.path, ends[-1] - 1)
    reader = spool.reader("r")

    assert fresh(reader) == TEXTS[:-1]
    reader.commit()

    assert reader.damage == Damage(torn_bytes=HEADER_BYTES + len(TEXTS[-1]) - 1)
    assert (spool.segments(), spool.aside()) == ([], [])


def test_a_file_that_cannot_be_read_is_kept_aside_and_the_others_are_read(spool):
    with spool.open() as writer:
        writer.append(b"one")
    spool.folder.joinpath("0-0-00000001.spool").mkdir()
    reader = spool.reader("r")

    assert fresh(reader) == [b"one"]
    reader.commit()

    assert (reader.damage.unreadable_files, len(spool.aside())) == (1, 1)
    assert fresh(spool.reader("r")) == []


# ── readers ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reader_follows_what_is_being_written(tmp_path):
    spool = Spool(folder=tmp_path, segment_bytes=100)
    reader = spool.reader("r")
    seen = []
    with spool.open() as writer:
        for number in range(20):
            writer.append(b"%d" % number)
            if number % 3 == 0:
                seen.append(fresh(reader))

    assert [len(batch) for batch in seen] == [1, 3, 3, 3, 3, 3, 3]
    assert [*itertools.chain(*seen), *fresh(reader)] == [b"%d" % number for number in range(20)]


def test_a_record_of_which_only_a_part_is_there_yet_is_waited_for(spool):
    with spool.open() as writer:
        writer.append(b"one")
        writer.append(b"two")
        data = writer.segment.path.read_bytes()
        reader, seen = spool.reader("r"), []

        for size in range(len(data) + 1):
            writer.segment.path.write_bytes(data[:size])
            seen += fresh(reader)

    assert (seen, reader.damage) == ([b"one", b"two"], Damage())


def test_a_reader_goes_on_where_it_committed_and_files_go_when_they_are_read(tmp_path):
    spool = Spool(folder=tmp_path, segment_bytes=2 * (HEADER_BYTES + 1))
    with spool.open() as writer:
        for number in range(6):
            writer.append(b"%d" % number)
    reader = spool.reader("r")

    for _, (_, frame) in zip(range(3), reader.read(), strict=False):
        last = frame
    reader.commit()

    assert last.payload == b"2"
    assert [segment.number for segment in spool.segments()] == [2, 3]
    assert fresh(spool.reader("r")) == [b"3", b"4", b"5"]
    assert fresh(spool.reader("r")) == [b"3", b"4", b"5"]  # that one did not commit
    assert fresh(reader) == [b"3", b"4", b"5"]
    reader.commit()
    assert spool.segments() == []


def test_a_file_that_its_writer_has_made_and_not_claimed_yet_is_not_taken_for_all_that_it_wrote(tmp_path):
    """A reader that comes in between must neither pass over what is written next nor remove it unread."""
    made = itertools.count()

    class InBetween(Disk):
        def append_to(self, path):
            file = super().append_to(path)
            seen.extend(fresh(reader))
            if next(made) % 2:  # removes it; then the writer makes another
                reader.commit()
            return file

    spool = Spool(folder=tmp_path, segment_bytes=1, disk=InBetween())
    reader, seen = spool.reader("r"), []
    with spool.open() as writer:
        for number in range(5):
            writer.append(b"%d" % number)
    seen += fresh(reader)
    reader.commit()

    assert seen == [b"0", b"1", b"2", b"3", b"4"]
    assert spool.segments() == []
    assert next(made) > 5


def test_empty_files_that_dead_writers_left_go_away(spool):
    spool.folder.mkdir()
    Disk().write_new(Segment(spool.folder, "1-2", 1).path, b"")
    reader = spool.reader("r")

    assert fresh(reader) == []
    reader.commit()

    assert spool.segments() == []


def test_a_reader_whose_place_is_broken_reads_all_again_and_says_so(spool):
    with spool.open() as writer:
        writer.append(b"one")
        reader = spool.reader("r")
        assert fresh(reader) == [b"one"]
        reader.commit()
        place = spool.folder / "r.place"
        good = place.read_bytes()

        for bad in (b"", good[:-1], good.replace(b"1", b"2"), b"\xff" * 50):
            place.write_bytes(bad)
            reader = spool.reader("r")
            assert (fresh(reader), reader.damage.places) == ([b"one"], 1)


def test_a_commit_with_nothing_new_writes_nothing():
    disk = TestDisk()
    spool = Spool(folder=disk.root, disk=disk)
    with spool.open() as writer:
        writer.append(b"one")
        reader = spool.reader("r")
        fresh(reader)
        reader.commit()
        done = len(disk.operations)

        fresh(reader)
        reader.commit()

        assert len(disk.operations) == done


def test_a_file_stays_until_every_reader_that_ever_committed_is_done_with_it(spool):
    slow, quick = spool.reader("slow"), spool.reader("quick")
    slow.commit()
    with spool.open() as writer:
        writer.append(b"one")

    assert fresh(quick) == [b"one"]
    quick.commit()
    assert len(spool.segments()) == 1
    assert fresh(slow) == [b"one"]
    slow.commit()

    assert spool.segments() == []


def test_a_name_that_is_no_file_name_is_no_reader(spool):
    with pytest.raises(BadArgument, match="no name for a reader"):
        spool.reader("../r")


def test_a_pass_of_a_reader_ends_though_the_writer_goes_on(spool):
    reader = spool.reader("r")
    with spool.open() as writer:
        writer.append(b"more")
        seen = []
        for _, frame in reader.read():
            seen.append(frame.payload)
            writer.append(b"more")

        assert seen == [b"more"]


def test_replay_needs_memory_for_one_record_only(tmp_path):
    import tracemalloc

    spool = Spool(folder=tmp_path)
    with spool.open() as writer:
        for _ in range(400):
            writer.append(bytes(100_000))
    tracemalloc.start()
    try:
        count = sum(1 for segment in spool.segments() for _ in spool.read(segment))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 400
    assert peak < 2_000_000


# ── power cuts ─────────────────────────────────────────────────────────────────────────────────────────────────


def a_log(disk, acknowledged):
    """A write-ahead log: some syncs for one record, some for several; files that end by size and by hand; a restart."""
    spool = Spool(folder=disk.root / "logs" / "spool", segment_bytes=3 * (HEADER_BYTES + 1), disk=disk)
    number = itertools.count()
    for first_sequence in (1, 100):
        with spool.open_durable(first_sequence=first_sequence) as log:
            for together in (1, 2, 3, 1):
                promised = [next(number) for _ in range(together)]
                for one in promised:
                    log.append(b"%d" % one)
                log.sync()
                acknowledged.extend(promised)
            log.roll()
            last = next(number)
            log.append(b"%d" % last)
        acknowledged.append(last)


def check_log(cut):
    found = [
        int(payload) for payload in payloads(Spool(folder=cut.disk.root / "logs" / "spool", disk=cut.disk))
    ]
    assert max(Counter(found).values(), default=1) == 1, cut
    assert set(cut.acknowledged) <= set(found) <= set(range(16)), cut


def test_after_any_power_cut_every_acknowledged_record_is_found_once():
    for cut in power_cuts(a_log, states_per_cut=100):
        check_log(cut)
    assert len(cut.acknowledged) == 16


def test_taking_out_any_sync_of_a_log_is_noticed():
    assert needless_syncs(a_log, check_log) == []


def test_no_sync_of_a_log_is_done_in_vain():
    def one_run(disk, acknowledged):
        spool = Spool(folder=disk.root / "logs" / "spool", segment_bytes=2 * (HEADER_BYTES + 1), disk=disk)
        with spool.open_durable() as log:
            for number in range(5):
                log.append(b"%d" % number)
                log.sync()
                log.sync()  # there is nothing to do
                acknowledged.append(number)
            log.roll()

    assert needless_syncs(one_run, check_log, each_time=True) == []


@pytest.mark.parametrize("failing", [{1}, {2}, {4}, {1, 2}, {5, 6}, {7}, {3, 9}])
def test_a_failed_sync_is_never_trusted_again_and_the_records_are_written_to_a_new_file(failing):
    for cut in power_cuts(a_log, fail_syncs=failing):
        check_log(cut)
    assert len(cut.acknowledged) == 16


def an_outbox(disk, told):
    """What comes in is delivered and then committed; what a killed program had not committed, the next delivers."""
    spool = Spool(folder=disk.root / "box", segment_bytes=3 * (HEADER_BYTES + 1), disk=disk)
    for first in (0, 5):
        reader = spool.reader("r")
        with spool.open_durable() as writer:
            for number in range(first, first + 5):
                writer.append(b"%d" % number)
                writer.sync()
                told.append(("accepted", number))
                if number % 2:
                    given = [int(frame.payload) for _, frame in reader.read()]
                    told.extend(("delivered", one) for one in given)
                    reader.commit()
                    told.extend(("committed", one) for one in given)


def check_outbox(cut):
    of = {
        state: {number for told, number in cut.acknowledged if told == state}
        for state in ("accepted", "delivered", "committed")
    }
    again = [
        int(payload) for payload in fresh(Spool(folder=cut.disk.root / "box", disk=cut.disk).reader("r"))
    ]
    assert len(again) == len(set(again)), cut
    assert of["accepted"] <= of["delivered"] | set(again), cut
    assert not of["committed"] & set(again), cut


def test_after_any_power_cut_an_outbox_delivers_the_rest_and_nothing_that_was_committed():
    for cut in power_cuts(an_outbox, states_per_cut=100):
        check_outbox(cut)
    assert ("accepted", 9) in cut.acknowledged


def test_taking_out_any_sync_of_an_outbox_is_noticed():
    assert needless_syncs(an_outbox, check_outbox) == []


# ── disks that fail ────────────────────────────────────────────────────────────────────────────────────────────


def test_while_no_sync_succeeds_nothing_is_acknowledged_and_nothing_is_lost():
    disk = TestDisk(fail_syncs=set(range(2, 20)))
    spool = Spool(folder=disk.root / "spool", disk=disk)
    with spool.open_durable() as log:
        log.append(b"one")
        for tries in (1, 2):
            with pytest.raises(Unavailable, match="cannot be synced"):
                log.sync()
            assert (log.durable_sequence, log.failed_syncs) == (0, 3 * tries)
        log.append(b"two")
        disk.fail_syncs = set()

        log.sync()

        assert (log.durable_sequence, log.dropped) == (2, {})
    assert read_all(spool) == [(1, 0, b"one"), (2, 0, b"two")]


def test_a_file_whose_sync_failed_is_not_synced_again():
    disk = TestDisk(fail_syncs={2})
    with Spool(folder=disk.root / "spool", disk=disk).open_durable() as log:
        log.append(b"one")
        first = log.segment
        log.sync()

        assert (first.number, log.segment.number, log.segment.after) == (1, 2, 0)
    of_files = [
        operation.number for operation, _ in disk.operations if "sync" in operation.name and operation.number
    ]
    assert len(of_files) == len(set(of_files))


def test_a_reader_that_had_read_ahead_of_a_failed_sync_reads_no_record_twice():
    disk = TestDisk()
    spool = Spool(folder=disk.root, disk=disk)
    reader = spool.reader("r")
    with spool.open_durable() as log:
        log.append(b"one")
        log.sync()
        log.append(b"two")
        seen = fresh(reader)
        reader.commit()
        again = spool.reader("r")
        disk.fail_syncs = {len(disk.syncs) + 1}

        log.append(b"three")
        log.sync()

        assert (seen, log.segment.after) == ([b"one", b"two"], 1)
        assert fresh(reader) == fresh(again) == [b"three"]
        assert fresh(spool.reader("other")) == [b"one", b"two", b"three"]


def test_a_sync_that_is_interrupted_is_not_trusted():
    class Interrupted(TestDisk):
        times = 1

        def sync_file(self, node):
            if self.times:
                self.times -= 1
                raise KeyboardInterrupt
            super().sync_file(node)

    disk = Interrupted()
    with Spool(folder=disk.root, disk=disk).open_durable() as log:
        log.append(b"one")
        with pytest.raises(KeyboardInterrupt):
            log.sync()
        assert log.durable_sequence == 0

        log.sync()

        assert (log.durable_sequence, log.segment.after) == (1, 0)


def test_beyond_what_is_kept_in_memory_appending_syncs():
    disk = TestDisk(fail_syncs=set(range(1, 100)))
    with Spool(folder=disk.root, unsynced_bytes=100, disk=disk).open_durable() as log:
        for _ in range(10):
            log.append(bytes(10))
        with pytest.raises(Unavailable, match="cannot be synced"):
            log.append(bytes(10))
        disk.fail_syncs = set()
        log.append(bytes(10))
        assert log.durable_sequence == 10


@pytest.mark.parametrize("free_bytes", range(0, 200, 7))
def test_on_a_full_disk_a_log_refuses_and_goes_on_when_there_is_room(free_bytes):
    disk = TestDisk(free_bytes=free_bytes)
    spool = Spool(folder=disk.root, overflow="block", disk=disk)
    accepted, refused = [], 0
    with spool.open_durable() as log:
        for number in range(8):
            if number == 6:
                disk.free_bytes += 1000
            try:
                log.append(b"%d" % number * 5)
            except Unavailable:
                refused += 1
            else:
                accepted.append(b"%d" % number * 5)
        log.sync()
    damage = Damage()

    assert payloads(spool, damage) == accepted
    assert refused == (6 - min(6, free_bytes // (HEADER_BYTES + 5)))
    assert damage == Damage()
    assert len(spool.segments()) == 1


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_on_a_full_disk_a_logger_drops_and_counts(overflow):
    disk = TestDisk(free_bytes=5 * (HEADER_BYTES + 10) + 3)
    spool = Spool(folder=disk.root, segment_bytes=2 * (HEADER_BYTES + 10), overflow=overflow, disk=disk)
    with spool.open() as writer:
        sequences = [writer.append(b"%010d" % number) for number in range(8)]
        assert writer.dropped.total() + sum(kind != DROPPED_KIND for _, kind, _ in read_all(spool)) == 8
        disk.free_bytes += 1000
        writer.append(b"%010d" % 9)

    found = read_all(spool)
    told = Counter()
    for segment in spool.segments():
        for frame in spool.read(segment):
            told.update(dropped_in(frame) if frame.kind == DROPPED_KIND else {})
    records = [int(payload) for _, kind, payload in found if kind != DROPPED_KIND]
    if overflow == "drop_newest":
        assert (records, sequences[5:], told) == ([0, 1, 2, 3, 4, 9], [0, 0, 0], {"disk_full": 3})
    else:
        assert (records[-2:], set(told)) == ([7, 9], {"drop_oldest"})
    assert told == writer.dropped


def test_on_a_full_disk_a_logger_drops_its_only_file_rather_than_what_is_new():
    disk = TestDisk(free_bytes=20 * (HEADER_BYTES + 10) + 3)
    spool = Spool(folder=disk.root, disk=disk)
    with spool.open() as writer:
        assert all(writer.append(b"%010d" % number) for number in range(50))
        assert set(writer.dropped) == {"drop_oldest"}


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_a_disk_that_others_have_filled_takes_nothing_and_holds_nobody_up(overflow):
    disk = TestDisk(free_bytes=3)
    spool = Spool(folder=disk.root, overflow=overflow, disk=disk)
    with spool.open() as writer:
        assert [writer.append(b"x" * 10) for _ in range(3)] == [0, 0, 0]
        disk.free_bytes += 1_000
        assert writer.append(b"there is room")

    assert writer.dropped == {"disk_full": 3}
    assert payloads(spool)[-1] == b"there is room"


def test_a_write_that_fails_is_written_to_another_file():
    disk = TestDisk(fail_writes={2, 4, 5})
    spool = Spool(folder=disk.root, disk=disk)
    with spool.open() as writer:
        assert [bool(writer.append(text)) for text in (b"1", b"2", b"3", b"4")] == [True, True, False, True]

    assert [payload for payload in payloads(spool) if len(payload) == 1] == [b"1", b"2", b"4"]
    assert writer.dropped == {"disk_failed": 1}


def test_a_folder_that_cannot_be_made_is_unavailable_or_counted(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / "spool"
    with Spool(folder=folder, overflow="block").open_durable() as log, pytest.raises(Unavailable):
        log.append(b"x")

    with Spool(folder=folder).open() as writer:
        assert (writer.append(b"x"), writer.dropped) == (0, {"disk_failed": 1})


FULL = """
import resource, signal, sys
from pathlib import Path
from random import Random
from logpith_emit.errors import Unavailable
from logpith_emit.spool import Spool

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
with Spool(folder=Path(sys.argv[1]), overflow="block").open_durable() as log:
    for number in range(60):
        if number == 50:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        try:
            log.append(b"%d" % number)
            log.sync()
        except Unavailable:
            continue
        print(number)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_where_the_operating_system_writes_a_part_and_then_no_more_the_part_is_cut_off(spool):
    argv = [sys.executable, "-c", FULL, str(spool.folder)]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    damage = Damage()

    found = payloads(spool, damage)

    assert found == done.stdout.split()
    assert (found[-1], damage, len(spool.segments())) == (b"59", Damage(), 1)
    assert 33 + 10 <= len(found) < 50


def test_a_reader_makes_room_on_a_full_disk_for_its_own_place():
    disk = TestDisk(free_bytes=100)
    spool = Spool(folder=disk.root, segment_bytes=1, disk=disk)
    with spool.open() as writer:
        for _ in range(2):
            writer.append(bytes(20))
        reader = spool.reader("r")
        assert len(fresh(reader)) == 2

        reader.commit()

        assert (spool.segments(), fresh(spool.reader("r"))) == ([], [])


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────────────


def small(folder, overflow, **settings):
    """A spool with room for eight records of ten bytes, each in a file of its own."""
    return Spool(
        folder=folder, limit_bytes=8 * (HEADER_BYTES + 10), segment_bytes=1, overflow=overflow, **settings
    )


def told(spool):
    """What readers learn about dropped records."""
    frames = (frame for segment in spool.segments() for frame in spool.read(segment))
    return sum((Counter(dropped_in(frame)) for frame in frames if frame.kind == DROPPED_KIND), Counter())


def records(spool):
    return [int(payload) for _, kind, payload in read_all(spool) if kind != DROPPED_KIND]


@pytest.mark.parametrize("opened", ["open", "open_durable"])
def test_drop_newest_keeps_what_there_is(tmp_path, opened):
    spool = small(tmp_path, "drop_newest")
    with getattr(spool, opened)() as writer:
        sequences = [bool(writer.append(b"%010d" % number)) for number in range(11)]
        if opened == "open_durable":
            writer.sync()

        assert sequences == [True] * 8 + [False] * 3
        assert records(spool) == list(range(8))
        spool.remove(*spool.segments()[:4])
        writer.append(b"%010d" % 11)

    assert (records(spool), told(spool), writer.dropped) == (
        [4, 5, 6, 7, 11],
        {"drop_newest": 3},
        {"drop_newest": 3},
    )


def test_drop_oldest_keeps_what_comes(tmp_path):
    spool = small(tmp_path, "drop_oldest")
    with spool.open() as writer:
        for number in range(30):
            assert writer.append(b"%010d" % number)
        kept = records(spool)

    assert kept == list(range(30 - len(kept), 30))
    assert len(kept) >= 3  # beside what tells of those that were dropped
    assert told(spool) == writer.dropped == {"drop_oldest": 30 - len(kept)}
    assert sum(segment.path.stat().st_size for segment in spool.segments()) <= spool.limit_bytes


def test_drop_oldest_counts_only_what_no_reader_has_done(tmp_path):
    spool = Spool(folder=tmp_path, limit_bytes=16 * (HEADER_BYTES + 10))  # two in each file
    reader = spool.reader("r")
    with spool.open() as writer:
        for number in range(16):
            writer.append(b"%010d" % number)
        list(itertools.islice(reader.read(), 3))
        reader.commit()  # which removes the first file, so that there is room for two

        for number in range(16, 19):
            writer.append(b"%010d" % number)

        left = [int(frame.payload) for _, frame in reader.read() if frame.kind != DROPPED_KIND]
        assert writer.dropped == told(spool) == {"drop_oldest": 19 - 3 - len(left)}
        assert left == list(range(19 - len(left), 19))


def test_records_of_a_failed_sync_are_counted_once_when_they_are_dropped(tmp_path):
    disk = TestDisk()
    spool = small(disk.root, "drop_oldest", disk=disk)
    with spool.open_durable() as log:
        for number in range(40):
            if number == 3:
                disk.fail_syncs = {len(disk.syncs) + 1, len(disk.syncs) + 2}
            log.append(b"%010d" % number)
            if number % 3:
                log.sync()

        kept = records(spool)
        assert kept == list(range(40 - len(kept), 40))
        assert told(spool) == log.dropped == {"drop_oldest": 40 - len(kept)}
        assert log.failed_syncs == 2


def test_drop_oldest_takes_damaged_files_first_and_then_those_of_writers_that_ended(tmp_path):
    spool = small(tmp_path, "drop_oldest")
    with spool.open() as dead:
        dead.append(b"%010d" % 100)
        dead.append(b"%010d" % 101)
    spool.set_aside(spool.segments()[0])
    with spool.open() as writer:
        for number in range(7):
            writer.append(b"%010d" % number)
        first = (len(spool.aside()), sorted(records(spool)), dict(writer.dropped))
        writer.append(b"%010d" % 7)

    assert first == (0, [0, 1, 2, 3, 4, 5, 6, 101], {})
    assert (sorted(records(spool)), writer.dropped) == ([2, 3, 4, 5, 6, 7], {"drop_oldest": 3})


def test_drop_oldest_leaves_what_another_process_is_writing(tmp_path):
    spool = small(tmp_path, "drop_oldest")
    other_spool = Spool(folder=tmp_path)
    with other_spool.open() as other, spool.open() as writer:
        other.append(bytes(8 * (HEADER_BYTES + 10)))

        assert (writer.append(b"1"), writer.dropped) == (0, {"drop_newest": 1})
        assert spool.segments() == [other.segment]


def test_spill_goes_on_in_another_folder_in_order_and_comes_back(tmp_path):
    spool = small(tmp_path / "a", "spill", spill_folder=tmp_path / "b", spill_limit_bytes=10_000)
    with spool.open() as writer:
        for number in range(20):
            assert writer.append(b"%010d" % number)
        spilled = {segment.folder.name: segment.number for segment in spool.segments()}
        reader = spool.reader("r")
        assert [int(payload) for payload in fresh(reader)] == list(range(20))
        reader.commit()
        for number in range(20, 120):
            writer.append(b"%010d" % number)

    assert spilled == {"a": 8, "b": 20}
    assert {segment.folder.name for segment in spool.segments() if segment.number > 100} <= {"a", "b"}
    assert [int(payload) for payload in fresh(reader)] == list(range(20, 120))
    assert writer.dropped == {}


def test_spill_drops_the_oldest_when_both_folders_are_full(tmp_path):
    limit = 4 * (HEADER_BYTES + 10)
    spool = small(tmp_path / "a", "spill", spill_folder=tmp_path / "b", spill_limit_bytes=limit)
    with spool.open() as writer:
        for number in range(50):
            assert writer.append(b"%010d" % number)
        kept = records(spool)

        assert kept == list(range(50 - len(kept), 50))
        assert writer.dropped == {"drop_oldest": 50 - len(kept)}


def test_spill_goes_on_elsewhere_when_the_disk_is_full(tmp_path):
    class FirstIsFull(Disk):
        def append_to(self, path):
            if path.parent.name == "a":
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().append_to(path)

    spool = Spool(folder=tmp_path / "a", overflow="spill", spill_folder=tmp_path / "b", disk=FirstIsFull())
    with spool.open() as writer:
        assert all(writer.append(b"%d" % number) for number in range(1000))

    assert records(spool) == list(range(1000))
    assert len(spool.segments()) < 6
    assert writer.dropped == {}


def test_what_is_written_after_a_roll_keeps_to_the_limit_too(tmp_path):
    spool = Spool(folder=tmp_path, limit_bytes=10_000, overflow="drop_newest")
    with spool.open() as writer:
        for _ in range(5):
            writer.append(bytes(100))
        writer.roll()
        writer.append(bytes(9_500))

    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) <= spool.limit_bytes


def test_block_waits_for_a_reader_and_then_goes_on(tmp_path):
    spool = small(tmp_path, "block", block_s=60)
    reader = spool.reader("r")
    with spool.open() as writer:
        for number in range(8):
            writer.append(b"%010d" % number)
        blocked = threading.Thread(target=writer.append, args=(b"%010d" % 8,))

        blocked.start()
        fresh(reader)
        reader.commit()
        blocked.join()

        assert records(spool) == [8]


@pytest.mark.parametrize("opened", ["open", "open_durable"])
def test_block_refuses_when_it_has_waited_long_enough(tmp_path, opened):
    spool = small(tmp_path, "block", block_s=0)
    with getattr(spool, opened)() as writer:
        for number in range(8):
            writer.append(b"%010d" % number)

        with pytest.raises(Unavailable, match="limit_bytes"):
            writer.append(b"%010d" % 8)

        assert (len(records(spool)), writer.dropped) == (8, {})


def test_spill_without_a_folder_is_no_setting(tmp_path):
    for one_of_two in ({"overflow": "spill"}, {"spill_folder": tmp_path / "b"}):
        with pytest.raises(BadArgument, match="go together"):
            Spool(folder=tmp_path, **one_of_two)


def test_what_was_dropped_last_is_told_when_the_writer_closes(tmp_path):
    spool = small(tmp_path, "drop_newest")
    with spool.open() as writer:
        for number in range(9):
            writer.append(b"%010d" % number)

    assert told(spool) == {"drop_newest": 1}


# ── many at once ───────────────────────────────────────────────────────────────────────────────────────────────


def together(*works):
    """Runs each in a thread of its own, all let go at the same moment."""
    gate = threading.Barrier(len(works))
    failures = []

    def go(work):
        gate.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # it is told below
            failures.append(error)

    threads = [threading.Thread(target=go, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.fixture
def hasty():
    """Threads take turns at every chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("opened", ["open", "open_durable"])
def test_threads_append_whole_records_while_files_end_and_a_reader_follows(tmp_path, opened):
    spool = Spool(folder=tmp_path, segment_bytes=2000)
    reader = spool.reader("r")
    seen = []
    done = threading.Event()

    def follow():
        while not done.is_set():
            seen.extend(fresh(reader))
            reader.commit()

    with getattr(spool, opened)() as writer:
        left = itertools.count(1)

        def append(name):
            for number in range(300):
                writer.append(b"%d/%d" % (name, number) + b"." * number)
                if opened == "open_durable" and number % 10 == 0:
                    writer.sync()
            if next(left) == 8:
                done.set()

        together(follow, *(lambda name=name: append(name) for name in range(8)))
    seen += fresh(reader)
    reader.commit()

    assert sorted(seen) == sorted(
        b"%d/%d" % (name, number) + b"." * number for name in range(8) for number in range(300)
    )
    assert (reader.damage, spool.segments(), writer.dropped) == (Damage(), [], {})


@pytest.mark.usefixtures("hasty")
def test_records_of_a_durable_writer_stand_in_order_of_their_sequence(spool):
    with spool.open_durable() as log:
        together(*[lambda: [log.append(b"x") for _ in range(500)]] * 8)

    assert [sequence for sequence, _, _ in read_all(spool)] == list(range(1, 4001))


def test_a_file_that_is_ended_while_a_thread_is_about_to_write_to_it_is_not_written(tmp_path):
    """Between looking which file is current and saying that it is in use, anything may happen."""
    spool = Spool(folder=tmp_path, overflow="block")
    with spool.open() as writer:
        writer.append(b"one")
        current = writer._current

        class EndedJustThen(list):
            def append(self, item):
                writer.roll()
                super().append(item)

        current.busy = EndedJustThen()
        writer.append(b"two")

        assert writer.segment.number == 2
    assert (payloads(spool), writer.dropped) == ([b"one", b"two"], {})


def test_threads_that_sync_at_the_same_time_share_one_sync():
    entered, let_go = threading.Event(), threading.Event()

    class SlowDisk(TestDisk):
        def sync_file(self, node):
            entered.set()
            let_go.wait()
            super().sync_file(node)

    disk = SlowDisk()
    with Spool(folder=disk.root, disk=disk).open_durable() as log:
        log.append(b"first")
        first = threading.Thread(target=log.sync)
        first.start()
        entered.wait()  # it is in the middle of its sync; what comes now is not in it
        others = []
        for _ in range(20):
            log.append(b"more")
            others.append(threading.Thread(target=log.sync))
            others[-1].start()
        let_go.set()
        for thread in (first, *others):
            thread.join()

        assert log.durable_sequence == 21
    assert 2 <= sum(operation.name == "sync" for operation, _ in disk.operations) <= 3


WRITE = """
import sys, threading
from pathlib import Path
from logpith_emit.spool import Spool

folder, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
with Spool(folder=folder, segment_bytes=5000).open() as writer:
    def append(thread):
        for number in range(100):
            writer.append(f"{name}/{thread}/{number}".encode() + b"." * number)
    threads = [threading.Thread(target=append, args=(thread,)) for thread in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_processes_with_threads_write_at_once_and_no_record_is_mixed_or_lost(spool):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(spool.folder), str(name)], stdin=subprocess.PIPE)
        for name in range(4)
    ]
    for writer in writers:
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    reader, seen = spool.reader("r"), []
    while any(writer.poll() is None for writer in writers):
        seen += fresh(reader)
        reader.commit()
    seen += fresh(reader)
    reader.commit()
    for writer in writers:
        writer.stdin.close()

    assert [writer.returncode for writer in writers] == [0] * 4
    names = itertools.product(range(4), range(8), range(100))
    assert Counter(seen) == Counter(b"%d/%d/%d" % name + b"." * name[2] for name in names)
    assert (reader.damage, spool.segments()) == (Damage(), [])


FORK = """
import os, sys, threading
from pathlib import Path
from logpith_emit.spool import Spool

spool = Spool(folder=Path(sys.argv[1]), segment_bytes=500)
with spool.open() as free, spool.open_durable() as log:
    stop = threading.Event()
    def busy():  # so that forks come in the middle of everything
        while not stop.is_set():
            free.append(b"thread")
            log.append(b"thread")
            log.sync()
    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads: thread.start()
    children = []
    for child in range(20):
        free.append(b"parent/%d" % child)
        pid = os.fork()
        if pid == 0:
            free.append(b"child/%d" % child)
            log.append(b"durable/%d" % child)
            log.sync()
            os._exit(0)
        children.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    stop.set()
    for thread in threads: thread.join()
sys.exit(any(codes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_children_write_files_of_their_own(spool):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(spool.folder)], check=False, timeout=120
    )

    damage = Damage()
    found = Counter(payloads(spool, damage))
    del found[b"thread"]
    assert done.returncode == 0
    assert found == Counter(
        b"%s/%d" % (who, n) for who in (b"parent", b"child", b"durable") for n in range(20)
    )
    assert damage == Damage()


def test_a_signal_handler_may_log_in_the_middle_of_anything(tmp_path):
    spool = Spool(folder=tmp_path, segment_bytes=1000)
    handled = threading.Semaphore(0)
    stop = threading.Event()
    sent = itertools.count()

    def handle(*_):
        writer.append(b"handler")
        handled.release()

    def send():
        while not stop.is_set():
            next(sent)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            handled.acquire()

    before = signal.signal(signal.SIGUSR1, handle)
    sender = threading.Thread(target=send)
    try:
        with spool.open() as writer:
            sender.start()
            for _ in range(3000):
                writer.append(b"main")
            stop.set()
            sender.join()
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert Counter(payloads(spool)) == {b"main": 3000, b"handler": next(sent)}


# ── against a plain list ───────────────────────────────────────────────────────────────────────────────────────


class SpoolMachine(RuleBasedStateMachine):
    """Any order of what can be done to a spool, with a disk that may fail and power that may go."""

    @initialize(size=st.integers(1, 200))
    def begin(self, size):
        self.size = size
        self.disk = TestDisk()
        self.appended = []  # since the power came
        self.durable = set()
        self.numbers = itertools.count()
        self.open()

    def open(self):
        self.spool = Spool(
            folder=self.disk.root / "s", segment_bytes=self.size, overflow="block", disk=self.disk
        )
        self.context = self.spool.open_durable()
        self.log = self.context.__enter__()

    @rule(length=st.integers(0, 60))
    def append(self, length):
        payload = b"%d" % next(self.numbers) + b"." * length
        try:
            self.log.append(payload)
        except Unavailable:
            return
        self.appended.append(payload)

    @rule()
    def sync(self):
        try:
            self.log.sync()
        except Unavailable:
            return
        self.durable.update(self.appended)

    @rule()
    def roll(self):
        try:
            self.log.roll()
        except Unavailable:
            return
        self.durable.update(self.appended)

    @rule(ahead=st.integers(1, 5))
    def fail_a_sync(self, ahead):
        self.disk.fail_syncs = {*self.disk.fail_syncs, len(self.disk.syncs) + ahead}

    @rule(free_bytes=st.integers(0, 200))
    def fill_the_disk(self, free_bytes):
        self.disk.free_bytes = free_bytes

    @rule()
    def free_the_disk(self):
        self.disk.free_bytes = None

    # Files have names by chance, so that what is drawn while they are gone through would be another time another.
    @rule(seed=st.integers(0, 2**32 - 1))
    def cut_the_power(self, seed):
        self.disk = self.disk.after_cut(Random(seed))
        self.open()
        found = payloads(self.spool)
        assert self.durable <= set(found) <= self.durable | set(self.appended)
        self.durable = set(found)  # whatever is there after a cut stays
        self.appended = []

    @rule(many=st.integers(1, 3))
    def remove_the_oldest(self, many):
        self.disk.fail_syncs = set()
        for segment in self.spool.segments()[:many]:
            if not self.spool.is_growing(segment):
                gone = {frame.payload for frame in self.spool.read(segment)}
                self.spool.remove(segment)
                self.durable -= gone
                self.appended = [one for one in self.appended if one not in gone]

    @invariant()
    def everything_is_there_once(self):
        if not hasattr(self, "spool"):
            return
        found = payloads(self.spool)
        assert len(found) == len(set(found))
        assert set(found) == self.durable | set(self.appended)


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=60, stateful_step_count=40)
