"""Readers: what was acknowledged is seen at once, once, by any process, whatever the writer does meanwhile."""

import random
import subprocess
import sys
import threading

import pytest

from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader
from logpith.store.segment import segment_table
from logpith.store.writer import TRASH_GRACE_NS, segment_folder
from logpith_emit.errors import NotFound, Unavailable
from stores import NOW_NS, batch_of, lines_in, names_in, snapshot_of

SMALL = StoreLimits(segment_records=64)

LOOKER = """
import sys, threading
from pathlib import Path
from logpith.store.reader import StoreReader
from logpith.store.segment import segment_table

reader = StoreReader(Path(sys.argv[1]))
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
seen = looks = 0
print("looking", flush=True)
while True:
    is_last = ended.is_set()
    snapshot = reader.snapshot(10**18)
    assert snapshot.damaged == (), snapshot.damaged
    lines = [line for segment in snapshot.segments for line in segment_table(segment)["line"].to_pylist()]
    numbers = sorted(int(line.split()[0][1:]) for line in lines)
    assert numbers == list(range(len(numbers))), numbers
    assert len(numbers) >= seen, (len(numbers), seen)
    seen = len(numbers)
    looks += 1
    if looks == 1:
        print("looked", flush=True)
    if is_last:
        break
print(seen, looks, flush=True)
"""


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", limits=SMALL) as store:
        yield store


def sealed(store, *names):
    for name in names:
        store.append(batch_of(name))
        store.seal(NOW_NS)


def test_where_no_store_is_nothing_can_be_read(tmp_path):
    with pytest.raises(NotFound, match="no store"):
        StoreReader(tmp_path)


@pytest.mark.parametrize("is_inside", [True, False])
def test_each_look_sees_what_was_stored_by_then(store, is_inside):
    reader = StoreReader(store.folder, store=store if is_inside else None)

    def seen():
        return names_in(reader.snapshot(NOW_NS).segments)

    assert seen() == []
    store.append(batch_of("a"))
    assert seen() == ["a"]
    store.append(batch_of("b", "c"))
    assert seen() == ["a", "b", "c"]
    store.seal(NOW_NS)
    assert seen() == ["a", "b", "c"]
    store.append(batch_of("d"))
    store.add([batch_of("e")], newest_ns=NOW_NS)
    assert seen() == ["a", "b", "c", "d", "e"]
    store.drop({store.manifest.segments[0].id: "age"}, NOW_NS)
    assert seen() == ["d", "e"]


@pytest.mark.parametrize("is_inside", [True, False])
def test_what_has_not_changed_is_not_read_anew(store, is_inside):
    reader = StoreReader(store.folder, store=store if is_inside else None)
    sealed(store, "a")
    store.append(batch_of("b"))
    first = reader.snapshot(NOW_NS).segments

    again = reader.snapshot(NOW_NS).segments
    store.append(batch_of("c"))
    more = reader.snapshot(NOW_NS).segments

    assert [one is other for one, other in zip(first, again, strict=True)] == [True, True]
    assert more[0] is first[0]
    assert names_in(more) == ["a", "b", "c"]


def test_many_records_that_are_not_sealed_are_put_into_segments_once(tmp_path):
    with open_store(tmp_path / "store") as store:
        reader = StoreReader(store.folder)
        names = [f"a{number}" for number in range(5_000)]
        for first in range(0, 20_000, 5_000):
            store.append(batch_of(*(f"{first}-{name}" for name in names)))
        before = reader.snapshot(NOW_NS).segments

        store.append(batch_of("last"))
        after = reader.snapshot(NOW_NS).segments

        assert sum(len(segment) for segment in after) == 20_001
        assert [segment for segment in after if segment in before] == list(before)
        store.seal(NOW_NS)
        assert sum(len(segment) for segment in reader.snapshot(NOW_NS).segments) == 20_001


def test_a_snapshot_is_read_to_its_end_though_its_segments_are_dropped(store):
    sealed(store, "a", "b")
    outside, inside = snapshot_of(store.folder), StoreReader(store.folder, store=store).snapshot(NOW_NS)
    store.drop({entry.id: "age" for entry in store.manifest.segments}, NOW_NS)
    store.empty_trash(NOW_NS + TRASH_GRACE_NS - 1)

    assert names_in(outside.segments) == names_in(inside.segments) == ["a", "b"]
    assert names_in(snapshot_of(store.folder).segments) == []


