"""A checksum of arrays that is as quick as reading them: to tell a damaged cache, not to resist an attacker.

The sum over all 8-byte words of a mix of the word and its place. The mix is a bijection, so no change of a
single word goes unnoticed; the sum lets an array be added in pieces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.scan.kernel import kernel

_PLACE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


@kernel
def _sum(words: Any, first: int) -> Any:
    total = np.uint64(0)
    for i in range(words.shape[0]):
        mixed = (words[i] ^ (np.uint64(first + i) * _PLACE)) * _MIX
        total += mixed ^ (mixed >> np.uint64(29))
    return total


class Checksum:
    """The checksum of bytes that come in pieces."""

    def __init__(self) -> None:
        self._total = 0
        self._words = 0
        self._rest = b""

    def add(self, data: NDArray[Any]) -> None:
        """Adds the bytes of an array."""
        octets = data.reshape(-1).view(np.uint8) if data.size else np.empty(0, np.uint8)
        if self._rest:
            need = -len(self._rest) % 8
            self._rest += octets[:need].tobytes()
            octets = octets[need:]
            if len(self._rest) < 8:
                return
            self._add_words(np.frombuffer(bytearray(self._rest), np.uint64))
            self._rest = b""
        whole = len(octets) // 8 * 8
        words = octets[:whole]
        if words.size and (words.ctypes.data % 8 or not words.flags.writeable):
            words = words.copy()
        self._add_words(words.view(np.uint64))
        self._rest = octets[whole:].tobytes()

    def _add_words(self, words: NDArray[np.uint64]) -> None:
        if len(words):
            self._total = (self._total + int(_sum(words, self._words))) % (1 << 64)
            self._words += len(words)

    @property
    def value(self) -> int:
        """The checksum of all bytes so far."""
        rest = int.from_bytes(self._rest, "little") + (len(self._rest) << 56)
        mixed = (rest ^ (self._words * int(_PLACE))) * int(_MIX) % (1 << 64)
        return (self._total + mixed) % (1 << 64) if self._rest else self._total


def checksum(data: NDArray[Any]) -> int:
    """The checksum of an array's bytes."""
    total = Checksum()
    total.add(data)
    return total.value
