"""Files that grow, are rotated, truncated, packed and deleted, each line of them taken once."""

import gzip
import os
import random
import shutil
import threading
import time
from collections import Counter

import pytest
import zstandard

from logpith.sources.file import FileSource
from logpith.testing.sources import Place, check_source
from logpith_emit.errors import Unavailable

NOW = 1_795_000_000_000_000_000
S = 1_000_000_000


def line(number):
    return b"2026-11-20T10:00:00Z INFO event %06d happened" % number


def lines(*numbers):
    return b"".join(line(number) + b"\n" for number in numbers)


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def taken(deliveries):
    return [text for delivery in deliveries for text in delivery.batch["line"].to_pylist()]


def follow(tmp_path, *patterns, **settings):
    return FileSource(paths=tuple(str(tmp_path / pattern) for pattern in patterns or ("*.log",)), **settings)


def poll(live, now_ns=NOW, at_once=True):
    return list(live.poll(now_ns, at_once=at_once))


def changed_at(path, when_ns):
    os.utime(path, ns=(when_ns, when_ns))


# ── The contract ────────────────────────────────────────────────────────────────────────────────────────────


def test_it_keeps_the_contract_through_every_rotation(tmp_path):
    runs = iter(range(1000))

    def make():
        folder = tmp_path / str(next(runs))
        folder.mkdir()
        log = folder / "app.log"

        def copytruncate():
            shutil.copy(log, folder / "app.log.1")
            os.truncate(log, 0)

        def rename_and_pack():
            append(log, lines(*range(60, 70)))
            (folder / "app.log.1").unlink()
            log.rename(folder / "app.log.1")
            with gzip.open(folder / "app.log.1.gz", "wb") as packed:
                packed.write((folder / "app.log.1").read_bytes())
            (folder / "app.log.1").unlink()
            log.write_bytes(lines(*range(70, 80)))

        steps = [
            lambda: log.write_bytes(lines(*range(20)) + b"2026-11-20T10:00:00Z INFO ha"),
            lambda: append(log, b"lf a line\n" + lines(*range(21, 40))),
            copytruncate,
            lambda: append(log, lines(*range(40, 60))),
            rename_and_pack,
            lambda: (folder / "other.log").write_bytes(lines(100)),
            lambda: (log.unlink(), log.write_bytes(lines(*range(80, 90)))),
        ]
        return Place(source=follow(folder, "*.log*", flush_after_s=0), steps=steps)

    numbers = [*range(20), *range(21, 90), 100]
    expected = [line(number) for number in numbers] + [b"2026-11-20T10:00:00Z INFO half a line"]

    check_source(make, expected, now_ns=NOW)


# ── Records ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_service_may_come_from_the_name_and_the_path_is_kept(tmp_path):
    (tmp_path / "gateway.log").write_bytes(lines(1))
    source = follow(tmp_path, service="{name}-in-{folder}", attributes=("host.name=web-1",))

    with source.open("logs", None) as live:
        batch = poll(live)[0].batch

    assert batch["service"].to_pylist() == [f"gateway-in-{tmp_path.name}"]
    assert batch["source"].to_pylist() == ["logs"]
    assert batch["extra"].to_pylist() == [f'{{"host.name":"web-1","log.file.path":"{tmp_path}/gateway.log"}}']


