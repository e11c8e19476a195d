"""Sources: where records come from. One file each; `type = "file"` in the settings is `sources/file.py`.

What each source owes:

- `open(position)` begins behind `position`, which an earlier delivery of it carried; None means that nothing was ever
  taken. The live source gives deliveries; nothing of a source is remembered elsewhere.
- A **delivery** is a batch and the position behind it. Whoever takes it stores both in one step. So a record is
  neither lost nor stored twice, wherever a program is killed, as long as the place it comes from can be read again.
- `poll` gives what is there now and returns; it never waits for more. A place that cannot be reached raises
  `Unavailable`, one that never will `Refused`; both leave the source usable for the next poll.
- A record that may still grow (the last one of a file, whose traceback may follow) waits until it is whole; with
  `at_once` it does not, for who asks what there is now.
- What was lost for good where it comes from (a log truncated before it was read) is told in `losses` of the next
  delivery, by reason, as far as it can be known. 0 tells that something may have been lost, and not how much.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from logpith.component import types_in

if TYPE_CHECKING:
    from logpith.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Some records, and where to read on behind them."""

    batch: Batch
    position: str
    """Any text, JSON as a rule; only the source that made it reads it."""

    losses: Mapping[str, int] = field(default_factory=dict)
    """Reason → records (or, where `_bytes` ends the reason, bytes) that were lost before they could be read."""


class LiveSource(Protocol):
    """A source that is open."""

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """What has come since the last delivery; ends when there is no more at the moment.

        Who could not store a delivery drops the live source and opens another one from what is stored; one that
        listens is polled again instead.

        Raises:
            Unavailable, Refused: it cannot be read now, or never.
        """


@runtime_checkable
class HoldingSource(LiveSource, Protocol):
    """A source that can tell when what it holds back is whole: it is asked again then, once, and not a turn later."""

    def held_until_ns(self) -> int | None:
        """When there is more to give, as far as the last poll tells; None when that has given all."""


class ListeningSource(LiveSource, Protocol):
    """A source that others send to. What it has given can be read nowhere else: it keeps that until the next delivery
    is asked for, and the next poll gives again what could not be stored."""

    def wait(self) -> bool:
        """Whether something has come that `poll` would give; blocks until then, on a thread of its own. False after
        `stop_waiting`."""

    def stop_waiting(self) -> None:
        """Ends `wait`, for good."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where records come from; the fields are its settings."""

    type: ClassVar[str]
    """What the settings call it: the name of its file."""

    listens: ClassVar[bool] = False
    """Whether it takes what others send whenever they do, so that only what runs all the time can be it: its live
    source is a ListeningSource."""

    service: str = ""
    """The service of records that name none."""

    attributes: tuple[str, ...] = ()
    """What each record is besides, `name=value`: `deployment.environment=production`, `host.name=web-1`."""

    backfill_lines: int = field(default=100, metadata={"minimum": 0, "maximum": 1_000_000})
    """Lines fetched when nothing was fetched before, where a place tells its last lines only."""

    @abstractmethod
    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """The live source; `name` is its name in the settings, which its records carry as `source`."""


@cache
def source_types() -> Mapping[str, type[Source]]:
    """Every source by what the settings call it."""
    return types_in(__name__, Source)
