import json

import pytest

from logpith.batch import make_batch
from logpith.cli import main
from logpith.quote import Quoter
from logpith.rehearsal import MOST_SHOWN, as_text, rehearse
from logpith.stages.drop import DropStage
from logpith.stages.map import MapStage
from logpith.stages.redact import RedactStage
from logpith.stages.validate import ValidateStage

STAGES = (
    RedactStage(key="k"),
    DropStage(only='"/health"', reason="health"),
    MapStage(rename=("lvl2=log_level",)),
    ValidateStage(strict=True, required_fields=("severity",)),
)
LINES = (b'{"lvl2": "error", "mail": "ann@example.org"}', b"GET /health", b"says nothing", b"fine")


def rehearsed():
    batch = make_batch(LINES, observed_ns=10**18, source="app", severities=[0, 9, 0, 9])
    return rehearse(batch, STAGES, Quoter())


def test_each_record_is_followed_through_the_stages():
    first, second, third, fourth = rehearsed().journeys

    assert [(step.stage, step.fate) for step in first.steps] == [("redact", "changed"), ("map", "changed")]
    assert "<email:" in first.steps[0].told["text"]
    assert first.steps[1].told == {"level": "error", "attributes": {"log_level": "error"}}
    assert first.end["level"] == "error"
    assert [(step.stage, step.fate, step.told["reason"]) for step in second.steps] == [
        ("drop", "dropped", "health")
    ]
    assert [(step.stage, step.fate) for step in third.steps] == [("validate", "dead")]
    assert third.steps[0].told == {"reason": "missing_severity"}
    assert (fourth.steps, fourth.fate) == ([], "kept")


def test_what_each_stage_counts_is_told():
    counts = {count.stage: count for count in rehearsed().counts}

    assert counts["redact"].counters == {"redacted_email": 1}
    assert (counts["drop"].kept, counts["drop"].dropped) == (3, {"health": 1})
    assert (counts["validate"].kept, counts["validate"].dead) == (2, {"missing_severity": 1})


def test_a_person_is_shown_the_first_and_told_of_the_others():
    batch = make_batch([b"x"] * (MOST_SHOWN + 5), observed_ns=1, source="app")

    text = "\n".join(as_text(rehearse(batch, (), Quoter())))

    assert text.startswith("25 records.")
    assert f"record {MOST_SHOWN}:" in text
    assert f"record {MOST_SHOWN + 1}:" not in text
    assert text.endswith("… and 5 records more; --json shows all.")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logpith.toml").write_text('[[stages]]\ntype = "drop"\nonly = "noise"\n')
    (tmp_path / "a.log").write_text(
        "2026-11-20 12:00:00 ERROR api: password=hunter2\n  at x\n2026-11-20 12:00:01 INFO noise\x1b[31m\n"
    )
    (tmp_path / "empty.log").write_text("")
    return tmp_path


def test_the_command_shows_what_happens_to_the_records_of_a_file(folder, capsys):
    assert main(["pipeline", "test", "a.log"]) == 0
    plain = capsys.readouterr().out
    assert main(["pipeline", "test", "a.log", "--service", "gw", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert "hunter2" not in plain
    assert "\x1b" not in plain
    assert "→ dropped" in plain
    assert [record["fate"] for record in told["records"]] == ["kept", "dropped"]
    assert told["records"][0]["record"]["time"] == "2026-11-20T12:00:00Z"
    assert [stage["stage"] for stage in told["stages"]] == ["redact", "drop", "validate"]
    assert not list(folder.glob("**/redaction.key"))


def test_nothing_to_show_is_told_by_the_exit_code(folder, capsys):
    assert main(["pipeline", "test", "empty.log"]) == 1
    assert main(["pipeline", "test"]) == 2
    assert "logpith pipeline test FILE" in capsys.readouterr().err
