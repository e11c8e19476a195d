"""What a program says through Loguru or the standard library's logging, as entries on their way to a destination."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
import weakref
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import ClassVar

from logpith_emit.context import context_now
from logpith_emit.emitter import EmitSettings, Emitter, spelt_out
from logpith_emit.entry import LogEntry, entry_of, fields_of
from logpith_emit.errors import BadArgument
from logpith_emit.handlers import LogpithHandler, loguru_sink, take_over
from logpith_emit.logger import use_emitter
from logpith_emit.redaction import Redactor
from logpith_emit.severity import BANDS, DEBUG, INFO, band, severity_number
from logpith_emit.unified.face import (
    MOST_WAITING,
    OURS,
    LogDestination,
    NoDestination,
    SpooledDestination,
    Warner,
    told_of,
)

DEADLINE_S = 2.0

_PYTHON = (0, 1, 10, 20, 30, 40, 50)
"""Levels of the standard library and of Loguru, by the bands of severities."""

_IS_FEEDING: ContextVar[bool] = ContextVar("logpith_feeding", default=False)
"""Whether what is said now is said by a destination that is being written to."""


class UnifiedLogger:
    """The program's way of logging."""

    _feeder: ClassVar[Feeder | None] = None
    _handler: ClassVar[logging.Handler | None] = None
    _sink: ClassVar[int | None] = None
    _is_registered: ClassVar[bool] = False
    _deadline_s: ClassVar[float] = DEADLINE_S

    @classmethod
    def initialize(
        cls, destination: LogDestination, level: str | None = None, *, deadline_s: float = DEADLINE_S
    ) -> None:
        """Takes over the standard library's logging and, where the program has loaded it, Loguru: what they say goes to
        this destination alone, and what `get_logger` and `@logged_tool` say, too. Nobody waits for it. What is less
        severe than `level` is not kept; without it that is the destination's own level, which is `log_level` of its
        settings, and INFO for somebody else's destination. The destination before is closed. The end of the program
        waits for somebody else's for `deadline_s`, at most.

        Raises:
            BadArgument: there is no such level.
        """
        least = _least(destination, level)
        cls._deadline_s = deadline_s
        before = cls._feeder
        if before is not None and before.destination is destination and not before.is_closed:
            before.least = least
            feeder = before
        else:
            feeder = Feeder(destination, least)
            cls._let_go()
            cls._feeder = feeder
            if before is not None:
                before.close(deadline_s)
        cls._take_over(feeder)
        if not cls._is_registered:
            cls._is_registered = True
            atexit.register(cls.close)

    @classmethod
    def _take_over(cls, feeder: Feeder) -> None:
        cls._let_go()
        known = feeder.destination
        emitter = known.emitter if isinstance(known, SpooledDestination) else _FeedingEmitter(feeder)
        emitter.least = feeder.least
        use_emitter(emitter)
        level = _PYTHON[band(feeder.least)]
        cls._handler = LogpithHandler(emitter=emitter)
        take_over(cls._handler, level)
        loguru = sys.modules.get("loguru")
        if loguru is not None:
            loguru.logger.remove()
            # Else Loguru would write out the values of all variables for each exception, which nobody reads.
            cls._sink = loguru.logger.add(
                lambda message: loguru_sink(message, emitter),
                level=level,
                format="{message}",
                backtrace=False,
                diagnose=False,
            )

    @classmethod
    def _let_go(cls) -> None:
        if cls._handler is not None:
            logging.getLogger().removeHandler(cls._handler)
            cls._handler = None
        if cls._sink is not None:
            with suppress(ValueError):  # the program has removed it
                sys.modules["loguru"].logger.remove(cls._sink)
            cls._sink = None

    @classmethod
    def close(cls, deadline_s: float | None = None) -> bool:
        """Whether the destination took everything and closed within the deadline; afterwards nothing is taken any more.
        The end of the program does this, too."""
        cls._let_go()
        deadline_s = cls._deadline_s if deadline_s is None else deadline_s
        return cls._feeder is None or cls._feeder.close(deadline_s)

    @classmethod
    def waiting(cls) -> int:
        """Entries that wait for somebody else's destination; what is in the spool does not count."""
        return 0 if cls._feeder is None else cls._feeder.waiting

    @classmethod
    def dropped(cls) -> Mapping[str, int]:
        """Entries that the destination did not get, by reason."""
        return {} if cls._feeder is None else cls._feeder.dropped


def _least(destination: LogDestination, level: str | None) -> int:
    if level is None:
        return destination.emitter.least if isinstance(destination, SpooledDestination) else INFO
    least = severity_number(level)
    if not least:
        raise BadArgument(
            f"{level!r} is no level", remedy="Write TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL"
        )
    return least


