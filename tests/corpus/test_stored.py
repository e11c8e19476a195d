"""Segments as sources: their text and columns are what a text of the same lines would have."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_lines import log_lines
from logpith.batch import make_batch
from logpith.corpus.columns import NONE
from logpith.corpus.records import join_tables
from logpith.corpus.stored import source_of_segment
from logpith.scan.records import PADDING
from logpith.scan.timestamps import NO_TIME
from logpith.store.rows import rows_of, table_of
from logpith.store.segment import Segment
from logpith.store.segment_writer import build_segment
from stores import DAY_NS, NOW_NS

LINES = st.lists(log_lines(), min_size=1, max_size=20)
SERVICES = ("", "api", "größer")
EXTRAS = ({}, {"team": "voice"}, {}, {"n": 1})


def source_with(lines, block_records=3, **columns):
    batch = make_batch(lines, observed_ns=NOW_NS, source="app", **columns)
    built = build_segment(rows_of(table_of([batch])), "name", 20_000, NOW_NS, block_records=block_records)
    return source_of_segment(Segment.of(built))


def octets(buf, end):
    return bytes(buf[:end])


@given(LINES, st.integers(1, 6), st.data())
def test_its_text_is_its_lines_behind_each_other(lines, block_records, data):
    text = source_with(lines, block_records).text
    whole = b"".join(line + b"\n" for line in lines)

    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, len(whole)))
    assert bytes(text.read(start, end)) == whole[start:end] + b"\n" + bytes(PADDING)
    blocks = list(text.blocks())
    assert b"".join(octets(block.buf, block.end) for block in blocks) == whole
    assert [block.base for block in blocks] == list(
        itertools.accumulate((block.end for block in blocks[:-1]), initial=0)
    )
    assert [block.last for block in blocks] == [False] * (len(blocks) - 1) + [True]
    rows = sorted(data.draw(st.sets(st.integers(0, len(lines) - 1), min_size=1)))
    assert text.texts(np.array(rows)) == [lines[row] for row in rows]
    buf, size = text.lines(np.array(rows))
    assert octets(buf, size) == b"".join(lines[row] + b"\n" for row in rows)


@given(LINES, st.integers(1, 6), st.data())
def test_parts_of_its_text_are_read_by_their_places(lines, block_records, data):
    text = source_with(lines, block_records).text
    whole = b"".join(line + b"\n" for line in lines)
    places = st.integers(0, len(whole) - 1)
    spans = sorted(
        (min(pair), max(pair)) for pair in data.draw(st.lists(st.tuples(places, places), max_size=6))
    )

    assert text.parts(spans) == [whole[start:end] for start, end in spans]


@given(LINES, st.integers(1, 6))
def test_its_columns_say_where_each_record_stands(lines, block_records):
    source = source_with(lines, block_records)
    columns = source.table.columns

    starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
    counts = [line.count(b"\n") + 1 for line in lines]
    assert columns["start"].tolist() == starts[:-1]
    assert columns["length"].tolist() == [len(line) for line in lines]
    assert columns["line"].tolist() == list(itertools.accumulate(counts[:-1], initial=1))
    assert (source.lines, source.size_bytes, source.records) == (sum(counts), starts[-1], len(lines))
    corpus = join_tables([source])
    assert corpus.columns.lines.tolist() == counts
    assert corpus.texts(range(len(lines))) == lines


@given(
    st.lists(
        st.tuples(log_lines(), st.integers(0, 24), st.sampled_from(SERVICES), st.sampled_from(EXTRAS)),
        min_size=1,
        max_size=20,
    )
)
def test_its_columns_say_what_is_known_of_each_record(records):
    lines, severities, services, extras = map(list, zip(*records, strict=True))
    times = [None if place % 3 == 1 else DAY_NS + place for place in range(len(lines))]
    source = source_with(lines, timestamps=times, severities=severities, services=services, extras=extras)
    columns = source.table.columns

    assert columns["time_ns"].tolist() == [NO_TIME if time is None else time for time in times]
    assert columns["observed_ns"].tolist() == [NOW_NS] * len(lines)
    assert columns["severity"].tolist() == severities
    assert [
        source.table.services[code - 1] if code else "" for code in columns["service"].tolist()
    ] == services
    assert [source.extra_of(place) for place in range(len(lines))] == extras
    assert {source.origin_of(place) for place in range(len(lines))} == {"app"}
    corpus = join_tables([source])
    assert [corpus.service_of(place) for place in range(len(lines))] == services
    assert (columns["shape"] != NONE).all()


def test_records_of_several_segments_stand_behind_each_other():
    first = source_with([b"a", b"b"], timestamps=[DAY_NS, DAY_NS + 1], services=["api", ""])
    second = source_with([b"c"], timestamps=[DAY_NS], services=["db"])

    corpus = join_tables([first, second])

    assert corpus.texts([0, 1, 2]) == [b"a", b"b", b"c"]
    assert [corpus.service_of(record) for record in range(3)] == ["api", "", "db"]
    assert corpus.origins == ("app",)
    assert corpus.is_stored


@pytest.mark.parametrize("lines", [[b""], [b"", b""], [b"\x11"], [b"\n\n"], [b"x" * 100_000]])
def test_odd_records_are_read(lines):
    source = source_with(lines)

    assert source.text.texts(np.arange(len(lines))) == lines
    assert source.lines == sum(line.count(b"\n") + 1 for line in lines)
