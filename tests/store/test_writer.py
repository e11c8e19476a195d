"""The writer: what is acknowledged is found exactly once, whatever the disk does."""

import subprocess
import sys
import threading
from itertools import count

import pyarrow as pa
import pytest

from logpith.batch import empty_batch, make_batch
from logpith.scan.split import MOST_FACTS
from logpith.store import StoreLimits, open_store
from logpith.store.segment import segment_table
from logpith.store.writer import TRASH_GRACE_NS, segment_folder
from logpith.timerange import NS_PER_D, NS_PER_S
from logpith_emit.errors import LogpithError, Refused, Unavailable
from power_cut import TestDisk
from stores import DAY_NS, NOW_NS, batch_of, lines_in, names_in, rows_in, snapshot_of, stored_names

SMALL = StoreLimits(segment_records=64)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", limits=SMALL) as store:
        yield store


def names_of(store):
    """What the store holds, as it says itself."""
    manifest, frames = store.snapshot()
    hot = [row["line"].decode().partition(" ")[0] for frame in frames for row in frame.batch.to_pylist()]
    return sorted(names_in(map(store.segment, manifest.segments)) + hot)


# ── Appending ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_appended_is_there_in_every_process_at_once(store):
    assert store.append(batch_of("a", "b"))

    assert names_of(store) == stored_names(store.folder) == ["a", "b"]


def test_records_keep_all_that_is_known_of_them(store):
    batch = make_batch(
        [b"\xff\x11\n", b"", b'{"a":1}'],
        observed_ns=NOW_NS,
        source="app",
        timestamps=[None, DAY_NS + 1, DAY_NS + 5_000],
        severities=[0, 24, 9],
        services=["", "api", "größer"],
        extras=[{"team": "voice"}, {}, {"n": 1.5}],
    )
    store.append(batch)
    expected = sorted(batch.to_pylist(), key=str)

    assert sorted(rows_in(snapshot_of(store.folder).segments), key=str) == expected
    store.seal(NOW_NS)
    assert sorted(rows_in(snapshot_of(store.folder).segments), key=str) == expected


def test_a_batch_is_taken_once_under_its_id_also_after_sealing_and_reopening(tmp_path):
    with open_store(tmp_path) as store:
        assert store.append(batch_of("a"), batch_id="x")
        assert not store.append(batch_of("a"), batch_id="x")
    with open_store(tmp_path) as store:
        assert not store.append(batch_of("a"), batch_id="x")
        store.seal(NOW_NS)
        assert not store.append(batch_of("a"), batch_id="x")
    with open_store(tmp_path) as store:
        assert not store.append(batch_of("a"), batch_id="x")
        assert store.append(batch_of("b"), batch_id="y")

    assert stored_names(tmp_path) == ["a", "b"]


def test_of_threads_that_bring_the_same_batch_one_is_told_that_it_is_new(store):
    answers = []

    def bring():
        for number in range(20):
            answers.append((number, store.append(batch_of(f"a{number}"), batch_id=f"{number}")))

    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(number for number, is_new in answers if is_new) == list(range(20))
    assert len(answers) == 80
    assert names_of(store) == sorted(f"a{number}" for number in range(20))


def test_a_position_is_stored_with_its_batch_even_if_nothing_is_in_it(tmp_path):
    with open_store(tmp_path) as store:
        assert store.position("f") is None
        store.append(batch_of("a"), position=("f", "1"))
        store.append(empty_batch(), position=("f", "2"))
        store.append(batch_of("b"), position=("g", "7"))
        assert (store.position("f"), store.position("g")) == ("2", "7")
    with open_store(tmp_path) as store:
        assert store.position("f") == "2"
        store.seal(NOW_NS)
        store.append(empty_batch(), position=("f", "3"))
        store.seal(NOW_NS)
    with open_store(tmp_path) as store:
        assert (store.position("f"), store.position("g")) == ("3", "7")
        assert names_of(store) == ["a", "b"]


