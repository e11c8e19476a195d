"""Spooled: what programs have said by logpith-emit and was not brought elsewhere, as it stands in their spools.

Such records are whole and in one form: nothing is scanned, so nothing is compiled, and they are there at once on a
machine that has never read a log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

from logpith.answer import Evidence
from logpith.files.packing import line_of_frame
from logpith.query import parse
from logpith.query.match import Value, matcher
from logpith.quote import Quoter, decode
from logpith.scan.kernel import is_compiled
from logpith.timerange import format_ns
from logpith_emit.destinations import Outgoing
from logpith_emit.errors import Refused
from logpith_emit.record import Record, record_from_mapping
from logpith_emit.severity import severity_name
from logpith_emit.spool import Spool
from logpith_emit.spool.segment import segment_named

TEXT_WIDTH = 4_000

_MOST_BYTES_TO_ASK, _MOST_BYTES_BEFORE_COMPILING = 32 << 20, 256 << 20


class SpooledRecord:
    """One record of a spool, or what it says was dropped there, as a query looks at it."""

    def __init__(self, line: bytes, source: str) -> None:
        self.line = line
        self.source = source

    @cached_property
    def text(self) -> str:
        """The record as one line of JSON."""
        return decode(self.line, "surrogateescape")

    @cached_property
    def known(self) -> Record:
        """What it says, by columns; one that is no JSON says nothing."""
        try:
            return record_from_mapping(Outgoing("", self.line).fields)
        except Refused:
            return Record(body=self.text)

    def column(self, name: str) -> Value:
        """A column; None when it says nothing."""
        found = self.source if name == "source" else getattr(self.known, name, None)
        return None if found == "" else cast("Value", found)

    def attribute(self, path: str) -> Value:
        """The attribute at a dotted path; one of the ids is found by its own name too."""
        return cast("Value", self.known.attributes.get(path, self.known.ids.get(path)))

    @property
    def time_ns(self) -> int:
        """When it was said; 0 when it does not tell."""
        return Outgoing("", self.line).timestamp

    def shown(self, quoter: Quoter) -> Evidence:
        """The record as it may be told."""
        time_ns = self.known.timestamp
        return Evidence(
            ref="",
            time="" if time_ns is None else format_ns(time_ns),
            source=self.source,
            severity=severity_name(self.known.severity_number),
            text=quoter.quote(self.line, TEXT_WIDTH),
            flag=quoter.flag(self.line),
        )


Wanted = Callable[[SpooledRecord], bool]


def wanted_by(query: str, now_ns: int) -> Wanted:
    """Tells of records whether a query is about them; a bare `10m` in it counts back from now.

    Raises:
        BadQuery: it is none.
    """
    return matcher(parse(query, now_ns=now_ns, end_ns=now_ns)) if query.strip() else lambda _record: True


def spooled(base: Path) -> list[Path]:
    """The files below a folder that programs have logged to, oldest first."""
    found = [path for path in base.glob("**/*.spool") if segment_named(path.parent, path.name)]
    return sorted(found, key=lambda path: (_changed_ns(path), path.name))


def spool_folders(words: Sequence[str]) -> list[Path]:
    """The folders of the spools that these words name, all of them, by a folder or by files in it; none where a word
    names something else."""
    paths = [Path(word) for word in words]
    folders = [path if path.is_dir() else path.parent for path in paths]
    are_spools = all(
        any(segment_named(path, name.name) for name in path.glob("*.spool"))
        if path.is_dir()
        else segment_named(path.parent, path.name) is not None and path.exists()
        for path in paths
    )
    return list(dict.fromkeys(folders)) if are_spools else []


def was_brought(base: Path) -> bool:
    """Whether something was said below a folder and brought to destinations."""
    return any(base.glob("**/*.shipped"))


def last_spooled(paths: Sequence[Path], wanted: Wanted, count: int) -> list[SpooledRecord]:
    """The last records of some files that are wanted, in order of time; one that tells no time is as old as the one
    before it. Of `paths`, oldest first, only those are read that may hold some."""
    last: list[tuple[int, int, int, SpooledRecord]] = []
    for number in range(len(paths) - 1, -1, -1):
        if not count or (len(last) == count and _changed_ns(paths[number]) < last[0][0]):
            break
        found: deque[tuple[int, int, int, SpooledRecord]] = deque(maxlen=count)
        time_ns = 0
        for place, line in enumerate(_lines_of(paths[number])):
            record = SpooledRecord(line, str(paths[number]))
            time_ns = record.time_ns or time_ns
            if wanted(record):
                found.append((time_ns, number, place, record))
        last = sorted([*last, *found], key=lambda one: one[:3])[-count:]
    return [record for *_, record in last]


def _lines_of(path: Path) -> Iterator[bytes]:
    segment = segment_named(path.parent, path.name)
    return (
        (line_of_frame(frame) for frame in Spool(folder=path.parent).read(segment)) if segment else iter(())
    )


def are_soon_asked(paths: Sequence[Path], query: str) -> bool:
    """Whether `last_spooled` takes less long than a corpus, which may have to be compiled first."""
    most_bytes = _MOST_BYTES_TO_ASK if is_compiled() else _MOST_BYTES_BEFORE_COMPILING
    return not query.strip() or sum(_stat(path)[1] for path in paths) <= most_bytes


def _changed_ns(path: Path) -> int:
    return _stat(path)[0]


def _stat(path: Path) -> tuple[int, int]:
    """When it was written last, and its bytes; zeros for one that was brought elsewhere meanwhile."""
    try:
        told = path.stat()
    except FileNotFoundError:
        return 0, 0
    return told.st_mtime_ns, told.st_size
