"""Archives: each text inside is a source of its own, nothing is written anywhere, and names are only names."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from logpith.files import packing, tar
from logpith.files.archive import open_texts
from logpith.files.roots import Roots
from logpith.files.tar import TarReader, is_tar
from logpith.files.text import TextStream
from logpith_emit.errors import Refused

PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def lines(word, count=1000):
    return b"".join(b"2026-11-20 13:45:%02d INFO %s %d\n" % (i % 60, word, i) for i in range(count))


FILES = {
    "var/log/syslog": lines(b"system"),
    "var/log/app.log.1.gz": gzip.compress(lines(b"app")),
    "var/log/empty": b"",
    "var/log/setup.log": lines(b"windows").decode().encode("utf-16"),
}
TEXTS = {
    "var/log/syslog": lines(b"system"),
    "var/log/app.log.1.gz": lines(b"app"),
    "var/log/empty": b"",
    "var/log/setup.log": lines(b"windows"),
}


def archive_of(files, form=tarfile.PAX_FORMAT, extra=()):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_795_000_000
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return written.getvalue()


def entry(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def text_of(text):
    return b"".join(bytes(block.buf[: block.end]) for block in text.blocks())


@pytest.fixture
def texts_in(tmp_path):
    def open_archive(data, name="logs.tar"):
        (tmp_path / name).write_bytes(data)
        texts, skipped = open_texts(tmp_path / name, Roots.of([tmp_path]))
        return {text.name.removeprefix(f"{tmp_path / name}!"): text for text in texts}, skipped

    return open_archive


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("form", FORMATS)
def test_every_text_inside_is_a_source_of_its_own(texts_in, packed, form):
    texts, skipped = texts_in(PACK[packed](archive_of(FILES, FORMATS[form])), f"logs.tar{packed}")

    assert {name: text_of(text) for name, text in texts.items()} == TEXTS
    assert {name: text_of(text) for name, text in reversed(texts.items())} == TEXTS  # in any order, again
    assert not skipped
    assert not any(text.trouble for text in texts.values())


@pytest.mark.parametrize("packed", PACK)
def test_parts_of_a_member_are_slices_of_its_text(texts_in, packed):
    texts, _ = texts_in(PACK[packed](archive_of(FILES)), f"logs.tar{packed}")

    for name, text in texts.items():
        spans = [(0, 10), (500, 700), (20_000, 20_050)] if TEXTS[name] else []
        before = text.parts(spans)
        blocks = text.blocks()
        first = next(blocks, None)
        between = text.parts(spans)  # while its blocks are read
        rest = b"".join(bytes(block.buf[: block.end]) for block in blocks)

        assert before == between == [TEXTS[name][start:end] for start, end in spans]
        assert (bytes(first.buf[: first.end]) if first else b"") + rest == TEXTS[name]


def test_names_are_only_names_and_links_and_devices_are_passed_over(texts_in, tmp_path):
    escape = "../../escaped.log"
    extra = [
        entry("link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("hard", tarfile.LNKTYPE, "/etc/passwd"),
        entry("device", tarfile.CHRTYPE),
        entry("pipe", tarfile.FIFOTYPE),
        entry("folder", tarfile.DIRTYPE),
    ]
    before = sorted(tmp_path.parent.iterdir())

    texts, skipped = texts_in(
        archive_of({"/etc/passwd": b"a\n", escape: b"b\n", "a\x1b[31m\n": b"c\n"}, extra=extra)
    )

    assert {name: text_of(text) for name, text in texts.items()} == {
        "/etc/passwd": b"a\n",
        escape: b"b\n",
        r"a\x1b[31m\n": b"c\n",
    }
    assert sorted(tmp_path.parent.iterdir()) == before
    assert list(tmp_path.iterdir()) == [tmp_path / "logs.tar"]
    assert [text.rsplit(": ", 1)[1] for text in skipped] == ["2 links inside", "2 special files inside"]


def test_binary_files_and_archives_inside_are_counted(texts_in):
    inner = gzip.compress(archive_of(FILES))

    texts, skipped = texts_in(
        archive_of({"a.log": b"a\n", "data": bytes(range(256)) * 40, "inner.tgz": inner})
    )

    assert list(texts) == ["a.log"]
    assert "2 binary files or archives" in skipped[0]


def test_an_archive_without_text_is_refused(texts_in):
    with pytest.raises(Refused, match="no text"):
        texts_in(archive_of({"data": bytes(range(256)) * 40}))


def test_the_same_name_twice_is_two_files(texts_in):
    first, second = archive_of({"a.log": b"one\n"}), archive_of({"a.log": b"two\n"})
    texts, _ = texts_in(first[:1024] + second)

    assert [text_of(text) for text in texts.values()] == [b"one\n", b"two\n"]


def test_long_and_odd_names_are_shown_short_and_inert(texts_in):
    for form in ("gnu", "pax"):
        texts, _ = texts_in(archive_of({"d/" * 200 + "ü\udcff.log": b"a\n"}, FORMATS[form]))

        (name,) = texts
        assert len(name) <= 210
        name.encode()
        assert name.endswith(r"ü\udcff.log")


def test_more_files_than_anyone_asks_for_are_told(texts_in, monkeypatch):
    monkeypatch.setattr(tar, "MOST_MEMBERS", 3)

    texts, skipped = texts_in(archive_of({f"{i}.log": b"x\n" for i in range(5)}))

    assert len(texts) == 3
    assert "more than 3 files" in skipped[0]


@pytest.mark.parametrize("packed", PACK)
def test_a_torn_archive_gives_what_it_has_and_says_so(texts_in, packed):
    data = PACK[packed](archive_of({f"{i}.log": lines(b"word%d" % i, 20_000) for i in range(4)}))
    texts, skipped = texts_in(data[: len(data) * 6 // 10], f"logs.tar{packed}")

    found = [text_of(text) for text in texts.values()]

    assert found
    assert all(
        lines(b"word%d" % i, 20_000).startswith(text.removesuffix(b"\n")) for i, text in enumerate(found)
    )
    assert "torn" in skipped[0]
    assert "torn" in list(texts.values())[-1].trouble


@given(data=st.data())
def test_no_damage_in_an_archive_raises_anything(data):
    damaged = bytearray(archive_of({"a.log": b"one\n", "d/" * 80 + "b.log": b"two\n" * 300}))
    for place, change in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(1, 255)), max_size=6)
    ):
        damaged[place] ^= change
    cut = data.draw(st.integers(0, len(damaged)))

    reader = TarReader([bytes(damaged[:cut])], 1 << 16)

    for found in reader:
        assert 0 <= found.offset <= cut
        assert found.size_bytes >= 0


def test_packed_members_together_stay_within_the_bound_of_the_archive(texts_in, monkeypatch):
    monkeypatch.setattr(packing, "ALWAYS_ALLOWED_BYTES", 8 << 20)
    bomb = gzip.compress(b"x\n" * (6 << 20))
    texts, _ = texts_in(archive_of({f"{i}.gz": bomb for i in range(4)}))

    given_bytes = sum(len(text_of(text)) for text in texts.values())

    assert given_bytes < 16 << 20
    assert all("stopped after" in text.trouble for text in texts.values())


def test_an_archive_cut_between_two_files_is_told_from_a_whole_one(texts_in):
    texts, skipped = texts_in(archive_of({"a.log": b"one\n", "b.log": b"two\n"})[:1024])

    assert [text_of(text) for text in texts.values()] == [b"one\n"]
    assert "no end mark" in skipped[0]


def test_an_archive_in_a_pipe_is_refused_with_what_to_do():
    with pytest.raises(Refused, match="tar archive"):
        TextStream.drain(io.BytesIO(gzip.compress(archive_of(FILES))), "-", 0)


def test_text_is_no_archive():
    assert is_tar(archive_of({"a": b"b\n"}))
    assert not is_tar(b"2026-11-20 ready\n" * 100)
    assert not is_tar(bytes(1024))
    assert not is_tar(b"")


def test_a_tar_that_was_replaced_is_refused(texts_in, tmp_path):
    texts, _ = texts_in(archive_of(FILES))
    (tmp_path / "logs.tar").unlink()
    (tmp_path / "logs.tar").write_bytes(archive_of({"x": b"other\n" * 100_000}))

    for text in texts.values():
        with pytest.raises(Refused, match="rotated"):
            text.parts([(0, 5)])
        with pytest.raises(Refused, match="rotated"):
            list(text.blocks())


def test_what_an_archive_tells_of_its_members_beside_path_and_size_is_not_kept():
    def pieces():
        for number in range(60):
            word = b"%d=" % number + b"v" * 1_000_000 + b"\n"
            record = b"%d " % (len(word) + 8) + word
            header = tarfile.TarInfo("told")
            header.type, header.size = tarfile.XHDTYPE, len(record)
            yield header.tobuf() + record + bytes(-len(record) % 512)
        header = tarfile.TarInfo("app.log")
        header.size = 3
        yield header.tobuf() + b"abc" + bytes(509 + 1024)

    tracemalloc.start()
    try:
        entries = list(TarReader(pieces(), 10))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [(entry.name, entry.size_bytes) for entry in entries] == [("app.log", 3)]
    assert most_bytes < 16 << 20
