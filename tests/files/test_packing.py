"""Packed files: whole, torn, damaged, and bombs."""

import bz2
import gzip
import io
import lzma
import zlib

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith.files import packing
from logpith.files.packing import Unpacker, packing_of
from logpith_emit.spool import Spool
from logpith_emit.spool.frames import salt_in

TEXT = b"".join(b"line %d of a log that somebody packed\n" % i for i in range(50_000))
SHORT = b"".join(b"line %d of %x\n" % (i, i * i * 7919) for i in range(40))

PACK = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda text: lzma.compress(text, lzma.FORMAT_ALONE),
}
every_kind = pytest.mark.parametrize("kind", PACK)


def pack(kind, text):
    return PACK[kind](text)


def unpack(kind, packed, **limits):
    unpacker = Unpacker(io.BytesIO(packed), kind, **limits)
    return b"".join(unpacker), unpacker.trouble


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bzip2", "xz"])
@given(texts=st.lists(st.binary(max_size=3000), min_size=1, max_size=4))
def test_several_members_are_one_text(kind, texts):
    packed = b"".join(pack(kind, text) for text in texts)

    assert packing_of(packed) == kind
    assert unpack(kind, packed) == (b"".join(texts), "")


@given(text=st.binary(max_size=3000))
def test_the_old_lzma_format_is_one_member(text):
    packed = pack("lzma", text)

    assert packing_of(packed) == "lzma"
    assert unpack("lzma", packed) == (text, "")


@every_kind
def test_wherever_a_file_is_cut_it_gives_a_beginning_and_says_so(kind):
    packed = pack(kind, SHORT)

    for cut in range(1, len(packed)):
        text, trouble = unpack(kind, packed[:cut])

        assert SHORT.startswith(text)
        assert trouble


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bzip2", "xz"])
def test_whichever_byte_is_damaged_it_is_told_or_harmless(kind):
    packed = pack(kind, SHORT)

    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 0x5A
        text, trouble = unpack(kind, bytes(damaged))

        assert trouble or text == SHORT


@given(damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=5))
@every_kind
def test_no_damage_raises_anything(kind, damage):
    packed = bytearray(pack(kind, SHORT))
    for place, change in damage:
        packed[place % len(packed)] ^= change

    unpack(kind, bytes(packed))


@pytest.mark.parametrize("kind", ["bzip2", "xz"])
def test_what_follows_the_last_member_is_told(kind):
    assert unpack(kind, pack(kind, SHORT) + bytes(64)) == (SHORT, "")
    text, trouble = unpack(kind, pack(kind, SHORT) + b"something else")

    assert text == SHORT
    assert "something else" in trouble


def test_an_xz_file_that_asks_for_much_memory_is_refused():
    greedy = lzma.compress(SHORT, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}])

    text, trouble = unpack("xz", greedy)

    assert text == b""
    assert trouble


@every_kind
def test_a_torn_file_gives_what_it_has_and_says_so(kind):
    packed = pack(kind, TEXT)

    text, trouble = unpack(kind, packed[: len(packed) // 2])

    assert TEXT.startswith(text)
    assert len(text) > 0 or kind in ("zstd", "bzip2")  # whose blocks are all or nothing
    assert "torn" in trouble


def test_a_damaged_file_gives_what_came_before_the_damage():
    packed = bytearray(pack("gzip", TEXT))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 1] ^= 0xFF

    text, trouble = unpack("gzip", bytes(packed))

    assert text[:1000] == TEXT[:1000]
    assert "damaged" in trouble or "torn" in trouble


@every_kind
def test_a_bomb_is_stopped(kind, monkeypatch):
    monkeypatch.setattr(packing, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    # A kilobyte of zstd is 32 MiB of zeros, and no less than that is looked at.
    size = (200 if kind == "zstd" else 32) << 20
    packed = pack(kind, bytes(size))

    unpacker = Unpacker(io.BytesIO(packed), kind)
    given_bytes = sum(len(piece) for piece in unpacker)

    assert given_bytes < size // 2
    assert "more than 200 times" in unpacker.trouble


def test_zeros_behind_a_gzip_member_are_padding():
    assert unpack("gzip", gzip.compress(b"a\n") + bytes(512)) == (b"a\n", "")


def test_text_is_not_taken_for_packed():
    assert packing_of(b"2026-11-20 ready") == ""
    assert packing_of(b"") == ""
    assert packing_of(zlib.compress(b"x")) == ""


@given(
    records=st.lists(
        st.binary(max_size=300).map(lambda text: text.replace(b"\n", b" ")), min_size=1, max_size=20
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_spool_gives_a_line_for_each_record_whatever_its_file_is_called_now(tmp_path, records):
    spool = Spool(folder=tmp_path / "spool")
    with spool.open() as writer:
        for record in records:
            writer.append(record, 1)
        segment = writer.segment
        data = segment.path.read_bytes()

    assert salt_in(data) == segment.salt
    assert packing_of(data) == "spool"
    assert unpack("spool", data) == (b"".join(record + b"\n" for record in records), "")
    assert unpack("spool", data[:-1]) == (b"".join(record + b"\n" for record in records[:-1]), "")


def test_a_damaged_spool_gives_the_records_around_the_damage_and_says_so(tmp_path):
    spool = Spool(folder=tmp_path)
    with spool.open() as writer:
        for number in range(9):
            writer.append(b"record %d" % number, 1)
        data = bytearray(writer.segment.path.read_bytes())
    data[data.index(b"record 4")] ^= 1

    lines, trouble = unpack("spool", bytes(data))

    assert lines.split(b"\n")[:-1] == [b"record %d" % number for number in range(9) if number != 4]
    assert trouble.startswith("damaged: ")


def test_what_a_spool_has_dropped_is_a_line_of_it(tmp_path):
    spool = Spool(folder=tmp_path, limit_bytes=4_000, overflow="drop_newest")
    with spool.open() as writer:
        kept = [writer.append(b"x" * 100, 1) for _ in range(100)]
        segments = spool.segments()
    dropped = kept.count(0)

    text = b"".join(unpack("spool", segment.path.read_bytes())[0] for segment in segments)

    assert b'{"level": "warn", "message": "%d records were dropped here"' % dropped in text
