"""The call of `logpith_emit` against other ways to log, each in a process of its own, asked in turns.

- **Paced**: one thread says a message with five fields a thousand times a second, as programs do, so that caches are
  cold. Redaction is on. What is compared are the middle and the worst in a hundred of the same moments: the median of
  the ratios of each second.
- **Threads**: as many as eight threads can say.
- **Endings**: a burst, then the program ends one way or another, and what is found is counted: in the files and the
  spool, and of what is sent away at a receiver that is well.
- **Destinations**: the same paced calls while the records are sent to a receiver that is well, refuses, hangs, lets
  nobody in, or takes a second for each answer; and calls that follow each other at once.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, count
from pathlib import Path
from typing import Any

import logpith_emit
from benchmarks import Row, Setting, loggers

_ROUNDS = 100
_CALLS = 250
"""In a round, which takes a quarter of a second."""

_OF_A_SECOND = 4
_THREADS = 8
_IN_THREADS = 40_000
_RUNNING = 2_500
"""In a round, where calls follow each other."""

_BURST = 3_000
_MANY = 100_000
_ENDINGS = ("exit", "exception", "sys.exit", "os._exit", "SIGTERM", "SIGINT", "SIGKILL")
_SAID = re.compile(rb"call (\d+) answered")
_PATIENCE_S = 60.0

_FILE_HANDLER = "file_handler"
_OURS = ("logpith", "logpith_orjson", "logpith_json")
_BARE = "bare_write"
_PEERS = ("queue_handler", "loguru", "loguru_enqueue", "structlog", "opentelemetry", "logfire")
_SENDING = ("opentelemetry", "logfire")
_DISABLED = ("logpith_disabled", "file_handler_disabled")
_STATES = ("well", "refusing", "hanging", "black hole", "slow")


def measure(setting: Setting) -> Iterator[Row]:
    """Rows for the call, for threads, for endings, and for destinations that are not well."""
    rounds = setting.lines(_ROUNDS)
    with _receiver("well") as well:
        yield from _calls(setting, rounds, well.url)
    yield from _imports(setting)
    yield from _endings(setting)
    yield from _while_away(setting, rounds)


# ── The call ────────────────────────────────────────────────────────────────────────────────────────────────


def _calls(setting: Setting, rounds: int, url: str) -> Iterator[Row]:
    ways = (_FILE_HANDLER, *_OURS, _BARE, *_PEERS, *_DISABLED)
    with ExitStack() as running:
        programs = _programs(setting, running, {way: (way, url if way in _SENDING else "") for way in ways})
        setting.say(f"  {rounds} rounds of paced calls, {len(programs)} ways")
        taken = _asked(programs, rounds, f"paced {_CALLS}")
        setting.say("  calls from threads")
        rates = {
            way: statistics.median(
                _IN_THREADS / programs[way].ask(f"tight {_IN_THREADS} {_THREADS}") for _ in range(5)
            )
            for way in programs
            if way in (_FILE_HANDLER, *_OURS)
        }
    for way in (*_OURS, _BARE):
        if way in taken:
            yield _row(f"paced call, {way}", taken[way], "FileHandler", taken[_FILE_HANDLER])
    for way in _PEERS:
        if way in taken:
            yield _row(f"paced call, logpith against {way}", taken["logpith"], way, taken[way])
    yield _row("paced call below the level", taken[_DISABLED[0]], "FileHandler", taken[_DISABLED[1]])
    for way in _OURS:
        yield Row(
            f"{_THREADS} threads, {way}",
            f"{rates[way]:,.0f} records/s",
            f"FileHandler {rates[_FILE_HANDLER]:,.0f} records/s",
            f"{rates[way] / rates[_FILE_HANDLER]:.1f}×",
        )


def _asked(programs: Mapping[str, _Program], rounds: int, order: str) -> dict[str, list[list[int]]]:
    """Nanoseconds of each call, by way and round."""
    taken: dict[str, list[list[int]]] = {name: [] for name in programs}
    for program in programs.values():
        program.ask(order)
    for _ in range(rounds):
        for name, program in programs.items():
            taken[name].append(program.ask(order))
    return taken


def _row(what: str, ours: Sequence[Sequence[int]], peer: str, theirs: Sequence[Sequence[int]]) -> Row:
    ratios = [
        statistics.median(
            _part(a, share) / _part(b, share)
            for a, b in zip(_by_second(ours, rounds), _by_second(theirs, rounds), strict=True)
        )
        for share, rounds in ((0.5, 1), (0.99, _OF_A_SECOND))
    ]
    return Row(
        what,
        _shares(ours),
        f"{peer} {_shares(theirs)}",
        f"p50 {ratios[0]:.2f} ×, p99 {ratios[1]:.2f} × its time",
    )


def _by_second(taken: Sequence[Sequence[int]], rounds: int) -> list[list[int]]:
    return [list(chain(*taken[at : at + rounds])) for at in range(0, len(taken), rounds)]


def _shares(taken: Sequence[Sequence[int]]) -> str:
    whole = list(chain(*taken))
    return f"p50 {_part(whole, 0.5) / 1e3:.1f} µs, p99 {_part(whole, 0.99) / 1e3:.0f} µs, max {max(whole) / 1e6:.1f} ms"


def _part(taken: Sequence[int], share: float) -> int:
    return sorted(taken)[min(int(len(taken) * share), len(taken) - 1)]


def _imports(setting: Setting) -> Iterator[Row]:
    def wall_s(program: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-S", "-c", program], env=_environment(), check=True)
        return time.perf_counter() - started

    program = "import logpith_emit; logpith_emit.get_logger"
    turns = [
        (wall_s("pass"), wall_s(program), wall_s("import logging")) for _ in range(setting.lines(200) // 10)
    ]
    ours, theirs = (statistics.median(turn[at] - turn[0] for turn in turns) for at in (1, 2))
    yield Row(
        program,
        f"{ours * 1e3:.0f} ms",
        f"import logging {theirs * 1e3:.0f} ms",
        f"{ours / theirs:.1f} × its time",
    )


# ── Endings ─────────────────────────────────────────────────────────────────────────────────────────────────


def _endings(setting: Setting) -> Iterator[Row]:
    for how in _ENDINGS:
        setting.say(f"  {how}")
        found = {way: _found(setting, way, _BURST, how) for way in ("logpith", _FILE_HANDLER, *_PEERS)}
        many = _found(setting, "logpith_json", setting.lines(_MANY), how)
        peers = ", ".join(
            f"{way} {some:,}" for way, some in found.items() if way != "logpith" and some is not None
        )
        ours = f"{found['logpith']:,}; {many:,} of {setting.lines(_MANY):,}"
        yield Row(f"found of {_BURST:,} after {how}", ours, peers, "")


def _found(setting: Setting, way: str, said: int, how: str) -> int | None:
    """How many different records are found; None where a way is not installed."""
    with _receiver("well") as well, ExitStack() as running:
        url = well.url if way in _SENDING else ""
        program = _programs(setting, running, {way: (way, url)}).get(way)
        if program is None:
            return None
        program.end(f"end {said} {how}")
        if url:
            return well.settled()
        files = (path.read_bytes() for path in program.folder.rglob("*") if path.is_file())
        return len(set(chain.from_iterable(map(_SAID.findall, files))))


# ── Destinations ────────────────────────────────────────────────────────────────────────────────────────────


def _while_away(setting: Setting, rounds: int) -> Iterator[Row]:
    with ExitStack() as running:
        urls = {state: running.enter_context(_receiver(state)).url for state in _STATES}
        wanted = {
            f"{way}, {state}": (way, url)
            for way in ("logpith", "opentelemetry")
            for state, url in urls.items()
        }
        programs = _programs(setting, running, {"logpith": ("logpith", ""), **wanted})
        setting.say(f"  {rounds} rounds while destinations are away")
        taken = _asked(programs, rounds, f"paced {_CALLS}")
        setting.say("  calls that follow each other")
        at_once = _asked(programs, rounds, f"running {_RUNNING}")
    for name in wanted:
        if name in taken:
            yield _row(f"paced call: {name}", taken[name], "logpith without", taken["logpith"])
    for name in wanted:
        if name in at_once:
            yield _row(f"call after call: {name}", at_once[name], "logpith without", at_once["logpith"])


class _Receiver:
    """Who takes records over HTTP, and knows which."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.found: set[bytes] = set()

    def settled(self) -> int:
        """How many different records have come, once none comes any more."""
        known = -1
        while known != len(self.found):
            known = len(self.found)
            time.sleep(1)
        return known


