"""Judging: how much a template deserves a look, taken by itself.

A score is a sum of bits, each from a question that a person would ask:

    how bad does it say it is?      its severity, or words of failure where it names none
    when did it begin, or grow?     the most telling moment to split the corpus at, by a likelihood ratio
    or when did it stop?            the same the other way round
    how seldom is it?               only for what is bad at all: among the rare, most are harmless

Time is measured in records, not in seconds: a place in a source runs from 0 to 1 with each of its records, in the
order of their times. So the rhythm of a day changes nothing, and a source that began late does not make all of its
templates new.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.selection import Selection
from logpith.scan.tally import SLICES, Tally
from logpith_emit.severity import ERROR, FATAL, WARN

# Words with which programs of any kind tell that something went wrong; most match any word that begins so.
_FAILURE_WORDS = re.compile(
    r"(?<![A-Za-z])(?:abort|bad|broken|cannot|can't|conflict|corrupt|could not|couldn't|crash|dead|degrad|denied|deny"
    r"|disconnect|drop(?:ped|ping)|error|evict|exceed|exception|exhaust|expired?|fail|fatal|fault|forbidden|full\b"
    r"|hang|hung|illegal|insufficient|interrupt|invalid|kill|lost|mismatch|missing|no space|not allowed"
    r"|not found|oom|out of|outage|overflow|overload|panic|quota|reject|refus|reset|retry|retries|segfault|shortage"
    r"|stale|stall|stuck|suspend|time[d ]?.?out|throttl|timeout|too many|unable|unauthori[sz]ed|unavailable"
    r"|unexpected|unhandled|unreachable|violat|warn|wrong)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")

_SEVERITY_BITS = ((FATAL, 7.0), (ERROR, 4.0), (WARN, 2.5))
_FAILURE_BITS = 3.0
_HINT_BITS = 1.0
MOST_CHANGE_BITS = 9.0
# Below this a change is what chance does: about 40 places are tried for each of some hundred templates.
LEAST_CHANGE_BITS = 12.0
_LEAST_GROWTH = 2.0
_RARE_BITS = 2.0
_LEAST_STEADY = 10
_STEADY_SHARE = 0.75
_MOST_SHAPES_LOOKED_AT = 5_000


@dataclass(frozen=True)
class Change:
    bits: float = 0.0
    place: float = 0.0
    growth: float = math.inf
    stops: bool = False
    """Whether it is its end that surprises."""


def failure_words(text: str) -> bool:
    """Whether a text says that something went wrong."""
    return _FAILURE_WORDS.search(_WORD_BORDER.sub(" ", text)) is not None


@dataclass(frozen=True, kw_only=True)
class Group:
    """The records of a template, of one of its shapes, or its severe ones. Places are of the selection."""

    template: int
    shape: int | None
    text: str
    count: int
    first: int
    last: int
    earliest: int
    onset: float
    severity: int
    slices: NDArray[np.int64]
    least_severity: int = 0
    """Only the records that are at least as severe as this."""

    @classmethod
    def of_template(cls, selection: Selection, template: int) -> Group:
        text = selection.corpus.templates.templates[template].text
        return cls._of(selection.tally, template, template, None, text)

    @classmethod
    def of_shape(cls, selection: Selection, template: int, shape: int, text: str) -> Group:
        return cls._of(selection.shape_tally, shape, template, shape, text)

    @classmethod
    def _of(cls, tally: Tally, place: int, template: int, shape: int | None, text: str) -> Group:
        return cls(
            template=template,
            shape=shape,
            text=text,
            count=int(tally.count[place]),
            first=int(tally.first[place]),
            last=int(tally.last[place]),
            earliest=int(tally.earliest[place]),
            onset=float(tally.onset[place]),
            severity=int(tally.typical_severity[place]),
            slices=tally.slices[place],
        )

    def first_from(self, selection: Selection, share: float) -> int:
        """The first of the records, in time, that stands at `share` of its source or behind it."""
        if share <= self.onset:
            return self.earliest
        column = selection.template if self.shape is None else selection.shape
        mine = np.flatnonzero(column == (self.template if self.shape is None else self.shape))
        if self.least_severity:
            mine = mine[selection.severity[mine] >= self.least_severity]
        found = selection.first_from(mine, share)
        return self.last if found is None else found


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A group with its score."""

    group: Group
    score: float
    is_bad: bool
    """Whether it says so itself."""

    change: Change
    reasons: tuple[str, ...]

    @property
    def may_be_new(self) -> bool:
        """Whether it began late, if by chance or not; a few records cannot tell by themselves."""
        return math.isinf(self.change.growth) and self.change.bits > 0 and not self.change.stops

    @property
    def has_change(self) -> bool:
        """Whether it began, grew or stopped beyond chance."""
        return self.change.bits >= LEAST_CHANGE_BITS


