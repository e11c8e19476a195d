"""log_count: counts by any field, exact, whatever is shown."""

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith_emit.errors import BadArgument, BadQuery

RECORDS = st.lists(
    st.fixed_dictionaries(
        {"level": st.sampled_from(["info", "warn", "error"]), "msg": st.sampled_from(["a went", "b went"])},
        optional={
            "service": st.sampled_from(["api", "db"]),
            "code": st.sampled_from([200, 404, "404", None, "x y"]),
            "ms": st.integers(0, 50),
            "http": st.fixed_dictionaries({"route": st.sampled_from(["/", "/x"])}),
        },
    ),
    max_size=40,
)


def text_of(records):
    return "".join(f"{json.dumps(record)}\n" for record in records)


def counts_of(told, name="text"):
    return {item.get(name, item.get("group")): item["count"] for item in told.items}


# The fixture keeps nothing from one example to the next: each writes its file anew.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, name=st.sampled_from(["service", "code", "http.route"]), top=st.integers(1, 4))
def test_counts_by_a_field_are_those_of_plain_python(answer, records, name, top):
    def value(record):
        found = record.get("http", {}).get("route") if name == "http.route" else record.get(name)
        return "without" if found is None else str(found)

    told = answer("log_count", text_of(records), by=[name], top=top, budget=20_000)

    expected = Counter(map(value, records))
    shown = counts_of(told)
    other = shown.pop("other", 0)
    assert all(expected[key] == count for key, count in shown.items())
    assert sum(shown.values()) + other == len(records)
    assert len(shown.keys() - {"without"}) == min(top, len(expected.keys() - {"without"}))
    assert ("without" in shown) == ("without" in expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, query=st.sampled_from(["", "level>=warn", "a", "code:404"]))
def test_a_query_counts_only_what_it_selects(answer, records, query):
    chosen = {
        "": lambda record: True,
        "level>=warn": lambda record: record["level"] != "info",
        "a": lambda record: record["msg"] == "a went",
        "code:404": lambda record: str(record.get("code")) == "404",
    }[query]

    told = answer("log_count", text_of(records), query=query, by=["level"], budget=20_000)

    assert counts_of(told, "severity") == Counter(record["level"] for record in records if chosen(record))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS)
def test_aggregates_are_of_the_groups_records(answer, records):
    told = answer("log_count", text_of(records), by=["level"], agg=["max:ms", "distinct:code"], budget=20_000)

    for item in told.items:
        here = [record for record in records if record["level"] == item["severity"]]
        assert item["max ms"] == max((record["ms"] for record in here if "ms" in record), default=None)
        codes = {str(record["code"]) for record in here if record.get("code") is not None}
        assert item["distinct code"] == len(codes)


def test_two_fields_combine_and_name_what_is_missing(answer):
    text = 'a=1 b=2\na=1 b=2\na=1\nnothing\n{"a":"1","b":"3"}\n'

    told = answer("log_count", text, by=["a", "b"])

    assert [(item.get("text"), item.get("group"), item["count"]) for item in told.items] == [
        ({"a": "1", "b": "2"}, None, 2),
        ({"a": "1"}, "without b", 1),
        ({"a": "1", "b": "3"}, None, 1),
        (None, "without a, b", 1),
    ]


def test_slices_of_time_stand_in_their_order(answer):
    text = "".join(f"2026-11-20 13:{i % 40:02d}:30 INFO app: tick\n" for i in range(60))

    told = answer("log_count", text, by=["time:10m"])

    assert [(item["time"], item["count"]) for item in told.items] == [
        ("2026-11-20T13:00:00Z", 20),
        ("2026-11-20T13:10:00Z", 20),
        ("2026-11-20T13:20:00Z", 10),
        ("2026-11-20T13:30:00Z", 10),
    ]


def test_templates_are_counted_with_their_ids(answer):
    text = "user 10 in\n" * 3 + "disk 7 full\n"

    told = answer("log_count", text, by=["template"])
    ids = {item["id"]: item["count"] for item in answer("log_cluster", None, threshold=1.0).items}

    assert {item["id"]: item["count"] for item in told.items} == ids
    assert told.items[0]["template"] == "user <num> in"


def test_without_a_field_all_records_are_one_group(answer):
    told = answer("log_count", "took=3\ntook=5\ntook=soon\n", agg=["sum:took", "p50:took"])

    assert [dict(item) for item in told.items] == [{"count": 3, "share": 1.0, "sum took": 8, "p50 took": 3}]
    assert "1 value of took is no number and does not count" in told.summary


def test_values_of_records_are_log_text_and_quoted(answer):
    hostile = "\x1b[2Jx\u202e"
    told = answer("log_count", f"{json.dumps({'who': hostile})}\n", by=["who"])

    assert told.items[0]["text"] == r"\x1b[2Jx\u202e"
    assert hostile not in told.summary


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"agg": ["p59:ms"]}, "p95:duration_ms"),
        ({"agg": ["ms"]}, "p95:duration_ms"),
        ({"by": ["time:soon"]}, "time slice"),
        ({"by": [""]}, "no name"),
        ({"by": ["\ud800"]}, "no name of a field"),
        ({"agg": [f"max:{'x' * 1000}"]}, "no name of a field"),
        ({"by": ["a", "a"]}, "twice"),
        ({"by": ["a", "b", "c", "d", "e"]}, "no table"),
    ],
)
def test_what_cannot_be_counted_is_refused(answer, arguments, match):
    with pytest.raises(BadArgument, match=match):
        answer("log_count", "a\n", **arguments)


def test_a_query_that_cannot_be_read_is_refused(answer):
    with pytest.raises(BadQuery):
        answer("log_count", "a\n", query="(a")


def test_no_match_is_nothing_found(answer):
    told = answer("log_count", "a\n", query="b", by=["level"])

    assert not told.found
    assert told.items == ()


def test_a_long_wrong_aggregate_is_not_repeated_at_length(answer):
    with pytest.raises(BadArgument) as caught:
        answer("log_count", "one line\n", agg=["x" * 6000])

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("groups", "said"), [(5, "the 2 smallest counted together"), (4, "the smallest not named")]
)
def test_what_has_no_row_of_its_own_is_said_without_naming_a_row_that_a_budget_may_cut(answer, groups, said):
    text = "".join(f'{{"service":"service-{n}-{"x" * 140}","msg":"went"}}\n' * (9 - n) for n in range(groups))

    whole = answer("log_count", text, by=["service"], top=3)
    cut = answer("log_count", text, by=["service"], top=3, budget=150)

    assert [item.get("group") for item in whole.items] == [None, None, None, "other"]
    assert "other" not in [item.get("group") for item in cut.items]
    assert said in whole.summary
    assert whole.summary == cut.summary
    assert "other" not in cut.summary


def test_where_no_record_says_its_service_the_source_is_offered(answer):
    text = '{"level": "info", "msg": "a"}\n' * 5
    offered = "No record here says of which service it is: ask by source."

    assert offered in answer("log_count", text, by=["service"]).summary
    assert offered in answer("log_count", text, query="service:api").summary
    assert offered not in answer("log_count", text + '{"service": "api"}', by=["service"]).summary


def test_a_field_that_no_record_has_is_told(answer):
    text = '{"level": "info", "msg": "a", "client": "x"}\n' * 5

    told = answer("log_count", text, by=["levle"])

    assert "None of 5 sampled records has a field named 'levle'." in told.summary
    assert "sampled" not in answer("log_count", text, by=["client", "service"]).summary
