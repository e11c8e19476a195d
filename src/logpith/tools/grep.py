"""log_grep: how often something occurs, where, and a few telling examples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import FilteredTool, none_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.records import Corpus
    from logpith.query import Query
    from logpith.quote import Quoter

_EXAMPLE_WIDTH = 400
_MOST_SOURCES = 20


@dataclass(frozen=True, kw_only=True)
class GrepTool(FilteredTool):
    """Count the records that match a text, an RE2 regex or a query, by source, with a few varied examples. To read
    matching lines one after the other use log_fetch(query=…); to see patterns use log_cluster."""

    name: ClassVar[str] = "log_grep"
    command: ClassVar[str] = "grep"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith grep connection_refused app.log",
        "logpith grep -E 'timeout after \\d+ ms' logs/",
        "logpith grep -q 'level>=warn AND NOT heartbeat' app.log",
    )
    positional: ClassVar[tuple[str, ...]] = ("pattern", "sources")
    flags: ClassVar[Mapping[str, str]] = {"regex": "E", "as_query": "q", "ignore_case": "i"}

    pattern: str
    """Text as it stands, unless `regex` or `as_query` says otherwise."""

    regex: bool = False
    """Read `pattern` as an RE2 regular expression."""

    as_query: bool = False
    """Read `pattern` as a query."""

    ignore_case: bool = False
    """Take capitals for small letters (a query always does)."""

    max_examples: int = field(default=5, metadata={"minimum": 0, "maximum": 100})
    """Most matching records to show."""

    def answer(self, desk: Desk) -> Answer:
        """Totals by source, and examples of as many different templates as there is room for."""
        import numpy as np

        from logpith.answer import Answer, Omitted
        from logpith.corpus.select import read_query, select, unknown_fields
        from logpith.corpus.selection import check_filter, period_of
        from logpith.query import all_of

        self._check()
        check_filter(self.query, self.since, self.until)
        corpus = desk.open(self.sources)
        query, notes = self._parsed(corpus, desk.now_ns())
        among = read_query(corpus, self.query, desk.now_ns())
        period = period_of(corpus, self.since, self.until, desk.now_ns())
        quoter = desk.quoter()
        matching = select(corpus, all_of([among.query, query]), period)
        if not len(matching):
            notes = (*notes, *unknown_fields(corpus, all_of([among.query, query])))
        evidence = corpus.evidence(_varied(corpus, matching, self.max_examples), quoter, _EXAMPLE_WIDTH)
        items = tuple(_source_items(corpus, matching, quoter))
        return Answer(
            summary=" ".join([_summary(corpus, matching, len(evidence)), *notes, *among.notes]),
            items=items,
            evidence=evidence,
            coverage=corpus.coverage(quoter),
            omitted=Omitted.beyond_limit(len(np.unique(corpus.columns.origin[matching])) - len(items)),
            next=self._next_calls(len(matching), len(evidence), (bool(evidence) and evidence[0].ref) or ""),
            found=len(matching) > 0,
        )

    def _check(self) -> None:
        """Refuses a pattern that cannot be read before a large file is."""
        from logpith.corpus.select import check_query
        from logpith.query.regex import compile_regex
        from logpith_emit.errors import BadArgument

        if self.regex and self.as_query:
            raise BadArgument(
                "a pattern is a regex or a query, not both", remedy="Give one of regex and as_query"
            )
        if not self.pattern:
            raise BadArgument("the pattern is empty", remedy="Give a text, or ask log_overview what is here")
        if self.as_query:
            check_query(self.pattern)
        if self.regex:
            compile_regex(self._pattern_of_regex())

    def _pattern_of_regex(self) -> str:
        return f"(?i){self.pattern}" if self.ignore_case else self.pattern

    def _parsed(self, corpus: Corpus, now_ns: int) -> tuple[Query, tuple[str, ...]]:
        """The query that the pattern means, and notes for who wrote it."""
        from logpith.corpus.select import read_query
        from logpith.query import Regex, Substring

        if self.as_query:
            reading = read_query(corpus, self.pattern, now_ns)
            return reading.query, reading.notes
        if self.regex:
            return Regex(self._pattern_of_regex()), ()
        return Substring(self.pattern, ignore_case=self.ignore_case), ()

    def _asked(self) -> dict[str, object]:
        return {"pattern": self.pattern, **({"regex": True} if self.regex else {})}

    def _next_calls(self, total: int, shown: int, ref: str) -> tuple[str, ...]:
        if not total:
            if not self.ignore_case and not self.as_query:
                return (self.call("log_grep", **self._asked(), ignore_case=True), "log_overview()")
            return ("log_overview()",)
        calls = [f'log_fetch(refs=["{ref}"], before=5, after=5)'] if ref else []
        if total > shown and self.as_query:
            both = f"({self.pattern}) AND ({self.query})" if self.query else self.pattern
            calls.append(replace(self, query=both).call("log_fetch"))
        return tuple(calls)


def _varied(corpus: Corpus, matching: NDArray[np.int64], most: int) -> list[int]:
    """The first and the last record of each template, most frequent templates first, in file order."""
    import numpy as np

    if not len(matching) or not most:
        return []
    templates = corpus.template[matching]
    codes, first, counts = np.unique(templates, return_index=True, return_counts=True)
    last = len(templates) - 1 - np.unique(templates[::-1], return_index=True)[1]
    order = np.lexsort((codes, -counts))
    chosen = dict.fromkeys([*matching[first[order]].tolist(), *matching[last[order]].tolist()])
    spread = np.linspace(0, len(matching) - 1, num=min(len(matching), most)).astype(np.int64)
    return sorted(list(dict.fromkeys([*chosen, *matching[spread].tolist()]))[:most])


def _summary(corpus: Corpus, matching: NDArray[np.int64], shown: int) -> str:
    if not len(matching):
        return f"{none_of(len(corpus))}."
    first, last = corpus.span_text(matching)
    span = f", from {first} to {last}" if first and len(matching) > 1 else ""
    verb = "matches" if len(matching) == 1 else "match"
    examples = f"; {shown} shown" if shown < len(matching) else ""
    share = (
        f"{len(matching):,} of {counted(len(corpus), 'record')} {verb} ({len(matching) / len(corpus):.2%})"
    )
    return f"{share}{span}{examples}."


def _source_items(corpus: Corpus, matching: NDArray[np.int64], quoter: Quoter) -> list[dict[str, Json]]:
    """Matches per source and template count, largest first."""
    import numpy as np

    items: list[dict[str, Json]] = []
    origins = corpus.columns.origin[matching]
    counts = np.bincount(origins, minlength=len(corpus.origins))
    for number in np.argsort(-counts, kind="stable").tolist()[:_MOST_SOURCES]:
        if not counts[number]:
            break
        inside = matching[origins == number]
        first, last = corpus.span_text(inside)
        items.append(
            {
                "source": quoter.quote(corpus.origins[number], 200),
                "matches": int(counts[number]),
                "templates": len(np.unique(corpus.template[inside])),
                "first": first,
                "last": last,
            }
        )
    return items
