"""Last lines: places that tell only the last lines of a log, asked again and again.

What was seen before is left out (`overlap`). Where nothing of the lines asked for was seen before, more are asked for,
up to `most_lines`; when that still leaves a gap, it is told as a loss. A place that does not count lines, and has never
told one twice, tells only what is new: there nothing is left for the next time, and what is unknown is no gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import numpy as np

from logpith.batch import empty_batch
from logpith.sources import Delivery
from logpith.sources.overlap import Known, News, news_in
from logpith.sources.reading import LineReader
from logpith_emit.errors import LogpithError, Refused, Unavailable

# A place that was asked before is asked for so many lines, and where that leaves a gap for _MORE times as many.
_USUAL_LINES = 1000
_MORE = 10

Fetch = Callable[[str, int], Sequence[bytes]]
"""(service, count) → the last lines of it, oldest first, without their ends."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked for, and how its records are told."""

    name: str
    fetch: Fetch
    services: Sequence[str] = ("",)
    default_service: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    backfill_lines: int = 100
    most_lines: int = 10_000
    counts_lines: bool = True
    """Whether it gives as many lines as it is asked for."""

    may_grow: bool = True
    """Whether a young last record is left for the next time: not where it may not be told again."""

    flush_after_s: float = 1.0


class _Position(msgspec.Struct):
    services: dict[str, str]
    repeating: list[str] = []
    """The services of which some lines were told again."""


class LastLines:
    """A place that tells its last lines: a live source."""

    def __init__(self, asked: Asked, position: str | None) -> None:
        self._asked = asked
        told = _read_position(position)
        self._known = {service: Known.read(text) for service, text in told.services.items()}
        self._repeating = set(told.repeating)
        self._readers: dict[str, LineReader] = {}

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """See `LiveSource.poll`."""
        failed: list[LogpithError] = []
        for service in self._asked.services:
            try:
                yield from self._poll_one(service, now_ns, at_once=at_once)
            except (Unavailable, Refused) as error:
                failed.append(error)
        if failed:
            raise _together(failed, len(self._asked.services))

    def _poll_one(self, service: str, now_ns: int, *, at_once: bool) -> Iterator[Delivery]:
        known = self._known.get(service)
        lines, news, is_all = self._fetch(service, known)
        # Behind a gap the log's beginning is no longer known, unless all of it was given.
        base = Known(is_all=is_all) if known is None or news.has_gap else known
        if known is None and not self._asked.backfill_lines:
            self._known[service] = base.followed_by(lines)
            yield Delivery(batch=empty_batch(), position=self._position())
            return
        self._known[service] = base
        # A program that prints only what is new tells nothing twice, and leaves no gap by that.
        can_tell = self._asked.counts_lines or service in self._repeating
        losses = {"gap": 1} if news.has_gap and can_tell else {}
        if len(news.places) < len(lines):
            self._repeating.add(service)
        new = [lines[place] for place in news.places]
        if not new:
            return
        reader = self._reader(service)
        if reader.is_fresh:
            reader.look_back(_as_text(lines[: news.places[0]]), now_ns)
        found = reader.read_text(_as_text(new), now_ns)
        count = len(found)
        if (
            self._asked.may_grow
            and not at_once
            and self._may_grow(found.batch["timestamp"][-1].as_py(), now_ns)
        ):
            count -= 1
        ends = np.cumsum(found.lines).tolist()
        done = taken = 0
        for batch, _ in found.parts(count):
            done += batch.num_rows
            base = base.followed_by(new[taken : ends[done - 1]])
            taken = ends[done - 1]
            if news.is_mixed and taken == len(new):
                base = Known().followed_by(lines)
            self._known[service] = base
            yield Delivery(batch=batch, position=self._position(), losses=losses)
            losses = {}

    def _fetch(self, service: str, known: Known | None) -> tuple[Sequence[bytes], News, bool]:
        """(lines, what is new in them, whether they are all that the log has)."""
        asked = self._asked
        usual = min(_USUAL_LINES, asked.most_lines)
        count = (asked.backfill_lines or usual) if known is None else usual
        while True:
            lines = asked.fetch(service, count)
            if asked.counts_lines:
                lines = lines[max(0, len(lines) - count) :]
            news = news_in(lines, known or Known())
            is_all = not asked.counts_lines or len(lines) < count
            was_empty = known is not None and known.is_all and not known.hashes
            if was_empty and not is_all:
                news = News(range(len(lines)), has_gap=True)
            if not news.has_gap or is_all or count >= asked.most_lines:
                return lines, news, is_all
            count = min(count * _MORE, asked.most_lines)

    def _may_grow(self, timestamp: int | None, now_ns: int) -> bool:
        """Whether the last record is so young that more of it may come; an undated one is taken as it is."""
        return timestamp is not None and 0 <= now_ns - timestamp < int(self._asked.flush_after_s * 1e9)

    def _reader(self, service: str) -> LineReader:
        if service not in self._readers:
            asked = self._asked
            self._readers[service] = LineReader(
                asked.name, service=service or asked.default_service, extra=asked.attributes
            )
        return self._readers[service]

    def _position(self) -> str:
        known = {service: known.spelled() for service, known in self._known.items()}
        return msgspec.json.encode(_Position(known, sorted(self._repeating))).decode()


@contextmanager
def ask(asked: Asked, position: str | None) -> Iterator[LastLines]:
    """A place that tells its last lines, from a position on."""
    yield LastLines(asked, position)


def lines_of(output: bytes) -> list[bytes]:
    """The lines of an output; the last one need not end."""
    lines = output.replace(b"\r\n", b"\n").split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _as_text(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _read_position(position: str | None) -> _Position:
    """What a position says; nothing when it is none that can be read."""
    if position is None:
        return _Position({})
    try:
        return msgspec.json.decode(position, type=_Position)
    except msgspec.DecodeError:
        return _Position({})


def _together(failed: Sequence[LogpithError], services: int) -> LogpithError:
    """One error for all services that could not be asked; it may be tried again when one of them may."""
    first = failed[0]
    if services == 1:
        return first
    kind = Unavailable if any(isinstance(error, Unavailable) for error in failed) else Refused
    return kind(f"{first.problem} ({len(failed)} of {services} services failed)", remedy=first.remedy)
