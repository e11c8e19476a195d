"""Text: blocks are the file, whole lines at a time, and parts are slices of it."""

import gzip
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.files import packing
from logpith.files import text as text_module
from logpith.files.roots import Roots
from logpith.files.text import TextFile, TextStream
from logpith_emit.errors import NotFound, Refused

lines_of_bytes = st.lists(st.text("ab0 \t\ré🙂", max_size=40).map(str.encode), max_size=60)


def covered(blocks):
    """The text that blocks cover, each checked for its promises."""
    text = b""
    for block in blocks:
        assert block.base == len(text)
        data = bytes(block.buf[: block.end])
        assert data.endswith(b"\n")
        assert len(block.buf) >= block.end + text_module.PADDING
        text += data[:-1] if block.cut else data
    return text


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("final_newline", [False, True])
@given(lines=lines_of_bytes)
def test_blocks_cover_the_text_exactly(packed, final_newline, lines):
    text = b"\n".join(lines) + (b"\n" if final_newline and lines else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", 64)
        stream = TextStream.drain(io.BytesIO(gzip.compress(text) if packed else text), "-", 0)

        expected = text if text.endswith(b"\n") or not text else text + b"\n"
        assert covered(stream.blocks()) == expected
        assert covered(stream.blocks()) == expected  # a second time


@pytest.mark.parametrize("packed", [False, True])
@given(lines=lines_of_bytes, cuts=st.lists(st.integers(0, 2000), max_size=8))
def test_parts_are_slices(packed, lines, cuts):
    text = b"\n".join(lines)
    stream = TextStream.drain(io.BytesIO(gzip.compress(text) if packed else text), "-", 0)
    edges = sorted({min(cut, len(text)) for cut in cuts})
    spans = list(zip(edges[::2], edges[1::2], strict=False))

    assert stream.parts(spans) == [text[a:b] for a, b in spans]


def test_a_line_longer_than_the_bound_is_cut_and_nothing_lost(monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(text_module, "MOST_LINE_BYTES", 4 << 10)
    text = b"x" * 10_000 + b"\nshort\n"

    assert covered(TextStream.drain(io.BytesIO(text), "-", 0).blocks()) == text


def test_a_file_that_grows_is_read_as_it_was_when_opened(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    text = TextFile.open(path, Roots())
    with path.open("ab") as file:
        file.write(b"two\n")

    assert covered(text.blocks()) == b"one\n"


def test_a_file_that_was_truncated_meanwhile_is_refused(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(b"one\ntwo\n")
    text = TextFile.open(path, Roots())
    path.write_bytes(b"1\n")

    with pytest.raises(Refused, match="truncated"):
        text.parts([(0, 4)])


def test_a_file_that_was_rotated_meanwhile_is_refused(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    text = TextFile.open(path, Roots())
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(b"another\n")

    with pytest.raises(Refused, match="rotated"):
        list(text.blocks())


def test_a_fifo_and_a_folder_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    for name in ("fifo", "."):
        with pytest.raises(Refused, match="regular file"):
            TextFile.open(tmp_path / name, Roots())


LINES = b"".join(b"2026-11-20 13:45:%02d line %d\n" % (i % 60, i) for i in range(2000))


def test_what_is_read_after_a_truncation_is_no_part_of_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 4096)
    path = tmp_path / "app.log"
    path.write_bytes(LINES)
    text = TextFile.open(path, Roots())
    blocks = text.blocks()
    found = [next(blocks)]

    os.truncate(path, 100)
    found += blocks

    assert LINES.startswith(covered(found).removesuffix(b"\n"))
    assert len(covered(found)) < 8192
    assert "truncated" in text.trouble


def test_a_file_that_was_truncated_and_filled_again_gives_no_wrong_line(tmp_path, monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 4096)
    path = tmp_path / "app.log"
    path.write_bytes(LINES)
    text = TextFile.open(path, Roots())
    blocks = text.blocks()
    found = [next(blocks)]

    with path.open("r+b") as file:
        file.truncate(0)
        file.write(LINES.replace(b"2026-11-20", b"2026-11-21") * 2)
    found += blocks

    assert LINES.startswith(covered(found).removesuffix(b"\n"))
    assert "truncated" in text.trouble
    with pytest.raises(Refused, match="truncated"):
        text.parts([(0, 10)])
    with pytest.raises(Refused, match="truncated"):
        next(text.blocks())


def test_a_file_that_is_deleted_while_it_is_read_is_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 4096)
    path = tmp_path / "app.log"
    path.write_bytes(LINES)
    text = TextFile.open(path, Roots())
    blocks = text.blocks()
    found = [next(blocks)]

    path.unlink()
    found += blocks

    assert covered(found) == LINES
    assert text.trouble == ""
    with pytest.raises(NotFound):
        text.parts([(0, 10)])
    with pytest.raises(NotFound):
        next(text.blocks())


def test_a_packed_file_that_is_truncated_while_it_is_read_is_torn(tmp_path, monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(packing, "_CHUNK", 512)
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(LINES))
    text = TextFile.open(path, Roots())
    blocks = text.blocks()
    found = [next(blocks)]

    os.truncate(path, 1000)
    found += blocks

    assert LINES.startswith(covered(found).removesuffix(b"\n"))
    assert "torn" in text.trouble
    with pytest.raises(Refused, match="truncated"):
        text.parts([(0, 10)])


def test_a_part_that_is_not_there_is_refused(tmp_path):
    for name, data in (("app.log", LINES), ("app.log.gz", gzip.compress(LINES))):
        path = tmp_path / name
        path.write_bytes(data)

        with pytest.raises(Refused, match="truncated"):
            TextFile.open(path, Roots()).parts([(len(LINES) - 5, len(LINES) + 5)])
