"""logpith's own store, asked in one process: rows as a tool gets them, counts by the tools that count."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import mixed_lines
from benchmarks.measuring import LOGPITH, run
from benchmarks.mixed_lines import Lines
from benchmarks.peers import ROOT, Ask, Loaded, Question, size_of

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk

_AT_ONCE = 500_000
_MODULE = [sys.executable, "-m", "benchmarks.peers.ours"]


@dataclass(frozen=True)
class Ours:
    """A store in a folder."""

    folder: Path
    name: str = "logpith"

    def load(self, lines: Lines, at_once: int = _AT_ONCE) -> Loaded:
        """Lines → segments of about `at_once` records, durable."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        spent = run([*_MODULE, "load", str(lines.path), str(self.folder), str(at_once)], ROOT)
        return Loaded(lines.count, spent.wall_s, spent.cpu_s, size_of(self.folder))

    def ingest(self, lines: Lines) -> Loaded:
        """The same by `logpith ingest`: redacted and validated on the way, which peers do not do."""
        folder = self.folder.with_name(f"{self.folder.name}-ingested")
        shutil.rmtree(folder, ignore_errors=True)
        spent = run([*LOGPITH, "ingest", "--data-dir", str(folder), str(lines.path)], ROOT)
        size = size_of(folder)
        shutil.rmtree(folder)
        return Loaded(lines.count, spent.wall_s, spent.cpu_s, size)

    @contextmanager
    def questions(self, lines: Lines) -> Iterator[Mapping[Question, Ask]]:
        """All of them."""
        desk = desk_of(self.folder)
        yield {
            Question.NEEDLE: partial(_rows, desk, mixed_lines.NEEDLE),
            Question.ABSENT: partial(_rows, desk, mixed_lines.ABSENT),
            Question.NEWEST_WORD: partial(_newest, desk, f"{mixed_lines.WORD} AND level:error"),
            Question.SUBSTRING: partial(_count, desk, f'_contains_exactly_:"{mixed_lines.SUBSTRING}"'),
            Question.REGEX: partial(_count, desk, f"/{mixed_lines.REGEX}/"),
            Question.BY_SERVICE: partial(_groups, desk, ["service"]),
            Question.HISTOGRAM: partial(_groups, desk, ["time:1m", "level"]),
            Question.TRACE: partial(_rows, desk, lines.trace_id),
            Question.AVERAGE: partial(_groups, desk, ["service"], "status_code>=500", ["avg:duration_ms"]),
            Question.NEWEST_ERROR: partial(_newest, desk, "level:error"),
            Question.TEMPLATE_WORD: partial(_count, desk, mixed_lines.TEMPLATE_WORD),
            Question.TEMPLATES: partial(_groups, desk, ["template"]),
        }

    def peak_bytes(self, lines: Lines) -> int:
        """The most RssAnon of a process that asks every question twice."""
        return run([*_MODULE, "ask", str(self.folder), lines.trace_id], ROOT).peak_anon_bytes


def desk_of(folder: Path) -> Desk:
    """A desk at which a store is asked; what it has opened is kept from question to question."""
    from logpith.corpus.desk import Desk  # noqa: PLC0415  --help must not wait
    from logpith.corpus.records import Corpus  # noqa: PLC0415  as above
    from logpith.corpus.store_corpus import StoreCorpus  # noqa: PLC0415  as above
    from logpith.store.reader import StoreReader  # noqa: PLC0415  as above

    class StoreDesk(Desk):
        corpora = StoreCorpus(StoreReader(folder))

        def open(self, sources: Sequence[str] = (), *, whole_lines: bool = False) -> Corpus:
            return self.corpora.open(self.now_ns())

    return StoreDesk()


def _rows(desk: Desk, query: str) -> int:
    from logpith.corpus.select import read_query, select  # noqa: PLC0415  --help must not wait
    from logpith.corpus.stored import forget_found  # noqa: PLC0415  as above

    forget_found()
    corpus = desk.open()
    found = select(corpus, read_query(corpus, query, desk.now_ns()).query)
    return len(corpus.texts(found.tolist()))


def _newest(desk: Desk, query: str) -> int:
    from logpith.corpus.select import newest, read_query  # noqa: PLC0415  --help must not wait

    corpus = desk.open()
    found = newest(corpus, read_query(corpus, query, desk.now_ns()).query)
    return len(corpus.texts(found.tolist()))


def _count(desk: Desk, query: str) -> int:
    return _told(desk, r"^([\d,]+)(?: of [\d,]+)? record", query, (), ())


def _groups(desk: Desk, by: Sequence[str], query: str = "", agg: Sequence[str] = ()) -> int:
    return _told(desk, r"in ([\d,]+) group", query, by, agg)


def _told(desk: Desk, pattern: str, query: str, by: Sequence[str], agg: Sequence[str]) -> int:
    """A number that the summary of `log_count` tells; answered anew, though it was asked before."""
    from logpith.corpus.stored import forget_found  # noqa: PLC0415  --help must not wait
    from logpith.tools.count import CountTool  # noqa: PLC0415  as above

    forget_found()
    answer = CountTool(query=query, by=tuple(by), agg=tuple(agg)).answer(desk)
    told = re.search(pattern, answer.summary)
    return int(told[1].replace(",", "")) if told else 0


def _load(path: Path, folder: Path, at_once: int) -> None:
    """Two threads build segments while this one reads."""
    from concurrent.futures import Future, ThreadPoolExecutor  # noqa: PLC0415  only for the child

    from logpith.batch import Batch  # noqa: PLC0415  only for the child
    from logpith.files.roots import Roots  # noqa: PLC0415  as above
    from logpith.files.text import TextFile  # noqa: PLC0415  as above
    from logpith.sources.reading import LineReader  # noqa: PLC0415  as above
    from logpith.store import open_store  # noqa: PLC0415  as above
    from logpith.timerange import now_ns  # noqa: PLC0415  as above

    now = now_ns()
    with open_store(folder) as store, ThreadPoolExecutor(2) as pool:
        reader = LineReader(path.name)
        waiting: list[Future[None]] = []
        batches: list[Batch] = []
        for block in TextFile.open(path, Roots()).blocks():
            read = reader.read(block.buf, block.begin, block.end, now).batch
            for first in range(0, read.num_rows, at_once):
                batches.append(read.slice(first, at_once))
                if sum(batch.num_rows for batch in batches) < at_once:
                    continue
                waiting.append(pool.submit(store.add, batches, newest_ns=now))
                batches = []
                if len(waiting) > 2:
                    waiting.pop(0).result()
        store.add(batches, newest_ns=now)
        for one in waiting:
            one.result()


def _ask_all(folder: Path, trace_id: str) -> None:
    with Ours(folder).questions(Lines(folder, 0, 0, trace_id)) as asks:
        for ask in [*asks.values(), *asks.values()]:
            ask()


def _search(folder: Path, word: str) -> None:
    from logpith.app import ask  # noqa: PLC0415  only for the child
    from logpith.tools.search import SearchTool  # noqa: PLC0415  as above

    ask(SearchTool(query=word), desk_of(folder))


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "load":
        _load(Path(words[0]), Path(words[1]), int(words[2]))
    elif what == "ask":
        _ask_all(Path(words[0]), words[1])
    else:
        _search(Path(words[0]), words[1])
