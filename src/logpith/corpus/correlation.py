"""Correlation: all that was said about one call, request or job, by whomever.

The lines that hold the id itself come first. A second hop follows the other ids that stand on those lines, and each
line that it adds says through which it came. An id that is on many lines ties nothing together and is not followed.

Clocks differ. What lies wholly before or behind what all others say of the same ids is told as a clock that may be
wrong, with how often it was seen, and never corrected in silence: what comes late may as well have been done late.
"""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.ids import Id, ids_in, ids_of
from logpith.corpus.judging import failure_words
from logpith.corpus.records import Corpus
from logpith.corpus.select import select
from logpith.corpus.services import Services
from logpith.corpus.view import fields_of_record
from logpith.query import Comparison, Query, Wildcard, Word, any_of
from logpith.quote import decode
from logpith.scan.tally import time_ranks
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import NS_PER_S, TimeRange
from logpith_emit.severity import ERROR, WARN

MOST_LINES = 5_000
MOST_FOLLOWED = 50
MOST_HOPS = 3

_STOP_SHARE, _STOP_LINES, _NEVER_STOPPED = 0.01, 10_000, 100
"""An id on more than this share, or so many, of all lines is not followed; one on a few lines always is."""

_READ_FOR_IDS = 1_000
_SKEW_LINES = 2_000
_LEAST_SKEW_NS = 2 * NS_PER_S
_SKEW_SHARE = 0.8
_LEAST_GAP_NS = 5 * NS_PER_S
_GAP_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Skew:
    """A service whose clock seems to go wrong."""

    service: str
    ahead_ns: int
    """By how much its lines are apart from all others; negative when before them. The clock is wrong by more."""

    seen: int
    """In so many of `asked` ids."""

    asked: int


@dataclass(frozen=True)
class Followed:
    """An id through which lines were looked for."""

    id: Id
    added: int
    """Lines that only it has brought."""

    stopped: int = 0
    """On how many lines it is, when that is too many to follow it."""


@dataclass(frozen=True)
class Story:
    """The lines of one id, in the order in which they were written."""

    corpus: Corpus
    services: Services
    records: NDArray[np.int64]
    """In the order of time, then of their sources; no more than were wanted."""

    time_ns: NDArray[np.int64]
    """As told by each record, or by the one before it in its source."""

    inferred: NDArray[np.bool_]
    """Whether the record itself has no time."""

    via: Mapping[int, str]
    """For each record that does not hold the id itself, the one through which it came."""

    total: int
    """Lines there are, also those beyond what was wanted."""

    followed: tuple[Followed, ...] = ()

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def service(self) -> tuple[str, ...]:
        """Who wrote each record."""
        names = self.services.names
        return tuple(names[place] for place in self.services.of(self.records).tolist())

    @property
    def duration_ns(self) -> int:
        """From the first to the last record with a time."""
        dated = self.time_ns[self.time_ns != NO_TIME]
        return int(dated.max() - dated.min()) if len(dated) else 0

    @cached_property
    def first_failure(self) -> int | None:
        """The place of the first record that says that something went wrong; None when none does."""
        severity = self.corpus.severity[self.records]
        texts = self.corpus.templates.templates
        of_template = self.corpus.template[self.records].tolist()
        for place, (number, template) in enumerate(zip(severity.tolist(), of_template, strict=True)):
            if number >= ERROR:
                return place
            if (number >= WARN or number == 0) and template >= 0 and failure_words(texts[template].text):
                return place
        return None

    @cached_property
    def gaps(self) -> dict[int, int]:
        """The places before which nothing was said for long, and for how long: a fifth of the whole at least."""
        steps = np.diff(self.time_ns)
        known = (self.time_ns[1:] != NO_TIME) & (self.time_ns[:-1] != NO_TIME)
        long = np.flatnonzero(known & (steps >= max(_LEAST_GAP_NS, int(self.duration_ns * _GAP_SHARE))))
        return {place + 1: int(steps[place]) for place in long.tolist()}


def tell_story(
    corpus: Corpus,
    services: Services,
    asked: Id,
    *,
    hops: int,
    around_ns: int,
    most_lines: int = MOST_LINES,
) -> Story:
    """The lines of an id, the first `most_lines` of them; of `hops` more than one also those tied to them by other
    ids, not further away in time than `around_ns` from those before."""
    exact = select(corpus, query_of(asked))
    kept = exact
    if len(exact) > most_lines:
        first = np.argsort(time_ranks(corpus.columns.time_ns[exact]), kind="stable")[:most_lines]
        kept = np.sort(exact[first])
    via: dict[int, str] = {}
    followed: list[Followed] = []
    met = {asked.value.lower()}
    newest = kept
    for _ in range(1, min(hops, MOST_HOPS)):
        if not len(newest) or len(kept) >= most_lines:
            break
        added = _next_hop(corpus, kept, newest, met, around_ns, via, followed)
        newest = added[: most_lines - len(kept)]
        kept = np.union1d(kept, newest)
    total = len(exact) + len(kept) - min(len(exact), most_lines)
    return _in_order(corpus, services, kept, via, total, tuple(followed))


