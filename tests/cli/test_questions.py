"""Words and options become a question."""

from __future__ import annotations

import json

import pytest

from logpith.cli import main
from typed import logpith


def test_what_is_piped_in_is_read(folder):
    text = (folder / "app.log").read_bytes()

    alone = logpith(folder, stdin=text)
    cluster = logpith(folder, "cluster", "--json", stdin=text)
    dash = logpith(folder, "grep", "upload failed", "-", stdin=text)

    assert alone.stdout.startswith(b"600 lines")
    assert json.loads(cluster.stdout)["coverage"]["lines"] == 600
    assert dash.returncode == 0
    assert b"next: \xe2\x80\xa6 | logpith fetch e301@" in dash.stdout


def test_words_that_look_like_refs_are_fetched_from_anywhere(folder):
    found = json.loads(logpith(folder, "grep", "upload", "app.log", "--json").stdout)
    ref = found["evidence"][0]["ref"]

    by_ref = logpith(folder, "fetch", ref, "--before", "1", "app.log")
    remembered = logpith(folder.parent, "fetch", ref, "--before", "1")

    for done in (by_ref, remembered):
        assert done.returncode == 0
        assert b"call 299 answered" in done.stdout
        assert b"upload failed, password=<secret:1>" in done.stdout


@pytest.mark.parametrize("words", [["app.log"], ["*.log"], ["level:error OR level:info", "app.log"], ["."]])
def test_a_first_word_that_names_a_source_is_no_query(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.log").write_text("INFO: a\nERROR: b\n")

    code = main(["count", *words, "--by", "level", "--json"])

    assert code == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert {item["severity"]: item["count"] for item in items} == {"info": 1, "error": 1}


def test_a_query_given_by_q_is_the_same_as_one_that_is_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.log").write_text("2026-11-20T10:00:00Z ERROR one\n2026-11-20T10:00:01Z INFO two\n")

    shown = []
    for words in (
        ["level>=error", "app.log"],
        ["-q", "level>=error", "app.log"],
        ["app.log", "--query", "level>=error"],
    ):
        assert main(["count", *words]) == 0
        shown.append(capsys.readouterr().out)

    assert shown[0].startswith("1 of 2")
    assert shown[0] == shown[1] == shown[2]


def test_to_grep_q_says_what_its_word_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.log").write_text("2026-11-20T10:00:00Z ERROR one\n2026-11-20T10:00:01Z INFO two\n")

    assert main(["grep", "-q", "level>=error", "app.log"]) == 0

    assert capsys.readouterr().out.startswith("1 of 2")


def test_a_query_for_a_field_that_no_record_has_says_so(tmp_path, capsys):
    path = tmp_path / "app.log"
    path.write_text('{"level":"info","msg":"a","took_ms":5}\n' * 3)

    assert main(["grep", "-q", "sevrity>=warn", str(path)]) == 1
    assert "sevrity" in capsys.readouterr().out
    assert main(["grep", "-q", "took_ms>9", str(path)]) == 1
    assert "no field" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["grep", "no", "route", "app.log"], "there is no file route. "),
        (["grep", "no", "route", "app.log"], "If that belongs to the PATTERN, quote it: 'no route'"),
        (["search", "no", "route", "app.log"], "If that belongs to the QUERY, quote it: 'no route'"),
        (
            ["fetch", "e12@3f9a", "app.log"],
            "'e12@3f9a' is no whole ref. Copy one as it is shown: e12@3f9ac21b",
        ),
        (["overview", ""], "a path is empty. "),
        (["grep", "a", ""], "a path is empty. "),
    ],
)
def test_what_a_shell_has_made_of_words_is_told(words, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "app.log").write_text("2026-11-20 10:00:00 INFO a: no route to host\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))

    assert main(words) == 2

    assert told in capsys.readouterr().err
