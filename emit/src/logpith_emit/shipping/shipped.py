"""What became of the records that a destination got, on disk beside the spool, so that anyone can look at it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from logpith_emit.spool import Spool

SUFFIX = ".shipped"

State = Literal["delivering", "retrying", "dead", "elsewhere", "ended"]


@dataclass(kw_only=True)
class Shipped:
    """What became of the records so far, over all processes that delivered them."""

    type: str = ""
    """What kind of destination it is."""

    state: State = "ended"
    """`retrying` after a failure, `dead` after several; `elsewhere` where another process delivers."""

    pid: int = 0
    """The process that delivers, or did last."""

    sent: int = 0
    """Records that are safe where they go."""

    retried: int = 0
    """Records that had to be written again, as often as they were."""

    refused: int = 0
    """Records that will never be taken; they are kept as dead letters."""

    dropped: Counter[str] = field(default_factory=Counter)
    """Records that were neither delivered nor kept, by reason."""

    errors: int = 0
    last_error: str = ""
    last_error_ns: int = 0
    last_sent_ns: int = 0

    def begin(self, pid: int, kind: str) -> None:
        """A process begins to deliver."""
        self.pid, self.type, self.state = pid, kind, "delivering"

    def count_sent(self, records: int, now_ns: int) -> None:
        """Some records are safe."""
        self.sent += records
        self.state = "delivering"
        if records:
            self.last_sent_ns = now_ns

    def count_error(self, told: str, now_ns: int) -> None:
        """Something failed."""
        self.errors += 1
        self.last_error, self.last_error_ns = told, now_ns


def load_shipped(spool: Spool, name: str) -> Shipped:
    """What is known of a destination; nothing where that was never written, or is damaged."""
    try:
        known = json.loads(spool.disk.read(_path(spool, name)))
        return Shipped(**{**known, "dropped": Counter(known["dropped"])})
    except (OSError, ValueError, TypeError, KeyError):
        return Shipped()


def save_shipped(spool: Spool, name: str, shipped: Shipped) -> None:
    """Writes it down. A power cut may take it back by some seconds: places in the spool are what counts.

    Raises:
        OSError: it is not written.
    """
    path = _path(spool, name)
    new = path.with_name(path.name + ".new")
    spool.disk.remove(new)
    spool.disk.write_new(new, json.dumps(vars(shipped)).encode())
    spool.disk.rename(new, path)


def _path(spool: Spool, name: str) -> Path:
    return spool.folder / f"{name}{SUFFIX}"
