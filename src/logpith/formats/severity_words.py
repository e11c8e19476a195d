"""The level word in the head of a line: `ERROR x.y …`, `… [warn] …`, `level=info …`, `sshd: error: …`.

Records of one shape have the same words, so this is asked once a shape and never once a line. Words count
where loggers put levels: within the first words, in capitals, in brackets, behind `level=`, or before a colon.
"""

from __future__ import annotations

import re

from logpith_emit.severity import ALSO_PROSE, SPELLINGS

_HEAD_BYTES = 200
_HEAD_TOKENS = 10
_WORD = re.compile(rb"[A-Za-z]+")
_KEY = re.compile(
    rb"(?:^|[\s,{\[\"'])(?:level|lvl|severity|loglevel|log_level)[\"']?\s?[=:]\s?[\"']?([A-Za-z]{3,12})", re.I
)
# Words that name a level only when they stand like one: written small they are ordinary English.
_OPENING = {ord("["), ord("<"), ord("("), ord("|")}
_CLOSING = {ord("]"), ord(">"), ord(")"), ord("|")}
_SHORTEST = 3
# Abbreviations and words that texts also have in capitals: they name a level only in brackets or before a colon.
ALSO_IN_CAPITALS = {"config", "fail", "fine", "http", "log", "note", "success"}


def severity_in(body: bytes) -> int:
    """OpenTelemetry's number of the level that a body begins with; 0 when it names none."""
    head = body[:_HEAD_BYTES]
    keyed = _KEY.search(head)
    if keyed:
        return _number(keyed[1])
    for count, match in enumerate(_WORD.finditer(head, 0, _end_of_tokens(head))):
        number = _number(match[0])
        if number and _stands_like_level(head, match.start(), match.end(), first=count == 0):
            return number
    return 0


def _end_of_tokens(head: bytes) -> int:
    """The place behind the first words, as blanks divide them."""
    place = 0
    for count, token in enumerate(re.finditer(rb"\S+", head)):
        if count >= _HEAD_TOKENS:
            break
        place = token.end()
    return place


def _number(word: bytes) -> int:
    if len(word) < _SHORTEST:
        return 0
    return SPELLINGS.get(word.decode().lower(), 0)


def _stands_like_level(head: bytes, start: int, end: int, *, first: bool) -> bool:
    before = head[start - 1] if start else 32
    behind = head[end] if end < len(head) else 32
    if before in _OPENING and behind in _CLOSING:
        return True
    if before not in b" \t[<(|:\"'" or behind not in b" \t]>)|:,;\"'":
        return False
    word = head[start:end]
    name = word.decode().lower()
    if word.isupper():
        return behind == ord(":") or name not in ALSO_IN_CAPITALS
    if name in ALSO_PROSE:
        return False
    return behind == ord(":") or (first and word[:1].isupper() and behind in b" \t")
