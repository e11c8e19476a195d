"""What a program says through Loguru or the standard library's logging, as entries on their way to a destination."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.context import context_fields, correlation_id
from logpith_emit.entry import INTERNAL, LogEntry
from logpith_emit.handlers import extra_of, of_framework
from logpith_emit.logger import error_fields
from logpith_emit.unified.face import MOST_PENDING, LogDestination, SpooledDestination

_COLUMNS = (
    "tool_name",
    "duration_ms",
    "status",
    "input_args",
    "output_summary",
    "error_message",
)


class UnifiedLogger:
    """The program's way of logging."""

    _feeder: ClassVar[Feeder | None] = None

    @classmethod
    def initialize(cls, destination: LogDestination) -> None:
        """Takes over the standard library's logging and, where the program has loaded it, Loguru: what they say goes to
        this destination alone, and nobody waits for it."""
        before, cls._feeder = cls._feeder, Feeder(destination)
        if before is not None:
            before.close(0.0)
        root = logging.getLogger()
        for handler in list(root.handlers):
            root.removeHandler(handler)
        root.addHandler(_Handler(cls._feeder))
        root.setLevel(logging.NOTSET)
        loguru = sys.modules.get("loguru")
        if loguru is not None:
            loguru.logger.remove()
            loguru.logger.add(cls._feeder.take_loguru, level=0, format="{message}")

    @classmethod
    def close(cls, deadline_s: float = 2.0) -> bool:
        """Whether the destination took everything within the deadline; afterwards nothing is taken any more."""
        feeder, cls._feeder = cls._feeder, None
        return feeder is None or feeder.close(deadline_s)

    @classmethod
    def dropped(cls) -> Mapping[str, int]:
        """Entries that the destination did not get, by reason."""
        return dict(cls._feeder.dropped) if cls._feeder is not None else {}


class Feeder:
    """Hands entries to a destination: to ours at once, to others by an event loop on a thread of its own."""

    def __init__(self, destination: LogDestination, *, most_pending: int = MOST_PENDING) -> None:
        self.dropped: Counter[str] = Counter()
        self._destination = destination
        self._most = most_pending
        self._entries: deque[LogEntry] = deque()
        self._change = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        if not isinstance(destination, SpooledDestination):
            self._thread = threading.Thread(target=self._run, name="logpith-emit entries", daemon=True)
            self._thread.start()

    def take(self, entry: LogEntry) -> None:
        """Takes an entry; the oldest that waits goes where there are too many."""
        if isinstance(self._destination, SpooledDestination):
            self._destination.write_now(entry)
            return
        if threading.current_thread() is self._thread:
            self.dropped["recursive"] += 1  # the destination has logged while it was writing
            return
        with self._change:
            if len(self._entries) >= self._most:
                self._entries.popleft()
                self.dropped["queue_full"] += 1
            self._entries.append(entry)
            self._change.notify_all()

    def take_loguru(self, message: Any) -> None:
        """A sink of Loguru."""
        record: Mapping[str, Any] = message.record
        extra = dict(record["extra"])
        if record["exception"] is not None:
            extra = {**error_fields(record["exception"].value), **extra}
        self.take(
            _entry(
                moment=record["time"].astimezone(UTC),
                level=record["level"].name,
                logger=record["name"] or "",
                message=record["message"],
                extra=extra,
                module=record["module"],
                function=record["function"],
                line=record["line"],
                thread_name=record["thread"].name,
                process_id=record["process"].id,
            )
        )

    def close(self, deadline_s: float) -> bool:
        """Whether all was taken within the deadline."""
        if isinstance(self._destination, SpooledDestination):
            self._destination.emitter.close()
            return True
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(deadline_s * 1e9)
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(max((until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9, 0))
        with self._change:
            self.dropped["closed"] += len(self._entries)
            self._entries.clear()
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._feed())

    async def _feed(self) -> None:
        while (entry := self._next()) is not None:
            try:
                await self._destination.write(entry)
            except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
                self.dropped[type(error).__name__] += 1
            await asyncio.sleep(0)  # lets tasks that a wrapper owns get on
        try:
            await self._destination.close()
        except Exception:  # noqa: BLE001 - as above
            self.dropped["close"] += 1

    def _next(self) -> LogEntry | None:
        """The next entry, which is waited for; None when there are none and will be none."""
        with self._change:
            while not self._entries:
                if self._is_closed:
                    return None
                self._change.wait()
            return self._entries.popleft()


class _Handler(logging.Handler):
    """Brings records of the standard library's logging."""

    def __init__(self, feeder: Feeder) -> None:
        super().__init__()
        self._feeder = feeder

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit the message, or whose __str__ raises
            message = str(record.msg)
        extra = extra_of(record)
        if record.exc_info and record.exc_info[1] is not None:
            extra = {**error_fields(record.exc_info[1]), **extra}
        self._feeder.take(
            _entry(
                moment=datetime.fromtimestamp(record.created, UTC),
                level=record.levelname,
                logger=record.name,
                message=message,
                extra=extra,
                module=record.module,
                function=record.funcName,
                line=record.lineno,
                thread_name=record.threadName,
                process_id=record.process or os.getpid(),
            )
        )


def _entry(
    *, moment: datetime, level: str, logger: str, message: str, extra: dict[str, Any], **where: Any
) -> LogEntry:
    said = {**context_fields(), **extra}
    columns = {name: said.pop(name) for name in _COLUMNS if name in said}
    identity = str(said.pop("correlation_id", "") or correlation_id())
    kind = str(said.pop("log_type", "") or (of_framework(logger).get("log_type", INTERNAL)))
    return LogEntry(
        correlation_id=identity,
        timestamp=moment,
        level=level,
        log_type=kind,
        message=message,
        extra_data={"logger": logger, **said} if logger or said else None,
        **columns,
        **where,
    )