def test_many_threads_lose_nothing_while_the_store_is_sealed_and_compacted(store):
    ended = threading.Event()

    def bring(thread):
        for number in range(30):
            store.append(batch_of(f"{thread}-{number}"), position=(f"{thread}", f"{number}"))

    def keep():
        while not ended.is_set():
            store.seal(NOW_NS)
            store.compact(NOW_NS)

    keeper = threading.Thread(target=keep)
    threads = [threading.Thread(target=bring, args=(name,)) for name in "abcd"]
    for thread in [keeper, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    keeper.join()

    expected = sorted(f"{thread}-{number}" for thread in "abcd" for number in range(30))
    assert names_of(store) == stored_names(store.folder) == expected
    assert [store.position(name) for name in "abcd"] == ["29"] * 4


def test_a_closed_store_takes_nothing(tmp_path):
    with open_store(tmp_path) as store:
        pass

    with pytest.raises(Refused, match="Open it again"):
        store.append(batch_of("a"))


# ── Many at once ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_added_is_there_with_its_positions(tmp_path):
    with open_store(tmp_path) as store:
        store.add([batch_of("a", "b"), batch_of("c", day=1)], positions={"f": "3"}, newest_ns=NOW_NS)
        assert names_of(store) == stored_names(tmp_path) == ["a", "b", "c"]
        assert len(store.manifest.segments) == 2
    with open_store(tmp_path) as store:
        assert store.position("f") == "3"


def test_a_position_never_goes_back_to_what_was_appended_before(tmp_path):
    with open_store(tmp_path) as store:
        store.append(batch_of("a"), position=("f", "1"))
        store.append(batch_of("b"), position=("g", "1"))
        store.add([batch_of("c")], positions={"f": "2"}, newest_ns=NOW_NS)
    with open_store(tmp_path) as store:
        assert (store.position("f"), store.position("g")) == ("2", "1")
        store.seal(NOW_NS)
        assert store.position("f") == "2"
    with open_store(tmp_path) as store:
        assert (store.position("f"), store.position("g")) == ("2", "1")
        store.append(batch_of("d"), position=("f", "3"))
    with open_store(tmp_path) as store:
        assert store.position("f") == "3"


def test_nothing_may_be_added(store):
    store.add([], newest_ns=NOW_NS)
    store.add([empty_batch()], positions={"f": "1"}, newest_ns=NOW_NS)

    assert (names_of(store), store.position("f")) == ([], "1")


# ── Sealing and putting together ───────────────────────────────────────────────────────────────────────────────


def test_records_are_sealed_into_segments_of_their_days_and_classes(tmp_path):
    def classify(table):
        severe = pa.compute.greater_equal(table["severity_number"], 17)
        parts = {"errors": table.filter(severe), "": table.filter(pa.compute.invert(severe))}
        return {name: part for name, part in parts.items() if part.num_rows}

    with open_store(tmp_path, limits=StoreLimits(classify=classify)) as store:
        store.append(batch_of("a", "b", severities=[9, 17]))
        store.append(batch_of("c", day=1))
        store.seal(NOW_NS)

        told = [(entry.day, entry.kind, entry.records) for entry in store.manifest.segments]
        day = DAY_NS // NS_PER_D
        assert sorted(told) == [(day, "", 1), (day, "errors", 1), (day + 1, "", 1)]
        assert stored_names(tmp_path) == ["a", "b", "c"]
    assert sorted(path.name for path in (tmp_path / "days").iterdir()) == ["2024-10-04", "2024-10-05"]


def test_a_record_without_a_time_is_of_the_day_on_which_it_came(store):
    store.append(make_batch([b"a"], observed_ns=NOW_NS + NS_PER_D, source="f"))
    store.seal(NOW_NS)

    (entry,) = store.manifest.segments
    assert (entry.day, entry.undated) == (DAY_NS // NS_PER_D + 1, 1)


def test_sealing_leaves_no_file_of_the_spool_behind(store):
    store.append(batch_of("a"))
    store.seal(NOW_NS)

    assert list((store.folder / "spool").iterdir()) == []
    assert (store.hot(), names_of(store)) == ([], ["a"])


def test_small_segments_are_put_together_and_the_old_ones_go_after_a_while(store):
    for number in range(4):
        store.append(batch_of(f"a{number}"))
        store.seal(NOW_NS)
    old = [segment_folder(store.folder, entry) for entry in store.manifest.segments]

    store.compact(NOW_NS)

    assert (len(store.manifest.segments), names_of(store)) == (1, ["a0", "a1", "a2", "a3"])
    assert not any(folder.exists() for folder in old)
    trash = store.folder / "trash"
    store.empty_trash(NOW_NS + TRASH_GRACE_NS - 1)
    assert len(list(trash.iterdir())) == 4
    store.empty_trash(NOW_NS + TRASH_GRACE_NS)
    assert list(trash.iterdir()) == []


def test_the_trash_of_a_clock_that_was_ahead_goes_too(store):
    store.append(batch_of("a"))
    store.seal(NOW_NS)
    store.drop({store.manifest.segments[0].id: "age"}, 2 * NOW_NS)

    store.empty_trash(NOW_NS)

    assert list((store.folder / "trash").iterdir()) == []


def test_records_of_different_days_are_not_put_together(store):
    for day in range(4):
        store.append(batch_of("a", day=day))
        store.seal(NOW_NS)

    store.compact(NOW_NS)

    assert len(store.manifest.segments) == 4


def test_order_survives_putting_together(store):
    for number in range(4):
        times = [DAY_NS + (number % 2) * NS_PER_S, DAY_NS + NS_PER_S, None]
        lines = [f"{number}{letter}".encode() for letter in "abc"]
        store.append(make_batch(lines, observed_ns=NOW_NS, source="f", timestamps=times))
        store.seal(NOW_NS)

    store.compact(NOW_NS)

    (segment,) = map(store.segment, store.manifest.segments)
    assert lines_in([segment]) == [
        b"0a",
        b"2a",
        b"0b",
        b"0c",
        b"1a",
        b"1b",
        b"1c",
        b"2b",
        b"2c",
        b"3a",
        b"3b",
        b"3c",
    ]


def test_it_is_sealed_when_it_is_enough_or_has_waited_long_enough(tmp_path):
    limits = StoreLimits(seal_records=3, seal_bytes=10_000, seal_age_ns=60 * NS_PER_S)
    with open_store(tmp_path, limits=limits) as store:
        clock = count(NOW_NS, NS_PER_S)
        store.append(batch_of("a", "b"))
        store.maintain(next(clock))
        assert len(store.hot()) == 1
        store.append(batch_of("c"))
        store.maintain(next(clock))
        assert store.hot() == []
        store.append(make_batch([b"x" * 20_000], observed_ns=NOW_NS, source="f"))
        store.maintain(next(clock))
        assert store.hot() == []
        store.append(batch_of("d"))
        for _ in range(60):
            store.maintain(next(clock))
        assert len(store.hot()) == 1
        store.maintain(next(clock))
        assert store.hot() == []


def test_more_than_a_segment_holds_becomes_several(tmp_path):
    limits = StoreLimits(segment_records=8, segment_bytes=2_000)
    with open_store(tmp_path, limits=limits) as store:
        store.append(batch_of(*(f"a{number}" for number in range(20))))
        store.seal(NOW_NS)
        assert sorted(entry.records for entry in store.manifest.segments) == [4, 8, 8]
        lines = [b"%d " % number + b"x" * 900 for number in range(4)] + [b"4 " + b"x" * 5_000]
        store.add([make_batch(lines, observed_ns=NOW_NS, source="f")], newest_ns=NOW_NS)
        assert max(entry.text_bytes for entry in store.manifest.segments[3:]) > 5_000
        assert sorted(entry.records for entry in store.manifest.segments[3:])[-1] <= 2
        store.compact(NOW_NS)
        assert sorted(names_of(store)) == sorted([*(f"a{number}" for number in range(20)), *"01234"])


def test_more_services_than_a_segment_holds_become_several_segments_and_stay_so(tmp_path):
    count = MOST_FACTS + 10
    names = [f"s{number}" for number in range(count)]
    with open_store(tmp_path) as store:
        for half in (names[: count // 2], names[count // 2 :]):
            batch = make_batch([b"a"] * len(half), observed_ns=NOW_NS, source="f", services=half)
            store.append(batch)
        assert len(lines_in(snapshot_of(tmp_path).segments)) == count
        store.seal(NOW_NS)
        for _ in range(3):
            store.append(batch_of("b"))
            store.seal(NOW_NS)

        store.compact(NOW_NS)

        assert sum(entry.records for entry in store.manifest.segments) == count + 3
        assert {row["service"] for row in rows_in(map(store.segment, store.manifest.segments))} == {
            "",
            *names,
        }


def test_dropped_segments_are_counted_by_reason(store):
    for name in "abc":
        store.append(batch_of(name, f"{name}2"))
        store.seal(NOW_NS)
    first, second, _ = store.manifest.segments

    store.drop({first.id: "age", "unknown": "age"}, NOW_NS)
    store.drop({second.id: "size"}, NOW_NS)

    assert names_of(store) == ["c", "c2"]
    assert store.manifest.dropped == {"age": 2, "size": 2}


# ── One writer ─────────────────────────────────────────────────────────────────────────────────────────────────

HOLDER = """
import sys
from pathlib import Path
from logpith.store import open_store

with open_store(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_with_a_remedy_until_the_first_has_gone(tmp_path):
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "open\n"

        with (
            pytest.raises(Unavailable, match=rf"another process \({holder.pid}\).*stop it first"),
            open_store(tmp_path),
        ):
            pass
        assert stored_names(tmp_path) == []
        holder.kill()

    with open_store(tmp_path) as store:
        assert store.append(batch_of("a"))
        with pytest.raises(Unavailable), open_store(tmp_path):
            pass


@pytest.mark.parametrize("name", ["notes.txt", "days"])
def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path, name):
    (tmp_path / name).mkdir()

    with pytest.raises(Refused, match="Name an empty folder"), open_store(tmp_path):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == ["LOCK", name]


@pytest.mark.parametrize("name", ["FORMAT", "MANIFEST"])
def test_any_flipped_bit_of_what_names_a_store_is_told_to_writer_and_reader(tmp_path, name):
    with open_store(tmp_path) as store:
        store.append(batch_of("a"), position=("f", "1"))
        store.seal(NOW_NS)
    good = (tmp_path / name).read_bytes()

    for place in range(len(good)):
        flipped = bytearray(good)
        flipped[place] ^= 1 << place % 8
        (tmp_path / name).write_bytes(flipped)
        with pytest.raises(Refused):
            snapshot_of(tmp_path)
        if place % 50 == 0:
            with pytest.raises(Refused), open_store(tmp_path):
                pass

    (tmp_path / name).write_bytes(good)
    assert stored_names(tmp_path) == ["a"]


def test_a_store_whose_manifest_is_lost_is_not_taken_for_an_empty_one(tmp_path):
    with open_store(tmp_path) as store:
        store.append(batch_of("a"))
        store.seal(NOW_NS)
        (segment,) = store.manifest.segments
    manifest = (tmp_path / "MANIFEST").read_bytes()
    (tmp_path / "MANIFEST").unlink()

    with pytest.raises(Refused, match="store check --repair"), open_store(tmp_path):
        pass
    with pytest.raises(Refused, match="missing"):
        snapshot_of(tmp_path)

    (tmp_path / "MANIFEST").write_bytes(manifest)
    assert segment_folder(tmp_path, segment).is_dir()
    assert stored_names(tmp_path) == ["a"]


# ── When the disk fails ────────────────────────────────────────────────────────────────────────────────────────


def counting(disk):
    """How many syncs were asked for."""
    return len(disk.syncs)


@pytest.mark.parametrize("with_id", [False, True])
def test_a_batch_whose_sync_failed_is_not_acknowledged_and_counts_once_when_it_comes_again(tmp_path, with_id):
    disk = TestDisk(tmp_path, real=True)
    batch_id = "x" if with_id else ""
    with open_store(tmp_path / "store", disk=disk) as store:
        store.append(batch_of("a"), position=("f", "1"))
        disk.fail_syncs = set(range(counting(disk) + 1, counting(disk) + 100))
        for _ in range(2):
            with pytest.raises(Unavailable):
                store.append(batch_of("b"), position=("f", "2"), batch_id=batch_id)
        assert (names_of(store), store.position("f")) == (["a"], "1")
        disk.fail_syncs = set()

        assert store.append(batch_of("b"), position=("f", "2"), batch_id=batch_id)

        assert names_of(store) == stored_names(store.folder) == ["a", "b"]
    with open_store(tmp_path / "store") as store:
        assert (names_of(store), store.position("f")) == (["a", "b"], "2")
        store.seal(NOW_NS)
        assert stored_names(store.folder) == ["a", "b"]


def test_what_failed_and_never_came_again_does_not_come_back_with_what_others_bring(tmp_path):
    disk = TestDisk(tmp_path, real=True)
    with open_store(tmp_path / "store", disk=disk) as store:
        store.append(batch_of("a"), position=("f", "1"))
        disk.fail_syncs = set(range(counting(disk) + 1, counting(disk) + 100))
        with pytest.raises(Unavailable):
            store.append(batch_of("b"), position=("f", "2"), batch_id="x")
        disk.fail_syncs = set()
        store.append(batch_of("c"), position=("g", "1"))
        assert names_of(store) == stored_names(store.folder) == ["a", "c"]
    with open_store(tmp_path / "store") as store:
        assert (names_of(store), store.position("f"), store.position("g")) == (["a", "c"], "1", "1")
        assert store.append(batch_of("b"), batch_id="x")


def test_one_failing_sync_is_mended_without_anybody_noticing(tmp_path):
    disk = TestDisk(tmp_path, real=True)
    with open_store(tmp_path / "store", disk=disk) as store:
        store.append(batch_of("a"))
        disk.fail_syncs = {counting(disk) + 1}
        assert store.append(batch_of("b"))
        assert names_of(store) == stored_names(store.folder) == ["a", "b"]


def work(store, step):
    match step:
        case "seal":
            store.seal(NOW_NS)
        case "add":
            store.add([batch_of("new")], positions={"f": "9"}, newest_ns=NOW_NS)
        case "compact":
            store.compact(NOW_NS)
        case "drop":
            store.drop({store.manifest.segments[0].id: "age"}, NOW_NS)


@pytest.mark.parametrize("step", ["seal", "add", "compact", "drop"])
def test_a_step_whose_sync_or_write_fails_anywhere_changes_nothing_or_all_and_works_the_next_time(
    tmp_path, step
):
    """A failing disk is told in our words, and nothing is lost, doubled or left behind."""
    with open_store(tmp_path / "first" / "store", limits=SMALL) as store:
        for name in "abcd":
            store.append(batch_of(name), position=("f", name))
            store.seal(NOW_NS)
        if step == "seal":
            store.append(batch_of("e"), position=("f", "e"))
    tree = tree_of(tmp_path / "first")
    failed = True
    for number in count(1):
        if not failed:
            break
        failed = False
        for kind in ("fail_syncs", "fail_writes"):
            folder = tmp_path / f"{number}-{kind}"
            disk = TestDisk(folder, real=True, tree=tree)
            with open_store(folder / "store", disk=disk, limits=SMALL) as store:
                before = names_of(store)
                done = counting(disk) if kind == "fail_syncs" else disk._writes
                setattr(disk, kind, {done + number})
                try:
                    work(store, step)
                except Unavailable:
                    failed = True
                    assert names_of(store) in (before, before[1:])  # what is dropped may be dropped
                    setattr(disk, kind, set())
                    assert stored_names(store.folder) in (before, sorted([*before, "new"]), before[1:])
                    work(store, step)
                expected = {"add": sorted([*before, "new"]), "drop": before[1:]}.get(step, before)
                if len(names_of(store)) < len(expected):
                    expected = expected[1:]  # the second step dropped another one
                assert names_of(store) == stored_names(store.folder) == expected
                named = {entry.id for entry in store.manifest.segments}
                assert {path.name for path in (folder / "store" / "days").glob("*/*")} == named
            with open_store(folder / "store") as store:
                assert names_of(store) == expected


def test_a_long_spool_is_sealed_in_parts_and_each_stays_sealed_whatever_becomes_of_the_next(tmp_path):
    limits = StoreLimits(seal_records=3)
    with open_store(tmp_path / "first" / "store") as store:
        for number in range(5):
            store.append(
                batch_of(f"a{number}", f"b{number}"), position=("f", f"{number}"), batch_id=f"{number}"
            )
        everything = names_of(store)
    tree = tree_of(tmp_path / "first")
    left = set()
    for number in count(1):
        disk = TestDisk(tmp_path / f"{number}", real=True, tree=tree)
        with open_store(disk.root / "store", disk=disk, limits=limits) as store:
            disk.fail_syncs = {counting(disk) + number}
            try:
                store.seal(NOW_NS)
            except Unavailable:
                left.add(len(store.hot()))
                assert names_of(store) == stored_names(store.folder) == everything
            else:
                break
        with open_store(disk.root / "store", limits=limits) as store:
            assert names_of(store) == everything
            assert store.position("f") == "4"
            assert not store.append(batch_of("again"), batch_id="0")

    assert left == {5, 3, 1, 0}
    assert [entry.records for entry in store.manifest.segments] == [4, 4, 2]


def test_a_full_disk_takes_nothing_and_everything_again_once_there_is_room(tmp_path):
    disk = TestDisk(tmp_path, real=True)
    with open_store(tmp_path / "store", disk=disk) as store:
        store.append(batch_of("a"))
        disk.free_bytes = 100
        with pytest.raises(Unavailable, match="Free"):
            store.append(batch_of("b"))
        with pytest.raises(Unavailable, match="Free"):
            store.seal(NOW_NS)
        left = disk.free_bytes
        for _ in range(3):  # trying does not make it worse
            with pytest.raises(Unavailable):
                store.seal(NOW_NS)
        assert disk.free_bytes == left
        assert names_of(store) == stored_names(store.folder) == ["a"]

        disk.free_bytes = None
        store.append(batch_of("b"))
        store.seal(NOW_NS)
        assert names_of(store) == stored_names(store.folder) == ["a", "b"]


def test_a_store_on_a_full_disk_opens(tmp_path):
    with open_store(tmp_path / "store") as store:
        store.append(batch_of("a"))
        store.seal(NOW_NS)
        store.append(batch_of("b"))

    with open_store(
        tmp_path / "store",
        disk=TestDisk(tmp_path / "store", real=True, free_bytes=0, tree=tree_of(tmp_path / "store")),
    ) as store:
        assert names_of(store) == ["a", "b"]
        with pytest.raises(Unavailable):
            store.append(batch_of("c"))


def tree_of(folder):
    return {
        path.relative_to(folder): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def test_a_damaged_file_of_the_spool_is_kept_aside(tmp_path):
    with open_store(tmp_path) as store:
        for name in "abc":
            store.append(batch_of(name))
    (path,) = (tmp_path / "spool").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with open_store(tmp_path) as store:
        assert store.damage.places == 1
        assert names_of(store) == ["a", "c"]
        store.seal(NOW_NS)

    assert [path.suffix for path in (tmp_path / "spool").iterdir()] == [".damaged"]
    assert stored_names(tmp_path) == ["a", "c"]


def test_a_damaged_segment_stops_neither_sealing_nor_putting_together(store):
    for number in range(5):
        store.append(batch_of(f"a{number}"))
        store.seal(NOW_NS)
    first, *_ = store.manifest.segments
    path = segment_folder(store.folder, first) / "data.parquet"
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)

    store.compact(NOW_NS)

    left = [entry for entry in store.manifest.segments if entry.id != first.id]
    assert names_in(map(store.segment, left)) == ["a1", "a2", "a3", "a4"]
    assert len(left) == 1
    with pytest.raises(LogpithError):
        segment_table(store.segment(first))
