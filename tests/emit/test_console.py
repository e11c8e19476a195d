"""Lines for people say what a record says, and nothing to the terminal but colours."""

import io

from logpith_emit.console import console_for, line_of

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
