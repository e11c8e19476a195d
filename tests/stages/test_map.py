import json

import pytest

from logpith.batch import make_batch
from logpith.query.of_batch import which_match
from logpith.stages.map import MapStage
from logpith_emit.errors import BadArgument
from logpith_emit.severity import ERROR


def mapped(stage, *lines, extras=None):
    with stage.open() as apply:
        return apply(make_batch(lines, observed_ns=10**18, source="s", extras=extras)).kept


def test_a_renamed_field_is_found_under_its_new_name():
    kept = mapped(
        MapStage(rename=("who=user.id", "n=count")),
        b'{"who": "ann", "n": 5}',
        b"who=bob n=7",
        b'{"who": "c\\"d"}',
        b"nobody",
    )

    assert which_match("user.id:ann")(kept).tolist() == [True, False, False, False]
    assert which_match("user.id:bob AND count>=6")(kept).tolist() == [False, True, False, False]
    assert json.loads(kept["extra"][0].as_py()) == {"user.id": "ann", "count": 5}
    assert json.loads(kept["extra"][2].as_py()) == {"user.id": 'c"d'}


def test_a_new_name_that_means_a_column_fills_it():
    stage = MapStage(rename=("lvl2=log_level", "unit=service", "when2=timestamp"))

    kept = mapped(
        stage, b'{"lvl2": "error", "unit": "db", "when2": "20/Nov/2026:13:45:02 +0000"}', b"lvl2=odd"
    ).to_pylist()

    assert (kept[0]["severity_number"], kept[0]["service"]) == (ERROR, "db")
    assert kept[0]["timestamp"] == 1_795_182_302 * 10**9
    assert (kept[1]["severity_number"], kept[1]["timestamp"]) == (0, None)


def test_a_renamed_attribute_loses_its_old_name_and_an_alias_keeps_it():
    extras = [{"old": "x"}]

    renamed = mapped(MapStage(rename=("old=new",)), b"", extras=extras)["extra"][0].as_py()
    aliased = mapped(MapStage(aliases=("old=new",)), b"", extras=extras)["extra"][0].as_py()

    assert json.loads(renamed) == {"new": "x"}
    assert json.loads(aliased) == {"old": "x", "new": "x"}


def test_a_name_without_a_new_one_is_refused():
    with pytest.raises(BadArgument, match="renames nothing"):
        MapStage(rename=("lvl",))


def test_a_value_that_is_no_utf_8_keeps_what_can_be_read_of_it():
    batch = make_batch([b"app=a\xffb"], observed_ns=1, source="s")

    with MapStage(rename=("app=service",)).open() as apply:
        kept = apply(batch).kept

    assert kept["service"].to_pylist() == ["a?b"]
    assert json.loads(kept["extra"][0].as_py()) == {"service": "a?b"}
