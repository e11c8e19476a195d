"""Encoding: a record as one line of JSON, whatever somebody has put into it.

msgspec or orjson write it where they are installed, else the standard library does. What none of them can write (an
object of one's own, a mapping that holds itself, a lone surrogate) is put into words: nobody's program shall fail
because it has said something odd.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

MOST_REPR = 1_000
"""Characters of an object that is put into words."""

_DEEPEST = 32

Encode = Callable[[Mapping[str, object]], bytes]


def encode(fields: Mapping[str, object]) -> bytes:
    """One line of JSON, in UTF-8, without its end."""
    try:
        return fastest()(fields)
    except Exception:  # noqa: BLE001 - whatever an object of somebody else's raises while it is written
        return "".join(_TO_JSON(_in_words(fields, 0, frozenset()), 0)).encode("ascii")


class Encoders(NamedTuple):
    """What writes JSON, the less it looks at the quicker."""

    any: Encode
    """Asks objects for their words."""

    plain: Encode
    """Raises something when it meets anything that JSON has not."""

    scalars: Encode
    """The same, of fields that are all `SCALARS`."""


_found: Encoders | None = None
_is_looking = False


def fastest() -> Encode:
    """The quickest encoder that is installed."""
    return (_found or _find()).any


def plain_encoder() -> Encode:
    """The same for what JSON has; it raises something when it meets anything else."""
    return (_found or _find()).plain


def scalar_encoder() -> Encode:
    """The same for fields that are all `SCALARS`."""
    return (_found or _find()).scalars


def _find() -> Encoders:
    global _found, _is_looking  # noqa: PLW0603 - a process has one
    _is_looking = True
    if find_spec("msgspec") is not None:
        _found = _by_msgspec()
    elif find_spec("orjson") is not None:
        _found = _by_orjson()
    else:
        _found = _BY_JSON
    _is_looking = False
    return _found


def _after_fork() -> None:
    """In a child that was forked while a thread imported, nobody is there to end that: it would wait for ever."""
    global _found  # noqa: PLW0603 - as above
    if _is_looking and _found is None:
        _found = _BY_JSON


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _by_msgspec() -> Encoders:
    import msgspec  # noqa: PLC0415 - where it is installed

    encode_any: Encode = msgspec.json.Encoder(enc_hook=represent).encode
    encode_plain: Encode = msgspec.json.Encoder().encode

    # It writes bytes as base64 without asking: unreadable, and no rule finds a secret in that.
    def with_words_for_bytes(fields: Mapping[str, object]) -> bytes:
        return encode_any(fields if _has_no_bytes(fields.values()) else in_words(fields))

    def plain(fields: Mapping[str, object]) -> bytes:
        if not _has_no_bytes(fields.values()):
            raise TypeError("JSON has no bytes")
        return encode_plain(fields)

    return Encoders(with_words_for_bytes, plain, encode_plain)


def _has_no_bytes(values: Iterable[object]) -> bool:
    for value in values:
        kind = type(value)
        if kind in SCALARS:
            continue
        if kind is dict or isinstance(value, Mapping):
            if not _has_no_bytes(value.values()):  # type: ignore[attr-defined]  # either has them
                return False
        elif isinstance(value, list | tuple | set | frozenset):
            if not _has_no_bytes(value):
                return False
        elif isinstance(value, bytes | bytearray | memoryview):
            return False
    return True


def _by_orjson() -> Encoders:
    orjson = import_module("orjson")

    encode_any: Encode = partial(orjson.dumps, default=represent, option=orjson.OPT_NON_STR_KEYS)
    return Encoders(encode_any, orjson.dumps, orjson.dumps)


def _in_json(fields: object) -> bytes:
    return _without_halves("".join(_TO_JSON(fields, 0)).encode("ascii"))


def _plain_in_json(fields: object) -> bytes:
    line = "".join(_PLAIN_TO_JSON(fields, 0)).encode("ascii")
    return _without_halves(line) if b"\\ud" in line else line


def _without_halves(line: bytes) -> bytes:
    """The line, where no half of a character is written in it, which no reader could write again.

    Raises:
        ValueError: one may be.
    """
    if _HALF.search(line) is not None:
        raise ValueError("half of a character")
    return line


_HALF = re.compile(rb"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f][0-9a-f])\\ud[c-f]")

SCALARS = frozenset((str, int, float, bool, type(None)))
"""Types whose values JSON has, and nobody's code is called for."""


