"""The test disk cuts the power as it says."""

import errno

import pytest

from power_cut import TestDisk, needless_syncs, power_cuts


def written(disk, name, *writes, sync=False):
    file = disk.append_to(disk.root / name)
    for data in writes:
        file.write(data)
    if sync:
        file.sync()
    file.close()


def contents(cut):
    return {name: cut.disk.read(cut.disk.root / name) for name in cut.disk.names(cut.disk.root)}


def states(run, **options):
    """Everything that the disk may hold at the end."""
    cuts = list(power_cuts(run, **options))
    return [contents(cut) for cut in cuts if cut.at == cuts[-1].at]


def test_a_file_whose_name_is_not_synced_may_be_gone_and_its_bytes_may_be_torn():
    def run(disk, _):
        written(disk, "a", b"abcd", b"ef")

    found = states(run)

    assert {} in found
    assert {data.get("a") for data in found} == {
        None,
        b"",
        b"abcd",
        b"ab",
        b"\0\0\0\0ef",
        b"abcdef",
        b"abcde",
    }


def test_what_is_synced_is_there():
    def run(disk, _):
        written(disk, "a", b"abcd", sync=True)
        disk.sync_folder(disk.root)

    assert states(run) == [{"a": b"abcd"}]


def test_a_rename_is_whole_or_not_there():
    def run(disk, _):
        disk.write_new(disk.root / "a", b"old")
        disk.write_new(disk.root / "b", b"new")
        disk.sync_folder(disk.root)
        disk.rename(disk.root / "b", disk.root / "a")

    assert states(run) == [{"a": b"old", "b": b"new"}, {"a": b"new"}]


def test_a_file_that_is_removed_may_come_back():
    def run(disk, _):
        disk.write_new(disk.root / "a", b"1")
        disk.sync_folder(disk.root)
        disk.remove(disk.root / "a")

    assert states(run) == [{"a": b"1"}, {}]


def test_a_failed_sync_makes_nothing_durable_nor_does_the_next():
    def run(disk, _):
        file = disk.append_to(disk.root / "a")
        disk.sync_folder(disk.root)
        file.write(b"ab")
        with pytest.raises(OSError, match=rf"\[Errno {errno.EIO}\]"):
            file.sync()
        file.write(b"cd")
        file.sync()
        file.close()

    assert {data["a"] for data in states(run, fail_syncs={2})} == {b"\0\0cd", b"a\0cd", b"abcd"}


def test_every_operation_is_cut_and_what_was_promised_by_then_is_told():
    def run(disk, acknowledged):
        for name in ("a", "b"):
            disk.write_new(disk.root / name, b"1")
            disk.sync_folder(disk.root)
            acknowledged.append(name)

    cuts = list(power_cuts(run))

    assert sorted({cut.at for cut in cuts}) == list(range(9))
    assert {len(cut.acknowledged) for cut in cuts if cut.at <= 3} == {0}
    assert {len(cut.acknowledged) for cut in cuts if cut.at == 8} == {2}
    assert all(name in contents(cut) for cut in cuts for name in cut.acknowledged)


def test_a_sync_that_nothing_needs_is_found():
    def run(disk, acknowledged):
        disk.write_new(disk.root / "a", b"1")
        disk.sync_folder(disk.root)
        disk.sync_folder(disk.root)
        acknowledged.append("a")

    def check(cut):
        assert all(contents(cut)[name] == b"1" for name in cut.acknowledged), cut

    for cut in power_cuts(run):
        check(cut)
    assert needless_syncs(run, check, each_time=True) == [2, 3]  # either is enough
    assert needless_syncs(run, lambda cut: None, each_time=True) == [1, 2, 3]


def test_a_full_disk_takes_what_fits_and_more_once_something_is_removed():
    disk = TestDisk(free_bytes=6)
    written(disk, "a", b"1234")

    with pytest.raises(OSError, match=rf"\[Errno {errno.ENOSPC}\]"):
        written(disk, "b", b"5678")
    disk.remove(disk.root / "a")
    written(disk, "b", b"9")

    assert disk.read(disk.root / "b") == b"569"


def test_a_real_folder_has_what_survived(tmp_path):
    def run(disk, _):
        disk.make_folder(disk.root / "f")
        disk.write_new(disk.root / "f" / "a", b"1")
        disk.sync_folder(disk.root / "f")
        disk.sync_folder(disk.root)

    cuts = []
    for cut in power_cuts(run, root=tmp_path):
        file = cut.disk.root / "f" / "a"
        cuts.append(file.read_bytes() if file.exists() else None)

    assert (None in cuts, b"" in cuts, cuts[-1]) == (True, True, b"1")
    assert (tmp_path / "run" / "f" / "a").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_a_killed_process_wrote_is_seen_and_not_durable():
    def run(disk, acknowledged):
        with disk.killed_before(2):
            disk.write_new(disk.root / "a", b"1")
            disk.rename(disk.root / "a", disk.root / "b")
            disk.sync_folder(disk.root)
            raise AssertionError
        acknowledged.append(disk.names(disk.root))

    cuts = list(power_cuts(run))

    assert cuts[-1].acknowledged == [["b"]]
    assert {} in states(run)
