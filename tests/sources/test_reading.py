"""Reading lines as the files' own scan does, into batches."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import MOST_RECORDS, SCHEMA
from logpith.scan.records import PADDING
from logpith.sources.reading import LineReader, as_block, attributes_of
from logpith_emit.errors import BadArgument

NOW = 1_795_000_000_000_000_000
TRACE = b"""2026-11-20T10:00:00Z ERROR pay.api request failed
Traceback (most recent call last):
  File "pay.py", line 7, in pay
ValueError: no credit
2026-11-20T10:00:01Z INFO pay.api next
"""


def read(text, **settings):
    return LineReader("logs", **settings).read_text(text, NOW)


def test_a_record_is_its_text_and_what_was_read_of_it():
    found = read(TRACE, service="payments", extra={"host.name": "web-1"})

    rows = found.batch.to_pylist()
    assert found.batch.schema.equals(SCHEMA)
    assert [row["line"] for row in rows] == [TRACE[: TRACE.index(b"\n2026")], TRACE.splitlines()[-1]]
    assert rows[0]["timestamp"] == 1_795_168_800_000_000_000
    assert rows[0]["severity_number"] == 17
    assert rows[0]["observed_timestamp"] == NOW
    assert rows[0]["source"] == "logs"
    assert json.loads(rows[0]["extra"]) == {"host.name": "web-1"}
    assert found.lines.tolist() == [4, 1]


def test_the_service_of_the_settings_fills_only_records_that_name_none():
    text = b'{"time":"2026-11-20T10:00:00Z","service":"gateway","msg":"a"}\n{"time":"2026-11-20T10:00:01Z","msg":"b"}\n'

    found = read(text, service="fallback")

    assert found.batch["service"].to_pylist() == ["gateway", "fallback"]


def test_a_record_without_a_level_has_the_level_word_that_its_body_begins_with():
    reader = LineReader("logs")
    for text in (b"ERROR: disk full on sda\nall is well\n", b"all is well\nERROR: disk full on sdb\n"):
        rows = reader.read_text(text, NOW).batch.to_pylist()

        assert {row["line"][:3]: row["severity_number"] for row in rows} == {b"ERR": 17, b"all": 0}


def test_a_time_that_is_not_known_is_null():
    assert read(b"no time here\n").batch["timestamp"].to_pylist() == [None]


def test_pieces_of_a_line_that_containerd_has_cut_are_one_record():
    text = (
        b"2026-11-20T10:00:00.1Z stdout F whole\n"
        b"2026-11-20T10:00:00.2Z stdout P first \n"
        b"2026-11-20T10:00:00.3Z stdout F second\n"
        b"2026-11-20T10:00:00.4Z stdout F whole again\n"
    )

    assert len(read(text)) == 3


def test_many_records_come_in_batches_of_bounded_size_with_their_places():
    lines = [b"2026-11-20T10:00:00Z INFO n=%d" % n for n in range(MOST_RECORDS + 10)]
    text = b"\n".join(lines) + b"\n"

    found = read(text)
    parts = list(found.parts(len(found)))

    assert [batch.num_rows for batch, _ in parts] == [MOST_RECORDS, 10]
    assert [behind for _, behind in parts] == [text.index(lines[MOST_RECORDS]), len(text)]
    assert [text for batch, _ in parts for text in batch["line"].to_pylist()] == lines


def test_a_reader_that_looked_back_reads_as_one_that_read_all():
    before = b"".join(b"2026-11-20T10:00:00Z INFO line %d\n" % n for n in range(50))
    news = b"2026-11-20T10:00:01Z INFO failed\nundated words that go on\n"
    fresh = LineReader("logs")
    fresh.look_back(before, NOW)

    assert len(fresh.read_text(news, NOW)) == 1


line_ends = st.sampled_from([b"\n", b"\r\n", b"\r\r\r\n"])
texts = st.lists(
    st.tuples(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), line_ends), min_size=1
)


@given(texts)
def test_nothing_but_line_ends_is_lost_of_any_bytes(lines):
    text = b"".join(line + end for line, end in lines)

    found = read(text)

    assert found.ends[-1] == len(text)
    rows = found.batch["line"].to_pylist()
    starts = [0, *found.ends[:-1].tolist()]
    for row, start, behind in zip(rows, starts, found.ends.tolist(), strict=True):
        whole = text[start:behind]
        assert whole.startswith(row)
        assert set(whole[len(row) :]) <= set(b"\r\n")
    assert found.lines.sum() == len(lines)


def test_a_block_is_read_from_its_middle():
    buf, end = as_block(b"skipped\n2026-11-20T10:00:00Z INFO kept\n")

    found = LineReader("logs").read(buf, 8, end, NOW)

    assert found.batch["line"].to_pylist() == [b"2026-11-20T10:00:00Z INFO kept"]
    assert found.ends.tolist() == [end]
    assert len(buf) == end + PADDING
    assert np.all(buf[end:] == 0)


def test_attributes_are_names_and_values():
    assert attributes_of(("a.b=c=d", "empty=")) == {"a.b": "c=d", "empty": ""}
    with pytest.raises(BadArgument, match="name=value"):
        attributes_of(("no equals sign",))
