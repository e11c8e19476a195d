"""Clusters of a corpus: templates that are alike, counted in a selection, and found again by the id shown for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus
from logpith.corpus.selection import Selection
from logpith.scan.tally import Tally
from logpith.scan.timestamps import NO_TIME
from logpith.templates.group import Cluster, group
from logpith.templates.mine import Template
from logpith.timerange import format_ns
from logpith_emit.errors import BadArgument, NotFound, nearest
from logpith_emit.severity import severity_name

THRESHOLD = 0.4
"""How alike the templates of a cluster are, unless somebody asks for another number."""

SHORTEST_ID = 4
_ID = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},12}}")
_MOST_OFFERED = 3


def clusters_of(corpus: Corpus, threshold: float = THRESHOLD) -> tuple[Cluster, ...]:
    """All clusters, largest first. Templates of different severity never share one."""
    return cluster_templates(corpus, range(len(corpus.templates.templates)), threshold)


def cluster_templates(corpus: Corpus, members: Sequence[int], threshold: float) -> tuple[Cluster, ...]:
    """The clusters of some templates of a corpus."""
    kinds = (Selection(corpus).tally.typical_severity - 1) // 4
    # Debug, info and unknown say the same about a line: nothing is wrong.
    kinds = np.where(kinds < 3, 0, kinds)
    templates = [corpus.templates.templates[member] for member in members]
    found = group(
        [template.text for template in templates],
        [template.count for template in templates],
        kinds[list(members)].tolist(),
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


@dataclass(frozen=True)
class Named:
    """What an id means."""

    template: Template
    members: tuple[int, ...]
    """Its template, or all templates of the cluster that it leads, by their places."""


def named(corpus: Corpus, cluster_id: str) -> Named:
    """What the id of a template means: the whole cluster when it leads one, else the template alone.

    Raises:
        BadArgument: it cannot be an id.
        NotFound: there is no such template, or several begin so.
    """
    word = cluster_id.strip().lower()
    if not _ID.fullmatch(word):
        raise BadArgument(
            f"an id is the {SHORTEST_ID} to 12 hex digits that begin a template's",
            remedy="Copy it from the column `id` of log_cluster or log_overview",
        )
    templates = corpus.templates.templates
    found = [place for place, template in enumerate(templates) if template.id.startswith(word)]
    if not found:
        raise _not_found(word, [template.id for template in templates])
    if len(found) > 1:
        several = ", ".join(templates[place].id for place in found[:_MOST_OFFERED])
        raise NotFound(f"{len(found)} templates begin with {word}", remedy=f"Give more digits: {several}")
    place = found[0]
    led = next((cluster for cluster in clusters_of(corpus) if cluster.leader == place), None)
    return Named(templates[place], led.members if led else (place,))


def _not_found(word: str, known: list[str]) -> NotFound:
    shared = {length: [id_ for id_ in known if id_[:length] == word[:length]] for length in (3, 2)}
    near = next((ids for ids in shared.values() if ids), [])[:_MOST_OFFERED]
    hint = f" The nearest: {', '.join(near)}." if near else nearest(word, known)
    largest = f" The largest template is {known[0]}." if known and not hint else ""
    return NotFound(
        f"no template here has the id {word}",
        remedy=f"Ask log_cluster for the ids of these sources.{hint}{largest}",
    )


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
