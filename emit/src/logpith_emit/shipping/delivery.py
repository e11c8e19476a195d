"""Delivery: what stands in a spool comes to every destination, each at its own pace.

Each destination has a thread, a place in the spool and a lock of its own. So one that is down delays no other and loses
nothing; a program that ended leaves its records to the next one, or to `logpith-emit ship`; and of several processes
only one delivers to a destination at a time, for all of them.

    spool ──► batch ──► write ──► place saved, files that all are done with removed
               │          ├─ Unavailable: again, later and later; after five times one record, then more and more
               │          ├─ Refused: one by one; those that are refused alone become dead letters
               │          └─ too old: dropped, counted, and told in a record of its own
               └─ less than fits: more is gathered as long as `gather_s`, unless somebody waits for the end

What became of a batch is counted when all of it is done, and written down together with the place: a batch that the end
of the program interrupts counts when it is delivered again. Where nothing can be written down, as on a full disk,
delivery goes on, because it alone makes room: then a crash may deliver again all that came since.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace

from logpith_emit.clock import SYSTEM_CLOCK, Clock
from logpith_emit.destinations import Destination, LiveDestination, Outgoing
from logpith_emit.disk import Lock
from logpith_emit.encoding import encode
from logpith_emit.errors import LogpithError, NotFound, Refused, Unavailable
from logpith_emit.shipping.age import Age
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.shipping.pace import Pace
from logpith_emit.shipping.shipped import Shipped, State, further, load_shipped, save_shipped
from logpith_emit.spool import DROPPED_KIND, Damage, Frame, Segment, Spool, SpoolReader, dropped_in

Warn = Callable[[str, str], None]
"""Tells people of a problem and what to do about it; it may tell less often than it is called."""

LOCK = ".lock"
"""What the file's name ends with that a process holds while it delivers to a destination."""

FAILURES_TO_OPEN = 5
"""After so many failures in a row a destination is taken for dead: until it answers again it gets one record at a
time, and seldom. Then it gets more each time as long as it takes them: it may be too slow for all at once."""

_LOOK_EVERY_S = 0.2
_TAKE_OVER_EVERY_S = 1.0
_SAVE_EVERY_NS = 1_000_000_000
_BREATHE_EVERY = 16
_MOST_FRAMES = 65_536


class _Stopped(BaseException):
    """The thread shall end, whatever it is waiting for. No failure, so nothing that looks for failures catches it."""


class _Notice(Outgoing):
    """Tells what was dropped; nobody has said it, so it counts nowhere."""


@dataclass
class _Taken:
    """What was taken from the spool at once, and what became of it."""

    records: list[Outgoing] = field(default_factory=list)
    frames: int = 0
    size_bytes: int = 0
    """What the records have together."""

    is_all: bool = True
    """Whether there is no more at the moment."""

    unwanted: int = 0
    refused: list[tuple[Outgoing, str]] = field(default_factory=list)
    """Those that will never be taken, with the reason."""

    dropped: Counter[str] = field(default_factory=Counter)
    too_old: int = 0
    last_too_old: str = ""
    aged: set[str] = field(default_factory=set)
    """Ids of those that became too old while they were tried."""

    aged_notice: _Notice | None = None
    """Tells of these."""

    @property
    def said(self) -> list[Outgoing]:
        """Those records that somebody has said."""
        return [record for record in self.records if not isinstance(record, _Notice)]

    @property
    def sent(self) -> list[Outgoing]:
        """The records that are safe, once all are done."""
        others = self.aged | {record.id for record, _ in self.refused}
        return [record for record in self.said if record.id not in others]

    def refuse(self, record: Outgoing, reason: str) -> None:
        """A record will never be taken."""
        if not isinstance(record, _Notice):
            self.refused.append((record, reason))


