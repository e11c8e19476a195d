from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from logpith.cli import main
from logpith.demo.incidents import names

LOGPITH = [sys.executable, "-m", "logpith"]
END = ["--end", "2026-11-20T20:00:00Z"]


def as_a_process(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(
        [*LOGPITH, *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.fixture
def logpith(tmp_path, monkeypatch, capsys):
    """logpith("demo", …): the same in this process, to spare a second a call."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess(words, main(words), *capsys.readouterr())

        yield run


def test_the_tour_shows_commands_that_give_just_what_it_shows(tmp_path, logpith):
    done = as_a_process(tmp_path, "demo", "--lines", "2000", *END)

    assert done.returncode == 0, done.stderr
    steps = done.stdout.partition("\nGo on:\n")[0].split("\n$ logpith ")[1:]
    assert len(steps) == 4
    for step in steps:
        command, _, shown = step.partition("\n\n")
        typed = logpith(*shlex.split(command))
        assert typed.returncode == 0
        assert shown.startswith(typed.stdout)


@pytest.mark.parametrize("name", names())
def test_the_tour_asks_for_the_cause_of_what_goes_wrong_and_finds_all_of_it(
    tmp_path, monkeypatch, capsys, name
):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "day"

    truth_file = tmp_path / "truth.json"
    words = ["demo", "--incident", name, "--lines", "2000", "--dir", str(folder), "--truth", str(truth_file)]
    assert main([*words, *END]) == 0

    truth = json.loads(truth_file.read_text())
    steps = capsys.readouterr().out.partition("\nGo on:\n")[0].split("\n$ logpith ")[1:]
    commands = [shlex.split(step.partition("\n")[0]) for step in steps]
    assert commands[0] == [str(folder / "*.log")]
    assert commands[1][0] == "cluster"
    asked = [words for words in commands if words[0] == "grep"]
    assert len(asked) == bool(truth["cause"])
    for words in asked:
        assert main(["--json", *words]) == 0
        found = json.loads(capsys.readouterr().out)["items"][0]["matches"]
        assert found == sum(planted["count"] for planted in truth["planted"])


def test_help_lists_what_can_go_wrong(capsys):
    assert main(["demo", "--help"]) == 0

    assert ", ".join(names()) in " ".join(capsys.readouterr().out.split())


def test_the_tour_finds_out_what_the_day_is_about(logpith):
    done = logpith("demo", *END)

    overview = done.stdout.split("\n$ logpith ")[1]
    first_suspect = overview.split("suspect:\n")[1].splitlines()[1]
    assert "quota_exceeded" in first_suspect
    assert "new since 2026-11-20T" in first_suspect


def test_every_command_it_proposes_at_the_end_is_one(logpith):
    done = logpith("demo", "--lines", "1000", "--no-tour", *END)

    proposed = [line.split("  ")[1] for line in done.stdout.partition("\nGo on:\n")[2].splitlines()]
    assert len(proposed) == 5
    for line in proposed:
        name, *words = shlex.split(line)
        assert name == "logpith"
        if "mcp" not in words and "/var/log" not in words:
            assert logpith(*words).returncode == 0


def test_the_same_seed_and_end_give_the_same_day_in_the_folder_that_was_asked_for(tmp_path, logpith):
    for name in ("one", "two"):
        done = logpith("demo", "--lines", "1000", "--seed", "3", "--no-tour", "--dir", name, *END)
        assert done.returncode == 0

    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert {path.suffix for path in one} == {".log"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["--lines", "5"],
            "--lines must be a whole number from 1000 to 1000000000, not 5. Try --lines 20000",
        ),
        (["--lines", "many"], 'not "many"'),
        (["--end", "whenever"], "logpith: "),
        (["--dir", "file/day"], "file/day cannot be made"),
        (["--incident", "dnss"], "there is no incident 'dnss'. Did you mean 'dns'? Take one of cert, "),
        (["place"], "Write logpith demo --dir place"),
    ],
)
def test_a_wrong_option_is_told(tmp_path, logpith, words, complaint):
    (tmp_path / "file").write_text("")

    done = logpith("demo", *words)

    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.glob("logpith-demo-*"))
