"""Ingest: each record of a file goes into the store once, whatever becomes of the file or of the run."""

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logpith.ingest import ingest
from logpith.pipeline import stages_of
from logpith.settings import Settings
from logpith.stages import Outcome, Stage
from logpith.store import StoreLimits, open_store
from logpith_emit.destinations.file import FileDestination
from logpith_emit.disk import Disk
from logpith_emit.errors import NotFound, Refused
from logpith_emit.testing import numbered
from stores import lines_in, rows_in, snapshot_of

NOW_NS = 1_795_212_000 * 10**9
STAGES = stages_of(Settings(), "k" * 64)


def lines(first, count):
    return [
        f"2026-11-20T10:00:{number % 60:02}Z INFO step {number} done"
        for number in range(first, first + count)
    ]


def write(path, some, mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.write("".join(f"{line}\n" for line in some))
    return path


def put(folder, *paths, limits=None, stages=STAGES, disk=None, **given):
    """Ingests files into the store of a folder."""
    with open_store(folder / "store", limits=limits, disk=disk) as store:
        return ingest(store, [str(path) for path in paths], stages, NOW_NS, **given)


def stored(folder):
    """Every line in the store, sorted."""
    snapshot = snapshot_of(folder / "store", NOW_NS)
    assert snapshot.damaged == ()
    return sorted(line.decode() for line in lines_in(snapshot.segments))


def test_a_second_run_stores_nothing_and_one_after_that_only_what_was_appended(tmp_path):
    path = write(tmp_path / "app.log", lines(0, 500))

    first = put(tmp_path, path)
    second = put(tmp_path, path)
    write(path, lines(500, 7), mode="a")
    third = put(tmp_path, path)

    assert (first.records, first.files, first.known) == (500, 1, 0)
    assert (second.records, second.files, second.known) == (0, 0, 1)
    assert (third.records, third.files, third.known) == (7, 1, 0)
    assert stored(tmp_path) == sorted(lines(0, 507))


def test_the_files_of_a_program_that_logs_by_logpith_emit_are_all_there(tmp_path):
    folder = tmp_path / "logs"
    with FileDestination(path=folder / "shop.ndjson", rotate_bytes=5_000).open() as live:
        for at in range(20):
            live.write(numbered(10, first=at * 10 + 1))
    assert len(list(folder.glob("*.gz"))) > 3

    assert put(tmp_path, folder).records == 200
    said = [json.loads(line)["message"] for line in stored(tmp_path)]
    assert sorted(said) == sorted(f"record {number}" for number in range(1, 201))


@pytest.mark.parametrize("pack", [False, True])
def test_a_file_that_was_rotated_meanwhile_is_not_stored_twice(tmp_path, pack):
    path = write(tmp_path / "logs" / "app.log", lines(0, 50))
    put(tmp_path, tmp_path / "logs")
    write(path, lines(50, 10), mode="a")
    if pack:
        (tmp_path / "logs" / "app.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    else:
        path.rename(tmp_path / "logs" / "app.log.1")
    write(path, lines(60, 5))

    assert put(tmp_path, tmp_path / "logs").records == 15

    assert stored(tmp_path) == sorted(lines(0, 65))


def test_a_last_line_without_an_end_is_stored_and_what_is_written_behind_it_too(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("2026-11-20T10:00:00Z INFO first\n2026-11-20T10:00:01Z INFO last")

    assert put(tmp_path, path).records == 2

    with path.open("a") as file:
        file.write("\n2026-11-20T10:00:02Z INFO more\n")
    put(tmp_path, path)
    assert [line for line in stored(tmp_path) if line] == [
        "2026-11-20T10:00:00Z INFO first",
        "2026-11-20T10:00:01Z INFO last",
        "2026-11-20T10:00:02Z INFO more",
    ]


def archive_of(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            told = tarfile.TarInfo(name)
            told.size, told.mtime = len(data), 1_700_000_000
            tar.addfile(told, io.BytesIO(data))
    return path


def text_of(some):
    return "".join(f"{line}\n" for line in some).encode()


def test_archives_are_looked_into_and_stored_once(tmp_path):
    members = {
        "var/app.log": text_of(lines(0, 30)),
        "var/old.log.gz": gzip.compress(text_of(lines(30, 10))),
        "bin/tool": bytes(range(256)) * 20,
        "var/open.log": text_of(lines(40, 2))[:-1],
    }
    path = archive_of(tmp_path / "logs.tar.gz", members)

    done = put(tmp_path, path)

    assert (done.records, done.files) == (42, 1)
    assert any("binary" in told for told in done.skipped)
    assert put(tmp_path, path).records == 0
    assert stored(tmp_path) == sorted(lines(0, 42))
    sources = {row["source"] for row in rows_in(snapshot_of(tmp_path / "store", NOW_NS).segments)}
    assert sources == {f"{path}!var/app.log", f"{path}!var/old.log.gz", f"{path}!var/open.log"}


def test_a_traceback_stays_with_its_line_over_the_end_of_a_block(tmp_path, monkeypatch):
    from logpith.files import text

    monkeypatch.setattr(text, "BLOCK_BYTES", 1000)
    trace = "2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\n" + "".join(
        f'  File "x.py", line {number}, in f\n' for number in range(20)
    )
    data = (trace + "ValueError: no\n") * 9
    path = archive_of(tmp_path / "logs.tar", {"app.log": data.encode()}, "w")

    assert put(tmp_path, path).records == 9


class _CutOff(Exception):  # noqa: N818 - what a test raises to end a run
    pass


class Ending(Disk):
    """The disk of this machine, for a process that ends at its n-th change of names."""

    def __init__(self, left):
        self.left = left

    def rename(self, old, new):
        if not self.left:
            raise _CutOff
        self.left -= 1
        super().rename(old, new)


@pytest.mark.parametrize("cut", range(1, 16, 2))
def test_a_run_that_is_cut_off_is_continued_by_the_next_and_no_record_is_lost_or_doubled(
    tmp_path, cut, monkeypatch
):
    from logpith.sources import following, gathering

    monkeypatch.setattr(following, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(gathering, "DELIVERY_BYTES", 1000)
    limits = StoreLimits(segment_records=40)
    log = write(tmp_path / "app.log", lines(0, 90))
    archive = archive_of(
        tmp_path / "logs.tar.gz", {"a.log": text_of(lines(90, 70)), "b.log": text_of(lines(160, 60))}
    )
    with pytest.raises(_CutOff):
        put(tmp_path, log, archive, limits=limits, disk=Ending(cut))

    put(tmp_path, log, archive, limits=limits)

    assert stored(tmp_path) == sorted(lines(0, 220))


def test_no_secret_reaches_a_file(tmp_path):
    write(tmp_path / "app.log", ["2026-11-20T10:00:00Z INFO login password=hunter2secret of ann@example.org"])

    put(tmp_path, tmp_path / "app.log")

    files = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert files
    assert not any(b"hunter2secret" in data or b"ann@example.org" in data for data in files)
    assert "password=<" in stored(tmp_path)[0]


def test_a_line_that_is_too_long_is_cut_and_says_how_long_it_was(tmp_path):
    write(tmp_path / "app.log", ["2026-11-20T10:00:00Z INFO " + "x" * (2 << 20)])

    put(tmp_path, tmp_path / "app.log")

    (row,) = rows_in(snapshot_of(tmp_path / "store", NOW_NS).segments)
    assert len(row["line"]) == 1 << 20
    assert '"truncated":true' in row["extra"]
    assert f'"original_bytes":{(2 << 20) + 26}' in row["extra"]


@dataclass(frozen=True, kw_only=True)
class FirstOnly(Stage):
    """Keeps the first of all records."""

    type: ClassVar[str] = "first_only"

    def open(self):
        from contextlib import contextmanager

        @contextmanager
        def opened():
            seen = 0

            def apply(batch):
                nonlocal seen
                kept = batch.slice(0, max(0, 1 - seen))
                seen += batch.num_rows
                return Outcome(kept=kept, dropped={"later": batch.num_rows - kept.num_rows})

            yield apply

        return opened()


def test_a_stage_that_remembers_sees_all_records_in_their_order(tmp_path):
    path = write(tmp_path / "app.log", lines(0, 1000))

    done = put(tmp_path, path, stages=[FirstOnly()], limits=StoreLimits(segment_records=100))

    assert stored(tmp_path) == lines(0, 1)
    assert (done.records, done.dropped) == (1, {"later": 999})


def test_what_was_found_and_is_no_text_is_told_and_what_was_named_is_refused(tmp_path):
    write(tmp_path / "logs" / "app.log", lines(0, 3))
    (tmp_path / "logs" / "tool.bin").write_bytes(bytes(range(256)) * 20)

    done = put(tmp_path, tmp_path / "logs")

    assert done.records == 3
    assert [told for told in done.skipped if "tool.bin" in told and "binary" in told]
    with pytest.raises(Refused, match="is binary"):
        put(tmp_path, tmp_path / "logs" / "tool.bin")
    with pytest.raises(NotFound, match="there is no file"):
        put(tmp_path, tmp_path / "logs" / "ap.log")


def test_records_go_to_the_service_that_is_named_for_their_file(tmp_path):
    write(tmp_path / "edge" / "gateway.log", lines(0, 2))

    put(tmp_path, tmp_path / "edge", service="{folder}-{name}")

    rows = rows_in(snapshot_of(tmp_path / "store", NOW_NS).segments)
    assert {row["service"] for row in rows} == {"edge-gateway"}


def test_the_caller_is_told_how_far_it_is(tmp_path):
    told = []
    path = write(tmp_path / "app.log", lines(0, 1000))

    put(tmp_path, path, told=lambda *some: told.append(some), limits=StoreLimits(segment_records=100))

    assert told
    assert all(done <= total for done, total, _ in told)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 120), min_size=1, max_size=4), st.sampled_from([30, 64, 1000]))
def test_files_that_grow_between_runs_are_in_the_store_as_they_are(tmp_path_factory, sizes, most):
    folder = tmp_path_factory.mktemp("grow")
    path = folder / "app.log"
    total = 0
    for size in sizes:
        write(path, lines(total, size), mode="a")
        total += size
        put(folder, path, limits=StoreLimits(segment_records=most))

    assert stored(folder) == sorted(lines(0, total))
