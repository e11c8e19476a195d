"""Runs of letters or digits, which a match of some rules holds: told of a text by its bytes, at once."""

from __future__ import annotations

_DIGITS = b"0123456789"
WORD_BYTES = (
    bytes(ord("w" if chr(byte).isalnum() or byte in b"_-" else "x") for byte in range(128)) + b"x" * 128
)
"""Byte → `w` where it may be in a word."""

_DIGIT_BYTES = bytes(ord("0" if byte in _DIGITS else " " if byte in b" -" else "x") for byte in range(256))


def has_word_run(encoded: bytes) -> bool:
    """Whether 16 bytes of words stand in a row."""
    return b"w" * 16 in encoded.translate(WORD_BYTES)


def has_digit_run(encoded: bytes) -> bool:
    """Whether 14 digits do, or as many in the groups in which cards' numbers are written."""
    digits = encoded.translate(_DIGIT_BYTES)
    return b"0" * 14 in digits or (
        b"0000 0000" in digits and (b"0000 0000 0000" in digits or b"0000 000000 0000" in digits)
    )
