"""Copies: a store as it was, in another place, whole or not at all."""

import random
import threading
from pathlib import Path

import pytest

from logpith.store import open_store
from logpith.store.copies import (
    create_snapshot,
    read_snapshot,
    restore_snapshot,
    snapshot_names,
    verify_snapshot,
)
from logpith.store.places import place_at
from logpith_emit.disk import Disk
from logpith_emit.errors import BadArgument, NotFound, Refused, Unavailable
from stores import NOW_NS, batch_of, rows_in, snapshot_of, stored_names


@pytest.fixture
def store_folder(tmp_path):
    """A store with two sealed days and a record that is in the spool only."""
    folder = tmp_path / "store"
    with open_store(folder) as store:
        store.append(batch_of("a", "b"), position=("app", "behind b"), batch_id="first")
        store.append(batch_of("c", day=1))
        store.seal(NOW_NS)
        store.append(batch_of("d"), position=("app", "behind d"), batch_id="second")
    return folder


@pytest.fixture
def place(tmp_path):
    return place_at(str(tmp_path / "copies"))


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_restored_store_has_every_record_and_goes_on_where_the_other_was(store_folder, place, tmp_path):
    create_snapshot(store_folder, place, "first", NOW_NS)
    restore_snapshot(place, "first", tmp_path / "new")

    def sorted_rows(folder):
        return sorted(map(str, rows_in(snapshot_of(folder).segments)))

    assert sorted_rows(tmp_path / "new") == sorted_rows(store_folder)
    with open_store(tmp_path / "new") as store:
        assert store.position("app") == "behind d"
        assert not store.append(batch_of("d"), batch_id="second")
        assert store.append(batch_of("e"), batch_id="third")
    assert stored_names(tmp_path / "new") == ["a", "b", "c", "d", "e"]


def test_a_restored_source_goes_on_where_it_had_come_last(tmp_path, place):
    """What came in bulk came later than what is in the spool still."""
    with open_store(tmp_path / "store") as store:
        store.append(batch_of("a"), position=("app", "first"))
        store.append(batch_of("b"), position=("web", "only"))
        store.add([batch_of("c")], positions={"app": "second"}, newest_ns=NOW_NS)
        create_snapshot(tmp_path / "store", place, "first", NOW_NS)
    restore_snapshot(place, "first", tmp_path / "new")

    with open_store(tmp_path / "new") as store:
        assert (store.position("app"), store.position("web")) == ("second", "only")


def test_a_second_snapshot_copies_only_what_is_new(store_folder, place, tmp_path):
    with open_store(store_folder) as store:
        store.seal(NOW_NS)
    first = create_snapshot(store_folder, place, "first", NOW_NS)
    before = files_below(tmp_path / "copies" / "segments")
    with open_store(store_folder) as store:
        store.append(batch_of("e"))
        store.seal(NOW_NS)
    second = create_snapshot(store_folder, place, "second", NOW_NS)

    assert (first.copied, second.copied) == (3, 1)
    assert before.items() <= files_below(tmp_path / "copies" / "segments").items()
    restore_snapshot(place, "first", tmp_path / "then")
    assert stored_names(tmp_path / "then") == ["a", "b", "c", "d"]
    restore_snapshot(place, "second", tmp_path / "now")
    assert stored_names(tmp_path / "now") == ["a", "b", "c", "d", "e"]


def test_a_snapshot_outlives_what_the_store_drops(store_folder, place, tmp_path):
    create_snapshot(store_folder, place, "before", NOW_NS)
    with open_store(store_folder) as store:
        store.drop({entry.id: "age" for entry in store.manifest.segments}, NOW_NS)
        store.empty_trash(2 * NOW_NS)

    restore_snapshot(place, "before", tmp_path / "new")

    assert stored_names(tmp_path / "new") == ["a", "b", "c", "d"]


def test_the_same_name_is_refused_and_nothing_of_the_first_changes(store_folder, place, tmp_path):
    create_snapshot(store_folder, place, "first", NOW_NS)
    before = files_below(tmp_path / "copies")

    with pytest.raises(Refused, match="another name"):
        create_snapshot(store_folder, place, "first", NOW_NS)

    assert files_below(tmp_path / "copies") == before


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "a" * 101, "a\n", "C:\\x", "a b"])
def test_a_name_leads_nowhere_else(store_folder, place, tmp_path, name):
    with pytest.raises(BadArgument, match="letters, digits"):
        create_snapshot(store_folder, place, name, NOW_NS)
    with pytest.raises(BadArgument, match="letters, digits"):
        restore_snapshot(place, name, tmp_path / "new")

    assert not (tmp_path / "copies").exists()


