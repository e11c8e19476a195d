"""log_cluster_drill: parts that add up to their cluster, whatever they are split by."""

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith.tools import drill
from logpith_emit.errors import BadArgument, NotFound

KINDS = ["user {} logged in", "user {} logged out", "disk {} full", "ERROR: no route to {}", "bye now"]
LINES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(10, 15)), min_size=1, max_size=60).map(
    lambda drawn: "".join(
        f"2026-11-20 13:{i % 60:02d}:00 app: {kind.format(value)}\n" for i, (kind, value) in enumerate(drawn)
    )
)


def parts_of(told):
    return [item for item in told.items if item["kind"] == "parts"]


def parent_of(told):
    return next(item for item in told.items if item["kind"] == "cluster")


# The fixture keeps nothing from one example to the next: each writes its file anew.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=LINES,
    by=st.sampled_from(["template", "value", "source", "time"]),
    most=st.integers(1, 5),
    query=st.sampled_from(["", "1", "level:error OR user", "nothing such"]),
)
def test_parts_add_up_to_the_cluster_and_that_to_its_row(answer, text, by, most, query):
    rows = answer("log_cluster", text, max_clusters=1000, query=query, budget=20_000).items

    for row in rows:
        told = answer(
            "log_cluster_drill",
            text,
            cluster_id=row["id"],
            by=by,
            query=query,
            max_clusters=most,
            budget=20_000,
        )
        assert parent_of(told)["count"] == row["count"]
        assert sum(part["count"] for part in parts_of(told)) == row["count"]
        assert len([part for part in parts_of(told) if part["id"] not in ("other", "none")]) <= most


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(10, 18), min_size=1, max_size=60))
def test_values_are_counted_exactly(answer, values):
    text = "".join(f"2026-11-20 13:45:02 WARN app: slow query took {value} ms on main\n" for value in values)
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found, max_clusters=20, budget=20_000)

    assert {part["text"]: part["count"] for part in parts_of(told)} == Counter(map(str, values))


def test_a_cluster_comes_apart_into_sub_clusters(answer):
    text = "".join(
        f"{word} {part} is {state} now\n" for word in "abcde" for part in "xyz" for state in ("up", "down")
    )
    found = answer("log_cluster", text, threshold=0.4).items[0]

    told = answer("log_cluster_drill", text, cluster_id=found["id"], threshold=0.7)

    assert parent_of(told)["templates"] == found["templates"] > 1
    assert len(parts_of(told)) > 1
    assert sum(part["templates"] for part in parts_of(told)) == found["templates"]


def test_the_id_of_a_template_that_leads_nothing_means_that_template_alone(answer):
    text = "user anna logged in\n" * 9 + "user 77 logged out\n" * 3
    leader = answer("log_cluster", text).items[0]
    assert leader["templates"] == 2
    led = next(
        part["id"]
        for part in parts_of(answer("log_cluster_drill", text, cluster_id=leader["id"], threshold=1.0))
        if part["id"] != leader["id"]
    )

    told = answer("log_cluster_drill", text, cluster_id=led[:6])

    assert parent_of(told)["count"] == 3
    assert [part["text"] for part in parts_of(told)] == ["77"]


def test_the_most_telling_slot_has_few_values_that_repeat(answer):
    text = "".join(
        f"call {1000 + i} ended with code {480 + i % 3} after {i * 37 % 9973} ms\n" for i in range(300)
    )
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found)

    assert {part["text"]: part["count"] for part in parts_of(told)} == {"480": 100, "481": 100, "482": 100}
    assert parent_of(told)["template"] == "call <*> ended with code <value:num> after <*> ms"


def test_a_json_message_without_slots_is_split_by_an_attribute(answer):
    states = ["ringing", "answered", "ended"]
    text = "".join(f'{{"msg":"state changed","state":"{states[i % 3]}","call":{i}}}\n' for i in range(30))
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found)

    assert {part["text"]: part["count"] for part in parts_of(told)} == {f"state={s}": 10 for s in states}