@contextmanager
def _receiver(state: str) -> Iterator[_Receiver]:
    """One that is well, or not."""
    if state in ("well", "slow"):
        with _answering(1.0 if state == "slow" else 0.0) as answering:
            yield answering
        return
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0 if state == "black hole" else 128) as server,
        ExitStack() as full,
    ):
        address = server.getsockname()
        if state == "refusing":
            server.close()
        if state == "black hole":  # once these wait at the door, nobody else gets an answer
            for _ in range(8):
                waiting = full.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
        yield _Receiver(f"http://127.0.0.1:{address[1]}")


@contextmanager
def _answering(wait_s: float) -> Iterator[_Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.found.update(_SAID.findall(body))
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(b'{"project_name": "bench", "project_url": "http://127.0.0.1"}')

        def _answer(self, body: bytes) -> None:
            ended.wait(wait_s)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf" if not body else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Says nothing: programs are killed in the middle of what they send."""

    ended = threading.Event()
    with Server(("127.0.0.1", 0), Handler) as server:
        receiver = _Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield receiver
        finally:
            ended.set()
            server.shutdown()
            serving.join()


# ── Programs ────────────────────────────────────────────────────────────────────────────────────────────────


class _Program:
    """One of `loggers`, as it runs."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.folder = folder
        self._process = process

    def hear(self) -> str:
        """A line that it says; empty when it has ended."""
        return self._process.stdout.readline().rstrip("\n") if self._process.stdout is not None else ""

    def tell(self, order: str) -> None:
        """Gives it an order."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()

    def ask(self, order: str) -> Any:
        """Gives it an order, and waits for what it found, of which it knows the form."""
        self.tell(order)
        return json.loads(self.hear())

    def end(self, order: str) -> None:
        """Gives it its last order, and waits for its end; for a long time at most."""
        self.tell(order)
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _programs(
    setting: Setting, running: ExitStack, wanted: Mapping[str, tuple[str, str]]
) -> dict[str, _Program]:
    """What runs, by name: of each a way and an address. Those that are not installed are left out."""
    made: dict[str, _Program] = {}
    for name, (way, url) in wanted.items():
        program = running.enter_context(_program(setting, way, url))
        if program.hear() == "ready":
            made[name] = program
        else:
            setting.say(f"  {way} does not run here: pip install -e '.[bench]' brings it")
    return made


_FOLDERS = count()


@contextmanager
def _program(setting: Setting, way: str, url: str) -> Iterator[_Program]:
    folder = setting.folder / f"said-{next(_FOLDERS)}"
    folder.mkdir()
    alone = ["-S"] if way == "logpith_json" else []
    command = [sys.executable, "-P", *alone, loggers.__file__, way, str(folder), *([url] if url else [])]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(),
        cwd=folder,
    ) as process:
        try:
            yield _Program(process, folder)
        finally:
            process.kill()
            shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    """Ours, where logpith_emit is found without what is installed beside it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(Path(logpith_emit.__file__).parents[1])}
