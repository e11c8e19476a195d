"""Points of packed files: what one process found out, the next one uses, and is never misled by."""

import gzip
import random

import pytest

from logpith.corpus import cache, points
from logpith.files.roots import Roots
from logpith.files.text import TextFile


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def text():
    chance = random.Random(1)
    return b"".join(b"line %d says %x\n" % (number, chance.getrandbits(200)) for number in range(200_000))


def opened(path):
    return TextFile.open(path, Roots())


def notes():
    home = cache.cache_dir() / "points"
    return sorted(home.iterdir()) if home.exists() else []


def test_parts_are_the_same_before_and_after_points_are_known(tmp_path, text, monkeypatch):
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(text, 1))
    spans = [(11_000_000, 11_000_050), (len(text) - 100, len(text))]
    wanted = [text[start:end] for start, end in spans]

    first = points.parts_of(opened(path), spans)
    (note,) = notes()
    again = points.parts_of(opened(path), spans)

    assert first == again == wanted
    assert note.stat().st_size < len(text) // 50


def test_damaged_or_foreign_points_are_not_believed(tmp_path, text):
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(text, 1))
    span = [(12_000_000, 12_000_080)]
    points.parts_of(opened(path), span)
    (note,) = notes()
    whole = note.read_bytes()
    for damaged in (whole[:100], bytes([whole[0]]) + whole[2:], b"", b"x" * 500):
        note.write_bytes(damaged)

        assert points.parts_of(opened(path), span) == [text[12_000_000:12_000_080]]

    note.write_bytes(whole)
    path.write_bytes(gzip.compress(text[::-1], 1))
    assert points.parts_of(opened(path), span) == [text[::-1][12_000_000:12_000_080]]


def test_plain_files_leave_nothing_behind(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(b"one\ntwo\n")

    assert points.parts_of(opened(path), [(4, 7)]) == [b"two"]
    assert notes() == []
