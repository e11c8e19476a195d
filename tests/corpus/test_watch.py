import re

import pyarrow.parquet as pq
import pytest

from logpith.app import ask
from logpith.batch import make_batch
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.corpus.select import select
from logpith.corpus.store_corpus import StoreCorpus
from logpith.corpus.watch import watching
from logpith.query import parse
from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader
from logpith.timerange import TimeRange
from logpith.tools import tools

NOW = 1_790_000_000_000_000_000


@pytest.fixture
def corpus(tmp_path):
    limits = StoreLimits(segment_records=100)
    lines = [b"call %d failed for user-%d" % (number, number % 7) for number in range(300)]
    with open_store(tmp_path / "store", limits=limits) as store:
        store.add([make_batch(lines, observed_ns=NOW, source="app")], newest_ns=NOW)
    return StoreCorpus(StoreReader(tmp_path / "store")).open(NOW)


def query(text):
    return parse(text, now_ns=NOW)


def test_what_a_question_has_looked_at_is_counted(corpus):
    with watching() as watch:
        found = select(corpus, query("user-3"))

    assert len(found) == len([number for number in range(300) if number % 7 == 3])
    assert watch.scanned.segments == len(corpus.sources) == 3
    assert watch.scanned.blocks == 3
    assert watch.trouble == ""


def test_a_word_that_is_nowhere_reads_no_block(corpus):
    with watching() as watch:
        assert not len(select(corpus, query("nowhere")))

    assert watch.scanned.blocks == 0


def test_a_question_without_time_answers_with_what_it_has_and_says_so(corpus):
    with watching(limit_s=0) as watch:
        found = select(corpus, query("user-3"))

    assert not len(found)
    assert watch.scanned.blocks_left == 3
    assert watch.trouble == "stopped after 0 s: 3 of 3 blocks of the store not read; ask for a shorter period"


class TestTheSameQuestionAgain:
    """By what is read, and not by the clock."""

    @pytest.fixture
    def store(self, tmp_path):
        with open_store(tmp_path / "store", limits=StoreLimits(segment_records=20_000)) as store:
            lines = [b"call %d failed for user-%d after %d ms" % (n, n % 700, n % 97) for n in range(60_000)]
            times = [NOW + number for number in range(len(lines))]
            store.add([make_batch(lines, observed_ns=NOW, source="app", timestamps=times)], newest_ns=NOW)
            yield store

    @pytest.fixture
    def asked(self, store):
        """asked(query, since): how many records match, and the watch over it; each time of the store as it is then."""
        corpora = StoreCorpus(StoreReader(store.folder, store=store))

        def run(text, start_ns=None):
            with watching() as watch:
                found = select(corpora.open(NOW), query(text), TimeRange(start_ns, None))
            return len(found), watch

        return run

    @pytest.mark.parametrize(
        "text", ["user-3", 'call -"after 3 ms"', "/user-3[0-9] /", "NOT user-3", '"failed for user-69"']
    )
    def test_of_sealed_segments_a_fifth_is_read_at_most(self, asked, text):
        count, first = asked(text)
        again, second = asked(text)

        assert again == count > 0
        assert first.meter.read_bytes > 100_000
        assert first.scanned.blocks > 0
        assert second.meter.read_bytes * 5 <= first.meter.read_bytes
        assert second.scanned.blocks * 5 <= first.scanned.blocks
        assert second.scanned.rows_rebuilt * 5 <= max(first.scanned.rows_rebuilt, 0)

    def test_of_a_whole_answer_a_fifth_is_read_at_most(self, store, caplog):
        class StoredDesk(Desk):
            corpora = StoreCorpus(StoreReader(store.folder, store=store))

            def open(self, sources=(), *, whole_lines=False):
                return self.corpora.open(NOW)

        desk = StoredDesk()
        desk.slow_s = 0.0
        question = build(tools()["search_logs"], {"query": "user-3"})

        answers = [ask(question, desk) for _ in range(2)]

        assert answers[0] == answers[1]
        told = [record.getMessage() for record in caplog.records if record.name == "logpith.app"]
        first, second = (re.search(r"([\d.]+) (k?B) from the disk", text).groups() for text in told)
        assert first[1] == "kB"
        assert float(second[0]) * (1000 if second[1] == "kB" else 1) * 5 <= float(first[0]) * 1000

    def test_a_new_record_is_found_at_once(self, asked, store):
        count, _ = asked("user-3")

        for number in range(3):
            store.append(make_batch([b"call failed for user-3"], observed_ns=NOW, source="app"))
            found, watch = asked("user-3")
            assert found == count + number + 1
            assert watch.scanned.segments == 1  # what is new, only

        store.seal(NOW)
        assert asked("user-3")[0] == count + 3

    def test_a_period_that_moves_on_asks_only_segments_at_its_border(self, asked):
        asked("user-3", NOW - 5)

        _, later = asked("user-3", NOW - 4)
        _, inside = asked("user-3", NOW + 10)

        assert later.scanned.segments == 0
        assert inside.scanned.segments == 1

    def test_other_questions_are_other_questions(self, asked):
        counts = {
            text: asked(text)[0] for text in ("user-3", "user-4 AND ms", "level>=error", "user-3 OR user-4")
        }

        assert {text: asked(text)[0] for text in reversed(counts)} == counts
        assert len(set(counts.values())) > 1

    def test_what_there_was_no_time_for_is_not_taken_for_all(self, store):
        corpora = StoreCorpus(StoreReader(store.folder, store=store))
        with watching(limit_s=0) as hurried:
            assert not len(select(corpora.open(NOW), query("user-3")))

        with watching():
            found = select(corpora.open(NOW), query("user-3"))

        assert hurried.scanned.blocks_left
        assert len(found) == len([number for number in range(60_000) if number % 700 == 3])


def test_bytes_that_are_read_are_those_of_the_columns_on_the_disk(corpus, tmp_path):
    segment = corpus.sources[0].text.segment
    template = segment.column("template").to_numpy()
    with watching() as watch:
        segment.values(range(segment.blocks), template)

    (file,) = [path for path in tmp_path.rglob("values.parquet") if path.parent.name == segment.name]
    metadata = pq.read_metadata(file)
    (sizes,) = {
        metadata.row_group(0).column(place).total_compressed_size
        for place in range(metadata.num_columns)
        if metadata.schema.column(place).path.startswith("values")
    }
    assert watch.meter.read_bytes == sizes > 0
