"""Warming up: every tool is asked about a few lines, so that the first real question finds all code loaded."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from logpith.app import ask
from logpith.component import build, describe, mend
from logpith.corpus.desk import Desk
from logpith.corpus.reading import CorpusReader
from logpith.corpus.records import Corpus, join_tables
from logpith.corpus.select import read_query, select
from logpith.files.text import TextStream
from logpith.scan.words import split_words
from logpith.tools import Tool
from logpith_emit.errors import LogpithError

# A few lines of each kind, with all that kernels look for: they are compiled, or loaded, when first called.
_TEXT = (
    b'{"time": "2026-01-01T00:00:00Z", "level": "info", "msg": "a \\\\ b"}\n' * 3
    + b'2026-01-01 00:00:00 ERROR a 1\n  File "a.py", line 1\n' * 3
)

# What the tools need besides what they must be given.
_GIVEN: Mapping[str, Mapping[str, object]] = {"log_count": {"by": ["time:1m", "level"]}}

_QUERIES = ("a", '"a 1" OR /a [0-9]/', "level>=info NOT b* msg:a timestamp>=10m")


class _WarmUpDesk(Desk):
    """Whatever is asked for, these few lines are it."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        self._corpus = corpus

    def open(self, sources: Sequence[str] = (), *, whole_lines: bool = False) -> Corpus:
        return self._corpus


def warm_up(offered: Mapping[str, type[Tool]], *, stored: bool = False) -> None:
    """Loads or compiles what these tools need; with `stored` also what they need of a store."""
    _ask_all(offered, CorpusReader().read([TextStream.drain(io.BytesIO(_TEXT), "warm-up", 0)]))
    if stored:
        _ask_all(offered, _stored_lines())


def _stored_lines() -> Corpus:
    """The lines as they are in a store, which they have come to as all do."""
    # All this brings Arrow, which files do without.
    from logpith.corpus.stored import source_of_segment  # noqa: PLC0415
    from logpith.pipeline import open_stages, stages_of  # noqa: PLC0415
    from logpith.settings import Settings  # noqa: PLC0415
    from logpith.sources.reading import LineReader  # noqa: PLC0415
    from logpith.store.rows import rows_of, table_of  # noqa: PLC0415
    from logpith.store.segment import Segment  # noqa: PLC0415
    from logpith.store.segment_writer import build_segment  # noqa: PLC0415

    with open_stages(stages_of(Settings())) as chain:
        batch = chain(LineReader("warm-up").read_text(_TEXT, 0).batch).batch
    built = build_segment(rows_of(table_of([batch])), "warm-up", 0, 0, level=1)
    return join_tables([source_of_segment(Segment.of(built))])


def _ask_all(offered: Mapping[str, type[Tool]], corpus: Corpus) -> None:
    desk = _WarmUpDesk(corpus)
    for text in _QUERIES:
        select(corpus, read_query(corpus, text, 0).query)
    split_words(b"a 1")  # what mining needs, which a process before may have done for these lines
    for tool in offered.values():
        required = {argument.name: mend(argument, "a") for argument in describe(tool) if argument.required}
        try:
            ask(build(tool, {**required, **_GIVEN.get(tool.name, {})}), desk)
        except LogpithError:
            continue  # it wants what only an answer can give; most of what it needs is loaded all the same
