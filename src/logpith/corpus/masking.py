"""Masking: samples of log text that are kept, in memory and on disk, hold no secrets."""

from __future__ import annotations

import re
from functools import cache

from logpith_emit.redaction import Redactor

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")


def without_secrets(text: bytes) -> bytes:
    """The text with every secret masked; bytes that are no UTF-8 stay as they are."""
    spelled = text.decode("utf-8", "surrogateescape")
    masked = _redactor().redact(spelled)
    return text if masked is spelled else masked.encode("utf-8", "surrogateescape")


@cache
def _redactor() -> Redactor:
    return Redactor(blank=_masked)


def _masked(secret: str) -> str:
    """`x` and `0` in the place of its letters and digits: what is mined of it keeps its structure."""
    return _DIGIT.sub("0", _LETTER.sub("x", secret))
