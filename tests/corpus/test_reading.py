"""Reading: however a text is cut into blocks and spread over files, its corpus is the same."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.reading import CorpusReader
from logpith.files import text as text_module
from logpith.files.text import TextStream
from logpith.scan import shape_index

LINES = st.lists(
    st.sampled_from(
        [
            "2026-11-20 13:45:02,123 INFO app user anna logged in from 10.0.0.7",
            "2026-11-20 13:45:03,000 INFO app user bert logged in from 10.0.0.8",
            "2026-11-20 13:45:03,500 ERROR app request failed after 31 ms",
            "Traceback (most recent call last):",
            '  File "a.py", line 7, in <module>',
            "ValueError: bad",
            '{"time":"2026-11-20T13:45:04Z","level":"warn","msg":"slow \\"query\\"","service":"db"}',
            '{"time":"2026-11-20T13:45:05Z","level":"error","msg":"call failed","code":"quota_exceeded"}',
            "plain words only",
            "",
        ]
    ),
    max_size=60,
)


def read(text, **options):
    return CorpusReader(**options).read([TextStream.drain(io.BytesIO(text.encode()), "app.log", 10**18)])


# What follows a JSON line is told by that line, which may stand in the block before: these are left out.
@given(LINES.map(lambda lines: [line for line in lines if not line.startswith("{")]), st.integers(40, 400))
def test_the_size_of_blocks_does_not_matter(lines, block_bytes):
    # The first lines decide how a source is read, so both readings begin with the same dated ones.
    text = "\n".join(["2026-11-20 13:45:00,000 INFO app started"] * 200 + lines)
    whole = read(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block_bytes)
        cut = read(text)

    assert cut.lines == whole.lines == text.count("\n") + (not text.endswith("\n"))
    assert cut.columns.start.tolist() == whole.columns.start.tolist()
    assert cut.columns.length.tolist() == whole.columns.length.tolist()
    assert cut.columns.time_ns.tolist() == whole.columns.time_ns.tolist()
    assert cut.severity.tolist() == whole.severity.tolist()
    assert cut.shapes.hashes.tolist() == whole.shapes.hashes.tolist()
    assert cut.shapes.samples == whole.shapes.samples
    assert [cut.templates.templates[i].text for i in cut.template] == [
        whole.templates.templates[i].text for i in whole.template
    ]


@given(st.lists(st.text("abc 019=:/", min_size=1, max_size=20), min_size=1, max_size=60), st.randoms())
def test_the_order_of_lines_does_not_change_their_templates(lines, random):
    shuffled = list(lines)
    random.shuffle(shuffled)

    def template_of(some):
        corpus = read("\n".join(some), whole_lines=True)
        return {
            line: corpus.templates.templates[template].text
            for line, template in zip(some, corpus.template.tolist(), strict=True)
        }

    assert template_of(lines) == template_of(shuffled)


@given(LINES)
def test_each_record_is_counted_by_one_template(lines):
    corpus = read("\n".join(lines))

    counted = np.bincount(corpus.template, minlength=len(corpus.templates.templates))
    assert counted.tolist() == [template.count for template in corpus.templates.templates]
    assert int(counted.sum()) == len(corpus)


def test_a_json_message_is_mined_without_its_escapes_and_with_its_error():
    lines = [json.dumps({"msg": f'opened "{i}.wav"', "error": "quota_exceeded"}) for i in range(10, 20)]

    corpus = read("\n".join(lines))

    assert len(corpus.templates.templates) == 1
    assert corpus.templates.templates[0].text.startswith('opened "')
    assert "quota_exceeded" in corpus.templates.templates[0].text


def test_shapes_beyond_the_bound_are_counted_and_named(monkeypatch):
    monkeypatch.setattr(shape_index, "MOST_SHAPES", 5)
    monkeypatch.setattr(shape_index.ShapeIndex.__init__, "__defaults__", (5,))
    lines = "\n".join(f"{'x' * i} end" for i in range(1, 30))

    corpus = read(lines)

    assert len(corpus.shapes.hashes) == 5
    assert int((corpus.template == -1).sum()) == 24


def test_the_shape_index_grows_past_its_first_tables():
    index = shape_index.ShapeIndex()
    shapes = np.arange(1, 5001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)

    codes, chosen = index.add(shapes, shapes)
    again, none = index.add(shapes[::-1].copy(), shapes[::-1].copy())

    assert codes.tolist() == list(range(5000))
    assert again.tolist() == list(range(5000))[::-1]
    assert len(chosen) == 5000
    assert none == []
    assert index.counts.tolist() == [2] * 5000


def test_progress_tells_all_bytes_and_lines_in_the_end():
    told = []

    read("one\ntwo\n", progress=lambda done, total, lines: told.append((done, total, lines)))

    assert told[-1] == (8, 8, 2)
