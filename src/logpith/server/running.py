"""What a running server holds, and the two things that doors do with it: bring records, and ask.

Whatever brings records, a request, a webhook or a source, goes through `Running.take`: kept first, and only then told
to those who listen. Whoever asks gets a desk that shows no more than they may see.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from logpith.batch import Batch, with_column
from logpith.corpus.desk import Desk
from logpith.corpus.masking import without_secrets
from logpith.corpus.scope import ScopedDesk
from logpith.files.roots import Roots
from logpith.server.live import Live
from logpith.server.tokens import ASKING, Tokens
from logpith.server.waiting import note_progress
from logpith.telemetry import Family, Ledger, Metric, Telemetry
from logpith_emit.disk import Disk
from logpith_emit.errors import NotFound, Unavailable, nearest

TIME_LIMIT_S = 25.0

INGESTED_RECORDS = Metric(
    name="logpith_ingest_records_total", doc="Records that requests brought, by what became of them."
)
INGESTED_BYTES = Metric(
    name="logpith_ingest_bytes_total", doc="Bytes of requests that brought records, unpacked."
)
LISTENERS = Metric(name="logpith_live_listeners", doc="Who listens to the live tail.", kind="gauge")


class Keep(Protocol):
    """Where a server keeps what it is brought."""

    def take(self, batch: Batch, *, batch_id: str = "") -> bool:
        """Keeps a batch, which is durable when this returns; False when it was taken before under that id.

        Raises:
            Unavailable: not now. OSError of a full disk: not before there is room.
        """

    def corpus_desk(self) -> Desk:
        """The desk at which all that is kept can be asked."""

    def services(self) -> Sequence[str]:
        """The services that are known, in order."""

    def is_ready(self) -> bool:
        """Whether records are taken and found."""

    def families(self) -> Iterable[Family]:
        """What it counts, for `/metrics`."""


class Hook(Protocol):
    """A source that others call."""

    def deliver(self, body: bytes, headers: Mapping[str, str]) -> Batch:
        """The records of a call.

        Raises:
            Refused: the call is not from who it should be, or cannot be read.
        """


@dataclass(kw_only=True)
class Running:
    """A server that runs."""

    keep: Keep
    tokens: Tokens | None
    """None where everybody may do everything: on a loopback address, and only when asked for."""

    hooks: Mapping[str, Hook] = field(default_factory=dict)
    live: Live = field(default_factory=Live)
    telemetry: Telemetry = field(default_factory=Telemetry)

    def __post_init__(self) -> None:
        self.telemetry.also(self._families)

    def take(self, batch: Batch, *, batch_id: str = "") -> bool:
        """Keeps a batch and tells it to those who listen; False when it was taken before under that id.

        Raises:
            Unavailable: not now. OSError of a full disk: not before there is room.
        """
        taken = self.keep.take(batch, batch_id=batch_id)
        outcome = "accepted" if taken else "duplicate"
        self.telemetry.count(INGESTED_RECORDS, batch.num_rows, outcome=outcome)
        if taken:
            self.live.tell(batch)
        return taken

    def desk(self) -> Desk:
        """The desk of who asks: it shows only what they may see.

        Raises:
            LookupError: nobody asks, so nothing may be read.
        """
        principal = ASKING.get()
        desk = self.keep.corpus_desk()
        return desk if principal.services is None else ScopedDesk(desk, principal.services)

    def services(self) -> tuple[str, ...]:
        """The services that who asks may see."""
        seen = ASKING.get().services
        return tuple(name for name in self.keep.services() if seen is None or name in seen)

    def newest_lines(self, service: str, count: int) -> list[str]:
        """The last lines of a service, oldest first, secrets redacted.

        Raises:
            NotFound: there is no such service, or who asks may not see it; the two look the same.
        """
        known = self.services()
        if service not in known:
            hint = f"{nearest(service, known).strip()} The services are {', '.join(known) or 'none yet'}"
            raise NotFound("there is no such service", remedy=hint.strip())
        return newest_lines(self.desk(), service, count)

    def is_ready(self) -> bool:
        """Whether records are taken and found."""
        return self.keep.is_ready()

    def _families(self) -> Iterable[Family]:
        self.telemetry.set(LISTENERS, len(self.live))
        return self.keep.families()


def newest_lines(desk: Desk, service: str, count: int) -> list[str]:
    """The last lines of a service, oldest first, secrets redacted."""
    corpus = desk.open()
    wanted = corpus.services.index(service) if service in corpus.services else -1
    records = (corpus.columns.service == wanted).nonzero()[0]
    times = corpus.columns.time_ns[records]
    newest = records[times.argsort(kind="stable")][-count:].tolist()
    return [without_secrets(text).decode("utf-8", "replace") for text in corpus.texts(newest)]


class FileKeep:
    """Records as lines in files, one a service."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._disk = disk or Disk()
        self._folder = folder / "logs"
        self._disk.make_folder(self._folder)
        self._ids_path = folder / "batch_ids"
        self._ids = set(self._ids_path.read_text().splitlines()) if self._ids_path.exists() else set[str]()
        self._desk = Desk(Roots.of([str(self._folder)]), progress=note_progress, time_limit_s=TIME_LIMIT_S)
        self._ledger = Ledger("store")
        self._lock = threading.Lock()
        self._closed = False

    def take(self, batch: Batch, *, batch_id: str = "") -> bool:
        with self._lock:
            if self._closed:
                raise Unavailable("the server ends", remedy="Send it again to the next one")
            if batch_id and batch_id in self._ids:
                return False
            with self._ledger.taking(batch.num_rows) as taken:
                self._write(batch)
                taken.stored(batch.num_rows)
            if batch_id:
                self._append(self._ids_path, batch_id.encode() + b"\n")
                self._ids.add(batch_id)
        return True

    def _write(self, batch: Batch) -> None:
        for service in pc.unique(batch["service"]).to_pylist():
            rows = batch.filter(pc.equal(batch["service"], service))
            lines = [without_secrets(line) for line in rows["line"].to_pylist()]
            self._append(
                self._folder / f"{_file_name(service)}.log", b"".join(line + b"\n" for line in lines)
            )

    def corpus_desk(self) -> Desk:
        return self._desk

    def services(self) -> Sequence[str]:
        try:
            named = self._desk.open().services
        except NotFound:
            return ()
        return sorted(filter(None, named))

    def is_ready(self) -> bool:
        return not self._closed

    def families(self) -> Iterable[Family]:
        return self._ledger.families()

    def close(self) -> None:
        """Takes nothing more."""
        with self._lock:
            self._closed = True

    def _append(self, path: Path, data: bytes) -> None:
        file = self._disk.append_to(path)
        try:
            file.write(data)
            file.sync()
        finally:
            file.close()
        self._disk.sync_folder(path.parent)


def _file_name(service: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in service)[:60]
    return kept or "records"


@contextmanager
def running_on_files(folder: Path, tokens: Tokens | None, **more: Any) -> Iterator[Running]:
    """A server's insides over plain files."""
    keep = FileKeep(folder)
    running = Running(keep=keep, tokens=tokens, **more)
    try:
        yield running
    finally:
        running.live.close()
        keep.close()


def of_service(batch: Batch, service: str) -> Batch:
    """The batch with every record as one of that service, whatever its text says."""
    return with_column(batch, "service", pa.repeat(pa.scalar(service, pa.string()), batch.num_rows))