def test_a_snapshot_that_is_older_than_the_grace_says_that_asking_again_helps(store):
    sealed(store, "a", "b")
    reader = StoreReader(store.folder)
    snapshot = reader.snapshot(NOW_NS)
    store.drop({store.manifest.segments[0].id: "age"}, NOW_NS)
    store.empty_trash(NOW_NS + TRASH_GRACE_NS)

    with pytest.raises(Unavailable, match="Ask again"):
        lines_in(snapshot.segments)
    assert names_in(reader.snapshot(NOW_NS).segments) == ["b"]


def test_a_writer_that_was_cut_off_and_comes_back_is_seen_on(tmp_path):
    with open_store(tmp_path) as store:
        store.append(batch_of("a"))
        reader = StoreReader(tmp_path)
        assert names_in(reader.snapshot(NOW_NS).segments) == ["a"]
    with open_store(tmp_path) as store:
        store.append(batch_of("b"))
        assert names_in(reader.snapshot(NOW_NS).segments) == ["a", "b"]
        store.seal(NOW_NS)
        store.append(batch_of("c"))
        assert names_in(reader.snapshot(NOW_NS).segments) == ["a", "b", "c"]


@pytest.mark.parametrize("what", ["head", "folder", "templates"])
def test_what_cannot_be_read_is_named_and_the_others_are_given(store, what):
    sealed(store, "a", "b", "c")
    _, second, _ = store.manifest.segments
    folder = segment_folder(store.folder, second)
    if what == "folder":
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    else:
        (folder / {"head": "segment.json", "templates": "templates.parquet"}[what]).write_bytes(b"x")
    reader = StoreReader(store.folder)

    snapshot = reader.snapshot(NOW_NS)
    for segment in snapshot.segments:
        try:
            segment_table(segment)
        except Exception:  # noqa: BLE001  # it is found out by reading it
            snapshot = reader.snapshot(NOW_NS)

    assert names_in(snapshot.segments) == ["a", "c"]
    (told,) = snapshot.damaged
    assert told.startswith(second.id)


def look_while_writing(folder, rounds, seed):
    chance = random.Random(seed)
    with open_store(folder, limits=StoreLimits(segment_records=4 * rounds)) as store:
        argv = [sys.executable, "-c", LOOKER, str(folder)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as looker:
            assert looker.stdout.readline() == "looking\n"
            number = 0
            for round_ in range(rounds):
                if round_ == rounds // 2:  # it has looked at what was written, and will at what comes
                    assert looker.stdout.readline() == "looked\n"
                names = [f"n{number + place}" for place in range(chance.randint(1, 3))]
                number += len(names)
                if chance.random() < 0.1:
                    store.add([batch_of(*names)], newest_ns=NOW_NS)
                else:
                    store.append(batch_of(*names))
                if chance.random() < 0.3:
                    store.seal(NOW_NS)
                if chance.random() < 0.15:
                    store.compact(NOW_NS)
            told, _ = looker.communicate()
        assert looker.returncode == 0, seed
        seen, looks = map(int, told.split())
        assert seen == number, seed
        return looks


def test_another_process_never_sees_a_record_twice_or_not_while_the_writer_seals_and_compacts(tmp_path):
    assert look_while_writing(tmp_path, rounds=60, seed=1) > 1


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 12))
def test_another_process_never_sees_a_record_twice_or_not_for_long(tmp_path, seed):
    assert look_while_writing(tmp_path, rounds=300, seed=seed) > 10


def test_threads_share_a_reader(store):
    reader = StoreReader(store.folder, store=store)
    ended = threading.Event()
    counts = []

    def look():
        last = 0
        while not ended.is_set():
            names = names_in(reader.snapshot(NOW_NS).segments)
            assert len(set(names)) == len(names) >= last
            last = len(names)
        counts.append(len(names_in(reader.snapshot(NOW_NS).segments)))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(30):
        store.append(batch_of(f"a{number}"))
        if number % 4 == 3:
            store.seal(NOW_NS)
            store.compact(NOW_NS)
    ended.set()
    for thread in threads:
        thread.join()

    assert counts == [30, 30, 30]
