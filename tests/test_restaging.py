"""Restaging: what is stored goes through the stages of today, once, and whatever cuts it off."""

import json
from collections import Counter

import pytest

from logpith import cli
from logpith.batch import make_batch
from logpith.pipeline import stages_of
from logpith.restaging import restage
from logpith.settings import QualitySettings, Settings
from logpith.store import open_store
from logpith_emit.errors import NotFound
from stores import NOW_NS, batch_of, lines_in, rows_in, snapshot_of

SEVERE = b'{"ts":"2026-11-20T10:00:00Z","prio":"error","service":"shop","msg":"card refused"}'
CALM = b'{"ts":"2026-11-20T10:00:01Z","prio":"info","service":"shop","msg":"card taken"}'


def stages(**settings):
    return stages_of(Settings(**settings), "k" * 64)


RENAMING = stages(stages=({"type": "map", "rename": {"prio": "log_level"}},))


def keep(folder, *batches):
    with open_store(folder) as store:
        for batch in batches:
            store.append(batch)


def again(folder, *names, by=RENAMING):
    with open_store(folder) as store:
        return restage(store, names, by, NOW_NS)


def stored(folder):
    snapshot = snapshot_of(folder)
    assert snapshot.damaged == ()
    return rows_in(snapshot.segments)


def test_old_records_of_the_source_are_as_the_stages_make_them_and_others_are_not(tmp_path):
    keep(tmp_path, make_batch([SEVERE, CALM], observed_ns=NOW_NS, source="shop"), batch_of("other"))

    done = again(tmp_path, "shop")

    assert (done.records, done.sources) == (2, ("shop",))
    found = {row["line"]: row["severity_number"] for row in stored(tmp_path)}
    assert found == {SEVERE: 17, CALM: 9, b"other took 10 ms": 0}


def test_whoever_does_it_twice_gets_the_same(tmp_path):
    keep(tmp_path, make_batch([SEVERE, CALM], observed_ns=NOW_NS, source="shop"))

    again(tmp_path, "shop")
    once = stored(tmp_path)
    again(tmp_path, "shop")

    assert stored(tmp_path) == once


def test_a_dead_letter_of_the_source_gets_another_chance(tmp_path):
    strict = stages(quality=QualitySettings(strict=True, required_fields=("severity",)))
    keep(tmp_path, make_batch([SEVERE], observed_ns=NOW_NS, source="shop"))

    assert again(tmp_path, "shop", by=strict).dead == 1
    assert [row["source"] for row in stored(tmp_path)] == ["dead_letter"]
    keep(tmp_path, make_batch([CALM], observed_ns=NOW_NS, source="shop"))
    again(tmp_path, "shop")

    assert Counter(row["source"] for row in stored(tmp_path)) == {"shop": 2}
    assert not any("dead_letter" in row["extra"] for row in stored(tmp_path))


def test_what_the_stages_drop_goes_and_is_counted(tmp_path):
    keep(tmp_path, make_batch([SEVERE, CALM], observed_ns=NOW_NS, source="shop"))

    done = again(tmp_path, "shop", by=stages(stages=({"type": "drop", "only": "taken"},)))

    assert sum(done.dropped.values()) == 1
    assert lines_in(snapshot_of(tmp_path).segments) == [SEVERE]
    with open_store(tmp_path) as store:
        assert store.manifest.dropped == done.dropped


def test_stages_that_leave_out_some_of_many_stand_aside(tmp_path):
    keep(tmp_path, make_batch([SEVERE] * 6, observed_ns=NOW_NS, source="shop"))

    done = again(tmp_path, "shop", by=stages(stages=({"type": "sample", "every": 3}, {"type": "dedupe"})))

    assert (done.records, len(stored(tmp_path))) == (6, 6)


def test_a_source_of_which_nothing_is_stored_is_told_with_the_nearest(tmp_path):
    keep(tmp_path, make_batch([SEVERE], observed_ns=NOW_NS, source="shop"))

    with pytest.raises(NotFound, match=r"a source 'shpo'. Did you mean 'shop'\?"):
        again(tmp_path, "shpo")


def test_a_query_by_the_new_name_finds_the_old_lines_after_they_went_through_again(
    tmp_path, compiled, monkeypatch, capsys
):
    compiled(tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "shop.log").write_bytes(SEVERE + b"\n" + CALM + b"\n")
    settings = tmp_path / "logpith.toml"
    lasting = '[store]\nretention = "36500d"\n'  # whatever the day is
    settings.write_text(f'{lasting}[sources.shop]\ntype = "file"\npaths = ["shop.log"]\n')

    def found(query):
        capsys.readouterr()
        cli.main(["search", query, "--refresh", "--json"])
        told = json.loads(capsys.readouterr().out)
        return [item["text"] for item in told.get("items", ()) if "text" in item]

    assert found("log_level:error") == []  # collected, and nobody knows what `prio` means
    (tmp_path / "shop.log").unlink()
    settings.write_text(settings.read_text() + '[[stages]]\ntype = "map"\nrename = { prio = "log_level" }\n')
    assert cli.main(["ingest", "--again", "shop"]) == 0

    assert "2 records of 1 source went through the stages once more." in capsys.readouterr().out
    (line,) = found("log_level:error")
    assert "card refused" in line
