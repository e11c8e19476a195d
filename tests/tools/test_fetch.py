"""log_fetch: the lines themselves, whole pages, and refs that are not misread."""

import pytest

from logpith_emit.errors import BadArgument, NotFound

TEXT = "".join(f"2026-11-20 13:45:{i % 60:02d} INFO app: line {i}\n" for i in range(1, 201))
TRACE = (
    "2026-11-20 13:45:01 ERROR app: it broke\nTraceback (most recent call last):\n  File x\nValueError: y\n"
)


def test_pages_join_to_all_lines(answer):
    seen, offset = [], 0
    while True:
        told = answer("log_fetch", TEXT, offset=offset, limit=37, budget=20_000)
        seen += [item["line"] for item in told.items]
        if told.cursor is None:
            break
        offset = int(told.cursor.removeprefix("offset="))

    assert seen == list(range(1, 201))


def test_a_page_that_the_budget_cuts_goes_on_exactly_there(answer):
    told = answer("log_fetch", TEXT, limit=100, budget=400)

    assert told.omitted.items == 100 - len(told.items)
    assert told.cursor == f"offset={len(told.items)}"


def test_line_numbers_count_the_lines_of_traces(answer):
    told = answer("log_fetch", TRACE * 3)

    assert [item["line"] for item in told.items] == [1, 5, 9]
    assert told.items[0]["text"].endswith(r"ValueError: y")


def test_a_query_selects_and_a_ref_brings_its_neighbours(answer):
    told = answer("log_fetch", TEXT + TRACE, query="level>=error")
    assert [item["line"] for item in told.items] == [201]

    around = answer("log_fetch", None, refs=[told.items[0]["ref"]], before=2, after=5)
    assert [item["line"] for item in around.items] == [199, 200, 201]


def test_neighbouring_refs_give_each_line_once(answer):
    told = answer("log_fetch", TEXT, limit=2)

    both = answer("log_fetch", None, refs=[item["ref"] for item in told.items], after=1)

    assert [item["line"] for item in both.items] == [1, 2, 3]


def test_a_stale_ref_is_refused(answer):
    ref = answer("log_fetch", TEXT, limit=1).items[0]["ref"]

    with pytest.raises(NotFound, match="not what it was"):
        answer("log_fetch", TEXT.replace("line 1\n", "line X\n"), refs=[ref])


def test_what_is_no_ref_is_told_so(answer):
    with pytest.raises(BadArgument, match="looks like"):
        answer("log_fetch", TEXT, refs=["12"])


def test_an_offset_behind_the_end_is_nothing_found(answer):
    told = answer("log_fetch", TEXT, offset=500)

    assert not told.found
    assert "200" in told.summary
