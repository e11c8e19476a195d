"""Queries asked of segments find what their meaning says of each record, and what a file of the same lines finds."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from log_lines import log_lines
from logpith.batch import make_batch, with_column
from logpith.corpus.reading import CorpusReader
from logpith.corpus.records import join_tables
from logpith.corpus.segment_query import SegmentQuery
from logpith.corpus.select import ALWAYS, ask_window, newest, select
from logpith.corpus.store_corpus import StoreCorpus
from logpith.corpus.stored import source_of_segment
from logpith.corpus.view import CorpusRecordView
from logpith.files.text import TextStream
from logpith.query import column_predicates, matches, parse
from logpith.scan.timestamps import NO_TIME
from logpith.store import StoreLimits, open_store
from logpith.store.reader import StoreReader
from logpith.store.rows import rows_of, table_of
from logpith.store.segment import Segment, segment_table
from logpith.store.segment_writer import build_segment
from logpith.timerange import NS_PER_D, TimeRange
from logpith_emit.disk import Disk
from logpith_emit.errors import Refused
from strategies import queries

DAY = 20_777  # 2026-11-20, the day of the times in `log_lines`
DAY_NS = DAY * NS_PER_D
SECOND_NS = DAY_NS + (13 * 3600 + 45 * 60 + 2) * 10**9
NOW_NS = DAY_NS + NS_PER_D
BLOCK = 4
FORMAT_1 = Path(__file__).parents[1] / "store" / "format_1"

TIMES = st.one_of(
    st.none(),
    st.integers(0, NS_PER_D - 1).map(lambda ns: DAY_NS + ns),
    st.sampled_from(
        (SECOND_NS, SECOND_NS + 123_000_000, SECOND_NS + 123_456_789, SECOND_NS + 100_000_000, DAY_NS)
    ),
)
EXTRAS = st.sampled_from(
    (
        {},
        {},
        {},
        {"team": "voice"},
        {"user": "error", "n": 5},
        {"host": "web-1"},
        {"level": "warn"},
        {"deep": {"er": "quota"}},
        {"time": "2026-11-20T13:45:02Z"},
        {"service": "api"},
        {"ms": 99},
    )
)
RECORDS = st.lists(
    st.tuples(
        log_lines(),
        TIMES,
        st.integers(0, 24),
        st.sampled_from(("", "api", "db")),
        st.sampled_from(("f", "g")),
        EXTRAS,
    ),
    min_size=1,
    max_size=15,
)
LIKELY = st.sampled_from(
    (
        "quota",
        "error",
        "refused",
        "kelvin",
        "nquota",
        "café",
        "größer",
        "10.0.0.1",
        "13:45:02",
        "45",
        "2026-11-20",
        '"connection-refused"',
        '"user=error"',
        "12*",
        "blk_*",
        "*uota",
        "/quota/",
        "/[0-9]+ms/",
        "/^error/",
        "*",
        "NOT quota",
        "quota OR error",
        "* OR 10.0.0.1",
        "level>=warn",
        "level:error OR quota",
        "NOT (user:error OR level:warn)",
        "service:api",
        "service:*",
        "source:f",
        "source:f quota",
        "user:error",
        "user:*",
        "msg:quota",
        "team:voice",
        "host:web-1",
        "deep.er:quota",
        "ms>=10",
        "ms<7",
        "ms=7",
        "ms=007",
        "ms!=7",
        "status:200",
        "status:[1 TO 300]",
        "http.status>=7",
        "http.status=200",
        "ratio<1",
        "ratio=1.50",
        "a<100",
        "a=-3",
        "id=250",
        "id:/a/",
        "timestamp>=2026-11-20T13:45:02Z",
        "timestamp:[2026-11-20T13:45:00Z TO 2026-11-20T13:46:00Z]",
        "timestamp>=2026-11-20T13:45:02Z quota",
    )
).map(lambda text: parse(text, now_ns=NOW_NS))
QUERIES = st.lists(LIKELY | queries(), min_size=1, max_size=5)
PERIODS = st.builds(TimeRange, st.none() | TIMES, st.none() | TIMES)


def batch_of(records):
    lines, times, severities, services, sources, extras = zip(*records, strict=True)
    batch = make_batch(
        lines,
        observed_ns=DAY_NS + 5,
        source="f",
        timestamps=times,
        severities=severities,
        services=services,
        extras=extras,
    )
    return with_column(batch, "source", pa.array(sources, pa.string()))


def corpus_of(*parts):
    """A corpus of segments in memory, of small blocks."""
    return join_tables(
        [
            source_of_segment(segment_of(table_of([batch_of(records)]), f"n{n}"))
            for n, records in enumerate(parts)
        ]
    )


def segment_of(table, name="n"):
    """A segment of small blocks whose values are in many parts."""
    rows = rows_of(table)
    return Segment.of(build_segment(rows, name, DAY, NOW_NS, block_records=BLOCK, least_part_bytes=1))


def meant(corpus, query):
    """The records that match, by the reference meaning asked of each."""
    texts = corpus.texts(range(len(corpus)))
    return [
        record for record, text in enumerate(texts) if matches(query, CorpusRecordView(corpus, record, text))
    ]


def inside(corpus, records, period):
    times = corpus.columns.time_ns
    return [
        record
        for record in records
        if period.is_open
        or (
            times[record] != NO_TIME
            and (period.start_ns is None or times[record] >= period.start_ns)
            and (period.end_ns is None or times[record] < period.end_ns)
        )
    ]


def check(parts, asked, period, limit):
    corpus = corpus_of(*parts)
    times = corpus.columns.time_ns
    for query in asked:
        expected = meant(corpus, query)
        assert select(corpus, query).tolist() == expected, str(query)

        within = inside(corpus, expected, period)
        assert select(corpus, query, period).tolist() == within, str(query)
        by_time = sorted(within, key=lambda record: (int(times[record]), record), reverse=True)
        assert newest(corpus, query, period, limit).tolist() == by_time[:limit], str(query)


QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@QUICK
@given(st.lists(RECORDS, min_size=1, max_size=2), QUERIES, PERIODS, st.integers(1, 10))
def test_a_query_finds_what_its_meaning_says(parts, asked, period, limit):
    check(parts, asked, period, limit)


@pytest.mark.fuzz
@pytest.mark.timeout(7200)
@settings(QUICK, max_examples=5_000, derandomize=False)
@given(st.lists(RECORDS, min_size=1, max_size=3), QUERIES, PERIODS, st.integers(1, 10))
def test_any_query_finds_what_its_meaning_says(parts, asked, period, limit):
    check(parts, asked, period, limit)


@QUICK
@given(RECORDS, QUERIES, PERIODS)
def test_what_templates_say_for_certain_is_what_is_found(records, asked, period):
    corpus = corpus_of(records)
    (source,) = corpus.sources
    columns = source.table.columns
    for query in asked:
        predicates, rest = column_predicates(query)
        predicates = replace(predicates, time=predicates.time.intersect(period))
        asking = SegmentQuery(corpus, source, predicates, rest, ask_window)
        chosen = select(corpus, query, period)

        expected = asking.certain[columns["template"]]
        if asking.is_certain:
            assert chosen.tolist() == np.flatnonzero(expected).tolist(), str(query)
        elif period == ALWAYS:
            assert set(np.flatnonzero(expected)) <= set(chosen.tolist()), str(query)


# ── Files ──────────────────────────────────────────────────────────────────────────────────────────────────────


def file_of(lines):
    try:
        text = TextStream.drain(io.BytesIO(b"\n".join(lines)), "f", NOW_NS)
    except Refused:  # it is taken for something else than text
        reject()
    return CorpusReader().read([text])


def stored_like(corpus):
    """The records of a corpus, as a batch."""
    columns = corpus.columns
    count = len(corpus)
    return make_batch(
        corpus.texts(range(count)),
        observed_ns=DAY_NS + 5,
        source="f",
        timestamps=[None if time == NO_TIME else time for time in columns.time_ns.tolist()],
        severities=corpus.severity.tolist(),
        services=[corpus.service_of(record) for record in range(count)],
    )


@QUICK
@given(st.lists(log_lines(one_line=True), min_size=1, max_size=25), QUERIES)
def test_a_store_finds_what_a_file_of_the_same_records_finds(lines, asked):
    file = file_of(lines)
    assume(len(file) > 0)
    # A header line names the columns of those behind it; in a store it is a line like others.
    assume(not file.sources[0].columns)
    batch = stored_like(file)
    store = join_tables([source_of_segment(segment_of(table_of([batch])))])
    by_place = segment_order(batch)

    for query in asked:
        of_file = set(select(file, query).tolist())
        of_store = {by_place[record] for record in select(store, query).tolist()}
        assert of_store == of_file, str(query)


def segment_order(batch):
    """The place in a batch of each row of its segment: by time, undated ones behind the one before."""
    filled, last = [], NO_TIME
    for time in batch["timestamp"].to_pylist():
        last = last if time is None else time
        filled.append(last)
    return sorted(range(batch.num_rows), key=lambda place: filled[place])


# ── The first format ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "asked",
    [
        "ms>=100",
        "status:500",
        "ms:111",
        "NOT ms>100",
        "/by [0-9]*6%/",
        "/er.*u[0-9]/",
        "quota",
        "u7",
        "another",
    ],
)
def test_a_segment_of_the_first_format_is_asked_as_one_of_today(asked):
    old = Segment.open(FORMAT_1, Disk())
    query = parse(asked, now_ns=NOW_NS)

    found, meant = (
        select(join_tables([source_of_segment(segment)]), query).tolist()
        for segment in (old, segment_of(segment_table(old)))
    )

    assert found == meant
    assert found


# ── A whole store ──────────────────────────────────────────────────────────────────────────────────────────────


@settings(QUICK, max_examples=15)
@given(st.lists(RECORDS, min_size=3, max_size=6), QUERIES, PERIODS, st.integers(1, 10))
def test_sealed_compacted_and_hot_records_are_asked_alike(tmp_path_factory, parts, asked, period, limit):
    folder = tmp_path_factory.mktemp("store")
    with open_store(folder, limits=StoreLimits(segment_records=200)) as store:
        corpora = StoreCorpus(StoreReader(folder))
        for place, records in enumerate(parts):
            store.append(batch_of(records))
            if place % 3 == 0:
                store.seal(NOW_NS)
        check_store(corpora.open(NOW_NS), parts, asked, period, limit)
        store.seal(NOW_NS)
        store.compact(NOW_NS)
        check_store(corpora.open(NOW_NS), parts, asked, period, limit)


def check_store(corpus, parts, asked, period, limit):
    lines = sorted(line for records in parts for line, *_ in records)
    assert sorted(corpus.texts(range(len(corpus)))) == lines
    times = corpus.columns.time_ns
    for query in asked:
        expected = inside(corpus, meant(corpus, query), period)
        assert select(corpus, query, period).tolist() == expected, str(query)
        by_time = sorted(expected, key=lambda record: (int(times[record]), record), reverse=True)
        assert newest(corpus, query, period, limit).tolist() == by_time[:limit], str(query)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quota", {"anna", "bert"}),
        ("ms>=100", {"bert"}),
        ("ms<100", {"anna"}),
        ("user:bert", {"bert"}),
        ("team:voice", {"bert"}),
        ("service:db", {"carl"}),
        ("source:g", {"bert"}),
        ("level>=error", {"anna"}),
        ("2026-11-20T13*", {"bert"}),
        ("timestamp>=2026-11-20", {"anna", "bert"}),
        ("NOT quota", {"carl"}),
        ("absent", set()),
    ],
)
def test_a_query_is_asked_of_text_columns_and_what_was_added(text, expected):
    corpus = corpus_of(
        [
            (b'{"ms":12,"user":"anna","msg":"quota exceeded"}', SECOND_NS, 17, "api", "f", {}),
            (b"2026-11-20T13:45:02Z user=bert ms=250 quota ok", SECOND_NS, 9, "", "g", {"team": "voice"}),
            (b"carl did nothing", None, 0, "db", "f", {}),
        ]
    )

    found = corpus.texts(select(corpus, parse(text)).tolist())

    assert {name for name in ("anna", "bert", "carl") for line in found if name.encode() in line} == expected
