"""The skill's commands work, as written, on a made-up day."""

import re
import shlex
from pathlib import Path

import pytest

from logpith.cli import main
from logpith.demo import Day, write_day
from logpith.query import parse
from logpith.timerange import parse_time


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    write_day(Day(lines=3000, end_ns=parse_time("2026-11-20T22:00:00Z", now_ns=0)), folder)
    return folder


@pytest.fixture
def skill(tmp_path, day, monkeypatch, capsys):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(day)
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert main(["skill"]) == 0
        yield capsys.readouterr().out


def test_its_front_matter_is_what_hosts_ask_for(skill):
    head = re.match(r"---\nname: ([a-z0-9-]{1,64})\ndescription: ([^\n]{1,1024})\n---\n\n", skill)

    assert head is not None
    assert head[1] == "logpith"
    assert ": " not in head[2]  # plain YAML without quotes
    assert "<" not in head[2]


def test_every_command_of_it_finds_something(skill, capsys):
    commands = [
        line for block in re.findall(r"```sh\n(.*?)```", skill, re.DOTALL) for line in block.splitlines()
    ]

    assert len(commands) > 4
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "logpith"
        assert main(words) == 0, command
        assert capsys.readouterr().out


def test_its_way_to_a_cause_can_be_walked(skill, capsys):
    main(["."])
    ref = re.search(r"\be\d+@[0-9a-f]{8}\b", capsys.readouterr().out)[0]

    assert main(["fetch", ref, "--before", "10", "--after", "10"]) == 0
    assert "quota_exceeded" in capsys.readouterr().out
    assert main(["grep", "quota_exceeded", "."]) == 0


def test_every_option_and_query_that_it_names_exists(skill, capsys):
    helps = ""
    for command in ("overview", "grep", "cluster", "fetch"):
        main([command, "--help"])
        helps += capsys.readouterr().out
    for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", skill.split("---", 2)[2]):
        assert option in helps, option
    queries = re.search(r"- A query: (.*?)\n- ", skill, re.DOTALL)[1]
    for query in re.findall(r"`([^`]+)`", queries):
        if query not in ("AND", "OR", "NOT"):
            parse(query, now_ns=10**18, end_ns=10**18)
