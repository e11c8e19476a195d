"""Help names every command, as people know it."""

from __future__ import annotations

import re

import pytest

from logpith.cli import main
from logpith.cli.words import EXIT_CODES
from logpith.tools import tools


@pytest.mark.parametrize(
    "command",
    [
        "overview",
        "cluster",
        "diff",
        "fetch",
        "grep",
        "timeline",
        "tail",
        "demo",
        "mcp",
        "client-config",
        "skill",
    ],
)
def test_each_command_has_help_with_an_example_and_the_exit_codes(command, capsys):
    assert main([command, "--help"]) == 0

    told = capsys.readouterr().out
    assert told.startswith(f"Usage: logpith {command}")
    assert f"  logpith {command if command != 'overview' else ''}" in told.partition("Examples:")[2]
    assert told.rstrip().endswith(EXIT_CODES)
    assert "log_" not in told
    assert all(len(line) <= 110 for line in told.splitlines())


@pytest.mark.parametrize("words", [["count"], ["search"], ["explain"]])
def test_a_query_may_be_given_by_q_wherever_there_is_one(words, capsys):
    assert main([*words, "--help"]) == 0

    assert "-q, --query" in capsys.readouterr().out


def test_at_the_command_line_tools_are_named_by_their_commands(capsys):
    names = [tool.name for tool in tools().values() if "_" in tool.name]
    for tool in tools().values():
        assert main([tool.command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert not [name for name in names if re.search(rf"\b{name}\b", shown)]
    assert main(["last", "--cursor", "x", __file__]) == 2
    assert "this is no cursor of logpith last" in capsys.readouterr().err
    assert main(["my_logs/triage/app.log"]) == 2
    assert "there is no file my_logs/triage/app.log" in capsys.readouterr().err
