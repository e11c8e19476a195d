"""What goes to a file stands there, a line each, and files before it are kept as long as was said."""

import errno
import gzip
import json
import os
import resource
import signal

import pytest

from logpith_emit.clock import ManualClock
from logpith_emit.destinations.file import FileDestination, FileWriter
from logpith_emit.disk import Disk
from logpith_emit.entry import entry_of
from logpith_emit.errors import Unavailable
from logpith_emit.testing import check_destination, numbered


def text_of(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def lines_in(folder):
    """All that stands in the files of a folder, the oldest file first."""
    aside = sorted(path for path in folder.iterdir() if path.name != "logs.ndjson")
    return [line for path in [*aside, folder / "logs.ndjson"] for line in text_of(path).splitlines()]


def said(folder):
    return [json.loads(line)["message"] for line in lines_in(folder)]


def messages(first, last):
    return [f"record {number}" for number in range(first, last + 1)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "logs.ndjson"


def test_it_keeps_its_promises(path):
    def read_back():
        return [entry_of(json.loads(line)) for line in lines_in(path.parent)] if path.exists() else []

    check_destination(FileDestination(path=path), read_back)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_put_aside_and_no_line_is_lost_or_cut(path):
    with FileDestination(path=path, rotate_bytes=1_000, keep_files=0).open() as live:
        for at in range(20):
            live.write(numbered(5, first=at * 5 + 1))

    assert len(list(path.parent.glob("*.gz"))) > 3
    assert sorted(said(path.parent), key=lambda message: int(message.split()[1])) == messages(1, 100)


@pytest.mark.parametrize("is_packed", [True, False])
def test_what_a_process_left_that_was_killed_while_it_compressed_is_taken_away(path, is_packed):
    path.parent.mkdir()
    aside = path.with_name("logs.ndjson.20200101-100000-1")
    aside.write_bytes(b'{"message":"old"}\n')
    if is_packed:
        path.with_name(f"{aside.name}.gz").write_bytes(gzip.compress(aside.read_bytes()))
    else:
        path.with_name(f"{aside.name}.new").write_bytes(gzip.compress(aside.read_bytes())[:9])

    with FileDestination(path=path, rotate_bytes=100, keep_files=0).open() as live:
        for at in range(5):
            live.write(numbered(1, first=at + 1))

    assert said(path.parent) == ["old", *messages(1, 5)]
    assert list(path.parent.glob("*.new")) == []


def test_only_the_newest_of_those_before_it_are_kept(path):
    clock = ManualClock()
    settings = FileDestination(path=path, rotate_bytes=300, keep_files=2, compression="none")
    writer = FileWriter(settings, clock=clock)
    for number in range(1, 9):
        writer.write(numbered(2, first=number * 2 - 1))
        clock.advance(1_000_000_000)
    writer.close()

    assert len(list(path.parent.iterdir())) == 3
    assert said(path.parent) == messages(11, 16)


def test_an_old_file_is_put_aside(path):
    clock = ManualClock()
    writer = FileWriter(FileDestination(path=path, rotate_s=60, compression="none"), clock=clock)
    writer.write(numbered(1))
    clock.advance(59_000_000_000)
    writer.write(numbered(1, first=2))
    clock.advance(1_000_000_000)
    writer.write(numbered(1, first=3))
    writer.close()

    assert [len(text_of(one).splitlines()) for one in sorted(path.parent.iterdir())] == [1, 2]


def test_a_file_grows_old_also_where_each_run_of_a_program_is_short(path):
    clock = ManualClock(numbered(1)[0].timestamp)
    settings = FileDestination(path=path, rotate_s=60, compression="none")
    for number in range(1, 9):
        writer = FileWriter(settings, clock=clock)
        writer.write(numbered(1, first=number))
        writer.close()
        clock.advance(20_000_000_000)

    sizes = [len(text_of(one).splitlines()) for one in sorted(path.parent.iterdir())]
    assert sizes == [2, 3, 3], "the one that is written first, then those before it"


def test_a_file_that_does_not_say_when_it_was_begun_is_as_old_as_its_last_line(path):
    path.parent.mkdir()
    path.write_bytes(b"somebody else's\n")
    clock = ManualClock(path.stat().st_mtime_ns + 59_000_000_000)
    writer = FileWriter(FileDestination(path=path, rotate_s=60, compression="none"), clock=clock)
    writer.write(numbered(1))
    assert len(list(path.parent.iterdir())) == 1

    clock.advance(1_000_000_000)
    writer.write(numbered(1, first=2))
    writer.close()

    assert len(list(path.parent.iterdir())) == 2


def test_what_is_compressed_is_durable_before_the_plain_one_goes(path, monkeypatch):
    done = []

    class Watched(Disk):
        def rename(self, old, new):
            done.append((f"rename to *{new.suffix}", old.stat().st_ino))
            super().rename(old, new)

        def remove(self, path):
            done.append((f"remove *{path.suffix}", 0))
            super().remove(path)

        def sync_folder(self, path):
            done.append(("sync folder", 0))
            super().sync_folder(path)

    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(("sync", os.fstat(descriptor).st_ino)))
    writer = FileWriter(FileDestination(path=path, rotate_bytes=1), disk=Watched())
    for number in (1, 2):
        writer.write(numbered(1, first=number))
    writer.close()

    names = [name for name, _ in done]
    packed = names.index("rename to *.gz")
    assert done[packed - 1] == ("sync", done[packed][1])
    assert names.index("sync folder", packed) < next(
        place for place, name in enumerate(names) if place > packed and name.startswith("remove")
    )


def test_a_file_of_somebody_elses_that_is_called_like_one_of_its_own_tells_no_time(path):
    path.parent.mkdir()
    path.write_bytes(b"{}\n")
    path.with_name(f"{path.name}.20261399-000000-1").write_bytes(b"x")

    with FileDestination(path=path).open() as live:
        live.write(numbered(1))

    assert b"record 1" in text_of(path)


@pytest.mark.parametrize("sync", [True, False])
def test_a_batch_is_synced_before_it_counts_as_written_unless_told(path, monkeypatch, sync):
    lines_at_sync = []
    monkeypatch.setattr(os, "fsync", lambda _: lines_at_sync.append(len(path.read_bytes().splitlines())))

    with FileDestination(path=path, sync=sync).open() as live:
        live.write(numbered(3))
        live.write(numbered(2, first=4))

    assert lines_at_sync == ([3, 5] if sync else [])


def test_a_file_that_somebody_moved_is_begun_anew(path):
    with FileDestination(path=path).open() as live:
        live.write(numbered(1))
        path.rename(path.with_name("moved"))
        live.write(numbered(1, first=2))
        path.unlink()
        live.write(numbered(1, first=3))

    assert json.loads(path.read_bytes())["message"] == "record 3"


def test_a_line_that_a_killed_process_left_half_is_taken_away(path):
    path.parent.mkdir()
    path.write_bytes(b'{"message":"record 0"}\n{"mess' + b"x" * 3_000_000)

    with FileDestination(path=path).open() as live:
        live.write(numbered(1))

    assert said(path.parent) == ["record 0", "record 1"]


def test_a_write_that_fails_half_way_leaves_nothing_and_is_tried_again(path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    settings = FileDestination(path=path)
    try:
        with settings.open() as live:
            live.write(numbered(1))
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
            with pytest.raises(Unavailable, match=os.strerror(errno.EFBIG)):
                live.write(numbered(50, first=2))
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            live.write(numbered(50, first=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handled)

    assert said(path.parent) == messages(1, 51)
