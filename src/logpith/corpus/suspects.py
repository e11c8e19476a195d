"""Suspects: the templates that most deserve a look, ranked, each with its reasons.

Each is judged by itself (`judging.py`); what began together is then asked who began it and whom the others
name (`causes.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from logpith.corpus.causes import weigh_causes
from logpith.corpus.judging import Group, Judged, judge, severe_parts, telling_parts
from logpith.corpus.selection import Selection

_LEAST_SCORE = 4.0


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A template, or a part of one, that deserves a look."""

    template: int
    """Its place in the corpus' templates."""

    text: str
    """The template, or the words of the part: log text, to be quoted before it is shown."""

    count: int
    """Records."""

    record: int
    """The one to show: with which it began or grew; else the last, which people remember best."""

    severity: int
    reasons: tuple[str, ...]
    """Most telling first: `new since 2026-11-20T13:45:02Z`, `error`, `rare`…"""

    score: float


def find_suspects(selection: Selection, most: int) -> tuple[list[Suspect], int]:
    """The worst suspects, at most `most`, and how many there are; none when nothing is bad, new, growing or gone."""
    found: list[Judged] = []
    severe = severe_parts(selection)
    for template in range(len(selection.corpus.templates.templates)):
        if not selection.tally.count[template]:
            continue
        whole = judge(selection, Group.of_template(selection, template))
        parts = [judge(selection, part) for part in telling_parts(selection, template)]
        candidates = [whole, *(part for part in parts if part.has_change)]
        if template in severe:
            # First, since of two that score alike it is the one that says how many are severe.
            candidates.insert(0, judge(selection, severe[template]))
        found.append(max(candidates, key=lambda judged: judged.score))
    weighed = weigh_causes(selection, found)
    worst = [judged for judged in weighed if judged.score >= _LEAST_SCORE]
    worst.sort(key=lambda judged: (-judged.score, judged.group.first))
    return [_suspect(selection, judged) for judged in worst[:most]], len(worst)


def _suspect(selection: Selection, judged: Judged) -> Suspect:
    group, change = judged.group, judged.change
    place, told = group.last, judged.reasons
    if judged.has_change and not change.stops:
        place = group.first_from(selection, change.place)
    record = selection.record(place)
    if judged.has_change:
        told = (_change_reason(selection, judged, record), *told)
    if group.least_severity:
        told = (*told, f"of {selection.tally.count[group.template]:,} alike")
    return Suspect(
        template=group.template,
        text=group.text,
        count=group.count,
        record=record,
        severity=group.severity,
        reasons=told,
        score=judged.score,
    )


def _change_reason(selection: Selection, judged: Judged, record: int) -> str:
    corpus, change = selection.corpus, judged.change
    moment = corpus.time_text(record) or f"line {corpus.first_line[record]}"
    if change.stops:
        return f"gone since {moment}"
    if math.isinf(change.growth):
        return f"new since {moment}"
    return f"{change.growth:.0f} times as often since {moment}"
