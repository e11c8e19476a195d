"""Shapes of lines, by which nearly every one is told to be clean.

A match of a default rule has one of these: 14 digits in a row, or in groups; one of `:=@<` (names are followed by the
first two, addresses hold the third, XML the last); `--`, of keys and arguments; 16 of a word in a row, more than
hexadecimal digits or behind one of `./+`; the name of a scheme. But for that one, a line's shape tells, which is the
class of each byte: digits, other hexadecimal ones, the rest of words. Programs say much the same again and again, so
shapes are remembered. Tests hold all this against the rules.
"""

from __future__ import annotations

import re

from logpith_emit.redaction.runs import WORD_BYTES

_CLASSES = {"0": "0123456789", "h": "acdefACDEF", "b": "bB", "-": "-", "!": ":=@<", ".": "./+"}
_CLASS_OF = {letter: kind for kind, letters in _CLASSES.items() for letter in letters}
SHAPE_BYTES = bytes(
    ord(_CLASS_OF.get(chr(byte), "w" if mark == ord("w") else " ")) for byte, mark in enumerate(WORD_BYTES)
)
"""Byte → its class."""

_NUMBERS_OF_SHAPE = bytes.maketrans(b"-", b" ")
_LONG_NUMBER = b"0" * 14
_WORDS_OF_SHAPE = bytes.maketrans(b"0hb-", b"wwww")
_LONG_WORD = b"w" * 16
_LONG_WORDS = re.compile(rb"\.?[0hbw-]{16,}")
_BEARER, _BASIC = b"bhhwhw", b"bhwwh"
MOST_SHAPES, LONGEST_SHAPE = 1024, 1024
"""What of them is remembered."""


def has_no_sign(line: bytes, shape: bytes, fields: int) -> bool:
    """Whether a line of a shape has none of these signs, besides a `:` for each field."""
    numbers = shape.translate(_NUMBERS_OF_SHAPE)
    # `find`, because `in` first takes what it looks for to be a number.
    if (
        shape.count(b"!") != fields
        or shape.find(b"--") >= 0
        or numbers.find(_LONG_NUMBER) >= 0
        or numbers.find(b"0000 0000") >= 0
    ):
        return False
    if shape.translate(_WORDS_OF_SHAPE).find(_LONG_WORD) >= 0 and not all(
        word.strip(b"0hb-") == b"" for word in _LONG_WORDS.findall(shape)
    ):
        return False
    if not may_be_a_scheme(shape):
        return True
    lowered = line.lower()
    return lowered.find(b"bearer") < 0 and lowered.find(b"basic") < 0


def may_be_a_scheme(shape: bytes) -> bool:
    """Whether a name of one, such as `Bearer`, has this shape: the line has to be looked at itself."""
    return shape.find(_BEARER) >= 0 or shape.find(_BASIC) >= 0
