"""Delivery: what stands in a spool comes to every destination, each at its own pace.

Each destination has a thread, a place in the spool and a lock of its own. So one that is down delays no other and loses
nothing; a program that ended leaves its records to the next one, or to `logpith-emit ship`; and of several processes
only one delivers to a destination at a time, for all of them.

    spool ──► batch ──► write ──► place saved, files that all are done with removed
                          ├─ Unavailable: again, later and later; after five times only one record is tried at first
                          ├─ Refused: one by one; those that are refused alone become dead letters
                          └─ too old: dropped, counted, and told in a record of its own
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field

from logpith_emit.clock import SYSTEM_CLOCK, Clock
from logpith_emit.destinations import Destination, LiveDestination, Outgoing
from logpith_emit.disk import Lock
from logpith_emit.encoding import encode
from logpith_emit.errors import LogpithError, Refused, Unavailable
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.shipping.shipped import Shipped, load_shipped, save_shipped
from logpith_emit.spool import DROPPED_KIND, Frame, Segment, Spool, SpoolReader, dropped_in

Warn = Callable[[str, str], None]
"""Tells people of a problem and what to do about it; it may tell less often than it is called."""

FAILURES_TO_OPEN = 5
"""After so many failures in a row a destination is taken for dead: until it answers again it gets one record at a
time, and seldom."""

_LOOK_EVERY_S = 0.2
_TAKE_OVER_EVERY_S = 1.0
_SAVE_EVERY_NS = 1_000_000_000
_BREATHE_EVERY = 16


class _Stopped(BaseException):
    """The thread shall end, whatever it is waiting for. No failure, so nothing that looks for failures catches it."""


@dataclass
class _Taken:
    """What was taken from the spool at once."""

    records: list[Outgoing] = field(default_factory=list)
    frames: int = 0
    is_all: bool = True
    """Whether there is no more at the moment."""

    too_old: int = 0
    last_too_old: str = ""


class Delivery:
    """Brings the records of a spool to one destination."""

    def __init__(
        self, spool: Spool, name: str, destination: Destination, *, clock: Clock = SYSTEM_CLOCK, warn: Warn
    ) -> None:
        self.spool = spool
        self.name = name
        self.destination = destination
        self.shipped: Shipped = load_shipped(spool, name)
        """What became of the records so far."""

        self._clock = clock
        self._warn = warn
        self._lock = Lock(spool.folder / f"{name}.lock")
        self._has_lock = False
        self._dead = DeadLetters(spool, name)
        self._wake = threading.Condition()
        self._nudges = self._nudges_seen = 0
        """How often somebody wanted it to look at once; counted, so that none is missed."""
        self._ends_ns: int | None = None
        """By when it shall have ended, on the monotonic clock."""
        self._passes_begun = self._passes_ended = 0
        self._saved_ns = -_SAVE_EVERY_NS
        self._thread: threading.Thread | None = None

    # ── from outside ──────────────────────────────────────────────────────────────────────────────────────────

    def start(self, inside: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Begins to deliver, on a thread of its own, within `inside`."""

        def run() -> None:
            with inside():
                self.run()

        self._thread = threading.Thread(target=run, name=f"logpith-emit {self.name}", daemon=True)
        self._thread.start()

    def end_within(self, deadline_s: float) -> None:
        """Lets it end once all is delivered that is there, or the time is up; does not wait for that."""
        with self._wake:
            self._ends_ns = SYSTEM_CLOCK.monotonic_ns() + int(deadline_s * 1e9)
            self._nudge()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended, which may be waited for."""
        if self._thread is None:
            return True
        self._thread.join(max(timeout_s, 0))
        return not self._thread.is_alive()

    def flush(self, timeout_s: float) -> bool:
        """Whether all is delivered that was there before; waits for that."""
        with self._wake:
            wanted = self._passes_begun + 1
            self._nudge()
            return self._wake.wait_for(lambda: self._passes_ended >= wanted, timeout_s)

    def _nudge(self) -> None:
        self._nudges += 1
        self._wake.notify_all()

    def forked(self) -> None:
        """In a forked child: the parent goes on delivering, and has the lock."""
        self._lock.let_go()
        self._wake = threading.Condition()
        self._thread = None

    # ── on its thread ─────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Delivers until it is told to end."""
        with suppress(_Stopped):
            while not self._try_to_run():
                self._wait(_TAKE_OVER_EVERY_S)
        self._lock.let_go()

    def _try_to_run(self) -> bool:
        """Whether it has delivered until it was told to end; else another process does, or the disk refuses."""
        try:
            self.spool.disk.make_folder(self.spool.folder)
            self._has_lock = self._lock.take()
            if not self._has_lock:
                self.shipped.state = "elsewhere"
                if self._ends_ns is not None:  # the other one delivers what is here
                    raise _Stopped
                return False
            self.shipped = load_shipped(self.spool, self.name)
            self.shipped.begin(os.getpid(), self.destination.type)
            reader = self.spool.reader(self.name)
            reader.commit()
            with self._opened() as live:
                self._deliver_all(reader, live)
        except Exception as error:  # noqa: BLE001 - the top of a thread of ours in somebody else's program
            self._count_failure(error)
            return False
        finally:
            if self._has_lock:
                self.shipped.state = "ended"
                self._save(at_once=True)
        return True

    @contextmanager
    def _opened(self) -> Iterator[LiveDestination]:
        """The live destination, opened as often as that needs; what its closing raises is counted."""
        failures = 0
        while True:
            opening = self.destination.open()
            try:
                live = opening.__enter__()
                break
            except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
                failures += 1
                self._count_failure(error)
                self._wait_to_retry(failures, error)
        try:
            yield live
        finally:
            try:
                opening.__exit__(None, None, None)
            except Exception as error:  # noqa: BLE001 - as above
                self._count_failure(error)

    def _deliver_all(self, reader: SpoolReader, live: LiveDestination) -> None:
        """Delivers what is there and what comes, until it shall end."""
        while True:
            with self._wake:
                self._passes_begun += 1
                begun = self._passes_begun
            taken = self._take(reader)
            if taken.records:
                self._deliver(live, taken.records)
            if taken.frames:
                reader.commit()
                self._save()
            if taken.is_all:
                reader.commit()
                self._save()
                with self._wake:
                    self._passes_ended = begun
                    self._wake.notify_all()
                    # What was there when it was told to end may have come after it had looked.
                    if self._ends_ns is not None and self._nudges == self._nudges_seen:
                        return
                self._wait(_LOOK_EVERY_S)

    def _take(self, reader: SpoolReader) -> _Taken:
        """The next records, as many as the destination gets at once."""
        taken = _Taken()
        size_bytes = 0
        oldest_ns = (
            self._clock.now_ns() - int(self.destination.max_age_s * 1e9) if self.destination.max_age_s else 0
        )
        for segment, frame in reader.read():
            taken.frames += 1
            if taken.frames % _BREATHE_EVERY == 0:
                # Lets the program's own threads run, which would wait for as long as five milliseconds.
                time.sleep(0)
            record = self._record_in(segment, frame)
            if record is None or not self._is_wanted(record):
                continue
            if 0 < record.timestamp < oldest_ns:
                taken.too_old += 1
                taken.last_too_old = record.id
                continue
            taken.records.append(record)
            size_bytes += len(record.text)
            if (
                len(taken.records) >= self.destination.batch_records
                or size_bytes >= self.destination.batch_bytes
            ):
                taken.is_all = False
                break
        if taken.too_old:
            self.shipped.dropped["too_old"] += taken.too_old
            taken.records.append(self._told({"too_old": taken.too_old}, taken.last_too_old))
        return taken

    def _record_in(self, segment: Segment, frame: Frame) -> Outgoing | None:
        """The record that a frame holds; of one that tells what was dropped, a record that says so."""
        identity = f"{segment.writer}-{frame.sequence}"
        if frame.kind != DROPPED_KIND:
            return Outgoing(identity, frame.payload)
        dropped = dropped_in(frame)
        self.shipped.dropped.update(dropped)
        return self._told(dropped, identity)

    def _told(self, dropped: Mapping[str, int], identity: str) -> Outgoing:
        number = sum(dropped.values())
        return Outgoing(
            f"{identity}-dropped",
            encode(
                {
                    "timestamp": self._clock.now_ns(),
                    "level": "warn",
                    "logger": "logpith_emit",
                    "message": f"{number} record{'s were' if number != 1 else ' was'} dropped",
                    "dropped": dict(dropped),
                }
            ),
        )

    def _is_wanted(self, record: Outgoing) -> bool:
        try:
            return self.destination.wants(record)
        except Refused as error:
            self._bury(record, error.problem)
            return False

    def _deliver(self, live: LiveDestination, records: Sequence[Outgoing]) -> None:
        """Returns when each record is safe, or refused for good."""
        left = list(records)
        failures = 0
        while left:
            # One that is taken for dead is asked with one record whether it is back.
            asked = left[:1] if failures >= FAILURES_TO_OPEN else left
            try:
                written = live.write(asked)
            except Refused as error:
                self.shipped.count_error(str(error), self._clock.now_ns())
                if len(asked) == 1:
                    self._bury(asked[0], error.problem)
                else:
                    middle = len(asked) // 2
                    self._deliver(live, asked[:middle])
                    self._deliver(live, asked[middle:])
                left = left[len(asked) :]
                continue
            except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
                failures += 1
                self._count_failure(error, len(asked))
                self.shipped.state = "dead" if failures >= FAILURES_TO_OPEN else "retrying"
                self._wait_to_retry(failures, error)
                continue
            for record in asked:
                if record.id in written.refused:
                    self._bury(record, written.refused[record.id])
            again = [record for record in asked if record.id in written.again]
            done = len(asked) - len(again)
            self.shipped.count_sent(done - len(written.refused), self._clock.now_ns())
            left = again + left[len(asked) :]
            failures = 0 if done else failures + 1
            if again:
                self.shipped.retried += len(again)
                self._wait_to_retry(max(failures, 1), None)

    def _bury(self, record: Outgoing, reason: str) -> None:
        """Keeps a record that will never be taken, where it can be looked at; where there is no room, counts it."""
        self.shipped.refused += 1
        if not self._dead.keep(record, reason, self._clock.now_ns()):
            self.shipped.dropped["dead_letters_full"] += 1
        self._warn(f"{self.name} refused a record: {reason}", f"It is kept in {self._dead.path}")

    def _count_failure(self, error: Exception, records: int = 0) -> None:
        told = str(error) if isinstance(error, LogpithError) else f"{type(error).__name__}: {error}"
        self.shipped.retried += records
        self.shipped.count_error(told, self._clock.now_ns())
        remedy = error.remedy if isinstance(error, LogpithError) else "The records wait in the spool"
        self._warn(f"{self.name}: {error.problem if isinstance(error, LogpithError) else told}", remedy)
        self._save()

    # ── waiting ───────────────────────────────────────────────────────────────────────────────────────────────

    def _wait_to_retry(self, failures: int, error: Exception | None) -> None:
        """Waits before the next try, longer with each failure.

        Raises:
            _Stopped: it shall end before that.
        """
        settings = self.destination
        pause_s = min(settings.first_retry_s * 2 ** min(failures - 1, 30), settings.most_retry_s)
        pause_s *= 0.5 + random.random() / 2  # noqa: S311 - so that many programs do not come back at once
        if isinstance(error, Unavailable):
            pause_s = max(pause_s, error.retry_after_s)
        self._wait(pause_s)

    def _wait(self, pause_s: float) -> None:
        """Waits for a while, or until it is told to end or to hurry.

        Raises:
            _Stopped: it shall end before that.
        """
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(pause_s * 1e9)
        with self._wake:
            while self._nudges == self._nudges_seen:
                ends_ns = until_ns if self._ends_ns is None else min(until_ns, self._ends_ns)
                left_ns = ends_ns - SYSTEM_CLOCK.monotonic_ns()
                if left_ns <= 0:
                    break
                self._wake.wait(left_ns / 1e9)
            self._nudges_seen = self._nudges
            if self._ends_ns is not None and SYSTEM_CLOCK.monotonic_ns() >= self._ends_ns:
                raise _Stopped

    def _save(self, *, at_once: bool = False) -> None:
        """Writes down what became of the records, at most once a second."""
        now_ns = SYSTEM_CLOCK.monotonic_ns()
        if at_once or now_ns - self._saved_ns >= _SAVE_EVERY_NS:
            self._saved_ns = now_ns
            with suppress(OSError):  # it is told again a second later
                save_shipped(self.spool, self.name, self.shipped)
