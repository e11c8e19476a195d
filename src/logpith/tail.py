"""Tail: the last records of some logs, and those that come, as they come.

What is new is read together with a few lines before it, so that formats are recognised as they are in the whole
file. Rotation by rename and by truncation are noticed and told; what a truncation took away before it was seen is
lost, and that is told too.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from logpith.answer import Evidence
from logpith.corpus.reading import CorpusReader
from logpith.corpus.records import Corpus
from logpith.corpus.select import read_query, select
from logpith.files.roots import Roots
from logpith.files.text import TextStream
from logpith.quote import Quoter
from logpith.timerange import now_ns
from logpith_emit.errors import LogpithError

WAIT_S = 0.25
"""How long to wait before looking again whether something came."""

_CONTEXT_LINES = 50
_MOST_BYTES = 8 << 20
_TEXT_WIDTH = 4_000
_COLOURS = {"fatal": "1;31", "error": "31", "warn": "33", "debug": "2", "trace": "2"}


@dataclass
class Followed:
    """One file while it is followed."""

    path: Path
    roots: Roots
    position: int
    inode: int
    waiting: bytes = b""
    """The beginning of a line whose end has not come yet."""

    context: list[bytes] = field(default_factory=list)
    """The last lines that were shown."""

    @classmethod
    def at_end(cls, path: Path, roots: Roots) -> Followed:
        """From what is appended on."""
        with os.fdopen(roots.open(path), "rb") as file:
            status = os.fstat(file.fileno())
            begin = max(0, status.st_size - (64 << 10))
            file.seek(begin)
            text = file.read(status.st_size - begin)
        whole, _, rest = text.rpartition(b"\n")
        lines = whole.split(b"\n")[1 if begin else 0 :]
        return cls(path, roots, status.st_size, status.st_ino, rest, lines[-_CONTEXT_LINES:])

    def news(self) -> tuple[list[bytes], str]:
        """The whole lines that have come since, and what happened to the file meanwhile."""
        try:
            descriptor = self.roots.open(self.path)
        except LogpithError:
            return [], ""  # between a rename and the new file there is none
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            told = ""
            if status.st_ino != self.inode:
                told = "was rotated: a new file is followed"
                self.inode, self.position, self.waiting = status.st_ino, 0, b""
            elif status.st_size < self.position:
                told = "was truncated: what was written just before may be lost"
                self.position, self.waiting = 0, b""
            file.seek(self.position)
            text = file.read(_MOST_BYTES)
        self.position += len(text)
        *lines, self.waiting = (self.waiting + text).split(b"\n")
        return lines, told


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A record, or a word about a file."""

    record: Evidence | None = None
    said: str = ""


def last_records(corpus: Corpus, query: str, count: int) -> list[Evidence]:
    """The last records of a corpus that match, oldest first."""
    found = select(corpus, read_query(corpus, query, now_ns()).query)
    newest = found[max(0, len(found) - count) :].tolist() if count else []
    return list(corpus.evidence(newest, Quoter(), _TEXT_WIDTH))


def follow(files: Sequence[Followed], query: str, wait: Callable[[], bool] | None = None) -> Iterator[Shown]:
    """What comes in the files, until `wait` says that nobody waits any more; without it for ever."""
    while (wait or _wait)():
        for file in files:
            lines, told = file.news()
            if told:
                yield Shown(said=f"{file.path} {told}")
            if lines:
                yield from (Shown(record=record) for record in _matching(file, lines, query))
                file.context = [*file.context, *lines][-_CONTEXT_LINES:]


def _wait() -> bool:
    time.sleep(WAIT_S)
    return True


def _matching(file: Followed, lines: Sequence[bytes], query: str) -> list[Evidence]:
    text = b"\n".join([*file.context, *lines, b""])
    stream = TextStream.drain(io.BytesIO(text), str(file.path), now_ns())
    corpus = CorpusReader(may_keep=False).read([stream])
    found = select(corpus, read_query(corpus, query, now_ns()).query)
    quoter = Quoter()
    first = len(file.context) + 1
    begun = int(np.searchsorted(corpus.first_line, first))
    new = corpus.evidence([record for record in found.tolist() if record >= begun], quoter, _TEXT_WIDTH)
    behind = int(corpus.first_line[begun]) - first if begun < len(corpus) else len(lines)
    if behind == 0 or (begun - 1) not in found:
        return list(new)
    # The first lines go on a record that was shown before: a traceback that came in two pieces.
    rest = quoter.quote(b"\n".join(lines[:behind]), _TEXT_WIDTH)
    return [Evidence(ref="", source=str(file.path), text=rest), *new]


def as_line(record: Evidence, *, with_source: bool, colour: bool) -> str:
    """A record as one line of text, coloured by its severity."""
    source = f"{record.source}: " if with_source else ""
    code = _COLOURS.get(record.severity.rstrip("234"), "") if colour else ""
    return f"{source}\x1b[{code}m{record.text}\x1b[0m" if code else f"{source}{record.text}"


def as_json(record: Evidence) -> str:
    """A record as one line of JSON; without a ref while it is followed, since its line number is not known."""
    plain: Mapping[str, str] = {
        name: value for name, value in vars(record).items() if value and name != "ref"
    }
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
