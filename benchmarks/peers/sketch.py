"""The sketch of the store: `final.py` takes `data/L/all.log` in, the functions of `f_q.py` are asked.

It was written to measure, not to keep, and is not part of this project: where it is, `--sketch FOLDER` says. It takes
all of the place where it is run for itself, hence the folder of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import mixed_lines
from benchmarks.measuring import run
from benchmarks.mixed_lines import Lines
from benchmarks.peers import Ask, Loaded, Question, size_of

_ITS_LOOP = "for k,f in Q.items():"


@dataclass(frozen=True)
class SketchPeer:
    """The sketch in `code`, working in `folder`."""

    folder: Path
    code: Path
    name: str = "sketch"

    def load(self, lines: Lines) -> Loaded:
        """Its two processes parse, split, index and sync."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        (self.folder / "data" / "L").mkdir(parents=True)
        (self.folder / "data" / "L" / "all.log").symlink_to(lines.path.resolve())
        command = ["env", f"PYTHONPATH={self.code}", sys.executable, str(self.code / "final.py")]
        spent = run(command, self.folder)
        return Loaded(lines.count, spent.wall_s, spent.cpu_s, size_of(self.folder / "data" / "F"))

    @contextmanager
    def questions(self, lines: Lines) -> Iterator[Mapping[Question, Ask]]:
        """Its own calls; the regex is split by hand into what stands in a template and what among values."""
        (self.folder / "trace.txt").write_text(lines.trace_id)
        with _as_main(self.code, self.folder, ["f_q.py", "data/F"]):
            own: dict[str, Any] = {"__name__": "sketch"}
            source = (self.code / "f_q.py").read_text().partition(_ITS_LOOP)[0]
            with contextlib.redirect_stdout(io.StringIO()):
                exec(source, own)
            yield {
                Question.NEEDLE: lambda: len(own["word"](mixed_lines.NEEDLE)),
                Question.ABSENT: lambda: len(own["word"](mixed_lines.ABSENT)),
                Question.NEWEST_WORD: lambda: len(own["word"](mixed_lines.WORD, "ERROR", 20)),
                Question.SUBSTRING: _number(own["sub_scan"], mixed_lines.SUBSTRING),
                Question.REGEX: _number(own["Q"]["Q4 regex count (tpl split)"]),
                Question.BY_SERVICE: _groups(own["roll_gb"], "service"),
                Question.HISTOGRAM: _groups(own["roll_gb"], "m", "level"),
                Question.TRACE: lambda: len(own["trace"](lines.trace_id)),
                Question.AVERAGE: lambda: len(own["avg5"]()),
                Question.NEWEST_ERROR: lambda: len(own["latest"]("ERROR")),
                Question.TEMPLATE_WORD: _number(own["word_count_roll"], mixed_lines.TEMPLATE_WORD),
                Question.TEMPLATES: _groups(own["roll_gb"], "tid"),
            }


def _number(function: Callable[..., list[int]], *given: object) -> Ask:
    return lambda: int(function(*given)[0])


def _groups(function: Callable[..., list[Any]], *columns: str) -> Ask:
    """Up to 99 groups come as rows, more as their number."""

    def ask() -> int:
        found = function(*columns)
        return int(found[0]) if found and isinstance(found[0], int) else len(found)

    return ask


@contextmanager
def _as_main(code: Path, folder: Path, arguments: list[str]) -> Iterator[None]:
    """The sketch reads its arguments, and files where it is run."""
    before, argv, path = Path.cwd(), sys.argv, sys.path[:]
    os.chdir(folder)
    sys.argv = arguments
    sys.path.insert(0, str(code))
    try:
        yield
    finally:
        os.chdir(before)
        sys.argv, sys.path[:] = argv, path
