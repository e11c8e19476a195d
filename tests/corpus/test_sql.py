"""SQL over records: what DuckDB may see and do, and that its columns are the corpus'."""

import io
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")

from hypothesis import given, settings
from hypothesis import strategies as st

from logpith.corpus import sql
from logpith.corpus.reading import CorpusReader
from logpith.corpus.selection import Selection, select_records
from logpith.corpus.sql import RECORDS, ask, check_statement
from logpith.files.text import TextStream
from logpith_emit.errors import BadArgument, Refused, Unavailable

TEXT = (
    "2026-11-20 13:45:02.123456789 INFO app: user 10 in\n"
    "2026-11-20 13:46:02 ERROR app: disk 7 full\n"
    "Traceback: x\n"
    '{"time":"2026-11-20T13:47:04Z","level":"warn","msg":"slow \\"query\\"","service":"db"}\n'
    "undated words\n"
)
LINES = st.lists(
    st.sampled_from(["INFO app: user 10 in", "WARN app: slow 7", "ERROR app: no route", "plain"]), max_size=30
)


def selection_of(text=TEXT, query=""):
    corpus = CorpusReader().read([TextStream.drain(io.BytesIO(text.encode()), "app.log", 10**18)])
    return select_records(corpus, query, "", "", 0)


def rows_of(statement, selection=None, most=100):
    return list(ask(selection_of() if selection is None else selection, statement, most, 60).rows)


def test_the_columns_are_those_of_the_corpus():
    selection = selection_of()
    corpus = selection.corpus

    rows = rows_of(
        "select timestamp, severity, level, service, line, text, template_id from records", selection
    )

    for record, (time, severity, level, service, line, text, template) in enumerate(rows):
        assert (time or "") == corpus.time_text(record)
        assert severity == corpus.severity[record]
        assert (level is None) == (severity == 0)
        assert (service or "") == corpus.services[corpus.columns.service[record]]
        assert line == corpus.first_line[record]
        assert text == corpus.texts([record])[0].decode()
        assert template == corpus.templates.templates[corpus.template[record]].id
    assert rows[0][0] == "2026-11-20T13:45:02.123456789Z"


def test_a_body_is_what_the_record_says_behind_its_header():
    bodies = [body for (body,) in rows_of("select body from records")]

    assert bodies[:2] == ["user 10 in", "disk 7 full"]
    assert 'slow "query"' in bodies


@settings(max_examples=20)
@given(lines=LINES, query=st.sampled_from(["", "level>=warn", "app"]))
def test_groups_have_the_counts_of_plain_python(lines, query):
    text = "".join(f"2026-11-20 13:45:02 {line}\n" for line in lines)
    selection = selection_of(text, query)

    rows = rows_of("select text, count(*) from records group by 1", selection)

    chosen = [lines[record] for record in selection.records.tolist()]
    assert Counter({text[20:]: count for text, count in rows}) == Counter(chosen)


def test_templates_are_counted_in_the_selection():
    rows = rows_of("select sum(count) from templates", selection_of(query="level:error"))

    assert rows == [(1,)]


