"""A store in use, against what is promised: searches, arrival → searchable elsewhere, memory, start-up.

A million mixed lines, or `--lines N`. Searches are `search_logs` of 30 kinds: warm, asked again, and by a desk that has
opened nothing yet. Lines arrive steadily at 10,000 a second; a shipper brings them over HTTP twenty times a second, and
another process asks the store for the newest one just as often. What counts is from when the first line of a request
was there to when an answer shows it. Memory is RssAnon.
"""

from __future__ import annotations

import http.client
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks import Row, Setting
from benchmarks.measuring import LOGPITH, run
from benchmarks.mixed_lines import NEEDLE, Lines, write_mixed_lines
from benchmarks.peers import ROOT
from benchmarks.peers.ours import Ours, desk_of

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk

_LINES = 1_000_000
_SEGMENTS = 40
_WARM = 5
_ARRIVE_S = 30
_A_SECOND = 20
_A_REQUEST = 500
# By then server and asker have loaded what they work with, which is start-up and not arrival.
_WARMED_UP_S = 3
_SETTLED_S = 5.0
_STARTS = 5

SEARCHES: Sequence[Mapping[str, object]] = (
    {"query": NEEDLE},
    {"query": "qqabsent77"},
    {"query": "quota_exceeded"},
    {"query": "refused"},
    {"query": "connection"},
    {"query": "block"},
    {"query": "error OR quota OR failed"},
    {"query": "error OR quota OR failed", "since": "2026-11-19T23:50"},
    {"query": "connection", "level": "error"},
    {"query": "terminating", "since": "2026-11-19T23:00"},
    {"query": "level:error"},
    {"query": "level>=warn", "since": "2026-11-19T23:30"},
    {"query": "level:fatal"},
    {"query": "service:payment"},
    {"query": "service:payment level:error"},
    {"query": "service:gateway status_code>=500"},
    {"query": "status_code:503"},
    {"query": "duration_ms>1000"},
    {"query": "host:node-07"},
    {"query": "host:node-07 level:error"},
    {"query": '"connection refused"'},
    {"query": '"slow upstream payment"'},
    {"query": "timed NOT executor"},
    {"query": "heartbeat OR panic"},
    {"query": "blk_1*"},
    {"query": "/attempt [5-9]/"},
    {"query": "/10\\.1\\.[0-9]+\\.77/"},
    {"query": '_contains_:"ception caus"'},
    {"query": "quota_exceeded", "since": "2026-11-19T23:00"},
    {"query": "nobody AND nothing"},
)
"""Arguments of `search_logs`, about mixed lines."""


def measure(setting: Setting) -> Iterator[Row]:
    """Rows for searches, arrival, memory and start-up."""
    count = setting.lines(_LINES)
    setting.say(f"  writing {count:,} mixed lines")
    lines = write_mixed_lines(setting.folder / "live.log", count)
    data = setting.folder / "data"
    ours = Ours(data / "store")
    ours.load(lines)
    yield from _searching(setting, lines, data)
    yield from _serving(setting, lines, data)
    yield from _arriving(setting)
    yield from _starting(setting, lines)


# ── Searches ────────────────────────────────────────────────────────────────────────────────────────────────


def _searching(setting: Setting, lines: Lines, data: Path) -> Iterator[Row]:
    setting.say("  searches")
    desk = desk_of(data / "store")
    warm: list[float] = []
    cold: list[float] = []
    again: list[float] = []
    slowest = (0.0, "")
    for given in SEARCHES:
        _search(desk, given)
        spent = [_search(desk, given) for _ in range(_WARM)]
        warm += spent
        again += [_search(desk, given, anew=False) for _ in range(_WARM)]
        slowest = max(slowest, (statistics.median(spent), str(dict(given))))
    for given in SEARCHES:
        cold.append(_search(desk_of(data / "store"), given))
    p50, p95 = statistics.median(warm), _percentile(warm, 95)
    yield Row(
        f"search_logs over {lines.count:,} records, warm",
        f"p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, slowest {slowest[0] * 1000:.0f} ms {slowest[1]}",
        "promised p95 200 ms",
        f"{p95 / 0.2:.2f} × of it",
    )
    yield Row(
        "the same asked again, as it is remembered",
        f"p50 {statistics.median(again) * 1000:.0f} ms, p95 {_percentile(again, 95) * 1000:.0f} ms",
        "",
        "",
    )
    yield Row(
        "the same by a desk that has opened nothing",
        f"p50 {statistics.median(cold) * 1000:.0f} ms, p95 {_percentile(cold, 95) * 1000:.0f} ms",
        "",
        "",
    )


def _search(desk: Desk, given: Mapping[str, object], *, anew: bool = True) -> float:
    from logpith.app import ask  # noqa: PLC0415  --help must not wait
    from logpith.component import build  # noqa: PLC0415  as above
    from logpith.corpus.stored import forget_found  # noqa: PLC0415  as above
    from logpith.tools import tools  # noqa: PLC0415  as above

    if anew:
        forget_found()
    tool = build(tools()["search_logs"], dict(given))
    started = time.perf_counter()
    ask(tool, desk)
    return time.perf_counter() - started


def _percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


