"""log_overview: what is here, and what deserves a look first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import FilteredTool, none_of

if TYPE_CHECKING:
    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.records import Corpus, Source
    from logpith.corpus.selection import Selection
    from logpith.corpus.suspects import Suspect
    from logpith.quote import Quoter

_MOST_SUSPECTS = 8
_MOST_SOURCES = 30
_TEMPLATE_WIDTH = 160
_EVIDENCE_WIDTH = 220


@dataclass(frozen=True, kw_only=True)
class OverviewTool(FilteredTool):
    """What these logs hold and what to look at first: lines, time span, formats, severities, and suspects (severe,
    rare, new or growing templates) ranked with reasons and proof. Begin here. To see all patterns use log_cluster;
    for one word use log_grep."""

    name: ClassVar[str] = "log_overview"
    command: ClassVar[str] = "overview"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith app.log",
        "logpith overview /var/log --json",
        "kubectl logs api | logpith",
    )

    budget: int = field(default=800, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """Suspects, worst first, each with one line of proof; then the sources."""
        from logpith.answer import Answer, Omitted
        from logpith.corpus.suspects import find_suspects

        selection = self.select(desk)
        corpus = selection.corpus
        quoter = desk.quoter()
        suspects, found = find_suspects(selection, _MOST_SUSPECTS)
        evidence = corpus.evidence([suspect.record for suspect in suspects], quoter, _EVIDENCE_WIDTH)
        items = [
            _suspect_item(corpus, suspect, line.ref, quoter)
            for suspect, line in zip(suspects, evidence, strict=True)
        ]
        sources = list(_source_items(corpus, quoter))
        further = len(corpus.origins if corpus.is_stored else corpus.streams) - len(sources)
        return Answer(
            summary=" ".join([_summary(selection, suspects, found), *selection.notes]),
            items=(*items, *sources),
            evidence=evidence,
            coverage=selection.coverage(quoter),
            omitted=Omitted.beyond_limit(found - len(suspects) + further),
            next=_next_calls(selection, [line.ref for line in evidence]),
            found=len(selection) > 0,
        )


def _suspect_item(corpus: Corpus, suspect: Suspect, ref: str, quoter: Quoter) -> dict[str, Json]:
    from logpith_emit.severity import severity_name

    return {
        "kind": "suspect",
        "id": corpus.templates.templates[suspect.template].id,
        "count": suspect.count,
        "severity": severity_name(suspect.severity),
        "why": "; ".join(suspect.reasons),
        "template": quoter.quote(suspect.text, _TEMPLATE_WIDTH),
        "refs": [ref],
    }


def _source_items(corpus: Corpus, quoter: Quoter) -> Iterator[dict[str, Json]]:
    """One row for each log, its rotated pieces put together; of a store for each source that it has collected from."""
    if corpus.is_stored:
        yield from _origin_items(corpus, quoter)
        return
    for name, pieces in list(corpus.streams.items())[:_MOST_SOURCES]:
        formats = _formats_of(pieces)
        yield {
            "kind": "source",
            "name": quoter.quote(name, 200),
            **({"pieces": len(pieces)} if len(pieces) > 1 else {}),
            "lines": sum(piece.lines for piece in pieces),
            "bytes": sum(piece.size_bytes for piece in pieces),
            "format": _format_text(formats),
            "time": _time_format_text(formats),
            **_stream_span(corpus, pieces),
        }


def _origin_items(corpus: Corpus, quoter: Quoter) -> Iterator[dict[str, Json]]:
    import numpy as np

    from logpith.scan.timestamps import NO_TIME
    from logpith.timerange import format_ns

    counts = np.bincount(corpus.columns.origin, minlength=len(corpus.origins))
    last = np.full(len(counts), NO_TIME, np.int64)
    np.maximum.at(last, corpus.columns.origin, corpus.columns.time_ns)
    for place in np.argsort(-counts, kind="stable")[:_MOST_SOURCES].tolist():
        yield {
            "kind": "source",
            "name": quoter.quote(corpus.origins[place], 200),
            "records": int(counts[place]),
            "to": "" if last[place] == NO_TIME else format_ns(int(last[place])),
        }


def _formats_of(pieces: Iterable[Source]) -> Counter[tuple[str, str]]:
    formats: Counter[tuple[str, str]] = Counter()
    for piece in pieces:
        formats.update(piece.formats)
    return formats


def _stream_span(corpus: Corpus, pieces: Sequence[Source]) -> dict[str, Json]:
    from logpith.corpus.records import span_of

    if len(corpus.streams) == 1:
        return {}  # coverage tells it
    first, last = span_of(pieces)
    return {"from": first, "to": last}


def _format_text(formats: Counter[tuple[str, str]]) -> str:
    """`json 93 %, plain 7 %`, most frequent first."""
    by_format: Counter[str] = Counter()
    for (name, _), count in formats.items():
        by_format[name] += count
    total = by_format.total()
    if len(by_format) == 1:
        return next(iter(by_format))
    return ", ".join(f"{name} {_percent(count / total)}" for name, count in by_format.most_common(4))


def _time_format_text(formats: Counter[tuple[str, str]]) -> str:
    layouts: Counter[str] = Counter()
    for (_, layout), count in formats.items():
        if layout:
            layouts[layout] += count
    return ", ".join(f"{name} {_percent(count / formats.total())}" for name, count in layouts.most_common(2))


def _formats_text(corpus: Corpus) -> str:
    """The formats of all sources; of a single log also how its times are written."""
    formats = _formats_of(corpus.sources)
    times = _time_format_text(formats) if corpus.source_count == 1 else ""
    return f"{_format_text(formats)}, {times}" if times else _format_text(formats)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share in (0.0, 1.0) or 0.01 <= share <= 0.99 else f"{share:.2%}"


def _summary(selection: Selection, suspects: list[Suspect], found: int) -> str:
    """Counts, span, severities, and how many suspects there are: no log text."""
    from logpith.timerange import format_span

    corpus = selection.corpus
    if not len(corpus):
        return "There are no lines here."
    if not len(selection):
        return f"{none_of(len(corpus))}."
    span = selection.span_ns
    over = f" over {format_span(span[1] - span[0])}" if span else ", none with a time"
    lines = counted(corpus.lines, "line")
    if selection.chosen is not None:
        lines = f"{len(selection):,} of {counted(len(corpus), 'record')}"
    many = f" from {corpus.source_count} sources" if corpus.source_count > 1 else ""
    parts = [f"{lines}{many} ({_formats_text(corpus)}){over}: {_severities_text(selection)}."]
    if suspects:
        parts.append(f"{found:,} suspect{'s' * (found > 1)}, the first: {suspects[0].reasons[0]}.")
    else:
        parts.append("Nothing severe, new or growing stands out.")
    return " ".join(parts)


def _severities_text(selection: Selection) -> str:
    """`12 error, 340 warn, 19,600 info`, worst first."""
    from logpith_emit.severity import severity_name

    counts = selection.severity_counts.tolist()
    by_name: Counter[str] = Counter()
    for number in range(24, 0, -1):
        if counts[number]:
            by_name[severity_name(number)] += counts[number]
    told = [f"{count:,} {name}" for name, count in by_name.items()]
    if counts[0]:
        told.append(f"{counts[0]:,} of unknown severity")
    return ", ".join(told)


def _next_calls(selection: Selection, refs: list[str]) -> tuple[str, ...]:
    if not len(selection):
        return ()
    around = (f'log_fetch(refs=["{refs[0]}"], before=5, after=5)',) if refs else ()
    return (*around, 'log_cluster(sort="severity")' if refs else "log_cluster()")
