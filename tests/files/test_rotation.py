"""Rotation: which files are pieces of one log, and in which order."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.files.finding import find_files
from logpith.files.roots import Roots
from logpith.files.rotation import in_streams, piece_of


@pytest.mark.parametrize(
    "name",
    [
        "app.log",
        "app.log.1",
        "app.log.0",
        "app.log.2.gz",
        "app.log.12.bz2",
        "app.log.3.xz",
        "app.log.4.zst",
        "app.log-20261119",
        "app.log-20261119.gz",
        "app.log-2026111913",
        "app.log-1795000000",
        "app.log.2026-11-19",
        "app.log.2026-11-19_13-45",
        "app.log.2026-11-19.1",
        "app-2026-11-19.log",
        "app-2026-11-19.log.gz",
        "app.2026-11-19.log",
        "app.2026-11-19.2.log.gz",
        "app_20261119.log",
        "app.1.log",
        "app.log.old",
        "app.log.gz",
    ],
)
def test_a_piece_belongs_to_the_live_file(name):
    assert piece_of(name).live == "app.log"
    assert piece_of(name).is_live == (name == "app.log")


@pytest.mark.parametrize(
    "name",
    [
        "node-1.log",
        "node2.log",
        "kernel-5.4",
        "app.log.20261399",
        "2026-11-19.log",
        "logs.tar.gz",
        "report-1234.log",
        "1.log",
        ".1",
        "",
    ],
)
def test_what_is_not_clearly_a_piece_is_a_log_of_its_own(name):
    assert piece_of(name).live == name


@pytest.mark.parametrize(
    "expected",
    [
        ["app.log.2.gz", "app.log.1", "app.log"],
        ["app.log.10.gz", "app.log.9.gz", "app.log.1", "app.log.0", "app.log"],
        ["app.log-20261117.gz", "app.log-20261118", "app.log"],
        ["app-2025-12-31.log.gz", "app-2026-01-01.log", "app.log"],
        ["app.2026-11-18.0.log", "app.2026-11-18.1.log", "app.2026-11-18.10.log", "app.2026-11-19.0.log"],
        ["app.log.2026-11-18", "app.log.2026-11-18-13", "app.log"],
        ["app.2.log", "app.1.log", "app.log"],
        ["app.log.old", "app.log"],
    ],
)
def test_pieces_stand_from_the_oldest_to_the_live_one(expected):
    paths = [Path("logs", name) for name in sorted(expected)]

    for given_paths in (paths, paths[::-1]):
        rotated = in_streams(given_paths, lambda _: 0)

        assert [path.name for path in rotated.paths] == expected
        assert set(rotated.streams.values()) == {str(Path("logs", "app.log"))}


def test_between_numbers_and_dates_the_time_of_writing_decides():
    changed = {"app.log-20261101": 1, "app.log.2": 2, "app.log-20261110": 3, "app.log.1": 4, "app.log": 0}

    rotated = in_streams(map(Path, sorted(changed)), lambda path: changed[path.name])

    assert [path.name for path in rotated.paths] == list(changed)


def test_other_logs_keep_their_places_and_folders_are_apart():
    names = ["a/app.log", "a/app.log.1", "a/b.log", "b/app.log", "b/app.log.1"]

    rotated = in_streams(map(Path, names), lambda _: 0)

    assert list(map(str, rotated.paths)) == [
        "a/app.log.1",
        "a/app.log",
        "a/b.log",
        "b/app.log.1",
        "b/app.log",
    ]
    assert len(set(rotated.streams.values())) == 3


names = st.text("ab.-_0123456789log", max_size=24) | st.from_regex(
    r"[ab]{1,2}[.-](20[0-9]{6}|[0-9]{1,3})(\.log)?(\.gz)?", fullmatch=True
)


@given(found=st.lists(names.filter(lambda name: name not in ("", ".", "..")), unique=True))
def test_every_path_is_there_once_with_its_stream(found):
    paths = [Path("/logs") / name for name in found]

    rotated = in_streams(paths, lambda _: 0)

    assert sorted(rotated.paths) == sorted(paths)
    assert set(rotated.streams) == set(paths)
    positions = {}
    for place, path in enumerate(rotated.paths):
        positions.setdefault(rotated.streams[path], []).append(place)
    assert all(places == list(range(places[0], places[-1] + 1)) for places in positions.values())


def test_a_folder_a_glob_and_a_list_find_pieces_in_their_order(tmp_path):
    expected = ["app.log.2.gz", "app.log.1", "app.log"]
    for name in expected:
        (tmp_path / name).write_bytes(b"x\n")
    os.utime(tmp_path / "app.log", (0, 0))  # times do not matter where names tell

    for asked in (
        [str(tmp_path)],
        [str(tmp_path / "app*")],
        [str(tmp_path / name) for name in ("app.log", "app.log.2.gz", "app.log.1")],
    ):
        found = find_files(asked, Roots())

        assert [path.name for path in found.paths] == expected
        assert set(found.streams.values()) == {str(tmp_path / "app.log")}
