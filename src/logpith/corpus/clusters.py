"""Clusters of a corpus, and what the id of one means: every tool that takes one reads it here."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus
from logpith.corpus.selection import Selection
from logpith.templates.group import Cluster, group
from logpith_emit.errors import BadArgument, NotFound
from logpith_emit.severity import WARN

USUAL_THRESHOLD = 0.4
"""How alike templates of a cluster are unless somebody asks for another likeness."""

_ID_PREFIX = re.compile(r"[0-9a-f]{4,12}")


def typical_severity(corpus: Corpus) -> NDArray[np.int64]:
    """The severity that most records of each template have; 0 where unknown."""
    return Selection(corpus).tally.typical_severity


def find_clusters(corpus: Corpus, threshold: float = USUAL_THRESHOLD) -> tuple[Cluster, ...]:
    """All clusters, largest first. Templates of different severity never share one."""
    templates = corpus.templates.templates
    severity = typical_severity(corpus)
    # Debug, info and unknown say the same about a line: nothing is wrong.
    kinds = np.where(severity < WARN, 0, (severity - 1) // 4)
    return group(
        [template.text for template in templates],
        [template.count for template in templates],
        kinds.tolist(),
        threshold,
    )


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
        NotFound: no template has it.
    """
    check_cluster_id(cluster_id)
    prefix = cluster_id.strip().lower()
    templates = corpus.templates.templates
    places = [place for place, template in enumerate(templates) if template.id.startswith(prefix)]
    if not places:
        raise NotFound(
            f"no template here has an id that begins with {prefix}",
            remedy="Ask log_cluster or log_overview about the same sources and copy an id from there",
        )
    if len(places) > 1:
        ids = ", ".join(templates[place].id for place in places[:5])
        raise BadArgument(
            f"{len(places)} templates have ids that begin with {prefix}", remedy=f"Give more of one: {ids}"
        )
    place = places[0]
    led = next((cluster for cluster in find_clusters(corpus) if cluster.leader == place), None)
    return led or Cluster(place, (place,), templates[place].count)
