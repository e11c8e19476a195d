"""Labels: one row for each line, in order, with the template of its record."""

import csv

import pytest

from logpith.cli import main


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


def label(tmp_path, text, *options):
    (tmp_path / "app.log").write_bytes(text)
    code = main(["cluster", str(tmp_path / "app.log"), "--labels", str(tmp_path / "out.csv"), *options])
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        return code, list(csv.DictReader(file))


def test_each_line_has_its_row_also_within_a_trace(tmp_path):
    text = b"".join(
        b"2026-11-20 13:45:%02d INFO app: user u%d logged in\n" % (second, second) for second in range(30)
    )
    text += b"2026-11-20 13:46:00 ERROR app: it broke\nTraceback (most recent call last):\n  File x\nValueError: y\n"

    code, rows = label(tmp_path, text)

    assert code == 0
    assert [row["line"] for row in rows] == [str(number) for number in range(1, 35)]
    assert {row["EventTemplate"] for row in rows[:30]} == {"user <*> logged in"}
    assert {row["EventTemplate"] for row in rows[30:]} == {"it broke"}
    assert len({row["template_id"] for row in rows}) == 2


def test_a_raw_line_is_a_body_as_it_stands(tmp_path):
    _, rows = label(tmp_path, b'2026-11-20 13:45:00 INFO a, "b"\r\n\n  indented\n', "--format", "raw")

    assert [row["EventTemplate"] for row in rows] == ['<*> <*> INFO a, "b"', "", "indented"]


def test_an_unknown_format_and_a_folder_that_cannot_be_written_are_told(tmp_path, capsys):
    (tmp_path / "app.log").write_text("x\n")

    assert main(["cluster", str(tmp_path / "app.log"), "--labels", "x.csv", "--format", "xml"]) == 2
    assert "--format raw" in capsys.readouterr().err
    assert main(["cluster", str(tmp_path / "app.log"), "--labels", str(tmp_path / "no" / "x.csv")]) == 2
    assert "may be written" in capsys.readouterr().err
