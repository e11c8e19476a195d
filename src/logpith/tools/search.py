"""search_logs: what was said about something, by anyone, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from logpith.tools import FilteredTool, none_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.hits import Hit
    from logpith.corpus.records import Corpus
    from logpith.corpus.services import Services
    from logpith.query import Query
    from logpith.quote import Quoter
    from logpith.timerange import TimeRange

_TEXT_WIDTH = 116
_READ_WIDTH = 4000
_NAME_WIDTH = 60
_MOST_NAMES = 8
_MOST_OF_A_HIT = 3
_BEGIN = "begin"


@dataclass(frozen=True, kw_only=True)
class SearchTool(FilteredTool):
    """Search all services at once: matches newest first, alike lines folded into one hit with its count and newest
    line, and how many there are by service and severity. For one request or call use get_call_logs; for what broke
    just now triage."""

    name: ClassVar[str] = "search_logs"
    command: ClassVar[str] = "search"
    toolset: ClassVar[str] = "aggregate"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith search 'error OR quota OR failed' --since 10m   # in all that is collected",
        "logpith search connection_refused logs/ --services gateway",
        "logpith search --meaning 'ran out of credits' logs/",
    )
    positional: ClassVar[tuple[str, ...]] = ("query", "sources")
    flags: ClassVar[Mapping[str, str]] = {"limit": "n"}
    aliases: ClassVar[Mapping[str, str]] = {**FilteredTool.aliases, "service": "services"}

    services: tuple[str, ...] = ()
    """Only what these services, or groups of them, have written."""

    level: str = ""
    """Only this severity and worse: error."""

    meaning: str = ""
    """Rank by what lines mean, in your own words: ran out of credits."""

    limit: int = field(default=20, metadata={"minimum": 1, "most": 200})
    """Most hits to show, up to 200."""

    cursor: str = ""
    """Where the answer before has ended."""

    highlight: bool = False
    """Tell where the words stand in each line."""

    budget: int = field(default=500, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """One row with the counts, then the hits."""
        from logpith.answer import Answer
        from logpith.corpus.hits import fold_hits
        from logpith.corpus.select import read_query, select, unknown_fields
        from logpith.corpus.selection import check_filter
        from logpith.corpus.services import Services
        from logpith.query import all_of

        wanted = self._wanted_severity()
        start = _Cursor.read(self.cursor)
        check_filter(self.query, self.since, self.until)
        corpus = desk.open(self.sources)
        now_ns = desk.now_ns()
        reading = read_query(corpus, self.query, now_ns)
        period = self._period(corpus, start, now_ns)
        services = Services(corpus, desk.groups)
        query = all_of([reading.query, *wanted])
        matching = services.chosen(select(corpus, query, period), self.services)
        matching = matching if start is None else start.here_then(corpus, matching)
        hits = fold_hits(corpus, matching, services)
        notes = reading.notes
        if self.meaning and hits:
            hits, told = _by_meaning(corpus, hits, self.meaning, desk)
            notes = (*notes, *told)
            matching = _only(corpus, matching, hits)
        if not len(matching):
            notes = (*notes, *unknown_fields(corpus, query))
        quoter = desk.quoter()
        left = hits if start is None else start.behind(corpus, hits)
        shown = left[: self.limit]
        counts = [_counts_item(corpus, matching, services, quoter)] if len(matching) and not start else []
        items = counts + self._hit_items(corpus, shown, reading.query, quoter)
        behind = [_Cursor.after(corpus, hit, period, start) for hit in [*([None] * len(counts)), *shown]]
        cursors = [cursor.spelled() for cursor in behind]
        more = len(left) > len(shown)
        summary = self._summary(corpus, len(matching), len(hits), len(shown), period, now_ns)
        return Answer(
            summary=" ".join([summary, *notes]),
            items=tuple(items),
            coverage=corpus.coverage(quoter),
            cursor=cursors[-1] if shown and more else None,
            cursors=tuple(cursors),
            next=self._next_calls(shown, str(items[len(counts)]["ref"]) if shown else ""),
            found=len(matching) > 0,
        )

    def _period(self, corpus: Corpus, start: _Cursor | None, now_ns: int) -> TimeRange:
        """What was asked for; on a later page what that meant on the first."""
        from logpith.corpus.selection import period_of
        from logpith.timerange import TimeRange

        if start is None:
            return period_of(corpus, self.since, self.until, now_ns)
        return TimeRange(start.start_ns, start.end_ns) if self.since or self.until else TimeRange()

    def _wanted_severity(self) -> tuple[Query, ...]:
        from logpith.query import Comparison
        from logpith_emit.errors import BadArgument
        from logpith_emit.severity import BANDS, severity_number

        if not self.level:
            return ()
        if not severity_number(self.level):
            raise BadArgument(
                "the level is none that is known", remedy=f"Write one of {', '.join(BANDS[1:])}"
            )
        return (Comparison("level", ">=", self.level),)

    def _hit_items(
        self, corpus: Corpus, hits: Sequence[Hit], query: Query, quoter: Quoter
    ) -> list[dict[str, Json]]:
        from logpith.corpus.quota import quota_in
        from logpith.corpus.sayings import sayings
        from logpith.query.spans import excerpt, find_spans

        items = []
        records = [hit.newest for hit in hits]
        said = sayings(corpus, records) if records else []
        for hit, line, saying in zip(hits, corpus.evidence(records, quoter, _READ_WIDTH), said, strict=True):
            whole = quoter.quote(saying, _READ_WIDTH)
            if find_spans(query, line.text) and not find_spans(query, whole):
                whole = line.text  # what matches stands in the header, or under a key that is a column
            spans = find_spans(query, whole)
            text = excerpt(whole, spans[0] if spans else (0, 0), _TEXT_WIDTH)
            item = _hit_item(corpus, hit, quoter)
            item |= {"ref": line.ref, "text": text}
            quota = quota_in(line.text)
            if quota is not None:
                item["left"] = str(quota)
            if line.flag:
                item["flag"] = line.flag
            if self.highlight:
                item["highlights"] = [list(span) for span in find_spans(query, text)]
            items.append(item)
        return items

    def _summary(
        self, corpus: Corpus, total: int, hits: int, shown: int, period: TimeRange, now_ns: int
    ) -> str:
        when = _period_in_words(self.since, self.until, corpus, period, now_ns)
        if not len(corpus):
            return "There are no lines here."
        if not total:
            undated = corpus.undated if when else 0
            many = f"{undated:,} record{'s say' if undated != 1 else ' says'}"
            return f"{none_of(len(corpus))}{when}." + f" {many} no time, so no period has them." * bool(
                undated
            )
        order = "nearest in meaning first" if self.meaning else "newest first"
        folded = f"{hits:,} hits" if hits != 1 else "1 hit"
        told = f"{total:,} match{'es' * (total != 1)} in {folded}{when}, {order}"
        return f"{told}; {shown:,} shown." if shown < hits else f"{told}."

    def _next_calls(self, shown: Sequence[Hit], ref: str) -> tuple[str, ...]:
        import re

        if shown:
            return (f'log_fetch(refs=["{ref}"], before=5, after=5)',)
        if self.query and re.fullmatch(r"\w{2,40}", self.query):
            # `refused` is no whole word of `connection_refused`.
            return (replace(self, query=f"{self.query}*").call("search_logs"), "log_overview()")
        return ("log_overview()",)


@dataclass(frozen=True)
class _Cursor:
    """How far an answer has come. What has come in since the first page belongs to none of the later ones."""

    start_ns: int | None
    end_ns: int | None
    last_ns: int
    template: str

    @classmethod
    def after(cls, corpus: Corpus, hit: Hit | None, period: TimeRange, before: _Cursor | None) -> _Cursor:
        """Behind a hit that was found in a period; without one before all of them."""
        span = corpus.span_ns
        ends = [period.end_ns, before.end_ns if before else span[1] + 1 if span else None]
        end = min((moment for moment in ends if moment is not None), default=None)
        if hit is None:
            return cls(period.start_ns, end, 0, _BEGIN)
        return cls(period.start_ns, end, hit.last_ns, _id_of(corpus, hit))

    def spelled(self) -> str:
        """As it is handed back."""
        moments = (self.start_ns, self.end_ns, self.last_ns)
        return "cursor=" + ".".join([*("o" if one is None else f"{one:x}" for one in moments), self.template])

    @classmethod
    def read(cls, text: str) -> _Cursor | None:
        """The cursor that was handed back; None for none.

        Raises:
            BadArgument: this is none.
        """
        import re

        from logpith_emit.errors import BadArgument

        if not text:
            return None
        moment = "(-?[0-9a-f]{1,16}|o)"
        match = re.fullmatch(
            rf"(?:cursor=)?{moment}\.{moment}\.{moment}\.([0-9a-f]{{12}}|other|{_BEGIN})", text.strip()
        )
        if match is None:
            raise BadArgument(
                "this is no cursor of search_logs",
                remedy="Copy it from the answer before, and give the same arguments beside it",
            )
        start, end, last = (None if part == "o" else int(part, 16) for part in match.groups()[:3])
        return cls(start, end, last or 0, match[4])

    def here_then(self, corpus: Corpus, matching: NDArray[np.int64]) -> NDArray[np.int64]:
        """The records that were there for the first page."""
        from logpith.corpus.some import Some
        from logpith.scan.timestamps import NO_TIME

        times = Some(corpus, matching).time_ns
        return matching if self.end_ns is None else matching[(times < self.end_ns) | (times == NO_TIME)]

    def behind(self, corpus: Corpus, hits: list[Hit]) -> list[Hit]:
        """The hits that come after the one that was shown last."""
        if self.template == _BEGIN:
            return hits
        for place, hit in enumerate(hits):
            if _id_of(corpus, hit) == self.template:
                return hits[place + 1 :]
        return [hit for hit in hits if hit.last_ns < self.last_ns]


def _id_of(corpus: Corpus, hit: Hit) -> str:
    return corpus.templates.templates[hit.template].id if hit.template >= 0 else "other"


def _hit_item(corpus: Corpus, hit: Hit, quoter: Quoter) -> dict[str, Json]:
    from logpith.corpus.hits import NO_TEMPLATE
    from logpith.scan.timestamps import NO_TIME
    from logpith.timerange import format_s
    from logpith_emit.severity import severity_name

    template = None if hit.template == NO_TEMPLATE else corpus.templates.templates[hit.template]
    services = [quoter.quote(name, _NAME_WIDTH) for name in hit.services[:_MOST_OF_A_HIT]]
    more = len(hit.services) - len(services)
    item: dict[str, Json] = {
        "count": hit.count,
        "severity": severity_name(hit.worst),
        "service": ", ".join(services) + (f" and {more:,} more" if more else ""),
    }
    if hit.last_ns != NO_TIME:
        if hit.count > 1:
            item["first"] = format_s(hit.first_ns)
        item["last"] = format_s(hit.last_ns)
    if template is not None and hit.count > 1:
        item["id"] = template.id
    return item


def _counts_item(
    corpus: Corpus, matching: NDArray[np.int64], services: Services, quoter: Quoter
) -> dict[str, Json]:
    """How many matches there are by service and by severity; each adds up to all."""
    import numpy as np

    from logpith.corpus.hits import counts_by_name
    from logpith.corpus.some import Some
    from logpith_emit.severity import BANDS, band

    by_service = counts_by_name(services.of(matching), services.names)
    named = list(by_service.items())
    told: dict[str, Json] = {
        quoter.quote(name, _NAME_WIDTH) or "unknown": count for name, count in named[:_MOST_NAMES]
    }
    if len(named) > _MOST_NAMES:
        told["others"] = sum(count for _, count in named[_MOST_NAMES:])
    by_number = np.bincount(Some(corpus, matching).severity, minlength=25).tolist()
    by_severity: dict[str, Json] = {}
    for number in range(24, -1, -1):
        if by_number[number]:
            name = BANDS[band(number)] or "unknown"
            by_severity[name] = int(str(by_severity.get(name, 0))) + by_number[number]
    return {"kind": "counts", "services": told, "severities": by_severity}


def _only(corpus: Corpus, matching: NDArray[np.int64], hits: Sequence[Hit]) -> NDArray[np.int64]:
    """The matching records of these hits."""
    import numpy as np

    from logpith.corpus.some import Some

    wanted = np.zeros(len(corpus.templates.templates) + 1, np.bool_)
    wanted[[hit.template for hit in hits]] = True
    return matching[wanted[Some(corpus, matching).template]]


def _by_meaning(
    corpus: Corpus, hits: Sequence[Hit], meaning: str, desk: Desk
) -> tuple[list[Hit], tuple[str, ...]]:
    """The hits whose templates are near to what was meant, nearest first; and what to tell about the ranking."""
    from logpith.corpus.meaning import rank_templates

    templates = corpus.templates.templates
    by_place = {hit.template: hit for hit in hits if hit.template >= 0}
    places = list(by_place)
    ranking = rank_templates([templates[place].typed for place in places], meaning, desk.embedding)
    return [by_place[places[place]] for place in ranking.places], ranking.notes


def _period_in_words(since: str, until: str, corpus: Corpus, period: TimeRange, now_ns: int) -> str:
    """` since TIME (10m before the last record)`: from what a span was counted back is worth telling."""
    from logpith.timerange import format_s, parse_time

    told = ""
    if since and period.start_ns is not None:
        told = f" since {format_s(period.start_ns)}"
        if parse_time(since, now_ns=0, end_ns=0) <= 0:
            from_now = parse_time(since, now_ns=now_ns) == period.start_ns
            told += " (counted back from now)" if from_now else " (counted back from the last record)"
    if until and period.end_ns is not None:
        told += f" until {format_s(period.end_ns)}"
    return told
