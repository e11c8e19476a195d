"""Styles: how each service writes a line down, as programs of its kind really do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from logpith.demo.kinds import (
    DB_PROXY,
    GATEWAY,
    ORCHESTRATOR,
    PERSONA,
    POSTGRES,
    SERVICES,
    SSHD,
    VOICE,
    WEB,
    Line,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PINO = {"debug": 20, "info": 30, "warn": 40, "error": 50}
HOST = "voice-1"

FORMATS = {
    **dict.fromkeys((GATEWAY, ORCHESTRATOR), "json"),
    **dict.fromkeys((PERSONA, VOICE, DB_PROXY, POSTGRES), "plain"),
    WEB: "access log",
    SSHD: "syslog 3164",
}
"""The format of each service's file, by the name that answers give it."""


@lru_cache(maxsize=512)
def _dashed(second: int) -> str:
    return f"{_EPOCH + timedelta(seconds=second):%Y-%m-%d %H:%M:%S}"


@lru_cache(maxsize=512)
def _slashed(second: int) -> str:
    return f"{_EPOCH + timedelta(seconds=second):%Y/%m/%d %H:%M:%S}"


@lru_cache(maxsize=512)
def access_time(second: int) -> str:
    """`20/Nov/2026:13:45:02 +0000`; month names do not depend on the locale."""
    moment = _EPOCH + timedelta(seconds=second)
    return f"{moment.day:02d}/{_MONTHS[moment.month - 1]}/{moment.year}:{moment:%H:%M:%S} +0000"


@lru_cache(maxsize=512)
def _syslog_time(second: int) -> str:
    moment = _EPOCH + timedelta(seconds=second)
    return f"{_MONTHS[moment.month - 1]} {moment.day:2d} {moment:%H:%M:%S}"


def _milliseconds(time_ns: int) -> str:
    return f"{time_ns // 10**6 % 1000:03d}"


def _message(line: Line) -> str:
    return line.kind.text.format(*line.values) if line.values else line.kind.text


def _pino(line: Line) -> str:
    return json.dumps(
        {
            "level": _PINO[line.kind.level],
            "time": line.stamp_ns // 10**6,
            "pid": 17,
            "hostname": HOST,
            "name": line.kind.service,
            **dict(line.fields),
            "msg": _message(line),
        },
        separators=(",", ":"),
    )


def _structlog(line: Line) -> str:
    stamp = _dashed(line.stamp_ns // 10**9).replace(" ", "T")
    return json.dumps(
        {
            **dict(line.fields),
            "event": _message(line),
            "level": line.kind.level,
            "service": line.kind.service,
            "timestamp": f"{stamp}.{_milliseconds(line.stamp_ns)}Z",
        }
    )


def _python(line: Line) -> str:
    stamp = f"{_dashed(line.stamp_ns // 10**9)},{_milliseconds(line.stamp_ns)}"
    return f"{stamp} {line.kind.level.upper():<7} {line.kind.logger}: {_message(line)}"


def _proxy(line: Line) -> str:
    return f"{_slashed(line.stamp_ns // 10**9)} [{line.kind.level}] {_message(line)}"


def _postgres(line: Line) -> str:
    stamp = f"{_dashed(line.stamp_ns // 10**9)}.{_milliseconds(line.stamp_ns)} UTC"
    process = 900 + line.stamp_ns // 10**6 % 64
    return f"{stamp} [{process}] {line.kind.level}:  {_message(line)}"


def _sshd(line: Line) -> str:
    program = line.kind.logger or f"sshd[{2000 + line.stamp_ns // 10**9 % 7000}]"
    return f"{_syslog_time(line.stamp_ns // 10**9)} {HOST} {program}: {_message(line)}"


_STYLES: dict[str, Callable[[Line], str]] = {
    GATEWAY: _pino,
    ORCHESTRATOR: _structlog,
    PERSONA: _python,
    VOICE: _python,
    DB_PROXY: _proxy,
    WEB: _message,
    POSTGRES: _postgres,
    SSHD: _sshd,
}
assert tuple(_STYLES) == SERVICES  # noqa: S101  a service without a style must not go unnoticed


def write_line(line: Line) -> str:
    """The text of a record, with a newline at the end of each of its lines."""
    first = _STYLES[line.kind.service](line)
    return "\n".join((first, *line.trailing, ""))
