"""Triage: what broke of late, the most telling first.

Every template that has records in the period is judged as the suspects of an overview are, against all that is known
(`suspects.py`); what began or grew within the period weighs more than what has gone on since before, and what says
that an allowance is used up more than its severity tells. Of corpora of several days the findings that compare with
the same time of other days are added, and services that have fallen silent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.difference import find_differences, typical_growth
from logpith.corpus.findings import find_findings, record_of
from logpith.corpus.judging import failure_words
from logpith.corpus.quota import Quota, is_about_quota, quota_in
from logpith.corpus.records import Corpus
from logpith.corpus.selection import Selection
from logpith.corpus.services import Services
from logpith.corpus.suspects import find_suspects
from logpith.plural import counted
from logpith.quote import decode
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import NS_PER_D, TimeRange
from logpith_emit.severity import WARN

What = Literal["new", "up", "still", "quota", "spike", "drop", "gap", "errors", "silent"]

_NEW_BITS = 8.0
_QUOTA_BITS = 4.0
_MOST_UP_BITS = 6.0
_STILL_FACTOR = 0.5
_SILENT_BITS = 4.0
_SILENT_SHARE = 0.05
"""Whoever says less than this share of what is usual has fallen silent."""

_MOST_JUDGED = 500
_MOST_READ = 200
_QUOTA_REMEMBERED_NS = NS_PER_D
_FEWEST_BEFORE = 50
"""With fewer records before the period nothing in it is new: all is."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One thing that deserves a look."""

    what: What
    score: float
    count: int
    """Records in the period."""

    severity: int
    service: str
    since_ns: int
    """When it began; NO_TIME where that is not known."""

    record: int
    """The one to show."""

    reasons: tuple[str, ...] = ()
    quota: Quota | None = None
    template: int | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether it began in the period."""
        return self.what in ("new", "up", "spike", "errors")


@dataclass(frozen=True)
class Triage:
    """What broke in a period of a corpus."""

    corpus: Corpus
    services: Services
    period: TimeRange

    @cached_property
    def inside(self) -> NDArray[np.int64]:
        """The records of the period."""
        return self._between(self.period.start_ns, self.period.end_ns)

    @cached_property
    def before(self) -> NDArray[np.int64]:
        """The records before it."""
        return self._between(None, self.period.start_ns)

    @cached_property
    def broken(self) -> list[Broken]:
        """What broke, worst first."""
        found = [*self._suspects(), *self._silent()]
        told = {(one.template, one.service) for one in found}
        for one in self._findings():
            # Of a service that has something new its share of errors tells nothing more, nor does a second one.
            is_told = any(one.service == other.service and other.is_fresh for other in found)
            if (one.template, one.service) not in told and not (one.what == "errors" and is_told):
                found.append(one)
        found = self._with_quota(found)
        return sorted(found, key=lambda one: (-one.score, one.record))

    @cached_property
    def first(self) -> Broken | None:
        """What began first of all that is new in the period; without such, of all that grew."""
        fresh = [one for one in self.broken if one.is_fresh and one.since_ns != NO_TIME]
        fresh = [one for one in fresh if one.what == "new"] or fresh
        return min(fresh, key=lambda one: one.since_ns) if fresh else None

    def _between(self, start_ns: int | None, end_ns: int | None) -> NDArray[np.int64]:
        times = self.corpus.columns.time_ns
        wanted = times != NO_TIME
        if start_ns is not None:
            wanted &= times >= start_ns
        if end_ns is not None:
            wanted &= times < end_ns
        return np.flatnonzero(wanted)

    def _suspects(self) -> Iterator[Broken]:
        """The suspects of all that is known until the end of the period, as far as they are in it."""
        corpus = self.corpus
        until = Selection(corpus)
        if self.period.end_ns is not None:
            until = Selection(corpus, self._between(None, self.period.end_ns))
        now, before = self._counts(self.inside), self._counts(self.before)
        grown = self._grown(before, now)
        starts = corpus.tally.start_ns
        newest = self._newest()
        inside = set(self.inside.tolist())
        suspects, _ = find_suspects(until, _MOST_JUDGED)
        for suspect in suspects:
            place = suspect.template
            if not now[place] or (suspect.reasons[:1] and suspect.reasons[0].startswith("gone since")):
                continue
            start = self.period.start_ns
            is_new = len(self.before) >= _FEWEST_BEFORE and start is not None and int(starts[place]) >= start
            what: What = "new" if is_new else "up" if place in grown else "still"
            is_bad = suspect.severity >= WARN or failure_words(suspect.text)
            if what != "still" and not is_bad and not is_new:
                continue  # more of what is well is no trouble
            bits = {"new": _NEW_BITS, "up": grown.get(place, 0.0)}.get(what, 0.0)
            score = suspect.score + bits if what != "still" else suspect.score * _STILL_FACTOR
            is_quota = is_about_quota(suspect.text) and is_bad
            began = int(starts[place]) if what != "up" else self._began(place)
            yield Broken(
                what=what,
                score=score + _QUOTA_BITS * is_quota,
                count=int(now[place]),
                severity=suspect.severity,
                service=self.services.name_of(newest[place]),
                since_ns=began,
                record=suspect.record if is_new and suspect.record in inside else newest[place],
                reasons=(*(("quota",) if is_quota else ()), *_without_times(suspect.reasons)),
                template=place,
            )

    def _counts(self, records: NDArray[np.int64]) -> NDArray[np.int64]:
        templates = self.corpus.template[records]
        return np.bincount(templates[templates >= 0], minlength=len(self.corpus.templates.templates))

    def _grown(self, before: NDArray[np.int64], now: NDArray[np.int64]) -> dict[int, float]:
        """By template how much more of it there is than before, in bits of surprise, where that is beyond chance."""
        if len(self.before) < _FEWEST_BEFORE:
            return {}
        severity = Selection(self.corpus).tally.typical_severity.tolist()
        found = find_differences(before, now, typical_growth(before, now), severity)
        return {
            one.group: min(_MOST_UP_BITS, one.bits / 4)
            for one in found
            if one.verdict == "up" and one.beyond_chance
        }

    def _began(self, template: int) -> int:
        """The first time of a template in the period."""
        mine = self.inside[self.corpus.template[self.inside] == template]
        return int(self.corpus.columns.time_ns[mine].min())

    def _newest(self) -> dict[int, int]:
        """Of each template in the period its last record in time."""
        times = self.corpus.columns.time_ns[self.inside]
        in_order = self.inside[np.argsort(times, kind="stable")]
        templates = self.corpus.template[in_order]
        places, last = np.unique(templates[::-1], return_index=True)
        return dict(zip(places.tolist(), in_order[len(in_order) - 1 - last].tolist(), strict=True))

    def _silent(self) -> Iterator[Broken]:
        """The services that say next to nothing in the period, beyond chance."""
        names = self.services.names
        before = np.bincount(self.services.of(self.before), minlength=len(names))
        now = np.bincount(self.services.of(self.inside), minlength=len(names))
        before[0] = now[0] = 0
        if len(self.inside) < _FEWEST_BEFORE or len(self.before) < _FEWEST_BEFORE:
            return
        growth = typical_growth(before, now)
        for one in find_differences(before, now, growth, [0] * len(names)):
            if one.ratio <= _SILENT_SHARE and one.beyond_chance:
                until = np.concatenate([self.before, self.inside])
                mine = until[self.services.of(until) == one.group]
                last = int(mine[np.argmax(self.corpus.columns.time_ns[mine])])
                yield Broken(
                    what="silent",
                    score=_SILENT_BITS + min(_MOST_UP_BITS, one.bits / 4),
                    count=one.now,
                    severity=0,
                    service=names[one.group],
                    since_ns=int(self.corpus.columns.time_ns[last]),
                    record=last,
                    reasons=(f"{counted(math.ceil(one.before * growth), 'record')} would be usual",),
                )

    def _findings(self) -> Iterator[Broken]:
        """What is unusual beside the same time of other days."""
        start, span = self.period.start_ns, self.corpus.span_ns
        if start is None or span is None:
            return
        end = span[1] + 1 if self.period.end_ns is None else self.period.end_ns
        everything = Selection(self.corpus)
        templates = self.corpus.templates.templates
        for one in find_findings(everything, start, end):
            record = record_of(everything, one)
            harmless = one.kind == "spike" and one.severity < WARN
            if record is None or harmless or (one.kind in ("drop", "gap") and one.level != "alert"):
                continue
            calm = one.kind == "new" and one.severity < WARN and one.template is not None
            if calm and not failure_words(templates[one.template or 0].text):
                continue
            yield Broken(
                what=one.kind,
                score=one.score,
                count=one.count,
                severity=one.severity,
                service=self.services.name_of(record),
                since_ns=one.start_ns,
                record=record,
                reasons=(f"usual {one.usual:.3g}",) if one.usual else (),
                template=one.template,
            )

    def _with_quota(self, found: list[Broken]) -> list[Broken]:
        """The same with what is left of allowances; and if none of it tells of one, what told of it last."""
        corpus = self.corpus
        speaking = [
            place
            for place, template in enumerate(corpus.templates.templates)
            if is_about_quota(template.text)
        ]
        end = self.period.end_ns or (corpus.span_ns[1] + 1 if corpus.span_ns else 0)
        recent = self._between(end - _QUOTA_REMEMBERED_NS, end)
        mine = np.isin(corpus.template[recent], speaking)
        recent = recent[mine]
        if not len(recent):
            return found
        recent = recent[np.argsort(corpus.columns.time_ns[recent], kind="stable")]
        left, told_by = self._left(recent)
        if any("quota" in one.reasons for one in found):
            return [replace(one, quota=left) if "quota" in one.reasons else one for one in found]
        texts = corpus.templates.templates
        bad = [place for place in speaking if failure_words(texts[place].text)]
        events = recent[np.isin(corpus.template[recent], bad)]
        if not len(events):
            return found
        last = int(events[-1])
        times = corpus.columns.time_ns
        is_filled = left is not None and left.remaining and told_by not in events
        if is_filled and times[told_by] > times[last]:
            return found
        place = int(corpus.template[last])
        return [
            *found,
            Broken(
                what="quota",
                score=_QUOTA_BITS + _NEW_BITS,
                count=int((corpus.template[self.inside] == place).sum()),
                severity=int(corpus.severity[last]),
                service=self.services.name_of(last),
                since_ns=int(corpus.tally.start_ns[place]),
                record=last,
                reasons=(f"{len(events):,} within a day, none in the period",),
                quota=left,
                template=place,
            ),
        ]

    def _left(self, recent: NDArray[np.int64]) -> tuple[Quota | None, int]:
        """What the last record that tells numbers says is left, and which record that is; -1 without any."""
        last = recent[-_MOST_READ:].tolist()
        for record, text in zip(reversed(last), reversed(self.corpus.texts(last)), strict=True):
            quota = quota_in(decode(text))
            if quota is not None and quota.remaining is not None:
                return quota, record
        return None, -1


def _without_times(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """The reasons but for the severity, which stands beside them, and when it began, which does too."""
    said = ("new since", "gone since", "fatal", "error", "warn", "words of failure")
    return tuple(reason for reason in reasons if not reason.startswith(said))
