"""Causes: of what began together, which began it?

Trouble comes in episodes: within a short while many templates begin, grow or stop. By themselves they look alike,
and symptoms are louder than causes. Three questions tell them apart, which people ask too:

    which was first?         what began first in an episode cannot be the consequence of what followed
    which is quiet?          all who suffer repeat themselves, what broke says so a few times
    whom do others name?     `no audio from voice-pipeline` passes the blame on; what voice-pipeline itself says
                             of that time deserves the look, however calmly it says it

Names are those that the corpus knows: services, and sources without their folder and ending. Only raw lines tell
whom a line names, since a name often stands in an attribute; a few lines of each template are read.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from logpith.corpus.judging import LEAST_CHANGE_BITS, MOST_CHANGE_BITS, Judged
from logpith.corpus.records import Corpus
from logpith.corpus.selection import Selection
from logpith.scan.timestamps import NO_TIME

_EPISODE_SHARE = 1 / 24
"""How much of the whole time the beginnings of one episode are apart at most."""

_NEAR_SHARE = 1 / 8
"""How much of an episode's length before its beginning, or behind, a line may stand that was seldom seen."""

_LEAST_MEMBERS = 3
_FIRST_BITS = 4.0
_NAMED_BITS = 4.0
_MOST_NAMED_BITS = 8.0
_BLAMES_BITS = 2.0
_QUIET_BITS = 2.0
_CALM_SHARE = 0.4

_CALM_BITS = 5.0
"""What a harmless-looking line gains that was among the first of an episode: its change counts in full."""

_MOST_LOOKED_AT = 80
_EARLY = 0.2
"""Who belongs to the first of an episode."""

_SHORTEST_NAME = 3
_NO_NAME = re.compile(r"(?!)")


@dataclass(frozen=True)
class _Member:
    """A judged group that began or stopped in an episode."""

    judged: Judged
    own: frozenset[str]
    """The names of whoever wrote it."""

    named: frozenset[str]
    """The names of others in its lines."""


def weigh_causes(selection: Selection, found: Sequence[Judged]) -> list[Judged]:
    """The same groups, with what their episode says for or against them."""
    changed = sorted((one for one in found if one.has_change), key=lambda one: -one.score)[:_MOST_LOOKED_AT]
    span = selection.span_ns
    if len(changed) < _LEAST_MEMBERS or span is None:
        return list(found)
    longest_ns = (span[1] - span[0]) * _EPISODE_SHARE
    timed = _timed(selection, changed)
    episode = _episode(timed, longest_ns)
    if not episode:
        return list(found)
    seldom = [one for one in found if one.may_be_new and not one.has_change]
    begins_ns, near_ns = episode[0].time_ns, longest_ns * _NEAR_SHARE
    near = [one for one in _timed(selection, seldom) if abs(one.time_ns - begins_ns) <= near_ns]
    members = _members(selection, sorted([*episode, *near], key=lambda one: one.time_ns)[:_MOST_LOOKED_AT])
    blamed = _blamed(members)
    loudest = max(member.judged.group.count for member in members)
    weighed = {
        id(member.judged): _weighed(member, place / len(members), loudest, blamed)
        for place, member in enumerate(members)
    }
    return [weighed.get(id(one), one) for one in found]


def _weighed(
    member: _Member, place: float, loudest: int, blamed: Mapping[str, set[frozenset[str]]]
) -> Judged:
    judged = member.judged
    reasons: list[str] = []
    bits = _FIRST_BITS * (1 - place)
    if loudest > 1:
        bits += _QUIET_BITS * (1 - math.log(judged.group.count) / math.log(loudest))
    # What began with the others is new beyond doubt, however seldom it was seen.
    counted = min(MOST_CHANGE_BITS, judged.change.bits / 3) if judged.has_change else 0.0
    bits += (MOST_CHANGE_BITS - counted) * (1.0 if judged.is_bad else _CALM_SHARE)
    accusers = {accuser for name in member.own for accuser in blamed.get(name, ())}
    if accusers:
        bits += min(_MOST_NAMED_BITS, _NAMED_BITS * len(accusers))
        reasons.append("named by others")
    if member.named:
        bits -= _BLAMES_BITS
    if not judged.is_bad and not judged.change.stops and (place < _EARLY or accusers):
        bits += _CALM_BITS
    if place == 0:
        reasons.append("first of its time")
    change = replace(judged.change, bits=max(judged.change.bits, LEAST_CHANGE_BITS))
    return replace(judged, score=judged.score + bits, change=change, reasons=(*judged.reasons, *reasons))


