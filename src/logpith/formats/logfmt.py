"""logfmt: a line of nothing but pairs, `ts=… level=warn msg="…" key=value`. The kernel is `scan/pairs.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_PAIRS = re.compile(r'[A-Za-z_@][\w.@/-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^\s"][^\s]*|))?,?(?:\s+|$)')
_PAIR = re.compile(r'([A-Za-z_@][\w.@/-]*)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s]*?)))?,?(?:\s+|$)')
_FEWEST_PAIRS = 2
_MOST_BARE_KEYS = 2


def fields_of(text: str) -> Mapping[str, object] | None:
    """The values by their keys; a key that stands alone is true."""
    place = 0
    while place < len(text):
        pair = _PAIRS.match(text, place)
        if pair is None:
            return None
        place = pair.end()
    fields: dict[str, object] = {}
    bare = 0
    for match in _PAIR.finditer(text):
        key, quoted, plain = match.groups()
        if quoted is None and plain is None:
            bare += 1
        fields.setdefault(key, _unescaped(quoted) if quoted is not None else True if plain is None else plain)
    return fields if len(fields) - bare >= _FEWEST_PAIRS and bare <= _MOST_BARE_KEYS else None


def _unescaped(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted
    try:
        decoded: str = json.loads(f'"{quoted}"', strict=False)
    except ValueError:
        return quoted
    return decoded
