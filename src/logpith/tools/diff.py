"""log_diff: what is different now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import FilteredTool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from logpith.answer import Answer, Evidence, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.difference import Difference
    from logpith.corpus.selection import Selection
    from logpith.corpus.sides import Sides
    from logpith.quote import Quoter
    from logpith.scan.buckets import SideTally
    from logpith.templates.mine import Template

_MOST_TOLD = 40
_MOST_PROVEN = 5
_TWO = 2
_TEMPLATE_WIDTH = 140
_EVIDENCE_WIDTH = 180


@dataclass(frozen=True, kw_only=True)
class DiffTool(FilteredTool):
    """What changed between two periods or two sets of sources: templates new, gone, more or less frequent beyond
    chance, worst first. When something happened: log_timeline."""

    name: ClassVar[str] = "log_diff"
    command: ClassVar[str] = "diff"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith diff app.log --since 1h",
        "logpith diff app.log --since 2026-11-20T13:45 --until 2026-11-20T14:00 --baseline ..2026-11-20T13:45",
        "logpith diff today.log --baseline yesterday.log",
    )

    flags: ClassVar[Mapping[str, str]] = {"query": "q", "baseline": "b"}

    baseline: str = "previous"
    """`previous` (as long just before `since`; without `since`, the last tenth against all before), a period
    (end-4h..end-2h, ..2026-11-20T10:00), or a file or glob."""

    budget: int = field(default=1200, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """Differences, worst first; of the first ones a record each as proof."""
        from logpith.answer import Answer, Omitted
        from logpith.corpus.difference import find_differences, typical_growth
        from logpith.scan.buckets import count_sides

        quoter = desk.quoter()
        sides = self._sides(desk)
        selection = sides.selection
        groups, severity = _groups(selection)
        tally = count_sides(groups, len(severity), sides.side, selection.time_ns)
        before, now = tally.count
        totals = sides.counts()
        if not all(totals):
            return Answer(
                summary=_one_sided(sides, totals),
                coverage=selection.coverage(quoter),
                found=False,
                next=("log_timeline()",),
            )
        growth = typical_growth(before, now)
        differences = find_differences(before, now, growth, severity)
        differences.sort(key=lambda one: (-_weight(sides, one, severity[one.group]), one.group))
        items, evidence = _items(sides, tally, differences[:_MOST_TOLD], severity, quoter)
        return Answer(
            summary=_summary(sides, totals, growth, differences, groups=int(((before + now) > 0).sum()))
            + self._of_two_files(),
            items=items,
            evidence=evidence,
            coverage=selection.coverage(quoter),
            omitted=Omitted.beyond_limit(len(differences) - len(items)),
            next=_next_calls(items, evidence),
            found=bool(differences),
        )

    def _of_two_files(self) -> str:
        """What to tell who names two files, and perhaps wants one compared with the other."""
        if len(self.sources) != _TWO or self.baseline != "previous" or self.since or self.until:
            return ""
        return " Both are read as one log; to compare them with each other, give one of them as `baseline`."

    def _sides(self, desk: Desk) -> Sides:
        """What is to be compared.

        Raises:
            BadArgument, NotFound, Refused: it cannot be read; a mistake is told before a large file is.
        """
        from logpith.corpus.selection import check_filter, select_records
        from logpith.corpus.sides import PREVIOUS, names_period, read_period, sides_by_source, sides_in_time
        from logpith.timerange import parse_range

        check_filter(self.query, self.since, self.until)
        baseline = self.baseline.strip()
        in_time = baseline in ("", PREVIOUS) or names_period(baseline)
        if not in_time:
            before = desk.names_of([baseline])
            now = desk.names_of(self.sources)
            corpus = desk.open((*(self.sources or sorted(now)), baseline))
            chosen = select_records(corpus, self.query, self.since, self.until, desk.now_ns())
            return sides_by_source(chosen, before, now)
        corpus = desk.open(self.sources)
        span = corpus.span_ns
        now_ns, end_ns = desk.now_ns(), span[1] if span else None
        period = read_period(baseline, now_ns=now_ns, end_ns=end_ns) if names_period(baseline) else None
        chosen = select_records(corpus, self.query, "", "", desk.now_ns())
        return sides_in_time(
            chosen, period, parse_range(self.since, self.until, now_ns=now_ns, end_ns=end_ns)
        )


def _groups(selection: Selection) -> tuple[NDArray[np.int32], list[int]]:
    """The group of each record and the severity of each group: its template, or where a template has records that are
    bad and records that are not, the bad ones apart, behind all templates. They may come while all others stay."""
    import numpy as np

    from logpith.scan.tally import typical_severity
    from logpith_emit.severity import WARN

    tally, templates = selection.tally, len(selection.corpus.templates.templates)
    bad = tally.severities.copy()
    bad[:, :WARN] = 0
    is_mixed = (bad.sum(axis=1) > 0) & (bad.sum(axis=1) < tally.count)
    if not is_mixed.any():
        return selection.template, tally.typical_severity.tolist()
    rest = np.where(is_mixed[:, None], tally.severities - bad, tally.severities)
    apart = np.append(is_mixed, False)[selection.template] & (selection.severity >= WARN)
    groups = np.where(apart, selection.template + np.int32(templates), selection.template)
    return groups, [*typical_severity(rest).tolist(), *typical_severity(bad).tolist()]


def _weight(sides: Sides, difference: Difference, severity: int) -> float:
    """How much it deserves a look: how bad it is and how surprising; what has come matters more than what went."""
    from logpith.corpus.judging import failure_words
    from logpith_emit.severity import ERROR, FATAL, WARN

    bad = next((bits for least, bits in ((FATAL, 7.0), (ERROR, 4.0), (WARN, 2.5)) if severity >= least), 0.0)
    if failure_words(_template_of(sides, difference.group).text):
        bad += 1.5
    surprise = min(9.0, difference.bits / 4)
    return bad + surprise if difference.verdict in ("new", "up") else (bad + surprise) / 3


def _template_of(sides: Sides, group: int) -> Template:
    templates = sides.selection.corpus.templates.templates
    return templates[group % len(templates)]


def _items(
    sides: Sides,
    tally: SideTally,
    differences: Sequence[Difference],
    severity: Sequence[int],
    quoter: Quoter,
) -> tuple[tuple[dict[str, Json], ...], tuple[Evidence, ...]]:
    """A row for each difference, and the records that the first rows name."""
    from logpith_emit.severity import severity_name

    selection = sides.selection
    corpus = selection.corpus
    # What is there now is shown by its first record, what is no more by its last.
    places = [
        int(tally.last[0, one.group] if one.verdict == "gone" else tally.first[1, one.group])
        for one in differences
    ]
    records = [selection.record(place) for place in places]
    lines = corpus.evidence(records, quoter, _EVIDENCE_WIDTH)
    items: list[dict[str, Json]] = []
    for one, record, line in zip(differences, records, lines, strict=True):
        template = _template_of(sides, one.group)
        moment = "last" if one.verdict == "gone" else "first"
        items.append(
            {
                "id": template.id,
                "verdict": one.verdict,
                "before": one.before,
                "now": one.now,
                "ratio": float(f"{one.ratio:.2g}") if one.verdict in ("up", "down") else None,
                "severity": severity_name(severity[one.group]),
                moment: corpus.time_text(record),
                "template": quoter.quote(template.typed, _TEMPLATE_WIDTH),
                "refs": [line.ref],
            }
        )
    return tuple(items), lines[:_MOST_PROVEN]


def _one_sided(sides: Sides, totals: tuple[int, int]) -> str:
    if not any(totals):
        return f"There are no records to compare: {sides.told}."
    empty = "before" if not totals[0] else "now"
    return f"There are no records {empty}, so there is nothing to compare: {sides.told}."


def _summary(
    sides: Sides, totals: tuple[int, int], growth: float, differences: Sequence[Difference], groups: int
) -> str:
    from collections import Counter

    before, now = totals
    verdicts = Counter[str](one.verdict for one in differences)
    words = {"new": "new", "gone": "gone", "up": "more frequent", "down": "less frequent"}
    told = ", ".join(f"{verdicts[verdict]} {word}" for verdict, word in words.items() if verdicts[verdict])
    parts = [f"{sides.told}: {counted(now, 'record')} against {before:,}."]
    parts.append(
        f"Of {counted(groups, 'template')} {told}."
        if told
        else f"None of {counted(groups, 'template')} differs beyond chance."
    )
    if volume := _volume_text(sides, growth):
        parts.append(volume)
    return " ".join([*parts, *sides.selection.notes])


def _volume_text(sides: Sides, growth: float) -> str:
    """That everything has become more or less frequent: one change, which is in no row."""
    if sides.lengths_ns is None:
        return f"The typical template has {growth:.2g} times as many records; `ratio` is beyond that."
    length_before, length_now = sides.lengths_ns
    rate = growth * length_before / length_now
    if 0.5 < rate < 2:
        return ""
    return f"The typical template is {rate:.2g} times as frequent as it was; `ratio` is beyond that."


def _next_calls(items: Sequence[Mapping[str, Json]], evidence: Sequence[Evidence]) -> tuple[str, ...]:
    if not items:
        return ("log_timeline()",)
    return (
        f'log_fetch(refs=["{evidence[0].ref}"], before=5, after=5)',
        f'log_timeline(cluster_id="{items[0]["id"]}")',
    )
