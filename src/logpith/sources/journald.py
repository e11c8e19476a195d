"""Journald: what systemd's journal holds, by `journalctl`, or from a file in the journal's export format.

The format is that of https://systemd.io/JOURNAL_EXPORT_FORMATS: fields of an entry as `NAME=value` lines, or for values
that are no plain text the name, a length of 64 bits and the bytes; a blank line ends the entry. The record's text is
the entry's MESSAGE; what else is told of it stands in its attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import msgspec

from logpith.batch import MOST_RECORDS, Batch, make_batch
from logpith.formats.severity_words import severity_in
from logpith.sources import Delivery, LiveSource, Source
from logpith.sources.reading import attributes_of
from logpith.sources.running import Limits, run
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.severity import SYSLOG

_BLOCK_BYTES = 16 << 20
_MOST_ENTRY_BYTES = 128 << 20
_INFO = 6
_MATCH = re.compile(r"[A-Z_][A-Z0-9_]*=.*", re.DOTALL)
_UNIT = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_:.@*?\\-]*")

# Field of the journal → attribute, and whether it is a number.
_ATTRIBUTES = {
    b"_HOSTNAME": ("host.name", False),
    b"_PID": ("process.pid", True),
    b"_COMM": ("process.command", False),
    b"_SYSTEMD_UNIT": ("systemd.unit", False),
    b"_BOOT_ID": ("systemd.boot_id", False),
    b"_TRANSPORT": ("systemd.transport", False),
    b"SYSLOG_FACILITY": ("syslog.facility", True),
    b"SYSLOG_IDENTIFIER": ("syslog.identifier", False),
    b"CONTAINER_NAME": ("container.name", False),
    b"CONTAINER_ID": ("container.id", False),
    b"CODE_FILE": ("code.file.path", False),
    b"CODE_LINE": ("code.line.number", True),
    b"CODE_FUNC": ("code.function.name", False),
}
_TOLD = (b"MESSAGE", b"PRIORITY", *_ATTRIBUTES)

Entry = Mapping[bytes, bytes]
"""An entry's fields; of one that is there several times the last."""


class _Position(msgspec.Struct):
    cursor: str
    read_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class JournaldSource(Source):
    """The journal of this machine, or a file that was exported from one."""

    type: ClassVar[str] = "journald"

    units: tuple[str, ...] = ()
    """Only records of these units: `nginx.service`."""

    matches: tuple[str, ...] = ()
    """Only records with these fields, `FIELD=value`, as `journalctl` takes them: `_TRANSPORT=kernel`."""

    directory: str = ""
    """A folder with journal files, instead of this machine's own."""

    file: str = ""
    """A file in export format, as `journalctl -o export` writes it, instead of a journal."""

    timeout_s: float = field(default=60.0, metadata={"minimum": 0.1, "maximum": 3600.0})
    """Seconds that `journalctl` may take for some thousand records."""

    program: str = "journalctl"
    """The program that reads journals, where it is not found by its name."""

    def __post_init__(self) -> None:
        for match in self.matches:
            if not _MATCH.fullmatch(match):
                raise BadArgument(
                    f"matches: {match[:60]!r} is no FIELD=value", remedy="Write one like _TRANSPORT=kernel"
                )
        for unit in self.units:
            if not _UNIT.fullmatch(unit):
                raise BadArgument(f"units: {unit[:60]!r} is no unit", remedy="Write one like nginx.service")

    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """See `Source.open`."""
        attributes_of(self.attributes)
        return _opened(LiveJournal(self, name, _read_position(position)))


@contextmanager
def _opened(live: LiveJournal) -> Iterator[LiveSource]:
    yield live