def test_a_last_line_without_an_end_waits(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(lines(1) + b"2026-11-20T10:00:00Z INFO un")

    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [line(1)]
        assert taken(poll(live, NOW + 3600 * S)) == []
        append(log, b"til now\n")
        assert taken(poll(live)) == [b"2026-11-20T10:00:00Z INFO until now"]


def test_a_record_waits_for_the_rest_of_its_trace(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(lines(1) + b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\n")
    changed_at(log, NOW)

    with follow(tmp_path, flush_after_s=2).open("logs", None) as live:
        assert taken(poll(live, NOW, at_once=False)) == [line(1)]
        append(log, b"ValueError: no\n")
        changed_at(log, NOW + S)
        assert taken(poll(live, NOW + S, at_once=False)) == []
        assert taken(poll(live, NOW + 2 * S, at_once=False)) == []

        whole = taken(poll(live, NOW + 3 * S, at_once=False))

    assert whole == [b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\nValueError: no"]


def test_it_tells_when_what_it_holds_back_is_whole(tmp_path):
    log = tmp_path / "app.log"
    append(log, lines(1, 2))
    changed_at(log, NOW)
    with follow(tmp_path, flush_after_s=2).open("logs", None) as live:
        assert taken(poll(live, NOW + S, at_once=False)) == [line(1)]
        assert live.held_until_ns() == NOW + 2 * S

        assert taken(poll(live, NOW + 2 * S, at_once=False)) == [line(2)]
        assert live.held_until_ns() is None

        append(log, b"no end")  # a piece of a line waits for its end, however long that takes
        changed_at(log, NOW + 3 * S)
        assert taken(poll(live, NOW + 3 * S, at_once=False)) == []
        assert live.held_until_ns() is None


def test_a_clock_that_is_wrong_does_not_keep_the_last_record_for_ever(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(lines(1))
    changed_at(log, NOW + 10_000 * S)

    with follow(tmp_path, flush_after_s=2).open("logs", None) as live:
        assert taken(poll(live, NOW, at_once=False)) == []
        assert taken(poll(live, NOW + 2 * S, at_once=False)) == [line(1)]


@pytest.mark.parametrize("cut", range(0, 160, 7))
def test_a_trace_cut_anywhere_is_one_record(tmp_path, cut):
    text = (
        lines(1)
        + b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\n  File x\nValueError: no\n"
        + lines(2)
    )
    log = tmp_path / "a.log"
    log.write_bytes(text[:cut])
    changed_at(log, NOW)
    with follow(tmp_path).open("logs", None) as live:
        first = taken(poll(live, NOW, at_once=False))
        append(log, text[cut:])

        rest = taken(poll(live, NOW, at_once=False))
        last = taken(poll(live, NOW + 10 * S, at_once=False))

    trace = b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\n  File x\nValueError: no"
    assert first + rest + last == [line(1), trace, line(2)]


def test_lines_of_an_undated_tail_are_read_as_in_the_whole_file_after_a_restart(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(lines(*range(100)))
    with follow(tmp_path).open("logs", None) as live:
        position = poll(live)[-1].position
    append(log, b"2026-11-20T10:00:00Z WARN look:\nno date here\nnor here\n")

    with follow(tmp_path).open("logs", position) as live:
        assert taken(poll(live)) == [b"2026-11-20T10:00:00Z WARN look:\nno date here\nnor here"]


def test_a_line_longer_than_a_block_is_one_record(tmp_path, monkeypatch):
    monkeypatch.setattr("logpith.sources.following.BLOCK_BYTES", 1000)
    long = b"2026-11-20T10:00:00Z INFO " + b"x" * 10_000
    (tmp_path / "a.log").write_bytes(lines(*range(50)) + long + b"\n" + lines(*range(50)))

    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [*map(line, range(50)), long, *map(line, range(50))]


def test_a_file_without_line_ends_is_cut_and_not_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("logpith.sources.following.BLOCK_BYTES", 1000)
    monkeypatch.setattr("logpith.sources.following.MOST_RECORD_BYTES", 4000)
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 10_500)

    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [b"x" * 4000, b"x" * 4000]
        append(log, b"\n")
        assert taken(poll(live)) == [b"x" * 2500]


def test_many_small_files_share_a_delivery(tmp_path):
    for number in range(50):
        (tmp_path / f"{number}.log").write_bytes(lines(number))

    with follow(tmp_path).open("logs", None) as live:
        deliveries = poll(live)

    assert len(deliveries) == 1
    assert sorted(taken(deliveries)) == [line(number) for number in range(50)]


# ── Rotation ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1))
    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [line(1)]
        append(log, lines(2))
        log.rename(tmp_path / "app.log.1")
        append(tmp_path / "app.log.1", lines(3))
        log.write_bytes(lines(4))

        assert taken(poll(live)) == [line(2), line(3), line(4)]


@pytest.mark.parametrize("packing", ["", "gzip", "zstd"])
def test_what_was_renamed_and_packed_while_nobody_looked_is_found_beside_it(tmp_path, packing):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1, 2))
    with follow(tmp_path).open("logs", None) as live:
        position = poll(live)[-1].position
    append(log, lines(3))
    log.rename(tmp_path / "app.log.1")
    text = (tmp_path / "app.log.1").read_bytes()
    if packing == "gzip":
        (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(text))
    if packing == "zstd":
        (tmp_path / "app.log.1.zst").write_bytes(zstandard.compress(text))
    if packing:
        (tmp_path / "app.log.1").unlink()
    log.write_bytes(lines(4))

    with follow(tmp_path).open("logs", position) as live:
        deliveries = poll(live)

        assert taken(deliveries) == [line(3), line(4)]
        assert [delivery.losses for delivery in deliveries] == [{}]
        assert poll(live) == []


def test_packed_pieces_are_read_once_in_their_order(tmp_path):
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(lines(1, 2)))
    (tmp_path / "app.log.1.zst").write_bytes(zstandard.compress(lines(3)))
    (tmp_path / "app.log").write_bytes(lines(4))
    with follow(tmp_path, "app.log*").open("logs", None) as live:
        deliveries = poll(live)
        assert taken(deliveries) == [line(1), line(2), line(3), line(4)]
        assert poll(live) == []
        (tmp_path / "app.log.2.gz").rename(tmp_path / "app.log.3.gz")
        assert poll(live) == []

    with follow(tmp_path, "app.log*").open("logs", deliveries[-1].position) as live:
        assert poll(live) == []


def test_a_packed_file_that_is_still_being_written_is_waited_for(tmp_path):
    packed = gzip.compress(lines(*range(2000)), mtime=0)
    path = tmp_path / "app.log.1.gz"
    path.write_bytes(packed[: len(packed) // 2])
    with follow(tmp_path, "app.log*").open("logs", None) as live:
        first = taken(poll(live))
        append(path, packed[len(packed) // 2 :])

        rest = taken(poll(live))

    assert first + rest == [line(number) for number in range(2000)]


def test_what_can_be_read_of_a_torn_file_is_taken_when_nobody_goes_on_with_it(tmp_path):
    dice = random.Random(1)
    packed = gzip.compress(b"\n".join(dice.randbytes(40).hex().encode() for _ in range(500)))
    path = tmp_path / "app.log.1.gz"
    path.write_bytes(packed[: len(packed) // 2])
    changed_at(path, NOW)
    with follow(tmp_path, "app.log*").open("logs", None) as live:
        first = taken(poll(live, NOW + 2 * S))
        deliveries = poll(live, NOW + 100 * S)

    assert deliveries[-1].losses == {"torn_bytes": 0}
    assert 200 < len(first + taken(deliveries)) < 300


def test_a_shell_that_packs_into_the_old_file_makes_it_a_new_one(tmp_path):
    path = tmp_path / "app.log.1.gz"
    path.write_bytes(gzip.compress(lines(1)))
    with follow(tmp_path, "app.log*").open("logs", None) as live:
        assert taken(poll(live)) == [line(1)]
        path.write_bytes(gzip.compress(lines(2, 3)))  # the same inode

        assert taken(poll(live)) == [line(2), line(3)]


def test_a_packed_file_that_only_begins_as_a_known_one_did_is_read_whole(tmp_path):
    banner = b"# " + b"=" * 2000 + b"\n"
    log = tmp_path / "app.log"
    log.write_bytes(banner + lines(*range(5)))
    with follow(tmp_path, "*.log*").open("logs", None) as live:
        position = poll(live)[-1].position
    log.unlink()
    (tmp_path / "other.log.1.gz").write_bytes(gzip.compress(banner + lines(*range(100, 110))))

    with follow(tmp_path, "*.log*").open("logs", position) as live:
        assert taken(poll(live))[1:] == [line(number) for number in range(100, 110)]


def test_copytruncate_loses_nothing_when_the_copy_is_found(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1))
    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [line(1)]
        append(log, lines(2))
        shutil.copy(log, tmp_path / "app.log.1")
        os.truncate(log, 0)
        append(log, lines(3))

        deliveries = poll(live)

    assert taken(deliveries) == [line(2), line(3)]
    assert deliveries[0].losses == {"truncated_bytes": 0}


def test_what_was_seen_of_a_truncated_file_and_not_read_is_told_as_lost(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1))
    with follow(tmp_path).open("logs", None) as live:
        position = poll(live)[0].position
        append(log, lines(2))
        seen = live.poll(NOW, at_once=True)
        os.truncate(log, 0)
        append(log, lines(3))
        assert taken(seen) == [line(3)]
    append(log, lines(4))

    with follow(tmp_path).open("logs", position) as live:
        deliveries = poll(live)

    assert taken(deliveries) == [line(3), line(4)]
    assert deliveries[0].losses == {"truncated_bytes": 0}


def test_a_file_that_was_truncated_and_filled_beyond_the_old_place_is_read_from_its_beginning(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1))
    with follow(tmp_path).open("logs", None) as live:
        position = poll(live)[0].position
    with log.open("r+b") as file:
        file.truncate(0)
        file.write(lines(2, 3))

    with follow(tmp_path).open("logs", position) as live:
        assert taken(poll(live)) == [line(2), line(3)]


def test_a_truncated_file_with_the_same_first_kilobyte_is_noticed_by_what_was_read_last(tmp_path):
    log = tmp_path / "app.log"
    banner = b"# " + b"=" * 2000 + b"\n"
    log.write_bytes(banner + lines(1))
    with follow(tmp_path).open("logs", None) as live:
        assert len(taken(poll(live))) == 2
        os.truncate(log, 0)
        append(log, banner + lines(2, 3))

        assert taken(poll(live))[-2:] == [line(2), line(3)]


def test_a_record_that_was_waiting_is_taken_when_its_file_is_truncated(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1, 2))
    changed_at(log, NOW)
    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live, NOW, at_once=False)) == [line(1)]
        os.truncate(log, 0)
        append(log, lines(3))

        deliveries = poll(live)

    assert taken(deliveries) == [line(2), line(3)]
    assert deliveries[0].losses == {"truncated_bytes": 0}


def test_a_program_that_writes_on_behind_a_truncation_leaves_a_hole_that_is_passed_over(tmp_path):
    log = tmp_path / "app.log"
    with log.open("wb", buffering=0) as writer, follow(tmp_path).open("logs", None) as live:
        writer.write(lines(*range(100)))
        assert len(taken(poll(live))) == 100
        os.truncate(log, 0)
        writer.write(lines(100))  # at its old place, not at the end

        assert taken(poll(live)) == [line(100)]
        writer.write(lines(101))
        assert taken(poll(live)) == [line(101)]


def test_a_new_file_with_the_inode_of_a_deleted_one_is_read_from_its_beginning(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1))
    inode = log.stat().st_ino
    with follow(tmp_path).open("logs", None) as live:
        position = poll(live)[0].position
    log.unlink()
    log.write_bytes(lines(2, 3))
    if log.stat().st_ino != inode:
        pytest.skip("this file system gives each file an inode of its own")

    with follow(tmp_path).open("logs", position) as live:
        assert taken(poll(live)) == [line(2), line(3)]


def test_a_file_deleted_while_it_is_open_is_read_to_its_end(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1))
    with log.open("ab", buffering=0) as writer, follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [line(1)]
        writer.write(lines(2))
        log.unlink()
        log.write_bytes(lines(3))
        assert taken(poll(live)) == [line(2), line(3)]
        writer.write(lines(4))
        assert taken(poll(live)) == [line(4)]


