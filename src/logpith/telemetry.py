"""Telemetry: what this process has done, counted, and written as Prometheus reads it.

Two things are counted. `Telemetry` holds counters and gauges by name and labels. A `Ledger` holds one destination's
account of records, after the law that nothing is lost in silence:

    accepted = stored + in_flight + spooled + dead_lettered + dropped{reason}

It counts both sides of it apart, so that a record that was forgotten, or counted twice, shows.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from logpith_emit.prometheus import CONTENT_TYPE, Family, Labels, Sample, to_prometheus

__all__ = [
    "CONTENT_TYPE",
    "Account",
    "Family",
    "Labels",
    "Ledger",
    "Metric",
    "Sample",
    "Telemetry",
    "to_prometheus",
]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that we keep; whoever counts it says once what it is."""

    name: str
    """As Prometheus has them: `logpith_source_records_total`."""

    doc: str
    kind: Literal["counter", "gauge"] = "counter"


class Telemetry:
    """The numbers of one process; any thread may count."""

    def __init__(self) -> None:
        self._values: dict[Metric, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._others: list[Callable[[], Iterable[Family]]] = []
        self._lock = threading.Lock()

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Adds to a counter."""
        with self._lock:
            self._values[metric][_sorted(labels)] += amount

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Says what a gauge stands at."""
        with self._lock:
            self._values[metric][_sorted(labels)] = value

    def value(self, metric: Metric, **labels: str) -> float:
        """The sum of all numbers of a metric that have these labels, and maybe others."""
        wanted = set(labels.items())
        with self._lock:
            return sum(value for told, value in self._values.get(metric, {}).items() if wanted <= {*told})

    def also(self, families: Callable[[], Iterable[Family]]) -> None:
        """Also tells what somebody else counts, asked whenever all is told."""
        with self._lock:
            self._others.append(families)

    def families(self) -> list[Family]:
        """All that was counted, by name."""
        with self._lock:
            found = [
                Family(
                    name=metric.name,
                    kind=metric.kind,
                    doc=metric.doc,
                    samples=[
                        Sample(name=metric.name, labels=labels, value=value)
                        for labels, value in sorted(values.items())
                    ],
                )
                for metric, values in self._values.items()
            ]
            others = list(self._others)
        found += [family for families in others for family in families()]
        return sorted(found, key=lambda family: family.name)

    def render(self) -> str:
        """All of it, as Prometheus scrapes it."""
        return to_prometheus(self.families())


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


# ── The law ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Account:
    """A ledger at one moment."""

    accepted: int
    stored: int
    in_flight: int
    spooled: int
    dead_lettered: int
    dropped: Mapping[str, int]
    """Reason → records."""

    @property
    def missing(self) -> int:
        """Records that were accepted and are nowhere; below 0, records that are somewhere twice. 0 is the law."""
        kept = self.stored + self.in_flight + self.spooled + self.dead_lettered
        return self.accepted - kept - sum(self.dropped.values())


class Ledger:
    """A destination's account of its records; any thread may write in it."""

    def __init__(self, destination: str) -> None:
        self.destination = destination
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def taking(self, records: int) -> Iterator[Taken]:
        """Accepts records, which are in flight until the block has said what became of each of them.

        When the block raises, those that it had not settled were not accepted after all: they come again.
        """
        taken = Taken(self, records)
        self._add(accepted=records, in_flight=records)
        try:
            yield taken
        except BaseException:
            self._add(accepted=-taken.left, in_flight=-taken.left)
            raise

    def unspooled(self, records: int) -> None:
        """Records left the spool and are stored."""
        self._add(spooled=-records, stored=records)

    def account(self) -> Account:
        """All columns at one moment."""
        with self._lock:
            return Account(
                accepted=self._counts["accepted"],
                stored=self._counts["stored"],
                in_flight=self._counts["in_flight"],
                spooled=self._counts["spooled"],
                dead_lettered=self._counts["dead_lettered"],
                dropped=dict(self._dropped),
            )

    def check(self) -> None:
        """Nothing, when the law holds and all is at rest.

        Raises:
            AssertionError: records are missing, counted twice, or still in flight.
        """
        account = self.account()
        if account.missing or account.in_flight:
            raise AssertionError(f"{self.destination}: {account.missing} records are missing in {account}")

    def families(self) -> list[Family]:
        """The account as numbers of our telemetry."""
        account = self.account()
        of = ("destination", self.destination)
        totals = {
            "accepted": (account.accepted, "Records that came in."),
            "stored": (account.stored, "Records that are durable."),
            "dead_lettered": (account.dead_lettered, "Records that no stage could work on, kept apart."),
        }
        held = {
            "in_flight": (account.in_flight, "Records that are being worked on."),
            "spooled": (account.spooled, "Records that wait for their destination."),
        }
        families = [_family(f"{name}_records_total", "counter", *told, of) for name, told in totals.items()]
        families += [_family(f"{name}_records", "gauge", *told, of) for name, told in held.items()]
        name = "logpith_dropped_records_total"
        dropped = [
            Sample(name=name, value=count, labels=(of, ("reason", reason)))
            for reason, count in sorted(account.dropped.items())
        ]
        if dropped:
            doc = "Records that we had and did not keep."
            families.append(Family(name=name, kind="counter", doc=doc, samples=dropped))
        return families

    def _add(self, **counts: int) -> None:
        with self._lock:
            self._counts.update(counts)

    def _drop(self, reason: str, records: int) -> None:
        with self._lock:
            self._dropped[reason] += records
            self._counts["in_flight"] -= records


class Taken:
    """Records that are in flight, until it is said what became of them."""

    def __init__(self, ledger: Ledger, records: int) -> None:
        self._ledger = ledger
        self.left = records
        """Records that nothing was said of yet."""

    def stored(self, records: int) -> None:
        """They are durable."""
        self._settle(records, "stored")

    def spooled(self, records: int) -> None:
        """They wait, durable, for their destination."""
        self._settle(records, "spooled")

    def dead_lettered(self, records: int) -> None:
        """They are kept apart."""
        self._settle(records, "dead_lettered")

    def dropped(self, records: int, reason: str) -> None:
        """They are not kept."""
        self.left -= records
        self._ledger._drop(reason, records)

    def _settle(self, records: int, column: str) -> None:
        self.left -= records
        self._ledger._add(**{column: records, "in_flight": -records})


def _family(
    name: str, kind: Literal["counter", "gauge"], value: float, doc: str, label: tuple[str, str]
) -> Family:
    full = f"logpith_{name}"
    return Family(name=full, kind=kind, doc=doc, samples=[Sample(name=full, value=value, labels=(label,))])
