"""Packed files: whole, torn, damaged, and bombs."""

import gzip
import io
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from logpith.files import packing
from logpith.files.packing import Unpacker, packing_of

TEXT = b"".join(b"line %d of a log that somebody packed\n" % i for i in range(50_000))


def pack(kind, text):
    return gzip.compress(text) if kind == "gzip" else zstandard.ZstdCompressor().compress(text)


def unpack(kind, packed, **limits):
    unpacker = Unpacker(io.BytesIO(packed), kind, **limits)
    return b"".join(unpacker), unpacker.trouble


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@given(text=st.binary(max_size=5000), parts=st.integers(1, 4))
def test_several_members_are_one_text(kind, text, parts):
    packed = pack(kind, text) * parts

    assert packing_of(packed) == kind
    assert unpack(kind, packed) == (text * parts, "")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_torn_file_gives_what_it_has_and_says_so(kind):
    packed = pack(kind, TEXT)

    text, trouble = unpack(kind, packed[: len(packed) // 2])

    assert TEXT.startswith(text)
    assert len(text) > 0 or kind == "zstd"  # a block of zstd is all or nothing
    assert "torn" in trouble


def test_a_damaged_file_gives_what_came_before_the_damage():
    packed = bytearray(pack("gzip", TEXT))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 1] ^= 0xFF

    text, trouble = unpack("gzip", bytes(packed))

    assert text[:1000] == TEXT[:1000]
    assert "damaged" in trouble or "torn" in trouble


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_stopped(kind, monkeypatch):
    monkeypatch.setattr(packing, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    packed = pack(kind, bytes(200 << 20))

    unpacker = Unpacker(io.BytesIO(packed), kind)
    given_bytes = sum(len(piece) for piece in unpacker)

    assert given_bytes < 120 << 20
    assert "more than 200 times" in unpacker.trouble


def test_zeros_behind_a_gzip_member_are_padding():
    assert unpack("gzip", gzip.compress(b"a\n") + bytes(512)) == (b"a\n", "")


def test_text_is_not_taken_for_packed():
    assert packing_of(b"2026-11-20 ready") == ""
    assert packing_of(b"") == ""
    assert packing_of(zlib.compress(b"x")) == ""
