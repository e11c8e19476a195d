"""The index: what it gives back is what reading gives, whatever happened to the file or to the cache meanwhile."""

import gzip
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith.corpus import cache, columns, index
from logpith.corpus.desk import Desk
from logpith.corpus.reading import CorpusReader
from logpith.corpus.select import read_query, select
from logpith.files import text as text_module
from logpith.files.roots import Roots
from logpith.files.text import TextFile
from logpith.query import Substring

COLUMNS = ("start", "length", "line", "time_ns", "severity", "service", "shape", "source")


@pytest.fixture(autouse=True)
def small_scale(tmp_path_factory, monkeypatch):
    """A cache of its own, and files of a few lines that count as large."""
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(index, "LEAST_BYTES", 0)
    monkeypatch.setattr(index, "LEAST_PACKED_BYTES", 0)
    monkeypatch.setattr(index, "_GRAIN_NS", 0)
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 300)
    monkeypatch.setattr(columns, "CHUNK_BYTES", 100)


def lines_of(seed, count):
    """Lines of several formats, with traces, as many as asked for."""
    chance = random.Random(seed)
    made = []
    while len(made) < count:
        second = len(made)
        stamp = f"2026-11-20 10:{second // 60 % 60:02}:{second % 60:02},123"
        made += chance.choice(
            [
                [f"{stamp} INFO app.db: query {second} took {chance.randrange(90)} ms"],
                [
                    f"{stamp} ERROR app: request failed",
                    "Traceback (most recent call last):",
                    "ValueError: no",
                ],
                [
                    f'{{"time":"2026-11-20T10:00:{second % 60:02}Z","level":"warn","msg":"slow {second}",'
                    '"service":"s"}'
                ],
                ["a line without a time", ""],
            ]
        )
    return made[:count]


def opened(path):
    return Desk(Roots()).open([str(path)])


def told(corpus):
    """Everything that a corpus says."""
    return {
        **{name: getattr(corpus.columns, name).tolist() for name in COLUMNS},
        "templates": [(one.id, one.text, one.count) for one in corpus.templates.templates],
        "template": corpus.template.tolist(),
        "severities": corpus.severity.tolist(),
        "counts": corpus.severity_counts.tolist(),
        "tally": {name: array.tolist() for name, array in vars(corpus.tally).items()},
        "services": [corpus.service_of(record) for record in range(len(corpus))],
        "span": corpus.span_ns,
        "undated": corpus.undated,
        "lines": corpus.lines,
        "formats": [sorted(source.formats.items()) for source in corpus.sources],
        "texts": corpus.texts(range(len(corpus))),
    }


def read_anew(path):
    """The corpus as it is without any index."""
    return CorpusReader(may_keep=False).read([TextFile.open(path, Roots())])


def indexes():
    home = cache.cache_dir() / "indexes"
    return sorted(path for path in home.glob("*/*")) if home.exists() else []


def test_a_second_desk_finds_the_same_without_reading_the_text(tmp_path, monkeypatch):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(1, 60)) + "\n")
    first = told(opened(path))
    monkeypatch.setattr(TextFile, "blocks", None)

    again = opened(path)

    assert told(again) == first
    assert again.sources[0].table.signatures is not None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 80),
    cuts=st.lists(st.integers(0, 4000), max_size=4),
)
def test_an_index_that_grew_with_its_file_is_one_that_was_made_at_once(tmp_path_factory, seed, count, cuts):
    text = ("\n".join(lines_of(seed, count)) + "\n").encode()
    path = tmp_path_factory.mktemp("grown") / "app.log"
    for cut in sorted({min(cut, len(text)) for cut in cuts} - {0}):
        path.write_bytes(text[:cut])
        os.utime(path, ns=(10**18, 10**18 + cut))
        opened(path)
    path.write_bytes(text)
    os.utime(path, ns=(10**18, 10**18 + len(text)))

    grown = told(opened(path))

    assert grown == told(read_anew(path))


def test_what_was_indexed_is_not_read_again_when_a_file_has_grown(tmp_path, monkeypatch):
    path = tmp_path / "app.log"
    text = "\n".join(lines_of(3, 200)) + "\n"
    path.write_text(text)
    opened(path)
    begun = []
    blocks = TextFile.blocks

    def watched(self, start=0, read_to=0):
        begun.append(start)
        return blocks(self, start, read_to)

    monkeypatch.setattr(TextFile, "blocks", watched)
    with path.open("a") as file:
        file.write("2026-11-20 11:00:00,000 ERROR app: one more\n")

    corpus = opened(path)

    assert len(begun) == 1
    assert begun[0] > len(text) - 700
    assert corpus.texts([len(corpus) - 1]) == [b"2026-11-20 11:00:00,000 ERROR app: one more"]


