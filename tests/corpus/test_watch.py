import pytest

from logpith.batch import make_batch
from logpith.corpus.select import select
from logpith.corpus.store_corpus import StoreCorpus
from logpith.corpus.watch import watching
from logpith.query import parse
from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader

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
