"""Framing: where a syslog message ends in a stream of bytes (RFC 6587).

    16 <13>one message.<13>another one
    └ bytes follow        └ or a newline ends it

Both ways may be mixed, message by message: one that begins with a number, a blank and `<` is counted. A message that
is longer than it may be is cut, and what went is counted.
"""

from __future__ import annotations

import re
from collections import Counter

TOO_LONG = "too_long_bytes"
CUT_OFF = "cut_off_bytes"
"""What was announced, and did not come before the connection ended."""

_COUNT = re.compile(rb"([1-9]\d{0,9}) <")
_MAY_COUNT = re.compile(rb"[1-9]\d{0,9} ?")


class Framing:
    """The messages of one connection."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting = bytearray()
        self._left_over = 0
        """Bytes of a counted message that are not kept."""

        self._is_cut = False
        """Whether all up to the next newline is not kept."""

        self.losses: Counter[str] = Counter()
        """What went since somebody has taken this; whoever does empties it."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now."""
        self._waiting += data
        waiting = self._waiting
        messages: list[bytes] = []
        at = 0
        while at < len(waiting):
            if self._left_over or self._is_cut:
                at = self._pass_over(at)
                continue
            counted = _COUNT.match(waiting, at)
            if counted:
                behind = self._take_counted(at, int(counted[1]), counted.end() - 1, messages)
            elif _MAY_COUNT.fullmatch(waiting, at):
                break  # the next byte tells
            else:
                behind = self._take_line(at, messages)
            if behind == at:
                break
            at = behind
        del waiting[:at]
        return messages

    def end(self) -> list[bytes]:
        """What is left when nothing more will come."""
        left = bytes(self._waiting)
        self._waiting.clear()
        self.losses[CUT_OFF] += self._left_over
        counted = _COUNT.match(left)
        if counted:
            announced, left = int(counted[1]), left[counted.end() - 1 :]
            self.losses[CUT_OFF] += announced - len(left)
        self.losses = +self.losses
        return [left] if left else []

    def _take_counted(self, at: int, size: int, begin: int, messages: list[bytes]) -> int:
        """Takes a message of so many bytes, whose count stands `at`; the place behind it, or `at` when it is not
        whole."""
        kept = min(size, self._most_bytes)
        if len(self._waiting) < begin + kept:
            return at
        messages.append(bytes(self._waiting[begin : begin + kept]))
        self._left_over = size - kept
        return begin + kept

    def _take_line(self, begin: int, messages: list[bytes]) -> int:
        """Takes a line; the place behind its end, or where it begins when it is not whole."""
        end = self._waiting.find(b"\n", begin)
        is_whole = end >= 0
        if not is_whole:
            end = len(self._waiting)
        if not is_whole and end - begin <= self._most_bytes:
            return begin
        kept = min(end, begin + self._most_bytes)
        messages.append(bytes(self._waiting[begin:kept]))
        self._is_cut = kept < end
        return kept if self._is_cut else end + 1

    def _pass_over(self, at: int) -> int:
        """Leaves out the rest of a message that is too long; the place behind what has come of it."""
        if self._left_over:
            gone = min(self._left_over, len(self._waiting) - at)
            self._left_over -= gone
            behind = at + gone
        else:
            end = self._waiting.find(b"\n", at)
            self._is_cut = end < 0
            gone = (len(self._waiting) if end < 0 else end) - at
            behind = at + gone + (end >= 0)
        self.losses[TOO_LONG] += gone
        return behind
