import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import make_batch
from logpith.component import configure
from logpith.stages import stage_types
from logpith.testing.stages import check_stage
from logpith_emit.errors import BadArgument

EXAMPLES = {
    "dedupe": ({}, {"window": "1h", "ignore_digits": True, "only": "level>=warn"}),
    "drop": (
        {"only": "error"},
        {"only": "service:api AND NOT quota"},
        {"only": "level<=info", "reason": "noise"},
    ),
    "enrich": (
        {"host": "web-1", "environment": "production", "attributes": {"a": "1"}},
        {"host": "x", "only": "error"},
    ),
    "map": (
        {"rename": {"level": "lvl", "a.b": "c", "stream": "timestamp"}, "aliases": {"user.email": "who"}},
        {"rename": {"service": "severity"}},
    ),
    "parse": (
        {"grok": "%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{WORD:service}: %{GREEDYDATA:message}"},
        {"regex": "(?P<first>.).*", "otherwise": "dead"},
    ),
    "redact": (
        {},
        {
            "mode": "drop",
            "rules": {"word": "[a-z]{3,}"},
            "fields": {"a.b": "hash", "level": "drop"},
            "ips": True,
        },
        {"mode": "mask", "phones": True, "only": "service:api"},
    ),
    "route": (
        {"only": "error", "service": "b", "stream": "apart", "retention_class": "short"},
        {"service": "x"},
    ),
    "sample": ({"every": 3}, {"every": 2, "by": "service"}, {"every": 1, "only": "quota"}),
    "validate": ({}, {"strict": True, "required_fields": ["a.b", "host", "message"], "most_line_bytes": 64}),
}
CASES = [(kind, given) for kind, examples in EXAMPLES.items() for given in examples]

LINES = st.binary(max_size=60) | st.sampled_from(
    (
        b'{"level":"error","service":"api","msg":"x"}',
        b"level=info service=b password=hunter22",
        b'{"a":{"b":"c@example.org"}}',
    )
)


def test_every_stage_of_the_folder_is_checked():
    assert set(EXAMPLES) == set(stage_types())
    assert all(kind == stage.type for kind, stage in stage_types().items())


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_a_stage_keeps_what_its_kind_promises(kind, settings):
    check_stage(configure(stage_types()[kind], settings, "stages[0]"))


@given(case=st.sampled_from(CASES), lines=st.lists(LINES, min_size=1, max_size=8), data=st.data())
def test_a_stage_keeps_it_for_any_text(case, lines, data):
    kind, settings = case
    count = len(lines)
    severities = data.draw(st.lists(st.integers(0, 24), min_size=count, max_size=count))
    batch = make_batch(lines, observed_ns=10**18, source="s", severities=severities, services=["api"] * count)

    check_stage(configure(stage_types()[kind], settings, "stages[0]"), batch)


def test_a_setting_that_there_is_not_is_refused_with_its_place_and_the_nearest():
    with pytest.raises(BadArgument, match=r"stages\[2\]: no setting named \"evry\". Did you mean 'every'\?"):
        configure(stage_types()["sample"], {"evry": 3}, "stages[2]")


def test_a_query_that_cannot_be_read_is_refused_when_the_stage_opens():
    stage = configure(stage_types()["sample"], {"every": 3, "only": "level>="}, "stages[0]")

    with pytest.raises(BadArgument), stage.open():
        pass
