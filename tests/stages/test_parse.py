import json

import pytest

from logpith.batch import make_batch
from logpith.stages.parse import ParseStage
from logpith_emit.errors import BadArgument
from logpith_emit.severity import WARN

GROK = (
    "%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{WORD:service} call=%{CALL:call_id} %{GREEDYDATA:message}"
)
STAGE = ParseStage(grok=GROK, patterns=("CALL=CA[0-9a-f]+",))


def test_groups_are_attributes_and_those_that_mean_columns_fill_them():
    batch = make_batch(
        [b"2026-11-20T12:00:00Z WARN gw call=CA7f quota low\n  more"], observed_ns=1, source="s"
    )

    with STAGE.open() as apply:
        outcome = apply(batch)

    record = outcome.kept.to_pylist()[0]
    assert json.loads(record["extra"])["call_id"] == "CA7f"
    assert (record["severity_number"], record["service"]) == (WARN, "gw")
    assert record["timestamp"] == 1_795_176_000 * 10**9
    assert record["line"] == batch["line"][0].as_py()
    assert outcome.counters == {"parsed": 1, "unparsed": 0}


def test_what_does_not_match_is_kept_or_dead_as_wanted():
    batch = make_batch([b"odd", b"2026-11-20T12:00:00Z INFO gw call=CA1 x"], observed_ns=1, source="s")

    with STAGE.open() as apply:
        assert apply(batch).kept.num_rows == 2
    with ParseStage(regex=r"(?P<year>\d+)-.*", otherwise="dead").open() as apply:
        outcome = apply(batch)

    assert outcome.kept["line"].to_pylist() == [batch["line"][1].as_py()]
    assert outcome.dead["unparsed"]["line"].to_pylist() == [b"odd"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"regex": "a"}, {"regex": "(?P<a>"}, {"grok": "%{NOPE:a}"}, {"regex": "(?P<a>.)", "grok": "x"}],
)
def test_an_expression_that_cannot_be_used_is_refused(settings):
    with pytest.raises(BadArgument):
        ParseStage(**settings)
