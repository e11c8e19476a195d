"""The emitter: a record in, one write to the spool, and back. It never waits, never raises, and counts what it loses.

The spool is a folder on this machine. What was written there outlives the program, however that ends; whoever ships it
finds it there.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args
from urllib.parse import quote

from logpith_emit.clock import SYSTEM_CLOCK, Clock
from logpith_emit.context import context_now
from logpith_emit.encoding import SCALARS, Encode, encode, in_words, plain_encoder, scalar_encoder
from logpith_emit.errors import BadArgument, LogpithError, nearest
from logpith_emit.redaction import SHAPE_BYTES, Redactor, names_a_secret
from logpith_emit.severity import BANDS, DEBUG, INFO, band, severity_number
from logpith_emit.spool import Overflow, Spool, SpoolWriter

if TYPE_CHECKING:
    from logpith_emit.destinations import Destination
    from logpith_emit.entry import LogEntry
    from logpith_emit.shipping import Shipper

RECORD_KIND = 1
"""The kind of the spool's frames that are records."""

_WARN_EVERY_NS = 60 * 1_000_000_000
_MOST_OWNS = 256
_MOST_NAMES = 4096
_OWN = frozenset(("timestamp", "level", "logger", "service", "process_id", "thread_name"))


@dataclass(frozen=True, kw_only=True)
class EmitSettings:
    """How a program logs. Each field is also a variable of the environment: `LOGPITH_EMIT_FOLDER`."""

    service: str = ""
    """The program's name in its records; else that of the script that runs."""

    level: str = "info"
    """What is less severe is not written."""

    folder: Path | None = None
    """Where the spool is; else in the user's data folder."""

    limit_bytes: int = 1 << 30
    """What the spool may take on the disk."""

    overflow: Overflow = "drop_oldest"
    """What happens when it takes that much: `drop_oldest`, `drop_newest`, `block` the call for `block_s` at most, or
    `spill` to `spill_folder`."""

    block_s: float = 0.0
    """How long a call waits for room, where it may; then the record is lost, and counted."""

    spill_folder: Path | None = None
    """Where `spill` goes on, on another disk best; each service has a folder of its own there."""

    spill_limit_bytes: int = 1 << 30
    """What it may take there."""

    console: bool | None = None
    """Whether lines for people are written to stderr, too; else where that is a terminal."""

    redact: bool = True
    """Whether secrets are blanked out before anything is written."""

    destinations: Mapping[str, Any] = field(default_factory=dict)
    """Where records go from the spool, by a name of one's own: destinations, or tables that describe them."""

    drain_s: float = 2.0
    """How long the end of the program may wait until they got everything; what they did not get stays in the spool."""

    def __post_init__(self) -> None:
        if self.overflow not in get_args(Overflow):
            offer = nearest(str(self.overflow), get_args(Overflow)).strip()
            raise BadArgument(
                f"overflow: there is no {str(self.overflow)!r}",
                remedy=offer or f"Choose one of {', '.join(get_args(Overflow))}",
            )
        for name in ("limit_bytes", "spill_limit_bytes", "block_s", "drain_s"):
            value = getattr(self, name)
            kinds, most = ((int,), _MOST_BYTES) if name.endswith("_bytes") else ((int, float), _MOST_S)
            if not isinstance(value, kinds) or isinstance(value, bool) or not 0 <= value <= most:
                raise BadArgument(
                    f"{name}: it cannot be {value!r}", remedy=f"Take a number from 0 to {most:,}"
                )


_MOST_BYTES = 1 << 62
_MOST_S = 1_000_000_000


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where programs of this user spool, each service in a folder of its own, unless they are told otherwise."""
    known = os.environ if environment is None else environment
    if known.get("LOGPITH_EMIT_FOLDER"):
        return Path(known["LOGPITH_EMIT_FOLDER"])
    base = known.get("XDG_DATA_HOME") or str(Path(known.get("HOME") or _home()) / ".local" / "share")
    return Path(base) / "logpith" / "emit"


def _home() -> Path:
    """Of a user whom nobody knows, as containers have them, the root; what cannot be written there is told."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.sep)


