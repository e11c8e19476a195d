"""The store against a plain list: any order of appending, adding, sealing, compacting, dropping, reopening, reading."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from log_lines import log_lines
from logpith.batch import make_batch
from logpith.corpus.store_corpus import StoreCorpus
from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader
from logpith.store.segment import segment_table
from logpith.store.writer import TRASH_GRACE_NS
from logpith.timerange import NS_PER_D, NS_PER_S
from stores import DAY_NS, rows_in

LIMITS = StoreLimits(segment_records=24, seal_records=10, seal_age_ns=30 * NS_PER_S)
RECORDS = st.lists(
    st.tuples(
        log_lines(),
        st.none() | st.integers(0, 3 * NS_PER_D).map(lambda ns: DAY_NS + ns),
        st.integers(0, 24),
        st.sampled_from(("", "api")),
        st.sampled_from(({}, {}, {"team": "voice"}, {"n": 1})),
    ),
    max_size=6,
)
SOURCES = st.sampled_from(("f", "g"))
IDS = st.sampled_from(("", "", "x", "y", "z"))


class StoreMachine(RuleBasedStateMachine):
    """Each record has a number of its own in `extra`, so that none can stand for another."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.opened = ExitStack()
        self.now_ns = DAY_NS
        self.records = {}
        self.positions = {}
        self.ids = set()
        self.number = 0
        self.open()
        self.outside = StoreReader(self.folder)
        self.corpora = StoreCorpus(StoreReader(self.folder))

    def open(self):
        self.store = self.opened.enter_context(open_store(self.folder, limits=LIMITS))
        self.inside = StoreReader(self.folder, store=self.store)

    def batch(self, records, source):
        numbers = range(self.number, self.number + len(records))
        self.number += len(records)
        lines, times, severities, services, extras = zip(*records, strict=True) if records else [()] * 5
        return make_batch(
            lines,
            observed_ns=self.now_ns,
            source=source,
            timestamps=times,
            severities=severities,
            services=services,
            extras=[{**extra, "number": number} for extra, number in zip(extras, numbers, strict=True)],
        )

    def took(self, batch):
        self.records.update({row["extra"]: row for row in batch.to_pylist()})

    @rule(records=RECORDS, source=SOURCES, batch_id=IDS, has_position=st.booleans())
    def append(self, records, source, batch_id, has_position):
        batch = self.batch(records, source)
        position = (source, f"{self.number}") if has_position else None

        is_new = self.store.append(batch, position=position, batch_id=batch_id)

        assert is_new == (not batch_id or batch_id not in self.ids)
        if is_new:
            self.took(batch)
            self.ids.add(batch_id)
            if position:
                self.positions[source] = position[1]

    @rule(batches=st.lists(RECORDS, max_size=3), source=SOURCES)
    def add(self, batches, source):
        batches = [self.batch(records, source) for records in batches]
        self.positions[source] = f"{self.number}"

        self.store.add(batches, positions={source: self.positions[source]}, newest_ns=self.now_ns)

        for batch in batches:
            self.took(batch)

    @rule()
    def seal(self):
        self.store.seal(self.now_ns)

    @rule()
    def compact(self):
        self.store.compact(self.now_ns)

    @rule(passed_s=st.sampled_from((1, 10, 40, 400)))
    def maintain(self, passed_s):
        self.now_ns += passed_s * NS_PER_S
        self.store.maintain(self.now_ns)

    @precondition(lambda self: self.store.manifest.segments)
    @rule(data=st.data())
    def drop(self, data):
        entry = data.draw(st.sampled_from(self.store.manifest.segments))
        snapshot = self.outside.snapshot(self.now_ns)
        (segment,) = (one for one in snapshot.segments if one.name == entry.id)

        self.store.drop({entry.id: "age"}, self.now_ns)

        for extra in segment_table(segment)["extra"].to_pylist():  # it is still read
            del self.records[extra]

    @rule()
    def empty_trash(self):
        self.now_ns += TRASH_GRACE_NS
        self.store.empty_trash(self.now_ns)
        for path in (self.folder / "trash").iterdir():  # the clock has jumped
            assert abs(int(path.name.partition("-")[0]) - self.now_ns) < TRASH_GRACE_NS

    @rule()
    def reopen(self):
        self.opened.close()
        self.open()

    @rule(ahead=st.booleans())
    def the_clock_jumps(self, ahead):
        self.now_ns += (1 if ahead else -1) * 1_000 * NS_PER_S

    @invariant()
    def every_record_is_there_once(self):
        for reader in (self.inside, self.outside):
            snapshot = reader.snapshot(self.now_ns)
            rows = rows_in(snapshot.segments)
            assert snapshot.damaged == ()
            assert len(rows) == len(self.records)
            assert {row["extra"]: row for row in rows} == self.records

    @invariant()
    def a_corpus_has_them_too(self):
        corpus = self.corpora.open(self.now_ns)
        texts = corpus.texts(range(len(corpus)))
        assert sorted(texts) == sorted(row["line"] for row in self.records.values())

    @invariant()
    def each_source_is_where_it_got_to(self):
        assert {name: self.store.position(name) for name in self.positions} == self.positions

    def teardown(self):
        if hasattr(self, "opened"):
            self.opened.close()
            shutil.rmtree(self.folder)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=20, stateful_step_count=15, deadline=None, derandomize=True)


@pytest.mark.crash
@pytest.mark.timeout(3600)
class TestStoreMachineForLong(StoreMachine.TestCase):
    settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
