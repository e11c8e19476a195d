"""Ids: what ties lines together, found under its key or by its looks.

A key counts in any spelling (`call_id`, `callId`, `CallSid`). In free text an id is known by its shape alone:

    UUID                      550e8400-e29b-41d4-a716-446655440000
    two letters, 32 hex       CA1678fb0732dac8edd1ea929e292743f2, as telephony providers write them
    32 or 16 hex              a trace or a span as OpenTelemetry and W3C write them
    ULID                      01ARZ3NDEKTSV4RRFFQ69G5FAV
    prefix and random part    req-2744b318cb9e, pay_3MtwBwLkdIwHu7ix28a3tqPa

What looks so and is the hash of some content (a digest, a commit, a fingerprint) ties nothing together. A user, an
account or an address are on too many lines that have nothing to do with each other: they are no ids here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from logpith_emit.record import ALIASES, flat, normalised, traceparent

_STRONG_COLUMNS = frozenset({"call_id", "request_id", "correlation_id", "session_id", "trace_id"})
_STRONG_KEY = re.compile(
    r"(?:x)?(?:call|request|req|correlation|corr|trace|session|job|task|order|payment|invoice|txn|tx|transaction|message"
    r"|msg|batch|run|workflow|execution|event|flow|operation|op|deployment|upload|ticket|conversation|stream|parent)"
    r"(?:id|sid|uid|uuid|guid|ref)"
)
_WEAK_KEY = re.compile(
    r"user|account|tenant|customer|client|host|node|device|process|thread|span|ip|addr|pid|org|team"
)

_HEX = "0-9a-fA-F"
_SHAPES = re.compile(
    rf"(?<![\w-])(?:"
    rf"(?P<uuid>[{_HEX}]{{8}}-[{_HEX}]{{4}}-[{_HEX}]{{4}}-[{_HEX}]{{4}}-[{_HEX}]{{12}})"
    rf"|(?P<sid>[A-Z]{{2}}[0-9a-f]{{32}})"
    rf"|(?P<hex>(?:[0-9a-f]{{32}}|[0-9a-f]{{16}}))"
    rf"|(?P<ulid>[0-7][0-9A-HJKMNP-TV-Z]{{25}})"
    rf"|(?P<prefixed>[a-z][a-z]{{1,11}}(?:_[a-z]{{2,8}})?[-_](?=[A-Za-z]*\d)[A-Za-z0-9]{{8,40}})"
    rf")(?![\w-])",
)
# Before a value: what makes it the hash of some content.
_OF_CONTENT = re.compile(
    r"(?:md5|sha-?\d*|hash(?:ed)?|checksum|digest|etag|commit|rev(?:ision)?|fingerprint|crc\d*|signature|sig|blob|tree"
    r"|salt|nonce|image|layer|version|build|sum)[\"']?\s*[:=@(]?\s*[\"']?$",
    re.IGNORECASE,
)
_ID_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{2,127}")
_ASKED = re.compile(r"(?P<key>[A-Za-z_@][\w.@/-]{0,63})\s*[:=]\s*[\"']?(?P<value>[^\s\"']+)[\"']?")
_LEAST_ALONE = 6
"""A shorter value, or a number, is looked for under its key only: on its own it is any number."""

_KEPT = 256
_LONGEST_SCANNED = 16 << 10


@dataclass(frozen=True)
class Id:
    """Something that ties lines together."""

    value: str
    key: str = ""
    """The key it was met under; empty when its shape alone told."""

    @property
    def stands_alone(self) -> bool:
        """Whether its value is found anywhere in a line; else only under its key."""
        return len(self.value) >= _LEAST_ALONE and not self.value.replace(".", "").isdigit()

    @property
    def told(self) -> str:
        """`request_id=req-2744b318cb9e`, or the value alone."""
        return f"{self.key}={self.value}" if self.key else self.value


def read_id(text: str) -> Id:
    """The id that somebody asks about: its value, or `call_id=VALUE` in any spelling."""
    stripped = text.strip().strip("\"'")
    match = _ASKED.fullmatch(stripped)
    if match and "://" not in stripped:
        return Id(match["value"], match["key"])
    return Id(stripped)


def ids_of(fields: Mapping[str, object], text: str) -> tuple[Id, ...]:
    """The ids of a record, by key first: those of its fields, then those that stand in its text."""
    found: dict[str, Id] = {}
    for key, value in flat(fields):
        if is_strong_key(key) and isinstance(value, str | int) and not isinstance(value, bool):
            spelled = str(value)
            tells = traceparent(spelled)
            spelled = tells[0] if tells else spelled
            if _ID_VALUE.fullmatch(spelled) and any(sign.isdigit() for sign in spelled):
                found.setdefault(spelled, Id(spelled, key))
    for value in ids_in(text):
        if value not in found:
            found[value] = Id(value, _key_before(text, value))
        if len(found) >= _KEPT:
            break
    return tuple(one for one in found.values() if not _is_weak(one.key))


def is_strong_key(key: str) -> bool:
    """Whether what stands under a key ties lines together."""
    name = normalised(key.rpartition(".")[2])
    if ALIASES.get(normalised(key)) in _STRONG_COLUMNS or ALIASES.get(name) in _STRONG_COLUMNS:
        return True
    return name == "traceparent" or _STRONG_KEY.fullmatch(name) is not None


def ids_in(text: str) -> Iterator[str]:
    """What looks like an id in free text, in order; hashes of content and plain numbers left out."""
    for match in _SHAPES.finditer(text[:_LONGEST_SCANNED]):
        value = match[0]
        if match.lastgroup == "hex" and not _is_random(value):
            continue
        if match.lastgroup == "uuid" and not value.strip("0-"):
            continue
        if match.lastgroup == "prefixed" and not _looks_drawn(re.split(r"[-_]", value)[-1]):
            continue
        if _OF_CONTENT.search(text, max(0, match.start() - 24), match.start()):
            continue
        yield value


def _is_random(value: str) -> bool:
    """Whether hex digits are drawn: a number in decimal or a run of zeros is not."""
    return any(sign.isdigit() for sign in value) and len(set(value)) >= 6 and not value.isdigit()


def _looks_drawn(part: str) -> bool:
    """Whether a part was drawn by chance: `2744b318cb9e`, and neither `20261120` nor `production1`."""
    digits = sum(sign.isdigit() for sign in part)
    return 2 <= digits < len(part) and len(set(part)) >= 5


def _is_weak(key: str) -> bool:
    return bool(key) and not is_strong_key(key) and _WEAK_KEY.search(normalised(key)) is not None


def _key_before(text: str, value: str) -> str:
    """`call` of `call=CA16…`; empty where no key stands before the value."""
    place = text.find(value)
    match = re.search(r"([A-Za-z_][\w.-]{0,40})[\"']?\s*[=:]\s*[\"']?$", text[max(0, place - 48) : place])
    return match[1] if match else ""
