"""The way of records: source → stages → store.

    for delivery in live.poll(now_ns):
        passed = chain(delivery.batch)
        store.append(passed.batch, position=(name, delivery.position))

What a source gives is stored together with the position behind it, so it is neither lost nor stored twice, wherever
the program is cut off. `Pipeline` goes that way for every source, each on a thread of its own: one that fails, hangs
or never ends is told in `status` and stops no other.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast

import pyarrow as pa

from logpith import timerange
from logpith.batch import Batch, count_before, extra_of, join_batches, spell_extra, with_column
from logpith.component import configure
from logpith.settings import Settings, parse_size, type_of
from logpith.sources import Delivery, HoldingSource, ListeningSource, LiveSource, Source, source_types
from logpith.stages import Apply, Stage, stage_types
from logpith.stages.redact import RedactStage
from logpith.stages.validate import ValidateStage
from logpith.telemetry import Family, Ledger, Metric, Telemetry
from logpith.timerange import NS_PER_MIN, NS_PER_S, format_span
from logpith_emit.disk import Disk
from logpith_emit.errors import BadArgument, LogpithError, NotFound, Refused, nearest

DEAD_LETTER: Final = "dead_letter"
"""The source of records that no stage could work on: `source:dead_letter` finds them."""

REASON: Final = "dead_letter.reason"
STAGE: Final = "dead_letter.stage"
SOURCE: Final = "dead_letter.source"

KEY_FILE: Final = "redaction.key"
_KEY_BYTES = 32
_KEY_TRIES = 3

FIRST_RETRY_NS = NS_PER_S
MOST_RETRY_NS = 5 * NS_PER_MIN

RECEIVED = Metric(name="logpith_source_records_total", doc="Records that a source has given.")
POLLS = Metric(name="logpith_source_polls_total", doc="How often a source was asked, by how it went.")
LOST = Metric(name="logpith_source_lost_total", doc="What was lost before it could be read, by reason.")
CHANGED = Metric(
    name="logpith_stage_counts_total", doc="What stages have counted besides, such as missing fields."
)


class Keeping(Protocol):
    """What a pipeline needs of a store; any thread may call it."""

    def append(self, batch: Batch, *, position: tuple[str, str] | None = None, batch_id: str = "") -> bool:
        """Stores a batch and a source's position in one step, durable when it returns; False when it was stored
        before under that id."""

    def position(self, source: str) -> str | None:
        """What was last stored for a source."""


# ── Stages ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What became of a batch behind all stages."""

    kept: Batch
    dead: Batch
    """What no stage could work on, as records of their own."""

    dropped: Mapping[str, int]
    counters: Mapping[tuple[str, str], int]
    """(stage, name) → count."""

    @property
    def batch(self) -> Batch:
        """What is stored."""
        return join_batches([self.kept, self.dead]) if self.dead.num_rows else self.kept


class Chain:
    """Stages that are open, one behind the other. What they remember belongs to one thread at a time."""

    def __init__(self, stages: Sequence[tuple[str, Apply]]) -> None:
        self._stages = stages

    def __call__(self, batch: Batch) -> Passed:
        """What becomes of a batch."""
        dead: list[Batch] = []
        dropped: Counter[str] = Counter()
        counters: Counter[tuple[str, str]] = Counter()
        for stage, apply in self._stages:
            if not batch.num_rows:
                break
            outcome = apply(batch)
            batch = outcome.kept
            dead += [dead_letters(some, stage, reason) for reason, some in outcome.dead.items()]
            dropped.update(outcome.dropped)
            counters.update({(stage, name): count for name, count in outcome.counters.items()})
        return Passed(kept=batch, dead=join_batches(dead), dropped=dict(dropped), counters=dict(counters))


@contextmanager
def open_stages(stages: Sequence[Stage]) -> Iterator[Chain]:
    """The stages, open."""
    with ExitStack() as opened:
        yield Chain([(name, opened.enter_context(stage.open())) for name, stage in named(stages)])


def named(stages: Sequence[Stage]) -> list[tuple[str, Stage]]:
    """Each stage with what answers call it: its type, with a number where there are several of it."""
    met: Counter[str] = Counter()
    names: list[tuple[str, Stage]] = []
    for stage in stages:
        met[stage.type] += 1
        number = met[stage.type]
        names.append((stage.type if number == 1 else f"{stage.type} {number}", stage))
    return names


