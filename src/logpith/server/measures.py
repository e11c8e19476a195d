"""Measures: what this process has done, counted, and written as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REQUEST_S = (0.005, 0.025, 0.1, 0.5, 2.0, 10.0)
"""Upper bounds of the buckets of a request's duration."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One number under a name."""

    name: str
    value: float
    labels: Labels = ()


@dataclass(frozen=True, kw_only=True)
class Family:
    """Numbers of one name that belong together."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    samples: Sequence[Sample]


@dataclass
class _Durations:
    buckets: list[int] = field(default_factory=lambda: [0] * len(REQUEST_S))
    count: int = 0
    total_s: float = 0.0


class Measures:
    """Counters of one process; any thread may count."""

    def __init__(self) -> None:
        self._counters: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._docs: dict[str, str] = {}
        self._durations: dict[Labels, _Durations] = defaultdict(_Durations)
        self._others: list[Callable[[], Iterable[Family]]] = []
        self._lock = threading.Lock()

    def counter(self, name: str, doc: str) -> None:
        """Makes a counter known, which stands at 0 until it is counted."""
        self._docs[name] = doc

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Adds to a counter."""
        with self._lock:
            self._counters[name][tuple(sorted(labels.items()))] += amount

    def took(self, duration_s: float, **labels: str) -> None:
        """Adds a request's duration."""
        with self._lock:
            durations = self._durations[tuple(sorted(labels.items()))]
            durations.count += 1
            durations.total_s += duration_s
            for place, bound in enumerate(REQUEST_S):
                durations.buckets[place] += duration_s <= bound

    def value(self, name: str, **labels: str) -> float:
        """What a counter stands at."""
        with self._lock:
            return self._counters[name][tuple(sorted(labels.items()))]

    def also(self, families: Callable[[], Iterable[Family]]) -> None:
        """Also tells what somebody else counts, asked whenever all is told."""
        self._others.append(families)

    def families(self) -> list[Family]:
        """All that was counted, by name."""
        with self._lock:
            found = [
                Family(
                    name=name,
                    kind="counter",
                    doc=doc,
                    samples=[
                        Sample(name=name, labels=labels, value=value)
                        for labels, value in sorted((self._counters.get(name) or {(): 0}).items())
                    ],
                )
                for name, doc in self._docs.items()
            ]
            found += self._duration_family()
        found += [family for others in self._others for family in others()]
        return sorted(found, key=lambda family: family.name)

    def _duration_family(self) -> list[Family]:
        name = "logpith_http_request_duration_seconds"
        samples: list[Sample] = []
        for labels, durations in sorted(self._durations.items()):
            for bound, count in zip(REQUEST_S, durations.buckets, strict=True):
                samples.append(Sample(name=f"{name}_bucket", labels=(*labels, ("le", f"{bound:g}")), value=count))
            everything = (*labels, ("le", "+Inf"))
            samples.append(Sample(name=f"{name}_bucket", labels=everything, value=durations.count))
            samples.append(Sample(name=f"{name}_sum", labels=labels, value=durations.total_s))
            samples.append(Sample(name=f"{name}_count", labels=labels, value=durations.count))
        doc = "How long requests took, streams left out."
        return [Family(name=name, kind="histogram", doc=doc, samples=samples)] if samples else []


def to_prometheus(families: Iterable[Family]) -> str:
    """The numbers as Prometheus scrapes them."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escaped(family.doc)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}" for sample in family.samples]
    return "\n".join([*lines, ""])


def gauge(name: str, doc: str, values: Mapping[Labels, float]) -> Family:
    """Numbers that go up and down."""
    samples = [Sample(name=name, labels=labels, value=value) for labels, value in sorted(values.items())]
    return Family(name=name, kind="gauge", doc=doc, samples=samples)


def _labels(labels: Labels) -> str:
    told = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels)
    return f"{{{told}}}" if told else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
