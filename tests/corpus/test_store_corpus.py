"""A store as a corpus: as it is at each moment, without what is damaged, which is named."""

import logging

import pytest

from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.corpus.select import select
from logpith.corpus.store_corpus import StoreCorpus
from logpith.query import parse
from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader
from logpith.store.segment_writer import DATA, HEAD, ROLLUP, SHAPES, TEMPLATES
from logpith.store.writer import segment_folder
from logpith.tools import tools
from logpith_emit.errors import Damaged
from stores import NOW_NS, batch_of


class StoreDesk(Desk):
    """A desk with nothing but a store."""

    def __init__(self, corpora):
        super().__init__()
        self._corpora = corpora

    def open(self, sources=(), *, whole_lines=False):
        return self._corpora.open(NOW_NS)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", limits=StoreLimits(segment_records=64)) as store:
        for name in ("anna", "bert", "carl"):
            store.append(batch_of(name, f"{name}-again"))
            store.seal(NOW_NS)
        yield store


@pytest.fixture
def corpora(store):
    return StoreCorpus(StoreReader(store.folder))


def damage(store, name):
    """Breaks a file of the second segment."""
    entry = store.manifest.segments[1]
    path = segment_folder(store.folder, entry) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    return entry.id


def names_found(corpus, text):
    found = corpus.texts(select(corpus, parse(text)).tolist())
    return [line.decode().partition(" ")[0] for line in found]


def test_a_corpus_is_the_store_at_its_moment(store, corpora):
    before = corpora.open(NOW_NS)
    store.append(batch_of("dora"))

    after = corpora.open(NOW_NS)

    assert names_found(before, "dora") == []
    assert names_found(after, "dora") == ["dora"]
    assert (len(before), len(after)) == (6, 7)


def test_as_long_as_nothing_changes_it_is_the_same(store, corpora):
    first = corpora.open(NOW_NS)

    assert corpora.open(NOW_NS + 1) is first
    assert corpora.open(NOW_NS, ["gateway: it does not answer"]) is not first
    assert corpora.open(NOW_NS, ["gateway: it does not answer"]).skipped == ("gateway: it does not answer",)
    store.append(batch_of("dora"))
    again = corpora.open(NOW_NS)
    assert [one.text for one in again.sources[:3]] == [one.text for one in first.sources]


def test_a_corpus_is_asked_on_while_the_store_is_put_together_anew(store, corpora):
    before = corpora.open(NOW_NS)
    store.append(batch_of("dora"))
    store.seal(NOW_NS)
    store.compact(NOW_NS)

    assert len(store.manifest.segments) == 1
    assert names_found(before, "again") == ["anna-again", "bert-again", "carl-again"]
    assert names_found(corpora.open(NOW_NS), "again") == ["anna-again", "bert-again", "carl-again"]


@pytest.mark.parametrize("name", [HEAD, TEMPLATES, SHAPES])
def test_a_segment_that_cannot_be_opened_is_named_and_the_others_answer(store, corpora, name):
    segment = damage(store, name)

    for _ in range(2):
        corpus = corpora.open(NOW_NS)
        assert names_found(corpus, "took") == ["anna", "anna-again", "carl", "carl-again"]
        assert corpus.skipped == (f"{segment}/{name} is damaged",)


def test_damage_that_is_found_while_a_question_is_answered_is_told_and_left_out_of_the_next(store, corpora):
    segment = damage(store, DATA)

    with pytest.raises(Damaged, match=segment):
        names_found(corpora.open(NOW_NS), "took")

    corpus = corpora.open(NOW_NS)
    assert names_found(corpus, "took") == ["anna", "anna-again", "carl", "carl-again"]
    assert [told.partition(" ")[0] for told in corpus.skipped] == [f"{segment}/{DATA}"]


@pytest.mark.parametrize("name", [HEAD, TEMPLATES, SHAPES, DATA])
@pytest.mark.parametrize(
    "question", [("log_grep", {"pattern": "anna"}), ("log_overview", {}), ("log_fetch", {})]
)
def test_a_tool_answers_without_what_is_damaged_and_says_so(store, corpora, name, question, caplog):
    segment = damage(store, name)
    tool, arguments = question

    with caplog.at_level(logging.ERROR):
        answer = ask(build(tools()[tool], arguments), StoreDesk(corpora))

    assert answer.coverage.records == 4
    assert any(told.startswith(f"{segment}/{name} is damaged") for told in answer.coverage.skipped)


def test_a_count_that_reads_a_damaged_rollup_is_answered_too(store, corpora):
    segment = damage(store, ROLLUP)

    answer = ask(build(tools()["log_timeline"], {}), StoreDesk(corpora))

    assert answer.coverage.records in (4, 6)
    if answer.coverage.records == 4:
        assert any(told.startswith(segment) for told in answer.coverage.skipped)
