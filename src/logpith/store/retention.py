"""Retention: which segments go, when, and why. Pure functions over entries of the manifest; the writer acts on them.

    age          all records of the segment are older than its class is kept
    size         the store is larger than it may be
    free space   less of the disk is free than must stay free

Age counts from when records say that they were written, or from when they came if that is earlier: a sender whose
clock runs ahead keeps nothing for ever. A clock that jumps back removes nothing. Limits take from the class that is
kept the shortest, its oldest segments first; then real retention is shorter than wanted, which the plan says. A hold
outranks everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from logpith.plural import counted
from logpith.progress import size_in_words
from logpith.scan.timestamps import NO_TIME
from logpith.store.manifest import Entry
from logpith.timerange import NS_PER_D, TimeRange, format_ns, format_span

Reason = Literal["age", "size", "free space"]

_MOST_UPCOMING = 10


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Records that must stay, whatever else is said."""

    name: str
    """What plans call it."""

    reason: str = ""
    """Why they must, as somebody wrote it."""

    kinds: tuple[str, ...] = ()
    """Only of these classes; none means all."""

    time: TimeRange = field(default_factory=TimeRange)
    """Only records of this time."""

    services: tuple[str, ...] = ()
    """Only of these services; none means all."""

    has_any: Callable[[Entry], bool] | None = field(default=None, compare=False)
    """Whether a segment holds a record that is meant, where only its records tell; asked last."""

    def keeps(self, entry: Entry) -> bool:
        """Whether a segment may hold such a record."""
        if self.kinds and entry.kind not in self.kinds:
            return False
        if self.services and entry.services.keys().isdisjoint(self.services):
            return False
        return self._is_of_time(entry) and (self.has_any is None or self.has_any(entry))

    def _is_of_time(self, entry: Entry) -> bool:
        if entry.undated or entry.end_ns == NO_TIME or self.time.is_open:
            return True  # a record without a time may be of any
        starts_in = self.time.end_ns is None or entry.start_ns < self.time.end_ns
        return starts_in and (self.time.start_ns is None or entry.end_ns >= self.time.start_ns)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is kept for how long, and what for no longer than there is room."""

    retention_ns: int
    """Of records of no class, and of a class that the settings no longer name."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    """Class → ns."""

    most_bytes: int | None = None
    least_free_bytes: int = 0
    holds: tuple[Hold, ...] = ()

    def retention_of(self, kind: str) -> int:
        """How long a class is kept."""
        return self.kinds.get(kind, self.retention_ns)

    def is_held(self, entry: Entry) -> bool:
        """Whether a hold keeps a segment."""
        return any(hold.keeps(entry) for hold in self.holds)

    def holds_on(self, entry: Entry) -> tuple[Hold, ...]:
        """All that keep a segment; none when it may go."""
        return tuple(hold for hold in self.holds if hold.keeps(entry))


@dataclass(frozen=True)
class Removal:
    """A segment that goes, and why."""

    entry: Entry
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """A class of which less is kept than wanted, since there is no room."""

    kind: str
    wanted_ns: int
    real_ns: int

    def in_words(self) -> str:
        """`errors: real retention is 12 d, below the wanted 90 d`."""
        real, wanted = format_span(self.real_ns), format_span(self.wanted_ns)
        return f"{_kind_in_words(self.kind)}: real retention is {real}, below the wanted {wanted}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What goes now, and what that means."""

    removals: tuple[Removal, ...]
    """In the order in which they go."""

    kept: tuple[Entry, ...]
    """The next to go first."""

    cut_ns: Mapping[str, int]
    """Class → the newest time that was taken from it before its age; to be kept, and given to the next plan."""

    shortfalls: tuple[Shortfall, ...]
    lacking_bytes: int
    """By so much a limit is not met although all is gone that may go."""

    held: tuple[Entry, ...] = ()
    """What would go, too, but for a hold."""


def newest_ns(entry: Entry) -> int:
    """From when on a segment ages: the time of its last record."""
    dated = min(entry.end_ns, entry.observed_end_ns) if entry.end_ns != NO_TIME else None
    if entry.undated or dated is None:
        return entry.observed_end_ns
    return dated


def due_ns(entry: Entry, policy: Policy) -> int:
    """When a segment goes for its age."""
    return newest_ns(entry) + policy.retention_of(entry.kind)


