"""Some records: looked up for them alone, they are what the columns of all records say."""

import io
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import DAY_NS, NOW_NS

from logpith.batch import make_batch
from logpith.corpus.reading import CorpusReader
from logpith.corpus.records import join_tables
from logpith.corpus.some import Some
from logpith.corpus.stored import source_of_segment
from logpith.files.text import TextStream
from logpith.store.rows import rows_of, table_of
from logpith.store.segment import Segment
from logpith.store.segment_writer import build_segment

NAMES = ("time_ns", "severity", "shape", "service", "origin")
RECORDS = 60
SEGMENTS = 3


def lines_of(part):
    said = ("ERROR quota gone", "call finished in 3 ms", "WARN: disk 7 is full", "bye")
    return [f"{said[(place * 7 + part) % len(said)]} {place}".encode() for place in range(RECORDS)]


@cache
def _built():
    made = []
    for part in range(SEGMENTS):
        # Some records have no time, some no service, and each segment's lists are in an order of its own.
        times = [None if place % 11 == 5 else DAY_NS + place * 10**9 for place in range(RECORDS)]
        services = [("", "api", "db")[(place + part) % 3] for place in range(RECORDS)]
        batch = make_batch(
            lines_of(part), observed_ns=NOW_NS, source=f"log{part % 2}", timestamps=times, services=services
        )
        made.append(build_segment(rows_of(table_of([batch])), f"n{part}", 20_000, NOW_NS, block_records=4))
    return made


def stored_corpus():
    """A corpus of a store, of which nothing was read yet."""
    return join_tables([source_of_segment(Segment.of(built)) for built in _built()])


@cache
def read_corpus():
    texts = [
        TextStream.drain(io.BytesIO(b"".join(line + b"\n" for line in lines_of(part))), f"log{part}", NOW_NS)
        for part in range(SEGMENTS)
    ]
    return CorpusReader(may_keep=False).read(texts)


@pytest.fixture(scope="module", params=[stored_corpus, read_corpus], ids=["a store", "files"])
def make(request):
    return request.param


@given(chosen=st.sets(st.integers(0, SEGMENTS * RECORDS - 1)))
def test_columns_of_some_are_parts_of_the_columns_of_all(make, chosen):
    records = np.array(sorted(chosen), np.int64)
    whole, corpus = make(), make()

    some = Some(corpus, records)

    for name in NAMES:
        told = whole.severity if name == "severity" else getattr(whole.columns, name)
        assert getattr(some, name).tolist() == told[records].tolist(), name
        assert getattr(some, name).dtype == told.dtype
    assert some.template.tolist() == whole.template[records].tolist()
    assert [corpus.severity_of(record) for record in records.tolist()] == whole.severity[records].tolist()


def test_of_a_store_only_the_blocks_of_the_chosen_records_are_read():
    corpus = stored_corpus()
    records = np.array([RECORDS + 9, RECORDS + 11])

    found = Some(corpus, records).time_ns

    assert not any(source.table.columns.was_read("time_ns") for source in corpus.sources)
    assert found.tolist() == corpus.columns.time_ns[records].tolist()
