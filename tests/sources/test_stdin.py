"""What is piped into this program."""

import json
import os
import subprocess
import sys

import pytest

from logpith.sources.stdin import StdinSource

NOW = 1_795_000_000_000_000_000
S = 1_000_000_000


def line(number):
    return b"2026-11-20T10:00:00Z INFO event %04d" % number


def taken(deliveries):
    return [text for delivery in deliveries for text in delivery.batch["line"].to_pylist()]


@pytest.fixture
def pipe(monkeypatch):
    """A pipe in stdin's place; what is written goes to its other end."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as writer:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writer


def test_it_takes_what_is_there_and_never_waits(pipe):
    with StdinSource(service="shop").open("pipe", None) as live:
        assert list(live.poll(NOW)) == []
        pipe.write(line(1) + b"\n" + line(2) + b"\n2026-11-20T10:00:00Z INFO ha")
        assert taken(live.poll(NOW)) == [line(1)]
        (delivery,) = live.poll(NOW + S)
        assert (
            delivery.batch.to_pylist()[0] | {"line": line(2), "service": "shop", "source": "pipe"}
            == (delivery.batch.to_pylist()[0])
        )
        assert json.loads(delivery.position) == {"bytes": 2 * len(line(1)) + 2}
        pipe.write(b"lf\n")
        assert taken(live.poll(NOW, at_once=True)) == [b"2026-11-20T10:00:00Z INFO half"]
        assert not live.has_ended


def test_at_its_end_everything_is_taken(pipe):
    pipe.write(line(1) + b"\n" + line(2))
    with StdinSource().open("pipe", None) as live:
        pipe.close()
        assert taken(live.poll(NOW)) == [line(1), line(2)]
        assert live.has_ended
        assert list(live.poll(NOW)) == []


def test_a_trace_in_pieces_is_one_record(pipe):
    with StdinSource(flush_after_s=2).open("pipe", None) as live:
        pipe.write(b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\n")
        assert list(live.poll(NOW)) == []
        pipe.write(b"ValueError: no\n")
        assert list(live.poll(NOW + S)) == []

        whole = taken(live.poll(NOW + 3 * S))

    assert whole == [b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\nValueError: no"]


def test_a_stream_without_line_ends_is_cut_and_not_lost(pipe, monkeypatch):
    monkeypatch.setattr("logpith.sources.stdin._READ_BYTES", 100)
    monkeypatch.setattr("logpith.sources.stdin._BLOCK_BYTES", 1000)
    monkeypatch.setattr("logpith.sources.stdin._MOST_RECORD_BYTES", 4000)
    pipe.write(b"x" * 10_500)
    pipe.close()
    with StdinSource().open("pipe", None) as live:
        assert taken(live.poll(NOW)) == [b"x" * 4000, b"x" * 4000, b"x" * 2500]


def test_a_delivery_that_was_not_taken_up_is_not_forgotten(pipe, monkeypatch):
    monkeypatch.setattr("logpith.sources.reading.MOST_RECORDS", 3)
    pipe.write(b"".join(line(number) + b"\n" for number in range(10)))
    with StdinSource().open("pipe", None) as live:
        left = live.poll(NOW, at_once=True)
        first = taken([next(left)])
        left.close()

        assert first + taken(live.poll(NOW, at_once=True)) == [line(number) for number in range(10)]


def test_a_whole_file_is_read_from_a_program_s_stdin():
    program = (
        "from logpith.sources.stdin import StdinSource\n"
        "with StdinSource().open('pipe', None) as live:\n"
        "    count = 0\n"
        "    while not live.has_ended:\n"
        "        count += sum(one.batch.num_rows for one in live.poll(1))\n"
        "print(count)"
    )
    text = b"".join(line(number) + b"\n" for number in range(200_000))

    done = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, check=True)

    assert done.stdout == b"200000\n"
