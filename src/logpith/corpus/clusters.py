"""Clusters of a corpus: templates that are alike, counted in a selection, and found again by the id shown for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.mining import place_of_former
from logpith.corpus.records import Corpus
from logpith.corpus.selection import Selection
from logpith.scan.tally import Tally
from logpith.scan.timestamps import NO_TIME
from logpith.templates.group import Cluster, group
from logpith.timerange import format_ns
from logpith_emit.errors import BadArgument, NotFound
from logpith_emit.severity import WARN, severity_name

USUAL_THRESHOLD = 0.4
"""How alike templates of a cluster are unless somebody asks for another likeness."""

_ID_PREFIX = re.compile(r"[0-9a-f]{4,12}")
_MOST_OFFERED = 5


def typical_severity(corpus: Corpus) -> NDArray[np.int64]:
    """The severity that most records of each template have; 0 where unknown."""
    return Selection(corpus).tally.typical_severity


def find_clusters(corpus: Corpus, threshold: float = USUAL_THRESHOLD) -> tuple[Cluster, ...]:
    """All clusters, largest first. Templates of different severity never share one."""
    return cluster_templates(corpus, range(len(corpus.templates.templates)), threshold)


def cluster_templates(corpus: Corpus, members: Sequence[int], threshold: float) -> tuple[Cluster, ...]:
    """The clusters of some templates of a corpus."""
    severity = typical_severity(corpus)[list(members)]
    # Debug, info and unknown say the same about a line: nothing is wrong.
    kinds = np.where(severity < WARN, 0, (severity - 1) // 4)
    templates = [corpus.templates.templates[member] for member in members]
    found = group(
        [template.text for template in templates],
        [template.count for template in templates],
        kinds.tolist(),
        threshold,
    )
    return tuple(
        Cluster(members[cluster.leader], tuple(members[place] for place in cluster.members), cluster.count)
        for cluster in found
    )


def within(selection: Selection, clusters: Sequence[Cluster]) -> list[Cluster]:
    """The clusters as they are in a selection, largest first: only the templates that it has, and their counts."""
    counts = selection.tally.count
    found = []
    for cluster in clusters:
        members = tuple(member for member in cluster.members if counts[member])
        if members:
            found.append(Cluster(cluster.leader, members, int(counts[list(members)].sum())))
    return sorted(found, key=lambda cluster: (-cluster.count, cluster.leader))


def check_cluster_id(cluster_id: str) -> None:
    """Nothing, when this may be a cluster's id.

    Raises:
        BadArgument: it cannot.
    """
    if not _ID_PREFIX.fullmatch(cluster_id.strip().lower()):
        raise BadArgument(
            "a cluster's id is 12 hex digits, of which the first 4 or more are enough",
            remedy="Copy it from an item of log_cluster or log_overview",
        )


def cluster_of(corpus: Corpus, cluster_id: str) -> Cluster:
    """The cluster that a template's id, or the beginning of one, leads; of a template that leads none, itself.

    Raises:
        BadArgument: this is no id, or several begin so.
        NotFound: no template has it; the remedy tells the nearest.
    """
    check_cluster_id(cluster_id)
    prefix = cluster_id.strip().lower()
    templates = corpus.templates.templates
    places = [place for place, template in enumerate(templates) if template.id.startswith(prefix)]
    if not places:
        former = place_of_former(prefix, corpus.shapes, corpus.templates)
        places = [] if former is None else [former]
    if not places:
        near = _nearest_ids(prefix, [template.id for template in templates])
        hint = f". The nearest: {', '.join(near)}" if near else ""
        raise NotFound(
            f"no template here has an id that begins with {prefix}",
            remedy=f"Ask log_cluster or log_overview about the same sources and copy an id from there{hint}",
        )
    if len(places) > 1:
        ids = ", ".join(templates[place].id for place in places[:_MOST_OFFERED])
        ids += "…" if len(places) > _MOST_OFFERED else ""
        raise BadArgument(
            f"{len(places)} templates have ids that begin with {prefix}", remedy=f"Give more of one: {ids}"
        )
    place = places[0]
    led = next((cluster for cluster in find_clusters(corpus) if cluster.leader == place), None)
    return led or Cluster(place, (place,), templates[place].count)


def _nearest_ids(prefix: str, known: Sequence[str]) -> Sequence[str]:
    """The ids with the longest beginning in common with `prefix`, else those written almost alike."""
    for length in range(len(prefix) - 1, 1, -1):
        shared = [id_ for id_ in known if id_.startswith(prefix[:length])]
        if shared:
            return shared[:_MOST_OFFERED]
    return get_close_matches(prefix, known, n=_MOST_OFFERED)


def severities_in_words(counts: NDArray[np.int64]) -> str:
    """`error` when all records are, else `error 3, info 97`; unknown is left out. `counts` is by number."""
    by_name: dict[str, int] = {}
    for number, count in enumerate(counts.tolist()):
        if number and count:
            name = severity_name(number)
            by_name[name] = by_name.get(name, 0) + count
    if len(by_name) == 1 and not counts[0]:
        return next(iter(by_name))
    return ", ".join(f"{name} {count}" for name, count in reversed(by_name.items()))


def period_in_words(tally: Tally, groups: Sequence[int]) -> tuple[str, str]:
    """The first and the last time of some groups of a tally; both empty when none has one."""
    starts, ends = tally.start_ns[list(groups)], tally.end_ns[list(groups)]
    dated = starts != NO_TIME
    return (
        (format_ns(int(starts[dated].min())), format_ns(int(ends[dated].max()))) if dated.any() else ("", "")
    )