def test_each_part_tells_severity_period_and_an_example_of_its_own(answer):
    text = "".join(
        f"2026-11-20 13:{i:02d}:00 {'WARN' if i % 2 else 'INFO'} app: step {'5' if i % 2 else '7'} done\n"
        for i in range(40)
    )
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found)

    odd = next(part for part in parts_of(told) if part["text"] == "5")
    assert (odd["count"], odd["share"], odd["severity"]) == (20, 0.5, "warn")
    assert (odd["first"], odd["last"]) == ("2026-11-20T13:01:00Z", "2026-11-20T13:39:00Z")
    example = next(line for line in told.evidence if line.ref == odd["refs"][0])
    assert "step 5 done" in example.text


def test_parts_in_time_stand_in_order_and_hold_what_begins_in_them(answer):
    text = "".join(f"2026-11-20 13:{i:02d}:30 INFO app: tick {i}\n" for i in range(60)) + "tick 99 undated\n"
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found, by="time", max_clusters=6)

    times = [part["time"] for part in parts_of(told) if part["id"] == ""]
    assert times == sorted(times)
    assert 1 < len(times) <= 6
    assert all(part["time"] <= part["first"] for part in parts_of(told) if part["id"] == "")


def test_of_very_many_records_an_even_sample_is_read_and_said(answer, monkeypatch):
    monkeypatch.setattr(drill, "MOST_READ", 100)
    text = "".join(f"step {10 + i % 2} took {i} ms\n" for i in range(1000))
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found, by="value")

    assert "sample of 100 records" in told.summary
    assert "900 not read" in told.summary
    assert next(part["count"] for part in parts_of(told) if part["id"] == "none") == 900
    assert sum(part["count"] for part in parts_of(told)) == 1000


def test_an_id_that_is_not_here_brings_the_nearest(answer):
    found = answer("log_cluster", "user 10 logged in\n" * 3).items[0]["id"]
    wrong = f"{found[:3]}{'0' if found[3] != '0' else '1'}"

    with pytest.raises(NotFound, match="Ask log_cluster") as told:
        answer("log_cluster_drill", None, cluster_id=wrong)

    assert found in told.value.remedy


@pytest.mark.parametrize("cluster_id", ["", "abc", "c7", "x" * 12, "a" * 13])
def test_what_cannot_be_an_id_is_refused(answer, cluster_id):
    with pytest.raises(BadArgument, match="hex digits"):
        answer("log_cluster_drill", "a\n", cluster_id=cluster_id)


def test_a_filter_that_leaves_nothing_of_the_cluster_is_nothing_found(answer):
    text = "INFO: user 10 logged in\n" * 3
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found, query="level>=error")

    assert not told.found
    assert told.items == ()


def test_next_calls_keep_the_filter(answer):
    text = "".join(f"WARN: step {i} took {i * i} ms\n" for i in range(100))
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found, query="level>=warn")

    assert all(re.search(r'query="level>=warn"', call) for call in told.next)


def test_parts_without_a_row_of_their_own_are_said_without_naming_a_row_that_a_budget_may_cut(answer):
    text = "".join(
        f"2026-11-20 13:45:02 WARN app: slow query took {value} ms on main\n" * value
        for value in range(10, 15)
    )
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found, max_clusters=2, budget=20_000)
    cut = answer("log_cluster_drill", text, cluster_id=found, max_clusters=2, budget=150)

    assert [part["id"] for part in parts_of(told)] == ["", "", "other"]
    assert len(parts_of(cut)) < 3
    assert "5 parts, of which 3 are counted together" in told.summary
    assert "`" not in cut.summary


@pytest.mark.parametrize(
    "secret", ["hunter2", "hunterzwei", "mail me at a.b@shop.example", "4111111111111111"]
)
def test_a_secret_in_the_text_hides_none_of_the_values(answer, secret):
    text = "".join(
        f"2026-11-20T10:00:{i % 60:02d}Z WARN worker[{i % 7}] job {i} slow password={secret}\n"
        for i in range(140)
    )
    found = answer("log_cluster", text).items[0]["id"]

    told = answer("log_cluster_drill", text, cluster_id=found, max_clusters=20, budget=20_000)

    assert {part["text"]: part["count"] for part in parts_of(told)} == dict.fromkeys("0123456", 20)
    assert secret not in str(told)
