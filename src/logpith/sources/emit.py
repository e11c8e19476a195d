"""Emit: what programs on this machine say by logpith-emit, from their spools.

Each service has a folder of its own, and each process files of its own in it. How far they are read stands in the
store, with the records; once they are stored, the spool is told so, and removes files that nobody else waits for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from logpith.batch import MOST_RECORDS
from logpith.files.packing import line_of_frame
from logpith.sources import Delivery, Source
from logpith.sources.reading import LineReader, attributes_of
from logpith.telemetry import Family
from logpith_emit.emitter import default_folder
from logpith_emit.errors import Unavailable
from logpith_emit.shipping import Status, status_of
from logpith_emit.shipping.backlog import Backlog
from logpith_emit.shipping.metrics import families_of
from logpith_emit.spool import DROPPED_KIND, Damage, Spool, SpoolReader, dropped_in

_DELIVERY_BYTES: Final = 8 << 20
_MOST_LINES: Final = min(MOST_RECORDS, 16_384)


@dataclass(frozen=True, kw_only=True)
class EmitSource(Source):
    """What programs on this machine say by logpith-emit, however they end."""

    type: ClassVar[str] = "emit"

    folder: str = ""
    """Where they spool; else where all programs of this user do, each service in a folder of its own."""

    reader: str = "logpith"
    """The name under which it reads. Files stay until all have read them who read under a name of their own."""

    @property
    def base(self) -> Path:
        """The folder in which all of it is."""
        return Path(self.folder).expanduser() if self.folder else default_folder()

    @contextmanager
    def open(self, name: str, position: str | None) -> Iterator[LiveEmit]:
        """See `Source.open`."""
        lines = LineReader(name, service=self.service, extra=attributes_of(self.attributes))
        yield LiveEmit(self.base, self.reader, lines, json.loads(position) if position else {})


class Destinations:
    """Where programs bring what they say by themselves, beside the store: how that goes, for `/metrics`."""

    def __init__(self, sources: Iterable[EmitSource]) -> None:
        self._bases = {source.base for source in sources}
        self._backlogs: dict[Path, Backlog] = {}

    def families(self, now_ns: int) -> list[Family]:
        """The numbers of all; what waits in a spool is counted once, and then only what came since."""
        found: list[tuple[Spool, Status]] = []
        for base in sorted(self._bases):
            with suppress(OSError):  # which the source tells by itself
                for folder in _folders(base):
                    backlog = self._backlogs.setdefault(folder, Backlog(Spool(folder=folder)))
                    found += [(backlog.spool, status) for status in status_of(backlog.spool, backlog)]
        return families_of(found, now_ns) if found else []


def _folders(base: Path) -> list[Path]:
    """Where spools may be: each service has a folder of its own."""
    return [base, *sorted(path for path in base.iterdir() if path.is_dir())] if base.is_dir() else []


class LiveEmit:
    """Spools while they are read."""

    def __init__(
        self, base: Path, name: str, lines: LineReader, position: Mapping[str, Mapping[str, Sequence[int]]]
    ) -> None:
        self._base = base
        self._name = name
        self._lines = lines
        self._position = position
        self._readers: dict[str, SpoolReader] = {}
        self._waits = False
        self._seen: dict[str, Damage] = {}

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """See `LiveSource.poll`. Records are whole when they are there."""
        try:
            self._follow_folders()
            # What was given before is stored by now, or this would be another live source.
            for reader in self._readers.values():
                reader.commit()
            for reader in self._readers.values():
                yield from self._read(reader, now_ns)
        except OSError as error:
            raise Unavailable(
                f"the spools in {self._base} cannot be read: {error.strerror}", remedy="See to that folder"
            ) from error

    def _follow_folders(self) -> None:
        """A reader for each spool that there is; of those that come, files wait for it as well."""
        if not self._waits:
            # Else a destination that is quick takes what is said before this looks again, and removes it.
            with suppress(OSError):  # of a folder that is somebody else's, what is left of it is read
                Spool(folder=self._base).wait_for_all_below(self._name)
                for folder in _folders(self._base):
                    if any(folder.glob("*.place")) or any(folder.glob("*.spool")):
                        Spool(folder=folder).wait_for(self._name)
            self._waits = True
        for folder in _folders(self._base):
            key = str(folder.relative_to(self._base))
            if key not in self._readers and any(folder.glob("*.spool")):
                reader = Spool(folder=folder).reader(self._name)
                reader.go_to(self._position.get(key, {}))
                self._readers[key] = reader

    def _read(self, reader: SpoolReader, now_ns: int) -> Iterator[Delivery]:
        texts: list[bytes] = []
        losses: Counter[str] = Counter()
        size_bytes = 0
        for _, frame in reader.read():
            if frame.kind == DROPPED_KIND:
                losses.update(dropped_in(frame))
            texts.append(line_of_frame(frame))
            size_bytes += len(texts[-1])
            if len(texts) >= _MOST_LINES or size_bytes >= _DELIVERY_BYTES:
                yield self._delivery(texts, losses, now_ns)
                texts, losses, size_bytes = [], Counter(), 0
        losses += self._damaged(reader)
        if texts or losses:
            yield self._delivery(texts, losses, now_ns)

    def _delivery(self, texts: Sequence[bytes], losses: Mapping[str, int], now_ns: int) -> Delivery:
        found = self._lines.read_text(b"".join(text + b"\n" for text in texts), now_ns)
        position: dict[str, Any] = {key: reader.position for key, reader in self._readers.items()}
        return Delivery(batch=found.batch, position=json.dumps(position), losses=dict(losses))

    def _damaged(self, reader: SpoolReader) -> Counter[str]:
        """What could not be read since this was last asked."""
        key = str(reader.spool.folder)
        before, now = self._seen.get(key, Damage()), reader.damage
        self._seen[key] = Damage(now.places, now.bytes, now.torn_bytes, now.unreadable_files)
        return Counter(
            {
                reason: count
                for reason, count in (
                    ("spool_damaged_bytes", now.bytes - before.bytes),
                    ("spool_unreadable_files", now.unreadable_files - before.unreadable_files),
                )
                if count
            }
        )