class Feeder:
    """Hands entries to somebody else's destination, by an event loop on a thread of its own; ours needs none."""

    def __init__(
        self,
        destination: LogDestination,
        least: int = INFO,
        *,
        timeout_s: float = 30.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """One write may take `timeout_s`."""
        self.destination = destination
        self.least = least
        """What is less severe is not taken."""

        self.is_closed = False
        self._timeout_s = timeout_s
        self._most = most_waiting
        self.lost: Counter[str] = Counter()
        """Entries that the destination did not get, by reason; what a wrapper of ours drops it counts itself."""

        self._say = Warner(says_all=least <= DEBUG).say
        self._redactor = Redactor()
        self._begin_anew()
        _FEEDERS.add(self)

    def _begin_anew(self) -> None:
        """With nothing that waits and no thread: in a forked child, whose parent delivers what waited there."""
        self._change = threading.RLock()  # a signal handler may log in the midst of it
        self._entries: deque[LogEntry] = deque()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Entries that wait."""
        known = self.destination
        inside = known.waiting if isinstance(known, OURS) and not isinstance(known, SpooledDestination) else 0
        return len(self._entries) + inside

    @property
    def dropped(self) -> Mapping[str, int]:
        """Entries that the destination did not get, by reason."""
        own = self.destination.dropped if isinstance(self.destination, OURS) else {}
        return dict(self.lost + Counter(own))

    def take(self, entry: LogEntry) -> None:
        """Takes an entry; the oldest that waits goes where there are too many."""
        if _IS_FEEDING.get():
            self.lost["recursive"] += 1  # the destination has logged while it was writing
        elif not isinstance(self.destination, NoDestination):
            self._take_to_wait(entry)

    def _take_to_wait(self, entry: LogEntry) -> None:
        with self._change:
            if self.is_closed:
                self.lose("closed", "it was said after the end")
                return
            if len(self._entries) >= self._most:
                self._entries.popleft()
                self.lose("queue_full", f"{self._most} wait already")
            self._entries.append(entry)
            self._hurry()

    def _hurry(self) -> None:
        """Lets the thread look at once; it is begun by the first entry."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="logpith-emit entries", daemon=True)
            self._thread.start()
        elif self._loop is not None and len(self._entries) <= 1:  # with more it is awake
            self._loop.call_soon_threadsafe(self._wake.set)

    def lose(self, reason: str, told: str, entries: int = 1) -> None:
        """Counts entries that are lost, and says so once a minute, or each time where everything is logged."""
        self.lost[reason] += entries
        self._say(f"{entries} entr{'y was' if entries == 1 else 'ies were'} lost: {told}")

    def close(self, deadline_s: float) -> bool:
        """Whether all was taken and the destination is closed within the deadline."""
        if isinstance(self.destination, SpooledDestination):
            self.is_closed = True
            self.destination.emitter.close()
            return True
        with self._change:
            self.is_closed = True
            if self._thread is None and isinstance(self.destination, NoDestination):
                return True
            self._hurry()
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake.set)
            thread = self._thread
        if thread is None:
            return True
        thread.join(deadline_s)
        with self._change:
            if self._entries:
                self.lose("closed", "they waited at the end", len(self._entries))
                self._entries.clear()
        return not thread.is_alive()

    # ── on its thread ─────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        _IS_FEEDING.set(True)
        try:
            asyncio.run(self._feed())
        finally:
            with self._change:
                self._loop = None

    async def _feed(self) -> None:
        with self._change:
            self._loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            with self._change:
                entry = self._entries.popleft() if self._entries else None
            if entry is not None:
                await self._write(entry)
                await asyncio.sleep(0)  # lets tasks that a wrapper owns get on
            elif self.is_closed:
                break
            else:
                await self._wake.wait()
        try:
            await asyncio.wait_for(self.destination.close(), self._timeout_s)
        except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
            self._say(f"it did not close: {told_of(error)}")

    async def _write(self, entry: LogEntry) -> None:
        try:
            # Ours do this in the spool; nobody else has to think of it.
            shown = entry_of(self._redactor.redact_fields(spelt_out(fields_of(entry))))
            await asyncio.wait_for(self.destination.write(shown), self._timeout_s)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
            self.lose(type(error).__name__, told_of(error))


_FEEDERS: weakref.WeakSet[Feeder] = weakref.WeakSet()


def _begin_all_anew() -> None:
    for feeder in list(_FEEDERS):
        feeder._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all_anew)


class _FeedingEmitter(Emitter):
    """What all loggers write by where the destination is none of ours: there is no spool."""

    def __init__(self, feeder: Feeder) -> None:
        super().__init__(EmitSettings())
        self._feeder = feeder

    def emit(self, severity: int, message: str, fields: Mapping[str, object], logger: str = "") -> None:
        if severity < self.least:
            return
        if self._thread.here.is_silent:
            self._feeder.lost["recursive"] += 1  # the words of an object, which say something by themselves
            return
        try:
            own = {
                "timestamp": self._now_ns(),
                "level": BANDS[band(severity)],
                "logger": logger,
                "process_id": os.getpid(),
                "thread_name": threading.current_thread().name,
            }
            with self.silenced():
                context = context_now()
                said = spelt_out({"message": message, **(context.said if context else {}), **fields})
                self._feeder.take(entry_of({**own, **self._kept(said)}))
        except Exception as error:  # noqa: BLE001 - a program goes on, whatever logging meets
            self._feeder.lose(type(error).__name__, told_of(error))

    def emit_entry(self, entry: LogEntry) -> None:
        self._feeder.take(entry)
