"""What every disk promises, held against the real one and both of the tests' own."""

import os
import subprocess
import sys

import pytest

from logpith_emit.disk import Disk
from power_cut import TestDisk


@pytest.fixture(params=["the machine's", "in memory", "recorded"])
def place(request, tmp_path):
    """A disk and a folder on it."""
    if request.param == "the machine's":
        return Disk(), tmp_path
    disk = TestDisk(tmp_path if request.param == "recorded" else None, real=request.param == "recorded")
    return disk, disk.root


def test_what_is_appended_stands_behind_what_was_there(place):
    disk, root = place
    file = disk.append_to(root / "a")
    file.write(b"one ")
    file.write(memoryview(b"two"))
    file.close()

    again = disk.append_to(root / "a")
    again.write(bytearray(b" three"))
    again.sync()

    assert (disk.read(root / "a"), again.size_bytes, disk.size_bytes(root / "a")) == (
        b"one two three",
        13,
        13,
    )
    again.close()


def test_a_file_is_read_by_place_also_while_it_grows_and_when_it_is_gone(place):
    disk, root = place
    disk.write_new(root / "a", b"0123456789")
    reading = disk.reading(root / "a")
    writing = disk.append_to(root / "a")

    writing.write(b"abc")
    grown = reading.size_bytes()
    disk.remove(root / "a")

    assert (grown, reading.read(2, 3), reading.read(8, 100), reading.read(13, 1)) == (
        13,
        b"234",
        b"89abc",
        b"",
    )
    assert disk.names(root) == []
    reading.close()
    writing.close()


def test_a_new_file_does_not_take_the_place_of_another(place):
    disk, root = place
    disk.write_new(root / "a", b"old")

    with pytest.raises(FileExistsError):
        disk.write_new(root / "a", b"new")

    assert disk.read(root / "a") == b"old"


def test_folders_are_made_with_those_above_and_taken_away_with_what_is_in_them(place):
    disk, root = place
    disk.make_folder(root / "a" / "b")
    disk.make_folder(root / "a" / "b")
    disk.write_new(root / "a" / "b" / "file", b"")
    disk.sync_folder(root / "a" / "b")

    assert (disk.names(root), disk.names(root / "a" / "b"), disk.names(root / "none")) == (
        ["a"],
        ["file"],
        [],
    )

    disk.remove_folder(root / "a")
    disk.remove_folder(root / "a")

    assert disk.names(root) == []


def test_a_rename_takes_the_place_of_what_had_the_name(place):
    disk, root = place
    disk.write_new(root / "old", b"1")
    disk.write_new(root / "new", b"2")

    disk.rename(root / "old", root / "new")

    assert (disk.names(root), disk.read(root / "new")) == (["new"], b"1")


def test_what_is_not_there_is_said_so_but_can_be_removed(place):
    disk, root = place
    for use in (disk.read, disk.reading, disk.size_bytes, disk.is_claimed):
        with pytest.raises(FileNotFoundError):
            use(root / "none")
    with pytest.raises(FileNotFoundError):
        disk.rename(root / "none", root / "new")

    disk.remove(root / "none")

    assert disk.remove_unclaimed(root / "none")


def test_a_file_is_cut_behind_its_first_bytes(place):
    disk, root = place
    file = disk.append_to(root / "a")
    file.write(b"0123456789")

    disk.truncate(root / "a", 4)
    file.write(b"x")

    assert disk.read(root / "a") == b"0123x"
    file.close()


def test_a_claimed_file_is_not_removed_until_all_who_claimed_it_have_closed_it(place):
    disk, root = place
    one, other = disk.append_to(root / "a"), disk.append_to(root / "a")
    assert not disk.is_claimed(root / "a")
    assert (one.claim(), other.claim()) == (True, True)

    one.close()

    assert disk.is_claimed(root / "a")
    assert not disk.remove_unclaimed(root / "a")

    other.close()

    assert not disk.is_claimed(root / "a")
    assert disk.remove_unclaimed(root / "a")
    assert disk.names(root) == []


def test_a_file_can_be_removed_only_if_it_is_empty(place):
    disk, root = place
    disk.write_new(root / "a", b"")
    disk.write_new(root / "b", b"1")

    gone = [disk.remove_unclaimed(root / name, only_empty=True) for name in ("a", "b", "c")]

    assert (gone, disk.names(root)) == ([True, False, True], ["b"])


def test_who_claims_a_file_learns_that_it_was_removed(place):
    disk, root = place
    file = disk.append_to(root / "a")
    disk.remove(root / "a")

    assert not file.claim()
    file.close()


CLAIM = """
import sys
from pathlib import Path
from logpith_emit.disk import Disk

file = Disk().append_to(Path(sys.argv[1]))
print(file.claim(), flush=True)
sys.stdin.read()
"""


def test_a_claim_ends_with_its_process_however_that_ends(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(tmp_path / "a")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"True\n"
        claimed = Disk().is_claimed(tmp_path / "a")

        process.kill()
        process.wait()

    assert (claimed, Disk().is_claimed(tmp_path / "a")) == (True, False)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps other rights")
def test_files_are_readable_by_their_owner_only(tmp_path):
    Disk().write_new(tmp_path / "a", b"secret")

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
