"""Prometheus: numbers as it reads them (text format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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


def to_prometheus(families: Iterable[Family]) -> str:
    """The numbers as Prometheus scrapes them."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escaped(family.doc)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [
            f"{sample.name}{_spelled(sample.labels)} {_number(sample.value)}" for sample in family.samples
        ]
    return "\n".join([*lines, ""])


def _spelled(labels: Labels) -> str:
    told = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels)
    return f"{{{told}}}" if told else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