def test_one_changed_byte_makes_an_index_useless(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("2026-11-20 10:00:00 INFO call 1 ended\n" * 40)
    os.utime(path, ns=(10**18, 10**18))
    opened(path)
    changed = bytearray(path.read_bytes())
    changed[700:703] = b"zzz"
    path.write_bytes(changed)
    os.utime(path, ns=(10**18, 10**18 + 1))

    assert told(opened(path)) == told(read_anew(path))


def test_a_file_that_became_shorter_or_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "app.log"
    for text in ("one 1\n" * 200, "one 1\n" * 100, "two 2\n" * 300):
        path.write_text(text)

        assert told(opened(path)) == told(read_anew(path))


def test_an_index_survives_the_rename_of_its_file(tmp_path, monkeypatch):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(4, 60)) + "\n")
    before = told(opened(path))
    path.rename(tmp_path / "app.log.1")
    monkeypatch.setattr(TextFile, "blocks", None)

    assert told(opened(tmp_path / "app.log.1")) == before


def test_a_damaged_index_is_made_anew_wherever_the_damage_is_and_this_is_said(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(5, 60)) + "\n")
    right = told(opened(path))
    (folder,) = indexes()
    names = sorted(file.name for file in folder.iterdir() if file.stat().st_size and file.name != "sealed")
    chance = random.Random(6)
    for name in names:
        (folder,) = indexes()
        damaged = folder / name
        data = bytearray(damaged.read_bytes())
        for place in {0, len(data) // 2, len(data) - 1, chance.randrange(len(data))}:
            (folder,) = indexes()
            damaged = folder / name
            data = bytearray(damaged.read_bytes())
            data[min(place, len(data) - 1)] ^= 1 << chance.randrange(8)
            damaged.write_bytes(data)

            corpus = opened(path)

            assert told(corpus) == right, name
            assert "damaged" in corpus.sources[0].table.note, name


@pytest.mark.parametrize("keep", [0, 1, 7])
def test_an_index_with_a_torn_or_missing_file_is_made_anew(tmp_path, keep):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(7, 60)) + "\n")
    right = told(opened(path))
    for name in ("time_ns", "table", "signatures"):
        (folder,) = indexes()
        (folder / name).write_bytes((folder / name).read_bytes()[:keep])

        assert told(opened(path)) == right

    (folder,) = indexes()
    (folder / "severity").unlink()
    assert told(opened(path)) == right


def test_damage_to_what_is_needed_to_go_on_costs_only_a_second_reading(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(8, 100)) + "\n")
    opened(path)
    (folder,) = indexes()
    (folder / "sealed").write_bytes(b"no longer what it was")
    with path.open("a") as file:
        file.write("2026-11-20 11:00:00,000 ERROR app: one more\n")

    assert told(opened(path)) == told(read_anew(path))


def test_without_a_writable_cache_everything_works(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(blocked / "cache"))
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(9, 60)) + "\n")

    assert told(opened(path)) == told(read_anew(path))


def test_a_disk_that_fills_while_an_index_is_written_costs_the_index_only(tmp_path, monkeypatch):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(10, 120)) + "\n")
    right = told(read_anew(path))
    append = cache.Draft.append
    for allowed in range(0, 40, 3):
        left = [allowed]

        def until_full(self, name, array, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")
            append(self, name, array)

        monkeypatch.setattr(cache.Draft, "append", until_full)

        corpus = opened(path)

        assert told(corpus) == right
        if left[0] < 0:
            assert "no space left" in corpus.sources[0].table.note
            assert indexes() == []
        monkeypatch.setattr(cache.Draft, "append", append)
        for folder in indexes():
            cache.forget(folder)


def test_an_index_that_cannot_be_published_costs_the_index_only(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(11, 120)) + "\n")
    right = told(read_anew(path))
    (cache.cache_dir() / "indexes").mkdir(parents=True)
    key = index._key(TextFile.open(path, Roots()))
    (cache.cache_dir() / "indexes" / key).write_text("a file where the folder of its versions belongs")

    corpus = opened(path)

    assert told(corpus) == right
    assert "no index was kept" in corpus.sources[0].table.note
    assert not [*(cache.cache_dir() / "indexes").glob("draft-*")]


@pytest.mark.parametrize("moment", ["append", "write", "publish"])
def test_a_cache_that_is_cleared_while_an_index_is_written_costs_the_index_only(
    tmp_path, monkeypatch, moment
):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(12, 120)) + "\n")
    right = told(read_anew(path))
    before = getattr(cache.Draft, moment)

    def cleared_before(self, *given):
        shutil.rmtree(cache.cache_dir(), ignore_errors=True)
        return before(self, *given)

    monkeypatch.setattr(cache.Draft, moment, cleared_before)

    corpus = opened(path)

    assert told(corpus) == right
    assert "no index was kept" in corpus.sources[0].table.note


def test_a_file_that_is_truncated_before_its_index_is_looked_at_does_not_stop_the_others(tmp_path):
    paths = [tmp_path / "a.log", tmp_path / "b.log"]
    for path in paths:
        path.write_text("\n".join(lines_of(14, 60)) + "\n")
        opened(path)
    texts = [TextFile.open(path, Roots()) for path in paths]
    os.truncate(paths[0], 10)

    corpus = CorpusReader().read(texts)

    assert "truncated" in corpus.sources[0].table.trouble
    assert len(corpus.sources[1].table) > 0


