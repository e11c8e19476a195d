"""Refs: short names for records that an agent can copy.

`e18342@3f9ac21b` is line 18342; the first half behind the @ tells its source, the second the record's text.
When either is not what it was, the ref is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logpith_emit.errors import BadArgument

if TYPE_CHECKING:
    from logpith.files.text import Identity

STORE_KEY = "0000"
"""The key of a store as a source. No text has it."""

_REF = re.compile(r"e([1-9][0-9]{0,17})@([0-9a-f]{4})([0-9a-f]{4})")


@dataclass(frozen=True)
class Ref:
    """A ref, read."""

    line: int
    source_key: str
    text_key: str


def _four_digits(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=2).hexdigest()


def file_key(status: os.stat_result | Identity) -> str:
    """The key of a file as a source: the same when rotation gives it another name."""
    if isinstance(status, os.stat_result):
        return source_key("", status.st_dev, status.st_ino)
    return source_key("", status.device, status.inode)


def source_key(name: str, device: int, inode: int) -> str:
    """The key of a source: changes when another file takes its name."""
    key = _four_digits(f"{device}:{inode}:{name}".encode("utf-8", "backslashreplace"))
    return key if key != STORE_KEY else "0001"


def text_key(text: bytes) -> str:
    """The key of a record's text."""
    return _four_digits(text)


def make_ref(line: int, key: str, text: bytes) -> str:
    """The ref of a record that begins at `line` of the source with `key`.

    A record of a store has no line: its `line` is when it was, in microseconds since 1970, and its `key` STORE_KEY.
    So its ref holds wherever in the store it is moved to.
    """
    return f"e{line}@{key}{text_key(text)}"


def looks_like_ref(word: str) -> bool:
    """Whether `word` can only be a ref."""
    return _REF.fullmatch(word) is not None


def read_ref(word: str) -> Ref:
    """The parts of a ref.

    Raises:
        BadArgument: it is none.
    """
    match = _REF.fullmatch(word.strip())
    if match is None:
        raise BadArgument(
            "a ref looks like e18342@3f9ac21b", remedy="Copy it from the evidence of an answer, all of it"
        )
    return Ref(int(match[1]), match[2], match[3])