def test_a_file_that_vanished_unread_is_told_as_lost(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1, 2))
    changed_at(log, NOW)
    with follow(tmp_path).open("logs", None) as live:
        position = poll(live, NOW, at_once=False)[0].position
    log.unlink()
    (tmp_path / "next.log").write_bytes(lines(3))

    with follow(tmp_path).open("logs", position) as live:
        deliveries = poll(live)

    assert taken(deliveries) == [line(3)]
    assert deliveries[0].losses == {"deleted_bytes": len(line(2)) + 1}


def test_two_names_of_one_file_are_one_file(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1))
    os.link(log, tmp_path / "same.log")
    (tmp_path / "link.log").symlink_to(log)

    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [line(1)]


def test_a_link_that_leads_to_another_file_is_followed(tmp_path):
    (tmp_path / "1.txt").write_bytes(lines(1))
    (tmp_path / "2.txt").write_bytes(lines(2))
    link = tmp_path / "current.log"
    link.symlink_to("1.txt")
    with follow(tmp_path).open("logs", None) as live:
        assert taken(poll(live)) == [line(1)]
        append(tmp_path / "1.txt", lines(3))
        link.unlink()
        link.symlink_to("2.txt")

        assert taken(poll(live)) == [line(3), line(2)]


def test_files_that_begin_alike_are_told_apart(tmp_path):
    (tmp_path / "a.log").write_bytes(b"started\n")
    (tmp_path / "b.log").write_bytes(b"started\n")
    with follow(tmp_path).open("logs", None) as live:
        first = taken(poll(live))
        append(tmp_path / "a.log", lines(1))
        append(tmp_path / "b.log", lines(2))

        rest = taken(poll(live))

    assert Counter(first + rest) == {b"started": 2, line(1): 1, line(2): 1}


