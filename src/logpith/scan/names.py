"""Small sets of names, looked up by hash inside kernels: severities, the keys of JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel

_OFFSET = np.uint64(14695981039346656037)
_PRIME = np.uint64(1099511628211)
_CASE_BIT = np.uint64(32)


@kernel
def fold_byte(state: Any, byte: Any) -> Any:
    """`state` (FNV-1a) after one more byte; ASCII capitals count as small letters."""
    folded = np.uint64(byte)
    if 65 <= byte <= 90:
        folded = folded | _CASE_BIT
    return (state ^ folded) * _PRIME


@kernel
def hash_name(buf: Any, start: int, end: int) -> Any:
    """The hash of `buf[start:end]`, blind to ASCII case."""
    state = _OFFSET
    for i in range(start, end):
        state = fold_byte(state, buf[i])
    return state


@kernel
def look_up(keys: Any, values: Any, name_hash: Any) -> Any:
    """The value stored for a name's hash, or 0."""
    mask = keys.shape[0] - 1
    i = np.int64(name_hash & np.uint64(mask))
    while keys[i] != 0:
        if keys[i] == name_hash:
            return np.int64(values[i])
        i = (i + 1) & mask
    return np.int64(0)


@dataclass(frozen=True)
class NameTable:
    """Names and their numbers as two arrays for `look_up`; a number of 0 means absent."""

    keys: NDArray[np.uint64]
    values: NDArray[np.int64]


def python_hash_name(name: str) -> int:
    """What `hash_name` gives, without waking a kernel."""
    state = int(_OFFSET)
    for byte in name.encode():
        folded = byte | 32 if 65 <= byte <= 90 else byte
        state = ((state ^ folded) * int(_PRIME)) & 0xFFFF_FFFF_FFFF_FFFF
    return state


def name_table(numbers: Mapping[str, int]) -> NameTable:
    """A table at most half full, so that looking up an absent name ends soon."""
    size = 16
    while size < 2 * len(numbers) + 2:
        size *= 2
    keys = np.zeros(size, np.uint64)
    values = np.zeros(size, np.int64)
    for name, number in numbers.items():
        name_hash = python_hash_name(name)
        i = name_hash & (size - 1)
        while keys[i] not in (0, name_hash):
            i = (i + 1) & (size - 1)
        keys[i] = name_hash
        values[i] = number
    return NameTable(keys, values)