def _blamed(episode: Sequence[_Member]) -> dict[str, set[frozenset[str]]]:
    """By name, who names it in lines that are bad."""
    blamed: dict[str, set[frozenset[str]]] = defaultdict(set)
    for member in episode:
        if member.judged.is_bad:
            for name in member.named:
                blamed[name].add(member.own)
    return blamed


@dataclass(frozen=True)
class _Timed:
    """A judged group with the moment at which it began or stopped."""

    judged: Judged
    place: int
    """Of that record in the selection."""

    time_ns: int


def _timed(selection: Selection, found: Iterable[Judged]) -> list[_Timed]:
    """Those with a time, by time."""
    timed: list[_Timed] = []
    for judged in found:
        group, change = judged.group, judged.change
        place = group.last if change.stops else group.first_from(selection, change.place)
        time_ns = int(selection.time_ns[place])
        if time_ns != NO_TIME:
            timed.append(_Timed(judged, place, time_ns))
    return sorted(timed, key=lambda one: one.time_ns)


def _episode(timed: Sequence[_Timed], longest_ns: float) -> list[_Timed]:
    """The weightiest episode; empty when there is none."""
    best: list[_Timed] = []
    best_weight = 0.0
    low = 0
    for high in range(len(timed)):
        while timed[high].time_ns - timed[low].time_ns > longest_ns:
            low += 1
        inside = list(timed[low : high + 1])
        weight = sum(one.judged.score for one in inside)
        if weight > best_weight:
            best, best_weight = inside, weight
    is_trouble = len(best) >= _LEAST_MEMBERS and any(one.judged.is_bad for one in best)
    return best if is_trouble else []


def _members(selection: Selection, episode: Sequence[_Timed]) -> list[_Member]:
    """Who wrote them and whom they name."""
    corpus = selection.corpus
    samples = [_samples(selection, one) for one in episode]
    texts = iter(corpus.texts([record for records in samples for record in records]))
    said = [b"\n".join(next(texts) for _ in records).decode("utf-8", "replace") for records in samples]
    owners = [_names_of(corpus, records[0]) for records in samples]
    known = {_plain(name) for name in corpus.services}.union(*owners)
    known |= {_plain(PurePath(name).stem) for name in corpus.origins}
    pattern = _pattern(known)
    return [
        _Member(one.judged, own, frozenset(_plain(name) for name in pattern.findall(text)) - own)
        for one, own, text in zip(episode, owners, said, strict=True)
    ]


def _samples(selection: Selection, timed: _Timed) -> list[int]:
    """Numbers of a few records: where it began, the last, the first."""
    places = dict.fromkeys((timed.place, timed.judged.group.last, timed.judged.group.first))
    return [selection.record(place) for place in places]


def _names_of(corpus: Corpus, record: int) -> frozenset[str]:
    """The names of whoever wrote a record: its service, the service's first part, its source."""
    source = corpus.source_of(record)
    service = corpus.service_of(record)
    origin = source.origin_of(record - source.first)
    names = {_plain(PurePath(origin).stem)} if len(corpus.origins) > 1 else set()
    if service:
        names |= {_plain(service), _plain(service.partition(".")[0])}
    return frozenset(name for name in names if len(name) >= _SHORTEST_NAME)


def _plain(name: str) -> str:
    """A name as it is compared: people write the same one with dashes and with underscores."""
    return re.sub(r"[-_. ]+", "-", name.lower())


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Finds names in whatever way they are written."""
    spelled = [
        re.escape(name).replace(r"\-", "[-_. ]")
        for name in sorted(names, key=len, reverse=True)
        if len(name) >= _SHORTEST_NAME
    ]
    return re.compile(rf"(?i)(?<![\w-])(?:{'|'.join(spelled)})(?![\w])") if spelled else _NO_NAME
