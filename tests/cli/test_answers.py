"""Answers as they are printed: into a pipe, on a terminal, as JSON."""

from __future__ import annotations

import json
import re

import pytest

from logpith.answer import to_json
from logpith.app import ask
from logpith.cli.answers import command_line
from logpith.tools import tools
from typed import logpith, many_on_a_terminal, on_a_terminal


def test_json_is_one_line_and_the_answer_that_any_door_gives(folder, monkeypatch):
    from logpith.corpus.desk import Desk

    monkeypatch.chdir(folder)
    answer = ask(tools()["log_grep"](pattern="upload", sources=("app.log",)), Desk())  # type: ignore[call-arg]

    done = logpith(folder, "--json", "grep", "upload", "app.log")

    assert done.stdout.count(b"\n") == 1
    assert json.loads(done.stdout) == to_json(answer)


SGR = re.compile(r"\x1b\[[0-9;]*m")
NOT_TEXT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f]")


def test_a_terminal_gets_no_control_codes_but_our_colours(folder):
    commands = [
        ["app.log"],
        ["cluster", "app.log"],
        ["grep", "title", "app.log"],
        ["fetch", "app.log", "--offset", "295"],
    ]

    for sent, code in many_on_a_terminal(folder, *([*words, "--budget", "20000"] for words in commands)):
        text = SGR.sub("", sent.replace("\r\n", "\n"))
        assert code == 0
        assert SGR.search(sent)
        assert NOT_TEXT.findall(text) == []
        assert "hunter2zz" not in text
        assert r"\x1b]0;owned\x07" in text
        assert "[bold red]no[/]" in text


def test_words_that_were_looked_for_stand_out_for_a_person_and_not_in_json(folder):
    coloured, _ = on_a_terminal(folder, "search", "answered", "app.log")
    as_json, _ = on_a_terminal(folder, "search", "answered", "app.log", "--json")

    assert "\x1b[1;33manswered\x1b[0m" in coloured
    assert "highlights" not in SGR.sub("", coloured)
    assert "highlights" not in as_json


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_lines_are_as_wide_as_the_terminal_at_most(folder, columns):
    commands = [["app.log"], ["cluster", "app.log"], ["grep", "answered", "app.log"]]

    for sent, code in many_on_a_terminal(folder, *commands, columns=columns):
        lines = SGR.sub("", sent).split("\r\n")
        too_wide = [
            line for line in lines if len(line) > columns and not line.startswith(("next: ", "more: "))
        ]
        assert code == 0
        assert len(lines) > 5
        assert too_wide == []


@pytest.mark.parametrize(
    ("words", "environment"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})]
)
def test_colours_can_be_turned_off(folder, words, environment):
    sent, code = on_a_terminal(folder, "app.log", *words, **environment)

    assert code == 0
    assert "\x1b" not in sent


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ('log_fetch(refs=["e12@3f9ac21b"], before=5)', "logpith fetch e12@3f9ac21b --before 5"),
        ('log_cluster(sort="severity")', "logpith cluster 'a b.log' --sort severity"),
        ('log_grep(pattern="it is", ignore_case=true)', "logpith grep 'it is' 'a b.log' -i"),
        ("log_overview()", "logpith overview 'a b.log'"),
        ("log_fetch(query=…) reads them", "log_fetch(query=…) reads them"),
        ("rm(path=1)", "rm(path=1)"),
    ],
)
def test_a_call_for_agents_becomes_a_command_line(call, line):
    assert command_line(call, ["a b.log"]) == line
