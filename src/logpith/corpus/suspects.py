"""Suspects: the templates that most deserve a look, ranked, each with its reasons.

A template's score is a sum of bits, each from a question that a person would ask:

    how bad does it say it is?      its severity, or words of failure where it names none
    when did it begin, or grow?     the most telling moment to split the corpus at, by a likelihood ratio
    how seldom is it?               only for what is bad at all: among the rare, most are harmless

Time is measured in records, not in seconds: a place in a source runs from 0 to 1 with each of its records, in the
order of their times. So
the rhythm of a day changes nothing, and a source that began late does not make all of its templates new.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus
from logpith.scan.timestamps import NO_TIME
from logpith.scan.words import split_words
from logpith_emit.severity import ERROR, FATAL, WARN

_SLICES = 40

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
_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")

_SEVERITY_BITS = ((FATAL, 7.0), (ERROR, 4.0), (WARN, 2.5))
_FAILURE_BITS = 3.0
_HINT_BITS = 1.0
_MOST_CHANGE_BITS = 9.0
# Below this a change is what chance does: about 40 places are tried for each of some hundred templates.
_LEAST_CHANGE_BITS = 12.0
_LEAST_GROWTH = 2.0
_RARE_BITS = 2.0
_LEAST_SCORE = 4.0
_MOST_SHAPES_LOOKED_AT = 5_000


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A template, or a part of one, that deserves a look."""

    template: int
    """Its place in the corpus' templates."""

    text: str
    """The template, or the words of the part: log text, to be quoted before it is shown."""

    records: NDArray[np.int64]
    """Numbers of its records, in order."""

    severity: int
    reasons: tuple[str, ...]
    """Most telling first: `new since 2026-11-20T13:45:02Z`, `error`, `rare`…"""

    score: float
    since: int | None
    """The record with which it began or grew, when that is a reason."""


@dataclass(frozen=True)
class _Change:
    bits: float = 0.0
    place: float = 0.0
    growth: float = math.inf


def failure_words(text: str) -> bool:
    """Whether a text says that something went wrong."""
    return _FAILURE_WORDS.search(_WORD_BORDER.sub(" ", text)) is not None


def find_suspects(corpus: Corpus, most: int) -> list[Suspect]:
    """At most `most` suspects, worst first; none when nothing is bad, new or growing."""
    if not len(corpus):
        return []
    places = _places(corpus)
    found: list[Suspect] = []
    for template, records in enumerate(corpus.by_template):
        text = corpus.templates.templates[template].text
        whole = _judge(corpus, places, template, text, records)
        parts = list(_telling_parts(corpus, places, template, text, records))
        found += [max([whole, *parts], key=lambda suspect: suspect.score)]
    worst = [suspect for suspect in found if suspect.score >= _LEAST_SCORE]
    worst.sort(key=lambda suspect: (-suspect.score, int(suspect.records[0])))
    return worst[:most]


def _places(corpus: Corpus) -> NDArray[np.float64]:
    """Where in its log each record stands, from 0 to 1: by time, or as it stands where there is none."""
    places = np.empty(len(corpus), np.float64)
    for pieces in corpus.streams.values():
        inside = np.concatenate([np.arange(piece.first, piece.first + piece.records) for piece in pieces])
        order = _order_in_time(corpus.columns.time_ns[inside])
        places[inside[order]] = np.arange(len(inside)) / max(len(inside), 1)
    return places