class LiveJournal:
    """A journal while it is read."""

    def __init__(self, source: JournaldSource, name: str, position: _Position) -> None:
        self._source = source
        self._name = name
        self._at = position
        self._attributes = attributes_of(source.attributes)

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """See `LiveSource.poll`."""
        blocks = self._from_file() if self._source.file else self._from_journal()
        for data, base in blocks:
            entries: list[Entry] = []
            behind = 0
            for entry, place in read_entries(data):
                entries.append(entry)
                behind = place
                if len(entries) == MOST_RECORDS:
                    yield self._delivery(entries, base + behind, now_ns)
                    entries = []
            if entries:
                yield self._delivery(entries, base + behind, now_ns)

    def _delivery(self, entries: list[Entry], read_bytes: int, now_ns: int) -> Delivery:
        cursor = entries[-1].get(b"__CURSOR", b"").decode("ascii", "replace")
        self._at = _Position(cursor, read_bytes if self._source.file else 0)
        position = msgspec.json.encode(self._at).decode()
        return Delivery(batch=self._batch(entries, now_ns), position=position)

    def _batch(self, entries: list[Entry], now_ns: int) -> Batch:
        return make_batch(
            [_text(entry) for entry in entries],
            observed_ns=now_ns,
            source=self._name,
            timestamps=[_time_ns(entry) for entry in entries],
            severities=[_severity(entry) for entry in entries],
            services=[_service(entry) or self._source.service for entry in entries],
            extras=[{**_attributes(entry), **self._attributes} for entry in entries],
        )

    def _from_journal(self) -> Iterator[tuple[bytes, int]]:
        """What `journalctl` tells behind the last entry that was taken, as much at a time as memory should hold."""
        most = _BLOCK_BYTES
        while True:
            limits = Limits(timeout_s=self._source.timeout_s, most_bytes=most, may_cut=True)
            done = run(self._words(), limits)
            if done.status:
                told = f": {done.complaint}" if done.complaint else ""
                raise Unavailable(
                    f"{self._source.program} failed with status {done.status}{told}",
                    remedy="Let this user read the journal: the group systemd-journal may",
                )
            before = self._at.cursor
            yield done.output, 0
            if not done.is_cut:
                return
            if self._at.cursor == before:  # not even one entry fitted
                most *= 2
                if most > _MOST_ENTRY_BYTES:
                    raise Refused(
                        f"an entry is larger than {_MOST_ENTRY_BYTES:,} bytes",
                        remedy="Leave it out by matches",
                    )

    def _words(self) -> list[str]:
        source = self._source
        fields = ",".join(name.decode() for name in _TOLD)
        words = [source.program, "--no-pager", "--quiet", "--output=export", f"--output-fields={fields}"]
        if self._at.cursor:
            words.append(f"--after-cursor={self._at.cursor}")
        else:
            words.append(f"--lines={source.backfill_lines}")
        if source.directory:
            words.append(f"--directory={source.directory}")
        words += [f"--unit={unit}" for unit in source.units]
        return [*words, *source.matches]

    def _from_file(self) -> Iterator[tuple[bytes, int]]:
        """What a file holds behind the last entry that was taken; of one that was written anew all of it."""
        path = Path(self._source.file).expanduser()
        want = _BLOCK_BYTES
        try:
            with path.open("rb") as file:
                if self._at.read_bytes > path.stat().st_size:
                    self._at = _Position("")
                while True:
                    base = self._at.read_bytes
                    file.seek(base)
                    data = file.read(want)
                    if not data:
                        return
                    yield data, base
                    if len(data) < want:
                        return
                    want = _BLOCK_BYTES if self._at.read_bytes > base else want * 2
                    if want > _MOST_ENTRY_BYTES:
                        raise Refused(
                            f"{path} is not in the journal's export format", remedy="Name another file"
                        )
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}", remedy="Check the path") from error


def read_entries(data: bytes) -> Iterator[tuple[Entry, int]]:
    """The whole entries of a text in export format, each with the place behind it.

    Entries are read one by one in Python: their fields have no fixed place, and journals bring thousands a second at
    most. A line that is no field is passed over.
    """
    entry: dict[bytes, bytes] = {}
    place = 0
    while (stop := data.find(b"\n", place)) >= 0:
        if stop == place:
            place += 1
            if entry:
                yield entry, place
                entry = {}
            continue
        equals = data.find(b"=", place, stop)
        if equals >= 0:
            entry[data[place:equals]] = data[equals + 1 : stop]
            place = stop + 1
            continue
        size_at = stop + 1
        size = int.from_bytes(data[size_at : size_at + 8], "little")
        behind = size_at + 8 + size
        if behind >= len(data):
            return  # the rest has not come yet
        entry[data[place:stop]] = data[size_at + 8 : behind]
        place = behind + 1


def _text(entry: Entry) -> bytes:
    """The message; of an entry without one all that is told of it."""
    message = entry.get(b"MESSAGE")
    if message is not None:
        return message.removesuffix(b"\n")
    told = {_as_str(name): _as_str(value) for name, value in entry.items() if not name.startswith(b"__")}
    return msgspec.json.encode(told)


def _time_ns(entry: Entry) -> int | None:
    told = entry.get(b"__REALTIME_TIMESTAMP", b"")
    return int(told) * 1000 if told.isdigit() and len(told) <= 16 else None


def _severity(entry: Entry) -> int:
    """By the entry's priority; whatever a service prints has priority 6, so there its words count first."""
    told = entry.get(b"PRIORITY", b"")
    priority = int(told) if told.isdigit() and int(told) < len(SYSLOG) else None
    if priority in (None, _INFO) and (named := severity_in(_text(entry))):
        return named
    return SYSLOG[priority] if priority is not None else 0


def _service(entry: Entry) -> str:
    unit = entry.get(b"_SYSTEMD_UNIT", b"").removesuffix(b".service")
    named = (
        entry.get(b"CONTAINER_NAME") or entry.get(b"SYSLOG_IDENTIFIER") or unit or entry.get(b"_COMM", b"")
    )
    return _as_str(named)


def _attributes(entry: Entry) -> dict[str, object]:
    found: dict[str, object] = {}
    for field_name, (name, is_number) in _ATTRIBUTES.items():
        value = entry.get(field_name)
        if value is not None:
            found[name] = int(value) if is_number and value.isdigit() and len(value) < 19 else _as_str(value)
    return found


def _as_str(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _read_position(position: str | None) -> _Position:
    """What a position says; the beginning when it is none that can be read."""
    try:
        return msgspec.json.decode(position or "", type=_Position)
    except msgspec.DecodeError:
        return _Position("")