def judge(selection: Selection, group: Group) -> Judged:
    severity = group.severity
    fails = failure_words(group.text)
    bits = next((bits for least, bits in _SEVERITY_BITS if severity >= least), 0.0)
    reasons = []
    # A line that calls itself harmless may still hold a word of failure ("session timeout is 30"): that is a hint.
    harmless = 0 < severity < WARN
    is_bad = bits > 0 or (fails and not harmless)
    if fails:
        bits += _HINT_BITS if harmless else _FAILURE_BITS if severity < WARN else _FAILURE_BITS / 2
    change = _beginning_of(group)
    end = _end_of(group)
    if end.bits >= LEAST_CHANGE_BITS > change.bits:
        change = end
    if change.bits >= LEAST_CHANGE_BITS:
        weight = 1.0 if is_bad and not change.stops else 0.6 if fails else 0.4
        bits += min(MOST_CHANGE_BITS, change.bits / 3) * weight
    if severity >= WARN:
        reasons.append("fatal" if severity >= FATAL else "error" if severity >= ERROR else "warn")
    elif fails:
        reasons.append("words of failure")
    if is_bad and group.count <= max(1, len(selection) // 10_000):
        bits += _RARE_BITS
        reasons.append("rare")
    return Judged(group=group, score=bits, is_bad=is_bad, change=change, reasons=tuple(reasons))


def _beginning_of(group: Group) -> Change:
    """The place from which on a template is most surprisingly frequent."""
    count = group.count
    first = group.onset
    best = (
        Change(bits=-count * math.log2(max(1 - first, 1e-9)), place=first) if first > 1 / SLICES else Change()
    )
    before_counts = np.cumsum(group.slices).tolist()
    for cut in range(1, SLICES):
        share = cut / SLICES
        before = before_counts[cut - 1]
        after = count - before
        growth = (after / (1 - share)) / (before / share) if before else math.inf
        if not before or growth < _LEAST_GROWTH:
            continue
        bits = after * math.log2(after / (count * (1 - share))) + before * math.log2(before / (count * share))
        if bits > best.bits * 1.1:
            best = Change(bits, share, growth)
    return best


def _end_of(group: Group) -> Change:
    """How surprising it is that a template does not occur any more."""
    slices = np.flatnonzero(group.slices)
    if not len(slices) or group.count < _LEAST_STEADY:
        return Change()
    behind_last = (int(slices[-1]) + 1) / SLICES
    # Steady until then: what came in one burst has not stopped, it is over.
    is_steady = len(slices) >= _STEADY_SHARE * (slices[-1] + 1)
    if behind_last >= 1 or not is_steady:
        return Change()
    return Change(bits=-group.count * math.log2(behind_last), place=behind_last, stops=True)


def telling_parts(selection: Selection, template: int) -> Iterator[Group]:
    """Parts of a template that may have begun or grown although the whole did not: one new value of a slot.

    `request failed: code=<*>` may be old while `code=disconnected` is not. Only a value that itself speaks of
    failure counts, or every new name of a user would.
    """
    corpus = selection.corpus
    shapes = corpus.templates.templates[template].shapes
    if not 1 < len(shapes) <= _MOST_SHAPES_LOOKED_AT:
        return
    fixed = set(_WORD.findall(corpus.templates.templates[template].text))
    for shape in shapes:
        if selection.shape_tally.count[shape] < 3:
            continue
        text = corpus.mined.shape_texts[shape]
        telling = [word for word in _WORD.findall(text) if word not in fixed and failure_words(word)]
        if telling:
            yield Group.of_shape(selection, template, shape, text)


def severe_parts(selection: Selection) -> dict[int, Group]:
    """By template, those of its records that are errors, else warnings, where others of it are neither.

    `request finished` may be told as info all day and as an error since noon; what most of its records say would
    hide the errors.
    """
    tally = selection.tally
    parts: dict[int, Group] = {}
    for least in (WARN, ERROR):  # errors take the place of warnings
        severe = tally.severities[:, least:].sum(axis=1)
        is_mixed = (severe > 0) & (severe < tally.count)
        if not is_mixed.any():
            continue
        places = np.flatnonzero(
            (selection.severity >= least) & np.append(is_mixed, False)[selection.template]
        )
        shares = selection.shares(places)
        order = np.argsort(selection.template[places], kind="stable")
        templates, begins = np.unique(selection.template[places][order], return_index=True)
        for template, mine in zip(templates.tolist(), np.split(order, begins[1:]), strict=False):
            parts[template] = _severe_part(selection, template, least, places[mine], shares[mine])
    return parts


def _severe_part(
    selection: Selection, template: int, least: int, places: NDArray[np.int64], shares: NDArray[np.float64]
) -> Group:
    by_severity = np.bincount(selection.severity[places])
    sliced = np.minimum((shares * SLICES).astype(np.int64), SLICES - 1)
    return Group(
        template=template,
        shape=None,
        text=selection.corpus.templates.templates[template].text,
        count=len(places),
        first=int(places[0]),
        last=int(places[-1]),
        earliest=int(places[np.argmin(shares)]),
        onset=float(shares.min()),
        severity=len(by_severity) - 1 - int(np.argmax(by_severity[::-1])),
        slices=np.bincount(sliced, minlength=SLICES),
        least_severity=least,
    )