# ── Places and positions ────────────────────────────────────────────────────────────────────────────────────


def test_files_may_be_begun_at_their_end(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(lines(1) + b"2026-11-20T10:00:00Z INFO whi")
    source = follow(tmp_path, begin="end")
    with source.open("logs", None) as live:
        (first,) = poll(live)
    append(log, b"le away\n")
    (tmp_path / "new.log").write_bytes(lines(2))

    with source.open("logs", first.position) as live:
        assert first.batch.num_rows == 0
        assert sorted(taken(poll(live))) == [line(2), b"2026-11-20T10:00:00Z INFO while away"]


@pytest.mark.parametrize("position", ["", "{", '{"files":3}', '{"files":[["x"]]}', "\0\0"])
def test_a_position_that_cannot_be_read_begins_anew(tmp_path, position):
    (tmp_path / "a.log").write_bytes(lines(1))

    with follow(tmp_path).open("logs", position) as live:
        assert taken(poll(live)) == [line(1)]


def test_a_delivery_that_was_not_stored_comes_again_in_the_next_poll(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.log").write_bytes(lines(*range(number * 40_000, (number + 1) * 40_000)))
    with follow(tmp_path).open("logs", None) as live:
        left = live.poll(NOW, at_once=True)
        stored = taken([next(left)])
        left.close()

        stored += taken(poll(live))

    assert Counter(stored) == Counter(map(line, range(120_000)))


def test_what_cannot_be_read_does_not_keep_the_others_from_being_read(tmp_path):
    (tmp_path / "a.log").write_bytes(lines(1))
    (tmp_path / "b.log").write_bytes(bytes(range(256)) * 40)
    source = follow(tmp_path, "a.log", "b.log")
    stored = []

    with source.open("logs", None) as live, pytest.raises(Unavailable, match=r"b\.log is binary"):
        stored.extend(live.poll(NOW, at_once=True))

    with source.open("logs", None) as live:
        assert taken([next(live.poll(NOW, at_once=True))]) == [line(1)]


def test_a_place_where_there_is_nothing_is_unavailable_until_there_is(tmp_path):
    with follow(tmp_path).open("logs", None) as live:
        with pytest.raises(Unavailable, match="no file matches"):
            poll(live)
        (tmp_path / "a.log").write_bytes(lines(1))

        assert taken(poll(live)) == [line(1)]


# ── Torture ─────────────────────────────────────────────────────────────────────────────────────────────────


class Writer(threading.Thread):
    """Writes numbered lines and rotates its file now and then, as programs and logrotate do."""

    def __init__(self, folder, seed, kinds, rounds):
        super().__init__()
        self.folder, self.kinds, self.rounds = folder, kinds, rounds
        self.random = random.Random(seed)
        self.written = 0
        self.turn = threading.Semaphore(0)
        """Given by the reader: deleting without a warning loses what nobody could read."""

        self.waits = threading.Event()

    def run(self):
        log = self.folder / "app.log"
        file = log.open("ab", buffering=0)
        for _ in range(self.rounds):
            for _ in range(self.random.randint(1, 30)):
                count = self.random.randint(1, 40)
                file.write(lines(*range(self.written, self.written + count)))
                self.written += count
            kind = self.random.choice(self.kinds)
            older = [path for path in self.folder.iterdir() if path.name != "app.log"]
            if len(older) > 5 or kind in ("delete", "replace", "copytruncate"):
                self.waits.set()  # until all that there is was read
                self.turn.acquire()
                self.waits.clear()
                if len(older) > 5:
                    min(older, key=lambda path: path.stat().st_mtime_ns).unlink()
            if kind == "copytruncate":
                shutil.copy(log, self.folder / f"app.log.{self.written}")
                os.truncate(log, 0)
                continue
            file.close()
            if kind == "delete":
                log.unlink()
            elif kind == "replace":
                other = self.folder / "next"
                other.touch()
                other.rename(log)
            elif log.exists():
                rotated = self.folder / f"app.log-{1_700_000_000 + self.written}"
                log.rename(rotated)
                if kind == "gzip":
                    with gzip.open(f"{rotated}.gz", "wb") as packed:
                        packed.write(rotated.read_bytes())
                    rotated.unlink()
            file = log.open("ab", buffering=0)
        file.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "kinds",
    [
        ("rename",),
        ("rename", "gzip"),
        ("delete", "replace"),
        ("copytruncate", "rename", "gzip", "delete", "replace"),
    ],
)
def test_rotation_torture(tmp_path, seed, kinds):
    print(f"seed {seed}")  # noqa: T201  # shown when it fails
    chance = random.Random(seed)
    source = follow(tmp_path, "app.log*", flush_after_s=0)
    writer = Writer(tmp_path, seed, kinds, rounds=60)
    stored, position, losses = [], None, Counter()
    writer.start()
    ended = False
    while not ended:
        with source.open("logs", position) as live:
            for _ in range(chance.randint(1, 20)):
                ended = not writer.is_alive()
                waits = writer.waits.is_set()
                killed = False
                try:
                    for delivery in live.poll(time.time_ns()):
                        if chance.random() < 0.1:
                            killed = True
                            break
                        stored += taken([delivery])
                        position = delivery.position
                        losses.update(delivery.losses)
                except Unavailable:
                    pass  # between a rename and the new file
                if killed:
                    ended = False
                    break
                if waits and writer.waits.is_set():
                    writer.waits.clear()
                    writer.turn.release()
                if ended:
                    break
    writer.join()

    twice = [text for text, count in Counter(stored).items() if count > 1]
    missing = {line(number) for number in range(writer.written)} - set(stored)
    assert (twice, sorted(missing)) == ([], [])
    assert not +losses