# ── A server ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Served:
    url: str
    pid: int

    def anon_bytes(self) -> int:
        """What it has in memory that is no mapped file."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"RssAnon:\s+(\d+) kB", status)
        return int(found[1]) * 1024 if found else 0


@contextmanager
def _server(data: Path) -> Iterator[_Served]:
    """`logpith serve` of a data folder, on a free port."""
    command = [*LOGPITH, "serve", "--data-dir", str(data), "--listen", "127.0.0.1:0", "--no-token"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        if process.stderr is None:
            raise RuntimeError("a server without standard error")
        said = []
        for line in process.stderr:
            said.append(line)
            if match := re.search(r"serving at (http://\S+)", line):
                break
        else:
            raise RuntimeError(f"logpith serve ended: {''.join(said)}")
        # What it says later must go somewhere, or it would wait.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield _Served(match[1].rstrip("/"), process.pid)
        finally:
            process.terminate()


def _serving(setting: Setting, lines: Lines, data: Path) -> Iterator[Row]:
    setting.say("  a server's memory")
    with _server(data) as served:
        time.sleep(_SETTLED_S)
        idle = served.anon_bytes()
        peak = [idle]
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.01):
                peak[0] = max(peak[0], served.anon_bytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=120)
        for given in SEARCHES:
            body = json.dumps({"tool": "search_logs", "arguments": given})
            connection.request("POST", "/tools", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status >= 300:
                raise RuntimeError(f"{response.status} {answer[:300]!r}")
        ended.set()
        watcher.join()
        connection.close()
    over = f"over {lines.count:,} records"
    for what, found, most in (("idle", idle, 120), (f"peak of {len(SEARCHES)} searches", peak[0], 500)):
        yield Row(
            f"server {over}, {what}",
            f"{found >> 20} MB",
            f"promised {most} MB",
            f"{found / (most << 20):.2f} × of it",
        )


# ── Arrival ─────────────────────────────────────────────────────────────────────────────────────────────────


def _arriving(setting: Setting) -> Iterator[Row]:
    from logpith.corpus.select import newest, read_query  # noqa: PLC0415  --help must not wait

    seconds = _ARRIVE_S // 3 if setting.quick else _ARRIVE_S
    setting.say(f"  lines arrive for {seconds} s")
    data = setting.folder / "arriving"
    waits: list[float] = []
    with _server(data) as served:
        sender = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.store_live", served.url, str(seconds)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        with sender:
            if sender.stdout is None:
                raise RuntimeError("a sender without standard output")
            began = float(sender.stdout.readline())
            desk = desk_of(data / "store")
            last, total = -1, seconds * _A_SECOND
            deadline = began + 3 * seconds + 30
            while last < total - 1 and time.monotonic() < deadline:
                corpus = desk.open()
                found = newest(corpus, read_query(corpus, "arrived", desk.now_ns()).query, limit=1)
                shown = time.monotonic()
                if len(found):
                    text = corpus.texts(found.tolist())[0].decode()
                    request = int(text.rpartition(" ")[2]) // _A_REQUEST
                    # The first line of a request waits for the last one.
                    waits += [shown - (began + (due - 1) / _A_SECOND) for due in range(last + 1, request + 1)]
                    last = max(last, request)
                time.sleep(1 / _A_SECOND)
            answered = float(sender.stdout.readline())
    if last < total - 1:
        raise RuntimeError(f"only {last + 1} of {total} requests were seen in time")
    waits = waits[_WARMED_UP_S * _A_SECOND :]
    p99 = _percentile(waits, 99)
    yield Row(
        f"arrival → searchable in another process, {_A_SECOND * _A_REQUEST:,} lines/s",
        f"p50 {statistics.median(waits) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms "
        f"(durable: p99 {answered * 1000:.0f} ms)",
        "promised p99 1,000 ms",
        f"{p99:.2f} × of it",
    )


def _send(url: str, seconds: int) -> None:
    """Requests when they are due, or as soon as the one before has been answered; then how late answers are, p99."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    began = time.monotonic() + 0.1
    wall = time.time() - time.monotonic()
    late = []
    print(began, flush=True)
    for request in range(seconds * _A_SECOND):
        due = began + request / _A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(due + wall))
        micros = int((due + wall) % 1 * 10**6)
        first = request * _A_REQUEST
        body = "".join(
            f"{stamp}.{micros:06d}Z INFO [feeder] a line has arrived from 10.0.0.{number % 250}: {number}\n"
            for number in range(first, first + _A_REQUEST)
        )
        connection.request("POST", "/api/v1/logs?service=feeder", body, {"Content-Type": "text/plain"})
        response = connection.getresponse()
        if response.status >= 300:
            raise RuntimeError(f"{response.status} {response.read()[:300]!r}")
        response.read()
        late.append(time.monotonic() - due)
    print(_percentile(late[_WARMED_UP_S * _A_SECOND :], 99), flush=True)


# ── Start-up ────────────────────────────────────────────────────────────────────────────────────────────────


def _starting(setting: Setting, lines: Lines) -> Iterator[Row]:
    setting.say(f"  start-up with {_SEGMENTS} segments")
    ours = Ours(setting.folder / "segments")
    ours.load(lines, at_once=lines.count // _SEGMENTS)
    segments = sum(1 for _ in ours.folder.rglob("segment.json"))
    module = [sys.executable, "-m", "benchmarks.peers.ours", "search", str(ours.folder), NEEDLE]
    bare = [sys.executable, "-c", "pass"]
    spent = [(run(module, ROOT).wall_s, run(bare).wall_s) for _ in range(_STARTS)]
    found, least = (statistics.median(times) for times in zip(*spent, strict=True))
    yield Row(
        f"fresh process → first answer of search_logs, {segments} segments",
        f"{found:.2f} s",
        f"python -c pass {least * 1000:.0f} ms; promised 0.7 s",
        f"{found / 0.7:.2f} × of it",
    )


if __name__ == "__main__":
    _send(sys.argv[1], int(sys.argv[2]))
