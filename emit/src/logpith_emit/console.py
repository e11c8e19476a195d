"""The console: records as lines for people, in colours where a terminal shows them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TextIO

_COLOURS = {"trace": "2", "debug": "2", "info": "32", "warn": "33", "error": "31", "fatal": "1;31"}
_LEFT_OUT = frozenset(
    {"timestamp", "level", "message", "logger", "service", "process_id", "thread_name", "exception"}
)
# Everything by which text of others might move the cursor or speak to the terminal.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def console_for(stream: TextIO) -> Callable[[Mapping[str, object]], None]:
    """What writes each record to a stream as a line."""
    in_colours = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def show(entry: Mapping[str, object]) -> None:
        stream.write(line_of(entry, in_colours=in_colours) + "\n")
        stream.flush()

    return show


def line_of(entry: Mapping[str, object], *, in_colours: bool = False) -> str:
    """`13:45:02.123 error  shop  it failed  call_id=CA16`, and the traceback below it."""
    time_ns = entry.get("timestamp")
    moment = datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone() if isinstance(time_ns, int) else None
    clock = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}" if moment is not None else "--:--:--.---"
    level = str(entry.get("level", ""))
    shown = f"{level:<5}"
    if in_colours and level in _COLOURS:
        shown = f"\x1b[{_COLOURS[level]}m{shown}\x1b[0m"
    name = str(entry.get("logger") or entry.get("service") or "")
    fields = [f"{_plain(key)}={_value(value)}" for key, value in entry.items() if key not in _LEFT_OUT]
    line = "  ".join([f"{clock} {shown}", _plain(name), _plain(str(entry.get("message", ""))), *fields])
    exception = entry.get("exception")
    return line if not exception else f"{line}\n{_plain(str(exception))}"


def _value(value: object) -> str:
    text = _plain(str(value))
    return f'"{text}"' if " " in text or not text else text


def _plain(text: str) -> str:
    return _HIDDEN.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
