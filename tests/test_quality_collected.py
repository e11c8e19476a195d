"""What records lack: told by source, counted and not warned of, and in strict mode kept apart."""

import json
import logging
from collections import Counter

import pytest

from logpith import cli
from stores import rows_in, snapshot_of

WHOLE = '{"ts":"2026-11-20T10:00:00Z","level":"info","service":"shop","msg":"taken"}'
NAMELESS = '{"ts":"2026-11-20T10:00:01Z","level":"info","msg":"taken"}'
TIMELESS = '{"level":"info","service":"shop","msg":"taken"}'


@pytest.fixture
def folder(tmp_path, compiled, monkeypatch):
    compiled(tmp_path / "cache")
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_text("\n".join([WHOLE] * 6 + [NAMELESS] * 3 + [TIMELESS]) + "\n")
    (tmp_path / "b.log").write_text("\n".join([WHOLE] * 4 + [TIMELESS]) + "\n")
    return tmp_path


@pytest.fixture
def asked(folder, capsys):
    """asked(strict, *words): what a command answers with --json about the two sources."""

    def run(*words, strict=False):
        (folder / "logpith.toml").write_text(
            "[sources]\n"
            f'a = {{ type = "file", paths = ["{folder}/a.log"] }}\n'
            f'b = {{ type = "file", paths = ["{folder}/b.log"] }}\n'
            f"[quality]\nstrict = {str(strict).lower()}\n"
        )
        capsys.readouterr()
        assert cli.main([*words, "--json", "--data-dir", str(folder / "data")]) in (0, 1)
        return json.loads(capsys.readouterr().out)

    return run


def test_the_rates_of_missing_fields_are_told_by_source(asked):
    told = asked("quality", "--refresh")

    rates = {(item["source"], item["field"]): item["share"] for item in told["items"]}
    assert rates == {("a", "service"): 0.3, ("a", "timestamp"): 0.1, ("b", "timestamp"): 0.2}


def test_in_strict_mode_bad_records_are_in_a_stream_of_their_own_with_the_reason(asked, folder):
    found = asked("search", "source:dead_letter", "--refresh", strict=True)

    assert found["items"][0]["severities"] == {"info": 5}
    rows = rows_in(snapshot_of(folder / "data" / "store").segments)
    streams = Counter(
        (row["source"], json.loads(row["extra"] or "{}").get("dead_letter.reason")) for row in rows
    )
    assert streams == {
        ("a", None): 6,
        ("b", None): 4,
        ("dead_letter", "missing_service"): 3,
        ("dead_letter", "missing_timestamp"): 2,
    }
    assert "items" not in asked("quality", "a", "b", strict=True)


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_missing_is_counted_and_nobody_is_warned_of_each_record(
    asked, folder, caplog, capsys, strict
):
    with caplog.at_level(logging.DEBUG, "logpith"):
        told = asked("ingest", "a.log", "b.log", strict=strict)

    assert told["counted"] == {"validate.missing_service": 3, "validate.missing_timestamp": 2}
    assert told["dead_letters"] == (5 if strict else 0)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert capsys.readouterr().err == ""