Listener = Callable[[Mapping[str, object]], None]


class Emitter:
    """Writes records; threads, tasks and forked children may share it."""

    def __init__(self, settings: EmitSettings, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Nothing is opened before the first record.

        Raises:
            BadArgument: the settings name a level that is none, or describe a destination that is none.
        """
        self.settings = settings
        self.service = settings.service or _script_name()
        # A program may go to another folder later.
        self.folder = _absolute(Path(settings.folder or default_folder() / folder_name(self.service)))
        self.spool = spool_at(self.folder, settings)
        self.least = level_of(settings.level)
        self.lost: Counter[str] = Counter()
        """Records that were said and not written, by reason; what the spool drops it counts itself."""

        self.listeners: tuple[Listener, ...] = ()
        """Who is shown each record, redacted, besides the spool: a console."""

        self._clock = clock
        self._now_ns = clock.now_ns
        self._begin_anew()
        _follow_forks(self)
        self._redactor = Redactor() if settings.redact else None
        self._encode_plain: Encode = encode
        self._encode_scalars: Encode = encode
        self._plain_names: set[str] = set()
        """Names of fields that were looked at and need no look any more."""
        self._writer: SpoolWriter | None = None
        self._dropped_before: Counter[str] = Counter()
        self._warned_ns = -_WARN_EVERY_NS
        self.shipper: Shipper | None = _shipper_of(self) if settings.destinations else None

    def _begin_anew(self) -> None:
        """Locks that nobody holds: of a forked child nobody else is there to let them go."""
        self._opening = threading.RLock()
        self._thread = _Thread()

    def is_wanted(self, severity: int) -> bool:
        """Whether a record of this severity is written."""
        return severity >= self.least

    def emit(self, severity: int, message: str, fields: Mapping[str, object], logger: str = "") -> None:
        """Writes a record. What fails is counted and said once a minute on stderr."""
        if severity < self.least:
            return
        here = self._thread.here
        if here.is_silent:
            # Something that writing a record calls has logged: a repr, a listener.
            self.lost["recursive"] += 1
            return
        try:
            context = context_now()
            if context is not None:
                fields = {**context.said, **fields}
            payload = b""
            if self._plain_names.issuperset(fields):
                # Nearly every record: nothing but what JSON has, under plain names, and nothing in it looks like a
                # secret. In one stretch, since each step of a program that does other things waits for memory.
                own = here.owns.get((severity, logger)) or self._own(severity, logger)
                told = {"message": message, **fields}
                try:
                    said = (
                        self._encode_scalars
                        if SCALARS.issuperset(map(type, told.values()))
                        else self._encode_plain
                    )(told)
                except Exception:  # noqa: BLE001 - whatever an encoder says of what it does not know
                    said = b""
                redactor = self._redactor
                if said and (
                    redactor is None
                    or redactor.clean_shapes.get(said.translate(SHAPE_BYTES)) == len(told)
                    or redactor.is_clean_line(said, len(told))
                ):
                    payload = b'{"timestamp":%d,%b,%b' % (self._now_ns(), own.line, said[1:])
            payload = payload or self._any(severity, message, fields, logger)
            (self._writer or self._open()).append(payload, RECORD_KIND)
            if self.listeners:
                self._show(payload)
        except Exception as error:  # noqa: BLE001 - a program goes on, whatever logging meets
            self._lose(error)

    def emit_entry(self, entry: LogEntry) -> None:
        """Writes an entry that somebody else has made, as it is but for secrets. What fails is counted as in `emit`."""
        # Loaded by those alone that have some.
        from logpith_emit.entry import fields_of  # noqa: PLC0415

        severity = severity_number(entry.level)
        if severity and severity < self.least:
            return
        if self._thread.here.is_silent:
            self.lost["recursive"] += 1
            return
        try:
            with self.silenced():
                said = fields_of(entry)
                stamp = {"timestamp": said.pop("timestamp")}
                payload = encode({**stamp, **said})
                is_flat = entry.input_args is None and entry.extra_data is None
                redactor = self._redactor
                if redactor is not None and not (
                    is_flat and redactor.is_clean_line(payload[payload.index(b",") :], len(said))
                ):
                    payload = encode({**stamp, **redactor.redact_fields(spelt_out(said))})
            (self._writer or self._open()).append(payload, RECORD_KIND)
        except Exception as error:  # noqa: BLE001 - as above
            self._lose(error)

    def _any(self, severity: int, message: str, fields: Mapping[str, object], logger: str) -> bytes:
        """The record as JSON, whatever it holds. Objects of others are asked for their words, and may log by that."""
        own = self._thread.here.owns.get((severity, logger)) or self._own(severity, logger)
        with self.silenced():
            named = {
                ("message_" if name == "message" else str(name)): value for name, value in fields.items()
            }
            self._learn_names(named)
            said: Mapping[str, object] = {"message": message, **named}
            if self._redactor is not None and not SCALARS.issuperset(map(type, said.values())):
                said = spelt_out(said)
            return encode({"timestamp": self._now_ns(), **own.said, **self._kept(said)})

    def _learn_names(self, names: Iterable[str]) -> None:
        if len(self._plain_names) < _MOST_NAMES:
            self._plain_names.update(name for name in names if _is_plain_name(name))

    def _show(self, payload: bytes) -> None:
        entry = json.loads(payload)
        with self.silenced():
            for listener in self.listeners:
                listener(entry)

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """On this thread nothing is written: what brings records to destinations would bring its own for ever."""
        here = self._thread.here
        before, here.is_silent = here.is_silent, True
        try:
            yield
        finally:
            here.is_silent = before

    def start(self) -> None:
        """Begins to bring what stands in the spool to the destinations; else the first record does."""
        if self.shipper is not None:
            self.shipper.start()

    def close(self) -> None:
        """Ends the file that is being written, and waits a little until all is delivered."""
        with self._opening:
            if self._writer is not None:
                with suppress(OSError, LogpithError):
                    self._writer.close()
                self._dropped_before += self._writer.dropped
                self._writer = None
        if self.shipper is not None:
            self.shipper.close(self.settings.drain_s)

    def _kept(self, said: Mapping[str, object]) -> Mapping[str, object]:
        """What is said, without secrets; a field that is called as one of ours is has a `_` behind its name."""
        redacted = said if self._redactor is None else self._redactor.redact_fields(said)
        return {f"{name}_" if name in _OWN else name: value for name, value in redacted.items()}

    def _own(self, severity: int, logger: str) -> _Own:
        """What all records of a severity, a logger and this thread have first."""
        self._encode_plain, self._encode_scalars = plain_encoder(), scalar_encoder()
        told = {"level": BANDS[band(severity)], "service": self.service, "logger": logger}
        said: dict[str, object] = {name: value for name, value in told.items() if value}
        said |= {"process_id": os.getpid(), "thread_name": threading.current_thread().name}
        owns = self._thread.here.owns
        if len(owns) >= _MOST_OWNS:
            owns.clear()
        own = owns[severity, logger] = _Own(said, encode(said)[1:-1])
        return own

    def _open(self) -> SpoolWriter:
        with self._opening:
            if self._writer is None:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._writer = SpoolWriter(self.spool, 1)
                self._writer.when_dropped = self._tell_dropped
                atexit.register(self.close)
                self.start()
            return self._writer

    @property
    def dropped(self) -> Mapping[str, int]:
        """All records that were said and not kept, by reason."""
        writer = self._writer
        return dict(self.lost + self._dropped_before + (writer.dropped if writer is not None else Counter()))

    def _tell_dropped(self, reason: str) -> None:
        self._warn(
            f"records are dropped ({reason})",
            f"look at {self.folder}: give it a higher limit, or room on its disk",
        )

    def _lose(self, error: Exception) -> None:
        self.lost[type(error).__name__] += 1
        told = error.problem if isinstance(error, LogpithError) else f"{type(error).__name__}: {error}"
        self._warn(f"a record was lost: {told}", f"look at {self.folder}")

    def _warn(self, problem: str, remedy: str) -> None:
        """Tells it on stderr, once a minute; each time where everything is logged."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._warned_ns < _WARN_EVERY_NS and self.least > DEBUG:
            return
        self._warned_ns = now_ns
        with suppress(Exception):
            told = f"{problem}; {remedy}"
            # Errors of other people's libraries are in it, and those show addresses with passwords.
            told = told if self._redactor is None else self._redactor.redact(told)
            sys.stderr.write(f"logpith-emit: {told}\n")


_EMITTERS: weakref.WeakSet[Emitter] = weakref.WeakSet()


def _follow_forks(emitter: Emitter) -> None:
    _EMITTERS.add(emitter)


def _begin_all_anew() -> None:
    for emitter in list(_EMITTERS):
        emitter._begin_anew()
        # With its first record a child begins to deliver, too: its parent may end before it does.
        emitter._writer = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all_anew)


