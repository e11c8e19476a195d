"""Findings: what is unusual of late in a corpus of some days, of every kind, the most important first.

    new         a template that the service has not written for a week      novelty.py
    spike       a template that is far more frequent than usual             rhythm.py
    drop, gap   one that is far less frequent, or does not come at all      rhythm.py
    errors      a service of whose records more than usual are errors       shares.py

Overview and triage show all of them; who is called for alerts is spared a flood by `limit_alerts`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.anomalies import Method
from logpith.corpus.novelty import Novelty, find_novelties
from logpith.corpus.rhythm import Level, Surge, find_surges
from logpith.corpus.selection import Selection
from logpith.corpus.series import Counted, Series, count_series, counted_of
from logpith.corpus.shares import ShareRise, find_share_rises
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import NS_PER_H
from logpith_emit.severity import ERROR, band

FindingKind = Literal["new", "spike", "drop", "gap", "errors"]

MOST_ALERTS = 5
"""Of one service in an hour."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is unusual."""

    kind: FindingKind
    level: Level
    service: int
    """Place in the services."""

    template: int | None
    """Place in the templates; None when it is about the whole service."""

    severity: int
    """That most records of the template have."""

    start_ns: int
    end_ns: int
    """Exclusive; of what is counted in buckets, where the last one ends."""

    count: int
    usual: float
    """Records that would be usual in that time; of `errors`, among so many records."""

    score: float
    """In bits, the higher the more important: how severe it is, and how far from usual."""


def find_findings(
    selection: Selection, since_ns: int, end_ns: int, *, method: Method = "robust"
) -> list[Finding]:
    """What is unusual from `since_ns` on and before `end_ns`, most important first.

    What is usual is told by the records of up to 14 days before, so the selection must hold them too.
    """
    return findings_in(
        counted_of(selection),
        severity=selection.corpus.tally.typical_severity,
        texts=[template.text for template in selection.corpus.templates.templates],
        since_ns=since_ns,
        end_ns=end_ns,
        method=method,
    )


def findings_in(
    counted: Counted,
    *,
    severity: NDArray[np.int64],
    texts: Sequence[str],
    since_ns: int,
    end_ns: int,
    method: Method = "robust",
) -> list[Finding]:
    """As `find_findings`, of records that were counted elsewhere; `severity` and `texts` are by template."""
    series = count_series(counted, end_ns)
    since = max(0, series.bucket_at(since_ns))
    new = find_novelties(counted, severity, texts, since_ns, end_ns)
    found = [_of_novelty(one, int(severity[one.template])) for one in new]
    is_new = {(one.template, one.service) for one in new}
    surges = find_surges(series.counts, since, width_ns=series.width_ns, whole=series.whole, method=method)
    for surge in surges:
        template, service = int(series.template[surge.series]), int(series.service[surge.series])
        if (template, service) not in is_new:
            found.append(_of_surge(series, surge, template, service, int(severity[template])))
    rises = find_share_rises(series.bad, series.every, since, width_ns=series.width_ns)
    found += [_of_rise(series, rise) for rise in rises]
    return sorted(found, key=lambda one: (one.level != "alert", -one.score, one.start_ns))


@dataclass(frozen=True)
class Limited:
    """Alerts that may be told one by one, and how many more there were."""

    alerts: tuple[Finding, ...]
    """In order of time."""

    digest: Counter[int]
    """By service those that were too many."""


def limit_alerts(findings: Sequence[Finding], told: Sequence[Finding] = ()) -> Limited:
    """The alerts among the findings, at most five of a service within an hour; `told` have been before."""
    times: dict[int, list[int]] = {}
    for one in told:
        times.setdefault(one.service, []).append(one.start_ns)
    alerts: list[Finding] = []
    digest: Counter[int] = Counter()
    wanted = [one for one in findings if one.level == "alert"]
    for one in sorted(wanted, key=lambda one: (one.start_ns, -one.score)):
        of_service = times.setdefault(one.service, [])
        if sum(abs(one.start_ns - time) < NS_PER_H for time in of_service) < MOST_ALERTS:
            of_service.append(one.start_ns)
            alerts.append(one)
        else:
            digest[one.service] += 1
    return Limited(tuple(alerts), digest)


def record_of(selection: Selection, finding: Finding) -> int | None:
    """The record to show: the first of its template in its time, of `errors` the first error; None when none came."""
    service = selection.corpus.columns.service
    time = selection.time_ns
    wanted = (time >= finding.start_ns) & (time < finding.end_ns) & (time != NO_TIME)
    wanted &= (service if selection.chosen is None else service[selection.chosen]) == finding.service
    wanted &= (
        selection.severity >= ERROR if finding.template is None else selection.template == finding.template
    )
    places = np.flatnonzero(wanted)
    return selection.record(int(places[np.argmin(time[places])])) if len(places) else None


def _of_novelty(new: Novelty, severity: int) -> Finding:
    return Finding(
        kind="new",
        level=new.level,
        service=new.service,
        template=new.template,
        severity=severity,
        start_ns=new.first_ns,
        end_ns=new.last_ns + 1,
        count=new.count,
        usual=0.0,
        score=2.0 * band(severity) + math.log2(1 + new.count),
    )


def _of_surge(series: Series, surge: Surge, template: int, service: int, severity: int) -> Finding:
    return Finding(
        kind=surge.kind,
        level=surge.level,
        service=service,
        template=template,
        severity=severity,
        start_ns=series.start_of(surge.first),
        end_ns=series.start_of(surge.last + 1),
        count=surge.count,
        usual=surge.usual * (surge.last - surge.first + 1),
        score=2.0 * band(severity) + math.log2(1 + abs(surge.z)),
    )


def _of_rise(series: Series, rise: ShareRise) -> Finding:
    return Finding(
        kind="errors",
        level=rise.level,
        service=rise.series,
        template=None,
        severity=ERROR,
        start_ns=series.start_of(rise.first),
        end_ns=series.start_of(rise.last + 1),
        count=rise.bad,
        usual=rise.usual * rise.every,
        score=2.0 * band(ERROR) + math.log2(1 + rise.bits),
    )
