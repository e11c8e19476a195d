"""Recognising: a sample decides, a file may mix formats, and the choice is the reader's expectation."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.formats.recognise import SAMPLE_LINES, Recognised, all_layouts, sample_lines
from logpith.scan.records import JSON, LAYOUT, PADDING, PLAIN, read_records

NEWEST = 1_795_000_000 * 10**9


def recognise(text):
    data = text.encode()
    buf = np.frombuffer(data + b"\0" * PADDING, np.uint8)
    recognised = Recognised(newest_ns=NEWEST)
    return recognised, read_records(buf, 0, len(data), recognised.look_at(buf, 0, len(data)))


@given(st.lists(st.text("ab", max_size=9), min_size=1, max_size=3000))
def test_a_sample_is_made_of_whole_lines_and_bounded(lines):
    data = ("\n".join(lines) + "\n").encode()
    spans = sample_lines(np.frombuffer(data, np.uint8), 0, len(data))

    assert len(spans) <= SAMPLE_LINES
    taken = [data[a:b].decode() for a, b in spans.tolist()]
    assert set(taken) <= set(lines)
    if len(lines) <= SAMPLE_LINES // 5:
        assert taken == [line for line in lines if line]


def test_a_file_may_mix_formats():
    kinds = [
        '{"time":"2026-11-20T13:45:02Z","msg":"a"}',
        "2026-11-20 13:45:03 INFO b",
        "Nov 20 13:45:04 host cron[1]: c",
        "<34>1 2026-11-20T13:45:05Z host su - ID47 - d",
    ]

    recognised, records = recognise("\n".join(kinds * 50) + "\n")

    formats = [recognised.format_of(int(kind))[0] for kind in records.kind[:4]]
    assert formats == ["json", "plain", "syslog 3164", "syslog 5424"]
    assert (records.time_ns[:4] // 10**9 % 60).tolist() == [2, 3, 4, 5]


def test_a_line_of_syslog_without_a_program_falls_back():
    lines = ["Nov 20 13:45:04 host cron[1]: c"] * 30 + [
        "Nov 20 13:45:05 host last message repeated 2 times"
    ] * 2
    recognised, records = recognise("\n".join(lines) + "\n")

    assert records.services == (b"cron",)
    assert {recognised.format_of(int(kind))[0] for kind in records.kind} >= {"syslog 3164"}
    assert records.lines.tolist() == [1] * 32


def test_a_layout_that_appears_later_is_learned_and_earlier_numbers_stay():
    recognised = Recognised(newest_ns=NEWEST)
    first = b"2026-11-20 13:45:02 INFO a\n" * 50
    second = b"[20/Nov/2026:13:45:02 +0000] b\n" * 50
    kinds = []
    for block in (first, second, first):
        buf = np.frombuffer(block + b"\0" * PADDING, np.uint8)
        kinds.append(
            set(read_records(buf, 0, len(block), recognised.look_at(buf, 0, len(block))).kind.tolist())
        )

    assert kinds[0] == kinds[2] == {LAYOUT}
    assert kinds[1] == {LAYOUT + 1}


@pytest.mark.parametrize(
    ("line", "kind"), [('{"a": 1}', JSON), ("plain", PLAIN), ("2026-11-20 13:45:02 x", LAYOUT)]
)
def test_a_record_knows_how_it_was_recognised(line, kind):
    assert recognise(f"{line}\n" * 5)[1].kind.tolist() == [kind] * 5


def test_the_eight_labelled_logs_are_dated_line_by_line(loghub):
    for path in sorted(loghub.glob("*/*_2k.log")):
        text = path.read_text(encoding="utf-8", errors="replace")
        _, records = recognise(text if text.endswith("\n") else f"{text}\n")

        assert int(records.lines.sum()) == len(records) == 2000, path.name
        assert (records.time_ns > 0).all(), path.name


def test_no_two_layouts_are_the_same():
    texts = [layout.text for layout in all_layouts()]

    assert len(set(texts)) == len(texts)


PLUGIN = """
from logpith.formats import Layout

LAYOUTS = (Layout("star date", "stardate %Y.%m.%d %H:%M:%S", format="bridge log"),)
"""
ASK = """
import sys
from logpith.corpus.desk import Desk
corpus = Desk().open([sys.argv[1]])
print(corpus.time_text(0), *sorted(corpus.sources[0].formats))
"""


def test_an_installed_package_adds_a_format_without_a_change_here(tmp_path, compiled):
    compiled(tmp_path / "cache")
    package = tmp_path / "site"
    (package / "bridge-1.0.dist-info").mkdir(parents=True)
    (package / "bridge-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: bridge\nVersion: 1.0\n"
    )
    (package / "bridge-1.0.dist-info" / "entry_points.txt").write_text(
        "[logpith.formats]\nbridge = bridge_format\n"
    )
    (package / "bridge_format.py").write_text(PLUGIN)
    path = tmp_path / "bridge.log"
    path.write_text(
        "".join(f"stardate 2026.11.20 10:00:{second:02} shields at {second}\n" for second in range(30))
    )

    told = subprocess.run(
        [sys.executable, "-c", ASK, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "2026-11-20T10:00:00Z ('bridge log', 'star date')\n"