def dead_letters(batch: Batch, stage: str, reason: str) -> Batch:
    """Records that a stage could not work on, as records that are stored, found and replayed."""
    told: list[str] = []
    for extra, source in zip(batch["extra"].to_pylist(), batch["source"].to_pylist(), strict=True):
        told.append(spell_extra({**extra_of(extra), REASON: reason, STAGE: stage, SOURCE: source}))
    apart = with_column(batch, "extra", pa.array(told, pa.string()))
    return with_column(apart, "source", pa.array([DEAD_LETTER] * batch.num_rows, pa.string()))


def revived(batch: Batch) -> Batch:
    """Dead letters as the records that they were; other records stay out."""
    extras = [extra_of(extra) for extra in batch["extra"].to_pylist()]
    is_letter = [SOURCE in extra for extra in extras]
    letters = batch.filter(pa.array(is_letter, pa.bool_()))
    extras = [extra for extra, is_one in zip(extras, is_letter, strict=True) if is_one]
    sources = [str(extra[SOURCE]) for extra in extras]
    own = [
        spell_extra({name: value for name, value in extra.items() if name not in (REASON, STAGE, SOURCE)})
        for extra in extras
    ]
    letters = with_column(letters, "extra", pa.array(own, pa.string()))
    return with_column(letters, "source", pa.array(sources, pa.string()))


# ── From the settings ───────────────────────────────────────────────────────────────────────────────────────


def sources_of(settings: Settings) -> Mapping[str, Source]:
    """The sources that the settings name.

    Raises:
        BadArgument: one of them cannot be built; names its place.
    """
    return {name: source_named(settings, name) for name in settings.sources}


def source_named(settings: Settings, name: str) -> Source:
    """One source of the settings.

    Raises:
        NotFound: the settings do not name it.
        BadArgument: it cannot be built.
    """
    table = settings.sources.get(name)
    if table is None:
        raise NotFound(
            f"there is no source '{name}'",
            remedy=nearest(name, settings.sources).strip() or "See the settings",
        )
    if name == DEAD_LETTER:
        raise BadArgument(f"sources.{name}: the name is taken", remedy="Give it another name")
    kind, given = type_of(table, f"sources.{name}", source_types())
    source: Source = configure(source_types()[kind], given, f"sources.{name}")
    return source


def stages_of(settings: Settings, redaction_key: str = "") -> tuple[Stage, ...]:
    """The stages that the settings name, with those that nobody has to name: redaction first, validation last.

    Raises:
        BadArgument: one of them cannot be built, or would see records before they are redacted.
    """
    stages = [stage_at(settings, place) for place in range(len(settings.stages))]
    redacts = [
        place for place, stage in enumerate(stages) if isinstance(stage, RedactStage) and not stage.only
    ]
    if redacts and redacts[0] > 0:
        raise BadArgument(
            f"stages[{redacts[0]}]: what stands before it sees secrets",
            remedy="Put the stage with type = 'redact' first",
        )
    if settings.redact and not redacts:
        stages.insert(0, RedactStage())
    if not any(isinstance(stage, ValidateStage) for stage in stages):
        quality = settings.quality
        stages.append(
            ValidateStage(
                required_fields=quality.required_fields,
                strict=quality.strict,
                most_line_bytes=parse_size(quality.most_line_bytes) or 1 << 20,
            )
        )
    return tuple(
        replace(stage, key=redaction_key) if isinstance(stage, RedactStage) and not stage.key else stage
        for stage in stages
    )


def stage_at(settings: Settings, place: int) -> Stage:
    """One stage of the settings.

    Raises:
        BadArgument: it cannot be built.
    """
    kind, given = type_of(settings.stages[place], f"stages[{place}]", stage_types())
    stage: Stage = configure(stage_types()[kind], given, f"stages[{place}]")
    return stage