def represent(value: object) -> object:
    """Something that JSON has, for what it has not."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    # msgspec asks of these where their type is somebody's own, such as the safe text of a template.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    # Nobody has a time or a UUID whose module nobody has loaded, and loading them takes a while.
    if (datetime := sys.modules.get("datetime")) is not None:
        if isinstance(value, datetime.datetime | datetime.date | datetime.time):
            return value.isoformat()
        if isinstance(value, datetime.timedelta):
            return value.total_seconds()
    if (uuid := sys.modules.get("uuid")) is not None and isinstance(value, uuid.UUID):
        return str(value)
    if (decimal := sys.modules.get("decimal")) is not None and isinstance(value, decimal.Decimal):
        return str(value)
    if (enum := sys.modules.get("enum")) is not None and isinstance(value, enum.Enum):
        return value.value
    if (numpy := sys.modules.get("numpy")) is not None and isinstance(value, numpy.number | numpy.bool_):
        return value.item()
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, BaseException):
        return _said(value, f"{type(value).__name__}: {value}")
    return _said(value, None)


def in_words(fields: Mapping[str, object]) -> Mapping[str, object]:
    """The same with nothing in it that JSON has not, and cut where it is very deep."""
    return {
        str(_in_words(str(key), 0, frozenset())): _in_words(item, 1, frozenset())
        for key, item in fields.items()
    }


def in_text(value: object) -> str:
    """What an object says of itself, or else what stands for it."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a __str__ of somebody else's
        return shown(value)


def shown(value: object) -> str:
    """An object in words, whatever its `repr` does."""
    return _said(value, None)


def _said(value: object, text: str | None) -> str:
    try:
        said = repr(value) if text is None else text
    except RecursionError:
        said = f"<{type(value).__name__} nested too deep to be shown>"
    except Exception as error:  # noqa: BLE001 - a repr of somebody else's
        said = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return said if len(said) <= MOST_REPR else f"{said[:MOST_REPR]}…"


def _in_words(value: object, depth: int, around: frozenset[int]) -> object:
    """The value with nothing in it that JSON has not."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if id(value) in around:
            return "<holds itself>"
        if depth == _DEEPEST:
            return _said(value, None)
        inside = around | {id(value)}
        try:
            if isinstance(value, Mapping):
                return {
                    str(_in_words(str(key), depth, inside)): _in_words(item, depth + 1, inside)
                    for key, item in value.items()
                }
            return [_in_words(item, depth + 1, inside) for item in value]
        except Exception:  # noqa: BLE001 - a container of somebody else's
            return _said(value, None)
    return _in_words(represent(value), depth + 1, around) if depth < _DEEPEST else _said(value, None)


def _json_writer(default: Callable[[object], object] | None) -> Callable[[object, int], Iterable[str]]:
    """What `json.JSONEncoder` makes anew for each call of `encode`, which takes longer than writing a record."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        encoder = json.JSONEncoder(
            separators=(",", ":"), allow_nan=False, check_circular=False, default=default
        )
        return lambda fields, _: encoder.iterencode(fields)
    quoted = json.encoder.encode_basestring_ascii
    writer: Callable[[object, int], Iterable[str]] = make(
        None, default or _refuse, quoted, None, ":", ",", False, False, False
    )
    return writer


def _refuse(value: object) -> object:
    raise TypeError(f"JSON has no {type(value).__name__}")


_TO_JSON = _json_writer(represent)
_PLAIN_TO_JSON = _json_writer(None)
_BY_JSON = Encoders(_in_json, _plain_in_json, _plain_in_json)
