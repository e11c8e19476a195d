"""The desk: where a tool's `sources` become a corpus. One desk serves one process."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from logpith.corpus import cache
from logpith.corpus.reading import Clock, CorpusReader, Deadline, Progress
from logpith.corpus.records import Corpus, Source
from logpith.corpus.refs import Ref, file_key, text_key
from logpith.corpus.states import SourceState
from logpith.files.archive import AnyText, Inside, TextMember, open_texts
from logpith.files.finding import Found, find_files
from logpith.files.roots import Roots
from logpith.files.rotation import piece_of
from logpith.files.text import Identity, TextFile, TextStream
from logpith.plural import counted
from logpith.quote import Quoter
from logpith.timerange import NS_PER_US, now_ns
from logpith_emit.errors import BadArgument, LogpithError, NotFound, Refused

if TYPE_CHECKING:
    from logpith.corpus.meaning import Embedding
    from logpith.corpus.services import Groups

_KEPT_CORPORA = 4
_KEPT_UNFINISHED = 2
STANDARD_INPUT = "-"

# What Linux allows; others allow as much or less.
_LONGEST_NAME = 255
_LONGEST_PATH = 4095


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What the names of a question mean in a store."""

    sources: tuple[str, ...] = ()
    """Sources by their names in the settings."""

    groups: tuple[str, ...] = ()
    """Groups of services."""


