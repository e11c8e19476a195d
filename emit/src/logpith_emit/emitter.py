"""The emitter: a record in, one write to the spool, and back. It never waits, never raises, and counts what it loses.

The spool is a folder on this machine. What was written there outlives the program, however that ends; whoever ships it
finds it there.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from logpith_emit.clock import SYSTEM_CLOCK, Clock
from logpith_emit.context import context_fields, correlation_id
from logpith_emit.encoding import encode
from logpith_emit.errors import BadArgument, LogpithError
from logpith_emit.redaction import Redactor, names_a_secret
from logpith_emit.severity import BANDS, INFO, band, severity_number
from logpith_emit.spool import Overflow, Spool, SpoolWriter

RECORD_KIND = 1
"""The kind of the spool's frames that are records."""

_WARN_EVERY_NS = 60 * 1_000_000_000
_MOST_HEADS = 256
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
    """What happens when it takes that much."""

    console: bool | None = None
    """Whether lines for people are written to stderr, too; else where that is a terminal."""

    redact: bool = True
    """Whether secrets are blanked out before anything is written."""


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where programs of this user spool, unless they are told otherwise."""
    known = os.environ if environment is None else environment
    if known.get("LOGPITH_EMIT_FOLDER"):
        return Path(known["LOGPITH_EMIT_FOLDER"])
    base = known.get("XDG_DATA_HOME") or str(Path(known.get("HOME") or Path.home()) / ".local" / "share")
    return Path(base) / "logpith" / "emit"


Listener = Callable[[Mapping[str, object]], None]


class Emitter:
    """Writes records; threads, tasks and forked children may share it."""

    def __init__(self, settings: EmitSettings, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Nothing is opened before the first record.

        Raises:
            BadArgument: the settings name a level that is none.
        """
        self.settings = settings
        self.service = settings.service or _script_name()
        self.folder = settings.folder or default_folder()
        self.least = _level(settings.level)
        self.lost: Counter[str] = Counter()
        """Records that were said and not written, by reason; what the spool drops it counts itself."""

        self.listeners: tuple[Listener, ...] = ()
        """Who is shown each record, redacted, besides the spool: a console."""

        self._clock = clock
        self._begin_anew()
        _follow_forks(self)
        self._redactor = Redactor() if settings.redact else None
        self._heads: dict[tuple[int, str, int, str], bytes] = {}
        self._writer: SpoolWriter | None = None
        self._warned_ns = -_WARN_EVERY_NS

    def _begin_anew(self) -> None:
        """Locks that nobody holds: of a forked child nobody else is there to let them go."""
        self._opening = threading.RLock()
        self._busy = threading.local()

    def is_wanted(self, severity: int) -> bool:
        """Whether a record of this severity is written."""
        return severity >= self.least

    def emit(self, severity: int, message: str, fields: Mapping[str, object], logger: str = "") -> None:
        """Writes a record. What fails is counted and said once a minute on stderr."""
        if severity < self.least:
            return
        if getattr(self._busy, "here", False):
            # Something that writing a record calls has logged: a repr, a listener.
            self.lost["recursive"] += 1
            return
        self._busy.here = True
        try:
            payload = self._payload(severity, message, fields, logger)
            self._write(payload)
            if self.listeners:
                entry = json.loads(payload)
                for listener in self.listeners:
                    listener(entry)
        except Exception as error:  # noqa: BLE001 - a program goes on, whatever logging meets
            self._lose(error)
        finally:
            self._busy.here = False

    def close(self) -> None:
        """Ends the file that is being written, so that all of it is shipped."""
        with self._opening:
            if self._writer is not None:
                with suppress(OSError, LogpithError):
                    self._writer.close()
                self._writer = None

    def _payload(self, severity: int, message: str, fields: Mapping[str, object], logger: str) -> bytes:
        """The record as JSON: what is known of it first, then what is said."""
        context = context_fields()
        said: dict[str, object] = (
            {"message": message, **context, **fields} if context else {"message": message, **fields}
        )
        if correlation := correlation_id():
            said.setdefault("correlation_id", correlation)
        redactor = self._redactor
        if not _are_plain_names(tuple(said)) or (redactor is not None and _is_nested(said)):
            return self._head(severity, logger) + encode(self._kept(said))[1:]
        body = encode(said)
        # Nearly every record has nothing that any rule is about, which its text tells sooner than its fields do.
        if redactor is not None and not redactor.is_clean(body.decode()):
            body = encode(self._kept(said))
        return self._head(severity, logger) + body[1:]

    def _kept(self, said: Mapping[str, object]) -> Mapping[str, object]:
        """What is said, without secrets; a field that is called as one of ours is has a `_` behind its name."""
        redacted = said if self._redactor is None else self._redactor.redact_fields(said)
        return {f"{name}_" if name in _OWN else name: value for name, value in redacted.items()}

    def _head(self, severity: int, logger: str) -> bytes:
        """The record up to what is said."""
        key = severity, logger, os.getpid(), threading.current_thread().name
        known = self._heads.get(key)
        if known is None:
            own = {"level": BANDS[band(severity)], "service": self.service, "logger": logger}
            own = {name: value for name, value in own.items() if value}
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            known = b"," + encode({**own, "process_id": key[2], "thread_name": key[3]})[1:-1] + b","
            self._heads[key] = known
        return b'{"timestamp":%d' % self._clock.now_ns() + known

    def _write(self, payload: bytes) -> None:
        writer = self._writer
        if writer is None:
            writer = self._open()
        if not writer.append(payload, RECORD_KIND):
            self._warn("the spool is full", f"look at {self.folder}, or give it a higher limit")

    def _open(self) -> SpoolWriter:
        with self._opening:
            if self._writer is None:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                spool = Spool(
                    folder=self.folder, limit_bytes=self.settings.limit_bytes, overflow=self.settings.overflow
                )
                self._writer = SpoolWriter(spool, 1)
                atexit.register(self.close)
            return self._writer

    @property
    def dropped(self) -> Mapping[str, int]:
        """All records that were said and not kept, by reason."""
        writer = self._writer
        return dict(self.lost + (writer.dropped if writer is not None else Counter()))

    def _lose(self, error: Exception) -> None:
        self.lost[type(error).__name__] += 1
        told = error.problem if isinstance(error, LogpithError) else f"{type(error).__name__}: {error}"
        self._warn(f"a record was lost: {told}", f"look at {self.folder}")

    def _warn(self, problem: str, remedy: str) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._warned_ns < _WARN_EVERY_NS:
            return
        self._warned_ns = now_ns
        with suppress(Exception):
            sys.stderr.write(f"logpith-emit: {problem}; {remedy}\n")


_EMITTERS: weakref.WeakSet[Emitter] = weakref.WeakSet()


def _follow_forks(emitter: Emitter) -> None:
    _EMITTERS.add(emitter)


def _begin_all_anew() -> None:
    for emitter in list(_EMITTERS):
        emitter._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all_anew)


@lru_cache(maxsize=1024)
def _are_plain_names(names: tuple[str, ...]) -> bool:
    """Whether fields have none of our names, and none of a secret's."""
    return _OWN.isdisjoint(names) and not any(names_a_secret(name) for name in names)


def _is_nested(said: Mapping[str, object]) -> bool:
    return any(not isinstance(value, _SCALARS) for value in said.values())


_SCALARS = (str, int, float, type(None))


def _script_name() -> str:
    name = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    return name or "python"


def _level(text: str) -> int:
    number = severity_number(text)
    if not number:
        raise BadArgument(f"{text!r} is no level", remedy="Write trace, debug, info, warn, error or fatal")
    return number


__all__ = ["INFO", "RECORD_KIND", "EmitSettings", "Emitter", "default_folder"]