class _Own(NamedTuple):
    """What all records of a severity, a logger and a thread have first."""

    said: Mapping[str, object]

    line: bytes
    """The same in JSON, without its braces."""


class _Here:
    """What an emitter knows of one thread."""

    __slots__ = ("is_silent", "owns")

    def __init__(self) -> None:
        self.is_silent = False
        self.owns: dict[tuple[int, str], _Own] = {}


class _Thread(threading.local):
    """The thread that asks."""

    def __init__(self) -> None:
        self.here = _Here()


def _is_plain_name(name: str) -> bool:
    """Whether a field's name is none of ours and none of a secret's, and has nothing in it that JSON or rules mark."""
    return _PLAIN_NAME.fullmatch(name) is not None and name not in _TAKEN and not names_a_secret(name)


_TAKEN = _OWN | {"message"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]{1,64}")


def spelt_out(said: Mapping[str, object]) -> Mapping[str, object]:
    """The same in JSON's own types, so that a secret is found in the words of an object, too."""
    try:
        spelt: Mapping[str, object] = json.loads(encode(said))
    except (RecursionError, ValueError):
        return in_words(said)
    return spelt


def folder_name(service: str) -> str:
    """A service's name as that of a folder: `shop`, `a%2Fb`."""
    return quote(service, safe="")[:200].replace(".", "%2E", 1 if service.startswith(".") else 0)


