"""log_sql: a statement's rows as an answer."""

import json

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")

from logpith.tools import tools

TEXT = "".join(
    f"2026-11-20 13:45:{i:02d} {'WARN' if i % 4 else 'ERROR'} app: step {i} done\n" for i in range(40)
)


def test_rows_have_the_names_of_their_columns(answer):
    told = answer("log_sql", TEXT, statement="select level, count(*) as n from records group by 1 order by n")

    assert [dict(item) for item in told.items] == [{"level": "error", "n": 10}, {"level": "warn", "n": 30}]


def test_rows_beyond_the_limit_are_told(answer):
    told = answer("log_sql", TEXT, statement="select line from records order by line", limit=7, budget=20_000)

    assert [item["line"] for item in told.items] == list(range(1, 8))
    assert (told.omitted.items, told.omitted.reason) == (33, "limit")


def test_a_filter_chooses_the_records(answer):
    told = answer("log_sql", TEXT, statement="select count(*) as n from records", query="level:error")

    assert told.items[0]["n"] == 10


def test_log_text_is_quoted_in_values_and_names(answer):
    text = f"{json.dumps({'msg': 'x', 'password': 'hunter2', 'who': chr(27)})}\n\x1b[2Jplain\n"

    told = answer("log_sql", text, statement='select text, text as "a\x1bb" from records', budget=20_000)

    shown = str(told.items)
    assert "hunter2" not in shown
    assert chr(27) not in shown
    assert told.coverage.redacted > 0


def test_names_are_told_apart(answer):
    told = answer("log_sql", TEXT, statement="select 1 as a, 2 as a, 3 as kind")

    assert [dict(item) for item in told.items] == [{"a": 1, "a_2": 2, "kind_2": 3}]


def test_values_that_are_no_numbers_of_json_are_text(answer):
    told = answer("log_sql", TEXT, statement="select 'nan'::double as x, [1, 2] as l, 1.5::decimal(9,2) as d")

    assert [dict(item) for item in told.items] == [{"x": "nan", "l": "[1, 2]", "d": 1.5}]


def test_it_is_of_a_toolset_of_its_own():
    assert [name for name, tool in tools().items() if tool.toolset == "sql"] == ["log_sql"]
