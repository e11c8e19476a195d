"""Seeking: parts of a packed file are the same with and without points, and points are for one file only."""

import bz2
import gzip
import io
import lzma
import random
import sys
import zlib
from functools import cache

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from logpith.files import packing, seeking
from logpith.files.packing import Unpacker
from logpith.files.roots import Roots
from logpith.files.seeking import Points, read_spans
from logpith.files.text import TextFile

numbers = random.Random(7)
TEXT = b"".join(
    b"2026-11-20 13:45:%02d INFO call %d took %x\n" % (i % 60, i, numbers.getrandbits(64))
    for i in range(40_000)
)
SPACING = 64 << 10
PACK = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
spans_of_text = st.lists(st.integers(0, len(TEXT)), max_size=12, unique=True).map(
    lambda edges: list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)


@pytest.fixture(scope="module", autouse=True)
def points_lie_near():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeking, "SPACING_BYTES", SPACING)
        patch.setattr(packing, "_POINT_SPACING", SPACING)
        yield


@cache
def packed_in(kind, members):
    size = -(-len(TEXT) // members)
    return b"".join(PACK[kind](TEXT[place : place + size]) for place in range(0, len(TEXT), size))


def points_after_reading(kind, data):
    unpacker = Unpacker(io.BytesIO(data), kind)
    assert sum(len(piece) for piece in unpacker) == len(TEXT)
    return Points(tuple(unpacker.members))


@pytest.mark.parametrize(("kind", "members"), [(kind, members) for kind in PACK for members in (1, 9)])
@settings(max_examples=8)
@given(spans=spans_of_text)
def test_parts_are_slices_however_they_are_reached(tmp_path_factory, kind, members, spans):
    data = packed_in(kind, members)
    points = points_after_reading(kind, data)
    path = tmp_path_factory.mktemp("packed") / "log"
    path.write_bytes(data)
    expected = [TEXT[start:end] for start, end in spans]

    with path.open("rb", buffering=0) as file:
        for known in (Points(), points):
            parts, learnt = read_spans(file, kind, len(data), spans, known)
            again, _ = read_spans(file, kind, len(data), spans, learnt)

            assert parts == again == expected


class CountingFile(io.BytesIO):
    taken_bytes = 0

    def read(self, size=-1, /):
        data = super().read(size)
        self.taken_bytes += len(data)
        return data


@pytest.mark.parametrize("kind", PACK)
def test_unpacking_begins_at_the_member_before(kind):
    data = packed_in(kind, 9)
    file = CountingFile(data)
    points = points_after_reading(kind, data)
    middle = points.members[5][0] + 10

    parts, _ = read_spans(file, kind, len(data), [(middle, middle + 20)], points)

    assert parts == [TEXT[middle : middle + 20]]
    assert len(points.members) >= 9
    if kind != "gzip":  # which indexed_gzip reads in its own way
        assert file.taken_bytes < len(data) // 2


def test_a_gzip_of_one_member_is_sought_in_too(tmp_path):
    path = tmp_path / "app.log.gz"
    path.write_bytes(packed_in("gzip", 1))
    text = TextFile.open(path, Roots())
    span = (len(TEXT) - 100, len(TEXT) - 50)

    first = text.parts([span])
    saved = text.saved_points()

    other = TextFile.open(path, Roots())
    assert other.use_points(saved)
    assert Points.from_bytes(saved, other.identity.size_bytes, other.identity.changed_ns).gzip_index
    assert first == other.parts([span]) == [TEXT[slice(*span)]]


def test_without_the_library_it_is_unpacked_from_the_beginning(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "indexed_gzip", None)
    path = tmp_path / "app.log.gz"
    path.write_bytes(packed_in("gzip", 1))
    text = TextFile.open(path, Roots())

    assert text.parts([(1_500_000, 1_500_050)]) == [TEXT[1_500_000:1_500_050]]


@pytest.mark.parametrize("kind", ["torn", "damaged", "garbage behind", "wrong checksum"])
def test_parts_before_the_damage_are_what_blocks_gave(tmp_path, kind):
    data = bytearray(packed_in("gzip", 1))
    if kind == "torn":
        del data[len(data) * 3 // 4 :]
    elif kind == "damaged":
        data[len(data) * 3 // 4] ^= 0xFF
        data[len(data) * 3 // 4 + 1] ^= 0xFF
    elif kind == "garbage behind":
        data += b"garbage that is no member"
    else:
        data[-8] ^= 0xFF
    path = tmp_path / "app.log.gz"
    path.write_bytes(data)
    text = TextFile.open(path, Roots())
    size = sum(block.end for block in text.blocks())
    assert text.trouble

    span = (len(TEXT) // 2, len(TEXT) // 2 + 50)
    tail = (min(size, len(TEXT)) - 60, min(size, len(TEXT)) - 10)
    for _ in range(2):
        assert text.parts([span]) == [TEXT[slice(*span)]]
        text.parts([tail])


@given(data=st.data())
def test_no_damaged_or_foreign_points_are_used(data):
    saved = Points(((0, 0), (70_000, 9_000)), b"index" * 50).to_bytes(10, 20)
    assert Points.from_bytes(saved, 10, 20) == Points(((0, 0), (70_000, 9_000)), b"index" * 50)

    place = data.draw(st.integers(0, len(saved) - 1))
    damaged = bytearray(saved)
    damaged[place] ^= data.draw(st.integers(1, 255))

    assert Points.from_bytes(bytes(damaged), 10, 20) is None
    assert Points.from_bytes(saved[:place], 10, 20) is None
    assert Points.from_bytes(saved, 11, 20) is None
    assert Points.from_bytes(saved, 10, 21) is None


def test_saved_points_are_small(tmp_path):
    path = tmp_path / "app.log.gz"
    path.write_bytes(packed_in("gzip", 1))
    text = TextFile.open(path, Roots())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeking, "SPACING_BYTES", 1 << 20)
        text.parts([(len(TEXT) - 5, len(TEXT))])

    assert 0 < len(text.saved_points()) < len(zlib.compress(TEXT)) // 10
