"""system_overview: how everything is at the moment, at a glance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.states import SourceState
    from logpith.corpus.triage import Broken, Triage
    from logpith.quote import Quoter

_TEXT_WIDTH = 80
_NAME_WIDTH = 40
_FEWEST_BROKEN = 2
_MOST_BROKEN = 3
_MOST_SERVICES = 6
_MOST_QUOTAS = 2
_MOST_SOURCES = 8


@dataclass(frozen=True, kw_only=True)
class StatusTool(Tool):
    """How everything is right now, at a glance: what broke, new errors first, errors by service, allowances that run
    out, sources that cannot be read. For more of what broke use triage."""

    name: ClassVar[str] = "system_overview"
    command: ClassVar[str] = "status"
    toolset: ClassVar[str] = "observe"
    examples: ClassVar[tuple[str, ...]] = ("logpith status", "logpith status --since 1h logs/")
    aliases: ClassVar[Mapping[str, str]] = {**Tool.aliases, "time_range": "since"}

    since: str = "10m"
    """From when on."""

    budget: int = field(default=300, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """A row for each thing that broke, and one each for errors by service and for the sources."""
        from logpith.answer import Answer, Omitted
        from logpith.corpus.selection import check_filter, period_of
        from logpith.corpus.services import Services
        from logpith.corpus.triage import Triage
        from logpith_emit.severity import ERROR, WARN

        check_filter("", self.since, "")
        corpus = desk.open(self.sources)
        services = Services(corpus, desk.groups)
        triage = Triage(corpus, services, period_of(corpus, self.since, "", desk.now_ns()))
        bad = [one for one in triage.broken if one.severity >= WARN or one.quota or one.what == "silent"]
        # What is new and an error comes first, however much has gone wrong for long.
        broken = sorted(bad, key=lambda one: not (one.what == "new" and one.severity >= ERROR))
        states = sorted(desk.states(), key=lambda state: not state.is_failing)
        quoter = desk.quoter()
        errors = _errors(triage)
        rows = list(_broken_items(triage, broken[:_MOST_BROKEN], quoter))
        items = [
            *rows[:_FEWEST_BROKEN],
            *_error_items(errors, quoter),
            *_quota_items(broken[_FEWEST_BROKEN:], quoter),
            *_source_items(states, quoter),
            *rows[_FEWEST_BROKEN:],
        ]
        return Answer(
            summary=_summary(triage, broken, errors, states),
            items=tuple(items),
            coverage=corpus.coverage(quoter),
            omitted=Omitted.beyond_limit(len(broken) - len(rows)),
            next=("triage()",) if len(broken) > _MOST_BROKEN else (),
            found=len(corpus) > 0 or bool(states),
        )


def _broken_items(triage: Triage, shown: Sequence[Broken], quoter: Quoter) -> Iterator[dict[str, Json]]:
    from logpith.corpus.sayings import sayings

    records = [one.record for one in shown]
    said = sayings(triage.corpus, records) if records else []
    lines = triage.corpus.evidence(records, quoter, _TEXT_WIDTH)
    for one, line, text in zip(shown, lines, said, strict=True):
        item: dict[str, Json] = {
            "kind": "broken",
            "what": one.what,
            "count": one.count,
            "service": quoter.quote(one.service, _NAME_WIDTH),
            "ref": line.ref,
            "text": quoter.quote(text, _TEXT_WIDTH),
            "left": str(one.quota) if one.quota else "",
        }
        if line.flag:
            item["flag"] = line.flag
        yield {name: value for name, value in item.items() if value != ""}


def _errors(triage: Triage) -> dict[str, int]:
    """Errors of the period by service, the one with the most first."""
    import numpy as np

    from logpith_emit.severity import ERROR

    inside, services = triage.inside, triage.services
    failed = inside[triage.corpus.severity[inside] >= ERROR]
    counts = np.bincount(services.of(failed), minlength=len(services.names))
    order = np.argsort(-counts, kind="stable").tolist()
    return {services.names[place]: int(counts[place]) for place in order if counts[place]}


def _error_items(errors: Mapping[str, int], quoter: Quoter) -> Iterator[dict[str, Json]]:
    if errors:
        told = list(errors.items())
        shown = {quoter.quote(name, _NAME_WIDTH) or "unknown": count for name, count in told[:_MOST_SERVICES]}
        others = sum(count for _, count in told[_MOST_SERVICES:])
        yield {"kind": "errors", "services": {**shown, **({"others": others} if others else {})}}


def _quota_items(broken: Sequence[Broken], quoter: Quoter) -> Iterator[dict[str, Json]]:
    """The allowances whose rows may not be shown."""
    told = {(one.service, str(one.quota)) for one in broken if one.quota}
    for service, left in sorted(told)[:_MOST_QUOTAS]:
        yield {"kind": "quota", "service": quoter.quote(service, _NAME_WIDTH), "left": left}


def _source_items(states: Sequence[SourceState], quoter: Quoter) -> Iterator[dict[str, Json]]:
    """How the sources of the settings are; why one fails stands in the coverage."""
    by_state: dict[str, Json] = {}
    for state in ("failing", "not read yet", "ok"):
        names = [quoter.quote(one.name, _NAME_WIDTH) for one in states if _state(one) == state]
        more = [f"{len(names) - _MOST_SOURCES} more"] if len(names) > _MOST_SOURCES else []
        if names:
            by_state[state] = [*names[:_MOST_SOURCES], *more]
    if by_state:
        yield {"kind": "sources", **by_state}
    lossy = {
        "lost before they could be read": [
            f"{quoter.quote(one.name, _NAME_WIDTH)}: {', '.join(f'{count:,} {why}' for why, count in one.lost.items())}"
            for one in states
            if one.lost
        ],
        "older than is kept, so they go; raise retention": [
            f"{quoter.quote(one.name, _NAME_WIDTH)}: {counted(one.old, 'record')}"
            for one in states
            if one.old
        ],
    }
    for what, told in lossy.items():
        if told:
            more = [f"{len(told) - _MOST_SOURCES} more"] if len(told) > _MOST_SOURCES else []
            yield {"kind": "losses", "what": what, "sources": [*told[:_MOST_SOURCES], *more]}


def _state(source: SourceState) -> str:
    return "failing" if source.is_failing else "ok" if source.success_ns else "not read yet"


def _summary(
    triage: Triage, broken: Sequence[Broken], errors: Mapping[str, int], states: Sequence[SourceState]
) -> str:
    from logpith.timerange import format_s

    period = triage.period
    since = f" since {format_s(period.start_ns)}" if period.start_ns is not None else ""
    parts = [f"{counted(len(triage.inside), 'line')}{since}: {counted(sum(errors.values()), 'error')}"]
    if errors:
        parts[0] += f" of {counted(len(errors), 'service')}"
    new = sum(one.what == "new" for one in broken)
    parts[0] += f", {counted(len(broken), 'thing')} broke, {new:,} of them new." if broken else "."
    if states:
        failing = sum(state.is_failing for state in states)
        parts.append(f"{counted(len(states), 'source')}, {failing or 'none'} of them failing.")
    return " ".join(parts)
