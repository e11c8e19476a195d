"""log_cluster_drill: what one cluster is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from logpith.plural import counted
from logpith.tools import FilteredTool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from logpith.answer import Answer, Evidence, Json
    from logpith.corpus.desk import Desk
    from logpith.corpus.selection import Selection
    from logpith.quote import Quoter
    from logpith.scan.tally import Tally
    from logpith.templates.group import Cluster
    from logpith.templates.mine import Template

_TEMPLATE_WIDTH = 160
_TEXT_WIDTH = 120
_EXAMPLE_WIDTH = 140

MOST_READ = 1_000_000
"""Of a larger cluster the values of so many records are read, evenly spread."""

By = Literal["template", "value", "source", "time"]


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """The records of a cluster, taken apart."""

    codes: NDArray[np.int32]
    """The part of each record; negative for one in no part."""

    count: int
    row: Callable[[int], dict[str, Json]]
    """How a part begins to be told, by its number."""

    said: str
    """What the parts are, in words of our own."""

    missing: Callable[[], str] = lambda: ""
    """Why records are in no part."""

    in_order: bool = False
    """Whether the parts have an order of their own; else the largest comes first."""

    template: str = ""
    """The template with the slot marked: log text."""


@dataclass(frozen=True, kw_only=True)
class ClusterDrillTool(FilteredTool):
    """Take one cluster apart: by sub-template, by the values of its most telling slot, by source or over time. Rows
    add up to the cluster. Ids come from log_cluster and log_overview; to count by any field use log_count."""

    name: ClassVar[str] = "log_cluster_drill"
    command: ClassVar[str] = "drill"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith drill 229102aac66f logs/",
        "logpith drill 2291 logs/ --by time",
        "logpith drill 2291 logs/ --by value --query 'level>=error'",
    )
    positional: ClassVar[tuple[str, ...]] = ("cluster_id", "sources")

    cluster_id: str
    """Its id, or the first 4 or more digits of it."""

    by: By = "template"
    """What to split by; one template alone is split by value."""

    threshold: float = field(default=0.5, metadata={"minimum": 0.0, "maximum": 1.0})
    """How alike templates of a sub-cluster must be."""

    max_clusters: int = field(default=10, metadata={"minimum": 1, "maximum": 1000})
    """Most parts to show; one row counts the rest."""

    max_examples: int = field(default=1, metadata={"minimum": 0, "maximum": 5})
    """Most examples for each part."""

    budget: int = field(default=1500, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """The cluster, then its parts, largest first (of times in order), and a row for what is in none of them."""
        from logpith.answer import Answer
        from logpith.corpus.clusters import check_cluster_id, cluster_of
        from logpith.scan.tally import tally

        check_cluster_id(self.cluster_id)
        selection = self.select(desk)
        quoter = desk.quoter()
        meant = cluster_of(selection.corpus, self.cluster_id)
        leader = selection.corpus.templates.templates[meant.leader]
        inside = selection.only(selection.places_of(meant.members))
        if not len(inside):
            return Answer(
                summary=f"None of the selected {counted(len(selection), 'record')} "
                f"is in cluster {leader.id}.",
                coverage=selection.coverage(quoter),
                next=(f'log_cluster_drill(cluster_id="{leader.id}")',),
                found=False,
            )
        parts = self._parts(inside, meant, quoter)
        tallied = tally(parts.codes, parts.count, inside.time_ns, inside.severity)
        order = [part for part in range(parts.count) if tallied.count[part]]
        if not parts.in_order:
            order.sort(key=lambda part: (-int(tallied.count[part]), part))
        shown, rest = order[: self.max_clusters], order[self.max_clusters :]
        rows: list[dict[str, Json]] = []
        evidence: list[Evidence] = []
        for part in shown:
            row, proof = self._row(inside, tallied, part, quoter)
            rows.append(_in_order({"kind": "parts", "id": "", **parts.row(part), **row}))
            evidence += proof
        ids = [str(row["id"]) for row in rows if row["id"]]
        rows += _other_rows(inside, tallied, rest, parts)
        return Answer(
            summary=" ".join([_summary(inside, meant, parts, len(order), len(shown)), *inside.notes]),
            items=(_parent_item(inside, meant, parts.template, quoter), *rows),
            evidence=tuple(evidence),
            coverage=selection.coverage(quoter),
            next=self._next_calls(inside, meant, ids, len(rest)),
        )

    def _parts(self, inside: Selection, meant: Cluster, quoter: Quoter) -> _Parts:
        if self.by == "source":
            origins = inside.corpus.origins
            return _Parts(
                codes=inside.origin,
                count=len(origins),
                row=lambda part: {"source": quoter.quote(origins[part], _TEXT_WIDTH)},
                said="by source",
            )
        if self.by == "time":
            return self._parts_in_time(inside)
        if self.by == "value" or len(meant.members) == 1:
            return _parts_by_value(inside, meant, quoter)
        return self._parts_by_template(inside, meant, quoter)

    def _parts_in_time(self, inside: Selection) -> _Parts:
        from logpith.corpus.fields import slice_width_ns, time_slices
        from logpith.timerange import format_ns, format_span

        span = inside.span_ns or (0, 0)
        width = slice_width_ns(span[1] - span[0], self.max_clusters)
        codes, starts = time_slices(inside, width)
        return _Parts(
            codes=codes,
            count=len(starts),
            row=lambda part: {"time": format_ns(starts[part])},
            said=f"by time, in slices of {format_span(width)}",
            missing=lambda: "without a time",
            in_order=True,
        )

    def _parts_by_template(self, inside: Selection, meant: Cluster, quoter: Quoter) -> _Parts:
        import numpy as np

        from logpith.corpus.clusters import cluster_templates

        templates = inside.corpus.templates.templates
        groups = [
            cluster.members for cluster in cluster_templates(inside.corpus, meant.members, self.threshold)
        ]
        said = f"into sub-clusters at {self.threshold:g}"
        if len(groups) == 1:
            groups = [(member,) for member in meant.members]
            said = f"into its templates, which are all alike at {self.threshold:g}"
        of_template = np.full(len(templates) + 1, -1, np.int32)
        for number, members in enumerate(groups):
            of_template[list(members)] = number
        present = set(np.unique(inside.template).tolist())

        def row(part: int) -> dict[str, Json]:
            leader = templates[groups[part][0]]
            return {
                "id": leader.id,
                "templates": len(present.intersection(groups[part])),
                "template": quoter.quote(leader.typed, _TEMPLATE_WIDTH),
            }

        return _Parts(codes=of_template[inside.template], count=len(groups), row=row, said=said)

    def _row(
        self, inside: Selection, tallied: Tally, part: int, quoter: Quoter
    ) -> tuple[dict[str, Json], tuple[Evidence, ...]]:
        from logpith.corpus.clusters import period_in_words, severities_in_words

        places = dict.fromkeys([int(tallied.last[part]), int(tallied.first[part])])
        examples = [inside.record(place) for place in places][: self.max_examples]
        evidence = inside.corpus.evidence(examples, quoter, _EXAMPLE_WIDTH)
        first, last = period_in_words(tallied, [part])
        count = int(tallied.count[part])
        row: dict[str, Json] = {
            "count": count,
            "share": round(count / len(inside), 4),
            "severity": severities_in_words(tallied.severities[part]),
            "first": first,
            "last": last,
            "refs": [line.ref for line in evidence],
        }
        return row, evidence

    def _next_calls(
        self, inside: Selection, meant: Cluster, ids: Sequence[str], rest: int
    ) -> tuple[str, ...]:
        calls = []
        others = [id_ for id_ in ids if id_ != _leader(inside, meant).id]
        if others:
            calls.append(self.call("log_cluster_drill", cluster_id=others[0]))
        elif self.by != "time" and inside.span_ns:
            calls.append(self.call("log_cluster_drill", cluster_id=_leader(inside, meant).id, by="time"))
        if rest:
            more = self.max_clusters + min(rest, 20)
            by = {} if self.by == "template" else {"by": self.by}
            calls.append(
                self.call("log_cluster_drill", cluster_id=_leader(inside, meant).id, **by, max_clusters=more)
            )
        return tuple(calls)


_ORDER = ("kind", "id", "source", "time", "text", "count", "share", "templates", "severity", "first", "last")


def _in_order(row: dict[str, Json]) -> dict[str, Json]:
    """A row with its cells as those of log_cluster stand; what `_ORDER` does not name comes last."""
    return {name: row[name] for name in sorted(row, key=lambda name: (*_ORDER, name).index(name))}


def _parts_by_value(inside: Selection, meant: Cluster, quoter: Quoter) -> _Parts:
    """The records of the leading template by the value that tells most; read of an even sample of very many."""
    import numpy as np

    from logpith.corpus.slots import telling_split

    places = inside.places_of([meant.members[0]])
    read = places
    if len(places) > MOST_READ:
        read = places[np.linspace(0, len(places) - 1, num=MOST_READ).astype(np.int64)]
    split = telling_split(inside.only(read), _leader(inside, meant)) if len(read) else None
    codes = np.full(len(inside), -1, np.int32)
    if split:
        codes[read] = split.codes

    def row(part: int) -> dict[str, Json]:
        if split is None:
            return {}
        text = split.texts[part]
        return {"text": quoter.quote(f"{split.name}={text}" if split.name else text, _TEXT_WIDTH)}

    def missing() -> str:
        why = {
            "in other templates": len(inside) - len(places),
            "not read": len(places) - len(read),
            "without such a value": int((codes[read] < 0).sum()),
        }
        return ", ".join(f"{count:,} {what}" for what, count in why.items() if count)

    said = "by value, of which its texts have none"
    if split:
        which = f"slot {split.slot} ({split.type})" if split.slot else "an attribute"
        sampled = f", read from an even sample of {len(read):,} records" if len(read) < len(places) else ""
        said = f"by the values of {which}{sampled}"
    return _Parts(
        codes=codes,
        count=len(split.texts) if split else 0,
        row=row,
        said=said,
        missing=missing,
        template=split.shown_in(_leader(inside, meant)) if split and split.slot else "",
    )


def _leader(inside: Selection, meant: Cluster) -> Template:
    return inside.corpus.templates.templates[meant.leader]


def _parent_item(inside: Selection, meant: Cluster, template: str, quoter: Quoter) -> dict[str, Json]:
    from logpith.corpus.clusters import severities_in_words

    first, last = inside.span_text()
    return {
        "kind": "cluster",
        "id": _leader(inside, meant).id,
        "count": len(inside),
        "templates": len(meant.members),
        "severity": severities_in_words(inside.tally.severities.sum(axis=0)),
        "first": first,
        "last": last,
        "template": quoter.quote(template or _leader(inside, meant).typed, _TEMPLATE_WIDTH),
    }


def _other_rows(
    inside: Selection, tallied: Tally, rest: Sequence[int], parts: _Parts
) -> list[dict[str, Json]]:
    """What adds the shown parts up to the cluster: the parts that are not shown, and the records in none."""
    import numpy as np

    from logpith.corpus.clusters import period_in_words

    rows: list[dict[str, Json]] = []
    apart = inside.only(np.flatnonzero(parts.codes < 0))
    if rest:
        counts = tallied.severities[list(rest)].sum(axis=0)
        rows.append(_uncounted_row("other", inside, counts, period_in_words(tallied, rest)))
    if len(apart):
        counts = np.bincount(apart.severity, minlength=25)
        rows.append(_uncounted_row("none", inside, counts, apart.span_text()))
    return rows


def _uncounted_row(
    id_: str, inside: Selection, severities: NDArray[np.int64], period: tuple[str, str]
) -> dict[str, Json]:
    from logpith.corpus.clusters import severities_in_words

    count = int(severities.sum())
    return {
        "kind": "parts",
        "id": id_,
        "count": count,
        "share": round(count / len(inside), 4),
        "severity": severities_in_words(severities),
        "first": period[0],
        "last": period[1],
    }


def _summary(inside: Selection, meant: Cluster, parts: _Parts, count: int, shown: int) -> str:
    templates = len(meant.members)
    whole = "Cluster" if templates > 1 else "Template"
    said = f"{whole} {_leader(inside, meant).id} has {counted(len(inside), 'record')}"
    said += f" in {templates:,} templates" if templates > 1 else ""
    # Not by the names of their rows, which may have no room.
    more = f", of which {count - shown:,} are counted together" if shown < count else ""
    missing = parts.missing() if (parts.codes < 0).any() else ""
    none = f"; in none of them are those {missing}" if missing else ""
    return f"{said}; split {parts.said}: {counted(count, 'part')}{more}{none}."
