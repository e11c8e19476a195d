"""Lines for people say what a record says, and nothing to the terminal but colours."""

import io
import os

import pytest

from logpith_emit.console import console_for, line_of
from logpith_emit.logger import configure, get_logger

ENTRY = {
    "timestamp": 1_790_000_000_123_000_000,
    "level": "error",
    "service": "shop",
    "logger": "shop.pay",
    "message": "it failed",
    "process_id": 7,
    "thread_name": "MainThread",
    "call_id": "CA16",
    "reason": "no more credits",
}


def test_a_line_has_time_level_name_message_and_fields():
    line = line_of(ENTRY)

    assert line[2] == line[5] == ":"
    assert line[8:] == '.123 error  shop.pay  it failed  call_id=CA16  reason="no more credits"'


def test_a_traceback_stands_below():
    assert line_of({**ENTRY, "exception": "Traceback\n  x"}).splitlines()[-2:][1] == "  x"


def test_only_our_own_colours_reach_a_terminal():
    line = line_of({**ENTRY, "message": "\x1b]0;owned\x07", "k\x1by": "\x9b2J\u202e"}, in_colours=True)

    assert line.count("\x1b") == 2
    assert "\x1b[31merror\x1b[0m" in line
    assert "\\x1b]0;owned\\x07" in line
    assert "\x9b" not in line
    assert "\u202e" not in line


def test_a_stream_that_is_no_terminal_gets_no_colours():
    stream = io.StringIO()

    console_for(stream)(ENTRY)

    assert stream.getvalue() == line_of(ENTRY) + "\n"


@pytest.fixture
def terminal():
    """What is written to it, and what a person sees there."""
    if not hasattr(os, "openpty"):
        pytest.skip("this system has no terminals of its own making")
    person, program = os.openpty()

    def seen():
        """What has come, up to the end of a line: the system passes it on in pieces."""
        text = b""
        while not text.endswith(b"\n"):
            text += os.read(person, 65_536)
        return text.decode().replace("\r\n", "\n")

    with os.fdopen(program, "w") as stream:
        yield stream, seen
    os.close(person)


@pytest.mark.parametrize(
    ("told", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_gets_colours_unless_somebody_wants_none(terminal, monkeypatch, told, has_colours):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    stream, seen = terminal

    console_for(stream)(ENTRY)

    assert seen() == line_of(ENTRY, in_colours=has_colours) + "\n"


def say_with(folder, console):
    emitter = configure(folder=folder, console=console)
    get_logger("shop").info("answered", call_id="CA16")
    emitter.close()


@pytest.mark.parametrize(("console", "is_shown"), [(None, True), (True, True), (False, False)])
def test_at_a_terminal_a_program_shows_what_it_says(tmp_path, terminal, monkeypatch, console, is_shown):
    monkeypatch.setattr("logpith_emit.logger._EMITTER", None)
    stream, seen = terminal
    monkeypatch.setattr("sys.stderr", stream)

    say_with(tmp_path, console)
    print("the end", file=stream, flush=True)

    assert ("shop  answered  call_id=CA16" in seen()) is is_shown


@pytest.mark.parametrize(("console", "is_shown"), [(None, False), (True, True)])
def test_elsewhere_it_does_where_that_is_wanted(tmp_path, monkeypatch, capsys, console, is_shown):
    monkeypatch.setattr("logpith_emit.logger._EMITTER", None)

    say_with(tmp_path, console)

    assert ("shop  answered  call_id=CA16\n" in capsys.readouterr().err) is is_shown