def _order_in_time(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of a source's records by time; one without a time stays behind the one before it."""
    known = np.maximum.accumulate(np.where(times != NO_TIME, np.arange(len(times)), 0))
    filled = times[known]
    if (filled[1:] >= filled[:-1]).all():
        return np.arange(len(times))
    return np.argsort(filled, kind="stable")


def _judge(
    corpus: Corpus, places: NDArray[np.float64], template: int, text: str, records: NDArray[np.int64]
) -> Suspect:
    severity = _typical_severity(corpus, records)
    fails = failure_words(text)
    bits = next((bits for least, bits in _SEVERITY_BITS if severity >= least), 0.0)
    reasons = []
    # A line that calls itself harmless may still hold a word of failure ("session timeout is 30"): that is a hint.
    harmless = 0 < severity < WARN
    is_bad = bits > 0 or (fails and not harmless)
    if fails:
        bits += _HINT_BITS if harmless else _FAILURE_BITS if severity < WARN else _FAILURE_BITS / 2
    change = _change(places[records])
    since = None
    if change.bits >= _LEAST_CHANGE_BITS:
        since = int(_earliest_from(places, records, change.place))
        reasons.append(_change_reason(corpus, change, since))
        bits += min(_MOST_CHANGE_BITS, change.bits / 3) * (1.0 if is_bad else 0.6 if fails else 0.4)
    if severity >= WARN:
        reasons.append("fatal" if severity >= FATAL else "error" if severity >= ERROR else "warn")
    elif fails:
        reasons.append("words of failure")
    if is_bad and len(records) <= max(1, len(corpus) // 10_000):
        bits += _RARE_BITS
        reasons.append("rare")
    return Suspect(
        template=template,
        text=text,
        records=records,
        severity=severity,
        reasons=tuple(reasons),
        score=bits,
        since=since,
    )


def _earliest_from(places: NDArray[np.float64], records: NDArray[np.int64], place: float) -> np.int64:
    """The first of the records that stands at `place` or behind it."""
    behind = records[places[records] >= place]
    first: np.int64 = behind[np.argmin(places[behind])]
    return first


def _typical_severity(corpus: Corpus, records: NDArray[np.int64]) -> int:
    """The severity that most of the records have; the worse one when two are as frequent."""
    counts = np.bincount(corpus.severity[records], minlength=25)
    known = counts[1:]
    return int(24 - np.argmax(known[::-1])) if known.any() else 0


def _change(places: NDArray[np.float64]) -> _Change:
    """The place from which on a template is most surprisingly frequent."""
    count = len(places)
    if count < 2:
        return _Change()
    first = float(places.min())
    best = (
        _Change(bits=-count * math.log2(max(1 - first, 1e-9)), place=first)
        if first > 1 / _SLICES
        else _Change()
    )
    in_slices = np.bincount(np.minimum((places * _SLICES).astype(np.int64), _SLICES - 1), minlength=_SLICES)
    before_counts = np.cumsum(in_slices)
    for cut in range(1, _SLICES):
        share = cut / _SLICES
        before = int(before_counts[cut - 1])
        after = count - before
        growth = (after / (1 - share)) / (before / share) if before else math.inf
        if not before or growth < _LEAST_GROWTH:
            continue
        bits = after * math.log2(after / (count * (1 - share))) + before * math.log2(before / (count * share))
        if bits > best.bits * 1.1:
            best = _Change(bits, share, growth)
    return best


def _change_reason(corpus: Corpus, change: _Change, since: int) -> str:
    moment = corpus.time_text(since) or f"line {corpus.first_line[since]}"
    return (
        f"new since {moment}"
        if math.isinf(change.growth)
        else f"{change.growth:.0f} times as often since {moment}"
    )


def _telling_parts(
    corpus: Corpus, places: NDArray[np.float64], template: int, text: str, records: NDArray[np.int64]
) -> Iterator[Suspect]:
    """Parts of a template that began or grew although the whole did not: one new value of a slot.

    `request failed: code=<*>` may be old while `code=quota_exceeded` is not. Only a value that itself speaks of
    failure counts, or every new name of a user would.
    """
    shapes = corpus.templates.templates[template].shapes
    if not 1 < len(shapes) <= _MOST_SHAPES_LOOKED_AT:
        return
    samples = corpus.shapes.samples
    for shape in shapes:
        if corpus.shapes.counts[shape] < 3:
            continue
        words = split_words(samples[shape][0])
        plain = "".join(
            delimiter + ("<*>" if masked else word)
            for delimiter, word, masked in zip(words.delimiters, words.words, words.masked, strict=False)
        )
        fixed = set(re.findall(r"\w+", text))
        telling = [
            word
            for word, masked in zip(words.words, words.masked, strict=True)
            if not masked and word not in fixed and failure_words(word)
        ]
        if not telling:
            continue
        part = _judge(
            corpus, places, template, plain.strip(), records[corpus.columns.shape[records] == shape]
        )
        if part.since is not None:
            yield part
