"""log_cluster: rows that add up, whatever is asked."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith.answer import tokens

LINES = st.lists(
    st.sampled_from(
        [
            "started",
            "user {} in",
            "user {} out",
            "disk {} full",
            "ERROR: no route to {}",
            "WARN: slow {}",
            "bye now",
            "",
        ]
    ),
    max_size=80,
).map(lambda kinds: "".join(f"{kind.format(10 + i)}\n" for i, kind in enumerate(kinds)))


# The fixture keeps nothing from one example to the next: each writes its file anew.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=LINES,
    most=st.integers(1, 12),
    threshold=st.floats(0, 1),
    sort=st.sampled_from(["count", "rare", "severity", "new"]),
)
def test_clusters_and_other_add_up_to_all_records(answer, text, most, threshold, sort):
    told = answer("log_cluster", text, max_clusters=most, threshold=threshold, sort=sort, budget=20_000)

    assert sum(item["count"] for item in told.items) == told.coverage.records
    assert len([item for item in told.items if item["id"] != "other"]) <= most


def test_a_lower_threshold_gives_no_more_clusters(answer):
    text = "".join(
        f"{word} {part} is {state}\n" for word in "abcde" for part in "xyz" for state in ("up", "down")
    )

    counts = [
        len(answer("log_cluster", text, threshold=threshold, max_clusters=1000, budget=20_000).items)
        for threshold in (0.2, 0.4, 0.6, 0.8, 1.0)
    ]

    assert counts == sorted(counts)


def test_an_error_never_hides_among_harmless_lines(answer):
    text = "2026-11-20 13:45:02 INFO app: call to db-1 was ok\n" * 500
    text += "2026-11-20 13:45:03 ERROR app: call to db-1 was not ok\n"

    told = answer("log_cluster", text, threshold=0.0)

    assert [(item["count"], item["severity"]) for item in told.items] == [(500, "info"), (1, "error")]


def test_a_cluster_tells_share_span_severity_and_an_example(answer):
    text = "".join(f"2026-11-20 13:45:{i:02d} WARN app: slow query took {i * 7} ms\n" for i in range(10, 40))

    told = answer("log_cluster", text)

    row = told.items[0]
    assert (row["count"], row["share"], row["severity"]) == (30, 1.0, "warn")
    assert (row["first"], row["last"]) == ("2026-11-20T13:45:10Z", "2026-11-20T13:45:39Z")
    assert row["template"] == "slow query took <num> ms"
    assert told.evidence[0].ref == row["refs"][0]


def test_the_order_can_be_by_severity_rarity_or_age(answer):
    text = "INFO: many one\n" * 50 + "ERROR: few two\n" * 5 + "WARN: some three\n" * 20

    def first(sort):
        return answer("log_cluster", text, sort=sort).items[0]["template"]

    assert first("count") == "INFO: many one"
    assert first("severity") == "ERROR: few two"
    assert first("rare") == "ERROR: few two"
    assert first("new") == "WARN: some three"


@pytest.mark.parametrize("budget", [100, 200, 1200])
def test_an_answer_keeps_its_budget_and_says_what_it_left_out(answer, budget):
    text = "".join(
        f"{'abcdefghij'[i % 10] * 9} thing number {i} is {'klmnop'[i % 6] * 5}\n" for i in range(300)
    )

    told = answer("log_cluster", text, max_clusters=100, threshold=1.0, budget=budget)

    assert tokens(told) <= budget
    assert told.omitted is not None


def test_up_to_five_examples_are_of_different_lines(answer):
    text = "".join(
        f"2026-11-20 13:45:{i:02d} WARN app: {'abc'[i % 3] * 4} took {i * 7} ms\n" for i in range(10, 40)
    )

    told = answer("log_cluster", text, max_examples=5, threshold=0.2)

    assert 2 <= len(told.evidence) <= 5
    assert len({line.text for line in told.evidence}) == len(told.evidence)
    assert answer("log_cluster", text, max_examples=0).evidence == ()


def test_pages_join_to_all_clusters(answer):
    text = "".join(f"{'abcdefghij'[i % 10] * 9} thing {'klmnop'[i % 6] * 5}\n" for i in range(300))
    seen, offset = [], 0
    while True:
        told = answer("log_cluster", text, threshold=1.0, max_clusters=7, offset=offset, budget=20_000)
        assert sum(item["count"] for item in told.items) == 300
        seen += [item["id"] for item in told.items if item["id"] != "other"]
        if told.cursor is None:
            break
        offset = int(told.cursor.removeprefix("offset="))

    assert len(seen) == len(set(seen)) > 7
    assert sum(told.items[i]["count"] for i in range(len(told.items))) == 300


def test_a_filter_changes_counts_and_keeps_ids(answer):
    text = "INFO: user 10 in\nWARN: disk 7 full\n" * 20 + "INFO: user 11 in\n" * 5

    everything = {item["id"]: item["count"] for item in answer("log_cluster", text).items}
    warned = {item["id"]: item["count"] for item in answer("log_cluster", text, query="level:warn").items}

    assert sorted(everything.values()) == [20, 25]
    assert list(warned.values()) == [20]
    assert warned.keys() < everything.keys()


def test_the_first_example_of_a_cluster_is_of_the_template_that_is_shown(answer):
    text = "".join(f"2026-11-20 13:00:{i:02d} INFO app: session of user u{i} opened\n" for i in range(40))
    text += "".join(f"2026-11-20 13:01:{i:02d} INFO app: session of user u{i} closed\n" for i in range(20))

    told = answer("log_cluster", text, max_examples=1)

    assert told.items[0]["templates"] == 2
    assert told.items[0]["template"].endswith("opened")
    assert told.evidence[0].text.endswith("opened")
