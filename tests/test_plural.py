"""Plurals: what is one is told as one, wherever it is counted."""

import pytest

from logpith.cli import main
from logpith.plural import are, counted
from logpith_emit.spool import Spool


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 lines are"), (1, "1 line is"), (2, "2 lines are"), (1200, "1,200 lines are")]
)
def test_a_number_of_things(number, told):
    assert f"{counted(number, 'line')} {are(number)}" == told


@pytest.fixture
def single(tmp_path, monkeypatch):
    """Two logs of one line each, in a working directory of their own."""
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name in ("one.log", "other.log"):
        (tmp_path / name).write_text("2026-11-20T10:00:00Z INFO call answered\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["triage", "one.log"], "1 line"),
        (["diff", "one.log", "--baseline", "other.log"], "1 record against 1. None of 1 template"),
        (["grep", "call", "one.log"], "1 of 1 record matches"),
        (["overview", "one.log"], "1 line "),
        (["sql", "SELECT body FROM records", "one.log"], "1 row of 1 record."),
        (["parse", "test", "one.log"], "1 line is 1 record"),
        (["last", "one.log"], "1 line of 1 service"),
    ],
)
def test_a_log_of_one_line(single, capsys, words, told):
    main(words)

    out = capsys.readouterr().out
    assert told in out
    assert "1 lines" not in out
    assert "1 records" not in out
    assert "1 templates" not in out


def test_a_store_of_one_record(single, tmp_path, capsys):
    assert main(["ingest", "one.log"]) == 0
    said = [
        capsys.readouterr().out
        for words in (["store", "segments"], ["store", "check"], ["explain", "call"])
        if main(words) == 0
    ]

    assert "1 segment, 1 record" in said[0]
    assert "1 segment with 1 record" in said[1]
    assert "of 1 segment 0 are left out" in said[2]
    assert "1 is counted by its rollup" in said[2]
    assert "of 1 template 1 matches, 0 are in doubt; 0 of 1 block" in said[2]


def test_one_record_that_a_spool_has_dropped(tmp_path, single, capsys):
    spool = Spool(folder=tmp_path / "spool", limit_bytes=100, overflow="drop_newest")
    with spool.open() as writer:
        writer.append(b'{"message":"kept"}', 1)
        writer.append(bytes(60), 1)

    main(["tail", str(spool.folder)])

    assert "1 record was dropped here" in capsys.readouterr().out
