"""The desk: names become a corpus, once, and refs name records that are still what they were."""

import gzip
import io
import os
import subprocess
import sys
import tarfile

import pytest
import zstandard

from logpith.corpus.desk import Desk, record_of
from logpith.corpus.reading import CorpusReader
from logpith.corpus.refs import looks_like_ref, make_ref, read_ref, source_key, text_key
from logpith.corpus.select import read_query, select
from logpith.files.roots import Roots
from logpith.files.text import TextFile
from logpith.query import parse
from logpith_emit.errors import BadArgument, NotFound, OutsideRoots, Refused

TEXT = "".join(f"2026-11-20 13:45:{i % 60:02d} INFO line {i}\n" for i in range(100))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text(TEXT)
    return path


def test_packed_and_plain_files_hold_the_same_records(tmp_path, log):
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "app.log.2.zst").write_bytes(zstandard.ZstdCompressor().compress(TEXT.encode()))

    corpus = Desk().open([str(tmp_path / "app.log*")])

    assert [source.lines for source in corpus.sources] == [100, 100, 100]
    assert corpus.texts([0, 100, 200]) == [b"2026-11-20 13:45:00 INFO line 0"] * 3


def test_a_second_question_does_not_read_again(log):
    desk = Desk()

    assert desk.open([str(log)]) is desk.open([str(log)])


def test_a_file_that_has_changed_is_read_again(log):
    desk = Desk()
    before = desk.open([str(log)])
    with log.open("a") as file:
        file.write("2026-11-20 13:46:00 INFO one more\n")

    assert len(desk.open([str(log)])) == len(before) + 1


def test_what_cannot_be_read_in_a_folder_is_skipped_and_named(tmp_path, log):
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "torn.gz").write_bytes(gzip.compress(TEXT.encode())[:-20])
    os.mkfifo(tmp_path / "fifo")

    corpus = Desk(Roots.of([tmp_path])).open()

    coverage = corpus.coverage(Desk().quoter())
    assert "1 binary file" in coverage.skipped
    assert any("fifo" in text and "regular" in text for text in coverage.skipped)
    assert any("torn" in text for text in coverage.skipped)


def test_a_single_name_that_cannot_be_read_is_an_error(tmp_path, log):
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 100)

    with pytest.raises(Refused, match="binary"):
        Desk().open([str(tmp_path / "data.bin")])
    with pytest.raises(NotFound, match=r"app\.log"):
        Desk().open([str(tmp_path / "ap.log")])
    with pytest.raises(OutsideRoots):
        Desk(Roots.of([tmp_path / "."])).open(["/etc/passwd"])


def test_standard_input_is_only_read_where_there_is_one(log):
    with pytest.raises(BadArgument, match="standard input"):
        Desk().open(["-"])


def test_a_pipe_that_a_shell_names_is_read_to_its_end():
    """What `logpith <(kubectl logs api)` gives us."""
    reader, writer = os.pipe()
    os.write(writer, TEXT.encode())
    os.close(writer)
    try:
        corpus = Desk().open([f"/dev/fd/{reader}"])
    finally:
        os.close(reader)

    assert len(corpus) == 100


def test_a_fifo_without_a_writer_is_empty_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    assert len(Desk().open([str(tmp_path / "fifo")])) == 0


def test_a_fifo_inside_roots_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(Refused, match="regular"):
        Desk(Roots.of([tmp_path])).open([str(tmp_path / "fifo")])


