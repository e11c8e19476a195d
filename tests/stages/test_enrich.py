import json

import pytest

from logpith.batch import make_batch
from logpith.stages.enrich import EnrichStage
from logpith_emit.errors import BadArgument

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}


def added(stage, *lines, extras=None):
    with stage.open() as apply:
        kept = apply(make_batch(lines, observed_ns=1, source="s", extras=extras)).kept
    return [json.loads(extra) if extra else {} for extra in kept["extra"].to_pylist()]


def test_host_and_environment_come_from_the_settings_where_records_do_not_name_them():
    stage = EnrichStage(host="web-1", environment="production")
    both = {"host.name": "web-1", "deployment.environment": "production"}

    found = added(
        stage,
        b"plain text",
        b'{"host": {"name": "db-7"}}',
        b'{"hostname": "db-7", "deployment": {"environment": "staging"}}',
        b"<34>1 2026-11-20T12:00:00Z db-7 api - - - message",
        b"Nov 20 12:00:00 db-7 sshd[1]: Accepted",
        b"host=db-7 x",
        extras=[{}, {}, {}, {}, {}, {}],
    )

    environment = {"deployment.environment": "production"}
    assert found == [both, environment, {}, environment, environment, environment]


def test_an_attribute_that_a_stage_has_added_stays():
    stage = EnrichStage(host="web-1", attributes=("team=voice",))

    assert added(stage, b"x", extras=[{"host.name": "mine", "team": "ops"}]) == [
        {"host.name": "mine", "team": "ops"}
    ]


def test_a_traceparent_in_the_text_gives_trace_and_span():
    found = added(
        EnrichStage(),
        b"calling, traceparent: " + PARENT,
        b'{"headers": {"traceparent": "' + PARENT + b'"}, "msg": "x"}',
        b'{"trace_id": "abc", "parent": "' + PARENT + b'"}',
        b"phone 00-49-170",
        b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01",
    )

    assert found == [TRACE, TRACE, {}, {}, {}]
    assert added(EnrichStage(traces=False), PARENT) == [{}]


def test_an_attribute_without_a_value_is_refused():
    with pytest.raises(BadArgument, match="names no value"):
        EnrichStage(attributes=("team",))
