"""Encodings: UTF-16 becomes UTF-8 as a stream, the mark of UTF-8 is no text, and holes are no binary."""

import codecs
import gzip
import io

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from logpith.files import text as text_module
from logpith.files.encoding import encoding_of, looks_binary, transcode
from logpith.files.roots import Roots
from logpith.files.text import TextFile, TextStream
from logpith_emit.errors import Refused

LINES = "2026-11-20 13:45:02 INFO größer, 日本語 🙂\n2026-11-20 13:45:03 WARN second\n"


def stream_of(data):
    return TextStream.drain(io.BytesIO(data), "-", 0)


def text_of(text):
    return b"".join(bytes(block.buf[block.begin : block.end]) for block in text.blocks())


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_utf_16_is_read_as_the_text_that_it_is(encoding, mark, packed):
    data = mark + LINES.encode(encoding)

    text = stream_of(gzip.compress(data) if packed else data)

    assert text_of(text) == LINES.encode()
    assert text.trouble == ""
    first_line_bytes = len(LINES.splitlines()[0].encode())
    assert text.parts([(0, 10), (first_line_bytes + 1, first_line_bytes + 11)]) == [b"2026-11-20"] * 2


@given(text=st.text(), sizes=st.lists(st.integers(1, 7), min_size=1))
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_pieces_may_be_cut_anywhere(encoding, text, sizes):
    assume(not text.startswith("\ufeff"))
    data = text.encode(encoding)
    pieces, place = [], 0
    while place < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[place : place + size])
        place += size
    troubles = []

    assert b"".join(transcode(pieces, encoding, troubles.append)) == text.encode()
    assert troubles == []


@given(data=st.binary(max_size=400))
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_whatever_is_called_utf_16_becomes_utf_8(encoding, data):
    b"".join(transcode([data], encoding, lambda _: None)).decode()


def test_half_a_character_at_the_end_is_told():
    text = stream_of(LINES.encode("utf-16")[:-1])

    assert text_of(text).startswith(LINES.splitlines()[0].encode())
    assert "within a character" in text.trouble


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"2026-11-20 ready\n" * 10,
        LINES.encode(),
        b"\xff\xfe bytes that a program wrote\nand then lines\n",
        b"\xfe\xff bytes that a program wrote\nand then lines\n",
        codecs.BOM_UTF8 + b"text\n",
        b"some \0 NULs \0 in a line\n" * 20,
        b"text\n" + bytes(4000),
        bytes(4000) + b"text\n",
    ],
)
def test_other_text_is_not_taken_for_utf_16(data):
    assert encoding_of(data) == ""


def test_the_mark_of_utf_8_is_no_part_of_the_first_line(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(codecs.BOM_UTF8 + b"2026-11-20 ready\n")

    text = TextFile.open(path, Roots())

    assert text_of(text) == b"2026-11-20 ready\n"
    assert text.parts([(3, 13)]) == [b"2026-11-20"]


@pytest.mark.parametrize("hole_bytes", [128, 5000, 300_000])
@pytest.mark.parametrize("before", [b"", b"one\n", b"one\ntw"])
@pytest.mark.parametrize("after", [b"", b"three\nfour\n", b"three"])
def test_a_hole_belongs_to_no_line_and_is_counted(tmp_path, monkeypatch, hole_bytes, before, after):
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 4096)
    path = tmp_path / "app.log"
    path.write_bytes(before + bytes(hole_bytes) + after)
    if not before and not after:
        with pytest.raises(Refused, match="binary"):
            TextFile.open(path, Roots())
        return
    if not before:
        with path.open(
            "r+b"
        ) as file:  # truncated while its writer was further on: the file system knows the hole
            file.truncate(0)
            file.seek(hole_bytes)
            file.write(after)

    text = TextFile.open(path, Roots())
    found = {}
    for block in text.blocks():
        told = bytes(block.buf[: block.end])
        begins = next((base for base, data in found.items() if base + len(data) == block.base), block.base)
        found[begins] = found.get(begins, b"") + told

    expected = {}
    if before:
        expected[0] = before if before.endswith(b"\n") else before + b"\n"
    if after:
        expected[len(before) + hole_bytes] = after if after.endswith(b"\n") else after + b"\n"
    assert found == expected
    assert f"{hole_bytes:,} NUL bytes" in text.trouble


@given(
    parts=st.lists(
        st.one_of(st.integers(128, 700).map(bytes), st.from_regex(rb"[ab][ab\n]{0,30}", fullmatch=True)),
        max_size=12,
    ),
    block_bytes=st.sampled_from([64, 200, 1000]),
)
def test_text_around_holes_is_whole_and_in_place(parts, block_bytes):
    data = b"".join(parts)
    assume(data.strip(b"\0"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block_bytes)
        blocks = list(stream_of(data).blocks())

    kept = bytearray(len(data))
    for block in blocks:
        told = bytes(block.buf[: block.end])
        assert told.endswith(b"\n")
        assert len(block.buf) >= block.end + text_module.PADDING
        assert bytes(128) not in told
        inside = told if data[block.base : block.base + len(told)] == told else told[:-1]
        assert data[block.base : block.base + len(inside)] == inside
        kept[block.base : block.base + len(inside)] = inside
    assert bytes(kept) == data


def test_binary_is_told_from_text():
    assert looks_binary(bytes(range(256)) * 10)
    assert looks_binary(np.random.default_rng(1).bytes(4096))
    assert looks_binary(bytes(4096))
    assert not looks_binary("2026-11-20 ready: größer, 日本語 🙂\n".encode() * 50)
    assert not looks_binary(b"\x1b[31mred\x1b[0m and a\ttab\r\n" * 50)
    assert not looks_binary(b"a NUL \0 in one line of a text is no reason to refuse it\n" * 20)
    assert not looks_binary(b"the last line before the power failed\n" + bytes(60_000))
    assert not looks_binary(b"")


def test_a_packed_binary_file_is_refused(tmp_path):
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 100))

    with pytest.raises(Refused, match="binary"):
        TextFile.open(path, Roots())