def query_of(asked: Id) -> Query:
    """What finds the lines of an id: its value as a word, or under its key when it is no more than a number."""
    if asked.key and not asked.stands_alone:
        return any_of([Comparison(key, "=", asked.value) for key in _key_spellings(asked.key)])
    return any_of([Word(spelling) for spelling in _spellings(asked.value)])


def completions(corpus: Corpus, beginning: str, most: int) -> list[str]:
    """The ids in the text that begin so: people copy what was cut short."""
    bare = beginning.rstrip(".…*")
    if len(bare) < 4:
        return []
    found = select(corpus, Wildcard(f"{_without_holes(bare)}*"))[:_READ_FOR_IDS]
    ids = (one for text in corpus.texts(found.tolist()) for one in ids_in(decode(text)))
    return list(dict.fromkeys(one for one in ids if one.lower().startswith(bare.lower())))[:most]


def estimate_skew(story: Story) -> list[Skew]:
    """The services whose lines lie wholly apart from those of all others, for this id and for others of the time.

    Only whoever is apart in the same direction nearly every time is told.
    """
    by_id = _spans_by_id(story)
    apart: dict[int, list[int]] = defaultdict(list)
    asked: dict[int, int] = defaultdict(int)
    for spans in by_id:
        if len(spans) < 3:  # of two nobody can say who is wrong
            continue
        for service, (low, high) in spans.items():
            others = [span for name, span in spans.items() if name != service]
            begin, end = min(span[0] for span in others), max(span[1] for span in others)
            asked[service] += 1
            if low > end + _LEAST_SKEW_NS:
                apart[service].append(low - end)
            elif high < begin - _LEAST_SKEW_NS:
                apart[service].append(high - begin)
    found = []
    for service, shifts in apart.items():
        ahead = [shift for shift in shifts if shift > 0]
        same = ahead if 2 * len(ahead) >= len(shifts) else [shift for shift in shifts if shift < 0]
        if len(same) >= _SKEW_SHARE * asked[service]:
            found.append(
                Skew(
                    service=story.services.names[service],
                    ahead_ns=int(statistics.median(same)),
                    seen=len(same),
                    asked=asked[service],
                )
            )
    return sorted(found, key=lambda skew: -abs(skew.ahead_ns))


def _spans_by_id(story: Story) -> list[dict[int, tuple[int, int]]]:
    """For this id and others of the same services near to it: from when to when each service speaks of it."""
    own: dict[int, tuple[int, int]] = {}
    places = story.services.of(story.records).tolist()
    for service, time, guessed in zip(places, story.time_ns.tolist(), story.inferred.tolist(), strict=True):
        if service and time != NO_TIME and not guessed:
            low, high = own.get(service, (time, time))
            own[service] = min(low, time), max(high, time)
    if len(own) < 3:
        return [own]
    corpus = story.corpus
    near = _records_near(corpus, story.records, _SKEW_LINES)
    times = corpus.columns.time_ns[near].tolist()
    by_id: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for text, service, time in zip(
        corpus.texts(near.tolist()), story.services.of(near).tolist(), times, strict=True
    ):
        if time == NO_TIME or service not in own:
            continue
        for value in ids_in(decode(text)):
            low, high = by_id[value].get(service, (time, time))
            by_id[value][service] = min(low, time), max(high, time)
    mine = {value for text in corpus.texts(story.records[:1].tolist()) for value in ids_in(decode(text))}
    return [own, *(spans for value, spans in by_id.items() if value not in mine)]