def plan_retention(
    entries: Sequence[Entry],
    policy: Policy,
    now_ns: int,
    *,
    free_bytes: int | None = None,
    freeing_bytes: int = 0,
    cut_ns: Mapping[str, int] | None = None,
) -> Plan:
    """What goes at `now_ns`.

    `free_bytes` are free on the disk, None when that does not matter; `freeing_bytes` will be soon, for they are
    in the trash already, and what they make room for shall not go too. `cut_ns` is that of the plan before.
    """
    removals: list[Removal] = []
    left: list[Entry] = []
    held: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: (due_ns(entry, policy), entry.id)):
        if due_ns(entry, policy) >= now_ns:
            left.append(entry)
        elif policy.is_held(entry):  # asked of few: to know it may take reading the segment
            held.append(entry)
        else:
            removals.append(Removal(entry, "age"))

    size = sum(entry.size_bytes for entry in (*left, *held))
    freed = freeing_bytes + sum(removal.entry.size_bytes for removal in removals)
    too_large = max(0, size - policy.most_bytes) if policy.most_bytes is not None else 0
    too_full = max(0, policy.least_free_bytes - free_bytes - freed) if free_bytes is not None else 0
    gone: set[str] = set()
    cut = dict(cut_ns or {})
    for entry in sorted(left, key=lambda entry: _worth(entry, policy)):
        if not too_large and not too_full:
            break
        if policy.is_held(entry):
            held.append(entry)
            continue
        removals.append(Removal(entry, "size" if too_large else "free space"))
        gone.add(entry.id)
        cut[entry.kind] = max(cut.get(entry.kind, newest_ns(entry)), newest_ns(entry))
        too_large = max(0, too_large - entry.size_bytes)
        too_full = max(0, too_full - entry.size_bytes)

    cut = {kind: cut_at for kind, cut_at in cut.items() if cut_at + policy.retention_of(kind) > now_ns}
    overdue = [entry for entry in held if due_ns(entry, policy) < now_ns]
    kept = [entry for entry in (*left, *overdue) if entry.id not in gone]
    return Plan(
        removals=tuple(removals),
        kept=tuple(sorted(kept, key=lambda entry: (due_ns(entry, policy), entry.id))),
        cut_ns=cut,
        shortfalls=tuple(_shortfalls(cut, policy, now_ns)),
        lacking_bytes=max(too_large, too_full),
        held=tuple(held),
    )


def _worth(entry: Entry, policy: Policy) -> tuple[int, int, str]:
    """What a limit takes first sorts first: what is kept the shortest, of that the oldest."""
    return policy.retention_of(entry.kind), newest_ns(entry), entry.id


def _shortfalls(cut_ns: Mapping[str, int], policy: Policy, now_ns: int) -> Iterator[Shortfall]:
    for kind, cut_at in sorted(cut_ns.items()):
        yield Shortfall(kind=kind, wanted_ns=policy.retention_of(kind), real_ns=max(0, now_ns - cut_at))


def _kind_in_words(kind: str) -> str:
    """The name of a class; `default` for records of none."""
    return kind or "default"


def plan_rows(
    plan: Plan, policy: Policy, now_ns: int, upcoming: int = _MOST_UPCOMING
) -> list[dict[str, str]]:
    """A row for each segment that goes now, then for the next ones to go."""
    rows = [_row(one.entry, "now", _why(one.entry, one.reason, policy)) for one in plan.removals]
    for entry in plan.kept[:upcoming]:
        holds = ", ".join(f"hold {hold.name}" for hold in policy.holds_on(entry))
        when = "held" if holds else f"in {format_span(max(0, due_ns(entry, policy) - now_ns))}"
        rows.append(_row(entry, when, holds or _why(entry, "age", policy)))
    return rows


def plan_in_words(plan: Plan, policy: Policy) -> list[str]:
    """What a plan comes to, a sentence each: what goes, what stays, and where retention is not what was wanted."""
    told = [f"{_sum_in_words(one.entry for one in plan.removals)} to go, {_sum_in_words(plan.kept)} to stay."]
    for hold in policy.holds:
        kept = [entry for entry in plan.held if hold.keeps(entry)]
        why = f" ({hold.reason})" if hold.reason else ""
        told += [f"{_sum_in_words(kept)} would go, but for the hold {hold.name}{why}."] if kept else []
    told += [f"{shortfall.in_words()}." for shortfall in plan.shortfalls]
    if plan.lacking_bytes:
        holds = ", ".join(hold.name for hold in policy.holds)
        why = f"; held: {holds}" if holds else ""
        told.append(
            f"{size_in_words(plan.lacking_bytes)} too many for the limits although all goes that may{why}."
        )
    return told


def _row(entry: Entry, goes: str, why: str) -> dict[str, str]:
    return {
        "segment": entry.id,
        "day": format_ns(entry.day * NS_PER_D)[:10],
        "class": _kind_in_words(entry.kind),
        "records": f"{entry.records:,}",
        "size": size_in_words(entry.size_bytes),
        "goes": goes,
        "why": why,
    }


def _why(entry: Entry, reason: Reason, policy: Policy) -> str:
    match reason:
        case "age":
            return f"{_kind_in_words(entry.kind)} is kept {format_span(policy.retention_of(entry.kind))}"
        case "size":
            return f"the store may have {size_in_words(policy.most_bytes or 0)}"
        case "free space":
            return f"{size_in_words(policy.least_free_bytes)} of the disk must stay free"


def _sum_in_words(entries: Iterable[Entry]) -> str:
    some = list(entries)
    size = size_in_words(sum(entry.size_bytes for entry in some))
    records = counted(sum(entry.records for entry in some), "record")
    return f"{counted(len(some), 'segment')} ({records}, {size})"
