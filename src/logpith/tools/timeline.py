"""log_timeline: how many, when; and when it was not as usual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from logpith.tools import FilteredTool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from logpith.answer import Answer, Evidence, Json
    from logpith.corpus.anomalies import Episode
    from logpith.corpus.desk import Desk
    from logpith.corpus.selection import Selection
    from logpith.corpus.timeline import Timeline
    from logpith.quote import Quoter

_MOST_TOLD = 5
_MOST_PROVEN = 3
_MOST_RISEN = 3
_TEMPLATE_WIDTH = 100
_EVIDENCE_WIDTH = 140
# A bar that is longer than ten usual ones is cut, or all others would be too short to compare.
_USUAL_BARS = 10


@dataclass(frozen=True, kw_only=True)
class TimelineTool(FilteredTool):
    """Records and errors over time, with spikes, drops and gaps marked, and what rose in a spike: of all, a query or
    a cluster. What differs between two periods: log_diff."""

    name: ClassVar[str] = "log_timeline"
    command: ClassVar[str] = "timeline"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith timeline app.log",
        "logpith timeline app.log --query 'level>=error' --since 2h",
        "logpith timeline 'logs/*.log' --cluster-id 229102aac66f --buckets 40",
    )

    cluster_id: str = ""
    """Only this cluster: an id of log_cluster or log_overview, or its beginning."""

    buckets: int = field(default=24, metadata={"minimum": 10, "maximum": 40})
    """About how many."""

    method: Literal["robust", "sigma"] = "robust"
    """What is a spike: robust (medians), or sigma (mean + 2 sigma: noisy)."""

    ascii: bool = False
    """Draw bars with # only."""

    budget: int = field(default=600, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """One row a bucket, in time; then what rose within the spikes, with the first record of each as proof."""
        from logpith.answer import Answer
        from logpith.corpus.anomalies import find_episodes
        from logpith.corpus.clusters import check_cluster_id
        from logpith.corpus.selection import period_of
        from logpith.corpus.timeline import timeline_of

        if self.cluster_id:
            check_cluster_id(self.cluster_id)
        selection, of_what = self._of_cluster(self.select(desk))
        quoter = desk.quoter()
        period = period_of(selection.corpus, self.since, self.until, desk.now_ns())
        timeline = timeline_of(selection, period, self.buckets)
        if timeline is None or timeline.undated == len(selection):
            return Answer(
                summary=_nothing(selection, of_what),
                coverage=selection.coverage(quoter),
                found=False,
                next=("log_overview()",),
            )
        episodes = find_episodes(timeline.counts, timeline.whole, self.method)
        of_errors = find_episodes(timeline.errors, timeline.whole, self.method)
        error_spikes = [
            errors
            for errors in of_errors
            if errors.kind == "spike" and not any(_overlap(errors, known) for known in episodes)
        ]
        marks = _marks(timeline, episodes, error_spikes)
        risen, evidence = _risen(selection, timeline, episodes, error_spikes, quoter)
        return Answer(
            summary=_summary(selection, of_what, timeline, episodes, error_spikes),
            items=(*_bucket_items(timeline, marks, plain=self.ascii), *risen),
            evidence=evidence,
            coverage=selection.coverage(quoter),
            next=self._next_calls(timeline, [*episodes, *error_spikes], evidence),
        )

    def _of_cluster(self, selection: Selection) -> tuple[Selection, str]:
        """The selection, of its cluster alone if one was asked for; and how to call its records."""
        from logpith.corpus.clusters import cluster_of

        what = "matching records" if self.query else "records"
        if not self.cluster_id:
            return selection, what
        cluster = cluster_of(selection.corpus, self.cluster_id)
        leader = selection.corpus.templates.templates[cluster.leader].id
        kind = f"cluster {leader} ({len(cluster.members)} templates)" if len(cluster.members) > 1 else leader
        return selection.only(selection.places_of(cluster.members)), f"{what} of {kind}"

    def _next_calls(
        self, timeline: Timeline, episodes: Sequence[Episode], evidence: Sequence[Evidence]
    ) -> tuple[str, ...]:
        from logpith.component import spell_call

        calls = []
        spike = max(_spikes(episodes), key=_surplus, default=None)
        if spike:
            period = {"since": _moment(timeline, spike.first), "until": _moment(timeline, spike.last + 1)}
            same = {"query": self.query or None, "cluster_id": self.cluster_id or None}
            if not self.cluster_id and spike.first:
                calls.append(_spelled_call("log_diff", {"query": self.query or None, **period}))
            calls.append(spell_call(type(self), {**same, **period}))
        if evidence:
            calls.append(f'log_fetch(refs=["{evidence[0].ref}"], before=5, after=5)')
        return tuple(calls)


def _spelled_call(name: str, given: Mapping[str, str | None]) -> str:
    from logpith.component import spell_call
    from logpith.tools import tools

    return spell_call(tools()[name], given)


def _nothing(selection: Selection, of_what: str) -> str:
    if not len(selection):
        return f"There are no {of_what} here."
    return f"None of the {len(selection):,} {of_what} has a time that could be read."


def _spikes(episodes: Sequence[Episode]) -> list[Episode]:
    return [episode for episode in episodes if episode.kind == "spike"]


def _surplus(episode: Episode) -> float:
    """Records beyond the usual."""
    return episode.count - episode.usual * (episode.last - episode.first + 1)


def _overlap(one: Episode, other: Episode) -> bool:
    return one.first <= other.last and other.first <= one.last


def _moment(timeline: Timeline, bucket: int) -> str:
    """Where a bucket begins, as short as all borders of these buckets can be told; a tool's `since` reads it."""
    from logpith.timerange import NS_PER_D, NS_PER_MIN, NS_PER_S, format_ns

    told = format_ns(timeline.start_of(bucket)).removesuffix("Z")
    digits = next(
        (
            digits
            for unit, digits in ((NS_PER_D, 10), (NS_PER_MIN, 16), (NS_PER_S, 19))
            if not timeline.width_ns % unit
        ),
        None,
    )
    return told[:digits]


def _marks(timeline: Timeline, episodes: Sequence[Episode], error_spikes: Sequence[Episode]) -> list[str]:
    """What to say beside each bucket."""
    marks = [""] * len(timeline)
    for episode in error_spikes:
        for bucket in range(episode.first, episode.last + 1):
            marks[bucket] = "error spike"
    for episode in episodes:
        for bucket in range(episode.first, episode.last + 1):
            is_gap = episode.kind == "drop" and not timeline.counts[bucket]
            marks[bucket] = "gap" if is_gap else episode.kind
    return marks


def _bucket_items(timeline: Timeline, marks: Sequence[str], *, plain: bool) -> Iterator[dict[str, Json]]:
    from logpith.bars import Bar

    full = _full_bar(timeline)
    # Where each record is an error, the column would say everything twice.
    has_errors = bool(timeline.errors.any()) and bool((timeline.errors < timeline.counts).any())
    columns = zip(timeline.counts.tolist(), timeline.errors.tolist(), marks, strict=True)
    for bucket, (count, errors, mark) in enumerate(columns):
        row: dict[str, Json] = {"start": _moment(timeline, bucket), "count": count}
        if has_errors:
            row["errors"] = errors
        yield row | {"bar": Bar(count / full, plain=plain), "mark": mark}


def _full_bar(timeline: Timeline) -> int:
    """The count that fills a bar."""
    import numpy as np

    busy = timeline.counts[timeline.counts > 0]
    return int(min(busy.max(), max(_USUAL_BARS * float(np.median(busy)), 1)))


def _risen(
    selection: Selection,
    timeline: Timeline,
    episodes: Sequence[Episode],
    error_spikes: Sequence[Episode],
    quoter: Quoter,
) -> tuple[list[dict[str, Json]], tuple[Evidence, ...]]:
    """The templates that rose most in each of the largest spikes, and a record of each spike as proof."""
    from logpith.corpus.timeline import rises_within

    largest = sorted([*_spikes(episodes), *error_spikes], key=_surplus, reverse=True)[:_MOST_PROVEN]
    found = [
        (
            episode,
            rises_within(selection, timeline, episode, errors_only=episode in error_spikes)[:_MOST_RISEN],
        )
        for episode in largest
    ]
    firsts = [rises[0].first for _, rises in found if rises]
    evidence = selection.corpus.evidence(firsts, quoter, _EVIDENCE_WIDTH)
    refs = {record: line.ref for record, line in zip(firsts, evidence, strict=True)}
    templates = selection.corpus.templates.templates
    items: list[dict[str, Json]] = []
    for episode, rises in found:
        for rise in rises:
            ref = refs.get(rise.first)
            items.append(
                {
                    "kind": "rose",
                    "at": _moment(timeline, episode.first),
                    "id": templates[rise.template].id,
                    "count": rise.count,
                    "usual": round(rise.usual, 1),
                    "template": quoter.quote(templates[rise.template].typed, _TEMPLATE_WIDTH),
                    "refs": [ref] if ref else [],
                }
            )
    return items, evidence


def _summary(
    selection: Selection,
    of_what: str,
    timeline: Timeline,
    episodes: Sequence[Episode],
    error_spikes: Sequence[Episode],
) -> str:
    from logpith.timerange import format_span

    peak = int(timeline.counts.argmax())
    dated = int(timeline.counts.sum())
    parts = [
        f"{dated:,} {of_what} in {len(timeline)} buckets of {format_span(timeline.width_ns)} (UTC), most "
        f"{int(timeline.counts[peak]):,} from {_moment(timeline, peak)}."
    ]
    if len(selection) < len(selection.corpus):
        first, last = selection.span_text()
        parts.append(f"First {first}, last {last}.")
    told = [_episode_text(timeline, episode, episode.kind) for episode in episodes]
    told += [_episode_text(timeline, episode, "error spike") for episode in error_spikes]
    if told:
        more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        parts.append(f"Marked: {'; '.join(told[:_MOST_TOLD])}{more}.")
    else:
        parts.append("No spike, drop or gap.")
    full = _full_bar(timeline)
    if full < timeline.counts[peak]:
        parts.append(f"Bars are cut at {full:,}.")
    if timeline.undated:
        parts.append(f"{timeline.undated:,} more have no time.")
    return " ".join([*parts, *selection.notes])


def _episode_text(timeline: Timeline, episode: Episode, kind: str) -> str:
    """`spike 2026-11-20T13:45 to 14:00 (412, usual 20)`."""
    usual = episode.usual * (episode.last - episode.first + 1)
    about = f"{usual:,.0f}" if usual >= 10 else f"{usual:.2g}"
    first, end = _moment(timeline, episode.first), _moment(timeline, episode.last + 1)
    if "T" in end and end.partition("T")[0] == first.partition("T")[0]:
        end = end.partition("T")[2]
    return f"{kind} {first} to {end} ({episode.count:,}, usual {about})"