def _records_near(corpus: Corpus, records: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Records beside some, in each of their sources: those before and behind them as they stand."""
    firsts = np.array([source.first for source in corpus.sources])
    of_source = np.searchsorted(firsts, records, side="right") - 1
    chosen = []
    for place in np.unique(of_source).tolist():
        source = corpus.sources[place]
        inside = records[of_source == place]
        reach = most // (2 * len(np.unique(of_source)))
        low = max(source.first, int(inside.min()) - reach)
        high = min(source.first + source.records, int(inside.max()) + reach)
        chosen.append(np.arange(low, min(high, low + 2 * reach + len(inside))))
    return np.concatenate(chosen)[: 2 * most]


def _next_hop(
    corpus: Corpus,
    kept: NDArray[np.int64],
    newest: NDArray[np.int64],
    met: set[str],
    around_ns: int,
    via: dict[int, str],
    followed: list[Followed],
) -> NDArray[np.int64]:
    """The lines that other ids of the newest lines bring."""
    candidates = _other_ids(corpus, newest, met)[: MOST_FOLLOWED - len(followed)]
    period = _period_around(corpus, kept, around_ns)
    added = np.empty(0, np.int64)
    for one in candidates:
        met.add(one.value.lower())
        found = _within(corpus, query_of(one), period)
        new = np.setdiff1d(np.setdiff1d(found, kept), added)
        if not len(new):
            continue
        everywhere = len(select(corpus, query_of(one))) if one.stands_alone else len(found)
        if everywhere > min(_STOP_LINES, max(_NEVER_STOPPED, _STOP_SHARE * len(corpus))):
            followed.append(Followed(one, 0, everywhere))
            continue
        followed.append(Followed(one, len(new)))
        via.update(dict.fromkeys(new.tolist(), one.told))
        added = np.union1d(added, new)
    return added


def _within(corpus: Corpus, query: Query, period: TimeRange) -> NDArray[np.int64]:
    """The records that match in a period; those without a time are where the ones before them are."""
    if not corpus.undated or period.is_open:
        return select(corpus, query, period)
    found = select(corpus, query)
    times = corpus.columns.time_ns[found].copy()
    for place in np.flatnonzero(times == NO_TIME).tolist():
        times[place] = _time_before(corpus, int(found[place]))
    return found[[period.contains(None if time == NO_TIME else time) for time in times.tolist()]]


def _other_ids(corpus: Corpus, records: NDArray[np.int64], met: set[str]) -> list[Id]:
    """The ids on some lines, those on most of these lines first."""
    counted: dict[str, int] = defaultdict(int)
    first: dict[str, Id] = {}
    some = records[:_READ_FOR_IDS].tolist()
    for record, raw in zip(some, corpus.texts(some), strict=True):
        source = corpus.source_of(record)
        text = decode(raw, "surrogateescape")
        for one in ids_of(fields_of_record(text, source.own_formats, source.columns), text):
            if one.value.lower() not in met:
                counted[one.value] += 1
                known = first.setdefault(one.value, one)
                if one.key and not known.key:
                    first[one.value] = one
    return sorted(first.values(), key=lambda one: -counted[one.value])


def _period_around(corpus: Corpus, records: NDArray[np.int64], around_ns: int) -> TimeRange:
    times = corpus.columns.time_ns[records]
    dated = times[times != NO_TIME]
    if not len(dated):
        return TimeRange()
    return TimeRange(int(dated.min()) - around_ns, int(dated.max()) + around_ns + 1)


def _in_order(
    corpus: Corpus,
    services: Services,
    records: NDArray[np.int64],
    via: Mapping[int, str],
    total: int,
    followed: tuple[Followed, ...],
) -> Story:
    times = corpus.columns.time_ns[records].copy()
    inferred = times == NO_TIME
    for place in np.flatnonzero(inferred).tolist():
        times[place] = _time_before(corpus, int(records[place]))
    # Those for which nothing tells a time come last.
    order = np.lexsort((records, times, times == NO_TIME))
    return Story(corpus, services, records[order], times[order], inferred[order], via, total, followed)


def _time_before(corpus: Corpus, record: int) -> int:
    """The time of the nearest record with one before this in its source, else behind it; NO_TIME without any."""
    source = corpus.source_of(record)
    times: NDArray[np.int64] = source.table.columns["time_ns"]
    own = record - source.first
    reach = 64
    while True:  # nearly always the next one has a time
        before = times[max(0, own - reach) : own]
        dated = np.flatnonzero(before != NO_TIME)
        if len(dated):
            return int(before[dated[-1]])
        if reach >= own:
            break
        reach *= 8
    behind = np.flatnonzero(times[own:] != NO_TIME)
    return int(times[own + behind[0]]) if len(behind) else NO_TIME


def _spellings(value: str) -> Sequence[str]:
    """A UUID is also written without dashes."""
    bare = value.replace("-", "")
    is_uuid = len(value) == 36 and len(bare) == 32
    if is_uuid:
        return (value, bare)
    return (value,)


def _key_spellings(key: str) -> Sequence[str]:
    """A key as it was met, and as others write it: `job_id`, `jobId`, `job-id`…"""
    parts = [
        part.lower()
        for part in re.split(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])", key.rpartition(".")[2])
        if part
    ]
    camel = parts[0] + "".join(part.capitalize() for part in parts[1:]) if parts else key
    return tuple(dict.fromkeys([key, "_".join(parts), camel, "-".join(parts), "".join(parts)]))


def _without_holes(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", r"\*").replace("?", r"\?")