def test_an_index_may_be_forgotten_as_soon_as_it_is_published(tmp_path, monkeypatch):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(13, 120)) + "\n")
    right = told(read_anew(path))
    monkeypatch.setattr(cache, "tidy", lambda kind: shutil.rmtree(cache.cache_dir() / kind))

    corpus = opened(path)

    assert told(corpus) == right
    assert indexes() == []


def test_a_cache_keeps_its_bound_and_forgets_what_was_asked_for_longest_ago(tmp_path, monkeypatch):
    paths = []
    for name in "abc":
        path = tmp_path / f"{name}.log"
        path.write_text("\n".join(lines_of(ord(name), 80)) + "\n")
        paths.append(path)
    for path in paths[:2]:
        opened(path)
    both = sum(file.stat().st_size for folder in indexes() for file in folder.iterdir())
    monkeypatch.setenv("LOGPITH_CACHE_BYTES", str(both + 1000))
    os.utime(indexes()[0], ns=(1, 1))
    first = indexes()[0]

    opened(paths[2])

    assert first not in indexes()
    assert sum(file.stat().st_size for folder in indexes() for file in folder.iterdir()) <= both + 1000


def test_a_text_that_could_not_be_told_whole_keeps_its_trouble(tmp_path):
    path = tmp_path / "app.log.gz"

    whole = gzip.compress(("\n".join(lines_of(11, 300)) + "\n").encode())
    path.write_bytes(whole[:-20])
    first = opened(path)

    again = opened(path)

    assert first.sources[0].trouble
    assert again.sources[0].trouble == first.sources[0].trouble
    assert told(again) == told(first)


TELLING = """
import sys
def tell(event, args):
    if event == "tempfile.mkdtemp" and "draft-" in args[0]:
        print("begun", flush=True)
        sys.stdin.readline()
sys.addaudithook(tell)
"""
"""What lets a process say that it begins to write an index, and wait there to be killed."""

BUILD = """
import os, sys
from logpith.corpus import columns, index
from logpith.corpus.desk import Desk
index.LEAST_BYTES = 0
corpus = Desk().open([sys.argv[1]])
print(len(corpus), corpus.lines, len(corpus.templates.templates))
"""


def test_two_processes_may_build_the_same_index_and_one_may_be_killed(tmp_path, compiled):
    compiled(tmp_path / "cache")
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(12, 60_000)) + "\n")
    command = [sys.executable, "-c", BUILD, str(path)]
    telling = [sys.executable, "-c", TELLING + BUILD, str(path)]
    killed = subprocess.Popen(telling, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert killed.stdout.readline() == b"begun\n"
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    killed.kill()
    killed.communicate()

    outputs = {process.communicate()[0] for process in both}

    assert len(outputs) == 1
    afterwards = subprocess.run(command, capture_output=True, check=True)
    assert outputs == {afterwards.stdout}
    assert afterwards.stdout.split()[1] == b"60000"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), count=st.integers(1, 80), data=st.data())
def test_signatures_never_hide_a_match(tmp_path_factory, seed, count, data):
    text = "\n".join(lines_of(seed, count)) + "\n"
    path = tmp_path_factory.mktemp("signed") / "app.log"
    path.write_text(text)
    start = data.draw(st.integers(0, len(text) - 1))
    needle = text[start : start + data.draw(st.integers(1, 12))].partition("\n")[0]
    corpus, plain = opened(path), read_anew(path)
    query = read_query(plain, f'"{needle}"' if needle.strip() and needle.isalnum() else "request", 0).query

    found = select(corpus, query)

    assert found.tolist() == select(plain, query).tolist()
    literal = needle.encode()

    if literal:
        ours = select(corpus, Substring(needle, ignore_case=False)).tolist()
        theirs = [place for place, raw in enumerate(plain.texts(range(len(plain)))) if literal in raw]
        assert ours == theirs


def test_a_cache_folder_holds_nothing_of_a_file_that_was_too_small(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "LEAST_BYTES", 1 << 20)
    path = tmp_path / "app.log"
    path.write_text("one line\n")

    opened(path)

    assert indexes() == []


def test_drafts_of_killed_writers_go_after_some_hours(tmp_path):
    home = cache.cache_dir() / "indexes"
    old, young = home / "draft-old", home / "draft-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, ns=(1, 1))
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(13, 60)) + "\n")

    opened(path)

    assert not old.exists()
    assert young.exists()


def test_arrays_of_an_index_are_read_only_where_they_are_looked_at(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines_of(14, 60)) + "\n")
    opened(path)
    corpus = opened(path)

    start = corpus.columns.start

    assert isinstance(start, np.ndarray)
    assert isinstance(start.base, np.memmap)
    assert Path(start.base.filename).parent == indexes()[0]
