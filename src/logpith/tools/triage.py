"""triage: what broke of late, in one call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.triage import Broken, Triage
    from logpith.quote import Quoter
    from logpith.timerange import TimeRange

_TEXT_WIDTH = 130
_NAME_WIDTH = 60
_MOST_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class TriageTool(Tool):
    """What broke of late, across all services, worst first: new errors, spikes, used-up quotas, services gone silent,
    and who failed first. To see one thing closer use search_logs; for a whole file log_overview."""

    name: ClassVar[str] = "triage"
    command: ClassVar[str] = "triage"
    toolset: ClassVar[str] = "aggregate"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith triage   # of all that is collected",
        "logpith triage logs/ --since 2h",
    )

    since: str = "10m"
    """From when on; all before is what is usual."""

    until: str = ""
    """Only what was before then."""

    services: tuple[str, ...] = ()
    """Only what these services, or groups of them, have written."""

    budget: int = field(default=300, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """A row for each thing that broke, worst first."""
        from logpith.answer import Answer, Omitted
        from logpith.corpus.selection import check_filter, period_of
        from logpith.corpus.services import Services
        from logpith.corpus.triage import Triage

        check_filter("", self.since, self.until)
        corpus = desk.open(self.sources)
        services = Services(corpus, desk.groups)
        wanted = {name for asked in self.services for name in services.matching(asked)}
        period = period_of(corpus, self.since, self.until, desk.now_ns())
        triage = Triage(corpus, services, period)
        broken = [one for one in triage.broken if not self.services or one.service in wanted]
        quoter = desk.quoter()
        shown = broken[:_MOST_SHOWN]
        items = _items(triage, shown, quoter)
        return Answer(
            summary=_summary(triage, broken, period) + _of_undated(corpus.undated),
            items=tuple(items),
            coverage=corpus.coverage(quoter),
            omitted=Omitted.beyond_limit(len(broken) - len(shown)),
            next=_next_calls(items) or (("log_overview()",) if corpus.undated else ()),
            found=bool(broken),
        )


def _items(triage: Triage, shown: Sequence[Broken], quoter: Quoter) -> list[dict[str, Json]]:
    from logpith.corpus.sayings import sayings
    from logpith.scan.timestamps import NO_TIME
    from logpith.timerange import format_ns
    from logpith_emit.severity import severity_name

    records = [one.record for one in shown]
    said = sayings(triage.corpus, records) if records else []
    lines = triage.corpus.evidence(records, quoter, _TEXT_WIDTH)
    items: list[dict[str, Json]] = []
    for one, line, text in zip(shown, lines, said, strict=True):
        item: dict[str, Json] = {
            "what": one.what,
            "count": one.count,
            "severity": severity_name(one.severity),
            "service": quoter.quote(one.service, _NAME_WIDTH),
            "since": "" if one.since_ns == NO_TIME else format_ns(one.since_ns),
            "why": "; ".join(one.reasons),
            "left": str(one.quota) if one.quota else "",
            "ref": line.ref,
            "text": quoter.quote(text, _TEXT_WIDTH),
        }
        if line.flag:
            item["flag"] = line.flag
        items.append({name: value for name, value in item.items() if value not in ("", None)})
    return items


def _summary(triage: Triage, broken: Sequence[Broken], period: TimeRange) -> str:
    import re
    from collections import Counter

    from logpith.timerange import format_ns, format_s

    if not len(triage.corpus):
        return "There are no lines here."
    since = f" since {format_s(period.start_ns)}" if period.start_ns is not None else ""
    counts: Counter[str] = Counter(one.what for one in broken)
    told = [
        f"{counts[what]:,} {words}"
        for what, words in (
            ("new", "new"),
            ("up", "more frequent"),
            ("spike", "spiking"),
            ("errors", "with more errors"),
            ("silent", "gone silent"),
            ("drop", "rarer"),
            ("gap", "missing"),
            ("quota", f"quota event{'s' * (counts['quota'] != 1)}"),
            ("still", "going on as before"),
        )
        if counts[what]
    ]
    lines = f"{counted(len(triage.inside), 'line')}{since}"
    if not told:
        return f"{lines}: nothing broke."
    first = triage.first
    began = ""
    if first is not None and first in broken:
        # A service is named by its logs, so a name that is more than a name is not repeated here.
        is_plain = re.fullmatch(r"[\w.@/-]{1,48}", first.service) is not None
        who = first.service if is_plain else f"row {broken.index(first) + 1}"
        began = f" First to fail: {who}, at {format_ns(first.since_ns)}."
    return f"{lines}: {', '.join(told)}.{began}"


def _of_undated(records: int) -> str:
    """Without a time nobody can tell what of it is new."""
    if not records:
        return ""
    return f" {records:,} record{'s say' if records > 1 else ' says'} no time, so what is new of that is not known."


def _next_calls(items: Sequence[Mapping[str, Json]]) -> tuple[str, ...]:
    return (f'log_fetch(refs=["{items[0]["ref"]}"], before=5, after=5)',) if items else ()