class Delivery:
    """Brings the records of a spool to one destination."""

    def __init__(
        self, spool: Spool, name: str, destination: Destination, *, clock: Clock = SYSTEM_CLOCK, warn: Warn
    ) -> None:
        self.spool = spool
        self.name = name
        self.destination = destination
        self.shipped: Shipped = load_shipped(spool, name) or Shipped()
        """What became of the records so far."""

        self._clock = clock
        self._warn = warn
        self._lock = Lock(spool.folder / f"{name}{LOCK}")
        self._has_lock = False
        self._dead = DeadLetters(spool, name)
        self._age = Age(clock, destination.max_age_s)
        self._damage = Damage()
        """What was counted of it."""
        self._wake = threading.Condition()
        self._nudges = self._nudges_seen = 0
        """How often somebody wanted it to look at once; counted, so that none is missed."""
        self._ends_ns: int | None = None
        """By when it shall have ended, on the monotonic clock."""
        self._passes_begun = self._passes_ended = 0
        self._hurries_to = 0
        """The pass that somebody waits for: until it has ended nothing is gathered."""
        self.is_behind = True
        """Whether there was something left to deliver when it was told to end; before it has ended there is."""
        self._saved: Mapping[str, object] = {}
        """What was written down last."""
        self._saved_ns = -_SAVE_EVERY_NS
        self._thread: threading.Thread | None = None
        self._next_try_ns = 0
        self._pace = Pace(destination.batch_records)
        _DELIVERIES.add(self)

    # ── from outside ──────────────────────────────────────────────────────────────────────────────────────────

    def start(self, inside: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Begins to deliver, on a thread of its own, within `inside`.

        Raises:
            RuntimeError: this process gets no thread more.
        """

        def run() -> None:
            with inside():
                self.run()

        thread = threading.Thread(target=run, name=f"logpith-emit {self.name}", daemon=True)
        thread.start()
        self._thread = thread

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
            wanted = self._hurries_to = self._passes_begun + 1
            self._nudge()
            return self._wake.wait_for(lambda: self._passes_ended >= wanted, timeout_s)

    @property
    def next_try_s(self) -> float:
        """In how long it tries again; 0 while it does."""
        return max(0.0, (self._next_try_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9)

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
        """Whether it has delivered until it was told to end; else another process does, or something failed."""
        state: State = "ended"
        try:
            if not self._take_over():
                return False
            reader = self._reader()
            self._damage = Damage()
            self._commit(reader)
            with self._opened() as live:
                self._deliver_all(reader, live)
        except Exception as error:  # noqa: BLE001 - the top of a thread of ours in somebody else's program
            state = "retrying"
            self._count_failure(error)
            return False
        finally:
            if self._has_lock:
                self.shipped.state, self.shipped.in_flight = state, 0
                self._save()
        return True

    def _take_over(self) -> bool:
        """Whether no other process delivers, so that this one does."""
        if self._has_lock and not self._lock.is_there():
            # With another file of its name somebody else may deliver, too.
            self._lock.let_go()
            self._has_lock = False
        if self._has_lock:
            return True
        self.spool.disk.make_folder(self.spool.folder)
        self._has_lock = self._lock.take()
        if not self._has_lock:
            self.shipped.state = "elsewhere"
            if self._ends_ns is not None:  # the other one delivers what is here
                self.is_behind = False
                raise _Stopped
            return False
        self.shipped = load_shipped(self.spool, self.name) or self.shipped
        with somebody_elses():
            caution = self.destination.caution
        self.shipped.begin(os.getpid(), self.destination.type, caution)
        if caution:
            self._warn(f"{self.name}: {caution}", "Take other settings where every record counts")
        self._saved = {}
        return True

    def _reader(self) -> SpoolReader:
        """What reads on behind all that was counted; its own place may be older, if somebody was killed."""
        reader = self.spool.reader(self.name)
        reader.go_to(further(reader.position, self.shipped.position))
        return reader

    @contextmanager
    def _opened(self) -> Iterator[LiveDestination]:
        """The live destination, opened as often as that needs; what its closing raises is counted."""
        failures = 0
        while True:
            try:
                with somebody_elses():
                    opening = self.destination.open()
                    live = opening.__enter__()
                break
            except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
                failures += 1
                self._fail(failures, error)
                self._wait_to_retry(failures, error)
        self.shipped.state = "delivering"
        try:
            yield live
        finally:
            try:
                with somebody_elses():
                    opening.__exit__(None, None, None)
            except Exception as error:  # noqa: BLE001 - as above
                self._count_failure(error)

    def _deliver_all(self, reader: SpoolReader, live: LiveDestination) -> None:
        """Delivers what is there and what comes, until it shall end.

        Raises:
            NotFound: the spool's folder was removed under way.
        """
        while True:
            if not self._lock.is_there():
                raise NotFound(f"{self.spool.folder} was removed", remedy="It is made again")
            with self._wake:
                self._passes_begun += 1
                begun = self._passes_begun
            with somebody_elses():  # which is asked for each record whether it wants it
                taken = self._take(reader)
            if taken.records:
                self.shipped.state, self.shipped.in_flight = "delivering", len(taken.said)
                self._save()
            for records in self._at_once(taken.records):
                self._deliver(live, records, taken)
            if taken.frames or taken.is_all:
                self._finish(reader, taken)
            if taken.is_all:
                with self._wake:
                    self._passes_ended = begun
                    self._wake.notify_all()
                    # What was there when it was told to end may have come after it had looked.
                    if self._ends_ns is not None and self._nudges == self._nudges_seen:
                        self.is_behind = False
                        return
                if self._hurries_to <= self._passes_ended:
                    self._wait(_LOOK_EVERY_S)

    def _take(self, reader: SpoolReader) -> _Taken:
        """The next records, as many as the destination gets at once, or some that are followed by a large one. Where
        there are fewer, it waits for more as long as the destination gathers."""
        taken = _Taken()
        self._take_more(reader, taken)
        since_ns = self._clock.monotonic_ns()
        while self.destination.gather_s and taken.records and taken.is_all:
            is_over = self._has_gathered(since_ns)  # asked first: what was said before is among them
            if not is_over:
                self.shipped.state = "gathering"
                self._save()
                self._wait(_LOOK_EVERY_S)
            self._take_more(reader, taken)
            if is_over:
                break
        if taken.too_old:
            taken.dropped["too_old"] += taken.too_old
            taken.records.append(self._told({"too_old": taken.too_old}, taken.last_too_old))
        return taken

    def _has_gathered(self, since_ns: int) -> bool:
        """Whether what is gathered since then goes now."""
        return (
            self._ends_ns is not None
            or self._hurries_to > self._passes_ended
            or self._clock.monotonic_ns() - since_ns >= self.destination.gather_s * 1e9
            or not self._lock.is_there()
        )

    def _take_more(self, reader: SpoolReader, taken: _Taken) -> None:
        """Takes what is there, until it is as much as the destination gets at once."""
        self._age.look()
        with closing(reader.read()) as frames:
            for segment, frame in frames:
                taken.frames += 1
                if taken.frames % _BREATHE_EVERY == 0:
                    # Lets the program's own threads run, which would wait for as long as five milliseconds.
                    time.sleep(0)
                record = self._record_in(segment, frame, taken)
                if self._is_to_be_sent(record, taken):
                    taken.records.append(record)
                    taken.size_bytes += len(record.text)
                if (
                    # What nobody wants is done sometime, too.
                    taken.frames >= _MOST_FRAMES
                    or len(taken.records) >= self.destination.batch_records
                    or taken.size_bytes >= self.destination.batch_bytes
                ):
                    taken.is_all = False
                    break

    def _record_in(self, segment: Segment, frame: Frame, taken: _Taken) -> Outgoing:
        """The record that a frame holds; of one that tells what was dropped, a record that says so."""
        identity = f"{segment.writer}-{frame.sequence}"
        if frame.kind != DROPPED_KIND:
            return Outgoing(identity, frame.payload)
        dropped = dropped_in(frame)
        taken.dropped.update(dropped)
        return self._told(dropped, identity)

    def _told(self, dropped: Mapping[str, int], identity: str) -> _Notice:
        number = sum(dropped.values())
        return _Notice(
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

    def _is_to_be_sent(self, record: Outgoing, taken: _Taken) -> bool:
        """Whether a record is wanted, and not too old; else it is counted."""
        try:
            wanted = self.destination.wants(record)
        except Refused as error:
            taken.refuse(record, error.problem)
            return False
        if not wanted:
            taken.unwanted += not isinstance(record, _Notice)
            return False
        if self._age.is_too_old(record.timestamp):
            taken.too_old += 1
            taken.last_too_old = record.id
            return False
        return True

    def _at_once(self, records: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
        """The same in parts that the destination takes at once: a large one alone."""
        first = size_bytes = 0
        for at, record in enumerate(records):
            if size_bytes and size_bytes + len(record.text) > self.destination.batch_bytes:
                yield records[first:at]
                first, size_bytes = at, 0
            size_bytes += len(record.text)
        if records:
            yield records[first:]

    def _deliver(self, live: LiveDestination, records: Sequence[Outgoing], taken: _Taken) -> None:
        """Returns when each record is safe, or refused for good."""
        left = list(records)
        failures = 0
        while left:
            self._stop_if_late()
            asked = left[: self._pace.most]
            try:
                with somebody_elses():
                    written = live.write(asked)
                    refused = [
                        (record, str(written.refused[record.id]))
                        for record in asked
                        if record.id in written.refused
                    ]
                    again = [
                        record
                        for record in asked
                        if record.id in written.again and record.id not in written.refused
                    ]
                    why_again = written.why_again
            except Refused as error:
                self.shipped.count_error(told_of(error), self._clock.now_ns())
                if len(asked) == 1:
                    taken.refuse(asked[0], error.problem)
                else:
                    middle = len(asked) // 2
                    self._deliver(live, asked[:middle], taken)
                    self._deliver(live, asked[middle:], taken)
                left = left[len(asked) :]
                continue
            except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises, the program goes on
                failures += 1
                self._pace.failed(is_dead=failures >= FAILURES_TO_OPEN)
                self._fail(failures, error, len(asked))
                self._wait_to_retry(failures, error)
                left = self._without_aged(left, taken)
                continue
            for record, reason in refused:
                taken.refuse(record, reason)
            if len(refused) + len(again) < len(asked):
                self.shipped.last_sent_ns = self._clock.now_ns()
            self.shipped.state = "delivering"
            left = again + left[len(asked) :]
            failures = 0 if len(again) < len(asked) else failures + 1
            if failures:
                self._pace.failed(is_dead=failures >= FAILURES_TO_OPEN)
            else:
                self._pace.went(was_all=not left)
            if again:
                failure = why_again or Unavailable(
                    f"{len(again)} of {len(asked)} record{'s' * (len(asked) != 1)} "
                    f"{'is' if len(again) == 1 else 'are'} to be written again",
                    remedy="They wait in the spool",
                )
                self._fail(max(failures, 1), failure, len(again))
                self._wait_to_retry(max(failures, 1), failure)
                left = self._without_aged(left, taken)

    def _without_aged(self, records: list[Outgoing], taken: _Taken) -> list[Outgoing]:
        """Those that have not become too old while they were tried, and a record that tells of the others."""
        self._age.look()
        old = [
            record
            for record in records
            if not isinstance(record, _Notice) and self._age.is_too_old(record.timestamp)
        ]
        if not old:
            return records
        taken.dropped["too_old"] += len(old)
        taken.aged.update(record.id for record in old)
        before, taken.aged_notice = taken.aged_notice, self._told({"too_old": len(taken.aged)}, old[-1].id)
        left = [record for record in records if record.id not in taken.aged and record is not before]
        return [*left, taken.aged_notice]

    # ── counting ──────────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self, reader: SpoolReader, taken: _Taken) -> None:
        """Counts what became of what was taken, and writes that down with the place."""
        shipped = self.shipped
        if taken.refused:
            kept = self._dead.keep(taken.refused, self._clock.now_ns())
            shipped.refused += kept
            if kept < len(taken.refused):
                shipped.dropped["dead_letters_full"] += len(taken.refused) - kept
            where = (
                f"It is kept in {self._dead.path}"
                if kept
                else f"There was no room for it in {self._dead.path}"
            )
            for _, reason in taken.refused:
                self._warn(f"{self.name} refused a record: {reason}", where)
        sent = taken.sent
        shipped.sent += len(sent)
        shipped.sent_bytes += sum(len(record.text) for record in sent)
        shipped.in_flight = 0
        shipped.unwanted += taken.unwanted
        shipped.dropped.update(taken.dropped)
        shipped.damaged_places += reader.damage.places - self._damage.places
        shipped.damaged_bytes += reader.damage.bytes - self._damage.bytes
        places = reader.damage.places - self._damage.places
        if places:
            self._warn(
                f"{self.spool.folder} is damaged in {places:,} place{'s' * (places != 1)}",
                "What is good there is delivered, and the file kept aside as *.damaged",
            )
        self._damage = replace(reader.damage)
        shipped.position = reader.position
        self._commit(reader)

    def _commit(self, reader: SpoolReader) -> None:
        """Writes down what is counted, then the place; on a disk that refuses, the next time."""
        is_saved = self._save()
        try:
            reader.commit()
        except OSError as error:
            self._count_failure(error)
        else:
            # Files that went may have made room.
            if not is_saved and not self._save():
                self._count_failure(OSError(f"{self.spool.folder} cannot be written"))

    def _fail(self, failures: int, error: Exception, records: int = 0) -> None:
        self.shipped.state = "dead" if failures >= FAILURES_TO_OPEN else "retrying"
        self._count_failure(error, records)

    def _count_failure(self, error: Exception, records: int = 0) -> None:
        self.shipped.retried += records
        self.shipped.count_error(told_of(error), self._clock.now_ns())
        if isinstance(error, LogpithError):
            self._warn(f"{self.name}: {error.problem}", error.remedy)
        else:
            self._warn(f"{self.name}: {told_of(error)}", "The records wait in the spool")
        if SYSTEM_CLOCK.monotonic_ns() - self._saved_ns >= _SAVE_EVERY_NS:
            self._save()

    def _save(self) -> bool:
        """Writes down what became of the records; whether that stands there."""
        if not self._has_lock or self._saved == vars(self.shipped):
            return True
        self._saved_ns = SYSTEM_CLOCK.monotonic_ns()
        try:
            save_shipped(self.spool, self.name, self.shipped)
        except OSError:
            return False
        self._saved = {**vars(self.shipped), "dropped": Counter(self.shipped.dropped)}
        return True

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
        self._next_try_ns = SYSTEM_CLOCK.monotonic_ns() + int(pause_s * 1e9)
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

    def _stop_if_late(self) -> None:
        """
        Raises:
            _Stopped: it shall have ended by now.
        """
        if self._ends_ns is not None and SYSTEM_CLOCK.monotonic_ns() >= self._ends_ns:
            raise _Stopped


_DELIVERIES: weakref.WeakSet[Delivery] = weakref.WeakSet()
"""Those of this process, also such that were told to end and still hang: a forked child that kept the lock of one would
keep it from everybody."""


def _leave_all_to_the_parent() -> None:
    for delivery in list(_DELIVERIES):
        delivery.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_the_parent)


@contextmanager
def somebody_elses() -> Iterator[None]:
    """Around code that is none of ours: some libraries raise what is no Exception, and a destination may call
    `sys.exit`, neither of which shall end a thread of ours without a word."""
    try:
        yield
    except (Exception, _Stopped):
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def told_of(error: Exception) -> str:
    if isinstance(error, LogpithError):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - a __str__ of somebody else's
        return type(error).__name__
