"""system_overview: how everything is at the moment, at a glance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.states import SourceState
    from logpith.corpus.triage import Broken, Triage
    from logpith.quote import Quoter

_TEXT_WIDTH = 90
_NAME_WIDTH = 40
_PROBLEM_WIDTH = 80
_MOST_BROKEN = 3
_MOST_SERVICES = 5
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
        """A row for each thing that broke, each service with errors, each allowance and each source."""
        from logpith.answer import Answer
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
        errors = list(_error_items(triage, quoter))
        items = [
            *_broken_items(triage, broken[:_MOST_BROKEN], quoter),
            *errors[:_MOST_SERVICES],
            *_quota_items(broken, quoter),
            *_source_items(states, desk.now_ns(), quoter),
        ]
        return Answer(
            summary=_summary(triage, broken, len(errors), states),
            items=tuple(items),
            coverage=corpus.coverage(quoter),
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
        }
        if line.flag:
            item["flag"] = line.flag
        yield item


def _error_items(triage: Triage, quoter: Quoter) -> Iterator[dict[str, Json]]:
    """Each service with errors, the one with the most first."""
    import numpy as np

    from logpith_emit.severity import ERROR

    inside = triage.inside
    failed = inside[triage.corpus.severity[inside] >= ERROR]
    counts = np.bincount(triage.services.of(failed), minlength=len(triage.services.names))
    for place in np.argsort(-counts, kind="stable").tolist():
        if counts[place]:
            name = quoter.quote(triage.services.names[place], _NAME_WIDTH) or "unknown"
            yield {"kind": "errors", "service": name, "errors": int(counts[place])}


def _quota_items(broken: Sequence[Broken], quoter: Quoter) -> Iterator[dict[str, Json]]:
    told = {(one.service, str(one.quota)) for one in broken if one.quota}
    for service, left in sorted(told)[:_MOST_QUOTAS]:
        yield {"kind": "quota", "service": quoter.quote(service, _NAME_WIDTH), "left": left}


def _source_items(states: Sequence[SourceState], now_ns: int, quoter: Quoter) -> Iterator[dict[str, Json]]:
    """Each source of the settings, those that cannot be read first."""
    from logpith.timerange import format_span

    for state in states[:_MOST_SOURCES]:
        age = format_span(max(now_ns - state.success_ns, 0)) if state.success_ns else "never"
        item: dict[str, Json] = {
            "kind": "source",
            "name": quoter.quote(state.name, _NAME_WIDTH),
            "state": "failing" if state.is_failing else "ok" if state.success_ns else "not read yet",
            "read_ago": age,
        }
        if state.is_failing:
            item["problem"] = quoter.quote(state.problem, _PROBLEM_WIDTH)
        yield item


def _summary(
    triage: Triage, broken: Sequence[Broken], failing_services: int, states: Sequence[SourceState]
) -> str:
    from logpith.timerange import format_s
    from logpith_emit.severity import ERROR

    period, inside = triage.period, triage.inside
    errors = int((triage.corpus.severity[inside] >= ERROR).sum()) if len(inside) else 0
    since = f" since {format_s(period.start_ns)}" if period.start_ns is not None else ""
    parts = [f"{len(inside):,} lines{since}: {errors:,} error{'s' * (errors != 1)}"]
    if failing_services:
        parts[0] += f" of {failing_services} service{'s' * (failing_services != 1)}"
    new = sum(one.what == "new" for one in broken)
    parts[0] += (
        f", {len(broken):,} thing{'s' * (len(broken) != 1)} broke, {new:,} of them new." if broken else "."
    )
    failing = sum(state.is_failing for state in states)
    if states:
        parts.append(f"{len(states)} source{'s' * (len(states) != 1)}, {failing or 'none'} of them failing.")
    return " ".join(parts)
