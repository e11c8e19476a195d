"""Slots: what the values of a template's wildcards are, told from samples: `<ip>`, `<duration>`, `<path>`…"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from logpith.templates.canonical import WILDCARD

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IP4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IP6 = rf"(?:[0-9a-fA-F]{{0,4}}:){{2,7}}(?:{_IP4}|[0-9a-fA-F]{{0,4}})(?:%\w+)?"
# How Java writes an address: name, slash, number; the name may be missing.
_NAME_BEFORE_IP = r"(?:[\w.-]*/)?"
_LABELS = r"(?:[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9])?\.)+"
_TOP = (
    r"(?:com|org|net|edu|gov|mil|int|info|biz|io|dev|app|cloud|arpa|local|localdomain|internal|lan|corp|home|test|"
    r"example|[a-z]{2})"
)
_ENDINGS = (
    "log|txt|out|err|csv|tsv|json|jsonl|ya?ml|toml|xml|html?|css|php|cgi|jsp|aspx?|jsx?|tsx?|mjs|py|pyc|rb|pl|sh|bat|"
    "ps1|lua|go|rs|c|cc|cpp|h|hpp|java|class|kt|scala|cs|swift|jar|war|so|dll|exe|sys|bin|dat|db|sqlite|sql|map|"
    "gz|tgz|bz2|xz|zst|zip|tar|rpm|deb|whl|iso|img|conf|cfg|ini|properties|env|lock|pid|sock|tmp|bak|swp|pem|key|"
    "crt|cer|p12|jks|pdf|md|rst|docx?|xlsx?|pptx?|png|jpe?g|gif|svg|ico|webp|mp[34]|wav|parquet|avro|orc|service"
)
_TIME_UNIT = r"(?:ns|nsecs?|us|µs|μs|usecs?|ms|msecs?|millis|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w)"

# From particular to general: the first that fits all values of a slot is its type.
_TYPES = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("uuid", r"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?"),
        ("mac", r"(?:[0-9a-fA-F]{2}[:-]){5,}[0-9a-fA-F]{2}"),
        ("time", r"[-+]?\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?"),
        ("ip:port", rf"{_NAME_BEFORE_IP}{_IP4}:\d+|\[{_IP6}\]:\d+"),
        ("cidr", rf"(?:{_IP4}|{_IP6})/\d{{1,3}}"),
        ("ip", rf"{_NAME_BEFORE_IP}{_IP4}|{_IP6}"),
        ("host:port", r"/?[A-Za-z][\w.-]*:\d+"),
        ("url", r"[A-Za-z][A-Za-z0-9+.-]*://\S+"),
        (
            "datetime",
            r"\d{4}([-/.])\d\d\1\d\d(?:[T_ :-]\S*)?|\d\d?([/-])(?:\d\d?|[A-Z][a-z]{2})\2\d{4}(?::\S*)?",
        ),
        ("path", r"(?:\.{0,2}/|~/|[A-Za-z]:[\\/]|\\\\).*|(?:[\w.-]+/){2,}[\w.-]*"),
        ("size", r"\d+(?:\.\d+)? ?(?:[KMGTPkmgt]i?[Bb]|[KMGT]i?|B)"),
        ("duration", rf"(?:\d+(?:\.\d+)? ?{_TIME_UNIT} ?)+|P(?:\d+D)?(?:T(?:[\d.]+[HMS])+)?"),
        ("num", r"[-+]?\d[\d,]*(?:\.\d+(?:[eE][-+]?\d+)?)?"),
        ("percent", r"[-+]?\d+(?:\.\d+)? ?%"),
        ("hex", r"(?:0[xX])?[0-9a-fA-F]+"),
        ("email", rf"[\w.+-]+@{_LABELS}[A-Za-z]{{2,}}"),
        ("bool", r"(?i:true|false|yes|no|on|off)"),
        ("file", rf"[\w@%+~#=.-]*\w\.(?i:{_ENDINGS})(?:\.\d+)?(?:\.(?:gz|bz2|xz|zst))?"),
        ("host", rf"/?(?:{_LABELS}{_TOP}\.?|localhost|{_IP4})"),
        ("version", r"[vV]\d[\w.+-]*|\d+(?:\.\d+){2,}[\w.+-]*|\d+\.\d+[-+_][\w.+-]*"),
        ("id", r"\S*\d\S*"),
        ("word", r"\S+"),
        ("text", r"(?s).+"),
    )
)
TYPE_NAMES = tuple(name for name, _ in _TYPES)

# Of longer values the head tells the type: patterns that go back take time with the square of the length.
_MOST_CHARACTERS = 256
_NOTHING = frozenset(("null", "none", "nil", "undefined"))
_FIXED_START = re.compile(r"[A-Za-z]+[.-]")
_DIGIT = re.compile(r"\d")


def slot_type(values: Iterable[str | None]) -> str:
    """The type that all values have, `word` or `text` when they have no other in common; `*` when none is known.

    With a `?` when some values are empty or say that there is none: `null`. None stands for a date of several words.
    """
    seen = list(values)
    dates = seen.count(None)
    present = [value[:_MOST_CHARACTERS] for value in seen if value and value.lower() not in _NOTHING]
    is_optional = "?" if len(present) + dates < len(seen) else ""
    if not present:
        if dates:
            return f"datetime{is_optional}"
        return "word" if any(seen) else "*"
    fitting = next(name for name, pattern in _TYPES if all(map(pattern.fullmatch, present)))
    if dates and fitting != "datetime":
        fitting = "text"
    if fitting == "hex" and not any(map(_DIGIT.search, present)):
        fitting = "word"  # `added`, `bad`, `face`
    return fitting + is_optional


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
