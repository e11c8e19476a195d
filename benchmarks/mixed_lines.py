"""Mixed lines at any size, in one file: what the store and its peers are given to keep, and asked about.

A quarter is JSON, half is plain text behind an ISO time, the rest is syslog of RFC 3164 and logfmt; one day, in the
order of time. The layouts are those that the peers' loaders read, so that all keep the same columns. What is asked
for is planted: 16 lines with `NEEDLE`, traces of about five lines, refused connections, blocks that are terminated.

The same number of lines and seed give the same bytes, however many processes write them.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random

NEEDLE = "zx9needle42"
ABSENT = "qqabsent77"
WORD = "connection"
SUBSTRING = "nnection refu"
REGEX = "blk_-?[0-9]{3}7[0-9]+ terminating"
TEMPLATE_WORD = "refused"

_NEEDLES = 16
_A_CHUNK = 50_000
_START_US = 1_795_046_400 * 10**6  # 2026-11-19T00:00:00Z
_DAY_US = 86_400 * 10**6
_LINES_OF_A_TRACE = 5
_OPEN_TRACES = 40
_TRACED = {"json": 0.85, "logfmt": 0.09, "syslog": 0.09, "plain": 0.09}
_TRACE_ID = re.compile(rb'"trace_id":"([0-9a-f]{32})"')
_SYSLOG = {"FATAL": 34, "ERROR": 35, "WARN": 36, "INFO": 38, "DEBUG": 39}


@dataclass(frozen=True)
class Lines:
    """A file of mixed lines."""

    path: Path
    count: int
    size_bytes: int
    trace_id: str
    """Of a trace from the middle of the day."""


@dataclass(frozen=True)
class _Program:
    """A service, how it writes, and what it says: weight, level, text with `{kind}` where values go."""

    service: str
    layout: str
    says: tuple[tuple[int, str, str], ...]


_PROGRAMS = (
    _Program(
        "gateway",
        "json",
        (
            (300, "INFO", "request completed method={method} path={path} status={status}"),
            (180, "INFO", "upstream response from {service} in {ms} ms"),
            (60, "WARN", "slow upstream {service}: {ms} ms exceeds budget 500 ms"),
            (6, "ERROR", "upstream connect error before headers: connection refused {ip}:8080"),
            (1, "FATAL", "panic: invalid memory address or nil pointer dereference, goroutine {n}"),
        ),
    ),
    _Program(
        "call-orchestrator",
        "json",
        (
            (120, "INFO", "call {uuid} started for persona {n}"),
            (200, "DEBUG", "call {uuid} state changed to {word}"),
            (90, "INFO", "turn finished in {ms} ms with {n} tokens"),
            (12, "WARN", "step {word} retried, attempt {digit}"),
            (7, "ERROR", "call {uuid} failed: quota_exceeded, {digit} credits left"),
        ),
    ),
    _Program(
        "payment",
        "json",
        (
            (80, "INFO", "charge {hex} authorised amount={money} card=****{n}"),
            (12, "WARN", "provider retry attempt {digit} for charge {hex}"),
            (5, "ERROR", "provider timeout after {ms} ms charge={hex}"),
        ),
    ),
    _Program(
        "datanode",
        "plain",
        (
            (300, "INFO", "Receiving block {block} src: /{ip}:{port} dest: /{ip}:50010"),
            (250, "INFO", "PacketResponder {digit} for block {block} terminating"),
            (200, "INFO", "Received block {block} of size {size} from /{ip}"),
            (120, "INFO", "Verification succeeded for {block}"),
            (30, "WARN", "{ip}:50010:Got exception while serving {block} to /{ip}"),
            (4, "ERROR", "writeBlock {block} received exception: connection reset by peer"),
        ),
    ),
    _Program(
        "executor",
        "plain",
        (
            (200, "INFO", "Running task {digit}.0 in stage {n}.0 (TID {size})"),
            (
                200,
                "INFO",
                "Finished task {digit}.0 in stage {n}.0 (TID {size}). {n} bytes result sent to driver",
            ),
            (150, "INFO", "Found block rdd_{n}_{n} locally"),
            (40, "WARN", "lost executor {digit} on {host}: heartbeat timed out after {size} ms"),
            (3, "ERROR", "connection to {host}:{port} refused, giving up after {digit} attempts"),
        ),
    ),
    _Program(
        "quorum",
        "plain",
        (
            (120, "INFO", "Received connection request /{ip}:{port}"),
            (90, "WARN", "Connection broken for id {size}, my id = {digit}, error ="),
            (60, "INFO", "Closed socket connection for client /{ip}:{port} which had sessionid 0x{hex}"),
            (20, "ERROR", "Unexpected exception causing shutdown while sock still open"),
        ),
    ),
    _Program(
        "sshd",
        "syslog",
        (
            (120, "WARN", "Failed password for invalid user {word} from {ip} port {port} ssh2"),
            (90, "INFO", "Received disconnect from {ip}: 11: Bye Bye [preauth]"),
            (60, "INFO", "Invalid user {word} from {ip} port {port}"),
            (20, "INFO", "Accepted publickey for deploy from {ip} port {port} ssh2"),
            (5, "ERROR", "error: connect_to {host} port {port}: failed, connection refused"),
        ),
    ),
    _Program(
        "db-proxy",
        "logfmt",
        (
            (120, "INFO", "pool main: {n} in use, {n} idle, {digit} waiting"),
            (90, "INFO", "client {ip} query finished in {ms} ms rows={n}"),
            (20, "WARN", "slow query took {size} ms on main"),
            (6, "ERROR", "server connection {ip}:5432 reset by peer, replaced"),
        ),
    ),
)
_SHARES = {"json": 25, "plain": 48, "syslog": 16, "logfmt": 11}
_WORDS = (
    *("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "hazel"),
    *("iris", "juniper", "kelp", "lotus", "maple", "north", "olive", "pine"),
)
_PATHS = ("/api/v1/calls", "/api/v1/personas", "/api/v1/orders", "/healthz", "/metrics", "/api/v2/search")
_STATUS = (*(200,) * 40, 201, 204, 301, 400, 401, 404, 404, 500, 502, 503)

Draw = Callable[[Random], object]
_DRAWN: Mapping[str, Draw] = {
    "method": lambda random: random.choice(("GET", "GET", "GET", "POST", "PUT")),
    "path": lambda random: random.choice(_PATHS),
    "status": lambda random: random.choice(_STATUS),
    "service": lambda random: random.choice(_PROGRAMS).service,
    "ms": lambda random: int(random.lognormvariate(3.5, 1.1)),
    "ip": lambda random: f"10.{random.randrange(4)}.{random.randrange(256)}.{random.randrange(1, 255)}",
    "port": lambda random: random.randrange(32_768, 61_000),
    "uuid": lambda random: _dashed(f"{random.getrandbits(128):032x}"),
    "hex": lambda random: f"{random.getrandbits(64):016x}",
    "block": lambda random: f"blk_{random.randrange(-9 * 10**18, 9 * 10**18)}",
    "money": lambda random: f"{random.lognormvariate(3.8, 0.9):.2f}",
    "digit": lambda random: random.randrange(1, 10),
    "n": lambda random: random.randrange(1, 1_000),
    "size": lambda random: random.randrange(1_000, 70_000_000),
    "host": lambda random: f"node-{random.randrange(24):02d}",
    "word": lambda random: random.choice(_WORDS),
}


def write_mixed_lines(path: Path, count: int, seed: int = 7) -> Lines:
    """Writes `count` lines; several processes make them."""
    pieces = [
        _Piece(number, min(_A_CHUNK, count - number * _A_CHUNK), count, seed)
        for number in range(-(-count // _A_CHUNK))
    ]
    with path.open("wb") as file:
        if len(pieces) == 1:
            file.write(_write_piece(pieces[0]))
        else:
            with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
                for text in pool.map(_write_piece, pieces):
                    file.write(text)
    return read_lines(path)


def read_lines(path: Path) -> Lines:
    """A file that somebody else wrote, of the same layouts.

    Raises:
        ValueError: none of its lines is a JSON record with a trace_id.
    """
    count = 0
    size = path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            count += block.count(b"\n")
        file.seek(size // 2)
        match = _TRACE_ID.search(file.read(1 << 24))
        if match is None:
            file.seek(0)
            match = _TRACE_ID.search(file.read(1 << 24))
    if match is None:
        raise ValueError(f"{path} has no JSON line with a trace_id, which the benchmark asks for")
    return Lines(path, count, size, match[1].decode())


def first_lines(lines: Lines, count: int, path: Path) -> Lines:
    """The first lines of a file in one of their own."""
    with lines.path.open("rb") as source, path.open("wb") as file:
        file.writelines(itertools.islice(source, count))
    os.utime(path, (lines.path.stat().st_mtime, lines.path.stat().st_mtime))
    return read_lines(path)


@dataclass(frozen=True)
class _Piece:
    number: int
    count: int
    of: int
    seed: int


def _write_piece(piece: _Piece) -> bytes:
    random = Random(piece.seed * 1_000_003 + piece.number)
    first = piece.number * _A_CHUNK
    times = _times(random, first, piece)
    needles = {piece.of * place // _NEEDLES + piece.of // (2 * _NEEDLES) for place in range(_NEEDLES)}
    layouts = random.choices(list(_SHARES), weights=list(_SHARES.values()), k=piece.count)
    traces: list[str] = []
    out = []
    for at, (time_us, layout) in enumerate(zip(times, layouts, strict=True)):
        programs, weights = _said_in(layout)
        service, level, parts = random.choices(programs, cum_weights=weights)[0]
        text = "".join(part if isinstance(part, str) else str(part(random)) for part in parts)
        if first + at in needles:
            text += f" {NEEDLE} detected"
        trace = ""
        if random.random() < _TRACED[layout]:
            if len(traces) < 4 or random.random() < 1 / _LINES_OF_A_TRACE:
                traces.append(f"{random.getrandbits(128):032x}")
                del traces[:-_OPEN_TRACES]
            trace = random.choice(traces)
        out.append(_LAYOUTS[layout](random, time_us, level, service, text, trace))
    out.append("")
    return "\n".join(out).encode()


def _times(random: Random, first: int, piece: _Piece) -> list[int]:
    low = _START_US + _DAY_US * first // piece.of
    high = _START_US + _DAY_US * (first + piece.count) // piece.of
    return sorted(random.randrange(low, max(high, low + 1)) for _ in range(piece.count))


@cache
def _said_in(layout: str) -> tuple[list[tuple[str, str, tuple[str | Draw, ...]]], list[int]]:
    """What programs of a layout say, and the cumulative weights of it."""
    said = [
        (weight, (program.service, level, _parts(text)))
        for program in _PROGRAMS
        if program.layout == layout
        for weight, level, text in program.says
    ]
    return [one for _, one in said], list(itertools.accumulate(weight for weight, _ in said))


def _parts(text: str) -> tuple[str | Draw, ...]:
    """`in {ms} ms` as `in `, what draws the value, ` ms`."""
    pieces = re.split(r"\{(\w+)\}", text)
    return tuple(_DRAWN[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _iso(time_us: int) -> str:
    days, rest = divmod(time_us - _START_US, _DAY_US)
    seconds, micros = divmod(rest, 10**6)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"2026-11-{19 + days:02d}T{clock}.{micros:06d}Z"


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _json(random: Random, time_us: int, level: str, service: str, text: str, trace: str) -> str:
    record: dict[str, object] = {
        "timestamp": _iso(time_us),
        "service_name": service,
        "log_level": level,
        "message": text,
        "host": _DRAWN["host"](random),
        "request_id": _DRAWN["hex"](random),
        "duration_ms": _DRAWN["ms"](random),
        "status_code": _DRAWN["status"](random),
    }
    if trace:
        record["trace_id"] = trace
    if level == "ERROR":
        record["exception"] = {"type": "ServiceError", "code": random.randrange(100, 121)}
    return json.dumps(record, separators=(",", ":"))


def _plain(random: Random, time_us: int, level: str, service: str, text: str, trace: str) -> str:
    told = f"[trace_id={trace}] " if trace else ""
    return f"{_iso(time_us)} {level:5s} [{service}] {service}.{random.choice(_WORDS)}: {told}{text}"


def _syslog(random: Random, time_us: int, level: str, service: str, text: str, trace: str) -> str:
    iso = _iso(time_us)
    told = f"trace_id={trace} " if trace else ""
    pid = random.randrange(1_000, 1_009)
    host = _DRAWN["host"](random)
    return f"<{_SYSLOG[level]}>Nov {iso[8:10]} {iso[11:19]} {host} {service}[{pid}]: {told}{text}"


def _logfmt(random: Random, time_us: int, level: str, service: str, text: str, trace: str) -> str:
    told = f" trace_id={trace}" if trace else ""
    where = f"service={service} host={_DRAWN['host'](random)} component={service}"
    return f'ts={_iso(time_us)} level={level.lower()} {where}{told} msg="{text}"'


_LAYOUTS: Mapping[str, Callable[[Random, int, str, str, str, str], str]] = {
    "json": _json,
    "plain": _plain,
    "syslog": _syslog,
    "logfmt": _logfmt,
}