def redaction_key(folder: Path, disk: Disk | None = None) -> str:
    """The key of the placeholders in a folder of data, beside its store; made when it is first asked for, and only
    its user can read it."""
    disk = disk or Disk()
    path = folder / KEY_FILE
    for _ in range(_KEY_TRIES):
        if path.exists():
            key = disk.read(path).decode("ascii", "replace").strip()
            if len(key) == 2 * _KEY_BYTES:
                return key
            disk.remove(path)  # cut off while it was written, so nobody has used it
        disk.make_folder(folder)
        try:
            disk.write_new(path, secrets.token_hex(_KEY_BYTES).encode())
            disk.sync_folder(folder)
        except FileExistsError:  # another process was quicker; its key is as good
            continue
    raise Refused(f"{path} cannot be made", remedy="Remove it, or set key of the stage of type redact")


# ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────

State = Literal["idle", "reading", "failing", "refused", "ended"]


@dataclass(frozen=True, kw_only=True)
class SourceStatus:
    """How a source is."""

    name: str
    type: str
    state: State = "idle"
    """`failing` is tried again soon, `refused` not before long: somebody has to do something."""

    records: int = 0
    """Records that it has given since this process began."""

    lost: Mapping[str, int] = field(default_factory=dict)
    old: int = 0
    """Records that it has given and that were older than is kept when they came."""

    last_success_ns: int | None = None
    """When it last gave all that there was."""

    reading_since_ns: int | None = None
    problem: str = ""
    remedy: str = ""
    failures: int = 0
    """How often in a row it could not be read."""

    def lag_ns(self, now_ns: int) -> int | None:
        """How old what we know of it may be; None when nothing is known."""
        return None if self.last_success_ns is None else max(now_ns - self.last_success_ns, 0)


def retry_after_ns(status: SourceStatus) -> int:
    """How long to leave a failing source alone: twice as long each time; a refusal needs somebody, so longest."""
    return MOST_RETRY_NS if status.state == "refused" else doubling_ns(status.failures)


def doubling_ns(failures: int) -> int:
    """How long to wait after so many failures in a row: twice as long each time, up to a bound."""
    return min(FIRST_RETRY_NS << min(max(failures - 1, 0), 32), MOST_RETRY_NS)


