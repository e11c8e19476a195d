"""Encoding: a record as one line of JSON, whatever somebody has put into it.

msgspec or orjson write it where they are installed, else the standard library does. What none of them can write (an
object of one's own, a mapping that holds itself, a lone surrogate) is put into words: nobody's program shall fail
because it has said something odd.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from importlib import import_module
from importlib.util import find_spec
from uuid import UUID

MOST_REPR = 1_000
"""Characters of an object that is put into words."""

_DEEPEST = 32

Encode = Callable[[Mapping[str, object]], bytes]


def encode(fields: Mapping[str, object]) -> bytes:
    """One line of JSON, in UTF-8, without its end."""
    try:
        return fastest()(fields)
    except Exception:  # noqa: BLE001 - whatever an object of somebody else's raises while it is written
        return _in_json(_in_words(fields, 0, frozenset()))


_found: Encode | None = None
_is_looking = False


def fastest() -> Encode:
    """The quickest encoder that is installed."""
    global _found, _is_looking  # noqa: PLW0603 - a process has one
    if _found is None:
        _is_looking = True
        if find_spec("msgspec") is not None:
            _found = _by_msgspec()
        elif find_spec("orjson") is not None:
            _found = _by_orjson()
        else:
            _found = _in_json
        _is_looking = False
    return _found


def _after_fork() -> None:
    """In a child that was forked while a thread imported, nobody is there to end that: it would wait for ever."""
    global _found  # noqa: PLW0603 - as above
    if _is_looking and _found is None:
        _found = _in_json


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _by_msgspec() -> Encode:
    import msgspec  # noqa: PLC0415 - where it is installed

    written: Encode = msgspec.json.Encoder(enc_hook=represent).encode
    return written


def _by_orjson() -> Encode:
    orjson = import_module("orjson")

    options = orjson.OPT_NON_STR_KEYS

    def written(fields: Mapping[str, object]) -> bytes:
        return bytes(orjson.dumps(fields, default=represent, option=options))

    return written


def _in_json(fields: object) -> bytes:
    return _ENCODER.encode(fields).encode("ascii")


def represent(value: object) -> object:
    """Something that JSON has, for what it has not."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, BaseException):
        return _said(value, f"{type(value).__name__}: {value}")
    return _said(value, None)


def _said(value: object, text: str | None) -> str:
    try:
        said = repr(value) if text is None else text
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


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=represent)
