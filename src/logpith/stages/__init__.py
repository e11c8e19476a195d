"""Stages: steps between a source and the store. One file each; `type = "redact"` is `stages/redact.py`.

What each stage owes:

- `open()` gives a function from a batch to an `Outcome`; every record of the batch is in exactly one place of it:
  kept, dropped with a reason, or dead with a reason. State lives in `open()`.
- It works on columns. It never changes `observed_timestamp`, and never raises for what a record holds: a record that
  it cannot work on is dead, and its neighbours are not touched.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from logpith.component import types_in

if TYPE_CHECKING:
    from logpith.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the records of a batch."""

    kept: Batch
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Reason → records that are not wanted."""

    dead: Mapping[str, Batch] = field(default_factory=dict)
    """Reason → records that could not be worked on; they are kept apart, where they can be searched and replayed."""

    counters: Mapping[str, int] = field(default_factory=dict)
    """Anything else worth counting: `missing_timestamp`, `redacted_email`."""


Apply = Callable[["Batch"], Outcome]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A step; the fields are its settings."""

    type: ClassVar[str]
    remembers: ClassVar[bool] = True
    """Whether what it makes of a batch may depend on those before: such a stage sees all batches in their order."""

    only: str = ""
    """A query: records that do not match pass by untouched."""

    @abstractmethod
    def open(self) -> AbstractContextManager[Apply]:
        """The live stage."""


@cache
def stage_types() -> Mapping[str, type[Stage]]:
    """Every stage by what the settings call it."""
    return types_in(__name__, Stage)