def test_an_empty_file_has_no_records(tmp_path):
    (tmp_path / "empty.log").write_bytes(b"")

    corpus = Desk().open([str(tmp_path / "empty.log")])

    assert len(corpus) == corpus.lines == 0


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are other there")
def test_a_folder_without_permission_is_told(tmp_path, log):
    """In a process of its own, because the superuser may read everything."""
    log.chmod(0)
    script = (
        "import os, sys; from logpith.corpus.desk import Desk; from logpith_emit.errors import Refused\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: Desk().open([sys.argv[1]])\n"
        "except Refused as error: print(error.remedy)\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0 and folder.owner() == "root" and os.geteuid() == 0:
            folder.chmod(0o755)

    told = subprocess.run(
        [sys.executable, "-c", script, str(log)], capture_output=True, text=True, check=True
    )

    assert "permissions" in told.stdout


def test_a_ref_finds_its_record_also_without_the_path(log):
    desk = Desk()
    corpus = desk.open([str(log)])
    ref = read_ref(corpus.evidence([41], desk.quoter(), 100)[0].ref)

    found, source = Desk().find_source(ref, ())

    assert record_of(found, source, ref) == 41


def test_a_ref_stays_valid_when_its_file_grows(log):
    ref = read_ref(Desk().open([str(log)]).evidence([41], Desk().quoter(), 100)[0].ref)
    with log.open("a") as file:
        file.write("more\n")

    corpus, source = Desk().find_source(ref, [str(log)])

    assert record_of(corpus, source, ref) == 41


def test_a_stale_ref_is_refused_not_misread(log):
    ref = read_ref(Desk().open([str(log)]).evidence([41], Desk().quoter(), 100)[0].ref)
    with log.open("r+") as file:
        file.write(TEXT.replace("line 41", "line 14"))

    corpus, source = Desk().find_source(ref, [str(log)])
    with pytest.raises(NotFound, match="not what it was"):
        record_of(corpus, source, ref)

    log.rename(log.with_suffix(".1"))
    log.write_text(TEXT)
    with pytest.raises(NotFound, match="rotated"):
        Desk().find_source(ref, [str(log)])


def test_a_ref_reads_back_what_it_was_made_of():
    key = source_key("app.log", 1, 2)

    ref = read_ref(make_ref(7, key, b"text"))

    assert (ref.line, ref.source_key, ref.text_key) == (7, key, text_key(b"text"))


@pytest.mark.parametrize("word", ["", "e0@3f9ac21b", "e1@3f9a", "12", "e1@3F9AC21B", "app.log"])
def test_what_is_no_ref_is_told_so(word):
    assert not looks_like_ref(word)
    with pytest.raises(BadArgument, match="looks like"):
        read_ref(word)


def lines_of_day(day):
    return "".join(f"2026-11-{day:02d} 13:45:{i % 60:02d} INFO line {i}\n" for i in range(60)).encode()


@pytest.fixture
def rotated(tmp_path):
    """A folder with app.log, app.log.1 and app.log.2.gz, and another log beside them."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "app.log").write_bytes(lines_of_day(20))
    (folder / "app.log.1").write_bytes(lines_of_day(19))
    (folder / "app.log.2.gz").write_bytes(gzip.compress(lines_of_day(18)))
    (folder / "db.log").write_bytes(lines_of_day(1))
    return folder


def test_rotated_pieces_are_one_log_in_the_order_of_time(rotated):
    """SRC-034: compressed and rotated files read as one stream."""
    corpus = Desk().open([str(rotated / "app*")])

    assert [os.path.basename(source.name) for source in corpus.sources] == [  # noqa: PTH119
        "app.log.2.gz",
        "app.log.1",
        "app.log",
    ]
    assert list(corpus.streams) == [str(rotated / "app.log")]
    assert (corpus.columns.time_ns[1:] >= corpus.columns.time_ns[:-1]).all()
    assert corpus.coverage(Desk().quoter()).sources == 1


def test_logs_beside_a_rotated_one_stay_apart(rotated):
    corpus = Desk().open([str(rotated)])

    assert {os.path.basename(name): len(pieces) for name, pieces in corpus.streams.items()} == {  # noqa: PTH119
        "app.log": 3,
        "db.log": 1,
    }
    assert corpus.coverage(Desk().quoter()).sources == 2


def test_a_ref_stays_valid_when_its_file_is_rotated(rotated):
    log = rotated / "app.log"
    desk = Desk()
    ref = read_ref(desk.open([str(log)]).evidence([41], desk.quoter(), 100)[0].ref)
    (rotated / "app.log.1").rename(rotated / "app.log.2")
    log.rename(rotated / "app.log.1")
    log.write_bytes(lines_of_day(21))

    for asked in (desk, Desk()):
        corpus, source = asked.find_source(ref, ())

        assert corpus.texts([record_of(corpus, source, ref)]) == [b"2026-11-20 13:45:41 INFO line 41"]
        assert source.name == str(rotated / "app.log.1")


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "logs.tar.gz"
    with tarfile.open(path, "w:gz") as written:
        for day, name in enumerate(("var/log/a.log", "var/log/b.log"), 1):
            info = tarfile.TarInfo(name)
            info.size = len(lines_of_day(day))
            written.addfile(info, io.BytesIO(lines_of_day(day)))
    return path


def test_files_in_an_archive_are_sources_with_refs_of_their_own(archive):
    corpus = Desk().open([str(archive)])
    ref = read_ref(corpus.evidence([70], Desk().quoter(), 100)[0].ref)

    found, source = Desk().find_source(ref, ())

    assert [source.name for source in corpus.sources] == [
        f"{archive}!var/log/a.log",
        f"{archive}!var/log/b.log",
    ]
    assert found.texts([record_of(found, source, ref)]) == [b"2026-11-02 13:45:10 INFO line 10"]
    assert len({source.key for source in corpus.sources}) == 2


def test_what_is_gone_between_opening_and_reading_is_told_and_the_rest_is_read(rotated):
    texts = [TextFile.open(rotated / name, Roots()) for name in ("app.log.1", "app.log", "db.log")]
    (rotated / "app.log.1").unlink()
    (rotated / "app.log").write_bytes(b"")

    corpus = CorpusReader().read(texts)

    assert len(corpus) == 60
    skipped = corpus.coverage(Desk().quoter()).skipped
    assert "there is no file" in skipped[0]
    assert "truncated" in skipped[1]


def test_records_of_a_file_that_was_replaced_are_refused_not_misread(rotated):
    log = rotated / "app.log"
    corpus = Desk().open([str(log)])
    log.write_bytes(lines_of_day(21) * 2)

    with pytest.raises(Refused, match="truncated"):
        corpus.texts([5])
    with pytest.raises(Refused, match="truncated"):
        select(corpus, parse("line", now_ns=0, end_ns=0))


def test_western_text_is_found_and_read_as_its_letters(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(
        "".join(f"2026-11-20 13:45:{i:02d} Gerät {i} größer\n" for i in range(60)).encode("cp1252")
    )
    desk = Desk()
    corpus = desk.open([str(path)])

    for query in ("Gerät", "größer", "message:*gr*ßer", "/Ger.t 7 /"):
        found = select(corpus, read_query(corpus, query, 0).query)
        assert len(found) == (1 if "7" in query else 60), query
    assert corpus.evidence([3], desk.quoter(), 100)[0].text == "2026-11-20 13:45:03 Gerät 3 größer"
    assert corpus.texts([3]) == ["2026-11-20 13:45:03 Gerät 3 größer".encode("cp1252")]
