import json
from pathlib import Path

import pytest

from logpith.checking import as_json, as_text, check_settings
from logpith.cli import main

NOW_NS = 1_795_255_502_000_000_000

SETTINGS = """
[store]
folder = "data"
[[store.classes]]
name = "errors"
query = "level>=error"
retention = "90d"
[sources.web]
type = "file"
paths = ["{folder}/web.log"]
[groups]
raindrop = ["gateway", "auth"]
[[stages]]
type = "drop"
only = "noise"
"""

BROKEN = """
[[store.classes]]
name = "errors"
query = "level>="
retention = "90d"
[sources.gone]
type = "file"
paths = ["{folder}/gone.log"]
[sources.wrong]
type = "file"
pths = ["x"]
[[stages]]
type = "sample"
every = 10
only = "(("
[[server.tokens]]
name = "short"
token = "abc"
"""


@pytest.fixture
def check(tmp_path, monkeypatch):
    """check(text): what is found in settings of this text, by place."""
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "state"))
    (tmp_path / "web.log").write_text("2026-11-20 12:00:00 INFO one\n")

    def found(text, **environment):
        (tmp_path / "logpith.toml").write_text(text.replace("{folder}", str(tmp_path)))
        findings = list(check_settings(None, environment=environment, folder=tmp_path, now_ns=NOW_NS))
        return {finding.place: finding for finding in findings}

    return found


def test_settings_that_are_as_they_should_be_are_ok_one_by_one(check, tmp_path):
    findings = check(SETTINGS, LOGPITH_TOKEN="a token of the tests")

    assert list(findings) == [
        *(
            "settings",
            "store.folder",
            "store.classes[0]",
            "server.tokens.environment",
            "sources.web",
            "stages[0]",
        ),
        *("stages", "groups.raindrop"),
    ]
    assert all(finding.is_ok for finding in findings.values())
    assert findings["sources.web"].told.endswith("the first piece has 1 record")
    assert findings["stages"].told == "redact → drop → validate"
    assert not (tmp_path / "data").exists()


def test_each_problem_is_told_with_its_remedy_and_hides_no_other(check):
    findings = check(BROKEN)

    problems = {place: finding for place, finding in findings.items() if not finding.is_ok}
    assert list(problems) == [
        *("store.classes[0]", "server.tokens.short", "sources.gone", "sources.wrong", "stages[0]"),
    ]
    assert all(finding.remedy for finding in problems.values())
    assert "gone.log" in problems["sources.gone"].problem
    assert problems["sources.wrong"].remedy == "Did you mean 'paths'?"
    text = as_text(list(findings.values()))
    assert "PROBLEM sources.wrong" in text
    assert "abc" not in text


def test_all_names_that_set_nothing_are_told(tmp_path):
    (tmp_path / "logpith.toml").write_text(
        """
        [store]
        retnetion = "1d"
        foldr = "x"
        [sources.web]
        type = "file"
        pths = []
        evry = 1
        [[stages]]
        type = "redcat"
        """
    )

    findings = [
        one for one in check_settings(None, environment={}, folder=tmp_path, now_ns=0) if not one.is_ok
    ]

    assert [(one.place, one.problem) for one in findings[:2]] == [
        ("settings", "store: no setting named 'retnetion'"),
        ("settings", "store: no setting named 'foldr'"),
    ]
    assert [one.place for one in findings[2:]] == ["sources.web", "stages[0]"]
    assert all(name in f"{findings[2].problem} {findings[2].remedy}" for name in ("pths", "evry"))


def test_settings_that_cannot_be_read_are_the_only_finding(check):
    (finding,) = check("store = 1").values()

    assert finding.problem == "store must be a table, not 1"
    assert json.loads(as_json([finding])) == [
        {"ok": False, "place": "settings", "problem": finding.problem, "remedy": finding.remedy}
    ]


def test_a_store_that_cannot_be_written_is_a_problem(check, tmp_path):
    (tmp_path / "file").write_text("")

    finding = check(f'store.folder = "{tmp_path}/file"')["store.folder"]

    assert "cannot be written" in finding.problem


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="only Linux has a folder in which nobody makes folders"
)
def test_a_folder_in_which_even_an_administrator_makes_nothing_is_a_problem(check):
    finding = check('store.folder = "/proc/x"')["store.folder"]

    assert "/proc/x cannot be written" in finding.problem
    assert finding.remedy


def test_trying_to_write_leaves_nothing(check, tmp_path):
    (tmp_path / "there").mkdir()

    assert check(f'store.folder = "{tmp_path}/there/store"')["store.folder"].is_ok
    assert list((tmp_path / "there").iterdir()) == []


def test_records_that_are_older_than_is_kept_are_said(check, tmp_path):
    (tmp_path / "web.log").write_text("2026-09-20 12:00:00 INFO one\n2026-11-20 12:00:00 INFO two\n")

    finding = check(SETTINGS)["sources.web"]

    assert finding.is_ok
    assert "has 2 records; 1 of them is older than what is kept (30d)" in finding.told
    assert "raise retention in [store]" in finding.told


def test_an_address_that_serve_refuses_is_a_problem_unless_it_is_told_more(check, tmp_path):
    told = '[server]\nlisten = "0.0.0.0:8863"\n'
    finding = check(told)["server.listen"]

    assert "there is no TLS" in finding.problem
    assert "--insecure-listen" in finding.remedy
    secured = check_settings(None, environment={}, folder=tmp_path, now_ns=NOW_NS, is_secured=True)
    assert "server.listen" not in [one.place for one in secured]


def test_too_little_room_is_a_problem(check):
    finding = check('store.least_free = "1000TB"')["store.folder"]

    assert "less than least_free" in finding.problem


def test_the_command_tells_by_its_exit_code(check, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    check(SETTINGS)
    assert main(["check"]) == 0
    assert "ok      sources.web" in capsys.readouterr().out

    check(BROKEN)
    assert main(["check", "--json"]) == 1
    assert {one["place"] for one in json.loads(capsys.readouterr().out) if not one["ok"]} >= {"sources.gone"}

    assert main(["check", "some.toml"]) == 2
    assert "--config some.toml" in capsys.readouterr().err


def test_settings_without_sources_say_so(check):
    found = check("")

    assert found["sources"].is_ok
    assert found["sources"].told.startswith("none; ")
    assert "sources" not in check(SETTINGS)
