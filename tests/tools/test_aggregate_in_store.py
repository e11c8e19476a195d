"""The tools over all services say of a store what they say of the files that were put into it."""

import pytest

from logpith.answer import to_text
from logpith.app import ask
from logpith.batch import make_batch
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.corpus.store_corpus import StoreCorpus
from logpith.demo import Day, write_day
from logpith.store import open_store
from logpith.store.reader import StoreReader
from logpith.timerange import parse_time
from logpith.tools import tools

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)
SECOND = 10**9


class StoredDesk(Desk):
    """A desk with the corpus of a store."""

    def __init__(self, corpora):
        super().__init__()
        self.corpora = corpora

    def now_ns(self):
        return END_NS

    def open(self, sources=(), *, whole_lines=False):
        return self.corpora.open(END_NS)


def batch_of(corpus, source, observed_ns):
    """The records of a file, as a pipeline hands them to the store."""
    numbers = range(source.first, source.first + source.records)
    times = source.table.columns["time_ns"].tolist()
    return make_batch(
        corpus.texts(list(numbers)),
        observed_ns=observed_ns,
        source=source.name.rpartition("/")[2].removesuffix(".log"),
        timestamps=times,
        severities=corpus.severity[source.first : source.first + source.records].tolist(),
        services=[corpus.service_of(record) for record in numbers],
    )


@pytest.fixture
def day(tmp_path):
    """Files, and the store with the same records."""
    folder = tmp_path / "day"
    truth = write_day(Day(lines=5_000, end_ns=END_NS), folder)
    corpus = Desk().open([str(folder / "*.log")])
    with open_store(tmp_path / "store") as store:
        for place, source in enumerate(corpus.sources):
            store.append(batch_of(corpus, source, END_NS + place * SECOND))
        yield folder, truth, store, StoredDesk(StoreCorpus(StoreReader(tmp_path / "store", store=store)))


def counts(told):
    return told.items[0]["services"], told.items[0]["severities"], told.summary


@pytest.mark.parametrize(
    "arguments", [{"query": "quota_exceeded"}, {"query": "error OR quota OR failed"}, {"level": "warn"}]
)
def test_a_search_counts_the_same(day, arguments):
    folder, _, _, desk = day

    files = ask(
        build(tools()["search_logs"], {"sources": [str(folder / "*.log")], "budget": 20_000, **arguments}),
        Desk(),
    )
    stored = ask(build(tools()["search_logs"], {"budget": 20_000, **arguments}), desk)

    assert counts(stored) == counts(files)


def test_a_call_is_the_same_story(day):
    folder, _, _, desk = day
    line = [
        line for line in (folder / "voice-pipeline.log").read_text().splitlines() if "quota_exceeded" in line
    ][-1]
    call_id = line.partition("call=")[2].partition(" ")[0]

    files = ask(
        build(tools()["get_call_logs"], {"call_id": call_id, "sources": [str(folder / "*.log")]}), Desk()
    )
    stored = ask(build(tools()["get_call_logs"], {"call_id": call_id}), desk)

    assert [item.get("text") for item in stored.items] == [item.get("text") for item in files.items]
    assert stored.items[0]["services"] == files.items[0]["services"]


def test_triage_and_meaning_name_the_cause(day):
    _, truth, _, desk = day

    told = ask(build(tools()["triage"], {"since": "9h"}), desk)
    meant = ask(build(tools()["search_logs"], {"meaning": "ran out of credits"}), desk)

    assert truth.cause in to_text(told)
    assert truth.cause in meant.items[1]["text"]


def test_the_cursor_gives_what_has_come_since_also_after_the_store_was_put_in_order(day):
    _, _, store, desk = day
    first = ask(build(tools()["tail_logs"], {"lines": 1}), desk)
    late = make_batch(
        [b"late 1", b"late 2"],
        observed_ns=END_NS + 100 * SECOND,
        source="late",
        timestamps=[END_NS - 5_000 * SECOND, END_NS - 6_000 * SECOND],
    )
    store.append(late)
    store.maintain(END_NS + 4 * 3600 * SECOND)

    second = ask(build(tools()["tail_logs"], {"cursor": first.cursor, "lines": 1}), desk)
    third = ask(build(tools()["tail_logs"], {"cursor": second.cursor}), desk)
    fourth = ask(build(tools()["tail_logs"], {"cursor": third.cursor}), desk)

    assert len(second.items) == len(third.items) == 1
    assert {item["text"] for item in (*second.items, *third.items)} == {"late 1", "late 2"}
    assert not fourth.items
