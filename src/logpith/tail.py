"""Tail: the last records of some logs, and those that come, as they come.

What is new is read together with a few lines before it, so that formats are recognised as they are in the whole
file. Rotation by rename and by truncation are noticed and told. A renamed file is read to its end first; what a
truncation took away before it was seen is lost, and that is told too.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from logpith.answer import Evidence
from logpith.corpus.reading import CorpusReader
from logpith.corpus.records import Corpus
from logpith.corpus.select import read_query, select
from logpith.files.finding import find_files
from logpith.files.packing import line_of_frame
from logpith.files.roots import Roots
from logpith.files.text import TextStream
from logpith.quote import Quoter
from logpith.scan.tally import time_ranks
from logpith.spooled import TEXT_WIDTH, SpooledRecord, spooled, wanted_by
from logpith.timerange import now_ns
from logpith_emit.errors import LogpithError, NotFound
from logpith_emit.spool import Spool, SpoolReader

WAIT_S = 0.25
"""How long to wait before looking again whether something came."""

_CONTEXT_LINES = 50
_MOST_BYTES = 8 << 20
_COLOURS = {"fatal": "1;31", "error": "31", "warn": "33", "debug": "2", "trace": "2"}


class Followed(Protocol):
    """Something while it is followed."""

    path: Path

    def news(self) -> tuple[list[bytes], str]:
        """The whole lines that have come since, and what happened to it meanwhile."""

    def matching(self, lines: Sequence[bytes], query: str) -> list[Evidence]:
        """What of such lines matches, to be shown."""

    def close(self) -> None:
        """Lets go of it."""


@dataclass
class FollowedFile:
    """One file while it is followed."""

    path: Path
    roots: Roots
    file: BinaryIO
    """The open file, which may have lost its name since."""

    position: int
    waiting: bytes = b""
    """The beginning of a line whose end has not come yet."""

    context: list[bytes] = field(default_factory=list)
    """The last lines that were shown."""

    @classmethod
    def at_end(cls, path: Path, roots: Roots, shown_bytes: int | None = None) -> FollowedFile:
        """From what is appended on; where a part of the file was shown before, from its end on."""
        file = os.fdopen(roots.open(path), "rb", buffering=0)
        size = os.fstat(file.fileno()).st_size
        position = size if shown_bytes is None else min(size, shown_bytes)
        begin = max(0, position - (64 << 10))
        whole, _, rest = os.pread(file.fileno(), position - begin, begin).rpartition(b"\n")
        lines = whole.split(b"\n")[1 if begin else 0 :]
        return cls(path, roots, file, position, rest, lines[-_CONTEXT_LINES:])

    def news(self) -> tuple[list[bytes], str]:
        """The whole lines that have come since, and what happened to the file meanwhile."""
        newer = self._newer()
        told = ""
        size = os.fstat(self.file.fileno()).st_size
        if size < self.position:
            told = "was truncated: what was written just before may be lost"
            self.position, self.waiting = 0, b""
        lines = self._read_on()
        if newer is None:
            return lines, told
        if self.position < size:  # what was written before the rotation comes first
            newer.close()
            return lines, told
        if self.waiting:
            lines.append(self.waiting)
        self.file.close()
        self.file, self.position, self.waiting = newer, 0, b""
        return lines + self._read_on(), "was rotated: a new file is followed"

    def matching(self, lines: Sequence[bytes], query: str) -> list[Evidence]:
        """What of such lines matches, read behind the lines before them."""
        found = _matching(self, lines, query)
        self.context = [*self.context, *lines][-_CONTEXT_LINES:]
        return found

    def close(self) -> None:
        """Lets go of the file."""
        self.file.close()

    def _newer(self) -> BinaryIO | None:
        """The file that has the name now, when it is another one."""
        try:
            file = os.fdopen(self.roots.open(self.path), "rb", buffering=0)
        except LogpithError:
            return None  # between a rename and the new file there is none
        if os.path.sameopenfile(file.fileno(), self.file.fileno()):
            file.close()
            return None
        return file

    def _read_on(self) -> list[bytes]:
        text = os.pread(self.file.fileno(), _MOST_BYTES, self.position)
        self.position += len(text)
        *lines, self.waiting = (self.waiting + text).split(b"\n")
        if len(self.waiting) > _MOST_BYTES:  # a file without newlines must fit in memory
            lines.append(self.waiting)
            self.waiting = b""
        return lines


class FollowedSpools:
    """What programs say by logpith-emit to spools below a folder while it is followed; spools that come later, too."""

    def __init__(self, base: Path) -> None:
        """From what is said from now on."""
        self.path = base
        self._readers: dict[Path, SpoolReader] = {}
        for _ in self._read_on():
            pass

    def news(self) -> tuple[list[bytes], str]:
        """The records that have come since, and how many were dropped."""
        return list(self._read_on()), ""

    def _read_on(self) -> Iterator[bytes]:
        for folder in sorted({*self._readers, *(path.parent for path in spooled(self.path))}):
            if folder not in self._readers:
                # One that never commits: nothing waits for it, and it removes nothing.
                self._readers[folder] = Spool(folder=folder).reader("tail")
            yield from (line_of_frame(frame) for _, frame in self._readers[folder].read())

    def matching(self, lines: Sequence[bytes], query: str) -> list[Evidence]:
        """The records among such lines that match."""
        quoter, wanted = Quoter(), wanted_by(query, now_ns())
        records = (SpooledRecord(line, str(self.path)) for line in lines)
        return [record.shown(quoter) for record in records if wanted(record)]

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A record, or a word about a file."""

    record: Evidence | None = None
    said: str = ""


