"""Truth: what was written into a day, counted as it was written. The oracle of tests."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from logpith.demo.kinds import Kind, Line
from logpith.demo.styles import FORMATS
from logpith.timerange import format_ns


@dataclass(frozen=True)
class FileTruth:
    """What one file holds."""

    lines: int
    records: int
    format: str
    start: str
    end: str
    severities: dict[str, int]
    """Records by the level that the service wrote."""

    templates: dict[str, int]
    """Records by template."""


@dataclass(frozen=True)
class PlantedTruth:
    """One kind of line that proves the incident."""

    file: str
    template: str
    count: int
    first_line: int
    """1-based."""

    last_line: int
    lines: tuple[int, ...]
    """All of them, 1-based."""


@dataclass(frozen=True)
class SymptomTruth:
    """One kind of line that more is said of because of the incident, and that does not name the cause."""

    file: str
    template: str
    count: int
    """Records since the incident began."""


@dataclass(frozen=True)
class Truth:
    """What a day holds."""

    lines: int
    records: int
    seed: int
    start: str
    end: str
    incident: str
    cause: str
    since: str
    """When the incident began; empty when there is none."""

    files: dict[str, FileTruth]
    planted: tuple[PlantedTruth, ...]
    symptoms: tuple[SymptomTruth, ...]
    secrets: tuple[str, ...]
    """Made-up secrets that the files hold, for redaction to find."""

    hostile: tuple[str, ...]
    """Texts that the files hold and no terminal or model should obey."""

    def write(self, path: Path) -> None:
        """Writes it as JSON. It tells the cause: whoever is to find that must not read it."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=True)
        path.write_text(f"{text}\n", encoding="utf-8", newline="\n")


@dataclass
class FileCount:
    """What has been written into a file so far."""

    service: str
    lines: int = 0
    records: int = 0
    first_ns: int = 0
    last_ns: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    templates: Counter[str] = field(default_factory=Counter)
    places: dict[Kind, list[int]] = field(default_factory=dict)
    """First lines of the records of planted kinds."""

    symptoms: dict[Kind, int] = field(default_factory=dict)
    """Records of the kinds that are symptoms, from `since_ns` on."""

    since_ns: int = 0

    def add(self, line: Line) -> None:
        """Counts a record that is written next."""
        if not self.records:
            self.first_ns = line.stamp_ns
        if line.kind in self.places:
            self.places[line.kind].append(self.lines + 1)
        if line.kind in self.symptoms and line.time_ns >= self.since_ns:
            self.symptoms[line.kind] += 1
        self.lines += line.lines
        self.records += 1
        self.last_ns = line.stamp_ns
        self.levels[line.kind.level] += 1
        self.templates[line.kind.template] += 1

    def truth(self) -> FileTruth:
        """What it comes to."""
        return FileTruth(
            lines=self.lines,
            records=self.records,
            format=FORMATS[self.service],
            start=format_ns(self.first_ns),
            end=format_ns(self.last_ns),
            severities=dict(sorted(self.levels.items())),
            templates=dict(sorted(self.templates.items())),
        )

    def planted(self) -> list[PlantedTruth]:
        """What it holds of the planted kinds."""
        return [
            PlantedTruth(
                f"{self.service}.log", kind.template, len(places), places[0], places[-1], tuple(places)
            )
            for kind, places in self.places.items()
            if places
        ]

    def told_symptoms(self) -> list[SymptomTruth]:
        """What it holds of the symptoms."""
        return [
            SymptomTruth(f"{self.service}.log", kind.template, told)
            for kind, told in self.symptoms.items()
            if told
        ]
