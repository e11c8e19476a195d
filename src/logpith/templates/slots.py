"""Slots: what the values of a template's wildcards are, told from samples: `<ip>`, `<duration>`, `<path>`…"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from logpith.templates.canonical import WILDCARD

_IP = r"\d{1,3}(?:\.\d{1,3}){3}"

# From particular to general: the first that fits all values of a slot is its type.
_TYPES = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("uuid", r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
        ("mac", r"(?:[0-9a-fA-F]{2}[:-]){5,}[0-9a-fA-F]{2}"),
        ("time", r"\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?"),
        ("ip:port", rf"/?{_IP}:\d+"),
        ("ip", rf"/?{_IP}|(?:[0-9a-fA-F]{{0,4}}:){{2,7}}:?[0-9a-fA-F]{{0,4}}"),
        ("host:port", r"[A-Za-z][\w.-]*:\d+"),
        ("url", r"[a-z][a-z0-9+.-]*://\S+"),
        ("path", r"(?:\.{0,2}/|[A-Za-z]:\\)\S*"),
        ("size", r"[\d.]+ ?[KMGTPk]?i?B"),
        ("duration", r"[\d.]+ ?(?:ns|us|µs|ms|s|sec|secs|m|min|h)"),
        ("datetime", r"\d{4}-\d\d-\d\d.*|\d\d?/\w{3}/\d{4}.*"),
        ("num", r"[-+]?\d[\d,]*(?:\.\d+)?"),
        ("hex", r"(?:0x)?[0-9a-fA-F]+"),
        ("email", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
        ("bool", r"(?i:true|false)"),
        ("id", r"\S*\d\S*"),
        ("word", r"\S+"),
    )
)
_FIXED_START = re.compile(r"[A-Za-z]+[.-]")


def slot_type(values: Iterable[str | None]) -> str:
    """The type that all values have; with a `?` when some of them are empty, and `*` when there is none."""
    seen = list(values)
    if seen and all(value is None for value in seen):
        return "datetime"  # only dates fold several words into one slot
    present = [value for value in seen if value]
    if not present:
        return "*"
    fitting = next(
        (name for name, pattern in _TYPES if all(pattern.fullmatch(value) for value in present)), "*"
    )
    return fitting + "?" if len(present) < len(seen) and fitting != "*" else fitting


def fixed_start(values: Sequence[str]) -> str:
    """The letters and the dot or dash that all values begin with before a number: `core.` of `core.123`."""
    start = _FIXED_START.match(values[0]) if values else None
    if start is None or any("/" in value for value in values):
        return ""
    text = start[0]
    is_telling = text.endswith(".") or len(set(values)) > 1
    fits_all = all(value.startswith(text) and value[len(text) :].isdigit() for value in values)
    return text if is_telling and fits_all else ""


def render(
    delimiters: Sequence[str],
    words: Sequence[str],
    samples: Sequence[Sequence[str | None]],
    *,
    typed: bool = False,
) -> str:
    """The text of a pattern: `<*>` for each slot, or its type."""
    written: list[str] = []
    for position, word in enumerate(words):
        written.append(delimiters[position])
        if word != WILDCARD:
            written.append(word)
            continue
        values = [sample[position] for sample in samples if position < len(sample)]
        if typed:
            written.append(f"<{slot_type(values)}>")
        else:
            written.append(f"{fixed_start([value for value in values if value])}<*>")
    written.append(delimiters[-1])
    return "".join(written).strip()