def test_a_snapshot_that_names_a_segment_outside_is_refused(store_folder, place, tmp_path):
    """Somebody who can write to the place can make checksums, too."""
    from logpith.store.segment_writer import digest

    create_snapshot(store_folder, place, "first", NOW_NS)
    path = tmp_path / "copies" / "snapshots" / "first.json"
    one = read_snapshot(place, "first").segments[0].entry.id
    body = path.read_bytes().rpartition(b"\n#")[0].replace(one.encode(), b"../../evil")
    path.write_bytes(body + b"\n#" + digest(body).encode() + b"\n")

    with pytest.raises(Refused, match="names segments as none are named"):
        restore_snapshot(place, "first", tmp_path / "new")


def test_only_an_empty_folder_is_restored_into(store_folder, place, tmp_path):
    create_snapshot(store_folder, place, "first", NOW_NS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo.jpg").write_bytes(b"dear to somebody")

    for folder in (tmp_path / "full", store_folder):
        before = files_below(folder)
        with pytest.raises(Refused, match="is not empty") as refused:
            restore_snapshot(place, "first", folder)

        assert "Name an empty folder" in refused.value.remedy
        assert files_below(folder) == before


def test_a_folder_with_something_else_is_no_place_for_copies(store_folder, tmp_path):
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "photo.jpg").write_bytes(b"dear to somebody")

    with pytest.raises(Refused, match="holds no copies"):
        create_snapshot(store_folder, place_at(str(tmp_path / "copies")), "first", NOW_NS)


def test_there_is_nothing_to_copy_without_a_store_and_nothing_to_list_without_copies(place, tmp_path):
    with pytest.raises(NotFound, match="there is no store"):
        create_snapshot(tmp_path / "nothing", place, "first", NOW_NS)
    with pytest.raises(NotFound, match="snapshot create"):
        snapshot_names(place)


def test_an_unknown_snapshot_is_told_with_the_nearest_name(store_folder, place):
    create_snapshot(store_folder, place, "before-upgrade", NOW_NS)

    with pytest.raises(NotFound, match="Did you mean 'before-upgrade'"):
        verify_snapshot(place, "before-upgrad")


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["segment.json", "data.parquet", "templates.parquet", "words.bits"])
def test_a_flipped_bit_in_a_copy_is_found_and_never_restored(store_folder, place, tmp_path, name):
    create_snapshot(store_folder, place, "first", NOW_NS)
    assert verify_snapshot(place, "first").problems == ()
    damaged(sorted((tmp_path / "copies" / "segments").rglob(name))[0])

    assert len(verify_snapshot(place, "first").problems) == 1
    with pytest.raises(Refused, match="--skip-damaged"):
        restore_snapshot(place, "first", tmp_path / "new")
    assert [one for one in files_below(tmp_path / "new") if one != "LOCK"] == []


def test_what_is_whole_of_a_damaged_snapshot_can_be_had_and_the_rest_is_counted(
    store_folder, place, tmp_path
):
    create_snapshot(store_folder, place, "first", NOW_NS)
    segment = read_snapshot(place, "first").segments[0].entry
    damaged(next((tmp_path / "copies").rglob(f"{segment.id}/data.parquet")))

    done = restore_snapshot(place, "first", tmp_path / "new", skip_damaged=True)

    assert len(done.problems) == 1
    assert len(stored_names(tmp_path / "new")) == 4 - segment.records
    assert snapshot_of(tmp_path / "new").manifest.dropped == {"damaged": segment.records}


def test_a_missing_file_is_a_problem_and_a_damaged_list_is_refused(store_folder, place, tmp_path):
    create_snapshot(store_folder, place, "first", NOW_NS)
    next((tmp_path / "copies" / "segments").rglob("rollup.parquet")).unlink()

    assert [problem.partition(": ")[2] for problem in verify_snapshot(place, "first").problems] == [
        "rollup.parquet is missing"
    ]
    damaged(tmp_path / "copies" / "snapshots" / "first.json")
    with pytest.raises(Refused, match="is damaged"):
        verify_snapshot(place, "first")