def spool_at(folder: Path, settings: EmitSettings) -> Spool:
    """The spool that is in a folder, where programs log by these settings.

    Raises:
        BadArgument: it shall spill, and nobody says where to.
    """
    spills = settings.spill_folder
    return Spool(
        folder=folder,
        limit_bytes=settings.limit_bytes,
        overflow=settings.overflow,
        block_s=settings.block_s,
        spill_folder=None if spills is None else _absolute(Path(spills)) / folder.name,
        spill_limit_bytes=settings.spill_limit_bytes,
    )


def _absolute(path: Path) -> Path:
    """The same path where there is a working directory; a program goes on where that was removed."""
    try:
        return path.absolute()
    except OSError:
        return path


def destinations_of(settings: EmitSettings) -> dict[str, Destination]:
    """The destinations of some settings, by name.

    Raises:
        BadArgument: one of them is none.
    """
    # Loaded by those alone that have some.
    from logpith_emit.destinations import Destination, destination_of, named  # noqa: PLC0415

    return {
        name: told if isinstance(told, Destination) else destination_of(told, f"destinations.{name}")
        for name, told in named(settings.destinations).items()
    }


def _shipper_of(emitter: Emitter) -> Shipper:
    from logpith_emit.shipping import Shipper  # noqa: PLC0415 - as above

    return Shipper(
        emitter.spool, destinations_of(emitter.settings), warn=emitter._warn, inside=emitter.silenced
    )


def _script_name() -> str:
    words = getattr(sys, "argv", None) or [""]  # which programs that embed Python need not have
    name = Path(words[0]).stem if words[0] not in ("", "-", "-c", "-m") else ""
    return name or "python"


def level_of(text: str) -> int:
    """The lowest severity of a level.

    Raises:
        BadArgument: it is none.
    """
    number = severity_number(text)
    if not number:
        raise BadArgument(f"{text!r} is no level", remedy="Write trace, debug, info, warn, error or fatal")
    return number


__all__ = ["INFO", "RECORD_KIND", "EmitSettings", "Emitter", "default_folder"]
