"""Handlers: what is said through the standard library's logging, Loguru or structlog comes to the same spool.

logging.getLogger().addHandler(LogpithHandler())
loguru.logger.add(loguru_sink)
structlog.configure(processors=[…, LogpithProcessor()])

intercept()          takes over the first two, as a program's only way of logging

What servers and clients say for themselves (`FRAMEWORKS`) has `log_type="framework"`, so that it can be told from what
the program says. Its own records have none, which means `internal`, as all have that come from `get_logger`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

from logpith_emit.emitter import Emitter
from logpith_emit.encoding import in_text
from logpith_emit.logger import error_fields, the_emitter
from logpith_emit.severity import INFO, from_python, severity_number

# What every `LogRecord` has; all else somebody has given along as `extra`.
_OF_EACH = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}


FRAMEWORKS = frozenset(
    (
        *("mcp", "fastmcp", "docket"),
        *("uvicorn", "hypercorn", "granian", "gunicorn", "daphne", "starlette", "fastapi", "sse_starlette"),
        *("flask", "werkzeug", "django", "aiohttp", "tornado", "websockets"),
        *("httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "hpack", "requests", "urllib3"),
        *("asyncio", "anyio", "concurrent", "trio", "grpc", "opentelemetry", "py"),
    )
)
"""The libraries whose loggers speak of themselves, by the first part of a logger's name; `py` is that of `warnings`."""


def of_framework(logger: str) -> dict[str, object]:
    """The `log_type` of what a logger says, where it is not the program's own."""
    return {"log_type": "framework"} if logger.partition(".")[0] in FRAMEWORKS else {}


def extra_of(record: logging.LogRecord) -> dict[str, Any]:
    """What somebody has given along with a record of the standard library's logging."""
    return {name: value for name, value in record.__dict__.items() if name not in _OF_EACH}


class LogpithHandler(logging.Handler):
    """Brings records of the standard library's logging to the spool; `extra` becomes fields."""

    def __init__(self, level: int = logging.NOTSET, *, emitter: Emitter | None = None) -> None:
        super().__init__(level)
        self._own = emitter

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record."""
        emitter = self._own or the_emitter()
        try:
            fields = of_framework(record.name)
            fields |= extra_of(record)
            fields |= {"module": record.module, "function": record.funcName, "line": record.lineno}
            if record.exc_info and record.exc_info[1] is not None:
                fields |= error_fields(record.exc_info[1])
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit the message, or whose __str__ raises
            fields = {"module": record.module, "line": record.lineno, "args": record.args}
            message = in_text(record.msg)
        emitter.emit(from_python(record.levelno), message, fields, record.name)


def loguru_sink(message: Any, emitter: Emitter | None = None) -> None:
    """A sink of Loguru: what was bound and given along becomes fields."""
    record: Mapping[str, Any] = message.record
    fields: dict[str, object] = {
        **of_framework(record["name"] or ""),
        **record["extra"],
        "module": record["module"],
        "function": record["function"],
        "line": record["line"],
    }
    if record["exception"] is not None:
        fields |= error_fields(record["exception"].value)
    severity = severity_number(record["level"].name) or from_python(record["level"].no)
    (emitter or the_emitter()).emit(severity, record["message"], fields, record["name"] or "")


class LogpithProcessor:
    """A processor of structlog that writes each event and gives it on as it is."""

    def __init__(self, *, emitter: Emitter | None = None) -> None:
        self._own = emitter

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Writes the event."""
        name = str(getattr(logger, "name", "") or "")
        fields = of_framework(name)
        fields |= {key: value for key, value in event.items() if key not in ("event", "level", "exc_info")}
        error = event.get("exc_info")
        if error is True:
            error = sys.exc_info()[1]
        if isinstance(error, tuple):
            error = error[1]
        if isinstance(error, BaseException):
            fields |= error_fields(error)
        severity = severity_number(str(event.get("level") or method)) or INFO
        (self._own or the_emitter()).emit(severity, in_text(event.get("event", "")), fields, name)
        return event


def take_over(handler: logging.Handler, level: int) -> None:
    """Brings what loggers of the standard library say to this handler alone, also such as have handlers of their own:
    those of servers do. Those that are kept silent stay so."""
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    for logger in list(root.manager.loggerDict.values()):
        own = getattr(logger, "handlers", ())  # a name that stands for those below it has none
        speaking = [one for one in own if not isinstance(one, logging.NullHandler)]
        if isinstance(logger, logging.Logger) and speaking:
            for one in speaking:
                logger.removeHandler(one)
            logger.propagate = True
    root.addHandler(handler)
    root.setLevel(level)


def intercept(*, emitter: Emitter | None = None) -> None:
    """Takes over the standard library's logging and, where the program has loaded it, Loguru: what they said to other
    places comes to the spool alone."""
    take_over(LogpithHandler(emitter=emitter), logging.NOTSET)
    loguru = sys.modules.get("loguru")
    if loguru is not None:
        loguru.logger.remove()
        loguru.logger.add(lambda message: loguru_sink(message, emitter), level=0, format="{message}")
