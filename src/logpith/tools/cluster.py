"""log_cluster: all the patterns, in a handful of rows that add up to everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from logpith.plural import counted
from logpith.tools import FilteredTool, none_of

if TYPE_CHECKING:
    from logpith.answer import Answer, Evidence, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.selection import Selection
    from logpith.quote import Quoter
    from logpith.templates.group import Cluster

_TEMPLATE_WIDTH = 160
_EXAMPLE_WIDTH = 140

Sort = Literal["count", "rare", "severity", "new"]


@dataclass(frozen=True, kw_only=True)
class ClusterTool(FilteredTool):
    """Group all lines by template (variables become <*>) and similar templates into clusters: count, share,
    severities, first and last seen, and one row that counts the rest. To take one cluster apart use
    log_cluster_drill; for what is wrong log_overview."""

    name: ClassVar[str] = "log_cluster"
    command: ClassVar[str] = "cluster"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith cluster app.log",
        "logpith cluster logs/*.log --max-clusters 30 --sort severity",
        "logpith cluster app.log --labels labels.csv",
    )

    max_clusters: int = field(default=10, metadata={"minimum": 1, "maximum": 1000})
    """Most clusters to show; the rest are counted in one row."""

    threshold: float = field(default=0.4, metadata={"minimum": 0.0, "maximum": 1.0})
    """How alike templates of a cluster must be: 1 keeps all apart, lower gives fewer clusters."""

    max_examples: int = field(default=1, metadata={"minimum": 0, "maximum": 5})
    """Most example lines for each cluster."""

    sort: Sort = "count"
    """Which clusters come first: the largest, the rarest, the most severe, or the latest to begin."""

    offset: int = field(default=0, metadata={"minimum": 0})
    """How many clusters to pass over first."""

    budget: int = field(default=1200, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """Clusters in the asked order, then the row for the rest; their counts add up to all records.

        Templates and clusters are those of the whole corpus, so that an id means the same under any filter.
        """
        from logpith.answer import Answer
        from logpith.corpus.clusters import find_clusters, within

        selection = self.select(desk)
        quoter = desk.quoter()
        clusters = within(selection, find_clusters(selection.corpus, self.threshold))
        order = _sorted(selection, clusters, self.sort)
        shown = order[self.offset : self.offset + self.max_clusters]
        rest = order[: self.offset] + order[self.offset + len(shown) :]
        items: list[dict[str, Json]] = []
        evidence: list[Evidence] = []
        for cluster in shown:
            item, proof = _cluster_item(selection, cluster, self.max_examples, quoter)
            items.append(item)
            evidence += proof
        other = len(selection) - sum(cluster.count for cluster in shown)
        if other:
            items.append(_other_item(selection, rest, other))
        behind = self.offset + len(shown)
        return Answer(
            summary=" ".join([self._summary(selection, len(clusters), shown, other), *selection.notes]),
            items=tuple(items),
            evidence=tuple(evidence),
            coverage=selection.coverage(quoter),
            cursor=self.cursor_after(len(shown)) if shown and behind < len(order) else None,
            next=self._next_calls(selection, shown, rest),
            found=len(selection) > 0,
        )

    def cursor_after(self, shown: int) -> str | None:
        """Where to go on when only `shown` clusters could be."""
        return f"offset={self.offset + shown}"

    def _summary(self, selection: Selection, clusters: int, shown: list[Cluster], other: int) -> str:
        if not len(selection.corpus):
            return "There are no lines here."
        if not len(selection):
            return f"{none_of(len(selection.corpus))}."
        templates = int((selection.tally.count > 0).sum())
        chosen = f" of {len(selection.corpus):,}" if len(selection) < len(selection.corpus) else ""
        has = "record has" if len(selection) == 1 and not chosen else "records have"
        said = f"{len(selection):,}{chosen} {has} {counted(templates, 'template')}"
        said += f" in {counted(clusters, 'cluster')}"
        if len(shown) == clusters and not other:
            return f"{said}; all are shown."
        if not shown:
            return f"{said}; none stands at this offset."
        which = (
            f"beyond the first {len(shown)}"
            if not self.offset
            else f"beside numbers {self.offset + 1} to {self.offset + len(shown)}"
        )
        return f"{said}; {other / len(selection):.1%} of the records are {which}."

    def _next_calls(self, selection: Selection, shown: list[Cluster], rest: list[Cluster]) -> tuple[str, ...]:
        calls = []
        many = next((cluster for cluster in shown if len(cluster.members) > 1), None)
        if many and self.threshold == ClusterTool.threshold:
            leader = selection.corpus.templates.templates[many.leader]
            calls.append(self.call("log_cluster_drill", cluster_id=leader.id))
        if rest and not self.offset:
            calls.append(self.call("log_cluster", max_clusters=self.max_clusters + min(len(rest), 20)))
            if self.sort == "count":
                calls.append(self.call("log_cluster", sort="rare"))
        return tuple(calls)


def _sorted(selection: Selection, clusters: list[Cluster], sort: Sort) -> list[Cluster]:
    """Clusters in the asked order; equal ones stay by size."""
    tally = selection.tally
    if sort == "count":
        return clusters
    if sort == "rare":
        return sorted(clusters, key=lambda cluster: cluster.count)
    if sort == "severity":
        severity = tally.typical_severity
        return sorted(clusters, key=lambda cluster: -int(severity[list(cluster.members)].max()))
    return sorted(clusters, key=lambda cluster: -int(tally.first[list(cluster.members)].min()))


def _cluster_item(
    selection: Selection, cluster: Cluster, most_examples: int, quoter: Quoter
) -> tuple[dict[str, Json], tuple[Evidence, ...]]:
    from logpith.corpus.clusters import period_in_words, severities_in_words

    leader = selection.corpus.templates.templates[cluster.leader]
    members = list(cluster.members)
    examples = _diverse(selection, cluster)[:most_examples]
    evidence = selection.corpus.evidence(examples, quoter, _EXAMPLE_WIDTH)
    first, last = period_in_words(selection.tally, members)
    item: dict[str, Json] = {
        "id": leader.id,
        "count": cluster.count,
        "share": round(cluster.count / len(selection), 4),
        "templates": len(members),
        "severity": severities_in_words(selection.tally.severities[members].sum(axis=0)),
        "first": first,
        "last": last,
        "template": quoter.quote(leader.typed, _TEMPLATE_WIDTH),
        "refs": [line.ref for line in evidence],
    }
    return item, evidence


def _diverse(selection: Selection, cluster: Cluster) -> list[int]:
    """The last record of the template that is shown, the cluster's first, and the last one of each other template,
    large ones first."""
    tally = selection.tally
    members = list(cluster.members)
    shown = [cluster.leader] if tally.count[cluster.leader] else members
    others = [int(tally.last[member]) for member in members if member != cluster.leader]
    places = [int(tally.last[shown].max()), int(tally.first[members].min()), *others]
    return [selection.record(place) for place in dict.fromkeys(places)]


def _other_item(selection: Selection, rest: list[Cluster], count: int) -> dict[str, Json]:
    return {
        "id": "other",
        "count": count,
        "share": round(count / len(selection), 4),
        "templates": sum(len(cluster.members) for cluster in rest),
        "template": counted(len(rest), "more cluster") if rest else "lines beyond the bound on shapes",
    }
