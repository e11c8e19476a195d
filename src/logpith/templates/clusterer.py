"""Lines in, clusters out: the miner as an object for programs of your own.

    miner = TemplateMiner()
    for line in lines:
        miner.add(line)
    for cluster in miner.get_stats():
        print(cluster.count, cluster.template)

Every id that `add` gave leads to a cluster, whatever came since: `get_cluster(id)`.

There are two miners with the same verbs. `TemplateMiner` is what logpith itself uses: it keeps a small table of shapes
and mines it when asked, so that lines in another order make the same clusters. `blocks.BlockMiner` compares each line
with the clusters there are: simple to steer, slower, and its clusters depend on the order of the lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from logpith.templates.group import likeness
from logpith.templates.ids import Named, TemplateIds
from logpith.templates.mine import Templates, mine, template_id
from logpith.templates.shapes import MOST_SAMPLES, ShapeTable, shape_of, shape_table_of


@dataclass(frozen=True)
class LineCluster:
    """Lines that are alike."""

    id: str
    template: str
    """What they have in common, with `<*>` for each value."""

    static_parts: tuple[str, ...]
    """The text between the values."""

    count: int
    """Lines."""

    examples: tuple[str, ...]
    """One to five of the lines."""

    first: int | None
    """The smallest timestamp; None when no line had one."""

    last: int | None


class Miner(Protocol):
    """What makes clusters of lines."""

    def add(self, line: str, timestamp: int | None = None) -> str:
        """Takes a line into a cluster, a new one if need be, and gives the cluster's id.

        Timestamps are integers of any unit. The id is valid for good: `get_cluster` finds what became of it.
        """

    def try_add(self, line: str, threshold: float, timestamp: int | None = None) -> str | None:
        """As `add`, if a cluster is at least that similar to the line; else None, and nothing has changed."""

    def similarity(self, line: str) -> float:
        """How much of a line the nearest cluster shares: 0.0 nothing, 1.0 for a line like those it holds."""

    def get_cluster(self, id: str) -> LineCluster:
        """The cluster that an id leads to now.

        Raises:
            KeyError: this miner never gave that id.
        """

    def get_stats(self) -> tuple[LineCluster, ...]:
        """All clusters, largest first. Their counts add up to the lines that were added."""


@dataclass
class Span:
    """From the smallest of some timestamps to the largest."""

    first: int | None = None
    last: int | None = None

    def take(self, first: int | None, last: int | None) -> None:
        """Widens the span."""
        if first is not None:
            self.first = first if self.first is None else min(first, self.first)
        if last is not None:
            self.last = last if self.last is None else max(last, self.last)


class TemplateMiner:
    """A `Miner` on templates. Mining waits until somebody asks; adding a line of a known shape is one look-up."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._samples: dict[int, dict[int, bytes]] = {}
        self._spans: dict[int, Span] = {}
        self._id_of_shape: dict[int, str] = {}
        self._ids = TemplateIds()
        # Shapes that came since the last mining are templates of their own until then.
        self._unmined: dict[str, Named] = {}
        self._templates: Templates | None = None
        self._table = ShapeTable.gathered({}, {})

    def add(self, line: str, timestamp: int | None = None) -> str:
        """See `Miner.add`."""
        body = _as_body(line)
        shape, values = shape_of(body)
        if shape not in self._counts:
            self._meet(shape, body)
        self._counts[shape] += 1
        samples = self._samples[shape]
        samples.setdefault(values, body)
        if len(samples) > MOST_SAMPLES:
            del samples[max(samples)]
        self._spans[shape].take(timestamp, timestamp)
        self._templates = None
        return self._id_of_shape[shape]

    def try_add(self, line: str, threshold: float, timestamp: int | None = None) -> str | None:
        """See `Miner.try_add`."""
        found = self.similarity(line)
        return self.add(line, timestamp) if found > 0 and found >= threshold else None

    def similarity(self, line: str) -> float:
        """See `Miner.similarity`."""
        body = _as_body(line)
        shape, _ = shape_of(body)
        if shape in self._counts:
            return 1.0
        if not self._counts:
            return 0.0
        return max(likeness(_own_text(body), [template.text for template in self._mined().templates]))

    def get_cluster(self, id: str) -> LineCluster:
        """See `Miner.get_cluster`."""
        templates = self._mined()
        now = self._ids.resolve(id)
        if now is None:
            raise KeyError(id)
        places = {template.id: place for place, template in enumerate(templates.templates)}
        return self._cluster(templates, places[now])

    def get_stats(self) -> tuple[LineCluster, ...]:
        """See `Miner.get_stats`."""
        templates = self._mined()
        return tuple(self._cluster(templates, place) for place in range(len(templates.templates)))

    def _meet(self, shape: int, body: bytes) -> None:
        text = _own_text(body)
        name = template_id(text)
        others = self._unmined[name].shapes if name in self._unmined else frozenset()
        self._unmined[name] = Named(text, others | {shape})
        self._id_of_shape[shape] = name
        self._counts[shape] = 0
        self._samples[shape] = {}
        self._spans[shape] = Span()

    def _mined(self) -> Templates:
        if self._templates is None:
            self._table = ShapeTable.gathered(self._counts, self._samples)
            known = TemplateIds.union([self._ids, TemplateIds(self._unmined)])
            self._ids, self._templates = known.after(self._table, mine(self._table))
            self._unmined = {}
            names = [template.id for template in self._templates.templates]
            self._id_of_shape = {
                shape: names[place]
                for shape, place in zip(
                    self._table.hashes.tolist(), self._templates.of_shape.tolist(), strict=True
                )
            }
        return self._templates

    def _cluster(self, templates: Templates, place: int) -> LineCluster:
        template = templates.templates[place]
        span = Span()
        for shape in self._table.hashes[list(template.shapes)].tolist():
            span.take(self._spans[shape].first, self._spans[shape].last)
        return LineCluster(
            id=template.id,
            template=template.text,
            static_parts=template.static_parts,
            count=template.count,
            examples=tuple(sample.decode("utf-8", "surrogatepass") for sample in template.samples),
            first=span.first,
            last=span.last,
        )


def _as_body(line: str) -> bytes:
    return line.encode("utf-8", "surrogatepass")


def _own_text(body: bytes) -> str:
    """The template of one line alone."""
    table, _ = shape_table_of([body])
    return mine(table).templates[0].text