def test_what_is_damaged_in_the_store_is_left_out_and_told(store_folder, place, tmp_path):
    entry = snapshot_of(store_folder).manifest.segments[0]
    damaged(next(store_folder.rglob(f"{entry.id}/data.parquet")))

    created = create_snapshot(store_folder, place, "first", NOW_NS)

    assert list(created.snapshot.left_out) == [entry.id]
    assert verify_snapshot(place, "first").problems == ()
    restore_snapshot(place, "first", tmp_path / "new")
    assert len(stored_names(tmp_path / "new")) == 4 - entry.records


class _BrokenOff(Exception):  # noqa: N818 - what a test raises to end a process
    pass


class Interrupted(Disk):
    """The disk of this machine, for a process that ends at its n-th change to it."""

    def __init__(self, left):
        self.left = left

    def _step(self):
        if not self.left:
            raise _BrokenOff
        self.left -= 1

    def write_new(self, path, data):
        self._step()
        super().write_new(path, data)

    def rename(self, old, new):
        self._step()
        super().rename(old, new)


def test_a_create_that_is_cut_off_anywhere_leaves_no_snapshot_and_the_next_one_works(store_folder, tmp_path):
    for cut in range(100):
        folder = tmp_path / f"copies-{cut}"
        place = place_at(str(folder), Interrupted(cut))
        try:
            create_snapshot(store_folder, place, "first", NOW_NS)
            break
        except _BrokenOff:
            whole = place_at(str(folder))
            if (folder / "FORMAT").exists():
                assert snapshot_names(whole) == []
            create_snapshot(store_folder, whole, "first", NOW_NS)
            assert verify_snapshot(whole, "first").problems == ()
    assert cut > 20


def test_a_restore_that_is_cut_off_anywhere_leaves_no_store_and_may_be_begun_anew(
    store_folder, place, tmp_path
):
    create_snapshot(store_folder, place, "first", NOW_NS)
    for cut in range(100):
        folder = tmp_path / f"new-{cut}"
        try:
            restore_snapshot(place, "first", folder, disk=Interrupted(cut))
            break
        except _BrokenOff:
            with pytest.raises(NotFound, match="there is no store"):
                snapshot_of(folder)
            if (folder / "days").exists():
                with pytest.raises(Refused, match="holds no store"), open_store(folder):
                    pass
            restore_snapshot(place, "first", folder)
        assert stored_names(folder) == ["a", "b", "c", "d"]
    assert cut > 20


def test_copies_at_random_moments_under_load_hold_all_that_was_acknowledged_before(tmp_path, place):
    """While records come, are sealed, put together and dropped into the trash."""
    acknowledged = []
    ended = threading.Event()
    chance = random.Random(5)
    has_begun = threading.Event()

    def load(store):
        number = 0
        while not ended.is_set():
            names = [f"n{number + place}" for place in range(3)]
            number += 3
            store.append(batch_of(*names, source="load"))
            acknowledged.extend(names)
            if chance.random() < 0.2:
                store.seal(NOW_NS + number)
                store.compact(NOW_NS + number)
                store.empty_trash(NOW_NS + number + 10**18 * chance.randrange(2))
            if number > 30:
                has_begun.set()

    with open_store(tmp_path / "store") as store:
        thread = threading.Thread(target=load, args=[store])
        thread.start()
        try:
            assert has_begun.wait(60)
            for round_ in range(12):
                before = set(acknowledged)
                create_snapshot(tmp_path / "store", place, f"round-{round_}", NOW_NS)
                restore_snapshot(place, f"round-{round_}", tmp_path / f"new-{round_}")
                found = stored_names(tmp_path / f"new-{round_}")

                assert before <= set(found)
                assert len(found) == len(set(found))
        finally:
            ended.set()
            thread.join()


def test_a_full_place_is_told_with_what_to_do(store_folder, tmp_path):
    class Full(Disk):
        def write_new(self, path, data):
            if "segments" in str(path):
                raise OSError(28, "No space left on device")
            super().write_new(path, data)

    place = place_at(str(tmp_path / "copies"), Full())

    with pytest.raises(Unavailable, match="no space left") as unavailable:
        create_snapshot(store_folder, place, "first", NOW_NS)

    assert "Make room" in unavailable.value.remedy
    assert snapshot_names(place) == []