def last_records(corpus: Corpus, query: str, count: int) -> list[Evidence]:
    """The last records of a corpus that match, oldest first; of several sources in order of their times."""
    found = select(corpus, read_query(corpus, query, now_ns()).query)
    if len(corpus.sources) > 1:
        found = found[np.argsort(time_ranks(corpus.columns.time_ns[found]), kind="stable")]
    newest = found[max(0, len(found) - count) :].tolist() if count else []
    return list(corpus.evidence(newest, Quoter(), TEXT_WIDTH))


def wait_for_files(
    names: Sequence[str], say: Callable[[str], None], wait: Callable[[], bool] | None = None
) -> None:
    """Returns when there are files in each of these folders, and for each glob; says at first that it waits."""
    is_told = False
    while True:
        try:
            find_files(names, Roots())
        except NotFound as error:
            if not is_told:
                say(f"{error.problem} yet; waiting for one")
            is_told = True
        else:
            return
        (wait or _wait)()


def follow(files: Sequence[Followed], query: str, wait: Callable[[], bool] | None = None) -> Iterator[Shown]:
    """What comes in the files, until `wait` says that nobody waits any more; without it for ever. Closes them."""
    with contextlib.ExitStack() as closing:
        for file in files:
            closing.callback(file.close)
        while (wait or _wait)():
            for file in files:
                lines, told = file.news()
                if told:
                    yield Shown(said=f"{file.path} {told}")
                if lines:
                    yield from (Shown(record=record) for record in file.matching(lines, query))


def _wait() -> bool:
    time.sleep(WAIT_S)
    return True


def _matching(file: FollowedFile, lines: Sequence[bytes], query: str) -> list[Evidence]:
    text = b"\n".join([*file.context, *lines, b""])
    stream = TextStream.drain(io.BytesIO(text), str(file.path), now_ns())
    corpus = CorpusReader(may_keep=False).read([stream])
    found = select(corpus, read_query(corpus, query, now_ns()).query)
    quoter = Quoter()
    first = len(file.context) + 1
    begun = int(np.searchsorted(corpus.first_line, first))
    new = corpus.evidence([record for record in found.tolist() if record >= begun], quoter, TEXT_WIDTH)
    behind = int(corpus.first_line[begun]) - first if begun < len(corpus) else len(lines)
    if behind == 0 or (begun - 1) not in found:
        return list(new)
    # The first lines go on a record that was shown before: a traceback that came in two pieces.
    rest = quoter.quote(b"\n".join(lines[:behind]), TEXT_WIDTH)
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
