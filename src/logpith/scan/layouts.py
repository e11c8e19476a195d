"""The text of a timestamp layout → the steps that `timestamps.run_layout` runs.

The text looks like what `strftime` takes, with a few letters of its own:

    %Y %y %m %b %d %H %M %S   as in strftime; a month name in any case, days and hours also with one digit
    %f   optional fraction        %z   optional zone          %p   optional AM or PM
    %s   epoch: 10, 13, 16 or 19 digits                       %T   T, a blank or _
    %a   weekday                  _    blanks                 *    a word (a severity, if it is one)
    %L   a level letter           %P   <priority>             %N   program[pid]:
    %V   a word that names the service                        %D   structured data
    %R   "request" and a status, left to the body             %C   a status of HTTP
    %F   file:line]                                           %I   name |, as of process managers
    %O   stdout or stderr                                     %G   F or P of CRI, and a blank
    %h   a host: a word that is no level and has no bracket
    %u   seconds since a start             %q   process:role of Redis
    %r   a sign for a level, of Redis      %l   a level in brackets
    %@   the body begins here, more steps follow              %.   blanks and byte order mark before the body
    any other byte stands for itself
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from logpith.scan import timestamps

_LETTERS = {
    "Y": timestamps.YEAR4,
    "y": timestamps.YEAR2,
    "m": timestamps.MONTH2,
    "b": timestamps.MONTH_NAME,
    "d": timestamps.DAY,
    "H": timestamps.HOUR,
    "M": timestamps.MINUTE,
    "S": timestamps.SECOND,
    "f": timestamps.FRACTION,
    "z": timestamps.ZONE,
    "p": timestamps.AM_PM,
    "s": timestamps.EPOCH,
    "T": timestamps.DATE_TIME_GAP,
    "a": timestamps.WEEKDAY,
    "L": timestamps.LEVEL_LETTER,
    "P": timestamps.PRIORITY,
    "N": timestamps.PROGRAM,
    "V": timestamps.SERVICE,
    "D": timestamps.STRUCTURED_DATA,
    ".": timestamps.END_OF_HEADER,
    "R": timestamps.REQUEST,
    "C": timestamps.STATUS,
    "F": timestamps.SOURCE_PLACE,
    "I": timestamps.PIPE_NAME,
    "O": timestamps.STREAM,
    "G": timestamps.PIECE,
    "h": timestamps.HOST,
    "u": timestamps.UPTIME,
    "q": timestamps.PROCESS_ROLE,
    "r": timestamps.LEVEL_SIGN,
    "l": timestamps.LEVEL_IN_BRACKETS,
    "@": timestamps.BODY_HERE,
}
_MARKS = {"_": timestamps.BLANKS, "*": timestamps.WORD}


def steps_of(text: str) -> list[tuple[int, int]]:
    """The steps of one layout, in order."""
    steps: list[tuple[int, int]] = []
    letters = iter(text)
    for letter in letters:
        if letter == "%":
            steps.append((_LETTERS[next(letters)], 0))
        elif letter in _MARKS:
            steps.append((_MARKS[letter], 0))
        else:
            steps.append((timestamps.LITERAL, ord(letter)))
    return steps


def _joined(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The steps with dates and times of day as single ones, which run several times as fast."""
    joined: list[tuple[int, int]] = []
    place = 0
    while place < len(steps):
        found = _date_or_time(steps, place)
        if found is None:
            joined.append(steps[place])
            place += 1
        else:
            step, place = found
            joined.append(step)
    return joined


def _date_or_time(steps: list[tuple[int, int]], place: int) -> tuple[tuple[int, int], int] | None:
    """The single step for a date or time that begins at `place`, and the place behind it."""
    for parts, made in (
        ((timestamps.YEAR4, timestamps.MONTH2, timestamps.DAY), timestamps.DATE),
        ((timestamps.YEAR2, timestamps.MONTH2, timestamps.DAY), timestamps.DATE),
        ((timestamps.HOUR, timestamps.MINUTE, timestamps.SECOND), timestamps.TIME_OF_DAY),
    ):
        bare = [(part, 0) for part in parts]
        flag = timestamps.YEAR2_FLAG if parts[0] == timestamps.YEAR2 else 0
        if steps[place : place + 3] == bare:
            return (made, flag), place + 3
        sign = steps[place + 1] if place + 1 < len(steps) else (0, 0)
        if sign[0] == timestamps.LITERAL and steps[place : place + 5] == [
            bare[0],
            sign,
            bare[1],
            sign,
            bare[2],
        ]:
            return (made, flag + sign[1]), place + 5
    return None


def pack_layouts(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The steps of all layouts, (layouts, most steps, 2), and how many each has."""
    programs = [_joined(steps_of(text)) for text in texts]
    longest = max((len(program) for program in programs), default=1)
    steps = np.zeros((len(programs), longest, 2), np.int64)
    for number, program in enumerate(programs):
        steps[number, : len(program)] = program
    return steps, np.array([len(program) for program in programs], np.int64)
