import json

import pytest

from logpith.batch import make_batch
from logpith.stages.validate import ValidateStage


def applied(stage, *lines, **columns):
    with stage.open() as apply:
        return apply(make_batch(lines, observed_ns=1, source="s", **columns))


def test_what_records_lack_is_counted_by_field():
    outcome = applied(
        ValidateStage(),
        b"all there",
        b'{"service": "db", "x": 1}',
        b'{"msg": "no more"}',
        b"",
        timestamps=[1, 2, None, None],
        severities=[9, 9, 0, 0],
        services=["api", "", "", "x"],
    )

    assert outcome.kept.num_rows == 4
    assert outcome.counters == {
        "missing_timestamp": 2,
        "missing_service": 1,
        "missing_severity": 2,
        "missing_message": 2,
    }


def test_a_strict_one_sends_them_to_the_dead_letters_by_the_first_reason():
    stage = ValidateStage(strict=True, required_fields=("severity", "call_id"))

    outcome = applied(stage, b"callId=7", b"x", b'{"call": {"id": "8"}}', severities=[9, 0, 9])

    assert outcome.kept["line"].to_pylist() == [b"callId=7", b'{"call": {"id": "8"}}']
    assert {reason: dead["line"].to_pylist() for reason, dead in outcome.dead.items()} == {
        "missing_severity": [b"x"]
    }
    assert outcome.counters == {"missing_severity": 1, "missing_call_id": 1}


def test_a_field_that_a_stage_has_added_is_there():
    stage = ValidateStage(strict=True, required_fields=("team", "trace_id"))

    assert applied(stage, b"x", extras=[{"team": "voice", "trace_id": "1"}]).kept.num_rows == 1


def test_a_long_text_is_cut_between_characters_and_says_how_long_it_was():
    long = b"a" * 99 + "é".encode() + b"b" * 50

    outcome = applied(ValidateStage(most_line_bytes=100), long, b"short")

    first, second = outcome.kept.to_pylist()
    assert first["line"] == b"a" * 99
    assert json.loads(first["extra"]) == {"truncated": True, "original_bytes": 151}
    assert second["extra"] == ""
    assert outcome.counters["truncated"] == 1


@pytest.mark.parametrize("length", range(95, 105))
def test_wherever_it_is_cut_what_is_left_is_the_beginning_and_utf_8(length):
    text = ("a€é😀" * 30).encode()

    cut = applied(ValidateStage(most_line_bytes=length), text).kept["line"][0].as_py()

    assert text.startswith(cut)
    assert length - 4 < len(cut) <= length
    cut.decode()
