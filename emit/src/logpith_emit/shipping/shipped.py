"""What became of the records that a destination got, on disk beside the spool, so that anyone can look at it.

It is written before the reader's place, and says itself how far the reader was: so whoever is killed between the two
neither counts nor delivers anything twice, and these sums hold at any moment:

    said = sent + waiting + refused + unwanted + all that is dropped, by reason    (+ what lay in damaged places)
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal
from zlib import crc32

from logpith_emit.redaction import Redactor
from logpith_emit.spool import Spool

SUFFIX = ".shipped"

State = Literal["delivering", "gathering", "retrying", "dead", "elsewhere", "ended"]

_MOST_TOLD = 2_000

# Errors of other people's libraries show addresses with passwords.
_REDACTOR = Redactor()


@dataclass(kw_only=True)
class Shipped:
    """What became of the records so far, over all processes that delivered them."""

    type: str = ""
    """What kind of destination it is."""

    caution: str = ""
    """What somebody should know of its settings."""

    state: State = "ended"
    """`gathering` while it waits for more records, `retrying` after a failure, `dead` after several; `elsewhere` where
    another process delivers."""

    pid: int = 0
    """The process that delivers, or did last."""

    sent: int = 0
    """Records that are safe where they go."""

    sent_bytes: int = 0
    """How many bytes of the spool these were."""

    in_flight: int = 0
    """Records of those that wait that are being written now."""

    retried: int = 0
    """Records that had to be written again, as often as they were."""

    refused: int = 0
    """Records that will never be taken; they are kept as dead letters."""

    unwanted: int = 0
    """Records that do not go there, by its settings."""

    dropped: Counter[str] = field(default_factory=Counter)
    """Records that were neither delivered nor kept, by reason."""

    damaged_places: int = 0
    """Stretches of the spool that could not be read; how many records they held nobody knows."""

    damaged_bytes: int = 0
    """How many bytes these had."""

    errors: int = 0
    last_error: str = ""
    last_error_ns: int = 0
    last_sent_ns: int = 0

    position: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Where in the spool all this was so, as a reader tells it."""

    def begin(self, pid: int, kind: str, caution: str) -> None:
        """A process begins to deliver."""
        self.pid, self.type, self.caution, self.state = pid, kind, caution, "delivering"

    def count_error(self, told: str, now_ns: int) -> None:
        """Something failed."""
        self.errors += 1
        self.last_error, self.last_error_ns = _REDACTOR.redact(told[:_MOST_TOLD]), now_ns


def further(one: Mapping[str, Sequence[int]], other: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """Of two positions, for each writer the later one."""
    return {writer: max(one.get(writer, ()), other.get(writer, ()), key=tuple) for writer in {**one, **other}}


def load_shipped(spool: Spool, name: str) -> Shipped | None:
    """What is known of a destination; None where that was never written, or is damaged."""
    try:
        checksum, _, text = spool.disk.read(_path(spool, name)).partition(b"\n")
        if checksum != _checksum(text):
            return None
        known = json.loads(text)
        known = {one.name: known[one.name] for one in fields(Shipped) if one.name in known}
        return Shipped(**{**known, "dropped": Counter(known["dropped"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def save_shipped(spool: Spool, name: str, shipped: Shipped) -> None:
    """Writes it down.

    Raises:
        OSError: it is not written.
    """
    path = _path(spool, name)
    new = path.with_name(path.name + ".new")
    text = json.dumps(vars(shipped)).encode()
    spool.disk.remove(new)
    spool.disk.write_new(new, _checksum(text) + b"\n" + text)
    spool.disk.rename(new, path)


def remove_shipped(spool: Spool, name: str) -> None:
    """Forgets it."""
    spool.disk.remove(_path(spool, name))


def _checksum(text: bytes) -> bytes:
    return b"%08x" % crc32(text)


def _path(spool: Spool, name: str) -> Path:
    return spool.folder / f"{name}{SUFFIX}"
