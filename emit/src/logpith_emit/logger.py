"""Loggers: what a program calls.

log = get_logger(__name__)
log.info("call answered", call_id="CA16", duration_ms=31)
log.info("took %d ms", 31)                values may be put in as in the standard library; fields can be asked for
log.bind(user_id=7).warning("slow")

with log.span("fetch", url=url):          one record when it ends: how long, and whether it failed
    ...
except Exception:
    log.exception("it failed")            with the traceback
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from logpith_emit.context import correlated
from logpith_emit.emitter import EmitSettings, Emitter, destinations_of, level_of, spool_at
from logpith_emit.encoding import in_text, shown
from logpith_emit.errors import LogpithError
from logpith_emit.settings import load_settings
from logpith_emit.severity import DEBUG, ERROR, FATAL, INFO, TRACE, WARN, severity_number

PREFIX = "LOGPITH_EMIT"
_MOST_TRACEBACK = 16_384

_LOCK = threading.Lock()
_EMITTER: Emitter | None = None


class Logger:
    """Says things under a name, with fields that all of them have."""

    __slots__ = ("_fields", "_own", "name")

    def __init__(self, name: str, fields: Mapping[str, object], emitter: Emitter | None = None) -> None:
        self.name = name
        self._fields = fields
        self._own = emitter

    def bind(self, **fields: object) -> Logger:
        """A logger whose records have these fields, too."""
        return Logger(self.name, {**self._fields, **fields}, self._own)

    def log(self, severity: int | str, message: str, /, *values: object, **fields: object) -> None:
        """Says something of a severity: OpenTelemetry's numbers, 1 to 24, or a name such as `warning`; what is neither
        is taken for `info`."""
        number = severity if isinstance(severity, int) else severity_number(str(severity)) or INFO
        self._say(number, message, values, fields)

    def trace(self, message: str, /, *values: object, **fields: object) -> None:
        emitter = self._own or _EMITTER or the_emitter()
        if emitter.least <= TRACE:
            said = worded(message, values) if values else message
            emitter.emit(TRACE, said, {**self._fields, **fields} if self._fields else fields, self.name)

    def debug(self, message: str, /, *values: object, **fields: object) -> None:
        emitter = self._own or _EMITTER or the_emitter()
        if emitter.least <= DEBUG:
            said = worded(message, values) if values else message
            emitter.emit(DEBUG, said, {**self._fields, **fields} if self._fields else fields, self.name)

    def info(self, message: str, /, *values: object, **fields: object) -> None:
        emitter = self._own or _EMITTER or the_emitter()
        if emitter.least <= INFO:
            said = worded(message, values) if values else message
            emitter.emit(INFO, said, {**self._fields, **fields} if self._fields else fields, self.name)

    def warning(self, message: str, /, *values: object, **fields: object) -> None:
        emitter = self._own or _EMITTER or the_emitter()
        if emitter.least <= WARN:
            said = worded(message, values) if values else message
            emitter.emit(WARN, said, {**self._fields, **fields} if self._fields else fields, self.name)

    warn = warning

    def error(self, message: str, /, *values: object, **fields: object) -> None:
        emitter = self._own or _EMITTER or the_emitter()
        if emitter.least <= ERROR:
            said = worded(message, values) if values else message
            emitter.emit(ERROR, said, {**self._fields, **fields} if self._fields else fields, self.name)

    def critical(self, message: str, /, *values: object, **fields: object) -> None:
        emitter = self._own or _EMITTER or the_emitter()
        if emitter.least <= FATAL:
            said = worded(message, values) if values else message
            emitter.emit(FATAL, said, {**self._fields, **fields} if self._fields else fields, self.name)

    def exception(self, message: str, /, *values: object, **fields: object) -> None:
        """An error, with the exception that is being handled."""
        self._say(ERROR, message, values, {**error_fields(sys.exc_info()[1]), **fields})

    def _say(
        self, severity: int, message: str, values: tuple[object, ...], fields: Mapping[str, object]
    ) -> None:
        emitter = self._own or _EMITTER or the_emitter()
        if severity >= emitter.least:
            said = worded(message, values) if values else message
            emitter.emit(severity, said, {**self._fields, **fields} if self._fields else fields, self.name)

    @contextmanager
    def span(self, name: str, /, **fields: object) -> Iterator[dict[str, Any]]:
        """One record when the block ends: how long it took, and whether it failed. What is put into the mapping
        becomes fields of it. All that is said in the block has the span's id."""
        began_ns = time.monotonic_ns()
        span_id = os.urandom(8).hex()
        told: dict[str, Any] = {}
        with correlated(span_id=span_id):
            try:
                yield told
            except BaseException as error:
                self._end_span(
                    ERROR, name, began_ns, {**fields, **told, **error_fields(error), "status": "error"}
                )
                raise
            self._end_span(INFO, name, began_ns, {**fields, **told, "status": "ok"})

    def _end_span(self, severity: int, name: str, began_ns: int, fields: Mapping[str, object]) -> None:
        duration_ms = round((time.monotonic_ns() - began_ns) / 1e6, 3)
        self._say(severity, name, (), {**fields, "duration_ms": duration_ms})


