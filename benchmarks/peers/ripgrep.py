"""ripgrep on the raw file: it keeps nothing, reads all of it each time, and is quick at that."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import mixed_lines
from benchmarks.mixed_lines import Lines
from benchmarks.peers import Ask, Loaded, Question


@dataclass(frozen=True)
class RipgrepPeer:
    """`rg` of the path, or the one that pip puts beside the interpreter."""

    name: str = "ripgrep"

    def load(self, lines: Lines) -> Loaded:
        """Nothing to be done."""
        return Loaded(lines.count, 0.0, 0.0, lines.size_bytes)

    @contextmanager
    def questions(self, lines: Lines) -> Iterator[Mapping[Question, Ask]]:
        """What is about text."""
        rows, count = partial(_rows, lines.path), partial(_count, lines.path)
        yield {
            Question.NEEDLE: partial(rows, "-F", mixed_lines.NEEDLE),
            Question.ABSENT: partial(rows, "-F", mixed_lines.ABSENT),
            Question.TRACE: partial(rows, "-F", lines.trace_id),
            Question.SUBSTRING: partial(count, "-F", mixed_lines.SUBSTRING),
            Question.REGEX: partial(count, mixed_lines.REGEX),
            Question.TEMPLATE_WORD: partial(count, "-F", mixed_lines.TEMPLATE_WORD),
        }


def _rows(path: Path, *words: str) -> int:
    return _asked(path, *words).count(b"\n")


def _count(path: Path, *words: str) -> int:
    return int(_asked(path, "-c", *words) or 0)


def _asked(path: Path, *words: str) -> bytes:
    rg = shutil.which("rg") or str(Path(sys.executable).parent / "rg")
    return subprocess.run([rg, *words, str(path)], capture_output=True, check=False).stdout
