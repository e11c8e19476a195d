"""log_fetch: the lines themselves, by ref or by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.tools import FilteredTool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.records import Corpus
    from logpith.quote import Quoter

_TEXT_WIDTH = 2000


@dataclass(frozen=True, kw_only=True)
class FetchTool(FilteredTool):
    """Read records as they stand (secrets redacted): exactly those of `refs` with their neighbours, or a page of all
    that match `query`. Line numbers are 1-based and stable. To find or count something first use log_grep."""

    name: ClassVar[str] = "log_fetch"
    command: ClassVar[str] = "fetch"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith fetch e18342@3f9ac21b --before 5 --after 5",
        "logpith fetch app.log --offset 200 --limit 20",
        "logpith fetch app.log --query 'level>=error'",
    )
    positional: ClassVar[tuple[str, ...]] = ("refs", "sources")

    refs: tuple[str, ...] = ()
    """Refs from the evidence of an answer: e18342@3f9ac21b."""

    before: int = field(default=0, metadata={"minimum": 0, "maximum": 500})
    """Records of the same source to show before each ref."""

    after: int = field(default=0, metadata={"minimum": 0, "maximum": 500})
    """As `before`, behind each ref."""

    offset: int = field(default=0, metadata={"minimum": 0})
    """How many records to pass over first."""

    limit: int = field(default=50, metadata={"minimum": 1, "most": 1000})
    """Most records to show."""

    budget: int = field(default=2000, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """Records in file order, each with the number of its first line and its ref."""
        if self.refs:
            return self._by_refs(desk)
        return self._by_page(desk)

    def cursor_after(self, shown: int) -> str | None:
        """Where to go on when only `shown` records could be."""
        return None if self.refs else f"offset={self.offset + shown}"

    def _by_refs(self, desk: Desk) -> Answer:
        from logpith.answer import Answer
        from logpith.corpus.desk import record_of
        from logpith.corpus.refs import read_ref

        quoter = desk.quoter()
        found: dict[str, tuple[Corpus, set[int]]] = {}
        for word in dict.fromkeys(self.refs):
            ref = read_ref(word)
            corpus, source = desk.find_source(ref, self.sources)
            record = record_of(corpus, source, ref)
            source = corpus.source_of(record)
            low = max(source.first, record - self.before)
            high = min(source.first + source.records, record + self.after + 1)
            _, records = found.setdefault(source.name, (corpus, set()))
            records.update(range(low, high))
        items: list[dict[str, Json]] = []
        for corpus, records in found.values():
            items += _items(corpus, sorted(records), quoter)
        first = next(iter(found.values()))[0]
        refs = len(set(self.refs))
        return Answer(
            summary=f"{len(items)} record{'s' * (len(items) != 1)} for {refs} ref{'s' * (refs != 1)}.",
            items=tuple(items),
            coverage=first.coverage(quoter),
        )

    def _by_page(self, desk: Desk) -> Answer:
        from logpith.answer import Answer

        selection = self.select(desk)
        quoter = desk.quoter()
        page = selection.in_time_order(self.offset, self.limit)
        more = len(selection) > self.offset + len(page)
        which = "records" if selection.chosen is None else "matching records"
        summary = f"{len(page)} of {len(selection):,} {which}, from number {self.offset + 1} on."
        if not page:
            summary = f"There are {len(selection):,} {which}" + (
                ", none at this offset." if len(selection) else "."
            )
        return Answer(
            summary=" ".join([summary, *selection.notes]),
            items=tuple(_items(selection.corpus, page, quoter)),
            coverage=selection.coverage(quoter),
            cursor=self.cursor_after(len(page)) if more else None,
            found=bool(page),
        )


def _items(corpus: Corpus, records: Sequence[int], quoter: Quoter) -> list[dict[str, Json]]:
    items: list[dict[str, Json]] = []
    for record, line in zip(records, corpus.evidence(records, quoter, _TEXT_WIDTH), strict=True):
        source = corpus.source_of(record)
        item: dict[str, Json] = {
            **({} if source.is_segment else {"line": source.line_of(record - source.first)}),
            "ref": line.ref,
            "source": line.source,
            "time": line.time,
            "severity": line.severity,
            "text": line.text,
        }
        if line.flag:
            item["flag"] = line.flag
        items.append(item)
    return items
