"""File → templates against Drain3 (its defaults), lines per second of CPU time, on a made-up file system's log.

The same job first: a file with one message a line, read as it stands (`--format raw`), against Drain3 on the first
50,000 of these messages, which it is given in memory. Then what only we do: the log as it was written, with times,
levels and loggers found and taken off. Both in this process, on one core of it, kernels compiled before.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from benchmarks import Row, Setting
from benchmarks.measuring import interleaved, rate

_LINES = 1_000_000
_PEER_LINES = 50_000
_REPEATS = 3


def measure(setting: Setting) -> Iterator[Row]:
    """One row, and one for the pass over the bytes alone."""
    from logpith.corpus.reading import CorpusReader  # noqa: PLC0415  --help must not wait for numba
    from logpith.files.roots import Roots  # noqa: PLC0415  as above
    from logpith.files.text import TextFile  # noqa: PLC0415  as above

    count = _LINES // 10 if setting.quick else _LINES
    log, bodies = setting.folder / "blocks.log", setting.folder / "blocks.bodies"
    messages = _write(log, bodies, count)

    def ours(path: Path, *, whole_lines: bool) -> float:
        started = time.process_time()
        # Without an index, or the second reading would be none.
        reader = CorpusReader(whole_lines=whole_lines, may_keep=False)
        corpus = reader.read([TextFile.open(path, Roots())])
        _ = corpus.template
        return time.process_time() - started

    ours(log, whole_lines=False)

    def peer() -> float:
        from drain3 import TemplateMiner  # noqa: PLC0415  a peer need not be here
        from drain3.template_miner_config import TemplateMinerConfig  # noqa: PLC0415

        logging.disable(logging.INFO)
        miner = TemplateMiner(config=TemplateMinerConfig())
        started = time.process_time()
        for message in messages:
            miner.add_log_message(message)
        return time.process_time() - started

    with _one_core():
        found = interleaved(
            {
                "bodies": lambda: ours(bodies, whole_lines=True),
                "log": lambda: ours(log, whole_lines=False),
                "peer": peer,
            },
            _REPEATS,
        )
    peer_rate = len(messages) / found["peer"]
    for what, name in (
        ("messages → templates, per core", "bodies"),
        ("log → records and templates, per core", "log"),
    ):
        yield Row(
            f"{what}, {count:,} lines",
            rate(count, found[name]),
            f"Drain3, messages alone, {rate(len(messages), found['peer'])}",
            f"{count / found[name] / peer_rate:.1f}",
        )


@contextmanager
def _one_core() -> Iterator[None]:
    """All threads on one core meanwhile, where that can be said."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _write(path: Path, bodies: Path, count: int) -> list[str]:
    """Writes a log of a distributed file system, and its messages without their heads; the first of these."""
    random = Random(7)  # benchmarks are repeatable

    def number(low: int, high: int) -> int:
        return low + int(random.random() * (high - low))

    def block() -> str:
        return f"blk_{number(-(10**18), 10**18)}"

    def place() -> str:
        return f"10.{number(1, 255)}.{number(1, 255)}.{number(1, 255)}:{number(30_000, 60_000)}"

    kinds: tuple[tuple[str, Callable[[], str]], ...] = (
        ("INFO node.Receiver", lambda: f"Receiving block {block()} src: /{place()} dest: /{place()}"),
        ("INFO node.Responder", lambda: f"Responder {number(0, 3)} for block {block()} terminating"),
        (
            "INFO node.Responder",
            lambda: f"Received block {block()} of size {number(1, 67_108_864)} from /{place()}",
        ),
        (
            "INFO name.System",
            lambda: (
                f"BLOCK* addStored: blockMap updated: {place()} is added to {block()} size {number(1, 9999)}"
            ),
        ),
        (
            "INFO name.System",
            lambda: f"BLOCK* allocate: /user/job_{number(1, 9999)}/part-{number(1, 999):05d}. {block()}",
        ),
        ("INFO node.Data", lambda: f"Deleting block {block()} file /mnt/data/current/{block()}"),
        ("WARN node.Receiver", lambda: f"{place()}:Got exception while serving {block()} to /{place()}:"),
        ("INFO node.Scanner", lambda: f"Verification succeeded for {block()}"),
    )
    first: list[str] = []
    with path.open("w") as file, bodies.open("w") as body_file:
        for i in range(count):
            head, make = kinds[min(int(random.random() ** 2 * len(kinds)), len(kinds) - 1)]
            message = make()
            if i < _PEER_LINES:
                first.append(message)
            second = i // 20 % 86_400
            stamp = f"081109 {second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
            body_file.write(f"{message}\n")
            file.write(f"{stamp} {number(1, 999)} {head}: {message}\n")
    return first
