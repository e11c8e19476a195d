"""What benchmarks share: whole processes timed and watched, repeats interleaved, medians."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import Setting

_END_NS = 1_795_212_000 * 10**9

LOGPITH = [sys.executable, "-m", "logpith"]


@dataclass(frozen=True)
class Run:
    """One run of a process."""

    wall_s: float
    cpu_s: float
    """User and system, of all its threads."""

    peak_anon_bytes: int
    """The most RssAnon that sampling saw: mapped files are not ours to count."""


def run(command: Sequence[str], folder: Path | None = None) -> Run:
    """Runs a command to its end; what it prints goes nowhere, an exit code over 1 is an error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    # What is installed has its bytecode; who runs from a checkout may have told Python not to keep it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        peak = [0]
        watcher = threading.Thread(target=_watch, args=(process, peak))
        watcher.start()
        code = process.wait()
        wall = time.perf_counter() - started
        watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code > 1:
        raise RuntimeError(f"{command} ended with {code}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Run(wall, cpu, peak[0])


def _watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        anon = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)
        peak[0] = max(peak[0], anon)
        time.sleep(0.01)


def interleaved(ways: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """The median of each way's figures, taken in turns so that a busy moment hits all of them."""
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            figures[name].append(way())
    return {name: statistics.median(some) for name, some in figures.items()}


def day_in_one_file(setting: Setting, name: str, lines: int) -> Path:
    """The demo's day of so many lines, in quick runs a tenth of them, all services behind each other in one file."""
    from logpith.demo import Day, write_day  # noqa: PLC0415  --help must not wait

    count = setting.lines(lines)
    setting.say(f"  writing {count:,} lines")
    folder = setting.folder / f"{name}-day"
    write_day(Day(lines=count, end_ns=_END_NS), folder)
    path = setting.folder / f"{name}.log"
    with path.open("wb") as whole:
        for part in sorted(folder.glob("*.log")):
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
            part.unlink()
    return path


def rate(lines: float, seconds: float) -> str:
    """`1,234,000 lines/s`."""
    return f"{lines / seconds:,.0f} lines/s"