@pytest.mark.parametrize(
    ("statement", "needs"),
    [
        ("select level from records", ()),
        ("select count(*) from records", ()),
        ("select text from templates", ()),
        ("select length(text) from records", ("text",)),
        ("select 1 where exists (select 1 from records where body like '%x%')", ("body",)),
        ("from records", ("body", "text")),
        ("select r from records r", ("body", "text")),
        ("with x as (select * from records) select level, count(*) from x group by 1", ()),
        ("select columns('te.t') from records", ("text",)),
        ("select count(*) from records where text = 'a'", ("text",)),
        ("describe records", ()),
    ],
)
def test_texts_are_read_only_for_statements_that_need_them(statement, needs, monkeypatch):
    read = []
    selection = selection_of()
    whole = sql._texts
    monkeypatch.setattr(sql, "_texts", lambda chosen, name: read.append(name) or whole(chosen, name))

    ask(selection, statement, 10, 60)

    assert tuple(read) == needs


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "drop table records",
        "create table x as select 1",
        "insert into templates select 'a', 'b', 1",
        "select 1; select 2",
        "select 1; drop table templates",
        "copy records to 'out.csv'",
        "attach 'x.db'",
        "install httpfs",
        "set threads = 8",
        "pragma database_list",
        "call pragma_version()",
        "explain select 1",
        "-- select\ndrop table templates",
    ],
)
def test_only_one_statement_that_reads_is_asked(statement):
    with pytest.raises(BadArgument, match="only one SELECT"):
        check_statement(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('{path}')",
        "select * from read_text('{path}')",
        "select * from '{path}'",
        "select * from glob('{folder}/*')",
        "from sniff_csv('{path}')",
    ],
)
def test_no_file_can_be_read(statement, tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("a\nsecret\n")
    asked = statement.format(path=path, folder=tmp_path)

    with pytest.raises(BadArgument) as told:
        ask(selection_of(), asked, 10, 60)

    assert "secret\n" not in str(told.value)
    assert str(Path.home()) not in str(told.value).replace(str(tmp_path), "")


def test_the_settings_are_locked_while_it_is_asked():
    rows = rows_of(
        "select name, value from duckdb_settings() where name in "
        "('enable_external_access', 'lock_configuration', 'threads')"
    )

    assert dict(rows) == {"enable_external_access": "false", "lock_configuration": "true", "threads": "2"}


def test_a_mistake_tells_its_place_and_the_columns():
    with pytest.raises(BadArgument, match="severty") as told:
        check_statement("select level,\n  severty from records")

    line, caret = told.value.remedy.splitlines()[1:3]
    assert line[caret.index("^") :].startswith("severty")
    assert all(column in told.value.remedy for column in RECORDS)


def test_a_mistake_in_the_values_does_not_repeat_log_text():
    with pytest.raises(Refused, match="TRY_CAST") as told:
        ask(selection_of(), "select cast(text as int) from records", 10, 60)

    assert "user 10" not in str(told.value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("timestamp '3000-01-01 01:02:03.5'", "3000-01-01T01:02:03.500Z"),
        ("timestamp '290000-01-01'", "+290000-01-01T00:00:00Z"),
        ("timestamp_s '200000-01-01'", "+200000-01-01T00:00:00Z"),
        ("'infinity'::timestamp", "infinity"),
        ("'-infinity'::timestamp", "-infinity"),
        ("date '2024-02-29'", "2024-02-29"),
        ("date '290000-01-01'", "+290000-01-01"),
        ("'-infinity'::date", "-infinity"),
        ("NULL::date", None),
        ("[timestamp '3000-01-01', NULL]", '["3000-01-01T00:00:00Z", null]'),
    ],
)
def test_times_that_no_nanosecond_counts_are_told(value, told):
    assert rows_of(f"select {value} from records limit 1") == [(told,)]


def test_a_statement_is_checked_without_reckoning_what_it_asks():
    # 2 ** 50 numbers: whoever reckons them is not done before memory ends.
    check_statement("select list_sum(range(1125899906842624))")

    with pytest.raises(BadArgument, match="columns of records"):
        check_statement("select list_sum(range(1125899906842624)), colour from records")


def test_what_takes_too_long_is_ended():
    with pytest.raises(Refused, match="took more than"):
        ask(
            selection_of(), "select sum(a.range * b.range) from range(10000000) a, range(10000000) b", 10, 0.3
        )


def test_what_needs_too_much_memory_is_ended():
    with pytest.raises(Refused, match="memory"):
        ask(selection_of(), "select list(range) from range(2000000000)", 10, 120)


def test_too_much_text_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(sql, "MOST_TEXT_BYTES", 10)

    with pytest.raises(Refused, match="narrow it"):
        ask(selection_of(), "select text from records", 10, 60)
    assert rows_of("select count(*) from records") == [(5,)]


def test_rows_beyond_the_bound_are_counted():
    result = ask(Selection(selection_of().corpus), "select line from records order by 1", 2, 60)

    assert (len(result.rows), result.total) == (2, 5)


def test_without_duckdb_the_way_to_get_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(Unavailable, match=r"logpith\[sql\]"):
        check_statement("select 1")


@pytest.mark.parametrize("statement", ["select '\ud800'", "select " + "1 + " * 40_000 + "1"])
def test_what_is_no_text_or_too_much_of_it_is_refused(statement):
    with pytest.raises(BadArgument, match="the statement is"):
        check_statement(statement)