def get_logger(name: str = "", /, **fields: object) -> Logger:
    """A logger; what it says has its name and these fields."""
    return Logger(name, fields)


def configure(settings: EmitSettings | None = None, **fields: Any) -> Emitter:
    """Says how this program logs from now on: settings, or single fields of `EmitSettings` over those of the
    environment.

    Raises:
        BadArgument: a setting cannot be used.
    """
    made = Emitter(replace(settings or settings_of(os.environ), **fields))
    console = made.settings.console
    if console or (console is None and _is_terminal(sys.stderr)):
        from logpith_emit.console import console_for  # noqa: PLC0415 - which few programs have in earnest

        made.listeners = (console_for(sys.stderr),)
    use_emitter(made)
    return made


def _is_terminal(stream: Any) -> bool:
    """Of what stands for stderr, which may be closed, None, or somebody's own."""
    try:
        return bool(stream.isatty())
    except Exception:  # noqa: BLE001 - as above
        return False


def use_emitter(emitter: Emitter) -> None:
    """Lets all loggers of this program write by this one from now on; the one before is closed."""
    global _EMITTER
    with _LOCK:
        before, _EMITTER = _EMITTER, emitter
    if before is not None and before is not emitter:
        before.close()


def the_emitter() -> Emitter:
    """What writes the records of this program; of the environment, unless `configure` was called."""
    with _LOCK:
        known = _EMITTER
    if known is not None:
        return known
    try:
        return configure()
    except LogpithError:
        return configure(_usable_settings(os.environ))


def _usable_settings(environment: Mapping[str, str]) -> EmitSettings:
    """What can be used of the settings; what cannot is told. A program goes on, whatever its environment says of
    logging, and its records go where they would go if that was right."""
    try:
        settings = settings_of(environment)
    except LogpithError as error:
        _tell(error, "logging as if nothing else was set")
        folder = environment.get(f"{PREFIX}_FOLDER")
        service = environment.get(f"{PREFIX}_SERVICE", "")
        return EmitSettings(service=service, folder=Path(folder) if folder else None)
    usable: dict[str, Any] = {}
    for name, told in settings.destinations.items():
        try:
            destinations_of(replace(settings, destinations={name: told}))
            usable[name] = told
        except LogpithError as error:
            _tell(error, "going on without it")
    try:
        level_of(settings.level)
    except LogpithError as error:
        _tell(error, "logging from info on")
        settings = replace(settings, level="info")
    try:
        spool_at(Path(), settings)
    except LogpithError as error:
        _tell(error, "dropping the oldest records")
        settings = replace(settings, overflow="drop_oldest", spill_folder=None)
    return replace(settings, destinations=usable)


def _tell(error: LogpithError, what_now: str) -> None:
    with suppress(OSError, AttributeError, ValueError):
        sys.stderr.write(f"logpith-emit: {error.problem}; {what_now}. {error.remedy}\n")


def _begin_anew() -> None:
    """In a forked child, where nobody is there to let the lock go."""
    global _LOCK  # noqa: PLW0603 - as above
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def settings_of(environment: Mapping[str, str]) -> EmitSettings:
    """The settings that the environment says, and the file of TOML that it names as `LOGPITH_EMIT_SETTINGS`.

    Raises:
        BadArgument: a variable, or something in the file, cannot be used.
        NotFound: there is no such file.
    """
    told = environment.get(f"{PREFIX}_SETTINGS")
    files = (Path(told),) if told else ()
    return load_settings(EmitSettings, files, prefix=PREFIX, environment=environment).settings


def worded(message: str, values: tuple[object, ...]) -> str:
    """The message with values put in as the standard library does it: `log.info("took %d ms", 31)`. Where they do not
    fit, they stand behind it."""
    only = values[0] if len(values) == 1 else None
    try:
        return message % (only if isinstance(only, Mapping) and only else values)
    except Exception:  # noqa: BLE001 - a wrong number of them, or a __str__ of somebody else's
        return " ".join([in_text(message), *map(shown, values)])


def error_fields(error: BaseException | None) -> dict[str, object]:
    """What is told of an exception: its type, what it says, and where it came from."""
    if error is None:
        return {}
    try:
        lines = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - a __str__ of somebody else's
        lines = type(error).__name__
    text = lines if len(lines) <= _MOST_TRACEBACK else f"…{lines[-_MOST_TRACEBACK:]}"
    return {"error_type": type(error).__name__, "error_message": _text_of(error), "exception": text.rstrip()}


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - as above
        return ""
