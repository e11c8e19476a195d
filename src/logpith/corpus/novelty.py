"""Novelty: templates that a service writes for the first time, or for the first time in a week.

Nothing is new to who knows nothing: a service is learnt for a day before anything of it is. And what is nearly the
text of a template that the service had is more likely one statement that was read as two; it counts one level less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.rhythm import Level
from logpith.corpus.series import Counted
from logpith.scan.timestamps import NO_TIME
from logpith.templates.group import likeness
from logpith.timerange import NS_PER_D
from logpith_emit.severity import ERROR, WARN

LEARN_NS = NS_PER_D
FORGET_NS = 7 * NS_PER_D

_NEARLY_THE_SAME = 0.9
_MANY = 20
"""So many records of a new template are worth a notice, however harmless they call themselves."""


@dataclass(frozen=True, kw_only=True)
class Novelty:
    """A template that is new to a service."""

    template: int
    service: int
    level: Level
    count: int
    first_ns: int
    last_ns: int
    nearly: int | None
    """The template that it is nearly the same as, if the service had one."""


def find_novelties(
    counted: Counted,
    severity: NDArray[np.int64],
    texts: Sequence[str],
    since_ns: int,
    end_ns: int,
    *,
    learn_ns: int = LEARN_NS,
    forget_ns: int = FORGET_NS,
) -> list[Novelty]:
    """What came from `since_ns` on and before `end_ns`, and not in the week before.

    `severity` and `texts` are by template.
    """
    learnt = _first_of_services(counted)
    known = np.zeros(len(counted.template), np.bool_)
    known[counted.within(since_ns - forget_ns, since_ns).pair] = True
    lately = counted.within(since_ns, end_ns)
    count = lately.totals(lately.pair, len(known))
    first, last = np.full(len(known), end_ns), np.full(len(known), since_ns)
    np.minimum.at(first, lately.pair, lately.time_ns)
    np.maximum.at(last, lately.pair, lately.time_ns)
    is_new = (count > 0) & ~known & (counted.template >= 0) & (first - learnt[counted.service] >= learn_ns)
    found = []
    for pair in np.flatnonzero(is_new).tolist():
        template, service = int(counted.template[pair]), int(counted.service[pair])
        others = counted.template[known & (counted.service == service) & (counted.template >= 0)]
        nearly = _nearly_the_same(template, others[severity[others] >= severity[template]], texts)
        level = _level(int(severity[template]), int(count[pair]), is_nearly_known=nearly is not None)
        if level is not None:
            found.append(
                Novelty(
                    template=template,
                    service=service,
                    level=level,
                    count=int(count[pair]),
                    first_ns=int(first[pair]),
                    last_ns=int(last[pair]),
                    nearly=nearly,
                )
            )
    return found


def _first_of_services(counted: Counted) -> NDArray[np.int64]:
    """When each service was first heard of."""
    dated = counted.only(counted.time_ns != NO_TIME)
    first = np.full(counted.services, np.iinfo(np.int64).max)
    np.minimum.at(first, counted.service[dated.pair], dated.time_ns)
    return first


def _nearly_the_same(template: int, others: NDArray[np.int32], texts: Sequence[str]) -> int | None:
    if not len(others):
        return None
    alike = likeness(texts[template], [texts[other] for other in others])
    most = int(np.argmax(alike))
    return int(others[most]) if alike[most] >= _NEARLY_THE_SAME else None


def _level(severity: int, count: int, *, is_nearly_known: bool) -> Level | None:
    if severity >= ERROR:
        return "notice" if is_nearly_known else "alert"
    return "notice" if (severity >= WARN or count >= _MANY) and not is_nearly_known else None
