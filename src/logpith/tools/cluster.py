"""log_cluster: all the patterns, in a handful of rows that add up to everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from logpith.tools import Tool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from logpith.answer import Answer, Evidence, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.records import Corpus
    from logpith.quote import Quoter
    from logpith.templates.group import Cluster

_TEMPLATE_WIDTH = 160
_EXAMPLE_WIDTH = 140

Sort = Literal["count", "rare", "severity", "new"]


@dataclass(frozen=True, kw_only=True)
class ClusterTool(Tool):
    """Group all lines by template (variables become <*>) and similar templates into clusters: count, share,
    severities, first and last seen, examples, and one row that counts everything not shown. For what is wrong use
    log_overview; to read lines use log_grep or log_fetch."""

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
    """How alike two templates must be to share a cluster: 1 keeps all apart, lower gives fewer clusters."""

    max_examples: int = field(default=1, metadata={"minimum": 0, "maximum": 5})
    """Most example lines for each cluster: the last, the first, then lines of its other templates."""

    sort: Sort = "count"
    """Which clusters come first: the largest, the rarest, the most severe, or the latest to begin."""

    budget: int = field(default=1200, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """Clusters in the asked order, then the row for the rest; their counts add up to all records."""
        from logpith.answer import Answer
        from logpith.corpus.clusters import find_clusters

        corpus = desk.open(self.sources)
        quoter = desk.quoter()
        clusters = find_clusters(corpus, self.threshold)
        order = _sorted(corpus, clusters, self.sort)
        shown, rest = order[: self.max_clusters], order[self.max_clusters :]
        items: list[dict[str, Json]] = []
        evidence: list[Evidence] = []
        for cluster in shown:
            item, proof = _cluster_item(corpus, cluster, self.max_examples, quoter)
            items.append(item)
            evidence += proof
        other = len(corpus) - sum(cluster.count for cluster in shown)
        if other:
            items.append(_other_item(corpus, rest, other))
        return Answer(
            summary=_summary(corpus, len(clusters), len(shown), other),
            items=tuple(items),
            evidence=tuple(evidence),
            coverage=corpus.coverage(quoter),
            next=_next_calls(self, rest),
            found=len(corpus) > 0,
        )


def _sorted(corpus: Corpus, clusters: tuple[Cluster, ...], sort: Sort) -> list[Cluster]:
    """Clusters in the asked order; equal ones stay by size."""
    if sort == "count":
        return list(clusters)
    if sort == "rare":
        return sorted(clusters, key=lambda cluster: cluster.count)
    if sort == "severity":
        from logpith.corpus.clusters import typical_severity

        severity = typical_severity(corpus)
        return sorted(clusters, key=lambda cluster: -max(int(severity[member]) for member in cluster.members))
    first = {
        cluster.leader: min(int(corpus.by_template[member][0]) for member in cluster.members)
        for cluster in clusters
    }
    return sorted(clusters, key=lambda cluster: -first[cluster.leader])


def _cluster_item(
    corpus: Corpus, cluster: Cluster, most_examples: int, quoter: Quoter
) -> tuple[dict[str, Json], tuple[Evidence, ...]]:
    import numpy as np

    records = np.sort(np.concatenate([corpus.by_template[member] for member in cluster.members]))
    leader = corpus.templates.templates[cluster.leader]
    examples = _diverse(corpus, records, cluster)[:most_examples]
    evidence = corpus.evidence(examples, quoter, _EXAMPLE_WIDTH)
    first, last = corpus.span_text(records)
    item: dict[str, Json] = {
        "id": leader.id,
        "count": cluster.count,
        "share": round(cluster.count / len(corpus), 4),
        "templates": len(cluster.members),
        "severity": _severity_counts(corpus, records),
        "first": first,
        "last": last,
        "template": quoter.quote(leader.typed, _TEMPLATE_WIDTH),
        "refs": [line.ref for line in evidence],
    }
    return item, evidence


def _diverse(corpus: Corpus, records: NDArray[np.int64], cluster: Cluster) -> list[int]:
    """The last record, the first, and the last one of each other template, large ones first."""
    others = [int(corpus.by_template[member][-1]) for member in cluster.members if member != cluster.leader]
    return list(dict.fromkeys([int(records[-1]), int(records[0]), *others]))


def _severity_counts(corpus: Corpus, records: NDArray[np.int64]) -> str:
    """`error` when all are, else `error 3, info 97`; unknown is left out."""
    import numpy as np

    from logpith_emit.severity import severity_name

    counts: dict[str, int] = {}
    for number, count in enumerate(np.bincount(corpus.severity[records], minlength=25).tolist()):
        if number and count:
            name = severity_name(number)
            counts[name] = counts.get(name, 0) + count
    if len(counts) == 1 and sum(counts.values()) == len(records):
        return next(iter(counts))
    return ", ".join(f"{name} {count}" for name, count in reversed(counts.items()))


def _other_item(corpus: Corpus, rest: list[Cluster], count: int) -> dict[str, Json]:
    return {
        "id": "other",
        "count": count,
        "share": round(count / len(corpus), 4),
        "templates": sum(len(cluster.members) for cluster in rest),
        "template": f"{len(rest)} more clusters" if rest else "lines beyond the bound on shapes",
    }


def _summary(corpus: Corpus, clusters: int, shown: int, other: int) -> str:
    templates = len(corpus.templates.templates)
    if not len(corpus):
        return "There are no lines here."
    said = f"{len(corpus):,} records have {templates:,} templates in {clusters:,} clusters"
    if shown == clusters and not other:
        return f"{said}; all are shown."
    return f"{said}; the row `other` counts what is beyond the first {shown}: {other / len(corpus):.1%}."


def _next_calls(tool: ClusterTool, rest: list[Cluster]) -> tuple[str, ...]:
    calls = []
    if rest:
        calls.append(f"log_cluster(max_clusters={tool.max_clusters + min(len(rest), 20)})")
        if tool.sort == "count":
            calls.append('log_cluster(sort="rare")')
    return tuple(calls)
