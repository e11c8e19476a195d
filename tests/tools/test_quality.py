"""log_quality: what records lack, by source."""

import pytest

from logpith_emit.errors import BadArgument

MIXED = """\
{"ts":"2026-11-20T10:00:00Z","level":"info","service":"api","msg":"hello"}
{"ts":"2026-11-20T10:00:01Z","level":"info","service":"api","took_ms":1}
{"ts":"2026-11-20T10:00:02Z","service":"api","msg":"no level","tenant":7}
{"level":"info","service":"api","msg":"no time"}
{"ts":"2026-11-20T10:00:04Z","level":"warn","msg":"no service"}
{"ts":"2026-11-20T10:00:05Z","level":"warn","msg":"none either"}
"""


def lacks(told):
    return {item["field"]: (item["missing"], item["records"]) for item in told.items}


def test_each_missing_field_is_counted_and_the_worst_comes_first(answer):
    told = answer("log_quality", MIXED)

    assert lacks(told) == {"service": (2, 6), "timestamp": (1, 6), "severity": (1, 6), "message": (1, 6)}
    assert told.items[0]["field"] == "service"
    assert told.items[0]["share"] == pytest.approx(1 / 3, abs=0.001)
    assert told.summary.endswith("1 source lacks something, most often in 2 of 6 records.")


def test_each_row_has_a_line_of_proof(answer):
    told = answer("log_quality", MIXED)

    texts = {line.ref: line.text for line in told.evidence}
    shown = {item["field"]: texts[item["refs"][0]] for item in told.items}
    assert "no service" in shown["service"]
    assert "no time" in shown["timestamp"]
    assert "no level" in shown["severity"]
    assert "took_ms" in shown["message"]


def test_plain_text_is_its_own_message(answer):
    told = answer(
        "log_quality", "2026-11-20 10:00:00 INFO api: served\n2026-11-20 10:00:01 INFO api: closed\n"
    )

    assert lacks(told) == {}
    assert told.summary == "2 records of 1 source have all of 4 fields."


def test_other_fields_may_be_required_in_any_spelling(answer):
    told = answer("log_quality", MIXED, required=["tenant", "log_level", "@timestamp"])

    assert lacks(told) == {"tenant": (5, 6), "log_level": (1, 6), "@timestamp": (1, 6)}


def test_only_records_of_the_query_are_looked_at(answer):
    told = answer("log_quality", MIXED, query="level:warn")

    assert lacks(told) == {"service": (2, 2)}
    assert not answer("log_quality", MIXED, query="nothing_like_it").items


def test_sources_are_told_apart(answer, tmp_path):
    (tmp_path / "other.log").write_text("words alone\nmore words\nand more\n")

    told = answer("log_quality", MIXED, sources=[str(tmp_path / "app.log"), str(tmp_path / "other.log")])

    by_source = {(item["source"].rpartition("/")[2], item["field"]): item["missing"] for item in told.items}
    assert by_source["other.log", "timestamp"] == 3
    assert by_source["app.log", "timestamp"] == 1
    assert ("other.log", "message") not in by_source


@pytest.mark.parametrize("required", [[""], ["x"] * 21])
def test_what_cannot_be_required_is_refused(answer, required):
    with pytest.raises(BadArgument):
        answer("log_quality", MIXED, required=required)