class Pipeline:
    """Every source on its way into the store.

        with Pipeline(sources, stages, store, every_ns=NS_PER_MIN).running() as pipeline:
            pipeline.refresh(within_ns=NS_PER_S)
            pipeline.take(batch)

    Without `every_ns` sources are read only when `refresh` asks for it.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        stages: Sequence[Stage],
        store: Keeping,
        *,
        every_ns: int | None,
        clock: Callable[[], int] = timerange.now_ns,
        telemetry: Telemetry | None = None,
        retention_ns: int | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """What is older than `retention_ns` when it comes is counted; `tell` is told when a source begins to fail,
        works again, or first gives what is that old."""
        self.telemetry = telemetry or Telemetry()
        self.retention_ns = retention_ns
        self.tell = tell or (lambda _text: None)
        self.ledger = Ledger("store")
        self._stages = tuple(stages)
        self._store = store
        self._clock = clock
        self._workers = {name: _Worker(name, source, self, every_ns) for name, source in sources.items()}
        self._intake = threading.Lock()
        self._opened = ExitStack()
        self._chain: Chain | None = None
        self._runs = False

    @contextmanager
    def running(self, *, stop_within_s: float = 10.0) -> Iterator[Pipeline]:
        """The pipeline at work. At the end a delivery that is on its way is stored; a source that does not give back
        control in time is left alone, and read again from its stored position by the next process."""
        self._runs = True
        for worker in self._workers.values():
            worker.start()
        try:
            yield self
        finally:
            for worker in self._workers.values():
                worker.stop()
            for worker in self._workers.values():
                worker.join(stop_within_s)
            with self._intake:
                self._runs = False
                self._opened.close()

    def take(
        self,
        batch: Batch,
        *,
        batch_id: str = "",
        position: tuple[str, str] | None = None,
        told: Callable[[Passed], None] | None = None,
    ) -> bool:
        """Stores records that somebody has brought, through the stages; they are durable when this returns.

        False when they were taken before under that id; else `told` is told what stages have made of them. A
        `position` that who brings them wants to find again is stored with them.

        Raises:
            Refused: the pipeline does not run. What the store raises; nothing was taken then.
        """
        try:
            # Stages go one after the other, since they remember; writers wait for the disk together.
            return self.carry(self._stage_brought, batch, position=position, batch_id=batch_id, told=told)
        except BaseException:
            # What was not stored comes again, and must not meet stages that remember it.
            with self._intake:
                self._opened.close()
                self._chain = None
            raise

    def _stage_brought(self, batch: Batch) -> Passed:
        with self._intake:
            if not self._runs:
                raise Refused("the pipeline has ended", remedy="Bring the records to the next one")
            self._chain = self._chain or self._opened.enter_context(open_stages(self._stages))
            return self._chain(batch)

    def carry(
        self,
        chain: Callable[[Batch], Passed],
        batch: Batch,
        *,
        position: tuple[str, str] | None = None,
        batch_id: str = "",
        told: Callable[[Passed], None] | None = None,
    ) -> bool:
        """Takes records through open stages into the store, with the position of the source that gave them."""
        with self.ledger.taking(batch.num_rows) as taken:
            passed = chain(batch)
            is_new = self._store.append(passed.batch, position=position, batch_id=batch_id)
            if not is_new:
                taken.dropped(batch.num_rows, "duplicate")
                return False
            taken.stored(passed.kept.num_rows)
            taken.dead_lettered(passed.dead.num_rows)
            for reason, count in passed.dropped.items():
                taken.dropped(count, reason)
            source = position[0] if position else str(batch["source"][0]) if batch.num_rows else ""
            for (stage, name), count in passed.counters.items():
                self.telemetry.count(CHANGED, count, source=source, stage=stage, name=name)
        if told:
            told(passed)
        return True

    def replay(self, letters: Batch, *, batch_id: str) -> bool:
        """Puts dead letters through the stages once more; False when that was done before under this id."""
        return self.take(revived(letters), batch_id=batch_id)

    def refresh(
        self, names: Iterable[str] = (), *, within_ns: int, older_than_ns: int = 0
    ) -> Mapping[str, str]:
        """Reads the named sources, or all, now; the ones that could not be read within the time, and why.

        What was read completely less than `older_than_ns` ago is not read again, and what fails is left alone
        until its time has come.

        Raises:
            NotFound: there is no such source.
        """
        chosen = list(dict.fromkeys(names)) or list(self._workers)
        for name in chosen:
            if name not in self._workers:
                offer = nearest(name, self._workers).strip()
                raise NotFound(
                    f"there is no source '{name}'", remedy=offer or f"There are: {', '.join(self._workers)}"
                )
        now_ns = self._clock()
        asked = {name: self._workers[name].ask(now_ns, older_than_ns) for name in chosen}
        end_ns = timerange.now_ns() + within_ns
        found = {
            name: self._workers[name].outcome_of(number, (end_ns - timerange.now_ns()) / NS_PER_S)
            for name, number in asked.items()
        }
        return {name: why for name, why in found.items() if why}

    def status(self) -> tuple[SourceStatus, ...]:
        """How each source is, in their order."""
        return tuple(worker.status for worker in self._workers.values())

    def now_ns(self) -> int:
        """What the clock says."""
        return self._clock()

    def wake(self) -> None:
        """Lets every source look at the clock again."""
        for worker in self._workers.values():
            worker.wake()

    def wait_for(self, name: str, is_met: Callable[[SourceStatus], bool], *, within_ns: int) -> bool:
        """Whether a source comes to be so within the time."""
        return self._workers[name].wait_until(is_met, within_ns / NS_PER_S)

    def families(self) -> Iterable[Family]:
        """What it counts, for `/metrics`."""
        return [*self.telemetry.families(), *self.ledger.families()]

    def open_chain(self, opened: ExitStack) -> Chain:
        """Stages for one source."""
        return opened.enter_context(open_stages(self._stages))

    def open_live(self, name: str, source: Source, opened: ExitStack) -> LiveSource:
        """A source that is open behind what is stored of it."""
        return opened.enter_context(source.open(name, self._store.position(name)))


class _Worker:
    """One source on its thread."""

    def __init__(self, name: str, source: Source, pipeline: Pipeline, every_ns: int | None) -> None:
        self.status = SourceStatus(name=name, type=source.type)
        self._source = source
        self._pipeline = pipeline
        self._every_ns = every_ns
        self._changed = threading.Condition()
        self._begun = self._done = self._wanted = 0
        """Numbers of readings: the last that began, the last that ended, and the last that somebody waits for."""

        self._next_ns = 0
        self._turn_ns: int | None = None
        """When it is its turn again, while it is to be read once more before that."""

        self._is_stopping = False
        # A source that hangs must not keep the process alive; what it had not given is read again.
        self._thread = threading.Thread(target=self._run, name=f"source {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def join(self, within_s: float) -> None:
        self._thread.join(within_s)

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def ask(self, now_ns: int, older_than_ns: int) -> int:
        """The number of the reading to wait for; 0 when nothing needs to be read."""
        with self._changed:
            lag_ns = self.status.lag_ns(now_ns)
            is_new = lag_ns is not None and lag_ns < older_than_ns
            if is_new if not self.status.failures else now_ns < self._next_ns:
                return 0
            # One that has begun may have missed what came since.
            self._wanted = self._begun + 1
            self._changed.notify_all()
            return self._wanted

    def wait_until(self, is_met: Callable[[SourceStatus], bool], within_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: is_met(self.status), max(within_s, 0))

    def outcome_of(self, number: int, within_s: float) -> str:
        """Why a reading did not succeed; empty when it did."""
        is_done = self.wait_until(lambda status: self._done >= number or status.state == "ended", within_s)
        status = self.status
        if status.state == "ended":
            return "it is not read any more"
        if not is_done:
            return "it was not read in time"
        return f"{status.problem}. {status.remedy}" if status.failures else ""

    def _run(self) -> None:
        staged, opened = ExitStack(), ExitStack()
        chain: Chain | None = None
        live: LiveSource | None = None
        try:
            while self._wait():
                try:
                    chain = chain or self._pipeline.open_chain(staged)
                    live = live or self._open(opened)
                    self._read(chain, live)
                except Exception as error:  # noqa: BLE001 - the top of a thread: other people's sources raise anything
                    self._note_failure(error)
                    if not isinstance(error, LogpithError):
                        # What was not stored comes again from the stored position, and to stages that have not
                        # met it. Only a source that could not be read at the moment goes on as it is, and one that
                        # listens: nobody else has what it has given.
                        staged.close()
                        chain = None
                        if not (self._source.listens and isinstance(error, _NotStored)):
                            opened.close()
                            live = None
            if live and self._source.listens:
                self._read_the_last(chain or self._pipeline.open_chain(staged), live)
        finally:
            opened.close()
            staged.close()
            self._set(state="ended", reading_since_ns=None)

    def _open(self, opened: ExitStack) -> LiveSource:
        live = self._pipeline.open_live(self.status.name, self._source, opened)
        if self._source.listens:
            opened.enter_context(self._listening(cast("ListeningSource", live)))
        return live

    def _read_the_last(self, chain: Chain, live: LiveSource) -> None:
        """What has come to a source that listens until the end."""
        try:
            self._read(chain, live)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_failure(error)

    @contextmanager
    def _listening(self, live: ListeningSource) -> Iterator[None]:
        """Lets it be read as soon as something has come."""
        ended = threading.Event()

        def listen() -> None:
            while live.wait() and not ended.is_set():
                self._read_now(ended)

        thread = threading.Thread(target=listen, name=f"listen {self.status.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                ended.set()
                self._changed.notify_all()
            live.stop_waiting()
            thread.join()

    def _read_now(self, ended: threading.Event) -> None:
        """Has it read, and waits for that. What fails is tried again when its time has come, and not because there is
        more."""
        with self._changed:
            self._changed.wait_for(lambda: ended.is_set() or not self.status.failures)
            self._wanted = number = self._begun + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: ended.is_set() or self._done >= number)

    def _wait(self) -> bool:
        """Whether to read again: once it is time, or somebody asks."""
        with self._changed:
            while not self._is_stopping:
                left_ns = self._next_ns - self._pipeline.now_ns()
                if self._wanted > self._begun or (self._every_ns is not None and left_ns <= 0):
                    self._begun += 1
                    self._set(state="reading", reading_since_ns=self._pipeline.now_ns())
                    return True
                self._changed.wait(None if self._every_ns is None else left_ns / NS_PER_S)
        return False

    def _read(self, chain: Chain, live: LiveSource) -> None:
        """Everything that has come, into the store."""
        at_once = self._wanted >= self._begun
        for delivery in live.poll(self._pipeline.now_ns(), at_once=at_once):
            try:
                self._pipeline.carry(chain, delivery.batch, position=(self.status.name, delivery.position))
            except Exception as error:
                raise _NotStored from error
            self._note_delivery(delivery)
            if self._is_stopping and not self._source.listens:
                break
        self._note_success(live.held_until_ns() if isinstance(live, HoldingSource) else None)

    def _note_delivery(self, delivery: Delivery) -> None:
        telemetry, name = self._pipeline.telemetry, self.status.name
        telemetry.count(RECEIVED, delivery.batch.num_rows, source=name)
        lost = Counter(self.status.lost)
        for reason, count in delivery.losses.items():
            telemetry.count(LOST, count, source=name, reason=reason)
            lost[reason] += count
        old = self._old_in(delivery.batch)
        if old and not self.status.old:
            kept = format_span(self._pipeline.retention_ns or 0)
            self._pipeline.tell(
                f"source {name}: some records are older than what is kept ({kept}), so they go. "
                "To keep them, raise retention in [store]"
            )
        self._set(
            records=self.status.records + delivery.batch.num_rows, lost=dict(lost), old=self.status.old + old
        )

    def _old_in(self, batch: Batch) -> int:
        """How many records are older than is kept."""
        retention_ns = self._pipeline.retention_ns
        if retention_ns is None or not batch.num_rows:
            return 0
        return count_before(batch, self._pipeline.now_ns() - retention_ns)

    def _note_success(self, held_until_ns: int | None) -> None:
        self._pipeline.telemetry.count(POLLS, source=self.status.name, outcome="ok")
        if self.status.failures:
            self._pipeline.tell(f"source {self.status.name} works again")
        now_ns = self._pipeline.now_ns()
        self._finish(
            self._next_look_ns(now_ns, held_until_ns),
            state="idle",
            last_success_ns=now_ns,
            problem="",
            remedy="",
            failures=0,
        )

    def _next_look_ns(self, now_ns: int, held_until_ns: int | None) -> int:
        """When to read again: when it is its turn, or once before, when what is held back is whole."""
        if self._turn_ns is not None:
            turn_ns, self._turn_ns = self._turn_ns, None
            return turn_ns
        turn_ns = now_ns + (self._every_ns or 0)
        if held_until_ns is None or held_until_ns >= turn_ns:
            return turn_ns
        self._turn_ns = turn_ns
        return held_until_ns

    def _note_failure(self, error: Exception) -> None:
        cause = error.__cause__ if isinstance(error, _NotStored) else error
        if isinstance(cause, LogpithError):
            problem, remedy = cause.problem, cause.remedy
        elif isinstance(cause, OSError) and cause is not error:
            problem = f"the store cannot be written: {cause.strerror or type(cause).__name__}"
            remedy = "Free some space there, or see to that disk; it is tried again"
        elif isinstance(cause, OSError):
            problem, remedy = f"{cause.strerror or type(cause).__name__}", "It is tried again"
        else:
            problem = f"{type(cause).__name__} in the source of type {self.status.type}"
            remedy = "It is tried again; report it to whoever made it"
        state: State = "refused" if isinstance(error, Refused) else "failing"
        self._pipeline.telemetry.count(POLLS, source=self.status.name, outcome=state)
        if not self.status.failures:
            self._pipeline.tell(f"source {self.status.name} fails: {problem}. {remedy}")
        self._turn_ns = None
        failed = replace(self.status, state=state, failures=self.status.failures + 1)
        self._finish(
            self._pipeline.now_ns() + retry_after_ns(failed),
            state=state,
            failures=failed.failures,
            problem=problem,
            remedy=remedy,
        )

    def _finish(self, next_ns: int, **changes: Any) -> None:
        """Notes how a reading went, and tells those who wait for it."""
        with self._changed:
            self._next_ns = next_ns
            self._done = self._begun
            self._set(reading_since_ns=None, **changes)

    def _set(self, **changes: Any) -> None:
        with self._changed:
            self.status = replace(self.status, **changes)
            self._changed.notify_all()


class _NotStored(Exception):  # noqa: N818 never leaves this module
    """What a source gave could not be stored; the cause says why."""
