"""Colours: a painted text is read as the plain one, at the places that it has itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.desk import Desk
from logpith.formats.recognise import Recognised
from logpith.scan.colours import bytes_without_colours, take_out_colours, without_colours
from logpith.scan.records import PADDING, read_records

COLOURS = ["\x1b[31m", "\x1b[0m", "\x1b[1;38;5;214m", "\x1b[m\x1b[K"]


def read(text):
    data = text.encode()
    buf = np.frombuffer(data + b"\0" * PADDING, np.uint8)
    recognised = Recognised(newest_ns=1_795_200_000 * 10**9)
    return data, read_records(buf, 0, len(data), recognised.look_at(buf, 0, len(data)))


@pytest.mark.parametrize(
    ("painted", "plain"),
    [
        (
            "\x1b[31mERROR\x1b[0m 2026-11-20 13:45:02 it broke",
            "ERROR 2026-11-20 13:45:02 it broke",
        ),
        (
            "\x1b[2m2026-11-20T13:45:02Z\x1b[0m \x1b[33m WARN\x1b[0m \x1b[2mapp::db\x1b[0m: slow",
            "2026-11-20T13:45:02Z  WARN app::db: slow",
        ),
        (
            "2026-11-20 13:45:02 \x1b[1;32m[info]\x1b[0m user \x1b[36manna\x1b[0m came\x1b[0m",
            "2026-11-20 13:45:02 [info] user anna came",
        ),
        ("\x1b[36m[api]\x1b[0m 2026-11-20 13:45:02 up", "[api] 2026-11-20 13:45:02 up"),
        (
            "2026-11-20 13:45:02 ERROR a: b\n\x1b[31mTraceback (most recent call last):\x1b[0m\n\x1b[31mValueError: b",
            "2026-11-20 13:45:02 ERROR a: b\nTraceback (most recent call last):\nValueError: b",
        ),
    ],
)
def test_a_painted_line_is_read_as_the_plain_one(painted, plain):
    data, found = read(f"{painted}\n" * 3)
    plain_data, expected = read(f"{plain}\n" * 3)

    for column in ("lines", "time_ns", "severity", "service", "shape", "value_hash", "kind"):
        assert getattr(found, column).tolist() == getattr(expected, column).tolist(), column
    assert found.services == expected.services
    spans = zip(found.body_start, found.body_end, strict=True)
    plain_spans = zip(expected.body_start, expected.body_end, strict=True)
    assert [bytes_without_colours(data[a:b]) for a, b in spans] == [plain_data[a:b] for a, b in plain_spans]


def test_a_record_has_the_colours_that_stand_in_its_line():
    line = "\x1b[31mERROR\x1b[0m 2026-11-20 13:45:02 it broke\x1b[0m"

    data, found = read(f"{line}\n" * 2)

    assert [data[a:b].decode() for a, b in zip(found.start, found.end, strict=True)] == [line] * 2


def test_fields_and_templates_have_no_colours(tmp_path):
    path = tmp_path / "app.log"
    path.write_text(
        "".join(
            f"\x1b[2m2026-11-20T13:45:{n:02}Z\x1b[0m \x1b[32mINFO\x1b[0m took \x1b[3mms\x1b[0m\x1b[2m=\x1b[0m{n}\n"
            for n in range(9)
        )
    )

    corpus = Desk().open([str(path)])

    assert [template.text for template in corpus.templates.templates] == ["took ms=<*>"]
    assert set(corpus.severity.tolist()) == {9}


@given(st.lists(st.sampled_from(["a", "12", " ", "\n", "\x1b", "[", "m", "\x1b[", *COLOURS]), max_size=40))
def test_what_is_taken_out_is_all_that_is_missing_and_places_lead_back(parts):
    data = "".join(parts).encode()
    buf = np.frombuffer(b"xx" + data + b"\0" * PADDING, np.uint8)

    plain = take_out_colours(buf, 2, 2 + len(data), PADDING)

    text = bytes(plain.buf[: plain.end])
    assert text == bytes_without_colours(data) == without_colours(data.decode()).encode()
    places = np.arange(plain.end, dtype=np.int64)
    assert bytes(buf[plain.places_behind(places)]) == text
    assert plain.places_before(np.array([0])).tolist() == [2]
    assert plain.places_behind(np.array([plain.end])).tolist() == [2 + len(data)]


@given(st.lists(st.sampled_from(["a 12", "2026-11-20 13:45:02 INFO b", "\r", "\n", *COLOURS]), max_size=30))
def test_every_painted_line_is_in_exactly_one_record(parts):
    text = "".join(parts) + "\n"

    data, found = read(text)

    assert int(found.lines.sum()) == data.count(b"\n")
    assert (found.start[1:] > found.end[:-1]).all()
    assert (found.body_end >= found.body_start).all()
    assert ((found.body_start >= found.start) & (found.body_end <= found.end)).all()