class Desk:
    """Opens what is asked for, inside the roots, and remembers the last few corpora."""

    def __init__(
        self,
        roots: Roots | None = None,
        *,
        progress: Progress | None = None,
        default_sources: tuple[str, ...] = (),
        may_read_stdin: bool = False,
        time_limit_s: float | None = None,
        clock: Clock = time.monotonic,
        groups: Groups | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        self.roots = roots or Roots()
        self.groups: Groups = groups or {}
        """What the name of a group of services stands for."""

        self.embedding = embedding
        """Who is asked besides what a text means; nobody unless the settings name one."""

        self._progress = progress
        self._default_sources = default_sources
        self._may_read_stdin = may_read_stdin
        self.time_limit_s = time_limit_s
        self.slow_s: float | None = None
        """Questions that take as long are told in our own log, with what they looked at."""

        self._clock = clock
        self._unfinished: OrderedDict[tuple[object, ...], CorpusReader] = OrderedDict()
        self._kept: OrderedDict[tuple[object, ...], Corpus] = OrderedDict()
        self._streams: dict[str, TextStream] = {}
        self._archives: dict[tuple[Path, Identity], Inside] = {}
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """The time against which `10m` and `now` in a query are meant."""
        return now_ns()

    def quoter(self) -> Quoter:
        """A fresh gate for the log text of one answer."""
        return Quoter()

    def open(self, sources: Sequence[str] = (), *, whole_lines: bool = False) -> Corpus:
        """The records of `sources` as they are now; no names mean the default ones, or all under the roots.

        Where a time limit ends the reading, the corpus is not `whole`; the next question about the same sources
        reads on from there.

        Raises:
            NotFound, Refused, OutsideRoots: nothing of what was named can be read.
        """
        # Waiting for another question's reading is part of the time that this one may take.
        deadline = Deadline(self.time_limit_s, self._clock) if self.time_limit_s else None
        texts, skipped, streams = self._texts(tuple(sources) or self._default_sources)
        key = (whole_lines, skipped, tuple(_identity(text) for text in texts))
        with self._lock:  # a second question about the same text waits for the first one's reading
            corpus = self._kept.get(key)
            if corpus is None:
                corpus = self._read(key, texts, skipped, streams, deadline, whole_lines=whole_lines)
                if not corpus.whole:
                    return corpus
                self._kept[key] = corpus
                while len(self._kept) > _KEPT_CORPORA:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
        return corpus

    def newest(self, sources: Sequence[str], error: Exception) -> Corpus:
        """What is in memory of the newest records, after `open`, or reading what it gave, has failed with an error.

        Raises:
            The error, where nothing is kept in memory.
        """
        raise error

    def collected(self, sources: Sequence[str]) -> Collected | None:
        """What `sources` name, where that was collected; None where they are files, or nothing is named.

        Raises:
            NotFound: one of them is neither a source, nor a group, nor a file.
            BadArgument: some are files and some are not.
        """
        return None

    def states(self) -> tuple[SourceState, ...]:
        """How the places are that the records come from; none where nothing is collected, or none may be told."""
        return ()

    def names_of(self, sources: Sequence[str]) -> frozenset[str]:
        """What the sources that `sources` mean are called in a corpus.

        Raises:
            NotFound, Refused, OutsideRoots: nothing of what was named can be read.
        """
        texts, _, _ = self._texts(tuple(sources) or self._default_sources)
        return frozenset(text.name for text in texts)

    def has_file(self, name: str) -> bool:
        """Whether a name means a file, a folder, a glob or standard input, or leads where nothing may be read."""
        if name == STANDARD_INPUT:
            return True
        try:
            _refuse_impossible(name)
            path = Path(name).expanduser()
            self.roots.require_inside(path)
        except LogpithError:
            return True  # opening it says what is wrong
        if glob.has_magic(name):
            return True
        return any(os.path.lexists(folder / path) for folder in self.roots.folders or (Path(),))

    def find_source(self, ref: Ref, sources: Sequence[str]) -> tuple[Corpus, Source]:
        """The corpus and source that a ref is from: one of `sources`, or else one that was read before.

        Raises:
            NotFound: no readable source has the ref's key: it was rotated, or never read here.
        """
        names = (
            tuple(sources)
            or tuple(_where_it_is(cache.paths_of(ref.source_key), ref.source_key))
            or self._default_sources
        )
        for name in names:
            try:
                corpus = self.open([name])
            except LogpithError:
                continue
            for source in corpus.sources:
                if source.key == ref.source_key:
                    return corpus, source
        raise NotFound(
            f"no source with the key {ref.source_key} is known here: its file was rotated or replaced, or never read",
            remedy="Ask log_overview or log_grep again and use the refs of that answer",
        )

    def _read(
        self,
        key: tuple[object, ...],
        texts: Sequence[AnyText],
        skipped: tuple[str, ...],
        streams: Mapping[str, str],
        deadline: Deadline | None,
        *,
        whole_lines: bool,
    ) -> Corpus:
        reader = self._unfinished.pop(key, None)  # put back only when this reading, too, ends as it should
        if reader is not None and deadline is not None:
            corpus = reader.go_on(deadline)
        else:
            reader = CorpusReader(whole_lines=whole_lines, progress=self._progress, deadline=deadline)
            corpus = reader.read(texts, skipped, streams)
        if not corpus.whole:
            self._unfinished[key] = reader
            while len(self._unfinished) > _KEPT_UNFINISHED:
                self._unfinished.popitem(last=False)[1].give_up()
        cache.remember_sources(
            {
                source.key: source.text.path
                for source in corpus.sources
                if isinstance(source.text, TextFile | TextMember)
            }
        )
        return corpus

    def _texts(self, names: tuple[str, ...]) -> tuple[list[AnyText], tuple[str, ...], dict[str, str]]:
        """The texts that `names` mean, what was left out, and the stream of each text that is a piece of one."""
        texts: list[AnyText] = []
        if STANDARD_INPUT in names:
            texts.append(self._stdin())
            names = tuple(name for name in names if name != STANDARD_INPUT)
            if not names:
                return texts, (), {}
        for name in names:
            _refuse_impossible(name)
        found = find_files(names, self.roots)
        skipped = list(found.skipped)
        refusal: LogpithError | None = None
        for path in found.paths:
            try:
                inside, left_out = self._texts_of(path)
                texts += inside
                skipped += left_out
            except NotFound:
                if path in found.named:
                    raise  # a name that somebody wrote, and wrote wrong: the others are not what was meant
                skipped.append(f"{path}: gone meanwhile")
            except LogpithError as error:
                skipped.append(error.problem)
                if path in found.named or refusal is None:
                    refusal = refusal or error
        if not texts:
            more = f"; and {len(skipped) - 3:,} more" if len(skipped) > 3 else ""
            why = f": {'; '.join(skipped[:3])}{more}" if skipped else ""
            raise refusal or NotFound(f"there is nothing to read{why}", remedy="Name a file, folder or glob")
        streams = {str(path): stream for path, stream in found.streams.items()}
        return texts, self._shortened(found, skipped), streams

    def _shortened(self, found: Found, skipped: list[str]) -> tuple[str, ...]:
        """What was skipped; binary files of a folder are counted, not listed: every /var/log has some."""
        binary = [text for text in skipped if text.endswith("is binary, not text")]
        named = {f"{path} is binary, not text" for path in found.named}
        listed = [text for text in skipped if text not in binary or text in named]
        uncounted = len(binary) - len([text for text in binary if text in named])
        if uncounted:
            listed.append(counted(uncounted, "binary file"))
        return tuple(listed)

    def _texts_of(self, path: Path) -> tuple[list[AnyText], list[str]]:
        try:
            return open_texts(path, self.roots, self._archives)
        except Refused:
            exists = os.path.exists(path)  # noqa: PTH110 - pathlib's raises where a folder may not be searched
            if self.roots.confine or not exists or not stat.S_ISFIFO(path.stat().st_mode):
                raise
        return [self._fifo(path)], []

    def _fifo(self, path: Path) -> TextStream:
        """A FIFO read to its end, once; without a writer that is at once."""
        name = str(path)
        if name not in self._streams:
            descriptor = self.roots.open(path)
            os.set_blocking(descriptor, True)
            with os.fdopen(descriptor, "rb", buffering=0) as stream:
                self._streams[name] = TextStream.drain(stream, name, now_ns())
        return self._streams[name]

    def _stdin(self) -> TextStream:
        if not self._may_read_stdin or sys.stdin is None:
            raise BadArgument("standard input cannot be read here", remedy="Name files, folders or globs")
        if STANDARD_INPUT not in self._streams:
            self._streams[STANDARD_INPUT] = TextStream.drain(sys.stdin.buffer, STANDARD_INPUT, now_ns())
        return self._streams[STANDARD_INPUT]


def _identity(text: AnyText) -> object:
    """What tells a text from another, and from itself after a change or under another name."""
    return text.name if isinstance(text, TextStream) else (text.name, text.identity)


def _where_it_is(paths: Sequence[Path], key: str) -> Iterator[str]:
    """Where files that were read under these paths can be now: there, or beside, when rotation has renamed them."""
    for path in paths:
        yield str(path)
        stream = piece_of(path.name).live
        try:
            beside = [entry for entry in os.scandir(path.parent) if piece_of(entry.name).live == stream]
        except OSError:
            continue
        for entry in beside:
            with contextlib.suppress(OSError):
                if entry.name != path.name and file_key(entry.stat()) == key:
                    yield entry.path


def _refuse_impossible(name: str) -> None:
    """Nothing, when a file could have this name; asking the system for others fails in many ways.

    Raises:
        BadArgument: none can.
    """
    try:
        encoded = os.fsencode(Path(name).expanduser())
    except (UnicodeEncodeError, RuntimeError):  # half a character; the home of nobody
        encoded = b"\0"
    longest = max(map(len, encoded.split(b"/")))
    if b"\0" in encoded or longest > _LONGEST_NAME or len(encoded) > _LONGEST_PATH:
        raise BadArgument("no file can have such a name", remedy="Name files, folders or globs")


def record_of(corpus: Corpus, source: Source, ref: Ref) -> int:
    """The number of the record that a ref names.

    Raises:
        NotFound: the line is another one now.
    """
    if source.is_segment:
        return _stored_record_of(corpus, ref)
    lines = source.table.columns["line"]
    place = int(np.searchsorted(lines, ref.line))
    if place < len(lines) and lines[place] == ref.line:
        record = source.first + place
        if text_key(corpus.texts([record])[0]) == ref.text_key:
            return record
    if not corpus.whole and place == len(lines):
        raise NotFound(
            f"line {ref.line} of its source is beyond what could be read in time",
            remedy="Ask again: reading goes on where it stopped",
        )
    raise NotFound(
        f"line {ref.line} of its source is not what it was when the ref was made",
        remedy="Ask log_overview or log_grep again and use the refs of that answer",
    )


def _stored_record_of(corpus: Corpus, ref: Ref) -> int:
    """The number of the record of a store that a ref names.

    Raises:
        NotFound: it is not in the store any more.
    """
    for source in corpus.sources:
        text: Any = source.text
        first_ns, last_ns = text.moments
        if not first_ns // NS_PER_US <= ref.line <= last_ns // NS_PER_US:
            continue
        for place in np.flatnonzero(source.table.columns["moment"] == ref.line).tolist():
            record: int = source.first + place
            if text_key(corpus.texts([record])[0]) == ref.text_key:
                return record
    raise NotFound(
        "no record of the store is the one that the ref was made of: it was kept no longer, or is of another store",
        remedy="Ask again and use the refs of that answer",
    )
